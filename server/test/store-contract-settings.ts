// The store's contract, part five: workspaces, the catalog, keys, and requests that must act only once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiKey, EventTypeSetting, IdempotencyKey, RefusalCode, WorkspaceLimits } from '../src/store/index.ts';
import {
  addWebhook,
  addWorkspace,
  furnish,
  mustPublish,
  newEvent,
  newWebhook,
  NOON,
  publish,
  subscribe,
} from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

const UNLIMITED: WorkspaceLimits = {
  eventsPerDay: null,
  bytesPerDay: null,
  webhooks: null,
  subscriptions: null,
  eventTypes: null,
};

/** The validator for `assert.rejects`: a refusal with this code. */
export function refusal(code: RefusalCode): (error: unknown) => boolean {
  return (error) => {
    assert.equal((error as { name: string }).name, 'StoreRefusal', String(error));
    assert.equal((error as { code: string }).code, code);
    return true;
  };
}

function setting(workspace: number, type: string, over: Partial<EventTypeSetting> = {}): EventTypeSetting {
  const nothing = { service: null, schema: null, schemaCheck: 'off', example: null, deprecation: null } as const;
  return { workspace, type, description: `about ${type}`, ...nothing, ...over };
}

/** Runs this part on an engine. */
export function exerciseSettings(engine: string, prepare: Prepare): void {
  test(`${engine}: workspaces are made, found, limited; names are unique, numbers are never given again`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const { settings } = store;
    const made = await Promise.all(
      ['one', 'two', 'three'].map((name) => settings.createWorkspace(name, UNLIMITED, NOON)),
    );
    assert.equal(new Set(made.map(({ workspace }) => workspace)).size, 3);
    assert.deepEqual(new Set((await settings.workspaces()).map(({ name }) => name)), new Set(['one', 'two', 'three']));
    const [one] = made as [(typeof made)[0]];
    for (const by of [{ workspace: one.workspace }, { token: one.token }, { name: 'one' }]) {
      assert.deepEqual(await settings.workspace(by), one);
    }
    assert.match(one.token, /^[0-9a-hjkmnp-tv-z]{10}$/);
    assert.equal(await settings.workspace({ name: 'four' }), null);
    await assert.rejects(settings.createWorkspace('one', UNLIMITED, NOON), refusal('name-taken'));
    const limits = { eventsPerDay: 1, bytesPerDay: 2, webhooks: 3, subscriptions: 4, eventTypes: 5 };
    assert.deepEqual((await settings.changeWorkspace(one.workspace, { limits })).limits, limits);
    assert.deepEqual((await settings.workspace({ name: 'one' }))!.limits, limits);
    await assert.rejects(settings.changeWorkspace(999, { limits }), refusal('not-found'));

    const last = Math.max(...made.map(({ workspace }) => workspace));
    await settings.deleteWorkspace(last, NOON + 1);
    const nothing = { eventsMs: 1, deliveriesMs: 1, idempotencyMs: 1, changesMs: 1, runsMs: 1 };
    while ((await store.log.prune(nothing, NOON, 100)) > 0);
    assert.equal((await settings.createWorkspace('again', UNLIMITED, NOON)).workspace, last + 1);
    await assert.rejects(settings.deleteWorkspace(last, NOON + 1), refusal('not-found'));
  });

  test(`${engine}: a deleted workspace is gone at once for every verb, its name is free, its webhooks are told`, async (t) => {
    const store = await (await prepare(t)).open();
    const { settings } = store;
    const place = await furnish(store, 'acme');
    const { workspace, webhook, target } = place;
    await mustPublish(place, [newEvent('a')]);
    const told: number[] = [];
    store.on({ webhook: (_workspace, number) => told.push(number) });
    await settings.deleteWorkspace(workspace, NOON + 1);
    assert.deepEqual(told, [target]);
    assert.equal(await settings.workspace({ workspace }), null);
    assert.equal(await settings.catalog(workspace), null);
    assert.equal(await settings.target({ workspace, target }), null);
    assert.equal((await publish(place, [newEvent('b')])).kind, 'gone');
    await assert.rejects(settings.createWebhook(newWebhook(workspace, 'w')), refusal('not-found'));
    await assert.rejects(subscribe(store, webhook, { type: 'com.example.made' }), refusal('not-found'));
    await assert.rejects(settings.putType(setting(workspace, 'com.example.made'), NOON), refusal('not-found'));
    await assert.rejects(settings.changeWorkspace(workspace, { limits: UNLIMITED }), refusal('not-found'));
    const { revision } = webhook;
    await assert.rejects(
      settings.updateWebhook({ workspace, target, revision, patch: { name: 'x' }, reason: null, now: NOON }),
      refusal('not-found'),
    );
    const again = await addWorkspace(store, 'acme');
    assert.notEqual(again, workspace);
  });

  test(`${engine}: R49 services are made once however often they are put, and stay while they have types`, async (t) => {
    const { settings } = await (await prepare(t)).open();
    const first = await settings.putService('audit', 'who did what', NOON);
    const again = await settings.putService('audit', 'who did what, and when', NOON + 5);
    assert.deepEqual({ ...again }, { ...first, description: 'who did what, and when' });
    await settings.putService('billing', '', NOON);
    assert.deepEqual(
      (await settings.services()).map(({ service }) => service),
      ['audit', 'billing'],
    );
    await settings.putType(setting(0, 'com.example.made', { service: 'audit' }), NOON);
    await assert.rejects(settings.deleteService('audit'), refusal('in-use'));
    await assert.rejects(settings.deleteService('nobody'), refusal('not-found'));
    await assert.rejects(
      settings.putType(setting(0, 'com.example.x', { service: 'nobody' }), NOON),
      refusal('not-found'),
    );
    await settings.deleteType(0, 'com.example.made');
    await settings.deleteService('audit');
  });

  test(`${engine}: quota: event types of a workspace up to the limit; those of the installation do not count`, async (t) => {
    const { settings, ...store } = await (await prepare(t)).open();
    const workspace = await addWorkspace({ settings, ...store }, 'acme', { eventTypes: 2 });
    await settings.putType(setting(0, 'com.example.common'), NOON);
    const puts = ['a', 'b', 'c', 'd'].map((type) => settings.putType(setting(workspace, type), NOON));
    const made = (await Promise.allSettled(puts)).flatMap((put) =>
      put.status === 'fulfilled' ? [put.value.type] : [],
    );
    assert.equal(made.length, 2, 'also when they race');
    await settings.putType(setting(workspace, made[0]!, { description: 'the same again' }), NOON);
    await assert.rejects(settings.putType(setting(workspace, 'e'), NOON), refusal('limit-reached'));
    await settings.deleteType(workspace, made[0]!);
    await settings.putType(setting(workspace, 'e'), NOON);
  });

  test(`${engine}: R49 R115 R118 a type that is put is in every catalog at once; the same again changes nothing but it`, async (t) => {
    const { settings, ...store } = await (await prepare(t)).open();
    const workspace = await addWorkspace({ settings, ...store });
    const typesOf = async (): Promise<string[]> => [...(await settings.catalog(workspace))!.types.keys()].sort();
    assert.deepEqual(await typesOf(), []);
    const schema = '{"type":"object"}';
    const made = await settings.putType(setting(workspace, 'com.example.own', { schema, schemaCheck: 'block' }), NOON);
    assert.match(made.schemaHash!, /^[0-9a-f]{64}$/);
    await settings.putType(setting(0, 'com.example.common'), NOON);
    assert.deepEqual(await typesOf(), ['com.example.common', 'com.example.own']);
    const again = await settings.putType(
      setting(workspace, 'com.example.own', { schema, schemaCheck: 'warn' }),
      NOON + 9,
    );
    assert.deepEqual({ ...again }, { ...made, schemaCheck: 'warn', updatedAt: NOON + 9 });
    assert.deepEqual({ ...(await settings.catalog(workspace))!.types.get('com.example.own') }, { ...again });
    await assert.rejects(settings.putType(setting(workspace, 'com.example.common'), NOON), refusal('exists'));
    await settings.deleteType(workspace, 'com.example.own');
    await settings.deleteType(0, 'com.example.common');
    assert.deepEqual(await typesOf(), []);
    await assert.rejects(settings.deleteType(workspace, 'com.example.own'), refusal('not-found'));
  });

  test(`${engine}: R116 a type stays while subscriptions name it; patterns do not hold it`, async (t) => {
    const store = await (await prepare(t)).open();
    const { settings } = store;
    const place = await furnish(store);
    const { workspace, webhook } = place;
    for (const owner of [workspace, 0]) {
      const type = `com.example.of-${owner}`;
      await settings.putType(setting(owner, type), NOON);
      const subscription = await subscribe(store, webhook, { type });
      await assert.rejects(settings.deleteType(owner, type), refusal('in-use'));
      await settings.deleteSubscription(workspace, subscription);
      await settings.deleteType(owner, type);
    }
  });

  test(`${engine}: R118 subscriptions are made once, listed, limited and deleted`, async (t) => {
    const store = await (await prepare(t)).open();
    const { settings } = store;
    const place = await furnish(store);
    const { workspace, target } = place;
    const other = await addWebhook(place, 'other', 'com.other');
    const fresh = { workspace, webhook: target, type: 'com.example.made', filter: null, now: NOON };
    const first = await settings.createSubscription(fresh);
    assert.equal(first.created, true);
    const again = await settings.createSubscription({ ...fresh, now: NOON + 1 });
    assert.deepEqual([again.created, { ...again.subscription }], [false, { ...first.subscription }]);
    const filtered = await settings.createSubscription({ ...fresh, filter: 'n eq 1' });
    assert.deepEqual([filtered.created, filtered.subscription.filter], [true, 'n eq 1']);
    const racing = await Promise.all(
      Array.from({ length: 8 }, () => settings.createSubscription({ ...fresh, type: 'com.race' })),
    );
    assert.deepEqual(racing.filter(({ created }) => created).length, 1);
    assert.equal(new Set(racing.map(({ subscription }) => subscription.subscription)).size, 1);
    assert.equal((await settings.subscriptions(workspace)).length, 5);
    assert.deepEqual(
      (await settings.subscriptions(workspace, target)).map(({ type, filter }) => [type, filter]),
      [
        ['com.example.*', null],
        ['com.example.made', null],
        ['com.example.made', 'n eq 1'],
        ['com.race', null],
      ],
    );
    assert.equal((await settings.subscriptions(workspace, other.webhook)).length, 1);
    await assert.rejects(settings.createSubscription({ ...fresh, webhook: 999 }), refusal('not-found'));
    await settings.changeWorkspace(workspace, { limits: { ...UNLIMITED, subscriptions: 5 } });
    await assert.rejects(settings.createSubscription({ ...fresh, type: 'com.more' }), refusal('limit-reached'));
    assert.equal((await settings.createSubscription(fresh)).created, false);
    await settings.deleteSubscription(workspace, first.subscription.subscription);
    await assert.rejects(settings.deleteSubscription(workspace, first.subscription.subscription), refusal('not-found'));
    assert.equal((await settings.createSubscription({ ...fresh, type: 'com.more' })).created, true);
    const elsewhere = await addWorkspace(store, 'elsewhere');
    await assert.rejects(settings.createSubscription({ ...fresh, workspace: elsewhere }), refusal('not-found'));
    await assert.rejects(
      settings.deleteSubscription(elsewhere, filtered.subscription.subscription),
      refusal('not-found'),
    );
  });

  test(`${engine}: a catalog that many find stale at once is read again once`, async (t) => {
    const store = await (await prepare(t)).open({ limits: { fanout: 1000, group: 1 } });
    const place = await furnish(store);
    const old = (await store.settings.catalog(place.workspace))!;
    await subscribe(store, place.webhook, { type: 'com.more' });
    const accept = (i: number): Promise<unknown> =>
      store.log.accept({ catalog: old, events: [newEvent(`e${i}`)], acceptedAt: NOON, trace: null });
    const after = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        assert.deepEqual(await accept(i), { kind: 'stale' });
        return store.settings.catalog(place.workspace);
      }),
    );
    assert.equal(new Set(after).size, 1);
    assert.notEqual(after[0], old);
  });

  test(`${engine}: keys are kept by their hash alone`, async (t) => {
    const ground = await prepare(t);
    const { settings } = await ground.open();
    const key = (name: string, over: Partial<ApiKey> = {}): ApiKey => ({
      key: `key-${name}`,
      name,
      scopes: ['publish', 'read'],
      workspaces: [1, 2],
      service: null,
      createdAt: NOON,
      ...over,
    });
    const [one, two] = [
      key('one'),
      key('two', { workspaces: null, scopes: ['manage'], service: 'audit', createdAt: NOON + 1 }),
    ];
    await settings.createKey(one, 'aa'.repeat(32));
    await settings.createKey(two, 'bb'.repeat(32));
    assert.deepEqual(await settings.keys(), [one, two]);
    assert.deepEqual(await settings.findKey('bb'.repeat(32)), two);
    assert.equal(await settings.findKey('cc'.repeat(32)), null);
    await settings.deleteKey('key-one');
    await assert.rejects(settings.deleteKey('key-one'), refusal('not-found'));
    assert.equal(await settings.findKey('aa'.repeat(32)), null);
  });

  test(`${engine}: a request with an idempotency key acts once: running, other body, answered, given up`, async (t) => {
    const { settings } = await (await prepare(t)).open();
    const id: IdempotencyKey = { workspace: 1, owner: 'key-1', key: 'k', bodyHash: 'aa' };
    const claims = await Promise.all(Array.from({ length: 10 }, () => settings.claim(id, NOON)));
    const kinds = claims.map(({ kind }) => kind).sort();
    assert.deepEqual(kinds, ['claimed', ...Array.from({ length: 9 }, () => 'running')]);
    assert.deepEqual(await settings.claim({ ...id, bodyHash: 'bb' }, NOON), { kind: 'other-body' });
    for (const other of [{ workspace: 2 }, { owner: 'key-2' }, { key: 'l' }]) {
      assert.deepEqual(await settings.claim({ ...id, ...other }, NOON), { kind: 'claimed' });
    }
    await settings.fulfil(id, { status: 201, body: '{"a":1}' });
    assert.deepEqual(await settings.claim(id, NOON + 1), { kind: 'answered', status: 201, body: '{"a":1}' });
    assert.deepEqual(await settings.claim({ ...id, bodyHash: 'bb' }, NOON + 1), { kind: 'other-body' });
    // Answers are kept for good (retention takes them); a claim without one is given up after five minutes.
    assert.equal((await settings.claim(id, NOON + 3_600_000)).kind, 'answered');
    const second = { ...id, key: 'second' };
    await settings.claim(second, NOON);
    assert.equal((await settings.claim(second, NOON + 300_000)).kind, 'running');
    assert.equal((await settings.claim(second, NOON + 300_001)).kind, 'claimed');
    await settings.fulfil(second, null);
    assert.equal((await settings.claim(second, NOON + 300_002)).kind, 'claimed');
    // The first one, long given up, comes to its end after all: what is answered stays answered.
    await settings.fulfil(second, { status: 200, body: 'right' });
    await settings.fulfil(second, { status: 500, body: 'late' });
    await settings.fulfil(second, null);
    assert.deepEqual(await settings.claim(second, NOON + 300_003), { kind: 'answered', status: 200, body: 'right' });
  });
}
