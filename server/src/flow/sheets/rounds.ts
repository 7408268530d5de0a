// What many runs ask of one file at once is done in one round: it is read once, written once and synced once.
import { setTimeout as after } from 'node:timers/promises';
import type { Answer, Order } from './orders.ts';

/** An order on its way. Settled by whoever works on it; what is settled twice stays as it was. */
export interface Waiting<O = Order> {
  order: O;
  signal: AbortSignal;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** Rounds by the name of what they are about. */
export class OrderRounds<O = Order> {
  readonly #work: (about: string, waiting: readonly Waiting<O>[]) => Promise<void>;
  readonly #everyMs: number;
  readonly #lines = new Map<string, Waiting<O>[]>();
  readonly #under = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  /**
   * `work` settles all orders of a round; what it rejects with settles those that are left. Rounds about one thing never
   * overlap and begin at most every `everyMs`; an order on its own does not wait.
   */
  constructor(work: (about: string, waiting: readonly Waiting<O>[]) => Promise<void>, everyMs: number) {
    this.#work = work;
    this.#everyMs = everyMs;
  }

  /** Resolves with what comes of the order. One that was aborted before its round is not done. */
  ask(about: string, order: O, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting<O> = { order, signal, resolve, reject };
      const line = this.#lines.get(about);
      if (line !== undefined) {
        line.push(waiting);
        return;
      }
      this.#lines.set(about, [waiting]);
      const working = this.#run(about).finally(() => this.#under.delete(working));
      this.#under.add(working);
    });
  }

  /** Resolves when nothing is under way. What waits is done at once. */
  async close(): Promise<void> {
    this.#closing.abort();
    while (this.#under.size > 0) await Promise.all(this.#under);
  }

  // The entry in #lines stands for a round that is under way, or was a moment ago.
  async #run(about: string): Promise<void> {
    for (let line = this.#lines.get(about)!; line.length > 0; line = this.#lines.get(about)!) {
      this.#lines.set(about, []);
      const begun = performance.now();
      await this.#round(about, line);
      await this.#pause(this.#everyMs - (performance.now() - begun));
    }
    this.#lines.delete(about);
  }

  async #round(about: string, line: readonly Waiting<O>[]): Promise<void> {
    const alive = line.filter(({ signal, reject }) => {
      if (signal.aborted) reject(signal.reason);
      return !signal.aborted;
    });
    if (alive.length === 0) return;
    try {
      await this.#work(about, alive);
    } catch (error) {
      for (const { reject } of alive) reject(error);
    }
  }

  async #pause(ms: number): Promise<void> {
    if (ms > 0) await after(ms, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }
}
