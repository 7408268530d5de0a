// Upkeep: what has to happen from time to time whether or not anybody asks. Each task runs alone, never twice at once.
import type { Clock, Timer } from '../model/clock.ts';

/** A task that comes back. */
export interface Task {
  name: string;
  everyMs: number;
  /** One round. What takes long asks between its chunks whether to go on. */
  run(on: () => boolean): Promise<void>;
}

/** Runs tasks, each every so often, until stopped. A task that fails is reported and comes back all the same. */
export class Upkeep {
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #timers = new Set<Timer>();
  readonly #running = new Set<Promise<void>>();
  #stopped = false;

  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#onError = onError;
  }

  /** Runs the task now and then again and again, `everyMs` after each end. */
  start(task: Task): void {
    if (this.#stopped) return;
    const run = task
      .run(() => !this.#stopped)
      .catch((error: unknown) =>
        this.#onError(new Error(`${task.name}: ${(error as Error).message}`, { cause: error })),
      )
      .then(() => {
        this.#running.delete(run);
        this.#later(task);
      });
    this.#running.add(run);
  }

  #later(task: Task): void {
    if (this.#stopped) return;
    const timer = this.#clock.after(task.everyMs, () => {
      this.#timers.delete(timer);
      this.start(task);
    });
    this.#timers.add(timer);
  }

  /** Starts nothing more and waits for what is running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) timer.cancel();
    await Promise.all(this.#running);
  }
}
