// Who runs when, and what ends a run before its steps do: places, turns, aborts, time-outs, lanes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Action, ActionContext } from '../src/flow/index.ts';
import type { Json } from '../src/model/flow/definition.ts';
import { addWebhook, addWorkspace } from './store-furniture.ts';
import { does, each, newJob, startFlows, type FlowGround } from './flow-ground.ts';

const URL = 'https://api.example/';

/** An action in the place of `http` that lasts until it is let go, and ends when it is told to. */
function lasting(): { actions: Action[]; calls: ActionContext[]; letGo(): void } {
  const calls: ActionContext[] = [];
  const go = Promise.withResolvers<void>();
  const run = (context: ActionContext): Promise<Json> => {
    calls.push(context);
    const { signal } = context;
    const told = new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(new Error('told to'))),
    );
    return Promise.race([go.promise.then(() => 'done'), told]);
  };
  return { actions: [{ name: 'http', run }], calls, letGo: go.resolve };
}

async function running(flows: FlowGround, runs: readonly number[]): Promise<number> {
  const found = await Promise.all(runs.map((run) => flows.run(run)));
  return found.filter(({ state }) => state === 'running').length;
}

test('Fairness: so many runs work at once on a node, and one workspace has at most three quarters of the places', async (t) => {
  const outside = lasting();
  const flows = await startFlows(t, { actions: outside.actions, concurrency: 8 });
  const other = await addWorkspace(flows.store, 'other');
  const job = await flows.job('many', [does('http', URL)]);
  const runs = await Promise.all(Array.from({ length: 20 }, () => flows.start(job)));
  await flows.untilSo('six are under way', () => outside.calls.length === 6);
  await flows.clock.advance(20_000);
  assert.equal(await running(flows, runs), 6);
  const theirs = await flows.keep(newJob('theirs', [does('http', URL)]), other);
  const run = await flows.start(theirs);
  await flows.untilSo(
    'the other workspace has its turn',
    async () => (await flows.run(run, other)).state === 'running',
  );
  outside.letGo();
  for (const one of runs) await flows.until(one, 'completed');
});

test('Waits hold no place: a thousand runs that wait leave room for one that works', async (t) => {
  const outside = lasting();
  outside.letGo();
  const flows = await startFlows(t, { actions: outside.actions, concurrency: 2 });
  const waits = await flows.job('waits', [does('wait', '1h')]);
  const runs = await Promise.all(Array.from({ length: 50 }, () => flows.start(waits)));
  await flows.untilSo('all of them wait', async () => (await running(flows, runs)) === 50);
  const works = await flows.play(await flows.job('works', [does('http', URL)]));
  assert.equal(works.state, 'completed');
  for (const run of runs) await flows.until(run, 'completed');
});

test('Waits hold no place: a loop whose items all wait gives its place to others', async (t) => {
  const flows = await startFlows(t, { concurrency: 1 });
  const loop = await flows.job('loop', [each('[1, 2, 3]', [does('wait', '1h')], { atOnce: 3 }), does('noop')]);
  const run = await flows.start(loop);
  await flows.untilSo('all of them wait', async () => (await flows.steps(run)).length === 4);
  const works = await flows.play(await flows.job('works', [does('noop')]));
  assert.equal(works.state, 'completed');
  assert.equal((await flows.run(run)).state, 'running');
  assert.equal((await flows.until(run, 'completed')).state, 'completed');
});

test('Abort: what runs is told to end, the run is aborted by whom the reason names', async (t) => {
  const outside = lasting();
  const flows = await startFlows(t, { actions: outside.actions });
  const inner = [does('http', URL, { name: 'call', onError: { then: 'continue' } }), does('fail', 'never')];
  const run = await flows.start(await flows.job('abort', [each('[1]', inner, { onError: { then: 'continue' } })]));
  await flows.untilSo('the call is under way', () => outside.calls.length === 1);
  assert.equal(await flows.store.flows.abort({ workspace: flows.workspace, run }, 'ops', flows.clock.now()), true);
  const ended = await flows.until(run, 'aborted', 'completed', 'failed');
  assert.equal(ended.state, 'aborted');
  assert.equal(ended.reason, 'aborted by ops');
  assert.equal(outside.calls[0]!.signal.aborted, true);
  const states = Object.fromEntries((await flows.steps(run)).map(({ place, state }) => [place, state]));
  assert.deepEqual(states, { 'steps[0]': 'aborted', 'steps[0].each[0].steps[0]': 'aborted' });
  assert.deepEqual(await flows.lines(run), ['Aborted: aborted by ops']);
  assert.equal(await flows.store.flows.abort({ workspace: flows.workspace, run }, 'ops', flows.clock.now()), false);
});

test('Abort: a run that takes longer than its job allows is aborted, waits and retries included', async (t) => {
  const flows = await startFlows(t);
  const run = await flows.play(await flows.job('long', [does('noop'), does('wait', '1h')], { timeoutMs: 90_000 }));
  assert.equal(run.state, 'aborted');
  assert.equal(run.reason, 'it took longer than 1m30s');
  assert.ok(run.finishedAt! - run.startedAt! < 120_000);
  assert.equal((await flows.step(run.run, 'steps[1]')).state, 'aborted');
});

test('Concurrency: a replaced run is aborted, and says by what', async (t) => {
  const flows = await startFlows(t);
  const job = await flows.job('replace', [does('wait', '1h')], { concurrency: { max: 1, then: 'replace' } });
  const first = await flows.start(job);
  await flows.until(first, 'running');
  const second = await flows.start(job);
  const ended = await flows.until(first, 'aborted', 'completed');
  assert.match(ended.reason ?? '', new RegExp(`^aborted by run ${second}\\b`));
  assert.equal((await flows.until(second, 'completed')).state, 'completed');
});

test('Concurrency: a queued run begins when the one before it has ended', async (t) => {
  const outside = lasting();
  const flows = await startFlows(t, { actions: outside.actions });
  const job = await flows.job('queue', [does('http', URL)], { concurrency: { max: 1, then: 'queue' } });
  const first = await flows.start(job);
  const second = await flows.start(job);
  await flows.untilSo('one is under way', () => outside.calls.length === 1);
  await flows.clock.advance(20_000);
  assert.deepEqual([(await flows.run(first)).state, (await flows.run(second)).state], ['running', 'queued']);
  outside.letGo();
  await flows.until(second, 'completed');
  assert.ok((await flows.run(second)).startedAt! >= (await flows.run(first)).finishedAt!);
});

test('Lanes: a node that lost its lane writes nothing more of the run, and ends what it does for it', async (t) => {
  const outside = lasting();
  const flows = await startFlows(t, { actions: outside.actions });
  const run = await flows.start(await flows.job('lost', [does('http', URL, { resume: 'rerun' }), does('noop')]));
  await flows.untilSo('the call is under way', () => outside.calls.length === 1);
  const former = flows.engine;
  const lanes = await flows.store.lanes.take('another', flows.clock.now() + 1e12, 1);
  former.drop(lanes.map(({ lane }) => lane));
  await flows.untilSo('it is ended here', () => former.stats().running === 0);
  assert.equal(outside.calls[0]!.signal.aborted, true);
  assert.equal((await flows.run(run)).state, 'running');
  const { startedAt } = await flows.run(run);
  assert.ok(startedAt !== null);
});

test('Lanes: a former owner that does not know it yet is refused, and leaves the run alone', async (t) => {
  const outside = lasting();
  const flows = await startFlows(t, { actions: outside.actions });
  const run = await flows.start(await flows.job('lost', [does('http', URL), does('fail', 'must not be written')]));
  await flows.untilSo('the call is under way', () => outside.calls.length === 1);
  await flows.store.lanes.take('another', flows.clock.now() + 1e12, 1);
  outside.letGo();
  await flows.untilSo('it is left', () => flows.engine.stats().running === 0);
  assert.equal((await flows.run(run)).state, 'running');
  assert.equal((await flows.steps(run)).length, 1);
});

test('R1 the end of a run is told by an event, in the transaction of the end', async (t) => {
  const flows = await startFlows(t);
  await addWebhook(flows, 'ears', 'bellwire.job.*');
  const ended = await flows.play(await flows.job('told', [does('fail', 'out of paper')]));
  const [number] = ended.endEvents;
  const page = await flows.store.log.events({
    workspace: flows.workspace,
    order: 'oldest-first',
    cursor: null,
    limit: 10,
  });
  const event = page.rows.find((row) => row.event === number);
  assert.equal(event?.type, 'bellwire.job.failed');
  const { data } = JSON.parse(Buffer.from(event.envelope).toString()) as { data: Record<string, unknown> };
  assert.equal(data['run'], ended.run);
  assert.equal(data['status'], 'failed');
  assert.equal(data['reason'], 'steps[0] (fail): out of paper');
});
