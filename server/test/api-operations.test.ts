// Operations over HTTP: begun, watched, cancelled, and what is refused with which words.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { eventually } from '../../test/kit/handler.ts';
import { startLife, type Life } from '../../test/kit/life.ts';
import { startReceiver, type TestReceiver } from '../../test/kit/receiver.ts';

type Json = Record<string, unknown>;

interface Ground {
  life: Life;
  endpoint: TestReceiver;
  webhook: string;
  /** Waits until an operation has ended; resolves it. */
  ended(begun: Json): Promise<Json>;
}

async function start(t: TestContext): Promise<Ground> {
  const life = await startLife(t);
  const endpoint = await startReceiver();
  t.after(() => endpoint.stop());
  const webhook = await life.webhook({ url: endpoint.url, verification: 'none', policy: { retryDelaysMs: [] } });
  return {
    life,
    endpoint,
    webhook,
    ended: ({ id }) =>
      eventually(`${String(id)} has ended`, async () => {
        const now = await life.expect(200, `GET /v1/operations/${String(id)}`);
        return now['state'] !== 'running' && now;
      }),
  };
}

const AGES_AGO = '2020-01-01T00:00:00Z';

test('recover, redrive and replay go through the engine: dead letters arrive under their ids, copies under new ones', async (t) => {
  const { life, endpoint, webhook, ended } = await start(t);
  await life.publish();
  await life.settled(webhook, 'delivered');
  endpoint.behave({ status: 500 });
  await life.publish();
  const [dead] = await life.settled(webhook, 'dead');
  await life.state(webhook, 'critical');
  endpoint.behave({});
  // Held, and recovered all the same: it arrives when the webhook is in service again.
  const begun = await life.expect(202, `POST /v1/webhooks/${webhook}/recover`, { body: { since: AGES_AGO } });
  assert.match(String(begun['note']), /^It begins at \S+Z, with the oldest event there is\. The webhook is critical/);
  assert.deepEqual([begun['kind'], begun['state'], begun['pace'], begun['until']], ['recover', 'running', 500, null]);
  const done = await ended(begun);
  assert.deepEqual(
    ['state', 'progress', 'looked', 'released', 'skipped', 'reason'].map((name) => done[name]),
    ['done', 1, 2, 1, 1, null],
  );
  await life.expect(200, `POST /v1/webhooks/${webhook}/disable`);
  await life.expect(200, `POST /v1/webhooks/${webhook}/enable`);
  await life.settled(webhook, 'delivered', 2);
  const attempts = await life.attempts(dead!['id'] as string);
  assert.deepEqual(
    attempts.map(({ attempt, status }) => [attempt, status]),
    [
      [1, 500],
      [2, 200],
    ],
  );

  endpoint.behave({ status: 500 });
  await life.publish();
  await life.settled(webhook, 'dead');
  endpoint.behave({});
  await life.expect(200, `POST /v1/webhooks/${webhook}/disable`);
  await life.expect(200, `POST /v1/webhooks/${webhook}/enable`);
  const redriven = await ended(await life.expect(202, `POST /v1/webhooks/${webhook}/redrive`));
  assert.equal(redriven['released'], 1);
  await life.settled(webhook, 'delivered', 3);
  const all = await ended(await life.expect(202, 'POST /v1/deliveries/redrive', { body: { since: AGES_AGO } }));
  assert.deepEqual([all['webhook'], all['looked']], [null, 0]);

  const before = endpoint.requests.length;
  const replayed = await ended(await life.expect(202, `POST /v1/webhooks/${webhook}/replay`));
  assert.deepEqual([replayed['looked'], replayed['released']], [3, 3]);
  const requests = (await endpoint.received(before + 3)).slice(before);
  const ids = requests.map(({ headers }) => String(headers['webhook-id']));
  assert.ok(
    ids.every((id) => /^dlv_[0-9a-z]+_[0-9a-z]+_[0-9a-z]+_1$/.test(id)),
    ids.join(),
  );
  const copies = await life.settled(webhook, 'delivered', 6);
  const delivered = new Set(copies.map(({ id }) => id));
  assert.deepEqual(
    ids.filter((id) => !delivered.has(id)),
    [],
  );
  const { items } = await life.expect(200, `GET /v1/operations?webhook=${webhook}`);
  assert.deepEqual(
    (items as Json[]).map(({ kind }) => kind),
    ['replay', 'redrive', 'recover'],
  );
});

test('bad input: a recover that starts before everything begins with the oldest event, and says so', async (t) => {
  const { life, endpoint, webhook, ended } = await start(t);
  const recover = `POST /v1/webhooks/${webhook}/recover`;
  const empty = await life.expect(202, recover, { body: { since: '0001-01-01T00:00:00Z' } });
  assert.equal(empty['note'], 'There is no event here.');
  assert.deepEqual([(await ended(empty))['state'], (await ended(empty))['looked']], ['done', 0]);
  endpoint.behave({ status: 500 });
  await life.publishMany(3);
  await life.settled(webhook, 'dead', 3);
  const whole = await ended(await life.expect(202, recover, { body: { since: '0001-01-01T00:00:00Z' } }));
  assert.match(String(whole['note']), /^It begins at \S+Z, with the oldest event there is\./);
  assert.deepEqual([whole['state'], whole['released']], ['done', 3]);
});

test('bad input: of two recovers at once one runs, the other is refused with its id', async (t) => {
  const { life, endpoint, webhook } = await start(t);
  endpoint.behave({ status: 500 });
  await life.publishMany(3);
  await life.settled(webhook, 'dead', 3);
  // So slow that it does not end before the others have asked.
  const recover = () => life.ask(`POST /v1/webhooks/${webhook}/recover`, { body: { since: AGES_AGO, pace: 1 } });
  const answers = await Promise.all([recover(), recover(), recover()]);
  const [begun, ...others] = answers.toSorted((a, b) => a.status - b.status);
  assert.deepEqual([begun!.status, ...others.map(({ status }) => status)], [202, 409, 409]);
  for (const { json } of others) {
    assert.equal(json['code'], 'operation-running');
    assert.ok(String(json['detail']).includes(String(begun!.json['id'])), String(json['detail']));
  }
  await life.expect(200, `POST /v1/operations/${String(begun!.json['id'])}/cancel`);
  assert.equal((await recover()).status, 202);
});

test('bad input: a recover that starts in the future, a span that holds nothing, what runs already: refused in a sentence', async (t) => {
  const { life, webhook } = await start(t);
  const recover = `POST /v1/webhooks/${webhook}/recover`;
  const refused = async (what: string, body: Json, words: RegExp) => {
    const { detail } = await life.refused('invalid-request', what, { body });
    assert.match(String(detail), words);
  };
  const future = new Date(Date.now() + 60_000).toISOString();
  await refused(recover, { since: '9999-12-31T23:59:59Z' }, /^since lies in the future/);
  await refused(recover, { since: future }, /^since lies in the future: it is \S+ here/);
  await refused(recover, {}, /"since" is required/);
  await refused(recover, { since: 'yesterday' }, /date-time/);
  await refused(recover, { since: AGES_AGO, pace: 0 }, /pace must be >= 1/);
  await refused(recover, { since: AGES_AGO, until: AGES_AGO }, /There is no "until" here/);
  const replay = `POST /v1/webhooks/${webhook}/replay`;
  await refused(replay, { since: AGES_AGO, until: AGES_AGO }, /until is not after since/);
  await life.refused('invalid-type-pattern', replay, { body: { type: 'com.*.x' } });
  await life.refused('invalid-filter', replay, { body: { filter: 'a equals 1' } });
  await life.refused('not-found', 'POST /v1/webhooks/wh_0000000000_9/recover', { body: { since: AGES_AGO } });
  await life.refused('not-found', 'GET /v1/operations/op_0000000000_9');
  await life.refused('invalid-cursor', 'GET /v1/operations?cursor=IngiCg');

  await life.publishMany(20);
  await life.settled(webhook, 'delivered', 20);
  const begun = await life.expect(202, replay, { body: { pace: 1 } });
  const { detail } = await life.refused('operation-running', replay, { body: { pace: 1 } });
  assert.match(String(detail), new RegExp(`^A replay of this webhook runs already, ${String(begun['id'])}: wait`));
  const of = (wish: string): string => `POST /v1/operations/${String(begun['id'])}/${wish}`;
  for (const [wish, state] of [
    ['pause', 'paused'],
    ['pause', 'paused'],
    ['resume', 'running'],
    ['resume', 'running'],
    ['pause', 'paused'],
  ] as const) {
    assert.equal((await life.expect(200, of(wish)))['state'], state);
  }
  const cancel = of('cancel');
  const cancelled = await life.expect(200, cancel);
  assert.deepEqual([cancelled['state'], cancelled['reason']], ['cancelled', 'Cancelled with the key "admin".']);
  assert.ok(Number(cancelled['released']) < 20);
  assert.equal((await life.expect(200, cancel))['endedAt'], cancelled['endedAt']);
  const other = await life.expect(202, replay, { body: { pace: 100_000 } });
  await eventually('it has ended', async () => {
    const now = await life.expect(200, `GET /v1/operations/${String(other['id'])}`);
    return now['state'] === 'done';
  });
  for (const wish of ['cancel', 'pause', 'resume']) {
    const { detail: words } = await life.refused('wrong-state', `POST /v1/operations/${String(other['id'])}/${wish}`);
    assert.equal(words, `It is done: there is nothing to ${wish}.`);
  }
  const { key } = await life.expect(201, 'POST /v1/keys', { body: { name: 'reader', scopes: ['read'] } });
  await life.refused('missing-scope', recover, { key: key as string, body: { since: AGES_AGO } });
});
