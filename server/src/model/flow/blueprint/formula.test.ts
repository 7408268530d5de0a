// Formulas and filters of Make in our own language: what each becomes, and that it is one and gives the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../definition.ts';
import { parseExpression, parseTemplate } from '../expression/index.ts';
import { conditionOf } from './filters.ts';
import { templateOf } from './formula.ts';
import { pathOf, type Surroundings } from './piece.ts';

const SCOPE = {
  body: {
    text: 'Ab,cd',
    count: 3,
    price: '12.5',
    time: '2024-12-20T12:34:53Z',
    tags: ['new', 'Sale'],
    items: [
      { name: 'b', size: 2, of: { x: 1 } },
      { name: 'a', size: 5, of: { x: 2 } },
    ],
    'x y': { z: 1 },
    version: '1.10.0',
    ok: true,
    query: '7',
  },
  secret: { SHA256_KEY: 's3cr3tKey' },
};

function surroundings(): Surroundings & { told: string[] } {
  const told: string[] = [];
  return {
    told,
    reference: (_module, path) => pathOf('body', path),
    key: (_value, what) => `secret.${what.toUpperCase()}_KEY`,
    lost: (what) => void told.push(what),
  };
}

function valueOf(template: string): Json {
  return parseTemplate(template).evaluate(SCOPE, { now: Date.UTC(2025, 10, 24, 16) });
}

test('R83 R84 a formula of Make becomes an expression that gives the same', () => {
  const cases: [string, string, Json][] = [
    ['{{1.text}}', '${ body.text }', 'Ab,cd'],
    ['Hi {{1.text}}!', 'Hi ${ body.text }!', 'Hi Ab,cd!'],
    ['costs $${5}', 'costs $$${5}', 'costs $${5}'],
    ['{{1.`x y`.z}}', "${ body['x y'].z }", 1],
    ['{{1.items[2].name}}', '${ body.items[1].name }', 'a'],
    ['{{1.items[].name}}', '${ body.items[0].name }', 'b'],
    ['{{upper(1.text)}}', '${ upper(body.text) }', 'AB,CD'],
    ['{{ifempty(1.nothing; "none")}}', "${ ifEmpty(body.nothing, 'none') }", 'none'],
    ['{{if(1.count > 2 & 1.ok; "many"; "few")}}', "${ if(body.count > 2 && body.ok, 'many', 'few') }", 'many'],
    ['{{1.count * 2 + 1}}', '${ body.count * 2 + 1 }', 7],
    ['{{(1.count + 1) mod 3}}', '${ (body.count + 1) % 3 }', 1],
    ['{{last(split(1.text; ","))}}', "${ last(split(body.text, ',')) }", 'cd'],
    ['{{join(1.tags; newline)}}', String.raw`\${ join(body.tags, '\n') }`.slice(1), 'new\nSale'],
    ['{{join(map(1.items; "name"); "+")}}', "${ join(map(body.items, 'name'), '+') }", 'b+a'],
    ['{{first(map(1.items; "of.x"))}}', '${ first(map(body.items, x -> x.of.x)) }', 1],
    [
      '{{first(map(1.items; "name"; "size"; "5"))}}',
      "${ first(map(filter(body.items, x -> toText(x.size) == '5'), 'name')) }",
      'a',
    ],
    ['{{get(1.items; "2.name")}}', '${ body.items[1].name }', 'a'],
    ['{{replace(1.text; "/[a-z]/g"; "#")}}', "${ replacePattern(body.text, '[a-z]', '#') }", 'A#,##'],
    ['{{formatNumber(1234.5; 2)}}', "${ formatNumber(1234.5, 2, ',', '.') }", '1.234,50'],
    ['{{formatDate(1.time; "DD.MM.YYYY")}}', "${ formatDate(body.time, 'DD.MM.YYYY') }", '20.12.2024'],
    ['{{formatDate(1.time; YYYY-MM-DD)}}', "${ formatDate(body.time, 'YYYY-MM-DD') }", '2024-12-20'],
    ['{{now}}', '${ formatDate(now) }', '2025-11-24T16:00:00.000Z'],
    ['{{addDays(1.time; 1)}}', '${ formatDate(addDays(body.time, 1)) }', '2024-12-21T12:34:53.000Z'],
    ['{{toString(toBinary("YQ=="; "base64"))}}', "${ toText(fromBase64('YQ==')) }", 'a'],
    ['{{length(1.items) = 2}}', '${ length(body.items) == 2 }', true],
    ['{{"it\'s }}"}}', String.raw`${'$'}{ 'it\'s }}' }`, "it's }}"],
  ];
  for (const [formula, expected, value] of cases) {
    const around = surroundings();
    const template = templateOf(formula, around);
    assert.equal(template, expected, formula);
    assert.deepEqual(around.told, [], formula);
    assert.deepEqual(valueOf(template), value, formula);
  }
});

test('R83 R85 the seed’s formula, its key a secret: sha256(text; ; key)', () => {
  const around = surroundings();
  const template = templateOf('{{sha256("8cbecfea-d708-4706-bba3-669225084a10"; ; "placeholder")}}', around);
  assert.equal(template, "${ sha256('8cbecfea-d708-4706-bba3-669225084a10', , secret.SHA256_KEY) }");
  assert.equal(valueOf(template), '085b6a2ea9034fa67de9bba59e667a0bf63c341e7d50ab8015567205cf736e3d');
  assert.equal(
    templateOf('{{sha256( 1.text ; ; my key ; )}}', around),
    '${ sha256(body.text, , secret.SHA256_KEY) }',
    'a key that was typed without quotes',
  );
});

test('what has no counterpart is told, with null in its place, and never throws', () => {
  for (const formula of [
    'setHour(1.text; 7)',
    'upper(1.text',
    '1.items[-1]',
    'var.organization.x',
    'random',
    '1.a ~ 2',
    ')',
    '',
    `${'('.repeat(500)}1${')'.repeat(500)}`,
  ]) {
    const around = surroundings();
    const template = templateOf(`{{${formula}}}`, around);
    assert.equal(template, '${ null }', formula);
    assert.equal(around.told.length, 1, formula);
  }
  const around = surroundings();
  assert.equal(templateOf('a {{ that never ends', around), 'a {{ that never ends');
});

test('R94 R95 the operators of Make’s filters', () => {
  const cases: [string, string, string, string, boolean][] = [
    ['{{1.text}}', 'exist', '', 'exists(body.text)', true],
    ['{{1.nothing}}', 'notexist', '', '!exists(body.nothing)', true],
    ['{{1.count}}', 'text:equal', '3', "toText(body.count) == '3'", true],
    ['{{1.text}}', 'text:notequal', 'x', "not toText(body.text) == 'x'", true],
    ['{{1.text}}', 'text:equal:ci', 'AB,CD', "equalsIgnoreCase(body.text, 'AB,CD')", true],
    ['{{1.text}}', 'text:notcontain:ci', 'CD', "!containsIgnoreCase(body.text, 'CD')", false],
    ['{{1.text}}', 'text:startwith', 'Ab', "startsWith(body.text, 'Ab')", true],
    ['{{1.text}}', 'text:notendwith:ci', 'CD', "!endsWithIgnoreCase(body.text, 'CD')", false],
    ['{{1.text}}', 'text:pattern', '^A', "matches(body.text, '^A')", true],
    ['{{1.query}}', 'number:greaterorequal', '7', 'toNumber(body.query) >= 7', true],
    ['{{1.count}}', 'number:notequal', '{{1.count}}', 'not toNumber(body.count) == toNumber(body.count)', false],
    ['{{1.time}}', 'date:less', '{{now}}', 'parseDate(body.time) < parseDate(formatDate(now))', true],
    ['{{1.time}}', 'time:greater', '12:00', "formatDate(body.time, 'HH:mm') > '12:00'", true],
    ['{{1.tags}}', 'array:contain', 'new', "contains(body.tags, 'new')", true],
    ['{{1.tags}}', 'array:greater', '1', 'length(body.tags) > 1', true],
    ['{{1.ok}}', 'boolean:equal', 'true', 'toBoolean(body.ok) == true', true],
    ['{{1.version}}', 'semver:greater', '1.9', "semverCompare(body.version, '1.9') > 0", true],
  ];
  for (const [a, o, b, expected, holds] of cases) {
    const around = surroundings();
    const condition = conditionOf([[{ a, o, b }]], around) ?? '';
    assert.equal(condition, expected, o);
    assert.equal(parseExpression(condition).evaluate(SCOPE, { now: Date.UTC(2025, 10, 24) }), holds, o);
    assert.deepEqual(around.told, []);
  }
  const around = surroundings();
  const exist = { a: '{{1.a}}', o: 'exist', b: '' };
  assert.equal(
    conditionOf([[exist, exist], [exist]], around),
    '(exists(body.a) && exists(body.a)) || exists(body.a)',
    'rows are alternatives, their conditions all have to hold',
  );
  assert.equal(conditionOf([[{ a: '{{1.a}}', o: 'text:soundslike', b: 'x' }]], around), 'false');
  assert.deepEqual(around.told, [`the filter's operator "text:soundslike"`]);
});

test('R93 R94 what has no counterpart in a filter is false, never true', () => {
  const around = surroundings();
  for (const o of ['text:equal', 'text:notequal', 'notexist']) {
    assert.equal(conditionOf([[{ a: '{{setHour(1.text; 7)}}', o, b: 'x' }]], around), 'false', o);
  }
  assert.equal(around.told.length, 3);
  assert.equal(conditionOf([], around), null);
  assert.equal(conditionOf([[]], around), null);
});
