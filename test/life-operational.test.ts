// Operational events in the whole platform: an alarm over HTTP, signed like any delivery; no circle.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AUDIT, startLife } from './kit/life.ts';
import { startHandler } from './kit/handler.ts';
import { startReceiver } from './kit/receiver.ts';

const SECRET = 's3cr3tKey';

test('R124 a webhook that turns critical, and its dead letter, are told to who subscribed, and to nobody in a circle', async (t) => {
  const life = await startLife(t);
  const alarms = await startHandler(t, { secret: SECRET });
  const alarm = await life.webhook({ url: alarms.url, secret: SECRET });
  await life.subscribe(alarm, 'bellwire.*');
  const dying = await startReceiver(() => ({ status: 500 }));
  t.after(() => dying.stop());
  const webhook = await life.webhook({
    url: dying.url,
    secret: SECRET,
    verification: 'none',
    policy: { retryDelaysMs: [] },
  });
  await life.subscribe(webhook, 'bellwire.*');
  await life.publish({ type: AUDIT });
  await life.state(webhook, 'critical');
  const heard = await life.settled(alarm, 'delivered', 4);
  assert.deepEqual(
    heard.map(({ type }) => type).toSorted(undefined),
    [AUDIT, 'bellwire.delivery.dead', 'bellwire.webhook.active', 'bellwire.webhook.critical'].toSorted(undefined),
  );
  const { items } = await life.expect(200, 'GET /v1/events?type=bellwire.*');
  const subjects = (items as { subject?: string }[]).map(({ subject }) => subject);
  assert.ok(subjects.length >= 3, JSON.stringify(items));
  const own = await life.deliveries(webhook);
  assert.deepEqual([...new Set(own.map(({ type }) => type))], [AUDIT], 'nothing of itself goes to itself');
});
