// The versions of a scenario: listed, shown, compared with one another and with the draft.
import { Type, type Static } from 'typebox';
import { differenceOf } from '../../model/flow/document/difference.ts';
import { refuse } from '../../model/problem.ts';
import type { Workspace } from '../../store/contract.ts';
import { ok, operation, type Tools } from '../kernel.ts';
import { Instant, instant, pageOf } from '../wire.ts';
import { findFlow, namedIn, ScenarioParams } from './flows.ts';
import { DifferenceOut } from './push.ts';

const EXAMPLE = { version: 3, published: true, createdAt: '2026-11-22T09:30:00.000Z' };

/** A version, as lists show it. */
export const VersionOut = Type.Object(
  {
    version: Type.Integer(),
    published: Type.Boolean({ description: 'It is what the scenario is now.' }),
    createdAt: Instant,
  },
  { examples: [EXAMPLE] },
);
export type VersionOut = Static<typeof VersionOut>;

/** A version with its document. */
export const VersionDetailOut = Type.Object(
  { ...VersionOut.properties, source: Type.String(), definition: Type.Unknown() },
  { examples: [{ ...EXAMPLE, source: 'scenario: greenlake-audit\n', definition: { kind: 'scenario' } }] },
);
export type VersionDetailOut = Static<typeof VersionDetailOut>;

export const VersionsOut = pageOf(VersionOut);
export type VersionsOut = Static<typeof VersionsOut>;

/** Which of them is meant. */
export const VersionText = Type.String({
  pattern: '^(published|draft|[1-9][0-9]{0,8})$',
  description: 'The number of a version, `published` or `draft`.',
});
export const VersionParams = Type.Object({
  ...ScenarioParams.properties,
  version: Type.String({ pattern: '^[1-9][0-9]{0,8}$', description: 'A whole number.' }),
});

/** What differs. */
export const ComparisonOut = Type.Object(
  { from: Type.String(), to: Type.String(), difference: DifferenceOut },
  { examples: [{ from: 'published', to: 'draft', difference: [{ mark: '+', text: 'enabled: false' }] }] },
);
export type ComparisonOut = Static<typeof ComparisonOut>;

export const ComparisonQuery = Type.Object(
  { from: Type.Optional(VersionText), to: Type.Optional(VersionText) },
  { additionalProperties: false },
);

export const listVersions = operation<null, VersionsOut>()({
  summary: 'List the versions of a scenario that are kept, the newest first',
  description: 'The latest twenty are kept, and others as long as a run of them is.',
  params: ScenarioParams,
  async handle({ params, workspace }, tools) {
    const { flow, version } = await findFlow('scenario', { named: namedIn(params), workspace }, tools);
    const all = await tools.store.flows.versions(workspace.workspace, flow);
    const items = all.map((one) => {
      return { version: one.version, published: one.version === version, createdAt: instant(one.createdAt) };
    });
    return ok({ items, next: null });
  },
});

export const getVersion = operation<null, VersionDetailOut>()({
  summary: 'Show a version of a scenario with its document',
  params: VersionParams,
  async handle({ params, workspace }, tools) {
    const { scenario: named, version } = params;
    const flow = await findFlow('scenario', { named, workspace }, tools);
    const found = await tools.store.flows.version(workspace.workspace, flow.flow, Number(version));
    if (!found) throw absentVersion(version);
    const { source, createdAt } = found;
    const head = { version: found.version, published: found.version === flow.version, createdAt: instant(createdAt) };
    return ok({ ...head, source, definition: JSON.parse(found.definition) as unknown });
  },
});

export const compareVersions = operation<null, ComparisonOut>()({
  summary: 'Compare two versions of a scenario, line by line; unless said, what is published with the draft',
  params: ScenarioParams,
  query: ComparisonQuery,
  async handle({ params, query, workspace }, tools) {
    const { from = 'published', to = 'draft' } = query;
    const named = namedIn(params);
    const before = await definitionOf(named, from, { workspace, tools });
    const after = await definitionOf(named, to, { workspace, tools });
    return ok({ from, to, difference: differenceOf(before.source, after.source) });
  },
});

/** What a version is, by its number, or as `published` or `draft`. Refused `not-found`. */
export async function definitionOf(
  named: string,
  version: string,
  { workspace, tools }: { workspace: Workspace; tools: Pick<Tools, 'store'> },
): Promise<{ definition: string; source: string }> {
  const { store } = tools;
  if (version === 'draft') {
    const name = /^\d+$/.test(named) ? (await findFlow('scenario', { named, workspace }, tools)).name : named;
    const draft = await store.flows.draft({ workspace: workspace.workspace, name });
    if (draft) return draft;
    throw refuse('not-found', `There is no draft of ${named} here.`);
  }
  const flow = await findFlow('scenario', { named, workspace }, tools);
  if (version === 'published') return flow;
  const found = await store.flows.version(workspace.workspace, flow.flow, Number(version));
  if (found) return found;
  throw absentVersion(version);
}

function absentVersion(version: string) {
  return refuse('not-found', `Version ${version} is not kept, or never was.`);
}
