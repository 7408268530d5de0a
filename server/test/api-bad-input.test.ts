// What is not a good request: each kind gets its problem document, and the platform goes on.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { AUDIT, auditEvent, BATCHED, startApi, STRUCTURED, type ApiGround } from './api-ground.ts';

/** Sends bytes and reads whatever comes until the connection ends. */
function raw(api: ApiGround, bytes: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(api.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}

test('bad input: bodies that are not good JSON', async (t) => {
  const api = await startApi(t);
  const webhook = 'POST /v1/webhooks';
  await api.refused('invalid-json', webhook, { body: '{"name":' });
  await api.refused('invalid-json', webhook, { body: '{"name":"a",}' });
  await api.refused('invalid-utf8', webhook, { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) });
  await api.refused('invalid-json', webhook, { body: Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]) });
  const twice = await api.refused('duplicate-key', webhook, {
    body: '{"name":"a","policy":{"timeoutMs":1,"timeoutMs":2}}',
  });
  assert.match(String(twice['detail']), /\/policy\/timeoutMs/);
  await api.refused('nested-too-deep', webhook, { body: `{"headers":${'['.repeat(1_000)}${']'.repeat(1_000)}}` });
  await api.refused('nested-too-deep', webhook, { body: '['.repeat(100_000) });
  await api.refused('body-required', webhook);
  await api.refused('unsupported-media-type', webhook, {
    body: 'name=a',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  await api.refused('unsupported-media-type', webhook, {
    body: '{}',
    headers: { 'content-type': 'application/json; charset=latin1' },
  });
  await api.refused('unsupported-media-type', webhook, { body: '{}', headers: { 'content-encoding': 'gzip' } });
  await api.refused('body-not-allowed', 'DELETE /v1/webhooks/wh_0000000000_1', { body: {} });
  await api.refused('invalid-request', webhook, { body: '[]' });
  await api.refused('invalid-request', webhook, { body: 'null' });
});

test('bad input: bodies that are not what the route takes; every fault is named, nothing is coerced', async (t) => {
  const api = await startApi(t);
  const refused = await api.refused('invalid-request', 'POST /v1/webhooks', {
    body: { nme: 'a', url: 7, verification: 'maybe', policy: { timeoutMs: '1000' }, headers: { a: 1 }, signing: [] },
  });
  const faults = (refused['errors'] as { pointer: string; code: string; detail: string }[]).map(
    ({ pointer, code }) => `${pointer} ${code}`,
  );
  assert.deepEqual(faults.sort(), [
    '/headers/a wrong-type',
    '/name missing-field',
    '/nme unknown-field',
    '/policy/timeoutMs wrong-type',
    '/signing invalid-value',
    '/url wrong-type',
    '/verification invalid-value',
  ]);
  assert.match(JSON.stringify(refused), /did you mean name/);
  const pointer = '{"name":"a","url":"https://example.com/","__proto__":{"x":1}}';
  await api.refused('invalid-request', 'POST /v1/webhooks', { body: pointer });
  await api.refused('invalid-request', 'POST /v1/webhooks', {
    body: { name: 'a'.repeat(51), url: 'https://example.com/' },
  });
});

test('bad input: query parameters', async (t) => {
  const api = await startApi(t);
  for (const query of [
    'limit=0',
    'limit=501',
    'limit=1e1',
    'limit=0x10',
    'limit=10.0',
    'limit=%2010',
    'limit=',
    'limit=1&limit=1',
    'colour=red',
    'order=random',
    'since=yesterday',
    'since=2026-02-30T00:00:00Z',
    '__proto__=1',
    'cursor=%00',
    'a%00=1',
  ]) {
    await api.refused('invalid-request', `GET /v1/events?${query}`);
  }
  for (const cursor of ['x', 'bm9wZQ', 'InN0cmluZyI', 'e30']) {
    await api.refused('invalid-cursor', `GET /v1/events?cursor=${cursor}`);
  }
  await api.refused('invalid-cursor', 'GET /v1/deliveries?cursor=NQ');
  await api.refused('invalid-request', 'DELETE /v1/webhooks/wh_0000000000_1?force=yes');
});

test('bad input: a cursor of another list, or of the same list of another workspace', async (t) => {
  const api = await startApi(t);
  await api.expect(201, 'POST /v1/workspaces', { body: { name: 'acme' } });
  for (const workspace of ['default', 'acme']) {
    const headers = { ...BATCHED, 'bellwire-workspace': workspace };
    for (const name of ['one', 'two']) {
      const body = { name, url: 'http://127.0.0.1:8009/' };
      const { id } = await api.expect(201, `POST /v1/webhooks?workspace=${workspace}`, { body });
      const subscription = { webhook: id, type: AUDIT };
      await api.expect(201, `POST /v1/subscriptions?workspace=${workspace}`, { body: subscription });
    }
    await api.expect(202, 'POST /v1/events', { body: [auditEvent(), auditEvent()], headers });
  }
  for (const list of ['services', 'keys']) {
    const bodies = { services: { service: 'shop' }, keys: { name: 'k', scopes: ['read'] } };
    await api.expect(201, `POST /v1/${list}`, { body: bodies[list as keyof typeof bodies] });
  }
  for (const subject of ['a', 'b']) await api.expect(202, 'POST /v1/erasures', { body: { subject } });
  const { items: webhooks } = await api.expect(200, 'GET /v1/webhooks');
  for (const { id } of webhooks as { id: string }[]) await api.expect(202, `POST /v1/webhooks/${id}/redrive`);
  const ofWorkspaces = ['events', 'deliveries', 'webhooks', 'subscriptions', 'operations', 'erasures'];
  const lists = [...ofWorkspaces, 'event-types', 'workspaces', 'services', 'keys'];
  const cursors = new Map<string, string>();
  for (const list of lists) {
    const page = await api.expect(200, `GET /v1/${list}?limit=1`);
    cursors.set(list, String(page['next']));
    await api.expect(200, `GET /v1/${list}?limit=1&cursor=${cursors.get(list)}`);
  }
  for (const list of lists) {
    for (const other of lists) {
      if (other === list) continue;
      await api.refused('invalid-cursor', `GET /v1/${list}?cursor=${cursors.get(other)}`);
    }
  }
  for (const list of ofWorkspaces) {
    await api.refused('invalid-cursor', `GET /v1/${list}?workspace=acme&cursor=${cursors.get(list)}`);
  }
});

test('bad input: a batch of one event more than a batch may hold', async (t) => {
  const api = await startApi(t, { limits: { request: '8MiB' } });
  const batch = Array.from({ length: 10_001 }, () => auditEvent({ data: 0 }));
  const refused = await api.refused('batch-too-large', 'POST /v1/events', { body: batch, headers: BATCHED });
  assert.equal(refused['status'], 413);
  assert.deepEqual((await api.expect(200, 'GET /v1/events'))['items'], []);
  await api.expect(202, 'POST /v1/events', { body: batch.slice(1), headers: BATCHED });
});

test('bad input: a rate of 0, or one that is no number of deliveries per minute', async (t) => {
  const api = await startApi(t);
  const body = { name: 'w', url: 'http://127.0.0.1:8009/' };
  const { id } = await api.expect(201, 'POST /v1/webhooks', { body });
  for (const rate of [0, -1, 0.5, 1e300, '60', true]) {
    const refused = await api.refused('invalid-request', `PATCH /v1/webhooks/${id}`, { body: { policy: { rate } } });
    assert.equal((refused['errors'] as { pointer: string }[])[0]!.pointer, '/policy/rate');
    await api.refused('invalid-request', 'POST /v1/webhooks', { body: { ...body, name: 'x', policy: { rate } } });
  }
  const { policy } = await api.expect(200, `GET /v1/webhooks/${id}`);
  assert.equal((policy as { rate: unknown }).rate, null);
});

test('bad input: a type that only looks like a pattern selects nothing, so it is refused wherever one is taken', async (t) => {
  const api = await startApi(t);
  for (const type of ['*', 'com*', 'com.*.created']) {
    await api.refused('invalid-type-pattern', `GET /v1/events?type=${type}`);
    await api.refused('invalid-type-pattern', `GET /v1/stream?type=${type}`);
  }
  await api.expect(200, 'GET /v1/events?type=com.*');
});

test('bad input: methods and paths', async (t) => {
  const api = await startApi(t);
  await api.refused('not-found', 'GET /v1/webhooks/');
  await api.refused('not-found', 'GET /v1//webhooks');
  await api.refused('not-found', 'POST /v2/events', { body: {} });
  const never = await api.refused('not-found', 'GET /v1/events/evt_0000000000_1');
  assert.equal(never['detail'], 'There is no event evt_0000000000_1 here.');
  const malformed = await api.refused('not-found', 'GET /v1/events/one');
  assert.equal(malformed['detail'], 'There is no event "one" here.');
  const put = await api.ask('PUT /v1/webhooks', { body: {} });
  assert.equal(put.status, 405);
  assert.equal(put.headers.get('allow'), 'GET, POST, HEAD, OPTIONS');
  const options = await api.ask('OPTIONS /v1/event-types/a.b', { key: null });
  assert.equal(options.status, 204);
  assert.equal(options.headers.get('allow'), 'GET, PUT, DELETE, HEAD, OPTIONS');
  assert.equal(options.headers.get('access-control-allow-origin'), null, 'no CORS by default');
  const head = await api.ask('HEAD /v1/webhooks');
  assert.equal(head.status, 200);
  assert.equal(head.text, '');
  assert.equal(head.headers.get('x-content-type-options'), 'nosniff');
});

test('bad input: what is too large is refused and can still be read by its sender', async (t) => {
  const api = await startApi(t);
  const big = Buffer.alloc(10 * 1_024 * 1_024, 0x20);
  await api.refused('request-too-large', 'POST /v1/events', { body: big, headers: STRUCTURED });
  await api.refused('request-too-large', 'POST /v1/webhooks', { body: big });
  const event = auditEvent({ data: { text: 'x'.repeat(300_000) } });
  await api.refused('event-too-large', 'POST /v1/events', { body: event, headers: STRUCTURED });
  const passes = auditEvent({ type: AUDIT, data: { text: 'x'.repeat(200_000) } });
  await api.expect(202, 'POST /v1/events', { body: passes, headers: STRUCTURED });
  const announced = await raw(
    api,
    `POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${api.platform.adminKey}\r\n` +
      'Content-Type: application/cloudevents+json\r\nContent-Length: 99999999999\r\n\r\n{',
  );
  assert.match(announced, /^HTTP\/1\.1 413 [\s\S]*connection: close[\s\S]*"code":"request-too-large"/i);
});

test('bad input: bytes that are no HTTP, headers beyond all limits, headers that come twice', async (t) => {
  const api = await startApi(t);
  assert.match(await raw(api, 'hello\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*problem\+json[\s\S]*"code":"malformed-http"/);
  assert.match(
    await raw(api, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 [\s\S]*"header-too-large"/,
  );
  assert.match(await raw(api, 'GET / HTTP/1.1\r\nHost: a\r\nX: a\u0000b\r\n\r\n'), /^HTTP\/1\.1 400 /);
  const key = `Authorization: Bearer ${api.platform.adminKey}\r\n`;
  const many = 'a: b\r\n'.repeat(250);
  const head = 'GET /v1/webhooks HTTP/1.1\r\nHost: a\r\nConnection: close\r\n';
  assert.match(await raw(api, `${head}${key}${many}\r\n`), /^HTTP\/1\.1 431 /);
  assert.match(await raw(api, `${head}${key}${key}\r\n`), /"code":"duplicate-header"/);
  assert.match(
    await raw(api, `${head}${key}Bellwire-Workspace: a\r\nBellwire-Workspace: b\r\n\r\n`),
    /"code":"duplicate-header"/,
  );
  assert.match(
    await raw(api, `GET ${api.url}/healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
    /^HTTP\/1\.1 200 /,
  );
  await api.expect(200, 'GET /v1/webhooks');
});

test('R56 R125 bad input: events that are none', async (t) => {
  const api = await startApi(t);
  const cases: [string, unknown, Record<string, string>?][] = [
    ['invalid-json', 'not json'],
    ['invalid-utf8', Buffer.from([0x7b, 0xc3, 0x28, 0x7d])],
    ['duplicate-key', '{"specversion":"1.0","id":"a","id":"b","source":"s","type":"t"}'],
    [
      'nested-too-deep',
      `{"specversion":"1.0","id":"a","source":"s","type":"t","data":${'['.repeat(1_000)}${']'.repeat(1_000)}}`,
    ],
    ['missing-attribute', { specversion: '1.0', id: 'a', source: 's' }],
    ['missing-attribute', { id: 'a', source: 's', type: AUDIT }],
    ['invalid-attribute', auditEvent({ id: '' })],
    ['invalid-attribute', auditEvent({ id: 'a\u0000b' })],
    ['invalid-attribute', `{"specversion":"1.0","id":"\\ud800","source":"s","type":"t"}`],
    ['invalid-attribute', auditEvent({ time: 'yesterday' })],
    ['invalid-attribute-name', auditEvent({ 'Not-A-Name': 'x' })],
    ['conflicting-data', auditEvent({ data_base64: 'AA==' })],
    ['not-an-event', '[]'],
    ['unsupported-media-type', '{}', { 'content-type': 'application/json' }],
    ['unsupported-media-type', '{}', { 'content-type': 'application/cloudevents+xml' }],
    ['not-an-event', '{}', BATCHED],
  ];
  for (const [code, body, headers = STRUCTURED] of cases) await api.refused(code, 'POST /v1/events', { body, headers });
  await api.refused('unsupported-media-type', 'POST /v1/events');
  const twice = await raw(
    api,
    `POST /v1/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${api.platform.adminKey}\r\n` +
      'ce-specversion: 1.0\r\nce-id: a\r\nce-id: b\r\nce-source: s\r\nce-type: t\r\nContent-Length: 0\r\n\r\n',
  );
  assert.match(twice, /"code":"duplicate-header"/);
  const events = await api.expect(200, 'GET /v1/events');
  assert.deepEqual(events['items'], [], 'nothing of all that was stored');
});
