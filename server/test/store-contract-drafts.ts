// The store's contract: drafts of scenarios, and the versions that are kept.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { furnishFlows, newFlow } from './flow-furniture.ts';
import { addScenario } from './hook-furniture.ts';
import { refusal } from './store-contract-flows.ts';
import { addWorkspace, NOON } from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

/** Runs this part on an engine. */
export function exerciseDrafts(engine: string, prepare: Prepare): void {
  test(`${engine}: R102 a draft changes nothing of what is published, and knows what it was begun from`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addScenario(place, 'intake', { definition: '"one"' });
    const key = { workspace, name: 'intake' };
    assert.equal(await store.flows.draft(key), null);
    const made = await store.flows.putDraft({ ...key, definition: '"two"', source: 'two' }, NOON + 1);
    const times = { createdAt: NOON + 1, updatedAt: NOON + 1 };
    assert.deepEqual(made, { ...key, base: 1, definition: '"two"', source: 'two', ...times });
    assert.deepEqual(await store.flows.one(workspace, { flow: flow.flow }), flow);
    const again = await store.flows.putDraft({ ...key, definition: '"three"', source: 'three' }, NOON + 2);
    assert.deepEqual(again, { ...made, definition: '"three"', source: 'three', updatedAt: NOON + 2 });
    assert.deepEqual(await store.flows.draft(key), again);
    const elsewhere = { workspace: await addWorkspace(store, 'other'), name: 'intake' };
    assert.equal(await store.flows.draft(elsewhere), null);
    assert.equal((await store.flows.putDraft({ ...elsewhere, definition: '"x"', source: '' }, NOON)).base, 0);
    await store.flows.deleteDraft(key);
    await assert.rejects(store.flows.deleteDraft(key), refusal('not-found', /no draft of intake/));
    assert.ok(await store.flows.draft(elsewhere));
    await store.settings.deleteWorkspace(elsewhere.workspace, NOON);
    assert.equal(await store.flows.draft(elsewhere), null);
    const late = { ...elsewhere, definition: '"x"', source: '' };
    await assert.rejects(store.flows.putDraft(late, NOON), refusal('not-found', /no such workspace/));
  });

  test(`${engine}: R102 a draft is published once, and not over what was published meanwhile`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addScenario(place, 'intake', { definition: '"one"' });
    const key = { workspace, name: 'intake' };
    const trigger = { path: flow.triggerPath!, tokenHash: null };
    const setting = (definition: string) => newFlow(workspace, 'intake', { kind: 'scenario', trigger, definition });
    await store.flows.putDraft({ ...key, definition: '"two"', source: 'two' }, NOON);
    await store.flows.put(setting('"other"'), NOON + 1);
    const late = refusal('changed-meanwhile', /begun from version 1, and version 2 is published by now/);
    await assert.rejects(store.flows.put({ ...setting('"two"'), base: 1 }, NOON + 2), late);
    assert.ok(await store.flows.draft(key), 'it is still there');
    await store.flows.deleteDraft(key);
    await store.flows.putDraft({ ...key, definition: '"two"', source: 'two' }, NOON + 3);
    const put = await store.flows.put({ ...setting('"two"'), base: 2 }, NOON + 4);
    assert.deepEqual([put.change, put.flow.version, await store.flows.draft(key)], ['changed', 3, null]);
    assert.deepEqual(await store.flows.versions(workspace, flow.flow), [
      { version: 3, createdAt: NOON + 4 },
      { version: 2, createdAt: NOON + 1 },
      { version: 1, createdAt: NOON },
    ]);
    // One that means what is published already goes, too; one that somebody changed meanwhile stays.
    await store.flows.putDraft({ ...key, definition: '"two"', source: 'two' }, NOON + 5);
    assert.equal((await store.flows.put({ ...setting('"two"'), base: 3 }, NOON + 6)).change, 'same');
    assert.equal(await store.flows.draft(key), null);
    await store.flows.putDraft({ ...key, definition: '"newer"', source: 'newer' }, NOON + 7);
    await store.flows.put({ ...setting('"four"'), base: 3 }, NOON + 8);
    assert.equal((await store.flows.draft(key))!.definition, '"newer"');
    await store.flows.remove(workspace, flow.flow, NOON + 9);
    assert.equal(await store.flows.draft(key), null);
  });
}
