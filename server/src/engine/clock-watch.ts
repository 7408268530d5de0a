// Sees the machine's wall clock being set back: what was planned by the old time would wait for longer than it should.
import type { Clock } from '../model/clock.ts';

/** Smaller steps are what time services do all day; nothing that is planned is that exact. */
const STEP_MS = 2_000;

/** Moving what waits with the clock. */
export interface Pass {
  /** By so many ms. */
  backMs: number;
  /** Once more for what was planned by the old time but written after the first pass had gone by. */
  isLate: boolean;
}

/** Compares the wall clock with the monotonic one, and says what is to be done about a step. */
export class ClockWatch {
  readonly #clock: Clock;
  #offset: number;
  #backMs = 0;
  #lateMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.now() - clock.monotonic();
  }

  /** By how many ms (an integer) the wall clock was set back since the last look, 0 when it was not by more than two seconds. */
  setBack(): number {
    const offset = this.#clock.now() - this.#clock.monotonic();
    // The monotonic clock is finer than the wall's, and what is planned by it are whole ms.
    const back = Math.round(this.#offset - offset);
    // A slow drift is followed, so that it never adds up to a step.
    this.#offset = offset;
    if (back <= STEP_MS) return 0;
    this.#backMs += back;
    return back;
  }

  /** The next pass, null when there is none: two for each step, steps that come close together are one. */
  next(): Pass | null {
    const [backMs, lateMs] = [this.#backMs, this.#lateMs];
    this.#backMs = 0;
    this.#lateMs = 0;
    if (backMs > 0) return { backMs: backMs + lateMs, isLate: false };
    return lateMs > 0 ? { backMs: lateMs, isLate: true } : null;
  }

  /** What became of a pass: the second one follows the first, and one that failed is made again. */
  ended({ backMs, isLate }: Pass, isDone: boolean): void {
    if (isDone && isLate) return;
    if (isDone || isLate) this.#lateMs += backMs;
    else this.#backMs += backMs;
  }
}
