// The terminals of a guide: one shell that is typed into, and others in which something goes on running.
import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a terminal opens. */
export interface Place {
  folder: string;
  env: NodeJS.ProcessEnv;
}

/** What ran, and what it printed; `code` is null where it did not end in time. */
export interface Ran {
  code: number | null;
  printed: string;
}

const END = '\u0003';

/** One shell over the whole guide, so that its variables and its folder stay. */
export class Shell {
  readonly #shell: ChildProcess;
  readonly #scripts: string;
  #printed = '';
  #look: () => void = () => {};
  #count = 0;

  /** Opens it; the blocks are kept as files in the folder `scripts`. */
  constructor({ folder, env }: Place, scripts: string) {
    this.#scripts = scripts;
    this.#shell = spawn('sh', ['-s'], { cwd: folder, env, stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    this.#shell.stdin!.on('error', () => undefined).write('exec 2>&1\n');
    this.#shell.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#printed += text;
      this.#look();
    });
    this.#shell.once('close', () => this.#look());
  }

  /** Types a block and waits for its end: at the first command that fails, unless `onwards`. */
  async type(block: string, { withinMs, onwards = false }: { withinMs: number; onwards?: boolean }): Promise<Ran> {
    const script = join(this.#scripts, `block-${++this.#count}.sh`);
    writeFileSync(script, block);
    this.#printed = '';
    const [strict, loose] = onwards ? ['', ''] : ['set -e; ', '; set +e'];
    this.#shell.stdin!.write(
      `${strict}. '${script}' </dev/null${loose}; printf '${END}%s${END}%s${END}' "$?" "$PWD"\n`,
    );
    const ended = await this.#until(() => this.#printed.endsWith(END) || this.#shell.exitCode !== null, withinMs);
    const [printed = '', code, folder] = this.#printed.split(END);
    if (folder !== undefined) this.folder = folder;
    // Under `set -e` the shell itself ends with what failed.
    return { printed, code: !ended ? null : code === undefined ? (this.#shell.exitCode ?? 1) : Number(code) };
  }

  /** Where it is, after the last block. */
  folder = '';

  close(): void {
    killGroup(this.#shell, 'SIGKILL');
  }

  #until(isSo: () => boolean, withinMs: number): Promise<boolean> {
    return patience(isSo, withinMs, (look) => (this.#look = look));
  }
}

/** A program that goes on: what it prints, and what of that the guide has looked at. */
export class Running {
  readonly #child: ChildProcess;
  #printed = '';
  #look: () => void = () => {};

  constructor(block: string, { folder, env }: Place) {
    const options = { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] as const, detached: true };
    this.#child = spawn('sh', ['-c', `exec 2>&1\n${block}`], { ...options, stdio: [...options.stdio] });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#printed += text;
      this.#look();
    });
    this.#child.once('close', () => this.#look());
  }

  /** What it printed that nobody has taken. */
  get printed(): string {
    return this.#printed;
  }

  /** The exit code of one that has ended, or the signal that ended it. */
  get ended(): number | string | null {
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  /** Forgets the first so many characters: the guide has looked at them. */
  take(length: number): void {
    this.#printed = this.#printed.slice(length);
  }

  /** Waits until something is so of what it has printed, or it has ended; false when neither came in time. */
  until(isSo: (printed: string) => boolean, withinMs: number): Promise<boolean> {
    return patience(
      () => isSo(this.#printed) || this.ended !== null,
      withinMs,
      (look) => (this.#look = look),
    );
  }

  /** Ctrl-C, and SIGKILL when that does not end it in time: has it ended by itself? */
  async interrupt(withinMs: number): Promise<boolean> {
    if (this.ended !== null) return true;
    const gone = new Promise<true>((done) => this.#child.once('close', () => done(true)));
    killGroup(this.#child, 'SIGINT');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((done) => (timer = setTimeout(done, withinMs, false)));
    const isGone = await Promise.race([gone, late]);
    clearTimeout(timer);
    this.kill();
    return isGone;
  }

  kill(): void {
    killGroup(this.#child, 'SIGKILL');
  }
}

/** Ends a program with all that it started: each has a process group of its own. */
function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // All of them have ended.
  }
}

/** Waits for something to be so; `watch` is told what to call whenever that may have changed. */
async function patience(isSo: () => boolean, withinMs: number, watch: (look: () => void) => void): Promise<boolean> {
  if (isSo()) return true;
  let timer: NodeJS.Timeout | undefined;
  const so = await new Promise<boolean>((done) => {
    timer = setTimeout(done, withinMs, false);
    watch(() => isSo() && done(true));
  });
  clearTimeout(timer);
  watch(() => {});
  return so;
}
