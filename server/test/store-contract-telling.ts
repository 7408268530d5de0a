// The store's contract: what happens to webhooks and deliveries is told by operational events, in the same transaction.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PendingDelivery, Settlement } from '../src/model/delivery.ts';
import type { StoredEvent, VitalsChange, Webhook } from '../src/store/index.ts';
import {
  addWebhook,
  addWorkspace,
  mustPublish,
  NOON,
  openOf,
  settle,
  settlementOf,
  someEvents,
  type Place,
} from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

/** A workspace with a webhook that hears of everything that happens here, and one that hears of orders. */
async function furnishTelling(prepare: Prepare, t: Parameters<Prepare>[0]) {
  const ground = await prepare(t);
  const place = { store: await ground.open(), workspace: 0 };
  place.workspace = await addWorkspace(place.store);
  const watcher = await addWebhook(place, 'watcher', 'bellwire.*');
  const orders = await addWebhook(place, 'orders', 'com.example.*');
  return { ground, place, watcher, orders };
}

/** What was told, the oldest first. */
async function told({ store, workspace }: Place): Promise<(StoredEvent & { data: Record<string, unknown> })[]> {
  const query = { workspace, order: 'oldest-first' as const, cursor: null, limit: 500, type: 'bellwire.*' };
  const { rows } = await store.log.events(query);
  return rows.map((row) => {
    const { data } = JSON.parse(Buffer.from(row.envelope).toString()) as { data: Record<string, unknown> };
    return { ...row, data };
  });
}

function dead(delivery: PendingDelivery): Settlement {
  const next = { state: 'dead' as const, tries: 1, dueAt: NOON, endedAt: NOON, reason: 'answered 500' };
  return settlementOf(delivery, { next });
}

function turned({ workspace, webhook, revision }: Webhook, health: 'warning' | 'critical'): VitalsChange {
  const vitals = { health, streak: 0, lastSuccessAt: null };
  const change = { intent: 'enabled' as const, reason: 'a delivery failed: answered 500', at: NOON };
  return { workspace, target: webhook, revision, vitals, quietUntil: null, change };
}

/** Runs this part on an engine. */
export function exerciseTelling(engine: string, prepare: Prepare): void {
  test(`${engine}: where nobody has subscribed to them no operational event is written`, async (t) => {
    const store = await (await prepare(t)).open();
    const place = { store, workspace: await addWorkspace(store) };
    const { webhook: target, revision } = await addWebhook(place, 'orders', 'com.example.*');
    const patch = { intent: 'paused' as const };
    await store.settings.updateWebhook({ ...place, target, revision, patch, reason: 'paused', now: NOON });
    assert.deepEqual(await told(place), []);
  });

  test(`${engine}: a change of state is told to all who subscribed but the webhook it is about, and to the engine`, async (t) => {
    const { place, watcher, orders } = await furnishTelling(prepare, t);
    const { store, workspace } = place;
    const heard: PendingDelivery[] = [];
    const touched: number[] = [];
    store.on({ deliveries: (made) => heard.push(...made), events: (all) => touched.push(...all) });
    const update = { workspace, reason: 'paused by hand', now: NOON, patch: { intent: 'paused' as const } };
    await store.settings.updateWebhook({ ...update, target: orders.webhook, revision: orders.revision });
    await store.settings.updateWebhook({ ...update, target: watcher.webhook, revision: watcher.revision });
    const events = await told(place);
    const subject = `wh_${orders.token}_${orders.webhook}`;
    assert.deepEqual(
      events.map(({ type, id, source }) => [type, id, source]),
      [
        ['bellwire.webhook.active', `${subject}/1`, 'bellwire'],
        ['bellwire.webhook.paused', `${subject}/2`, 'bellwire'],
      ],
      'made, then paused; of the watcher nobody is told',
    );
    const { data, event } = events[1]!;
    assert.deepEqual(data, {
      webhook: subject,
      name: 'orders',
      state: 'paused',
      intent: 'paused',
      health: 'active',
      reason: 'paused by hand',
    });
    assert.deepEqual(
      heard.map((delivery) => [delivery.event, delivery.target, delivery.carried.type]),
      [[event, watcher.webhook, 'bellwire.webhook.paused']],
    );
    assert.deepEqual(touched, [workspace]);
    assert.equal((await openOf(place, watcher.webhook)).length, 2);
    const [accepted] = await mustPublish(place, someEvents(1));
    assert.equal(accepted!.event, event + 1, 'their numbers are those of the log');
    assert.equal((await openOf(place, orders.webhook)).length, 1);
  });

  test(`${engine}: R124 what an attempt comes to is told with it: states and dead letters; of its own dead letters nothing`, async (t) => {
    const { place, watcher, orders } = await furnishTelling(prepare, t);
    const { store } = place;
    const [accepted] = await mustPublish(place, someEvents(1));
    const [delivery] = await openOf(place, orders.webhook);
    const batch = { vitals: [turned(orders, 'critical')], lanes: [], synced: true, now: NOON };
    await store.log.settle({ ...batch, settlements: [dead(delivery!)] });
    await store.log.settle({ ...batch, settlements: [dead(delivery!)] });
    const events = (await told(place)).slice(1);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['bellwire.webhook.critical', 'bellwire.delivery.dead'],
      'a repetition is a duplicate',
    );
    const { eventId, eventType, tries, reason, more, event } = events[1]!.data;
    assert.deepEqual([eventId, eventType, tries, reason, more], ['e0', 'com.example.made', 1, 'answered 500', false]);
    assert.equal(event, `evt_${orders.token}_${accepted!.event.toString(36)}`);
    const about = await openOf(place, watcher.webhook);
    assert.equal(about.length, 3);
    await settle(store, ...about.map(dead));
    assert.equal((await told(place)).length, 3);
  });

  test(`${engine}: R124 of one webhook sixty dead letters are told a minute, and that there are more`, async (t) => {
    const { place, orders } = await furnishTelling(prepare, t);
    await mustPublish(place, someEvents(70));
    await settle(place.store, ...(await openOf(place, orders.webhook)).map(dead));
    const letters = (await told(place)).filter(({ type }) => type === 'bellwire.delivery.dead');
    assert.equal(letters.length, 60);
    assert.deepEqual(
      letters.map(({ data }) => data['more']).filter((more) => more === true),
      [true],
    );
    assert.equal(letters.at(-1)!.data['more'], true);
  });

  test(`${engine}: a filter on their data is obeyed; what is rolled back is not told`, async (t) => {
    const { ground, place, orders } = await furnishTelling(prepare, t);
    const { store, workspace } = place;
    const picky = await addWebhook(place, 'picky');
    const filter = `state eq 'critical'`;
    const type = 'bellwire.webhook.*';
    await store.settings.createSubscription({ workspace, webhook: picky.webhook, type, filter, now: NOON });
    const update = { workspace, target: orders.webhook, reason: 'by a test', now: NOON };
    await store.settings.updateWebhook({ ...update, revision: 1, patch: { health: 'warning' } });
    assert.equal((await openOf(place, picky.webhook)).length, 0);
    await store.settings.updateWebhook({ ...update, revision: 2, patch: { health: 'critical' } });
    assert.equal((await openOf(place, picky.webhook)).length, 1);
    const before = (await told(place)).length;
    await assert.rejects(store.settings.updateWebhook({ ...update, revision: 2, patch: { health: 'active' } }));
    assert.equal((await told(place)).length, before);
    assert.equal(Number((await ground.query('SELECT COUNT(*) AS n FROM events'))[0]!['n']), before);
  });

  test(`${engine}: a deletion is told, and a backlog once when it begins and once when it is over`, async (t) => {
    const { place, orders } = await furnishTelling(prepare, t);
    const { store, workspace } = place;
    await mustPublish(place, someEvents(10));
    assert.equal(await store.log.watchBacklogs(11, NOON), 0);
    assert.equal(await store.log.watchBacklogs(10, NOON + 1), 1);
    assert.equal(await store.log.watchBacklogs(10, NOON + 2), 0);
    const open = await openOf(place, orders.webhook);
    await settle(store, ...open.slice(0, 5).map((one) => settlementOf(one)));
    assert.equal(await store.log.watchBacklogs(10, NOON + 3), 0, 'half of it is no end yet');
    await settle(store, settlementOf(open[5]!));
    assert.equal(await store.log.watchBacklogs(10, NOON + 4), 1);
    await store.settings.deleteWebhook({ workspace, target: orders.webhook }, true, NOON + 5);
    const since = new Date(NOON + 1).toISOString();
    assert.deepEqual(
      (await told(place)).slice(1).map(({ type, data }) => [type, data['open'] ?? null, data['since'] ?? null]),
      [
        ['bellwire.backlog.exceeded', 10, since],
        ['bellwire.backlog.cleared', 4, since],
        ['bellwire.webhook.deleted', null, null],
      ],
    );
  });
}
