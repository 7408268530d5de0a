// The store's contract, part one: what is accepted is there whole, once, in order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PendingDelivery } from '../src/model/delivery.ts';
import type { EventTypeSetting } from '../src/store/index.ts';
import type { Prepare } from './store-ground.ts';
import {
  addWebhook,
  addWorkspace,
  answers,
  bytes,
  furnish,
  mustPublish,
  newEvent,
  NOON,
  openOf,
  publish,
  subscribe,
} from './store-furniture.ts';

/** Runs this part on an engine. */
export function exerciseAccept(engine: string, prepare: Prepare): void {
  test(`${engine}: R53 one accept stores its events with all their deliveries and tells of both`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, target } = await furnish(store);
    const other = await addWebhook({ store, workspace }, 'made', 'com.example.made');
    const told: { deliveries: PendingDelivery[]; events: number[] } = { deliveries: [], events: [] };
    store.on({ deliveries: (some) => told.deliveries.push(...some), events: (some) => told.events.push(...some) });

    const answered = await mustPublish({ store, workspace }, [
      newEvent('a'),
      newEvent('b', { type: 'com.example.other' }),
    ]);

    const [a, b] = answered;
    assert.deepEqual(answered, [
      { event: a!.event, source: '/tests', id: 'a', duplicate: false },
      { event: b!.event, source: '/tests', id: 'b', duplicate: false },
    ]);
    assert.ok(b!.event > a!.event);
    const keys = (of: PendingDelivery[]): string[] => of.map(({ event, target }) => `${event}/${target}`);
    assert.deepEqual(keys(told.deliveries), [
      `${a!.event}/${target}`,
      `${a!.event}/${other.webhook}`,
      `${b!.event}/${target}`,
    ]);
    assert.deepEqual(told.events, [workspace]);
    // What was told is what is stored: the engine need not read it back.
    const stored = [
      ...(await openOf({ store, workspace }, target)),
      ...(await openOf({ store, workspace }, other.webhook)),
    ];
    const plain = (of: PendingDelivery[]): unknown[] =>
      of
        .map((d) => ({ ...d, carried: { ...d.carried, envelope: bytes(d.carried.envelope) } }))
        .sort((x, y) => x.event - y.event || x.target - y.target);
    assert.deepEqual(plain(stored), plain(told.deliveries));
    assert.equal(await store.log.head(workspace), b!.event);
  });

  test(`${engine}: R125 the second publish of (source, id) gets the first answer, whatever else it says`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, target } = await furnish(store);
    const [first] = await mustPublish({ store, workspace }, [newEvent('a')]);
    const again = await mustPublish({ store, workspace }, [
      newEvent('b'),
      newEvent('a', { type: 'com.example.other', data: 'other' }),
      newEvent('a', { source: '/elsewhere' }),
      newEvent('b'),
    ]);
    assert.deepEqual(again[1], { ...first, duplicate: true });
    assert.deepEqual(
      again.map(({ duplicate }) => duplicate),
      [false, true, false, true],
    );
    assert.equal(again[3]!.event, again[0]!.event);
    assert.equal((await openOf({ store, workspace }, target)).length, 3);
    const stored = await store.log.event(workspace, first!.event);
    assert.equal(stored?.type, 'com.example.made');
  });

  test(`${engine}: R125 200 racing batches with the same ids in opposite orders: every answer right, every event once`, async (t) => {
    const ground = await prepare(t);
    // Small groups, so that many commits race; on PostgreSQL two nodes besides.
    const limits = { fanout: 1000, group: 60 };
    const stores = [await ground.open({ limits })];
    if (ground.engine === 'postgres') stores.push(await ground.open({ limits }));
    const { workspace, target } = await furnish(stores[0]!);
    const second = await addWebhook({ store: stores[0]!, workspace }, 'second', 'com.example.made');
    const ids = Array.from({ length: 20 }, (_, i) => `same-${i}`);
    const results = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const order = i % 2 === 0 ? ids : ids.toReversed();
        return mustPublish(
          { store: stores[i % stores.length]!, workspace },
          order.map((id) => newEvent(id)),
        );
      }),
    );
    const numbers = new Map<string, Set<number>>();
    let firsts = 0;
    for (const { id, event, duplicate } of results.flat()) {
      numbers.set(id, (numbers.get(id) ?? new Set()).add(event));
      if (!duplicate) firsts++;
    }
    assert.equal(firsts, ids.length);
    assert.deepEqual(
      [...numbers.values()].map((of) => of.size),
      ids.map(() => 1),
    );
    for (const one of [target, second.webhook]) {
      const open = await openOf({ store: stores[0]!, workspace }, one);
      assert.deepEqual(
        open.map(({ event }) => event).sort((a, b) => a - b),
        [...numbers.values()].flatMap((n) => [...n]).sort((a, b) => a - b),
      );
    }
  });

  test(`${engine}: R125 the same source and id in another workspace is another event`, async (t) => {
    const store = await (await prepare(t)).open();
    const one = await furnish(store, 'one');
    const two = await furnish(store, 'two');
    const results = await Promise.all([publish(one, [newEvent('a')]), publish(two, [newEvent('a')])]);
    for (const result of results) assert.equal(answers(result)[0]!.duplicate, false);
    assert.equal((await openOf(one, one.target)).length, 1);
    assert.equal((await openOf(two, two.target)).length, 1);
    assert.deepEqual((await publish({ store, workspace: 999 }, [newEvent('a')])).kind, 'gone');
  });

  test(`${engine}: R50 R51 R114 overlapping subscriptions of one webhook make one delivery, others none`, async (t) => {
    const store = await (await prepare(t)).open();
    const workspace = await addWorkspace(store);
    const webhook = await addWebhook({ store, workspace }, 'twice', 'com.example.made', 'com.example.*', 'com.*');
    await subscribe(store, webhook, { type: 'com.example.made', filter: 'n eq 1' });
    const filtered = await addWebhook({ store, workspace }, 'filtered');
    await subscribe(store, filtered, { type: 'com.example.made', filter: 'n eq 2' });
    const unsubscribed = await addWebhook({ store, workspace }, 'unsubscribed');
    await mustPublish({ store, workspace }, [newEvent('a', { data: { n: 1 } }), newEvent('b', { data: { n: 2 } })]);
    assert.equal((await openOf({ store, workspace }, webhook.webhook)).length, 2);
    assert.equal((await openOf({ store, workspace }, filtered.webhook)).length, 1);
    assert.equal((await openOf({ store, workspace }, unsubscribed.webhook)).length, 0);
  });

  test(`${engine}: R118 a subscription counts from its commit on, and not before`, async (t) => {
    const store = await (await prepare(t)).open();
    const workspace = await addWorkspace(store);
    const webhook = await addWebhook({ store, workspace }, 'late');
    await mustPublish({ store, workspace }, [newEvent('before')]);
    const subscription = await subscribe(store, webhook, { type: 'com.example.made' });
    await mustPublish({ store, workspace }, [newEvent('between')]);
    await store.settings.deleteSubscription(workspace, subscription);
    await mustPublish({ store, workspace }, [newEvent('after')]);
    const open = await openOf({ store, workspace }, webhook.webhook);
    assert.deepEqual(
      open.map(({ carried }) => (JSON.parse(Buffer.from(carried.envelope).toString()) as { id: string }).id),
      ['between'],
    );
  });

  test(`${engine}: R118 a catalog that changed after the check resolves stale and stores nothing`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, webhook, target } = await furnish(store);
    const { settings, log } = store;
    const changes: [string, () => Promise<unknown>][] = [
      ['a subscription made', () => subscribe(store, webhook, { type: 'com.other' })],
      [
        'a subscription gone',
        async () => settings.deleteSubscription(workspace, (await settings.subscriptions(workspace))[1]!.subscription),
      ],
      ['a type of the workspace', () => settings.putType(typeSetting(workspace), NOON)],
      ['a type of the installation', () => settings.putType(typeSetting(0, 'com.example.common'), NOON)],
      ['a type gone', () => settings.deleteType(workspace, 'com.example.made')],
    ];
    for (const [what, change] of changes) {
      const catalog = (await settings.catalog(workspace))!;
      await change();
      const before = await log.head(workspace);
      const result = await log.accept({ catalog, events: [newEvent(what)], acceptedAt: NOON, trace: null });
      assert.deepEqual(result, { kind: 'stale' }, what);
      assert.equal(await log.head(workspace), before, what);
      assert.notDeepEqual((await settings.catalog(workspace))!.version, catalog.version, what);
    }
    assert.equal((await openOf({ store, workspace }, target)).length, 0);
  });

  test(`${engine}: R125 the bytes of an envelope come back exactly, up to 256 KiB`, async (t) => {
    const store = await (await prepare(t)).open();
    const { workspace, target } = await furnish(store);
    const every = Uint8Array.from({ length: 256 }, (_, i) => i);
    const large = new Uint8Array(256 * 1024).map((_, i) => (i * 7 + (i >> 8)) & 255);
    const text = new TextEncoder().encode('{"data":"\u0001 \u007f é ✓ 🔔 \\u0000 \r\n\t"}');
    const envelopes = [every, large, text, new Uint8Array([123, 125])];
    const accepted = await mustPublish(
      { store, workspace },
      envelopes.map((envelope, i) => newEvent(`b${i}`, { envelope })),
    );
    const open = await openOf({ store, workspace }, target);
    for (const [i, envelope] of envelopes.entries()) {
      const { event } = accepted[i]!;
      assert.deepEqual(bytes((await store.log.event(workspace, event))!.envelope), [...envelope]);
      assert.deepEqual(bytes(open.find((d) => d.event === event)!.carried.envelope), [...envelope]);
    }
  });
}

function typeSetting(workspace: number, type = 'com.example.made'): EventTypeSetting {
  return {
    workspace,
    type,
    service: null,
    description: '',
    schema: null,
    schemaCheck: 'off',
    example: null,
    deprecation: null,
  };
}
