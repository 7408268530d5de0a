// The processes of a run: started, spoken to by IPC, ended. Each says `ready` or `listening` first.
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

/** What a process says. */
export interface Message {
  kind: string;
  [more: string]: unknown;
}

/** A process of the benchmark. */
export interface Part {
  pid: number;
  /** What it said first. */
  greeting: Message;
  /** Sends a message, resolves with the next answer of that kind. */
  ask(message: object, kind: string): Promise<Message>;
  /** Sends a message that has no answer of its own. */
  tell(message: object): void;
  /** The next message of that kind. Rejects when the process ends before. */
  heard(kind: string): Promise<Message>;
  end(): Promise<void>;
  /** Ends it by SIGKILL. */
  kill(): Promise<void>;
}

const running = new Set<ChildProcess>();

/** Starts a file of this folder. */
export async function start(file: string, execArgv: string[] = []): Promise<Part> {
  const child = fork(join(import.meta.dirname, file), {
    execArgv: [...process.execArgv, ...execArgv],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const hear = (wanted: (kind: string) => boolean): Promise<Message> =>
    new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error(`${file} ended early`));
      const onMessage = (message: Message): void => {
        if (!wanted(message.kind)) return;
        child.off('message', onMessage);
        child.off('exit', onExit);
        resolve(message);
      };
      child.on('message', onMessage);
      child.once('exit', onExit);
    });
  const greeting = await hear((kind) => kind === 'ready' || kind === 'listening');
  const heard = (kind: string): Promise<Message> => hear((one) => one === kind);
  return {
    pid: child.pid!,
    greeting,
    heard,
    tell: (message) => void child.send(message),
    ask: (message, kind) => {
      const answer = heard(kind);
      child.send(message);
      return answer;
    },
    end: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.disconnect();
      await ended;
    },
    kill: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Ends whatever still runs: the last thing of a run, however it went. */
export function endAll(): void {
  for (const child of running) child.kill();
}
