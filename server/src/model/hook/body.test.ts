// Requests to hooks as they are read: by their content type, strictly, within bounds, and never with a throw.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readRequest } from './body.ts';
import type { RequestBundle } from './body.ts';
import { jsonFaultAt } from './bodies/json-fault.ts';

type Body = string | Uint8Array;

function read(type: string | null, body: Body, query = ''): ReturnType<typeof readRequest> {
  const headers = type === null ? [] : ['Content-Type', type];
  return readRequest({ method: 'POST', query, headers, body: Buffer.from(body as string), from: null });
}

function bundle(type: string | null, body: Body, query = ''): RequestBundle {
  const result = read(type, body, query);
  assert.ok(result.ok, result.ok ? '' : result.reason);
  return result.bundle;
}

function reason(type: string | null, body: Body, query = ''): string {
  const result = read(type, body, query);
  assert.ok(!result.ok, 'it was taken');
  return result.reason;
}

const FORM = 'application/x-www-form-urlencoded';

test('R56 R91 a body is what its content type says: JSON, text, form, and nothing where it is empty', () => {
  assert.deepEqual(bundle('application/json', '{"a":[1,null]}').body, { a: [1, null] });
  assert.deepEqual(bundle('application/json', '\ufeff{"a":1}').body, { a: 1 });
  assert.deepEqual(bundle('Application/Problem+JSON; charset="UTF-8"', '7').body, 7);
  assert.deepEqual(bundle('application/cloudevents+json', '{"id":"1"}').body, { id: '1' });
  assert.deepEqual(bundle('application/cloudevents-batch+json', '[{"id":"1"}]').body, [{ id: '1' }]);
  assert.equal(bundle('text/plain', '{"a":1}').body, '{"a":1}');
  assert.equal(bundle('application/yaml', 'a: 1').body, 'a: 1');
  assert.deepEqual(bundle(FORM, 'a=1&b=%C3%A9+%26&a=2&c&&=d').body, { a: ['1', '2'], b: 'é &', c: '', '': 'd' });
  for (const type of ['application/json', FORM, 'text/xml', 'multipart/form-data', 'image/png', null]) {
    assert.equal(bundle(type, '').body, null, String(type));
  }
});

test('R91 a body nobody says anything about is JSON where it is an object or an array, else text, else bytes', () => {
  assert.deepEqual(bundle(null, ' {"a":1}').body, { a: 1 });
  assert.deepEqual(bundle(null, '[1]').body, [1]);
  assert.equal(bundle(null, '7').body, '7');
  assert.equal(bundle(null, '{"a":').body, '{"a":');
  assert.match(reason(null, '{"a":1,"a":2}'), /the key \/a twice/);
  const { body, request } = bundle(null, Buffer.from([0, 255]));
  assert.deepEqual([body, request], [null, { contentType: null, text: null, base64: 'AP8=', size: 2 }]);
});

test('R91 bytes are told by their size and in base64, texts of other types as a text', () => {
  assert.deepEqual(bundle('image/png', Buffer.from([0x89, 0x50])).request, {
    contentType: 'image/png',
    text: null,
    base64: 'iVA=',
    size: 2,
  });
  const { body, request } = bundle('application/pgp-signature', 'abc');
  assert.deepEqual([body, request.text, request.base64], [null, 'abc', null]);
  assert.equal(bundle('application/json', '{"é":1}').request.text, '{"é":1}');
});

test('R103 query, headers and method are to hand, names once, whatever they are', () => {
  const headers = ['X-One', 'a', 'x-two', 'b', 'X-ONE', 'c', '__proto__', 'd', 'ce-id', '7'];
  const query = 'a=1&a=2&b=%7e&__proto__=x&%=100%';
  const result = readRequest({ method: 'GET', query, headers, body: new Uint8Array(), from: null });
  assert.ok(result.ok);
  assert.deepEqual(Object.entries(result.bundle.headers), [
    ['x-one', 'a, c'],
    ['x-two', 'b'],
    ['__proto__', 'd'],
    ['ce-id', '7'],
  ]);
  assert.deepEqual(Object.entries(result.bundle.query), [
    ['a', ['1', '2']],
    ['b', '~'],
    ['__proto__', 'x'],
    ['%', '100%'],
  ]);
  assert.equal(result.bundle.method, 'GET');
  assert.equal(Object.getPrototypeOf(result.bundle.query), Object.prototype);
});

test('R56 charsets: what TextDecoder knows is decoded, what nobody knows or what it is not is refused', () => {
  assert.equal(bundle('text/plain; charset=iso-8859-1', Buffer.from([0xe9])).body, 'é');
  assert.deepEqual(bundle('application/json; charset=utf-16le', Buffer.from('{"é":1}', 'utf16le')).body, { é: 1 });
  assert.deepEqual(bundle(`${FORM}; charset=latin1`, 'a=%e9').body, { a: 'é' });
  assert.equal(reason('text/plain; charset=klingon', 'a'), 'The body is in a charset nobody here knows: "klingon".');
  assert.match(reason('text/plain; charset=utf-16le', 'abc'), /is not valid utf-16le/);
});

test('R56 R58 a body that is not what its content type says is refused in one sentence that names the place', () => {
  const rows: [string, Body, string | RegExp][] = [
    ['application/json', '{"a":1,}', 'The body is not JSON (line 1, column 8).'],
    ['application/json', '{\n  "a": x\n}', 'The body is not JSON (line 2, column 8).'],
    ['application/json', '{"a":', 'The body is not JSON (it ends too soon).'],
    ['application/json', 'a=1', 'The body is not JSON (line 1, column 1).'],
    ['application/json', '{"a":{"b":1,"b":2}}', 'The body has the key /a/b twice in its JSON object.'],
    ['application/json', '['.repeat(200) + ']'.repeat(200), 'The body nests deeper than 128 levels.'],
    ['application/json', '['.repeat(1_000_000), 'The body nests deeper than 128 levels.'],
    ['application/json', Buffer.from([0x22, 0x61, 0xff, 0x22]), 'The body is not valid UTF-8 (byte 3).'],
    ['text/plain', Buffer.from([0xef, 0xbf, 0xbd, 0x61, 0xc3]), 'The body is not valid UTF-8 (byte 5).'],
    [FORM, '{"a":1}', /^The body is JSON, but its content type says a form/],
    [FORM, 'a=1&b=%ff', 'Field 2 of the body is not valid UTF-8 (byte 1).'],
    [FORM, 'a=1&'.repeat(10_000), 'The body has more than 1000 fields.'],
  ];
  for (const [type, body, expected] of rows) {
    const found = reason(type, body);
    if (typeof expected === 'string') assert.equal(found, expected);
    else assert.match(found, expected);
  }
  assert.match(reason(null, '', 'a=%ff'), /^Field 1 of the query is not valid UTF-8/);
  const headers = ['Content-Type', 'text/plain', 'content-type', 'application/json'];
  const twice = readRequest({ method: 'POST', query: '', headers, body: Buffer.from('1'), from: null });
  assert.deepEqual(twice, { ok: false, reason: 'The header Content-Type comes more than once, and not as the same.' });
});

test('R56 the place where JSON ends being JSON is found exactly where it is none', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.string({ unit: fc.constantFrom(...'{}[]",:0-1.eE+ tfnu\\\ntrue'.split('')) }),
        fc.tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 })).map(([json, at, put]) => {
          const place = at % (json.length + 1);
          return json.slice(0, place) + put + json.slice(place + 1);
        }),
      ),
      (text) => {
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        const at = jsonFaultAt(text);
        assert.equal(at === null, isJson, text);
        assert.ok(at === null || (at >= 0 && at <= text.length));
      },
    ),
    { numRuns: 500 },
  );
});

/** Nothing but JSON. */
function isJson(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  const isPlain = typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype;
  return isPlain && Object.values(value).every(isJson);
}

test('R56 R91 whatever comes: no throw, an answer that is JSON, or one sentence', () => {
  const types = [
    null,
    '',
    'application/json',
    'application/json; charset=utf-16be',
    FORM,
    'text/plain; charset=shift_jis',
    'multipart/form-data; boundary=b',
    'multipart/form-data; boundary="',
    'application/xml',
    'application/soap+xml; charset=latin1',
    'image/png',
  ];
  const parts = [
    '<a>',
    '</a>',
    '<a b="',
    '&#x41;',
    '&',
    '<!',
    '<?xml ',
    ']]>',
    '--b',
    '\r\n',
    '--',
    'a=%',
    '{"',
    ': ',
    '\u0000',
  ];
  const head = 'Content-Disposition: form-data; name="a"\r\n';
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(fc.constantFrom(...parts, head), { maxLength: 20 }).map((list) => Buffer.from(list.join(''))),
  );
  fc.assert(
    fc.property(fc.constantFrom(...types), bodies, fc.string(), (type, body, query) => {
      const result = read(type, body, query);
      if (result.ok) assert.ok(isJson(result.bundle));
      else assert.match(result.reason, /^[A-Z][^\n]*\.$/);
    }),
    { numRuns: 1_000 },
  );
});

test('R91 the work is in proportion to the size: what makes simple readers slow is read or refused at once', () => {
  const size = 1_000_000;
  const rows: [string, string][] = [
    ['application/xml', '<a '.repeat(size / 3)],
    ['application/xml', '<a>'.repeat(100) + '<!--'.repeat(size / 4)],
    ['application/xml', `<a>${'&'.repeat(size)}</a>`],
    ['application/xml', `<a>${'&amp;'.repeat(size / 5)}</a>`],
    ['application/xml', `<${'a'.repeat(size)}`],
    ['application/xml', `<a>${'<b/>'.repeat(size / 4)}</a>`],
    ['multipart/form-data; boundary=b', '--b\r\n'.repeat(size / 5)],
    ['multipart/form-data; boundary=b', `--b\r\nContent-Disposition: form-data${';a="'.repeat(size / 4)}`],
    ['multipart/form-data; boundary=b', '\r\n--'.repeat(size / 4)],
    ['application/json', '"'.repeat(size)],
    ['application/json', `["${'\\"'.repeat(size / 2)}`],
    [FORM, '%'.repeat(size)],
    ['text/plain', '\ufffd'.repeat(size / 3)],
  ];
  for (const [type, body] of rows) {
    const start = performance.now();
    read(type, body);
    const took = performance.now() - start;
    assert.ok(took < 5_000, `${type} ${body.slice(0, 20)} took ${took} ms`);
  }
});
