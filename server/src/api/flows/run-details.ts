// What a run left behind: its steps, and its log with what became of its post-processings.
import { Type, type Static } from 'typebox';
import type { FlowKind } from '../../model/flow/definition.ts';
import type { RouteOutput } from '../../model/flow/route.ts';
import { reportEntry } from '../../model/post-processing.ts';
import type { ShownRun, StoredStep } from '../../store/flows/contract.ts';
import { ok, operation, type Tools } from '../kernel.ts';
import { Instant, instant, instantOrNull, orNull, pageOf } from '../wire.ts';
import { ReplyOut, showReply } from './dry-runs.ts';
import { namedIn, Number } from './flows.ts';
import { EvaluationParams, findRun, keyOf, RUN_EXAMPLE, RUN_WORDS, RunOut, RunParams, showRun } from './runs.ts';
import { maskerOf } from './shown-secrets.ts';

/** A step of a run. Secrets are masked. */
export const StepOut = Type.Object(
  {
    place: Type.String({ description: 'Where it is: the path in the document, with the number of each item.' }),
    name: orNull(Type.String()),
    action: Type.String(),
    state: Type.Enum(['running', 'completed', 'failed', 'skipped', 'aborted']),
    tries: Type.Integer(),
    input: Type.Unknown(),
    output: Type.Unknown(),
    error: orNull(Type.String()),
    startedAt: Instant,
    finishedAt: orNull(Instant),
  },
  {
    examples: [
      {
        place: 'steps[0]',
        name: 'reindex',
        action: 'run',
        state: 'completed',
        tries: 1,
        input: './reindex.sh orders',
        output: { code: 0 },
        error: null,
        startedAt: '2026-11-22T17:00:00.012Z',
        finishedAt: '2026-11-22T17:00:16.200Z',
      },
    ],
  },
);
export type StepOut = Static<typeof StepOut>;

export const StepsOut = pageOf(StepOut);
export type StepsOut = Static<typeof StepsOut>;

export const listRunSteps = operation<null, StepsOut>()({
  summary: 'List the steps of a run, in the order they began',
  params: RunParams,
  async handle({ params, workspace }, tools) {
    const run = await findRun('job', { named: params.run, workspace }, tools);
    const steps = await tools.store.flows.steps(keyOf(run));
    return ok({ items: steps.map(showStep), next: null });
  },
});

function showStep({ process, ...step }: StoredStep): StepOut {
  // By what its processes are found is nobody's business but the engine's.
  void process;
  return { ...step, startedAt: instant(step.startedAt), finishedAt: instantOrNull(step.finishedAt) };
}

/** A run with the way it went. */
export const RunDetailOut = Type.Object(
  {
    ...RunOut.properties,
    route: Type.Array(Type.String(), {
      description: 'The branches that were taken, in the order of the routes (R104).',
    }),
    reply: orNull(Type.Object(ReplyOut.properties, { description: 'What it has replied to the caller of the hook.' })),
  },
  { examples: [{ ...RUN_EXAMPLE, route: [], reply: null }] },
);
export type RunDetailOut = Static<typeof RunDetailOut>;

export const getRun = operation<null, RunDetailOut>()({
  summary: 'Show a run: how far it is, the route that it took, and what it replied',
  params: RunParams,
  async handle({ params, workspace }, tools) {
    const run = await findRun('job', { named: params.run, workspace }, tools);
    const shown = showRun(run, workspace);
    if (run.kind !== 'scenario') return ok({ ...shown, route: [], reply: null });
    const steps = await tools.store.flows.steps(keyOf(run));
    const route = steps.flatMap(({ action, output }) => {
      return action === 'route' ? ((output as Partial<RouteOutput> | null)?.taken ?? []) : [];
    });
    const hasReplied = steps.some(({ action, state }) => action === 'reply' && state === 'completed');
    return ok({ ...shown, route, reply: hasReplied ? await replyOf(run, tools) : null });
  },
});

async function replyOf({ workspace, run }: ShownRun, tools: Tools): Promise<ReplyOut | null> {
  const progress = await tools.store.hooks.progress({ workspace, run });
  return progress?.reply ? showReply(progress.reply, await maskerOf(workspace, tools)) : null;
}

/** A job log or policy log. */
export const LogOut = Type.Object(
  {
    state: RunOut.properties.state,
    items: Type.Array(
      Type.Object({
        line: Number,
        at: Instant,
        place: Type.String({ description: 'The step it is of; empty for the run itself.' }),
        stream: Type.Enum(['out', 'error', 'note'], { description: 'What a command wrote, or what Bellwire notes.' }),
        text: Type.String(),
      }),
    ),
    next: Type.Integer({ description: 'The `after` that continues the log.' }),
    ended: Type.Boolean({ description: 'The run has ended and its log was read to the end.' }),
    reports: Type.Array(Type.Object({ at: Instant, isFailure: Type.Boolean(), text: Type.String() }), {
      description: 'What became of its post-processings (R24, R28): entries of the log that come after its end.',
    }),
    pending: Type.Integer({ description: 'Post-processings that are not over yet.' }),
  },
  {
    examples: [
      {
        state: 'completed',
        items: [{ line: 1, at: '2026-11-22T17:00:00.020Z', place: 'steps[0]', stream: 'out', text: '42 tables to do' }],
        next: 1,
        ended: true,
        reports: [
          { at: '2026-11-22T17:00:16.400Z', isFailure: true, text: 'post-processing ops-hook failed: answered 500' },
        ],
        pending: 0,
      },
    ],
  },
);
export type LogOut = Static<typeof LogOut>;

export const LogQuery = Type.Object(
  {
    after: Type.Optional(Type.Integer({ minimum: 0, description: 'Lines behind this one; 0 is the beginning.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5000, description: 'Lines; 1,000 when left out.' })),
  },
  { additionalProperties: false },
);

const LINES = 1_000;

export const readRunLog = reading('job', RunParams);
export const readEvaluationLog = reading('policy-set', EvaluationParams);

function reading(kind: FlowKind, params: typeof RunParams | typeof EvaluationParams) {
  const log = kind === 'job' ? 'job log' : 'policy log';
  return operation<null, LogOut>()({
    summary: `Read the ${log} of a ${RUN_WORDS[kind]}, from a line on`,
    description: 'To follow it, ask again with `after` = `next` until `ended` is true.',
    params,
    query: LogQuery,
    async handle({ params: path, query, workspace }, { store }) {
      const { after = 0, limit = LINES } = query;
      // The run first: what it had ended with by then, its log has, too.
      const run = await findRun(kind, { named: namedIn(path), workspace }, { store });
      const lines = await store.flows.lines(keyOf(run), after, limit);
      const isOver = run.finishedAt !== null;
      const reports = isOver ? await store.postProcessings.reportsOf(workspace.workspace, run.endEvents) : [];
      const entries = reports.flatMap((report) => reportEntry(report) ?? []);
      return ok({
        state: run.state,
        items: lines.map((line) => ({ ...line, at: instant(line.at) })),
        next: lines.at(-1)?.line ?? after,
        ended: isOver && lines.length < limit,
        reports: entries.map((entry) => ({ ...entry, at: instant(entry.at) })),
        pending: reports.length - entries.length,
      });
    },
  });
}
