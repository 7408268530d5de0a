import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { compileSchema } from '../src/api/payload-schema/compile.ts';
import { compilePattern, sizeOfPattern } from '../src/model/patterns.ts';
import { judgeSchema } from '../src/api/payload-schema/rules.ts';

// The schema that Ajv is given is not the stranger's but one that we wrote: it must mean the same. Plain Ajv, given
// the original, is the oracle.

const name = fc.constantFrom('a', 'b', 'c');
const scalar = fc.constantFrom<unknown>(null, true, false, 0, 1, 2, -1, 1.5, '', 'a', 'ab', 'abc');
const data = dataOf(3);
const count = fc.nat({ max: 3 });
const types = fc.constantFrom('null', 'boolean', 'object', 'array', 'number', 'integer', 'string');

function dataOf(depth: number): fc.Arbitrary<unknown> {
  if (depth === 0) return scalar;
  const part = dataOf(depth - 1);
  return fc.oneof(
    scalar,
    fc.array(part, { maxLength: 3 }),
    fc.dictionary(name, part, { maxKeys: 3, noNullPrototype: true }),
  );
}

const ORACLE = { strict: false, logger: false, meta: false, validateSchema: false, validateFormats: false } as const;

/** Keywords that hold no schemas, each with what it may hold. */
const LEAVES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  type: fc.oneof(types, fc.uniqueArray(types, { minLength: 1, maxLength: 3 })),
  enum: fc.array(data, { minLength: 1, maxLength: 4 }),
  const: data,
  multipleOf: fc.constantFrom(1, 0.5, 2),
  maximum: count,
  exclusiveMinimum: count,
  maxLength: count,
  minLength: count,
  pattern: fc.constantFrom('^a', 'b$', '^[ab]+$', 'c'),
  maxItems: count,
  minItems: count,
  uniqueItems: fc.boolean(),
  maxProperties: count,
  minProperties: count,
  required: fc.uniqueArray(name, { maxLength: 2 }),
  dependentRequired: fc.dictionary(name, fc.uniqueArray(name, { maxLength: 2 }), { maxKeys: 2, noNullPrototype: true }),
  $ref: fc.constantFrom('#/$defs/a', '#/$defs/b', '#anchored'),
  title: fc.string(),
};
const ONE = ['additionalProperties', 'propertyNames', 'items', 'contains', 'not', 'if', 'then', 'else'];
const MANY = ['prefixItems', 'allOf', 'anyOf', 'oneOf'];
const MAPS = ['properties', 'dependentSchemas'];
const UNEVALUATED = ['unevaluatedItems', 'unevaluatedProperties'];

/** Schemas of up to four keywords, up to `depth` in one another. */
function schemaOf(depth: number): fc.Arbitrary<object | boolean> {
  const leaves = Object.entries(LEAVES).map(([keyword, held]) => held.map((value) => [keyword, value] as const));
  const nested = depth === 0 ? [] : nestedIn(schemaOf(depth - 1));
  const keywords = fc.uniqueArray(fc.oneof(...leaves, ...nested), { maxLength: 4, selector: ([keyword]) => keyword });
  return fc.oneof(fc.boolean(), { weight: 9, arbitrary: keywords.map((entries) => Object.fromEntries(entries)) });
}

function nestedIn(part: fc.Arbitrary<unknown>): fc.Arbitrary<readonly [string, unknown]>[] {
  const parts = fc.array(part, { minLength: 1, maxLength: 3 });
  const held: [string[], fc.Arbitrary<unknown>][] = [
    [[...ONE, ...UNEVALUATED], part],
    [MANY, parts],
    [MAPS, fc.dictionary(name, part, { maxKeys: 3, noNullPrototype: true })],
    [['patternProperties'], fc.dictionary(fc.constantFrom('^a', 'b'), part, { maxKeys: 2, noNullPrototype: true })],
  ];
  return held.flatMap(([keywords, value]) =>
    keywords.map((keyword) => value.map((holds) => [keyword, holds] as const)),
  );
}

const definition = fc.record(
  {
    type: types,
    items: fc.constantFrom({ $ref: '#/$defs/a' }, true),
    properties: fc.constant({ a: { $ref: '#/$defs/b' } }),
  },
  { requiredKeys: [] },
);

const document = fc
  .record({ root: schemaOf(2), a: definition, b: definition })
  .map(({ root, a, b }) => ({ ...(root as object), $defs: { a, b, c: { $anchor: 'anchored', ...a } } }));

test('R115 the rewritten schema means what the original means: plain Ajv agrees on random schemas and data', () => {
  let judgedOk = 0;
  const property = fc.property(document, fc.array(data, { minLength: 1, maxLength: 8 }), (whole, samples) => {
    const judged = judgeSchema(whole);
    fc.pre(judged.ok);
    judgedOk++;
    const ours = compileSchema(judged.core);
    const oracle = new Ajv2020(ORACLE).compile(whole);
    for (const sample of samples)
      assert.equal(ours(sample) === null, oracle(sample), JSON.stringify({ whole, sample }));
  });
  fc.assert(property, { numRuns: 200, seed: 115 });
  assert.ok(judgedOk >= 200);
});

const atom = fc.constantFrom(
  'a',
  '.',
  '\\d',
  '\\{',
  '[a-z]',
  '[^]x]',
  '[\\]{9}]',
  '\\u00e9',
  '^',
  '$',
  '\\b',
  '(?:ab)',
  'a|b',
);
const repeats = fc.constantFrom('*', '+', '?', '{3}', '{2,}', '{0,7}', '{1,20}', '*?', '{4,9}?');

function regexOf(depth: number): fc.Arbitrary<string> {
  if (depth === 0) return atom;
  const part = regexOf(depth - 1);
  const pair = fc.tuple(part, part);
  return fc.oneof(
    atom,
    pair.map(([left, right]) => left + right),
    pair.map(([left, right]) => `(?:${left}|${right})`),
    fc.tuple(part, repeats).map(([inner, repeat]) => `(${inner})${repeat}`),
    fc.tuple(atom, repeats, part).map(([inner, repeat, rest]) => `${inner}${repeat}${rest}`),
  );
}

test('R115 the size of a pattern is bounded without compiling it: never below what RE2 makes of it', () => {
  const property = fc.property(regexOf(4), (pattern) => {
    let real: number;
    try {
      real = RE2JS.compile(RE2JS.translateRegExp(pattern)).programSize();
    } catch {
      return;
    }
    const bound = sizeOfPattern(pattern);
    assert.ok('refused' in bound || bound.size >= real, `${pattern}: ${JSON.stringify(bound)} but ${real}`);
  });
  fc.assert(property, { numRuns: 500, seed: 6 });
});

test('R115 patterns that Ajv would take for one another stay apart', () => {
  const [one, other] = [compilePattern('^a$'), compilePattern('^b$')];
  assert.notEqual(String(one), String(other));
  assert.deepEqual([one.test('a'), one.test('b'), other.test('a'), other.test('b')], [true, false, false, true]);
});
