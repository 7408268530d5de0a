// What evaluations of policy sets found: rules, results, and what became of one resource over time.
import { Type, type Static } from 'typebox';
import { COMPLIANCE } from '../../model/policy/judge.ts';
import type { StoredResult } from '../../store/flows/contract.ts';
import { ok, operation } from '../kernel.ts';
import { PAGE, readMark, writeCursor } from '../paging.ts';
import { Instant, instant, orNull, pageOf, PageQuery } from '../wire.ts';
import { findFlow, Number, PolicySetParams } from './flows.ts';
import { EvaluationParams, findRun, keyOf, RUN_EXAMPLE, RunOut, showRun } from './runs.ts';

const Compliance = Type.Enum([...COMPLIANCE]);

/** What a rule came to in an evaluation. */
export const RuleOut = Type.Object({
  rule: Type.String(),
  status: Type.Enum(['completed', 'failed']),
  reason: orNull(Type.String({ description: 'Why it could not be evaluated.' })),
  counts: Type.Record(Type.String(), Type.Integer(), { description: 'How many resources are what.' }),
  changes: Type.Integer({ description: 'Resources that are something else than last time.' }),
});
export type RuleOut = Static<typeof RuleOut>;

/** An evaluation with what its rules came to. */
export const EvaluationOut = Type.Object(
  { ...RunOut.properties, rules: Type.Array(RuleOut) },
  {
    examples: [
      {
        ...RUN_EXAMPLE,
        kind: 'policy-set',
        flow: 14,
        name: 'storage-baseline',
        params: {},
        rules: [
          {
            rule: 'buckets-have-owner',
            status: 'completed',
            reason: null,
            counts: { COMPLIANT: 40, NON_COMPLIANT: 2 },
            changes: 1,
          },
        ],
      },
    ],
  },
);
export type EvaluationOut = Static<typeof EvaluationOut>;

/** What one resource was found to be. */
export const ResultOut = Type.Object(
  {
    evaluation: Number,
    rule: Type.String(),
    at: Instant,
    id: Type.String(),
    name: Type.String(),
    compliance: Type.String(),
    detail: orNull(Type.String({ description: 'ResultDetailCode; null for what complies.' })),
    before: orNull(Type.String({ description: 'What it was last time; null for one that was not known.' })),
  },
  {
    examples: [
      {
        evaluation: 346,
        rule: 'buckets-have-owner',
        at: '2026-11-22T17:00:00.900Z',
        id: 'arn:aws:s3:::invoices',
        name: 'invoices',
        compliance: 'NON_COMPLIANT',
        detail: 'OWNER_TAG_MISSING',
        before: 'COMPLIANT',
      },
    ],
  },
);
export type ResultOut = Static<typeof ResultOut>;

export const ResultsOut = pageOf(ResultOut);
export type ResultsOut = Static<typeof ResultsOut>;

export const ResultsQuery = Type.Object(
  {
    ...PageQuery,
    rule: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    compliance: Type.Optional(Compliance),
  },
  { additionalProperties: false },
);

export const getEvaluation = operation<null, EvaluationOut>()({
  summary: 'Show an evaluation with what its rules came to',
  params: EvaluationParams,
  async handle({ params, workspace }, tools) {
    const run = await findRun('policy-set', { named: params.evaluation, workspace }, tools);
    const rules = await tools.store.flows.rules(keyOf(run));
    return ok({ ...showRun(run, workspace), rules: rules.map((rule) => ({ ...rule, counts: { ...rule.counts } })) });
  },
});

export const listResults = operation<null, ResultsOut>()({
  summary: 'List what an evaluation found: what does not comply first, then rule by rule',
  params: EvaluationParams,
  query: ResultsQuery,
  async handle({ params, query, workspace }, tools) {
    const run = await findRun('policy-set', { named: params.evaluation, workspace }, tools);
    const { rule, compliance, cursor, limit = PAGE } = query;
    const list = `results ${workspace.token} ${run.run}`;
    const { rows, next } = await tools.store.flows.results({
      ...keyOf(run),
      ...(rule === undefined ? {} : { rule }),
      ...(compliance === undefined ? {} : { compliance }),
      cursor: readMark(list, cursor),
      limit,
    });
    return ok({ items: rows.map(showResult), next: next === null ? null : writeCursor(list, next) });
  },
});

export const HistoryQuery = Type.Object(
  {
    rule: Type.String({ minLength: 1, maxLength: 255 }),
    resource: Type.String({ minLength: 1, maxLength: 2048, description: 'Its id.' }),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
  },
  { additionalProperties: false },
);

export const readHistory = operation<null, ResultsOut>()({
  summary: 'Read what a resource was found to be over time: the changes, the newest first',
  params: PolicySetParams,
  query: HistoryQuery,
  async handle({ params, query, workspace }, tools) {
    const { flow } = await findFlow('policy-set', { named: params.policySet, workspace }, tools);
    const { rule, resource, limit = PAGE } = query;
    const rows = await tools.store.flows.history({ workspace: workspace.workspace, flow, rule, resource, limit });
    return ok({ items: rows.map(showResult), next: null });
  },
});

function showResult({ run, rule, at, id, name, compliance, detail, before }: StoredResult): ResultOut {
  return { evaluation: run, rule, at: instant(at), id, name, compliance, detail, before };
}
