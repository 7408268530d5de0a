// The parameters of a flow's runs, as a document declares them: typed, with defaults and the values allowed.
import type { Json, Param } from '../definition.ts';
import { notOneOf, type Faults } from './fault.ts';
import { choiceOf, describe, fieldsOf, isGiven, jsonOf, textOf, type TextRule } from './fields.ts';
import type { Value } from './source.ts';

/** A name that expressions can say. */
export const NAME: TextRule = {
  max: 64,
  pattern: /^[A-Za-z_][A-Za-z0-9_]*$/,
  looks: 'must have letters, digits and _ only, no digit first, so that expressions can say it',
};

const MAX_PARAMS = 100;
const TYPES = ['text', 'number', 'integer', 'boolean'] as const;
const PARAM_FIELDS = ['type', 'default', 'oneOf', 'description'];

/** Reads `params`. What is wrong is told and left out. */
export function readParams(value: Value, faults: Faults): Record<string, Param> | null {
  if (value.kind !== 'map') {
    faults.add(value, `params must be a map of names, not ${describe(value)}`);
    return null;
  }
  if (value.entries.length > MAX_PARAMS) faults.add(value, `a flow has at most ${MAX_PARAMS} params`);
  const params: [string, Param][] = [];
  for (const { name, at, value: inner } of value.entries) {
    textOf({ kind: 'scalar', value: name, ...at }, 'the name of a param', faults, NAME);
    const param = readParam(inner, faults);
    if (param !== null) params.push([name, param]);
  }
  return Object.fromEntries(params);
}

/** A map, or the word of its type alone; nothing is a text that has to be given. */
function readParam(value: Value, faults: Faults): Param | null {
  if (!isGiven(value)) return { type: 'text', description: '' };
  if (value.kind !== 'map') {
    const type = choiceOf(value, 'type of params', { words: TYPES, faults });
    return type === null ? null : { type, description: '' };
  }
  const fields = fieldsOf(value, 'a param', PARAM_FIELDS, faults);
  if (fields === null) return null;
  const written = fields.value('type');
  const type = (isGiven(written) ? choiceOf(written, 'type of params', { words: TYPES, faults }) : null) ?? 'text';
  const description = fields.value('description');
  const oneOf = fields.value('oneOf');
  const given = fields.value('default');
  const allowed = isGiven(oneOf) ? readAllowed(oneOf, type, faults) : null;
  const param: Param = {
    type,
    description: (isGiven(description) ? textOf(description, 'description', faults, { max: 500 }) : null) ?? '',
    ...(allowed === null ? {} : { oneOf: allowed }),
  };
  if (!isGiven(given)) return param;
  if (!isOfType(given, type, faults)) return null;
  const json = jsonOf(given);
  if (allowed !== null && !allowed.includes(json)) {
    const words = allowed.map(String);
    faults.add(given, notOneOf('value in oneOf like the default', describe(given).replaceAll('"', ''), words), words);
  }
  return { ...param, default: json };
}

function readAllowed(value: Value, type: Param['type'], faults: Faults): Json[] | null {
  if (value.kind !== 'list' || value.items.length === 0) {
    faults.add(value, `oneOf must be a list of values, not ${describe(value)}`);
    return null;
  }
  return value.items.filter((item) => isOfType(item, type, faults)).map(jsonOf);
}

/** Is it a value of this type? Told where it is not. */
export function isOfType(value: Value, type: Param['type'], faults: Faults): boolean {
  const json = value.kind === 'scalar' ? value.value : null;
  const fits =
    type === 'text'
      ? typeof json === 'string'
      : type === 'boolean'
        ? typeof json === 'boolean'
        : typeof json === 'number' && (type === 'number' || Number.isInteger(json));
  if (!fits) faults.add(value, `the value must be of type ${type}, not ${describe(value)}`);
  return fits;
}
