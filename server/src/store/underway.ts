// What is under way: a store that closes waits for it.

/** Counts calls under way. */
export class Underway {
  readonly #calls = new Set<Promise<unknown>>();

  /** The verb, its calls counted. */
  tracked<In extends unknown[], Out>(verb: (...asked: In) => Promise<Out>): (...asked: In) => Promise<Out> {
    return (...asked) => {
      const done = verb(...asked);
      this.#calls.add(done);
      const end = (): void => void this.#calls.delete(done);
      done.then(end, end);
      return done;
    };
  }

  /** Resolves when none is. */
  async drained(): Promise<void> {
    while (this.#calls.size > 0) await Promise.allSettled(this.#calls);
  }
}
