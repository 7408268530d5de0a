// Idempotency-Key: a write that is sent twice acts once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreOutage } from '../src/store/index.ts';
import { AUDIT, auditEvent, startApi, STRUCTURED } from './api-ground.ts';

const body = { name: 'sheet', url: 'http://127.0.0.1:8009/hook' };

test('wire 5: the same key and body get the first answer again, without its secrets; quoted or bare is one key', async (t) => {
  const api = await startApi(t);
  const first = await api.ask('POST /v1/webhooks', { body, headers: { 'idempotency-key': 'abc-1' } });
  assert.equal(first.status, 201);
  assert.equal(first.headers.get('idempotency-replayed'), null);
  const again = await api.ask('POST /v1/webhooks', { body, headers: { 'idempotency-key': '"abc-1"' } });
  assert.equal(again.status, 201);
  assert.equal(again.headers.get('idempotency-replayed'), 'true');
  const { secret, ...rest } = first.json;
  assert.match(String(secret), /^whsec_/);
  assert.deepEqual(again.json, rest);
  assert.equal(((await api.expect(200, 'GET /v1/webhooks'))['items'] as unknown[]).length, 1);
  const key = await api.ask('POST /v1/keys', {
    body: { name: 'k', scopes: ['read'] },
    headers: { 'idempotency-key': 'k' },
  });
  const keyAgain = await api.ask('POST /v1/keys', {
    body: { name: 'k', scopes: ['read'] },
    headers: { 'idempotency-key': 'k' },
  });
  assert.deepEqual(
    [typeof key.json['key'], typeof keyAgain.json['key'], key.json['id']],
    ['string', 'undefined', keyAgain.json['id']],
  );
});

test('wire 5: the same key with another body, or for another request, is 422', async (t) => {
  const api = await startApi(t);
  const headers = { 'idempotency-key': 'once' };
  await api.expect(201, 'POST /v1/webhooks', { body, headers });
  await api.refused('idempotency-mismatch', 'POST /v1/webhooks', { body: { ...body, name: 'other' }, headers });
  await api.refused('idempotency-mismatch', 'POST /v1/subscriptions', {
    body: { webhook: 'wh_0000000000_1', type: 'a' },
    headers,
  });
  const other = await api.expect(201, 'POST /v1/keys', { body: { name: 'k', scopes: ['manage'] } });
  await api.refused('name-taken', 'POST /v1/webhooks', { key: other['key'] as string, body, headers });
});

test('wire 5: in binary mode the event is in the headers: with another one the same key and body are 422', async (t) => {
  const api = await startApi(t);
  const asked = (over: Record<string, string> = {}) => ({
    body: '{"id":"a1","category":"c","description":"d","created_at":1}',
    headers: {
      'idempotency-key': 'binary',
      'ce-specversion': '1.0',
      'ce-id': 'one',
      'ce-source': 's',
      'ce-type': AUDIT,
      'content-type': 'application/json',
      ...over,
    },
  });
  const first = await api.expect(202, 'POST /v1/events', asked());
  assert.deepEqual(await api.expect(202, 'POST /v1/events', asked({ 'user-agent': 'another' })), first);
  const others: Record<string, string>[] = [
    { 'ce-id': 'two' },
    { 'ce-subject': 'x' },
    { 'content-type': 'application/xml' },
  ];
  for (const other of others) await api.refused('idempotency-mismatch', 'POST /v1/events', asked(other));
});

test('wire 5: while the first is running the second is 409; a refused request may be sent again', async (t) => {
  const api = await startApi(t);
  const headers = { 'idempotency-key': 'race', ...STRUCTURED };
  const event = auditEvent({ id: 'race' });
  const both = await Promise.all([1, 2, 3, 4].map(() => api.ask('POST /v1/events', { body: event, headers })));
  const accepted = both.filter(({ status }) => status === 202);
  assert.ok(accepted.length >= 1);
  for (const { json } of accepted) assert.equal((json['accepted'] as { duplicate: boolean }[])[0]!.duplicate, false);
  for (const { status, json } of both)
    if (status !== 202) assert.deepEqual([status, json['code']], [409, 'idempotency-running']);
  const refused = { 'idempotency-key': 'refused' };
  await api.refused('invalid-filter', 'POST /v1/subscriptions', {
    body: { webhook: (await api.expect(201, 'POST /v1/webhooks', { body }))['id'], type: 'com.hpe.*', filter: '(' },
    headers: refused,
  });
  const [webhook] = (await api.expect(200, 'GET /v1/webhooks'))['items'] as { id: string }[];
  await api.expect(201, 'POST /v1/subscriptions', {
    body: { webhook: webhook!.id, type: 'com.hpe.*' },
    headers: refused,
  });
});

test('wire 5: a key that is none is refused', async (t) => {
  const api = await startApi(t);
  for (const key of ['', '"', '"abc', 'a b', 'x'.repeat(256), '""']) {
    await api.refused('invalid-idempotency-key', 'POST /v1/webhooks', { body, headers: { 'idempotency-key': key } });
  }
});

test('wire 5: what may have been done is not done again at once; what was done is answered although it cannot be kept', async (t) => {
  const api = await startApi(t);
  const { settings } = api.platform.store;
  const make = (key: string, name: string): Promise<{ status: number }> =>
    api.ask('POST /v1/webhooks', { body: { ...body, name }, headers: { 'idempotency-key': key } });
  const { createWebhook, fulfil } = settings;
  for (const [undone, again] of [
    [true, 201],
    [false, 409],
  ] as const) {
    settings.createWebhook = () => Promise.reject(new StoreOutage('gone for a moment', { undone }));
    assert.equal((await make(`k-${undone}`, `w-${undone}`)).status, 503);
    settings.createWebhook = createWebhook;
    assert.equal((await make(`k-${undone}`, `w-${undone}`)).status, again);
  }
  settings.fulfil = () => Promise.reject(new StoreOutage('gone for a moment'));
  assert.equal((await make('k', 'kept')).status, 201);
  settings.fulfil = fulfil;
  assert.equal((await make('k', 'kept')).status, 409);
});
