// Expressions: the grammar, what operators mean, the complaints, and what no text can reach or exhaust.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExpressionError, ExpressionFault, parseExpression } from './index.ts';
import type { Json, Scope } from './index.ts';

const scope: Scope = {
  params: { table: 'orders', count: 3, flag: true, empty: '', none: null },
  body: {
    data: { challengeRequest: '8cbecfea-d708-4706-bba3-669225084a10', items: [{ a: 1 }, { a: 2 }, { a: 3 }] },
    'x-y': { z: 1 },
    total: 120.5,
    deep: [[1, 2], [{ c: 'found' }]],
  },
  state: 'active',
  tags: { Owner: 'ops', in: 1, not: 2 },
  ключ: 'Ω',
  secret: { KEY: 's3cr3tKey', 'x-y': 'dashed' },
};

function value(text: string, given: Scope = scope): Json {
  return parseExpression(text).evaluate(given, { now: 1_764_000_000_000 });
}

function gives(table: readonly [string, Json][]): void {
  for (const [text, expected] of table) assert.deepEqual(value(text), expected, text);
}

test('R84 literals are those of JSON, and texts stand in either quotes', () => {
  gives([
    ['1', 1],
    ['-1.5e3', -1500],
    ['0', 0],
    ["'a'", 'a'],
    ['"a"', 'a'],
    [String.raw`'it\'s \"so\" \\ \n \u00e9'`, 'it\'s "so" \\ \n é'],
    ['true', true],
    ['false', false],
    ['null', null],
    ['[]', []],
    ["[1, 'b'; null]", [1, 'b', null]],
    ['{}', {}],
    ["{ a: 1, 'b c': [2]; null: 3 }", { a: 1, 'b c': [2], null: 3 }],
    [' \t\r\n1\u00a0', 1],
  ]);
});

test('R84 paths lead to members and entries; what is missing is null, and never an error', () => {
  gives([
    ['state', 'active'],
    ['ключ', 'Ω'],
    ['body.total', 120.5],
    ['body.data.items[1].a', 2],
    ["body['x-y'].z", 1],
    ['body["x-y"]["z"]', 1],
    ['body.deep[1][0].c', 'found'],
    ['body?.deep?.[0][1]', 2],
    ['body?.total', 120.5],
    ['tags.in + tags.not', 3],
    ['body.data.items[params.count - 1].a', 3],
    ["body.data['items'][0]['a']", 1],
    ['missing', null],
    ['missing.at.all[3].x', null],
    ['state.length', null],
    ['body.data.items.length', null],
    ['body.data.items[9]', null],
    ['body.data.items[-1]', null],
    ['body.data.items[0.5]', null],
    ["body.data.items['0']", null],
    ['body[0]', null],
    ['body[null]', null],
    ['body[true]', null],
    ['[1, 2][1]', 2],
    ['{ a: { b: 5 } }.a.b', 5],
    ['(params).count', 3],
  ]);
});

test('R84 JSON numbers add up, and + joins a text with what stands beside it', () => {
  gives([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['7 - 2 - 1', 4],
    ['2 - -3', 5],
    ['-params.count', -3],
    ['7 % 4', 3],
    ['-7 % 4', -3],
    ['10 / 4', 2.5],
    ['body.total + params.count', 123.5],
    ["'a' + 1", 'a1'],
    ["1 + 'a' + 1", '1a1'],
    ["'a' + null + true", 'atrue'],
    ["'a' + [1, { b: 2 }]", 'a[1,{"b":2}]'],
    ['missing + 1', null],
    ['1 - missing', null],
    ['missing * missing', null],
    ['-missing', null],
  ]);
});

test('R94 comparisons: kinds do not mix, and equal is equal in all parts', () => {
  gives([
    ['1 == 1.0', true],
    ["1 == '1'", false],
    ["1 != '1'", true],
    ['missing == null', true],
    ['null != 0', true],
    ['[1, { a: 2 }] == [1, { a: 2 }]', true],
    ['{ a: 1, b: 2 } == { b: 2, a: 1 }', true],
    ['{ a: 1 } == { a: 1, b: null }', false],
    ['[1] == [1, 2]', false],
    ['[] == {}', false],
    ['params.count == params.count', true],
    ["'a' < 'b'", true],
    ["'B' < 'a'", true],
    ['2 <= 2', true],
    ['2 > 10', false],
    ["'2' > '10'", true],
    ["2 > '1'", false],
    ["2 < '3'", false],
    ['null < 1', false],
    ['null >= null', false],
    ['true > false', false],
    ['missing > 5 || missing <= 5', false],
    ["state in ['active', 'new']", true],
    ['{ a: 1 } in [{ a: 1 }]', true],
    ["'Owner' in tags", true],
    ["'owner' in tags", false],
    ["'tiv' in state", true],
    ['1 in null', false],
    ['1 in 11', false],
  ]);
});

test('R94 conditions: null, false, 0 and the empty text do not hold; && and || give one of their values', () => {
  gives([
    ['true && false', false],
    ['true and not false', true],
    ['params.flag && state', 'active'],
    ["params.empty || 'else'", 'else'],
    ['missing && missing.x', null],
    ["'' or 0 or null or false", false],
    ['!0', true],
    ["!'0'", false],
    ['![]', false],
    ['!!state', true],
    ['not state == 1', true],
    ['not not true', true],
    ['true || 1 / 0', true],
    ['false && 1 / 0', false],
    ['false && true || true', true],
    ['true || true && false', true],
    ["params.flag ? 'yes' : 'no'", 'yes'],
    ['false ? 1 : true ? 2 : 3', 2],
    ['missing ?? 5', 5],
    ['0 ?? 5', 0],
    ["params.empty ?? 'x'", ''],
    ['missing ?? params.none ?? 7', 7],
    ['missing ?? 0 > 1', false],
    ['missing ?? 1 + 1', 2],
    ['1 ? 2 : 1 / 0', 2],
    ['if(false, 1 / 0, 2)', 2],
    ['if(false, 1)', null],
    ['coalesce(missing; params.empty; 1)', ''],
    ["ifEmpty(params.empty, 'x')", 'x'],
    ["switch(state, 'new', 1, 'active', 2, 3)", 2],
    ["switch('x', 'new', 1 / 0, 3)", 3],
    ["switch('x', 'new', 1)", null],
  ]);
});

test('R95 exists: null, what is missing and the empty text do not exist, everything else does', () => {
  gives([
    ['exists(body.data.challengeRequest)', true],
    ['exists(body.data.missing)', false],
    ['exists(params.none)', false],
    ['exists(params.empty)', false],
    ["exists(' ')", true],
    ['exists(0)', true],
    ['exists(false)', true],
    ['exists([])', true],
  ]);
});

test('R84 x -> … is done with each item; names around it are seen, inner ones hide outer ones', () => {
  gives([
    ['map(body.data.items, x -> x.a * params.count)', [3, 6, 9]],
    ['filter(body.data.items; x -> x.a > 1)', [{ a: 2 }, { a: 3 }]],
    ["map(body.data.items, 'a')", [1, 2, 3]],
    ['map([1, 2], x -> map([10, 20], y -> x + y))', [[11, 21], [12, 22]]], // prettier-ignore
    ['map([1, 2], x -> map([x * 10], x -> x))', [[10], [20]]],
    ['map([[1], [2]], x -> first(map(x, y -> y)) + x[0])', [2, 4]],
    ['any([1, 2], x -> x == 2) && all([], x -> false)', true],
    ['map([1], state -> state)', [1]],
  ]);
});

test('R84 what an expression takes from its scope is known without evaluating it', () => {
  const { text, names, secrets, paths } = parseExpression(
    "map(steps.fetch.items, x -> x.id + body['x-y'][0]) == sha256(now + secret.KEY, '', secret['x-y']) ? state : body",
  );
  assert.ok(text.startsWith('map('));
  assert.deepEqual(names, ['steps', 'body', 'state']);
  assert.deepEqual(secrets, ['KEY', 'x-y']);
  assert.deepEqual(paths, [['steps', 'fetch', 'items'], ['body', 'x-y', 0], ['now'], ['state'], ['body']]);
});

test('R84 now is the instant of the evaluation, unless the scope has one of its own', () => {
  assert.equal(parseExpression('now').evaluate({}, { now: 5 }), 5);
  assert.equal(parseExpression('now()').evaluate({}, { now: 5 }), 5);
  assert.equal(parseExpression('now').evaluate({ now: 7 }, { now: 5 }), 7);
  assert.equal(parseExpression('now').evaluate({}), null);
  assert.throws(() => parseExpression('now()').evaluate({}), /not known here/);
});

test('secrets are read by the name that stands in the text; one that is not there is an error', () => {
  assert.equal(value('secret.KEY'), 's3cr3tKey');
  assert.equal(value("secret['x-y']"), 'dashed');
  for (const text of ['secret.OTHER', 'secret.constructor', 'sha256(state; ; secret.OTHER)']) {
    assert.throws(() => value(text), /There is no secret/, text);
  }
  assert.throws(() => value('secret.KEY', { secret: { KEY: '' } }), /no secret KEY/);
  assert.throws(() => value('secret.KEY', {}), /no secret KEY/);
  for (const text of [
    'secret[state]',
    'secret',
    'secret + 1',
    "secret['a' + 'b']",
    'keys(secret)',
    '[secret]',
    'secret[0]',
  ]) {
    assert.throws(() => parseExpression(text), ExpressionFault, text);
  }
});

test('a text that is no expression is refused, with the token and its place', () => {
  const table: [text: string, at: number, length: number, message: RegExp][] = [
    ['', 0, 0, /empty/],
    ['  ', 0, 0, /empty/],
    ['1 +', 3, 0, /ends where a value/],
    [' ${ a }', 1, 2, /stands without/],
    ["'it''s'", 4, 3, /quote within a text is written \\'/],
    ['1 2', 2, 1, /found 2/],
    ['a = 1', 2, 1, /= is no operator.*written ==/],
    ['a === 1', 2, 3, /written ==/],
    ['a !== 1', 2, 3, /written !=/],
    ['a <> 1', 2, 2, /written !=/],
    ['a & b', 2, 1, /&&/],
    ['a | upper', 2, 1, /functions are written/],
    ['map(a, x => x)', 9, 2, /written ->/],
    ['a == b == c', 7, 2, /joined with &&/],
    ['1 < a < 3', 6, 1, /joined with &&/],
    ['(1', 2, 0, /ends where \)/],
    ['1)', 1, 1, /found \)/],
    ['[1,]', 3, 1, /found \]/],
    ['[,1]', 1, 1, /found ,/],
    ['{ a }', 4, 1, /Expected :/],
    ['{ 1: 2 }', 2, 1, /name of a member/],
    ['{ a: 1, a: 2 }', 8, 1, /already/],
    ['a.', 2, 0, /name of a field/],
    ['a.1', 2, 1, /name of a field/],
    ['a.[1]', 2, 1, /name of a field/],
    ["'abc", 0, 4, /closing '/],
    [String.raw`'\d'`, 1, 2, /no escape/],
    ['01', 0, 2, /no number/],
    ['1.', 0, 2, /no number/],
    ['12abc', 0, 5, /no number/],
    ['1e999', 0, 5, /too large/],
    ['uper(a)', 0, 4, /no function uper; did you mean upper\?/],
    ['toString(a)', 0, 8, /no function toString/],
    ['constructor(a)', 0, 11, /no function constructor/],
    ['a.toUpperCase()', 13, 1, /function stands in front/],
    ['upper()', 0, 5, /upper\(text\); 0 given/],
    ['upper(a, b)', 0, 5, /upper\(text\); 2 given/],
    ["replace(a, , 'x')", 0, 7, /argument 2 is empty/],
    ['upper(x -> x)', 6, 1, /nothing is done with each item/],
    ['map(a, now -> 1)', 7, 3, /meaning already/],
    ['map(a, (x, y) -> 1)', 9, 1, /found ,/],
    ["matches(a, '(')", 11, 3, /no regular expression/],
    ["formatDate(a, 'YYYY-foo')", 14, 10, /foo|f is no part|oo/],
    ["formatDate(a, 'YYYY', 'Mars/Olympus')", 22, 14, /no such time zone/],
    ["sha256(a; 'hexx')", 10, 6, /one of hex, base64/],
    ['a # b', 2, 1, /cannot stand/],
    ['\u0000', 0, 1, /cannot stand/],
    ['💥', 0, 2, /cannot stand/],
    ['and', 0, 3, /value/],
    ['1 + not', 7, 0, /value/],
    ['-not', 1, 3, /value/],
  ];
  for (const [text, at, length, message] of table) {
    assert.throws(
      () => parseExpression(text),
      (fault) => {
        assert.ok(fault instanceof ExpressionFault, `${text}: ${String(fault)}`);
        assert.match(fault.message, message, text);
        assert.deepEqual([fault.at, fault.length], [at, length], text);
        return true;
      },
      text,
    );
  }
});

test('what cannot be evaluated is said with the part of the text, and never with a value', () => {
  const table: [string, RegExp][] = [
    ['1 + (2 / (params.count - 3))', /divided by 0 \(in `2 \/ \(params\.count - 3`\)/],
    ['1 % 0', /divided by 0/],
    ['1e308 * 10', /too large/],
    ['true + 1', /between numbers or texts, and this is a boolean \(in `true \+ 1`\)/],
    ["'a' - 1", /between numbers, and this is a text/],
    ["-'a'", /before a number.*a text/],
    ['1 + [1]', /a list/],
    ['1 * {}', /an object/],
    ['round(secret.KEY)', /a text.*toNumber.*\(in `round\(secret\.KEY\)`\)/],
    ['map(state, x -> x)', /list is wanted/],
    ['keys([1])', /object is wanted/],
    ['filter([1], 5)', /name of a member/],
    ['toNumber(secret.KEY)', /says no number/],
  ];
  for (const [text, message] of table) {
    assert.throws(
      () => value(text),
      (error) => {
        assert.ok(error instanceof ExpressionError, text);
        assert.match(error.message, message, text);
        assert.doesNotMatch(error.message, /s3cr3tKey/);
        return true;
      },
      text,
    );
  }
});

test('prototypes are out of reach: their names are members like any other', () => {
  const own = JSON.parse('{"body": {"__proto__": {"a": 1}, "constructor": 2}}') as Scope;
  assert.equal(value('body.__proto__.a', own), 1);
  assert.equal(value('body.constructor', own), 2);
  gives([
    ['body.__proto__', null],
    ['body.constructor.constructor', null],
    ["body['__proto__']", null],
    ["body['__pro' + 'to__']", null],
    ['constructor', null],
    ['__proto__', null],
    ['hasOwnProperty', null],
    ["'a'.constructor", null],
    ['[1].map', null],
    ['toText(body.data.items[0].toString)', ''],
    ["'constructor' in body", false],
    ["map(body.data.items, 'constructor')", [null, null, null]],
  ]);
  const made = value("{ '__proto__': { polluted: 1 } }");
  assert.deepEqual(Object.keys(made as object), ['__proto__']);
  assert.equal(Object.getPrototypeOf(made), Object.prototype);
  const grouped = value("groupBy(['__proto__'], x -> x)");
  assert.deepEqual(Object.keys(grouped as object), ['__proto__']);
  assert.deepEqual(Object.keys(value('merge(a, { b: 1 })', { a: JSON.parse('{"__proto__": 1}') as Json }) as object), [
    '__proto__',
    'b',
  ]);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('length and nesting of a text are bounded, in words', () => {
  const refused = (text: string, message: RegExp): void => {
    const before = performance.now();
    assert.throws(() => parseExpression(text), message);
    assert.ok(performance.now() - before < 2_000, text.slice(0, 20));
  };
  refused(`'${'x'.repeat(1_000_000)}'`, /at most 16384 characters/);
  refused('('.repeat(1_000) + '1' + ')'.repeat(1_000), /deeper than 100 levels/);
  refused('['.repeat(16_000), /deeper than 100 levels/);
  refused('!'.repeat(1_000) + '1', /deeper than 100 levels/);
  refused('-'.repeat(10_000), /deeper than 100 levels/);
  refused('not '.repeat(1_000) + '1', /deeper than 100 levels/);
  refused('1 ? '.repeat(1_000), /deeper than 100 levels/);
  refused('1 ? 2 : '.repeat(1_000) + '3', /deeper than 100 levels/);
  refused('a['.repeat(1_000), /deeper than 100 levels/);
  refused('upper('.repeat(1_000), /deeper than 100 levels/);
  refused('{a:'.repeat(1_000), /deeper than 100 levels/);
  refused(`1${'+1'.repeat(1_000)}`, /more than 250 operations/);
  refused(`a${'[b]'.repeat(1_000)}`, /more than 250 operations/);
  assert.equal(value(`${'('.repeat(98)}1${')'.repeat(98)}`), 1);
  assert.equal(value(`1${'+1'.repeat(200)}`), 201);
  assert.equal(value(Array(1_000).fill('true').join('&&')), true);
  assert.equal(value(`[${Array(5_000).fill('1').join(',')}][4999]`), 1);
  assert.equal(value(`a${'.b'.repeat(5_000)}`), null);
});

test('work and what is made are bounded: no text makes a gigabyte or loops for long', () => {
  const many = Array.from({ length: 2_000 }, (_, index) => index);
  const bombs: [string, Scope][] = [
    ["padStart('', 16777216) + padStart('', 16777216)", {}],
    [`${'replace('.repeat(8)}'aaaaaaaaaa'${", 'a', 'aaaaaaaaaa')".repeat(8)}`, {}],
    [`${'first(map(['.repeat(12)}a${'], x -> [x, x, x, x, x, x, x, x, x, x]))'.repeat(12)}`, { a: [1] }],
    [`json(${'first(map(['.repeat(12)}a${'], x -> [x, x, x, x, x, x, x, x, x, x]))'.repeat(12)})`, { a: 1 }],
    ['map(a, x -> map(a, y -> map(a, z -> x + y + z)))', { a: many }],
    ['filter(a, x -> x in a && false)', { a: many.map((one) => [one]) }],
    ["map(a, x -> join(a, 'xxxxxxxxxxxxxxxx'))", { a: many }],
    ['map(a, x -> sort(a))', { a: many }],
    ["matches(a, '(x+x+)+y')", { a: 'x'.repeat(2_000_000) }],
    ["split(a, '')", { a: 'x'.repeat(4_000_000) }],
    ["replacePattern(a, 'x', b)", { a: 'x'.repeat(100_000), b: 'y'.repeat(100_000) }],
  ];
  for (const [text, given] of bombs) {
    const { evaluate } = parseExpression(text);
    const before = performance.now();
    assert.throws(() => evaluate(given), ExpressionError, text);
    assert.ok(performance.now() - before < 5_000, `${text} took ${performance.now() - before} ms`);
  }
  const tight = parseExpression('map(a, x -> x + 1)');
  assert.throws(() => tight.evaluate({ a: many }, { budget: { steps: 100 } }), /more work/);
  assert.throws(() => tight.evaluate({ a: many }, { budget: { size: 100 } }), /more text or entries/);
  assert.equal((tight.evaluate({ a: many }) as Json[]).length, 2_000);
  const nested = (levels: number): Json => {
    let deep: Json = null;
    for (let level = 0; level < levels; level++) deep = [deep];
    return deep;
  };
  for (const text of ['a == b', 'json(a)', '[a]', "'' + a", 'distinct([a])']) {
    assert.throws(
      () => parseExpression(text).evaluate({ a: nested(20_000), b: nested(20_000) }),
      /deeper than 500/,
      text,
    );
  }
});
