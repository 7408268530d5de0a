// The store's contract, part two: quotas, fan-outs too large for one commit, and commits shared with the guilty.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Accepted, NewEvent, Publish, Store } from '../src/store/index.ts';
import type { Ground, Prepare } from './store-ground.ts';
import {
  addWebhook,
  addWorkspace,
  answers,
  DAY,
  furnish,
  mustPublish,
  newEvent,
  NOON,
  openOf,
  publish,
  someEvents,
  subscribe,
  type Place,
} from './store-furniture.ts';

/** Publishes at once, so that one commit takes them all. */
async function together(place: Place, ...batches: NewEvent[][]): Promise<PromiseSettledResult<unknown>[]> {
  const catalog = (await place.store.settings.catalog(place.workspace))!;
  const of = (events: NewEvent[]): Publish => ({ catalog, events, acceptedAt: NOON, trace: null });
  return Promise.allSettled(batches.map((events) => place.store.log.accept(of(events))));
}

async function poison({ engine, query }: Ground): Promise<NewEvent> {
  // PostgreSQL's text cannot hold a NUL; SQLite takes anything, so its table is taught to refuse something.
  if (engine === 'postgres') return newEvent('a\0b');
  await query(
    `CREATE TRIGGER taste BEFORE INSERT ON events WHEN NEW.id = 'poison' BEGIN SELECT RAISE(ABORT, 'no'); END`,
  );
  return newEvent('poison');
}

async function furnishMany(store: Store, count: number): Promise<Place & { targets: number[] }> {
  const place = { store, workspace: await addWorkspace(store) };
  const targets: number[] = [];
  for (let i = 0; i < count; i++) targets.push((await addWebhook(place, `w${i}`, 'com.example.made')).webhook);
  return { ...place, targets };
}

async function targetsOf({ store, workspace }: Place, event: number, state?: 'dead'): Promise<number[]> {
  const { rows } = await store.log.deliveries({ workspace, event, state, cursor: null, limit: 1000 });
  return rows.map(({ target }) => target).sort((a, b) => a - b);
}

/** Runs this part on an engine. */
export function exerciseLimits(engine: string, prepare: Prepare): void {
  test(`${engine}: quota: events of a UTC day up to the limit, one more is refused until midnight`, async (t) => {
    const store = await (await prepare(t)).open();
    const place = { store, workspace: await addWorkspace(store, 'acme', { eventsPerDay: 10 }) };
    const midnight = NOON + DAY / 2;
    const refused = { kind: 'over-quota', what: 'events', limit: 10, resetAt: midnight };
    assert.deepEqual(await publish(place, someEvents(11)), refused);
    await mustPublish(place, someEvents(10));
    assert.deepEqual(await publish(place, [newEvent('more')]), refused);
    assert.deepEqual(await publish(place, [newEvent('more')], midnight - 1), refused);
    await mustPublish(place, [newEvent('more')], midnight);
    // A node whose clock is behind does not open the former day again.
    assert.deepEqual(await publish(place, someEvents(10, 'late'), midnight - 1), {
      ...refused,
      resetAt: midnight + DAY,
    });
    await mustPublish(place, someEvents(9, 'rest'), midnight + 5);
    assert.equal((await publish(place, [newEvent('end')], midnight + 6)).kind, 'over-quota');
    await store.settings.changeWorkspace(place.workspace, { limits: { eventsPerDay: 11 } });
    await mustPublish(place, [newEvent('end')], midnight + 6);
  });

  test(`${engine}: quota: bytes of a UTC day up to the limit`, async (t) => {
    const store = await (await prepare(t)).open();
    const envelope = new Uint8Array(100).fill(32);
    const place = { store, workspace: await addWorkspace(store, 'acme', { bytesPerDay: 1000 }) };
    await mustPublish(place, someEvents(9, 'e', { envelope }));
    const [at, over] = [newEvent('at', { envelope }), newEvent('over', { envelope: new Uint8Array(101) })];
    const refused = { kind: 'over-quota', what: 'bytes', limit: 1000, resetAt: NOON + DAY / 2 };
    assert.deepEqual(await publish(place, [over]), refused);
    await mustPublish(place, [at]);
    assert.deepEqual(await publish(place, [newEvent('tiny', { envelope: new Uint8Array(1) })]), refused);
  });

  test(`${engine}: R125 quota: what was accepted before does not count, and is answered at the limit too`, async (t) => {
    const store = await (await prepare(t)).open();
    const place = { store, workspace: await addWorkspace(store, 'acme', { eventsPerDay: 10 }) };
    const first = await mustPublish(place, someEvents(8));
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(
        await mustPublish(place, someEvents(8)),
        first.map((answer) => ({ ...answer, duplicate: true })),
      );
    }
    // One commit: repetitions before and beside the last two that fit, and one that does not.
    const [repeated, last, twice, beyond] = await together(
      place,
      someEvents(8),
      [newEvent('nine'), ...someEvents(3), newEvent('nine')],
      [newEvent('nine'), newEvent('ten')],
      [newEvent('ten'), newEvent('eleven')],
    );
    const duplicates = (result: PromiseSettledResult<unknown> | undefined): boolean[] => {
      assert.equal(result?.status, 'fulfilled');
      return answers(result.value as Awaited<ReturnType<typeof publish>>).map(({ duplicate }) => duplicate);
    };
    assert.deepEqual(
      duplicates(repeated),
      Array.from({ length: 8 }, () => true),
    );
    assert.deepEqual(duplicates(last), [false, true, true, true, true]);
    assert.deepEqual(duplicates(twice), [true, false]);
    assert.equal(((beyond as PromiseFulfilledResult<unknown>).value as { kind: string }).kind, 'over-quota');
    assert.deepEqual((await publish(place, someEvents(8))).kind, 'accepted');
  });

  test(`${engine}: a workspace that is gone accepts nothing`, async (t) => {
    const store = await (await prepare(t)).open();
    const place = await furnish(store);
    const catalog = (await store.settings.catalog(place.workspace))!;
    await store.settings.deleteWorkspace(place.workspace, NOON + 1);
    const gone = await store.log.accept({ catalog, events: [newEvent('a')], acceptedAt: NOON, trace: null });
    assert.deepEqual(gone, { kind: 'gone' });
    assert.equal(await store.settings.catalog(place.workspace), null);
  });

  test(`${engine}: R53 a request that cannot be stored fails alone, its companions are stored`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const place = await furnish(store);
    const bad = await poison(ground);
    const batches = someEvents(40).map((event) => [event]);
    batches[7]!.push(bad);
    batches[23] = [bad];
    const results = await together(place, ...batches);
    const failed = results.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []));
    assert.deepEqual(failed, [7, 23]);
    assert.equal((await openOf(place, place.target)).length, 38);
    const { rows } = await store.log.events({
      workspace: place.workspace,
      order: 'oldest-first',
      cursor: null,
      limit: 100,
    });
    assert.deepEqual(
      rows.map(({ id }) => id),
      someEvents(40).flatMap(({ id }, i) => (failed.includes(i) ? [] : [id])),
    );
  });

  test(`${engine}: R53 a request whose matching fails does so alone`, async (t) => {
    const store = await (await prepare(t)).open();
    const place = await furnish(store);
    const catalog = (await store.settings.catalog(place.workspace))!;
    const broken = {
      ...catalog,
      targetsOf: () => {
        throw new Error('a filter that breaks');
      },
    };
    const results = await Promise.allSettled(
      [catalog, broken, catalog].map((of, i) =>
        store.log.accept({ catalog: of, events: [newEvent(`e${i}`)], acceptedAt: NOON, trace: null }),
      ),
    );
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
  });

  test(`${engine}: a batch of many events for many webhooks makes so many deliveries a commit and a chunk, and all`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open({ limits: { fanout: 10, group: 1000, deliveries: 25 } });
    const place = { ...(await furnishMany(store, 12)), store };
    const told: string[][] = [];
    store.on({ deliveries: (some) => told.push(some.map(({ event, target }) => `${event}/${target}`)) });
    const accepted = await mustPublish(place, someEvents(10));
    assert.deepEqual(
      told.map(({ length }) => length),
      [25],
    );
    // Of 120, 25 are made. A chunk takes what is left of several events.
    for (let chunks = 0; await store.log.expandFanouts(20, NOON + 5); chunks++) assert.ok(chunks < 10);
    assert.deepEqual(
      told.map(({ length }) => length),
      [25, 20, 20, 20, 20, 15],
    );
    const all = accepted.flatMap(({ event }) => place.targets.map((target) => `${event}/${target}`));
    assert.deepEqual(told.flat().sort(), all.sort());
    assert.equal((await openOf(place, place.targets[11]!, NOON + 5)).length, 10);
    assert.deepEqual(await ground.query('SELECT * FROM fanouts'), []);
  });

  test(`${engine}: matching a large batch leaves the thread to others in between`, async (t) => {
    const store = await (await prepare(t)).open();
    const place = await furnish(store);
    const catalog = (await store.settings.catalog(place.workspace))!;
    let inTurn = 0;
    let most = 0;
    const slow = {
      ...catalog,
      targetsOf: (event: NewEvent) => {
        most = Math.max(most, ++inTurn);
        for (const until = performance.now() + 2; performance.now() < until;);
        return catalog.targetsOf(event);
      },
    };
    let over = false;
    const watch = (): void => {
      inTurn = 0;
      if (!over) setImmediate(watch);
    };
    watch();
    const publishes = Array.from({ length: 4 }, (_, i) => ({ catalog: slow, events: someEvents(50, `p${i}-`) }));
    const results = await Promise.all(publishes.map((p) => store.log.accept({ ...p, acceptedAt: NOON, trace: null })));
    over = true;
    assert.equal(results.flatMap(answers).length, 200);
    // 400 ms of matching in slices of 5 ms: the first turn sees one of each publish, the others one in all.
    assert.ok(most <= 16, `${most} events of 2 ms and more in one turn`);
  });

  test(`${engine}: a fan-out above the limit is completed in chunks, exactly, also by the next process`, async (t) => {
    const ground = await prepare(t);
    const limits = { fanout: 10, group: 1000 };
    let store = await ground.open({ limits });
    const { workspace, targets } = await furnishMany(store, 35);
    const [a, b] = await mustPublish({ store, workspace }, [newEvent('a'), newEvent('b')]);
    assert.deepEqual(await targetsOf({ store, workspace }, a!.event), targets.slice(0, 10));
    assert.equal(await store.log.expandFanouts(10, NOON + 5), true);
    await store.close();
    store = await ground.open({ limits });
    const told: string[] = [];
    store.on({ deliveries: (some) => told.push(...some.map(({ event, target }) => `${event}/${target}`)) });
    let rounds = 0;
    while (await store.log.expandFanouts(10, NOON + 5)) rounds++;
    assert.equal(rounds, 4);
    for (const { event } of [a!, b!]) assert.deepEqual(await targetsOf({ store, workspace }, event), targets);
    assert.equal(told.length, 2 * 25 - 10);
    assert.equal(new Set(told).size, told.length);
    const last = await store.log.pending({ workspace, event: b!.event, target: targets.at(-1)!, copy: 0 });
    assert.deepEqual([last!.carried.type, last!.dueAt], ['com.example.made', NOON + 5]);
  });

  test(`${engine}: R118 a fan-out has the subscriptions of its commit; what became of their webhooks is seen`, async (t) => {
    const store = await (await prepare(t)).open({ limits: { fanout: 2, group: 1000 } });
    const { workspace, targets } = await furnishMany(store, 6);
    const place = { store, workspace };
    const [{ event }] = (await mustPublish(place, [newEvent('a')])) as [Accepted];
    // Meanwhile one subscription goes, one comes, and one webhook goes.
    const subscriptions = await store.settings.subscriptions(workspace, targets[3]);
    await store.settings.deleteSubscription(workspace, subscriptions[0]!.subscription);
    const late = await addWebhook(place, 'late');
    await subscribe(store, late, { type: 'com.example.made' });
    await store.settings.deleteWebhook({ workspace, target: targets[4]! }, true, NOON + 1);
    while (await store.log.expandFanouts(3, NOON + 5));
    assert.deepEqual(await targetsOf(place, event), targets);
    assert.deepEqual(await targetsOf(place, event, 'dead'), [targets[4]]);
  });

  test(`${engine}: large fan-outs of one workspace do not keep another one waiting`, async (t) => {
    const store = await (await prepare(t)).open({ limits: { fanout: 1, group: 1000 } });
    const one = await furnishMany(store, 5);
    const two = { store, workspace: await addWorkspace(store, 'two') };
    for (let i = 0; i < 3; i++) await addWebhook(two, `w${i}`, 'com.example.made');
    for (const place of [one, two]) await mustPublish(place, someEvents(3));
    const [first] = (
      await store.log.events({ workspace: two.workspace, order: 'oldest-first', cursor: null, limit: 1 })
    ).rows;
    for (let i = 0; i < 2; i++) await store.log.expandFanouts(2, NOON);
    assert.equal((await targetsOf(two, first!.event)).length, 3);
  });
}
