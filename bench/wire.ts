// The cheapest HTTP on both ends of the measured platform: raw sockets, so that load and receiver take as little of the
// machine as they can and the figures are the platform's.
import net from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');

/** Takes bytes as they come and calls back with each whole message: its head as text, its body. */
export function messages(onMessage: (head: string, body: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const end = rest.indexOf(HEAD_END);
      if (end < 0) return;
      const head = rest.toString('latin1', 0, end);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      const total = end + 4 + length;
      if (rest.length < total) return;
      onMessage(head, rest.subarray(end + 4, total));
      rest = rest.subarray(total);
    }
  };
}

/** One kept-alive connection that posts one request at a time; opened again when the server has closed it meanwhile. */
export class Poster {
  readonly #port: number;
  #socket: net.Socket | null = null;
  #underWay: { bytes: Buffer; resolve: (answer: { status: number; body: Buffer }) => void } | null = null;

  private constructor(port: number) {
    this.#port = port;
  }

  static async open(port: number): Promise<Poster> {
    const poster = new Poster(port);
    await new Promise((resolve, reject) => {
      poster.#connect().once('connect', resolve).once('error', reject);
    });
    return poster;
  }

  /** Sends again, with the same ids, what a connection took along when it closed. */
  post(head: string, body: Buffer): Promise<{ status: number; body: Buffer }> {
    return new Promise((resolve) => {
      const bytes = Buffer.concat([Buffer.from(`${head}content-length: ${body.length}\r\n\r\n`, 'latin1'), body]);
      this.#underWay = { bytes, resolve };
      (this.#socket ?? this.#connect()).write(bytes);
    });
  }

  close(): void {
    this.#underWay = null;
    this.#socket?.destroy();
  }

  #connect(): net.Socket {
    const socket = net.connect(this.#port, '127.0.0.1');
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on(
      'data',
      messages((head, body) => {
        const status = Number(head.slice(9, 12));
        // What a server says to a connection that was idle for too long: it answers nothing that was sent.
        if (status === 408 || this.#underWay === null) return socket.destroy();
        const { resolve } = this.#underWay;
        this.#underWay = null;
        resolve({ status, body: Buffer.from(body) });
      }),
    );
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = null;
      if (this.#underWay !== null) this.#connect().write(this.#underWay.bytes);
    });
    return socket;
  }
}
