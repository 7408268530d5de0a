// How fast what was held is sent again: slowly at first, twice as fast after each second in which the endpoint coped.
// No clock. The window says how much may be under way; this says how much may begin, for an endpoint that answers at
// once may still not bear, just after it came back, what gathered in a day.

/** Sends per second at first; it is over beyond the last step. */
const START_PER_SECOND = 20;
const LEAST_PER_SECOND = 1;
const MOST_PER_SECOND = 1000;
const STEP_MS = 1000;

/** The pace of one recovery. Instants are ms of one clock, which the caller reads. */
export class Ramp {
  #perSecond = START_PER_SECOND;
  #stepAt: number;
  #slowedAt = -Infinity;

  constructor(now: number) {
    this.#stepAt = now + STEP_MS;
  }

  /** Between two sends at least this, ms. */
  get paceMs(): number {
    return 1000 / this.#perSecond;
  }

  /** After a success; true when nothing need be held back any more. */
  succeeded(now: number): boolean {
    if (now < this.#stepAt) return false;
    this.#perSecond *= 2;
    this.#stepAt = now + STEP_MS;
    return this.#perSecond > MOST_PER_SECOND;
  }

  /** After an answer or silence that says "too much": half as fast, once per round. */
  failed({ sentAt, now }: { sentAt: number; now: number }): void {
    if (sentAt < this.#slowedAt) return;
    this.#perSecond = Math.max(LEAST_PER_SECOND, this.#perSecond / 2);
    this.#slowedAt = now;
    this.#stepAt = now + STEP_MS;
  }
}
