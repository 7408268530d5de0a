// What memory has of the store: nothing that is due is forgotten, nothing is kept for ever, changes by others are seen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReceiver } from '../../test/kit/receiver.ts';
import type { Store } from '../src/store/index.ts';
import { startEngine } from './engine-ground.ts';
import { NOON } from './store-furniture.ts';

/** The store as another node's doing would leave it: changed, and nobody was told. */
function silent(store: Store): Store {
  return { ...store, on: () => undefined };
}

test('R53 with more targets than are kept, what is due after a start is sent for each of them', async (t) => {
  const engine = await startEngine(t, { queuesKept: 1 }, silent);
  const receiver = await startReceiver();
  t.after(() => receiver.stop());
  for (let i = 0; i < 4; i++) await engine.webhook(receiver.url);
  await engine.publish();
  await engine.until('the sweep has found all of them', () => receiver.requests.length === 4);
});

test('R124 a target that fails and asks for patience, over and over, plans one wake-up of each kind', async (t) => {
  let dice = 1;
  const engine = await startEngine(t, { dice: () => (dice -= 0.001), plan: { delaysMs: [60_000], jitter: 0.5 } });
  // Each retry is due a little before the one planned last, and each answer asks for a little more patience.
  const receiver = await startReceiver((_, nth) =>
    nth % 2 === 0 ? { status: 500 } : { status: 429, headers: { 'retry-after': String(1 + Math.floor(nth / 10)) } },
  );
  t.after(() => receiver.stop());
  await engine.webhook(receiver.url);
  await engine.publish(100);
  await engine.until('some have failed', () => engine.ends.length >= 15);
  const before = engine.clock.pending();
  await engine.until('many have failed', () => engine.ends.length >= 75);
  assert.ok(engine.clock.pending() - before <= 5, `${engine.clock.pending() - before} wake-ups more`);
});

test('R124 a webhook that was changed elsewhere is noticed by the sweep', async (t) => {
  const engine = await startEngine(t, {}, silent);
  const [former, present] = [await startReceiver(), await startReceiver()];
  t.after(() => Promise.all([former.stop(), present.stop()]));
  const { workspace, webhook } = await engine.webhook(former.url);
  await engine.publish();
  await engine.until('the first came', () => former.requests.length === 1);
  const { revision } = (await engine.store.settings.webhook(workspace, webhook))!;
  const patch = { url: present.url };
  await engine.store.settings.updateWebhook({ workspace, target: webhook, revision, patch, reason: null, now: NOON });
  await engine.clock.advance(31_000);
  await engine.publish();
  await engine.until('the second came', () => present.requests.length === 1);
  assert.equal(former.requests.length, 1);
});
