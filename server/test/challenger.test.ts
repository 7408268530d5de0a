// The challenger against real endpoints, the clock turned by hand: how often it asks, when, and what it concludes.
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { startReceiver, type Answer, type Received, type TestReceiver } from '../../test/kit/receiver.ts';
import { testClock, type TestClock } from '../../test/kit/clock.ts';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { Challenger, type ChallengerParts } from '../src/engine/challenger.ts';
import { createSender } from '../src/engine/oauth/index.ts';
import { createTransport } from '../src/engine/transport/index.ts';
import type { NewWebhook, Store, TargetKey, WebhookPatch } from '../src/store/index.ts';
import { CHALLENGE, startEngine } from './engine-ground.ts';
import { addWorkspace, DAY, newWebhook, NOON } from './store-furniture.ts';
import { sqliteGround } from './store-ground.ts';

const SECRET = 's3cr3tKey';
const WRONG: Answer = { headers: { 'content-type': 'application/json' }, body: '{"verification":"no"}' };

/** The right answer to a challenge. */
function right({ body }: Received, secret = SECRET): Answer {
  const { data } = JSON.parse(body.toString()) as { data: { challengeRequest: string } };
  const verification = createHmac('sha256', secret).update(data.challengeRequest).digest('hex');
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ verification }) };
}

async function endpoint(t: TestContext, behaviour: Parameters<typeof startReceiver>[0]): Promise<TestReceiver> {
  const receiver = await startReceiver(behaviour);
  t.after(() => receiver.stop());
  return receiver;
}

/** Changes a webhook as the API does, without telling the challenger. */
async function edit(store: Store, key: TargetKey, patch: WebhookPatch): Promise<void> {
  const { revision } = (await store.settings.webhook(key.workspace, key.target))!;
  await store.settings.updateWebhook({ ...key, revision, patch, reason: 'edited by a test', now: NOON });
}

/** A challenger with nothing around it but a store, a transport and a clock: what is planned is its next attempt. */
interface Ground {
  challenger: Challenger;
  store: Store;
  clock: TestClock;
  key: { workspace: number; target: number };
  /** Ends whatever is under way, at once. */
  cut(): Promise<void>;
  errors: unknown[];
  health(): Promise<string>;
  /** Resolves when the next attempt is planned. */
  paused(): Promise<void>;
  /** Resolves when no run is under way: the webhook is in this state. */
  ended(health: string): Promise<void>;
  change(url: string): Promise<void>;
}

async function prepare(
  t: TestContext,
  url: string,
  { over = {}, webhook = {} }: { over?: Partial<ChallengerParts>; webhook?: Partial<NewWebhook> } = {},
): Promise<Ground> {
  const store = await (await sqliteGround(t)).open();
  const workspace = await addWorkspace(store);
  const made = await store.settings.createWebhook(newWebhook(workspace, 'one', { url, health: 'pending', ...webhook }));
  const key = { workspace, target: made.webhook };
  const clock = testClock(NOON);
  const transport = createTransport({
    guard: createAddressGuard({ allow: ['127.0.0.0/8'] }),
    userAgent: 'Bellwire/test',
  });
  t.after(() => transport.close({ force: true }));
  const errors: unknown[] = [];
  const challenger = new Challenger({
    settings: store.settings,
    sender: createSender(transport, clock),
    relay: { send: () => assert.fail('nobody listens here') },
    clock,
    uuid: randomUUID,
    source: 'https://tests.example/events',
    attempts: 3,
    intervalMs: 5000,
    timeoutMs: 2000,
    success: 'exactly-200',
    userAgent: 'Bellwire/test',
    origin: 'tests.example',
    concurrency: 64,
    onError: (error) => errors.push(error),
    ...over,
  });
  const health = async (): Promise<string> => (await store.settings.webhook(workspace, key.target))!.health;
  const soon = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await isSo())) await new Promise((again) => setImmediate(again));
  };
  return {
    challenger,
    store,
    clock,
    key,
    cut: () => transport.close({ force: true }),
    errors,
    health,
    paused: () => soon(() => clock.pending() === 1),
    ended: (state) => soon(async () => clock.pending() === 0 && (await health()) === state),
    async change(to) {
      await edit(store, key, { url: to, health: 'pending' });
      challenger.begin(key);
    },
  };
}

test('R63 R64 R110 R112 three attempts 5 s apart, each with a fresh challenge; then critical', async (t) => {
  const receiver = await endpoint(t, WRONG);
  const { challenger, clock, key, ...ground } = await prepare(t, receiver.url);
  challenger.begin(key);
  for (const count of [2, 3]) {
    await ground.paused();
    await clock.advance(4999);
    assert.equal(receiver.requests.length, count - 1, 'not before 5 s are over');
    assert.equal(await ground.health(), 'pending');
    await clock.advance(1);
    await receiver.received(count);
  }
  await ground.ended('critical');
  const bodies = receiver.requests.map(({ body }) => JSON.parse(body.toString()) as Record<string, unknown>);
  const asked = bodies.map(({ data }) => (data as { challengeRequest: string }).challengeRequest);
  assert.equal(new Set(asked).size, 3);
  assert.match(asked[0]!, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(new Set(bodies.map(({ id }) => id)).size, 3);
});

test('R112 the right answer to the last attempt makes it active', async (t) => {
  const receiver = await endpoint(t, (request, nth) => (nth < 2 ? { status: 500 } : right(request)));
  const { challenger, clock, key, ...ground } = await prepare(t, receiver.url);
  challenger.begin(key);
  for (let i = 0; i < 2; i++) {
    await ground.paused();
    await clock.advance(5000);
  }
  await ground.ended('active');
  assert.equal(receiver.requests.length, 3);
});

test('R113 a Test while a run waits makes the next attempt now: one run at a time', async (t) => {
  const receiver = await endpoint(t, WRONG);
  const { challenger, key, ...ground } = await prepare(t, receiver.url);
  challenger.begin(key);
  await ground.paused();
  const second = await challenger.test(key);
  await ground.paused();
  const third = await challenger.test(key);
  assert.deepEqual([second?.attempt, third?.attempt, second?.verdict.ok], [2, 3, false]);
  assert.equal(await ground.health(), 'critical', 'what the last attempt came to is written before it is told');
  const [a, b] = await Promise.all([challenger.test(key), challenger.test(key)]);
  assert.deepEqual([a?.attempt, b?.attempt], [1, 1]);
  assert.equal(receiver.requests.length, 4, 'two people who press Test at once share the attempt');
});

test('R113 a Test of a webhook that is gone finds nothing; one that the store cannot answer rejects', async (t) => {
  const receiver = await endpoint(t, WRONG);
  const { challenger, key, store } = await prepare(t, receiver.url);
  assert.equal(await challenger.test({ ...key, target: 99 }), null);
  store.settings.target = () => Promise.reject(new Error('the disk is on fire'));
  await assert.rejects(challenger.test(key), /the disk is on fire/);
});

test('R63 R110 a URL changed during the last attempt is challenged all the same', async (t) => {
  const present = await endpoint(t, (request) => right(request));
  let change: (() => Promise<void>) | null = null;
  const former = await endpoint(t, async () => {
    await change!();
    return WRONG;
  });
  const { challenger, key, ...ground } = await prepare(t, former.url, { over: { attempts: 1 } });
  change = () => ground.change(present.url);
  challenger.begin(key);
  await ground.ended('active');
  assert.deepEqual([former.requests.length, present.requests.length], [1, 1]);
});

test('R112 a changed URL has all its attempts, at once, however many the former one used', async (t) => {
  const [former, present] = [await endpoint(t, WRONG), await endpoint(t, WRONG)];
  const { challenger, clock, key, ...ground } = await prepare(t, former.url);
  challenger.begin(key);
  await ground.paused();
  await clock.advance(5000);
  await former.received(2);
  await ground.paused();
  await ground.change(present.url);
  for (let i = 0; i < 2; i++) {
    await present.received(i + 1);
    await ground.paused();
    await clock.advance(5000);
  }
  await ground.ended('critical');
  assert.deepEqual([former.requests.length, present.requests.length], [2, 3]);
});

test('R113 a stop between two attempts ends the run, proves nothing and breaks nothing', async (t) => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  const receiver = await endpoint(t, WRONG);
  const { challenger, key, ...ground } = await prepare(t, receiver.url);
  challenger.begin(key);
  await ground.paused();
  await challenger.stop();
  await ground.ended('pending');
  await new Promise((done) => setImmediate(done));
  assert.deepEqual([unhandled, ground.errors], [[], []]);
  assert.equal(receiver.requests.length, 1);
});

test('R113 an attempt that our own stop cuts off is held against nobody', async (t) => {
  const receiver = await endpoint(t, { mood: 'hang' });
  const { challenger, key, ...ground } = await prepare(t, receiver.url, { over: { attempts: 1 } });
  challenger.begin(key);
  await receiver.received(1);
  const stopped = challenger.stop();
  await ground.cut();
  await stopped;
  await ground.ended('pending');
});

test('R65 an answer that comes too late is a wrong one', async (t) => {
  const receiver = await endpoint(t, { mood: 'hang' });
  const { challenger, key, store } = await prepare(t, receiver.url, { over: { attempts: 1, timeoutMs: 50 } });
  assert.equal((await challenger.test(key))?.verdict.ok, false);
  const { health, reason } = (await store.settings.webhook(key.workspace, key.target))!;
  assert.equal(health, 'critical');
  assert.match(reason, /did not answer within/);
});

test('R71 during a rotation either secret proves the webhook, and which one is kept', async (t) => {
  let theirs = 'the former one';
  const receiver = await endpoint(t, (request) => right(request, theirs));
  const secrets = {
    secret: SECRET,
    secondarySecret: 'the former one',
    proved: 'secret' as const,
    standardKeys: [],
    signingKey: null,
    authorization: 'Basic x',
    clientSecret: null,
    privateKey: null,
  };
  const webhook = { secrets, headers: { 'x-own': '1' } };
  const { challenger, key, store } = await prepare(t, receiver.url, { webhook });
  await edit(store, key, { secondaryUntil: NOON + DAY });
  assert.equal((await challenger.test(key))?.verdict.ok, true);
  const { webhook: proved, secrets: kept } = (await store.settings.target(key))!;
  assert.deepEqual([kept.proved, proved.challenge?.secret, proved.provedAt], ['secondarySecret', 'former', NOON]);
  const { headers } = receiver.requests[0]!;
  assert.deepEqual([headers['authorization'], headers['x-own']], ['Basic x', '1']);
  theirs = SECRET;
  assert.equal((await challenger.test(key))?.verdict.ok, true);
  assert.equal((await store.settings.target(key))!.secrets.proved, 'secret');
});

test('R71 a former secret whose time is over proves nothing any more', async (t) => {
  const receiver = await endpoint(t, (request) => right(request, 'the former one'));
  const secrets = { ...newWebhook(0, 'x').secrets, secondarySecret: 'the former one' };
  const { challenger, key, store } = await prepare(t, receiver.url, { webhook: { secrets } });
  await edit(store, key, { secondaryUntil: NOON });
  assert.equal((await challenger.test(key))?.verdict.ok, false);
});

test('R112 a change of a description while a run waits brings no attempt before its time', async (t) => {
  const receiver = await endpoint(t, WRONG);
  const { challenger, clock, key, store, ...ground } = await prepare(t, receiver.url);
  challenger.begin(key);
  await ground.paused();
  for (let nth = 0; nth < 3; nth++) {
    await edit(store, key, { description: `words ${nth}` });
    challenger.begin(key);
    await clock.advance(1000);
  }
  await ground.paused();
  assert.equal(receiver.requests.length, 1);
  await clock.advance(2000);
  await receiver.received(2);
});

test('R110 a webhook that need not prove itself any more is asked no more, and stays active', async (t) => {
  const receiver = await endpoint(t, WRONG);
  const { challenger, clock, key, store, ...ground } = await prepare(t, receiver.url, { over: { attempts: 2 } });
  challenger.begin(key);
  await ground.paused();
  await edit(store, key, { verification: 'none', health: 'active' });
  await clock.advance(5000);
  await challenger.stop();
  assert.deepEqual([await ground.health(), receiver.requests.length], ['active', 1]);
  assert.equal(await challenger.test(key), null);
});

test('R113 a disabled webhook is asked by Test only: a run under way ends', async (t) => {
  const receiver = await endpoint(t, WRONG);
  const { challenger, clock, key, store, ...ground } = await prepare(t, receiver.url);
  challenger.begin(key);
  await ground.paused();
  await edit(store, key, { intent: 'disabled' });
  await clock.advance(5000);
  await ground.ended('pending');
  assert.equal(receiver.requests.length, 1);
  assert.equal((await challenger.test(key))?.verdict.ok, false);
  assert.equal(receiver.requests.length, 2);
});

test('R112 while a run waits the webhook shows what was wrong, which attempt it was, and when the next one follows', async (t) => {
  const receiver = await endpoint(t, WRONG);
  const { challenger, key, store, ...ground } = await prepare(t, receiver.url);
  challenger.begin(key);
  await ground.paused();
  const { challenge } = (await store.settings.webhook(key.workspace, key.target))!;
  const { error, ...rest } = challenge!;
  assert.match(error!, /"verification" of 2 characters/);
  assert.deepEqual(rest, { at: NOON, attempt: 1, attempts: 3, nextAt: NOON + 5000, secret: null });
});

test('R113 endpoints of one workspace that hang take no other workspace its place', async (t) => {
  const tarpit = await endpoint(t, { mood: 'hang' });
  const well = await endpoint(t, (request) => right(request));
  const { challenger, key, store, ...ground } = await prepare(t, well.url, { over: { concurrency: 8 } });
  const crowd = await addWorkspace(store, 'crowd');
  const waiting: Promise<unknown>[] = [];
  for (let nth = 0; nth < 40; nth++) {
    const made = await store.settings.createWebhook(newWebhook(crowd, `w${nth}`, { url: tarpit.url }));
    waiting.push(challenger.test({ workspace: crowd, target: made.webhook }));
  }
  await tarpit.received(4);
  assert.equal((await challenger.test(key))?.verdict.ok, true);
  assert.equal(tarpit.requests.length, 4, 'one workspace alone has half of the places');
  const stopped = challenger.stop();
  await ground.cut();
  await Promise.all([stopped, ...waiting]);
});

test('R110 a webhook stays pending no longer than an outage of the store: it is challenged again', async (t) => {
  const receiver = await endpoint(t, (request) => right(request));
  let isAway = false;
  const engine = await startEngine(t, {}, (store) => {
    const settings = Object.create(store.settings) as typeof store.settings;
    settings.target = (key) => (isAway ? Promise.reject(new Error('the store is away')) : store.settings.target(key));
    return { ...store, settings };
  });
  isAway = true;
  const { workspace, webhook } = await engine.webhook(receiver.url, { health: 'pending' });
  await engine.until('the run has failed', () => engine.errors.length > 1);
  isAway = false;
  await engine.until('it is active', async () => {
    return (await engine.store.settings.webhook(workspace, webhook))?.health === 'active';
  });
});

test('R113 what is critical and proved itself before is asked from time to time, once; who never did is left alone', async (t) => {
  let isWell = false;
  const known = await endpoint(t, (request) => (isWell ? right(request) : WRONG));
  const stranger = await endpoint(t, WRONG);
  const engine = await startEngine(t, { challenge: { ...CHALLENGE, recheckMs: 50_000 } });
  const { store, clock } = engine;
  const [one, other] = [
    await engine.webhook(known.url, { health: 'critical' }),
    await engine.webhook(stranger.url, { health: 'critical' }),
  ];
  const key = { workspace: one.workspace, target: one.webhook };
  await edit(store, key, { provedAt: NOON });
  await engine.until('it is asked', () => known.requests.length === 1);
  const askedAt = clock.now();
  assert.ok(askedAt > NOON + 50_000, 'not before the span is over');
  isWell = true;
  await engine.until('it is active', async () => (await store.settings.target(key))?.webhook.health === 'active');
  assert.ok(clock.now() > askedAt + 50_000, 'a single attempt, then the span again');
  assert.equal(known.requests.length, 2);
  assert.equal(stranger.requests.length, 0);
  assert.equal((await store.settings.webhook(other.workspace, other.webhook))?.health, 'critical');
});

test('R71 when a rotation ends the former secret is forgotten; an endpoint that never proved the present one is asked first', async (t) => {
  const receiver = await endpoint(t, (request) => right(request, 'the former one'));
  const engine = await startEngine(t, {});
  const { store } = engine;
  const secrets = {
    ...newWebhook(0, 'x').secrets,
    secondarySecret: 'the former one',
    proved: 'secondarySecret' as const,
    standardKeys: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'],
  };
  const { workspace, webhook } = await engine.webhook(receiver.url, { secrets });
  const key = { workspace, target: webhook };
  await edit(store, key, { secondaryUntil: NOON + 60_000 });
  await engine.clock.advance(50_000);
  assert.equal((await store.settings.target(key))!.secrets.secondarySecret, 'the former one');
  await engine.until('it is critical', async () => (await store.settings.target(key))!.webhook.health === 'critical');
  const { webhook: after, secrets: kept } = (await store.settings.target(key))!;
  assert.deepEqual(
    [after.secondaryUntil, kept.secondarySecret, kept.proved, kept.standardKeys.length],
    [null, null, 'secret', 1],
  );
  assert.equal(receiver.requests.length, 3);
  const reasons = (await store.settings.webhookChanges(workspace, webhook, 9)).map(({ reason }) => reason);
  assert.match(reasons[1]!, /^the former secret has ended/);
});

test('R110 a run of attempts that a crash interrupted begins again at the next start', async (t) => {
  const receiver = await endpoint(t, (request) => right(request));
  // The store as a crash leaves it: a webhook that is pending, and nobody about to ask it.
  const engine = await startEngine(t, {}, (store) => ({ ...store, on: () => undefined }));
  const { workspace, webhook } = await engine.webhook(receiver.url, { health: 'pending' });
  assert.equal(receiver.requests.length, 0);
  await engine.delivering.start();
  await engine.until('it is active', async () => {
    return (await engine.store.settings.webhook(workspace, webhook))?.health === 'active';
  });
});
