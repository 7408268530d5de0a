// The store's contract, part eleven: batches are written down before they are sent, and stay what they were.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PendingDelivery, Settlement } from '../src/model/delivery.ts';
import { LANES, type OwnedLane, type Store, type Webhook } from '../src/store/index.ts';
import {
  addWebhook,
  furnish,
  mustPublish,
  NOON,
  openOf,
  settle,
  settlementOf,
  someEvents,
  type Place,
} from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

const RETRY: Settlement['next'] = {
  state: 'open',
  tries: 1,
  dueAt: NOON + 5000,
  endedAt: null,
  reason: 'answered 503',
};
const DEAD: Settlement['next'] = { state: 'dead', tries: 1, dueAt: NOON, endedAt: NOON, reason: 'answered 500' };

async function laneOf(store: Store, { bucket }: Webhook): Promise<OwnedLane> {
  const owned = await store.lanes.take('here', NOON, 60_000);
  return owned.find(({ lane }) => lane === bucket % LANES)!;
}

async function begin(store: Store, count: number) {
  const furnished = await furnish(store);
  const { workspace, webhook, target } = furnished;
  await mustPublish({ store, workspace }, someEvents(count));
  const lane = await laneOf(store, webhook);
  const open = await openOf({ store, workspace }, target);
  const form = async (members: readonly PendingDelivery[]): Promise<number> => {
    const formed = await store.log.formBatch({ workspace, target, members, lane });
    assert.deepEqual(numbers(formed!.members), numbers(members));
    return formed!.batch;
  };
  const members = async (batch: number): Promise<number[]> =>
    numbers(await store.log.batch({ workspace, target, batch }));
  return { ...furnished, lane, open, form, members };
}

function numbers(of: readonly { event: number }[]): number[] {
  return of.map(({ event }) => event).sort((a, b) => a - b);
}

async function batchesOf({ store, workspace }: Place, target: number): Promise<(number | null)[]> {
  return (await openOf({ store, workspace }, target, NOON + 10_000)).map(({ batch }) => batch);
}

/** Runs this part on an engine. */
export function exerciseBatches(engine: string, prepare: Prepare): void {
  test(`${engine}: a batch keeps its number and members over retries, a restart and what else is read`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const { workspace, target, open, form, members } = await begin(store, 5);
    const [a, b, c, d, e] = open as [
      PendingDelivery,
      PendingDelivery,
      PendingDelivery,
      PendingDelivery,
      PendingDelivery,
    ];
    assert.deepEqual(await batchesOf({ store, workspace }, target), [null, null, null, null, null]);
    assert.deepEqual([await form([a, b]), await form([c, d])], [1, 2]);
    assert.deepEqual(await members(1), numbers([a, b]));
    assert.deepEqual(await batchesOf({ store, workspace }, target), [1, 1, 2, 2, null]);
    await settle(store, settlementOf(a, { next: RETRY }), settlementOf(b, { next: RETRY }));
    await settle(store, settlementOf(c), settlementOf(d), settlementOf(e));
    assert.deepEqual([await members(1), await members(2)], [numbers([a, b]), []]);
    assert.equal((await store.log.pending(a))!.batch, 1);
    assert.equal((await store.log.delivery(c))!.delivery.batch, 2);
    assert.equal((await store.log.delivery(e))!.delivery.batch, null);
    await store.close();

    const again = await ground.open();
    const [first] = await again.log.batch({ workspace, target, batch: 1 });
    assert.deepEqual([first!.tries, first!.attempts, first!.dueAt, first!.batch], [1, 1, NOON + 5000, 1]);
    assert.deepEqual([...first!.carried.envelope], [...a.carried.envelope]);
  });

  test(`${engine}: what has ended, or is in a batch, joins none; and no number is given twice`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, target, lane, open, form, members } = await begin(store, 4);
    const [a, b, c, d] = open as [PendingDelivery, PendingDelivery, PendingDelivery, PendingDelivery];
    await form([a]);
    await settle(store, settlementOf(b));
    const wish = { workspace, target, lane };
    // Formed at once, they share a commit; each has what is left for it.
    const formed = await Promise.all([
      store.log.formBatch({ ...wish, members: [a, b, c] }),
      store.log.formBatch({ ...wish, members: [c, d] }),
    ]);
    assert.deepEqual(
      formed.map((one) => numbers(one!.members)),
      [numbers([c]), numbers([d])],
    );
    assert.equal(new Set([1, ...formed.map((one) => one!.batch)]).size, 3);
    assert.deepEqual(await members(1), numbers([a]));
  });

  test(`${engine}: a former owner of a lane forms no batch, nor does anybody for a webhook that is gone`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, target, webhook, lane, open, form } = await begin(store, 2);
    const [a, b] = open as [PendingDelivery, PendingDelivery];
    const other = await addWebhook({ store, workspace }, 'other', 'com.example.made');
    const wish = { workspace, target, members: [a], lane };
    assert.equal(await store.log.formBatch({ ...wish, lane: { ...lane, epoch: lane.epoch + 1 } }), null);
    assert.deepEqual(await batchesOf({ store, workspace }, target), [null, null]);
    const [lost, formed] = await Promise.all([
      store.log.formBatch({ ...wish, lane: { lane: 99, epoch: 1 } }),
      store.log.formBatch({ ...wish, members: [b] }),
    ]);
    assert.deepEqual([lost, formed!.batch], [null, 1]);
    assert.equal(await form([a]), 2);
    assert.notEqual(other.webhook, webhook.webhook);
    await store.settings.deleteWebhook({ workspace, target }, true, NOON);
    assert.equal(await store.log.formBatch(wish), null);
  });

  test(`${engine}: a delivery that is tried alone leaves its batch, and so does a dead letter that is redriven`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, webhook, target, lane, open, form, members } = await begin(store, 4);
    const [a, b, c, d] = open as [PendingDelivery, PendingDelivery, PendingDelivery, PendingDelivery];
    await form([a, b]);
    await store.log.leaveBatch(b);
    await store.log.leaveBatch(c);
    assert.deepEqual(await members(1), numbers([a]));
    assert.deepEqual(await batchesOf({ store, workspace }, target), [1, null, null, null]);

    await form([c, d]);
    await settle(
      store,
      settlementOf(c, { next: DEAD }),
      settlementOf(d, { next: DEAD }),
      settlementOf(a, { next: RETRY }),
    );
    const wish = { kind: 'redrive' as const, since: null, until: null, type: null, filter: null, pace: 1, note: null };
    const operation = await store.operations.begin({ ...wish, workspace, webhook: webhook.webhook }, NOON);
    const { cursor } = await store.operations.ahead({ operation, limit: 10, now: NOON });
    const release = [a, c].map(({ event, copy }) => ({ workspace, event, target, copy }));
    const chunk = { operation, lane, release, copy: [], looked: 2, cursor, ended: true, now: NOON };
    assert.equal((await store.operations.advance(chunk))!.released, 2);
    // What waited is only due sooner: its batch is still the same.
    assert.deepEqual([await members(1), await members(2)], [numbers([a]), []]);
    assert.equal((await store.log.pending(c))!.batch, null);
    assert.equal((await store.log.pending(d))!.batch, 2);
  });

  test(`${engine}: an erased event is missing from its batch, the others are as they were`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, target, lane } = await begin(store, 1);
    const attributes = { specversion: '1.0', id: 's', source: '/tests', type: 'com.example.made', subject: 'ann' };
    const envelope = new TextEncoder().encode(JSON.stringify({ ...attributes, data: {} }));
    const [subject] = someEvents(1, 's', { attributes, envelope });
    await mustPublish({ store, workspace }, [subject!]);
    const open = await openOf({ store, workspace }, target);
    const formed = await store.log.formBatch({ workspace, target, members: open, lane });
    await store.erasures.begin({ workspace, subject: 'ann' }, NOON);
    await store.erasures.advance(NOON);
    const left = await store.log.batch({ workspace, target, batch: formed!.batch });
    assert.deepEqual(numbers(left), [open[0]!.event]);
  });
}
