// Filters: the grammar, the meaning, the complaints, and a comparison with a naive evaluator.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseDateTime } from '../cloud-events/time.ts';
import { compileFilter } from './index.ts';
import { parseFilter } from './parse.ts';
import type { FilterTree, Literal, Path } from './tree.ts';

const auditLog = {
  attributes: {
    specversion: '1.0',
    id: 'uJoQ5JMB_HAPiq2sSllt',
    source: '//global.api.greenlake.hpe.com/audit-log',
    type: 'com.hpe.greenlake.audit-log.v1.logs.created',
    time: '2024-12-20T12:34:53.161Z',
    sequence: 7,
    constructor: 'an extension may be called so',
  },
  data: {
    user: { username: 'john.doe@hpedev.io' },
    workspace: { id: '3009de2825f211ec8a84fedebcb4a754', workspace_name: null },
    category: 'user_management',
    description: "it's logged out",
    created_at: 1734698093161,
    has_details: false,
    score: -1.5,
    tags: ['a', 'b'],
    'ip-address.v4': '194.9.99.5',
    source: 'a field of the data',
    eq: 1,
    ключ: 'Ω',
    when: '2024-12-20T13:34:53.161+01:00',
  },
};

function matches(text: string, event: { attributes: Record<string, unknown>; data: unknown } = auditLog): boolean {
  const filter = compileFilter(text);
  assert.ok(filter.ok, filter.ok ? '' : `${text}: ${filter.message}`);
  assert.equal(filter.text, text);
  return filter.matches(event);
}

test('wire 1 filters: comparisons, lists and functions on data', () => {
  const table: [string, boolean][] = [
    ["category eq 'user_management'", true],
    ["category eq 'User_Management'", false],
    ["category ne 'user_management'", false],
    ["user/username eq 'john.doe@hpedev.io'", true],
    ["startswith(user/username, 'john.')", true],
    ["startswith(user/username,'JOHN')", false],
    ["startswith(score, '-1')", false],
    ["startswith(missing, '')", false],
    ["category in ('a', 'user_management')", true],
    ["category in ('a')", false],
    ['score in (1, -1.5, null)', true],
    ['missing in (1, null)', true],
    ['has_details in (true, false)', true],
    ['created_at in (1, 2024-12-20T12:34:53.161Z)', true],
    ["description eq 'it''s logged out'", true],
    ["description eq ''''", false],
    ['score lt -1', true],
    ['score ge -1.5', true],
    ['score gt -1.5', false],
    ['score le -1.5', true],
    ['score eq -1.50', true],
    ['has_details eq false', true],
    ["category gt 'user'", true],
    ["ip-address.v4 eq '194.9.99.5'", true],
    ["ключ eq 'Ω'", true],
    ['eq eq 1', true],
    ["\tcategory\r\n eq 'user_management' ", true],
  ];
  for (const [text, expected] of table) assert.equal(matches(text), expected, text);
});

test('wire 1 filters: what is missing equals null, and only what leads through objects is found', () => {
  const table: [string, boolean][] = [
    ['workspace/workspace_name eq null', true],
    ['workspace/workspace_name ne null', false],
    ['missing eq null', true],
    ['missing/deeper/still eq null', true],
    ['category/length eq null', true],
    ['tags/length eq null', true],
    ['tags/0 eq null', true],
    ['tags eq null', false],
    ['category ne null', true],
    ["missing ne 'x'", true],
    ["missing eq 'x'", false],
    ["missing gt ''", false],
    ['__proto__ eq null', true],
    ['__proto__/toString eq null', true],
    ['constructor eq null', true],
    ['user/constructor/name eq null', true],
    ['user/hasOwnProperty ne null', false],
  ];
  for (const [text, expected] of table) assert.equal(matches(text), expected, text);
  const own = { attributes: {}, data: JSON.parse('{"__proto__":{"a":1},"constructor":2}') as unknown };
  assert.equal(matches('__proto__/a eq 1 and constructor eq 2', own), true);
});

test('wire 1 filters: data that is no object has no fields', () => {
  for (const data of [undefined, null, 'text', 5, true, [{ a: 1 }], Buffer.from('{"a":1}')]) {
    assert.equal(matches('a eq null', { attributes: {}, data }), true);
    assert.equal(matches('length eq null', { attributes: {}, data }), true);
  }
});

test('wire 1 filters: values of different kinds never compare, save by ne', () => {
  const table: [string, boolean][] = [
    ["score eq '-1.5'", false],
    ["score ne '-1.5'", true],
    ["score lt 'z'", false],
    ['category gt 0', false],
    ['has_details eq 0', false],
    ["has_details eq 'false'", false],
    ['tags eq 0', false],
    ['tags ne 0', true],
    ['user lt 5', false],
    ['category ge 2024-12-20T00:00:00Z', false],
    ['category lt 2024-12-20T00:00:00Z', false],
    ['category ne 2024-12-20T00:00:00Z', true],
  ];
  for (const [text, expected] of table) assert.equal(matches(text), expected, text);
});

test('R73 wire 1 filters: a time literal is an instant, for RFC 3339 strings and for epoch milliseconds', () => {
  const table: [string, boolean][] = [
    ['created_at gt 2024-12-20T12:34:53Z', true],
    ['created_at eq 2024-12-20T12:34:53.161Z', true],
    ['created_at lt 2024-12-20T12:34:53.161Z', false],
    ['when eq 2024-12-20T12:34:53.161Z', true],
    ['when ge 2024-12-20t12:34:53.1610z', true],
    ['$event/time eq 2024-12-20T21:34:53.161+09:00', true],
    ['$event/time lt 2025-01-01T00:00:00Z', true],
    ["$event/time lt '2025'", true],
  ];
  for (const [text, expected] of table) assert.equal(matches(text), expected, text);
});

test('wire 1 filters: attributes are named by $event/, and never hide a field of the data', () => {
  const table: [string, boolean][] = [
    ["$event/type eq 'com.hpe.greenlake.audit-log.v1.logs.created'", true],
    ["startswith($event/source, '//global')", true],
    ["source eq 'a field of the data'", true],
    ['$event/sequence eq 7', true],
    ['$event/subject eq null', true],
    ["$event/constructor eq 'an extension may be called so'", true],
    ['$event/valueof eq null', true],
  ];
  for (const [text, expected] of table) assert.equal(matches(text), expected, text);
});

test('wire 1 filters: not binds closest, then and, then or', () => {
  const event = { attributes: {}, data: { t: 1, f: 0 } };
  const table: [string, boolean][] = [
    ['t eq 1 or f eq 1 and f eq 1', true],
    ['(t eq 1 or f eq 1) and f eq 1', false],
    ['not f eq 1 and t eq 1', true],
    ['not (f eq 1 or t eq 1)', false],
    ['not not t eq 1', true],
    ['not f eq 1 or f eq 1', true],
    ['not(t eq 1)or(f eq 0)', true],
    ['f eq 1 or f eq 2 or f eq 3 or f eq 4 or f eq 0', true],
  ];
  for (const [text, expected] of table) assert.equal(matches(text, event), expected, text);
});

test('wire 1 filters: a bad filter is refused with the offending token and its place', () => {
  const table: [text: string, token: string, position: number, message: RegExp][] = [
    ['', '', 0, /empty/],
    ['   ', '', 3, /empty/],
    ['category', '', 8, /ends where an operator/],
    ['category eq', '', 11, /ends where a 'string'/],
    ["category = 'x'", '=', 9, /Expected an operator.*found =/],
    ["category == 'x'", '==', 9, /operator/],
    ['category eq "x"', '"x"', 12, /single quotes/],
    ["category EQ 'x'", 'EQ', 9, /written eq/],
    ['a eq 1 AND b eq 2', 'AND', 7, /written and/],
    ['a eq 1 b', 'b', 7, /end of the filter/],
    ['a eq 1, b eq 2', ',', 6, /found ,/],
    ['(a eq 1', '', 7, /ends where \) should follow/],
    ['a eq 1)', ')', 6, /found \)/],
    ['()', ')', 1, /name of a field/],
    ['a in ()', ')', 6, /found \)/],
    ['a in (1', '', 7, /comma/],
    ['a in (1 2)', '2', 8, /comma/],
    ["a in 'x'", "'x'", 5, /Expected \(/],
    ['a eq null and b gt null', 'null', 19, /no order/],
    ['a ge true', 'true', 5, /no order/],
    ["a eq 'x", "'x", 5, /closing quote/],
    ["a eq 'x'' ", "'x'' ", 5, /closing quote/],
    ["'x' eq a", "'x'", 0, /name of a field/],
    ['5 eq a', '5', 0, /name of a field/],
    ['a eq b', 'b', 5, /Expected a 'string'/],
    ['a eq 1e5', '1e5', 5, /number/],
    ['a eq .5', '.5', 5, /number/],
    ['a eq 2024-02-30T00:00:00Z', '2024-02-30T00:00:00Z', 5, /time/],
    ['startswith(a)', ')', 12, /Expected ,/],
    ['startswith(a, 1)', '1', 14, /second argument/],
    ["startswith('a', 'b')", "'a'", 11, /name of a field/],
    ["endswith(a, 'b')", '(', 8, /operator/],
    ['a/ eq 1', 'a/', 0, /no field/],
    ['/a eq 1', '/a', 0, /no field/],
    ['a//b eq 1', 'a//b', 0, /no field/],
    ['a;b eq 1', 'a;b', 0, /no field/],
    ['\u0000 eq 1', '\u0000', 0, /no field/],
    ['$event eq 1', '$event', 0, /no attribute/],
    ['$event/data eq 1', '$event/data', 0, /no attribute/],
    ['$event/Type eq 1', '$event/Type', 0, /no attribute/],
    ['$event/a/b eq 1', '$event/a/b', 0, /no attribute/],
    ['$filter eq 1', '$filter', 0, /no attribute/],
    ['not', '', 3, /name of a field should follow/],
    ['\u00a0a eq 1', '\u00a0', 0, /cannot stand/],
  ];
  for (const [text, token, position, message] of table) {
    const filter = compileFilter(text);
    assert.ok(!filter.ok, text);
    assert.deepEqual([filter.token, filter.position], [token, position], text);
    assert.match(filter.message, message);
  }
});

test('wire 1 filters: length, depth and number of terms are bounded, and no input overflows the stack', () => {
  const bad = (text: string): string => {
    const filter = compileFilter(text);
    assert.ok(!filter.ok);
    return filter.message;
  };
  assert.match(bad('('.repeat(10_000)), /4096 characters/);
  assert.match(bad('('.repeat(4_000)), /deeper than 32/);
  assert.match(bad('not '.repeat(1_000)), /deeper than 32/);
  assert.match(bad(`a in (${'1,'.repeat(600)}1)`), /exceeds 500/);
  assert.match(bad(Array(400).fill('a/b eq 1').join(' or ')), /exceeds|4096/);
  assert.ok(compileFilter(`${'('.repeat(32)}a eq 1${')'.repeat(32)}`).ok);
  assert.ok(compileFilter('not '.repeat(32) + 'a eq 1').ok);
  assert.ok(compileFilter(`${'(a eq 1) or '.repeat(300)}b eq 2`).ok, 'depth is given back when a level closes');
  const long = compileFilter(Array(330).fill('a eq 1').join(' or '));
  assert.ok(long.ok && !long.matches({ attributes: {}, data: {} }));
  assert.ok(compileFilter(`a eq '${'x'.repeat(4_088)}' `.slice(0, 4_096)).ok);
});

// A second, slow reading of the same tree: no closures, no halves, no sets.
function evaluate(tree: FilterTree, event: { attributes: Record<string, unknown>; data: unknown }): boolean {
  switch (tree.kind) {
    case 'and':
      return tree.operands.filter((operand) => !evaluate(operand, event)).length === 0;
    case 'or':
      return tree.operands.filter((operand) => evaluate(operand, event)).length > 0;
    case 'not':
      return !evaluate(tree.operand, event);
    case 'startswith': {
      const value = lookUp(tree.left, event);
      return typeof value === 'string' && value.slice(0, tree.right.length) === tree.right;
    }
    case 'in':
      return tree.right.some((literal) => compare(lookUp(tree.left, event), literal) === 0);
    case 'compare': {
      const sign = compare(lookUp(tree.left, event), tree.right);
      if (tree.operator === 'ne') return sign !== 0;
      if (sign === undefined) return false;
      return { eq: sign === 0, gt: sign > 0, ge: sign >= 0, lt: sign < 0, le: sign <= 0 }[tree.operator];
    }
  }
}

function lookUp(path: Path, event: { attributes: Record<string, unknown>; data: unknown }): unknown {
  let value: unknown = path.root === 'event' ? event.attributes : event.data;
  for (const step of path.steps) {
    const isObject = Object.prototype.toString.call(value) === '[object Object]';
    value = isObject ? Object.entries(value as object).find(([name]) => name === step)?.[1] : undefined;
  }
  return value ?? null;
}

function compare(value: unknown, literal: Literal): number | undefined {
  if (literal.kind === 'null') return value === null ? 0 : undefined;
  const left = literal.kind === 'time' && typeof value === 'string' ? parseDateTime(value) : value;
  if (typeof left !== typeof literal.value) return undefined;
  const right = literal.value as never;
  return left === right ? 0 : (left as never) < right ? -1 : 1;
}

const names = fc.constantFrom('a', 'b', 'c/d', 'c/e', '__proto__', 'constructor', '$event/type', '$event/seq');
const times = fc.constantFrom('2024-12-20T12:34:53.161Z', '2024-12-20T21:34:53.161+09:00', '1999-01-01T00:00:00Z');
const literals = fc.oneof(
  fc.constantFrom('null', 'true', 'false', '0', '1', '-2', '2.5', '1734698093161'),
  fc.constantFrom('', 'x', 'xy', "it's", 'Ω😀').map((text) => `'${text.replaceAll("'", "''")}'`),
  times,
);
const { filterText } = fc.letrec<{ filterText: string }>((tie) => ({
  filterText: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.tuple(names, fc.constantFrom('eq', 'ne'), literals).map((parts) => parts.join(' ')),
    fc
      .tuple(names, fc.constantFrom('gt', 'ge', 'lt', 'le'), literals)
      .filter(([, , literal]) => !['null', 'true', 'false'].includes(literal))
      .map((parts) => parts.join(' ')),
    fc
      .tuple(names, fc.array(literals, { minLength: 1, maxLength: 4 }))
      .map(([n, list]) => `${n} in (${list.join(',')})`),
    names.map((name) => `startswith(${name}, 'x')`),
    tie('filterText').map((inner) => `not (${inner})`),
    tie('filterText').map((inner) => `(${inner})`),
    fc.tuple(tie('filterText'), tie('filterText')).map(([left, right]) => `${left} and ${right}`),
    fc.tuple(tie('filterText'), tie('filterText')).map(([left, right]) => `${left} or ${right}`),
  ),
}));
const values = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -0, 1, -2, 2.5, 1734698093161, '', 'x', 'xy', "it's", 'Ω😀', [], {}),
  times,
);
const events = fc.record({
  attributes: fc.record({ type: values, seq: values }, { requiredKeys: [] }),
  data: fc.oneof(
    fc.record(
      { a: values, b: values, c: fc.record({ d: values, e: values }, { requiredKeys: [] }) },
      { requiredKeys: [] },
    ),
    values,
  ),
});

test('wire 1 filters: compiled filters agree with a naive evaluator', () => {
  fc.assert(
    fc.property(filterText, events, (text, event) => {
      const filter = compileFilter(text);
      assert.ok(filter.ok, text);
      assert.equal(filter.matches(event), evaluate(parseFilter(text), event));
    }),
    { numRuns: 2_000 },
  );
});

test('wire 1 filters: any text compiles or names its token where it stands, and never throws', () => {
  const pieces = fc.array(
    fc.oneof(names, literals, fc.constantFrom(' ', '(', ')', ',', 'eq', 'in', 'not', "'", '"', '/')),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        pieces.map((parts) => parts.join(' ')),
      ),
      (text) => {
        const filter = compileFilter(text);
        if (filter.ok) filter.matches(auditLog);
        else assert.equal(text.slice(filter.position, filter.position + filter.token.length), filter.token);
      },
    ),
    { numRuns: 1_000 },
  );
});
