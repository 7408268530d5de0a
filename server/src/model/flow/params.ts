// Parameters of a run: what was given, checked against what the flow declares. Pure.
import { didYouMean } from '../near-names.ts';
import type { Json, Param } from './definition.ts';

/** Parameters that cannot be: each with the reason as a sentence. */
export interface ParamFault {
  name: string;
  message: string;
}

/** The parameters of a run, defaults filled in; or what is wrong with those that were given. */
export type CheckedParams = { ok: true; params: Record<string, Json> } | { ok: false; faults: ParamFault[] };

/** Checks what was given, an object or nothing at all. Nothing is coerced: `"3"` is no number. */
export function checkParams(
  declared: Readonly<Record<string, Param>>,
  given: Readonly<Record<string, unknown>> = {},
): CheckedParams {
  const names = Object.keys(declared);
  const faults: ParamFault[] = [];
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(declared, name)) continue;
    const hint = names.length === 0 ? '; this flow has none' : didYouMean(name, names);
    faults.push({ name, message: `There is no parameter ${name}${hint}${hint.endsWith('?') ? '' : '.'}` });
  }
  const params: Record<string, Json> = {};
  for (const [name, param] of Object.entries(declared)) {
    const value = Object.hasOwn(given, name) ? given[name] : param.default;
    const clause = value === undefined ? 'has to be given' : valueFault(param, value);
    if (clause === null) params[name] = value as Json;
    else faults.push({ name, message: `${name} ${clause}.` });
  }
  return faults.length === 0 ? { ok: true, params } : { ok: false, faults };
}

/** What is wrong with a value, as a clause; null for nothing. */
function valueFault({ type, oneOf }: Param, value: unknown): string | null {
  if (!isOfType(value, type)) return `must be ${WORDS[type]}`;
  if (oneOf && !oneOf.includes(value as Json))
    return `must be one of ${oneOf.map((one) => JSON.stringify(one)).join(', ')}`;
  return null;
}

const WORDS = { text: 'a text', number: 'a number', integer: 'an integer', boolean: 'true or false' } as const;

function isOfType(value: unknown, type: Param['type']): boolean {
  switch (type) {
    case 'text':
      return typeof value === 'string';
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'integer':
      return Number.isSafeInteger(value);
    case 'boolean':
      return typeof value === 'boolean';
  }
}

/** All that is wrong, as one line. */
export function faultsInWords(faults: readonly ParamFault[]): string {
  return faults.map(({ message }) => message).join(' ');
}
