// Who may do what, and where: keys, scopes, workspaces, services, and ids of somebody else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../src/clock.ts';
import { AUDIT, auditEvent, startApi, STRUCTURED, type ApiGround } from './api-ground.ts';

const HOOK = 'http://127.0.0.1:8009/hook';

async function makeKey(api: ApiGround, body: Record<string, unknown>): Promise<string> {
  return (await api.expect(201, 'POST /v1/keys', { body: { name: 'test', ...body } }))['key'] as string;
}

test('API: a missing, malformed or unknown key is 401 with a challenge, and says nothing more', async (t) => {
  const api = await startApi(t);
  for (const authorization of [undefined, 'Basic YTpi', 'Bearer', 'Bearer a b', 'Bearer bw_unknown', 'bearer  ']) {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const { status, headers: answered } = await api.ask('GET /v1/webhooks', { key: null, headers });
    assert.equal(status, 401, String(authorization));
    assert.match(answered.get('www-authenticate') ?? '', /^Bearer realm="bellwire"/);
  }
  await api.refused('unauthenticated', 'POST /v1/events', { key: null, body: auditEvent(), headers: STRUCTURED });
  await api.expect(200, 'GET /v1/webhooks', {
    key: null,
    headers: { authorization: `bearer ${api.platform.adminKey}` },
  });
});

test('API: each scope opens its own routes and no others', async (t) => {
  const api = await startApi(t);
  const publisher = await makeKey(api, { scopes: ['publish'] });
  const reader = await makeKey(api, { scopes: ['read'] });
  const manager = await makeKey(api, { scopes: ['manage'] });
  await api.expect(202, 'POST /v1/events', { key: publisher, body: auditEvent(), headers: STRUCTURED });
  await api.refused('missing-scope', 'GET /v1/events', { key: publisher });
  await api.expect(200, 'GET /v1/events', { key: reader });
  await api.refused('missing-scope', 'POST /v1/webhooks', { key: reader, body: { name: 'x', url: HOOK } });
  await api.refused('missing-scope', 'POST /v1/events', { key: reader, body: auditEvent(), headers: STRUCTURED });
  await api.expect(201, 'POST /v1/webhooks', { key: manager, body: { name: 'x', url: HOOK } });
  await api.refused('missing-scope', 'GET /v1/webhooks', { key: manager });
  await api.refused('admin-only', 'POST /v1/workspaces', { key: manager, body: { name: 'mine' } });
  await api.refused('admin-only', 'POST /v1/services', { key: manager, body: { service: 'mine' } });
});

test('API: an id of another workspace is answered exactly like one that never was', async (t) => {
  const api = await startApi(t);
  await api.expect(201, 'POST /v1/workspaces', { body: { name: 'acme' } });
  const acme = { 'bellwire-workspace': 'acme' };
  const theirs = await api.expect(201, 'POST /v1/webhooks', { body: { name: 'theirs', url: HOOK }, headers: acme });
  const subscription = await api.expect(201, 'POST /v1/subscriptions', {
    body: { webhook: theirs['id'], type: AUDIT },
    headers: acme,
  });
  const published = await api.expect(202, 'POST /v1/events', {
    body: auditEvent(),
    headers: { ...STRUCTURED, ...acme },
  });
  const event = (published['accepted'] as { event: string }[])[0]!.event;
  const [delivery] = (await api.expect(200, 'GET /v1/deliveries?workspace=acme'))['items'] as { id: string }[];
  const key = await makeKey(api, { scopes: ['read', 'manage'], workspaces: ['default'] });
  const never = String(theirs['id']).replace(/_[a-z0-9]{10}_/, '_0000000000_');
  for (const what of [
    `GET /v1/webhooks/${theirs['id']}`,
    `GET /v1/webhooks/${never}`,
    `PATCH /v1/webhooks/${theirs['id']}`,
    `DELETE /v1/webhooks/${theirs['id']}`,
    `POST /v1/webhooks/${theirs['id']}/test`,
    `POST /v1/webhooks/${theirs['id']}/pause`,
    `POST /v1/webhooks/${theirs['id']}/rotate`,
    `GET /v1/webhooks/${theirs['id']}/changes`,
    `GET /v1/webhooks/${theirs['id']}/deliveries`,
    `GET /v1/subscriptions/${subscription['id']}`,
    `DELETE /v1/subscriptions/${subscription['id']}`,
    `GET /v1/subscriptions?webhook=${theirs['id']}`,
    `GET /v1/events/${event}`,
    `GET /v1/stream?after=${event}`,
    `GET /v1/deliveries/${delivery!.id}`,
    `POST /v1/deliveries/${delivery!.id}/retry`,
    `GET /v1/deliveries?event=${event}`,
    `GET /v1/webhooks/${String(theirs['id']).toUpperCase()}`,
    `GET /v1/webhooks/${event}`,
    'GET /v1/webhooks/%FF',
    'GET /v1/webhooks/7',
  ]) {
    const asked = what.startsWith('PATCH') ? { key, body: { description: 'x' } } : { key };
    const problem = await api.refused('not-found', what, asked);
    assert.ok(!JSON.stringify(problem).includes('theirs'), what);
  }
  await api.refused('unknown-webhook', 'POST /v1/subscriptions', { key, body: { webhook: theirs['id'], type: AUDIT } });
  assert.equal((await api.expect(200, `GET /v1/webhooks/${theirs['id']}?workspace=acme`))['name'], 'theirs');
});

test('API: a request acts on the workspace it names, or on the only one its key has', async (t) => {
  const api = await startApi(t);
  const acme = await api.expect(201, 'POST /v1/workspaces', { body: { name: 'acme' } });
  await api.expect(201, 'POST /v1/workspaces', { body: { name: 'other' } });
  const one = await makeKey(api, { scopes: ['read', 'manage'], workspaces: ['acme'] });
  const two = await makeKey(api, { scopes: ['read', 'manage'], workspaces: ['acme', 'other'] });
  await api.expect(201, 'POST /v1/webhooks', { key: one, body: { name: 'here', url: HOOK } });
  const names = async (what: string, asked: object = {}) =>
    ((await api.expect(200, what, asked))['items'] as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(await names('GET /v1/webhooks', { key: one }), ['here']);
  assert.deepEqual(await names('GET /v1/webhooks'), []);
  assert.deepEqual(await names(`GET /v1/webhooks?workspace=${acme['id']}`), ['here']);
  assert.deepEqual(await names('GET /v1/webhooks', { key: two, headers: { 'bellwire-workspace': 'acme' } }), ['here']);
  assert.deepEqual(await names('GET /v1/workspaces', { key: two }), ['acme', 'other']);
  // Workspace number 2 is `acme`; one may be named `2` all the same.
  await api.expect(201, 'POST /v1/workspaces', { body: { name: '2' } });
  assert.deepEqual(await names('GET /v1/webhooks?workspace=2'), []);
  await api.refused('workspace-required', 'GET /v1/webhooks', { key: two });
  for (const name of ['default', 'nowhere', 'ws_0000000000', "' OR 1=1"]) {
    await api.refused('unknown-workspace', `GET /v1/webhooks?workspace=${encodeURIComponent(name)}`, { key: one });
  }
  await api.refused('unknown-workspace', 'GET /v1/workspaces/default', { key: one });
  await api.refused('unknown-workspace', 'GET /v1/webhooks?workspace=nowhere');
});

test('R49 a key bound to a service publishes only its types and manages nothing but them', async (t) => {
  const api = await startApi(t);
  await api.expect(201, 'POST /v1/services', { body: { service: 'orders' } });
  const key = await makeKey(api, { scopes: ['publish', 'read', 'manage'], workspaces: null, service: 'orders' });
  const type = 'com.example.order.created';
  await api.expect(201, `PUT /v1/event-types/${type}`, { key, body: { service: 'orders' } });
  await api.expect(202, 'POST /v1/events', { key, body: auditEvent({ type, data: {} }), headers: STRUCTURED });
  await api.refused('foreign-type', 'POST /v1/events', { key, body: auditEvent(), headers: STRUCTURED });
  await api.refused('foreign-type', `PUT /v1/event-types/${AUDIT}`, {
    key,
    body: { service: 'hpe-greenlake-platform' },
  });
  await api.refused('foreign-type', `PUT /v1/event-types/${AUDIT}`, { key, body: { service: 'orders' } });
  await api.refused('foreign-type', 'PUT /v1/event-types/com.example.own', { key, body: {} });
  await api.refused('foreign-type', `DELETE /v1/event-types/${AUDIT}`, { key });
  await api.refused('service-bound', 'POST /v1/webhooks', { key, body: { name: 'x', url: HOOK } });
  await api.refused('service-bound', 'POST /v1/keys', { key, body: { name: 'x', scopes: ['read'] } });
  await api.refused('service-bound', 'POST /v1/workspaces', { key, body: { name: 'x' } });
  await api.expect(204, `DELETE /v1/event-types/${type}`, { key });
});

test('API: keys are listed the oldest first, through all pages', async (t) => {
  const api = await startApi(t);
  for (let at = 0; at < 12; at++)
    await api.expect(201, 'POST /v1/keys', { body: { name: `k${at}`, scopes: ['read'] } });
  const first = await api.expect(200, 'GET /v1/keys?limit=7');
  const second = await api.expect(200, `GET /v1/keys?cursor=${String(first['next'])}`);
  const items = [first, second].flatMap((page) => page['items'] as { createdAt: string; id: string }[]);
  const born = items.map(({ createdAt }) => createdAt);
  assert.deepEqual([born, new Set(items.map(({ id }) => id)).size], [born.toSorted(), 13]);
});

test('API: a key is shown once, makes no key greater than itself, and is refused once deleted', async (t) => {
  const api = await startApi(t);
  await api.expect(201, 'POST /v1/workspaces', { body: { name: 'acme' } });
  const made = await api.expect(201, 'POST /v1/keys', {
    body: { name: 'acme manager', scopes: ['read', 'manage'], workspaces: ['acme'] },
  });
  const key = made['key'] as string;
  assert.match(key, /^bw_[A-Za-z0-9_-]{43}$/);
  const listed = await api.ask('GET /v1/keys');
  assert.ok(!listed.text.includes(key.slice(3)) && !/"key"/.test(listed.text));
  const own = await api.expect(200, 'GET /v1/keys', { key });
  assert.deepEqual(
    (own['items'] as { id: string }[]).map(({ id }) => id),
    [made['id']],
    'it sees no key that reaches further',
  );
  await api.refused('missing-scope', 'POST /v1/keys', { key, body: { name: 'x', scopes: ['publish'] } });
  await api.refused('admin-only', 'POST /v1/keys', { key, body: { name: 'x', scopes: ['read'], workspaces: null } });
  await api.refused('admin-only', 'POST /v1/keys', { key, body: { name: 'x', scopes: ['read'], service: 'orders' } });
  await api.refused('unknown-workspace', 'POST /v1/keys', {
    key,
    body: { name: 'x', scopes: ['read'], workspaces: ['default'] },
  });
  const admin = (listed.json['items'] as { id: string; name: string }[]).find(({ name }) => name === 'admin');
  await api.refused('not-found', `DELETE /v1/keys/${admin!.id}`, { key });
  await api.expect(204, `DELETE /v1/keys/${made['id']}`);
  await api.refused('unauthenticated', 'GET /v1/webhooks', { key });
});

test('API: a key that was deleted through another node is honoured for 5 s at most, however it is written', async (t) => {
  let laterMs = 0;
  const clock = { ...systemClock, monotonic: () => performance.now() + laterMs };
  const api = await startApi(t, {}, clock);
  const { id, key } = await api.expect(201, 'POST /v1/keys', { body: { name: 'leaked', scopes: ['read'] } });
  const spellings = ['Bearer', 'bearer', 'BEARER'].map((scheme) => ({ authorization: `${scheme} ${String(key)}` }));
  const ask = (headers: Record<string, string>) => api.ask('GET /v1/webhooks', { key: null, headers });
  for (const headers of spellings) {
    assert.equal((await ask(headers)).status, 200);
    laterMs += 2_400;
  }
  // As another node does it: nothing here is told.
  await api.platform.store.settings.deleteKey(id as string);
  laterMs += 5_000;
  for (const headers of spellings) assert.equal((await ask(headers)).status, 401, headers.authorization);
});

test('API: workspaces are made, limited and deleted by the installation’s key; a deleted one is gone at once', async (t) => {
  const api = await startApi(t, { quotas: { webhooks: 7, subscriptions: null, eventTypes: 2 } });
  const acme = await api.expect(201, 'POST /v1/workspaces', { body: { name: 'acme', limits: { eventsPerDay: 1 } } });
  assert.deepEqual(acme['limits'], {
    eventsPerDay: 1,
    bytesPerDay: null,
    webhooks: 7,
    subscriptions: null,
    eventTypes: 2,
  });
  await api.refused('name-taken', 'POST /v1/workspaces', { body: { name: 'acme' } });
  await api.refused('invalid-request', 'POST /v1/workspaces', { body: { name: 'ws_acme' } });
  const headers = { ...STRUCTURED, 'bellwire-workspace': 'acme' };
  await api.expect(202, 'POST /v1/events', { body: auditEvent(), headers });
  const over = await api.ask('POST /v1/events', { body: auditEvent(), headers });
  assert.equal(over.status, 429, over.text);
  assert.equal(over.json['code'], 'over-quota');
  assert.ok(Number(over.headers.get('retry-after')) >= 1);
  const limited = await api.expect(200, `PATCH /v1/workspaces/acme`, {
    body: { limits: { eventsPerDay: null, webhooks: 1 } },
  });
  assert.deepEqual(limited['limits'], {
    eventsPerDay: null,
    bytesPerDay: null,
    webhooks: 1,
    subscriptions: null,
    eventTypes: 2,
  });
  await api.expect(202, 'POST /v1/events', { body: auditEvent(), headers });
  await api.expect(201, 'POST /v1/webhooks?workspace=acme', { body: { name: 'a', url: HOOK } });
  await api.refused('limit-reached', 'POST /v1/webhooks?workspace=acme', { body: { name: 'b', url: HOOK } });
  for (const n of [1, 2, 2]) await api.ask(`PUT /v1/event-types/com.acme.${n}?workspace=acme`, { body: {} });
  const third = await api.refused('limit-reached', 'PUT /v1/event-types/com.acme.3?workspace=acme', { body: {} });
  assert.equal(third['detail'], 'This workspace may have 2 event types.');
  await api.expect(204, 'DELETE /v1/event-types/com.acme.1?workspace=acme');
  await api.expect(201, 'PUT /v1/event-types/com.acme.3?workspace=acme', { body: {} });
  await api.expect(204, `DELETE /v1/workspaces/${acme['id']}`);
  await api.refused('unknown-workspace', 'POST /v1/events', { body: auditEvent(), headers });
  await api.refused('unknown-workspace', 'GET /v1/workspaces/acme');
  await api.expect(201, 'POST /v1/workspaces', { body: { name: 'acme' } });
});
