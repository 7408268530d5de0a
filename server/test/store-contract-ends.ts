// The store's contract: runs of scenarios that end without having begun are told of like those that have run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FlowSetting, NewRequest, RunKey, StoredFlow } from '../src/store/index.ts';
import { furnishFlows, type FlowPlace } from './flow-furniture.ts';
import { addScenario, newRequest } from './hook-furniture.ts';
import { addWebhook, NOON, openOf } from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

interface Watched extends FlowPlace {
  flow: StoredFlow;
  receive(over?: Partial<NewRequest>): Promise<{ kind: string; run: number }>;
  /** What whoever has subscribed is told, and what the post-processing of `after` is: type and run. */
  told(): Promise<{ subscribed: [string, number][]; after: [string, number][] }>;
  reasonOf(run: number): Promise<string | null>;
}

/** A scenario with one place, a webhook that hears of scenarios, a post-processing for failed runs. */
async function furnish(prepare: Prepare, t: Parameters<Prepare>[0], then: FlowSetting['concurrency']['then']) {
  const place = await furnishFlows(await prepare(t));
  const { store, workspace } = place;
  const watcher = await addWebhook(place, 'watcher', 'bellwire.scenario.*');
  const { group } = await store.postProcessings.createGroup(workspace, 'ops', NOON);
  const target = await store.postProcessings.create(
    workspace,
    {
      name: 'ops-hook',
      kind: 'webhook',
      recipients: [],
      success: 'exactly-200',
      intervalMs: null,
      dialect: 'cloud-automator',
      group,
      url: 'https://ops.example/runs',
      authorization: 'CAAuth 0123456789',
      timeoutMs: null,
    },
    NOON,
  );
  const after = { completed: [], failed: ['ops-hook'] };
  const flow = await addScenario(place, 'intake', { concurrency: { max: 1, then }, after, group: 'ops' });
  const of = async (number: number): Promise<[string, number][]> => {
    const open = await openOf(place, number, NOON + 10);
    return open.map(({ carried }) => {
      const { data } = JSON.parse(Buffer.from(carried.envelope).toString()) as { data: { run: number } };
      return [carried.type, data.run];
    });
  };
  const watched: Watched = {
    ...place,
    flow,
    receive: async (over = {}) => {
      const receipt = await store.hooks.receive(newRequest(flow, over));
      assert.ok('run' in receipt && typeof receipt.run === 'number', JSON.stringify(receipt));
      return { kind: receipt.kind, run: receipt.run };
    },
    told: async () => ({ subscribed: await of(watcher.webhook), after: await of(target.target) }),
    reasonOf: async (run) => (await store.flows.run({ workspace, run }))!.reason,
  };
  return watched;
}

/** Runs this part on an engine. */
export function exerciseEnds(engine: string, prepare: Prepare): void {
  test(`${engine}: R1 R105 a scenario's run that finds no place is a failed one, and told of like one that has run`, async (t) => {
    const { receive, told, reasonOf } = await furnish(prepare, t, 'fail');
    assert.equal((await receive()).kind, 'queued');
    const { kind, run } = await receive();
    assert.equal(kind, 'failed');
    assert.match((await reasonOf(run)) ?? '', /is under way already/);
    const one: [string, number][] = [['bellwire.scenario.failed', run]];
    assert.deepEqual(await told(), { subscribed: one, after: one });
  });

  test(`${engine}: R1 R105 a scenario's run that waits and is aborted, or replaced, is told of`, async (t) => {
    const { store, workspace, receive, told, reasonOf } = await furnish(prepare, t, 'replace');
    const first = await receive();
    const second = await receive();
    assert.deepEqual([first.kind, second.kind], ['queued', 'queued']);
    assert.match((await reasonOf(first.run)) ?? '', /which replaces it, before it began/);
    const replaced: [string, number] = ['bellwire.scenario.aborted', first.run];
    assert.deepEqual(await told(), { subscribed: [replaced], after: [replaced] });
    const replied: RunKey[] = [];
    store.on({ replied: (runs) => void replied.push(...runs) });
    assert.equal(await store.flows.abort({ workspace, run: second.run }, 'key_1', NOON + 5), true);
    const aborted: [string, number] = ['bellwire.scenario.aborted', second.run];
    assert.deepEqual(await told(), { subscribed: [replaced, aborted], after: [replaced, aborted] });
    assert.deepEqual(replied, [{ workspace, run: second.run }], 'whoever waits for its reply hears of it');
    const { endEvents } = (await store.flows.run({ workspace, run: second.run }))!;
    assert.equal((await store.log.event(workspace, endEvents[0]!))!.type, 'bellwire.scenario.aborted');
  });

  test(`${engine}: R1 R16 a scenario's run at the end of too long a chain fails, and telling of it goes on with no chain`, async (t) => {
    const { receive, told, reasonOf } = await furnish(prepare, t, 'queue');
    const { kind, run } = await receive({ depth: 11 });
    assert.equal(kind, 'failed');
    assert.match((await reasonOf(run)) ?? '', /11 runs led to it/);
    assert.deepEqual(await told(), { subscribed: [], after: [] });
  });
}
