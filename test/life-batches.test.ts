// Batches on the whole platform: asked for over the API, verified by others' libraries, and the same after kill -9.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { createClient, type Client } from '../server/src/client/index.ts';
import { eventually, startHandler } from './kit/handler.ts';
import { startLife } from './kit/life.ts';
import { startProcess, type PlatformProcess } from './kit/platform-process.ts';
import { testDatabase, withoutPostgres } from './kit/postgres.ts';
import { startReceiver, type Received } from './kit/receiver.ts';

const KEY = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const TYPE = 'com.hpe.greenlake.audit-log.v1.logs.created';

function signed({ headers }: Received): Record<string, string> {
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
  return Object.fromEntries(names.map((name) => [name, String(headers[name])]));
}

test('Batch: our receiver verifies it and hands each event to its handler, under one id', async (t) => {
  const life = await startLife(t);
  const handler = await startHandler(t, { secret: KEY });
  const webhook = await life.webhook({ url: handler.url, secret: KEY, policy: { batch: { events: 4, waitMs: 200 } } });
  const ids = await life.publishMany(6);
  const shown = await life.settled(webhook, 'delivered', 6);
  assert.deepEqual(handler.handled.map(({ event }) => event.id).toSorted(), ids.toSorted());
  const batches = new Map(Map.groupBy(handler.handled, ({ delivery }) => delivery.id));
  assert.deepEqual(
    [...batches.values()].map(({ length }) => length),
    [4, 2],
  );
  assert.deepEqual(new Set(shown.map(({ batch }) => batch)), new Set(batches.keys()));
});

test('Batch: the official library of npm accepts the signature over the array, and our signature of HPE stands beside', async (t) => {
  const life = await startLife(t);
  const endpoint = await startReceiver();
  t.after(() => endpoint.stop());
  await life.webhook({ url: endpoint.url, verification: 'none', secret: KEY, policy: { batch: { events: 3 } } });
  const ids = await life.publishMany(3);
  const [request] = await endpoint.received(1);
  const body = request!.body.toString();
  const events = new Webhook(KEY).verify(body, signed(request!)) as { id: string }[];
  assert.deepEqual(
    events.map(({ id }) => id),
    ids,
  );
  assert.throws(() => new Webhook(KEY).verify(`${body} `, signed(request!)));
});

const engines = [
  { engine: 'SQLite', skip: false as const, store: async () => 'sqlite' },
  { engine: 'PostgreSQL', skip: withoutPostgres, store: (t: TestContext) => testDatabase(t) },
];

for (const { engine, skip, store: prepare } of engines) {
  test(`R124 a batch is the same after kill -9 while it was under way: ${engine}`, { skip }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'bellwire-batches-'));
    const store = await prepare(t);
    const endpoint = await startReceiver({ mood: 'hang' });
    const start = (): Promise<PlatformProcess> => startProcess({ folder, env: { BELLWIRE_STORE: store } });
    let platform = await start();
    t.after(async () => {
      await platform.kill();
      await endpoint.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const client = clientOf(platform);
    const policy = { batch: { events: 5, waitMs: 3_600_000 } };
    const webhook = await client.webhooks.create({ name: 'main', url: endpoint.url, verification: 'none', policy });
    await client.subscriptions.create({ webhook: webhook.id, type: TYPE });
    const ids = Array.from({ length: 20 }, (_, n) => `e${n}`);
    await client.events.publish(ids.map((id) => ({ id, source: '/tests', type: TYPE, data: {} })));
    // None is answered: whatever was sent has to come again.
    await endpoint.received(4);
    const sent = byId(endpoint.requests);
    assert.equal(sent.size, 4);
    await platform.kill();

    const killedAt = endpoint.requests.length;
    endpoint.behave({});
    platform = await start();
    await eventually('all of it has come', () => new Set(endpoint.requests.slice(killedAt).flatMap(idsOf)).size === 20);
    assert.deepEqual(byId(endpoint.requests.slice(killedAt)), sent);
    const batches = new Set<string | null>();
    for await (const { batch } of clientOf(platform).deliveries.list({ webhook: webhook.id })) batches.add(batch);
    assert.deepEqual(batches, new Set(sent.keys()));
  });
}

function clientOf({ url, adminKey }: PlatformProcess): Client {
  return createClient({ url, key: adminKey });
}

function idsOf({ body }: Received): string[] {
  return (JSON.parse(body.toString()) as { id: string }[]).map(({ id }) => id);
}

/** The bytes of each batch, by its `webhook-id`. */
function byId(requests: readonly Received[]): Map<string, string> {
  return new Map(
    requests
      .map(({ headers, body }) => [String(headers['webhook-id']), body.toString()] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
