// The settler: collects what attempts came to and writes it in batches, one batch at a time.
import type { Settlement } from '../model/delivery.ts';
import type { Clock, Timer } from '../model/clock.ts';
import type { Log, OwnedLane, VitalsChange } from '../store/contract.ts';

/** One attempt's outcome on its way to the store. */
export interface Unsettled {
  settlement: Settlement;
  lane: OwnedLane;
  /** Dead letters and changes of state are synced to disk. */
  synced: boolean;
  /** Called when it is committed, or can never be (another node owns the lane now). */
  done(): void;
}

/** What the settler stands on. */
export interface SettlerParts {
  log: Pick<Log, 'settle'>;
  clock: Clock;
  /** How long the first of a batch waits for company, ms. */
  delayMs: number;
  onError(error: unknown): void;
}

const LARGEST_BATCH = 512;
const RETRY_MS = 250;

/** Batches settlements. Settling eagerly, one by one, cost a third of the throughput. */
export class Settler {
  readonly #parts: SettlerParts;
  #waiting: Unsettled[] = [];
  #vitals = new Map<string, VitalsChange[]>();
  #timer: Timer | null = null;
  #running: Promise<void> | null = null;
  #unsettled = 0;

  constructor(parts: SettlerParts) {
    this.#parts = parts;
  }

  /** Attempts made and not yet committed. */
  get backlog(): number {
    return this.#unsettled;
  }

  /** Adds an outcome to the next batch. */
  add(unsettled: Unsettled): void {
    this.#waiting.push(unsettled);
    this.#unsettled++;
    if (this.#waiting.length >= LARGEST_BATCH) this.#flush();
    else this.#timer ??= this.#parts.clock.after(this.#parts.delayMs, () => this.#flush());
  }

  /** Notes a webhook's vitals. Without a change of state only the newest note of a batch is written. */
  note(change: VitalsChange): void {
    const key = `${change.workspace}/${change.target}`;
    const notes = this.#vitals.get(key) ?? [];
    if (notes.length > 0 && notes.at(-1)!.change === null) notes.pop();
    this.#vitals.set(key, [...notes, change]);
    this.#timer ??= this.#parts.clock.after(this.#parts.delayMs, () => this.#flush());
  }

  /** Writes what is left; resolves when everything is committed. */
  async drained(): Promise<void> {
    while (this.#waiting.length > 0 || this.#vitals.size > 0 || this.#running) {
      this.#flush();
      await this.#running;
    }
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#running ??= this.#run().finally(() => (this.#running = null));
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 || this.#vitals.size > 0) {
      const batch = this.#waiting.splice(0, LARGEST_BATCH);
      const vitals = [...this.#vitals.values()].flat();
      this.#vitals = new Map();
      await this.#settle(batch, vitals);
      this.#unsettled -= batch.length;
      for (const { done } of batch) done();
    }
  }

  // A lane that was lost refuses the batch it is in: the others' part is then settled by itself.
  async #settle(batch: readonly Unsettled[], vitals: readonly VitalsChange[]): Promise<void> {
    const lanes = new Map(batch.map(({ lane }) => [lane.lane, lane]));
    const result = await this.#write(batch, { vitals, lanes: [...lanes.values()] });
    if (result === 'settled' || lanes.size < 2) return;
    for (const lane of lanes.values()) {
      const part = batch.filter((unsettled) => unsettled.lane.lane === lane.lane);
      await this.#write(part, { vitals: [], lanes: [lane] });
    }
  }

  // A store that does not answer is asked again: what was sent stays in memory until it is written down.
  async #write(
    batch: readonly Unsettled[],
    { vitals, lanes }: { vitals: readonly VitalsChange[]; lanes: readonly OwnedLane[] },
  ): Promise<'settled' | 'fenced'> {
    const { log, clock, onError } = this.#parts;
    const settlements = batch.map(({ settlement }) => settlement);
    const synced = batch.some((one) => one.synced) || vitals.some(({ change }) => change !== null);
    for (;;) {
      try {
        return await log.settle({ settlements, vitals, synced, lanes, now: clock.now() });
      } catch (error) {
        onError(error);
        await new Promise<void>((again) => clock.after(RETRY_MS, again));
      }
    }
  }
}
