// Scenarios over crashes: the request is read again, what was done stays done, and what was replied is not replied again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HookReply } from '../src/model/hook/exchange.ts';
import type { Step } from '../src/model/flow/definition.ts';
import type { StoredFlow } from '../src/store/index.ts';
import { does, each, settingOf, startFlows, type FlowGround } from './flow-ground.ts';
import { newScenario, PLAIN_HOOK } from './hook-ground.ts';
import { NOON } from './store-furniture.ts';

const TOKEN = 'abcdefghijklmnopqrstuvwxyz012345';

async function keep(
  { store, workspace }: FlowGround,
  steps: readonly Step[],
  dedupe: string | null = null,
): Promise<StoredFlow> {
  const flow = newScenario('resumed', steps, { hook: { ...PLAIN_HOOK, dedupe } });
  return (await store.flows.put({ ...settingOf(workspace, flow), trigger: { path: TOKEN, tokenHash: null } }, NOON))
    .flow;
}

function call({ engine }: FlowGround, body: unknown, headers: readonly string[] = []): Promise<HookReply> {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const type = ['content-type', 'application/json', ...headers];
  return engine.receive({
    token: TOKEN,
    method: 'POST',
    query: '',
    headers: type,
    body: bytes,
    from: null,
    cutAt: null,
  });
}

test('R58 R104 R106 a run that a crash has cut goes on with its request: what it replied stays, its loop goes on', async (t) => {
  const flows = await startFlows(t);
  const flow = await keep(
    flows,
    [
      does('reply', { body: '${ body.n }' }),
      each('body.items', [does('collect', '${ item }'), does('wait', '1m', { if: 'item == 2' })], { name: 'loop' }),
      does('set', { sum: '${ steps.loop.collected }' }, { name: 'sum' }),
    ],
    '${ body.n }',
  );
  const before = await call(flows, { n: 7, items: [1, 2, 3] });
  assert.deepEqual(before, { status: 200, headers: ['content-type', 'application/json'], body: '7' });
  const [run] = (await flows.store.flows.runs({ workspace: flows.workspace, flow: flow.flow, cursor: null, limit: 9 }))
    .rows;
  await flows.untilSo('it waits', async () => (await flows.steps(run!.run)).some(({ action }) => action === 'wait'));
  await flows.crash();
  assert.deepEqual(await call(flows, { n: 7, items: [] }), before, 'a repetition gets what was replied');
  const ended = await flows.until(run!.run, 'completed', 'failed');
  assert.equal(ended.state, 'completed', ended.reason ?? '');
  assert.deepEqual((await flows.step(run!.run, 'steps[2]')).output, { sum: [1, 2, 3] });
  const rows = await flows.steps(run!.run);
  assert.equal(rows.filter(({ action, tries }) => action === 'reply' && tries === 1).length, 1);
  assert.deepEqual(flows.errors, []);
});

test('R16 a request that a run has sent goes on with the chain, which is cut', async (t) => {
  const flows = await startFlows(t);
  const flow = await keep(flows, [does('reply', 200)]);
  assert.equal((await call(flows, {}, ['bellwire-depth', '3'])).status, 200);
  assert.equal((await call(flows, { type: 'a.b', bellwiredepth: 4 })).status, 200);
  assert.equal((await call(flows, {}, ['bellwire-depth', '10'])).status, 500);
  const { rows } = await flows.store.flows.runs({
    workspace: flows.workspace,
    flow: flow.flow,
    cursor: null,
    limit: 9,
  });
  assert.deepEqual(
    rows.map(({ depth }) => depth).toSorted((a, b) => a - b),
    [4, 5, 11],
  );
});
