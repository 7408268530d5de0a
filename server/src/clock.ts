// The machine's clock.
import type { Clock, Timer } from './model/clock.ts';

/** The longest span Node's timers take; a longer one would fire at once. */
const longestMs = 2 ** 31 - 1;

/** Real time. A planned wake-up keeps the process alive until it has run or is cancelled. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms: number, run: () => void): Timer {
    const dueAt = performance.now() + ms;
    let timeout = setTimeout(ring, Math.min(Math.max(ms, 0), longestMs));
    function ring(): void {
      const leftMs = dueAt - performance.now();
      // Node may be a fraction of a millisecond early; that is on time.
      if (leftMs < 1) run();
      else timeout = setTimeout(ring, Math.min(leftMs, longestMs));
    }
    return { cancel: () => clearTimeout(timeout) };
  },
};
