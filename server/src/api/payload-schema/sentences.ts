// What Ajv found, told to people: one place in the data and one sentence. Pure.
import type { ErrorObject } from 'ajv';
import { escapePointer } from '../../model/json-bytes.ts';

type Params = Record<string, unknown>;

/** Longest piece of a schema or of data that is repeated in a sentence. */
const LONGEST = 80;

const SENTENCES: Readonly<Record<string, (params: Params) => string>> = {
  type: ({ type }) => `must be ${withArticle(type)}`,
  equals: () => 'must be the one value the schema names',
  equalsOneOf: () => 'must be one of the values the schema lists',
  distinct: () => 'must not hold the same item twice',
  required: ({ missingProperty }) => `must have the property "${cut(missingProperty)}"`,
  dependsOn: ({ property, missingProperty }) =>
    `must have the property "${cut(missingProperty)}" since it has "${cut(property)}"`,
  additionalProperties: () => 'is not a property the schema allows',
  unevaluatedProperties: () => 'is not a property the schema allows',
  propertyNames: ({ propertyName }) => `has the property "${cut(propertyName)}", whose name the schema does not allow`,
  'false schema': () => 'is not allowed by the schema',
  pattern: ({ pattern }) => `must match the pattern ${cut(pattern)}`,
  format: ({ format }) => `must be of the format ${cut(format)}`,
  multipleOf: ({ multipleOf }) => `must be a multiple of ${String(multipleOf)}`,
  minimum: ({ limit }) => `must be ${String(limit)} or more`,
  maximum: ({ limit }) => `must be ${String(limit)} or less`,
  exclusiveMinimum: ({ limit }) => `must be more than ${String(limit)}`,
  exclusiveMaximum: ({ limit }) => `must be less than ${String(limit)}`,
  minLength: ({ limit }) => `must have at least ${plural(limit, 'character')}`,
  maxLength: ({ limit }) => `must have at most ${plural(limit, 'character')}`,
  minItems: ({ limit }) => `must have at least ${plural(limit, 'item')}`,
  maxItems: ({ limit }) => `must have at most ${plural(limit, 'item')}`,
  items: ({ limit }) => `must have at most ${plural(limit, 'item')}`,
  unevaluatedItems: ({ len }) => `must have at most ${plural(len, 'item')}`,
  minProperties: ({ limit }) => `must have at least ${plural(limit, 'property', 'properties')}`,
  maxProperties: ({ limit }) => `must have at most ${plural(limit, 'property', 'properties')}`,
  contains: ({ minContains }) => `must hold at least ${plural(minContains, 'item')} of the kind the schema asks for`,
  anyOf: () => 'must fit at least one of the forms the schema allows',
  oneOf: ({ passingSchemas }) =>
    passingSchemas
      ? 'must fit exactly one of the forms the schema allows, not several'
      : 'must fit one of the forms the schema allows',
  not: () => 'must not have the form the schema excludes',
};

/** The fault to report out of Ajv's list, which ends with what decided. */
export function describeErrors(errors: readonly ErrorObject[]): { pointer: string; message: string } {
  // `if` only says that `then` or `else` failed; what failed stands before it.
  const decisive = errors.findLast(({ keyword }) => keyword !== 'if') ?? errors.at(-1);
  if (!decisive) return { pointer: '', message: 'does not fit the schema' };
  const described = describe(decisive);
  const among = decisive.keyword === 'anyOf' || (decisive.keyword === 'oneOf' && !decisive.params['passingSchemas']);
  const nearest = among ? deepest(errors.slice(0, -1), decisive.instancePath) : undefined;
  if (!nearest) return described;
  const { pointer, message } = describe(nearest);
  return { ...described, message: `${described.message}; nearest: ${cut(pointer)} ${message}` };
}

function describe(error: ErrorObject): { pointer: string; message: string } {
  const params = error.params as Params;
  const extra = params['additionalProperty'] ?? params['unevaluatedProperty'];
  const pointer = typeof extra === 'string' ? `${error.instancePath}/${escapePointer(extra)}` : error.instancePath;
  return { pointer, message: SENTENCES[error.keyword]?.(params) ?? `does not fit ${error.keyword} of the schema` };
}

// The branch that got furthest into the data is the one that was probably meant.
function deepest(errors: readonly ErrorObject[], above: string): ErrorObject | undefined {
  let found: ErrorObject | undefined;
  for (const error of errors.slice(0, 1_000)) {
    if (error.instancePath.length > (found?.instancePath ?? above).length) found = error;
  }
  return found;
}

function withArticle(type: unknown): string {
  const types = Array.isArray(type) ? type : String(type).split(',');
  return types
    .map((name) => (name === 'null' ? 'null' : `${/^[aio]/.test(String(name)) ? 'an' : 'a'} ${String(name)}`))
    .join(' or ');
}

function plural(count: unknown, one: string, many = `${one}s`): string {
  return `${String(count)} ${count === 1 ? one : many}`;
}

function cut(text: unknown): string {
  const whole = String(text);
  return whole.length > LONGEST ? `${whole.slice(0, LONGEST)}…` : whole;
}
