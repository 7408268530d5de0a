// What tests of flows put in: flows, runs, and a node that owns all lanes.
import assert from 'node:assert/strict';
import { jobEndEvent } from '../src/model/flow/end-events.ts';
import type {
  ClaimedRun,
  FlowSetting,
  NewRun,
  OwnedLane,
  RunEnd,
  Started,
  Store,
  StoredFlow,
  StoredStep,
} from '../src/store/index.ts';
import { addWorkspace, NOON, type Place } from './store-furniture.ts';
import type { Ground } from './store-ground.ts';

/** A flow to be kept, unless said otherwise: a job without triggers. */
export function newFlow(workspace: number, name: string, over: Partial<FlowSetting> = {}): FlowSetting {
  const { kind = 'job', enabled = true } = over;
  const definition = JSON.stringify({ kind, name, enabled, over });
  return {
    workspace,
    kind,
    name,
    group: null,
    enabled,
    definition,
    source: `job: ${name}\n`,
    trigger: null,
    after: { completed: [], failed: [] },
    concurrency: { max: 1, then: 'queue' },
    schedules: [],
    events: [],
    ...over,
  };
}

/** Keeps a flow. */
export async function addFlow(
  { store, workspace }: Place,
  name: string,
  over: Partial<FlowSetting> = {},
): Promise<StoredFlow> {
  return (await store.flows.put(newFlow(workspace, name, over), NOON)).flow;
}

/** A wish for a run by hand, unless said otherwise. */
export function newRun(
  { workspace, flow }: Pick<StoredFlow, 'workspace' | 'flow'>,
  over: Partial<NewRun> = {},
): NewRun {
  return {
    workspace,
    flow,
    cause: { by: 'hand', key: 'key_1' },
    params: {},
    event: null,
    dedupe: null,
    depth: 0,
    maxDepth: 10,
    now: NOON,
    ...over,
  };
}

/** The number of a run that must have been queued, or left as a failed one. */
export function numberOf(started: Started): number {
  assert.ok('run' in started, JSON.stringify(started));
  return started.run;
}

/** A place with all lanes in the hands of one node. */
export interface FlowPlace extends Place {
  lanes: OwnedLane[];
  ground: Ground;
}

/** A workspace on a store whose lanes one node owns. */
export async function furnishFlows(ground: Ground): Promise<FlowPlace> {
  const store = await ground.open();
  const workspace = await addWorkspace(store);
  return { ground, store, workspace, lanes: await store.lanes.take('node', NOON, 60_000) };
}

/** Claims what may begin. */
export function claim(
  { store, lanes }: Pick<FlowPlace, 'store' | 'lanes'>,
  now = NOON + 1,
  limit = 100,
): Promise<ClaimedRun[]> {
  return store.flows.claim({ lanes, now, limit });
}

/** The end of a claimed run, unless said otherwise completed and told. */
export function endOf(claimed: ClaimedRun, over: Partial<RunEnd> = {}): RunEnd {
  const { workspace, run, flow, name, group, lane, depth, startedAt } = claimed;
  const { state = 'completed', reason = null, now = NOON + 5 } = over;
  const event = jobEndEvent({ job: flow, run, name, group, status: state, startedAt, finishedAt: now, reason, depth });
  const after = state === 'completed' ? 'completed' : 'failed';
  const notes = { key: { workspace, run }, lane, steps: [], lines: [] };
  return { ...notes, state, reason, now, events: [{ event, after }], results: [], ...over };
}

/** Ends a claimed run. */
export async function finish(store: Store, claimed: ClaimedRun, over: Partial<RunEnd> = {}): Promise<void> {
  assert.equal(await store.flows.finish(endOf(claimed, over)), 'finished');
}

/** A finished step, unless said otherwise. */
export function newStep(place: string, over: Partial<StoredStep> = {}): StoredStep {
  return {
    place,
    name: null,
    action: 'noop',
    state: 'completed',
    tries: 1,
    input: { n: 1 },
    output: { n: 2 },
    error: null,
    process: null,
    startedAt: NOON + 2,
    finishedAt: NOON + 3,
    ...over,
  };
}

/** A line of a log. */
export function newLine(text: string, at = NOON + 2) {
  return { at, place: 'steps[0]', stream: 'out' as const, text };
}
