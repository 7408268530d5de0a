// One command: started in a folder of its own with a scrubbed environment, its output read as it comes, its end in words.
import { spawn, type ChildProcess } from 'node:child_process';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../model/clock.ts';
import { Lines } from './lines.ts';
import { endProcesses, MARK, noteOf, type ProcessNote } from './process-tree.ts';
import type { Shield } from './shield.ts';

/** What commands are run with on this machine. */
export interface CommandGround {
  shield: Shield;
  /** Where working folders are made. */
  workFolder: string;
  /** The operator's folder of scripts, in which `./x` is looked for; null for none. */
  scripts: string | null;
  clock: Clock;
  /** From the wish to end it until it is ended without asking, ms. */
  graceMs: number;
}

/** One command to be run. */
export interface Command {
  /** The program and its words. */
  words: readonly string[];
  /** Variables beside the few that every command gets. */
  env: Readonly<Record<string, string>>;
  /** What it reads, or null for nothing. */
  stdin: string | null;
  /** Names its processes: unique per step of a run. */
  mark: string;
  signal: AbortSignal;
  onStart(note: ProcessNote): Promise<void>;
  onLine(stream: 'out' | 'error', text: string): void;
}

/** How a command ended. */
export interface CommandEnd {
  /** Its exit code, or null when a signal ended it. */
  code: number | null;
  signal: string | null;
}

/** A command that could not even be started; the message says why. */
export class NotStarted extends Error {
  override name = 'NotStarted';
}

/** Runs a command to its end; when `signal` is aborted all its processes are ended first. Throws {@link NotStarted}. */
export async function runCommand(command: Command, ground: CommandGround): Promise<CommandEnd> {
  const folder = await makeFolder(ground);
  try {
    return await runIn(folder, command, ground);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeFolder({ workFolder, shield: { user } }: CommandGround): Promise<string> {
  const folder = await mkdtemp(join(workFolder, 'run-'));
  if (user !== null) await chown(folder, user.uid, user.gid);
  return folder;
}

async function runIn(folder: string, command: Command, ground: CommandGround): Promise<CommandEnd> {
  const { clock, graceMs } = ground;
  const { child, ended } = start(folder, command, ground);
  const { pid } = child;
  if (pid === undefined) return ended;
  const note = noteOf(pid, command.mark);
  const { signal } = command;
  const end = (): Promise<void> => endProcesses(note, { clock, graceMs });
  try {
    // Nothing of it is worth anything before it could be found again after a crash; it reads nothing until then.
    await command.onStart(note);
    child.stdin!.end(command.stdin ?? '');
    const aborted = Promise.withResolvers<'aborted'>();
    const onAbort = (): void => aborted.resolve('aborted');
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const first = await Promise.race([ended, aborted.promise]);
    signal.removeEventListener('abort', onAbort);
    if (first !== 'aborted') return first;
    await end();
    return await ended;
  } finally {
    // What a command has left behind (a daemon of its own) does not outlive its step.
    await end();
  }
}

function start(
  folder: string,
  command: Command,
  { shield, scripts, clock }: CommandGround,
): { child: ChildProcess; ended: Promise<CommandEnd> } {
  const [file, ...words] = shield.wrap(locate(command.words, scripts));
  const child = spawn(file!, words, {
    cwd: folder,
    env: { ...environment(folder), ...command.env, [MARK]: command.mark },
    // A session and process group of its own: the whole of it can be ended.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...shield.user,
  });
  const streams = (['out', 'error'] as const).map((name) => {
    const lines = new Lines((text) => command.onLine(name, text));
    const stream = name === 'out' ? child.stdout : child.stderr;
    stream.on('data', (bytes: Uint8Array) => lines.push(bytes));
    stream.on('error', () => undefined);
    return lines;
  });
  // It may end without having read what it was given.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<CommandEnd>((resolve, reject) => {
    child.once('error', (error) => reject(new NotStarted(wordsOf(error, command.words[0]!), { cause: error })));
    // Not `close`: a process that it left behind may hold the pipes open for ever.
    child.once('exit', (code, signal) => {
      void drained(child, clock).then(() => {
        for (const lines of streams) lines.end();
        resolve({ code, signal });
      });
    });
  });
  // It may fail before anybody waits for it.
  ended.catch(() => undefined);
  return { child, ended };
}

const DRAIN_MS = 1_000;

// What was written before the end is still in the pipes. Whoever holds them open is not waited for.
function drained(child: ChildProcess, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(DRAIN_MS, resolve);
    child.once('close', () => {
      timer.cancel();
      resolve();
    });
  });
}

// A path of its own is in the operator's folder; a bare name is looked for in the system's.
function locate([program = '', ...words]: readonly string[], scripts: string | null): string[] {
  if (!program.includes('/') || program.startsWith('/')) return [program, ...words];
  if (scripts === null) {
    throw new NotStarted(
      `${program} is looked for in the folder of scripts, and there is none (flows.commands.scripts)`,
    );
  }
  const file = join(scripts, program);
  if (!file.startsWith(join(scripts, '/'))) throw new NotStarted(`${program} leads out of the folder of scripts`);
  return [file, ...words];
}

function environment(folder: string): Record<string, string> {
  return { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: folder, TMPDIR: folder, LANG: 'C.UTF-8' };
}

function wordsOf(error: NodeJS.ErrnoException, program: string): string {
  if (error.code === 'ENOENT') return `there is no command ${program}`;
  if (error.code === 'EACCES') return `${program} may not be executed`;
  return `${program} could not be started: ${error.message}`;
}
