// The settler: collects what attempts came to and writes it in batches, one batch at a time.
import type { Settlement } from '../model/delivery.ts';
import type { Clock, Timer } from '../model/clock.ts';
import type { Log, OwnedLane, VitalsChange } from '../store/contract.ts';

/** One attempt's outcome on its way to the store. */
export interface Unsettled {
  /** Of every delivery it carried: a batch is settled whole, or not at all. */
  settlements: readonly Settlement[];
  lane: OwnedLane;
  /** Dead letters and changes of state are synced to disk. */
  synced: boolean;
  /** Called when it is committed, or can never be (another node owns the lane now). */
  done(): void;
}

/** What became of a webhook's vitals, on its way to the store. */
export interface Note {
  change: VitalsChange;
  lane: OwnedLane;
  /** For a change of state: called when it is committed, or was refused because somebody else changed the webhook. */
  done?(): void;
}

/** What the settler stands on. */
export interface SettlerParts {
  log: Pick<Log, 'settle'>;
  clock: Clock;
  /** How long the first of a batch waits for company, ms. */
  delayMs: number;
  onError(error: unknown): void;
}

/** A batch holds the whole thread: this many settlements take it five milliseconds, and a note as long as some of them. */
const HEAVIEST_BATCH = 512;
const NOTE_WEIGHT = 6;
const RETRY_MS = 250;

/** Batches settlements. Settling eagerly, one by one, cost a third of the throughput. */
export class Settler {
  readonly #parts: SettlerParts;
  #waiting: Unsettled[] = [];
  #notes = new Map<string, Note[]>();
  #timer: Timer | null = null;
  #running: Promise<void> | null = null;
  #unsettled = 0;
  /** Who waits for so many more to be written down. */
  #marks: { left: number; caughtUp(): void }[] = [];
  /** Settlements among `#waiting`. */
  #rows = 0;
  #abandoned = false;

  constructor(parts: SettlerParts) {
    this.#parts = parts;
  }

  /** Settlements not yet committed. */
  get backlog(): number {
    return this.#unsettled;
  }

  /** Adds an outcome to the next batch. */
  add(unsettled: Unsettled): void {
    this.#waiting.push(unsettled);
    this.#rows += unsettled.settlements.length;
    this.#unsettled += unsettled.settlements.length;
    if (this.#rows >= HEAVIEST_BATCH) this.#flush();
    else this.#timer ??= this.#parts.clock.after(this.#parts.delayMs, () => this.#flush());
  }

  /** Notes a webhook's vitals. Without a change of state only the newest note of a batch is written. */
  note(note: Note): void {
    const key = `${note.change.workspace}/${note.change.target}`;
    const notes = this.#notes.get(key) ?? [];
    if (notes.at(-1)?.change.change === null) notes.pop();
    this.#notes.set(key, [...notes, note]);
    this.#timer ??= this.#parts.clock.after(this.#parts.delayMs, () => this.#flush());
  }

  /** Writes what is left; resolves when everything is committed, or was given up. */
  async drained(): Promise<void> {
    while (this.#waiting.length > 0 || this.#notes.size > 0 || this.#running) {
      this.#flush();
      await this.#running;
    }
  }

  /** Resolves when everything added until now is committed, or was given up. */
  caughtUp(): Promise<void> {
    if (this.#unsettled === 0) return Promise.resolve();
    this.#flush();
    return new Promise((caughtUp) => this.#marks.push({ left: this.#unsettled, caughtUp }));
  }

  /** Gives up what the store does not take by now: it will be sent again, under the same ids. */
  abandon(): void {
    this.#abandoned = true;
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#running ??= this.#run().finally(() => (this.#running = null));
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 || this.#notes.size > 0) {
      const { batch, notes, rows } = this.#take();
      await this.#settle({ batch, notes });
      this.#unsettled -= rows;
      for (const mark of this.#marks) if ((mark.left -= rows) <= 0) mark.caughtUp();
      this.#marks = this.#marks.filter(({ left }) => left > 0);
      for (const { done } of batch) done();
      for (const { done } of notes) done?.();
    }
  }

  // A webhook's notes go with its deliveries.
  #take(): Batch & { rows: number } {
    const notes: Note[] = [];
    let [count, rows] = [0, 0];
    const isLight = (): boolean => rows + notes.length * NOTE_WEIGHT < HEAVIEST_BATCH;
    const takeNotes = (of: string): void => {
      notes.push(...(this.#notes.get(of) ?? []));
      this.#notes.delete(of);
    };
    while (count < this.#waiting.length && isLight()) {
      const { settlements } = this.#waiting[count++]!;
      rows += settlements.length;
      const { workspace, target } = settlements[0]!;
      takeNotes(`${workspace}/${target}`);
    }
    for (const of of this.#notes.keys()) if (isLight()) takeNotes(of);
    this.#rows -= rows;
    return { batch: this.#waiting.splice(0, count), notes, rows };
  }

  // A lane that was lost refuses the batch it is in: the others' parts are then settled by themselves.
  async #settle({ batch, notes }: Batch): Promise<void> {
    const lanes = new Map([...batch, ...notes].map(({ lane }) => [`${lane.lane}/${lane.epoch}`, lane]));
    if ((await this.#write({ batch, notes }, [...lanes.values()])) === 'settled' || lanes.size < 2) return;
    for (const owned of lanes.values()) {
      const isOf = ({ lane }: { lane: OwnedLane }): boolean => lane.lane === owned.lane && lane.epoch === owned.epoch;
      await this.#write({ batch: batch.filter(isOf), notes: notes.filter(isOf) }, [owned]);
    }
  }

  // A store that does not answer is asked again: what was sent stays in memory until it is written down.
  async #write({ batch, notes }: Batch, lanes: readonly OwnedLane[]): Promise<'settled' | 'fenced'> {
    const { log, clock, onError } = this.#parts;
    const vitals = notes.map(({ change }) => change);
    const settlements: Settlement[] = [];
    for (const one of batch) for (const settlement of one.settlements) settlements.push(settlement);
    const synced = batch.some((one) => one.synced) || vitals.some(({ change }) => change !== null);
    for (;;) {
      try {
        return await log.settle({ settlements, vitals, synced, lanes, now: clock.now() });
      } catch (error) {
        onError(error);
        if (this.#abandoned) return 'settled';
        await new Promise<void>((again) => clock.after(RETRY_MS, again));
      }
    }
  }
}

interface Batch {
  batch: readonly Unsettled[];
  notes: readonly Note[];
}
