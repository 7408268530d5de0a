// A wall clock that is set back by an hour: whatever waits for an instant of it waits no longer than it would have.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startReceiver, type Answer, type TestReceiver } from '../../test/kit/receiver.ts';
import { ClockWatch } from '../src/engine/clock-watch.ts';
import type { Order } from '../src/model/order.ts';
import type { Store } from '../src/store/index.ts';
import { startEngine, type EngineGround } from './engine-ground.ts';
import { mustPublish, someEvents } from './store-furniture.ts';

const HOUR_MS = 3_600_000;
const FIFO: Order = { kind: 'fifo', key: null, onFailure: 'block', tries: null };

/** Fails the first request, in the way it is told, and takes the others. */
async function endpoint(t: TestContext, first: Answer = { status: 500 }): Promise<TestReceiver> {
  const receiver = await startReceiver((_, nth) => (nth === 0 ? first : {}));
  t.after(() => receiver.stop());
  return receiver;
}

function setBack({ clock }: EngineGround): void {
  clock.setWall(clock.now() - HOUR_MS);
}

/** Waits until so many requests have come, and asserts that no more than 15 s have passed until then. */
async function soon(engine: EngineGround, receiver: TestReceiver, count: number): Promise<void> {
  const since = engine.clock.monotonic();
  await engine.until(`${count} requests`, () => receiver.requests.length >= count);
  const tookMs = engine.clock.monotonic() - since;
  assert.ok(tookMs <= 15_000, `it took ${tookMs} ms`);
}

test('R124 a step is said in whole ms, and each has two passes; one that failed is made again', () => {
  let [wall, monotonic] = [5 * HOUR_MS, 0.37];
  const watch = new ClockWatch({ now: () => wall, monotonic: () => monotonic, after: () => assert.fail() });
  [wall, monotonic] = [wall + 1_001, monotonic + 1_000.8];
  assert.deepEqual([watch.setBack(), watch.next()], [0, null]);
  [wall, monotonic] = [wall - HOUR_MS + 1_000, monotonic + 1_000.4];
  assert.equal(watch.setBack(), HOUR_MS);
  const first = watch.next()!;
  assert.deepEqual([first, watch.next()], [{ backMs: HOUR_MS, isLate: false }, null]);
  watch.ended(first, false);
  watch.ended(watch.next()!, true);
  const second = watch.next()!;
  assert.deepEqual(second, { backMs: HOUR_MS, isLate: true });
  watch.ended(second, true);
  assert.equal(watch.next(), null);
});

for (const [what, order] of [
  ['any order', undefined],
  ['first in first out', FIFO],
] as const) {
  test(`R124 a clock set back delays no retry: ${what}`, async (t) => {
    const receiver = await endpoint(t);
    const engine = await startEngine(t);
    await engine.webhook(receiver.url, order ? { order } : {});
    await engine.publish(3);
    await engine.until('the first attempt is written', () => engine.ends.some(({ attempt }) => attempt.status === 500));
    setBack(engine);
    await soon(engine, receiver, 4);
  });
}

test('R124 a retry that was planned before the clock was set back and written after it comes when it should', async (t) => {
  const receiver = await endpoint(t);
  const held = Promise.withResolvers<void>();
  let settles = 0;
  const around = (store: Store): Store => {
    const { settle } = store.log;
    store.log.settle = async (batch) => {
      if (batch.settlements.length > 0 && ++settles === 1) await held.promise;
      return settle(batch);
    };
    return store;
  };
  const engine = await startEngine(t, {}, around);
  await engine.webhook(receiver.url);
  await engine.publish(1);
  await engine.until('the attempt is to be written', () => settles === 1);
  setBack(engine);
  await engine.pass(2_000);
  held.resolve();
  await soon(engine, receiver, 2);
});

test('R124 what was accepted by the old time and committed after the clock was set back is delivered at once', async (t) => {
  const receiver = await endpoint(t, {});
  const engine = await startEngine(t);
  const { store, workspace, clock } = engine;
  await engine.webhook(receiver.url, { order: FIFO });
  await engine.publish(1);
  await soon(engine, receiver, 1);
  const oldNow = clock.now();
  setBack(engine);
  await engine.pass(2_000);
  await mustPublish({ store, workspace }, someEvents(1, 'late-'), oldNow);
  await soon(engine, receiver, 2);
});

test('R124 a clock set back prolongs no pace, and no pause that an endpoint asked for', async (t) => {
  const patient = await endpoint(t, { status: 503, headers: { 'retry-after': '7' } });
  const paced = await endpoint(t, {});
  const engine = await startEngine(t);
  await engine.webhook(patient.url);
  await engine.webhook(paced.url, { rate: 60 });
  await engine.publish(6);
  await engine.until('the pause begins', () => engine.ends.some(({ attempt }) => attempt.status === 503));
  await soon(engine, paced, 2);
  setBack(engine);
  await soon(engine, paced, 6);
  await soon(engine, patient, 7);
});
