// The store's contract, part seven: everything that is kept goes one day, and nothing before its day.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NewEvent, Retention, Store } from '../src/store/index.ts';
import {
  addWebhook,
  addWorkspace,
  DAY,
  furnish,
  mustPublish,
  newEvent,
  NOON,
  openOf,
  settle,
  settlementOf,
  someEvents,
  type Place,
} from './store-furniture.ts';
import type { Ground, Prepare } from './store-ground.ts';

const RETENTION: Retention = {
  eventsMs: 30 * DAY,
  deliveriesMs: 30 * DAY,
  idempotencyMs: DAY,
  changesMs: 90 * DAY,
  runsMs: 90 * DAY,
};

async function pruneAll(
  store: Store,
  now: number,
  { limit = 100, ...other }: Partial<Retention> & { limit?: number } = {},
): Promise<number[]> {
  const retention = { ...RETENTION, ...other };
  const moved: number[] = [];
  for (let n = -1; n !== 0;) moved.push((n = await store.log.prune(retention, now, limit)));
  return moved;
}

/** How many rows of a workspace each table holds, tables without any left out. */
async function rowsOf({ engine, query }: Ground, workspace: number): Promise<Record<string, number>> {
  const tables = await query<{ name: string }>(
    engine === 'postgres'
      ? `SELECT table_name AS name FROM information_schema.columns WHERE table_schema = current_schema() AND column_name = 'workspace'`
      : `SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'workspace'`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const [row] = await query<{ n: unknown }>(`SELECT COUNT(*) AS n FROM ${name} WHERE workspace = $1`, [workspace]);
    if (Number(row!.n) > 0) counts[name] = Number(row!.n);
  }
  return counts;
}

/** Publishes events at an instant and delivers them 50 ms later. */
async function deliverAt(place: Place & { target: number }, at: number, ids: NewEvent[]): Promise<void> {
  await mustPublish(place, ids, at);
  const open = await openOf(place, place.target, at);
  const next = { state: 'delivered', tries: 1, dueAt: at, endedAt: at + 50, reason: null } as const;
  await settle(place.store, ...open.map((delivery) => settlementOf(delivery, { next })));
}

async function idsLeft({ store, workspace }: Place): Promise<string[]> {
  const { rows } = await store.log.events({ workspace, order: 'oldest-first', cursor: null, limit: 1000 });
  return rows.map(({ id }) => id);
}

/** Runs this part on an engine. */
export function exerciseRetention(engine: string, prepare: Prepare): void {
  test(`${engine}: retention: what was delivered goes with attempts and event, in chunks, not an instant early`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const place = await furnish(store);
    await deliverAt(place, NOON, someEvents(25));
    await deliverAt(place, NOON + DAY, someEvents(3, 'next'));
    assert.deepEqual(await pruneAll(store, NOON + 30 * DAY + 50), [0]);
    // Ten deliveries and ten events a call.
    assert.deepEqual(await pruneAll(store, NOON + 30 * DAY + 51, { limit: 10 }), [20, 20, 10, 0]);
    assert.deepEqual(await idsLeft(place), ['next0', 'next1', 'next2']);
    const { deliveries, attempts, events } = await rowsOf(ground, place.workspace);
    assert.deepEqual([deliveries, attempts, events], [3, 3, 3]);
  });

  test(`${engine}: R124 retention: what expires undelivered becomes a dead letter that can be seen, then goes`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const place = await furnish(store);
    const { workspace, webhook, target } = place;
    const { revision } = webhook;
    await store.settings.updateWebhook({
      workspace,
      target,
      revision,
      patch: { intent: 'paused' },
      reason: 'x',
      now: NOON,
    });
    await mustPublish(place, someEvents(5));
    await mustPublish(place, [newEvent('young')], NOON + DAY);
    const expired = NOON + 30 * DAY;
    assert.deepEqual(await pruneAll(store, expired), [0]);
    assert.deepEqual(await pruneAll(store, expired + 1, { limit: 2 }), [2, 2, 1, 0]);
    const { rows } = await store.log.deliveries({ workspace, state: 'dead', cursor: null, limit: 100 });
    assert.deepEqual(
      rows.map(({ eventId, reason, endedAt }) => [eventId, reason, endedAt]),
      ['e4', 'e3', 'e2', 'e1', 'e0'].map((id) => [id, 'expired before it could be delivered', expired + 1]),
    );
    assert.equal((await store.log.deliveries({ workspace, state: 'held', cursor: null, limit: 9 })).rows.length, 1);
    assert.equal((await idsLeft(place)).length, 6);
    await pruneAll(store, expired + 1 + 30 * DAY);
    assert.deepEqual((await rowsOf(ground, workspace))['deliveries'], 6);
    assert.deepEqual((await pruneAll(store, expired + 2 + 30 * DAY)).at(-1), 0);
    assert.deepEqual(await idsLeft(place), ['young']);
  });

  test(`${engine}: retention: nothing open goes while its event lives, nor an event before its deliveries`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open({ limits: { fanout: 1, group: 1000 } });
    const place = await furnish(store);
    await addWebhook(place, 'second', 'com.example.made');
    await addWebhook(place, 'third', 'com.example.made');
    await mustPublish(place, someEvents(2));
    const [a] = await openOf(place, place.target);
    await settle(store, settlementOf(a!));
    // Short-lived deliveries, long-lived events: the one that ended goes, the open one and both cursors stay.
    const short = { deliveriesMs: 1000 };
    assert.deepEqual(await pruneAll(store, NOON + 20 * DAY, short), [1, 0]);
    assert.equal((await openOf(place, place.target)).length, 1);
    assert.equal((await rowsOf(ground, place.workspace))['fanouts'], 2);
    // Short-lived events: what is still to be expanded is not cut off.
    const brief = { eventsMs: 1000, deliveriesMs: 60 * DAY };
    assert.deepEqual(await pruneAll(store, NOON + 20 * DAY, brief), [1, 0]);
    assert.equal((await idsLeft(place)).length, 2);
    while (await store.log.expandFanouts(10, NOON + 20 * DAY));
    assert.deepEqual((await rowsOf(ground, place.workspace))['deliveries'], 5);
  });

  test(`${engine}: retention: a log with gaps and late clocks is cut where it is old`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const place = { store, workspace: await addWorkspace(store) };
    const ages = [30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20];
    for (const [i, age] of ages.entries()) {
      if (i % 3 === 1)
        await ground.query('UPDATE workspaces SET head = head + 1000 WHERE workspace = $1', [place.workspace]);
      // Two nodes whose clocks are a second apart take turns.
      await mustPublish(place, [newEvent(`${age}a`)], NOON - age * DAY);
      await mustPublish(place, [newEvent(`${age}b`)], NOON - age * DAY - 1000);
    }
    for (const [i, age] of ages.entries()) {
      await pruneAll(store, NOON - DAY / 2, { eventsMs: (age - 1) * DAY, limit: 1 });
      const left = await idsLeft(place);
      assert.equal(left[0], ages[i + 1] === undefined ? undefined : `${ages[i + 1]}a`);
    }
  });

  test(`${engine}: retention: answers of requests and the history of webhooks go; the last word of a webhook stays`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const { workspace, webhook, target } = await furnish(store);
    for (let i = 0; i < 5; i++) {
      const patch = { intent: i % 2 === 0 ? 'paused' : 'enabled' } as const;
      const revision = webhook.revision + i;
      await store.settings.updateWebhook({ workspace, target, revision, patch, reason: `change ${i}`, now: NOON + i });
      await store.settings.claim({ workspace, owner: 'o', key: `k${i}`, bodyHash: 'a' }, NOON + i);
    }
    assert.deepEqual(await pruneAll(store, NOON + DAY), [0]);
    assert.deepEqual(await pruneAll(store, NOON + DAY + 3, { limit: 2 }), [2, 1, 0]);
    assert.equal(
      (await store.settings.claim({ workspace, owner: 'o', key: 'k3', bodyHash: 'a' }, NOON + 10)).kind,
      'running',
    );
    assert.equal(
      (await store.settings.claim({ workspace, owner: 'o', key: 'k0', bodyHash: 'a' }, NOON + DAY)).kind,
      'claimed',
    );
    assert.deepEqual(await pruneAll(store, NOON + 90 * DAY + 2, { idempotencyMs: 900 * DAY, limit: 2 }), [2, 1, 0]);
    await pruneAll(store, NOON + 900 * DAY);
    const changes = await store.settings.webhookChanges(workspace, target, 10);
    assert.deepEqual(
      changes.map(({ reason }) => reason),
      ['change 4'],
    );
  });

  test(`${engine}: retention: a workspace has spans of its own where it was given some, for every table`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const [own, other] = [await furnish(store, 'own'), await furnish(store, 'other')];
    const { settings } = store;
    const short = { eventsMs: 2 * DAY, deliveriesMs: DAY, idempotencyMs: 60_000, changesMs: 3 * DAY, runsMs: 4 * DAY };
    const changed = await settings.changeWorkspace(own.workspace, { retention: short });
    assert.deepEqual(changed.retention, short);
    assert.deepEqual((await settings.workspace({ name: 'own' }))!.retention, short);
    for (const place of [own, other]) {
      const { workspace, webhook, target } = place;
      await deliverAt(place, NOON, someEvents(2));
      await settings.claim({ workspace, owner: 'o', key: 'k', bodyHash: 'a' }, NOON);
      for (const [i, intent] of (['paused', 'enabled'] as const).entries()) {
        const revision = webhook.revision + i;
        await settings.updateWebhook({ workspace, target, revision, patch: { intent }, reason: 'x', now: NOON });
      }
    }
    const whole = await rowsOf(ground, other.workspace);
    const counts = async (): Promise<unknown[]> => {
      const {
        events,
        deliveries,
        attempts,
        idempotency_keys: claims,
        webhook_changes: changes,
      } = await rowsOf(ground, own.workspace);
      return [events, deliveries, attempts, claims, changes];
    };
    assert.deepEqual(await counts(), [2, 2, 2, 1, 3]);
    await pruneAll(store, NOON + 60_001);
    assert.deepEqual(await counts(), [2, 2, 2, undefined, 3]);
    await pruneAll(store, NOON + DAY + 51, { idempotencyMs: 9 * DAY });
    assert.deepEqual(await counts(), [2, undefined, undefined, undefined, 3]);
    await pruneAll(store, NOON + 3 * DAY + 1, { idempotencyMs: 9 * DAY });
    assert.deepEqual(await counts(), [undefined, undefined, undefined, undefined, 1]);
    assert.deepEqual(await rowsOf(ground, other.workspace), whole);
    // Null is the installation's again.
    await settings.changeWorkspace(own.workspace, { retention: { eventsMs: null } });
    assert.deepEqual((await settings.workspace({ name: 'own' }))!.retention, { ...short, eventsMs: null });
  });

  test(`${engine}: retention: answers of requests to the installation itself go, too`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    for (let i = 0; i < 3; i++) {
      await store.settings.claim({ workspace: 0, owner: 'o', key: `k${i}`, bodyHash: 'a' }, NOON + i);
    }
    assert.deepEqual(await pruneAll(store, NOON + DAY + 2, { limit: 1 }), [1, 1, 0]);
    assert.deepEqual(await rowsOf(ground, 0), { idempotency_keys: 1 });
  });

  test(`${engine}: retention: a deleted workspace vanishes from every table, whatever it held, and no other one`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open({ limits: { fanout: 1, group: 1000 } });
    const [gone, kept] = [await furnish(store, 'gone'), await furnish(store, 'kept')];
    for (const place of [gone, kept]) {
      const { workspace } = place;
      await addWebhook(place, 'second', 'com.example.made');
      await deliverAt(place, NOON, someEvents(3));
      await mustPublish(place, someEvents(4, 'open'));
      await store.settings.claim({ workspace, owner: 'o', key: 'k', bodyHash: 'a' }, NOON);
      const nothing = { service: null, description: '', schema: null, example: null, deprecation: null };
      await store.settings.putType({ workspace, type: 'com.example.made', schemaCheck: 'off', ...nothing }, NOON);
    }
    const before = await rowsOf(ground, kept.workspace);
    const every =
      'attempts deliveries event_types events fanouts idempotency_keys subscriptions webhook_changes webhooks workspaces';
    assert.deepEqual(Object.keys(before).sort(), every.split(' '));
    await store.settings.deleteWorkspace(gone.workspace, NOON + 1);
    await pruneAll(store, NOON + 1, { limit: 3 });
    assert.deepEqual(await rowsOf(ground, gone.workspace), {});
    assert.deepEqual(await rowsOf(ground, kept.workspace), before);
  });
}
