// Pulling, on both engines: a lease is all that stands between two consumers, and nothing is lost or done twice under it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeasedDelivery, LeaseVerdict, Pulled, Store } from '../src/store/index.ts';
import {
  addWorkspace,
  bytes,
  mustPublish,
  newWebhook,
  NOON,
  settle,
  settlementOf,
  someEvents,
  subscribe,
} from './store-furniture.ts';
import { onEachEngine, type Prepare } from './store-ground.ts';

const LEASE = 30_000;
const PLAN = [1000, 2000];

interface Ground {
  store: Store;
  workspace: number;
  target: number;
  publish(count: number, prefix?: string): Promise<number[]>;
  pull(now: number, limit?: number, from?: Store): Promise<LeasedDelivery[]>;
  ack(now: number, ...deliveries: LeasedDelivery[]): Promise<LeaseVerdict[]>;
  back(now: number, delayMs: number | null, ...deliveries: LeasedDelivery[]): Promise<LeaseVerdict[]>;
  shown(delivery: { event: number; copy: number }): Promise<Record<string, unknown>>;
}

async function start(store: Store): Promise<Ground> {
  const workspace = await addWorkspace(store);
  const webhook = await store.settings.createWebhook(newWebhook(workspace, 'pulled', { mode: 'pull', url: '' }));
  await subscribe(store, webhook, { type: 'com.example.*' });
  const target = webhook.webhook;
  const key = { workspace, target };
  return {
    store,
    ...key,
    publish: async (count, prefix = 'e') =>
      (await mustPublish({ store, workspace }, someEvents(count, prefix))).map(({ event }) => event),
    async pull(now, limit = 100, from = store) {
      const pulled = await from.pulls.pull({ ...key, limit, leaseMs: LEASE, mostTries: PLAN.length + 1, now });
      return (pulled as Pulled).deliveries;
    },
    ack: (now, ...claims) => store.pulls.acknowledge({ ...key, claims, now }),
    back: (now, delayMs, ...claims) =>
      store.pulls.giveBack({ ...key, claims, now, delayMs, delaysMs: PLAN, reason: 'returned: no' }),
    async shown({ event, copy }) {
      const { delivery, attempts } = (await store.log.delivery({ ...key, event, copy }))!;
      const { shown, tries, dueAt, endedAt, reason } = delivery;
      const kept = attempts.map(({ attempt, error, durationMs }) => [attempt, error, durationMs]);
      return { shown, tries, attempts: delivery.attempts, dueAt, endedAt, reason, kept };
    },
  };
}

const events = (deliveries: readonly { event: number }[]): number[] => deliveries.map(({ event }) => event);

function exercise(engine: string, prepare: Prepare): void {
  test(`${engine}: what is pulled is leased, with the bytes as published; acknowledged it is delivered`, async (t) => {
    const { store, workspace, target, publish, pull, ack, shown } = await start(await (await prepare(t)).open());
    const published = await publish(3);
    const [first] = (await pull(NOON, 1)) as [LeasedDelivery];
    assert.deepEqual([first.event, first.copy, first.attempt, first.leasedUntil], [published[0], 0, 1, NOON + LEASE]);
    const stored = (await store.log.event(workspace, first.event))!;
    assert.deepEqual(bytes(first.envelope), bytes(stored.envelope));
    const rest = await pull(NOON);
    assert.deepEqual(events(rest), published.slice(1));
    assert.equal(new Set([first, ...rest].map(({ lease }) => lease)).size, 3);
    assert.deepEqual(await pull(NOON + LEASE - 1), []);
    const open = { shown: 'scheduled', tries: 1, attempts: 1, dueAt: NOON + LEASE, endedAt: null, reason: null };
    assert.deepEqual(await shown(first), { ...open, kept: [] });
    assert.deepEqual(await ack(NOON + 40, first), ['done']);
    assert.deepEqual(await shown(first), { ...open, shown: 'delivered', endedAt: NOON + 40, kept: [[1, null, 40]] });
    const webhook = (await store.settings.webhook(workspace, target))!;
    assert.deepEqual([webhook.mode, webhook.lastSuccessAt], ['pull', NOON + 40]);
  });

  test(`${engine}: each claim is judged for itself: done, twice, somebody else’s, too late, or nobody’s`, async (t) => {
    const { publish, pull, ack, back } = await start(await (await prepare(t)).open());
    await publish(4);
    const [a, b, c, d] = (await pull(NOON)) as [LeasedDelivery, LeasedDelivery, LeasedDelivery, LeasedDelivery];
    const nobodys = { ...a, event: a.event + 1000 };
    const foreign = { ...b, lease: a.lease };
    const verdicts = await ack(NOON + 1, a, foreign, nobodys, a);
    assert.deepEqual(verdicts, ['done', 'lease-lost', 'not-found', 'lease-lost']);
    assert.deepEqual(await ack(NOON + 2, a, b), ['already-delivered', 'done']);
    // Given back, it is nobody's; the lease that ended is nobody's either, whether it is in other hands yet or not.
    assert.deepEqual(await back(NOON + 3, 0, c), ['done']);
    assert.deepEqual(await ack(NOON + 3, c), ['lease-lost']);
    assert.deepEqual(await ack(NOON + LEASE, d), ['lease-expired']);
    const again = await pull(NOON + LEASE);
    assert.deepEqual(new Set(events(again)), new Set(events([c, d])));
    assert.deepEqual(await ack(NOON + LEASE, d), ['lease-lost']);
    assert.deepEqual(await back(NOON + LEASE, 0, d, a), ['lease-lost', 'already-delivered']);
    assert.deepEqual(await ack(NOON + LEASE, ...again), ['done', 'done']);
  });

  test(`${engine}: a consumer that dies loses its deliveries after the lease, also across a restart; extending keeps them`, async (t) => {
    const ground = await prepare(t);
    const { workspace, target, store, publish, pull } = await start(await ground.open());
    const published = await publish(2);
    const [a, b] = (await pull(NOON)) as [LeasedDelivery, LeasedDelivery];
    const longer = { workspace, target, claims: [b], now: NOON + 1000, leaseMs: 2 * LEASE };
    assert.deepEqual(await store.pulls.extend(longer), ['done']);
    await store.close();
    const again = await ground.open();
    assert.deepEqual(events(await pull(NOON + LEASE - 1, 10, again)), []);
    const [retaken, ...none] = await pull(NOON + LEASE, 10, again);
    assert.deepEqual([retaken!.event, retaken!.attempt, none], [published[0], 2, []]);
    assert.notEqual(retaken!.lease, a.lease);
    const claims = { workspace, target, claims: [b], now: NOON + LEASE + 1000 };
    assert.deepEqual(await again.pulls.acknowledge(claims), ['done']);
    assert.deepEqual(await again.pulls.extend({ ...claims, leaseMs: LEASE }), ['already-delivered']);
    const [found] = await ground.query<{ error: string }>(`SELECT error FROM attempts WHERE event = ${a.event}`);
    assert.equal(found!.error, 'the lease ended without an answer');
  });

  test(`${engine}: what is returned waits as the plan or the consumer says; after the last try it is a dead letter`, async (t) => {
    const { publish, pull, back, shown } = await start(await (await prepare(t)).open());
    await publish(2);
    let at = NOON;
    for (const [tries, delayMs, waitMs] of [
      [1, null, PLAN[0]!],
      [2, 5000, 5000],
    ] as const) {
      const both = await pull(at);
      assert.equal(both.length, 2);
      assert.deepEqual(await back(at + 10, delayMs, ...both), ['done', 'done']);
      assert.deepEqual(await pull(at + 10 + waitMs - 1), []);
      const { tries: used, reason, dueAt } = await shown(both[0]!);
      assert.deepEqual([used, reason, dueAt], [tries, 'returned: no', at + 10 + waitMs]);
      at += 10 + waitMs;
    }
    // The last try: one is returned, of the other nothing is heard.
    const [one, other] = (await pull(at)) as [LeasedDelivery, LeasedDelivery];
    assert.equal(one.attempt, 3);
    assert.deepEqual(await back(at + 1, 0, one), ['done']);
    const dead = await shown(one);
    assert.deepEqual([dead['shown'], dead['reason'], dead['attempts']], ['dead', 'returned: no', 3]);
    assert.deepEqual(await pull(at + LEASE), []);
    const silent = await shown(other);
    assert.deepEqual(
      [silent['shown'], silent['reason']],
      ['dead', 'the lease of its last try ended without an answer'],
    );
    assert.equal((silent['kept'] as unknown[]).length, 3);
  });

  test(`${engine}: 1,000 deliveries, four consumers at once: none has one that another has, each is done exactly once`, async (t) => {
    const { publish, pull, ack, store, workspace, target } = await start(await (await prepare(t)).open());
    const published = await publish(1000);
    const held = new Set<number>();
    const done: number[] = [];
    await Promise.all(
      [17, 23, 31, 47].map(async (limit) => {
        for (let had = await pull(NOON, limit); had.length > 0; had = await pull(NOON, limit)) {
          for (const { event } of had) {
            assert.ok(!held.has(event), `two consumers have ${event}`);
            held.add(event);
          }
          assert.deepEqual(new Set(await ack(NOON + 1, ...had)), new Set(['done']));
          done.push(...events(had));
        }
      }),
    );
    // PostgreSQL: a consumer may find nothing while all that is due is in the others' transactions.
    for (let had = await pull(NOON); had.length > 0; had = await pull(NOON)) {
      await ack(NOON + 1, ...had);
      done.push(...events(had));
    }
    assert.deepEqual(
      done.toSorted((a, b) => a - b),
      published,
    );
    const left = await store.log.refill({ workspace, target, now: NOON + 1e9, after: null, limit: 10 });
    assert.deepEqual(left.deliveries, []);
  });

  test(`${engine}: nothing is handed out while it is paused, nor of a webhook that is sent to; a recover leaves leases alone`, async (t) => {
    const { store, workspace, target, publish, pull } = await start(await (await prepare(t)).open());
    const pushed = await store.settings.createWebhook(newWebhook(workspace, 'pushed'));
    await publish(3);
    const query = { workspace, limit: 1, leaseMs: LEASE, mostTries: 3, now: NOON };
    for (const other of [pushed.webhook, 9999]) assert.equal(await store.pulls.pull({ ...query, target: other }), null);
    const [leased] = await pull(NOON, 1);
    const webhook = (await store.settings.webhook(workspace, target))!;
    const pause = { workspace, target, revision: webhook.revision, reason: 'paused by hand', now: NOON };
    const paused = await store.settings.updateWebhook({ ...pause, patch: { intent: 'paused' } });
    assert.equal(await store.pulls.pull({ ...query, target }), null);
    const { rows } = await store.log.deliveries({ workspace, webhook: target, cursor: null, limit: 9 });
    assert.deepEqual(new Set(rows.map(({ shown }) => shown)), new Set(['held']));
    await store.settings.updateWebhook({ ...pause, revision: paused.revision, patch: { intent: 'enabled' } });
    const made = { kind: 'recover' as const, until: null, type: null, filter: null, pace: 1, note: null };
    const operation = await store.operations.begin({ ...made, workspace, webhook: target, since: 0 }, NOON);
    const ahead = await store.operations.ahead({ operation, limit: 10, now: NOON });
    assert.deepEqual([ahead.keys, ahead.looked], [[], 3]);
    assert.deepEqual((await pull(NOON)).length, 2);
    assert.ok(leased);

    const [event] = await publish(1, 'mine');
    const carried = { event: event!, type: '', envelope: new Uint8Array(), trace: null };
    const key = { workspace, target, event: event!, copy: 0 };
    const pending = {
      ...key,
      tries: 0,
      attempts: 0,
      firstTryAt: null,
      dueAt: NOON,
      createdAt: NOON,
      batch: null,
      carried,
    };
    await settle(store, settlementOf(pending));
    assert.deepEqual(await pull(NOON), []);
  });

  test(`${engine}: events are handed out up to some megabytes at once, one in any case`, async (t) => {
    const { store, workspace, pull } = await start(await (await prepare(t)).open());
    const data = 'x'.repeat(3 * 1024 * 1024);
    await mustPublish({ store, workspace }, someEvents(4, 'large', { data }));
    assert.equal((await pull(NOON)).length, 2);
    assert.equal((await pull(NOON)).length, 2);
  });
}

onEachEngine('pulls', exercise);
