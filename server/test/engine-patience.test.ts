// Retry-After and paces: obeyed before any further request, kept over a release and a restart; a person may still try.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startReceiver, type TestReceiver } from '../../test/kit/receiver.ts';
import { startEngine, type EngineGround } from './engine-ground.ts';
import { NOON } from './store-furniture.ts';

async function refusing(t: TestContext, retryAfter: string): Promise<TestReceiver> {
  const receiver = await startReceiver((_, nth) =>
    nth === 0 ? { status: 429, headers: { 'retry-after': retryAfter } } : {},
  );
  t.after(() => receiver.stop());
  return receiver;
}

async function intend(engine: EngineGround, target: number, intent: 'paused' | 'enabled'): Promise<void> {
  const { settings } = engine.store;
  const { revision } = (await settings.webhook(engine.workspace, target))!;
  const key = { workspace: engine.workspace, target };
  await settings.updateWebhook({ ...key, revision, patch: { intent }, reason: 'by hand', now: NOON });
  await engine.pass(0);
}

test('R124 wire 3: Retry-After holds over a pause and a resume by hand', async (t) => {
  const engine = await startEngine(t);
  const receiver = await refusing(t, '3600');
  const { webhook } = await engine.webhook(receiver.url);
  await engine.publish();
  await engine.until('it was refused', () => engine.ends.length === 1);
  await intend(engine, webhook, 'paused');
  await intend(engine, webhook, 'enabled');
  await engine.pass(60_000);
  assert.equal(receiver.requests.length, 1);
  await engine.clock.advance(3_540_000);
  await engine.until('it was sent', () => receiver.requests.length === 2);
});

test('R124 wire 3: Retry-After holds over a restart', async (t) => {
  const engine = await startEngine(t);
  const receiver = await refusing(t, '3600');
  await engine.webhook(receiver.url);
  await engine.publish();
  await engine.until('it was refused', () => engine.ends.length === 1);
  await engine.restart();
  await engine.publish(3);
  await engine.pass(60_000);
  assert.equal(receiver.requests.length, 1);
  await engine.clock.advance(3_540_000);
  await engine.until('all were sent', () => receiver.requests.length === 5);
});

test('R124 a retry by hand of a delivery that waits in memory, behind Retry-After, is made; it is sent once', async (t) => {
  const engine = await startEngine(t);
  const receiver = await refusing(t, '600');
  const { workspace, webhook } = await engine.webhook(receiver.url);
  await engine.publish();
  await engine.until('it was refused', () => engine.ends.length === 1);
  await engine.publish();
  await engine.until('it waits', () => engine.delivering.stats().ready === 1);
  const event = engine.ends[0]!.delivery.event + 1;
  const result = engine.delivering.retry({ workspace, event, target: webhook, copy: 0 });
  let kind: string | undefined;
  void result.then((came) => (kind = came.kind));
  await engine.until('it has ended', () => kind !== undefined);
  assert.equal(kind, 'tried');
  assert.equal(receiver.requests.length, 2);
  await engine.pass(700_000);
  await engine.until('the other came', () => receiver.requests.length === 3);
  await engine.pass(60_000);
  assert.equal(receiver.requests.length, 3);
});
