// Sees the machine's wall clock being set back: what was planned by the old time would wait for longer than it should.
import type { Clock } from '../model/clock.ts';

/** Smaller steps are what time services do all day; nothing that is planned is that exact. */
const STEP_MS = 2_000;

/** Compares the wall clock with the monotonic one. */
export class ClockWatch {
  readonly #clock: Clock;
  #offset: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.now() - clock.monotonic();
  }

  /** By how many ms the wall clock was set back since the last look, 0 when it was not by more than two seconds. */
  setBack(): number {
    const offset = this.#clock.now() - this.#clock.monotonic();
    const back = this.#offset - offset;
    // A slow drift is followed, so that it never adds up to a step.
    this.#offset = offset;
    return back > STEP_MS ? back : 0;
  }
}
