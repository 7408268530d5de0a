// An alarm: one planned wake-up, which the next one replaces. What fails a hundred times a second plans one, not 10⁵.
import type { Clock, Timer } from '../model/clock.ts';

/** Rings once, at the instant set last. Rings a fraction early as timers do: whoever it wakes looks at the clock. */
export class Alarm {
  #at = Infinity;
  #timer: Timer | null = null;

  /** When it will ring (epoch ms); Infinity while it is not set. */
  get at(): number {
    return this.#at;
  }

  /** Sets it, in place of what it was set to. Not set for an instant that never comes. */
  set(clock: Clock, at: number, ring: () => void): void {
    this.cancel();
    if (at === Infinity) return;
    this.#at = at;
    this.#timer = clock.after(at - clock.now(), () => {
      this.#at = Infinity;
      this.#timer = null;
      ring();
    });
  }

  /** Harmless when it is not set. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#at = Infinity;
  }
}
