// Binary mode: headers decoded by the rules of the HTTP binding, envelopes composed around the very bytes of the body.
import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeRequest, encodeBinary, readEnvelope } from './index.ts';
import type { EventLimits, Fault, PublishedEvent } from './index.ts';
import { decodeHeaderValue, encodeHeaderValue } from './headers.ts';

const LIMITS: EventLimits = { eventBytes: 256 * 1_024, requestBytes: 4 * 1_024 * 1_024 };
const REQUIRED = ['ce-specversion', '1.0', 'ce-id', '1', 'ce-source', '/s', 'ce-type', 't'];

type Given = { headers?: string[]; contentType?: string; body?: string | Uint8Array; limits?: EventLimits };

function decode({ headers = REQUIRED, contentType, body = '', limits = LIMITS }: Given) {
  const rawHeaders = contentType === undefined ? headers : [...headers, 'Content-Type', contentType];
  return decodeRequest({ contentType, rawHeaders, body: typeof body === 'string' ? Buffer.from(body) : body, limits });
}

function accept(given: Given): PublishedEvent {
  const decoded = decode(given);
  assert.ok(decoded.ok, JSON.stringify(decoded));
  assert.equal(decoded.mode, 'binary');
  return decoded.events[0] as PublishedEvent;
}

function refuse(given: Given): Fault[] {
  const decoded = decode(given);
  assert.ok(!decoded.ok);
  return decoded.faults;
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test('wire 4: the example of the HTTP binding decodes, and its data is put in verbatim', () => {
  const body = '{\n  "b" : 1.10, "a": "\\u0041"\n}\n';
  const event = accept({
    headers: [
      ...['Host', 'webhook.example.com', 'ce-specversion', '1.0', 'ce-type', 'com.example.someevent'],
      ...['ce-time', '2018-04-05T03:56:24Z', 'CE-ID', '1234-1234-1234', 'Ce-Source', '/mycontext/subcontext'],
    ],
    contentType: 'application/json; charset=utf-8',
    body,
  });
  assert.deepEqual(event.attributes, {
    specversion: '1.0',
    type: 'com.example.someevent',
    time: '2018-04-05T03:56:24Z',
    id: '1234-1234-1234',
    source: '/mycontext/subcontext',
    datacontenttype: 'application/json; charset=utf-8',
  });
  assert.deepEqual(event.data, { b: 1.1, a: 'A' });
  assert.ok(textOf(event.envelope).endsWith(`,"data":${body}}`));
  assert.deepEqual(readEnvelope(event.envelope), event);
});

test('wire 4: percent-encoding follows the pair of the specification', () => {
  assert.equal(encodeHeaderValue('Euro € 😀'), 'Euro%20%E2%82%AC%20%F0%9F%98%80');
  assert.equal(encodeHeaderValue(`!#$&'()*+,-./09:;<=>?@AZ[\\]^_\`az{|}~`), `!#$&'()*+,-./09:;<=>?@AZ[\\]^_\`az{|}~`);
  assert.equal(encodeHeaderValue(' "%\u007f'), '%20%22%25%7F');
  const table: [header: string, value: string | undefined][] = [
    ['Euro%20%E2%82%AC%20%F0%9F%98%80', 'Euro € 😀'],
    ['Euro%20%e2%82%ac%20%f0%9f%98%80', 'Euro € 😀'],
    ['%41%62%2F', 'Ab/'],
    ['"Euro %E2%82%AC"', 'Euro €'],
    [String.raw`"a \"quoted\" \\ word"`, String.raw`a "quoted" \ word`],
    [String.raw`not \ quoted`, String.raw`not \ quoted`],
    ['a "b c" d', 'a b c d'],
    ['%2541', '%41'],
    ['""', ''],
    ['', ''],
    ['"open', undefined],
    [String.raw`"open\"`, undefined],
    ['%C0%A0', undefined],
    ['%ED%A0%80', undefined],
    ['%F5%80%80%80', undefined],
    ['%E2%82', undefined],
    ['%80', undefined],
    ['%', undefined],
    ['100%', undefined],
    ['%2', undefined],
    ['%zz', undefined],
    ['caf\u00e9', undefined],
    ['\u0000', undefined],
  ];
  for (const [header, value] of table) assert.equal(decodeHeaderValue(header), value, header);
});

test('wire 4: headers that are no attributes, or wrong ones, are refused with the header named', () => {
  const table: [header: string, value: string, code: string][] = [
    ['ce-ext', '%C0%A0', 'invalid-header-value'],
    ['ce-ext', '"open', 'invalid-header-value'],
    ['ce-ext', 'caf\u00e9', 'invalid-header-value'],
    ['ce-ext', '%00', 'invalid-attribute'],
    ['ce-ext', 'a\tb', 'invalid-attribute'],
    ['ce-ext', '%EF%BF%BF', 'invalid-attribute'],
    ['ce-time', 'yesterday', 'invalid-attribute'],
    ['ce-subject', '', 'invalid-attribute'],
    ['ce-dataschema', '/relative', 'invalid-attribute'],
    ['ce-', 'x', 'invalid-attribute-name'],
    ['ce-a-b', 'x', 'invalid-attribute-name'],
    ['ce-data', 'x', 'invalid-attribute-name'],
    ['ce-data_base64', 'AA==', 'invalid-attribute-name'],
    ['ce-__proto__', 'x', 'invalid-attribute-name'],
    ['ce-datacontenttype', 'application/json', 'invalid-attribute-name'],
  ];
  for (const [header, value, code] of table) {
    const faults = refuse({ headers: [...REQUIRED, header, value] });
    assert.deepEqual(
      faults.map((fault) => [fault.index, fault.code, fault.pointer]),
      [[null, code, header]],
      `${header}: ${value}`,
    );
  }
  const missing = refuse({ headers: ['ce-id', '', 'ce-source', '%20'] });
  assert.deepEqual(missing.map((fault) => `${fault.code} ${fault.pointer}`).toSorted(), [
    'invalid-attribute ce-id',
    'invalid-attribute ce-source',
    'missing-attribute ce-specversion',
    'missing-attribute ce-type',
  ]);
});

test('wire 4: duplicate headers are refused, whatever their case and the mode', () => {
  const table: [headers: string[], pointer: string][] = [
    [[...REQUIRED, 'CE-ID', '1'], 'ce-id'],
    [[...REQUIRED, 'ce-ext', 'a', 'Ce-Ext', 'b'], 'ce-ext'],
    [[...REQUIRED, 'content-type', 'text/plain', 'Content-Type', 'text/html'], 'content-type'],
  ];
  for (const [headers, pointer] of table) {
    for (const contentType of ['application/json', 'application/cloudevents+json']) {
      const decoded = decodeRequest({
        contentType,
        rawHeaders: headers,
        body: Buffer.from('{}'),
        limits: LIMITS,
      });
      assert.ok(!decoded.ok);
      assert.deepEqual(
        decoded.faults.map((fault) => [fault.code, fault.pointer]),
        [['duplicate-header', pointer]],
      );
    }
  }
  accept({ headers: ['X-Other', '1', 'X-Other', '2', ...REQUIRED] });
});

test('wire 4: a structured event may repeat its attributes in headers, which are then not read', () => {
  const body = Buffer.from('{"specversion":"1.0","id":"body","source":"/s","type":"t"}');
  const contentType = 'application/cloudevents+json';
  const decoded = decodeRequest({ contentType, rawHeaders: ['ce-id', 'header'], body, limits: LIMITS });
  assert.ok(decoded.ok && decoded.mode === 'structured' && decoded.events[0]?.id === 'body');
});

test('wire 4: the data is kept by its content type', () => {
  const bytes = Buffer.from([0xff, 0x00, 0x80]);
  const table: [contentType: string | undefined, body: string | Uint8Array, member: string, data: unknown][] = [
    ['application/json', '[1, 2]', '"data":[1, 2]', [1, 2]],
    ['Application/JSON', 'null', '"data":null', null],
    ['application/vnd.x+json; v=1', '"text"', '"data":"text"', 'text'],
    ['text/json', '0', '"data":0', 0],
    ['text/plain', 'a "b"\n€', String.raw`"data":"a \"b\"\n€"`, 'a "b"\n€'],
    ['text/plain', '5', '"data":"5"', '5'],
    ['text/plain; charset=iso-8859-1', 'abc', '"data_base64":"YWJj"', Buffer.from('abc')],
    ['text/plain', bytes, '"data_base64":"/wCA"', bytes],
    ['application/xml', '<a/>', '"data":"<a/>"', '<a/>'],
    ['image/svg+xml', '<svg/>', '"data":"<svg/>"', '<svg/>'],
    ['application/octet-stream', 'abc', '"data_base64":"YWJj"', Buffer.from('abc')],
    ['image/png', bytes, '"data_base64":"/wCA"', bytes],
    [undefined, '{"a":1}', '"data_base64":"eyJhIjoxfQ=="', Buffer.from('{"a":1}')],
  ];
  for (const [contentType, body, member, data] of table) {
    const event = accept({ contentType, body });
    assert.ok(textOf(event.envelope).endsWith(`,${member}}`), `${contentType}: ${textOf(event.envelope)}`);
    assert.deepEqual(event.data, data);
    assert.equal(event.attributes['datacontenttype'], contentType);
    assert.deepEqual(readEnvelope(event.envelope), event);
    const again = encodeBinary(event.envelope);
    assert.deepEqual(Buffer.from(again.body), Buffer.from(body as string));
    assert.equal(again.headers.find(([name]) => name === 'content-type')?.[1], contentType);
  }
  for (const contentType of ['application/json', 'text/plain', undefined]) {
    const event = accept({ contentType });
    assert.equal(event.data, undefined, 'an empty body is no data');
    assert.equal(encodeBinary(event.envelope).body.length, 0);
  }
});

test('wire 4: a body that its content type calls JSON must be strict JSON', () => {
  const table: [body: string | Uint8Array, code: string][] = [
    ['{', 'invalid-json'],
    ["I'm just a string", 'invalid-json'],
    ['\ufeff{}', 'invalid-json'],
    [' ', 'invalid-json'],
    ['{"a":1}{"b":2}', 'invalid-json'],
    ['1},"id":"2"', 'invalid-json'],
    [Buffer.from([0x22, 0xff, 0x22]), 'invalid-utf8'],
    ['{"a":1,"a":2}', 'duplicate-key'],
    ['['.repeat(128) + ']'.repeat(128), 'nested-too-deep'],
    ['['.repeat(1_000_000), 'nested-too-deep'],
  ];
  for (const [body, code] of table) {
    const limits = { eventBytes: 2_000_000, requestBytes: 2_000_000 };
    assert.deepEqual(
      refuse({ contentType: 'application/json', body, limits }).map((fault) => fault.code),
      [code],
    );
  }
  assert.deepEqual(
    refuse({ contentType: 'json', body: 'x' }).map((fault) => fault.pointer),
    ['content-type'],
  );
  accept({ contentType: 'application/json', body: '['.repeat(127) + ']'.repeat(127) });
});

test('wire 4: the limit holds for the envelope, Base64 included', () => {
  const limits = { eventBytes: 1_000, requestBytes: 5_000 };
  accept({ contentType: 'application/json', body: `"${'x'.repeat(800)}"`, limits });
  for (const contentType of ['application/json', 'application/octet-stream']) {
    const faults = refuse({ contentType, body: Buffer.alloc(1_001, 0x31), limits });
    assert.deepEqual(
      faults.map((fault) => fault.code),
      ['event-too-large'],
    );
  }
  assert.deepEqual(
    refuse({ contentType: 'image/png', body: Buffer.alloc(800), limits }).map((fault) => fault.code),
    ['event-too-large'],
  );
});
