// The keywords of JSON Schema 2020-12 as a table: what each holds, and where it is applied. Pure.

/** What a keyword holds. Keywords that are not in the table are annotations and have no effect, as the draft says. */
export type Keyword =
  /** `here`: applied to the same value; `below`: to values inside it; `aside`: applied only when referred to. */
  | { kind: 'schema' | 'schemas' | 'schema-map'; place: 'here' | 'below' | 'aside' }
  | { kind: 'reference' | 'identity' }
  /** `check` says what the value must be when it is not; `as` is the name in the core, when it is another one. */
  | { kind: 'value'; check: (value: unknown) => string | null; as?: string };

const NUMBER = value('a finite number', (held) => Number.isFinite(held));
const COUNT = value('a whole number from 0', (held) => Number.isSafeInteger(held) && (held as number) >= 0);
const TEXT = value('a text', (held) => typeof held === 'string');

/** Every keyword that has an effect. */
export const KEYWORDS: Readonly<Record<string, Keyword>> = {
  $schema: { kind: 'identity' },
  $id: { kind: 'identity' },
  $anchor: { kind: 'identity' },
  $dynamicAnchor: { kind: 'identity' },
  $ref: { kind: 'reference' },
  // In a schema of one document every dynamic anchor is its own outermost one, so the reference is an ordinary one.
  $dynamicRef: { kind: 'reference' },
  $defs: { kind: 'schema-map', place: 'aside' },
  definitions: { kind: 'schema-map', place: 'aside' },

  allOf: { kind: 'schemas', place: 'here' },
  anyOf: { kind: 'schemas', place: 'here' },
  oneOf: { kind: 'schemas', place: 'here' },
  not: { kind: 'schema', place: 'here' },
  if: { kind: 'schema', place: 'here' },
  then: { kind: 'schema', place: 'here' },
  else: { kind: 'schema', place: 'here' },
  dependentSchemas: { kind: 'schema-map', place: 'here' },

  properties: { kind: 'schema-map', place: 'below' },
  patternProperties: { kind: 'schema-map', place: 'below' },
  additionalProperties: { kind: 'schema', place: 'below' },
  propertyNames: { kind: 'schema', place: 'below' },
  prefixItems: { kind: 'schemas', place: 'below' },
  items: { kind: 'schema', place: 'below' },
  contains: { kind: 'schema', place: 'below' },
  unevaluatedItems: { kind: 'schema', place: 'below' },
  unevaluatedProperties: { kind: 'schema', place: 'below' },

  type: value('one or more of null, boolean, object, array, number, integer, string', isType),
  enum: { ...value('a list of values', Array.isArray), as: 'equalsOneOf' },
  const: { ...value('a value', () => true), as: 'equals' },
  multipleOf: value('a number above 0', (held) => Number.isFinite(held) && (held as number) > 0),
  maximum: NUMBER,
  exclusiveMaximum: NUMBER,
  minimum: NUMBER,
  exclusiveMinimum: NUMBER,
  maxLength: COUNT,
  minLength: COUNT,
  pattern: TEXT,
  format: TEXT,
  maxItems: COUNT,
  minItems: COUNT,
  uniqueItems: { ...value('true or false', (held) => typeof held === 'boolean'), as: 'distinct' },
  maxContains: COUNT,
  minContains: COUNT,
  maxProperties: COUNT,
  minProperties: COUNT,
  required: value('a list of different names', isNames),
  dependentRequired: { ...value('an object of lists of different names', isNameLists), as: 'dependsOn' },
};

/** Keywords that would silently have no effect although their author expects one, each with what to say. */
export const OBSOLETE: Readonly<Record<string, string>> = {
  $vocabulary: 'meta-schemas of your own are not taken',
  $recursiveRef: '$recursiveRef is of an older draft; use $dynamicRef or $ref',
  $recursiveAnchor: '$recursiveAnchor is of an older draft; use $dynamicAnchor',
  additionalItems: 'additionalItems is of an older draft; use items beside prefixItems',
  dependencies: 'dependencies is of an older draft; use dependentRequired or dependentSchemas',
  $async: '$async is no keyword of JSON Schema',
};

/** The formats that are checked; any other is an annotation, as the draft says. All take time linear in the text. */
export const FORMATS: ReadonlySet<string> = new Set([
  'date',
  'time',
  'date-time',
  'duration',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uri',
  'uri-reference',
  'uri-template',
  'uuid',
  'json-pointer',
  'relative-json-pointer',
]);

/** How many values a JSON value is made of, itself included. */
export function countJson(json: unknown): number {
  if (typeof json !== 'object' || json === null) return 1;
  return Object.values(json).reduce((sum: number, value) => sum + countJson(value), 1);
}

function value(
  wanted: string,
  holds: (held: unknown) => boolean,
): { kind: 'value'; check: (held: unknown) => string | null } {
  return { kind: 'value', check: (held) => (holds(held) ? null : wanted) };
}

function isType(held: unknown): boolean {
  const types = Array.isArray(held) ? held : [held];
  const known = ['null', 'boolean', 'object', 'array', 'number', 'integer', 'string'];
  return (
    types.length > 0 && new Set(types).size === types.length && types.every((type) => known.includes(type as string))
  );
}

function isNames(held: unknown): boolean {
  if (!Array.isArray(held) || !held.every((name) => typeof name === 'string')) return false;
  return new Set(held).size === held.length && !held.includes('__proto__');
}

function isNameLists(held: unknown): boolean {
  return (
    typeof held === 'object' &&
    held !== null &&
    !Array.isArray(held) &&
    Object.values(held).every(isNames) &&
    !Object.hasOwn(held, '__proto__')
  );
}
