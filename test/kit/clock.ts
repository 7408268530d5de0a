// A clock that tests turn by hand.
import type { Clock, Timer } from '../../server/src/model/clock.ts';

export interface TestClock extends Clock {
  /**
   * Moves time forward and runs what falls due, in order, each at its own instant. After each run it lets promises and
   * pending I/O callbacks proceed once, so that what they plan within the span still runs.
   */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock alone, as an operator or NTP does; monotonic time and planned wake-ups stay. */
  setWall(epochMs: number): void;
  /** How many wake-ups are planned. */
  pending(): number;
  /** Milliseconds until the next wake-up, or undefined when none is planned. */
  nextIn(): number | undefined;
}

interface Planned {
  dueAt: number;
  run: () => void;
}

/** A stopped clock, at 2026-01-01T00:00:00Z unless said otherwise. */
export function testClock(startAt: number = Date.UTC(2026, 0, 1)): TestClock {
  let monotonicMs = 0;
  let wallOffset = startAt;
  const planned = new Set<Planned>();

  /** The earliest; of equals, the one planned first (a Set keeps the order of insertion). */
  function next(): Planned | undefined {
    let first: Planned | undefined;
    for (const one of planned) if (!first || one.dueAt < first.dueAt) first = one;
    return first;
  }

  return {
    now: () => Math.floor(wallOffset + monotonicMs),
    monotonic: () => monotonicMs,
    after(ms: number, run: () => void): Timer {
      const one = { dueAt: monotonicMs + Math.max(0, ms), run };
      planned.add(one);
      return { cancel: () => void planned.delete(one) };
    },
    async advance(ms: number): Promise<void> {
      const until = monotonicMs + ms;
      await breathe();
      for (let one = next(); one && one.dueAt <= until; one = next()) {
        planned.delete(one);
        monotonicMs = one.dueAt;
        one.run();
        await breathe();
      }
      monotonicMs = until;
    },
    setWall: (epochMs) => void (wallOffset = epochMs - monotonicMs),
    pending: () => planned.size,
    nextIn() {
      const one = next();
      return one && one.dueAt - monotonicMs;
    },
  };
}

function breathe(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}
