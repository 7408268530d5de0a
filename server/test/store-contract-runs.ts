// The store's contract: how runs are started, claimed, written down and ended; who is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoredFlow } from '../src/store/index.ts';
import {
  addFlow,
  claim,
  endOf,
  finish,
  furnishFlows,
  newLine,
  newRun,
  newStep,
  numberOf,
  type FlowPlace,
} from './flow-furniture.ts';
import { addWebhook, addWorkspace, NOON, openOf } from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

const CHUNK = 10;

async function startSome({ store }: FlowPlace, flow: StoredFlow, count: number): Promise<number[]> {
  const runs: number[] = [];
  for (let i = 0; i < count; i++) runs.push(numberOf(await store.flows.start(newRun(flow, { now: NOON + i }))));
  return runs;
}

async function statesOf({ store, workspace }: FlowPlace, flow: StoredFlow): Promise<string[]> {
  const { rows } = await store.flows.runs({ workspace, flow: flow.flow, cursor: null, limit: 100 });
  return rows.map(({ state, abortAsked }) => (abortAsked && state === 'running' ? 'aborting' : state)).toReversed();
}

/** Runs this part on an engine. */
export function exerciseRuns(engine: string, prepare: Prepare): void {
  test(`${engine}: runs: one is queued, claimed once, noted and finished, and read back whole`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace, lanes } = place;
    const flow = await addFlow(place, 'a');
    const hinted: number[] = [];
    store.on({ runs: (some) => void hinted.push(...some) });
    const params = { table: 'orders', n: 3, flag: true, none: null };
    const run = numberOf(await store.flows.start(newRun(flow, { params, event: { data: { x: [1] } }, depth: 2 })));
    const lane = flow.bucket % 64;
    assert.deepEqual(hinted, [lane]);
    const claimed = (await Promise.all([claim(place), claim(place)])).flat();
    assert.equal(claimed.length, 1);
    const [mine] = claimed;
    assert.deepEqual(
      [mine!.run, mine!.state, mine!.startedAt, mine!.params, mine!.event, mine!.depth, mine!.lane, mine!.steps],
      [run, 'running', NOON + 1, params, { data: { x: [1] } }, 2, lanes.find((one) => one.lane === lane), []],
    );
    const key = { workspace, run };
    const first = newStep('steps[0]', {
      state: 'running',
      output: null,
      finishedAt: null,
      name: 'one',
      process: '4711',
    });
    const lines = [newLine('hello\0'), newLine('\ud800 there')];
    assert.equal(await store.flows.note({ key, lane: mine!.lane, steps: [first], lines }), 'noted');
    const later = newStep('steps[10]', { startedAt: NOON + 2 });
    const notes = { steps: [newStep('steps[0]', { name: 'one', error: 'x' }), later], lines: [newLine('bye')] };
    assert.equal(await store.flows.note({ key, lane: mine!.lane, ...notes }), 'noted');
    const last = newStep('steps[2]', { startedAt: NOON + 2, input: null, output: ['a'] });
    await finish(store, mine!, { steps: [last], lines: [newLine('end')], reason: 'all\0 well', state: 'failed' });
    const ended = (await store.flows.run(key))!;
    assert.deepEqual(
      [ended.state, ended.reason, ended.createdAt, ended.startedAt, ended.finishedAt, ended.endEvents, ended.name],
      ['failed', 'all\uFFFD well', NOON, NOON + 1, NOON + 5, [], 'a'],
    );
    const steps = await store.flows.steps(key);
    assert.deepEqual(
      steps.map(({ place }) => place),
      ['steps[0]', 'steps[2]', 'steps[10]'],
    );
    assert.deepEqual(steps[0], newStep('steps[0]', { name: 'one', error: 'x' }));
    assert.deepEqual(steps[1], last);
    const all = await store.flows.lines(key, 0, 10);
    assert.deepEqual(
      all.map(({ line, text }) => [line, text]),
      [
        [1, 'hello\uFFFD'],
        [2, '\uFFFD there'],
        [3, 'bye'],
        [4, 'end'],
      ],
    );
    assert.deepEqual(
      (await store.flows.lines(key, 2, 1)).map(({ line }) => line),
      [3],
    );
    assert.equal(await store.flows.run({ workspace, run: run + 999 }), null);
  });

  test(`${engine}: runs: the same name is the same run, at once and later; another flow has names of its own`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store } = place;
    const [a, b] = [await addFlow(place, 'a'), await addFlow(place, 'b')];
    const asked = [
      newRun(a, { dedupe: 'd1' }),
      newRun(a, { dedupe: 'd1' }),
      newRun(b, { dedupe: 'd1' }),
      newRun(a, { dedupe: 'd2' }),
    ];
    const started = await Promise.all(asked.map((run) => store.flows.start(run)));
    assert.deepEqual(
      started.map(({ kind }) => kind),
      ['queued', 'known', 'queued', 'queued'],
    );
    assert.equal(numberOf(started[0]!), numberOf(started[1]!));
    const again = await store.flows.start(newRun(a, { dedupe: 'd2' }));
    assert.deepEqual(again, { kind: 'known', run: numberOf(started[3]!) });
    assert.deepEqual(await store.flows.start(newRun({ ...a, flow: 4711 })), { kind: 'gone' });
    assert.deepEqual(await store.flows.start(newRun({ workspace: 99, flow: 1 })), { kind: 'gone' });
  });

  test(`${engine}: runs: as many as the flow allows run at once, the oldest first; a slot goes on when one ends`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store } = place;
    const flow = await addFlow(place, 'a', { concurrency: { max: 2, then: 'queue' } });
    const runs = await startSome(place, flow, 4);
    const [first, second, ...none] = await claim(place);
    assert.deepEqual([first!.run, second!.run, none.length], [runs[0], runs[1], 0]);
    const hinted: number[] = [];
    store.on({ runs: (lanes) => void hinted.push(...lanes) });
    await finish(store, second!);
    assert.deepEqual(hinted, [flow.bucket % 64]);
    assert.deepEqual(
      (await claim(place)).map(({ run }) => run),
      [runs[2]],
    );
    await store.flows.put(
      {
        ...flow,
        definition: '"three at once"',
        trigger: null,
        schedules: [],
        events: [],
        concurrency: { max: 3, then: 'queue' },
      },
      NOON,
    );
    assert.deepEqual(
      (await claim(place)).map(({ run }) => run),
      [runs[3]],
    );
    assert.deepEqual(await statesOf(place, flow), ['running', 'completed', 'running', 'running']);
  });

  test(`${engine}: runs: skip, fail and replace are obeyed`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const skip = await addFlow(place, 'skip', { concurrency: { max: 1, then: 'skip' } });
    const fail = await addFlow(place, 'fail', { concurrency: { max: 1, then: 'fail' } });
    const replace = await addFlow(place, 'replace', { concurrency: { max: 1, then: 'replace' } });
    const twice = async (flow: StoredFlow) => Promise.all([1, 2].map(() => store.flows.start(newRun(flow))));
    assert.deepEqual(
      (await twice(skip)).map(({ kind }) => kind),
      ['queued', 'skipped'],
    );
    const [, failed] = await twice(fail);
    assert.equal(failed!.kind, 'failed');
    const left = (await store.flows.run({ workspace, run: numberOf(failed!) }))!;
    assert.deepEqual([left.state, left.startedAt, left.finishedAt], ['failed', null, NOON]);
    assert.match(left.reason!, /1 of its runs is under way/);
    assert.deepEqual(
      (await store.flows.lines(left, 0, 9)).map(({ text }) => text),
      [left.reason],
    );
    const [one] = await startSome(place, replace, 1);
    const running = (await claim(place)).find(({ flow }) => flow === replace.flow);
    assert.equal(running!.run, one);
    const [two, three] = await startSome(place, replace, 2);
    assert.deepEqual(await statesOf(place, replace), ['aborting', 'aborted', 'queued']);
    assert.match(
      (await store.flows.run({ workspace, run: two! }))!.reason!,
      new RegExp(`run ${three}, which replaces it`),
    );
    assert.deepEqual(await store.flows.aborting([replace.bucket % 64]), [{ workspace, run: one }]);
    assert.deepEqual(await claim(place), []);
    await finish(store, running!, { state: 'aborted', reason: 'replaced' });
    assert.deepEqual(
      (await claim(place)).map(({ run }) => run),
      [three],
    );
  });

  test(`${engine}: R16 a chain that is too long leaves a failed run that says so, and nobody is told`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    await addWebhook(place, 'watcher', 'bellwire.*');
    const flow = await addFlow(place, 'a');
    assert.equal((await store.flows.start(newRun(flow, { depth: 10 }))).kind, 'queued');
    const cut = await store.flows.start(newRun(flow, { depth: 11 }));
    assert.equal(cut.kind, 'failed');
    const run = numberOf(cut);
    const [line] = await store.flows.lines({ workspace, run }, 0, 9);
    assert.match(line!.text, /11 runs led to it one after the other, and 10 may/);
    assert.deepEqual((await store.flows.run({ workspace, run }))!.endEvents, []);
  });

  test(`${engine}: runs: what is not enabled is started by nothing but a hand`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const flow = await addFlow(place, 'a', { enabled: false });
    const { start } = place.store.flows;
    assert.deepEqual(await start(newRun(flow, { cause: { by: 'http' } })), { kind: 'skipped' });
    assert.deepEqual(await start(newRun(flow, { cause: { by: 'cron', schedule: 0, at: NOON } })), { kind: 'skipped' });
    assert.equal((await start(newRun(flow))).kind, 'queued');
  });

  test(`${engine}: R1 a run's end is told to who has subscribed, in its transaction; the numbers of the events stay with it`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const watcher = await addWebhook(place, 'watcher', 'bellwire.job.*');
    const flow = await addFlow(place, 'a', { concurrency: { max: 5, then: 'queue' } });
    await startSome(place, flow, 3);
    const [one, two, three] = await claim(place);
    await Promise.all([finish(store, one!), finish(store, two!, { state: 'failed', reason: 'step x: exited with 1' })]);
    await finish(store, three!, { state: 'aborted', reason: 'took too long' });
    const open = await openOf(place, watcher.webhook, NOON + 10);
    assert.deepEqual(open.map(({ carried }) => carried.type).sort(), [
      'bellwire.job.aborted',
      'bellwire.job.completed',
      'bellwire.job.failed',
    ]);
    for (const { run } of [one!, two!, three!]) {
      const { endEvents } = (await store.flows.run({ workspace, run }))!;
      assert.equal(endEvents.length, 1);
      const event = (await store.log.event(workspace, endEvents[0]!))!;
      assert.equal(event.id, `job/${flow.flow}/run/${run}`);
    }
    const next = numberOf(await store.flows.start(newRun(flow)));
    assert.ok(next > Math.max(...open.map(({ event }) => event)), 'runs and events share their numbers');
  });

  test(`${engine}: runs: aborting ends what is queued at once and asks what runs; R1 its end is told`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const watcher = await addWebhook(place, 'watcher', 'bellwire.job.*');
    const flow = await addFlow(place, 'a');
    const [one, two, three] = await startSome(place, flow, 3);
    assert.equal(await store.flows.abort({ workspace, run: one! }, 'key_1', NOON + 9), true);
    assert.deepEqual(await statesOf(place, flow), ['aborted', 'queued', 'queued']);
    const [told] = await openOf(place, watcher.webhook, NOON + 10);
    assert.equal(told!.carried.type, 'bellwire.job.aborted');
    assert.deepEqual((await store.flows.run({ workspace, run: one! }))!.endEvents, [told!.event]);
    const [running] = await claim(place);
    assert.equal(running!.run, two, 'its slot was given on');
    const hinted: number[] = [];
    store.on({ runs: (lanes) => void hinted.push(...lanes) });
    assert.equal(await store.flows.abort({ workspace, run: two! }, 'key_2', NOON + 9), true);
    assert.deepEqual(hinted, [flow.bucket % 64]);
    assert.deepEqual(await store.flows.aborting([flow.bucket % 64]), [{ workspace, run: two }]);
    assert.deepEqual(await store.flows.aborting([(flow.bucket + 1) % 64]), []);
    assert.equal((await store.flows.run({ workspace, run: two! }))!.abortAsked, 'key_2');
    await finish(store, running!, { state: 'aborted', reason: 'aborted by key_2' });
    assert.equal(await store.flows.abort({ workspace, run: two! }, 'key_3', NOON + 9), false);
    assert.equal(await store.flows.abort({ workspace, run: 4711 }, 'key_3', NOON + 9), false);
    assert.equal((await claim(place))[0]!.run, three);
  });

  test(`${engine}: lanes: a former owner writes nothing; the next one finds the run with its steps`, async (t) => {
    const ground = await prepare(t);
    const place = await furnishFlows(ground);
    const { store, workspace } = place;
    const flow = await addFlow(place, 'a');
    const [run] = await startSome(place, flow, 1);
    const [claimed] = await claim(place);
    const key = { workspace, run: run! };
    await store.flows.note({ key, lane: claimed!.lane, steps: [newStep('steps[0]')], lines: [newLine('one')] });
    // Its lease ends, another node takes over.
    const lanes = await store.lanes.take('other', NOON + 100_000, 60_000);
    const note = { key, lane: claimed!.lane, steps: [], lines: [newLine('late')] };
    assert.equal(await store.flows.note(note), 'fenced');
    assert.equal(await store.flows.finish(endOf(claimed!)), 'fenced');
    assert.deepEqual(await store.flows.claim({ lanes: place.lanes, now: NOON, limit: 9 }), []);
    const wrong = { ...lanes.find(({ lane }) => lane !== claimed!.lane.lane)! };
    assert.equal(await store.flows.note({ ...note, lane: wrong }), 'fenced', 'the owner of another lane');
    const [found, ...others] = await store.flows.interrupted(lanes);
    assert.deepEqual([found!.run, found!.lane.epoch, others.length], [run, claimed!.lane.epoch + 1, 0]);
    assert.deepEqual(found!.steps, [newStep('steps[0]')]);
    assert.equal(found!.startedAt, NOON + 1);
    assert.deepEqual(
      (await store.flows.lines(key, 0, 9)).map(({ text }) => text),
      ['one'],
    );
    await finish(store, found!);
    assert.equal(await store.flows.finish(endOf(found!)), 'fenced', 'it has ended');
    assert.deepEqual(await store.flows.interrupted(lanes), []);
  });

  test(`${engine}: lanes: a node claims the runs of its own lanes only`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, lanes } = place;
    const flows: StoredFlow[] = [];
    for (let i = 0; i < 20; i++) flows.push(await addFlow(place, `f${i}`));
    for (const flow of flows) await store.flows.start(newRun(flow));
    const half = lanes.filter(({ lane }) => lane % 2 === 0);
    const claimed = await store.flows.claim({ lanes: half, now: NOON, limit: 100 });
    const expected = flows.filter(({ bucket }) => bucket % 2 === 0).map(({ flow }) => flow);
    assert.deepEqual(
      claimed.map(({ flow }) => flow),
      expected,
    );
    const other = await addWorkspace(store, 'other');
    await store.flows.start(newRun(await addFlow({ store, workspace: other }, 'x')));
    const rest = await store.flows.claim({ lanes, now: NOON, limit: 100, except: [place.workspace] });
    assert.deepEqual(
      rest.map(({ workspace }) => workspace),
      [other],
    );
    assert.equal((await claim(place)).length, 20 - claimed.length);
  });

  test(`${engine}: runs: many at once share transactions, and every one gets its own`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addFlow(place, 'a', { concurrency: { max: 1000, then: 'queue' } });
    const count = 200;
    const started = await Promise.all(
      Array.from({ length: count }, (_, i) => store.flows.start(newRun(flow, { params: { i } }))),
    );
    assert.equal(new Set(started.map(numberOf)).size, count);
    const claimed = await claim(place, NOON + 1, 1000);
    assert.equal(claimed.length, count);
    const lines = Array.from({ length: CHUNK }, (_, i) => newLine(`line ${i}`));
    const steps = [newStep('steps[0]'), newStep('steps[1]')];
    await Promise.all(claimed.map((run) => store.flows.note({ key: run, lane: run.lane, steps, lines })));
    await Promise.all(claimed.map((run) => finish(store, run, { steps, lines })));
    const page = await store.flows.runs({ workspace, state: 'completed', cursor: null, limit: 150 });
    assert.equal(page.rows.length, 150);
    const rest = await store.flows.runs({ workspace, kind: 'job', cursor: page.next, limit: 150 });
    assert.deepEqual([rest.rows.length, rest.next], [50, null]);
    for (const run of [claimed[0]!, claimed.at(-1)!]) {
      assert.equal((await store.flows.lines(run, 0, 100)).at(-1)!.line, 2 * CHUNK);
      assert.equal((await store.flows.steps(run)).length, 2);
    }
  });
}
