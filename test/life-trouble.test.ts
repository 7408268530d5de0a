// Endpoints in trouble: each gets its recorded outcome, only its own deliveries are touched, and nothing is lost.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, startHandler } from './kit/handler.ts';
import { startLife } from './kit/life.ts';
import { startReceiver, type Answer, type TestReceiver } from './kit/receiver.ts';

const SECRET = 's3cr3tKey';
const ONCE = { retryDelaysMs: [] };

const troubles: { named: string; answer: Answer; error: RegExp | null; timeoutMs?: number }[] = [
  { named: 'NUL bytes', answer: { body: new Uint8Array(100) }, error: null },
  {
    named: 'bytes that are no text',
    answer: { status: 500, body: new Uint8Array([0xff, 0xfe, 0, 0xc3]) },
    error: /^answered 500$/,
  },
  { named: 'a drip', answer: { mood: 'drip', body: 'x'.repeat(1000), everyMs: 20 }, error: /300 ms/, timeoutMs: 300 },
  { named: 'silence', answer: { mood: 'hang' }, error: /did not answer within 300 ms/, timeoutMs: 300 },
  {
    named: 'a redirect',
    answer: { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
    error: /redirects are not followed/,
  },
  { named: 'a body without end', answer: { mood: 'endless' }, error: null },
  { named: 'half an answer', answer: { mood: 'reset', body: 'x'.repeat(1000) }, error: /connection/ },
  { named: 'a reset', answer: { mood: 'refuse' }, error: /connection/ },
  { named: 'no HTTP', answer: { raw: 'SSH-2.0-OpenSSH_9.6\r\n' }, error: /HTTP/ },
];

test('R53 R124 whatever an endpoint answers is recorded, and only that delivery is touched', async (t) => {
  const life = await startLife(t);
  const healthy = await startHandler(t, { secret: SECRET });
  const good = await life.webhook({ url: healthy.url, secret: SECRET });
  const bad = await Promise.all(
    troubles.map(async ({ answer, timeoutMs = 5000 }) => {
      const endpoint = await startReceiver(answer);
      t.after(() => endpoint.stop());
      return life.webhook({ url: endpoint.url, verification: 'none', policy: { ...ONCE, timeoutMs } });
    }),
  );
  await life.publish();
  await life.publish();
  await life.settled(good, 'delivered', 2);
  for (const [i, { named, error }] of troubles.entries()) {
    const settled = await eventually(`${named}: its deliveries have ended`, async () => {
      const found = await life.deliveries(bad[i]!);
      return found.every(({ tries }) => tries === 1) && found;
    });
    for (const { id, state } of settled) {
      const attempts = await life.attempts(id as string);
      assert.equal(attempts.length, 1, named);
      assert.equal(state, error === null ? 'delivered' : 'dead', named);
      if (error) assert.match(String(attempts[0]!['error']), error, named);
      else assert.equal(attempts[0]!['error'], null, named);
    }
  }
  assert.equal(healthy.handled.length, 2);
  assert.deepEqual((await life.attempts((await life.deliveries(good))[0]!['id'] as string)).length, 1);
  assert.equal((await life.ask('GET /healthz', { key: null })).status, 200);
});

test('R71 R124 an attempt keeps headers with their secrets masked, and the first 16 KiB of the answer', async (t) => {
  const life = await startLife(t);
  const body = 'ä'.repeat(20_000);
  const endpoint = await startReceiver({ status: 201, headers: { 'x-answer': 'yes' }, body });
  t.after(() => endpoint.stop());
  const authorization = 'CAAuth topsecret';
  const given = {
    url: endpoint.url,
    verification: 'none',
    secret: SECRET,
    authorization,
    headers: { 'X-Tenant': 'seven' },
  };
  const webhook = await life.webhook(given);
  await life.publish();
  const [{ id } = assert.fail()] = await life.settled(webhook, 'delivered');
  const [attempt] = await life.attempts(id as string);
  const sent = endpoint.requests[0]!.headers;
  assert.deepEqual([sent['authorization'], sent['x-tenant']], [authorization, 'seven']);
  const kept = attempt!['requestHeaders'] as Record<string, string>;
  assert.deepEqual([kept['authorization'], kept['X-Tenant'], kept['webhook-id']], ['•••', '•••', id]);
  assert.equal(kept['hpe-webhook-signature'], sent['hpe-webhook-signature']);
  assert.equal(attempt!['response'], body.slice(0, 8192));
  assert.ok(
    (attempt!['responseHeaders'] as string[][]).some(([name, value]) => name === 'x-answer' && value === 'yes'),
  );
  assert.equal(attempt!['status'], 201);
  const shown = JSON.stringify([attempt, await life.expect(200, `GET /v1/webhooks/${webhook}`), life.lines]);
  for (const secret of ['topsecret', SECRET]) assert.ok(!shown.includes(secret));
});

// On one host, which is the hardest: the places of a host are shared, too.
for (const [hanging, places] of [
  [50, 1024],
  [60, 64],
] as const) {
  test(`R53 ${hanging} endpoints that hang do not delay a healthy one of another workspace (${places} places)`, async (t) => {
    const life = await startLife(t, { delivery: { timeout: '20s', concurrency: places } });
    let asked = 0;
    const endpoint = await startReceiver(({ url }) => {
      if (url.startsWith('/well')) return {};
      asked++;
      return { mood: 'hang' };
    });
    t.after(() => endpoint.stop());
    await life.expect(201, 'POST /v1/workspaces', { body: { name: 'noisy' } });
    const noisy = { headers: { 'bellwire-workspace': 'noisy' } };
    for (let i = 0; i < hanging; i++) {
      const body = { name: `h${i}`, url: `${endpoint.url}/hang/${i}`, verification: 'none' };
      const { id } = await life.expect(201, 'POST /v1/webhooks', { body, ...noisy });
      await life.expect(201, 'POST /v1/subscriptions', { body: { webhook: id, type: 'com.hpe.*' }, ...noisy });
    }
    const webhook = await life.webhook({ url: `${endpoint.url}/well`, verification: 'none' });
    const events = (n: number): object[] => Array.from({ length: n }, (_, i) => ({ ...event(), id: `${n}-${i}` }));
    const batched = { 'content-type': 'application/cloudevents-batch+json' };
    await life.expect(202, 'POST /v1/events', { body: events(40), headers: { ...noisy.headers, ...batched } });
    await eventually('they hang', () => asked >= Math.min(places / 2, hanging * 8));
    for (let i = 0; i < 20; i++) {
      const before = endpoint.requests.length;
      const at = Date.now();
      await life.publish();
      const [arrived] = await endpoint.received(1, {
        where: (request) => endpoint.requests.indexOf(request) >= before,
      });
      assert.ok(arrived!.receivedAt - at < 1000, `event ${i} took ${arrived!.receivedAt - at} ms`);
    }
    await life.settled(webhook, 'delivered', 20);
  });
}

function event(): object {
  const data = { id: 'x', category: 'c', description: 'd', created_at: 1 };
  const type = 'com.hpe.greenlake.audit-log.v1.logs.created';
  return { specversion: '1.0', source: '/noise', type, datacontenttype: 'application/json', data };
}

test('R53 R124 a graceful stop finishes what is under way and loses nothing; a restart delivers the rest', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-life-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const slow = await startSlow();
  t.after(() => slow.stop());
  const hanging = await startReceiver({ mood: 'hang' });
  t.after(() => hanging.stop());
  const first = await startLife(t, { dataFolder: folder, shutdown: { grace: '1s' } });
  const webhook = await first.webhook({ url: slow.url, verification: 'none' });
  const stuck = await first.webhook({ url: hanging.url, verification: 'none' });
  const expected = await first.publishMany(500);
  await slow.received(20);
  const began = Date.now();
  await first.platform.stop();
  const tookMs = Date.now() - began;
  assert.ok(tookMs >= 900 && tookMs < 5000, `the grace is for what hangs, no more: ${tookMs} ms`);
  const before = slow.requests.length;
  assert.ok(before < 500);
  const second = await startLife(t, { dataFolder: folder, shutdown: { grace: '100ms' } });
  await second.settled(webhook, 'delivered', 200).catch(() => undefined);
  await eventually('all came', () => idsOf(slow).size === expected.length, 20_000);
  assert.deepEqual(idsOf(slow), new Set(expected));
  assert.equal(slow.requests.length, 500, 'what was finished in the grace was written down: nothing came twice');
  for (const { tries } of await second.deliveries(stuck)) assert.equal(tries, 0, 'what we cut off used no try up');
});

/** Takes 20 ms for each request. */
function startSlow(): Promise<TestReceiver> {
  return startReceiver(() => new Promise((done) => setTimeout(done, 20, {})));
}

function idsOf({ requests }: TestReceiver): Set<string> {
  return new Set(requests.map(({ body }) => (JSON.parse(body.toString()) as { id: string }).id));
}
