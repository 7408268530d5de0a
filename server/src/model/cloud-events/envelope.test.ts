// Envelopes: what we compose and send is what was published, in every mode and to the byte.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  BATCH_CONTENT_TYPE,
  STRUCTURED_CONTENT_TYPE,
  composeEvent,
  decodeRequest,
  encodeBatch,
  encodeBinary,
  readEnvelope,
} from './index.ts';
import { dataSpan } from './envelope.ts';
import type { Decoded, Header, PublishedEvent } from './index.ts';

const limits = { eventBytes: 256 * 1_024, requestBytes: 4 * 1_024 * 1_024 };

function decode(contentType: string | undefined, body: Uint8Array, headers: Header[] = []): Decoded {
  return decodeRequest({ contentType, rawHeaders: headers.flat(), body, limits });
}

function only(decoded: Decoded): PublishedEvent {
  assert.ok(decoded.ok, JSON.stringify(decoded));
  return decoded.events[0] as PublishedEvent;
}

function throughBinary(envelope: Uint8Array): PublishedEvent {
  const { headers, body } = encodeBinary(envelope);
  return only(decode(headers.find(([name]) => name === 'content-type')?.[1], body, headers));
}

const plain = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test('R63 R64 the challenge composes to the bytes it is signed as', () => {
  const line =
    '{"data":{"challengeRequest":"8cbecfea-d708-4706-bba3-669225084a10"},"datacontenttype":"application/json","id":"9d2698f2-0dd4-4870-b026-7e18c755e121","source":"https://global.api.greenlake.hpe.com/events","specversion":"1.0","subject":"3009de2825f211ec8a84fedebcb4a754","time":"2024-12-12T19:09:05Z","type":"com.hpe.greenlake.events.v1beta1.webhooks.verification"}';
  const envelope = composeEvent(JSON.parse(line) as Parameters<typeof composeEvent>[0]);
  assert.equal(plain(envelope), line);
  assert.deepEqual(only(decode(STRUCTURED_CONTENT_TYPE, envelope)), readEnvelope(envelope));
});

test('wire 4: bytes as data compose to data_base64, undefined members are left out', () => {
  const head = { specversion: '1.0', id: '1', source: '/s', type: 't' } as const;
  const bytes = composeEvent({ ...head, subject: undefined, data: new Uint8Array([1, 2, 255]) });
  assert.equal(plain(bytes), '{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AQL/"}');
  assert.equal(
    plain(composeEvent({ ...head, data: undefined })),
    '{"specversion":"1.0","id":"1","source":"/s","type":"t"}',
  );
});

test('wire 4: the bytes of data are found and sent unchanged in binary mode', () => {
  const data = String.raw`{"z" : 1e400, "data":[1.10,-0],"u":"\u00e9\/"}`;
  const head = '"specversion":"1.0","id":"1","source":"/s","type":"t"';
  const envelope = Buffer.from(
    `{ ${head}, "data" :  ${data}\n, "subject":"Euro € 😀","flag":true,"n":-5,"gone":null }`,
  );
  const span = dataSpan(envelope);
  assert.equal(plain(envelope.subarray(span?.start, span?.end)), data);
  const { headers, body } = encodeBinary(envelope);
  assert.equal(plain(body), data);
  assert.deepEqual(headers, [
    ['ce-specversion', '1.0'],
    ['ce-id', '1'],
    ['ce-source', '/s'],
    ['ce-type', 't'],
    ['ce-subject', 'Euro%20%E2%82%AC%20%F0%9F%98%80'],
    ['ce-flag', 'true'],
    ['ce-n', '-5'],
    ['content-type', 'application/json'],
  ]);
});

test('wire 4: the examples of the JSON format re-encode to their binary form', () => {
  const head = '"specversion":"1.0","type":"com.example.someevent","source":"/mycontext","id":"1"';
  const table: [rest: string, contentType: string | undefined, body: string][] = [
    [
      '"datacontenttype":"application/vnd.apache.thrift.binary","data_base64":"YWJj"',
      'application/vnd.apache.thrift.binary',
      'abc',
    ],
    [
      String.raw`"datacontenttype":"application/xml","data":"<much wow=\"xml\"/>"`,
      'application/xml',
      '<much wow="xml"/>',
    ],
    ['"datacontenttype":"application/json","data":{"appinfoA" : "abc"}', 'application/json', '{"appinfoA" : "abc"}'],
    [`"data":"I'm just a string"`, 'application/json', `"I'm just a string"`],
    ['"data":null', 'application/json', 'null'],
    ['"datacontenttype":"text/plain","data":{"not":"text"}', 'text/plain', '{"not":"text"}'],
    ['"data_base64":"YWJj"', undefined, 'abc'],
    ['"data_base64":null', undefined, ''],
    ['"datacontenttype":null,"data":1', 'application/json', '1'],
    ['"subject":null', undefined, ''],
  ];
  for (const [rest, contentType, body] of table) {
    const sent = encodeBinary(Buffer.from(`{${head},${rest}}`));
    assert.equal(plain(sent.body), body, rest);
    assert.equal(sent.headers.find(([name]) => name === 'content-type')?.[1], contentType, rest);
  }
});

const character = fc
  .string({ unit: 'grapheme', maxLength: 20 })
  .filter((text) => !/[\p{Cc}\p{NChar}\p{Cs}]/u.test(text));
const someText = character.filter((text) => text !== '');
const extension = fc
  .stringMatching(/^[a-z0-9]{1,12}$/)
  .filter(
    (name) =>
      !['specversion', 'id', 'source', 'type', 'subject', 'time', 'data', 'datacontenttype', 'dataschema'].includes(
        name,
      ),
  );
const json = fc.json({ maxDepth: 4 }).map((text) => JSON.parse(text) as unknown);
const data = fc.oneof(
  fc.constant({}),
  json.map((value) => ({ data: value })),
  json.map((value) => ({ datacontenttype: 'application/vnd.x+json', data: value })),
  fc.string({ minLength: 1 }).map((text) => ({ datacontenttype: 'text/plain', data: text })),
  fc
    .uint8Array({ minLength: 1 })
    .map((bytes) => ({ datacontenttype: 'image/png', data_base64: Buffer.from(bytes).toString('base64') })),
  fc.uint8Array({ minLength: 1 }).map((bytes) => ({ data_base64: Buffer.from(bytes).toString('base64') })),
);
const published: fc.Arbitrary<Record<string, unknown>> = fc
  .tuple(
    fc.record({
      specversion: fc.constant('1.0'),
      id: someText,
      source: fc.webUrl({ withFragments: true, withQueryParameters: true }),
      type: someText,
      subject: fc.option(someText),
      time: fc.constantFrom('2024-12-20T12:34:53.161Z', null),
    }),
    fc.dictionary(extension, fc.oneof(character, fc.boolean(), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })), {
      maxKeys: 4,
    }),
    data,
  )
  .map(([core, extensions, data]) => ({ ...core, ...extensions, ...data }));

test('R125 wire 4: an event survives every mode, and its bytes are kept', () => {
  fc.assert(
    fc.property(published, fc.constantFrom(0, 2, '\t'), (event, indent) => {
      const sent = Buffer.from(JSON.stringify(event, null, indent as number));
      const structured = only(decode(STRUCTURED_CONTENT_TYPE, sent));
      assert.deepEqual(Buffer.from(structured.envelope), sent);
      assert.deepEqual(readEnvelope(structured.envelope), structured);
      const { data: _, data_base64: base64, ...given } = event;
      const attributes = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
      assert.deepEqual(structured.attributes, attributes);
      assert.deepEqual(structured.data, typeof base64 === 'string' ? Buffer.from(base64, 'base64') : event['data']);

      const binary = throughBinary(structured.envelope);
      const texts = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)]));
      const implied = Object.hasOwn(event, 'data') && !Object.hasOwn(event, 'datacontenttype');
      assert.deepEqual({ ...binary.attributes }, implied ? { ...texts, datacontenttype: 'application/json' } : texts);
      assert.deepEqual(binary.data, structured.data);
      assert.deepEqual(throughBinary(binary.envelope), binary);
      assert.deepEqual(encodeBinary(binary.envelope).body, encodeBinary(structured.envelope).body);
      assert.deepEqual(only(decode(STRUCTURED_CONTENT_TYPE, binary.envelope)), binary);
    }),
    { numRuns: 500 },
  );
});

test('wire 4: a batch is its envelopes, unchanged', () => {
  assert.equal(plain(encodeBatch([])), '[]');
  fc.assert(
    fc.property(fc.array(published, { maxLength: 5 }), (events) => {
      const envelopes = events.map((event) => Buffer.from(JSON.stringify(event, null, 1)));
      const decoded = decode(BATCH_CONTENT_TYPE, encodeBatch(envelopes));
      assert.ok(decoded.ok);
      assert.deepEqual(
        decoded.events.map(({ envelope }) => Buffer.from(envelope)),
        envelopes,
      );
    }),
    { numRuns: 100 },
  );
});

test('wire 4: no bytes and no headers make the decoder throw', () => {
  const shard = fc.constantFrom(
    ...[
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      '\\',
      'null',
      '1',
      '"id"',
      '"specversion":"1.0"',
      '"data":',
      '"data_base64":"A"',
      '\u0000',
      ' ',
    ],
  );
  const bodies = fc.oneof(
    fc.uint8Array(),
    fc.array(shard).map((parts) => Buffer.from(parts.join(''))),
    published.map((event) => Buffer.from(JSON.stringify(event))),
  );
  const types = fc.oneof(
    fc.constantFrom(STRUCTURED_CONTENT_TYPE, BATCH_CONTENT_TYPE, 'application/json', 'text/plain', '', undefined),
    fc.string(),
  );
  const names = fc.constantFrom(
    'ce-id',
    'ce-source',
    'ce-type',
    'ce-specversion',
    'CE-TIME',
    'ce-',
    'content-type',
    'x',
    '',
  );
  const headers = fc.array(fc.tuple(names, fc.oneof(fc.string(), fc.constantFrom('1.0', '%', '"', '%C0%80'))), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(types, bodies, headers, (contentType, body, headers) => {
      const decoded = decode(contentType, body, headers);
      if (decoded.ok)
        for (const event of decoded.events) assert.deepEqual(readEnvelope(event.envelope).attributes, event.attributes);
      else assert.ok(decoded.faults.length > 0);
    }),
    { numRuns: 3_000 },
  );
});
