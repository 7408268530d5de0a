// How webhooks fare: what a challenge, a failure, a dead letter and a person make of their state, and of what is due.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { verificationOf } from '@bellwire/receiver';
import { eventually, startHandler } from './kit/handler.ts';
import { startLife, type Life } from './kit/life.ts';
import { startReceiver, type Answer, type Received, type TestReceiver } from './kit/receiver.ts';

const SECRET = 's3cr3tKey';
/** Tries end soon: two, five milliseconds apart. */
const BRIEF = { policy: { retryDelaysMs: [5] } };

/** An endpoint that answers challenges rightly, and deliveries as it is told. */
async function startEndpoint(t: TestContext, deliveries: (nth: number) => Answer, secret = SECRET): Promise<Endpoint> {
  const challenges: Received[] = [];
  const taken: Received[] = [];
  const endpoint: Endpoint = Object.assign(
    await startReceiver(async (request) => {
      const { data } = JSON.parse(request.body.toString()) as { data: { challengeRequest?: string } };
      if (data.challengeRequest === undefined) return endpoint.deliver(taken.push(request) - 1);
      challenges.push(request);
      const verification = await verificationOf(secret, data.challengeRequest);
      return { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ verification }) };
    }),
    { challenges, taken, deliver: deliveries },
  );
  t.after(() => endpoint.stop());
  return endpoint;
}

interface Endpoint extends TestReceiver {
  challenges: Received[];
  taken: Received[];
  deliver: (nth: number) => Answer;
}

/** The states a webhook went through, the first one first. */
async function history(life: Life, webhook: string): Promise<string[]> {
  const { items } = await life.expect(200, `GET /v1/webhooks/${webhook}/changes`);
  return (items as { state: string }[]).map(({ state }) => state).toReversed();
}

test('R112 three wrong answers make it critical, with the reason; a right answer to a later attempt makes it active', async (t) => {
  const life = await startLife(t);
  const handler = await startHandler(t, { secret: 'S3cr3tKey' });
  const wrong = await life.webhook({ url: handler.url, secret: SECRET }, 'critical');
  assert.equal(handler.answers.length, 3);
  const { reason } = await life.state(wrong, 'critical');
  assert.match(String(reason), /the challenge failed: answered with a wrong value/);
  let asked = 0;
  const late = await startReceiver(async (request) => {
    if (++asked < 3) return { status: 503 };
    const { data } = JSON.parse(request.body.toString()) as { data: { challengeRequest: string } };
    const body = JSON.stringify({ verification: await verificationOf(SECRET, data.challengeRequest) });
    return { headers: { 'content-type': 'application/json; charset=utf-8' }, body };
  });
  t.after(() => late.stop());
  const webhook = await life.webhook({ url: late.url, secret: SECRET });
  assert.equal(asked, 3);
  assert.deepEqual(await history(life, webhook), ['pending', 'active']);
});

test('R109 a secret that differs by a space, a letter’s case or its length fails; nothing is trimmed', async (t) => {
  const life = await startLife(t, { challenge: { attempts: 1 } });
  for (const [ours, theirs] of [
    [`${SECRET} `, SECRET],
    [SECRET, ` ${SECRET}`],
    [SECRET, 'S3cr3tKey'],
    [SECRET, 's3cr3tKe'],
  ]) {
    const handler = await startHandler(t, { secret: theirs! });
    await life.webhook({ url: handler.url, secret: ours }, 'critical');
  }
  const same = await startHandler(t, { secret: ` ${SECRET} ` });
  await life.webhook({ url: same.url, secret: ` ${SECRET} ` }, 'active');
});

test('R113 a Test is allowed in every state, asks anew, and heals critical', async (t) => {
  const life = await startLife(t, { challenge: { interval: '1h' } });
  const handler = await startHandler(t, { secret: 'wrong' });
  const webhook = await life.webhook({ url: handler.url, secret: SECRET }, 'pending');
  const press = (): Promise<Record<string, unknown>> => life.expect(200, `POST /v1/webhooks/${webhook}/test`);
  await eventually('the first attempt is over', () => handler.answers.length === 1);
  const failed = await press();
  assert.equal(failed['state'], 'pending');
  assert.match((failed['outcome'] as { error: string }).error, /wrong value/);
  assert.equal((await press())['state'], 'critical');
  assert.equal(handler.answers.length, 3, 'one run of attempts at a time');
  handler.become({ secret: SECRET });
  const healed = await press();
  assert.deepEqual([healed['state'], (healed['outcome'] as { ok: boolean }).ok], ['active', true]);
  assert.equal((await press())['state'], 'active');
  handler.become({ secret: 'wrong' });
  assert.equal((await press())['state'], 'active', 'one wrong answer is not the end');
  await press();
  assert.equal((await press())['state'], 'critical');
  handler.become({ secret: SECRET });
  for (const [action, state] of [
    ['pause', 'paused'],
    ['resume', 'active'],
    ['disable', 'disabled'],
  ]) {
    await life.expect(200, `POST /v1/webhooks/${webhook}/${action}`);
    assert.equal((await press())['state'], state);
  }
});

test('R51 R63 a changed URL is pending and challenged again; what was published meanwhile goes to the new one', async (t) => {
  const life = await startLife(t, { challenge: { interval: '1h' } });
  const former = await startHandler(t, { secret: SECRET });
  const webhook = await life.webhook({ url: former.url, secret: SECRET });
  const present = await startHandler(t, { secret: 'not yet' });
  await life.expect(200, `PATCH /v1/webhooks/${webhook}`, { body: { url: present.url } });
  await life.state(webhook, 'pending');
  await life.publish({ id: 'meanwhile' });
  await life.settled(webhook, 'held');
  present.become({ secret: SECRET });
  await life.expect(200, `POST /v1/webhooks/${webhook}/test`);
  await life.settled(webhook, 'delivered');
  assert.deepEqual([former.handled.length, present.handled.length], [0, 1]);
});

test('R124 410 disables the webhook; its deliveries are held and can be sent once it is enabled', async (t) => {
  const life = await startLife(t);
  const endpoint = await startEndpoint(t, () => ({ status: 410 }));
  const webhook = await life.webhook({ url: endpoint.url, secret: SECRET });
  await life.publish();
  const { reason } = await life.state(webhook, 'disabled');
  assert.match(String(reason), /410/);
  await life.publish();
  assert.equal((await life.settled(webhook, 'held', 2)).length, 2);
  assert.equal(endpoint.taken.length, 1);
  endpoint.deliver = () => ({});
  await life.expect(200, `POST /v1/webhooks/${webhook}/enable`);
  await life.settled(webhook, 'delivered', 2);
});

test('R124 Retry-After is obeyed before any further request to that target', async (t) => {
  const life = await startLife(t);
  const endpoint = await startEndpoint(t, (nth) => (nth === 0 ? { status: 429, headers: { 'retry-after': '1' } } : {}));
  const webhook = await life.webhook({ url: endpoint.url, secret: SECRET, ...BRIEF });
  await life.publish();
  await eventually('it was refused', async () => (await life.deliveries(webhook, 'scheduled'))[0]?.['tries'] === 1);
  await life.publish();
  await life.settled(webhook, 'delivered', 2);
  const [first, ...later] = endpoint.taken.map(({ receivedAt }) => receivedAt);
  for (const at of later) assert.ok(at - first! >= 990, `sent again after ${at - first!} ms`);
});

test('R124 after all tries a dead letter: critical when nothing succeeded since its first try', async (t) => {
  const life = await startLife(t);
  const endpoint = await startEndpoint(t, () => ({ status: 500, body: 'no' }));
  const webhook = await life.webhook({ url: endpoint.url, secret: SECRET, ...BRIEF });
  await life.publish();
  const { reason } = await life.state(webhook, 'critical');
  assert.match(String(reason), /answered 500/);
  const [dead] = await life.settled(webhook, 'dead');
  assert.deepEqual([dead!['tries'], dead!['attemptCount'], dead!['reason']], [2, 2, 'answered 500']);
  assert.deepEqual(await history(life, webhook), ['pending', 'active', 'warning', 'critical']);
});

test('R124 after all tries a dead letter: warning when others succeed; ten successes in a row heal it', async (t) => {
  const life = await startLife(t);
  const endpoint = await startEndpoint(t, () => ({}));
  endpoint.deliver = (nth) => (endpoint.taken[nth]!.body.includes('"poison"') ? { status: 400 } : {});
  const policy = { retryDelaysMs: [60, 60] };
  const webhook = await life.webhook({ url: endpoint.url, secret: SECRET, policy });
  await life.publish({ id: 'poison' });
  await life.state(webhook, 'warning');
  await life.publish();
  await life.settled(webhook, 'dead');
  const { state, reason } = await life.state(webhook, 'warning');
  assert.equal(state, 'warning');
  assert.match(String(reason), /a delivery failed: answered 400/);
  await life.publishMany(10);
  await life.state(webhook, 'active');
});

test('R124 a retry by hand keeps the webhook-id and leaves the automatic chain alone; a dead letter can be sent again', async (t) => {
  const life = await startLife(t);
  const endpoint = await startEndpoint(t, () => ({ status: 500 }));
  const webhook = await life.webhook({ url: endpoint.url, secret: SECRET, policy: { retryDelaysMs: [600] } });
  await life.publish();
  const [{ id } = assert.fail()] = await eventually('its first try failed', async () => {
    const found = await life.deliveries(webhook, 'scheduled');
    return found[0]?.['tries'] === 1 && found;
  });
  const retried = await life.expect(200, `POST /v1/deliveries/${id}/retry`);
  assert.equal((retried['outcome'] as { ok: boolean }).ok, false);
  const { state, tries, attemptCount } = retried['delivery'] as Record<string, unknown>;
  assert.deepEqual([state, tries, attemptCount], ['scheduled', 1, 2], 'no automatic try was used up');
  await life.settled(webhook, 'dead');
  const attempts = await life.attempts(id as string);
  assert.deepEqual(
    attempts.map(({ manual }) => manual),
    [false, true, false],
  );
  endpoint.deliver = () => ({});
  await life.refused('wrong-state', `POST /v1/deliveries/${id}/retry`);
  await life.expect(200, `POST /v1/webhooks/${webhook}/test`);
  const sent = await life.expect(200, `POST /v1/deliveries/${id}/retry`);
  assert.deepEqual(
    [(sent['outcome'] as { ok: boolean }).ok, (sent['delivery'] as { state: string }).state],
    [true, 'delivered'],
  );
  assert.deepEqual(new Set(endpoint.taken.map(({ headers }) => headers['webhook-id'])), new Set([id]));
});

test('R62 the OPTIONS handshake: asked by the origin, the consent makes it active, the rate is kept and obeyed', async (t) => {
  const life = await startLife(t);
  const endpoint = await startReceiver(({ method }) => {
    const headers = { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '300' };
    return method === 'OPTIONS' ? { headers } : {};
  });
  t.after(() => endpoint.stop());
  const webhook = await life.webhook({ url: endpoint.url, verification: 'options', secret: SECRET });
  assert.equal((await life.state(webhook, 'active'))['allowedRate'], 300);
  assert.ok(endpoint.requests[0]!.headers['webhook-request-origin']);
  await life.publishMany(4);
  const delivered = await life.settled(webhook, 'delivered', 4);
  // By the sender's own clock: how long each request was on its way is not what is paced.
  const attempts = await Promise.all(delivered.map(({ id }) => life.attempts(id as string)));
  const at = attempts.map(([first]) => Date.parse(first!['startedAt'] as string)).sort((a, b) => a - b);
  assert.ok(at[3]! - at[0]! >= 595, `300 a minute are one in 200 ms; four took ${at[3]! - at[0]!} ms`);
  const silent = await startReceiver();
  t.after(() => silent.stop());
  await life.webhook({ url: silent.url, verification: 'options', secret: SECRET }, 'critical');
});
