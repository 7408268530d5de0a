// Expressions under anything: any text is parsed or refused at a place in it, and whatever was parsed ends well.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInThisContext } from 'node:vm';
import fc from 'fast-check';
import {
  ExpressionError,
  ExpressionFault,
  functionSignatures,
  isTrue,
  parseExpression,
  parseTemplate,
} from './index.ts';
import type { Json, Scope } from './index.ts';

const functions = functionSignatures().map((signature) => signature.slice(0, signature.indexOf('(')));
const budget = { steps: 20_000, size: 200_000 };

const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Json>(
      null,
      true,
      false,
      0,
      -0,
      1,
      -2.5,
      1e308,
      1_764_000_000_000,
      '',
      'a',
      'x',
      '2026-11-23',
      '🔑',
    ),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'constructor', 'x'), tie('value'), { maxKeys: 4 }),
  ),
})).value;
const scopes: fc.Arbitrary<Scope> = fc.record({ a: json, b: json, c: json, now: json }, { requiredKeys: ['a'] });

/** Texts that parse, for the most part: every function, with arguments of any kind. */
const { source } = fc.letrec<{ source: string }>((tie) => {
  const inner = tie('source');
  const lambda = inner.map((body) => `x -> ${body}`);
  return {
    source: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(
        'a',
        'b',
        'c',
        'x',
        'now',
        'a.a',
        "b['x']",
        'c[0]',
        'a.__proto__',
        'secret.KEY',
        '1',
        '-2.5',
        '1e300',
      ),
      fc.constantFrom(
        "''",
        "'a'",
        "'x1'",
        "'YYYY-MM-DD'",
        "'Europe/Berlin'",
        "'days'",
        "'hex'",
        "'(a|x)+'",
        'null',
        'true',
        '[]',
      ),
      fc
        .tuple(inner, fc.constantFrom(...'+ - * / % == != < <= > >= in && || ??'.split(' ')), inner)
        .map((p) => `(${p.join(' ')})`),
      fc.tuple(inner, inner, inner).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      fc.tuple(fc.constantFrom('!', '-', 'not '), inner).map(([sign, of]) => `(${sign}${of})`),
      fc.array(inner, { maxLength: 3 }).map((entries) => `[${entries.join('; ')}]`),
      fc.tuple(inner, inner).map(([a, b]) => `{ a: ${a}, 'b': ${b} }`),
      fc.tuple(inner, inner).map(([of, by]) => `(${of})[${by}].a`),
      fc
        .tuple(
          fc.constantFrom(...functions),
          fc.array(fc.oneof({ arbitrary: inner, weight: 4 }, lambda), { maxLength: 4 }),
        )
        .map(([name, args]) => `${name}(${args.join(', ')})`),
    ),
  };
});

/** The expression, or undefined where it is refused, which it may only be at a place of its own. */
function parsed(text: string, parse: typeof parseExpression): ReturnType<typeof parseExpression> | undefined {
  try {
    return parse(text);
  } catch (fault) {
    assert.ok(fault instanceof ExpressionFault, String(fault));
    assert.ok(fault.at >= 0 && fault.length >= 0 && fault.at + fault.length <= text.length, fault.message);
    assert.match(fault.message, /[.?]$/);
    return undefined;
  }
}

function evaluated(text: string, scope: Scope, parse = parseExpression): Json | undefined {
  const expression = parsed(text, parse);
  try {
    return expression?.evaluate({ ...scope, secret: { KEY: 'k' } }, { budget });
  } catch (error) {
    assert.ok(error instanceof ExpressionError, `${text}: ${String(error)}`);
    return undefined;
  }
}

/** Nothing but JSON: no undefined, no NaN, no prototype but those of lists and objects. */
function isJson(value: unknown): boolean {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  if (typeof value !== 'object' || ![Object.prototype, null].includes(Object.getPrototypeOf(value))) return false;
  return Object.values(value).every(isJson);
}

test('any text is an expression or is refused at a place in it, and never anything else', () => {
  const pieces = fc.array(
    fc.oneof(
      source,
      fc.constantFrom(
        ' ',
        '(',
        ')',
        '[',
        ']',
        '{',
        '}',
        ',',
        ';',
        '->',
        '?',
        ':',
        '.',
        "'",
        '"',
        '\\',
        '${',
        '$${',
        'not',
        '💥',
      ),
    ),
    { maxLength: 12 },
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    pieces.map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      parsed(text, parseExpression);
      parsed(text, parseTemplate);
      parsed(`a \${ ${text} } b`, parseTemplate);
    }),
    { numRuns: 1_500 },
  );
});

test('whatever parses ends within its budget, with JSON or an ExpressionError, and leaves its scope as it was', () => {
  let values = 0;
  fc.assert(
    fc.property(source, scopes, (text, scope) => {
      const before = JSON.stringify(scope);
      const value = evaluated(text, scope);
      assert.equal(JSON.stringify(scope), before, text);
      if (value === undefined) return;
      assert.ok(isJson(value), text);
      values++;
    }),
    { numRuns: 3_000 },
  );
  assert.ok(values > 500, `only ${values} of them had a value`);
  assert.deepEqual(Object.keys(Object.prototype), []);
});

test('every function takes anything for its arguments', () => {
  const args = fc.array(fc.constantFrom('a', 'b', 'c', "'x'", '2', '', 'null', "'Asia/Tokyo'"), { maxLength: 4 });
  fc.assert(
    fc.property(fc.constantFrom(...functions), args, scopes, (name, list, scope) => {
      const value = evaluated(`${name}(${list.join(';')})`, scope);
      assert.ok(value === undefined || isJson(value), name);
    }),
    { numRuns: 3_000 },
  );
});

test('operators on numbers and conditions agree with JavaScript', () => {
  const number = fc.integer({ min: -50, max: 50 });
  const { formula } = fc.letrec<{ formula: string }>((tie) => ({
    formula: fc.oneof(
      { maxDepth: 5 },
      number.map((n) => (n < 0 ? `(${n})` : String(n))),
      fc.tuple(tie('formula'), fc.constantFrom('+', '-', '*'), tie('formula')).map((parts) => parts.join(' ')),
      fc.tuple(tie('formula'), fc.constantFrom('&&', '||'), tie('formula')).map((parts) => `(${parts.join(' ')})`),
      fc.tuple(tie('formula'), tie('formula'), tie('formula')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      tie('formula').map((inner) => `(${inner} ? 1 : 0)`),
    ),
  }));
  fc.assert(
    fc.property(formula, (text) => {
      const expected = runInThisContext(`(${text})`) as number;
      assert.equal(parseExpression(text).evaluate({}), expected, text);
      assert.equal(isTrue(parseExpression(`!!(${text})`).evaluate({})), Boolean(expected), text);
    }),
    { numRuns: 500 },
  );
});
