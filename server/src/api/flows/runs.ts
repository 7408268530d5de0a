// Runs of jobs and evaluations of policy sets: begun, listed, shown, ended.
import { Type, type Static } from 'typebox';
import type { Flow, FlowKind } from '../../model/flow/definition.ts';
import { DEPTH_HEADER, depthAfterRequest } from '../../model/flow/depth.ts';
import { formatId } from '../../model/ids.ts';
import { refuse } from '../../model/problem.ts';
import type { Workspace } from '../../store/contract.ts';
import type { Cause, ShownRun, StoredRun } from '../../store/flows/contract.ts';
import { ok, operation, type JsonAnswer, type Tools } from '../kernel.ts';
import { PAGE, readMark, writeCursor } from '../paging.ts';
import { idOf, Instant, instant, instantOrNull, orNull, PageQuery, pageOf } from '../wire.ts';
import {
  findFlow,
  JobParams,
  namedIn,
  Number,
  PolicySetParams,
  ScenarioParams,
  WORDS,
  type FlowParams,
} from './flows.ts';
import { paramsFor } from './run-params.ts';

const State = Type.Enum(['queued', 'running', 'completed', 'failed', 'aborted']);

/** What a run is begun with. */
export const RunIn = Type.Object(
  {
    params: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'Parameters by name; those left out have their defaults.',
      }),
    ),
  },
  { additionalProperties: false, examples: [{ params: { table: 'orders' } }] },
);
export type RunIn = Static<typeof RunIn>;

/** What started a run. */
const CauseOut = Type.Union([
  Type.Object({ by: Type.Literal('hand'), key: Type.String({ description: 'The name of the key.' }) }),
  Type.Object({ by: Type.Literal('cron'), schedule: Type.Integer(), at: Instant }),
  Type.Object({ by: Type.Literal('http') }),
  Type.Object({ by: Type.Literal('event'), event: idOf('evt'), type: Type.String() }),
  Type.Object({ by: Type.Literal('run'), run: Type.Integer({ description: 'A step of that run.' }) }),
  Type.Object({ by: Type.Literal('hook'), request: idOf('req') }),
  Type.Object({ by: Type.Literal('replay'), run: orNull(Type.Integer()), key: Type.String() }),
  Type.Object({ by: Type.Literal('continue'), run: Type.Integer(), key: Type.String() }),
]);

/** A run as OpenAPI shows one. */
export const RUN_EXAMPLE = {
  id: 345,
  kind: 'job',
  flow: 12,
  name: 'nightly-reindex',
  version: 3,
  state: 'completed',
  reason: null,
  cause: { by: 'cron', schedule: 0, at: '2026-11-22T17:00:00.000Z' },
  params: { table: 'orders' },
  depth: 0,
  abortAsked: null,
  createdAt: '2026-11-22T17:00:00.004Z',
  startedAt: '2026-11-22T17:00:00.011Z',
  finishedAt: '2026-11-22T17:00:16.220Z',
  durationMs: 16_209,
  operations: 4,
  request: null,
  continuedBy: null,
};

/** A run of a job or scenario, or an evaluation of a policy set. */
export const RunOut = Type.Object(
  {
    id: Number,
    kind: Type.Enum(['job', 'policy-set', 'scenario']),
    flow: Type.Integer({ description: 'The id of the job, policy set or scenario.' }),
    name: Type.String({ description: 'Its name.' }),
    version: Type.Integer({ description: 'Which version of it ran.' }),
    state: State,
    reason: orNull(Type.String({ description: 'Why it failed or was aborted.' })),
    cause: CauseOut,
    params: Type.Record(Type.String(), Type.Unknown()),
    depth: Type.Integer({ description: 'How many runs led to this one.' }),
    abortAsked: orNull(Type.String({ description: 'Who asked for its end, while it has not come.' })),
    createdAt: Instant,
    startedAt: orNull(Instant),
    finishedAt: orNull(Instant),
    durationMs: orNull(Type.Integer({ description: 'From its begin to its end.' })),
    operations: Type.Integer({ description: 'Steps that were done; those that were skipped are none of them.' }),
    request: orNull(idOf('req')),
    continuedBy: orNull(Type.Integer({ description: 'The run that goes on where this one ended.' })),
  },
  { examples: [RUN_EXAMPLE] },
);
export type RunOut = Static<typeof RunOut>;

export const RunsOut = pageOf(RunOut);
export type RunsOut = Static<typeof RunsOut>;

export const RunsQuery = Type.Object({ ...PageQuery, state: Type.Optional(State) }, { additionalProperties: false });
const RunNumber = Type.String({ pattern: '^[1-9][0-9]{0,14}$', description: 'A whole number.' });
export const RunParams = Type.Object({ run: RunNumber });
export const EvaluationParams = Type.Object({ evaluation: RunNumber });

/** What a run is called, by the kind of its flow. */
export const RUN_WORDS: Readonly<Record<FlowKind, string>> = {
  job: 'run',
  'policy-set': 'evaluation',
  scenario: 'run',
};

export const startJob = starting('job', JobParams);
export const startPolicySet = starting('policy-set', PolicySetParams);
export const listJobRuns = listingOf('job', JobParams);
export const listPolicySetEvaluations = listingOf('policy-set', PolicySetParams);
export const listScenarioRuns = listingOf('scenario', ScenarioParams);
export const listRuns = listing('job');
export const listEvaluations = listing('policy-set');
export const abortRun = aborting('job', RunParams);
export const abortEvaluation = aborting('policy-set', EvaluationParams);

function starting(kind: FlowKind, params: typeof JobParams | typeof PolicySetParams) {
  const word = RUN_WORDS[kind];
  return operation<RunIn, RunOut>()({
    summary: kind === 'job' ? 'Run a job' : 'Evaluate a policy set',
    description: `The ${word} is queued and goes on by itself. A flow whose concurrency says so refuses it, or leaves a failed ${word}.`,
    params,
    optionalBody: true,
    success: { 202: 'It was asked for; `state` says how far it is.' },
    errors: ['wrong-state'],
    async handle({ body, params: path, key, header, workspace, trace, now }, tools) {
      const flow = await findFlow(kind, { named: namedIn(path), workspace }, tools);
      const started = await tools.store.flows.start({
        workspace: workspace.workspace,
        flow: flow.flow,
        cause: { by: 'hand', key: key.name },
        params: paramsFor(JSON.parse(flow.definition) as Flow, body.params ?? {}, '/params'),
        event: null,
        dedupe: null,
        // A step of a run may have asked, with a key that it was given (R16).
        depth: depthAfterRequest(header(DEPTH_HEADER), false),
        maxDepth: tools.config.flows.maxDepth,
        trace,
        now,
      });
      if (started.kind === 'gone') throw refuse('not-found', `The ${WORDS[kind]} was deleted.`);
      if (started.kind === 'skipped') {
        const why = 'has as many runs under way as its concurrency allows, and the rest are skipped';
        throw refuse('wrong-state', `${flow.name} ${why}.`);
      }
      const run = await findRun(kind, { named: String(started.run), workspace }, tools);
      return { status: 202, body: showRun(run, workspace) } satisfies JsonAnswer<RunOut>;
    },
  });
}

function listingOf(kind: FlowKind, params: FlowParams) {
  return operation<null, RunsOut>()({
    summary: `List the ${RUN_WORDS[kind]}s of a ${WORDS[kind]}, the newest first`,
    params,
    query: RunsQuery,
    async handle({ params: path, query, workspace }, tools) {
      const { flow } = await findFlow(kind, { named: namedIn(path), workspace }, tools);
      return ok(await pageOfRuns({ kind, flow, ...query }, workspace, tools));
    },
  });
}

function listing(kind: FlowKind) {
  return operation<null, RunsOut>()({
    summary: `List the ${RUN_WORDS[kind]}s of all ${WORDS[kind]}s, the newest first`,
    query: RunsQuery,
    handle: async ({ query, workspace }, tools) => ok(await pageOfRuns({ kind, ...query }, workspace, tools)),
  });
}

async function pageOfRuns(
  { kind, flow, state, cursor, limit }: { kind: FlowKind; flow?: number } & Static<typeof RunsQuery>,
  workspace: Workspace,
  { store }: Tools,
): Promise<RunsOut> {
  const list = `${kind} runs ${workspace.token} ${flow ?? ''}`;
  const { rows, next } = await store.flows.runs({
    workspace: workspace.workspace,
    kind,
    ...(flow === undefined ? {} : { flow }),
    ...(state === undefined ? {} : { state }),
    cursor: readMark(list, cursor),
    limit: limit ?? PAGE,
  });
  return { items: rows.map((run) => showRun(run, workspace)), next: next === null ? null : writeCursor(list, next) };
}

function aborting(kind: FlowKind, params: typeof RunParams | typeof EvaluationParams) {
  const word = RUN_WORDS[kind];
  return operation<null, RunOut>()({
    summary: `Abort: end a ${word} with everything it has started`,
    params,
    success: { 202: 'Its end was asked for; a queued one has ended.' },
    errors: ['wrong-state'],
    async handle({ params: path, workspace, key, now }, tools) {
      const run = await findRun(kind, { named: namedIn(path), workspace }, tools);
      const isAsked = await tools.store.flows.abort(keyOf(run), `the key "${key.name}"`, now);
      const after = await findRun(kind, { named: namedIn(path), workspace }, tools);
      if (!isAsked) throw refuse('wrong-state', `It is ${after.state}: there is nothing to abort.`);
      return { status: 202, body: showRun(after, workspace) };
    },
  });
}

/** A run by its number; an evaluation is none, and a run is no evaluation. Jobs and scenarios share their runs. */
export async function findRun(
  kind: FlowKind,
  { named, workspace }: { named: string; workspace: Workspace },
  { store }: Pick<Tools, 'store'>,
): Promise<ShownRun> {
  const run = await store.flows.run({ workspace: workspace.workspace, run: globalThis.Number(named) });
  if (run !== null && RUN_WORDS[run.kind] === RUN_WORDS[kind]) return run;
  throw refuse('not-found', `There is no ${RUN_WORDS[kind]} ${named} here.`);
}

/** Names a run to the store. */
export function keyOf({ workspace, run }: StoredRun): { workspace: number; run: number } {
  return { workspace, run };
}

/** Shows a run. */
export function showRun(run: ShownRun, workspace: Workspace): RunOut {
  const { request, startedAt, finishedAt } = run;
  return {
    id: run.run,
    kind: run.kind,
    flow: run.flow,
    name: run.name,
    version: run.version,
    state: run.state,
    reason: run.reason,
    cause: showCause(run.cause, workspace),
    params: { ...run.params },
    depth: run.depth,
    abortAsked: run.finishedAt === null ? run.abortAsked : null,
    createdAt: instant(run.createdAt),
    startedAt: instantOrNull(startedAt),
    finishedAt: instantOrNull(finishedAt),
    durationMs: startedAt === null || finishedAt === null ? null : finishedAt - startedAt,
    operations: run.operations,
    request: request === null ? null : formatId('req', workspace.token, request),
    continuedBy: run.continuedBy,
  };
}

function showCause(cause: Cause, { token }: Workspace): RunOut['cause'] {
  switch (cause.by) {
    case 'hand':
      return { by: 'hand', key: cause.key };
    case 'cron':
      return { by: 'cron', schedule: cause.schedule, at: instant(cause.at) };
    case 'http':
      return { by: 'http' };
    case 'event':
      return { by: 'event', event: formatId('evt', token, cause.event), type: cause.type };
    case 'hook':
      return { by: 'hook', request: formatId('req', token, cause.request) };
    case 'run':
      return { by: 'run', run: cause.run };
    case 'replay':
      return { by: 'replay', run: cause.run, key: cause.key };
    case 'continue':
      return { by: 'continue', run: cause.run, key: cause.key };
  }
}
