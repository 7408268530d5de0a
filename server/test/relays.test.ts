// Relays on both engines: a request of the engine, the hands it goes through, and its answer, whichever store each of them
// happens on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../src/clock.ts';
import { Relay } from '../src/engine/relay.ts';
import type { Outcome } from '../src/model/outcome.ts';
import type { Listened, Store } from '../src/store/index.ts';
import { addWorkspace, newWebhook } from './store-furniture.ts';
import { onEachEngine, type Prepare } from './store-ground.ts';

interface Place {
  relay: Relay;
  left: number;
  listen(listener: string | null, at?: number): Promise<Listened>;
  key: { workspace: number; target: number };
}

const SPANS = { limit: 10, leaseMs: 15_000, waitingMs: 35_000, takesOver: false };
const REQUEST = { method: 'POST', headers: ['x-one', '1'], body: Buffer.from([0, 1, 255]), deadlineMs: 60_000 };

/** The engine's end at one store, the listener at another (or the same). */
async function start(near: Store, far: Store): Promise<Place> {
  const workspace = await addWorkspace(near);
  const { webhook } = await near.settings.createWebhook(newWebhook(workspace, 'dev', { mode: 'listen', url: '' }));
  const key = { workspace, target: webhook };
  const place: Place = {
    key,
    left: 0,
    relay: new Relay({
      store: near,
      clock: systemClock,
      onLeft: () => void place.left++,
      onError: (error) => assert.ifError(error),
    }),
    async listen(listener, now = Date.now()) {
      const listened = await far.relays.listen({ ...key, ...SPANS, listener, now });
      assert.ok(typeof listened === 'object');
      return listened;
    },
  };
  near.on({ relays: (target) => place.relay.hear(target), listener: (target) => place.relay.hear(target) });
  return place;
}

async function handed({ listen }: Place, listener: string): Promise<Listened> {
  for (;;) {
    const listened = await listen(listener);
    if (listened.requests.length > 0) return listened;
    await new Promise((later) => setImmediate(later));
  }
}

const codeOf = (outcome: Outcome): string => (outcome.kind === 'failure' ? outcome.code : String(outcome.status));

function exercise(engine: string, prepare: Prepare): void {
  test(`${engine}: a request comes as it was made, its answer comes back, and only its name stays`, async (t) => {
    const ground = await prepare(t);
    const near = await ground.open();
    // On PostgreSQL the listener is at another node: what it hears and says goes through the database alone.
    const far = engine === 'postgres' ? await ground.open({ node: 'far' }) : near;
    const place = await start(near, far);
    const { listener } = await place.listen(null);
    const coming = place.relay.send({ key: place.key, ...REQUEST });
    const { requests } = await handed(place, listener);
    const [{ relay, body, ...request }] = requests as [(typeof requests)[number]];
    assert.deepEqual(
      [request, Buffer.from(body!)],
      [{ method: 'POST', headers: ['x-one', '1'], deadlineMs: 60_000 }, REQUEST.body],
    );
    const [row] = await ground.query<{ head: string }>('SELECT head FROM relays');
    assert.doesNotMatch(row!.head, /x-one/);
    const answer = {
      durationMs: 5,
      status: 201,
      headers: [['x', 'y']] as [string, string][],
      body: 'b2s=',
      bodyBytes: 2,
    };
    const given = { listener, answers: [{ relay, answer }], now: Date.now() };
    assert.deepEqual(await far.relays.answer(place.key, given), ['done']);
    const outcome = await coming;
    assert.ok(outcome.kind === 'response');
    assert.deepEqual([outcome.status, outcome.durationMs, Buffer.from(outcome.body).toString()], [201, 5, 'ok']);
    await near.relays.forget(place.key, [relay]);
    const left = await ground.query('SELECT head, body, answer FROM relays');
    assert.deepEqual(
      left.map((row) => ({ ...row })),
      [{ head: '', body: null, answer: 'null' }],
    );
    assert.deepEqual(await far.relays.answer(place.key, given), ['already-answered']);
  });

  test(`${engine}: nobody listens, somebody leaves, somebody else comes: the engine learns it at once`, async (t) => {
    const store = await (await prepare(t)).open();
    const place = await start(store, store);
    assert.equal(codeOf(await place.relay.send({ key: place.key, ...REQUEST })), 'no-listener');
    const first = await place.listen(null);
    const coming = place.relay.send({ key: place.key, ...REQUEST });
    const { requests, polls } = await handed(place, first.listener);
    // It has asked since: a connection of before that ended says nothing.
    assert.equal(
      await store.relays.leave(place.key, { listener: first.listener, polls: polls - 1, now: Date.now() }),
      false,
    );
    const second = await place.listen(null);
    assert.equal(codeOf(await coming), 'no-listener');
    await store.relays.forget(place.key, [requests[0]!.relay]);
    const late = {
      relay: requests[0]!.relay,
      answer: { durationMs: 1, status: 200, headers: [], body: '', bodyBytes: 0 },
    };
    const now = Date.now();
    assert.deepEqual(await store.relays.answer(place.key, { listener: second.listener, answers: [late], now }), [
      'not-found',
    ]);
    const replaced = { ...place.key, ...SPANS, listener: first.listener, now };
    assert.equal(await store.relays.listen(replaced), 'replaced');
    const again = place.relay.send({ key: place.key, ...REQUEST });
    await handed(place, second.listener);
    assert.equal(await store.relays.leave(place.key, { listener: second.listener, now: Date.now() }), true);
    assert.equal(codeOf(await again), 'no-listener');
    assert.ok(place.left >= 3);
    const gone = { ...place.key, target: 999, ...SPANS, listener: null, now };
    assert.equal(await store.relays.listen(gone), 'gone');
  });

  test(`${engine}: what is not answered in time is a time-out; what a crash left is forgotten`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const place = await start(store, store);
    const { listener } = await place.listen(null);
    const now = Date.now();
    const relay = (await store.relays.ask(place.key, REQUEST, { now, until: now + 1_000 }))!;
    await handed(place, listener);
    const answer = { durationMs: 1, status: 200, headers: [], body: '', bodyBytes: 0 };
    const late = { listener, answers: [{ relay, answer }], now: now + 1_000 };
    assert.deepEqual(await store.relays.answer(place.key, late), ['lease-expired']);
    await store.relays.prune(now + 3_600_000);
    assert.deepEqual(await ground.query('SELECT relay FROM relays'), []);
    assert.deepEqual(await ground.query('SELECT webhook FROM listeners'), []);
    await place.listen(null);
    const under = place.relay.send({ key: place.key, ...REQUEST });
    place.relay.close();
    assert.equal(codeOf(await under), 'closed');
    assert.equal(codeOf(await place.relay.send({ key: place.key, ...REQUEST })), 'closed');
  });
}

onEachEngine('relays', exercise);
