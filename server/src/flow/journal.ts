// The journal of one run: rows of its steps and lines of its log, gathered and written down together.
//
// What is put in is written within a moment, or when somebody waits for it: `flush` resolves when all that was put in
// before is committed. One write is under way at a time; whoever comes meanwhile shares the next one. A run whose request
// is on disk writes lazily what nobody waits for: what the machine loses of it is simply done again.
import type { Clock, Timer } from '../model/clock.ts';
import { StoreOutage, type OwnedLane } from '../store/contract.ts';
import type { HookReply } from '../model/hook/exchange.ts';
import type { Flows, RunKey, RunNotes, StoredLine, StoredStep } from '../store/flows/contract.ts';
import { Ending } from './ending.ts';

/** What a journal stands on. */
export interface JournalParts {
  flows: Pick<Flows, 'note'>;
  key: RunKey;
  lane: OwnedLane;
  clock: Clock;
  /** Bytes of lines that are kept; then a line says so, and the rest is left out. */
  logBytes: number;
  /** What nobody waits for need not be synced. */
  isLazy: boolean;
  /** The run is somebody else's by now. */
  onLost(): void;
  onError(error: unknown): void;
  /** Is told of each step that ends. */
  onStep?: ((step: StoredStep) => void) | undefined;
}

/** What a journal holds when a run ends. */
export type LastNotes = Pick<RunNotes, 'steps' | 'lines' | 'reply' | 'lazily'>;

/** Of each run that ends: one for all, for an error with its stack is made for those who may read it. */
const ENDED = new Ending('lost', 'the run has ended');
/** What is put in is written at the latest after this. */
const WRITE_AFTER_MS = 250;
/** A store that does not answer is asked again after this. */
const RETRY_MS = 1_000;
/** A write that the store refuses this often in a row breaks the journal. Outages do not count. */
const MOST_FAILURES = 5;
/** Rows and lines of one write, about. */
const MOST_ROWS = 500;
/** So much may wait; whoever goes on waits for a write first. */
const MOST_WAITING = 1_000;
/** Characters of one line. */
const LONGEST_LINE = 16_384;
/** What a line counts beside its text, so that empty ones are bounded, too. */
const LINE_COST = 64;

/** Writes down what a run does. */
export class Journal {
  readonly #parts: JournalParts;
  #steps = new Map<string, StoredStep>();
  #lines: Omit<StoredLine, 'line'>[] = [];
  #bytes = 0;
  #isFull = false;
  #reply: HookReply | null = null;
  /** Told again where all the rest is written, but not synced. */
  #last: StoredStep | null = null;
  #put = 0;
  #taken = 0;
  #synced = 0;
  #writing: Promise<void> | null = null;
  #timer: Timer | null = null;
  #broken: Ending | null = null;

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  /** Puts a row in, in place of an earlier one of the same place. */
  step(row: StoredStep): void {
    // At the end of the line: what a row tells the end of has ended in the rows before it.
    this.#steps.delete(row.place);
    this.#steps.set(row.place, row);
    this.#last = row;
    if (row.finishedAt !== null) this.#parts.onStep?.(row);
    this.#wasPut();
  }

  /** Puts in what the run has replied. */
  reply(reply: HookReply): void {
    this.#reply = reply;
    this.#wasPut();
  }

  /** Puts text in: a line for each of its lines. */
  line(of: Omit<StoredLine, 'line' | 'at'>): void {
    if (this.#isFull) return;
    const at = this.#parts.clock.now();
    for (const text of of.text.split(/\r\n|[\r\n]/)) {
      if (this.#isFull) return;
      this.#addLine({ ...of, at, text: readable(text) });
    }
  }

  /** Resolves when all that was put in is committed and synced. Rejects with an {@link Ending}. */
  async flush(): Promise<void> {
    const upTo = this.#put;
    while (this.#synced < upTo && !this.#broken) await this.#writeOnce(false);
    if (this.#broken) throw this.#broken;
  }

  /** What was put in is written now, unless the run ends this moment and takes it along. */
  hurry(): void {
    setImmediate(() => void this.#flushLazily().catch(() => undefined));
  }

  /** Waits while too much waits. */
  async breathe(): Promise<void> {
    if (this.#steps.size + this.#lines.length > MOST_WAITING) await this.#flushLazily();
  }

  /** Nothing is written any more, and whoever waits for a write is told so. */
  abandon(why: Ending): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#broken ??= why;
  }

  /** Ends it: waits for a write under way, and hands over what is left. Nothing is written any more. */
  async close(): Promise<LastNotes> {
    while (this.#writing) await this.#writing.catch(() => undefined);
    this.abandon(ENDED);
    return this.#take(this.#parts.isLazy);
  }

  #take(lazily: boolean): LastNotes {
    const left = { steps: [...this.#steps.values()], lines: this.#lines };
    const reply = this.#reply;
    this.#steps = new Map();
    this.#lines = [];
    this.#reply = null;
    return { ...left, ...(reply === null ? {} : { reply }), ...(lazily ? { lazily } : {}) };
  }

  async #flushLazily(): Promise<void> {
    const upTo = this.#put;
    while (this.#taken < upTo && !this.#broken) await this.#writeOnce(this.#parts.isLazy);
    if (this.#broken) throw this.#broken;
  }

  #writeOnce(lazily: boolean): Promise<void> {
    return (this.#writing ??= this.#write(lazily).finally(() => (this.#writing = null)));
  }

  #addLine(line: Omit<StoredLine, 'line'>): void {
    this.#bytes += Buffer.byteLength(line.text) + LINE_COST;
    this.#isFull = this.#bytes > this.#parts.logBytes;
    const text = 'The log is full: what follows is left out.';
    this.#lines.push(this.#isFull ? { ...line, stream: 'note', text } : line);
    this.#wasPut();
  }

  #wasPut(): void {
    this.#put++;
    if (this.#broken) return;
    this.#timer ??= this.#parts.clock.after(WRITE_AFTER_MS, () => {
      this.#timer = null;
      this.#flushLazily().catch(() => undefined);
    });
  }

  async #write(lazily: boolean): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#broken) throw this.#broken;
    const upTo = this.#put;
    const { steps, lines, ...more } = this.#take(lazily);
    // One row makes it a commit, and a commit syncs those before it.
    const rows = steps.length + lines.length === 0 && this.#last ? [this.#last] : steps;
    for (let at = 0; at < Math.max(rows.length, lines.length); at += MOST_ROWS) {
      await this.#writeSome({ ...more, steps: rows.slice(at, at + MOST_ROWS), lines: lines.slice(at, at + MOST_ROWS) });
    }
    this.#taken = upTo;
    if (!lazily) this.#synced = upTo;
  }

  async #writeSome(notes: LastNotes): Promise<void> {
    const { flows, key, lane, clock, onLost, onError } = this.#parts;
    for (let failures = 0; ;) {
      try {
        if ((await flows.note({ key, lane, ...notes })) === 'noted') return;
        this.#broken = new Ending('lost', 'the run is another node’s by now');
        onLost();
      } catch (error) {
        onError(error);
        if (!(error instanceof StoreOutage) && ++failures >= MOST_FAILURES) {
          this.#broken = new Ending('fail', 'its steps and its log could not be written down', error);
        }
      }
      if (this.#broken) throw this.#broken;
      await new Promise<void>((again) => clock.after(RETRY_MS, again));
    }
  }
}

// What no text column takes is replaced; what is endless is cut.
function readable(text: string): string {
  const short = text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}…` : text;
  return short.toWellFormed().replaceAll('\0', '\ufffd');
}
