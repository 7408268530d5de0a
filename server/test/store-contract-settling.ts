// The store's contract, part three: what attempts came to, what is still to be done, and whose it is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PendingDelivery, Settlement } from '../src/model/delivery.ts';
import { PARKED_AT } from '../src/model/order.ts';
import { LANES, type Refill, type RefillQuery, type SettleBatch, type Store } from '../src/store/index.ts';
import {
  addWebhook,
  bytes,
  DAY,
  furnish,
  mustPublish,
  newEvent,
  NOON,
  openOf,
  settle,
  settlementOf,
  someEvents,
} from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

type Next = NonNullable<Settlement['next']>;

const retryAt = (dueAt: number): Next => ({ state: 'open', tries: 1, dueAt, endedAt: null, reason: 'it answered 503' });
const batchOf = (over: Partial<SettleBatch>): SettleBatch => ({
  settlements: [],
  vitals: [],
  lanes: [],
  synced: true,
  now: NOON,
  ...over,
});

async function shown(store: Store, { workspace, event, target, copy }: PendingDelivery): Promise<object> {
  const { delivery, attempts } = (await store.log.delivery({ workspace, event, target, copy }))!;
  const { state, tries, dueAt, endedAt, firstTryAt, reason } = delivery;
  return {
    state,
    tries,
    attempts: delivery.attempts,
    kept: attempts.map((a) => a.attempt),
    dueAt,
    endedAt,
    firstTryAt,
    reason,
  };
}

/** Runs this part on an engine. */
export function exerciseSettling(engine: string, prepare: Prepare): void {
  test(`${engine}: R124 a settle moves deliveries and keeps their attempts with every detail`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, target } = await furnish(store);
    await mustPublish({ store, workspace }, someEvents(4));
    const [a, b, c, d] = (await openOf({ store, workspace }, target)) as [
      PendingDelivery,
      PendingDelivery,
      PendingDelivery,
      PendingDelivery,
    ];
    const failed = { status: null, error: 'no answer within 15 s', responseHeaders: null, response: null };
    await settle(
      store,
      settlementOf(a),
      settlementOf(b, { next: retryAt(NOON + 5000), attempt: { ...settlementOf(b).attempt, ...failed } }),
      settlementOf(c, {
        next: { state: 'dead', tries: 1, dueAt: NOON, endedAt: NOON + 60, reason: 'it answered 500' },
      }),
      settlementOf(d, { next: null, attempt: { ...settlementOf(d).attempt, manual: true } }),
    );
    const common = { tries: 1, attempts: 1, kept: [1], dueAt: NOON, firstTryAt: NOON + 10 };
    assert.deepEqual(await shown(store, a), { ...common, state: 'delivered', endedAt: NOON + 50, reason: null });
    assert.deepEqual(await shown(store, b), {
      ...common,
      state: 'open',
      dueAt: NOON + 5000,
      endedAt: null,
      reason: 'it answered 503',
    });
    assert.deepEqual(await shown(store, c), {
      ...common,
      state: 'dead',
      endedAt: NOON + 60,
      reason: 'it answered 500',
    });
    // A manual failure leaves the chain alone: still due, no automatic try used.
    assert.deepEqual(await shown(store, d), {
      ...common,
      state: 'open',
      tries: 0,
      firstTryAt: null,
      endedAt: null,
      reason: null,
    });
    const [kept] = (await store.log.delivery(a))!.attempts;
    assert.deepEqual(
      { ...kept, response: bytes(kept!.response) },
      { ...settlementOf(a).attempt, response: [0, 1, 2, 255] },
    );
    const [none] = (await store.log.delivery(b))!.attempts;
    assert.deepEqual({ ...none }, { ...settlementOf(b).attempt, ...failed });
    assert.equal((await store.log.delivery(d))!.attempts[0]!.manual, true);
  });

  test(`${engine}: an unsynced settle is seen at once`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, target } = await furnish(store);
    await mustPublish({ store, workspace }, someEvents(20));
    for (const delivery of await openOf({ store, workspace }, target)) {
      await store.log.settle(batchOf({ settlements: [settlementOf(delivery)], synced: false }));
      assert.equal((await store.log.delivery(delivery))!.delivery.state, 'delivered');
    }
    assert.deepEqual(await openOf({ store, workspace }, target), []);
  });

  test(`${engine}: R124 vitals are set only against the revision they were judged by, changes are recorded`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, webhook, target } = await furnish(store);
    const told: number[] = [];
    store.on({ webhook: (_workspace, number) => told.push(number) });
    const vitals = (streak: number, revision: number): SettleBatch['vitals'][number] => ({
      workspace,
      target,
      revision,
      vitals: { health: 'active', streak, lastSuccessAt: NOON + streak },
      quietUntil: NOON + 7,
      change: null,
    });
    await store.log.settle(batchOf({ vitals: [vitals(7, webhook.revision)] }));
    let now = (await store.settings.webhook(workspace, target))!;
    assert.deepEqual(
      [now.streak, now.lastSuccessAt, now.quietUntil, now.revision],
      [7, NOON + 7, NOON + 7, webhook.revision],
    );
    assert.deepEqual(told, []);

    const change = { intent: 'disabled', reason: 'it answered 410', at: NOON + 8 } as const;
    const gone = {
      ...vitals(0, webhook.revision),
      vitals: { health: 'warning', streak: 0, lastSuccessAt: null },
      change,
    } as const;
    await store.log.settle(batchOf({ vitals: [gone] }));
    now = (await store.settings.webhook(workspace, target))!;
    assert.deepEqual(
      [now.intent, now.health, now.reason, now.revision],
      ['disabled', 'warning', 'it answered 410', webhook.revision + 1],
    );
    assert.deepEqual(told, [target]);
    const [newest] = await store.settings.webhookChanges(workspace, target, 10);
    assert.deepEqual({ ...newest }, { ...change, health: 'warning' });

    // What was judged against the former revision is too late, with a change and without.
    await store.log.settle(batchOf({ vitals: [vitals(99, webhook.revision), gone] }));
    assert.deepEqual(await store.settings.webhook(workspace, target), now);
    assert.deepEqual(told, [target]);
    assert.equal((await store.settings.webhookChanges(workspace, target, 10)).length, 2);
  });

  test(`${engine}: a former owner of a lane is refused and writes nothing`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const { workspace, webhook, target } = await furnish(store);
    await mustPublish({ store, workspace }, [newEvent('a')]);
    const [delivery] = await openOf({ store, workspace }, target);
    const owned = await store.lanes.take('former', NOON, 1000);
    const lane = owned.find((one) => one.lane === webhook.bucket % LANES)!;
    const settlements = [settlementOf(delivery!)];
    const vitals = [
      {
        workspace,
        target,
        revision: webhook.revision,
        vitals: { health: 'warning' as const, streak: 0, lastSuccessAt: null },
        quietUntil: null,
        change: null,
      },
    ];
    await store.lanes.take('latter', NOON + 1000, 1000);
    assert.equal(await store.log.settle(batchOf({ settlements, vitals, lanes: [lane] })), 'fenced');
    assert.equal(await store.log.settle(batchOf({ settlements, vitals, lanes: [{ lane: 99, epoch: 1 }] })), 'fenced');
    const read = (await store.log.delivery(delivery!))!;
    assert.deepEqual([read.delivery.state, read.delivery.attempts, read.attempts], ['open', 0, []]);
    assert.deepEqual(await store.settings.webhook(workspace, target), webhook);
    const now = { lane: lane.lane, epoch: lane.epoch + 1 };
    assert.equal(await store.log.settle(batchOf({ settlements, lanes: [now] })), 'settled');
  });

  test(`${engine}: R124 what has ended stays ended: a late failure is counted, a late success is believed`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, target } = await furnish(store);
    const place = { store, workspace };
    await mustPublish(place, someEvents(4));
    const [a, b, c, d] = (await openOf(place, target)) as [
      PendingDelivery,
      PendingDelivery,
      PendingDelivery,
      PendingDelivery,
    ];
    // Delivered by hand while an automatic try was under way; buried with their webhook while tries were under way.
    await settle(store, settlementOf(a));
    await store.settings.deleteWebhook({ workspace, target }, true, NOON + 20);
    const second = (of: PendingDelivery): PendingDelivery => ({ ...of, attempts: 1 });
    await settle(
      store,
      settlementOf(second(a), { next: retryAt(NOON + 5000) }),
      settlementOf(b, { next: retryAt(NOON + 5000) }),
      settlementOf(c, { next: { state: 'dead', tries: 20, dueAt: NOON, endedAt: NOON + 99, reason: 'late' } }),
      settlementOf(d),
    );
    const states = await Promise.all([a, b, c, d].map((one) => shown(store, one)));
    assert.deepEqual(
      states.map((one) => Object.values(one).slice(0, 4)),
      [
        ['delivered', 1, 2, [1, 2]],
        ['dead', 0, 1, [1]],
        ['dead', 0, 1, [1]],
        ['delivered', 1, 1, [1]],
      ],
    );
    assert.equal((await store.log.delivery(c))!.delivery.reason, 'the webhook was deleted');
  });

  test(`${engine}: R124 an attempt of a delivery that is gone leaves nothing behind`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const { workspace, target } = await furnish(store);
    await mustPublish({ store, workspace }, someEvents(3));
    const open = await openOf({ store, workspace }, target);
    await ground.query('DELETE FROM deliveries WHERE event = $1', [open[1]!.event]);
    await settle(store, ...open.map((delivery) => settlementOf(delivery)));
    const kept = await ground.query<{ event: unknown }>('SELECT event FROM attempts ORDER BY event');
    assert.deepEqual(
      kept.map(({ event }) => Number(event)),
      [open[0]!.event, open[2]!.event],
    );
  });

  test(`${engine}: R124 an attempt that cannot be stored as it is takes no other one along`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const { workspace, webhook, target } = await furnish(store);
    await mustPublish({ store, workspace }, someEvents(20));
    const open = await openOf({ store, workspace }, target);
    // Words that hold a NUL, which PostgreSQL's text cannot; and a row that the table itself refuses.
    const words = 'it answered \0';
    const refusal = 'duration_ms = 666 AND response IS NOT NULL';
    if (ground.engine === 'postgres') await ground.query(`ALTER TABLE attempts ADD CHECK (NOT (${refusal}))`);
    else {
      const when = refusal.replaceAll(/duration|response/g, 'NEW.$&');
      await ground.query(
        `CREATE TRIGGER taste BEFORE INSERT ON attempts WHEN ${when} BEGIN SELECT RAISE(ABORT, 'no'); END`,
      );
    }
    const settlements = open.map((delivery) => settlementOf(delivery));
    settlements[3] = settlementOf(open[3]!, {
      next: { ...retryAt(NOON + 5), reason: words },
      attempt: { ...settlements[3]!.attempt, error: words },
    });
    const change = { intent: 'enabled', reason: words, at: NOON } as const;
    const vitals = { health: 'warning', streak: 0, lastSuccessAt: null } as const;
    await store.log.settle(
      batchOf({
        settlements,
        vitals: [{ workspace, target, revision: webhook.revision, vitals, quietUntil: null, change }],
      }),
    );
    assert.equal((await store.settings.webhook(workspace, target))!.health, 'warning');
    assert.equal((await store.log.delivery(open[3]!))!.delivery.state, 'open');

    await mustPublish({ store, workspace }, someEvents(20, 'f'));
    const more = await openOf({ store, workspace }, target, NOON);
    const refused = more.map((delivery, i) => {
      const settlement = settlementOf(delivery);
      return i === 7 ? { ...settlement, attempt: { ...settlement.attempt, durationMs: 666 } } : settlement;
    });
    await settle(store, ...refused);
    for (const [i, one] of more.entries()) {
      const { delivery, attempts } = (await store.log.delivery(one))!;
      assert.equal(delivery.state, 'delivered');
      assert.deepEqual([attempts.length, attempts[0]!.response === null], [1, i === 7]);
    }
  });

  test(`${engine}: R124 refill pages through what is due, by key over equal instants, and says what comes next`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, target } = await furnish(store);
    await addWebhook({ store, workspace }, 'other', 'com.example.made');
    await mustPublish({ store, workspace }, someEvents(7));
    await mustPublish({ store, workspace }, someEvents(2, 'later'), NOON + 100);
    const found: string[] = [];
    let after: { dueAt: number; event: number; copy: number } | null = null;
    for (;;) {
      const page = await store.log.refill({ workspace, target, now: NOON, after, limit: 3 });
      found.push(
        ...page.deliveries.map(
          ({ carried }) => (JSON.parse(Buffer.from(carried.envelope).toString()) as { id: string }).id,
        ),
      );
      assert.equal(page.nextDueAt, NOON + 100);
      if (!page.more) break;
      after = page.deliveries.at(-1)!;
    }
    assert.deepEqual(found, ['e0', 'e1', 'e2', 'e3', 'e4', 'e5', 'e6']);
    const all = await store.log.refill({ workspace, target, now: NOON + 100, after: null, limit: 100 });
    assert.deepEqual([all.deliveries.length, all.more, all.nextDueAt], [9, false, null]);
    assert.ok(all.deliveries.every((d) => d.target === target));
  });

  test(`${engine}: R124 refill by event pages through all that is open in the order of the events, whenever it is due`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const { workspace, target } = await furnish(store);
    await addWebhook({ store, workspace }, 'other', 'com.example.made');
    // Accepted in this order, due in another one.
    for (const [i, at] of [900, 100, 500, 300].entries()) {
      await mustPublish({ store, workspace }, someEvents(3, `e${i}`), NOON + at);
    }
    const open = (await openOf({ store, workspace }, target, NOON + 900)).sort((a, b) => a.event - b.event);
    await settle(
      store,
      settlementOf(open[0]!),
      settlementOf(open[2]!, { next: retryAt(NOON + DAY) }),
      settlementOf(open[4]!, { next: retryAt(PARKED_AT) }),
      settlementOf(open[11]!, { next: { state: 'dead', tries: 1, dueAt: NOON, endedAt: NOON, reason: 'no' } }),
    );
    await ground.query(
      `INSERT INTO deliveries SELECT workspace, event, target, 1, state, tries, attempts, created_at, due_at, first_try_at,
         ended_at, reason, batch FROM deliveries WHERE workspace = ${workspace} AND target = ${target} AND event = ${open[6]!.event}`,
    );
    const expected = open.flatMap(({ event }, i) =>
      i === 0 || i === 11
        ? []
        : i === 6
          ? [
              [event, 0],
              [event, 1],
            ]
          : [[event, 0]],
    );
    for (const limit of [1, 3, 11, 12]) {
      const found: number[][] = [];
      let after: RefillQuery['after'] = null;
      for (;;) {
        const page: Refill = await store.log.refill({ workspace, target, now: NOON, by: 'event', after, limit });
        assert.ok(page.deliveries.length <= limit && page.deliveries.every((one) => one.target === target));
        assert.ok(page.deliveries.every(({ carried }) => carried.envelope.length > 0));
        found.push(...page.deliveries.map(({ event, copy }) => [event, copy]));
        const last = page.deliveries.at(-1);
        if (!page.more || !last) break;
        // Only event and copy are looked at.
        after = { dueAt: 0, event: last.event, copy: last.copy };
      }
      assert.deepEqual(found, expected, `pages of ${limit}`);
    }
    const [first] = (await store.log.refill({ workspace, target, now: NOON, by: 'event', after: null, limit: 2 }))
      .deliveries;
    assert.deepEqual([first!.dueAt, first!.tries], [NOON + 900, 0]);
  });

  test(`${engine}: R124 backlogs name the targets of these lanes, their revision, and since when something is open`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, webhook, target } = await furnish(store);
    const busy = await addWebhook({ store, workspace }, 'busy', 'com.example.busy');
    await mustPublish({ store, workspace }, [newEvent('a')], NOON + 3);
    await mustPublish({ store, workspace }, [newEvent('b', { type: 'com.example.busy' })], NOON + 1);
    for (const delivery of await openOf({ store, workspace }, target, NOON + 1))
      await settle(store, settlementOf(delivery));
    const every = Array.from({ length: LANES }, (_, lane) => lane);
    const backlogs = async (lanes: number[]): Promise<object[]> =>
      (await store.log.backlogs(lanes)).map((b) => ({ ...b })).sort((x, y) => x.target - y.target);
    const first = { workspace, target, revision: 1, dueAt: NOON + 3 };
    const second = { workspace, target: busy.webhook, revision: 1, dueAt: NOON + 1 };
    assert.deepEqual(await backlogs(every), [first, second]);
    assert.deepEqual(await backlogs([]), []);
    for (const delivery of await openOf({ store, workspace }, target, NOON + 3))
      await settle(store, settlementOf(delivery));
    assert.deepEqual(await backlogs(every), [{ ...first, dueAt: null }, second]);
    await mustPublish({ store, workspace }, [newEvent('c')], NOON + 3);
    const lane = webhook.bucket % LANES;
    const same = busy.bucket % LANES === lane;
    assert.deepEqual(await backlogs([lane]), same ? [first, second] : [first]);
    assert.deepEqual(await backlogs(every.filter((other) => other !== lane)), same ? [] : [second]);
  });

  test(`${engine}: R124 pending gives any delivery with what it carries; expedite makes waiting ones due`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, target } = await furnish(store);
    const other = await addWebhook({ store, workspace }, 'other', 'com.example.made');
    await mustPublish({ store, workspace }, someEvents(2_500));
    const open = await openOf({ store, workspace }, target);
    await settle(
      store,
      settlementOf(open[0]!),
      ...open.slice(1, 2_400).map((d) => settlementOf(d, { next: retryAt(NOON + 3_600_000) })),
    );
    const others = await openOf({ store, workspace }, other.webhook);
    await settle(store, settlementOf(others[0]!, { next: retryAt(NOON + 3_600_000) }));

    const delivered = await store.log.pending(open[0]!);
    assert.deepEqual([delivered!.tries, delivered!.attempts, delivered!.firstTryAt], [1, 1, NOON + 10]);
    assert.deepEqual(bytes(delivered!.carried.envelope), bytes(open[0]!.carried.envelope));
    assert.equal(await store.log.pending({ ...open[0]!, copy: 1 }), null);

    assert.equal(await store.log.expedite({ workspace, target }, NOON + 5), 2_399);
    const due = await store.log.refill({ workspace, target, now: NOON + 5, after: null, limit: 10_000 });
    assert.deepEqual([due.deliveries.length, due.nextDueAt], [2_499, null]);
    assert.equal(await store.log.expedite({ workspace, target }, NOON + 5), 0);
    assert.equal((await openOf({ store, workspace }, other.webhook, NOON + 5)).length, 2_499);
  });

  test(`${engine}: R124 followClock moves what waits with the clock, not before now, and nothing that is parked`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, target } = await furnish(store);
    const other = await addWebhook({ store, workspace }, 'other', 'com.example.made');
    await mustPublish({ store, workspace }, someEvents(1_303));
    const [parked, late, long, ...rest] = await openOf({ store, workspace }, target);
    const HOUR_MS = 3_600_000;
    await settle(
      store,
      settlementOf(parked!, { next: retryAt(PARKED_AT) }),
      settlementOf(late!, { next: retryAt(NOON + 2 * HOUR_MS - 100) }),
      settlementOf(long!, { next: retryAt(NOON + 9 * HOUR_MS) }),
      ...rest.map((d) => settlementOf(d, { next: retryAt(NOON + HOUR_MS / 2) })),
    );
    const dueAt = async (of: { event: number }): Promise<number> =>
      (await store.log.delivery({ workspace, event: of.event, target, copy: 0 }))!.delivery.dueAt;
    const key = { workspace, target };

    assert.equal(await store.log.followClock(key, { now: NOON, backMs: HOUR_MS }), 1_302);
    assert.deepEqual(
      [await dueAt(parked!), await dueAt(late!), await dueAt(long!), await dueAt(rest[0]!), await dueAt(rest.at(-1)!)],
      [PARKED_AT, NOON + HOUR_MS - 100, NOON + 8 * HOUR_MS, NOON, NOON],
    );
    // Once more, for what the old time had as due just before the step.
    assert.equal(await store.log.followClock(key, { now: NOON, backMs: HOUR_MS, lateMs: 1_000 }), 1);
    assert.deepEqual([await dueAt(late!), await dueAt(long!)], [NOON, NOON + 8 * HOUR_MS]);
    assert.equal(
      await store.log.followClock({ workspace, target: other.webhook }, { now: NOON + 5, backMs: HOUR_MS }),
      0,
    );
  });
}
