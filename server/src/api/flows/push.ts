// Documents on their way in: files of them, read and compared with what is there, then kept unless one has a fault.
import { Type, type Static } from 'typebox';
import { firstStart } from '../../model/flow/cron.ts';
import type { Flow, FlowKind } from '../../model/flow/definition.ts';
import { differenceOf } from '../../model/flow/document/difference.ts';
import { readFlows, type DocumentFault, type FlowDocument, type ReadFlows } from '../../model/flow/document/index.ts';
import { refuse, type ProblemFault } from '../../model/problem.ts';
import { StoreRefusal } from '../../store/contract.ts';
import type { FlowSetting, StoredFlow } from '../../store/flows/contract.ts';
import { documentBody } from '../document-body.ts';
import { ok, operation, type Call, type Tools } from '../kernel.ts';
import { orNull } from '../wire.ts';
import { badDocuments, checkSurroundings, missingSecrets } from './surroundings.ts';
import {
  JobParams,
  namedIn,
  Number,
  PolicySetParams,
  ScenarioParams,
  showDetail,
  showFlow,
  WORDS,
  type FlowDetailOut,
  type FlowParams,
} from './flows.ts';
import { keepSheets, planSheets, PushedSheetOut } from './pushed-sheets.ts';
import { HookOut, makeHook, makeTrigger, showHook, showTrigger, TriggerOut } from './trigger.ts';

const MAX_FILES = 500;

/** A file, by the name that documents and faults have for it. */
function fileOf(name: string, text: string) {
  return Type.Object(
    {
      name: Type.String({ minLength: 1, maxLength: 1024, description: name }),
      text: Type.String({ description: text }),
    },
    { additionalProperties: false },
  );
}

/** Files of documents. */
export const PushIn = Type.Object(
  {
    files: Type.Array(fileOf('As faults are to name it.', 'YAML or JSON; several documents are parted by `---`.'), {
      maxItems: MAX_FILES,
    }),
    samples: Type.Optional(
      Type.Array(fileOf('The folder of its document, and how that names it.', 'The sample as it is.'), {
        maxItems: MAX_FILES,
        description: 'Files beside the documents, which they name as samples.',
      }),
    ),
    dryRun: Type.Optional(Type.Boolean({ description: 'Say what would change, and change nothing.' })),
    draft: Type.Optional(
      Type.Boolean({ description: 'Keep scenarios as drafts, which change nothing; leave everything else as it is.' }),
    ),
    prune: Type.Optional(Type.Boolean({ description: 'Delete what is in no file.' })),
  },
  {
    additionalProperties: false,
    examples: [{ files: [{ name: 'flows/nightly.yaml', text: 'job: nightly\nsteps:\n  - run: ./reindex.sh\n' }] }],
  },
);
export type PushIn = Static<typeof PushIn>;

/** What changed between two documents. */
export const DifferenceOut = Type.Array(Type.Object({ mark: Type.Enum([' ', '-', '+', '@']), text: Type.String() }), {
  description: 'Lines of the document: kept, taken away, added; `@` stands where lines are left out.',
});

const Kind = Type.Enum(['job', 'policy-set', 'scenario']);

/** What became of one flow. */
export const PushedOut = Type.Object({
  kind: Kind,
  name: Type.String(),
  id: orNull(Number),
  change: Type.Enum(['created', 'changed', 'same', 'deleted', 'kept', 'draft'], {
    description:
      '`draft`: it is kept as a draft. `kept`: it is in no file and was to be deleted, but could not be; `reason` says why.',
  }),
  reason: orNull(Type.String()),
  difference: DifferenceOut,
  trigger: orNull(TriggerOut),
  hook: orNull(HookOut),
});
export type PushedOut = Static<typeof PushedOut>;

/** What a push came to. */
export const PushOut = Type.Object({
  dryRun: Type.Boolean(),
  flows: Type.Array(PushedOut),
  sheets: Type.Array(PushedSheetOut),
  absent: Type.Array(Type.Object({ kind: Kind, name: Type.String() }), {
    description: 'What is here and in no file; it stays unless `prune` is said.',
  }),
  notes: Type.Array(Type.String(), { description: 'What is worth knowing, such as a secret that is not there yet.' }),
});
export type PushOut = Static<typeof PushOut>;

export const pushFlows = operation<PushIn, PushOut>()({
  summary: 'Push documents of flows and sheets; with `dryRun` see what would change',
  description:
    'Nothing is kept when any document has a fault: the answer then names all of them, each with file, line and column. A document that means what is here already changes nothing.',
  errors: ['invalid-document', 'in-use'],
  async handle({ body, workspace, now }, tools) {
    const { documents, sheets: described } = readDocuments(body.files, body.samples);
    await checkSurroundings(documents, workspace, tools);
    const before = await tools.store.flows.list(workspace.workspace);
    const context = { workspace, now, tools };
    const named = new Set(documents.map(({ flow }) => keyOf(flow)));
    const absent = before.filter((flow) => !named.has(keyOf(flow)));
    const formers = new Map(before.map((flow) => [keyOf(flow), flow]));
    const planned = documents.map((document) => {
      return { document, seen: foresee(document, formers.get(keyOf(document.flow))) };
    });
    const dryRun = body.dryRun === true;
    if (body.draft === true) return ok(await pushDrafts(planned, { ...context, dryRun }));
    const sheets = await planSheets({ sheets: described, documents }, context);
    // Before the flows, so that no run misses one.
    const keptSheets = dryRun ? sheets.pushed : await keepSheets(sheets.plans, context);
    const flows = dryRun ? planned.map(({ seen }) => seen) : await keepAll(planned, context);
    if (body.prune === true) for (const flow of absent) flows.push(await prune(flow, { ...context, dryRun }));
    const left = body.prune === true ? [] : absent;
    const notes = [...(await missingSecrets(documents, workspace, tools)), ...sheets.notes];
    const away = left.map(({ kind, name }) => ({ kind, name }));
    const shown = { dryRun, flows, sheets: keptSheets, absent: away, notes };
    return { ...ok(shown), stored: { ...shown, flows: flows.map(withoutToken) } };
  },
});

/** The document of a scenario that the description of the API shows. */
export const SCENARIO_DOCUMENT = { scenario: 'hello', steps: [{ reply: { status: 200, body: 'Hello.' } }] };

const DOCUMENTS: Record<FlowKind, object> = {
  job: {
    job: 'nightly-reindex',
    on: { cron: '0 2 * * *', timezone: 'Asia/Tokyo' },
    steps: [{ http: { method: 'POST', url: 'https://shop.example.com/reindex' } }],
  },
  'policy-set': {
    policySet: 'storage-baseline',
    rules: [
      {
        rule: 'buckets-have-owner',
        resources: [{ id: 'bucket-1', owner: 'ops' }],
        compliant: '${ exists(owner) }',
      },
    ],
  },
  scenario: SCENARIO_DOCUMENT,
};

const FIRST_WORDS = { job: 'job', 'policy-set': 'policySet', scenario: 'scenario' } as const;

export const putJob = putting('job', JobParams);
export const putPolicySet = putting('policy-set', PolicySetParams);
export const putScenario = putting('scenario', ScenarioParams);

/** The same for one document, its name in the path. */
function putting(kind: FlowKind, params: FlowParams) {
  return operation<null, FlowDetailOut>()({
    summary: `Make or replace a ${WORDS[kind]} by its document`,
    description:
      'The name in the path is that of the document. The token of an HTTP trigger is in the answer that makes it.',
    params,
    consumes: documentBody(DOCUMENTS[kind]),
    success: { 201: 'It was made.', 200: 'It was replaced, or meant the same already.' },
    errors: ['invalid-document', 'body-required', 'invalid-utf8'],
    async handle({ params: path, bytes, workspace, now }, tools) {
      const name = namedIn(path);
      const { documents, sheets } = readDocuments([{ name: 'body', text: documentIn(bytes) }]);
      const [only] = documents;
      if (
        only === undefined ||
        documents.length + sheets.length > 1 ||
        only.flow.kind !== kind ||
        only.flow.name !== name
      ) {
        const wanted = `${FIRST_WORDS[kind]}: ${name}`;
        throw refuse('invalid-document', `The body must be one document that begins with "${wanted}".`);
      }
      await checkSurroundings(documents, workspace, tools);
      await keepSheets((await planSheets({ sheets, documents }, { workspace, now, tools })).plans, {
        workspace,
        now,
        tools,
      });
      const kept = await keep(only, { workspace, now, tools });
      const shown = showDetail(kept.flow);
      const body = kept.trigger === null ? shown : { ...shown, trigger: kept.trigger };
      return { status: kept.change === 'created' ? 201 : 200, body, stored: shown };
    },
  });
}

/** The text of a body that is a document. Refuses `body-required` and `invalid-utf8`. */
export function documentIn(bytes: Buffer): string {
  if (bytes.length === 0) throw refuse('body-required', 'The request needs a document.');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse('invalid-utf8', 'The body is not valid UTF-8.');
  }
}

/** Reads files of documents, with the samples that they name. Refuses `invalid-document` with all the faults. */
export function readDocuments(files: PushIn['files'], samples: PushIn['files'] = []): ReadFlows & { ok: true } {
  const result = readFlows(files, new Map(samples.map(({ name, text }) => [name, text])));
  if (result.ok) return result;
  throw badDocuments(result.faults.map(faultOf));
}

function faultOf(fault: DocumentFault): ProblemFault {
  const { file, line, column, message } = fault;
  return { pointer: `${file}:${line}:${column}`, code: 'invalid-document', detail: sentence(message) };
}

function sentence(words: string): string {
  return /[.?!]$/.test(words) ? words : `${words}.`;
}

function keyOf({ kind, name }: Pick<Flow, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}

type Context = Pick<Call, 'workspace' | 'now'> & { tools: Tools };

/** What a push would do with a document. */
function foresee({ flow, definition, source }: FlowDocument, former: StoredFlow | undefined): PushedOut {
  const change = former === undefined ? 'created' : former.definition === definition ? 'same' : 'changed';
  const token = former?.triggerPath ?? null;
  const hook = flow.kind === 'scenario' && token !== null ? showHook(token, flow.hook) : null;
  const head = { kind: flow.kind, name: flow.name, id: former?.flow ?? null, reason: null, trigger: null, hook };
  return { ...head, change, difference: change === 'same' ? [] : differenceOf(former?.source ?? '', source) };
}

/** Keeps what is new or changed, all at once. What the store refuses, for somebody took away what it names, stops no other. */
async function keepAll(
  planned: readonly { document: FlowDocument; seen: PushedOut }[],
  context: Context,
): Promise<PushedOut[]> {
  const ends = await Promise.allSettled(
    planned.map(async ({ document, seen }): Promise<PushedOut> => {
      if (seen.change === 'same') return seen;
      const { flow, change, trigger } = await keep(document, context);
      const hook = showFlow(flow).hook;
      return { ...seen, id: flow.flow, change, trigger, hook, difference: change === 'same' ? [] : seen.difference };
    }),
  );
  const pushed = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
  if (pushed.length === ends.length) return pushed;
  const rest = pushed.length === 0 ? 'Nothing was changed.' : `The ${pushed.length} others were pushed.`;
  const faults = ends.flatMap((end, at): ProblemFault[] => {
    if (end.status === 'fulfilled') return [];
    if (!(end.reason instanceof StoreRefusal)) throw end.reason;
    const { file, line } = planned[at]!.document;
    const detail = `${sentence(end.reason.message)} ${rest}`;
    return [{ pointer: `${file}:${line}:1`, code: 'invalid-document', detail }];
  });
  throw badDocuments(faults);
}

/** Keeps the scenarios as drafts. What else the files hold was checked, and stays as it is. */
async function pushDrafts(
  planned: readonly { document: FlowDocument; seen: PushedOut }[],
  { workspace, now, tools, dryRun }: Context & { dryRun: boolean },
): Promise<PushOut> {
  const wanted = planned.filter(({ document, seen }) => document.flow.kind === 'scenario' && seen.change !== 'same');
  const flows: PushedOut[] = [];
  for (const { document, seen } of wanted) {
    const { flow, definition, source } = document;
    const draft = { workspace: workspace.workspace, name: flow.name, definition, source };
    if (!dryRun) await tools.store.flows.putDraft(draft, now);
    flows.push({ ...seen, change: 'draft' });
  }
  const documents = wanted.map(({ document }) => document);
  return { dryRun, flows, sheets: [], absent: [], notes: await missingSecrets(documents, workspace, tools) };
}

/** Keeps a flow; `base` is the version that its draft was begun from, where it is published from one. */
export async function keep(
  { flow, definition, source }: FlowDocument,
  { workspace, now, tools }: Context,
  base?: number,
) {
  const ofHook = flow.kind === 'scenario' ? makeHook(tools.random) : null;
  const made = flow.on.http ? makeTrigger(tools.random) : ofHook;
  const setting: FlowSetting = {
    workspace: workspace.workspace,
    kind: flow.kind,
    name: flow.name,
    group: flow.group,
    enabled: flow.enabled,
    definition,
    source,
    trigger: made?.trigger ?? null,
    after: flow.after,
    concurrency: flow.concurrency,
    schedules: flow.on.cron.map((cron) => firstStart(cron, now)),
    events: flow.on.events.map(({ type, filter }) => ({ type, filter })),
    ...(base === undefined ? {} : { base }),
  };
  const kept = await tools.store.flows.put(setting, now);
  const isNew = made !== null && made.token !== null && kept.triggerIsNew;
  return { ...kept, trigger: isNew ? showTrigger(made.trigger.path, made.token) : null };
}

/** Deletes what is in no file. What runs at the moment stays, and says so: everything else was done. */
async function prune(
  flow: StoredFlow,
  { workspace, now, tools, dryRun }: Context & { dryRun: boolean },
): Promise<PushedOut> {
  const { kind, name, flow: id } = flow;
  const difference = differenceOf(flow.source, '');
  const head = { kind, name, id, reason: null, difference, trigger: null, hook: null };
  if (dryRun) return { ...head, change: 'deleted' };
  try {
    await tools.store.flows.remove(workspace.workspace, id, now);
    return { ...head, change: 'deleted' };
  } catch (error) {
    if (!(error instanceof StoreRefusal) || error.code !== 'in-use') throw error;
    return { ...head, change: 'kept', reason: error.message, difference: [] };
  }
}

// A repeat by Idempotency-Key gets the first answer without its secrets.
function withoutToken(pushed: PushedOut): PushedOut {
  return pushed.trigger === null ? pushed : { ...pushed, trigger: { path: pushed.trigger.path } };
}
