// The store's contract: groups and post-processings, which no verb about webhooks sees, and what is told to them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PendingDelivery } from '../src/model/delivery.ts';
import { jobEndEvent, type JobEnd } from '../src/model/flow/end-events.ts';
import { StoreRefusal, type Store } from '../src/store/index.ts';
import type { PostProcessing, PostProcessingSetting } from '../src/store/post-processings/contract.ts';
import { Listeners } from '../src/store/listeners.ts';
import { openPostgres } from '../src/store/postgres.ts';
import { openSqlite } from '../src/store/sqlite.ts';
import { writeTelling } from '../src/store/telling.ts';
import {
  addWebhook,
  addWorkspace,
  DAY,
  mustPublish,
  newWebhook,
  NOON,
  openOf,
  settle,
  settlementOf,
  someEvents,
  type Place,
} from './store-furniture.ts';
import { newFlow } from './flow-furniture.ts';
import type { Ground, Prepare } from './store-ground.ts';

const HOOK: PostProcessingSetting = {
  name: 'ops-hook',
  kind: 'webhook',
  recipients: [],
  success: 'exactly-200',
  intervalMs: null,
  dialect: 'cloud-automator',
  group: null,
  url: 'https://ops.example/runs',
  authorization: 'CAAuth 0123456789',
  timeoutMs: null,
};

async function add({ store, workspace }: Place, over: Partial<PostProcessingSetting> = {}): Promise<PostProcessing> {
  const { group } =
    over.group === undefined
      ? await store.postProcessings.createGroup(workspace, `g ${over.name}`, NOON)
      : { group: over.group };
  return store.postProcessings.create(workspace, { ...HOOK, ...over, group }, NOON);
}

function refusal(code: string, words = /./): (error: unknown) => boolean {
  return (error) => error instanceof StoreRefusal && error.code === code && words.test(error.message);
}

const END: JobEnd = {
  job: 1,
  run: 2,
  name: 'nightly',
  group: null,
  status: 'failed',
  startedAt: NOON - 1_000,
  finishedAt: NOON,
  reason: 'because',
  depth: 0,
};

interface Told {
  /** The same store, opened again. */
  store: Store;
  events: (number | null)[];
  heard: PendingDelivery[];
}

/** Tells of the end of a run, as the verb that ends runs does in its own transaction, beside the store. */
async function endRun(ground: Ground, { store, workspace }: Place, ...targets: PostProcessing[]): Promise<Told> {
  await store.close();
  const sql = ground.engine === 'sqlite' ? openSqlite(ground.address) : openPostgres(ground.address, POSTGRES);
  const heard: PendingDelivery[] = [];
  const listeners = new Listeners(() => undefined, null);
  listeners.add({ deliveries: (made) => heard.push(...made) });
  const events = await writeTelling({ sql, listeners }, async (_, telling) => {
    await telling.hold([workspace]);
    const reports = targets.map(({ target }) => target);
    return telling.report(telling.hearing(workspace)!, [{ event: jobEndEvent(END), reports }]);
  }).finally(() => sql.close());
  return { store: await ground.open(), events, heard };
}

const POSTGRES = { connections: 3, connectTimeoutMs: 10_000, statementTimeoutMs: 60_000, onError: () => undefined };

/** Runs this part on an engine. */
export function exercisePostProcessings(engine: string, prepare: Prepare): void {
  const furnish = async (t: Parameters<Prepare>[0]) => {
    const ground = await prepare(t);
    const store = await ground.open();
    return { ground, store, workspace: await addWorkspace(store) };
  };

  test(`${engine}: R6 groups have names of their own, and go when nothing belongs to them`, async (t) => {
    const { store, workspace } = await furnish(t);
    const { postProcessings } = store;
    const group = await postProcessings.createGroup(workspace, 'operations', NOON);
    await assert.rejects(postProcessings.createGroup(workspace, 'operations', NOON), refusal('name-taken'));
    const other = await postProcessings.createGroup(workspace, 'a', NOON);
    await assert.rejects(postProcessings.renameGroup(other, 'operations'), refusal('name-taken'));
    assert.equal((await postProcessings.renameGroup(other, 'b')).name, 'b');
    const made = await add({ store, workspace }, { group: group.group });
    await assert.rejects(postProcessings.deleteGroup(group), refusal('in-use', /ops-hook/));
    await postProcessings.delete(made, NOON);
    await postProcessings.deleteGroup(group);
    await assert.rejects(postProcessings.deleteGroup(group), refusal('not-found'));
    assert.deepEqual(
      (await postProcessings.groups(workspace)).map(({ name }) => name),
      ['b'],
    );
    await assert.rejects(add({ store, workspace }, { group: group.group }), refusal('not-found', /no such group/));
  });

  test(`${engine}: R4 R5 R8 R13 a post-processing is kept whole, its Authorization sealed, and read back`, async (t) => {
    const { ground, store, workspace } = await furnish(t);
    const made = await add({ store, workspace }, { intervalMs: 5_000, timeoutMs: 1_000 });
    assert.deepEqual([made.name, made.kind, made.url, made.hasAuthorization], ['ops-hook', 'webhook', HOOK.url, true]);
    assert.deepEqual(await store.postProcessings.one(made), made);
    assert.deepEqual(await store.postProcessings.list(workspace), [made]);
    const reached = (await store.settings.target(made))!;
    assert.equal(reached.secrets.authorization, HOOK.authorization);
    assert.deepEqual(reached.report, {
      name: 'ops-hook',
      kind: 'webhook',
      recipients: [],
      success: 'exactly-200',
      intervalMs: 5_000,
      dialect: 'cloud-automator',
    });
    assert.equal(reached.webhook.timeoutMs, 1_000);
    const [row] = await ground.query<{ secrets: string }>('SELECT secrets FROM webhooks');
    assert.doesNotMatch(row!.secrets, /CAAuth/);
    await assert.rejects(add({ store, workspace }, { group: null }), refusal('name-taken'));
    const mail = { kind: 'email' as const, name: 'oncall', url: '', authorization: null, group: null };
    const second = await add({ store, workspace }, { ...mail, recipients: ['a@example.com', 'b@example.com'] });
    assert.deepEqual([second.group, second.recipients], [null, ['a@example.com', 'b@example.com']]);
  });

  test(`${engine}: a change moves the revision, a late one is refused, and the engine hears of both`, async (t) => {
    const { store, workspace } = await furnish(t);
    const heard: number[] = [];
    store.on({ webhook: (_, target) => heard.push(target) });
    const made = await add({ store, workspace });
    const changed = await store.postProcessings.change({
      ...made,
      patch: { name: 'other', url: 'https://ops.example/v2', authorization: null, success: '2xx' },
      now: NOON + 1,
    });
    assert.deepEqual(
      [changed.name, changed.url, changed.hasAuthorization, changed.success, changed.revision, changed.updatedAt],
      ['other', 'https://ops.example/v2', false, '2xx', 2, NOON + 1],
    );
    assert.equal((await store.settings.target(made))!.secrets.authorization, null);
    const late = store.postProcessings.change({ ...made, patch: { name: 'late' }, now: NOON + 2 });
    await assert.rejects(late, refusal('changed-meanwhile'));
    await store.postProcessings.delete(made, NOON + 3);
    assert.deepEqual(heard, [made.target, made.target, made.target]);
    assert.equal(await store.settings.target(made), null);
  });

  test(`${engine}: no verb about webhooks sees a post-processing: lists, changes, quotas, states, backlogs`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const workspace = await addWorkspace(store, 'acme', { webhooks: 1 });
    const made = await add({ store, workspace });
    const { settings } = store;
    assert.deepEqual(await settings.webhooks(workspace), []);
    assert.equal(await settings.webhook(workspace, made.target), null);
    assert.deepEqual(await settings.unproved(NOON * 2), []);
    assert.deepEqual(await settings.webhookChanges(workspace, made.target, 10), []);
    const update = { ...made, patch: { name: 'x' }, reason: null, now: NOON };
    await assert.rejects(settings.updateWebhook(update), refusal('not-found'));
    await assert.rejects(settings.deleteWebhook(made, true, NOON), refusal('not-found'));
    // The quota is one webhook, and its name may be that of the post-processing.
    const watcher = await settings.createWebhook(newWebhook(workspace, 'ops-hook'));
    const type = 'bellwire.*';
    await settings.createSubscription({ workspace, webhook: watcher.webhook, type, filter: null, now: NOON });
    const { events, store: again } = await endRun(ground, { store, workspace }, made);
    assert.equal(await again.log.watchBacklogs(1, NOON), 1, 'the watcher alone');
    const listed = await again.log.deliveries({ workspace, cursor: null, limit: 10 });
    assert.deepEqual([...new Set(listed.rows.map(({ target }) => target))], [watcher.webhook]);
    const key = { workspace, event: events[0]!, target: made.target, copy: 0 };
    assert.equal((await again.log.delivery(key))?.delivery.tries, 0);
  });

  test(`${engine}: R1 R24 R28 the end of a run is told to whoever subscribed and to the post-processings it names`, async (t) => {
    const furnished = await furnish(t);
    const { ground, workspace } = furnished;
    const made = await add(furnished);
    const gone = await add(furnished, { name: 'gone' });
    await furnished.store.postProcessings.delete(gone, NOON);
    const first = await endRun(ground, furnished, made, gone);
    const {
      store,
      events: [event],
      heard,
    } = first;
    const place = { store, workspace };
    assert.deepEqual(
      heard.map(({ target, event: of }) => [target, of]),
      [[made.target, event]],
    );
    const [open] = await store.postProcessings.reportsOf(workspace, [event!]);
    assert.deepEqual([open!.postProcessing, open!.kind, open!.state, open!.tries], ['ops-hook', 'webhook', 'open', 0]);
    const [delivery] = await openOf(place, made.target);
    const attempt = { ...settlementOf(delivery!).attempt, status: 500, error: 'answered 500' };
    const dead = { state: 'dead' as const, tries: 1, dueAt: NOON, endedAt: NOON + 70, reason: 'answered 500' };
    await settle(store, settlementOf(delivery!, { next: dead, attempt }));
    assert.deepEqual(await store.postProcessings.reportsOf(workspace, [event!]), [
      {
        event,
        target: made.target,
        postProcessing: 'ops-hook',
        kind: 'webhook',
        state: 'dead',
        tries: 1,
        status: 500,
        reason: 'answered 500',
        at: NOON + 70,
      },
    ]);
    assert.deepEqual(await store.postProcessings.reportsOf(workspace, []), []);
    // Nobody is told of its dead letter, and the same end again is the same event.
    const second = await endRun(ground, place, made);
    assert.deepEqual([second.events, second.heard], [[null], []]);
    const listed = { workspace, order: 'oldest-first' as const, cursor: null, limit: 9 };
    const { rows } = await second.store.log.events(listed);
    assert.deepEqual(
      rows.map(({ type }) => type),
      ['bellwire.job.failed'],
    );
  });

  test(`${engine}: where nobody is told of the end of a run nothing is written`, async (t) => {
    const furnished = await furnish(t);
    const { store, events } = await endRun(furnished.ground, furnished);
    assert.deepEqual(events, [null]);
    const [accepted] = await mustPublish({ ...furnished, store }, someEvents(1));
    assert.equal(accepted!.event, 1);
  });

  test(`${engine}: deletion is refused while flows report to it, gives up what is open, and leaves no trace for ever`, async (t) => {
    const furnished = await furnish(t);
    const { ground, workspace } = furnished;
    const made = await add(furnished);
    const {
      store,
      events: [event],
    } = await endRun(ground, furnished, made);
    const place = { store, workspace };
    const after = { completed: [], failed: ['ops-hook'] };
    const flow = await store.flows.put(newFlow(workspace, 'nightly', { after, group: 'g undefined' }), NOON);
    await assert.rejects(store.postProcessings.delete(made, NOON), refusal('in-use', /job nightly/));
    const group = { workspace, group: made.group! };
    await assert.rejects(store.postProcessings.renameGroup(group, 'other'), refusal('in-use', /job nightly/));
    await assert.rejects(store.postProcessings.deleteGroup(group), refusal('in-use', /job nightly/));
    await store.flows.remove(workspace, flow.flow.flow, NOON);
    await store.postProcessings.delete(made, NOON + 5);
    await assert.rejects(store.postProcessings.delete(made, NOON), refusal('not-found'));
    assert.deepEqual(await openOf(place, made.target), []);
    const [given] = await store.postProcessings.reportsOf(workspace, [event!]);
    assert.deepEqual(
      [given!.postProcessing, given!.state, given!.reason, given!.at],
      [null, 'dead', 'the post-processing was deleted', NOON + 5],
    );
    assert.deepEqual((await store.log.deliveries({ workspace, cursor: null, limit: 10 })).rows, []);
    await add(place, { name: 'again' });
    const keep = { eventsMs: DAY, deliveriesMs: DAY, idempotencyMs: DAY, changesMs: DAY, runsMs: DAY };
    while ((await store.log.prune(keep, NOON + 3 * DAY, 100)) > 0);
    const rows = await ground.query<{ webhook: unknown }>('SELECT webhook FROM webhooks');
    assert.equal(rows.length, 1, 'the mark is gone, the living one stays');
    assert.equal((await store.postProcessings.list(workspace)).length, 1);
  });

  test(`${engine}: a webhook and a post-processing of other workspaces are nobody’s here`, async (t) => {
    const { store, workspace } = await furnish(t);
    const made = await add({ store, workspace });
    const other = await addWorkspace(store, 'other');
    await addWebhook({ store, workspace: other }, 'w');
    assert.equal(await store.postProcessings.one({ workspace: other, target: made.target }), null);
    await assert.rejects(
      store.postProcessings.delete({ workspace: other, target: made.target }, NOON),
      refusal('not-found'),
    );
    await store.settings.deleteWorkspace(workspace, NOON);
    assert.equal(await store.settings.target(made), null);
  });
}
