// Structured and batched mode: what is accepted, kept to the byte, and refused with all its faults.
import assert from 'node:assert/strict';
import test from 'node:test';
import { MAX_BATCH_EVENTS, decodeRequest, faultStatus } from './index.ts';
import type { Decoded, EventLimits, Fault, PublishedEvent } from './index.ts';

const LIMITS: EventLimits = { eventBytes: 256 * 1_024, requestBytes: 4 * 1_024 * 1_024 };
const STRUCTURED = 'application/cloudevents+json';
const BATCH = 'application/cloudevents-batch+json';

// The audit-log event of the source document, as printed there, with the last brace the print lacks.
const auditLog =
  '{ "specversion": "1.0", "id": "uJoQ5JMB_HAPiq2sSllt", "source": "//global.api.greenlake.hpe.com/audit-log", "type": "com.hpe.greenlake.audit-log.v1.logs.created", "datacontenttype": "application/json", "dataschema": "https://developer.greenlake.hpe.com/docs/greenlake/services/audit-logs/public/catalog/audit-log-event-latest/paths/Audit%20Log%20Created/post/", "time": "2024-12-20T12:34:53.161Z", "data": { "id": "uJoQ5JMB_HAPiq2sSllt", "user": { "username": "john.doe@hpedev.io" }, "workspace": { "id": "3009de2825f211ec8a84fedebcb4a754", "workspace_name": null, "workspace_type": null }, "application": { "id": "00000000-0000-0000-0000-000000000000" }, "category": "user_management", "description": "User john.doe@hpedev.io logged out", "created_at": 1734698093161, "updated_at": 1734698093161, "additional_info": { "ip_address": "194.9.99.5", "account_name": "HPEDEV -GLCP- Hackshack", "ip_address_str": "1.1.1.1" }, "has_details": false } }';

function decode(body: string | Uint8Array, contentType: string = STRUCTURED, limits: EventLimits = LIMITS): Decoded {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const rawHeaders = ['Host', 'localhost', 'Content-Type', contentType];
  return decodeRequest({ contentType, rawHeaders, body: bytes, limits });
}

function accept(body: string | Uint8Array, contentType = STRUCTURED): PublishedEvent {
  const decoded = decode(body, contentType);
  assert.ok(decoded.ok, JSON.stringify(decoded));
  assert.equal(decoded.events.length, 1);
  return decoded.events[0] as PublishedEvent;
}

function refuse(body: string | Uint8Array, contentType: string = STRUCTURED, limits?: EventLimits): Fault[] {
  const decoded = decode(body, contentType, limits);
  assert.ok(!decoded.ok, `accepted: ${Buffer.from(body).toString().slice(0, 100)}`);
  for (const fault of decoded.faults) assert.match(fault.message, /^[^\n]+\.$/);
  return decoded.faults;
}

const codes = (faults: Fault[]): string[] => faults.map((fault) => fault.code);

/** A smallest event, with members added, replaced or (undefined) left out. */
function event(change: Record<string, unknown> = {}): string {
  return JSON.stringify({ specversion: '1.0', id: '1', source: '/s', type: 't', ...change });
}

test('R73 R125 the audit-log event of the source document is taken, nulls and bytes kept', () => {
  const taken = accept(auditLog);
  assert.equal(Buffer.from(taken.envelope).toString(), auditLog);
  assert.equal(taken.source, '//global.api.greenlake.hpe.com/audit-log');
  assert.equal(taken.id, 'uJoQ5JMB_HAPiq2sSllt');
  assert.equal(taken.type, 'com.hpe.greenlake.audit-log.v1.logs.created');
  assert.equal(taken.subject, null);
  assert.equal(taken.time, '2024-12-20T12:34:53.161Z');
  assert.deepEqual(taken.data, (JSON.parse(auditLog) as { data: unknown }).data);
  const { workspace } = taken.data as { workspace: Record<string, unknown> };
  assert.deepEqual(workspace, {
    id: '3009de2825f211ec8a84fedebcb4a754',
    workspace_name: null,
    workspace_type: null,
  });
});

test('R73 the audit-log event as printed, without its last brace, is not JSON', () => {
  assert.deepEqual(codes(refuse(auditLog.slice(0, -2))), ['invalid-json']);
});

test('R74 unknown types and extension attributes are kept', () => {
  const taken = accept(
    event({ type: 'never.heard.of', comexampleextension1: 'value', comexampleothervalue: 5, flag: true }),
  );
  assert.deepEqual(taken.attributes, {
    specversion: '1.0',
    id: '1',
    source: '/s',
    type: 'never.heard.of',
    comexampleextension1: 'value',
    comexampleothervalue: 5,
    flag: true,
  });
  assert.deepEqual(accept(event({ constructor: 'x', valueof: 1 })).attributes['constructor'], 'x');
});

test('R125 the examples of the CloudEvents JSON format decode', () => {
  const head =
    '"specversion" : "1.0", "type" : "com.example.someevent", "source" : "/mycontext", "id" : "A234-1234-1234"';
  const bytes = accept(
    `{${head}, "datacontenttype" : "application/vnd.apache.thrift.binary", "data_base64" : "AAECAw=="}`,
  );
  assert.deepEqual(bytes.data, Buffer.from([0, 1, 2, 3]));
  const xml = accept(
    String.raw`{${head}, "unsetextension": null, "datacontenttype" : "application/xml", "data" : "<much wow=\"xml\"/>"}`,
  );
  assert.equal(xml.data, '<much wow="xml"/>');
  assert.equal(Object.hasOwn(xml.attributes, 'unsetextension'), false);
  const object = accept(
    `{${head}, "subject": null, "datacontenttype" : "application/json", "data" : {"appinfoA" : "abc", "appinfoB" : 123, "appinfoC" : true}}`,
  );
  assert.deepEqual(object.data, { appinfoA: 'abc', appinfoB: 123, appinfoC: true });
  assert.equal(object.subject, null);
  assert.equal(accept(`{${head}, "data" : "I'm just a string"}`).data, "I'm just a string");
  assert.equal(accept(`{${head}, "data" : null}`).data, null);
  assert.equal(accept(`{${head}}`).data, undefined);
  assert.equal(accept(`{${head}, "data_base64": null}`).data, undefined);
});

test('wire 4: the bytes of an event are kept, whatever a parser would make of them', () => {
  const odd = String.raw`{"data" : {"z":1e400,"a":-0,"b":12345678901234567890,"c":1.10,"d":"\u0041\/\ud800","e":[ ]} ,"id":"1","source":"/s","type":"t","specversion":"1.0"}`;
  const taken = accept(` \r\n\t${odd}\n `);
  assert.equal(Buffer.from(taken.envelope).toString(), odd);
  const decoded = decode(`[ ${odd} ,\n${auditLog}]`, BATCH);
  assert.ok(decoded.ok);
  assert.equal(decoded.mode, 'batched');
  assert.deepEqual(
    decoded.events.map(({ envelope }) => Buffer.from(envelope).toString()),
    [odd, auditLog],
  );
});

test('wire 4: media types are matched without regard to case, the batch before the single event', () => {
  for (const type of [
    STRUCTURED,
    'Application/CloudEvents+JSON',
    `${STRUCTURED}; charset=UTF-8`,
    `${STRUCTURED} ;charset="utf-8"`,
  ]) {
    const decoded = decode(event(), type);
    assert.equal(decoded.ok && decoded.mode, 'structured', type);
  }
  for (const type of [BATCH, 'APPLICATION/CLOUDEVENTS-BATCH+JSON', `${BATCH};charset=utf-8`]) {
    const decoded = decode(`[${event()}]`, type);
    assert.equal(decoded.ok && decoded.mode, 'batched', type);
  }
});

test('wire 4: what announces no CloudEvents JSON is an unsupported media type', () => {
  const table: [contentType: string, message: RegExp][] = [
    ['application/json', /application\/json and without ce- headers.*application\/cloudevents\+json/],
    ['', /without a Content-Type/],
    ['text/plain', /text\/plain/],
    ['application/cloudevents', /not as application\/cloudevents\./],
    ['application/cloudevents+xml', /cloudevents\+xml/],
    ['application/cloudevents-batch', /cloudevents-batch/],
    ['application/cloudevents-batch+avro', /avro/],
    ['application/cloudevents+jsonx', /jsonx/],
    [`${STRUCTURED}; charset=iso-8859-1`, /charset iso-8859-1/],
    [`${STRUCTURED}; charset=utf-16`, /utf-16/],
  ];
  for (const [contentType, message] of table) {
    const faults = refuse(event(), contentType);
    assert.deepEqual(codes(faults), ['unsupported-media-type'], contentType);
    assert.match(faults[0]?.message ?? '', message);
    assert.equal(faultStatus(faults), 415);
  }
  const none = decodeRequest({
    contentType: undefined,
    rawHeaders: [],
    body: Buffer.from(event()),
    limits: LIMITS,
  });
  assert.ok(!none.ok && /without a Content-Type/.test(none.faults[0]?.message ?? ''));
});

test('wire 4: bytes that are no strict JSON are refused', () => {
  const table: [body: string | Uint8Array, code: string][] = [
    ['', 'invalid-json'],
    ['  ', 'invalid-json'],
    ['not json', 'invalid-json'],
    [`${event()}x`, 'invalid-json'],
    [`${event()}${event()}`, 'invalid-json'],
    [`\ufeff${event()}`, 'invalid-json'],
    [event().replace('"1.0"', '"1.0",'), 'invalid-json'],
    [event().replaceAll('"', "'"), 'invalid-json'],
    [event({ id: 'X' }).replace('X', '\u0000'), 'invalid-json'],
    [event({ id: 'X' }).replace('X', '\n'), 'invalid-json'],
    [event({ x: 'X' }).replace('"X"', 'NaN'), 'invalid-json'],
    [event({ x: 'X' }).replace('"X"', '01'), 'invalid-json'],
    [`\u00a0${event()}`, 'invalid-json'],
    [Buffer.from(event({ id: 'é' }), 'latin1'), 'invalid-utf8'],
    [Buffer.concat([Buffer.from('{"data":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]), 'invalid-utf8'],
    [Buffer.concat([Buffer.from('{"data":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]), 'invalid-utf8'],
    [Buffer.from(event(), 'utf16le'), 'invalid-json'],
    ['[]', 'not-an-event'],
    [`[${event()}]`, 'not-an-event'],
    ['null', 'not-an-event'],
    ['"text"', 'not-an-event'],
    ['5', 'not-an-event'],
  ];
  for (const [body, code] of table) {
    const faults = refuse(body);
    assert.deepEqual(codes(faults), [code], Buffer.from(body).toString());
    assert.equal(faultStatus(faults), 400);
    if (code !== 'not-an-event') assert.deepEqual(codes(refuse(body, BATCH)), [code]);
  }
});

test('wire 4: duplicate keys are refused wherever they stand, and named', () => {
  const table: [body: string, pointer: string][] = [
    [event().replace('}', ',"id":"1"}'), '/id'],
    [event().replace('}', String.raw`,"\u0069d":"2"}`), '/id'],
    [event({ data: 'X' }).replace('"X"', '{"a":[{"k":1,"k":1}]}'), '/data/a/0/k'],
    [event({ data: 'X' }).replace('"X"', '{"__proto__":1,"__proto__":2}'), '/data/__proto__'],
  ];
  for (const [body, pointer] of table) {
    const [fault, ...rest] = refuse(body);
    assert.deepEqual([fault?.code, fault?.pointer, rest.length], ['duplicate-key', pointer, 0], body);
    const batch = refuse(`[${event()},${body}]`, BATCH);
    assert.deepEqual(
      batch.map((one) => [one.index, one.code, one.pointer]),
      [[1, 'duplicate-key', pointer]],
    );
  }
  accept(event({ data: 'X' }).replace('"X"', '{"__proto__":{"__proto__":1},"a":{"a":":"}}'));
});

test('wire 4: nesting is bounded, and 1,000 nested arrays are refused calmly', () => {
  const nested = (depth: number): string => event({ data: 'X' }).replace('"X"', '['.repeat(depth) + ']'.repeat(depth));
  accept(nested(127));
  assert.ok(decode(`[${nested(127)}]`, BATCH).ok);
  for (const depth of [128, 1_000, 100_000]) {
    assert.deepEqual(codes(refuse(nested(depth))), ['nested-too-deep']);
    const batch = refuse(`[${event()},${nested(depth)}]`, BATCH);
    assert.deepEqual(
      batch.map((fault) => [fault.index, fault.code]),
      [[1, 'nested-too-deep']],
    );
  }
  assert.deepEqual(codes(refuse('['.repeat(4_000_000), BATCH)), ['nested-too-deep']);
  assert.deepEqual(codes(refuse('{"a":'.repeat(1_000), BATCH)), ['nested-too-deep']);
});

test('wire 4: attributes that break a rule are refused, every one of them', () => {
  const table: [change: Record<string, unknown>, code: string, pointer: string][] = [
    [{ specversion: undefined }, 'missing-attribute', '/specversion'],
    [{ id: undefined }, 'missing-attribute', '/id'],
    [{ id: null }, 'missing-attribute', '/id'],
    [{ source: undefined }, 'missing-attribute', '/source'],
    [{ type: undefined }, 'missing-attribute', '/type'],
    [{ id: '' }, 'invalid-attribute', '/id'],
    [{ source: '' }, 'invalid-attribute', '/source'],
    [{ type: '' }, 'invalid-attribute', '/type'],
    [{ subject: '' }, 'invalid-attribute', '/subject'],
    [{ id: 1 }, 'invalid-attribute', '/id'],
    [{ type: true }, 'invalid-attribute', '/type'],
    [{ specversion: '0.3' }, 'invalid-attribute', '/specversion'],
    [{ specversion: 1 }, 'invalid-attribute', '/specversion'],
    [{ specversion: '1.0 ' }, 'invalid-attribute', '/specversion'],
    [{ time: 'yesterday' }, 'invalid-attribute', '/time'],
    [{ time: '2023-02-29T00:00:00Z' }, 'invalid-attribute', '/time'],
    [{ time: 1734698093161 }, 'invalid-attribute', '/time'],
    [{ time: '' }, 'invalid-attribute', '/time'],
    [{ source: 'two words' }, 'invalid-attribute', '/source'],
    [{ source: '/ключ' }, 'invalid-attribute', '/source'],
    [{ source: '/a%zz' }, 'invalid-attribute', '/source'],
    [{ source: '/a#b#c' }, 'invalid-attribute', '/source'],
    [{ dataschema: '/relative' }, 'invalid-attribute', '/dataschema'],
    [{ dataschema: '' }, 'invalid-attribute', '/dataschema'],
    [{ dataschema: 'https://x/<y>' }, 'invalid-attribute', '/dataschema'],
    [{ datacontenttype: '' }, 'invalid-attribute', '/datacontenttype'],
    [{ datacontenttype: 'json' }, 'invalid-attribute', '/datacontenttype'],
    [{ datacontenttype: 'text/plain; charset' }, 'invalid-attribute', '/datacontenttype'],
    [{ datacontenttype: `a/b${';c=d'.repeat(250)}` }, 'invalid-attribute', '/datacontenttype'],
    [{ source: '/100%' }, 'invalid-attribute', '/source'],
    [{ ext: 'a\u0000b' }, 'invalid-attribute', '/ext'],
    [{ ext: '\u001f' }, 'invalid-attribute', '/ext'],
    [{ ext: '\u007f' }, 'invalid-attribute', '/ext'],
    [{ ext: '\u009f' }, 'invalid-attribute', '/ext'],
    [{ ext: '\ufdd0' }, 'invalid-attribute', '/ext'],
    [{ ext: '\uffff' }, 'invalid-attribute', '/ext'],
    [{ ext: '\u{1fffe}' }, 'invalid-attribute', '/ext'],
    [{ ext: '\u{10ffff}' }, 'invalid-attribute', '/ext'],
    [{ ext: '\ud800' }, 'invalid-attribute', '/ext'],
    [{ ext: 'x\udc00' }, 'invalid-attribute', '/ext'],
    [{ id: '\ud83d' }, 'invalid-attribute', '/id'],
    [{ ext: 2 ** 31 }, 'invalid-attribute', '/ext'],
    [{ ext: -(2 ** 31) - 1 }, 'invalid-attribute', '/ext'],
    [{ ext: 1.5 }, 'invalid-attribute', '/ext'],
    [{ ext: {} }, 'invalid-attribute', '/ext'],
    [{ ext: ['a'] }, 'invalid-attribute', '/ext'],
    [{ Ext: 'x' }, 'invalid-attribute-name', '/Ext'],
    [{ ext_1: 'x' }, 'invalid-attribute-name', '/ext_1'],
    [{ 'a/b~': 'x' }, 'invalid-attribute-name', '/a~1b~0'],
    [{ '': 'x' }, 'invalid-attribute-name', '/'],
    [{ é: 'x' }, 'invalid-attribute-name', '/é'],
    [{ id: 'x'.repeat(256) }, 'attribute-too-long', '/id'],
    [{ id: 'é'.repeat(128) }, 'attribute-too-long', '/id'],
    [{ type: 'x'.repeat(256) }, 'attribute-too-long', '/type'],
    [{ source: `/${'x'.repeat(1_024)}` }, 'attribute-too-long', '/source'],
    [{ data: 1, data_base64: 'AA==' }, 'conflicting-data', '/data_base64'],
    [{ data: null, data_base64: 'AA==' }, 'conflicting-data', '/data_base64'],
    [{ data_base64: 'AA=' }, 'invalid-base64', '/data_base64'],
    [{ data_base64: 'A' }, 'invalid-base64', '/data_base64'],
    [{ data_base64: 'A===' }, 'invalid-base64', '/data_base64'],
    [{ data_base64: 'AA==AA==' }, 'invalid-base64', '/data_base64'],
    [{ data_base64: 'A A=' }, 'invalid-base64', '/data_base64'],
    [{ data_base64: '__8=' }, 'invalid-base64', '/data_base64'],
    [{ data_base64: 5 }, 'invalid-base64', '/data_base64'],
    [{ data_base64: '... base64 encoded string ...' }, 'invalid-base64', '/data_base64'],
  ];
  for (const [change, code, pointer] of table) {
    const faults = refuse(event(change));
    assert.deepEqual(
      faults.map((one) => [one.index, one.code, one.pointer]),
      [[null, code, pointer]],
      JSON.stringify(change),
    );
  }
  assert.match(refuse(event({ id: 'x'.repeat(256) }))[0]?.message ?? '', /database key.*255 bytes/);
});

test('wire 4: numbers that are attributes must be written as integers', () => {
  const written = (number: string): string => event({ ext: 'X' }).replace('"X"', number);
  for (const number of ['1.0', '1e0', '1E2', '1e400', '-1.0']) {
    assert.deepEqual(codes(refuse(written(number))), ['invalid-attribute'], number);
  }
  for (const number of ['0', '-0', '7', '2147483647', '-2147483648']) {
    assert.ok(accept(written(number)).attributes['ext'] === Number(number), number);
  }
});

test('wire 4: the work per byte is bounded: many numbers, many duplicates at depth', () => {
  const numbers = Object.fromEntries(Array.from({ length: 15_000 }, (_, at) => [`n${at}`, at]));
  assert.equal(accept(event(numbers)).attributes['n14999'], 14_999);
  const twice = event({ data: 'X' }).replace('"X"', `${'[0,'.repeat(120)}{"k":0,"k":0}${']'.repeat(120)}`);
  const faults = refuse(`[${Array(900).fill(twice).join(',')}]`, BATCH);
  assert.equal(faults.length, 900);
  assert.equal(faults[899]?.pointer, `/data${'/1'.repeat(120)}/k`);
});

test('wire 4: values as long as an operator may allow are judged without overflowing a stack', () => {
  const limits = { eventBytes: 64 * 1_024 * 1_024, requestBytes: 64 * 1_024 * 1_024 };
  const long = 12_000_000;
  const table: [change: Record<string, unknown>, ok: boolean][] = [
    [{ data_base64: 'A'.repeat(long) }, true],
    [{ dataschema: `urn:${'%41'.repeat(long / 3)}` }, true],
    [{ datacontenttype: `a/b;c="${'x'.repeat(long)}"` }, false],
    [{ ext: `${'x'.repeat(long)}é` }, true],
    [{ time: `2024-12-20T12:34:53.${'1'.repeat(long)}Z` }, true],
  ];
  for (const [change, ok] of table) {
    assert.equal(decode(event(change), STRUCTURED, limits).ok, ok, Object.keys(change).join(','));
  }
});

test('wire 4: attributes at the edge of a rule are taken', () => {
  const table: Record<string, unknown>[] = [
    { id: 'x'.repeat(255), type: 'x'.repeat(255), source: `/${'x'.repeat(1_023)}` },
    { id: 'é'.repeat(127) },
    { id: ' ', type: 'with space' },
    { ext: '' },
    { ext: 'Euro € 😀 \u00a0\u0300' },
    { ext: true, other: false },
    { subject: 'ключ' },
    { a: 1, 1: 'a digit is a name' },
    { time: '2016-12-31T23:59:60Z' },
    { datacontenttype: 'text/plain; charset="utf-8"; format=flowed' },
    { datacontenttype: 'application/vnd.x+json;v=1' },
    { data_base64: '' },
    { dataschema: 'urn:x:y' },
    // The examples of the specification for source.
    { source: 'https://github.com/cloudevents' },
    { source: 'mailto:cncf-wg-serverless@lists.cncf.io' },
    { source: 'urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66' },
    { source: 'cloudevents/spec/pull/123' },
    { source: '/sensors/tn-1234567/alerts' },
    { source: '1-555-123-4567' },
    { source: '#fragment' },
    { source: 'http://[::1]:80/a?b=c#d%20' },
  ];
  for (const change of table) accept(event(change));
});

test('wire 4: all faults of one event are listed', () => {
  const faults = refuse(
    JSON.stringify({ specversion: '2', ID: 'x', time: 'now', type: null, data: 1, data_base64: '!' }),
  );
  assert.deepEqual(
    new Set(faults.map((fault) => `${fault.code} ${fault.pointer}`)),
    new Set([
      'invalid-attribute /specversion',
      'invalid-attribute-name /ID',
      'invalid-attribute /time',
      'missing-attribute /type',
      'missing-attribute /id',
      'missing-attribute /source',
      'conflicting-data /data_base64',
      'invalid-base64 /data_base64',
    ]),
  );
});

test('wire 4: every fault of every event of a batch is listed by its index', () => {
  const body = `[${event()}, ${event({ id: '', time: 'x' })}, 5, ${event({ type: undefined })}, [], null]`;
  assert.deepEqual(
    refuse(body, BATCH).map((fault) => [fault.index, fault.code]),
    [
      [1, 'invalid-attribute'],
      [1, 'invalid-attribute'],
      [2, 'not-an-event'],
      [3, 'missing-attribute'],
      [4, 'not-an-event'],
      [5, 'not-an-event'],
    ],
  );
  assert.deepEqual(codes(refuse(event(), BATCH)), ['not-an-event']);
  assert.deepEqual(codes(refuse(`[${event()},]`, BATCH)), ['invalid-json']);
});

test('wire 4: a batch may be empty, and holds no more than its limit', () => {
  for (const body of ['[]', ' [ \n] ']) {
    assert.deepEqual(decode(body, BATCH), { ok: true, mode: 'batched', events: [] });
  }
  const many = (count: number): string => `[${Array(count).fill(event()).join(',')}]`;
  const decoded = decode(many(MAX_BATCH_EVENTS), BATCH);
  assert.ok(decoded.ok && decoded.events.length === MAX_BATCH_EVENTS);
  const faults = refuse(many(MAX_BATCH_EVENTS + 1), BATCH);
  assert.deepEqual(codes(faults), ['batch-too-large']);
  assert.equal(faultStatus(faults), 413);
});

test('wire 4: the list of faults itself is bounded and says so', () => {
  const faults = refuse(`[${Array(3_000).fill('0').join(',')}]`, BATCH);
  assert.equal(faults.length, 1_000);
  assert.equal(faults.at(-1)?.code, 'more-faults');
});

test('wire 4: events and requests above their limit are too large, 64 KiB pass', () => {
  const limits = { eventBytes: 1_000, requestBytes: 5_000 };
  const sized = (bytes: number): string => {
    const bare = event({ data: '' });
    return event({ data: 'x'.repeat(bytes - bare.length) });
  };
  assert.ok(decode(sized(1_000), STRUCTURED, limits).ok);
  assert.ok(decode(` ${sized(1_000)}\n`, STRUCTURED, limits).ok, 'white space around an event is not counted');
  const single = refuse(sized(1_001), STRUCTURED, limits);
  assert.deepEqual(codes(single), ['event-too-large']);
  assert.equal(faultStatus(single), 413);
  const batch = refuse(`[${sized(1_000)},${sized(1_001)},${event({ id: '' })}]`, BATCH, limits);
  assert.deepEqual(
    batch.map((fault) => [fault.index, fault.code]),
    [
      [1, 'event-too-large'],
      [2, 'invalid-attribute'],
    ],
  );
  assert.equal(faultStatus(batch), 413);
  assert.deepEqual(codes(refuse(`[${Array(6).fill(sized(900)).join(',')}]`, BATCH, limits)), ['request-too-large']);
  accept(sized(64 * 1_024));
  accept(sized(256 * 1_024));
  assert.deepEqual(codes(refuse(sized(256 * 1_024 + 1))), ['event-too-large']);
  assert.deepEqual(codes(refuse(Buffer.alloc(10_000_000, 0x78))), ['request-too-large']);
});

test('wire 4: a batch keeps copies, so that one queued event does not hold a whole request', () => {
  const body = Buffer.from(`[${event()},${event({ id: '2' })}]`);
  const decoded = decode(body, BATCH);
  assert.ok(decoded.ok);
  body.fill(0);
  assert.equal(Buffer.from(decoded.events[1]?.envelope ?? []).toString(), event({ id: '2' }));
});
