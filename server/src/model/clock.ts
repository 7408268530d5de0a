// What time is, to everything that decides by it: handed in, so that tests can turn it.

/** A source of time and of wake-ups. The real one is `systemClock`; tests have one they advance by hand. */
export interface Clock {
  /** Wall time in epoch ms, an integer. May jump either way when the machine's clock is set. */
  now(): number;
  /** Milliseconds since an arbitrary start, never going back: for leases, deadlines and durations. */
  monotonic(): number;
  /** Runs `run` once, `ms` from now (0 or less: as soon as possible), unless cancelled. Any span is allowed. */
  after(ms: number, run: () => void): Timer;
}

/** One planned wake-up. */
export interface Timer {
  /** Harmless when it has run or was cancelled before. */
  cancel(): void;
}
