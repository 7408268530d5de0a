// The platform in a process of its own, for tests that end it without asking.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { failPoints } from './platform-entry.ts';

const root = join(import.meta.dirname, '..', '..');
/** The real program; and one that can be told where to end itself. */
const sources = [process.execPath, join(root, 'server', 'src', 'cli.ts')] as const;
const entry = fileURLToPath(new URL('./platform-entry.ts', import.meta.url));
/** Compiled once, started many times: a start takes half as long. */
const cache = process.env['NODE_COMPILE_CACHE'] ?? join(root, 'node_modules', '.cache', 'node');

export interface ProcessOptions {
  /** The data folder. */
  folder: string;
  /** Settings, as the environment gives them: `{ BELLWIRE_STORE: … }`. */
  env?: Record<string, string>;
  /** Where it is to end itself: one of {@link failPoints}; otherwise it is `bellwire serve`, as everyone runs it. */
  failAt?: string | undefined;
  /** What runs it instead of the sources, by the Node of this process: a Node, and the file of a command line. */
  program?: readonly [node: string, cli: string] | undefined;
  /** Its wall clock can be turned: see {@link PlatformProcess.turnClock}. */
  clock?: boolean;
}

export interface PlatformProcess {
  url: string;
  adminKey: string;
  /** Ends it as a power cut would; resolves when it is gone. */
  kill(): Promise<void>;
  /** Asks it to stop; resolves when it has. */
  stop(): Promise<void>;
  /** Freezes it in whatever it does (SIGSTOP), and lets it go on (SIGCONT). */
  freeze(): void;
  thaw(): void;
  /** Sets its wall clock forward or back by so many ms. Only of a platform that was started with `clock: true`. */
  turnClock(ms: number): void;
  /** Resolves when it is gone, for whatever reason: the signal that ended it, or null. */
  ended: Promise<NodeJS.Signals | null>;
}

/** Starts it in dev mode on a free port; resolves when it listens, rejects with what it said when it ends before. */
export async function startProcess({
  folder,
  env = {},
  failAt,
  clock = false,
  program = sources,
}: ProcessOptions): Promise<PlatformProcess> {
  mkdirSync(folder, { recursive: true });
  const point = failPoints.find((known) => known === failAt);
  const [node, cli] = program;
  const child = spawn(node, point || clock ? [entry, point ?? ''] : [cli, 'serve', '--json'], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: cache,
      BELLWIRE_DEV: 'true',
      BELLWIRE_LISTEN_PORT: '0',
      BELLWIRE_DATA_FOLDER: folder,
      ...env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const orphan = (): boolean => child.kill('SIGKILL');
  process.once('exit', orphan);
  child.once('exit', () => process.off('exit', orphan));
  child.stdin.on('error', () => {}); // it may be gone already when we are
  const ended = new Promise<NodeJS.Signals | null>((gone) => child.once('exit', (_, signal) => gone(signal)));
  const url = await address(child, ended);
  return {
    url,
    adminKey: readFileSync(join(folder, 'admin-key'), 'utf8').trim(),
    ended,
    kill: () => end(child, ended, 'SIGKILL'),
    stop: () => end(child, ended, 'SIGTERM'),
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    turnClock: (ms) => void child.stdin.write(`${ms}\n`),
  };
}

async function end(child: ChildProcess, ended: Promise<unknown>, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  await ended;
}

/** The address in the line of the log that says that it runs. */
function address(child: ChildProcess, ended: Promise<unknown>): Promise<string> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    for (const input of [child.stdout!, child.stderr!]) {
      createInterface({ input }).on('line', (line) => {
        if (said.length < 100) said.push(line);
        const { message, url } = asObject(line);
        if (message === 'the platform is running') resolve(String(url));
      });
    }
    void ended.then(() => reject(new Error(`the platform did not start:\n${said.join('\n')}`)));
  });
}

function asObject(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return {};
  }
}
