// Group commit: what arrives while one commit runs shares the next. A shared commit fails only the guilty.

/** How a group is committed. */
export interface GroupCommitOptions<In, Out> {
  /** Commits all of them in one transaction; resolves their answers in order. */
  commit(group: readonly In[]): Promise<Out[]>;
  /** What one of them weighs; a group is closed before it would weigh more than `most`. */
  weigh(item: In): number;
  most: number;
  /** May the error be the fault of one item? Then the group is halved until the guilty one stands alone. */
  blamesItem(error: unknown): boolean;
}

interface Waiting<In, Out> {
  item: In;
  resolve(answer: Out): void;
  reject(error: unknown): void;
}

/** Turns of the event loop for which a group gathers at most: with them each event cost a tenth less CPU. */
const MOST_TURNS = 8;

/** Collects items into groups and commits one group at a time. */
export class GroupCommit<In, Out> {
  readonly #options: GroupCommitOptions<In, Out>;
  #waiting: Waiting<In, Out>[] = [];
  #isRunning = false;

  constructor(options: GroupCommitOptions<In, Out>) {
    this.#options = options;
  }

  /** Joins the next group; resolves after its commit, rejects when this item could not be committed. */
  submit(item: In): Promise<Out> {
    return new Promise<Out>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // What is submitted by one caller at once counts as one arrival.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      await this.#gather();
      await this.#commit(this.#take());
    }
    this.#isRunning = false;
  }

  // A lone item waits for one turn of the event loop; under load a group gathers for as long as each turn brings more.
  async #gather(): Promise<void> {
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const before = this.#waiting.length;
      await new Promise<void>((done) => setImmediate(done));
      if (this.#waiting.length === before) return;
    }
  }

  #take(): Waiting<In, Out>[] {
    let weight = 0;
    let size = 0;
    for (const { item } of this.#waiting) {
      weight += this.#options.weigh(item);
      if (size > 0 && weight > this.#options.most) break;
      size++;
    }
    return this.#waiting.splice(0, size);
  }

  async #commit(group: readonly Waiting<In, Out>[]): Promise<void> {
    try {
      const answers = await this.#options.commit(group.map(({ item }) => item));
      for (const [i, { resolve }] of group.entries()) resolve(answers[i]!);
    } catch (error) {
      if (group.length === 1 || !this.#options.blamesItem(error)) {
        for (const { reject } of group) reject(error);
        return;
      }
      const middle = group.length >> 1;
      await this.#commit(group.slice(0, middle));
      await this.#commit(group.slice(middle));
    }
  }
}
