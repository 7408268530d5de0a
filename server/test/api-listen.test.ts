// Listening over HTTP: a webhook's requests as they would be sent, answers that decide about deliveries, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerChallenge, createVerifier } from '@bellwire/receiver';
import { startLife, type Life } from '../../test/kit/life.ts';
import { eventually } from '../../test/kit/handler.ts';
import { startEndpoint } from '../../test/kit/endpoint.ts';

type Json = Record<string, unknown>;

interface Item extends Json {
  relay: string;
  method: string;
  headers: [string, string][];
  body: string;
}

const SECRET = 's3cr3tKey';
const JSON_HEADERS = [['content-type', 'application/json']];
const STANDARD = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/** Whoever listens for one webhook, turn by turn. */
interface Ear {
  name: string;
  hear(): Promise<Item[]>;
  answer(item: Item, said: Json): Promise<string | null>;
}

async function listenTo(life: Life, webhook: string, begin: Json = {}): Promise<Ear> {
  const first = await life.expect(200, `POST /v1/webhooks/${webhook}/listen`, { body: begin });
  const name = first['listener'] as string;
  const { takeOver } = begin;
  return {
    name,
    async hear() {
      const body = { listener: name, waitMs: 10_000, ...(takeOver === undefined ? {} : { takeOver }) };
      return (await life.expect(200, `POST /v1/webhooks/${webhook}/listen`, { body }))['items'] as Item[];
    },
    async answer({ relay }, said) {
      const body = { listener: name, items: [{ relay, durationMs: 7, ...said }] };
      const { items } = await life.expect(200, `POST /v1/webhooks/${webhook}/answers`, { body });
      return (items as { code: string | null }[])[0]!.code;
    },
  };
}

async function make(life: Life, body: Json = {}): Promise<string> {
  const made = await life.expect(201, 'POST /v1/webhooks', {
    body: { name: 'dev', mode: 'listen', secret: SECRET, ...body },
  });
  await life.subscribe(made['id'] as string);
  return made['id'] as string;
}

/** One that need not prove itself. */
function makeTrusted(life: Life, body: Json = {}): Promise<string> {
  return make(life, { verification: 'none', secret: STANDARD, ...body });
}

const bytesOf = ({ body }: Item): Buffer => Buffer.from(body, 'base64');
const headerOf = ({ headers }: Item, name: string): string | undefined => headers.find(([one]) => one === name)?.[1];
const said = (text: string): string => Buffer.from(text).toString('base64');

test('listen: the handler proves itself through its listener; a delivery is signed, and its answer is the attempt', async (t) => {
  const life = await startLife(t);
  const webhook = await make(life);
  await life.refused('wrong-state', `POST /v1/webhooks/${webhook}/test`);
  const event = await life.publish({ id: 'heard-1', data: { n: 12345678901234567890n.toString() } });
  const ear = await listenTo(life, webhook);

  // Nothing is challenged but what asks for it, and nothing is sent before it has proved itself.
  const wrong = life.expect(200, `POST /v1/webhooks/${webhook}/test`);
  const [asked] = await ear.hear();
  assert.equal(
    await ear.answer(asked!, { status: 200, headers: JSON_HEADERS, body: said('{"verification":"no"}') }),
    null,
  );
  assert.equal(((await wrong)['outcome'] as Json)['ok'], false);
  await life.state(webhook, 'critical');
  const right = life.expect(200, `POST /v1/webhooks/${webhook}/test`);
  const [again] = await ear.hear();
  const { body } = (await answerChallenge(SECRET, JSON.parse(bytesOf(again!).toString())))!;
  assert.equal(await ear.answer(again!, { status: 200, headers: JSON_HEADERS, body: said(body) }), null);
  assert.deepEqual([((await right)['outcome'] as Json)['ok'], (await right)['state']], [true, 'active']);

  const [request] = await ear.hear();
  assert.deepEqual(
    [request!.method, headerOf(request!, 'content-type')],
    ['POST', 'application/cloudevents+json; charset=utf-8'],
  );
  const verdict = await createVerifier({ secret: SECRET })({
    headers: new Headers(request!.headers),
    body: bytesOf(request!),
  });
  assert.equal(verdict.ok, true);
  assert.equal((JSON.parse(bytesOf(request!).toString()) as Json)['id'], 'heard-1');
  const answered = { status: 200, headers: [['X-Own', 'yes\u0007']], body: said('thanks'), bodyBytes: 6 };
  assert.equal(await ear.answer(request!, answered), null);
  assert.equal(await ear.answer(request!, answered), 'already-answered');
  const [delivery] = await life.settled(webhook, 'delivered');
  assert.deepEqual([delivery!['event'], delivery!['id']], [event, headerOf(request!, 'webhook-id')]);
  const [attempt] = await life.attempts(delivery!['id'] as string);
  assert.deepEqual([attempt!['status'], attempt!['durationMs'], attempt!['error']], [200, 7, null]);
  assert.match(JSON.stringify(attempt), /"x-own":"yes\ufffd"|\["x-own","yes\ufffd"\]/);
});

test('listen: failures are retried by the plan under one id, 410 disables, who leaves costs no try', async (t) => {
  const life = await startLife(t);
  const webhook = await makeTrusted(life, { policy: { retryDelaysMs: [20, 20, 20] } });
  const ear = await listenTo(life, webhook);
  await life.publish();
  const [refused] = await ear.hear();
  assert.equal(await ear.answer(refused!, { failure: 'connection-refused' }), null);
  const [second] = await ear.hear();
  assert.equal(headerOf(second!, 'webhook-id'), headerOf(refused!, 'webhook-id'));
  assert.notEqual(second!.relay, refused!.relay);

  // It leaves with a request in its hands: the next one gets it, and the try is not used up.
  await life.expect(204, `POST /v1/webhooks/${webhook}/leave`, { body: { listener: ear.name } });
  const next = await listenTo(life, webhook);
  const [third] = await next.hear();
  assert.equal(headerOf(third!, 'webhook-id'), headerOf(refused!, 'webhook-id'));
  assert.equal(await ear.answer(second!, { status: 200 }), 'not-found');
  assert.equal(await ear.answer(third!, { status: 200 }), 'lease-lost');
  assert.equal(await next.answer(third!, { status: 410 }), null);
  await life.state(webhook, 'disabled');
  const [delivery] = await life.settled(webhook, 'held');
  const errors = (await life.attempts(delivery!['id'] as string)).map(({ error }) => error);
  assert.deepEqual(errors, [
    'refused the connection',
    'was given up: its listener left before it had answered',
    'answered 410: it is gone and wants nothing more',
  ]);
});

test('listen: the newest listener is the one; who hangs up while it waits has left; what comes meanwhile waits', async (t) => {
  const life = await startLife(t);
  const webhook = await makeTrusted(life);
  const former = await listenTo(life, webhook);
  const ear = await listenTo(life, webhook);
  const body = { listener: former.name };
  await life.refused('listener-replaced', `POST /v1/webhooks/${webhook}/listen`, { body });
  const hungUp = AbortSignal.timeout(200);
  const waiting = fetch(`${life.url}/v1/webhooks/${webhook}/listen`, {
    method: 'POST',
    headers: { authorization: `Bearer ${life.platform.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ listener: ear.name, waitMs: 20_000 }),
    signal: hungUp,
  });
  await assert.rejects(waiting);
  await eventually('nobody listens', async () => {
    const { listenedUntil } = await life.expect(200, `GET /v1/webhooks/${webhook}`);
    return Date.parse(listenedUntil as string) <= Date.now();
  });
  await life.publish();
  await life.settled(webhook, 'scheduled');
  // One that was away goes on under its name.
  const [request] = await ear.hear();
  assert.equal(await ear.answer(request!, { status: 204 }), null);
  await life.settled(webhook, 'delivered');
});

test('listen: a webhook with a URL is taken over for as long as somebody listens; its health and its headers are its own', async (t) => {
  const life = await startLife(t);
  const endpoint = await startEndpoint();
  t.after(() => endpoint.stop());
  const headers = { 'x-team': 'very-secret-team' };
  const webhook = await life.webhook({
    url: endpoint.url,
    verification: 'none',
    secret: STANDARD,
    authorization: 'Bearer of-the-endpoint',
    headers,
  });
  await life.refused('wrong-state', `POST /v1/webhooks/${webhook}/listen`);
  const ear = await listenTo(life, webhook, { takeOver: true });
  await life.publish({ id: 'taken' });
  const [request] = await ear.hear();
  assert.doesNotMatch(JSON.stringify(request), /of-the-endpoint|very-secret-team/);
  assert.ok(headerOf(request!, 'webhook-signature'));
  // It cannot speak for the endpoint: a 410 is a failure as any other.
  assert.equal(await ear.answer(request!, { status: 410 }), null);
  await eventually('it was tried', async () => {
    const [delivery] = await life.deliveries(webhook);
    return delivery!['attemptCount'] === 1;
  });
  assert.equal((await life.expect(200, `GET /v1/webhooks/${webhook}`))['state'], 'active');
  await life.expect(204, `POST /v1/webhooks/${webhook}/leave`, { body: { listener: ear.name } });
  await life.publish({ id: 'given-back' });
  await eventually('the URL is sent to again', () => endpoint.taken('/').events.has('given-back'));
});

test('listen: what is wrong is refused in words, and what is somebody else’s is not there', async (t) => {
  const life = await startLife(t);
  const webhook = await makeTrusted(life);
  const ear = await listenTo(life, webhook);
  const at = (what: string): string => `POST /v1/webhooks/${webhook}/${what}`;
  await life.publish();
  const [item] = await ear.hear();
  const { relay } = item!;
  const wrong: Json[] = [
    { relay, durationMs: 1, status: 99 },
    { relay, durationMs: 1, status: 1000 },
    { relay, durationMs: 1, status: 200, body: 'not base64!' },
    { relay, durationMs: 1, status: 200, body: 'A'.repeat(24_004) },
    { relay, durationMs: -1, status: 200 },
    { relay, durationMs: 1 },
    { relay, durationMs: 1, status: 200, failure: 'timeout' },
    { relay, durationMs: 1, failure: 'gremlins' },
    { relay, durationMs: 1, status: 200, headers: [['alone']] },
  ];
  for (const one of wrong) {
    await life.refused('invalid-request', at('answers'), { body: { listener: ear.name, items: [one] } });
  }
  await life.refused('invalid-request', at('answers'), { body: { listener: ear.name, items: [] } });
  await life.refused('invalid-request', at('listen'), { body: { waitMs: 60_000 } });
  const keyed = { body: {}, headers: { 'idempotency-key': 'one' } };
  await life.refused('invalid-request', at('listen'), keyed);
  const foreign = { listener: 'somebody', items: [{ relay, durationMs: 1, status: 200 }] };
  const { items } = await life.expect(200, at('answers'), { body: foreign });
  assert.deepEqual(items, [{ relay, ok: false, code: 'lease-lost' }]);
  assert.equal(await ear.answer({ ...item!, relay: 'nobody' }, { status: 200 }), 'not-found');

  await life.expect(201, 'POST /v1/workspaces', { body: { name: 'neighbour' } });
  const next = { headers: { 'bellwire-workspace': 'neighbour' } };
  for (const [what, body] of [
    ['listen', {}],
    ['answers', foreign],
    ['leave', { listener: ear.name }],
  ] as const) {
    await life.refused('not-found', at(what), { body, ...next });
  }
  const { key } = await life.expect(201, 'POST /v1/keys', { body: { name: 'reader', scopes: ['read'] } });
  await life.refused('missing-scope', at('listen'), { body: {}, key: key as string });
  await life.refused('invalid-request', 'POST /v1/webhooks', {
    body: { name: 'no', mode: 'listen', url: 'http://127.0.0.1:1/' },
  });
  const pulled = await life.expect(201, 'POST /v1/webhooks', { body: { name: 'fetched', mode: 'pull' } });
  await life.refused('wrong-state', `POST /v1/webhooks/${pulled['id']}/listen`);
  // Still to be answered after all that, and rightly.
  assert.equal(await ear.answer(item!, { status: 200 }), null);
  await life.settled(webhook, 'delivered');
});
