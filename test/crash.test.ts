// The heart of the promise: the real process is killed, again and again, and nothing that was acknowledged is lost.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { startEndpoint, type Endpoint } from './kit/endpoint.ts';
import { openLedger, type Ledger } from './kit/ledger.ts';
import { failPoints } from './kit/platform-entry.ts';
import { startProcess, type PlatformProcess, type ProcessOptions } from './kit/platform-process.ts';
import { startPostgres, withoutPostgres, type Postgres } from './kit/postgres.ts';
import { Publisher, TYPE } from './kit/publisher.ts';

/** Numbers from a seed, so that a failure can be played again: `BELLWIRE_TEST_SEED=… npm test test/crash.test.ts`. */
const seed = Number(process.env['BELLWIRE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const KILLS = 4;
/** Retries fall due all the time, and none is used up while an endpoint is in trouble. */
const RETRIES = { BELLWIRE_DELIVERY_RETRY_DELAYS: `150ms,300ms,600ms${',1s'.repeat(90)}` };

/** Every instant that the promise rests on. */
const POINTS = [...failPoints, 'send'] as const;

let postgres: Postgres | undefined;
before(async () => {
  // Durability is what is tested, so this server syncs.
  if (!withoutPostgres) postgres = await startPostgres({ fsync: true });
});
after(() => postgres?.stop());

const engines = [
  { engine: 'SQLite', skip: false as const, store: async () => 'sqlite' },
  { engine: 'PostgreSQL', skip: withoutPostgres, store: async () => postgres!.createDatabase() },
];

for (const { engine, skip, store } of engines) {
  test(`R124 R53 kill -9 at any instant loses nothing that was acknowledged: ${engine}`, { skip }, async (t) => {
    const ground = await prepare(t, await store());
    const { endpoint, ledger } = ground;
    const dice = diceOf(seed);
    let running = Promise.resolve(await ground.start());
    await register(await running, endpoint, ['/well', '/ill']);
    const publisher = new Publisher({ ledger, batch: 100, requests: 4, platform: () => running });
    const published = publisher.run();
    const rates: number[] = [];
    for (let kill = 1; kill <= KILLS; kill++) {
      // In trouble over two kills out of three: what it refused falls due while the platform is down.
      endpoint.refuse(...(kill % 3 === 0 ? [] : ['/ill']));
      const [from, since] = [publisher.acknowledged, performance.now()];
      await Promise.race([publisher.reached(from + 800 + dice() * 1200), published]);
      rates.push((publisher.acknowledged - from) / ((performance.now() - since) / 1000));
      await wait(dice() * 40);
      const platform = await running;
      running = platform.kill().then(() => ground.start());
      await running;
      await publisher.repeatLast();
    }
    publisher.finish();
    await published;
    endpoint.refuse();
    const acknowledged = ledger.read();
    assert.equal(acknowledged.size, publisher.acknowledged);
    await Promise.all(['/well', '/ill'].map((path) => endpoint.complete(path, acknowledged, 30_000)));
    const sums = ['/well', '/ill'].map((path) => checkTaken(endpoint, path, acknowledged));
    await nothingOpen(await running);
    t.diagnostic(
      `${engine}: seed ${seed}, ${KILLS} kills, ${acknowledged.size} events acknowledged at ${rates.map(Math.round).join(', ')}/s ` +
        `(${publisher.found} of them found to be stored when sent again), ${sums.join('; ')}`,
    );
    assert.ok(Math.max(...rates) >= 1000, 'this machine is too slow for the test: under 1,000 events/s in every round');
  });

  test(`R124 the instants between accept, send and settle lose nothing: ${engine}`, { skip }, async (t) => {
    const ground = await prepare(t, await store());
    const { endpoint, ledger } = ground;
    endpoint.refuse('/ill');
    let running = ground.start({ failAt: POINTS[0] });
    await register(await running, endpoint, ['/well', '/ill']);
    const publisher = new Publisher({ ledger, batch: 20, requests: 2, platform: () => running });
    const published = publisher.run();
    for (const [i, point] of POINTS.entries()) {
      const doomed = await running;
      // Between the send and its answer only the endpoint knows when: it ends the sender while that waits for it.
      if (point === 'send') endpoint.onRequest = () => doomed.kill();
      running = doomed.ended.then((signal) => {
        assert.equal(signal, 'SIGKILL', point);
        endpoint.onRequest = null;
        return ground.start({ failAt: POINTS[i + 1] });
      });
      await Promise.race([running, published]);
    }
    publisher.finish();
    await published;
    endpoint.refuse();
    const acknowledged = ledger.read();
    assert.ok(publisher.found > 0, 'what was committed unsaid is answered as a repetition');
    await Promise.all(['/well', '/ill'].map((path) => endpoint.complete(path, acknowledged, 20_000)));
    const sums = ['/well', '/ill'].map((path) => checkTaken(endpoint, path, acknowledged));
    await nothingOpen(await running);
    t.diagnostic(`${engine}: killed at ${POINTS.join(', ')}; ${acknowledged.size} acknowledged; ${sums.join('; ')}`);
  });
}

interface Ground {
  endpoint: Endpoint;
  ledger: Ledger;
  /** Starts the platform on the same data; whatever runs at the end is killed. */
  start(options?: Partial<ProcessOptions>): Promise<PlatformProcess>;
}

async function prepare(t: TestContext, store: string): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-crash-'));
  const endpoint = await startEndpoint();
  const ledger = openLedger(join(folder, 'ledger'));
  const env = { ...RETRIES, BELLWIRE_STORE: store, BELLWIRE_LOG_LEVEL: 'info' };
  const started: PlatformProcess[] = [];
  t.after(async () => {
    await Promise.all(started.map((platform) => platform.kill()));
    ledger.close();
    await endpoint.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    endpoint,
    ledger,
    async start(options) {
      const platform = await startProcess({ folder: join(folder, 'data'), env, ...options });
      started.push(platform);
      return platform;
    },
  };
}

/** Webhooks that need not prove themselves: what they are sent is the matter here. */
async function register(platform: PlatformProcess, { url }: Endpoint, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const body = { name: `to ${path.slice(1)}`, url: url + path, verification: 'none' };
    const { id } = await ask(platform, 'POST /v1/webhooks', body);
    await ask(platform, 'POST /v1/subscriptions', { webhook: id, type: TYPE });
  }
}

async function ask(platform: PlatformProcess, what: string, body?: object): Promise<Record<string, unknown>> {
  const [method, path] = what.split(' ') as [string, string];
  const response = await fetch(platform.url + path, {
    method,
    headers: { authorization: `Bearer ${platform.adminKey}`, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await response.text();
  assert.ok(response.ok, `${what}: ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

/** Every event once or more, always under the same webhook-id; says how many and how often. */
function checkTaken(endpoint: Endpoint, path: string, acknowledged: ReadonlySet<string>): string {
  const { events, refused } = endpoint.taken(path);
  assert.deepEqual(
    [...events.keys()].filter((event) => !acknowledged.has(event)),
    [],
    'nothing but what was published',
  );
  let deliveries = 0;
  const ids = new Set<string>();
  for (const [event, taken] of events) {
    assert.equal(taken.size, 1, `${event} came to ${path} under ${[...taken.keys()].join(' and ')}`);
    for (const [id, times] of taken) {
      ids.add(id);
      deliveries += times;
    }
  }
  assert.equal(ids.size, events.size, 'no two events share a webhook-id');
  return `${path} took ${deliveries} deliveries, ${deliveries - events.size} of them again, and refused ${refused}`;
}

/** What was sent again after the last crash comes to its end, too: in the end every delivery is delivered. */
async function nothingOpen(platform: PlatformProcess): Promise<void> {
  const until = performance.now() + 20_000;
  for (const state of ['scheduled', 'held', 'dead']) {
    for (;;) {
      const { items } = await ask(platform, `GET /v1/deliveries?limit=1&state=${state}`);
      if ((items as unknown[]).length === 0) break;
      assert.ok(performance.now() < until, `something is ${state} still: ${JSON.stringify(items)}`);
      await wait(50);
    }
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

/** Mulberry32: from 0 inclusive to 1 exclusive. */
function diceOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
