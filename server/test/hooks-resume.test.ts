// Scenarios over crashes: the request is read again, what was done stays done, and what was replied is not replied again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HookReply } from '../src/model/hook/exchange.ts';
import type { Hook, Step } from '../src/model/flow/definition.ts';
import type { StoredFlow, StoredRun } from '../src/store/index.ts';
import { does, each, route, settingOf, startFlows, type FlowGround } from './flow-ground.ts';
import { PLAIN_HOOK } from '../src/model/flow/document/hook.ts';
import { newScenario } from './hook-ground.ts';
import { NOON } from './store-furniture.ts';

const TOKEN = 'abcdefghijklmnopqrstuvwxyz012345';

async function keep(
  { store, workspace }: FlowGround,
  steps: readonly Step[],
  hook: Partial<Hook> = {},
): Promise<StoredFlow> {
  const flow = newScenario('resumed', steps, { hook: { ...PLAIN_HOOK, ...hook } });
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

async function runsOf({ store, workspace }: FlowGround, { flow }: StoredFlow): Promise<StoredRun[]> {
  return (await store.flows.runs({ workspace, flow, cursor: null, limit: 100 })).rows;
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
    { dedupe: '${ body.n }' },
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

test('R89 with a time table requests wait for its next instant, all of them; what is near is waited for, the rest is 202', async (t) => {
  const flows = await startFlows(t);
  const schedule = { at: '0 * * * *', timezone: 'UTC' };
  const flow = await keep(flows, [does('reply', { body: '${ body.n }' })], { schedule, replyWithinMs: 60_000 });
  // 12:00:00 itself is no instant to wait for: the next one is an hour away.
  const far = [await call(flows, { n: 1 }), await call(flows, { n: 2 })];
  const queued = await runsOf(flows, flow);
  assert.deepEqual(
    queued.map(({ state }) => state),
    ['queued', 'queued'],
  );
  assert.deepEqual(
    far.map(({ status, body }) => [status, JSON.parse(String(body))]),
    queued.toReversed().map(({ run }) => [202, { run }]),
  );
  await flows.clock.advance(3_570_000 - (flows.clock.now() - NOON));
  assert.ok((await runsOf(flows, flow)).every(({ state }) => state === 'queued'));
  const near = call(flows, { n: 3 });
  await flows.untilSo('all have run', async () => {
    return (await runsOf(flows, flow)).filter(({ state }) => state === 'completed').length === 3;
  });
  const { status, body } = await near;
  assert.deepEqual([status, body], [200, '3']);
  for (const { startedAt } of await runsOf(flows, flow)) assert.ok(startedAt! >= NOON + 3_600_000);
  assert.deepEqual(flows.errors, []);
});

test('R106 a step with a name makes its row once, wherever it stands when the request is replayed; one without is another', async (t) => {
  const flows = await startFlows(t);
  const { store, workspace } = flows;
  const sheet = { name: 'Log', description: '', columns: [], keyColumn: null, place: { kind: 'built-in' } } as const;
  await store.sheets.put(workspace, sheet, NOON);
  const append = (value: string, name: string | null) =>
    does('sheet.append', { to: 'Log', row: { A: value } }, { name });
  const flow = await keep(flows, [
    append('named', 'row'),
    append('placed', null),
    each('body.items', [append('${ item }', 'items')]),
    does('reply', 200),
  ]);
  assert.equal((await call(flows, { items: ['x', 'y', 'x'] })).status, 200);
  const [first] = await runsOf(flows, flow);
  await flows.until(first!.run, 'completed');
  const rows = async (): Promise<unknown[]> => {
    const found = await store.sheets.one(workspace, 'Log');
    const page = await store.sheets.rows({ workspace, sheet: found!.sheet, cursor: null, limit: 100 });
    return page.rows.map(({ cells }) => cells['A']);
  };
  assert.deepEqual(await rows(), ['named', 'placed', 'x', 'y', 'x']);
  const moved = [
    does('noop'),
    append('placed', null),
    route([
      { name: 'rest', if: null, steps: [each('body.items', [does('noop'), append('${ item }', 'items')])] },
      { name: 'never', if: 'false', steps: [] },
    ]),
    append('named', 'row'),
  ];
  await keep(flows, moved);
  const asked = { workspace, request: first!.request!, run: first!.run, version: 'current', dedupe: null } as const;
  const again = await store.flows.replay({ ...asked, key: 'key_1', maxDepth: 10, now: flows.clock.now() });
  assert.ok('run' in again, JSON.stringify(again));
  assert.equal((await flows.until(again.run, 'completed', 'failed')).state, 'completed');
  assert.deepEqual(await rows(), ['named', 'placed', 'x', 'y', 'x']);
  await keep(flows, [does('noop'), does('noop'), append('placed', null)]);
  const third = await store.flows.replay({ ...asked, key: 'key_1', maxDepth: 10, now: flows.clock.now() });
  assert.ok('run' in third);
  await flows.until(third.run, 'completed');
  assert.deepEqual(await rows(), ['named', 'placed', 'x', 'y', 'x', 'placed']);
});
