// JSON in bytes: spans, depth and members agree with what JSON.parse says of the same text.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { arrayElements, countMembers, duplicateKey, memberSpan, memberNames, scanJson } from './json-bytes.ts';
import type { Span } from './json-bytes.ts';

const text = (bytes: Uint8Array, span: Span | undefined): string | undefined =>
  span === undefined ? undefined : Buffer.from(bytes.subarray(span.start, span.end)).toString();

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

// White space in every place where RFC 8259 allows it.
const spaced = fc.tuple(fc.json({ maxDepth: 5 }), fc.constantFrom(0, 1, 4, '\t', '\r\n ')).map(([json, indent]) => {
  const value = JSON.parse(json) as unknown;
  return { value, bytes: Buffer.from(` \n${JSON.stringify(value, null, indent as number)}\t`) };
});

test('wire 4: depth and members counted in the bytes are those of the parsed value', () => {
  fc.assert(
    fc.property(spaced, ({ value, bytes }) => {
      assert.deepEqual(scanJson(bytes), { depth: depthOf(value), members: countMembers(value) });
      assert.equal(duplicateKey(bytes), undefined);
    }),
    { numRuns: 1_000 },
  );
});

test('wire 4: elements and members are found where they lie', () => {
  fc.assert(
    fc.property(spaced, ({ value, bytes }) => {
      const elements = arrayElements(bytes);
      const expected: unknown[] = Array.isArray(value) ? value : [];
      assert.deepEqual(
        elements.map((element) => JSON.parse(text(bytes, element) ?? '') as unknown),
        expected,
      );
      for (const element of elements) {
        const { depth, members } = scanJson(bytes, element.start, element.end);
        assert.deepEqual([element.depth, element.members], [depth, members]);
      }
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
      assert.deepEqual(new Set(memberNames(bytes, () => true)), new Set(Object.keys(value)));
      for (const [name, inner] of Object.entries(value)) {
        assert.deepEqual(JSON.parse(text(bytes, memberSpan(bytes, name)) ?? ''), inner);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('wire 4: a member is found by its name, however that is written', () => {
  const table: [json: string, found: string | undefined][] = [
    ['{"data":1}', '1'],
    [' { "data" : { "a" : [ 1 , 2 ] } } ', '{ "a" : [ 1 , 2 ] }'],
    [String.raw`{"\u0064at\u0061":"x"}`, '"x"'],
    ['{"x":{"data":1},"y":[{"data":2}],"data":3}', '3'],
    [String.raw`{"x":"\",\"data\":1","data":2}`, '2'],
    [String.raw`{"x\\":1,"data":"\\"}`, String.raw`"\\"`],
    ['{"x":"data","Data":1,"data ":2,"datax":3}', undefined],
    ['{"dat\\u0061":7}', '7'],
    ['["data"]', undefined],
    ['"data"', undefined],
    ['', undefined],
    ['{}', undefined],
  ];
  for (const [json, found] of table) {
    const bytes = Buffer.from(json);
    assert.equal(text(bytes, memberSpan(bytes, 'data')), found, json);
  }
});

test('wire 4: a duplicate key is counted and named, at any depth and in any spelling', () => {
  const table: [json: string, pointer: string][] = [
    ['{"a":1,"a":1}', '/a'],
    [String.raw`{"id":1,"\u0069d":2}`, '/id'],
    ['{"a":{"b":1,"b":2}}', '/a/b'],
    ['{"a":[0,{"b":1,"c":2,"b":3}]}', '/a/1/b'],
    ['[{"a":1},{"a":1,"a":2}]', '/1/a'],
    ['{"__proto__":1,"__proto__":2}', '/__proto__'],
    ['{"":1,"":2}', '/'],
    ['{"a/b":1,"x~y":{"k":0,"k":0},"a/c":2}', '/x~0y/k'],
    ['{"a/b":1,"a/b":2}', '/a~1b'],
    [String.raw`{"x":":\":","x":0}`, '/x'],
  ];
  for (const [json, pointer] of table) {
    const bytes = Buffer.from(json);
    assert.notEqual(scanJson(bytes).members, countMembers(JSON.parse(json)), json);
    assert.equal(duplicateKey(bytes), pointer, json);
  }
  for (const json of [
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":1}]',
    '{"a":1,"A":1,"a ":1}',
    '{"__proto__":{"a":1},"a":1}',
  ]) {
    const bytes = Buffer.from(json);
    assert.equal(scanJson(bytes).members, countMembers(JSON.parse(json)), json);
    assert.equal(duplicateKey(bytes), undefined);
  }
});

test('wire 4: bytes that are no JSON are walked without a fault', () => {
  const shards = fc.array(fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', 'data', ' ', '\u0000'), {
    maxLength: 60,
  });
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    shards.map((parts) => Buffer.from(parts.join(''))),
  );
  fc.assert(
    fc.property(bytes, (bytes) => {
      scanJson(bytes);
      for (const { start, end } of arrayElements(bytes)) assert.ok(0 <= start && start < end && end <= bytes.length);
    }),
    { numRuns: 2_000 },
  );
});

test('wire 4: at most so many elements are collected', () => {
  assert.equal(arrayElements(Buffer.from(`[${'0,'.repeat(99)}0]`), 10).length, 10);
});
