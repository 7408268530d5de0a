// The life of an event on the whole platform: registered, challenged, subscribed, published, delivered, verified, held.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, startHandler } from './kit/handler.ts';
import { STRUCTURED } from '../server/test/api-ground.ts';
import { AUDIT, auditEvent, startLife } from './kit/life.ts';
import { startReceiver } from './kit/receiver.ts';

const SECRET = 's3cr3tKey';

test('R50 R52 R61 R91 R110 R111 R125 register, challenge, subscribe, publish: the signed delivery is verified', async (t) => {
  const life = await startLife(t);
  const handler = await startHandler(t, { secret: SECRET, require: 'hpe' });
  const made = await life.expect(201, 'POST /v1/webhooks', {
    body: { name: 'audit', url: handler.url, secret: SECRET },
  });
  assert.equal(made['state'], 'pending');
  const webhook = made['id'] as string;
  assert.equal((await life.state(webhook, 'active'))['reason'], 'the challenge was answered rightly');
  await life.subscribe(webhook);
  const sent = auditEvent({ id: 'a1', time: '2024-12-20T12:34:53.161Z', subject: 'somebody' });
  const before = Date.now();
  await life.publish(sent);
  await eventually('it arrived', () => handler.handled.length === 1);
  assert.ok(Date.now() - before < 5000);
  const [{ event, delivery } = assert.fail()] = handler.handled;
  assert.deepEqual({ ...event, data: event.data }, { ...event, ...sent });
  assert.deepEqual(delivery.schemes, ['hpe']);
  const [settled] = await life.settled(webhook, 'delivered');
  assert.equal(settled!['id'], delivery.headers.get('webhook-id'));
  assert.equal(settled!['tries'], 1);
  assert.deepEqual(handler.answers, [200, 200]);
});

test('API: the trace of a publish goes out with its deliveries, once; without one there is none', async (t) => {
  const life = await startLife(t);
  const endpoint = await startReceiver();
  t.after(() => endpoint.stop());
  await life.webhook({ url: endpoint.url, verification: 'none' });
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await life.expect(202, 'POST /v1/events', { body: auditEvent(), headers: { ...STRUCTURED, traceparent } });
  await life.publish();
  const sent = (await endpoint.received(2)).map(({ rawHeaders }) =>
    rawHeaders.filter((_, at) => rawHeaders[at - 1]?.toLowerCase() === 'traceparent'),
  );
  assert.deepEqual(
    sent.sort((a, b) => a.length - b.length),
    [[], [traceparent]],
  );
});

test('R51 R118 only subscribed types are sent, and only what is published after the subscription', async (t) => {
  const life = await startLife(t);
  const handler = await startHandler(t, { secret: SECRET });
  const { id } = await life.expect(201, 'POST /v1/webhooks', { body: { name: 'x', url: handler.url, secret: SECRET } });
  await life.state(id as string, 'active');
  await life.publish({ id: 'before' });
  await life.subscribe(id as string);
  const type = 'com.hpe.greenlake.subscriptions.v1.expiring-subscriptions';
  await life.publish({ id: 'other', type, data: { id: 'x', expires_at: 1 } });
  await life.publish({ id: 'after' });
  await life.settled(id as string, 'delivered');
  assert.deepEqual(
    handler.handled.map(({ event }) => event.id),
    ['after'],
  );
  assert.equal((await life.deliveries(id as string)).length, 1);
});

test('R51 R110 R112 R124 thousands are held while pending, critical, paused or disabled, and released in full', async (t) => {
  const life = await startLife(t, { challenge: { interval: '1h' } });
  const handler = await startHandler(t, { secret: 'another' });
  const webhook = await life.webhook({ url: handler.url, secret: SECRET }, null);
  const expected: string[] = [];
  const hold = async (state: string): Promise<void> => {
    await life.state(webhook, state);
    expected.push(...(await life.publishMany(700)));
    const [held] = await life.deliveries(webhook, 'held');
    assert.ok(held, state);
    assert.deepEqual(await life.deliveries(webhook, 'scheduled'), []);
  };
  const come = async (): Promise<void> => {
    await eventually(`all ${expected.length} came`, () => handler.handled.length >= expected.length, 30_000);
    assert.deepEqual(new Set(handler.handled.map(({ event }) => event.id)), new Set(expected));
  };
  await hold('pending');
  for (let i = 0; i < 2; i++) await life.expect(200, `POST /v1/webhooks/${webhook}/test`);
  await hold('critical');
  assert.equal(handler.handled.length, 0, 'nothing but challenges is sent to an endpoint that has not proved itself');
  handler.become({ secret: SECRET });
  await life.expect(200, `POST /v1/webhooks/${webhook}/test`);
  await life.state(webhook, 'active');
  await come();
  await life.expect(200, `POST /v1/webhooks/${webhook}/pause`);
  await hold('paused');
  await life.expect(200, `POST /v1/webhooks/${webhook}/resume`);
  await come();
  await life.expect(200, `POST /v1/webhooks/${webhook}/disable`);
  await hold('disabled');
  await life.expect(200, `POST /v1/webhooks/${webhook}/enable`);
  await life.state(webhook, 'active');
  await come();
  assert.equal(
    new Set(handler.handled.map(({ delivery }) => delivery.headers.get('webhook-id'))).size,
    expected.length,
  );
});

test('R118 two subscriptions of one webhook that match the same event make one delivery', async (t) => {
  const life = await startLife(t);
  const handler = await startHandler(t, { secret: SECRET });
  const webhook = await life.webhook({ url: handler.url, secret: SECRET });
  await life.subscribe(webhook, 'com.hpe.*');
  await life.subscribe(webhook, 'com.hpe.greenlake.*', "category eq 'user_management'");
  await life.publish();
  await life.publish();
  await life.settled(webhook, 'delivered', 2);
  assert.equal(handler.handled.length, 2);
});

test('R53 a subscriber that hangs delays neither publisher nor other subscribers', async (t) => {
  const life = await startLife(t);
  const hanging = await startReceiver({ mood: 'hang' });
  t.after(() => hanging.stop());
  const handler = await startHandler(t, { secret: SECRET });
  await life.webhook({ url: hanging.url, verification: 'none' });
  const webhook = await life.webhook({ url: handler.url, secret: SECRET });
  for (let i = 0; i < 5; i++) await life.publish();
  await life.settled(webhook, 'delivered', 5);
  assert.equal(hanging.requests.length, 5);
});

test('R48 R125 the binary content mode: the attributes as headers, the data as the body', async (t) => {
  const life = await startLife(t);
  const endpoint = await startReceiver();
  t.after(() => endpoint.stop());
  const webhook = await life.webhook({ url: endpoint.url, verification: 'none', format: 'binary', secret: SECRET });
  const event = auditEvent({ id: 'ünïcödé', subject: 'a b' });
  await life.publish(event);
  await life.settled(webhook, 'delivered');
  const [{ headers, body } = assert.fail()] = endpoint.requests;
  assert.deepEqual(
    [headers['ce-specversion'], headers['ce-type'], headers['ce-id'], headers['ce-subject'], headers['content-type']],
    ['1.0', AUDIT, '%C3%BCn%C3%AFc%C3%B6d%C3%A9', 'a%20b', 'application/json'],
  );
  assert.deepEqual(JSON.parse(body.toString()), event['data']);
});
