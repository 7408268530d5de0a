// A publisher outside the platform: sends batches without a pause, repeats what was not acknowledged, checks each answer.
import assert from 'node:assert/strict';
import type { Ledger } from './ledger.ts';
import type { PlatformProcess } from './platform-process.ts';

/** The type of everything it publishes; every platform knows it from the start. */
export const TYPE = 'com.hpe.greenlake.audit-log.v1.logs.created';
const SOURCE = 'https://publisher.example/log';
/** The events take turns in having one of so many subjects. */
export const SUBJECTS = 40;
/** How long it waits after a request that was not acknowledged. */
const PAUSE_MS = 100;

export interface PublisherOptions {
  ledger: Ledger;
  /** Events of one request. */
  batch: number;
  /** Requests under way at once. */
  requests: number;
  /** The platform that runs now, or will run next. */
  platform(): Promise<PlatformProcess>;
}

/** A request that may have to be made more than once. */
interface Batch {
  ids: string[];
  body: string;
  /** The platform's own ids, once acknowledged. */
  events: string[] | null;
  /** Requests that ended without an answer. */
  lost: number;
}

/** Publishes until it has been told to stop. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #again: Batch[] = [];
  #next = 0;
  #last: Batch | null = null;
  #until = Infinity;
  readonly #waiting = new Set<() => void>();
  /** Events acknowledged, and of these the ones that the platform had taken without being able to say so. */
  acknowledged = 0;
  found = 0;
  /** Batches that were acknowledged twice over, by a repeat of our own. */
  repeated = 0;
  /** Requests that were answered 503: not now, try again. */
  unavailable = 0;
  /** The platform's number of each acknowledged event, by the event's id: the order of the log. */
  readonly numbers = new Map<string, number>();

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Publishes; resolves when `finish` was called and everything sent is acknowledged. */
  async run(): Promise<void> {
    const { requests } = this.#options;
    await Promise.all(Array.from({ length: requests }, () => this.#work()));
  }

  /** Makes no new events any more. */
  finish(): void {
    this.#until = this.#next;
  }

  /** Resolves when this many events are acknowledged. */
  reached(count: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.acknowledged < count) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Sends what was acknowledged last once more: the answer must be the first one, marked as a repetition. */
  async repeatLast(): Promise<void> {
    const batch = this.#last;
    if (!batch) return;
    const answered = await this.#send(await this.#options.platform(), batch);
    if (!answered) return;
    this.repeated++;
    assert.deepEqual(
      answered,
      batch.ids.map((id, i) => ({ id, source: SOURCE, event: batch.events![i], duplicate: true })),
      'a repeated request gets the first answer',
    );
  }

  async #work(): Promise<void> {
    for (let batch = this.#take(); batch; batch = this.#take()) {
      const platform = await this.#options.platform();
      const answered = await this.#send(platform, batch);
      if (answered) this.#acknowledge(batch, answered);
      else {
        this.#again.push(batch);
        // Whoever ended the platform starts another one; one that only cannot answer now is asked again.
        await Promise.race([platform.ended, new Promise((again) => setTimeout(again, PAUSE_MS))]);
      }
    }
  }

  #take(): Batch | undefined {
    const again = this.#again.shift();
    if (again) return again;
    if (this.#next >= this.#until) return undefined;
    const ids = Array.from({ length: this.#options.batch }, () => `e${this.#next++}`);
    return { ids, body: JSON.stringify(ids.map(eventOf)), events: null, lost: 0 };
  }

  async #send(platform: PlatformProcess, batch: Batch): Promise<Answered[] | null> {
    const headers = {
      authorization: `Bearer ${platform.adminKey}`,
      'content-type': 'application/cloudevents-batch+json',
    };
    try {
      const response = await fetch(`${platform.url}/v1/events`, { method: 'POST', headers, body: batch.body });
      const text = await response.text();
      if (response.status === 503) {
        assert.match(response.headers.get('retry-after') ?? '', /^\d+$/, `a 503 says when to come again: ${text}`);
        this.unavailable++;
        batch.lost++;
        return null;
      }
      assert.equal(response.status, 202, text);
      return (JSON.parse(text) as { accepted: Answered[] }).accepted;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      batch.lost++;
      return null;
    }
  }

  #acknowledge(batch: Batch, answered: readonly Answered[]): void {
    assert.deepEqual(
      answered.map(({ id }) => id),
      batch.ids,
    );
    const duplicates = answered.filter(({ duplicate }) => duplicate).length;
    // A batch is one transaction: it was taken whole or not at all, and it is known only if it was sent before.
    assert.ok(duplicates === 0 || (batch.lost > 0 && duplicates === batch.ids.length), `${duplicates} duplicates`);
    this.#options.ledger.acknowledge(batch.ids);
    batch.events = answered.map(({ event }) => event);
    for (const { id, event } of answered) this.numbers.set(id, Number.parseInt(event.split('_')[2]!, 36));
    this.#last = batch;
    this.acknowledged += batch.ids.length;
    this.found += duplicates;
    for (const look of this.#waiting) look();
  }
}

interface Answered {
  id: string;
  source: string;
  event: string;
  duplicate: boolean;
}

/** The subject of an event that was published under this id. */
export function subjectOf(id: string): string {
  return `s${Number(id.slice(1)) % SUBJECTS}`;
}

function eventOf(id: string): object {
  return {
    specversion: '1.0',
    id,
    source: SOURCE,
    type: TYPE,
    subject: subjectOf(id),
    datacontenttype: 'application/json',
    data: { id, category: 'user_management', description: `Something happened ${'·'.repeat(200)}`, created_at: 1 },
  };
}
