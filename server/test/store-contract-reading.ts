// The store's contract, part two: a reader sees everything, once, in order, and only what it asked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Accepted, EventsQuery, Store, StoredEvent } from '../src/store/index.ts';
import {
  addWebhook,
  addWorkspace,
  furnish,
  mustPublish,
  newEvent,
  NOON,
  openOf,
  publish,
  settle,
  settlementOf,
  someEvents,
} from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

type Filters = Partial<EventsQuery>;

/** Reads page after page until the store says that there is no more; fails when it never does. */
async function readAll(store: Store, workspace: number, query: Filters = {}): Promise<StoredEvent[]> {
  const rows: StoredEvent[] = [];
  let cursor: number | null = null;
  for (let pages = 0; pages < 1000; pages++) {
    const page = await store.log.events({ workspace, order: 'oldest-first', limit: 100, ...query, cursor });
    rows.push(...page.rows);
    cursor = page.cursor;
    if (!page.more) return rows;
  }
  throw new Error('there were more pages than there can be');
}

const idsOf = (events: StoredEvent[]): string[] => events.map(({ id }) => id);

/** Runs this part on an engine. */
export function exerciseReading(engine: string, prepare: Prepare): void {
  test(`${engine}: R48 events are read in order, by cursor, in pages, to the end and on from there`, async (t) => {
    const store = await (await prepare(t)).open();
    const workspace = await addWorkspace(store);
    const page = (cursor: number | null, limit = 4): ReturnType<Store['log']['events']> =>
      store.log.events({ workspace, order: 'oldest-first', cursor, limit });
    const nothing = await page(null);
    assert.deepEqual(nothing, { rows: [], cursor: 0, more: false });
    await mustPublish({ store, workspace }, someEvents(10));
    const first = await page(nothing.cursor);
    assert.deepEqual([idsOf(first.rows), first.more], [['e0', 'e1', 'e2', 'e3'], true]);
    const second = await page(first.cursor, 6);
    assert.deepEqual([idsOf(second.rows), second.more], [['e4', 'e5', 'e6', 'e7', 'e8', 'e9'], false]);
    assert.deepEqual(await page(second.cursor), { rows: [], cursor: second.cursor, more: false });
    await mustPublish({ store, workspace }, [newEvent('later')]);
    assert.deepEqual(idsOf((await page(second.cursor)).rows), ['later']);
  });

  test(`${engine}: R48 the newest come first when asked so, down to the first`, async (t) => {
    const store = await (await prepare(t)).open();
    const workspace = await addWorkspace(store);
    await mustPublish({ store, workspace }, someEvents(5));
    const order = 'newest-first';
    assert.deepEqual(idsOf(await readAll(store, workspace, { order, limit: 2 })), ['e4', 'e3', 'e2', 'e1', 'e0']);
    const empty = await addWorkspace(store, 'empty');
    const page = await store.log.events({ workspace: empty, order, cursor: null, limit: 2 });
    assert.deepEqual([page.rows, page.more], [[], false]);
  });

  test(`${engine}: R48 filters by type, pattern, source and time, alone and together`, async (t) => {
    const store = await (await prepare(t)).open();
    const workspace = await addWorkspace(store);
    const odd = ['a.%', 'a.b', 'a.b.c', 'a.b%c', 'a.b_c', 'a.b\\c', 'a.bxc', 'ab', 'a', 'A.b', 'ä.b', '𝒳.b', '𝒳.b.c'];
    for (const [i, type] of odd.entries()) {
      await mustPublish({ store, workspace }, [newEvent(type, { type, source: `/${i % 2}` })], NOON + i);
    }
    const found = async (query: Filters): Promise<string[]> => idsOf(await readAll(store, workspace, query));
    assert.deepEqual(await found({ type: 'a.b' }), ['a.b']);
    assert.deepEqual(await found({ type: 'a.*' }), ['a.%', 'a.b', 'a.b.c', 'a.b%c', 'a.b_c', 'a.b\\c', 'a.bxc']);
    assert.deepEqual(await found({ type: 'a.b.*' }), ['a.b.c']);
    assert.deepEqual(await found({ type: 'a.%.*' }), []);
    assert.deepEqual(await found({ type: '%' }), []);
    assert.deepEqual(await found({ type: '_.*' }), []);
    assert.deepEqual(await found({ type: '\\.*' }), []);
    assert.deepEqual(await found({ type: 'ä.*' }), ['ä.b']);
    assert.deepEqual(await found({ type: '𝒳.*' }), ['𝒳.b', '𝒳.b.c']);
    assert.deepEqual(
      await found({ source: '/1' }),
      odd.filter((_, i) => i % 2 === 1),
    );
    assert.deepEqual(await found({ since: NOON + 2, until: NOON + 4 }), ['a.b.c', 'a.b%c']);
    assert.deepEqual(await found({ type: 'a.*', source: '/0', since: NOON + 2 }), ['a.b.c', 'a.b_c', 'a.bxc']);
    const backwards = await found({ type: 'a.*', order: 'newest-first', limit: 2 });
    assert.deepEqual(backwards, ['a.bxc', 'a.b\\c', 'a.b_c', 'a.b%c', 'a.b.c', 'a.b', 'a.%']);
  });

  test(`${engine}: R48 a rare type in a long log is found page by page, nothing skipped either way`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const workspace = await addWorkspace(store);
    await mustPublish({ store, workspace }, [newEvent('rare-1', { type: 'rare' })]);
    // A log of 130,000 numbers, most of which are not events: what counts is the distance.
    await ground.query('UPDATE workspaces SET head = 70000 WHERE workspace = $1', [workspace]);
    await mustPublish({ store, workspace }, [newEvent('other'), newEvent('rare-2', { type: 'rare' })]);
    await ground.query('UPDATE workspaces SET head = 130000 WHERE workspace = $1', [workspace]);
    await mustPublish({ store, workspace }, [newEvent('rare-3', { type: 'rare' })]);
    const type = 'rare';
    assert.deepEqual(idsOf(await readAll(store, workspace, { type })), ['rare-1', 'rare-2', 'rare-3']);
    const backwards = await readAll(store, workspace, { type, order: 'newest-first' });
    assert.deepEqual(idsOf(backwards), ['rare-3', 'rare-2', 'rare-1']);
    assert.deepEqual(idsOf(await readAll(store, workspace, { type, limit: 1 })), ['rare-1', 'rare-2', 'rare-3']);
    assert.deepEqual(idsOf(await readAll(store, workspace, { type: 'never' })), []);
  });

  test(`${engine}: R48 a reader by cursor sees each of many concurrent events once, in order`, async (t) => {
    const ground = await prepare(t);
    const limits = { fanout: 1000, group: 5 };
    const stores = [await ground.open({ limits })];
    // Two nodes where the engine allows it: their commits overtake each other.
    if (ground.engine === 'postgres') stores.push(await ground.open({ limits }));
    const { workspace } = await furnish(stores[0]!);
    const noise = await furnish(stores[0]!, 'noise');
    let writing = true;
    const seen: StoredEvent[] = [];
    const reader = (async () => {
      for (let cursor = 0; ;) {
        const last = !writing;
        const page = await stores[0]!.log.events({ workspace, order: 'oldest-first', cursor, limit: 7 });
        seen.push(...page.rows);
        cursor = page.cursor;
        if (last && !page.more) return;
      }
    })();
    const accepted = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const of = i % 3 === 2 ? noise.workspace : workspace;
        const result = await mustPublish(
          { store: stores[i % stores.length]!, workspace: of },
          someEvents(1 + (i % 3), `p${i}-`),
        );
        return of === workspace ? result : [];
      }),
    );
    writing = false;
    await reader;
    const numbers = accepted.flat().map(({ event }) => event);
    assert.deepEqual(
      seen.map(({ event }) => event),
      numbers.sort((a, b) => a - b),
    );
  });

  test(`${engine}: R124 deliveries are listed newest first by state, webhook and event, shown as they are`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, webhook, target } = await furnish(store);
    const answered = await mustPublish({ store, workspace }, someEvents(5));
    const [a, b] = await openOf({ store, workspace }, target);
    const dead = {
      state: 'dead',
      tries: 20,
      dueAt: NOON,
      endedAt: NOON + 9,
      reason: 'the endpoint answered 500',
    } as const;
    await settle(store, settlementOf(a!), settlementOf(b!, { next: dead }));
    const list = async (query: object): Promise<string[]> => {
      const found: string[] = [];
      for (let cursor: string | null = null; ;) {
        const page = await store.log.deliveries({ workspace, limit: 2, ...query, cursor });
        found.push(...page.rows.map(({ eventId, shown }) => `${eventId} ${shown}`));
        if (page.next === null) return found;
        cursor = page.next;
      }
    };
    const all = ['e4 scheduled', 'e3 scheduled', 'e2 scheduled', 'e1 dead', 'e0 delivered'];
    assert.deepEqual(await list({}), all);
    assert.deepEqual(await list({ webhook: target }), all);
    assert.deepEqual(await list({ webhook: target + 1000 }), []);
    assert.deepEqual(await list({ event: answered[1]!.event }), ['e1 dead']);
    assert.deepEqual(await list({ state: 'dead' }), ['e1 dead']);
    assert.deepEqual(await list({ state: 'delivered' }), ['e0 delivered']);
    assert.deepEqual(await list({ state: 'scheduled' }), all.slice(0, 3));
    assert.deepEqual(await list({ state: 'held' }), []);
    const { revision } = webhook;
    await store.settings.updateWebhook({
      workspace,
      target,
      revision,
      patch: { intent: 'paused' },
      reason: 'by hand',
      now: NOON,
    });
    assert.deepEqual(await list({ state: 'scheduled' }), []);
    assert.deepEqual(await list({ state: 'held', webhook: target }), ['e4 held', 'e3 held', 'e2 held']);
    assert.deepEqual(await list({ state: 'dead' }), ['e1 dead']);
    await store.settings.deleteWebhook({ workspace, target }, true, NOON);
    assert.deepEqual(await list({}), ['e4 dead', 'e3 dead', 'e2 dead', 'e1 dead', 'e0 delivered']);
  });

  test(`${engine}: R124 what a webhook was rarely sent is found over several pages, and nothing else`, async (t) => {
    const store = await (await prepare(t)).open({ listWindow: 10 });
    const place = await furnish(store);
    const rare = await addWebhook(place, 'rare', 'com.example.rare');
    const expected: string[] = [];
    for (let i = 0; i < 4; i++) {
      await mustPublish(place, someEvents(12, `often${i}-`));
      await mustPublish(place, [newEvent(`rare${i}`, { type: 'com.example.rare' })]);
      expected.unshift(`rare${i}`);
    }
    for (const limit of [1, 2, 50]) {
      const seen: string[] = [];
      let pages = 0;
      for (let cursor: string | null | undefined; cursor !== null; pages++) {
        const query = { workspace: place.workspace, webhook: rare.webhook, cursor: cursor ?? null, limit };
        const page = await store.log.deliveries(query);
        assert.ok(page.rows.length <= limit);
        seen.push(...page.rows.map(({ eventId }) => eventId));
        cursor = page.next;
      }
      assert.deepEqual(seen, expected);
      assert.ok(pages >= 5, `${pages} pages`);
    }
  });

  test(`${engine}: another workspace's numbers find nothing`, async (t) => {
    const store = await (await prepare(t)).open();
    const one = await furnish(store, 'one');
    const other = await addWorkspace(store, 'other');
    const [{ event }] = (await mustPublish(one, [newEvent('a')])) as [Accepted];
    const key = { event, target: one.target, copy: 0 };
    assert.notEqual(await store.log.event(one.workspace, event), null);
    assert.equal(await store.log.event(other, event), null);
    assert.notEqual(await store.log.delivery({ workspace: one.workspace, ...key }), null);
    assert.equal(await store.log.delivery({ workspace: other, ...key }), null);
    assert.equal(await store.log.pending({ workspace: other, ...key }), null);
    assert.equal(await store.settings.webhook(other, one.target), null);
    assert.equal(await store.settings.target({ workspace: other, target: one.target }), null);
    assert.equal(await store.log.head(999), 0);
    assert.equal((await publish({ store, workspace: 999 }, [newEvent('a')])).kind, 'gone');
  });

  test(`${engine}: counts say what is open of each target, what is dead, and which webhooks there are`, async (t) => {
    const store = await (await prepare(t)).open();
    const one = await furnish(store, 'one');
    const two = await furnish(store, 'two');
    await mustPublish(one, someEvents(3), NOON + 5);
    const [a, b] = await openOf(one, one.target, NOON + 5);
    const dead = { state: 'dead', tries: 1, dueAt: NOON, endedAt: NOON, reason: 'it is so' } as const;
    await settle(store, settlementOf(a!), settlementOf(b!, { next: dead }));
    const { workspace, target } = one;
    const state = { intent: 'enabled', health: 'active' } as const;
    const counted = await store.log.counts(NOON);
    assert.deepEqual(counted.open, [{ workspace, target, open: 1, oldestDueAt: NOON + 5, mode: 'push', ...state }]);
    assert.deepEqual(counted.dead, [
      { workspace, dead: 1 },
      { workspace: two.workspace, dead: 0 },
    ]);
    assert.deepEqual(counted.webhooks, [
      { workspace, count: 1, ...state },
      { workspace: two.workspace, count: 1, ...state },
    ]);
    const { leases, operations, runs } = counted;
    assert.deepEqual({ leases, operations, runs }, { leases: 0, operations: {}, runs: {} });
  });
}
