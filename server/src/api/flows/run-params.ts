// The parameters of a run that is asked for by HTTP.
import type { Flow, Json } from '../../model/flow/definition.ts';
import { checkParams } from '../../model/flow/params.ts';
import { escapePointer } from '../../model/json-bytes.ts';
import { problemOf, Refused } from '../../model/problem.ts';

/** What stands at this place of the body, checked; refused `invalid-request`, each that is wrong by name. */
export function paramsFor(
  { params }: Flow,
  given: Readonly<Record<string, unknown>>,
  at: '' | '/params',
): Record<string, Json> {
  const checked = checkParams(params, given);
  if (checked.ok) return checked.params;
  const faults = checked.faults.map(({ name, message }) => {
    return { pointer: `${at}/${escapePointer(name)}`, code: 'invalid-value' as const, detail: message };
  });
  throw new Refused(problemOf(faults, 'invalid-request'));
}
