// A SQLite file in a folder that the operator allows, held by a process of its own: it can be ended whatever it is at.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Json } from '../../model/flow/definition.ts';
import { ActionFailed } from '../action.ts';
import type { Database, Query, Rows, SessionBounds } from './database.ts';
import { sqliteFault, tooMuch, tooSlow } from './outcome.ts';

/** What the process is asked; a text of null ends what a session left of a transaction. */
export interface ChildQuestion {
  file: string;
  text: string | null;
  params: readonly Json[];
  rows: number;
  bytes: number;
}

/** What it answers, one answer to each question, in order. */
export type ChildAnswer = Rows | { error: string; errcode?: number } | { tooMuch: true };

const IDLE_MS = 10_000;

/** A database file with its process. */
export class SqliteDatabase implements Database {
  readonly kind = 'sqlite';
  readonly #file: string;
  readonly #where: string;
  #child: ChildProcess | null = null;
  #idle: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** `file` is absolute and judged; `name` is what a user calls it. */
  constructor(file: string, name: string) {
    this.#file = file;
    this.#where = `the database ${name}`;
  }

  /** One session at a time. */
  session<T>(bounds: SessionBounds, work: (query: Query) => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const turn = this.#last.then(() => this.#run(bounds, work));
    this.#last = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn.finally(() => {
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    });
  }

  /** Ends the process. The next session begins another one. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async #run<T>(bounds: SessionBounds, work: (query: Query) => Promise<T>): Promise<T> {
    clearTimeout(this.#idle);
    bounds.signal.throwIfAborted();
    let isCut = false;
    const { promise: isOver, reject } = Promise.withResolvers<never>();
    const over = (reason: unknown): void => {
      isCut = true;
      reject(reason);
    };
    const timer = setTimeout(() => over(tooSlow(this.#where, bounds.deadlineMs)), bounds.deadlineMs);
    const abort = (): void => over(bounds.signal.reason);
    bounds.signal.addEventListener('abort', abort, { once: true });
    const ask = (text: string | null, params: readonly Json[]): Promise<Rows> =>
      Promise.race([this.#ask({ file: this.#file, text, params, rows: bounds.rows, bytes: bounds.bytes }), isOver]);
    isOver.catch(() => undefined);
    try {
      return await work(ask);
    } finally {
      // What it left of a transaction ends with the process, too: SQLite rolls it back for whoever comes next.
      await (isCut ? this.close() : ask(null, []).catch(() => this.close()));
      clearTimeout(timer);
      bounds.signal.removeEventListener('abort', abort);
    }
  }

  async #ask(question: ChildQuestion): Promise<Rows> {
    const child = (this.#child ??= startChild());
    const answer = await new Promise<ChildAnswer>((resolve, reject) => {
      const lost = (): void => reject(new ActionFailed(`${this.#where} cannot be used: its process has ended`));
      child.once('exit', lost);
      child.once('error', lost);
      child.once('message', (message) => {
        child.off('exit', lost).off('error', lost);
        resolve(message as ChildAnswer);
      });
      child.send(question, (error) => error !== null && lost());
    });
    if ('rows' in answer) return answer;
    throw 'error' in answer ? sqliteFault(this.#where, { ...answer, message: answer.error }) : tooMuch(question);
  }
}

// It gets nothing of this process's environment: there may be secrets in it.
function startChild(): ChildProcess {
  const script = new URL(`./sqlite.child${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
  const child = fork(script, [], {
    env: {},
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  child.on('error', () => undefined);
  return child;
}
