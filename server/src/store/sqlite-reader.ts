// A thread that reads a SQLite file for this one: on a connection of its own, which the hot thread never waits for.
//
// A reader that ends (its heap was not enough for what was asked, say) fails what waited for it, and a new one takes its
// place: at once when the former one had lived for a while, after a pause otherwise.
import { Worker } from 'node:worker_threads';
import { StoreOutage } from './contract.ts';
import type { Value } from './sql.ts';

/** What the thread is started with. */
export interface ReaderData {
  file: string;
  /** Does this one also checkpoint? One does. */
  checkpoints: boolean;
}

interface Waiting {
  resolve(rows: unknown[]): void;
  reject(error: Error): void;
}

/** A reader that ended sooner than this after its start is not followed by another one at once. */
const SHORT_LIFE_MS = 1_000;

/** Reads, and outlives its threads. */
export class Reader {
  readonly #data: ReaderData;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #startedAt = 0;
  #next = 1;
  #gone: StoreOutage | null = null;
  #closed = false;

  constructor(data: ReaderData) {
    this.#data = data;
    this.#start();
  }

  /** The rows of a query. Rejects with a `StoreOutage` when the thread ends before its answer. */
  all<R>(sql: string, values: readonly Value[]): Promise<R[]> {
    if (!this.#closed && !this.#worker && performance.now() - this.#startedAt >= SHORT_LIFE_MS) this.#start();
    const worker = this.#worker;
    if (!worker) return Promise.reject(this.#gone ?? new StoreOutage('the store is closed'));
    const id = this.#next++;
    return new Promise<R[]>((done, fail) => {
      this.#waiting.set(id, { resolve: done as (rows: unknown[]) => void, reject: fail });
      // Held only while a read is under way, so an idle store does not keep the process.
      worker.ref();
      worker.postMessage({ id, sql, values });
    });
  }

  /** Ends the thread; what waited for it is rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#end(worker, new StoreOutage('the store is closed'));
    await worker?.terminate();
  }

  #start(): void {
    const script = new URL(`./sqlite-reader.worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
    const worker = new Worker(script, { workerData: this.#data });
    this.#worker = worker;
    this.#startedAt = performance.now();
    worker.unref();
    worker.on('message', (message: Answer) => this.#answer(message));
    worker.on('error', (error) => this.#end(worker, outage((error as Error).message, error)));
    worker.on('exit', () => this.#end(worker, outage('it was stopped')));
  }

  #answer({ id, rows, error, errcode }: Answer): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    if (rows) waiting.resolve(rows);
    else waiting.reject(Object.assign(new Error(error), { errcode }));
  }

  #end(worker: Worker | null, error: StoreOutage): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    this.#gone = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    if (!this.#closed && performance.now() - this.#startedAt >= SHORT_LIFE_MS) this.#start();
  }
}

interface Answer {
  id: number;
  rows?: unknown[];
  error?: string;
  errcode?: number;
}

function outage(why: string, cause?: unknown): StoreOutage {
  return new StoreOutage(`the reader of the store has ended: ${why}`, { cause });
}
