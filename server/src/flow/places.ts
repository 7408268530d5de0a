// Places: how many runs may work at once on this node. A run that only waits for an instant holds none.

/** Counted places, and a line of those that want one. */
export class Places {
  #free: number;
  readonly #waiting: { workspace: number; taken: () => void }[] = [];
  readonly #held = new Map<number, number>();
  readonly #onFree: () => void;

  /** `onFree` is told of each place that is free again. */
  constructor(places: number, onFree: () => void) {
    this.#free = places;
    this.#onFree = onFree;
  }

  /** Places nobody holds or waits for. */
  get free(): number {
    return Math.max(0, this.#free - this.#waiting.length);
  }

  /** How many each workspace holds. */
  get held(): ReadonlyMap<number, number> {
    return this.#held;
  }

  /** Takes one; resolves when there is one, in the order of asking. */
  take(workspace: number): Promise<void> {
    if (this.#free === 0) return new Promise((taken) => this.#waiting.push({ workspace, taken }));
    this.#free--;
    this.#count(workspace, 1);
    return Promise.resolve();
  }

  /** Gives one back. */
  leave(workspace: number): void {
    this.#count(workspace, -1);
    const next = this.#waiting.shift();
    if (!next) {
      this.#free++;
      this.#onFree();
      return;
    }
    this.#count(next.workspace, 1);
    next.taken();
  }

  #count(workspace: number, more: number): void {
    const held = (this.#held.get(workspace) ?? 0) + more;
    if (held > 0) this.#held.set(workspace, held);
    else this.#held.delete(workspace);
  }
}

/** The place of one run, which it gives to others while all that it does at once is to wait. */
export class Seat {
  readonly #places: Places;
  readonly #workspace: number;
  #isHeld = false;
  #isLeft = false;
  #taking: Promise<void> | null = null;
  #threads = 1;
  #sleepers = 0;

  constructor(places: Places, workspace: number) {
    this.#places = places;
    this.#workspace = workspace;
  }

  /** Takes the place; resolves when it is held. */
  async take(): Promise<void> {
    if (this.#isHeld) return;
    await (this.#taking ??= this.#places.take(this.#workspace).then(() => {
      this.#taking = null;
      if (this.#isLeft) this.#places.leave(this.#workspace);
      else this.#isHeld = true;
    }));
  }

  /** Waits without the place; resolves when it is held again. A wait that is broken off rejects at once. */
  async sleep(waiting: Promise<void>): Promise<void> {
    this.#sleepers++;
    this.#giveUpIfIdle();
    try {
      await waiting;
    } finally {
      this.#sleepers--;
    }
    await this.take();
  }

  /** Does several things at once, at least one, and resolves when all have ended. */
  async together(parts: readonly (() => Promise<void>)[]): Promise<void> {
    let left = parts.length;
    this.#threads += left - 1;
    const ended = (): void => {
      // The last one stands for the thread that waits for them.
      if (--left === 0) return;
      this.#threads--;
      this.#giveUpIfIdle();
    };
    await Promise.all(parts.map((part) => part().finally(ended)));
  }

  /** Gives it back for good. */
  leave(): void {
    this.#isLeft = true;
    this.#giveBack();
  }

  #giveUpIfIdle(): void {
    if (this.#sleepers >= this.#threads) this.#giveBack();
  }

  #giveBack(): void {
    if (this.#isHeld) this.#places.leave(this.#workspace);
    this.#isHeld = false;
  }
}
