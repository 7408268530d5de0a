// What starts flows: the HTTP trigger over the API, an event by its delivery, a time table by the clock.
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { testClock } from '../../test/kit/clock.ts';
import { createEventStart } from '../src/flow/event-start.ts';
import { Scheduler } from '../src/flow/schedule.ts';
import type { Cron, EventTrigger, Job } from '../src/model/flow/definition.ts';
import { jobEndEvent } from '../src/model/flow/end-events.ts';
import type { FlowSetting, Store, StoredFlow, StoredRun } from '../src/store/index.ts';
import { startApi } from './api-ground.ts';
import { startEngine } from './engine-ground.ts';
import { newFlow } from './flow-furniture.ts';
import { newJob } from './flow-ground.ts';
import { addWorkspace, mustPublish, newEvent, openOf } from './store-furniture.ts';
import { sqliteGround } from './store-ground.ts';

/** A job of no step, one run at a time. */
function job(name: string, over: Partial<Job> = {}): Job {
  return newJob(name, [], { timeoutMs: 60_000, concurrency: { max: 1, then: 'queue' }, ...over });
}

const NOOP: Job['steps'][number] = {
  kind: 'action',
  name: null,
  path: 'steps[0]',
  if: null,
  onError: { then: 'fail' },
  action: 'noop',
  input: null,
  retry: { times: 0, waitMs: 0 },
  timeoutMs: null,
  resume: 'rerun',
};

async function keep(
  store: Store,
  workspace: number,
  { definition, ...over }: { definition: Job } & Partial<Omit<FlowSetting, 'definition'>>,
): Promise<StoredFlow> {
  const { name, on, concurrency } = definition;
  const events = on.events.map(({ type, filter }) => ({ type, filter }));
  const setting = newFlow(workspace, name, { concurrency, events, ...over });
  return (await store.flows.put({ ...setting, definition: JSON.stringify(definition) }, 1)).flow;
}

/** Reads again and again until something is so; gives up after a while. */
async function until<T>(read: () => Promise<T>, isSo: (found: T) => boolean): Promise<T> {
  for (const giveUpAt = performance.now() + 20_000; ;) {
    const found = await read();
    if (isSo(found) || performance.now() > giveUpAt) return found;
    await new Promise((again) => setTimeout(again, 20));
  }
}

async function runsOf(store: Store, { workspace, flow }: StoredFlow): Promise<StoredRun[]> {
  return (await store.flows.runs({ workspace, flow, cursor: null, limit: 500 })).rows.toReversed();
}

const PATH = 'abcdefghijklmnopqrstuvwxyzABCDEF';
const TOKEN = '0123456789abcdefghijklmnopqrstuv';
const CAAUTH = { authorization: `CAAuth ${TOKEN}` };
const TRIGGER = { path: PATH, tokenHash: hash('sha256', TOKEN, 'hex') };

test('R16 the HTTP trigger starts a run; wrong tokens are 401, unknown triggers 404, wrong parameters 400 by name', async (t) => {
  const api = await startApi(t);
  const { store } = api.platform;
  const { workspace } = (await store.settings.workspaces())[0]!;
  const params: Job['params'] = {
    table: { type: 'text', default: 'orders', description: '' },
    count: { type: 'integer', default: 1, description: '' },
  };
  const definition = job('hooked', { params, concurrency: { max: 1, then: 'skip' } });
  const flow = await keep(store, workspace, { definition, trigger: TRIGGER });
  const post = `POST /trigger/${PATH}`;
  const asked = { key: null, headers: CAAUTH };
  const first = await api.expect(202, post, asked);
  const run = (await store.flows.run({ workspace, run: first['run'] as number }))!;
  assert.deepEqual([first['state'], run.flow, run.cause], ['queued', flow.flow, { by: 'http' }]);
  assert.deepEqual([run.params, run.depth], [{ table: 'orders', count: 1 }, 0]);

  for (const authorization of [undefined, 'CAAuth', 'CAAuth x', `Bearer ${TOKEN}`, `CAAuth ${TOKEN}x`, TOKEN]) {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const refused = await api.ask(post, { key: null, headers });
    assert.deepEqual([refused.status, refused.json['code']], [401, 'wrong-trigger-token'], String(authorization));
    assert.match(refused.headers.get('www-authenticate')!, /^CAAuth/);
  }
  await api.refused('not-found', `POST /trigger/${TOKEN}`, asked);
  await api.refused('method-not-allowed', `GET /trigger/${PATH}`, asked);
  const wrong = await api.refused('invalid-request', post, { ...asked, body: { tabel: 'x', count: '2' } });
  const errors = wrong['errors'] as { pointer: string; detail: string }[];
  assert.deepEqual(
    errors.map(({ pointer }) => pointer),
    ['/tabel', '/count'],
  );
  assert.match(errors[0]!.detail, /did you mean table\?/);
  for (const body of ['3', '"x"', 'null', '{']) {
    assert.equal((await api.ask(post, { ...asked, body })).status, 400, body);
  }
  // It runs no further than the test lets it: what skips is refused while one is under way.
  if ((await store.flows.run(run))!.finishedAt === null) {
    const busy = await api.refused('wrong-state', post, asked);
    assert.match(String(busy['detail']), /hooked was not started: enough of its runs are under way/);
  }
});

test('R16 what a post-processing sends starts a run, one deeper than the run it tells of, up to the limit', async (t) => {
  const api = await startApi(t, { flows: { maxDepth: 3 } });
  const { store } = api.platform;
  const { workspace } = (await store.settings.workspaces())[0]!;
  await keep(store, workspace, {
    definition: job('chained', { concurrency: { max: 50, then: 'queue' } }),
    trigger: TRIGGER,
  });
  const body = [{ type: 'job', trigger_job_id: 1, trigger_job_log_id: 8, status: 'completed' }];
  const start = (depth: string) =>
    api.expect(202, `POST /trigger/${PATH}`, { key: null, body, headers: { ...CAAUTH, 'bellwire-depth': depth } });
  const told = await start('2');
  assert.equal(told['state'], 'queued');
  assert.equal((await store.flows.run({ workspace, run: told['run'] as number }))!.depth, 3);
  const first = await api.expect(202, `POST /trigger/${PATH}`, { key: null, body, headers: CAAUTH });
  assert.equal((await store.flows.run({ workspace, run: first['run'] as number }))!.depth, 1);
  const cut = await start('3');
  assert.equal(cut['state'], 'failed');
  assert.match(String(cut['reason']), /4 runs led to it one after the other, and 3 may/);
  const lines = await store.flows.lines({ workspace, run: cut['run'] as number }, 0, 10);
  assert.equal(lines[0]!.text, cut['reason']);
});

test('R16 a run that a step of another one asks for by the API is one deeper, up to the limit', async (t) => {
  const api = await startApi(t, { flows: { maxDepth: 3 } });
  const { store } = api.platform;
  const { workspace } = (await store.settings.workspaces())[0]!;
  await keep(store, workspace, { definition: job('asked', { concurrency: { max: 50, then: 'queue' } }) });
  const ask = (headers: Record<string, string>) => api.expect(202, 'POST /v1/jobs/asked/runs', { headers });
  assert.equal((await ask({}))['depth'], 0);
  assert.equal((await ask({ 'bellwire-depth': '2' }))['depth'], 3);
  const cut = await ask({ 'bellwire-depth': '3' });
  assert.equal(cut['state'], 'failed');
  assert.match(String(cut['reason']), /4 runs led to it one after the other, and 3 may/);
});

test('R16 a job whose post-processing starts it again is cut, and the failed run tells nobody', async (t) => {
  const api = await startApi(t, { flows: { maxDepth: 3 } });
  const { store } = api.platform;
  const { workspace } = (await store.settings.workspaces())[0]!;
  await api.expect(201, 'POST /v1/groups', { body: { name: 'operations' } });
  const again = { name: 'again', group: 'operations', kind: 'webhook', url: `${api.url}/trigger/${PATH}` };
  const report = { ...again, authorization: `CAAuth ${TOKEN}`, success: '2xx' };
  await api.expect(201, 'POST /v1/post-processings', { body: report });
  const after = { completed: ['again'], failed: ['again'] };
  const definition = job('ouroboros', { after, steps: [NOOP] });
  const flow = await keep(store, workspace, { definition, trigger: TRIGGER, after });
  await api.expect(202, `POST /trigger/${PATH}`, { key: null, headers: CAAUTH });
  const runs = await until(
    () => runsOf(store, flow),
    (all) => all.some(({ state }) => state === 'failed'),
  );
  assert.deepEqual(
    runs.map(({ depth, state }) => [depth, state]),
    [
      [0, 'completed'],
      [1, 'completed'],
      [2, 'completed'],
      [3, 'completed'],
      [4, 'failed'],
    ],
  );
  assert.match(runs.at(-1)!.reason!, /4 runs led to it one after the other, and 3 may/);
});

test('an event starts a flow by its delivery: filtered, with parameters made of it, once, and never over HTTP', async (t) => {
  const waiting: Parameters<ReturnType<typeof createEventStart>>[0][] = [];
  const engine = await startEngine(t, {
    startFlow: (delivery) => {
      waiting.push(delivery);
      return startByEvent(delivery);
    },
  });
  const { store, workspace, clock } = engine;
  const startByEvent = createEventStart({
    flows: store.flows,
    clock,
    maxDepth: 10,
    onError: (error) => engine.errors.push(error),
  });
  const events: EventTrigger[] = [
    { type: 'com.example.*', filter: 'n gt 5', params: { id: '${ event.id }', n: '${ event.data.n }' } },
  ];
  const params: Job['params'] = {
    id: { type: 'text', description: '' },
    n: { type: 'integer', description: '' },
    fixed: { type: 'boolean', default: true, description: '' },
  };
  const on = { cron: [], http: false, events };
  const flow = await keep(store, workspace, {
    definition: job('audit', { on, params, concurrency: { max: 9, then: 'queue' } }),
  });
  assert.deepEqual(await store.settings.webhooks(workspace), [], 'nobody sees its target');
  assert.deepEqual(await store.settings.subscriptions(workspace), []);
  const place = { store, workspace };
  const some = [
    newEvent('low', { data: { n: 5 } }),
    newEvent('high', { data: { n: 6 } }),
    newEvent('odd', { data: { n: 6.5 } }),
  ];
  const [, high] = await mustPublish(place, some, clock.now());
  await engine.until(
    'both are delivered',
    async () => (await openOf(place, flow.flow, clock.now())).length === 0 && waiting.length === 2,
  );
  const [first, second, ...others] = await runsOf(store, flow);
  assert.equal(others.length, 0);
  assert.deepEqual(first!.cause, { by: 'event', event: high!.event, type: 'com.example.made' });
  assert.deepEqual([first!.params, first!.depth, first!.state], [{ id: 'high', n: 6, fixed: true }, 0, 'queued']);
  assert.equal(second!.state, 'failed');
  assert.match(second!.reason!, /n must be an integer/);
  const found = (await store.log.delivery({ workspace, event: high!.event, target: flow.flow, copy: 0 }))!;
  assert.equal(found.delivery.state, 'delivered');
  assert.deepEqual([found.attempts.length, found.attempts[0]!.status], [1, 202]);
  // A crash between the run and the note of it delivers once more.
  const again = await startByEvent(waiting[0]!);
  assert.deepEqual([again.kind, again.status], ['response', 202]);
  assert.equal((await runsOf(store, flow)).length, 2);
  await store.flows.remove(workspace, (await keep(store, workspace, { definition: job('other', { on }) })).flow, 1);
  assert.deepEqual(engine.errors, []);
});

test('a store that is out of order holds the deliveries to flows up, and uses no try', async (t) => {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  const workspace = await addWorkspace(store);
  const on = { cron: [], http: false, events: [{ type: 'com.example.*', filter: null, params: {} }] };
  const flow = await keep(store, workspace, { definition: job('a', { on }) });
  await mustPublish({ store, workspace }, [newEvent('e')]);
  const [delivery] = await openOf({ store, workspace }, flow.flow);
  const errors: unknown[] = [];
  const start = createEventStart({
    flows: store.flows,
    clock: testClock(),
    maxDepth: 10,
    onError: (error) => errors.push(error),
  });
  await store.close();
  const outcome = await start(delivery!);
  assert.ok(outcome.kind === 'failure');
  assert.equal(outcome.code, 'busy');
  assert.equal(errors.length, 1);
});

test('R16 the end of a job starts another one, and a chain of jobs that start one another is cut', async (t) => {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  const workspace = await addWorkspace(store);
  const lanes = await store.lanes.take('node', 1, 60_000);
  const clock = testClock();
  const start = createEventStart({ flows: store.flows, clock, maxDepth: 4, onError: assert.fail });
  const on = { cron: [], http: false, events: [{ type: 'bellwire.job.completed', filter: null, params: {} }] };
  const flow = await keep(store, workspace, { definition: job('ouroboros', { on }) });
  await store.flows.start({
    workspace,
    flow: flow.flow,
    cause: { by: 'hand', key: 'k' },
    params: {},
    event: null,
    dedupe: null,
    depth: 0,
    maxDepth: 4,
    now: clock.now(),
  });
  for (let turn = 0; turn < 10; turn++) {
    await clock.advance(1000);
    for (const run of await store.flows.claim({ lanes, now: clock.now(), limit: 10 })) {
      const end = { job: run.flow, run: run.run, name: run.name, group: null, depth: run.depth, reason: null };
      const times = { startedAt: run.startedAt, finishedAt: clock.now() };
      const event = jobEndEvent({ ...end, ...times, status: 'completed' });
      const notes = { key: run, lane: run.lane, steps: [], lines: [], results: [] };
      const told = {
        state: 'completed',
        reason: null,
        now: clock.now(),
        events: [{ event, after: 'completed' }],
      } as const;
      assert.equal(await store.flows.finish({ ...notes, ...told }), 'finished');
    }
    for (const delivery of await openOf({ store, workspace }, flow.flow, clock.now())) await start(delivery);
  }
  const runs = await runsOf(store, flow);
  assert.deepEqual(
    runs.map(({ depth, state }) => [depth, state]),
    [
      [0, 'completed'],
      [1, 'completed'],
      [2, 'completed'],
      [3, 'completed'],
      [4, 'completed'],
      [5, 'failed'],
    ],
  );
});

/* ── Time tables ────────────────────────────────────────────────────────────────────────────────────────────── */

const START = Date.UTC(2026, 0, 1);

function hourly(over: Partial<Cron> = {}): Cron {
  return { at: '0 * * * *', timezone: 'UTC', skip: [], startTimeoutMs: null, catchUp: 'none', params: {}, ...over };
}

test('time tables start their flows at the instant, one timer for all; a change is heard of; what was missed is as the table says', async (t) => {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  const workspace = await addWorkspace(store);
  const lanes = await store.lanes.take('node', START, 60_000);
  const clock = testClock(START);
  const errors: unknown[] = [];
  const begin = (): Scheduler => {
    const scheduler = new Scheduler({
      flows: store.flows,
      lanes: { owned: () => lanes },
      clock,
      onError: (error) => errors.push(error),
    });
    store.on({ flow: () => scheduler.wake() });
    scheduler.start();
    return scheduler;
  };
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 1000) {
      await clock.advance(Math.min(left, 1000));
      for (let turn = 0; turn < 5; turn++) await store.check();
    }
  };
  const table = async (name: string, cron: Cron, first: number | null): Promise<StoredFlow> => {
    const params: Job['params'] = {
      a: { type: 'integer', default: 1, description: '' },
      b: { type: 'integer', description: '' },
    };
    const definition = job(name, {
      on: { cron: [cron], http: false, events: [] },
      params,
      concurrency: { max: 500, then: 'queue' },
    });
    return keep(store, workspace, { definition, schedules: [first] });
  };
  const scheduler = begin();
  const minutely = await table('minutely', hourly({ at: '* * * * *', params: { b: 2 } }), START + 60_000);
  await pass(59_000);
  assert.equal((await runsOf(store, minutely)).length, 0);
  await pass(1_500);
  const [run] = await runsOf(store, minutely);
  assert.deepEqual(
    [run!.cause, run!.params],
    [
      { by: 'cron', schedule: 0, at: START + 60_000 },
      { a: 1, b: 2 },
    ],
  );
  assert.ok(run!.createdAt - (START + 60_000) < 1000);
  assert.equal(clock.pending(), 1);
  const soon = await table('soon', hourly({ at: '2026-01-01T00:01:10Z' }), START + 70_000);
  await pass(70_000);
  assert.equal((await runsOf(store, minutely)).length, 2);
  assert.equal((await runsOf(store, soon)).length, 1);
  const never = await table('none', hourly(), START + 3_600_000);
  const one = await table('one', hourly({ catchUp: 'one' }), START + 3_600_000);
  const all = await table('all', hourly({ catchUp: 'all' }), START + 3_600_000);
  await scheduler.stop();
  clock.setWall(START + 5.5 * 3_600_000);
  const again = begin();
  await pass(2_000);
  const instants = async (flow: StoredFlow): Promise<number[]> =>
    (await runsOf(store, flow)).map(({ cause }) => (cause.by === 'cron' ? (cause.at - START) / 3_600_000 : -1));
  assert.deepEqual([await instants(never), await instants(one), await instants(all)], [[], [5], [1, 2, 3, 4, 5]]);
  await again.stop();
  assert.deepEqual(errors, []);
});

test('a time table that cannot be read stops no other one', async (t) => {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  const workspace = await addWorkspace(store);
  const lanes = await store.lanes.take('node', START, 60_000);
  const clock = testClock(START);
  const errors: unknown[] = [];
  const broken = await keep(store, workspace, { definition: job('broken'), schedules: [START + 10] });
  const definition = job('well', { on: { cron: [hourly()], http: false, events: [] } });
  const well = await keep(store, workspace, { definition, schedules: [START + 10] });
  await clock.advance(20);
  const scheduler = new Scheduler({
    flows: store.flows,
    lanes: { owned: () => lanes },
    clock,
    onError: (error) => errors.push(error),
  });
  scheduler.start();
  const giveUpAt = performance.now() + 10_000;
  while ((await runsOf(store, well)).length === 0 && performance.now() < giveUpAt) await store.check();
  await scheduler.stop();
  assert.equal((await runsOf(store, well)).length, 1);
  assert.equal((await runsOf(store, broken)).length, 0);
  assert.match(String(errors[0]), /has no time table 0/);
  assert.equal(await store.flows.nextSchedule(lanes.map(({ lane }) => lane)), START + 3_600_000);
});
