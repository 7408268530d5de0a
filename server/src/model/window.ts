// How many deliveries to one target may be under way at once: grows while it copes, shrinks when it does not. No clock.
//
//   success, in good time    one more for each, until the first setback; then one more per round of successes
//   success, slow            no growth: more at once would only wait at the other end
//   success, very slow       half, but not below where a window starts: what is slow one by one is not overloaded
//   429, 5xx                 half (the additive increase and multiplicative decrease of TCP)
//   silence until time is up the minimum at once: each place that hangs is one that others cannot have
//
// Slow is measured against the target itself: the mean of its last answers, each weighing an eighth, against its best
// answer within the last half to whole minute. An endpoint that has always taken two seconds is not slow. One setback
// counts per round: what was sent before the last one says nothing new. Failures that say nothing about load (a refused
// connection, a name that does not resolve, 4xx) leave the window alone.

/** Bounds of every window. */
export interface WindowLimits {
  min: number;
  start: number;
  max: number;
}

/** Slow: more than twice the best answer and this, ms. The slack keeps our own hiccups out of it. */
const SLOW_SLACK_MS = 100;
/** Very slow: more than four times the best answer and this, ms. */
const VERY_SLOW_SLACK_MS = 250;
/** The best answer is remembered for one to two of these spans. */
const BEST_SPAN_MS = 30_000;
const WEIGHT = 1 / 8;

/** The window of one target. Instants are ms of one clock, which the caller reads. */
export class Window {
  readonly #limits: WindowLimits;
  #size: number;
  /** Above this it grows slowly. */
  #threshold: number;
  /** What was sent before this instant has been answered for. */
  #shrunkAt = -Infinity;
  #meanMs = 0;
  #bestMs = Infinity;
  #formerBestMs = Infinity;
  #bestSince = -Infinity;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
    this.#size = limits.start;
    this.#threshold = limits.max;
  }

  /** Its size; the whole part of it may be under way. */
  get size(): number {
    return this.#size;
  }

  /** Where a window begins: also after its target was held. */
  reset(): void {
    this.#size = this.#limits.start;
    this.#threshold = this.#limits.max;
    this.#bestSince = -Infinity;
  }

  /** After a success that took this long. */
  succeeded({ durationMs, sentAt, now }: { durationMs: number; sentAt: number; now: number }): void {
    const best = this.#measure(durationMs, now);
    const { max, start } = this.#limits;
    if (this.#meanMs > 4 * best + VERY_SLOW_SLACK_MS) {
      if (this.#size > start) this.#shrink(Math.max(start, Math.floor(this.#size / 2)), { sentAt, now });
    } else if (this.#size < max && this.#meanMs <= 2 * best + SLOW_SLACK_MS) {
      const step = this.#size < this.#threshold ? 1 : 1 / this.#size;
      this.#size = Math.min(max, this.#size + step);
    }
  }

  /** After an answer that says "too much". */
  overwhelmed(when: { sentAt: number; now: number }): void {
    this.#shrink(Math.max(this.#limits.min, Math.floor(this.#size / 2)), when);
  }

  /** After no answer at all. */
  unanswered(when: { sentAt: number; now: number }): void {
    const half = Math.max(this.#limits.min, Math.floor(this.#size / 2));
    this.#shrink(this.#limits.min, when, half);
  }

  #shrink(size: number, { sentAt, now }: { sentAt: number; now: number }, threshold = size): void {
    if (sentAt < this.#shrunkAt) return;
    this.#size = size;
    this.#threshold = threshold;
    this.#shrunkAt = now;
  }

  // The best answer of late.
  #measure(durationMs: number, now: number): number {
    if (now - this.#bestSince >= BEST_SPAN_MS || now < this.#bestSince) {
      const isRecent = now - this.#bestSince < 2 * BEST_SPAN_MS;
      this.#formerBestMs = isRecent ? this.#bestMs : Infinity;
      if (!isRecent) this.#meanMs = durationMs;
      this.#bestMs = durationMs;
      this.#bestSince = now;
    } else if (durationMs < this.#bestMs) this.#bestMs = durationMs;
    this.#meanMs += (durationMs - this.#meanMs) * WEIGHT;
    return Math.min(this.#bestMs, this.#formerBestMs);
  }
}
