// Functions: the hashes of the wire, and the corners of texts, numbers, times, lists and versions. The common cases of
// each are the examples of docs/expressions.md, which a test runs.
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { parseExpression } from '../index.ts';
import type { Json, Scope } from '../index.ts';

function value(text: string, scope: Scope = {}): Json {
  return parseExpression(text).evaluate(scope, { now: Date.UTC(2026, 10, 23, 2, 20, 41, 5) });
}

function gives(table: readonly [string, Json][], scope: Scope = {}): void {
  for (const [text, expected] of table) assert.deepEqual(value(text, scope), expected, text);
}

function fails(table: readonly [string, RegExp][], scope: Scope = {}): void {
  for (const [text, message] of table) assert.throws(() => value(text, scope), message, text);
}

const challenge = '8cbecfea-d708-4706-bba3-669225084a10';

test('R66 R83 wire 1 sha256 with a key is the verification of a challenge', () => {
  const vectors: [string, string][] = [
    ['s3cr3tKey', '085b6a2ea9034fa67de9bba59e667a0bf63c341e7d50ab8015567205cf736e3d'],
    ['my-shared-secret', '02b73dec3cd2f63b9564935b94fb3532cd34ba71ecb751548f2eb477e909a053'],
    ['MySecretKey', '6def4a65f9c5dc57430341d4df7f818eb6ddbba98132206bcffe46ef8119f851'],
    ['ключ-Ωµ-🔑', 'a092c14a3d39a3fcf594b70bcde4bc46af2c764ea13ec9ae8549dc432af1c282'],
    ['a b c', '3cf26391ebc5de81389cc59c735a614ac96896c1fba83b65b0c8b18d94b20429'],
  ];
  for (const [X, expected] of vectors) {
    const scope = { body: { data: { challengeRequest: challenge } }, secret: { X } };
    for (const text of [
      'sha256( body.data.challengeRequest ; ; secret.X )',
      'sha256(body.data.challengeRequest, , secret.X)',
      "sha256(body.data.challengeRequest; 'hex'; secret.X; 'text')",
      "sha256(body.data.challengeRequest, '', secret.X, null)",
    ]) {
      assert.equal(value(text, scope), expected, text);
    }
  }
  const second = { c: '550e8400-e29b-41d4-a716-446655440000', secret: { X: 's3cr3tKey' } };
  assert.equal(
    value('sha256(c;;secret.X)', second),
    '6de14a7ada9be456e74dcdb0ee5f0091c51fbfe1a7de6d1be05a87e66c706709',
  );
});

test('words, tags, middles and what lists have in common', () => {
  gives([
    ["titleCase('ÉCOLE élan, o’NEIL 3rd')", 'École Élan, O’neil 3rd'],
    ['titleCase(nothing)', ''],
    ["stripHtml('<b>x</b> 1 < 2 <!-- c -->y <open')", 'x 1 < 2 y <open'],
    ["length(stripHtml(replace(padStart('', 20000), ' ', '<a')))", 40_000],
    ['trunc(1.9)', 1],
    ['trunc(nothing)', null],
    ['median([])', null],
    ['median(4, 1, [3, 2])', 2.5],
    ["difference([{ a: 1 }, 'x', 1, '1'], [{ a: 1 }, 1])", ['x', '1']],
    ['intersection([1, 2, 2, 3], [2])', [2, 2]],
    ['difference(nothing, [1])', []],
  ]);
});

test('R83 the formula of the seed that lost its third argument is a plain hash', () => {
  const plain = createHash('sha256').update(challenge).digest('hex');
  const body = { data: { challengeRequest: challenge } };
  gives(
    [
      ['sha256( body.data.challengeRequest ; ; )', plain],
      ['sha256(body.data.challengeRequest)', plain],
      ['sha256(body.data.challengeRequest;;;)', plain],
      ["sha256('')", createHash('sha256').update('').digest('hex')],
    ],
    { body },
  );
});

test('R83 encodings of hash and key; wire 7 vectors of other schemes', () => {
  const scope = {
    foo: '{"foo": "bar"}',
    stripe: '1614265330.{\n  "id": "evt_test_webhook",\n  "object": "event"\n}',
    standard: 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}',
  };
  gives(
    [
      ["sha256(foo, 'base64', 'test_secret_key')", 'B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g='],
      [
        "sha256('Hello, World!', 'hex', 'It\\'s a Secret to Everybody')",
        '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
      ],
      [
        "sha256('qgg8vlvZRS6UYooatFL8Aw'; ; 'my-zoom-secret-token')",
        '8dea98ffad2b91f74c656e7da408bcc1fc6869ca42fd9337d1dcf0d432c011d1',
      ],
      ["sha256(stripe, , 'whsec_test_secret')", 'af4ead0627a34a8cca29808e8de9ada8e41a92e6237c63cef6eacf51d36cca34'],
      [
        "sha256(standard, 'base64', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')",
        'g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
      ],
      ["sha1('a', 'hex', '00ff', 'hex')", createHmac('sha1', Buffer.from('00ff', 'hex')).update('a').digest('hex')],
      ['sha512(12.5)', createHash('sha512').update('12.5').digest('hex')],
    ],
    scope,
  );
  fails([
    ["sha256('a', missing, 'k') == sha256('a', 'HEX', 'k')", /one of hex, base64/],
    ["sha256('a', 'hex', missing)", /key is empty/],
    ["sha256('a', 'hex', '')", /key is empty/],
    ["sha256('a', 'hex', '0g', 'hex')", /not hex/],
    ["sha256('a', 'hex', '0', 'hex')", /not hex/],
    ["sha256('a', 'hex', 'a', 'base64')", /not base64/],
    ["fromHex('ff')", /no text in UTF-8/],
    ["fromBase64('a*==')", /not base64/],
    ["urlDecode('%zz')", /not encoded/],
    ["parseJson('{')", /not JSON/],
  ]);
  gives([
    ["fromBase64('zqk')", 'Ω'],
    ["parseJson('')", null],
    ['keys(parseJson(\'{"__proto__":1}\'))', ['__proto__']],
    ["urlEncode('\\ud800')", '%EF%BF%BD'],
  ]);
});

test('texts: nothing is the empty text, numbers are their digits, emoji are not cut by capitalize and split', () => {
  gives([
    ['upper(missing)', ''],
    ['lower(5)', '5'],
    ['length(missing)', 0],
    ["length('🔑')", 2],
    ['length({ a: 1, b: 2 })', 2],
    ["capitalize('🔑a')", '🔑a'],
    ["capitalize('')", ''],
    ["split('a🔑', '')", ['a', '🔑']],
    ["split('', ',')", []],
    ["split('a,b,c', ',', 2)", ['a', 'b']],
    ["replace('aaa', '', 'x')", 'aaa'],
    ["replace('a$b', '$', '$&$1')", 'a$&$1b'],
    ["substring('abc', -1)", 'abc'],
    ["substring('abc', 2, 1)", ''],
    ["join([1, null, 'a'], '')", '1a'],
    ["join(missing, ',')", ''],
    ["padStart('abc', 2)", 'abc'],
    ["padStart('a', 3, '')", 'a'],
    ['contains([1, { a: 1 }], { a: 1 })', true],
    ["contains('abc', '')", true],
    ["contains(missing, 'x')", false],
    ["containsIgnoreCase('ΑΒΓ', 'αβ')", true],
    ["equalsIgnoreCase(missing, '')", true],
    ['escapeHtml(\'a & "b"\')', 'a &amp; &quot;b&quot;'],
  ]);
  fails([
    ["padStart('a', 0.5)", /whole number/],
    ["split('a', ',', 0)", /whole number/],
    ["substring('a', 'b')", /start must be a number/],
  ]);
});

test('patterns: RE2, linear whatever they are; groups, and replacements as they stand', () => {
  gives([
    ["matches('john.doe', '^john\\\\.\\\\w+$')", true],
    ["matches('JOHN', 'john')", false],
    ["matches(missing, '.')", false],
    ["extract('a=1; b=2', 'b=(\\\\d)')", '2'],
    ["extract('a=1', 'a=\\\\d')", 'a=1'],
    ["extract('a=1', '(b)?a=(\\\\d)', 1)", null],
    ["extract('x', 'y')", null],
    ["replacePattern('aaa', 'a', '$&')", '$&$&$&'],
    ["replacePattern('abc', '', '-')", '-a-b-c-'],
  ]);
  fails([
    ["matches('a', '(?=a)')", /no regular expression of RE2/],
    ["matches('a', '(a)\\\\1')", /no regular expression of RE2/],
    ["matches('a', '(a{1000}){1000}')", /repeats so much/],
    ["matches('a', missing)", /must be a text/],
    ["extract('a', 'a', 1)", /whole number from 0 to 0/],
  ]);
});

test('numbers: nothing stays nothing, and decimal places are those that are written', () => {
  gives([
    ['round(missing)', null],
    ['round(2.5)', 3],
    ['round(-2.5)', -3],
    ['round(1.005, 2)', 1.01],
    ['round(1e-7, 2)', 0],
    ['round(1.5e300, 2)', 1.5e300],
    ['round(1e21)', 1e21],
    ['max([])', null],
    ['min(missing)', null],
    ['sum(1, [2, null], missing)', 3],
    ['sum([])', 0],
    ['average([])', null],
    ['formatNumber(missing)', null],
    ['formatNumber(-0.001, 2)', '0.00'],
    ['formatNumber(-1234.5, 1, ",", ".")', '-1.234,5'],
    ['formatNumber(1234.5, 1, ".", "")', '1234.5'],
    ['formatNumber(999.999, 2)', '1,000.00'],
    ["parseNumber('')", null],
    ["parseNumber('1,234.5')", 1234.5],
    ["parseNumber(' -5 ')", -5],
    ['parseNumber(5)', 5],
    ["toNumber('1e3')", 1000],
    ["toNumber(' 7 ')", 7],
    ["toNumber('')", null],
    ['toNumber(true)', 1],
    ['toBoolean(0)', false],
    ["toBoolean(' Yes ')", true],
    ["toBoolean('')", null],
  ]);
  fails([
    ["round('1')", /must be a number and is a text/],
    ['round(1, 21)', /from 0 to 20/],
    ["sum('1')", /must be a number/],
    ["parseNumber('1a')", /no number/],
    ["parseNumber('1', '|')", /must be \. or ,/],
    ['formatNumber(1e21)', /too large/],
    ["toNumber('0x10')", /no number/],
    ["toNumber('1e999')", /no number/],
    ['toNumber([1])', /a list that says no number/],
    ["toBoolean('maybe')", /neither true nor false/],
    ['sum(1e308, 1e308)', /too large/],
  ]);
});

test('times: zones by Intl, summer time, short months, and what calendars cannot show', () => {
  gives([
    ['formatDate(now)', '2026-11-23T02:20:41.005Z'],
    ["formatDate(now, , 'Asia/Kolkata')", '2026-11-23T07:50:41.005+05:30'],
    ["formatDate(now, 'dddd D MMMM YYYY, h:mm a [at] \\'d\\' W/Q')", 'Monday 23 November 2026, 2:20 am at d 48/4'],
    ["formatDate(now, 'yyyy-MM-dd EEE cccc')", '2026-11-23 Mon Monday'],
    [
      "formatDate(now, 'X x ZZ', '-03:30')",
      `${Date.UTC(2026, 10, 23, 2, 20, 41) / 1000} ${Date.UTC(2026, 10, 23, 2, 20, 41, 5)} -0330`,
    ],
    ["formatDate(0, 'HH hh A')", '00 12 AM'],
    ["formatDate('2026-01-01', 'W YYYY')", '1 2026'],
    ["formatDate('2027-01-01', 'W')", '53'],
    ["formatDate('0005-03-01', 'YYYY D', 'Europe/Berlin')", '0005 1'],
    ['formatDate(missing)', null],
    ["formatDate('')", null],
    ["parseDate('2026-11-23T03:20:41.0059+01:00')", Date.UTC(2026, 10, 23, 2, 20, 41, 5)],
    ["parseDate('2026-02-28')", Date.UTC(2026, 1, 28)],
    ["parseDate('2026-02-28', , 'Asia/Tokyo')", Date.UTC(2026, 1, 27, 15)],
    ["parseDate('1 Feb 26 12:05 AM', 'D MMM YY hh:mm A')", Date.UTC(2026, 1, 1, 0, 5)],
    ["parseDate('2026-11-23 10:00 +0100', 'YYYY-MM-DD HH:mm ZZ', 'Asia/Tokyo')", Date.UTC(2026, 10, 23, 9)],
    ["parseDate('1764000000', 'X')", 1_764_000_000_000],
    ["parseDate('', 'X')", null],
    // Berlin skips 2:00 to 3:00 on this day, and shows it twice on the other one.
    ["parseDate('2026-03-29 02:30', 'YYYY-MM-DD HH:mm', 'Europe/Berlin')", Date.UTC(2026, 2, 29, 1, 30)],
    ["parseDate('2026-10-25 02:30', 'YYYY-MM-DD HH:mm', 'Europe/Berlin')", Date.UTC(2026, 9, 25, 0, 30)],
    ["addDays('2026-03-28T12:00:00+01:00', 1, 'Europe/Berlin')", Date.UTC(2026, 2, 29, 10)],
    ["addDays('2026-03-28T12:00:00+01:00', 1)", Date.UTC(2026, 2, 29, 11)],
    ["addMonths('2026-01-31', -11)", Date.UTC(2025, 1, 28)],
    ["addMonths('2026-12-15', 1)", Date.UTC(2027, 0, 15)],
    ['addDays(missing, 1)', null],
    ["startOf('2026-03-29T12:00:00Z', 'day', 'Europe/Berlin')", Date.UTC(2026, 2, 28, 23)],
    ["startOf('2026-11-22T12:00:00Z', 'week')", Date.UTC(2026, 10, 16)],
    ["startOf(now, 'hour')", Date.UTC(2026, 10, 23, 2)],
    ["datePart('2026-11-22', 'weekday')", 7],
    ["datePart(now, 'hour', 'Asia/Tokyo')", 11],
    ["dateDifference('2026-03-31', '2026-02-28', 'months')", 1],
    ["dateDifference('2026-03-30', '2026-01-31', 'months')", 1],
    ["dateDifference('2024-03-01', '2026-02-28', 'years')", -1],
    ["dateDifference('2026-01-01', '2026-01-02T12:00:00Z', 'days')", -1],
    ["dateDifference('2026-01-01', '2026-01-01T12:00:00Z', 'days')", 0],
    ["dateDifference('2026-01-01', missing)", null],
    ['isBefore(missing, now)', false],
    ["isAfter(now, '2026-11-23')", true],
  ]);
  fails([
    ["formatDate('yesterday')", /no time of RFC 3339/],
    ["formatDate('2026-02-30')", /no time of RFC 3339/],
    ['formatDate(true)', /a boolean/],
    ['formatDate(1e300)', /years 1 to 9999/],
    ["formatDate(now, 'YYYY-MM-DD', 5)", /zone must be a text/],
    ["parseDate('x', 'YYYY')", /no time of this format/],
    ["parseDate('2026-02-30', 'YYYY-MM-DD')", /no time of this format/],
    ["parseDate('13:00 PM', 'hh:mm A')", /no time of this format/],
    ["parseDate('25', 'HH')", /no time of this format/],
    ["parseDate('1', 'W')", /can be written, but not read/],
    ["parseDate('11', 'HH' + 'YYYYHH')", /twice/],
    ["parseDate('1', 'D]M[' + 'jj')", /jj is no part/],
    ['addMonths(now, 0.5)', /whole number/],
    ['addMonths(now, 1e300)', /years 1 to 9999|whole/],
    ['addHours(now, 1e300)', /years 1 to 9999/],
    ["dateDifference(now, now, 'eons')", /one of milliseconds/],
  ]);
});

test('lists and objects: order, sameness and what is missing', () => {
  gives(
    [
      ['first(missing)', null],
      ["first('🔑a')", '🔑'],
      ["last('')", ''],
      ['map(missing, x -> x)', []],
      ['sort([3, 1, null, "b", 2, "a", true])', [1, 2, 3, 'a', 'b', null, true]],
      ['sort([3, 1, null, 2]; ; "desc")', [3, 2, 1, null]],
      ["map(sort(items, x -> x.n), 'id')", ['b', 'a', 'c']],
      ['distinct([1, "1", 1.0, { a: 1, b: 2 }, { b: 2, a: 1 }, null, null])', [1, '1', { a: 1, b: 2 }, null]],
      [
        "distinct(items, 'n')",
        [
          { id: 'a', n: 2 },
          { id: 'b', n: 1 },
        ],
      ],
      ['flatten([1, [2, [3, [4]]]], 2)', [1, 2, 3, [4]]],
      ['slice([1, 2, 3], -2)', [2, 3]],
      ['concat(missing, [1], 2, "")', [1, 2]],
      ['merge({ a: 1 }, missing)', { a: 1 }],
      ["pick(items[0], ['n', 'zz'])", { n: 2 }],
      ['any([0, null])', false],
      ['all([])', true],
      ['reverse(missing)', []],
    ],
    { items: [{ id: 'a', n: 2 }, { id: 'b', n: 1 }, { id: 'c', n: 2 }] }, // prettier-ignore
  );
  fails([
    ["sort([1], x -> x, 'up')", /one of asc, desc/],
    ['first(1)', /list is wanted/],
    ['merge([])', /object is wanted/],
    ['flatten([], 0)', /whole number/],
  ]);
});

test('versions: Semantic Versioning 2.0.0 section 11, and as people write them', () => {
  const rising = ['1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta', '1.0.0-beta.2', '1.0.0-beta.11'];
  rising.push('1.0.0-rc.1', '1.0.0', '1.0.1', '1.9', 'v1.10', '2');
  for (const [index, version] of rising.entries()) {
    for (const [other, against] of rising.entries()) {
      const found = value(`semverCompare('${version}', '${against}')`);
      assert.equal(found, Math.sign(index - other), `${version} against ${against}`);
    }
  }
  gives([
    ["semverCompare('1.0.0+a', '1.0.0+b')", 0],
    ["semverCompare('one', '1')", null],
    ['semverCompare(missing, 1)', null],
  ]);
});
