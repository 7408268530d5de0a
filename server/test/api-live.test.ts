// Deliveries over the API, and the live stream: what happened, what happens, and where a reader goes on.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { testClock } from '../../test/kit/clock.ts';
import { eventually } from '../../test/kit/handler.ts';
import { startReceiver } from '../../test/kit/receiver.ts';
import { AUDIT, auditEvent, BATCHED, startApi, STRUCTURED, type ApiGround } from './api-ground.ts';

interface Message {
  id?: string;
  event?: string;
  data: Record<string, unknown>;
}

/** Opens the stream and hands out its messages one by one. */
async function openStream(
  t: TestContext,
  api: ApiGround,
  { path = '/v1/stream', lastEventId = '', key = api.platform.adminKey } = {},
) {
  const abort = new AbortController();
  t.after(() => abort.abort());
  const response = await fetch(api.url + path, {
    headers: {
      authorization: `Bearer ${key}`,
      ...(lastEventId === '' ? {} : { 'last-event-id': lastEventId }),
    },
    signal: abort.signal,
  });
  assert.equal(response.status, 200);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  async function next(kind = 'event'): Promise<Message | null> {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end < 0) {
        const { value, done } = await reader.read();
        if (done) return null;
        text += value;
        continue;
      }
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field('data');
      if (data === undefined || field('event') !== kind) continue;
      return { id: field('id'), event: field('event'), data: JSON.parse(data) as Record<string, unknown> };
    }
  }
  return { response, next, stop: () => abort.abort() };
}

/** A webhook that need not prove itself, subscribed to the audit log. */
async function subscribed(api: ApiGround, url: string, policy: object = {}): Promise<string> {
  const body = { name: 'sheet', url, verification: 'none', policy };
  const id = (await api.expect(201, 'POST /v1/webhooks', { body }))['id'] as string;
  await api.expect(201, 'POST /v1/subscriptions', { body: { webhook: id, type: AUDIT } });
  return id;
}

const publish = (api: ApiGround, id: string) =>
  api.expect(202, 'POST /v1/events', { body: auditEvent({ id }), headers: STRUCTURED });

test('R48 the stream is live, resumes after Last-Event-ID and skips nothing', async (t) => {
  const api = await startApi(t);
  await publish(api, 'before');
  const live = await openStream(t, api);
  assert.match(live.response.headers.get('content-type') ?? '', /^text\/event-stream/);
  await publish(api, 'one');
  const one = await live.next();
  assert.deepEqual([one!.data['id'], one!.data['event']], ['one', one!.id], 'it begins now, not with the past');
  live.stop();
  for (let n = 0; n < 5; n++) {
    const batch = Array.from({ length: 50 }, (_, i) => auditEvent({ id: `b${n * 50 + i}` }));
    await api.expect(202, 'POST /v1/events', { body: batch, headers: BATCHED });
  }
  const resumed = await openStream(t, api, { lastEventId: one!.id });
  for (let n = 0; n < 250; n++) assert.equal((await resumed.next())!.data['id'], `b${n}`);
  const all = await openStream(t, api, { path: '/v1/stream?after=0' });
  assert.equal((await all.next())!.data['id'], 'before');
  await api.refused('not-found', 'GET /v1/stream?after=evt_0000000000_1');
  await api.refused('not-found', 'GET /v1/stream?after=7');
});

test('R48 readers of one workspace see its events only, by type where they ask for it', async (t) => {
  const api = await startApi(t);
  await api.expect(201, 'POST /v1/workspaces', { body: { name: 'acme' } });
  await api.expect(201, 'PUT /v1/event-types/com.example.own', { body: {} });
  const typed = await openStream(t, api, { path: '/v1/stream?type=com.example.*' });
  const acme = await openStream(t, api, { path: '/v1/stream?workspace=acme' });
  await publish(api, 'other type');
  const body = auditEvent({ id: 'own', type: 'com.example.own' });
  await api.expect(202, 'POST /v1/events', { body, headers: STRUCTURED });
  assert.equal((await typed.next())!.data['id'], 'own');
  await api.expect(202, 'POST /v1/events?workspace=acme', { body: auditEvent({ id: 'theirs' }), headers: STRUCTURED });
  assert.equal((await acme.next())!.data['id'], 'theirs');
});

test('API: the stream tells what attempts came to, without an id', async (t) => {
  const api = await startApi(t);
  const hook = await startReceiver({ status: 500 });
  t.after(() => hook.stop());
  const webhook = await subscribed(api, hook.url, { retryDelaysMs: [] });
  const live = await openStream(t, api);
  await publish(api, 'one');
  const { id, data } = (await live.next('delivery'))!;
  assert.equal(id, undefined);
  assert.deepEqual(
    [data['webhook'], data['state'], data['attempt'], data['manual'], data['status']],
    [webhook, 'dead', 1, false, 500],
  );
});

test('API: what goes to a post-processing or starts a flow says so where it is asked for, and is in no list and no stream', async (t) => {
  const api = await startApi(t);
  const hook = await startReceiver();
  t.after(() => hook.stop());
  await api.expect(201, 'POST /v1/groups', { body: { name: 'operations' } });
  const ops = { name: 'ops', group: 'operations', kind: 'webhook', url: hook.url };
  const { id: report } = await api.expect(201, 'POST /v1/post-processings', { body: ops });
  const text = `job: first\ngroup: operations\nafter: [ops]\nsteps: [noop]\n---
job: second\non: { event: { type: bellwire.job.completed, filter: "name eq 'first'" } }\nsteps: [noop]\n`;
  const { flows } = await api.expect(200, 'PUT /v1/flows', { body: { files: [{ name: 'a.yaml', text }] } });
  const second = (flows as { id: number }[])[1]!.id;
  const live = await openStream(t, api);
  await api.expect(202, 'POST /v1/jobs/first/runs', { body: {} });
  const told = String((await live.next())!.data['event']);
  const [, token, event] = told.split('_');
  const target = String(report).split('_')[2]!;
  for (const [number, postProcessing] of [
    [target, report],
    [second.toString(36), null],
  ] as const) {
    const path = `GET /v1/deliveries/dlv_${token}_${event}_${number}`;
    await eventually('it is delivered', async () => (await api.ask(path)).json['state'] === 'delivered');
    const shown = await api.expect(200, path);
    assert.deepEqual([shown['webhook'], shown['postProcessing']], [null, postProcessing]);
  }
  for (const query of ['', `?event=${told}`, `?webhook=wh_${token}_${target}`])
    assert.deepEqual((await api.expect(200, `GET /v1/deliveries${query}`))['items'], []);
  const webhook = await subscribed(api, hook.url);
  await publish(api, 'one');
  assert.equal((await live.next('delivery'))!.data['webhook'], webhook, 'the first there is');
});

test('API: a stream ends once its key is gone', async (t) => {
  const clock = testClock();
  const api = await startApi(t, {}, clock);
  const made = await api.expect(201, 'POST /v1/keys', { body: { name: 'reader', scopes: ['read'] } });
  const live = await openStream(t, api, { key: made['key'] as string });
  const end = live.next().catch(() => null);
  await api.expect(204, `DELETE /v1/keys/${made['id']}`);
  let isEnded = false;
  void end.then(() => (isEnded = true));
  for (let seconds = 0; !isEnded && seconds < 120; seconds++) {
    await clock.advance(1_000);
    await api.expect(200, 'GET /healthz');
  }
  assert.equal(await end, null);
});

test('API: a stream ends when the platform stops, which waits for nobody', async (t) => {
  const api = await startApi(t);
  const live = await openStream(t, api);
  const end = live.next();
  const stoppedAt = performance.now();
  await api.platform.stop();
  assert.equal(await end, null);
  assert.ok(performance.now() - stoppedAt < 1_500, 'it did not wait for its grace to end');
});

test('R124 a delivery shows every attempt; a retry by hand leaves the automatic chain alone', async (t) => {
  const api = await startApi(t);
  const hook = await startReceiver({ status: 503, headers: { 'x-why': 'tired' }, body: Buffer.from([0xff, 0x00]) });
  t.after(() => hook.stop());
  const webhook = await subscribed(api, hook.url, { retryDelaysMs: [3_600_000] });
  const live = await openStream(t, api);
  await publish(api, 'one');
  assert.equal((await live.next('delivery'))!.data['state'], 'scheduled');
  const [listed] = (await api.expect(200, `GET /v1/deliveries?state=scheduled&webhook=${webhook}`))['items'] as Record<
    string,
    unknown
  >[];
  assert.deepEqual([listed!['tries'], listed!['attemptCount'], listed!['eventId']], [1, 1, 'one']);
  const detail = `GET /v1/deliveries/${String(listed!['id'])}`;
  const before = await api.expect(200, detail);
  const [first] = before['attempts'] as Record<string, unknown>[];
  assert.deepEqual(
    [first!['status'], first!['response'], first!['responseBase64'], first!['manual']],
    [503, null, '/wA=', false],
  );
  assert.ok((first!['responseHeaders'] as string[][]).some(([name, value]) => name === 'x-why' && value === 'tired'));
  const retry = `POST /v1/deliveries/${String(listed!['id'])}/retry`;
  const failed = await api.expect(200, retry);
  assert.equal((failed['outcome'] as { ok: boolean }).ok, false);
  const after = failed['delivery'] as Record<string, unknown>;
  assert.deepEqual([after['dueAt'], after['tries'], after['state']], [listed!['dueAt'], 1, 'scheduled']);
  hook.behave({ status: 200, body: 'thanks' });
  const sent = await api.expect(200, retry);
  assert.deepEqual(
    [(sent['outcome'] as { status: number }).status, (sent['delivery'] as { state: string }).state],
    [200, 'delivered'],
  );
  const shown = await api.expect(200, detail);
  assert.deepEqual(
    (shown['attempts'] as { manual: boolean; response: string }[]).map(({ manual }) => manual),
    [false, true, true],
  );
  const ids = hook.requests.map(({ headers }) => headers['webhook-id']);
  assert.equal(new Set(ids).size, 1, 'the webhook-id stays the same');
  await api.refused('not-found', `POST /v1/deliveries/${String(listed!['id'])}_9/retry`);
});

test('API: deliveries are listed by pages, newest event first, and by event', async (t) => {
  const api = await startApi(t);
  const hook = await startReceiver();
  t.after(() => hook.stop());
  const webhook = await subscribed(api, hook.url);
  await api.expect(200, `POST /v1/webhooks/${webhook}/pause`);
  for (let n = 0; n < 5; n++) await publish(api, `d${n}`);
  const seen: string[] = [];
  for (let query = 'limit=2'; query !== '';) {
    const page = await api.expect(200, `GET /v1/deliveries?${query}`);
    const items = page['items'] as { eventId: string; state: string; event: string }[];
    const next = page['next'] as string | null;
    assert.ok(items.every(({ state }) => state === 'held'));
    seen.push(...items.map(({ eventId }) => eventId));
    query = next === null ? '' : `limit=2&cursor=${next}`;
  }
  assert.deepEqual(seen, ['d4', 'd3', 'd2', 'd1', 'd0']);
  const [event] = (await api.expect(200, 'GET /v1/events?limit=1'))['items'] as { event: string }[];
  const one = (await api.expect(200, `GET /v1/deliveries?event=${event!.event}`))['items'] as { eventId: string }[];
  assert.deepEqual(
    one.map(({ eventId }) => eventId),
    ['d0'],
  );
});

test('API: a reader that does not read is cut, and memory stays bounded', async (t) => {
  const clock = testClock();
  const api = await startApi(t, {}, clock);
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined);
  socket.write(`GET /v1/stream?after=0 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${api.platform.adminKey}\r\n\r\n`);
  await once(socket, 'readable');
  const data = { text: 'x'.repeat(240_000) };
  for (let n = 0; n < 8; n++) {
    const batch = Array.from({ length: 12 }, () => auditEvent({ data }));
    await api.expect(202, 'POST /v1/events', { body: batch, headers: BATCHED });
  }
  let isClosed = false;
  void closed.then(() => (isClosed = true));
  for (let seconds = 0; !isClosed && seconds < 600; seconds++) {
    await clock.advance(1_000);
    // What has been cut is seen only by who reads on.
    if (seconds > 30) socket.resume();
  }
  await closed;
});
