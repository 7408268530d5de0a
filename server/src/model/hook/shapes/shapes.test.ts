// Structures of bodies: learned, checked, written, declared, and made examples of.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import type { NamedShape, Shape } from '../../flow/definition.ts';
import type { Json } from '../../json-value.ts';
import { exampleOf } from './example.ts';
import { inferShape } from './infer.ts';
import { fitOneOf, misfit } from './misfit.ts';
import { parseShape, writeShape } from './notation.ts';
import { shapeTypes } from './declare.ts';

const event: Json = {
  id: 'e1',
  time: '2026-01-31T12:00:00Z',
  data: { user: { username: 'ann' }, count: 3, ok: true, tags: ['x'], none: null, items: [] },
};

function shapeOf(notation: Json): Shape {
  const result = parseShape(notation);
  assert.ok(result.ok, result.ok ? '' : result.fault);
  return result.shape;
}

/** Names that matter: those of prototypes, and those that the notation gives a meaning. */
const names = fc.oneof(fc.constantFrom('a', 'id', '__proto__', 'constructor', 'a?', '??', '', 'a b', '1'), fc.string());
const dates = fc.constantFrom('2026-01-31T12:00:00Z', '2026-02-28T00:00:00.5+09:00');
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.string(), dates),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.array(fc.tuple(names, tie('json')), { maxLength: 4 }).map((fields) => Object.fromEntries(fields)),
  ),
}));

test('R79 a structure is learned from a sample: text, number, boolean, date, collection, array; null is unknown', () => {
  assert.deepEqual(inferShape([event]), {
    type: 'collection',
    fields: {
      id: { type: 'text' },
      time: { type: 'date' },
      data: {
        type: 'collection',
        fields: {
          user: { type: 'collection', fields: { username: { type: 'text' } } },
          count: { type: 'number' },
          ok: { type: 'boolean' },
          tags: { type: 'array', of: { type: 'text' } },
          none: { type: 'unknown', nullable: true },
          items: { type: 'array', of: { type: 'unknown' } },
        },
      },
    },
  });
});

test('R79 several samples: what some lack is optional, what is null in some nullable, kinds that differ unknown', () => {
  const samples: Json[] = [
    { a: 1, b: 'x', c: '2026-01-31T12:00:00Z', d: null, e: [{ f: 1 }, { g: 2 }] },
    { a: 'x', c: 'soon', d: 'y', e: [] },
  ];
  assert.deepEqual(inferShape(samples), {
    type: 'collection',
    fields: {
      a: { type: 'unknown' },
      b: { type: 'text', optional: true },
      c: { type: 'text' },
      d: { type: 'text', nullable: true },
      e: {
        type: 'array',
        of: {
          type: 'collection',
          fields: { f: { type: 'number', optional: true }, g: { type: 'number', optional: true } },
        },
      },
    },
  });
  assert.deepEqual(inferShape([]), { type: 'unknown' });
});

test('R79 R80 every sample fits what was learned from it; what nests for ever is cut, not followed', () => {
  fc.assert(
    fc.property(fc.array(json, { maxLength: 5 }), (samples) => {
      const shape = inferShape(samples);
      for (const sample of samples) assert.equal(misfit(shape, sample), null);
    }),
    { numRuns: 300 },
  );
  const deep = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000)) as Json;
  const shape = inferShape([deep]);
  assert.equal(misfit(shape, deep), null);
  assert.ok(JSON.stringify(shape).length < 4_000);
});

test('R74 R80 R96 a misfit names its place and shows no value; fields nobody knows are none', () => {
  const shape = shapeOf({
    id: 'text',
    at: 'date',
    user: { name: 'text?' },
    'tags?': ['number'],
    'odd name?': 'boolean',
  });
  const fits = { id: '1', at: '2026-01-31T12:00:00Z', user: {}, more: { of: ['them'] } };
  const rows: [Json, string | null][] = [
    [fits, null],
    [{ ...fits, tags: null, user: { name: null } }, null],
    [{ ...fits, id: '2026-01-31T12:00:00Z' }, null],
    ['secret', 'it is a text, not a collection'],
    [null, 'it is null, not a collection'],
    [{ ...fits, id: 7 }, 'id is a number, not a text'],
    [{ ...fits, at: 'soon' }, 'at is a text, not a date (RFC 3339)'],
    [{ ...fits, user: { name: false } }, 'user.name is true or false, not a text'],
    [{ ...fits, user: [] }, 'user is an array, not a collection'],
    [{ ...fits, tags: [1, null] }, 'tags[1] is null, not a number'],
    [{ ...fits, 'odd name': 1 }, '["odd name"] is a number, not true or false'],
    [{ id: '1' }, 'at is missing'],
  ];
  for (const [value, expected] of rows) assert.equal(misfit(shape, value), expected);
  assert.equal(misfit(shapeOf({ toString: 'text' }), {}), 'toString is missing');
});

test('R80 R96 a body fits one of several shapes, or the reason tells of each', () => {
  const challenge = { name: 'challenge', shape: shapeOf({ data: { challengeRequest: 'text' } }) };
  const other = { name: 'event', shape: shapeOf({ id: 'text' }) };
  assert.deepEqual(fitOneOf([challenge, other], { id: '1' }), { shape: 'event' });
  assert.deepEqual(fitOneOf([other], {}), { reason: 'The body does not fit the shape event: id is missing.' });
  assert.deepEqual(fitOneOf([challenge, other], { data: {} }), {
    reason: 'The body fits none of the shapes (challenge: data.challengeRequest is missing; event: id is missing).',
  });
});

test('R79 shapes as a document writes them, with a clear fault where they are none', () => {
  assert.deepEqual(shapeOf({ id: 'text', 'user?': { name: 'text | null' }, tags: ['text'], all: [], any: 'unknown' }), {
    type: 'collection',
    fields: {
      id: { type: 'text' },
      user: {
        type: 'collection',
        fields: { name: { type: 'text', nullable: true } },
        optional: true,
        nullable: true,
      },
      tags: { type: 'array', of: { type: 'text' } },
      all: { type: 'array', of: { type: 'unknown' } },
      any: { type: 'unknown' },
    },
  });
  const rows: [Json, string | RegExp, (string | number)[]][] = [
    [{ a: { b: 'txt' } }, 'no kind of value is called "txt"; did you mean text?', ['a', 'b']],
    [{ a: ['text', 'number'] }, /has one item/, ['a']],
    [{ a: [7] }, /a shape is a word .*, not 7/, ['a', 0]],
    [{ a: null }, /not nothing/, ['a']],
    [{ a: 'text', 'a?': 'text' }, 'the field "a" is there twice', ['a?']],
    ['', /no kind of value is called ""; it has text, number/, []],
  ];
  for (const [value, fault, path] of rows) {
    const result = parseShape(value);
    assert.ok(!result.ok);
    assert.deepEqual(result.path, path);
    if (typeof fault === 'string') assert.equal(result.fault, fault);
    else assert.match(result.fault, fault);
  }
  const deep = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000)) as Json;
  assert.match((parseShape(deep) as { fault: string }).fault, /at most 64 levels/);
});

test('R79 a shape that is written is read again, and takes what it took', () => {
  fc.assert(
    fc.property(fc.array(json, { maxLength: 3 }), (samples) => {
      const written = writeShape(inferShape(samples));
      const shape = shapeOf(written);
      for (const sample of samples) assert.equal(misfit(shape, sample), null, JSON.stringify(written));
    }),
    { numRuns: 300 },
  );
});

test('R79 an example of a shape fits it', () => {
  fc.assert(
    fc.property(fc.array(json, { maxLength: 3 }), (samples) => {
      const shape = inferShape(samples);
      assert.equal(misfit(shape, exampleOf(shape)), null);
    }),
    { numRuns: 300 },
  );
  assert.deepEqual(exampleOf(inferShape([event])), {
    id: 'id',
    time: '2026-01-31T12:00:00Z',
    data: { user: { username: 'username' }, count: 1, ok: true, tags: ['tags'], none: null, items: [null] },
  });
});

test('R79 the types of shapes are TypeScript', () => {
  const shape = shapeOf({
    id: 'text',
    'at?': 'date',
    tags: ['number | null'],
    of: [{ 'a-b': 'unknown' }],
    x: 'collection',
  });
  assert.equal(
    shapeTypes([{ name: 'audit event', shape }]),
    [
      '/** A body of the shape "audit event". */',
      'export interface AuditEvent {',
      '  id: string;',
      '  /** RFC 3339. */',
      '  at?: string | null;',
      '  tags: (number | null)[];',
      '  of: {',
      '    "a-b": unknown;',
      '  }[];',
      '  x: Record<string, unknown>;',
      '}',
      '',
    ].join('\n'),
  );
});

test('R79 the types compile whatever the names are, and take the samples they were learned from', async () => {
  const strange = [
    '*/ evil',
    'string',
    'string',
    '7',
    '',
    '🦉',
    'größe',
    '_',
    'a\u2028b',
    '名前',
    '__proto__',
    'default',
  ];
  const samples = fc.sample(json, { numRuns: 60, seed: 7 });
  const shapes: NamedShape[] = [
    ...strange.map((name) => ({ name, shape: inferShape([{ [name]: 1, 'a"b\\': [null, 'x'], 'x\n': [[{}]] }, {}]) })),
    ...samples.map((sample, at) => ({ name: `sample ${at}`, shape: inferShape([sample, event]) })),
    ...samples.map((sample, at) => ({ name: `alone ${at}`, shape: inferShape([sample]) })),
  ];
  const uses = samples.map((_, at) => {
    const example = JSON.stringify(exampleOf(shapes[strange.length + samples.length + at]!.shape));
    return `const use${at}: Alone${at} = ${example};\nvoid use${at};\n`;
  });
  const folder = await mkdtemp(join(tmpdir(), 'bellwire-shapes-'));
  try {
    const file = join(folder, 'shapes.ts');
    await writeFile(file, `${shapeTypes(shapes)}\n${uses.join('')}`);
    const compiler = fileURLToPath(import.meta.resolve('typescript/package.json').replace('package.json', 'bin/tsc'));
    const flags = ['--strict', '--noEmit', '--target', 'es2024', '--module', 'nodenext', '--types', ''];
    await promisify(execFile)(process.execPath, [compiler, ...flags, file], { cwd: folder }).catch((error: unknown) =>
      assert.fail((error as { stdout: string }).stdout),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
