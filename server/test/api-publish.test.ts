// Publishing and reading: one event, many, twice, badly; by cursor, by stream, as exact bytes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDatabase } from '../../test/kit/postgres.ts';
import { AUDIT, auditEvent, BATCHED, startApi, STRUCTURED } from './api-ground.ts';

interface Accepted {
  id: string;
  source: string;
  event: string;
  duplicate: boolean;
  note?: string;
}

test('R53 R125 an event is accepted in structured, binary and batched mode; duplicates get the first answer', async (t) => {
  const api = await startApi(t);
  const publish = async (asked: object) => (await api.expect(202, 'POST /v1/events', asked))['accepted'] as Accepted[];
  const [first] = await publish({ body: auditEvent({ id: 'one' }), headers: STRUCTURED });
  assert.deepEqual(
    { ...first, event: '' },
    { id: 'one', source: 'https://example.com/audit', event: '', duplicate: false },
  );
  const binary = {
    'ce-specversion': '1.0',
    'ce-id': 'two',
    'ce-source': 's',
    'ce-type': AUDIT,
    'content-type': 'application/json',
  };
  const [second] = await publish({
    body: '{"id":"a1","category":"c","description":"d","created_at":1}',
    headers: binary,
  });
  assert.equal(second!.duplicate, false);
  const batch = [auditEvent({ id: 'one' }), auditEvent({ id: 'three' }), auditEvent({ id: 'three' })];
  const [again, third, twin] = await publish({ body: batch, headers: BATCHED });
  assert.deepEqual([again!.event, again!.duplicate], [first!.event, true]);
  assert.deepEqual([third!.duplicate, twin!.duplicate, twin!.event], [false, true, third!.event]);
  assert.deepEqual(await publish({ body: [], headers: BATCHED }), []);
});

test('R53 R125 the same over PostgreSQL, from a registered type to a held delivery', async (t) => {
  const api = await startApi(t, { store: await testDatabase(t) });
  await api.expect(201, 'PUT /v1/event-types/com.example.own', { body: { schema: { type: 'object' } } });
  const webhook = await api.expect(201, 'POST /v1/webhooks', { body: { name: 'n', url: 'http://127.0.0.1:8009/' } });
  const subscription = { webhook: webhook['id'], type: 'com.example.*', filter: 'n gt 1' };
  const headers = { 'idempotency-key': 'one' };
  const made = await api.expect(201, 'POST /v1/subscriptions', { body: subscription, headers });
  assert.deepEqual(await api.expect(201, 'POST /v1/subscriptions', { body: subscription, headers }), made);
  assert.deepEqual(await api.expect(200, 'POST /v1/subscriptions', { body: subscription }), made);
  const batch = [1, 2].map((n) => auditEvent({ type: 'com.example.own', id: `n${n}`, data: { n } }));
  await api.expect(202, 'POST /v1/events', { body: batch, headers: BATCHED });
  assert.equal(((await api.expect(200, 'GET /v1/events?type=com.example.*'))['items'] as unknown[]).length, 2);
  const deliveries = (await api.expect(200, 'GET /v1/deliveries?state=held'))['items'] as { eventId: string }[];
  assert.deepEqual(
    deliveries.map(({ eventId }) => eventId),
    ['n2'],
  );
  await api.expect(200, 'GET /readyz');
  // What PostgreSQL would refuse is refused before it.
  const { id } = webhook as { id: string };
  for (const text of ['a\0b', 'a\ud800']) {
    await api.refused('invalid-request', `PATCH /v1/webhooks/${id}`, { body: { description: text } });
    await api.refused('invalid-request', 'POST /v1/services', { body: { service: 'a', description: text } });
    await api.refused('invalid-request', 'PUT /v1/event-types/a.b', { body: { example: { [text]: 1 } } });
    const filter = `n eq '${text}'`;
    await api.refused('invalid-request', 'POST /v1/subscriptions', { body: { webhook: id, type: 'a.*', filter } });
  }
  for (const query of ['source=%00', 'type=a%00', 'workspace=%00'])
    await api.refused('invalid-request', `GET /v1/events?${query}`);
  const [, token] = String(webhook['id']).split('_');
  const list = (name: string) => `${name} ${token}`;
  for (const cursor of [-1, 1.5, 1e300]) {
    const text = Buffer.from(JSON.stringify([list('events'), cursor])).toString('base64url');
    await api.refused('invalid-cursor', `GET /v1/events?cursor=${text}`);
  }
  await api.refused('not-found', 'GET /v1/workspaces/%00');
  await api.refused('not-found', 'GET /v1/event-types/%00');
  const forged = Buffer.from(JSON.stringify([list('deliveries'), '9.9.9999999999999999999'])).toString('base64url');
  assert.ok((await api.ask(`GET /v1/deliveries?cursor=${forged}`)).status < 500);
  const closed = { type: 'object', additionalProperties: false };
  await api.expect(201, 'PUT /v1/event-types/com.example.closed', { body: { schema: closed, schemaCheck: 'warn' } });
  const strange = auditEvent({ type: 'com.example.closed', data: { ['a\0b'.repeat(500)]: 1, '\ud800': 2 } });
  await api.expect(202, 'POST /v1/events', { body: strange, headers: STRUCTURED });
  // Before its database goes, which was there first.
  await api.platform.stop();
});

test('R53 one bad event refuses its whole batch, each fault by its index, and nothing is stored', async (t) => {
  const api = await startApi(t);
  const decoded = await api.refused('missing-attribute', 'POST /v1/events', {
    body: [auditEvent(), { specversion: '1.0', id: 'x', source: 's' }, auditEvent({ id: '' })],
    headers: BATCHED,
  });
  assert.deepEqual(
    (decoded['errors'] as { index: number }[]).map(({ index }) => index),
    [1, 2],
  );
  const unknown = await api.refused('unknown-type', 'POST /v1/events', {
    body: [
      auditEvent(),
      auditEvent({ type: 'com.hpe.greenlake.audit-log.v1.logs.creatd' }),
      auditEvent({ type: 'nothing.like.it' }),
    ],
    headers: BATCHED,
  });
  assert.deepEqual(
    (unknown['errors'] as { index: number; pointer: string }[]).map(({ index, pointer }) => [index, pointer]),
    [
      [1, '/type'],
      [2, '/type'],
    ],
  );
  assert.match(String(unknown['detail']), /did you mean com\.hpe\.greenlake\.audit-log\.v1\.logs\.created\?/);
  assert.deepEqual((await api.expect(200, 'GET /v1/events'))['items'], []);
});

test(
  'R116 a batch of one unknown type is refused as soon as a single event, whatever the catalog',
  { timeout: 20_000 },
  async (t) => {
    const api = await startApi(t);
    const { settings } = api.platform.store;
    const rest = { service: null, description: '', schema: null, example: null, deprecation: null };
    const put = (type: string) =>
      settings.putType({ workspace: 1, type, schemaCheck: 'off' as const, ...rest }, Date.now());
    for (let n = 0; n < 200; n++) await put(`com.example.${n}.inventory.orders.v1.created`);
    const types = ['com.example.x.inventory.orders.v1.created', 'com.example.7.inventory.orders.v1.craeted'];
    const batch = Array.from({ length: 10_000 }, (_, n) => auditEvent({ type: types[n % 2], data: 0 }));
    const refused = await api.refused('unknown-type', 'POST /v1/events', { body: batch, headers: BATCHED });
    const faults = refused['errors'] as { detail: string }[];
    assert.equal(faults.length, 1_000);
    assert.ok(faults.every(({ detail }) => detail.includes('did you mean')));
  },
);

test('R49 the schema of a type is applied at publish: off, warn noted on the event, block names the pointer', async (t) => {
  const api = await startApi(t);
  const schema = { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } };
  const put = (schemaCheck: string) => api.ask('PUT /v1/event-types/com.example.n', { body: { schema, schemaCheck } });
  const publish = (n: unknown) => ({ body: auditEvent({ type: 'com.example.n', data: { n } }), headers: STRUCTURED });
  await put('block');
  await api.expect(202, 'POST /v1/events', publish(1));
  const refused = await api.refused('schema-mismatch', 'POST /v1/events', publish('one'));
  assert.equal((refused['errors'] as { pointer: string }[])[0]!.pointer, '/data/n');
  await put('warn');
  const warned = await api.expect(202, 'POST /v1/events', publish('one'));
  const [{ event, note }] = warned['accepted'] as [Accepted];
  assert.match(note!, /^data\/n must be/);
  assert.equal((await api.expect(200, `GET /v1/events/${event}`))['note'], note);
  await put('off');
  const unseen = await api.expect(202, 'POST /v1/events', publish('one'));
  assert.equal('note' in (unseen['accepted'] as [Accepted])[0], false);
});

test('R49 a check that comes to no verdict is not the publisher’s fault: 503, nothing stored, and the log says why', async (t) => {
  const api = await startApi(t, { schemas: { checkTimeout: '100ms' } });
  // Applied to { a: { a: … } } this takes twice as long with every level.
  const node = { allOf: [1, 2].map(() => ({ properties: { a: { $ref: '#/$defs/node' } } })) };
  const doubling = { $ref: '#/$defs/node', $defs: { node } };
  await api.expect(201, 'PUT /v1/event-types/com.example.slow', { body: { schema: doubling } });
  const slow = (data: unknown) => auditEvent({ type: 'com.example.slow', data });
  let endless: unknown = {};
  for (let level = 0; level < 60; level++) endless = { a: endless };
  await api.expect(202, 'POST /v1/events', { body: slow({}), headers: STRUCTURED });
  const late = await api.ask('POST /v1/events', { body: [auditEvent(), slow(endless)], headers: BATCHED });
  assert.deepEqual([late.status, late.json['code'], late.headers.get('retry-after')], [503, 'schema-timeout', '1']);
  assert.equal((late.json['errors'] as { index: number }[])[0]!.index, 1);

  const type = { workspace: 1, type: 'com.example.broken', service: null, description: '' };
  const broken = { ...type, schema: '{"$ref":"https://example.com/x"}', example: null, deprecation: null };
  const { settings } = api.platform.store;
  await settings.putType({ ...broken, schemaCheck: 'block' }, Date.now());
  const body = auditEvent({ type: 'com.example.broken' });
  const failed = await api.ask('POST /v1/events', { body, headers: STRUCTURED });
  assert.deepEqual([failed.status, failed.json['code'], failed.headers.get('retry-after')], [503, 'unavailable', '1']);
  assert.match(api.lines.join(''), /"level":"error"[^\n]*com\.example\.broken[^\n]*nothing is fetched/);
  await settings.putType({ ...broken, schemaCheck: 'warn' }, Date.now());
  const [{ note }] = (await api.expect(202, 'POST /v1/events', { body, headers: STRUCTURED }))['accepted'] as [
    Accepted,
  ];
  assert.match(note!, /could not be applied/);
  assert.equal(((await api.expect(200, 'GET /v1/events'))['items'] as unknown[]).length, 2);
});

test('API: the bytes of an event are kept and shown exactly; a trace is kept, a malformed one ignored', async (t) => {
  const api = await startApi(t);
  const text = `{ "specversion":"1.0",\n "id":"exact", "source":"s", "type":"${AUDIT}", "data": {"big":12345678901234567890, "e":1.0e2,\n"s":"\\u0041"} }`;
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const accepted = await api.expect(202, 'POST /v1/events', { body: text, headers: { ...STRUCTURED, traceparent } });
  const { event } = (accepted['accepted'] as [Accepted])[0];
  const exact = await api.ask(`GET /v1/events/${event}`, { headers: { accept: 'application/cloudevents+json' } });
  assert.equal(exact.text, text);
  assert.match(exact.headers.get('content-type') ?? '', /^application\/cloudevents\+json/);
  const shown = await api.ask(`GET /v1/events/${event}`);
  assert.ok(shown.text.includes('12345678901234567890'), 'no number is rounded on its way');
  assert.equal(shown.json['traceparent'], traceparent);
  for (const bad of [
    '00-0-0-01',
    traceparent.toUpperCase(),
    `ff${traceparent.slice(2)}`,
    `${traceparent}-x`,
    '00-' + '0'.repeat(32) + '-b7ad6b7169203331-01',
  ]) {
    const other = await api.expect(202, 'POST /v1/events', {
      body: auditEvent(),
      headers: { ...STRUCTURED, traceparent: bad },
    });
    const { event: id } = (other['accepted'] as [Accepted])[0];
    assert.equal((await api.expect(200, `GET /v1/events/${id}`))['traceparent'], null, bad);
  }
});

test('R48 the log is read by cursor, with filters, both ways; polling goes on where it was', async (t) => {
  const api = await startApi(t);
  const publish = (over: Record<string, unknown>) =>
    api.expect(202, 'POST /v1/events', { body: auditEvent(over), headers: STRUCTURED });
  await api.expect(201, 'PUT /v1/event-types/com.example.a', { body: {} });
  await api.expect(201, 'PUT /v1/event-types/com.example.b.c', { body: {} });
  for (let n = 0; n < 5; n++)
    await publish({ id: `p${n}`, type: n % 2 ? 'com.example.a' : 'com.example.b.c', source: n > 3 ? 'far' : 'near' });
  const read = async (query: string) => {
    const page = await api.expect(200, `GET /v1/events?${query}`);
    return {
      ids: (page['items'] as { id: string }[]).map(({ id }) => id),
      next: page['next'] as string | null,
      more: page['more'],
    };
  };
  const one = await read('limit=2');
  assert.deepEqual([one.ids, one.more], [['p0', 'p1'], true]);
  const two = await read(`limit=3&cursor=${one.next}`);
  assert.deepEqual(two.ids, ['p2', 'p3', 'p4']);
  const none = await read(`cursor=${two.next}`);
  assert.deepEqual([none.ids, none.more], [[], false]);
  await publish({ id: 'p5', type: 'com.example.a' });
  assert.deepEqual((await read(`cursor=${none.next}`)).ids, ['p5'], 'the end of the log is a cursor, too');
  assert.deepEqual((await read('type=com.example.a')).ids, ['p1', 'p3', 'p5']);
  assert.deepEqual((await read('type=com.example.*&source=near')).ids, ['p0', 'p1', 'p2', 'p3']);
  assert.deepEqual((await read('order=newest-first&limit=2')).ids, ['p5', 'p4']);
  const walked: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await read(`order=newest-first&limit=2${cursor && `&cursor=${cursor}`}`);
    walked.push(...page.ids);
    cursor = page.next;
  }
  assert.deepEqual(walked, ['p5', 'p4', 'p3', 'p2', 'p1', 'p0']);
  assert.deepEqual((await read('since=2000-01-01T00:00:00Z&until=2000-01-02T00:00:00Z')).ids, []);
});

test('API: a page of large events is cut by its bytes, and the next one goes on', async (t) => {
  const api = await startApi(t);
  const data = { text: 'x'.repeat(240_000) };
  for (let at = 0; at < 40; at += 10) {
    const batch = Array.from({ length: 10 }, (_, n) => auditEvent({ id: `big${at + n}`, data }));
    await api.expect(202, 'POST /v1/events', { body: batch, headers: BATCHED });
  }
  const ids: string[] = [];
  let pages = 0;
  for (let query = 'limit=500', more = true; more; pages++) {
    const page = await api.expect(200, `GET /v1/events?${query}`);
    ids.push(...(page['items'] as { id: string }[]).map(({ id }) => id));
    more = page['more'] as boolean;
    query = `limit=500&cursor=${String(page['next'])}`;
  }
  assert.equal(pages, 2);
  assert.deepEqual(
    ids,
    Array.from({ length: 40 }, (_, n) => `big${n}`),
  );
});

test('R115 what Bellwire says of itself nobody else can say, register or delete', async (t) => {
  const api = await startApi(t);
  const publish = (over: Record<string, unknown>) =>
    api.refused('foreign-type', 'POST /v1/events', { body: auditEvent(over), headers: STRUCTURED });
  await publish({ type: 'bellwire.webhook.critical' });
  await publish({ type: 'bellwire.unheard-of' });
  await publish({ source: 'bellwire' });
  await api.refused('foreign-type', 'PUT /v1/event-types/bellwire.mine', { body: {} });
  await api.refused('foreign-type', 'DELETE /v1/event-types/bellwire.delivery.dead');
  const { items } = await api.expect(200, 'GET /v1/event-types?service=bellwire');
  const types = items as { type: string; schema: { required: string[] }; example: Record<string, unknown> }[];
  assert.equal(types.length, 18);
  for (const { type, schema, example } of types) assert.deepEqual(Object.keys(example), schema.required, type);
});
