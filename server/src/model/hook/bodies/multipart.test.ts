// Multipart bodies: fields and files, and the many ways in which they are none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BODY_LIMITS } from './reading.ts';
import { readMultipart } from './multipart.ts';

const TYPE = 'multipart/form-data; boundary=xYz';

function bytesOf(text: string): Buffer {
  return Buffer.from(text.replaceAll('\n', '\r\n'));
}

function body(bytes: Buffer | string, type = TYPE): unknown {
  const result = readMultipart(typeof bytes === 'string' ? bytesOf(bytes) : bytes, type, BODY_LIMITS);
  assert.ok(result.ok, result.ok ? '' : result.reason);
  return result.body;
}

function reason(bytes: Buffer | string, type = TYPE): string {
  const result = readMultipart(typeof bytes === 'string' ? bytesOf(bytes) : bytes, type, BODY_LIMITS);
  assert.ok(!result.ok, 'it was taken');
  return result.reason;
}

const part = (head: string, content: string): string =>
  `--xYz\nContent-Disposition: form-data; ${head}\n\n${content}\n`;

test('R91 multipart: fields are texts, files tell name, type, size and bytes; repeated names make an array', () => {
  const text =
    part('name="a"', 'é\n--x') +
    part('name=a', '') +
    part('name="f"; filename="C:\\x\\y.bin"\nContent-Type: image/png', 'abc') +
    part('name="j"\nContent-Type: application/json', '{"b":[1]}') +
    part('name="q\\"%22"', '1') +
    part('name="r"\nContent-Type: image/gif', 'GIF');
  assert.deepEqual(body(`before\n${text}--xYz--\nafter`), {
    a: ['é\r\n--x', ''],
    f: { filename: 'C:\\x\\y.bin', contentType: 'image/png', size: 3, base64: 'YWJj' },
    j: { b: [1] },
    'q""': '1',
    r: { filename: null, contentType: 'image/gif', size: 3, base64: 'R0lG' },
  });
  assert.deepEqual(body('--xYz--'), {});
  assert.deepEqual(body(`${part('name="a"', '1')}--xYz--`, 'multipart/form-data; charset=utf-8; Boundary="xYz"'), {
    a: '1',
  });
  const latin = Buffer.concat([
    bytesOf('--xYz\nContent-Disposition: form-data; name="a"\nContent-Type: text/plain; charset=latin1\n\n'),
    Buffer.from([0xe9]),
    bytesOf('\n--xYz--'),
  ]);
  assert.deepEqual(body(latin), { a: 'é' });
  assert.deepEqual(Object.entries(body(`${part('name="__proto__"', '1')}--xYz--`) as object), [['__proto__', '1']]);
});

test('R56 R58 a multipart body without end, or otherwise none, is refused in a sentence', () => {
  const rows: [string, string | RegExp][] = [
    [part('name="a"', '1'), 'The body ends in the middle of part 1: the last boundary is missing.'],
    [`${part('name="a"', '1')}--xYz`, /^The boundary before part 2 is no line of its own/],
    [`${part('name="a"', '1')}--xYzz--`, /^The boundary before part 2 is no line of its own/],
    ['a=1', 'The body has not one boundary of those its content type tells.'],
    ['--xYz\n\n1\n--xYz--', 'Part 1 has no Content-Disposition: form-data with a name.'],
    [part('filename="a"', '1') + '--xYz--', 'Part 1 has no Content-Disposition: form-data with a name.'],
    ['--xYz\nno colon\n\n1\n--xYz--', 'Part 1 has a header line without a name.'],
    [
      part('name="a"\nContent-Disposition: form-data; name="b"', '1') + '--xYz--',
      'Part 1 has the header content-disposition twice.',
    ],
    [part('name="a"\nContent-Transfer-Encoding: base64', '1') + '--xYz--', /^Part 1 has a Content-Transfer-Encoding/],
    [
      part(`name="${'a'.repeat(9_000)}"`, '1') + '--xYz--',
      'Part 1 has no end of its headers, or more than 8192 bytes of them.',
    ],
    [
      part('name="a"\nContent-Type: application/json', '{') + '--xYz--',
      'The field "a" is not JSON (it ends too soon).',
    ],
    [part('name="a"', '1').repeat(10_000) + '--xYz--', 'The body has more than 1000 parts.'],
  ];
  for (const [text, expected] of rows) {
    if (typeof expected === 'string') assert.equal(reason(text), expected);
    else assert.match(reason(text), expected);
  }
  const invalid = Buffer.concat([
    bytesOf('--xYz\nContent-Disposition: form-data; name="a"\n\n'),
    Buffer.from([0xff]),
    bytesOf('\n--xYz--'),
  ]);
  assert.equal(reason(invalid), 'The field "a" is not valid UTF-8 (byte 1).');
  for (const type of [
    'multipart/form-data',
    'multipart/form-data; boundary=',
    `multipart/form-data; boundary=${'a'.repeat(71)}`,
    'multipart/form-data; boundary="a "',
  ]) {
    assert.match(reason('--a--', type), /without a boundary/, type);
  }
});

test('R91 what the platform itself sends as FormData is read as it was', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('a', 'b', 'ü "x"'), fc.oneof(fc.string(), fc.uint8Array())), { maxLength: 5 }),
      async (fields) => {
        const form = new FormData();
        const expected = new Map<string, unknown[]>();
        for (const [name, value] of fields) {
          if (typeof value === 'string') form.append(name, value);
          else form.append(name, new Blob([value.slice()], { type: 'image/png' }), 'f.png');
          // FormData sends each line end of a text as CRLF.
          const told =
            typeof value === 'string'
              ? value.replace(/\r\n|\r|\n/g, '\r\n')
              : {
                  filename: 'f.png',
                  contentType: 'image/png',
                  size: value.length,
                  base64: Buffer.from(value).toString('base64'),
                };
          expected.set(name, [...(expected.get(name) ?? []), told]);
        }
        const response = new Response(form);
        const bytes = Buffer.from(await response.arrayBuffer());
        assert.deepEqual(
          body(bytes, response.headers.get('content-type') ?? ''),
          Object.fromEntries([...expected].map(([name, values]) => [name, values.length === 1 ? values[0] : values])),
        );
      },
    ),
  );
});
