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

/** Collects items into groups and commits one group at a time. */
export class GroupCommit<In, Out> {
  readonly #options: GroupCommitOptions<In, Out>;
  #waiting: Waiting<In, Out>[] = [];
  #running: Promise<void> | null = null;

  constructor(options: GroupCommitOptions<In, Out>) {
    this.#options = options;
  }

  /** Joins the next group; resolves after its commit, rejects when this item could not be committed. */
  submit(item: In): Promise<Out> {
    return new Promise<Out>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing is waiting any more. */
  async drained(): Promise<void> {
    while (this.#running) await this.#running;
  }

  // The first group starts after the requests that this turn of the event loop has already read have joined it.
  async #run(): Promise<void> {
    await new Promise<void>((done) => setImmediate(done));
    while (this.#waiting.length > 0) await this.#commit(this.#take());
    this.#running = null;
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
