// The typed client against a running platform: every operation, errors, repeats, lists, and streams that come back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BellwireError, createClient, type Client, type StreamMessage } from '../src/client/index.ts';
import { AUDIT_LOG, startGround, startHandler, startProxy, type Handler } from './cli-ground.ts';

let ground: Awaited<ReturnType<typeof startGround>>;
let client: Client;
let handler: Handler;
const secret = 's3cr3tKey';

before(async () => {
  ground = await startGround();
  client = createClient({ url: ground.platform.url, key: ground.platform.adminKey });
  handler = await startHandler(secret);
});
after(async () => {
  await ground.stop();
  await handler.stop();
});

const data = { id: 'x', category: 'c', description: 'd', created_at: 1 };

async function refused(promise: Promise<unknown>): Promise<BellwireError> {
  return promise.then(
    () => assert.fail('it was not refused'),
    (error: unknown) => {
      assert.ok(error instanceof BellwireError, String(error));
      return error;
    },
  );
}

/** A fetch that answers what it is told, in turn, and then like the real one. */
function scripted(...answers: (Response | Error | (() => Promise<Response>))[]): typeof fetch & { calls: string[] } {
  const calls: string[] = [];
  const scripted = async (...request: Parameters<typeof fetch>): Promise<Response> => {
    calls.push(`${request[1]?.method} ${new URL(request[0] as string).pathname}`);
    const answer = answers.shift();
    if (answer === undefined) return fetch(...request);
    if (answer instanceof Error) throw answer;
    return answer instanceof Response ? answer : answer();
  };
  return Object.assign(scripted, { calls });
}

function clientWith(fetch: typeof globalThis.fetch, more: object = {}): Client {
  return createClient({ url: ground.platform.url, key: ground.platform.adminKey, fetch, ...more });
}

test('R49 R115 R117 the catalog: services and types are put, shown, listed and deleted', async () => {
  assert.equal((await client.services.put({ service: 'shop', description: 'Orders' })).description, 'Orders');
  const type = await client.eventTypes.put('shop.order.created', { service: 'shop', schema: { type: 'object' } });
  assert.deepEqual([type.owner, type.schemaCheck], ['installation', 'block']);
  assert.equal((await client.eventTypes.get('shop.order.created')).service, 'shop');
  const names = (await client.eventTypes.list().all()).map((one) => one.type);
  assert.ok(names.includes(AUDIT_LOG));
  assert.deepEqual((await client.eventTypes.list({ service: 'shop' }).all()).length, 1);
  assert.equal((await refused(client.services.delete('shop'))).code, 'in-use');
  assert.equal(await client.eventTypes.delete('shop.order.created'), null);
  assert.equal(await client.services.delete('shop'), null);
  assert.deepEqual(
    (await client.services.list().all()).map(({ service }) => service),
    ['bellwire', 'hpe-greenlake-platform'],
  );
});

test('R107 R110 R111 R113 R118 a webhook’s life: create, test, subscribe, deliver, pause, rotate, delete', async () => {
  const made = await client.webhooks.create({ name: 'life', url: handler.url, secret });
  assert.deepEqual([made.state, 'secret' in made], ['pending', false]);
  assert.deepEqual((await client.webhooks.test(made.id)).outcome.ok, true);
  const { id } = made;
  assert.equal((await client.webhooks.get(id)).state, 'active');
  const subscription = await client.subscriptions.create({ webhook: id, type: AUDIT_LOG });
  assert.deepEqual(await client.subscriptions.create({ webhook: id, type: AUDIT_LOG }), subscription);
  assert.deepEqual(await client.subscriptions.get(subscription.id), subscription);
  assert.deepEqual(await client.subscriptions.list({ webhook: id }).all(), [subscription]);

  const before = handler.events.length;
  const { accepted } = await client.events.publish({ source: '//client', type: AUDIT_LOG, data });
  const arrived = await handler.arrived(before + 1);
  assert.equal(arrived.at(-1)?.id, accepted[0]?.id);
  const [delivery] = await client.deliveries.list({ event: accepted[0]?.event }).all();
  assert.ok(delivery);
  const detail = await settled(delivery.id);
  assert.equal(detail.attempts[0]?.status, 200);
  assert.equal((await client.deliveries.retry(delivery.id)).outcome.ok, true);
  assert.equal((await client.webhooks.deliveries(id).page()).items[0]?.id, delivery.id);

  assert.equal((await client.webhooks.pause(id)).state, 'paused');
  assert.equal((await client.webhooks.resume(id)).intent, 'enabled');
  assert.equal((await client.webhooks.disable(id)).state, 'disabled');
  assert.equal((await client.webhooks.enable(id)).intent, 'enabled');
  assert.equal((await client.webhooks.change(id, { description: 'new' })).description, 'new');
  assert.match((await client.webhooks.rotate(id)).secret ?? '', /^whsec_/);
  assert.ok((await client.webhooks.changes(id).all()).length >= 4);
  assert.ok((await client.webhooks.list().all()).some((one) => one.id === id));
  assert.equal((await refused(client.webhooks.delete(id))).code, 'in-use');
  assert.equal(await client.webhooks.delete(id, { force: true }), null);
});

test('keys and workspaces: a key acts only where it may', async () => {
  await client.workspaces.create({ name: 'acme', limits: { webhooks: 1 } });
  assert.equal((await client.workspaces.limit('acme', { webhooks: 2 })).limits.webhooks, 2);
  assert.equal((await client.workspaces.get('acme')).name, 'acme');
  assert.deepEqual(
    (await client.workspaces.list().all()).map(({ name }) => name),
    ['default', 'acme'],
  );
  const made = await client.keys.create({ name: 'reader', scopes: ['read'], workspaces: ['acme'] });
  const reader = createClient({ url: ground.platform.url, key: made.key, workspace: 'acme' });
  assert.deepEqual(await reader.webhooks.list().all(), []);
  const error = await refused(reader.webhooks.create({ name: 'x', url: handler.url }));
  assert.deepEqual([error.status, error.code], [403, 'missing-scope']);
  const elsewhere = createClient({ url: ground.platform.url, key: made.key, workspace: 'default' });
  assert.equal((await refused(elsewhere.webhooks.list().all())).code, 'unknown-workspace');
  assert.ok((await client.keys.list().all()).some(({ id }) => id === made.id));
  await client.keys.delete(made.id);
  await client.workspaces.delete('acme');
  assert.equal((await refused(client.workspaces.get('acme'))).code, 'unknown-workspace');
});

test('R125 publish: one event, a batch, and bytes in binary mode that arrive as they are', async () => {
  const batch = await client.events.publish([
    { id: 'b1', source: '//client', type: AUDIT_LOG, data },
    { id: 'b1', source: '//client', type: AUDIT_LOG, data },
  ]);
  assert.deepEqual(
    batch.accepted.map(({ duplicate }) => duplicate),
    [false, true],
  );
  const exact = '{"n": 12345678901234567890.0,  "id":"é"}';
  const raw = await client.events.publish({
    attributes: {
      id: 'Euro € 😀 %',
      source: '//client',
      type: AUDIT_LOG,
      datacontenttype: 'application/json',
      extra: 'a b',
    },
    data: exact,
  });
  const event = raw.accepted[0]?.event as string;
  const shown = await client.events.get(event);
  assert.deepEqual([shown.id, (shown.envelope as { extra?: string }).extra], ['Euro € 😀 %', 'a b']);
  const bytes = new TextDecoder().decode(await client.events.bytes(event));
  assert.ok(bytes.includes(exact), bytes);
  const text = JSON.stringify({ specversion: '1.0', id: 't1', source: '//client', type: AUDIT_LOG });
  const own = await client.events.publishText(text, 'application/cloudevents+json');
  assert.equal(own.accepted[0]?.id, 't1');
  const fault = await refused(
    client.events.publish([
      { source: '//client', type: AUDIT_LOG },
      { source: '', type: 'nope' },
    ]),
  );
  assert.equal(fault.errors[0]?.index, 1);
});

test('lists turn their pages by themselves, in both directions, and end', async () => {
  for (let i = 0; i < 7; i++) await client.events.publish({ id: `p${i}`, source: '//pages', type: AUDIT_LOG, data });
  const ids = async (order: 'oldest-first' | 'newest-first') =>
    (await client.events.list({ source: '//pages', limit: 2, order }).all()).map(({ id }) => id);
  const forward = ['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6'];
  assert.deepEqual(await ids('oldest-first'), forward);
  assert.deepEqual(await ids('newest-first'), forward.toReversed());
  const page = await client.events.list({ source: '//pages', limit: 3, order: 'newest-first' }).page();
  assert.deepEqual([page.items.length, page.more], [3, true]);
  const seen: string[] = [];
  for await (const event of client.events.list({ source: '//pages', limit: 2 })) {
    seen.push(event.id);
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, forward.slice(0, 3));
});

test('errors carry status, code, detail and the faults one by one', async () => {
  const bad = await refused(client.webhooks.create({ name: '', url: '' }));
  assert.deepEqual([bad.status, bad.code], [400, 'invalid-request']);
  assert.deepEqual(new Set(bad.errors.map(({ pointer }) => pointer)), new Set(['/name', '/url']));
  const near = await refused(client.eventTypes.get(AUDIT_LOG.slice(0, -1)));
  assert.match(near.detail, /did you mean/);
  assert.equal((await refused(client.eventTypes.get('..'))).code, 'not-found');
  assert.equal(
    (await refused(createClient({ url: ground.platform.url, key: 'bw_no' }).webhooks.list().all())).status,
    401,
  );
  assert.throws(() => createClient({ url: 'not an address' }), BellwireError);
  const named = /^BellwireError: The address has a user or a password in it; the key says who asks\.$/;
  assert.throws(() => createClient({ url: 'http://bell:hunter2@127.0.0.1' }), named);
});

test('nobody there, and somebody else there, are told apart', async () => {
  const nobody = await refused(createClient({ url: 'http://127.0.0.1:1', retries: 0 }).services.list().all());
  assert.deepEqual([nobody.status, nobody.code], [0, 'unreachable']);
  assert.match(nobody.detail, /^http:\/\/127\.0\.0\.1:1 does not answer: /);
  const other = await refused(createClient({ url: handler.url, retries: 0 }).services.list().all());
  assert.deepEqual([other.status, other.code], [405, 'unexpected-answer']);
  const html = clientWith(scripted(new Response('<html>', { status: 200 })));
  assert.equal((await refused(html.services.put({ service: 'x' }))).code, 'unexpected-answer');
});

test('what may be done twice is repeated, what may not is not', async () => {
  const lost = () => new TypeError('fetch failed');
  const reads = scripted(lost(), new Response('', { status: 503 }));
  await clientWith(reads).services.list().all();
  assert.equal(reads.calls.length, 3);
  const publishes = scripted(lost());
  const { accepted } = await clientWith(publishes).events.publish({ source: '//twice', type: AUDIT_LOG, data });
  assert.deepEqual([publishes.calls.length, accepted.length], [2, 1]);
  const creates = scripted(lost());
  const webhook = { name: 'twice', url: handler.url, secret };
  assert.equal((await refused(clientWith(creates).webhooks.create(webhook))).code, 'unreachable');
  assert.equal(creates.calls.length, 1);
  const keyed = scripted(lost());
  const made = await clientWith(keyed).webhooks.create(webhook, { idempotencyKey: 'once' });
  assert.equal(keyed.calls.length, 2);
  assert.equal((await client.webhooks.create(webhook, { idempotencyKey: 'once' })).id, made.id);
  // The first DELETE was done although its answer was lost: what the second finds is what was wanted.
  const deletes = scripted(async () => {
    await client.webhooks.delete(made.id);
    throw lost();
  });
  assert.equal(await clientWith(deletes).webhooks.delete(made.id), null);
  assert.equal((await refused(client.webhooks.delete(made.id))).code, 'not-found');
  const five = scripted(...Array.from({ length: 5 }, lost));
  await refused(clientWith(five, { retries: 1 }).services.list().all());
  assert.equal(five.calls.length, 2);
});

test('Retry-After is obeyed where it is short, and handed on where it is long', async () => {
  const problem = (seconds: number) =>
    Response.json(
      { code: 'over-quota', detail: 'used up', status: 429 },
      { status: 429, headers: { 'retry-after': `${seconds}` } },
    );
  const short = scripted(problem(0));
  await clientWith(short).webhooks.list().all();
  assert.equal(short.calls.length, 2);
  const long = await refused(
    clientWith(scripted(problem(3600)))
      .webhooks.list()
      .all(),
  );
  assert.deepEqual([long.code, long.retryAfterMs], ['over-quota', 3_600_000]);
});

test('a call ends with its signal, also while it waits for a repeat', async () => {
  const ending = new AbortController();
  const waits = clientWith(scripted(new TypeError('fetch failed'), new TypeError('fetch failed')));
  const listing = waits.services.list({ signal: ending.signal }).all();
  ending.abort(new Error('enough'));
  await assert.rejects(listing, /enough/);
});

test('the stream shows events and outcomes, comes back after a break and skips nothing', async (t) => {
  const proxy = await startProxy(ground.platform.url);
  t.after(() => proxy.stop());
  const far = createClient({ url: proxy.url, key: ground.platform.adminKey });
  const ending = new AbortController();
  let breaks = 0;
  const stream = far.stream({ type: 'stream.*', signal: ending.signal, onBreak: () => breaks++ });
  await client.eventTypes.put('stream.test', {});
  const publish = (id: string) => client.events.publish({ id, source: '//stream', type: 'stream.test' });
  const next = async (): Promise<string | undefined> => {
    const { value } = await stream.next();
    return (value as StreamMessage & { kind: 'event' }).event.id;
  };
  const first = next();
  // Published while the stream is being opened: it begins at a known event, so nothing is missed whatever comes first.
  await untilConnected(proxy.connections);
  await publish('s1');
  assert.equal(await first, 's1');
  proxy.cut(true);
  await publish('s2');
  const second = next();
  await publish('s3');
  proxy.cut(false);
  assert.equal(await second, 's2');
  assert.equal(await next(), 's3');
  assert.equal(breaks, 1);
  const last = stream.next();
  ending.abort();
  assert.deepEqual(await last, { value: undefined, done: true });
});

test('the stream refuses what the platform refuses, and an unreachable platform at once', async () => {
  const wrong = createClient({ url: ground.platform.url, key: 'bw_no' });
  assert.equal((await refused(wrong.stream().next())).status, 401);
  const nobody = createClient({ url: 'http://127.0.0.1:1', retries: 0 });
  assert.equal((await refused(nobody.stream({ after: '0' }).next())).code, 'unreachable');
  assert.equal((await refused(client.stream({ after: 'wh_0000000000_1' }).next())).code, 'not-found');
});

/** What an attempt came to is written down a little after it happened. */
async function settled(id: string): ReturnType<Client['deliveries']['get']> {
  for (;;) {
    const delivery = await client.deliveries.get(id);
    if (delivery.endedAt !== null) return delivery;
  }
}

/** The stream's own connection is the second: the first asked where the log ends. */
async function untilConnected(connections: () => number): Promise<void> {
  while (connections() < 1) await new Promise((resolve) => setImmediate(resolve));
}
