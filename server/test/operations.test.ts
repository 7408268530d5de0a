// Operations on both engines: what they release is compared as sets of ids, and a stop in the middle changes nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../src/clock.ts';
import { OperationRunner } from '../src/engine/operations.ts';
import { deliveryId, type DeliveryKey } from '../src/model/ids.ts';
import type { OwnedLane, OperationWish, Store, StoredOperation } from '../src/store/index.ts';
import {
  addWebhook,
  addWorkspace,
  mustPublish,
  newEvent,
  NOON,
  openOf,
  settle,
  settlementOf,
  someEvents,
  subscribe,
  type Place,
} from './store-furniture.ts';
import { onEachEngine, type Ground, type Prepare } from './store-ground.ts';

const HOUR = 3_600_000;
const TOKEN = '0000000000';

/** Which deliveries there are, by their state in the store, as a set of ids. */
async function ids({ query }: Ground, where: string): Promise<Set<string>> {
  const rows = await query<Record<keyof DeliveryKey, unknown>>(
    `SELECT workspace, event, target, copy FROM deliveries WHERE ${where}`,
  );
  return new Set(rows.map((row) => idOf({ ...row } as never)));
}

function idOf(row: DeliveryKey): string {
  const [workspace, event, target, copy] = [row.workspace, row.event, row.target, row.copy].map(Number);
  return deliveryId(TOKEN, { workspace: workspace!, event: event!, target: target!, copy: copy! });
}

const union = (...sets: ReadonlySet<string>[]): Set<string> => new Set(sets.flatMap((set) => [...set]));

function wish(over: Partial<OperationWish> & Pick<OperationWish, 'workspace' | 'kind' | 'webhook'>): OperationWish {
  return { since: null, until: null, type: null, filter: null, pace: 100_000, note: null, ...over };
}

interface Node {
  runner: OperationRunner;
  store: Store;
  errors: unknown[];
  /** Chunks that were committed. */
  chunks: () => number;
}

/**
 * A node that runs operations. `dieAfter` many chunks it is as one that was killed: nothing it asks for is answered.
 */
async function node(store: Store, name: string, dieAfter = Infinity): Promise<Node & { dead: Promise<void> }> {
  const owned = new Map<number, OwnedLane>();
  for (const lane of await store.lanes.take(name, Date.now(), 60_000)) owned.set(lane.lane, lane);
  const dead = Promise.withResolvers<void>();
  const errors: unknown[] = [];
  let chunks = 0;
  const operations: Store['operations'] = {
    ...store.operations,
    advance: async (chunk) => {
      if (chunks >= dieAfter) {
        dead.resolve();
        return new Promise(() => undefined);
      }
      const done = await store.operations.advance(chunk);
      chunks++;
      return done;
    },
  };
  const runner = new OperationRunner({
    store: { ...store, operations },
    lanes: { owned: (lane) => owned.get(lane) },
    clock: systemClock,
    onError: (error) => errors.push(error),
  });
  store.on({ operation: () => runner.wake() });
  runner.start();
  return { runner, store, errors, chunks: () => chunks, dead: dead.promise };
}

async function ended(store: Store, { workspace, operation }: StoredOperation): Promise<StoredOperation> {
  const giveUpAt = performance.now() + 30_000;
  for (;;) {
    const now = await store.operations.one(workspace, operation);
    if (now && now.state !== 'running') return now;
    assert.ok(performance.now() < giveUpAt, JSON.stringify(now));
    await new Promise((again) => setTimeout(again, 5));
  }
}

/** Ten thousand deliveries of one webhook in every state, and as many of others beside them. */
async function tenThousand(store: Store, ground: Ground): Promise<Place & { target: number; other: number }> {
  const workspace = await addWorkspace(store);
  const place = { store, workspace };
  const { webhook: target } = await addWebhook(place, 'main', 'com.example.*');
  const { webhook: other } = await addWebhook(place, 'other', 'com.example.every');
  for (let batch = 0; batch < 10; batch++) {
    const type = batch % 2 === 0 ? 'com.example.every' : 'com.example.main';
    // Half of it before the instant since when it is recovered, and a clock that was set back in the middle.
    const acceptedAt = NOON + (batch < 5 ? -HOUR : 0) - (batch === 7 ? 2 * HOUR : 0);
    await mustPublish(place, someEvents(1000, `b${batch}-`, { type }), acceptedAt);
  }
  await mustPublish(place, someEvents(500, 'later', { type: 'com.example.every' }), NOON + HOUR);
  // Each fifth: delivered; dead; dead unseen; waiting for its next try; due and never tried.
  const set = (rest: number, columns: string) =>
    ground.query(`UPDATE deliveries SET ${columns} WHERE event % 5 = ${rest} AND workspace = ${workspace}`);
  await set(0, `state = 1, tries = 1, attempts = 1, ended_at = ${NOON}`);
  await set(1, `state = 2, tries = 3, attempts = 3, first_try_at = 1, ended_at = ${NOON}, reason = 'it answered 500'`);
  await set(2, `state = 2, ended_at = ${NOON}, reason = 'expired before it could be delivered'`);
  await set(3, `tries = 2, attempts = 2, due_at = ${Date.now() + 10 * HOUR}`);
  return { ...place, target, other };
}

function exercise(engine: string, prepare: Prepare): void {
  test(`${engine}: a recover of 10,000 deliveries in every state releases all that was not delivered, and nothing else`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const { workspace, target, other } = await tenThousand(store, ground);
    const since = NOON;
    const accepted = `(SELECT accepted_at FROM events e WHERE e.workspace = deliveries.workspace AND e.event = deliveries.event)`;
    const mine = `workspace = ${workspace} AND target = ${target}`;
    const should = await ids(ground, `${mine} AND state <> 1 AND ${accepted} >= ${since}`);
    const wanted = await ids(ground, `${mine} AND ${accepted} >= ${since} AND (state = 2 OR due_at > ${Date.now()})`);
    const delivered = await ids(ground, `${mine} AND state = 1`);
    const others = await ids(ground, `target = ${other} AND state = 2`);
    const early = await ids(ground, `${mine} AND state = 2 AND ${accepted} < ${since}`);
    assert.ok(should.size > 3000 && wanted.size > 2000 && early.size > 2000);
    // What it should have got it should get, whatever became of the subscription since.
    for (const { subscription } of await store.settings.subscriptions(workspace, target)) {
      await store.settings.deleteSubscription(workspace, subscription);
    }

    const first = await node(store, 'first', 2);
    const begun = await store.operations.begin(
      wish({ workspace, kind: 'recover', webhook: target, since }),
      Date.now(),
    );
    await first.dead;
    const halfway = (await store.operations.one(workspace, begun.operation))!;
    assert.deepEqual([halfway.state, halfway.released, halfway.chunks], ['running', 1000, 2]);
    // Events that come meanwhile are none of its business.
    await mustPublish({ store, workspace }, someEvents(5, 'meanwhile'), NOON + 2 * HOUR);

    // Another platform on the same store. The former one cannot do its chunk any more, should it wake up.
    if (engine === 'sqlite') await store.close();
    const again = await ground.open();
    const second = await node(again, 'second');
    const done = await ended(again, begun);
    await second.runner.stop();
    assert.deepEqual(second.errors, []);
    assert.equal(done.state, 'done');
    assert.equal(done.released, wanted.size);
    assert.equal(
      done.looked,
      should.size + (await ids(ground, `${mine} AND state = 1 AND ${accepted} >= ${since}`)).size,
    );
    const due = `state = 0 AND due_at <= ${Date.now()}`;
    const meanwhile = await ids(ground, `${mine} AND ${accepted} >= ${NOON + 2 * HOUR}`);
    const dueBefore = await ids(ground, `${mine} AND ${due} AND ${accepted} < ${since}`);
    assert.equal(meanwhile.size, 0, 'the subscription is gone');
    assert.deepEqual(await ids(ground, `${mine} AND ${due}`), union(should, dueBefore));
    assert.deepEqual(await ids(ground, `${mine} AND state = 1`), delivered);
    assert.deepEqual(await ids(ground, `${mine} AND state = 2`), early);
    assert.deepEqual(await ids(ground, `target = ${other} AND state = 2`), others);
    const [row] = await ground.query(
      `SELECT tries, attempts, first_try_at, ended_at, reason FROM deliveries
       WHERE ${mine} AND event % 5 = 1 AND ${due} ORDER BY event LIMIT 1`,
    );
    const numbers = [Number(row!['tries']), Number(row!['attempts'])];
    assert.deepEqual([...numbers, row!['first_try_at'], row!['ended_at'], row!['reason']], [0, 3, null, null, null]);
  });

  test(`${engine}: a chunk of a former owner, or one that was done already, does nothing`, async (t) => {
    const store = await (await prepare(t)).open();
    const workspace = await addWorkspace(store);
    const { webhook } = await addWebhook({ store, workspace }, 'all', 'com.example.*');
    await mustPublish({ store, workspace }, someEvents(2));
    const [lane] = (await store.lanes.take('one', Date.now(), 60_000)) as [OwnedLane];
    const operation = await store.operations.begin(wish({ workspace, kind: 'replay', webhook }), NOON);
    const chunk = {
      operation,
      release: [],
      copy: [operation.upTo - 1],
      looked: 1,
      cursor: { event: operation.upTo - 1, target: 0, copy: 0 },
      ended: false,
      now: NOON,
    };
    assert.equal(await store.operations.advance({ ...chunk, lane: { ...lane, epoch: lane.epoch + 1 } }), null);
    assert.equal((await store.operations.advance({ ...chunk, lane }))?.released, 1);
    assert.equal(await store.operations.advance({ ...chunk, lane }), null);
    assert.deepEqual(
      (await openOf({ store, workspace }, webhook)).map(({ copy }) => copy),
      [0, 0, 1],
    );
    const paused = await store.operations.pause(operation, { paused: true, now: NOON + 1 });
    assert.deepEqual([paused.state, paused.endedAt, paused.released], ['paused', null, 1]);
    assert.deepEqual(await store.operations.running(), []);
    assert.equal(await store.operations.advance({ ...chunk, operation: paused, lane }), null);
    await assert.rejects(store.operations.begin(wish({ workspace, kind: 'replay', webhook }), NOON), /runs already/);
    const resumed = await store.operations.pause(operation, { paused: false, now: NOON + 2 });
    assert.deepEqual([resumed.state, resumed.chunks], ['running', 1]);
    await store.operations.pause(operation, { paused: true, now: NOON + 3 });
    const cancelled = await store.operations.end(operation, { state: 'cancelled', reason: 'enough', now: NOON });
    assert.deepEqual([cancelled.state, cancelled.reason, cancelled.endedAt], ['cancelled', 'enough', NOON]);
    const now = (await store.operations.one(workspace, operation.operation))!;
    assert.equal(await store.operations.advance({ ...chunk, operation: now, lane }), null);
    const late = await store.operations.end(operation, { state: 'failed', reason: 'late', now: NOON });
    assert.equal(late.state, 'cancelled');
    const over = await store.operations.pause(operation, { paused: false, now: NOON });
    assert.equal(over.state, 'cancelled');
  });

  test(`${engine}: a replay copies exactly the events that its filter, its time and its subscriptions say`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const workspace = await addWorkspace(store);
    const place = { store, workspace };
    const all = await addWebhook(place, 'all', 'com.example.*');
    const late = await addWebhook(place, 'late');
    const made = (from: number, type: string, at: number) =>
      mustPublish(
        place,
        Array.from({ length: 300 }, (_, i) => newEvent(`e${from + i}`, { type, data: { n: from + i } })),
        at,
      );
    const a = await made(0, 'com.example.a', NOON);
    const b = await made(300, 'com.example.b', NOON + HOUR);
    const c = await made(600, 'com.other.c', NOON + HOUR);
    await subscribe(store, late, { type: 'com.other.*', filter: 'n ge 750' });
    const { runner, errors } = await node(store, 'one');
    const copies = async (of: Partial<OperationWish> & { webhook: number }, copy: number): Promise<Set<string>> => {
      const before = (await ids(ground, 'copy > 0')).size;
      const done = await ended(store, await store.operations.begin(wish({ workspace, kind: 'replay', ...of }), NOON));
      assert.deepEqual([done.state, done.released], ['done', (await ids(ground, 'copy > 0')).size - before]);
      return ids(ground, `target = ${of.webhook} AND copy = ${copy} AND state = 0`);
    };
    const expected = (events: readonly { event: number }[], { webhook }: { webhook: number }, copy: number) =>
      new Set(events.map(({ event }) => idOf({ workspace, event, target: webhook, copy })));
    // What it is subscribed to, in a span of time.
    assert.deepEqual(await copies({ webhook: all.webhook, since: NOON + HOUR }, 1), expected(b, all, 1));
    // Once more: the copies go on counting where there are some.
    const again = await copies({ webhook: all.webhook, type: 'com.example.*', filter: 'n ge 250' }, 1);
    assert.deepEqual(again, union(expected(a.slice(250), all, 1), expected(b, all, 1)));
    assert.deepEqual(await ids(ground, `copy = 2`), expected(b, all, 2));
    // A webhook that was not subscribed at the time, by its present filter, and then by one that asks for more.
    assert.deepEqual(await copies({ webhook: late.webhook }, 1), expected(c.slice(150), late, 1));
    const given = { webhook: late.webhook, type: 'com.example.a', until: NOON + 1, filter: 'n lt 10' };
    assert.deepEqual(await copies(given, 1), union(expected(c.slice(150), late, 1), expected(a.slice(0, 10), late, 1)));
    // The engine reads them as it reads any delivery.
    const open = await openOf(place, late.webhook, Date.now());
    assert.deepEqual(
      open.map(({ copy, carried }) => [copy, carried.envelope.length > 0]),
      Array.from({ length: 160 }, () => [1, true]),
    );
    await runner.stop();
    assert.deepEqual(errors, []);
  });

  test(`${engine}: a replay with a filter passes over what was erased`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const workspace = await addWorkspace(store);
    const place = { store, workspace };
    const { webhook } = await addWebhook(place, 'all', 'com.example.*');
    const [first, second] = await mustPublish(place, someEvents(2));
    const nothing = ground.engine === 'sqlite' ? "x''" : "''::bytea";
    await ground.query(`UPDATE events SET envelope = ${nothing}, erased_at = ${NOON} WHERE event = ${first!.event}`);
    const { runner, errors } = await node(store, 'one');
    const given = wish({ workspace, kind: 'replay', webhook, type: 'com.example.*', filter: 'n gt 0' });
    const done = await ended(store, await store.operations.begin(given, NOON));
    await runner.stop();
    assert.deepEqual([done.state, done.reason, done.looked, done.released, errors], ['done', null, 2, 1, []]);
    assert.deepEqual(
      await ids(ground, 'copy > 0'),
      new Set([idOf({ workspace, event: second!.event, target: webhook, copy: 1 })]),
    );
  });

  test(`${engine}: a redrive takes the dead letters of one webhook, then of all that still exist`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const workspace = await addWorkspace(store);
    const place = { store, workspace };
    const one = await addWebhook(place, 'one', 'com.example.*');
    const two = await addWebhook(place, 'two', 'com.example.*');
    const gone = await addWebhook(place, 'gone', 'com.example.*');
    await mustPublish(place, someEvents(700));
    await ground.query(`UPDATE deliveries SET state = 2, ended_at = ${NOON} + event % 2, reason = 'it answered 500'`);
    await store.settings.deleteWebhook({ workspace, target: gone.webhook }, true, NOON);
    const dead = (target: number) => ids(ground, `state = 2 AND target = ${target}`);
    const [ofOne, ofTwo, ofGone] = [await dead(one.webhook), await dead(two.webhook), await dead(gone.webhook)];
    const even = await ids(ground, `target = ${one.webhook} AND event % 2 = 0`);
    const { runner, errors } = await node(store, 'only');
    const redrive = async (of: Partial<OperationWish>): Promise<StoredOperation> =>
      ended(
        store,
        await store.operations.begin(wish({ workspace, kind: 'redrive', webhook: null, ...of }), Date.now()),
      );
    const some = await redrive({ webhook: one.webhook, until: NOON + 1 });
    assert.deepEqual([some.state, some.looked, some.released], ['done', even.size, even.size]);
    assert.deepEqual(await ids(ground, 'state = 0'), even);
    const rest = await redrive({});
    assert.equal(rest.released, ofOne.size - even.size + ofTwo.size);
    assert.equal(rest.looked - rest.released, ofGone.size);
    assert.deepEqual(await ids(ground, 'state = 0'), union(ofOne, ofTwo));
    assert.deepEqual(await dead(gone.webhook), ofGone);
    await runner.stop();
    assert.deepEqual(errors, []);
  });

  test(`${engine}: two of a kind for one webhook do not run at once; one whose webhook goes fails and says why`, async (t) => {
    const store = await (await prepare(t)).open();
    const workspace = await addWorkspace(store);
    const place = { store, workspace };
    const one = await addWebhook(place, 'one', 'com.example.*');
    const two = await addWebhook(place, 'two', 'com.example.*');
    await mustPublish(place, someEvents(10));
    const begin = (kind: OperationWish['kind'], webhook: number | null) =>
      store.operations.begin(wish({ workspace, kind, webhook, since: NOON }), NOON);
    const first = await begin('recover', one.webhook);
    const words = new RegExp(
      `^a recover of this webhook runs already, op_[0-9a-z]{10}_${first.operation.toString(36)}: `,
    );
    await assert.rejects(begin('recover', one.webhook), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'operation-running');
      assert.match(error.message, words);
      return true;
    });
    const beside = [await begin('recover', two.webhook), await begin('replay', one.webhook)];
    const all = await begin('redrive', null);
    await assert.rejects(begin('redrive', two.webhook), /a redrive of this webhook runs already, op_/);
    await assert.rejects(begin('recover', 999), /there is no such webhook/);
    const page = await store.operations.list({ workspace, cursor: null, limit: 3 });
    assert.deepEqual(
      page.map(({ operation }) => operation),
      [all, ...beside.toReversed()].map(({ operation }) => operation),
    );
    const rest = await store.operations.list({ workspace, cursor: page[2]!.operation, limit: 3, state: 'running' });
    assert.deepEqual(
      rest.map(({ operation }) => operation),
      [first.operation],
    );
    assert.equal((await store.operations.list({ workspace, webhook: two.webhook, cursor: null, limit: 9 })).length, 1);

    await store.settings.deleteWebhook({ workspace, target: one.webhook }, true, NOON);
    const { runner } = await node(store, 'only');
    const failed = await ended(store, first);
    assert.deepEqual([failed.state, failed.reason, failed.released], ['failed', 'The webhook was deleted.', 0]);
    for (const other of [...beside, all]) await ended(store, other);
    await runner.stop();
  });

  test(`${engine}: two nodes that both believe an operation theirs do each chunk once`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const workspace = await addWorkspace(store);
    const { webhook } = await addWebhook({ store, workspace }, 'all', 'com.example.*');
    await mustPublish({ store, workspace }, someEvents(900));
    // The same name twice: the lanes are both's, under the same epochs.
    const both = [await node(store, 'same'), await node(store, 'same')];
    const done = await ended(
      store,
      await store.operations.begin(wish({ workspace, kind: 'replay', webhook }), Date.now()),
    );
    for (const { runner, errors } of both) {
      await runner.stop();
      assert.deepEqual(errors, []);
    }
    assert.deepEqual([done.state, done.looked, done.released], ['done', 900, 900]);
    assert.equal((await ids(ground, 'copy = 1')).size, 900);
    assert.equal((await ids(ground, 'copy > 1')).size, 0);
  });

  test(`${engine}: operations that have ended go with retention, and all with their workspace`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const workspace = await addWorkspace(store);
    const { webhook } = await addWebhook({ store, workspace }, 'one');
    const kept = await store.operations.begin(wish({ workspace, kind: 'recover', webhook, since: NOON }), NOON);
    const over = await store.operations.begin(wish({ workspace, kind: 'redrive', webhook }), NOON);
    await store.operations.end(over, { state: 'cancelled', reason: 'enough', now: NOON });
    const span = { eventsMs: 10, deliveriesMs: 10, idempotencyMs: 10, changesMs: 10, runsMs: 10 };
    await store.log.prune(span, NOON + 100, 100);
    const left = await store.operations.list({ workspace, cursor: null, limit: 9 });
    assert.deepEqual(
      left.map(({ operation }) => operation),
      [kept.operation],
    );
    await store.settings.deleteWorkspace(workspace, NOON);
    assert.deepEqual(await ground.query('SELECT operation FROM operations'), []);
  });

  test(`${engine}: a pace is kept over chunks, whoever runs them`, async (t) => {
    const store = await (await prepare(t)).open();
    const workspace = await addWorkspace(store);
    const { webhook } = await addWebhook({ store, workspace }, 'all', 'com.example.*');
    await mustPublish({ store, workspace }, someEvents(90));
    for (const delivery of await openOf({ store, workspace }, webhook)) {
      const dead = { state: 'dead' as const, tries: 1, dueAt: NOON, endedAt: NOON, reason: 'it answered 500' };
      await settle(store, settlementOf(delivery, { next: dead }));
    }
    const { runner } = await node(store, 'only');
    const startedAt = Date.now();
    const begun = await store.operations.begin(wish({ workspace, kind: 'redrive', webhook, pace: 60 }), startedAt);
    const done = await ended(store, begun);
    await runner.stop();
    // Sixty at once, and the rest a second later.
    assert.equal(done.released, 90);
    assert.ok(done.endedAt! - startedAt >= 950, `${done.endedAt! - startedAt} ms`);
    assert.ok(done.chunks >= 2);
  });
}

onEachEngine('operations', exercise);
