// A guide played: each of its blocks is typed, written or compared, in order, and the first one that is not as the page
// says ends the play, with its file and line, what was expected and what came.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fit, inNames, type Fit, type Names } from './compare.ts';
import { makeGround, type Ground } from './ground.ts';
import { GuideError, readBlocks, type Block, type Deed } from './page.ts';
import { Running, Shell } from './terminal.ts';

/** A guide to be played. */
export interface Guide {
  /** As messages call it: its path from the root of the repository. */
  page: string;
  text: string;
  /** Beside what every terminal has, in its environment and on its PATH. */
  env?: NodeJS.ProcessEnv;
  programs?: Record<string, string>;
}

/** Compilers and package managers on a cold machine are slow; nothing else is. */
const PATIENCE_MS = 180_000;
const OUTPUT_MS = 60_000;
const AGAIN_MS = 250;

/** Plays all blocks; the reasons why some were not run. Rejects with a GuideError. Whatever happens, all programs end. */
export async function playGuide({ page, text, env = {}, programs = {} }: Guide): Promise<string[]> {
  const blocks = readBlocks(page, text);
  const made = await makeGround(text, programs);
  const ground = { ...made, env: { ...made.env, ...env } };
  const play = new Play(page, ground);
  try {
    const skipped: string[] = [];
    for (const [index, block] of blocks.entries()) {
      if (block.deed.kind === 'skip') skipped.push(`${page}:${block.line}: ${block.deed.reason}`);
      else await play.block(block, blocks[index + 1]);
    }
    await play.end();
    return skipped;
  } finally {
    play.kill();
    made.remove();
  }
}

class Play {
  readonly #page: string;
  readonly #ground: Ground;
  readonly #shell: Shell;
  readonly #terminals = new Map<string, Running>();
  /** What the block above printed, or the terminal it was typed into. */
  #above: string | Running = '';
  #names: Names = new Map();

  constructor(page: string, ground: Ground) {
    this.#page = page;
    this.#ground = ground;
    this.#shell = new Shell(ground, ground.scripts);
    this.#shell.folder = ground.folder;
  }

  async block(block: Block, next: Block | undefined): Promise<void> {
    const { deed } = block;
    if (deed.kind === 'write') this.#write(block, deed.file);
    if (deed.kind === 'type') await this.#type(block, deed, next);
    if (deed.kind === 'start') await this.#start(block, deed.terminal);
    if (deed.kind === 'compare' && deed.press) await this.#press(block, this.#terminals.get(deed.terminal!)!);
    else if (deed.kind === 'compare')
      await this.#compare(block, this.#terminals.get(deed.terminal ?? '') ?? this.#above);
  }

  /** What runs at the end of a guide is ended, as a reader would; what has ended by itself should not have. */
  async end(): Promise<void> {
    for (const [name, terminal] of this.#terminals) {
      if (terminal.ended === null || terminal.ended === 0) continue;
      throw this.#fail(0, `what ran in the terminal ${name} ended by itself (${terminal.ended})`, terminal.printed);
    }
    await Promise.all(Array.from(this.#terminals.values(), (terminal) => terminal.interrupt(OUTPUT_MS)));
  }

  kill(): void {
    this.#shell.close();
    for (const terminal of this.#terminals.values()) terminal.kill();
  }

  #write({ text }: Block, file: string): void {
    const path = resolve(this.#shell.folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, this.#typed(text));
  }

  async #type({ line, text }: Block, { exit, again }: Deed & { kind: 'type' }, next: Block | undefined): Promise<void> {
    const until = performance.now() + OUTPUT_MS;
    for (;;) {
      const options = { withinMs: PATIENCE_MS, onwards: exit !== 0 };
      const { code, printed } = await this.#shell.type(this.#typed(text), options);
      if (code === null) throw this.#fail(line, `did not end within ${PATIENCE_MS / 1000} s`, printed);
      if (code !== exit) throw this.#fail(line, `ended with exit code ${code}, not ${exit}`, printed);
      this.#above = printed;
      if (!again || !next || this.#fits(next.text, printed, true) !== undefined || performance.now() > until) return;
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  }

  async #start({ text }: Block, name: string): Promise<void> {
    await this.#terminals.get(name)?.interrupt(OUTPUT_MS);
    const running = new Running(this.#typed(text), { folder: this.#shell.folder, env: this.#ground.env });
    this.#terminals.set(name, running);
    this.#above = running;
  }

  async #compare({ line, text }: Block, printed: string | Running): Promise<void> {
    if (typeof printed === 'string') {
      if (this.#fits(text, printed, true) === undefined) throw this.#differs(line, text, printed);
      return;
    }
    await printed.until((so) => this.#fits(text, so, false) !== undefined, OUTPUT_MS);
    const found = this.#fits(text, printed.printed, false);
    const end = printed.ended === null ? '' : `\n(it has ended: ${printed.ended})`;
    if (!found) throw this.#differs(line, text, printed.printed + end);
    printed.take(printed.printed.split('\n').slice(0, found.lines).join('\n').length + 1);
  }

  async #press({ line, text }: Block, running: Running): Promise<void> {
    if (!(await running.interrupt(OUTPUT_MS))) throw this.#fail(line, 'Ctrl-C did not end it', running.printed);
    // A terminal echoes it.
    const printed = `^C\n${running.printed}`;
    running.take(running.printed.length);
    if (this.#fits(text, printed, true) === undefined) throw this.#differs(line, text, printed);
    for (const [name, one] of this.#terminals) if (one === running) this.#terminals.delete(name);
  }

  /** Does it fit? What the page calls by an id that is new here is known by that id from then on. */
  #fits(expected: string, printed: string, whole: boolean): Fit | undefined {
    const found = fit(expected, this.#ground.read(printed), { whole, known: this.#names });
    if (found) this.#names = found.names;
    return found;
  }

  #typed(text: string): string {
    return this.#ground.typed(inNames(text, this.#names));
  }

  #differs(line: number, expected: string, printed: string): GuideError {
    return this.#fail(line, `is not what came. Expected:\n${indented(expected)}`, printed);
  }

  #fail(line: number, message: string, printed: string): GuideError {
    const came = indented(this.#ground.read(printed)) || '    (nothing)';
    return new GuideError({ page: this.#page, line }, `${message}\n  What came:\n${came}\n`);
  }
}

function indented(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '    ');
}
