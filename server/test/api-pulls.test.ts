// Pulling over HTTP: made, handed out, waited for, acknowledged; and what is refused with which code.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createClient } from '../src/client/index.ts';
import { AUDIT, startLife, type Life } from '../../test/kit/life.ts';

type Json = Record<string, unknown>;
type Item = Json & { id: string; lease: string; envelope: Json };

interface Ground {
  life: Life;
  webhook: string;
  /** A key that may pull and nothing else. */
  key: string;
  post(what: string, body?: Json): Promise<Json>;
  pull(body?: Json): Promise<Item[]>;
}

async function start(t: TestContext): Promise<Ground> {
  const life = await startLife(t);
  const made = await life.expect(201, 'POST /v1/webhooks', {
    body: { name: 'fetched', mode: 'pull', policy: { retryDelaysMs: [0] } },
  });
  assert.deepEqual([made['state'], made['mode'], made['url'], made['secret']], ['active', 'pull', '', undefined]);
  const webhook = made['id'] as string;
  await life.subscribe(webhook);
  const { key } = await life.expect(201, 'POST /v1/keys', { body: { name: 'consumer', scopes: ['pull'] } });
  const post = (what: string, body: Json = {}) =>
    life.expect(200, `POST /v1/webhooks/${webhook}/${what}`, { body, key: key as string });
  return {
    life,
    webhook,
    key: key as string,
    post,
    pull: async (body) => (await post('pull', body))['items'] as Item[],
  };
}

const claim = ({ id, lease }: Item): Json => ({ id, lease });

test('pull: the event as published, under the id of its delivery; acknowledged it is delivered, and shown as any', async (t) => {
  const { life, webhook, post, pull } = await start(t);
  const event = await life.publish({ id: 'pulled-1', data: { n: 1, big: 12345678901234567890n.toString() } });
  const [item, ...none] = await pull();
  assert.deepEqual([item!['event'], item!['attempt'], item!['type'], none], [event, 1, AUDIT, []]);
  assert.deepEqual([item!.envelope['id'], item!.envelope['data']], ['pulled-1', { n: 1, big: '12345678901234567890' }]);
  assert.deepEqual(await pull(), []);
  const [scheduled] = await life.settled(webhook, 'scheduled');
  assert.deepEqual([scheduled!['id'], scheduled!['attemptCount']], [item!.id, 1]);
  assert.deepEqual(await post('extend', { items: [claim(item!)], leaseMs: 60_000 }), {
    items: [{ id: item!.id, ok: true, code: null }],
  });
  await post('ack', { items: [claim(item!)] });
  await life.settled(webhook, 'delivered');
  const [attempt] = await life.attempts(item!.id);
  assert.deepEqual([attempt!['error'], attempt!['status'], attempt!['manual']], [null, null, false]);
  const again = await post('ack', { items: [claim(item!), { id: 'dlv_0000000000_1_2', lease: 'x' }] });
  assert.deepEqual(
    (again['items'] as Json[]).map(({ ok, code }) => [ok, code]),
    [
      [false, 'already-delivered'],
      [false, 'not-found'],
    ],
  );
});

test('pull: it waits for the first one, for its time and no longer, and for what is paused', async (t) => {
  const { life, webhook, key, pull } = await start(t);
  const waiting = pull({ waitMs: 20_000 });
  await life.publish({ id: 'waited-for' });
  assert.deepEqual(
    (await waiting).map(({ envelope }) => envelope['id']),
    ['waited-for'],
  );
  const startedAt = performance.now();
  assert.deepEqual(await pull({ waitMs: 150 }), []);
  assert.ok(performance.now() - startedAt >= 140);
  await life.expect(200, `POST /v1/webhooks/${webhook}/pause`);
  await life.publish();
  const paused = await life.expect(200, `POST /v1/webhooks/${webhook}/pull`, { key, body: { waitMs: 60 } });
  assert.deepEqual(paused, { items: [], state: 'paused' });
  await life.settled(webhook, 'held', 2);
  await life.expect(200, `POST /v1/webhooks/${webhook}/resume`);
  assert.equal((await pull()).length, 1);

  // Who hangs up is handed nothing.
  const client = createClient({ url: life.url, key });
  const gone = client.webhooks.pull(webhook, { waitMs: 20_000 }, { signal: AbortSignal.timeout(100) });
  await assert.rejects(gone);
  // Its connection is gone; one round trip later that is known.
  await life.expect(200, 'GET /healthz');
  await life.publish({ id: 'for-the-next' });
  assert.deepEqual(
    (await pull({ limit: 500 })).map(({ envelope }) => envelope['id']),
    ['for-the-next'],
  );
});

test('pull: returned it comes again, after the last try it is a dead letter, and a redrive brings it back', async (t) => {
  const { life, webhook, post, pull } = await start(t);
  await life.publish();
  const [first] = await pull();
  await post('return', { items: [claim(first!)], reason: 'the database is away' });
  const [second] = await pull();
  assert.deepEqual([second!.id, second!['attempt']], [first!.id, 2]);
  const late = await post('ack', { items: [claim(first!)] });
  assert.deepEqual(late['items'], [{ id: first!.id, ok: false, code: 'lease-lost' }]);
  await post('return', { items: [claim(second!)] });
  const [dead] = await life.settled(webhook, 'dead');
  assert.equal(dead!['reason'], 'returned');
  const attempts = await life.attempts(first!.id);
  assert.deepEqual(
    attempts.map(({ error }) => error),
    ['returned: the database is away', 'returned'],
  );
  await life.expect(202, `POST /v1/webhooks/${webhook}/redrive`);
  const [third] = await pull({ waitMs: 10_000 });
  assert.deepEqual([third!.id, third!['attempt']], [first!.id, 3]);
  await post('ack', { items: [claim(third!)] });
  await life.settled(webhook, 'delivered');
});

test('bad input: a lease of somebody else: each claim has its verdict, and the rightful one stands', async (t) => {
  const { life, webhook, key, post, pull } = await start(t);
  const made = { body: { name: 'other', mode: 'pull' } };
  const other = String((await life.expect(201, 'POST /v1/webhooks', made))['id']);
  await life.subscribe(other);
  await life.publishMany(2);
  const [mine, second] = (await pull({ limit: 2 })) as [Item, Item];
  const asked = { body: { limit: 2 }, key };
  const [theirs] = (await life.expect(200, `POST /v1/webhooks/${other}/pull`, asked))['items'] as [Item];
  const claims = [
    { id: mine.id, lease: second.lease },
    { id: second.id, lease: theirs.lease },
    { id: mine.id, lease: 'made-up' },
    claim(theirs),
  ];
  for (const wish of ['ack', 'return', 'extend']) {
    const body = { items: claims, ...(wish === 'extend' ? { leaseMs: 60_000 } : {}) };
    const { items } = await post(wish, body);
    const verdicts = (items as Json[]).map(({ ok, code }) => [ok, code]);
    const lost = [false, 'lease-lost'];
    assert.deepEqual(verdicts, [lost, lost, lost, [false, 'not-found']], wish);
  }
  for (const [of, item] of [
    [webhook, mine],
    [webhook, second],
    [other, theirs],
  ] as const) {
    const done = await life.expect(200, `POST /v1/webhooks/${of}/ack`, { body: { items: [claim(item)] }, key });
    assert.deepEqual(done['items'], [{ id: item.id, ok: true, code: null }]);
  }
});

test('pull: what makes no sense is refused by name, and every key needs its scope', async (t) => {
  const { life, webhook, key } = await start(t);
  const path = `POST /v1/webhooks/${webhook}/pull`;
  for (const [body, words] of [
    [{ limit: 0 }, /limit must be >= 1/],
    [{ limit: 501 }, /limit must be <= 500/],
    [{ waitMs: 30_001 }, /waitMs must be <= 30000/],
    [{ leaseMs: 999 }, /leaseMs must be >= 1000/],
    [{ wait: 1 }, /There is no "wait" here; did you mean waitMs\?/],
  ] as const) {
    assert.match(String((await life.refused('invalid-request', path, { body, key }))['detail']), words);
  }
  await life.refused('invalid-request', `POST /v1/webhooks/${webhook}/ack`, { key, body: { items: [] } });
  const repeated = { key, body: { waitMs: 10 }, headers: { 'idempotency-key': 'once' } };
  assert.match(String((await life.refused('invalid-request', path, repeated))['detail']), /takes no Idempotency-Key/);
  await life.refused('missing-scope', 'GET /v1/deliveries', { key });
  const { key: reader } = await life.expect(201, 'POST /v1/keys', { body: { name: 'r', scopes: ['read', 'manage'] } });
  await life.refused('missing-scope', path, { key: reader as string });
  const both = {
    name: 'both',
    mode: 'pull',
    url: 'https://hooks.example.com/',
    headers: {},
    policy: { timeoutMs: 500 },
  };
  const { errors } = await life.refused('invalid-request', 'POST /v1/webhooks', { body: both });
  assert.deepEqual(
    (errors as Json[]).map(({ pointer }) => pointer),
    ['/url', '/headers', '/policy/timeoutMs'],
  );
  await life.refused('invalid-request', 'POST /v1/webhooks', { body: { name: 'neither' } });
  await life.refused('invalid-request', `PATCH /v1/webhooks/${webhook}`, {
    body: { url: 'https://hooks.example.com/' },
  });
  await life.expect(200, `PATCH /v1/webhooks/${webhook}`, { body: { policy: { retryDelaysMs: [1] } } });
  for (const wish of ['test', 'rotate']) await life.refused('wrong-state', `POST /v1/webhooks/${webhook}/${wish}`);
  const pushed = await life.webhook({ url: 'http://127.0.0.1:8009/', verification: 'none' });
  await life.refused('wrong-state', `POST /v1/webhooks/${pushed}/pull`, { key });
  await life.publish();
  const [{ id }] = (await life.deliveries(webhook)) as [Json];
  await life.refused('wrong-state', `POST /v1/deliveries/${String(id)}/retry`);
});
