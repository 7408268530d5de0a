// An evaluation: every rule of a policy set over its resources (R2, R37–R42). A rule that fails stops no other.
import { setImmediate } from 'node:timers/promises';
import type { Json, Rule } from '../../model/flow/definition.ts';
import {
  compileRule,
  conclude,
  judge,
  type Judged,
  type KnownResource,
  type RuleResult,
} from '../../model/policy/judge.ts';
import type { Evaluate, EvaluationOf } from '../policy-door.ts';
import type { SourceParts } from './reading.ts';
import { listResources } from './sources.ts';

/** Resources judged in a row before others have a turn: some milliseconds. */
const CHUNK = 500;

/** Makes what evaluates policy sets: all rules, in order. */
export function createEvaluate(parts: SourceParts): Evaluate {
  return async (evaluation) => {
    const { trace = null } = evaluation;
    const sources: SourceParts = { ...parts, fetch: (request) => parts.fetch({ ...request, trace }) };
    const lists = new Map<string, Promise<Json[]>>();
    const results: RuleResult[] = [];
    for (const rule of evaluation.set.rules) {
      evaluation.signal.throwIfAborted();
      const known = await evaluation.known(rule.name);
      const result = await evaluateRule(rule, { evaluation, sources, lists, known });
      evaluation.log(rule.name, described(result));
      results.push(result);
    }
    return results;
  };
}

interface RuleParts {
  evaluation: EvaluationOf;
  sources: SourceParts;
  lists: Map<string, Promise<Json[]>>;
  known: readonly KnownResource[];
}

async function evaluateRule(rule: Rule, parts: RuleParts): Promise<RuleResult> {
  const { signal, scope } = parts.evaluation;
  try {
    const compiled = compileRule(rule);
    const resources = await listOnce(rule, parts);
    const judged: Judged = new Map();
    for (let at = 0; at < resources.length; at += CHUNK) {
      judge(compiled, resources.slice(at, at + CHUNK), { judged, scope });
      await setImmediate();
      signal.throwIfAborted();
    }
    return conclude(rule.name, judged, parts.known);
  } catch (error) {
    signal.throwIfAborted();
    return { rule: rule.name, status: 'failed', reason: (error as Error).message, resources: [] };
  }
}

function listOnce({ resources: { from } }: Rule, { evaluation, sources, lists }: RuleParts): Promise<Json[]> {
  const { signal, scope, secrets } = evaluation;
  const name = JSON.stringify(from);
  const list = lists.get(name) ?? listResources(from, sources, { scope: { ...scope, secret: { ...secrets } }, signal });
  lists.set(name, list);
  return list;
}

function described({ status, reason, resources }: RuleResult): string {
  if (status === 'failed') return `failed: ${reason}`;
  const counts = new Map<string, number>();
  for (const { compliance } of resources) counts.set(compliance, (counts.get(compliance) ?? 0) + 1);
  const changed = resources.filter(({ compliance, before }) => before !== null && before !== compliance).length;
  const words = [...counts].map(([compliance, count]) => `${count} ${compliance}`).join(', ');
  return `${words === '' ? 'no resources' : words}; ${changed} changed since last time`;
}
