// What a webhook may ask for in its policy, with the whole engine, its store and an endpoint: order, rate, recovery.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startReceiver, type Behaviour, type Received, type TestReceiver } from '../../test/kit/receiver.ts';
import type { Order } from '../src/model/order.ts';
import { startEngine, type EngineGround } from './engine-ground.ts';
import { mustPublish, newEvent, NOON } from './store-furniture.ts';

async function endpoint(t: TestContext, behaviour: Behaviour = () => ({})): Promise<TestReceiver> {
  const receiver = await startReceiver(behaviour);
  t.after(() => receiver.stop());
  return receiver;
}

function fifo(key: string | null, onFailure: 'block' | 'skip' | 'park', tries: number | null = null): Order {
  return { kind: 'fifo', key, onFailure, tries };
}

interface Data {
  n: number;
  k: string;
}

function dataOf({ body }: Received): Data {
  return (JSON.parse(body.toString()) as { data: Data }).data;
}

/** Publishes events 0, 1, 2… of these keys, in one commit each or all in one. */
async function publish({ store, workspace, clock }: EngineGround, keys: readonly (string | null)[]): Promise<void> {
  const events = keys.map((k, n) => newEvent(`e${++ids}`, withData(k === null ? { n } : { n, k })));
  await mustPublish({ store, workspace }, events, clock.now());
}
let ids = 0;

function withData(data: object): Parameters<typeof newEvent>[1] {
  const envelope = new TextEncoder().encode(
    JSON.stringify({ specversion: '1.0', id: `e${ids}`, source: '/tests', type: 'com.example.made', data }),
  );
  return { data, envelope };
}

async function change(
  { store, workspace }: EngineGround,
  target: number,
  patch: Parameters<EngineGround['store']['settings']['updateWebhook']>[0]['patch'],
): Promise<void> {
  const { revision } = (await store.settings.webhook(workspace, target))!;
  await store.settings.updateWebhook({ workspace, target, revision, patch, reason: 'by hand', now: NOON });
}

/** In which order the events of each key first arrived. */
function firstSeen(receiver: TestReceiver): Map<string, number[]> {
  const seen = new Map<string, number[]>();
  for (const { n, k } of receiver.requests.map(dataOf)) {
    const of = seen.get(k) ?? [];
    if (!of.includes(n)) seen.set(k, [...of, n]);
  }
  return seen;
}

function assertInOrder(receiver: TestReceiver): void {
  for (const [key, numbers] of firstSeen(receiver)) {
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
      `key ${key}`,
    );
  }
}

test('R124 fifo: one at a time, in the order of the events, over failures, a pause and a restart', async (t) => {
  const engine = await startEngine(t, { queuePerWebhook: 20 });
  let under = 0;
  let most = 0;
  const receiver = await endpoint(t, async (_, nth) => {
    most = Math.max(most, ++under);
    await new Promise(setImmediate);
    under--;
    return nth % 4 === 1 ? { status: 500 } : {};
  });
  const { webhook } = await engine.webhook(receiver.url, { order: fifo(null, 'block') });
  await publish(
    engine,
    Array.from({ length: 60 }, () => 'a'),
  );
  await engine.until('some came', () => receiver.requests.length > 10);
  await change(engine, webhook, { intent: 'paused' });
  await engine.pass(100);
  await change(engine, webhook, { intent: 'enabled' });
  await engine.until('more came', () => receiver.requests.length > 25);
  await engine.restart();
  await engine.until('all came', () => firstSeen(receiver).get('a')?.length === 60);
  assertInOrder(receiver);
  assert.equal(most, 1);
});

test('R124 fifo by key: keys go beside one another, each in order; events that lack the key are one line of their own', async (t) => {
  const engine = await startEngine(t);
  const under = new Map<string, number>();
  const receiver = await endpoint(t, async (request, nth) => {
    const { k } = dataOf(request);
    under.set(k, (under.get(k) ?? 0) + 1);
    assert.equal(under.get(k), 1, `two of ${k} at once`);
    await new Promise(setImmediate);
    under.set(k, 0);
    return nth % 5 === 2 ? { status: 503 } : {};
  });
  await engine.webhook(receiver.url, { order: fifo('data/k', 'block') });
  const keys = ['a', 'b', 'c', null];
  await publish(
    engine,
    Array.from({ length: 80 }, (_, n) => keys[n % 4]!),
  );
  await engine.until('all came', () => new Set(receiver.requests.map((r) => dataOf(r).n)).size === 80);
  assertInOrder(receiver);
  assert.equal(firstSeen(receiver).size, 4);
});

test('R124 fifo skip: after its tries the first is a dead letter, and the next one goes', async (t) => {
  const engine = await startEngine(t);
  const receiver = await endpoint(t, (request) => (dataOf(request).n === 1 ? { status: 500 } : {}));
  const { workspace } = await engine.webhook(receiver.url, { order: fifo(null, 'skip', 3) });
  await publish(engine, ['a', 'a', 'a', 'a']);
  await engine.until('all have ended', () => engine.ends.length === 6);
  assert.deepEqual(
    receiver.requests.map((r) => dataOf(r).n),
    [0, 1, 1, 1, 2, 3],
  );
  const dead = await engine.store.log.deliveries({ workspace, state: 'dead', cursor: null, limit: 10 });
  assert.deepEqual(
    dead.rows.map(({ tries }) => tries),
    [3],
  );
});

test('R124 fifo park: a key that failed waits, over a restart too, until a retry by hand; other keys go on', async (t) => {
  const engine = await startEngine(t);
  let isBad = true;
  const receiver = await endpoint(t, (request) => {
    const { n, k } = dataOf(request);
    return isBad && k === 'a' && n === 0 ? { status: 500 } : {};
  });
  const { workspace, webhook } = await engine.webhook(receiver.url, { order: fifo('data/k', 'park', 2) });
  await publish(engine, ['a', 'b', 'a', 'b', 'a', 'b']);
  await engine.until('b is through, a is parked', () => receiver.requests.length === 5);
  await engine.restart();
  await publish(engine, ['b']);
  await engine.until('b goes on', () => receiver.requests.length === 6);
  await engine.pass(60_000);
  assert.equal(receiver.requests.length, 6);
  isBad = false;
  const parked = engine.ends.find(({ attempt }) => attempt.error !== null)!.delivery;
  const kinds: string[] = [];
  const inTurn = engine.delivering.retry({ workspace, event: parked.event + 2, target: webhook, copy: 0 });
  void inTurn.then(({ kind }) => kinds.push(kind));
  await engine.until('it has to wait for its turn', () => kinds.length === 1);
  void engine.delivering
    .retry({ workspace, event: parked.event, target: webhook, copy: 0 })
    .then(({ kind }) => kinds.push(kind));
  await engine.until('the rest of a came', () => receiver.requests.length === 9);
  assert.deepEqual(kinds, ['in-turn', 'tried']);
  assert.deepEqual(firstSeen(receiver).get('a'), [0, 2, 4]);
});

test('R124 fifo park: unparked, every line that waits is tried again; another order unparks, too', async (t) => {
  const engine = await startEngine(t);
  const receiver = await endpoint(t, () => ({ status: 500 }));
  const place = await engine.webhook(receiver.url, { order: fifo('data/k', 'park', 1) });
  await publish(engine, ['a', 'b']);
  // Nothing has succeeded since: the webhook is critical, and its endpoint has to prove itself again.
  await engine.until('both were tried', () => receiver.requests.length === 2);
  receiver.behave({});
  await engine.pass(100);
  await change(engine, place.webhook, { health: 'active' });
  await engine.pass(60_000);
  assert.equal(receiver.requests.length, 2, 'being active again unparks nothing');
  await publish(engine, ['a']);
  const done = engine.delivering.unpark({ workspace: engine.workspace, target: place.webhook });
  await engine.until('all came', () => receiver.requests.length === 5);
  await done;
  receiver.behave({ status: 500 });
  await publish(engine, ['a']);
  await engine.until('it is parked', () => engine.ends.length === 6);
  await engine.pass(100);
  receiver.behave({});
  await change(engine, place.webhook, { order: { kind: 'any' }, health: 'active' });
  await engine.until('it came', () => receiver.requests.length === 7);
});

test('R124 a webhook turned fifo while its deliveries are under way: from then on in order', async (t) => {
  const engine = await startEngine(t);
  const held: (() => void)[] = [];
  const receiver = await endpoint(t, async (_, nth) => {
    if (nth < 8) await new Promise<void>((go) => held.push(go));
    return {};
  });
  const { webhook } = await engine.webhook(receiver.url);
  await publish(
    engine,
    Array.from({ length: 20 }, () => 'a'),
  );
  await engine.until('eight are under way', () => held.length === 8);
  await change(engine, webhook, { order: fifo(null, 'block') });
  await engine.pass(200);
  assert.equal(receiver.requests.length, 8, 'nothing goes before the former ones have come back');
  for (const go of held) go();
  await engine.until('all came', () => receiver.requests.length === 20);
  const after = receiver.requests.slice(8).map((r) => dataOf(r).n);
  assert.deepEqual(
    after,
    after.toSorted((a, b) => a - b),
  );
});

test('R124 rate: the lower of the webhook’s own and what its endpoint allowed; fine paces are kept on average', async (t) => {
  const engine = await startEngine(t);
  const receiver = await endpoint(t);
  const { webhook } = await engine.webhook(receiver.url, { rate: 60 });
  await change(engine, webhook, { allowedRate: 600 });
  await publish(engine, ['a', 'a', 'a']);
  await engine.until('all is sent', () => engine.ends.length === 3);
  const gaps = (): number[] => {
    const at = engine.ends.map(({ attempt }) => attempt.startedAt);
    return at.slice(1).map((one, i) => one - at[i]!);
  };
  assert.ok(
    gaps().every((gap) => gap >= 1000 && gap < 1200),
    `${gaps()}`,
  );
  await change(engine, webhook, { rate: 30_000, allowedRate: null });
  await engine.pass(2000);
  engine.ends.length = 0;
  await publish(
    engine,
    Array.from({ length: 500 }, () => 'a'),
  );
  await engine.until('all is sent', () => engine.ends.length === 500);
  const spanMs = gaps().reduce((sum, gap) => sum + gap, 0);
  assert.ok(spanMs >= 950, `500 deliveries at 500 a second took ${spanMs} ms`);
});

test('R124 what was held comes back at a rising pace; fresh events do not wait behind it when fresh-first', async (t) => {
  const engine = await startEngine(t, { queuePerWebhook: 50 });
  const receiver = await endpoint(t);
  const { webhook } = await engine.webhook(receiver.url, { recovery: 'fresh-first' });
  await change(engine, webhook, { intent: 'paused' });
  await publish(
    engine,
    Array.from({ length: 300 }, () => 'held'),
  );
  await engine.pass(100);
  await change(engine, webhook, { intent: 'enabled' });
  const from = engine.clock.now();
  await engine.until('it has begun', () => receiver.requests.length >= 8);
  await publish(engine, ['fresh', 'fresh', 'fresh']);
  await engine.until('the fresh ones came', () => firstSeen(receiver).get('fresh')?.length === 3);
  assert.ok(engine.clock.now() - from < 2000, `after ${engine.clock.now() - from} ms`);
  assert.ok(receiver.requests.length < 150, `${receiver.requests.length} had come before`);
  await engine.until('the rest came', () => receiver.requests.length === 303);
  const bySecond = Object.values(
    Object.groupBy(engine.ends, ({ attempt }) => Math.floor((attempt.startedAt - from) / 1000)),
  );
  assert.ok(bySecond.length >= 3, 'not all at once');
  assert.ok(bySecond[0]!.length < bySecond[1]!.length, 'faster and faster');
});
