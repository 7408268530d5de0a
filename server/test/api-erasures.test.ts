// Erasures over HTTP: begun, watched, and how what is left of an event shows itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditEvent, startApi, STRUCTURED } from './api-ground.ts';

test('API: a subject is erased; its events say so, and neither their bytes nor their deliveries can be had', async (t) => {
  const api = await startApi(t);
  const { store } = api.platform;
  await api.expect(201, 'POST /v1/webhooks', { body: { name: 'w', url: 'http://127.0.0.1:8009/hook' } });
  await api.expect(201, 'POST /v1/subscriptions', { body: { webhook: await firstWebhook(api), type: 'com.hpe.*' } });
  const event: Record<string, unknown> = { ...auditEvent(), subject: 'jane.doe' };
  const published = await api.expect(202, 'POST /v1/events', { body: event, headers: STRUCTURED });
  const [{ event: id }] = published['accepted'] as [{ event: string }];
  assert.equal((await api.expect(200, `GET /v1/events/${id}`))['erasedAt'], null);
  const begun = await api.expect(202, 'POST /v1/erasures', { body: { subject: 'jane.doe' } });
  assert.equal(begun['state'], 'running');
  assert.ok(!JSON.stringify(begun).includes('jane'), 'the subject is not shown');
  // Later than any clock of the platform: nothing waits.
  const later = Date.now() + 3_600_000;
  for (const at of [later, later + 60_000]) while (await store.erasures.advance(at));
  const done = await api.expect(200, `GET /v1/erasures/${String(begun['id'])}`);
  assert.deepEqual([done['state'], done['erased'], done['progress']], ['done', 1, 1]);
  assert.deepEqual((await api.expect(200, 'GET /v1/erasures'))['items'], [done]);
  const shown = await api.expect(200, `GET /v1/events/${id}`);
  assert.match(String(shown['erasedAt']), /^2/);
  assert.deepEqual(shown['envelope'], {
    specversion: '1.0',
    id: event['id'],
    source: event['source'],
    type: event['type'],
  });
  const bytes = await api.ask(`GET /v1/events/${id}`, { headers: { accept: 'application/cloudevents+json' } });
  assert.deepEqual([bytes.status, bytes.json['code']], [410, 'erased']);
  assert.match(String(bytes.json['detail']), /^The payload of this event was erased at 2/);
  const list = await api.expect(200, `GET /v1/deliveries?event=${id}`);
  const [delivery] = list['items'] as [{ id: string; state: string; reason: string }];
  assert.deepEqual([delivery.state, delivery.reason], ['dead', 'erased']);
  const retried = await api.ask(`POST /v1/deliveries/${delivery.id}/retry`);
  assert.deepEqual([retried.status, retried.json['code']], [410, 'erased']);
  const again = await api.expect(202, 'POST /v1/events', { body: event, headers: STRUCTURED });
  assert.equal((again['accepted'] as [{ duplicate: boolean }])[0].duplicate, true);
});

test('API: erasing asks for a subject, and for a key that may manage', async (t) => {
  const api = await startApi(t);
  for (const body of [{}, { subject: '' }, { subject: 7 }, { subject: 'a', more: 1 }]) {
    assert.equal((await api.ask('POST /v1/erasures', { body })).status, 400);
  }
  const reader = await api.expect(201, 'POST /v1/keys', { body: { name: 'r', scopes: ['read'] } });
  const refused = await api.ask('POST /v1/erasures', { body: { subject: 'a' }, key: String(reader['key']) });
  assert.deepEqual([refused.status, refused.json['code']], [403, 'missing-scope']);
  assert.equal((await api.ask('GET /v1/erasures/ers_0000000000_1')).status, 404);
});

async function firstWebhook(api: Awaited<ReturnType<typeof startApi>>): Promise<string> {
  return ((await api.expect(200, 'GET /v1/webhooks'))['items'] as [{ id: string }])[0].id;
}
