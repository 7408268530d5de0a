// CloudEvents in all three modes: what is read, what is kept, what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCloudEvents } from '@bellwire/receiver';
import { auditLogText } from './vectors.ts';

const structured = 'application/cloudevents+json';
const batched = 'application/cloudevents-batch+json';
const minimal = { specversion: '1.0', id: 'a', source: '/s', type: 't' };
const binaryHeaders = { 'ce-specversion': '1.0', 'ce-id': 'a', 'ce-source': '/s', 'ce-type': 't' };

function parse(contentType: string | undefined, body: string | Uint8Array, headers: Record<string, string> = {}) {
  const all = new Headers(contentType === undefined ? headers : { ...headers, 'content-type': contentType });
  return parseCloudEvents(all, typeof body === 'string' ? new TextEncoder().encode(body) : body);
}

function one(...input: Parameters<typeof parse>) {
  const parsed = parse(...input);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.reason);
  const [event] = parsed.events;
  assert.ok(event?.ok);
  return event.event;
}

/** The status of a request that cannot be read. */
function status(...input: Parameters<typeof parse>): number {
  const parsed = parse(...input);
  return parsed.ok ? 200 : parsed.status;
}

const statusOf = (event: unknown) => status(structured, JSON.stringify(event));

test('R73 the audit-log event of the source document: every field, its nulls and epoch milliseconds', () => {
  const event = one('application/json', auditLogText);
  assert.deepEqual(event, JSON.parse(auditLogText));
  const data = event.data as { workspace: unknown; created_at: number };
  assert.deepEqual(data.workspace, {
    id: '3009de2825f211ec8a84fedebcb4a754',
    workspace_name: null,
    workspace_type: null,
  });
  assert.equal(data.created_at, 1734698093161);
  assert.equal(event.time, '2024-12-20T12:34:53.161Z');
  assert.equal('subject' in event, false);
});

test('R58 R73 the same text as printed, without its last brace, is not JSON', () => {
  assert.equal(status('application/json', auditLogText.slice(0, -2)), 400);
});

test('R74 unknown types, extension attributes and unknown fields in data are kept', () => {
  const sent = {
    ...minimal,
    type: 'x.y.z',
    traceparent: '00-a-b-01',
    sequence: 7,
    urgent: true,
    data: { new: [null] },
  };
  assert.deepEqual(one(structured, JSON.stringify(sent)), sent);
});

test('wire 4: a null attribute is absent, null data is data', () => {
  assert.deepEqual(one(structured, JSON.stringify({ ...minimal, subject: null, time: null, data: null })), {
    ...minimal,
    data: null,
  });
});

test('wire 4: what makes an event none', () => {
  for (const name of ['id', 'source', 'specversion', 'type']) {
    for (const value of [undefined, null, '', 1, {}]) assert.equal(statusOf({ ...minimal, [name]: value }), 400, name);
  }
  for (const version of ['1', '1.1', '0.3']) assert.equal(statusOf({ ...minimal, specversion: version }), 400);
  for (const name of ['Ext', 'my_ext', 'my-ext', 'é', ''])
    assert.equal(statusOf({ ...minimal, [name]: 'x' }), 400, name);
  for (const value of [
    'a\u0000',
    '\u001f',
    '\u007f',
    '\u009f',
    '\ufdd0',
    '\uffff',
    '\u{1fffe}',
    '\ud800',
    'a\udc00b',
  ]) {
    assert.equal(statusOf({ ...minimal, ext: value }), 400, JSON.stringify(value));
  }
  for (const value of [1.5, 2 ** 31, -(2 ** 31) - 1, 1e300, [], {}])
    assert.equal(statusOf({ ...minimal, ext: value }), 400);
  for (const value of ['', 'yesterday', '2024-12-20', '2024-02-30T00:00:00Z', '2024-12-20T24:00:00Z', 1734698093161]) {
    assert.equal(statusOf({ ...minimal, time: value }), 400, String(value));
  }
  for (const name of ['subject', 'dataschema', 'datacontenttype'])
    assert.equal(statusOf({ ...minimal, [name]: '' }), 400);
  for (const event of [null, 1, 'text', [minimal]]) assert.equal(statusOf(event), 400);
});

test('wire 4: what is accepted at the edges', () => {
  for (const value of ['2024-02-29T23:59:60Z', '2000-02-29t00:00:00.123456789+05:30', '2024-12-20T12:34:53-00:00']) {
    assert.equal(statusOf({ ...minimal, time: value }), 200, value);
  }
  for (const value of [2 ** 31 - 1, -(2 ** 31), 0, false, '', '€😀'])
    assert.equal(statusOf({ ...minimal, ext: value }), 200);
  assert.equal(statusOf({ ...minimal, source: '//global.api.greenlake.hpe.com/audit-log' }), 200);
  assert.equal(statusOf({ ...minimal, data: 'x'.repeat(65_536) }), 200);
});

test('wire 4: data_base64 becomes bytes and excludes data', () => {
  assert.deepEqual(
    one(structured, JSON.stringify({ ...minimal, data_base64: 'AP8=' })).data,
    Uint8Array.from([0, 255]),
  );
  assert.equal(statusOf({ ...minimal, data_base64: 'AP8=', data: 1 }), 400);
  for (const value of ['A', 'AP8_', 'A P8', 7]) assert.equal(statusOf({ ...minimal, data_base64: value }), 400);
  assert.equal(statusOf({ ...minimal, data_base64: null, data: 1 }), 200);
});

test('wire 4: duplicate keys are refused at every depth and in every spelling', () => {
  const texts = [
    '{"specversion":"1.0","id":"a","id":"b","source":"/s","type":"t"}',
    '{"specversion":"1.0","id":"a","\\u0069d":"b","source":"/s","type":"t"}',
    '{"specversion":"1.0","id":"a","source":"/s","type":"t","data":{"x":[{"y":1,"y":1}]}}',
  ];
  for (const text of texts) assert.equal(status(structured, text), 400);
  const fine =
    '{"specversion":"1.0","id":"a","source":"/s","type":"t","data":[{"id":"id"},{"id":"\\"id\\":{"},["id","id"],{"a":{"b":1},"b":{"a":1}}]}';
  assert.equal(status(structured, fine), 200);
});

test('duplicate keys are found exactly where there are some', () => {
  const tree = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, fc.jsonValue(), tie('object'), fc.array(tie('value'), { maxLength: 4 })),
    object: fc.dictionary(fc.string({ maxLength: 3 }), tie('value'), { maxKeys: 4 }),
  })).value;
  fc.assert(
    fc.property(tree, fc.constantFrom(undefined, 1), (data, indent) => {
      assert.equal(status(structured, JSON.stringify({ ...minimal, data }, null, indent)), 200);
      const text = JSON.stringify({ ...minimal, data: [data, { k: data, m: 1 }] }, null, indent);
      assert.equal(status(structured, text.replace(/"m"(?=[^"]*$)/, '"k"')), 400);
    }),
  );
});

test('wire 4: invalid UTF-8 is refused', () => {
  const text = JSON.stringify({ ...minimal, data: '@' });
  for (const bad of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xc3]]) {
    const [before, after] = text.split('@');
    const body = Buffer.concat([Buffer.from(before!), Uint8Array.from(bad), Buffer.from(after!)]);
    assert.equal(status(structured, body), 400);
  }
});

test('wire 4: the mode is told by the content type, in any case, with parameters', () => {
  const text = JSON.stringify(minimal);
  const accepted = [
    'application/json',
    'Application/CloudEvents+JSON; charset=UTF-8',
    'application/json;charset="utf-8"',
  ];
  for (const type of accepted) assert.equal(status(type, text), 200, type);
  assert.equal(status(undefined, text), 415);
  const refused = [
    'text/plain',
    'application/xml',
    'application/cloudevents',
    'application/cloudevents+xml',
    'application/cloudevents-batch+avro',
    'application/json; charset=utf-16',
    'application/x-www-form-urlencoded',
  ];
  for (const type of refused) assert.equal(status(type, text), 415, type);
  assert.equal(status('application/cloudevents+xml', '<a/>', binaryHeaders), 415);
  assert.equal(status('application/json', text, { 'content-encoding': 'gzip' }), 415);
  assert.equal(status('application/json', text, { 'content-encoding': 'identity' }), 200);
});

test('R36 wire 4: batches, each event on its own, the empty one included', () => {
  const batch = JSON.stringify([minimal, { no: 'event' }, { ...minimal, id: 'b', data: 1 }, null]);
  for (const type of [batched, 'application/json']) {
    const parsed = parse(type, batch);
    assert.ok(parsed.ok && parsed.mode === 'batched');
    assert.deepEqual(
      parsed.events.map((event) => (event.ok ? event.event.id : false)),
      ['a', false, 'b', false],
    );
  }
  const empty = parse(batched, '[]');
  assert.ok(empty.ok && empty.events.length === 0);
  assert.equal(status(batched, '{}'), 400);
  assert.equal(status(structured, batch), 400);
});

test('wire 4: binary mode reads ce- headers, un-quoted and percent-decoded once', () => {
  const headers = {
    ...binaryHeaders,
    'ce-subject': 'Euro%20%E2%82%AC%20%F0%9F%98%80',
    'ce-quoted': '"a \\"b\\" %25"',
    'ce-once': '%2541',
    'ce-sequence': '5',
  };
  assert.deepEqual(one('application/json; charset=utf-8', '{"a":null}', headers), {
    ...minimal,
    subject: 'Euro € 😀',
    quoted: 'a "b" %',
    once: '%41',
    sequence: '5',
    datacontenttype: 'application/json; charset=utf-8',
    data: { a: null },
  });
});

test('wire 4: binary mode carries any content', () => {
  const data = (type: string | undefined, body: string | Uint8Array) => one(type, body, binaryHeaders).data;
  assert.equal(data('text/plain', 'héllo'), 'héllo');
  assert.deepEqual(data('application/problem+json', '[1]'), [1]);
  assert.deepEqual(data('image/png', Uint8Array.from([0, 255])), Uint8Array.from([0, 255]));
  assert.deepEqual(data('text/plain', Uint8Array.from([255])), Uint8Array.from([255]));
  assert.equal('data' in one(undefined, '', binaryHeaders), false);
  assert.equal(status('application/json', '{', binaryHeaders), 400);
});

test('wire 4: binary headers that are refused', () => {
  for (const value of ['%C0%80', '%FF', '%E2%82', '%zz', '%', 'ü', '%00', '%EF%BF%BF', '%ED%A0%80']) {
    assert.equal(status('application/json', '1', { ...binaryHeaders, 'ce-subject': value }), 400, value);
  }
  for (const name of ['ce-my_ext', 'ce-data', 'ce-datacontenttype', 'ce-']) {
    assert.equal(status('application/json', '1', { ...binaryHeaders, [name]: 'x' }), 400, name);
  }
  assert.equal(status('application/json', '1', { ...binaryHeaders, 'ce-specversion': '0.3' }), 400);
  assert.equal(status('application/json', '1', { 'ce-specversion': '1.0' }), 400);
});

test('wire 4: whatever a String attribute holds survives binary mode', () => {
  const encode = (text: string) =>
    encodeURIComponent(text).replaceAll(/%(2[13-9A-F]|3[A-F]|40|5[B-F]|60|7[B-E])/g, (code) =>
      code === '%25' ? code : decodeURIComponent(code),
    );
  assert.equal(encode('Euro € 😀'), 'Euro%20%E2%82%AC%20%F0%9F%98%80');
  const attribute = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[\p{Cc}]/u.test(text));
  fc.assert(
    fc.property(attribute, (text) => {
      assert.equal(one('application/json', '1', { ...binaryHeaders, 'ce-ext': encode(text) }).ext, text);
    }),
  );
});

test('no input makes the parser throw', () => {
  const type = fc.constantFrom(structured, batched, 'application/json', 'text/plain', '');
  fc.assert(
    fc.property(
      type,
      fc.oneof(
        fc.json().map((text) => Buffer.from(text)),
        fc.uint8Array(),
      ),
      (contentType, body) => {
        parse(contentType, body);
        parse(contentType, body, binaryHeaders);
      },
    ),
  );
  const deep = '['.repeat(100_000);
  assert.equal(status(structured, `{"data":${deep}${']'.repeat(100_000)}}`), 400);
  assert.equal(status(structured, deep), 400);
});
