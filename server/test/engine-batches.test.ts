// Batches towards a webhook, with the whole engine, its store and an endpoint: when they go, what they are on every try,
// and how they get on with everything else a webhook may ask for.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startReceiver, type Behaviour, type Received, type TestReceiver } from '../../test/kit/receiver.ts';
import type { Batching } from '../src/model/batch.ts';
import { deliveryId } from '../src/model/ids.ts';
import type { NewWebhook, Store, StoredDelivery, Webhook } from '../src/store/index.ts';
import { startEngine, type EngineGround } from './engine-ground.ts';
import { mustPublish, newEvent } from './store-furniture.ts';

const THREE: Batching = { events: 3, waitMs: 60_000, bytes: 1_048_576 };

async function endpoint(t: TestContext, behaviour: Behaviour = () => ({})): Promise<TestReceiver> {
  const receiver = await startReceiver(behaviour);
  t.after(() => receiver.stop());
  return receiver;
}

interface Begun extends EngineGround {
  receiver: TestReceiver;
  hook: Webhook;
}

/** An engine, an endpoint, and a webhook that wants batches. */
async function begin(
  t: TestContext,
  over: Partial<NewWebhook> & { behaviour?: Behaviour; around?: (store: Store) => Store } = {},
): Promise<Begun> {
  const { behaviour, around, ...webhook } = over;
  const engine = await startEngine(t, {}, around);
  const receiver = await endpoint(t, behaviour);
  const hook = await engine.webhook(receiver.url, { batch: THREE, ...webhook });
  return Object.assign(engine, { receiver, hook });
}

/** Publishes events of these ids in one commit, each with so many bytes of data. */
async function publish({ store, workspace, clock }: EngineGround, ids: string, bytes = 1): Promise<void> {
  const events = ids.split(' ').map((id) => newEvent(id, { data: 'x'.repeat(bytes) }));
  await mustPublish({ store, workspace }, events, clock.now());
}

/** The ids of the events of a request, which must be a batch. */
function idsOf({ body, headers }: Received): string {
  assert.equal(headers['content-type'], 'application/cloudevents-batch+json; charset=utf-8');
  return (JSON.parse(body.toString()) as { id: string }[]).map(({ id }) => id).join(' ');
}

function webhookId({ headers }: Received): string {
  return String(headers['webhook-id']);
}

async function deliveriesOf({ store, workspace, hook }: Begun): Promise<StoredDelivery[]> {
  const { rows } = await store.log.deliveries({ workspace, webhook: hook.webhook, cursor: null, limit: 100 });
  return rows.reverse();
}

async function change(
  { store, workspace, hook }: Begun,
  patch: Parameters<Store['settings']['updateWebhook']>[0]['patch'],
): Promise<void> {
  const target = hook.webhook;
  const { revision } = (await store.settings.webhook(workspace, target))!;
  await store.settings.updateWebhook({ workspace, target, revision, patch, reason: 'by hand', now: 0 });
}

test('Batch: it goes when it is full, and otherwise when its oldest event has waited long enough', async (t) => {
  const engine = await begin(t);
  const { receiver } = engine;
  await publish(engine, 'a b');
  await engine.pass(50_000);
  assert.equal(receiver.requests.length, 0);
  await publish(engine, 'c d');
  await engine.until('three have gone', () => receiver.requests.length === 1);
  await engine.pass(59_000);
  assert.equal(receiver.requests.length, 1);
  await engine.until('the fourth has gone', () => receiver.requests.length === 2);
  assert.deepEqual(receiver.requests.map(idsOf), ['a b c', 'd']);
  await engine.until('all is written down', () => engine.ends.length === 4);
  const rows = await deliveriesOf(engine);
  assert.deepEqual(
    rows.map(({ state, tries, attempts, batch }) => [state, tries, attempts, batch]),
    [1, 1, 1, 2].map((batch) => ['delivered', 1, 1, batch]),
  );
});

test('Batch: a body is no larger than the bound, unless one event alone is', async (t) => {
  const engine = await begin(t, { batch: { events: 100, waitMs: 60_000, bytes: 2000 } });
  const { receiver } = engine;
  await publish(engine, 'a b c', 600);
  await engine.until('what fits has gone', () => receiver.requests.length === 1);
  assert.ok(receiver.requests[0]!.body.length <= 2000);
  await publish(engine, 'huge', 5000);
  await engine.until('both have gone', () => receiver.requests.length === 3);
  assert.deepEqual(receiver.requests.map(idsOf), ['a b', 'c', 'huge']);
});

test('Batch: a wait of 0 takes what waits already', async (t) => {
  const engine = await begin(t, { batch: { events: 100, waitMs: 0, bytes: 1_048_576 } });
  await publish(engine, 'a b c d e');
  await engine.until('all have gone', () => engine.ends.length === 5);
  const ids = engine.receiver.requests.map(idsOf);
  assert.equal(ids.join(' '), 'a b c d e');
  assert.ok(ids.length < 5);
});

test('R124 a batch is retried as what it was: the same events, bytes and id, over a restart too', async (t) => {
  const engine = await begin(t, { behaviour: (_, nth) => (nth < 2 ? { status: 503, body: 'a b c' } : {}) });
  const { receiver } = engine;
  await publish(engine, 'a b c');
  await engine.until('it failed', () => engine.ends.length === 3);
  // These would make it another one.
  await publish(engine, 'd e');
  await engine.until('it failed again', () => engine.ends.length === 6);
  await engine.restart();
  await engine.until('it is delivered', () => engine.ends.length === 9);
  const [first, second, third] = receiver.requests as [Received, Received, Received];
  assert.match(webhookId(first), /^bat_[0-9a-z]{10}_[0-9a-z]+_1$/);
  for (const again of [second, third]) {
    assert.deepEqual([webhookId(again), again.body], [webhookId(first), first.body]);
    assert.notEqual(again.headers['webhook-timestamp'], first.headers['webhook-timestamp']);
  }
  await engine.until('the others follow', () => receiver.requests.length === 4);
  assert.equal(idsOf(receiver.requests[3]!), 'd e');
  const [row] = await deliveriesOf(engine);
  const { attempts } = (await engine.store.log.delivery(row!))!;
  assert.deepEqual(
    attempts.map(({ attempt, status, error, response }) => [attempt, status, error, response]),
    // The answer speaks of others, too: it is not kept.
    [
      [1, 503, 'answered 503', null],
      [2, 503, 'answered 503', null],
      [3, 200, null, null],
    ],
  );
});

test('R124 a batch that was written down and not sent is sent as that one, when the store has failed or the process ended', async (t) => {
  let isLost = true;
  const engine = await begin(t, {
    around: (store) => {
      const formBatch: Store['log']['formBatch'] = async (wish) => {
        const formed = await store.log.formBatch(wish);
        if (!isLost) return formed;
        isLost = false;
        throw new Error('the answer to the COMMIT was lost');
      };
      return { ...store, log: { ...store.log, formBatch } };
    },
  });
  await publish(engine, 'a b c');
  await engine.until('the store failed', () => engine.errors.length === 1);
  await publish(engine, 'd e f');
  await engine.until('both have gone', () => engine.ends.length === 6);
  assert.deepEqual(engine.receiver.requests.map(idsOf).toSorted(), ['a b c', 'd e f']);
  const first = engine.receiver.requests.find((request) => idsOf(request) === 'a b c');
  assert.match(webhookId(first!), /_1$/);
});

test('R124 a batch uses its tries as one and then all of it is dead', async (t) => {
  const engine = await begin(t, { behaviour: () => ({ status: 500 }), retryDelaysMs: [1000] });
  await publish(engine, 'a b c');
  await engine.until('it is given up', () => engine.ends.length === 6);
  const rows = await deliveriesOf(engine);
  assert.deepEqual(
    rows.map(({ state, tries }) => [state, tries]),
    [1, 2, 3].map(() => ['dead', 2]),
  );
  assert.equal(engine.receiver.requests.length, 2);
  assert.equal((await engine.store.settings.webhook(engine.workspace, engine.hook.webhook))!.health, 'critical');
});

test('R124 fifo: a batch holds the first ones of the line, and the next one waits until it is through', async (t) => {
  const order = { kind: 'fifo', key: null, onFailure: 'block', tries: null } as const;
  const behaviour: Behaviour = (_, nth) => (nth === 0 || nth === 3 ? { status: 500 } : {});
  const engine = await begin(t, { order, behaviour });
  const { receiver } = engine;
  await publish(engine, 'a b c d e f g');
  await engine.until('the last one failed', () => receiver.requests.length === 4);
  await engine.restart();
  await engine.until('all are through', () => receiver.requests.length === 5);
  assert.deepEqual(receiver.requests.map(idsOf), ['a b c', 'a b c', 'd e f', 'g', 'g']);
});

test('R124 fifo park: a batch that used its tries waits as a whole, until it is unparked', async (t) => {
  let isBad = true;
  const order = { kind: 'fifo', key: null, onFailure: 'park', tries: 2 } as const;
  const engine = await begin(t, { order, behaviour: () => (isBad ? { status: 500 } : {}) });
  const { receiver, hook, workspace } = engine;
  await publish(engine, 'a b c d e f');
  await engine.until('it is parked', () => engine.ends.length === 6);
  await engine.pass(3_600_000);
  assert.equal(receiver.requests.length, 2);
  isBad = false;
  await change(engine, { health: 'active' });
  await engine.delivering.unpark({ workspace, target: hook.webhook });
  await engine.until('all are through', () => receiver.requests.length === 4);
  assert.deepEqual(receiver.requests.map(idsOf), ['a b c', 'a b c', 'a b c', 'd e f']);
  assert.equal(webhookId(receiver.requests[2]!), webhookId(receiver.requests[0]!));
});

test('R124 an answer 410 disables the webhook; enabled again, it gets the same batch', async (t) => {
  const engine = await begin(t, { behaviour: (_, nth) => (nth === 0 ? { status: 410 } : {}) });
  const { receiver, store, workspace, hook } = engine;
  await publish(engine, 'a b c');
  await engine.until('it is disabled', async () => {
    return (await store.settings.webhook(workspace, hook.webhook))!.intent === 'disabled';
  });
  assert.deepEqual(
    (await deliveriesOf(engine)).map(({ shown }) => shown),
    ['held', 'held', 'held'],
  );
  await change(engine, { intent: 'enabled', health: 'active' });
  await engine.until('it is delivered', () => receiver.requests.length === 2);
  assert.deepEqual(
    receiver.requests.map(webhookId).map((id) => id.at(-1)),
    ['1', '1'],
  );
});

test('R124 Retry-After is heeded: nothing goes before, then the same batch', async (t) => {
  const patience = { status: 429, headers: { 'retry-after': '30' } };
  const engine = await begin(t, { behaviour: (_, nth) => (nth === 0 ? patience : {}) });
  await publish(engine, 'a b c');
  await engine.until('it was refused', () => engine.ends.length === 3);
  await publish(engine, 'd e f');
  await engine.pass(29_000);
  assert.equal(engine.receiver.requests.length, 1);
  await engine.until('both have gone', () => engine.ends.length === 9);
  assert.deepEqual(engine.receiver.requests.map(idsOf).toSorted(), ['a b c', 'a b c', 'd e f']);
});

test('R124 under a rate a batch counts as one request', async (t) => {
  const engine = await begin(t, { rate: 6 });
  const { receiver, clock } = engine;
  const began = clock.now();
  await publish(engine, 'a b c d e f g h i');
  await engine.until('three have gone', () => receiver.requests.length === 3);
  assert.deepEqual(receiver.requests.map(idsOf), ['a b c', 'd e f', 'g h i']);
  assert.ok(clock.now() - began >= 20_000 && clock.now() - began < 22_000);
});

test('R124 what was held goes in full batches, however little fits into memory at once', async (t) => {
  const engine = await begin(t, { batch: { events: 50, waitMs: 3_600_000, bytes: 1_048_576 } });
  await change(engine, { intent: 'paused' });
  const ids = Array.from({ length: 400 }, (_, n) => `e${n}`);
  await publish(engine, ids.join(' '));
  await change(engine, { intent: 'enabled' });
  await engine.until('all have gone', () => engine.ends.length === 400);
  const batches = engine.receiver.requests.map((request) => idsOf(request).split(' '));
  assert.deepEqual(new Set(batches.flat()), new Set(ids));
  assert.equal(batches.length, 8);
});

test('R124 one that is tried by hand leaves its batch: it goes alone, under its own id; the others stay what they were', async (t) => {
  const engine = await begin(t, { behaviour: (_, nth) => (nth === 0 ? { status: 500 } : {}) });
  const { receiver, delivering, hook } = engine;
  await publish(engine, 'a b c');
  await engine.until('it failed', () => engine.ends.length === 3);
  const [, second] = await deliveriesOf(engine);
  const { workspace, event, target, copy } = second!;
  const coming = delivering.retry({ workspace, event, target, copy });
  await engine.until('it was tried', () => receiver.requests.length === 2);
  let isDone = false;
  void coming.then(() => (isDone = true));
  await engine.until('that is written down', () => isDone);
  assert.deepEqual({ ...(await coming), outcome: null }, { kind: 'tried', outcome: null, delivered: true });
  await engine.until('the others went', () => receiver.requests.length === 3);
  assert.deepEqual(receiver.requests.map(idsOf), ['a b c', 'b', 'a c']);
  const [batch, alone, rest] = receiver.requests.map(webhookId);
  assert.equal(alone, deliveryId(hook.token, second!));
  assert.equal(rest, batch);
});

test('R124 without batches, what waits of one goes alone; nothing else was ever formed', async (t) => {
  const engine = await begin(t, { behaviour: (_, nth) => (nth === 0 ? { status: 500 } : {}) });
  const { receiver } = engine;
  await publish(engine, 'a b c');
  await engine.until('it failed', () => engine.ends.length === 3);
  await change(engine, { batch: null });
  await engine.until('each went', () => receiver.requests.length === 4);
  const types = receiver.requests.slice(1).map(({ headers }) => headers['content-type']);
  assert.deepEqual(new Set(types), new Set(['application/cloudevents+json; charset=utf-8']));
  assert.deepEqual(
    receiver.requests.slice(1).map(webhookId).toSorted(),
    (await deliveriesOf(engine)).map((one) => deliveryId(engine.hook.token, one)).toSorted(),
  );
});
