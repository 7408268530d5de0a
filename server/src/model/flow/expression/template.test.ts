// Templates and values of them: what is text and what is typed, escapes, the places of faults, and how much is made.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExpressionError, ExpressionFault, compileValue, isTrue, parseTemplate } from './index.ts';
import type { Json } from './index.ts';

/** HMAC-SHA256 of `Jo` under `s3cr3tKey`, made with another program. */
const hmac = 'b4a17f8774c7330749d54f049f848d3be1450d12dcd35df93eacdcd84fd06344';
const scope = { body: { name: 'Jo', total: 3, list: [1], none: null }, secret: { KEY: 's3cr3tKey' } };

test('R87 a template is text, unless it is one expression alone: then it is its value', () => {
  const table: [string, Json][] = [
    ['', ''],
    ['plain $ { } $x', 'plain $ { } $x'],
    ['Hello ${ body.name }!', 'Hello Jo!'],
    ['${ body.total }', 3],
    ['${body.list}', [1]],
    ['${ body.none }', null],
    [' ${ body.total }', ' 3'],
    ['${ body.total }${ body.total }', '33'],
    ['[${ body.none }|${ body.missing }]', '[|]'],
    ['${ body.list } and ${ { a: true } }', '[1] and {"a":true}'],
    ['${ \'}\' + "${" }', '}${'],
    ['${ {a:{b:1}}.a.b }', 1],
    ['$${ body.name }', '${ body.name }'],
    ['$${ ${ body.name }', '${ Jo'],
    ['$$ $', '$$ $'],
    ['{"verification": "${ sha256(body.name ; ; secret.KEY) }"}', `{"verification": "${hmac}"}`],
    ['a\n${ body.name }\n', 'a\nJo\n'],
  ];
  for (const [text, expected] of table) assert.deepEqual(parseTemplate(text).evaluate(scope), expected, text);
});

test('R87 a template knows whether it is constant, and what it takes', () => {
  assert.equal(parseTemplate('a $${ b').isConstant, true);
  const { isConstant, names, secrets, text } = parseTemplate('${ a.b } ${ a.c + d } ${ secret.KEY }');
  assert.deepEqual([isConstant, names, secrets], [false, ['a', 'd'], ['KEY']]);
  assert.equal(text, '${ a.b } ${ a.c + d } ${ secret.KEY }');
});

test('R87 a fault in a template has its place in the whole text', () => {
  const table: [string, number, number, RegExp][] = [
    ['a ${ b + } c', 9, 1, /Expected a value, found }/],
    ['a ${ } c', 2, 4, /empty/],
    ['a ${', 4, 0, /ends where a value/],
    ['a ${ b', 2, 2, /no closing \}.*\$\$\{/],
    ['a ${ b c }', 7, 1, /Expected an operator or \}/],
    ['${ a } ${ uper(a) }', 10, 4, /did you mean upper/],
    ["${ 'a }", 3, 4, /closing '/],
    [`\${ '${'x'.repeat(20_000)}' }`, 3, 0, /at most 16384/],
    ['x'.repeat(300_000) + '${ a }', 262_144, 0, /at most 262144/],
  ];
  for (const [text, at, length, message] of table) {
    assert.throws(
      () => parseTemplate(text),
      (fault) => {
        assert.ok(fault instanceof ExpressionFault);
        assert.match(fault.message, message);
        assert.deepEqual([fault.at, fault.length], [at, length], text.slice(0, 40));
        return true;
      },
    );
  }
});

test('R99 a value is compiled with all its texts; a missing field is null, and constants stay as they are', () => {
  const row = compileValue({
    A: '${ body.name }',
    B: ['${ body.total }', 'x $${', 5, null],
    C: { D: '${ body.gone }' },
  });
  assert.deepEqual(row.evaluate(scope), { A: 'Jo', B: [3, 'x ${', 5, null], C: { D: null } });
  assert.deepEqual([row.isConstant, row.names, row.secrets], [false, ['body'], []]);
  assert.equal(compileValue({ a: [1, 'b'] }).isConstant, true);
  assert.deepEqual(compileValue('${ body.list }').evaluate(scope), [1]);
  const hostile = compileValue(JSON.parse('{"__proto__": "${ body.name }"}') as Json).evaluate(scope);
  assert.deepEqual(JSON.stringify(hostile), '{"__proto__":"Jo"}');
});

test('R99 a fault in a value names the way to it; nesting is bounded', () => {
  assert.throws(
    () => compileValue({ row: ['ok', { B: 'x ${ a + }' }] }),
    (fault) => {
      assert.ok(fault instanceof ExpressionFault);
      assert.deepEqual([fault.path, fault.at, fault.length], [['row', 1, 'B'], 9, 1]);
      return true;
    },
  );
  let deep: Json = 'x';
  for (let level = 0; level < 1_000; level++) deep = [deep];
  assert.throws(() => compileValue(deep), /deeper than 100 levels/);
});

test('a template and a value share one budget', () => {
  const big = { a: 'x'.repeat(1_000_000) };
  assert.throws(() => parseTemplate('${ a }'.repeat(40)).evaluate(big), ExpressionError);
  assert.throws(() => compileValue(Array<string>(40).fill('${ a + a }')).evaluate(big), /more text or entries/);
  assert.throws(() => compileValue(Array<string>(40).fill('${ a }')).evaluate(big), /more text or entries/);
  assert.throws(() => parseTemplate('n ${ 1 / 0 }').evaluate({}), /divided by 0 \(in `1 \/ 0`\)/);
});

test('R94 isTrue: null, false, 0 and the empty text do not hold', () => {
  for (const value of [null, false, 0, -0, '']) assert.equal(isTrue(value), false);
  for (const value of [true, 1, 'false', [], {}]) assert.equal(isTrue(value), true);
});
