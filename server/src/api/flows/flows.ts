// Jobs, policy sets and scenarios as the API shows them: list, show, delete, a new address for their HTTP trigger or hook.
import { Type, type Static } from 'typebox';
import type { Flow, FlowKind } from '../../model/flow/definition.ts';
import { didYouMean } from '../../model/near-names.ts';
import { refuse } from '../../model/problem.ts';
import type { Workspace } from '../../store/contract.ts';
import type { StoredFlow } from '../../store/flows/contract.ts';
import { done, ok, operation, type Tools } from '../kernel.ts';
import { pageThrough } from '../paging.ts';
import { Instant, instant, orNull, pageOf, PageQuery } from '../wire.ts';
import { HookOut, makeHook, makeTrigger, showHook, showTrigger, TriggerOut } from './trigger.ts';

const SOURCE = `job: nightly-reindex
group: operations
on: { cron: "0 2 * * *", timezone: Asia/Tokyo }
steps:
  - run: ./reindex.sh
`;

/** The id of a flow, a run or an evaluation: a whole number (R31). */
export const Number = Type.Integer({ minimum: 1, examples: [12] });

const EXAMPLE = {
  id: 12,
  kind: 'job',
  name: 'nightly-reindex',
  description: '',
  group: 'operations',
  enabled: true,
  version: 3,
  cron: [{ at: '0 2 * * *', timezone: 'Asia/Tokyo' }],
  events: [],
  trigger: null,
  hook: null,
  after: { completed: ['ops-hook'], failed: ['ops-hook'] },
  createdAt: '2026-11-22T09:30:00.000Z',
  updatedAt: '2026-11-22T09:30:00.000Z',
};

/** A job, a policy set or a scenario, as lists show it. */
export const FlowOut = Type.Object(
  {
    id: Number,
    kind: Type.Enum(['job', 'policy-set', 'scenario']),
    name: Type.String(),
    description: Type.String(),
    group: orNull(Type.String()),
    enabled: Type.Boolean({ description: 'While it is false nothing but a hand starts it.' }),
    version: Type.Integer({ description: 'Grows with every change of its meaning.' }),
    cron: Type.Array(Type.Object({ at: Type.String(), timezone: Type.String() })),
    events: Type.Array(Type.Object({ type: Type.String(), filter: orNull(Type.String()) })),
    trigger: orNull(TriggerOut),
    hook: orNull(HookOut),
    after: Type.Object({ completed: Type.Array(Type.String()), failed: Type.Array(Type.String()) }),
    createdAt: Instant,
    updatedAt: Instant,
  },
  { examples: [EXAMPLE] },
);
export type FlowOut = Static<typeof FlowOut>;

/** A flow with its document. */
export const FlowDetailOut = Type.Object(
  {
    ...FlowOut.properties,
    params: Type.Record(Type.String(), Type.Unknown(), { description: 'Parameters of its runs, by name.' }),
    source: Type.String({ description: 'The document as its author wrote it.', examples: [SOURCE] }),
    definition: Type.Unknown({ description: 'What the document means, with everything that it leaves out.' }),
  },
  { examples: [{ ...EXAMPLE, params: {}, source: SOURCE, definition: { kind: 'job' } }] },
);
export type FlowDetailOut = Static<typeof FlowDetailOut>;

export const FlowsOut = pageOf(FlowOut);
export type FlowsOut = Static<typeof FlowsOut>;

export const FlowsQuery = Type.Object(
  { ...PageQuery, group: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) },
  { additionalProperties: false },
);

const Named = Type.String({ minLength: 1, maxLength: 255, description: 'Its id, or its name.' });
export const JobParams = Type.Object({ job: Named });
export const PolicySetParams = Type.Object({ policySet: Named });
export const ScenarioParams = Type.Object({ scenario: Named });

/** What a flow is called in sentences and paths, by kind. */
export const WORDS: Readonly<Record<FlowKind, string>> = {
  job: 'job',
  'policy-set': 'policy set',
  scenario: 'scenario',
};

export const listJobs = listing('job');
export const listPolicySets = listing('policy-set');
export const listScenarios = listing('scenario');
export const getJob = showing('job', JobParams);
export const getPolicySet = showing('policy-set', PolicySetParams);
export const getScenario = showing('scenario', ScenarioParams);
export const deleteJob = deleting('job', JobParams);
export const deletePolicySet = deleting('policy-set', PolicySetParams);
export const deleteScenario = deleting('scenario', ScenarioParams);
export const renewJobTrigger = renewing('job', JobParams);
export const renewPolicySetTrigger = renewing('policy-set', PolicySetParams);

function listing(kind: FlowKind) {
  return operation<null, FlowsOut>()({
    summary: `List the ${WORDS[kind]}s, by name`,
    query: FlowsQuery,
    async handle({ query, workspace }, { store }) {
      const all = await store.flows.list(workspace.workspace, kind);
      const wanted = query.group === undefined ? all : all.filter(({ group }) => group === query.group);
      const list = `${kind}s ${workspace.token}`;
      const { items, next } = pageThrough({ list, items: wanted, keyOf: ({ name }) => name }, query);
      return ok({ items: items.map(showFlow), next });
    },
  });
}

function showing(kind: FlowKind, params: FlowParams) {
  return operation<null, FlowDetailOut>()({
    summary: `Show a ${WORDS[kind]} with its document`,
    params,
    async handle({ params: path, workspace }, tools) {
      return ok(showDetail(await findFlow(kind, { named: namedIn(path), workspace }, tools)));
    },
  });
}

function deleting(kind: FlowKind, params: FlowParams) {
  return operation<null, null>()({
    summary: `Delete a ${WORDS[kind]}; what its runs left stays until retention takes it`,
    params,
    success: { 204: 'It is gone, and nothing starts it any more.' },
    errors: ['in-use'],
    async handle({ params: path, workspace, now }, tools) {
      const { flow } = await findFlow(kind, { named: namedIn(path), workspace }, tools);
      await tools.store.flows.remove(workspace.workspace, flow, now);
      return done();
    },
  });
}

function renewing(kind: FlowKind, params: FlowParams) {
  return operation<null, FlowOut>()({
    summary: `Give the HTTP trigger of a ${WORDS[kind]} another URL and token; the former ones end at once`,
    description: 'The token is in this answer and nowhere else.',
    params,
    errors: ['wrong-state'],
    async handle({ params: path, workspace }, tools) {
      const flow = await findFlow(kind, { named: namedIn(path), workspace }, tools);
      if (flow.triggerPath === null)
        throw refuse('wrong-state', `${flow.name} has no HTTP trigger: "on: { http: true }".`);
      const made = makeTrigger(tools.random);
      await tools.store.flows.renewTrigger(workspace.workspace, flow.flow, made.trigger);
      const shown = showFlow({ ...flow, triggerPath: made.trigger.path });
      return { status: 200, body: { ...shown, trigger: showTrigger(made.trigger.path, made.token) }, stored: shown };
    },
  });
}

/** The hook is what a scenario is called by: whoever has its former URL gets 410 from now on. */
export const renewScenarioHook = operation<null, FlowOut>()({
  summary: 'Give the hook of a scenario another URL; the former one ends at once',
  params: ScenarioParams,
  async handle({ params: path, workspace }, tools) {
    const flow = await findFlow('scenario', { named: namedIn(path), workspace }, tools);
    const { trigger } = makeHook(tools.random);
    await tools.store.flows.renewTrigger(workspace.workspace, flow.flow, trigger);
    return ok(showFlow({ ...flow, triggerPath: trigger.path }));
  },
});

export type FlowParams = typeof JobParams | typeof PolicySetParams | typeof ScenarioParams;

/** The flow that a path names: its only parameter, whatever it is called. */
export function namedIn(path: object): string {
  return Object.values(path as Record<string, string>)[0] as string;
}

/** A flow by its id or its name. Refuses `not-found`, with near names. */
export async function findFlow(
  kind: FlowKind,
  { named, workspace }: { named: string; workspace: Workspace },
  { store }: Pick<Tools, 'store'>,
): Promise<StoredFlow> {
  const number = /^[1-9]\d{0,14}$/.test(named) ? globalThis.Number(named) : null;
  const by = number === null ? { kind, name: named } : { flow: number };
  const found = await store.flows.one(workspace.workspace, by);
  if (found !== null && found.kind === kind) return found;
  const names = (await store.flows.list(workspace.workspace, kind)).map(({ name }) => name);
  throw refuse(
    'not-found',
    `There is no ${WORDS[kind]} ${JSON.stringify(named)} here${didYouMean(named, names) || '.'}`,
  );
}

/** Shows a flow. */
export function showFlow(flow: StoredFlow): FlowOut {
  const definition = JSON.parse(flow.definition) as Flow;
  const { description, on } = definition;
  const isHook = definition.kind === 'scenario' && flow.triggerPath !== null;
  return {
    id: flow.flow,
    kind: flow.kind,
    name: flow.name,
    description,
    group: flow.group,
    enabled: flow.enabled,
    version: flow.version,
    cron: on.cron.map(({ at, timezone }) => ({ at, timezone })),
    events: on.events.map(({ type, filter }) => ({ type, filter })),
    trigger: flow.triggerPath === null || isHook ? null : showTrigger(flow.triggerPath),
    hook: isHook ? showHook(flow.triggerPath as string, definition.hook) : null,
    after: { completed: [...flow.after.completed], failed: [...flow.after.failed] },
    createdAt: instant(flow.createdAt),
    updatedAt: instant(flow.updatedAt),
  };
}

/** Shows a flow with its document. */
export function showDetail(flow: StoredFlow): FlowDetailOut {
  const definition = JSON.parse(flow.definition) as Flow;
  return { ...showFlow(flow), params: definition.params, source: flow.source, definition };
}
