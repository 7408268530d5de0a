// Once more: requests replayed, live or dry, and runs continued where they ended too soon.
import { Type, type Static } from 'typebox';
import type { Flow, Json, Scenario } from '../../model/flow/definition.ts';
import { ExpressionError, parseTemplate } from '../../model/flow/expression/index.ts';
import { readRequest } from '../../model/hook/body.ts';
import { namesOfRequest } from '../../model/hook/names.ts';
import { formatId } from '../../model/ids.ts';
import { refuse } from '../../model/problem.ts';
import type { Workspace } from '../../store/contract.ts';
import type { ShownRun, Started, StoredStep } from '../../store/flows/contract.ts';
import type { StoredRequest } from '../../store/hooks/contract.ts';
import { ok, operation, type Call, type JsonAnswer, type Tools } from '../kernel.ts';
import { orNull } from '../wire.ts';
import { DryRunOut, runDry } from './dry-runs.ts';
import { checkWhole, findRequest, RequestParams } from './requests.ts';
import { findRun, keyOf, RunOut, RunParams, showRun } from './runs.ts';

/** How a run is played again. */
export const ReplayIn = Type.Object(
  {
    version: Type.Optional(
      Type.Enum(['current', 'original'], { description: 'What the scenario is now (unless said), or was then.' }),
    ),
    dry: Type.Optional(
      Type.Boolean({ description: 'Show what would be done: nothing reaches out, and nothing is kept.' }),
    ),
  },
  { additionalProperties: false, examples: [{ version: 'original', dry: true }] },
);
export type ReplayIn = Static<typeof ReplayIn>;

/** How a request is played again: by what the scenario is now. */
export const ReplayRequestIn = Type.Object(
  { dry: Type.Optional(ReplayIn.properties.dry) },
  { additionalProperties: false, examples: [{ dry: true }] },
);
export type ReplayRequestIn = Static<typeof ReplayRequestIn>;

/** What became of it. */
export const ReplayOut = Type.Object(
  {
    run: orNull(Type.Object(RunOut.properties, { description: 'The new run; null of a dry replay.' })),
    dry: orNull(Type.Object(DryRunOut.properties, { description: 'What would be done; null of a live replay.' })),
  },
  { examples: [{ run: null, dry: null }] },
);
export type ReplayOut = Static<typeof ReplayOut>;

type Caller = Pick<Call, 'key' | 'workspace' | 'trace' | 'now'>;

export const replayRun = operation<ReplayIn, ReplayOut>()({
  summary: 'Replay a run of a scenario: its request once more, live or dry',
  description:
    'A live replay is another run. What it appends to sheets has the keys of the request, so no row is there twice; its reply goes to nobody and is kept with it.',
  params: RunParams,
  optionalBody: true,
  success: { 202: 'Another run was asked for.', 200: 'This is what would be done.' },
  errors: ['wrong-state', 'erased'],
  async handle({ params, body, ...caller }, tools) {
    const { workspace } = caller;
    const run = await findRun('scenario', { named: params.run, workspace }, tools);
    if (run.kind !== 'scenario' || run.request === null) {
      throw refuse('wrong-state', 'It worked at no request: run the job again instead.');
    }
    const { version = 'current', dry = false } = body;
    const id = formatId('req', workspace.token, run.request);
    const request = await findRequest(id, workspace, tools);
    checkWhole(request);
    if (dry) return dryAnswer(request, { run, version }, { ...caller, tools });
    return liveAnswer(request, { run: run.run, version }, { ...caller, tools });
  },
});

export const replayRequest = operation<ReplayRequestIn, ReplayOut>()({
  summary: 'Replay a request, also one that was turned away, by what its scenario is now',
  description: 'Whoever asks for it vouches for the request: its signature is not looked at again.',
  params: RequestParams,
  optionalBody: true,
  success: { 202: 'A run was asked for.', 200: 'This is what would be done.' },
  errors: ['wrong-state', 'erased'],
  async handle({ params, body, ...caller }, tools) {
    const request = await findRequest(params.request, caller.workspace, tools);
    checkWhole(request);
    const of = { run: null, version: 'current' } as const;
    return body.dry === true
      ? dryAnswer(request, of, { ...caller, tools })
      : liveAnswer(request, { ...of, run: request.state === 'taken' ? request.run : null }, { ...caller, tools });
  },
});

export const continueRun = operation<null, RunOut>()({
  summary: 'Continue a run that failed or was aborted, by the present version',
  description:
    'Another run takes over the steps that had ended, as far as they do the same in both versions, and does the first other one and all after it anew. Mend the flow or a secret first.',
  params: RunParams,
  success: { 202: 'The run that goes on was asked for.' },
  errors: ['wrong-state', 'erased'],
  async handle({ params, key, workspace, trace, now }, tools) {
    const { run } = await findRun('job', { named: params.run, workspace }, tools);
    const { maxDepth } = tools.config.flows;
    const of = { workspace: workspace.workspace, run, key: key.name, maxDepth, trace, now };
    return { status: 202, body: await startedRun(await tools.store.flows.continueRun(of), workspace, tools) };
  },
});

interface Wanted {
  run: number | null;
  version: 'current' | 'original';
}

async function liveAnswer(
  request: StoredRequest,
  wanted: Wanted,
  { key, workspace, trace, now, tools }: Caller & { tools: Tools },
): Promise<JsonAnswer<ReplayOut>> {
  const dedupe = request.state === 'taken' ? null : await repetitionOf(request, workspace, tools);
  const { maxDepth } = tools.config.flows;
  const asked = { ...wanted, workspace: workspace.workspace, request: request.request, dedupe };
  const started = await tools.store.flows.replay({ ...asked, key: key.name, maxDepth, trace, now });
  return { status: 202, body: { run: await startedRun(started, workspace, tools), dry: null } };
}

async function startedRun(started: Started, workspace: Workspace, tools: Tools): Promise<RunOut> {
  if (started.kind === 'gone') throw refuse('not-found', 'What it was a run of was deleted.');
  if (started.kind === 'skipped') {
    throw refuse(
      'wrong-state',
      'As many of its runs are under way as its concurrency allows, and the rest are skipped.',
    );
  }
  return showRun(await findRun('job', { named: String(started.run), workspace }, tools), workspace);
}

/** The name under which a request is done once: one that was turned away has not been asked for it. */
async function repetitionOf(
  { flow, content, receivedAt }: StoredRequest,
  { workspace }: Workspace,
  { store }: Tools,
): Promise<string | null> {
  const stored = await store.flows.one(workspace, { flow });
  const { hook } = (stored === null ? {} : JSON.parse(stored.definition)) as Partial<Scenario>;
  const read = readRequest(content);
  if (!hook || hook.dedupe === null || !read.ok) return null;
  try {
    const names = namesOfRequest(read.bundle, { from: content.from, receivedAt });
    const value = parseTemplate(hook.dedupe).evaluate(names, { now: receivedAt });
    return (typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value)) || null;
  } catch (error) {
    if (error instanceof ExpressionError) return null;
    throw error;
  }
}

async function dryAnswer(
  request: StoredRequest,
  { run, version }: { run: ShownRun | null; version: Wanted['version'] },
  { workspace, now, tools }: Caller & { tools: Tools },
): Promise<JsonAnswer<ReplayOut>> {
  const number = version === 'original' && run !== null ? run.version : null;
  const { scenario, version: played } = await scenarioOf(request.flow, number, { workspace, tools });
  const steps = run === null ? [] : await tools.store.flows.steps(keyOf(run));
  const { content, receivedAt } = request;
  const arrival = { id: formatId('req', workspace.token, request.request), receivedAt };
  const before = standInsOf(steps, run?.version === played);
  const dry = await runDry(scenario, { request: content, arrival, now, ...before }, { workspace, tools });
  return ok({ run: null, dry });
}

async function scenarioOf(
  flow: number,
  version: number | null,
  { workspace: { workspace }, tools: { store } }: { workspace: Workspace; tools: Pick<Tools, 'store'> },
): Promise<{ scenario: Scenario; version: number }> {
  const found = await (version === null
    ? store.flows.one(workspace, { flow })
    : store.flows.version(workspace, flow, version));
  if (found) return { scenario: JSON.parse(found.definition) as Flow & Scenario, version: found.version };
  if (version === null) throw refuse('not-found', 'The scenario was deleted.');
  throw refuse('wrong-state', `Version ${version}, by which it ran, is not kept any more.`);
}

/** What steps gave then stands in for what they would do: by their places in the same version, by their names in another. */
function standInsOf(steps: readonly StoredStep[], isSameVersion: boolean) {
  const done = steps.filter(({ state }) => state === 'completed');
  if (isSameVersion) return { outputs: {}, before: new Map(done.map(({ place, output }) => [place, output])) };
  const named = done.flatMap(({ name, output }): [string, Json][] => (name === null ? [] : [[name, output]]));
  return { outputs: Object.fromEntries(named) };
}
