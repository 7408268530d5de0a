// Lines out of a stream of bytes, in bounded memory: a line that is too long is cut, and says so.

/** Longest line that is kept, in characters. */
export const LINE_LIMIT = 8_192;

/** Gathers bytes into lines. */
export class Lines {
  readonly #decoder = new TextDecoder();
  readonly #onLine: (text: string) => void;
  #rest = '';
  #cut = 0;

  constructor(onLine: (text: string) => void) {
    this.#onLine = onLine;
  }

  /** Takes what has come. */
  push(bytes: Uint8Array): void {
    this.#take(this.#decoder.decode(bytes, { stream: true }));
  }

  /** The stream has ended: what is left is a line, too. */
  end(): void {
    this.#take(this.#decoder.decode());
    if (this.#rest !== '' || this.#cut > 0) this.#flush();
  }

  #take(text: string): void {
    let from = 0;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', from)) {
      this.#add(text.slice(from, at));
      this.#flush();
      from = at + 1;
    }
    this.#add(text.slice(from));
  }

  #add(text: string): void {
    const room = LINE_LIMIT - this.#rest.length;
    this.#rest += text.slice(0, room);
    this.#cut += Math.max(0, text.length - room);
  }

  #flush(): void {
    const line = this.#rest.endsWith('\r') ? this.#rest.slice(0, -1) : this.#rest;
    this.#onLine(this.#cut === 0 ? line : `${line}… (${this.#cut} more characters)`);
    this.#rest = '';
    this.#cut = 0;
  }
}
