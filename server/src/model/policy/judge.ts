// What a rule says about a resource: the verdicts of a policy set (R42). Pure; the same resource gives the same verdict.
//
//   not applicable ─ `applies` is false, or it was there last time and is gone: that is said once
//   insufficient data ─ `applies` or `compliant` is neither true nor false, or cannot be evaluated
//   compliant, non compliant ─ as `compliant` says
import type { Json, Rule } from '../flow/definition.ts';
import {
  ExpressionError,
  parseExpression,
  parseTemplate,
  type Expression,
  type Scope,
  type Template,
} from '../flow/expression/index.ts';

/** The verdicts, by the words of the seed. */
export const COMPLIANCE = ['COMPLIANT', 'NON_COMPLIANT', 'NOT_APPLICABLE', 'INSUFFICIENT_DATA'] as const;
/** See {@link COMPLIANCE}. */
export type Compliance = (typeof COMPLIANCE)[number];

/** What became of one resource. */
export interface FoundResource {
  id: string;
  name: string;
  compliance: Compliance;
  /** ResultDetailCode, or null. */
  detail: string | null;
  /** What it was last time; null for one that was not known. */
  before: Compliance | null;
}

/** What an evaluation found for one rule. A rule that failed has found nothing, and says why. */
export interface RuleResult {
  rule: string;
  status: 'completed' | 'failed';
  reason: string | null;
  resources: readonly FoundResource[];
}

/** A resource as it was last found. */
export interface KnownResource {
  id: string;
  name: string;
  compliance: Compliance;
}

/** Detail of a resource that was known before and is gone. What is gone is not known any more. */
export const GONE = 'RESOURCE_GONE';

/** Was it told that this resource is gone? */
export function isGone({ compliance, detail }: Pick<FoundResource, 'compliance' | 'detail'>): boolean {
  return compliance === 'NOT_APPLICABLE' && detail === GONE;
}

/** A rule whose expressions were parsed. */
export interface CompiledRule {
  id: Expression;
  name: Expression | null;
  applies: Expression | null;
  compliant: Expression;
  detail: Template | null;
}

/** Parses a rule's expressions; throws an `ExpressionFault`, though not for a rule that was saved. */
export function compileRule({ resources, applies, compliant, detail }: Rule): CompiledRule {
  const parsed = (text: string | null): Expression | null => (text === null ? null : parseExpression(text));
  return {
    id: parseExpression(resources.id),
    name: parsed(resources.name),
    applies: parsed(applies),
    compliant: parseExpression(compliant),
    detail: detail === null ? null : parseTemplate(detail),
  };
}

/** Resources under their ids. The later of two with one id counts: a list that moves while it is paged shows some twice. */
export type Judged = Map<string, Omit<FoundResource, 'before'>>;

/**
 * Judges some resources into `judged`. `scope` holds what all of them see besides their own fields (`params`, `run`);
 * the whole resource is `resource`. Throws, in words, for a resource without an id.
 */
export function judge(
  rule: CompiledRule,
  resources: readonly Json[],
  { judged, scope }: { judged: Judged; scope: Scope },
): void {
  for (const resource of resources) {
    const seen: Scope = { ...fieldsOf(resource), ...scope, resource };
    const id = textOf(rule.id.evaluate(seen));
    if (id === null) throw new Error(`a resource has no id: ${rule.id.text} gives nothing for ${shortened(resource)}`);
    const name = rule.name === null ? id : (textOf(attempt(rule.name, seen)) ?? id);
    judged.set(id, { id, name, ...verdictOf(rule, seen) });
  }
}

/** The result of a rule: what was judged, what is gone since last time, and what each was then. */
export function conclude(rule: string, judged: Judged, known: readonly KnownResource[]): RuleResult {
  const before = new Map(known.map((one) => [one.id, one]));
  const resources: FoundResource[] = [];
  for (const found of judged.values()) {
    resources.push({ ...found, before: before.get(found.id)?.compliance ?? null });
  }
  for (const { id, name, compliance } of known) {
    if (judged.has(id)) continue;
    resources.push({ id, name, compliance: 'NOT_APPLICABLE', detail: GONE, before: compliance });
  }
  return { rule, status: 'completed', reason: null, resources };
}

function verdictOf(rule: CompiledRule, scope: Scope): { compliance: Compliance; detail: string | null } {
  const applies = rule.applies === null ? true : attempt(rule.applies, scope);
  if (applies === false) return { compliance: 'NOT_APPLICABLE', detail: null };
  const compliant = applies === true ? attempt(rule.compliant, scope) : null;
  if (compliant === true) return { compliance: 'COMPLIANT', detail: null };
  const detail = rule.detail === null ? null : textOf(attempt(rule.detail, scope));
  if (compliant === false) return { compliance: 'NON_COMPLIANT', detail };
  return { compliance: 'INSUFFICIENT_DATA', detail: null };
}

// A resource that cannot be judged is no reason to judge none.
function attempt(expression: Expression, scope: Scope): Json {
  try {
    return expression.evaluate(scope);
  } catch (error) {
    if (error instanceof ExpressionError) return null;
    throw error;
  }
}

function fieldsOf(resource: Json): Scope {
  return resource !== null && typeof resource === 'object' && !Array.isArray(resource) ? resource : {};
}

function textOf(value: Json): string | null {
  if (typeof value === 'string') return value === '' ? null : value;
  return typeof value === 'number' ? String(value) : null;
}

function shortened(resource: Json): string {
  const text = JSON.stringify(resource);
  return text.length <= 120 ? text : `${text.slice(0, 119)}…`;
}
