// A scenario, as a document says it: its hook, the structures of what comes, and its steps.
import type { NamedShape, Scenario } from '../definition.ts';
import type { Use } from './expressions.ts';
import type { Faults, Span } from './fault.ts';
import { isGiven, type Fields } from './fields.ts';
import type { Unsaid } from './head.ts';
import { readHook } from './hook.ts';
import type { Samples } from './samples.ts';
import { readHookShapes, readShapes } from './shapes.ts';
import type { Value } from './source.ts';
import { readSteps } from './steps.ts';
import { checkUses, ofScenario, REQUEST_NAMES } from './uses.ts';

/** What a scenario means that does not say: a request is nothing that takes an hour, and many come at once. */
export const SCENARIO_UNSAID: Unsaid = { timeoutMs: 5 * 60_000, concurrency: { max: 100, then: 'queue' } };

/** Reads what a scenario has beside its head. Without steps its hook takes requests all the same (R78). */
export function readScenario(
  fields: Fields,
  { at, samples, faults }: { at: Span; samples: Samples; faults: Faults },
): Pick<Scenario, 'hook' | 'steps'> {
  const uses: Use[] = [];
  const known = readShapes(fields.value('shapes'), { samples, faults });
  const shapes = (value: Value | null): readonly NamedShape[] => readHookShapes(value, { known, samples, faults });
  const hook = readHook(fields.value('on'), { faults, uses, shapes });
  const around = ofScenario(hook.onMisfit === 'refuse' && hook.shapes.length > 0 ? hook.shapes : null);
  checkUses(uses, { ...around, scope: REQUEST_NAMES }, { variables: [], steps: [], faults });
  const steps = fields.value('steps');
  const none = !isGiven(steps) || (steps.kind === 'list' && steps.items.length === 0);
  return { hook, steps: none ? [] : readSteps(steps, { at, around, faults }) };
}
