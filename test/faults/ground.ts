// What every fault is played on: a platform in its own process, an endpoint that knows what arrived, a publisher under
// load, a ledger outside it all that knows what was acknowledged; and, in the end, the sum of it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { startEndpoint, type Endpoint } from '../kit/endpoint.ts';
import { openLedger, type Ledger } from '../kit/ledger.ts';
import { startProcess, type PlatformProcess, type ProcessOptions } from '../kit/platform-process.ts';
import type { Postgres } from '../kit/postgres.ts';
import { Publisher, subjectOf, TYPE } from '../kit/publisher.ts';
import { startProxy, type Proxy } from './proxy.ts';

/** How a fault is played. */
export interface Play {
  engine: 'SQLite' | 'PostgreSQL';
  /** A server that syncs; null for SQLite. */
  postgres: Postgres | null;
  seed: number;
  /** Settings beside those that every play has. */
  env?: Record<string, string>;
  /** Where the data is to be, when the temporary folder will not do. */
  folder?: string;
  process?: Pick<ProcessOptions, 'failAt' | 'clock'>;
  /** Events of one request, and requests under way at once; a hundred in each of four where nothing is said. */
  load?: { batch: number; requests: number };
}

/** What came of it. */
export interface Sum {
  acknowledged: number;
  /** Events that an acknowledged publish had stored though its first answer was lost. */
  found: number;
  /** Requests answered 503. */
  unavailable: number;
  /** Events per second while nothing was wrong, over all rounds. */
  rate: number;
  /** Deliveries that were answered 200, per path, and those of them that were repetitions. */
  taken: Record<string, { deliveries: number; again: number }>;
  /** The longest that a repetition came after what it repeats was first answered before a fault began, ms. */
  longestBefore: number;
}

/** A webhook of the play: what it is subscribed to, and how it wants it. */
interface Target {
  /** Of these subjects only; null: everything. */
  subjects: readonly string[] | null;
  /** In order, as a whole (null) or by a key. */
  fifo?: { key: string | null };
  /** Refused at times: retries fall due while things go wrong. The others always answer. */
  isFaulty?: boolean;
}

/** By the path of its endpoint. In order one goes at a time, so those take a part of what is published. */
const TARGETS: Readonly<Record<string, Target>> = {
  '/well': { subjects: null },
  '/ill': { subjects: null, isFaulty: true },
  '/line': { subjects: ['s0', 's10', 's20'], fifo: { key: null } },
  '/keys': { subjects: ['s1', 's5', 's12', 's19', 's25', 's33'], fifo: { key: 'subject' }, isFaulty: true },
};
/** Retries fall due all the time, and none is used up while an endpoint is in trouble. */
const RETRIES = { BELLWIRE_DELIVERY_RETRY_DELAYS: `150ms,300ms,600ms${',1s'.repeat(90)}` };
/** The publisher waits while the webhook that takes everything is so many events behind: the end of a play waits for them. */
const MOST_BACKLOG = 5_000;
/** How much sooner than a fault a delivery may have been answered and still come again: the settle timer and its commit,
 * three times `wal_writer_delay` (200 ms) on PostgreSQL, and a busy machine. */
const UNSYNCED_MS = { SQLite: 1_000, PostgreSQL: 1_600 };

/** The ground of one play. */
export class Ground {
  readonly endpoint: Endpoint;
  readonly ledger: Ledger;
  readonly publisher: Publisher;
  /** By way of which the platform reaches PostgreSQL. */
  readonly proxy: Proxy | null;
  readonly postgres: Postgres | null;
  /** From 0 inclusive to 1 exclusive, by the seed. */
  readonly dice: () => number;
  readonly #play: Play;
  readonly #folder: string;
  readonly #store: string;
  readonly #started: PlatformProcess[] = [];
  readonly #faults: { from: number; to: number }[] = [];
  #running: Promise<PlatformProcess>;
  #published: Promise<void> = Promise.resolve();
  /** What was acknowledged in rounds in which nothing was wrong, and how long they took. */
  readonly #undisturbed = { events: 0, ms: 0 };

  private constructor(play: Play, made: { folder: string; endpoint: Endpoint; proxy: Proxy | null; store: string }) {
    this.#play = play;
    this.#folder = made.folder;
    this.#store = made.store;
    this.endpoint = made.endpoint;
    this.proxy = made.proxy;
    this.postgres = play.postgres;
    this.ledger = openLedger(join(made.folder, 'ledger'));
    this.dice = diceOf(play.seed);
    this.#running = this.#start(play.process);
    const load = play.load ?? { batch: 100, requests: 4 };
    this.publisher = new Publisher({ ledger: this.ledger, ...load, platform: () => this.#withRoom() });
  }

  /** Starts it all: webhooks that need not prove themselves, and the publisher. */
  static async prepare(play: Play): Promise<Ground> {
    const folder = mkdtempSync(join(tmpdir(), 'bellwire-fault-'));
    const database = play.postgres ? await play.postgres.createDatabase() : null;
    const proxy = database ? await startProxy(database) : null;
    const ground = new Ground(play, { folder, endpoint: await startEndpoint(), proxy, store: proxy?.url ?? 'sqlite' });
    for (const [path, target] of Object.entries(TARGETS)) await ground.#subscribe(path, target);
    ground.#published = ground.publisher.run();
    // It is awaited in the end; what breaks it before must not end the process first.
    ground.#published.catch(() => undefined);
    return ground;
  }

  async #subscribe(path: string, { subjects, fifo }: Target): Promise<void> {
    const policy = fifo ? { policy: { order: { kind: 'fifo', ...fifo } } } : {};
    const url = this.endpoint.url + path;
    const { id } = await this.ask('POST /v1/webhooks', { name: path.slice(1), url, verification: 'none', ...policy });
    const filter = subjects && `$event/subject in (${subjects.map((one) => `'${one}'`).join(', ')})`;
    await this.ask('POST /v1/subscriptions', { webhook: id, type: TYPE, filter });
  }

  /** The faulty endpoints refuse what they get, or take it again. */
  trouble(isOn: boolean): void {
    const faulty = Object.keys(TARGETS).filter((path) => TARGETS[path]!.isFaulty);
    this.endpoint.refuse(...(isOn ? faulty : []));
  }

  // A machine that is busy with other things takes events faster than it delivers them.
  async #withRoom(): Promise<PlatformProcess> {
    while (this.publisher.acknowledged - this.endpoint.taken('/well').events.size > MOST_BACKLOG) {
      await new Promise((again) => setTimeout(again, 20));
    }
    return this.#running;
  }

  /** The platform that runs, or is being started. */
  get platform(): Promise<PlatformProcess> {
    return this.#running;
  }

  /** Resolves when so many more events are acknowledged; rejects when the publisher was told something wrong. */
  async publish(events: number): Promise<void> {
    const [from, since] = [this.publisher.acknowledged, performance.now()];
    await Promise.race([this.publisher.reached(from + events), this.#published]);
    if (this.#faults.some(({ to }) => to === Infinity)) return;
    this.#undisturbed.events += this.publisher.acknowledged - from;
    this.#undisturbed.ms += performance.now() - since;
  }

  /** Something goes wrong for as long as `during` lasts: deliveries under way or not yet written may come again. */
  async fault<T>(during: () => Promise<T>): Promise<T> {
    const fault = { from: Date.now(), to: Infinity };
    this.#faults.push(fault);
    const result = await during();
    fault.to = Date.now();
    return result;
  }

  /** Starts a platform on the same data once the last one is gone. */
  async restart(options: Play['process'] = this.#play.process): Promise<void> {
    const gone = this.#running.then(({ ended }) => ended);
    this.#running = gone.then(() => this.#start(options));
    await this.#running;
  }

  /** Asks the API as the installation's operator. */
  async ask(what: string, body?: object): Promise<Record<string, unknown>> {
    const [method, path] = what.split(' ') as [string, string];
    const { url, adminKey } = await this.#running;
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    assert.ok(response.ok, `${what}: ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  /** Ends the load, lets everything arrive, and checks what must be true; the sum of it. */
  async settle(withinMs: number): Promise<Sum> {
    const { endpoint, publisher } = this;
    this.trouble(false);
    publisher.finish();
    await this.#published;
    const acknowledged = this.ledger.read();
    assert.equal(acknowledged.size, publisher.acknowledged);
    const wanted = Object.entries(TARGETS).map(([path, target]) => ({
      path,
      target,
      events: of(acknowledged, target),
    }));
    await Promise.all(wanted.map(({ path, events }) => endpoint.complete(path, events, withinMs)));
    await this.#nothingOpen(withinMs);
    await this.#untouched();
    await this.#intact();
    const sum: Sum = {
      acknowledged: acknowledged.size,
      found: publisher.found,
      unavailable: publisher.unavailable,
      rate: Math.round((1000 * this.#undisturbed.events) / this.#undisturbed.ms),
      taken: {},
      longestBefore: 0,
    };
    for (const { path, target, events } of wanted) {
      this.#check(path, events, sum);
      if (target.fifo) this.#checkOrder(path, target.fifo.key !== null);
    }
    return sum;
  }

  /** Ends everything, however the play went. */
  async clear(): Promise<void> {
    await Promise.all(this.#started.map((platform) => platform.kill()));
    this.ledger.close();
    await this.endpoint.stop();
    await this.proxy?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #data(): string {
    return this.#play.folder ?? join(this.#folder, 'data');
  }

  async #start(options: Play['process'] = {}): Promise<PlatformProcess> {
    const { env } = this.#play;
    const platform = await startProcess({
      folder: this.#data,
      env: { ...RETRIES, BELLWIRE_STORE: this.#store, BELLWIRE_LOG_LEVEL: 'info', ...env },
      ...options,
    });
    this.#started.push(platform);
    return platform;
  }

  // Every event once or more, always under the same webhook-id, and again only where a fault explains it.
  #check(path: string, acknowledged: ReadonlySet<string>, sum: Sum): void {
    const { events } = this.endpoint.taken(path);
    const strangers = [...events.keys()].filter((event) => !acknowledged.has(event));
    assert.deepEqual(strangers, [], 'nothing but what was published');
    const ids = new Set<string>();
    let deliveries = 0;
    for (const [event, under] of events) {
      assert.equal(under.size, 1, `${event} came to ${path} under ${[...under.keys()].join(' and ')}`);
      const [[id, times] = ['', []]] = under;
      ids.add(id);
      deliveries += times.length;
      for (const time of times.slice(0, -1)) {
        const before = this.#beforeFault(time);
        const bound = UNSYNCED_MS[this.#play.engine];
        const again = `${event} came to ${path} again: ${times.map((at) => at - times[0]!).join(', ')} ms`;
        assert.ok(before <= bound, `${again}, and the next fault began ${before} ms after it was answered`);
        sum.longestBefore = Math.max(sum.longestBefore, before);
      }
    }
    assert.equal(ids.size, events.size, 'no two events share a webhook-id');
    sum.taken[path] = { deliveries, again: deliveries - events.size };
  }

  /** Nothing came before all that is earlier in its line was taken: what came again after a fault is the only exception. */
  #checkOrder(path: string, isByKey: boolean): void {
    const { numbers } = this.publisher;
    const turns = [...this.endpoint.taken(path).turns].toSorted(([a], [b]) => numbers.get(a)! - numbers.get(b)!);
    for (const line of Map.groupBy(turns, ([event]) => (isByKey ? subjectOf(event) : '')).values()) {
      for (const [at, [event, { came }]] of line.entries()) {
        const [before, { taken }] = line[at - 1] ?? ['', { taken: 0 }];
        assert.ok(taken < came, `${event} came to ${path} before ${before}, which is earlier, was taken`);
      }
    }
  }

  /** How long after this instant the next fault began, ms; 0 within one. */
  #beforeFault(time: number): number {
    return Math.min(...this.#faults.map(({ from, to }) => (to < time ? Infinity : Math.max(0, from - time))));
  }

  /** In the end every delivery is delivered. */
  async #nothingOpen(withinMs: number): Promise<void> {
    const until = performance.now() + withinMs;
    for (const state of ['scheduled', 'held', 'dead']) {
      for (;;) {
        const { items } = await this.ask(`GET /v1/deliveries?limit=1&state=${state}`);
        if ((items as unknown[]).length === 0) break;
        assert.ok(performance.now() < until, `something is ${state} still: ${JSON.stringify(items)}`);
        await new Promise((again) => setTimeout(again, 50));
      }
    }
  }

  /** A webhook whose endpoint always answered has never been anything but active. */
  async #untouched(): Promise<void> {
    const { items } = (await this.ask('GET /v1/webhooks')) as { items: { id: string; name: string }[] };
    for (const { id, name } of items) {
      if (TARGETS[`/${name}`]!.isFaulty) continue;
      const changes = (await this.ask(`GET /v1/webhooks/${id}/changes`))['items'] as { health: string }[];
      for (const change of changes)
        assert.equal(change.health, 'active', `${name} was touched: ${JSON.stringify(change)}`);
    }
  }

  /** Ends the platform and looks through its file, if that is where the data is: no page of it is damaged. */
  async #intact(): Promise<void> {
    if (this.#play.engine !== 'SQLite') return;
    await (await this.#running).stop();
    const database = new DatabaseSync(join(this.#data, 'bellwire.db'), { readOnly: true });
    const said = database.prepare('PRAGMA integrity_check').all();
    database.close();
    assert.deepEqual(
      said.map((row) => row['integrity_check']),
      ['ok'],
    );
  }
}

/** Those of the events that the webhook is to get. */
function of(events: ReadonlySet<string>, { subjects }: Target): ReadonlySet<string> {
  return subjects ? new Set([...events].filter((event) => subjects.includes(subjectOf(event)))) : events;
}

/** Mulberry32: from 0 inclusive to 1 exclusive. */
export function diceOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
