// Fairness: whatever hangs, in this workspace or in another, every delivery of a healthy webhook arrives promptly.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startReceiver } from '../../test/kit/receiver.ts';
import { startEngine } from './engine-ground.ts';
import { addWorkspace, mustPublish, newWebhook, someEvents, subscribe } from './store-furniture.ts';

/** Real time, as the transport's is. */
const TIMEOUT_MS = 1500;

/** A healthy webhook beside many that hang, a steady stream to all of them, for two time-outs and a half. */
async function stream(t: TestContext, hanging: number, { places, same }: { places: number; same: boolean }) {
  const engine = await startEngine(t, { concurrency: places, timeoutMs: TIMEOUT_MS, queuePerWebhook: 100 });
  const [healthy, silent] = [await startReceiver(), await startReceiver({ mood: 'hang' })];
  t.after(() => Promise.all([healthy.stop(), silent.stop()]));
  const { store } = engine;
  const other = same ? engine.workspace : await addWorkspace(store, 'noisy');
  await engine.webhook(healthy.url);
  await engine.publish();
  await engine.until('it is known to answer', () => engine.ends.length === 1);
  for (let i = 0; i < hanging; i++) {
    const webhook = await store.settings.createWebhook(newWebhook(other, `h${i}`, { url: silent.url }));
    await subscribe(store, webhook, { type: 'com.example.*' });
  }
  let published = 1;
  let mostSockets = 0;
  let slowest = 0;
  for (const until = performance.now() + 2.5 * TIMEOUT_MS; performance.now() < until;) {
    const at = performance.now();
    if (!same) await mustPublish({ store, workspace: other }, someEvents(1, `n${published}-`), engine.clock.now());
    await mustPublish(engine, someEvents(1, `s${published}-`), engine.clock.now());
    published++;
    await engine.until('the healthy one got it', () => healthy.requests.length >= published);
    slowest = Math.max(slowest, performance.now() - at);
    const { transport } = engine.delivering.stats();
    mostSockets = Math.max(mostSockets, transport.inFlight + transport.idle);
    while (performance.now() - at < 50) await engine.clock.advance(1);
  }
  return { slowest, mostSockets, stats: engine.delivering.stats() };
}

for (const same of [false, true]) {
  const where = same ? 'the same workspace' : 'another workspace';
  test(`R53 50 that hang in ${where}: the healthy one gets everything promptly, sockets and memory are bounded`, async (t) => {
    const { slowest, mostSockets, stats } = await stream(t, 50, { places: 512, same });
    assert.ok(slowest < TIMEOUT_MS, `${slowest} ms`);
    assert.ok(mostSockets <= 512, `${mostSockets} sockets`);
    assert.ok(stats.underWay <= 60, `${stats.underWay} under way: what hangs has one place each`);
    assert.ok(stats.ready <= 51 * 100, `${stats.ready} in memory`);
  });
}

test('R53 300 that hang in the same workspace, more than it has places: the healthy one gets everything promptly', async (t) => {
  const { slowest, mostSockets } = await stream(t, 300, { places: 512, same: true });
  assert.ok(slowest < TIMEOUT_MS, `${slowest} ms`);
  assert.ok(mostSockets <= 512, `${mostSockets} sockets`);
});
