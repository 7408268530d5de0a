// The parameters of a run: what was given, held against what its flow declares; defaults fill in what was not. Pure.
import { didYouMean } from '../near-names.ts';
import type { Json, Param } from './definition.ts';

/** A parameter that is wrong: its name and one sentence. */
export interface ParamFault {
  name: string;
  message: string;
}

/** Parameters that a run can begin with, or everything that is wrong with them. */
export type RunParams = { ok: true; params: Record<string, Json> } | { ok: false; faults: readonly ParamFault[] };

/** Judges parameters. Nothing is converted: a number in quotes is a text. */
export function judgeParams(
  declared: Readonly<Record<string, Param>>,
  given: Readonly<Record<string, Json>>,
): RunParams {
  const faults: ParamFault[] = [];
  const params: [string, Json][] = [];
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(declared, name)) faults.push({ name, message: unknown(name, Object.keys(declared)) });
  }
  for (const [name, param] of Object.entries(declared)) {
    const value = Object.hasOwn(given, name) ? (given[name] as Json) : param.default;
    const message = value === undefined ? `The param ${name} has to be given.` : paramFault(name, param, value);
    if (message !== null) faults.push({ name, message });
    else params.push([name, value as Json]);
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, params: Object.fromEntries(params) };
}

function unknown(name: string, known: readonly string[]): string {
  if (known.length === 0) return `There is no param ${JSON.stringify(name)}: the flow has none.`;
  return `There is no param ${JSON.stringify(name)}${didYouMean(name, known) || `; there is: ${known.join(', ')}.`}`;
}

function paramFault(name: string, { type, oneOf }: Param, value: Json): string | null {
  if (!isOfType(value, type)) return `The param ${name} must be of type ${type}.`;
  if (oneOf === undefined || oneOf.includes(value)) return null;
  return `The param ${name} must be one of: ${oneOf.map(String).join(', ')}.`;
}

function isOfType(value: Json, type: Param['type']): boolean {
  if (type === 'text') return typeof value === 'string';
  if (type === 'boolean') return typeof value === 'boolean';
  return typeof value === 'number' && (type === 'number' || Number.isInteger(value));
}
