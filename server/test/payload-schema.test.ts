import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { createPayloadSchemas, type KeptSchema, type PayloadSchemas } from '../src/api/payload-schema/index.ts';

// Schemas here come from strangers. What is asserted is the verdict; deadlines are short, so that a hostile schema is
// met by its deadline and not by the patience of whoever runs the tests.
const OPTIONS = { vetTimeoutMs: 10_000, checkTimeoutMs: 10_000 };

function open(t: TestContext, options = OPTIONS): PayloadSchemas {
  const schemas = createPayloadSchemas(options);
  t.after(() => schemas.close());
  return schemas;
}

function keep(schema: unknown): KeptSchema {
  const text = JSON.stringify(schema);
  return { text, hash: createHash('sha256').update(text).digest('hex') };
}

/** A list of `count` things. */
function times<Value>(count: number, make: (index: number) => Value): Value[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Wraps a value `depth` times in `{ [name]: … }`. */
function nest(depth: number, name: string, inmost: unknown): unknown {
  let value = inmost;
  for (let level = 0; level < depth; level++) value = { [name]: value };
  return value;
}

/** Applied to `{ a: { a: … } }` this takes twice as long with every level. */
const DOUBLING = {
  $ref: '#/$defs/node',
  $defs: {
    node: {
      allOf: [{ properties: { a: { $ref: '#/$defs/node' } } }, { properties: { a: { $ref: '#/$defs/node' } } }],
    },
  },
};
const TREE = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string' }, children: { type: 'array', items: { $ref: '#' } } },
};

test('R49 R115 a schema that cannot be harmless is refused, with the place and the reason', async (t) => {
  const schemas = open(t);
  const chain = Object.fromEntries(
    times(24, (i) => [`d${i}`, { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] }]),
  );
  const table: [what: string, schema: unknown, pointer: string, reason: RegExp][] = [
    ['a remote reference', { $ref: 'https://example.com/s.json' }, '/$ref', /nothing is fetched/],
    ['a relative reference', { items: { $ref: 'other.json#/a' } }, '/items/$ref', /nothing is fetched/],
    ['a file reference', { $ref: 'file:///etc/passwd' }, '/$ref', /nothing is fetched/],
    ['a remote dynamic reference', { $dynamicRef: 'https://example.com/s#a' }, '/$dynamicRef', /nothing is fetched/],
    ['an id inside', { properties: { a: { $id: 'https://example.com/a' } } }, '/properties/a/$id', /as a whole/],
    ['another draft', { $schema: 'http://json-schema.org/draft-07/schema#' }, '/$schema', /only JSON Schema 2020-12/],
    ['a meta-schema of its own', { $schema: 'https://example.com/meta' }, '/$schema', /only JSON Schema 2020-12/],
    ['a vocabulary of its own', { $vocabulary: {} }, '/$vocabulary', /meta-schemas of your own/],
    ['$data', { properties: { a: { maximum: { $data: '1/b' } } } }, '/properties/a/maximum', /\$data/],
    ['$data in const', { const: { $data: '/a' } }, '/const', /\$data/],
    ['$async', { $async: true }, '/$async', /no keyword/],
    ['a keyword of an older draft', { dependencies: { a: ['b'] } }, '/dependencies', /use dependentRequired/],
    ['items as a list', { items: [{}] }, '/items', /must be an object, true or false/],
    ['a missing target', { $ref: '#/$defs/none' }, '/$ref', /not in the schema/],
    ['a target that is no schema', { $ref: '#/required', required: ['a'] }, '/$ref', /not in the schema/],
    ['a broken reference', { $ref: '#/%zz' }, '/$ref', /not in the schema/],
    [
      'an anchor that stands twice',
      { $defs: { a: { $anchor: 'x' }, b: { $anchor: 'x' } } },
      '/$defs/b/$anchor',
      /twice/,
    ],
    ['a reference to itself', { $ref: '#' }, '', /without going deeper/],
    [
      'a cycle in place',
      { $defs: { a: { not: { $ref: '#/$defs/a' } } }, $ref: '#/$defs/a' },
      '/$defs/a',
      /without going/,
    ],
    ['24 doublings', { $ref: '#/$defs/d0', $defs: { ...chain, d24: { type: 'object' } } }, '/$defs/d14', /would apply/],
    [
      'a property __proto__',
      JSON.parse('{"properties":{"__proto__":{"type":"string"}}}'),
      '/properties/__proto__',
      /not taken/,
    ],
    ['__proto__ required', { required: ['__proto__'] }, '/required', /different names/],
    ['65 KiB', { description: 'x'.repeat(65_536) }, '', /larger than 64 KiB/],
    ['33 schemas deep', nest(33, 'not', {}), '/not'.repeat(33), /32 deep/],
    ['an annotation 20,000 deep', { default: nest(20_000, 'a', 1) }, '', /nested too deeply/],
    ['too many values', { enum: times(8_000, (i) => i) }, '', /8000 values/],
    ['a pattern of nested repeats', { pattern: '((a{100}){100}){100}' }, '/pattern', /repeats so much/],
    ['a long pattern', { pattern: 'a'.repeat(2_000) }, '/pattern', /longer than/],
    ['patterns large together', { allOf: times(60, () => ({ pattern: 'a{900}' })) }, '/allOf/22/pattern', /together/],
    ['look-ahead', { pattern: '^(?=a)b' }, '', /cannot be compiled.*\(\?=/],
    ['a back reference', { pattern: '(a)\\1' }, '', /cannot be compiled/],
    ['a broken pattern', { patternProperties: { '(': {} } }, '', /cannot be compiled/],
    ['a wrong type', { type: 'strnig' }, '/type', /must be one or more of null/],
    [
      'a wrong count',
      { properties: { 'a/b': { maxLength: -1 } } },
      '/properties/a~1b/maxLength',
      /whole number from 0/,
    ],
    ['an infinite bound', JSON.parse('{"maximum":1e999}'), '/maximum', /finite/],
    ['an empty anyOf', { anyOf: [] }, '/anyOf', /list of schemas/],
    ['null', null, '', /must be an object, true or false/],
    ['a list', [], '', /must be an object, true or false/],
    ['a text', 'schema', '', /must be an object, true or false/],
    ['nothing', undefined, '', /must be an object, true or false/],
  ];
  for (const [what, schema, pointer, reason] of table) {
    const vetted = await schemas.vet(schema);
    assert.ok(!vetted.ok, what);
    assert.equal(vetted.pointer, pointer, what);
    assert.match(vetted.reason, reason, what);
  }
});

test('R49 R115 what is usual in a schema is taken, and costly only when its cost has no bound', async (t) => {
  const schemas = open(t);
  const table: [what: string, schema: unknown, costly: boolean][] = [
    ['true', true, false],
    ['an empty one', {}, false],
    ['annotations', { title: 'a', description: 'b', 'x-own': { type: 9 }, examples: [1], deprecated: true }, false],
    [
      'dialect and id',
      { $schema: 'https://json-schema.org/draft/2020-12/schema', $id: 'https://example.com/a' },
      false,
    ],
    [
      'a reference by its own id',
      { $id: 'https://example.com/a', items: { $ref: 'https://example.com/a#/$defs/b' }, $defs: { b: {} } },
      false,
    ],
    ['an anchor', { properties: { a: { $ref: '#x' } }, $defs: { b: { $anchor: 'x' } } }, false],
    ['an escaped pointer', { properties: { a: { $ref: '#/$defs/a~1b%20c' } }, $defs: { 'a/b c': {} } }, false],
    ['unique items', { uniqueItems: true }, false],
    ['a giant enum', { enum: times(5_000, (i) => `v${i}`) }, false],
    ['many properties', { properties: Object.fromEntries(times(400, (i) => [`p${i}`, { type: 'string' }])) }, true],
    ['a tree', TREE, true],
    ['a dynamic tree', { $dynamicAnchor: 'n', properties: { a: { $dynamicRef: '#n' } } }, true],
    ['doubling at each level', DOUBLING, true],
  ];
  for (const [what, schema, costly] of table) {
    const vetted = await schemas.vet(schema);
    assert.ok(vetted.ok, `${what}: ${vetted.ok ? '' : vetted.reason}`);
    assert.equal(vetted.costly, costly, what);
    assert.deepEqual(vetted.schema, keep(schema), what);
  }
});

test('R115 a fault names the place in the data and one sentence', async (t) => {
  const schemas = open(t);
  const named = { properties: { user: { required: ['id'], properties: { id: { type: 'integer' } } } } };
  const table: [schema: unknown, data: unknown, pointer: string, message: RegExp][] = [
    [named, { user: { id: 'x' } }, '/user/id', /^must be an integer$/],
    [named, { user: {} }, '/user', /^must have the property "id"$/],
    [{ type: ['string', 'null'] }, 1, '', /^must be a string or null$/],
    [{ additionalProperties: false }, { 'a/b~c': 1 }, '/a~1b~0c', /^is not a property the schema allows$/],
    [{ unevaluatedProperties: false, properties: { a: true } }, { a: 1, b: 1 }, '/b', /not a property/],
    [{ enum: ['a', 'b'] }, 'c', '', /^must be one of the values the schema lists$/],
    [{ const: { a: [1] } }, { a: [2] }, '', /^must be the one value/],
    [{ items: { maxLength: 2 } }, ['ab', 'abc'], '/1', /^must have at most 2 characters$/],
    [{ minItems: 1 }, [], '', /^must have at least 1 item$/],
    [{ prefixItems: [true], items: false }, [1, 2], '', /^must have at most 1 item$/],
    [
      { uniqueItems: true },
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
      '',
      /same item twice/,
    ],
    [{ pattern: '^[a-z]+$' }, 'A', '', /^must match the pattern \^\[a-z\]\+\$$/],
    [{ format: 'date-time' }, 'yesterday', '', /^must be of the format date-time$/],
    [{ minimum: 3 }, 2, '', /^must be 3 or more$/],
    [{ multipleOf: 0.01 }, 0.001, '', /^must be a multiple of 0.01$/],
    [{ dependentRequired: { a: ['b'] } }, { a: 1 }, '', /^must have the property "b" since it has "a"$/],
    [{ propertyNames: { maxLength: 1 } }, { ab: 1 }, '', /^(must have at most 1 character|has the property "ab")/],
    [
      { anyOf: [{ properties: { a: { type: 'string' } } }, { type: 'null' }] },
      { a: 1 },
      '',
      /nearest: \/a must be a string$/,
    ],
    [{ oneOf: [true, true] }, 1, '', /exactly one of the forms/],
    [{ not: {} }, 1, '', /form the schema excludes/],
    [{ if: { type: 'string' }, then: { minLength: 2 } }, 'a', '', /^must have at least 2 characters$/],
    [{ contains: { type: 'string' } }, [1], '', /at least 1 item of the kind/],
    [false, 1, '', /^is not allowed by the schema$/],
    [TREE, { name: 'a', children: [{ name: 'b' }, { name: 1 }] }, '/children/1/name', /^must be a string$/],
    [{}, undefined, '', /the event has no data/],
  ];
  for (const [schema, data, pointer, message] of table) {
    const fault = await schemas.check(keep(schema), data);
    assert.equal(fault?.code, 'mismatch', JSON.stringify(schema));
    assert.equal(fault.pointer, pointer, JSON.stringify(schema));
    assert.match(fault.message, message);
  }
});

test('R115 data that fits passes: names of the prototype, valueOf, decimals, Unicode, patterns side by side', async (t) => {
  const schemas = open(t);
  const table: [schema: unknown, data: unknown][] = [
    [{ properties: { constructor: { type: 'string' }, toString: { type: 'string' } } }, {}],
    [{ enum: [{ valueOf: 1 }] }, { valueOf: 1 }],
    [{ uniqueItems: true }, [{ valueOf: 1 }, { valueOf: 2 }, '1', 1, '__proto__', null, 'null', [], {}]],
    [{ multipleOf: 0.01 }, 19.99],
    [{ const: 0 }, -0],
    [{ maxLength: 1 }, '😀'],
    [{ pattern: '^\\u00e9$' }, 'é'],
    [{ properties: { a: { pattern: '^a$' }, b: { pattern: '^b$' } } }, { a: 'a', b: 'b' }],
    [{ format: 'made-up' }, 'anything'],
    [{ const: null }, null],
    [{ $defs: { a: { type: 'string' } }, items: { $ref: '#/$defs/a', minLength: 1 } }, ['x']],
  ];
  for (const [schema, data] of table) {
    assert.equal(await schemas.check(keep(schema), data), null, JSON.stringify(schema));
  }
  const inherited = await schemas.check(keep({ required: ['toString'] }), {});
  assert.equal(inherited?.message, 'must have the property "toString"');
  assert.equal(await schemas.check(keep({ type: 'object' }), Buffer.from('{"a":1}')), null);
});

test('R115 nothing in a schema becomes code: hostile names and texts stay data', async (t) => {
  const schemas = open(t);
  const calls = '(globalThis.pwned=1)';
  const texts = [
    `"+${calls}+"`,
    `'+${calls}+'`,
    `\`+${calls}+\``,
    `\${${calls}}`,
    `*/${calls}/*`,
    `\n${calls}\n//`,
    `\u2028${calls}\u2029`,
    `\\"+${calls}//`,
    `]};${calls};({[`,
    `constructor`,
    `hasOwnProperty`,
  ];
  for (const text of texts) {
    const quoted = text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    const schema = {
      title: text,
      [text]: text,
      $comment: text,
      required: [text],
      properties: {
        [text]: { $ref: `#/$defs/${encodeURIComponent(text.replaceAll('~', '~0').replaceAll('/', '~1'))}` },
      },
      patternProperties: { [quoted]: { minLength: 1 } },
      dependentRequired: { [text]: [text] },
      propertyNames: { enum: [text] },
      format: text,
      $defs: { [text]: { const: text, $anchor: 'a', pattern: quoted } },
      additionalProperties: false,
    };
    const vetted = await schemas.vet(schema);
    assert.ok(vetted.ok, `${text}: ${vetted.ok ? '' : vetted.reason}`);
    assert.equal(await schemas.check(vetted.schema, { [text]: text }), null, text);
    assert.equal((await schemas.check(vetted.schema, { other: 1 }))?.code, 'mismatch');
  }
  assert.equal('pwned' in globalThis, false);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('R115 what blocks a naive validator for seconds is quick here: the data decides, no deadline is needed', async (t) => {
  const schemas = open(t);
  const table: [what: string, schema: unknown, data: unknown, passes: boolean][] = [
    ['181 KB of unique items', { uniqueItems: true }, times(10_000, (i) => ({ id: i, of: [i] })), true],
    ['a regular expression that backtracks', { pattern: '^(a|a)*$' }, `${'a'.repeat(50_000)}!`, false],
    ['overlapping repeats', { pattern: '^([a-z]+)*$' }, `${'a'.repeat(50_000)}!`, false],
    [
      'a giant enum on many items',
      { items: { enum: times(5_000, (i) => `v${i}`) } },
      times(20_000, () => 'v4999'),
      true,
    ],
    ['4,000 dependent names', { dependentRequired: { a: times(4_000, (i) => `p${i}`) } }, { a: 1 }, false],
    [
      'many forms, many items',
      { items: { oneOf: times(100, (i) => ({ required: [`p${i}`] })) } },
      times(2_000, () => ({})),
      false,
    ],
  ];
  for (const [what, schema, data, passes] of table) {
    const fault = await schemas.check(keep(schema), data);
    assert.equal(fault?.code ?? null, passes ? null : 'mismatch', `${what}: ${fault?.message}`);
  }
});

test('R115 applying has a deadline: the hostile check is told apart, those waiting are answered rightly', async (t) => {
  const schemas = open(t, { vetTimeoutMs: 10_000, checkTimeoutMs: 100 });
  const hostile = keep(DOUBLING);
  const tree = keep(TREE);
  // Compiled first, so that the deadline below is that of applying alone.
  assert.equal(await schemas.check(hostile, {}), null);
  const endless = nest(60, 'a', {});
  const verdicts = await Promise.all([
    schemas.check(hostile, endless),
    schemas.check(tree, { name: 'a' }),
    schemas.check(hostile, { a: {} }),
    schemas.check(tree, { name: 1 }),
    schemas.check(tree, { name: 'a', children: [{}] }),
  ]);
  assert.deepEqual(verdicts, [
    { code: 'deadline', pointer: '', message: 'the schema could not be applied within 100 ms' },
    null,
    null,
    { code: 'mismatch', pointer: '/name', message: 'must be a string' },
    { code: 'mismatch', pointer: '/children/0', message: 'must have the property "name"' },
  ]);
  // The next worker is as good as the first.
  assert.equal(await schemas.check(tree, { name: 'b' }), null);
});

test('R115 while a hostile schema is judged the platform goes on: the event loop turns, other checks are answered', async (t) => {
  const schemas = open(t, { vetTimeoutMs: 10_000, checkTimeoutMs: 200 });
  const hostile = keep(DOUBLING);
  const plain = keep({ type: 'object', required: ['a'] });
  assert.equal(await schemas.check(hostile, {}), null);
  const state = { judging: true };
  const verdict = schemas.check(hostile, nest(60, 'a', {})).finally(() => (state.judging = false));
  let turns = 0;
  let answered = 0;
  while (state.judging) {
    await new Promise((resolve) => setImmediate(resolve));
    turns++;
    if (state.judging && (await schemas.check(plain, { a: turns })) === null) answered++;
  }
  assert.equal((await verdict)?.code, 'deadline');
  assert.ok(turns > 10 && answered > 10, `${turns} turns, ${answered} checks answered meanwhile`);
});

test('R49 vetting has a deadline too', async (t) => {
  const schemas = open(t, { vetTimeoutMs: 1, checkTimeoutMs: 10_000 });
  const large = { properties: Object.fromEntries(times(2_000, (i) => [`p${i}`, { type: 'string' }])) };
  const vetted = await schemas.vet(large);
  assert.ok(!vetted.ok);
  assert.equal(vetted.reason, 'the schema could not be compiled and tried within 1 ms');
});

test('R115 one schema cannot fill the line for all: above a bound its checks are refused as busy', async (t) => {
  const schemas = open(t, { vetTimeoutMs: 10_000, checkTimeoutMs: 100 });
  const hostile = keep(DOUBLING);
  const tree = keep(TREE);
  assert.equal(await schemas.check(hostile, {}), null);
  const first = schemas.check(hostile, nest(60, 'a', {}));
  const flood = times(1_100, () => schemas.check(hostile, {}));
  const other = schemas.check(tree, { name: 'a' });
  assert.equal((await first)?.code, 'deadline');
  assert.equal(await other, null);
  const codes = (await Promise.all(flood)).map((fault) => fault?.code ?? 'passed');
  assert.equal(codes.filter((code) => code === 'passed').length, 1_000);
  assert.equal(codes.filter((code) => code === 'busy').length, 100);
});

test('R115 what cannot be applied is told apart from data that does not fit', async (t) => {
  const schemas = open(t);
  const refused = await schemas.check(keep({ $ref: 'https://example.com/x' }), 1);
  assert.equal(refused?.code, 'failed');
  assert.match(refused.message, /nothing is fetched/);
  const deep = await schemas.check(keep({ enum: [[1]] }), nest(200_000, 'a', 1));
  assert.equal(deep?.code, 'failed');
});

test('closing answers what waits, ends the worker, and is harmless twice', async (t) => {
  const schemas = open(t, { vetTimeoutMs: 60_000, checkTimeoutMs: 60_000 });
  const waiting = [schemas.check(keep(DOUBLING), nest(60, 'a', {})), schemas.check(keep(TREE), { name: 'a' })];
  await schemas.close();
  await schemas.close();
  for (const fault of await Promise.all(waiting)) assert.match(fault?.message ?? '', /the platform is stopping/);
  assert.match((await schemas.check(keep(TREE), {}))?.message ?? '', /the platform is stopping/);
  const vetted = await schemas.vet({ type: 'object' });
  assert.ok(!vetted.ok && vetted.busy === true, 'nothing is said about a schema that was not judged');
  assert.equal(await schemas.check(keep({}), 1), null);
});

test('the worker never keeps the process alive: a program that forgets to close it ends by itself', async () => {
  const program = `
    import { createPayloadSchemas } from ${JSON.stringify(new URL('../src/api/payload-schema/index.ts', import.meta.url).href)};
    const schemas = createPayloadSchemas({ vetTimeoutMs: 10_000, checkTimeoutMs: 10_000 });
    console.log((await schemas.vet({ type: 'object' })).ok);`;
  const ended = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 30_000,
  });
  assert.equal(ended.stdout, 'true\n');
});
