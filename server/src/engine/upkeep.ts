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
  readonly #waiting = new Map<string, { task: Task; timer: Timer }>();
  readonly #running = new Map<string, Promise<void>>();
  /** Asked for while they ran: what they were to do may have come too late for them. */
  readonly #again = new Set<string>();
  readonly #onRound: ((name: string, durationMs: number) => void) | undefined;
  #stopped = false;

  constructor(clock: Clock, onError: (error: unknown) => void, onRound?: (name: string, durationMs: number) => void) {
    this.#clock = clock;
    this.#onError = onError;
    this.#onRound = onRound;
  }

  /** Runs the task now and then again and again, `everyMs` after each end. */
  start(task: Task): void {
    if (this.#stopped) return;
    const beganAt = this.#clock.monotonic();
    const run = task
      .run(() => !this.#stopped)
      .catch((error: unknown) =>
        this.#onError(new Error(`${task.name}: ${(error as Error).message}`, { cause: error })),
      )
      .then(() => {
        this.#running.delete(task.name);
        this.#onRound?.(task.name, this.#clock.monotonic() - beganAt);
        this.#later(task, this.#again.delete(task.name) ? 0 : task.everyMs);
      });
    this.#running.set(task.name, run);
  }

  /** Has a task run as soon as it can: there is something to do for it. */
  hurry(name: string): void {
    const waiting = this.#waiting.get(name);
    if (!waiting) {
      if (this.#running.has(name)) this.#again.add(name);
      return;
    }
    waiting.timer.cancel();
    this.#waiting.delete(name);
    this.start(waiting.task);
  }

  #later(task: Task, ms: number): void {
    if (this.#stopped) return;
    const timer = this.#clock.after(ms, () => {
      this.#waiting.delete(task.name);
      this.start(task);
    });
    this.#waiting.set(task.name, { task, timer });
  }

  /** Starts nothing more and waits for what is running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { timer } of this.#waiting.values()) timer.cancel();
    await Promise.all(this.#running.values());
  }
}
