// The challenger against real endpoints, the clock turned by hand: how often it asks, when, and what it concludes.
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { startReceiver, type Answer, type Received, type TestReceiver } from '../../test/kit/receiver.ts';
import { testClock, type TestClock } from '../../test/kit/clock.ts';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { Challenger, type ChallengerParts } from '../src/engine/challenger.ts';
import { createTransport } from '../src/engine/transport/index.ts';
import type { NewWebhook, Store } from '../src/store/index.ts';
import { startEngine } from './engine-ground.ts';
import { addWorkspace, newWebhook, NOON } from './store-furniture.ts';
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
    transport,
    clock,
    uuid: randomUUID,
    source: 'https://tests.example/events',
    attempts: 3,
    intervalMs: 5000,
    timeoutMs: 2000,
    success: 'exactly-200',
    userAgent: 'Bellwire/test',
    origin: 'tests.example',
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
      const { revision } = (await store.settings.webhook(workspace, key.target))!;
      const patch = { url: to, health: 'pending' as const };
      await store.settings.updateWebhook({ ...key, revision, patch, reason: 'the URL was changed', now: clock.now() });
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
  };
  const webhook = { secrets, headers: { 'x-own': '1' } };
  const { challenger, key, store } = await prepare(t, receiver.url, { webhook });
  assert.equal((await challenger.test(key))?.verdict.ok, true);
  assert.equal((await store.settings.target(key))!.secrets.proved, 'secondarySecret');
  const { headers } = receiver.requests[0]!;
  assert.deepEqual([headers['authorization'], headers['x-own']], ['Basic x', '1']);
  theirs = SECRET;
  assert.equal((await challenger.test(key))?.verdict.ok, true);
  assert.equal((await store.settings.target(key))!.secrets.proved, 'secret');
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
