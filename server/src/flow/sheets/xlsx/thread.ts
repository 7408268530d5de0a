// The thread for XLSX files, seen from here: begun when there is something to do, ended when there was nothing for a while.
import { Worker } from 'node:worker_threads';
import { ActionFailed } from '../../action.ts';
import type { Answer } from '../orders.ts';
import type { TabOrder } from './book.ts';

/** What the thread gets. */
export interface Job {
  id: number;
  /** Absolute, judged. */
  path: string;
  orders: readonly TabOrder[];
}

/** What comes of one order. */
export type Done = { answer: Answer } | { fault: string; retryable: boolean };

/** A workbook that needs more than this is too large. */
const HEAP_MIB = 1_024;
/** The thread ends when nothing was asked of it for so long. */
const IDLE_MS = 60_000;

interface Asked {
  resolve(done: readonly Done[]): void;
  reject(error: Error): void;
}

/** The thread. */
export class XlsxThread {
  readonly #asked = new Map<number, Asked>();
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | undefined;
  #next = 1;

  /** Does the orders of one file with one reading and one writing; resolves what comes of each. */
  ask(path: string, orders: readonly TabOrder[]): Promise<readonly Done[]> {
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= this.#start());
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, path, orders } satisfies Job);
    });
  }

  /** Ends it; what was asked is rejected. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#end(worker, 'the platform is stopping');
    await worker?.terminate();
  }

  #start(): Worker {
    const script = new URL(`./book.worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
    const worker = new Worker(script, { resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB } });
    worker.on('message', ({ id, done }: { id: number; done: Done[] }) => {
      this.#asked.get(id)?.resolve(done);
      this.#asked.delete(id);
      if (this.#asked.size > 0) return;
      this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
      worker.unref();
    });
    worker.on('error', (error) => this.#end(worker, (error as Error).message));
    worker.on('exit', () => this.#end(worker, 'it was stopped'));
    return worker;
  }

  #end(worker: Worker | null, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    for (const { reject } of this.#asked.values()) reject(new ActionFailed(`what writes XLSX files has ended: ${why}`));
    this.#asked.clear();
  }
}
