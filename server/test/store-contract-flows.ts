// The store's contract: what flows there are, their versions, triggers and secrets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreRefusal } from '../src/store/index.ts';
import { makeKey, openKeyring } from '../src/store/keyring.ts';
import { addFlow, claim, finish, furnishFlows, newFlow, newRun } from './flow-furniture.ts';
import { addWebhook, addWorkspace, DAY, mustPublish, newEvent, NOON, openOf, subscribe } from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

/** Is it a refusal of this kind, in such words? */
export function refusal(code: string, words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StoreRefusal, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, words);
    return true;
  };
}

/** Runs this part on an engine. */
export function exerciseFlows(engine: string, prepare: Prepare): void {
  test(`${engine}: flows: a definition is made, changed and left alone; the same meaning writes nothing`, async (t) => {
    const { store, workspace } = await furnishFlows(await prepare(t));
    const told: number[] = [];
    store.on({ flow: (_workspace, flow) => void told.push(flow) });
    const setting = newFlow(workspace, 'nightly', { concurrency: { max: 3, then: 'skip' } });
    const made = await store.flows.put(setting, NOON);
    assert.equal(made.change, 'created');
    const { flow, bucket, version, group, enabled, concurrency, after, triggerPath, createdAt } = made.flow;
    assert.deepEqual([version, group, enabled, triggerPath, createdAt], [1, null, true, null, NOON]);
    assert.deepEqual([concurrency, after], [setting.concurrency, { completed: [], failed: [] }]);
    assert.ok(bucket >= 0 && bucket < 1024);
    const head = await store.log.head(workspace);
    const same = await store.flows.put({ ...setting, source: '# another comment\n' }, NOON + 1);
    assert.deepEqual([same.change, same.flow], ['same', made.flow]);
    assert.equal(await store.log.head(workspace), head);
    const changed = await store.flows.put({ ...setting, definition: '{"other":1}' }, NOON + 2);
    assert.deepEqual(
      [changed.change, changed.flow.flow, changed.flow.version, changed.flow.updatedAt, changed.flow.createdAt],
      ['changed', flow, 2, NOON + 2, NOON],
    );
    assert.deepEqual(told, [flow, flow]);
    assert.deepEqual(await store.flows.one(workspace, { kind: 'job', name: 'nightly' }), changed.flow);
    assert.deepEqual(await store.flows.one(workspace, { flow }), changed.flow);
    assert.equal(await store.flows.one(workspace, { kind: 'policy-set', name: 'nightly' }), null);
    // The same name of another kind is another flow, and so it is in another workspace.
    await addFlow({ store, workspace }, 'nightly', { kind: 'policy-set' });
    await addFlow({ store, workspace: await addWorkspace(store, 'other') }, 'nightly');
    assert.deepEqual(
      (await store.flows.list(workspace)).map(({ kind }) => kind),
      ['job', 'policy-set'],
    );
    assert.equal((await store.flows.list(workspace, 'job')).length, 1);
  });

  test(`${engine}: flows: a group or post-processing that is not there is refused by name, and nothing is left`, async (t) => {
    const { store, workspace } = await furnishFlows(await prepare(t));
    const after = { completed: ['ops-hook'], failed: ['ops-hook', 'oncall'] };
    await assert.rejects(addFlow({ store, workspace }, 'a', { after }), refusal('not-found', /ops-hook, oncall/));
    await assert.rejects(addFlow({ store, workspace }, 'a', { group: 'ops' }), refusal('not-found', /group named ops/));
    assert.deepEqual(await store.flows.list(workspace), []);
    await assert.rejects(addFlow({ store, workspace: 77 }, 'a'), refusal('not-found', /workspace/));
  });

  test(`${engine}: flows: what is kept at once shares transactions, and only what cannot be kept is refused`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const other = await addWorkspace(store, 'other');
    const after = { completed: ['nobody'], failed: [] };
    const names = Array.from({ length: 120 }, (_, nth) => `job ${String(nth).padStart(3, '0')}`);
    const ends = await Promise.allSettled(
      names.map((name, nth) => {
        return addFlow({ store, workspace: nth % 2 === 0 ? workspace : other }, name, nth === 70 ? { after } : {});
      }),
    );
    const refused = ends.flatMap((end, nth) => (end.status === 'rejected' ? [[nth, end.reason as unknown]] : []));
    assert.equal(refused.length, 1);
    assert.equal(refused[0]![0], 70);
    assert.ok(refusal('not-found', /post-processing named nobody/)(refused[0]![1]));
    for (const [nth, end] of ends.entries()) {
      if (end.status === 'fulfilled') assert.equal(end.value.name, names[nth]);
    }
    assert.equal((await store.flows.list(workspace)).length, 59);
    const numbers = (await store.flows.list(other)).map(({ flow }) => flow);
    assert.equal(new Set(numbers).size, 60);
    // The same one twice at once is made once, then changed.
    const twice = [1, 2].map((n) => store.flows.put(newFlow(workspace, 'twice', { definition: `{"n":${n}}` }), NOON));
    const [first, second] = await Promise.all(twice);
    assert.deepEqual([first!.change, second!.change].toSorted(), ['changed', 'created']);
    assert.equal((await store.flows.one(workspace, { kind: 'job', name: 'twice' }))!.version, 2);
  });

  test(`${engine}: R16 an HTTP trigger is found by its path; it stays over changes, and can be renewed`, async (t) => {
    const { store, workspace } = await furnishFlows(await prepare(t));
    const trigger = { path: 'p'.repeat(32), tokenHash: 'a'.repeat(64) };
    const setting = newFlow(workspace, 'hooked', { trigger });
    const made = await store.flows.put(setting, NOON);
    assert.deepEqual([made.triggerIsNew, made.flow.triggerPath], [true, trigger.path]);
    const found = await store.flows.byTrigger(trigger.path);
    assert.deepEqual([found!.flow.flow, found!.tokenHash], [made.flow.flow, trigger.tokenHash]);
    const other = { path: 'q'.repeat(32), tokenHash: 'b'.repeat(64) };
    const changed = await store.flows.put({ ...setting, trigger: other, definition: '2' }, NOON);
    assert.deepEqual([changed.triggerIsNew, changed.flow.triggerPath], [false, trigger.path]);
    await store.flows.renewTrigger(workspace, made.flow.flow, other);
    assert.equal(await store.flows.byTrigger(trigger.path), null);
    assert.equal((await store.flows.byTrigger(other.path))!.tokenHash, other.tokenHash);
    await store.flows.put({ ...setting, trigger: null, definition: '3' }, NOON);
    assert.equal(await store.flows.byTrigger(other.path), null);
    await assert.rejects(store.flows.renewTrigger(workspace, made.flow.flow, other), refusal('not-found', /trigger/));
  });

  test(`${engine}: flows: a version stays as long as a run of it; a flow under way is not removed`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const setting = newFlow(workspace, 'a', { definition: '"first"' });
    const { flow } = await store.flows.put(setting, NOON);
    await store.flows.start(newRun(flow));
    await store.flows.put({ ...setting, definition: '"second"', source: 'two' }, NOON + 1);
    await store.flows.put({ ...setting, definition: '"third"' }, NOON + 2);
    const [claimed] = await claim(place);
    assert.deepEqual([claimed!.version, claimed!.definition], [1, '"first"']);
    assert.equal((await store.flows.version(workspace, flow.flow, 1))!.definition, '"first"');
    await assert.rejects(store.flows.remove(workspace, flow.flow, NOON), refusal('in-use', /a run of it is under way/));
    await finish(store, claimed!);
    await store.flows.remove(workspace, flow.flow, NOON);
    assert.equal(await store.flows.one(workspace, { flow: flow.flow }), null);
    await assert.rejects(store.flows.remove(workspace, flow.flow, NOON), refusal('not-found', /no such flow/));
    assert.equal((await store.flows.run({ workspace, run: claimed!.run }))!.state, 'completed');
    assert.ok(await store.flows.version(workspace, flow.flow, 1));
    const spans = { eventsMs: DAY, deliveriesMs: DAY, idempotencyMs: DAY, changesMs: DAY, runsMs: DAY };
    while (await store.log.prune(spans, NOON + 2 * DAY, 10));
    for (const version of [1, 2, 3]) assert.equal(await store.flows.version(workspace, flow.flow, version), null);
  });

  test(`${engine}: flows: what one waits for is a delivery of the log to it, and none of the webhooks people see`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const { settings } = store;
    const watcher = await addWebhook(place, 'watcher', 'com.example.*');
    const events = [
      { type: 'com.example.made', filter: null },
      { type: 'com.example.*', filter: 'n eq 7' },
    ];
    const setting = newFlow(workspace, 'audit', { events });
    const { flow } = (await store.flows.put(setting, NOON)).flow;
    assert.deepEqual(
      (await settings.webhooks(workspace)).map(({ name }) => name),
      ['watcher'],
    );
    assert.equal((await settings.subscriptions(workspace)).length, 1);
    assert.equal(await settings.webhook(workspace, flow), null);
    const key = { workspace, target: flow };
    await assert.rejects(settings.deleteWebhook(key, true, NOON), refusal('not-found', /webhook/));
    await assert.rejects(
      subscribe(store, { workspace, webhook: flow }, { type: 'com.*' }),
      refusal('not-found', /webhook/),
    );
    const reached = (await settings.target(key))!;
    assert.deepEqual(
      [reached.isFlow, reached.webhook.bucket % 64],
      [true, (await store.flows.one(workspace, { flow }))!.bucket % 64],
    );
    await mustPublish(place, [newEvent('a'), newEvent('b', { type: 'com.example.gone' })]);
    assert.deepEqual(
      (await openOf(place, flow)).map(({ carried }) => carried.type),
      ['com.example.made'],
    );
    assert.equal((await openOf(place, watcher.webhook)).length, 2);
    // Only what is enabled hears; what was accepted before is still its.
    await store.flows.put({ ...setting, enabled: false, definition: '"off"' }, NOON);
    await mustPublish(place, [newEvent('c')]);
    assert.equal((await openOf(place, flow)).length, 1);
    await store.flows.put({ ...setting, definition: '"on"' }, NOON);
    await mustPublish(place, [newEvent('d')]);
    assert.equal((await openOf(place, flow)).length, 2);
    await store.flows.remove(workspace, flow, NOON);
    assert.equal(await settings.target(key), null);
    while (await store.log.bury(100));
    assert.equal((await openOf(place, flow)).length, 0);
    await mustPublish(place, [newEvent('e')]);
    assert.equal((await openOf(place, watcher.webhook)).length, 5);
  });

  test(`${engine}: R71 secrets are kept sealed, by name; a new key seals them again`, async (t) => {
    const ground = await prepare(t);
    const { store, workspace } = await furnishFlows(ground);
    await store.flows.putSecret({ workspace, name: 'TOKEN', value: 'first-value' }, NOON);
    await store.flows.putSecret({ workspace, name: 'TOKEN', value: 's3cr3t-value' }, NOON + 1);
    await store.flows.putSecret({ workspace, name: 'OTHER', value: 'x' }, NOON);
    assert.deepEqual(await store.flows.secretNames(workspace), [
      { name: 'OTHER', updatedAt: NOON },
      { name: 'TOKEN', updatedAt: NOON + 1 },
    ]);
    assert.deepEqual(await store.flows.secrets(workspace, ['TOKEN', 'NONE']), { TOKEN: 's3cr3t-value' });
    const rows = await ground.query('SELECT * FROM flow_secrets');
    const former = await ground.query('SELECT * FROM former_secrets');
    assert.ok(!/s3cr3t|first-value/.test(JSON.stringify([rows, former])));
    assert.deepEqual(await store.flows.formerSecrets(workspace, ['TOKEN', 'OTHER']), ['first-value']);
    assert.deepEqual((await store.flows.everySecret(workspace)).toSorted(), ['first-value', 's3cr3t-value', 'x']);
    await store.close();
    const fresh = makeKey();
    const both = await ground.open({ keyring: openKeyring({ keys: [fresh, ground.key] }) });
    while (await both.settings.reseal(1));
    await both.close();
    const after = await ground.open({ keyring: openKeyring({ keys: [fresh] }) });
    assert.deepEqual(await after.flows.secrets(workspace, ['OTHER', 'TOKEN']), { OTHER: 'x', TOKEN: 's3cr3t-value' });
    await after.flows.deleteSecret(workspace, 'OTHER', NOON + 2);
    assert.deepEqual(await after.flows.formerSecrets(workspace, ['TOKEN', 'OTHER']), ['first-value', 'x']);
    for (let n = 0; n < 30; n++)
      await after.flows.putSecret({ workspace, name: 'MANY', value: `value ${n}` }, NOON + n);
    assert.equal((await after.flows.formerSecrets(workspace, ['MANY'])).length, 20);
    await assert.rejects(
      after.flows.deleteSecret(workspace, 'OTHER', NOON),
      refusal('not-found', /no secret named OTHER/),
    );
    await assert.rejects(
      after.flows.putSecret({ workspace: 99, name: 'A', value: 'x' }, NOON),
      refusal('not-found', /workspace/),
    );
  });
}
