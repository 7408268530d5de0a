// Fairness: whatever hangs, in this workspace or in another, every delivery of a healthy webhook arrives promptly.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { DeliveringOptions } from '../src/engine/index.ts';
import { startReceiver, type TestReceiver } from '../../test/kit/receiver.ts';
import { startEngine, type EngineGround } from './engine-ground.ts';
import { addWorkspace, mustPublish, newWebhook, someEvents, subscribe } from './store-furniture.ts';

/** Real time, as the transport's is. */
const TIMEOUT_MS = 1500;
/** Between two events: 20 a second. */
const GAP_MS = 50;

/** A healthy webhook beside many that hang. */
interface Scene {
  engine: EngineGround;
  healthy: TestReceiver;
  /** Events that the healthy one should have got. */
  published: number;
  mostSockets: number;
  /** Publishes one event to all of them, waits until the healthy one has it, and then for the next one's time. */
  round(): Promise<void>;
}

async function begin(
  t: TestContext,
  hanging: number,
  { same, ...over }: Partial<DeliveringOptions> & { same: boolean },
): Promise<Scene> {
  const engine = await startEngine(t, over);
  const [healthy, silent] = [await startReceiver(), await startReceiver({ mood: 'hang' })];
  t.after(() => Promise.all([healthy.stop(), silent.stop()]));
  const { store } = engine;
  const other = same ? engine.workspace : await addWorkspace(store, 'noisy');
  // A machine that is busy elsewhere must not make it look as if it hung, too.
  await engine.webhook(healthy.url, { timeoutMs: 30_000 });
  await engine.publish();
  await engine.until('it is known to answer', () => engine.ends.length === 1);
  for (let i = 0; i < hanging; i++) {
    const webhook = await store.settings.createWebhook(newWebhook(other, `h${i}`, { url: silent.url }));
    await subscribe(store, webhook, { type: 'com.example.*' });
  }
  const scene: Scene = {
    engine,
    healthy,
    published: 1,
    mostSockets: 0,
    async round() {
      const at = performance.now();
      const name = scene.published++;
      if (!same) await mustPublish({ store, workspace: other }, someEvents(1, `n${name}-`), engine.clock.now());
      await mustPublish(engine, someEvents(1, `s${name}-`), engine.clock.now());
      await engine.until('the healthy one got it', () => healthy.requests.length >= scene.published);
      const { transport } = engine.delivering.stats();
      scene.mostSockets = Math.max(scene.mostSockets, transport.inFlight + transport.idle);
      while (performance.now() - at < GAP_MS) await engine.clock.advance(1);
    },
  };
  return scene;
}

/** A steady stream for two time-outs and a half; resolves how long the healthy one waited at most. */
async function stream(scene: Scene): Promise<number> {
  let slowest = 0;
  for (const until = performance.now() + 2.5 * TIMEOUT_MS; performance.now() < until;) {
    const at = performance.now();
    await scene.round();
    slowest = Math.max(slowest, performance.now() - at);
  }
  return slowest;
}

for (const same of [false, true]) {
  const where = same ? 'the same workspace' : 'another workspace';
  test(`R53 50 that hang in ${where}: the healthy one gets everything promptly, sockets and memory are bounded`, async (t) => {
    const scene = await begin(t, 50, { same, concurrency: 512, timeoutMs: TIMEOUT_MS, queuePerWebhook: 100 });
    const slowest = await stream(scene);
    const stats = scene.engine.delivering.stats();
    assert.ok(slowest < TIMEOUT_MS, `${slowest} ms`);
    assert.ok(scene.mostSockets <= 512, `${scene.mostSockets} sockets`);
    assert.ok(stats.underWay <= 60, `${stats.underWay} under way: what hangs has one place each`);
    assert.ok(stats.ready <= 51 * 100, `${stats.ready} in memory`);
  });
}

test('R53 300 that hang in the same workspace, more than it has places: the healthy one gets everything promptly', async (t) => {
  const scene = await begin(t, 300, { same: true, concurrency: 512, timeoutMs: TIMEOUT_MS, queuePerWebhook: 100 });
  const slowest = await stream(scene);
  assert.ok(slowest < TIMEOUT_MS, `${slowest} ms`);
  assert.ok(scene.mostSockets <= 512, `${scene.mostSockets} sockets`);
});

for (const same of [false, true]) {
  const where = same ? 'the same workspace' : 'another workspace';
  test(`R53 1,000 that hang in ${where} until their time-out: every delivery of the healthy one arrives, each of them is tried`, async (t) => {
    const plan = { delaysMs: [3_600_000], jitter: 0 };
    const scene = await begin(t, 1000, { same, concurrency: 512, timeoutMs: 500, queuePerWebhook: 5, plan });
    const { engine, healthy } = scene;
    const timedOut = (): number => {
      const failed = engine.ends.filter(({ attempt }) => attempt.error !== null);
      return new Set(failed.map(({ delivery }) => delivery.target)).size;
    };
    while (timedOut() < 1000) {
      await scene.round();
      const { ready } = engine.delivering.stats();
      assert.ok(ready <= 1001 * 5, `${ready} in memory`);
    }
    assert.ok(scene.published > 20, 'they hung for a while');
    assert.equal(new Set(healthy.requests.map(({ headers }) => headers['webhook-id'])).size, scene.published);
    assert.equal(healthy.requests.length, scene.published);
    assert.ok(scene.mostSockets <= 512, `${scene.mostSockets} sockets`);
    assert.deepEqual(engine.errors, []);
  });
}
