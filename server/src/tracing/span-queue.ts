// Ended spans on their way to the collector: a bounded queue that drops rather than delays, and says so.
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { Log } from '../log/index.ts';
import type { Counter } from '../metrics.ts';
import type { Clock, Timer } from '../model/clock.ts';

/** What the queue stands on. */
export interface SpanQueueParts {
  exporter: Pick<SpanExporter, 'export'>;
  clock: Clock;
  log: Log;
  /** Counts what was dropped, by the reason. */
  dropped: Counter;
}

/** Spans that wait at most: some four megabytes. */
const MOST_WAITING = 4_096;
/** Spans of one request to the collector. */
const BATCH = 512;
/** The first of a batch waits so long for company. */
const DELAY_MS = 1_000;
/** A request that has not ended by then is over for us, whatever becomes of it. */
export const EXPORT_MS = 10_000;
/** The code of an export that went well. */
const SUCCESS = 0;
/** How often a collector that takes nothing is told of. */
const TELL_EVERY_MS = 60_000;

/** Why spans are dropped: for the metric, and in words. */
interface Why {
  reason: 'queue' | 'collector' | 'stopped';
  words: string;
}

const FULL: Why = { reason: 'queue', words: 'more wait than the queue holds' };
const STOPPED: Why = { reason: 'stopped', words: 'the platform has stopped' };

/** Sends ended spans, one request at a time. */
export class SpanQueue implements SpanProcessor {
  readonly #parts: SpanQueueParts;
  #waiting: ReadableSpan[] = [];
  #timer: Timer | null = null;
  #sending: Promise<void> | null = null;
  /** Spans of the request under way. */
  #underWay = 0;
  #isHurried = false;
  #isClosed = false;
  #untold = 0;
  #toldAt = -Infinity;

  constructor(parts: SpanQueueParts) {
    this.#parts = parts;
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#isClosed || this.#waiting.length >= MOST_WAITING) return this.#drop(1, FULL);
    this.#waiting.push(span);
    if (this.#waiting.length >= BATCH) this.#send();
    else this.#timer ??= this.#parts.clock.after(DELAY_MS, () => this.#send());
  }

  /** Sends what waits; resolves when the collector has it, or does not take it. */
  async forceFlush(): Promise<void> {
    this.#isHurried = true;
    while (this.#waiting.length > 0 || this.#sending) {
      this.#send();
      await this.#sending;
    }
    this.#isHurried = false;
  }

  /** What is not through by now is dropped, and what comes, too. */
  shutdown(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    const left = this.#waiting.splice(0).length + this.#underWay;
    if (left > 0) this.#drop(left, STOPPED);
    return Promise.resolve();
  }

  #send(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#sending ??= this.#run().finally(() => {
      this.#sending = null;
      // What came in its last moment waits for company again.
      if (this.#waiting.length > 0) this.#timer ??= this.#parts.clock.after(DELAY_MS, () => this.#send());
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length >= BATCH || (this.#waiting.length > 0 && (this.#isHurried || this.#timer === null))) {
      const batch = this.#waiting.splice(0, BATCH);
      this.#underWay = batch.length;
      const fault = await this.#export(batch);
      this.#underWay = 0;
      // Else they are counted already.
      if (this.#isClosed) return;
      if (fault !== null) this.#drop(batch.length, { reason: 'collector', words: fault });
    }
  }

  #export(batch: ReadableSpan[]): Promise<string | null> {
    const { exporter, clock } = this.#parts;
    return new Promise((resolve) => {
      const timer = clock.after(EXPORT_MS, () => resolve('the collector does not answer'));
      exporter.export(batch, ({ code, error }) => {
        timer.cancel();
        resolve(error === undefined && code === (SUCCESS as typeof code) ? null : faultOf(error));
      });
    });
  }

  #drop(count: number, { reason, words }: Why): void {
    const { dropped, clock, log } = this.#parts;
    dropped.add(count, reason);
    this.#untold += count;
    if (clock.monotonic() - this.#toldAt < TELL_EVERY_MS) return;
    log.warn({ spans: this.#untold, reason: words }, 'spans were dropped');
    this.#toldAt = clock.monotonic();
    this.#untold = 0;
  }
}

// Whatever else the error holds (the collector's page, say) is nobody's business.
function faultOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  if (typeof code === 'number') return `the collector answers ${code}`;
  return typeof code === 'string' ? `the collector cannot be reached: ${code}` : 'the collector does not take them';
}
