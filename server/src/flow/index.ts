// The flow engine, put together: what runs jobs, policy sets and scenarios on one node.
//
// It stands on the store and on functions that are handed in; of the delivering engine and the API it knows nothing.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../model/clock.ts';
import type { Store } from '../store/contract.ts';
import type { Tracer } from '../tracing/index.ts';
import type { Action } from './action.ts';
import { collect } from './actions/collect.ts';
import { fail } from './actions/fail.ts';
import { createHttp } from './actions/http.ts';
import { createJob } from './actions/job.ts';
import { createMail } from './actions/mail.ts';
import { noop } from './actions/noop.ts';
import { createPublish } from './actions/publish.ts';
import { reply } from './actions/reply.ts';
import { set } from './actions/set.ts';
import { createSheetActions } from './actions/sheet.ts';
import { stop } from './actions/stop.ts';
import { createWait } from './actions/wait.ts';
import type { Fetch } from './fetch.ts';
import type { Publish, SendMail } from './outside.ts';
import { createEventStart, type StartByEvent } from './event-start.ts';
import { KnownHooks } from './hooks/known.ts';
import { createReceive, type Receive } from './hooks/receiving.ts';
import { ReplyDesk } from './hooks/waiting.ts';
import { Plans } from './plan.ts';
import type { Evaluate } from './policy-door.ts';
import type { FlowWatch, RunLimits } from './run.ts';
import { Runner, type FlowLanes } from './runner.ts';
import { Scheduler } from './schedule.ts';
import { createSheets, type SheetPlaces } from './sheets/index.ts';

export { ActionFailed, type Action, type ActionContext, type RunFacts } from './action.ts';
export type { Fetch, FetchAnswer, FetchRequest } from './fetch.ts';
export type { Mail, Publish, Published, SendMail } from './outside.ts';
export type { Evaluate, EvaluationOf } from './policy-door.ts';
export type { EndedRun, FlowWatch } from './run.ts';
export type { FlowLanes } from './runner.ts';
export type { SheetPlaces } from './sheets/index.ts';

/** What flows stand on. */
export interface FlowsOptions {
  store: Pick<Store, 'flows' | 'hooks' | 'settings' | 'sheets' | 'on'>;
  clock: Clock;
  lanes: FlowLanes;
  /** Runs that work at once on this node. */
  concurrency: number;
  /** Runs that may start one another. */
  maxDepth: number;
  limits: RunLimits;
  fetch: Fetch;
  publish: Publish;
  sendMail: SendMail;
  evaluate: Evaluate;
  /** Null, or absent, while nothing is traced. */
  tracer?: Tracer | null;
  /** Where sheets may be beside the store. */
  sheetPlaces?: SheetPlaces;
  /** Actions beside those of this room: `run`. */
  actions?: readonly Action[];
  onError(error: unknown): void;
  /** Is told of what ends. */
  watch?: FlowWatch;
}

/** The flow engine of one node. */
export interface FlowEngine {
  /** Begins, where the lanes are owned already: goes on with what was interrupted, and claims what is queued. */
  start(): void;
  /** There may be something to do: lanes were taken, say. */
  wake(): void;
  /** These lanes are somebody else's by now. */
  drop(lanes: readonly number[]): void;
  /** Starts a flow by a delivery to it; its queue is the delivery engine's. */
  startByEvent: StartByEvent;
  /** Takes a request to a hook; resolves its answer. */
  receive: Receive;
  stats(): { running: number };
  /** The platform is about to stop: nobody waits any more for what a run replies; he is answered that it goes on. */
  dismiss(): void;
  /** Ends: nothing new; what is under way leaves off within `graceMs`, and whoever owns it next goes on. Twice is harmless. */
  stop(graceMs: number): Promise<void>;
}

/** Workspaces whose tokens are remembered. They never change. */
const TOKENS = 10_000;

/** Puts it together; nothing runs before `start`. */
export function createFlows(options: FlowsOptions): FlowEngine {
  const { store, clock, lanes, concurrency, maxDepth, limits, evaluate, tracer = null, onError, watch } = options;
  const { flows, hooks } = store;
  const plans = new Plans();
  const desk = new ReplyDesk({ hooks, clock, isHere: (key) => runner.has(key), onError });
  const known = new KnownHooks({ hooks, flows, plans, clock });
  const runner: Runner = new Runner({
    flows,
    clock,
    plans,
    waiting: desk,
    lanes,
    concurrency,
    limits,
    evaluate,
    tracer,
    actions: new Map([...ownActions(options), ...(options.actions ?? [])].map((action) => [action.name, action])),
    tokenOf: tokens(store.settings),
    onError,
    watch,
  });
  const scheduler = new Scheduler({ flows: store.flows, lanes, clock, onError });
  store.on({
    // Hints come from all nodes: those about the lanes of others are none for this runner.
    runs: (hinted) => {
      const own = new Set(lanes.owned().map(({ lane }) => lane));
      if (hinted.some((lane) => own.has(lane))) runner.wake();
    },
    replied: (runs) => desk.hint(runs),
    flow: (workspace, flow) => {
      known.forget(workspace, flow);
      scheduler.wake();
    },
    flowSecrets: (workspace) => known.forgetSecrets(workspace),
  });
  let stopped: Promise<void> | null = null;
  return {
    start: () => {
      runner.start();
      scheduler.start();
    },
    wake: () => {
      runner.wake();
      scheduler.wake();
    },
    drop: (lost) => runner.drop(lost),
    receive: createReceive({ hooks, known, runner, desk, lanes, clock, maxDepth, onError }),
    startByEvent: createEventStart({ flows: store.flows, clock, maxDepth, onError }),
    stats: () => ({ running: runner.running }),
    dismiss: () => desk.close(),
    stop: (graceMs) => (stopped ??= scheduler.stop().then(() => runner.stop(graceMs))),
  };
}

function ownActions(options: FlowsOptions): Action[] {
  const { store, clock, fetch, publish, sendMail, limits, maxDepth, sheetPlaces = {} } = options;
  const inside = [noop, set, fail, collect, stop, reply];
  const http = createHttp({ fetch, clock, maxBytes: limits.stepBytes });
  const job = createJob({ flows: store.flows, clock, maxDepth });
  const outside = [createWait(clock), http, job, createPublish(publish, clock), createMail(sendMail)];
  return [...inside, ...outside, ...createSheetActions(createSheets({ store, places: sheetPlaces, clock }))];
}

function tokens(settings: Pick<Store['settings'], 'workspace'>): (workspace: number) => Promise<string | null> {
  const known = new LRUCache<number, string>({ max: TOKENS });
  return async (workspace) => {
    const token = known.get(workspace) ?? (await settings.workspace({ workspace }))?.token ?? null;
    if (token !== null) known.set(workspace, token);
    return token;
  };
}
