// The engine where it is alone with its store, its clock and an endpoint: what must hold when things cross.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startReceiver, type TestReceiver } from '../../test/kit/receiver.ts';
import type { SettleBatch, Store } from '../src/store/index.ts';
import { startEngine, type EngineGround } from './engine-ground.ts';
import { NOON } from './store-furniture.ts';

async function endpoint(t: TestContext, behaviour: Parameters<typeof startReceiver>[0] = {}): Promise<TestReceiver> {
  const receiver = await startReceiver(behaviour);
  t.after(() => receiver.stop());
  return receiver;
}

/** A store whose settling can be kept waiting, or made to fail. */
function gated(): { around(store: Store): Store; gate: Gate } {
  const gate: Gate = { closed: null, fails: null, batches: [] };
  return {
    gate,
    around: (store) => {
      const { settle } = store.log;
      store.log.settle = async (batch) => {
        gate.batches.push(batch);
        await gate.closed;
        if (gate.fails) throw gate.fails;
        return settle(batch);
      };
      return store;
    },
  };
}

interface Gate {
  closed: Promise<void> | null;
  fails: Error | null;
  batches: SettleBatch[];
}

async function patch(
  { store, workspace }: EngineGround,
  target: number,
  change: Parameters<Store['settings']['updateWebhook']>[0]['patch'],
): Promise<void> {
  const { revision } = (await store.settings.webhook(workspace, target))!;
  await store.settings.updateWebhook({ workspace, target, revision, patch: change, reason: 'by hand', now: NOON });
}

async function delivered({ store, workspace }: EngineGround, count: number): Promise<boolean> {
  const page = await store.log.deliveries({ workspace, state: 'delivered', cursor: null, limit: 1000 });
  return page.rows.length === count;
}

test('R124 what a person does to a webhook holds, also while a judgement of its health is on its way to the store', async (t) => {
  const { around, gate } = gated();
  const engine = await startEngine(t, {}, around);
  const receiver = await endpoint(t, { status: 500 });
  const { webhook } = await engine.webhook(receiver.url);
  const opened = Promise.withResolvers<void>();
  gate.closed = opened.promise;
  await engine.publish();
  await receiver.received(1);
  await engine.until('the warning waits to be written', () => gate.batches.length === 1);
  await patch(engine, webhook, { intent: 'paused' });
  opened.resolve();
  gate.closed = null;
  await engine.until('it is settled', () => engine.ends.length === 1);
  await engine.publish(3);
  await engine.clock.advance(60_000);
  assert.equal(receiver.requests.length, 1, 'nothing is sent to a paused webhook');
  receiver.behave({});
  await patch(engine, webhook, { intent: 'enabled' });
  await engine.until('all is delivered', () => delivered(engine, 4));
});

test('R124 a changed URL counts from the next send on', async (t) => {
  const engine = await startEngine(t);
  const [former, present] = [await endpoint(t), await endpoint(t)];
  const { webhook } = await engine.webhook(former.url);
  await engine.publish();
  await former.received(1);
  await patch(engine, webhook, { url: present.url });
  await engine.publish();
  await present.received(1);
  assert.equal(former.requests.length, 1);
});

test('R53 an engine that waits for its store goes on when the store does', async (t) => {
  const { around, gate } = gated();
  const engine = await startEngine(
    t,
    { window: { min: 1, start: 256, max: 256 }, concurrency: 512, queuePerWebhook: 9000 },
    around,
  );
  const receiver = await endpoint(t);
  await engine.webhook(receiver.url);
  const opened = Promise.withResolvers<void>();
  gate.closed = opened.promise;
  for (let i = 0; i < 5; i++) await engine.publish(1000);
  await engine.until('it waits', () => {
    const { unsettled, underWay } = engine.delivering.stats();
    return unsettled >= 4096 && underWay === 0;
  });
  assert.ok(receiver.requests.length < 5000);
  opened.resolve();
  await engine.until('the rest is sent', () => receiver.requests.length === 5000);
});

test('R124 WebHook-Allowed-Rate is obeyed: 60 a minute are one a second', async (t) => {
  const engine = await startEngine(t);
  const receiver = await endpoint(t);
  const { webhook } = await engine.webhook(receiver.url);
  await patch(engine, webhook, { allowedRate: 60 });
  await engine.publish(3);
  await engine.until('all is sent', () => engine.ends.length === 3);
  assert.equal(receiver.requests.length, 3);
  const at = engine.ends.map(({ attempt }) => attempt.startedAt);
  assert.ok(at[1]! - at[0]! >= 1000 && at[2]! - at[1]! >= 1000, `${at}`);
});

test('R124 Retry-After holds back everything for the target, and ends also when its timer rings early', async (t) => {
  // As the machine's timers do: up to a millisecond before the wall clock says so.
  const engine = await startEngine(t);
  const { after } = engine.clock;
  engine.clock.after = (ms, run) => after(ms > 1 ? ms - 1 : ms, run);
  const receiver = await endpoint(t, (_, nth) => (nth === 0 ? { status: 503, headers: { 'retry-after': '30' } } : {}));
  await engine.webhook(receiver.url);
  await engine.publish();
  await engine.until('it was refused', () => engine.ends.length === 1);
  await engine.publish(2);
  await engine.clock.advance(29_000);
  assert.equal(receiver.requests.length, 1);
  await engine.until('all is delivered', () => delivered(engine, 3));
  const [, ...later] = engine.ends.map(({ attempt }) => attempt.startedAt);
  for (const startedAt of later) {
    const waitedMs = startedAt - engine.ends[0]!.attempt.startedAt;
    assert.ok(waitedMs >= 30_000 && waitedMs < 45_000, `${waitedMs} ms`);
  }
});

test('R124 a retry by hand that meets a failing store leaves the delivery to the automatic chain', async (t) => {
  const engine = await startEngine(t);
  const receiver = await endpoint(t, (_, nth) => (nth === 0 ? { status: 500 } : {}));
  const { workspace, webhook } = await engine.webhook(receiver.url);
  await engine.publish();
  await engine.until('its first try failed', () => engine.ends.length === 1);
  const { delivery } = engine.ends[0]!;
  const { pending } = engine.store.log;
  engine.store.log.pending = () => Promise.reject(new Error('no answer'));
  const key = { workspace, event: delivery.event, target: webhook, copy: 0 };
  await assert.rejects(engine.delivering.retry(key), /no answer/);
  engine.store.log.pending = pending;
  await engine.until('its retry came', () => delivered(engine, 1));
});

test('R124 a row that was damaged fails by itself; the others are delivered', async (t) => {
  const engine = await startEngine(t);
  const receiver = await endpoint(t);
  const { webhook } = await engine.webhook(receiver.url, { format: 'binary', retryDelaysMs: [] });
  await patch(engine, webhook, { intent: 'paused' });
  await engine.publish(3);
  await engine.ground.query('UPDATE events SET envelope = $1 WHERE event = (SELECT MIN(event) FROM events)', [
    new Uint8Array([1]),
  ]);
  await patch(engine, webhook, { intent: 'enabled' });
  await engine.until('three have ended', () => engine.ends.length === 3);
  const bad = engine.ends.find(({ state }) => state === 'dead');
  assert.match(bad?.attempt.error ?? '', /the request could not be made/);
  assert.equal(receiver.requests.length, 2);
});

test('R124 after a lease that ran out, what waited is sent once it is held again, without a new event', async (t) => {
  const engine = await startEngine(t);
  const receiver = await endpoint(t);
  await engine.webhook(receiver.url);
  await engine.publish();
  await receiver.received(1);
  const { take } = engine.store.lanes;
  engine.store.lanes.take = () => Promise.reject(new Error('the store is away'));
  await engine.clock.advance(20_000);
  await engine.publish(2);
  await engine.clock.advance(5000);
  assert.equal(receiver.requests.length, 1, 'a node without its lease sends nothing');
  engine.store.lanes.take = take;
  const from = engine.clock.now();
  // How long the requests take is the network's business, whose clock is another one.
  await engine.until('the rest is sent', () => engine.delivering.stats().underWay > 0 || engine.ends.length > 1);
  assert.ok(engine.clock.now() - from < 15_000, 'at the next heartbeat, not at the next sweep');
  await engine.until('the rest came', () => receiver.requests.length === 3);
});

test('R124 a stop writes down what it cut off, gives up on a store that does not answer, and leaves no timer', async (t) => {
  const { around, gate } = gated();
  const engine = await startEngine(t, {}, around);
  const [hanging, refusing] = [await endpoint(t, { mood: 'hang' }), await endpoint(t, { status: 500 })];
  await engine.webhook(hanging.url);
  await engine.webhook(refusing.url);
  await engine.publish(4);
  await Promise.all([hanging.received(4), refusing.received(4)]);
  await engine.until('retries are planned', () => engine.ends.length === 4);
  gate.fails = new Error('the store is away');
  let isStopped = false;
  void engine.delivering.stop(1000).then(() => (isStopped = true));
  await engine.clock.advance(1000);
  await engine.until('it has stopped', () => isStopped);
  assert.ok(engine.errors.includes(gate.fails));
  assert.equal(engine.clock.pending(), 0);
});

test('R53 thousands of deliveries to webhooks not known yet cost one reading each', async (t) => {
  let reads = 0;
  // As after a start: nobody has told the engine of the webhook when it was made.
  const engine = await startEngine(t, {}, (store) => {
    const { target } = store.settings;
    store.settings.target = (key) => {
      reads++;
      return target(key);
    };
    return { ...store, on: ({ deliveries }) => store.on({ deliveries }) };
  });
  const receiver = await endpoint(t);
  await engine.webhook(receiver.url);
  await engine.publish(500);
  await engine.until('all came', () => receiver.requests.length === 500);
  assert.ok(reads <= 2, `${reads} readings`);
});

test('R124 in a warning the webhook says why its deliveries fail now, not why they first did', async (t) => {
  const engine = await startEngine(t);
  const receiver = await endpoint(t, (_request, nth) => ({ status: nth === 0 ? 500 : 403 }));
  const { workspace, webhook } = await engine.webhook(receiver.url);
  await engine.publish();
  const reason = async (): Promise<string> => (await engine.store.settings.webhook(workspace, webhook))!.reason;
  await engine.until('it says so', async () => /answered 500/.test(await reason()));
  await engine.until('it says anew', async () => /answered 403/.test(await reason()));
});
