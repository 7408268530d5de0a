// The ground a test of the flow engine stands on: a real store, a node that owns all lanes, a clock turned by hand.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { testClock, type TestClock } from '../../test/kit/clock.ts';
import { withoutPostgres } from '../../test/kit/postgres.ts';
import { createFlows, type FlowEngine, type FlowsOptions } from '../src/flow/index.ts';
import type { ActionStep, EachStep, Flow, Job, Json, RouteStep, Step } from '../src/model/flow/definition.ts';
import type {
  FlowSetting,
  NewRun,
  OwnedLane,
  RunState,
  Store,
  StoredFlow,
  StoredRun,
  StoredStep,
} from '../src/store/index.ts';
import { addWorkspace, NOON, type Place } from './store-furniture.ts';
import { postgresSchemas, sqliteGround, type Prepare } from './store-ground.ts';

/** A flow engine under test. */
export interface FlowGround extends Place {
  clock: TestClock;
  engine: FlowEngine;
  errors: unknown[];
  /** Keeps a job of these steps. */
  job(name: string, steps: readonly Step[], over?: Partial<Job>): Promise<StoredFlow>;
  keep(flow: Flow, workspace?: number): Promise<StoredFlow>;
  /** Asks for a run; resolves its number. */
  start(flow: StoredFlow, over?: Partial<NewRun>): Promise<number>;
  run(run: number, workspace?: number): Promise<StoredRun>;
  /** Starts a run and waits for its end. */
  play(flow: StoredFlow, over?: Partial<NewRun>): Promise<StoredRun>;
  /** Waits until the run is in that state; time passes. */
  until(run: number, ...states: RunState[]): Promise<StoredRun>;
  /** Turns the clock in steps, as far as I/O needs, until something is so. */
  untilSo(what: string, isSo: () => boolean | Promise<boolean>): Promise<void>;
  steps(run: number): Promise<StoredStep[]>;
  /** The step of that place. */
  step(run: number, place: string): Promise<StoredStep>;
  lines(run: number): Promise<string[]>;
  /** As kill -9 does: nothing of the old engine reaches the store any more; another node takes the lanes. */
  crash(over?: Partial<FlowsOptions>): Promise<void>;
  /** Stops the engine as a platform that ends does, and begins again. */
  restart(over?: Partial<FlowsOptions>): Promise<void>;
}

/** What an engine has unless a test says otherwise. */
export const nothingOutside: Pick<FlowsOptions, 'fetch' | 'publish' | 'sendMail' | 'evaluate'> = {
  fetch: () => Promise.reject(new Error('no fetch in this test')),
  publish: () => Promise.reject(new Error('no publish in this test')),
  sendMail: () => Promise.reject(new Error('no mail in this test')),
  evaluate: () => Promise.reject(new Error('no policy in this test')),
};

/** Starts one on an empty database. */
export async function startFlows(
  t: TestContext,
  over: Partial<FlowsOptions> = {},
  prepare: Prepare = sqliteGround,
): Promise<FlowGround> {
  const ground = await prepare(t);
  const store = await ground.open();
  const workspace = await addWorkspace(store);
  const clock = testClock(NOON);
  const errors: unknown[] = [];
  let nodes = 0;
  const begin = async (more: Partial<FlowsOptions>): Promise<Life> => {
    // The leases of the node before have ended.
    const lanes = await store.lanes.take(`node-${++nodes}`, clock.now() + nodes * 1e9, 1);
    return live({ store, clock, lanes, errors, over: { ...over, ...more } });
  };
  let life = await begin({});
  const stop = async (): Promise<void> => {
    let isStopped = false;
    const stopped = life.engine.stop(1_000).finally(() => (isStopped = true));
    while (!isStopped) {
      // The store is given time with each step: what is written within the grace must not lose a race against a clock
      // that is only pretended.
      await clock.advance(20);
      await store.check().catch(() => undefined);
    }
    await stopped;
  };
  t.after(stop);
  const flows: FlowGround = {
    store,
    workspace,
    clock,
    errors,
    engine: life.engine,
    ...keeping(store, workspace),
    ...reading(store, workspace),
    async start(flow, more = {}) {
      const started = await store.flows.start({ ...wish(flow), now: clock.now(), ...more });
      assert.ok('run' in started, JSON.stringify(started));
      return started.run;
    },
    async play(flow, more) {
      const run = await flows.start(flow, more);
      return flows.until(run, 'completed', 'failed', 'aborted');
    },
    async until(run, ...states) {
      await flows.untilSo(`run ${run} is ${states.join(' or ')}`, async () =>
        states.includes((await flows.run(run)).state),
      );
      return flows.run(run);
    },
    async untilSo(what, isSo) {
      const giveUpAt = performance.now() + 30_000;
      for (let looks = 0; !(await isSo()); looks++) {
        if (performance.now() > giveUpAt) throw new Error(`still not so: ${what}; errors: ${errors.join(', ')}`);
        // What takes I/O only is given time for that; what takes hours does not take thousands of steps.
        await clock.advance(looks < 30 ? 20 : Math.min(20_000, 20 * 1.2 ** (looks - 30)));
        await store.check();
      }
    },
    async crash(more = {}) {
      life.cut();
      life = await begin(more);
      flows.engine = life.engine;
    },
    async restart(more = {}) {
      await stop();
      life = await begin(more);
      flows.engine = life.engine;
    },
  };
  return flows;
}

/** An engine that can be cut off from its store. */
interface Life {
  engine: FlowEngine;
  cut(): void;
}

interface Living {
  store: Store;
  clock: TestClock;
  lanes: OwnedLane[];
  errors: unknown[];
  over: Partial<FlowsOptions>;
}

function live({ store, clock, lanes, errors, over }: Living): Life {
  let isCut = false;
  const never = new Promise<never>(() => undefined);
  const cuttable = <Verbs extends object>(verbs: Verbs): Verbs =>
    new Proxy(verbs, {
      get: (target, name) => {
        const verb = target[name as keyof Verbs] as (...asked: unknown[]) => Promise<unknown>;
        // A verb that was under way as the process was killed may have been done; nobody hears of it.
        return (...asked: unknown[]) => (isCut ? never : verb(...asked).then((answer) => (isCut ? never : answer)));
      },
    });
  const { settings, on } = store;
  const verbs = {
    flows: cuttable(store.flows),
    hooks: cuttable(store.hooks),
    sheets: cuttable(store.sheets),
  };
  const engine = createFlows({
    ...nothingOutside,
    store: { ...verbs, settings, on },
    clock,
    lanes: { owned: () => lanes },
    concurrency: 16,
    maxDepth: 10,
    limits: { stepBytes: 262_144, logBytes: 10_485_760, steps: 10_000 },
    onError: (error) => errors.push(error),
    ...over,
  });
  engine.start();
  return { engine, cut: () => (isCut = true) };
}

function keeping(store: Store, workspace: number): Pick<FlowGround, 'job' | 'keep'> {
  const keep = async (flow: Flow, where = workspace): Promise<StoredFlow> => {
    return (await store.flows.put(settingOf(where, flow), NOON)).flow;
  };
  return { keep, job: (name, steps, over) => keep(newJob(name, steps, over)) };
}

function reading(store: Store, workspace: number): Pick<FlowGround, 'run' | 'steps' | 'step' | 'lines'> {
  return {
    async run(run, where = workspace) {
      const found = await store.flows.run({ workspace: where, run });
      assert.ok(found, `there is no run ${run}`);
      return found;
    },
    steps: (run) => store.flows.steps({ workspace, run }),
    async step(run, place) {
      const all = await store.flows.steps({ workspace, run });
      const step = all.find((one) => one.place === place);
      assert.ok(step, `there is no step at ${place}, only at ${all.map((one) => one.place).join(', ')}`);
      return step;
    },
    lines: async (run) => (await store.flows.lines({ workspace, run }, 0, 10_000)).map(({ text }) => text),
  };
}

/** A wish for a run by hand. */
export function wish({ workspace, flow }: Pick<StoredFlow, 'workspace' | 'flow'>): NewRun {
  const cause = { by: 'hand', key: 'key_1' } as const;
  return { workspace, flow, cause, params: {}, event: null, dedupe: null, depth: 0, maxDepth: 10, now: NOON };
}

/** A job without triggers. */
export function newJob(name: string, steps: readonly Step[], over: Partial<Job> = {}): Job {
  return {
    kind: 'job',
    name,
    description: '',
    group: null,
    enabled: true,
    params: {},
    on: { cron: [], http: false, events: [] },
    timeoutMs: 86_400_000,
    concurrency: { max: 100, then: 'queue' },
    after: { completed: [], failed: [] },
    steps,
    ...over,
  };
}

/** The job or policy set as the store keeps it. */
export function settingOf(workspace: number, flow: Flow): FlowSetting {
  const { kind, name, group, enabled, after, concurrency } = flow;
  return {
    workspace,
    kind,
    name,
    group,
    enabled,
    definition: JSON.stringify(flow),
    source: '',
    trigger: null,
    after,
    concurrency,
    schedules: [],
    events: [],
  };
}

const HEAD = { name: null, path: '', if: null, onError: { then: 'fail' } } as const;

/** A step that does something. */
export function does(action: string, input: Json = null, over: Partial<ActionStep> = {}): ActionStep {
  const retry = { times: 0, waitMs: 0 };
  return { ...HEAD, kind: 'action', action, input, retry, timeoutMs: null, resume: 'fail', ...over };
}

/** A route. `if` null is its fallback. */
export function route(
  branches: readonly { name: string; if: string | null; steps: readonly Step[] }[],
  over: Partial<RouteStep> = {},
): RouteStep {
  return { ...HEAD, kind: 'route', match: 'first', branches, ...over };
}

/** A loop over `item`. */
export function each(of: string, steps: readonly Step[], over: Partial<EachStep> = {}): EachStep {
  return { ...HEAD, kind: 'each', of, as: 'item', atOnce: 1, steps, ...over };
}

/** The engines of the store that there are here, each with how a test gets one. */
export function storesFor(
  after: (close: () => Promise<void>) => void,
): { name: string; skip: string | false; prepare: Prepare }[] {
  return [
    { name: 'SQLite', skip: false, prepare: sqliteGround },
    { name: 'PostgreSQL', skip: withoutPostgres, prepare: postgresSchemas(after) },
  ];
}
