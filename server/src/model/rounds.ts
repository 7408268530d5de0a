// Rounds of work, one after the other, with a rest between them that a hint cuts short. Time is handed in.
import type { Clock, Timer } from './clock.ts';

/** What the rounds are made of. */
export interface RoundParts {
  clock: Pick<Clock, 'after'>;
  /** One round; resolves for how long, ms, there is nothing to do. */
  round(): Promise<number>;
  /** The rest, ms, after a round that failed. */
  retryMs: number;
  onError(error: unknown): void;
}

/** Makes rounds until stopped. A hint during a round is not lost: the next one follows at once. */
export class Rounds {
  readonly #parts: RoundParts;
  #looping: Promise<void> | null = null;
  #stopped = false;
  #woken = false;
  #wake: (() => void) | null = null;

  constructor(parts: RoundParts) {
    this.#parts = parts;
  }

  /** Was it told to stop? A round that goes on for long asks. */
  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Begins. */
  start(): void {
    this.#looping ??= this.#loop();
  }

  /** There is something to do. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /** No further round; resolves when none is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.wake();
    await this.#looping;
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      this.#woken = false;
      let restMs: number;
      try {
        restMs = await this.#parts.round();
      } catch (error) {
        this.#parts.onError(error);
        restMs = this.#parts.retryMs;
      }
      await this.#rest(restMs);
    }
  }

  async #rest(ms: number): Promise<void> {
    if (this.#woken || ms <= 0) return;
    const woken = Promise.withResolvers<void>();
    const timer: Timer = this.#parts.clock.after(ms, woken.resolve);
    this.#wake = woken.resolve;
    await woken.promise;
    this.#wake = null;
    timer.cancel();
  }
}
