// The catalog and the subscriptions to it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AUDIT, startApi } from './api-ground.ts';

const HOOK = 'http://127.0.0.1:8009/hook';

test('R49 R117 services and event types: registered, the same again harmless, listed, deleted; two are there from the start', async (t) => {
  const api = await startApi(t);
  const first = await api.expect(200, 'GET /v1/event-types?service=hpe-greenlake-platform');
  assert.deepEqual(
    (first['items'] as { type: string }[]).map(({ type }) => type),
    ['com.hpe.greenlake.audit-log.v1.logs.created', 'com.hpe.greenlake.subscriptions.v1.expiring-subscriptions'],
  );
  const service = { service: 'orders', description: 'The shop.' };
  const made = await api.expect(201, 'POST /v1/services', { body: service });
  assert.deepEqual(await api.expect(200, 'POST /v1/services', { body: service }), made);
  const body = {
    service: 'orders',
    description: 'An order.',
    schema: { type: 'object' },
    example: { n: 1 },
    deprecation: 'Use com.example.order.placed.',
  };
  const type = await api.expect(201, 'PUT /v1/event-types/com.example.order.created', { body });
  assert.deepEqual(
    [type['owner'], type['schemaCheck'], type['deprecation']],
    ['installation', 'block', body.deprecation],
  );
  const again = await api.expect(200, 'PUT /v1/event-types/com.example.order.created', { body });
  assert.deepEqual({ ...again, updatedAt: '' }, { ...type, updatedAt: '' });
  const less = await api.expect(200, 'PUT /v1/event-types/com.example.order.created', { body: { service: 'orders' } });
  assert.deepEqual(
    [less['schema'], less['example'], less['deprecation'], less['schemaCheck']],
    [null, null, null, 'off'],
  );
  await api.refused('in-use', 'DELETE /v1/services/orders');
  await api.expect(204, 'DELETE /v1/event-types/com.example.order.created');
  await api.expect(204, 'DELETE /v1/services/orders');
  await api.refused('not-found', 'DELETE /v1/services/orders');
  await api.refused('not-found', 'GET /v1/event-types/com.example.order.created');
  await api.refused('unknown-service', 'PUT /v1/event-types/a.b', { body: { service: 'ordrs' } });
});

test('R115 a workspace has types of its own, which no other sees; the installation’s cannot be taken over', async (t) => {
  const api = await startApi(t);
  await api.expect(201, 'POST /v1/workspaces', { body: { name: 'acme' } });
  const made = await api.expect(201, 'POST /v1/keys', {
    body: { name: 'acme', scopes: ['read', 'manage'], workspaces: ['acme'] },
  });
  const key = made['key'] as string;
  const own = await api.expect(201, 'PUT /v1/event-types/acme.made', { key, body: {} });
  assert.equal(own['owner'], 'workspace');
  await api.refused('not-found', 'GET /v1/event-types/acme.made');
  await api.expect(200, 'GET /v1/event-types/acme.made?workspace=acme');
  await api.refused('already-exists', `PUT /v1/event-types/${AUDIT}`, { key, body: {} });
  await api.refused('admin-only', `PUT /v1/event-types/${AUDIT}`, { key, body: { service: 'hpe-greenlake-platform' } });
  await api.refused('admin-only', `DELETE /v1/event-types/${AUDIT}`, { key });
  await api.expect(201, 'PUT /v1/event-types/io%2Fsome%3Fthing', { key, body: {} });
  assert.equal((await api.expect(200, 'GET /v1/event-types/io%2Fsome%3Fthing', { key }))['type'], 'io/some?thing');
  for (const name of ['a.*', 'a%20b', 'a%00b', 'a'.repeat(256)])
    await api.refused('not-found', `PUT /v1/event-types/${name}`, { key, body: {} });
});

test('R49 a schema that cannot be used is refused with its place, an example that breaks it, too', async (t) => {
  const api = await startApi(t);
  const put = 'PUT /v1/event-types/com.example.x';
  const remote = await api.refused('invalid-schema', put, {
    body: { schema: { $ref: 'https://example.com/schema.json' } },
  });
  assert.match((remote['errors'] as { pointer: string }[])[0]!.pointer, /^\/schema/);
  await api.refused('invalid-schema', put, { body: { schema: { type: 'objekt' } } });
  const schema = { type: 'object', properties: { n: { type: 'integer' } } };
  const example = await api.refused('invalid-example', put, { body: { schema, example: { n: 'one' } } });
  assert.equal((example['errors'] as { pointer: string }[])[0]!.pointer, '/example/n');
  await api.expect(201, put, { body: { schema: true, example: [1, 'two', null] } });
});

test('R116 R118 subscriptions: the type trimmed and known, a pattern, a filter; the same again is the first one', async (t) => {
  const api = await startApi(t);
  const webhook = (await api.expect(201, 'POST /v1/webhooks', { body: { name: 'sheet', url: HOOK } }))['id'] as string;
  const subscribe = (over: object) => ({ body: { webhook, type: AUDIT, ...over } });
  const first = await api.expect(201, 'POST /v1/subscriptions', subscribe({ type: ` \n${AUDIT}\t` }));
  assert.deepEqual([first['type'], first['filter'], first['webhook']], [AUDIT, null, webhook]);
  assert.deepEqual(await api.expect(200, 'POST /v1/subscriptions', subscribe({ filter: null })), first);
  const filtered = await api.expect(
    201,
    'POST /v1/subscriptions',
    subscribe({ filter: "category eq 'user_management'" }),
  );
  assert.notEqual(filtered['id'], first['id']);
  await api.expect(201, 'POST /v1/subscriptions', subscribe({ type: 'com.hpe.*' }));
  const unknown = await api.refused('unknown-type', 'POST /v1/subscriptions', subscribe({ type: AUDIT.toUpperCase() }));
  assert.ok(String(unknown['detail']).includes(`did you mean ${AUDIT}`), String(unknown['detail']));
  for (const type of ['*', 'com.*.created', 'com.hpe*', '.*', 'com. hpe.*', 'com.hpe.**']) {
    await api.refused('invalid-type-pattern', 'POST /v1/subscriptions', subscribe({ type }));
  }
  const all = await api.refused('invalid-type-pattern', 'POST /v1/subscriptions', subscribe({ type: '*' }));
  assert.match(
    String(all['detail']),
    /after a dot\. Subscribe to what the catalog holds, each by itself: bellwire\.\*, com\.\*\.$/,
  );
  const slip = await api.expect(201, 'POST /v1/subscriptions', subscribe({ type: 'com.hpe.grenlake.*' }));
  assert.equal(
    slip['note'],
    'No event type of the catalog fits com.hpe.grenlake.* at present; did you mean com.hpe.greenlake.*?',
  );
  assert.equal('note' in (await api.expect(200, `GET /v1/subscriptions/${slip['id']}`)), false);
  await api.expect(204, `DELETE /v1/subscriptions/${slip['id']}`);
  const bad = await api.refused(
    'invalid-filter',
    'POST /v1/subscriptions',
    subscribe({ filter: "category equals 'x'" }),
  );
  assert.match(String(bad['detail']), /equals/, 'the bad token is named');
  for (const filter of ['(', "a eq 'x", 'a eq b', 'a eq 1 and']) {
    await api.refused('invalid-filter', 'POST /v1/subscriptions', subscribe({ filter }));
  }
  await api.refused('unknown-webhook', 'POST /v1/subscriptions', subscribe({ webhook: 'wh_0000000000_1' }));
  const listed = await api.expect(200, `GET /v1/subscriptions?webhook=${webhook}`);
  assert.equal((listed['items'] as unknown[]).length, 3);
  assert.deepEqual(await api.expect(200, `GET /v1/subscriptions/${first['id']}`), first);
  await api.refused('in-use', `DELETE /v1/event-types/${AUDIT}`);
  await api.expect(204, `DELETE /v1/subscriptions/${first['id']}`);
  await api.refused('not-found', `DELETE /v1/subscriptions/${first['id']}`);
});

test('API: a page of types with the longest of names has a next one', async (t) => {
  const api = await startApi(t);
  const names = ['aa', 'ab'].map((first) => first + '\u{4e00}'.repeat(253));
  for (const name of names) await api.expect(201, `PUT /v1/event-types/${encodeURIComponent(name)}`, { body: {} });
  const { next } = await api.expect(200, 'GET /v1/event-types?limit=1');
  const page = await api.expect(200, `GET /v1/event-types?limit=1&cursor=${String(next)}`);
  assert.deepEqual(
    (page['items'] as { type: string }[]).map(({ type }) => type),
    [names[1]],
  );
});

test('API: lists are paged by an opaque cursor that survives changes between pages', async (t) => {
  const api = await startApi(t);
  for (const name of ['d', 'a', 'c', 'b', 'e']) await api.expect(201, `PUT /v1/event-types/own.${name}`, { body: {} });
  const page = async (query: string) => {
    const read = await api.expect(200, `GET /v1/event-types?${query}`);
    return { types: (read['items'] as { type: string }[]).map(({ type }) => type), next: read['next'] };
  };
  const one = await page('limit=22');
  assert.deepEqual(one.types.slice(20), ['own.a', 'own.b']);
  await api.expect(204, 'DELETE /v1/event-types/own.b');
  await api.expect(201, 'PUT /v1/event-types/own.aa', { body: {} });
  const two = await page(`limit=4&cursor=${String(one.next)}`);
  assert.deepEqual(two, { types: ['own.c', 'own.d', 'own.e'], next: null });
});
