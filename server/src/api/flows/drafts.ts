// Drafts of scenarios: kept, looked at, tried dry, published. Nothing of a draft is active before that (R102).
import { Type, type Static } from 'typebox';
import type { Flow, Scenario } from '../../model/flow/definition.ts';
import { differenceOf } from '../../model/flow/document/difference.ts';
import type { FlowDocument } from '../../model/flow/document/index.ts';
import { formatId } from '../../model/ids.ts';
import { refuse } from '../../model/problem.ts';
import type { Workspace } from '../../store/contract.ts';
import type { Draft, StoredFlow } from '../../store/flows/contract.ts';
import { documentBody } from '../document-body.ts';
import { done, ok, operation, type Call, type Tools } from '../kernel.ts';
import { idOf, Instant, instant, orNull } from '../wire.ts';
import { runDry, type DryRunOut } from './dry-runs.ts';
import { findFlow, namedIn, ScenarioParams, showDetail, type FlowDetailOut } from './flows.ts';
import { keepSheets, planSheets } from './pushed-sheets.ts';
import { DifferenceOut, documentIn, keep, readDocuments, SCENARIO_DOCUMENT } from './push.ts';
import { checkWhole, findRequest } from './requests.ts';
import { checkSurroundings, missingSecrets } from './surroundings.ts';
import { definitionOf, VersionText } from './versions.ts';

/** A draft. */
export const DraftOut = Type.Object(
  {
    name: Type.String(),
    base: orNull(Type.Integer({ description: 'The version that it was begun from; null where none was published.' })),
    published: orNull(
      Type.Integer({ description: 'The version that is published; another one than `base` is in the way.' }),
    ),
    source: Type.String({ description: 'The document as its author wrote it.' }),
    difference: DifferenceOut,
    notes: Type.Array(Type.String(), { description: 'What is worth knowing, such as a secret that is not there yet.' }),
    createdAt: Instant,
    updatedAt: Instant,
  },
  {
    examples: [
      {
        name: 'greenlake-audit',
        base: 3,
        published: 3,
        source: 'scenario: greenlake-audit\n',
        difference: [{ mark: '+', text: 'description: Audit log' }],
        notes: [],
        createdAt: '2026-11-22T09:30:00.000Z',
        updatedAt: '2026-11-22T09:31:00.000Z',
      },
    ],
  },
);
export type DraftOut = Static<typeof DraftOut>;

type Context = Pick<Call, 'workspace' | 'now'> & { tools: Tools };

export const putDraft = operation<null, DraftOut>()({
  summary: 'Keep a draft of a scenario: checked as a push is, and not active',
  description:
    'The scenario need not be published yet. The version that is published when the draft is begun is its base.',
  params: ScenarioParams,
  consumes: documentBody(SCENARIO_DOCUMENT),
  errors: ['invalid-document', 'body-required', 'invalid-utf8'],
  async handle({ params, bytes, workspace, now }, tools) {
    const name = await nameOf(namedIn(params), workspace, tools);
    const { documents, sheets } = readDocuments([{ name: 'body', text: documentIn(bytes) }]);
    const [only] = documents;
    if (documents.length + sheets.length !== 1 || only?.flow.kind !== 'scenario' || only.flow.name !== name) {
      throw refuse('invalid-document', `The body must be one document that begins with "scenario: ${name}".`);
    }
    await checkSurroundings(documents, workspace, tools);
    const draft = await keepDraft(only, { workspace, now, tools });
    return ok(await showDraft(draft, workspace, tools));
  },
});

export const getDraft = operation<null, DraftOut>()({
  summary: 'Show the draft of a scenario, with what it would change',
  params: ScenarioParams,
  async handle({ params, workspace }, tools) {
    return ok(await showDraft(await findDraft(namedIn(params), workspace, tools), workspace, tools));
  },
});

export const deleteDraft = operation<null, null>()({
  summary: 'Throw the draft of a scenario away',
  params: ScenarioParams,
  async handle({ params, workspace }, tools) {
    const { name } = await findDraft(namedIn(params), workspace, tools);
    await tools.store.flows.deleteDraft({ workspace: workspace.workspace, name });
    return done();
  },
});

export const publishDraft = operation<null, FlowDetailOut>()({
  summary: 'Publish the draft of a scenario: it is active from then on, and a draft no more',
  description:
    'Refused where another version was published since it was begun: delete it and put it anew to do so still.',
  params: ScenarioParams,
  success: { 201: 'The scenario was made.', 200: 'It was changed.' },
  errors: ['changed-meanwhile', 'invalid-document'],
  async handle({ params, workspace, now }, tools) {
    const draft = await findDraft(namedIn(params), workspace, tools);
    const documents = [documentOf(draft)];
    await checkSurroundings(documents, workspace, tools);
    const context = { workspace, now, tools };
    await keepSheets((await planSheets({ sheets: [], documents }, context)).plans, context);
    const { flow, change } = await keep(documents[0] as FlowDocument, context, draft.base);
    return { status: change === 'created' ? 201 : 200, body: showDetail(flow) };
  },
});

/** What is tried. */
export const DryRunIn = Type.Object(
  {
    version: Type.Optional(VersionText),
    request: Type.Optional(idOf('req')),
    send: Type.Optional(
      Type.Object(
        {
          method: Type.Optional(Type.String({ pattern: '^[A-Z]{1,16}$' })),
          query: Type.Optional(Type.String({ maxLength: 16_384 })),
          headers: Type.Optional(Type.Record(Type.String(), Type.String())),
          body: Type.Optional(Type.String({ description: 'As text.' })),
        },
        { additionalProperties: false, description: 'A request that was never sent.' },
      ),
    ),
  },
  { additionalProperties: false, examples: [{ version: 'draft', send: { body: '{"id":"1"}' } }] },
);
export type DryRunIn = Static<typeof DryRunIn>;

export const dryRunScenario = operation<DryRunIn, DryRunOut>()({
  summary: 'Show what a scenario, or its draft, would do with a request that was kept, or with a sample',
  description: 'Nothing reaches out, and nothing is kept. Signatures are not looked at.',
  params: ScenarioParams,
  errors: ['erased', 'wrong-state'],
  async handle({ params, body, workspace, now }, tools) {
    const { version = 'published', request: id, send = {} } = body;
    const { definition } = await definitionOf(namedIn(params), version, { workspace, tools });
    const scenario = JSON.parse(definition) as Flow & Scenario;
    const asked = id === undefined ? sampleOf(send, scenario) : await keptRequest(id, workspace, tools);
    return ok(await runDry(scenario, { ...asked, outputs: {}, now }, { workspace, tools }));
  },
});

function sampleOf({ method, query = '', headers = {}, body = '' }: NonNullable<DryRunIn['send']>, { hook }: Scenario) {
  const lines = Object.entries(headers).flat();
  const isTyped = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  const { methods } = hook;
  const usual = methods.includes('POST') ? 'POST' : (methods[0] ?? 'POST');
  return {
    request: {
      method: method ?? usual,
      query,
      headers: isTyped ? lines : [...lines, 'content-type', 'application/json'],
      body: Buffer.from(body),
      from: null,
    },
  };
}

async function keptRequest(id: string, workspace: Workspace, tools: Tools) {
  const request = await findRequest(id, workspace, tools);
  checkWhole(request);
  const { content, receivedAt } = request;
  return { request: content, arrival: { id: formatId('req', workspace.token, request.request), receivedAt } };
}

/** Keeps a document as the draft of its scenario. */
function keepDraft({ flow, definition, source }: FlowDocument, { workspace, now, tools }: Context): Promise<Draft> {
  const { workspace: number } = workspace;
  return tools.store.flows.putDraft({ workspace: number, name: flow.name, definition, source }, now);
}

/** The draft of a scenario by its name, or that of its scenario's id. Refused `not-found`. */
async function findDraft(named: string, workspace: Workspace, tools: Tools): Promise<Draft> {
  const name = await nameOf(named, workspace, tools);
  const draft = await tools.store.flows.draft({ workspace: workspace.workspace, name });
  if (draft) return draft;
  throw refuse('not-found', `There is no draft of ${named} here.`);
}

// Only a scenario that is published has an id.
async function nameOf(named: string, workspace: Workspace, tools: Tools): Promise<string> {
  return /^\d+$/.test(named) ? (await findFlow('scenario', { named, workspace }, tools)).name : named;
}

function documentOf({ definition, source }: Draft): FlowDocument {
  return { flow: JSON.parse(definition) as Flow, definition, source, tests: [], file: 'draft', line: 1 };
}

async function showDraft(draft: Draft, workspace: Workspace, tools: Tools): Promise<DraftOut> {
  const { name, base, source, createdAt, updatedAt } = draft;
  const published: StoredFlow | null = await tools.store.flows.one(workspace.workspace, { kind: 'scenario', name });
  return {
    name,
    base: base === 0 ? null : base,
    published: published?.version ?? null,
    source,
    difference: differenceOf(published?.source ?? '', source),
    notes: await missingSecrets([documentOf(draft)], workspace, tools),
    createdAt: instant(createdAt),
    updatedAt: instant(updatedAt),
  };
}
