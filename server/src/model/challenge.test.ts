// The two handshakes by the vectors of wire 1 and by tables of mistakes.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import {
  composeChallenge,
  composeOptionsHeaders,
  judgeChallengeAnswer,
  judgeOptionsAnswer,
  parseAllowedRate,
  DEFAULT_CHALLENGE_SOURCE,
  type ChallengeExpectation,
} from './challenge.ts';
import type { Answer, Outcome } from './outcome.ts';

const CHALLENGE = '8cbecfea-d708-4706-bba3-669225084a10';
const VECTORS: [secret: string, verification: string][] = [
  ['s3cr3tKey', '085b6a2ea9034fa67de9bba59e667a0bf63c341e7d50ab8015567205cf736e3d'],
  ['my-shared-secret', '02b73dec3cd2f63b9564935b94fb3532cd34ba71ecb751548f2eb477e909a053'],
  ['MySecretKey', '6def4a65f9c5dc57430341d4df7f818eb6ddbba98132206bcffe46ef8119f851'],
  [
    '\u043a\u043b\u044e\u0447-\u03a9\u00b5-\u{1f511}',
    'a092c14a3d39a3fcf594b70bcde4bc46af2c764ea13ec9ae8549dc432af1c282',
  ],
  ['a b c', '3cf26391ebc5de81389cc59c735a614ac96896c1fba83b65b0c8b18d94b20429'],
];
const [[SECRET, RIGHT]] = VECTORS as [[string, string]];

const hmacSha256Hex = (key: string, message: string): string => createHmac('sha256', key).update(message).digest('hex');

function answer(body: unknown, changes: Partial<Answer> = {}): Answer {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return {
    kind: 'response',
    status: 200,
    headers: [['content-type', 'application/json']],
    body: bytes,
    bodyBytes: bytes.length,
    truncated: false,
    retryAfter: null,
    durationMs: 5,
    connectMs: 0,
    ...changes,
  };
}

function judge(outcome: Outcome, changes: Partial<ChallengeExpectation> = {}): string | number | null {
  const expected: ChallengeExpectation = {
    challengeRequest: CHALLENGE,
    secrets: [SECRET],
    status: 'exactly-200',
    hmacSha256Hex,
  };
  const verdict = judgeChallengeAnswer(outcome, { ...expected, ...changes });
  return verdict.ok ? 'ok' : verdict.reason;
}

test('R63 R64 the challenge is the event of the source document, byte for byte in its order', () => {
  const text = composeChallenge({
    id: '9d2698f2-0dd4-4870-b026-7e18c755e121',
    challengeRequest: CHALLENGE,
    source: DEFAULT_CHALLENGE_SOURCE,
    workspace: '3009de2825f211ec8a84fedebcb4a754',
    at: Date.UTC(2024, 11, 12, 19, 9, 5, 999),
  });
  assert.equal(
    text,
    '{"data":{"challengeRequest":"8cbecfea-d708-4706-bba3-669225084a10"},"datacontenttype":"application/json","id":"9d2698f2-0dd4-4870-b026-7e18c755e121","source":"https://global.api.greenlake.hpe.com/events","specversion":"1.0","subject":"3009de2825f211ec8a84fedebcb4a754","time":"2024-12-12T19:09:05Z","type":"com.hpe.greenlake.events.v1beta1.webhooks.verification"}',
  );
});

test('R66 R70 the vectors are right, upper-case hex too', () => {
  for (const [secret, verification] of VECTORS) {
    assert.equal(judge(answer({ verification }), { secrets: [secret] }), 'ok');
    assert.equal(judge(answer({ verification: verification.toUpperCase() }), { secrets: [secret] }), 'ok');
  }
  const other = '6de14a7ada9be456e74dcdb0ee5f0091c51fbfe1a7de6d1be05a87e66c706709';
  assert.equal(
    judge(answer({ verification: other }), { challengeRequest: '550e8400-e29b-41d4-a716-446655440000' }),
    'ok',
  );
});

test('R71 either secret is right during a rotation', () => {
  assert.equal(judge(answer({ verification: RIGHT }), { secrets: ['new-secret', SECRET] }), 'ok');
  assert.equal(judge(answer({ verification: RIGHT }), { secrets: [SECRET, 'old-secret'] }), 'ok');
  assert.notEqual(judge(answer({ verification: RIGHT }), { secrets: ['new-secret', 'old-secret'] }), 'ok');
  assert.notEqual(judge(answer({ verification: RIGHT }), { secrets: [] }), 'ok');
});

test('R67 exactly 200, or any 2xx where the installation says so', () => {
  const created = answer({ verification: RIGHT }, { status: 201 });
  assert.equal(judge(created), 'answered 201; a challenge must be answered with status 200');
  assert.equal(judge(created, { status: '2xx' }), 'ok');
  for (const status of [302, 404, 500]) {
    assert.match(
      String(judge(answer({ verification: RIGHT }, { status }), { status: '2xx' })),
      new RegExp(`^answered ${status}.*; a challenge must`),
    );
  }
});

test('R68 white space and further keys are fine', () => {
  assert.equal(judge(answer(`\n { "note": "\u00e9", "verification" :\t"${RIGHT}" } \r\n`)), 'ok');
});

test('R69 application/json, with parameters and in any case', () => {
  const typed = (type?: string): string | number | null =>
    judge(answer({ verification: RIGHT }, { headers: type === undefined ? [] : [['content-type', type]] }));
  for (const type of [
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset=UTF-8',
    'application/json ;x=y',
  ]) {
    assert.equal(typed(type), 'ok', type);
  }
  assert.equal(typed(), 'answered without a Content-Type; a challenge must be answered as application/json');
  for (const type of [
    'text/plain',
    'application/jsonp',
    'application/problem+json',
    'text/html; application/json',
    '',
  ]) {
    assert.match(String(typed(type)), /must be answered as application\/json$/, type);
  }
});

test('R65 a late answer, or none, is a wrong one', () => {
  const late: Outcome = {
    kind: 'failure',
    code: 'timeout',
    message: 'did not answer within 10 s',
    status: null,
    durationMs: 10_000,
    connectMs: 1,
  };
  assert.equal(judge(late), 'did not answer within 10 s');
});

test('R68 R70 each mistake is told in words that help', () => {
  const hmac = hmacSha256Hex;
  const base64 = Buffer.from(RIGHT, 'hex').toString('base64');
  const table: [unknown, RegExp][] = [
    ['', /empty body/],
    [RIGHT, /bare value; it must stand in a JSON object/],
    [`"${RIGHT}"\n`, /bare value/],
    ['not json', /not JSON/],
    [`{"verification":"${RIGHT}"`, /not JSON/],
    ['[]', /not an object/],
    ['null', /not an object/],
    [{}, /an empty object; the key "verification" is missing/],
    [{ hmac: RIGHT, ok: true }, /the keys "hmac", "ok"; the key "verification" is missing/],
    [{ Verification: RIGHT }, /the key "Verification"; it must be "verification" in lower case/],
    [{ verification: 7 }, /not a string/],
    [{ verification: null }, /not a string/],
    [{ verification: '' }, /empty "verification"/],
    [{ verification: base64 }, /in base64; the value must be 64 hex digits/],
    [{ verification: Buffer.from(RIGHT, 'hex').toString('base64url') }, /in base64/],
    [{ verification: `sha256=${RIGHT}` }, /prefix "sha256="/],
    [{ verification: RIGHT.slice(1) }, /63 characters that is not 64 hex digits/],
    [{ verification: `${RIGHT} ` }, /65 characters/],
    [{ verification: `${RIGHT.slice(0, 63)}e` }, /is not HMAC-SHA256 of challengeRequest under the secret/],
    [{ verification: hmac(CHALLENGE, SECRET) }, /key and message are swapped/],
    [{ verification: hmac(SECRET, `"${CHALLENGE}"`) }, /the quotes around challengeRequest/],
    [{ verification: hmac(`${SECRET}\n`, CHALLENGE) }, /the handler's secret ends with a line break/],
    [{ verification: hmac(SECRET, `${CHALLENGE}\n`) }, /a line break was hashed/],
    [{ verification: hmac('', CHALLENGE) }, /with an empty secret/],
  ];
  for (const [body, words] of table) assert.match(String(judge(answer(body))), words, JSON.stringify(body));
});

test('R109 one character, case or space of difference fails', () => {
  for (const wrong of ['s3cr3tkey', 's3cr3tKey ', ' s3cr3tKey', 's3cr3tKe', 's3cr3tKeyy']) {
    assert.notEqual(judge(answer({ verification: hmacSha256Hex(wrong, CHALLENGE) })), 'ok', wrong);
  }
  const trimmed = judge(answer({ verification: RIGHT }), { secrets: [`${SECRET} `] });
  assert.match(String(trimmed), /the registered secret begins or ends with white space, the handler's does not/);
});

test('bytes that are not UTF-8, and bodies without end, are wrong answers', () => {
  assert.match(String(judge(answer('', { body: Buffer.from([0xff, 0xfe]) }))), /not UTF-8/);
  assert.match(String(judge(answer({ verification: RIGHT }, { truncated: true }))), /far too long/);
  assert.match(String(judge(answer('\0\0'))), /not JSON/);
  assert.match(String(judge(answer('['.repeat(16_000)))), /not JSON/);
});

test('wire 1: WebHook-Allowed-Rate in the answer is handed on', () => {
  const withRate = (rate: string): unknown =>
    judgeChallengeAnswer(
      answer(
        { verification: RIGHT },
        {
          headers: [
            ['content-type', 'application/json'],
            ['webhook-allowed-rate', rate],
          ],
        },
      ),
      {
        challengeRequest: CHALLENGE,
        secrets: [SECRET],
        status: 'exactly-200',
        hmacSha256Hex,
      },
    );
  assert.deepEqual(withRate('120'), { ok: true, allowedRate: 120 });
  assert.deepEqual(withRate('*'), { ok: true, allowedRate: null });
  assert.deepEqual(withRate('fast'), { ok: true });
  const table: [string | null, number | null | undefined][] = [
    [' 60 ', 60],
    ['0', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['9999999999', undefined],
    ['', undefined],
    [null, undefined],
  ];
  for (const [value, rate] of table) assert.equal(parseAllowedRate(value), rate, String(value));
});

test('wire 4: the OPTIONS handshake: consent is the header, equal or *, whatever the status', () => {
  assert.deepEqual(composeOptionsHeaders({ origin: 'events.example.com' }), [
    'WebHook-Request-Origin',
    'events.example.com',
  ]);
  assert.deepEqual(composeOptionsHeaders({ origin: 'events.example.com', rate: 120 }).slice(2), [
    'WebHook-Request-Rate',
    '120',
  ]);

  const origin = 'events.example.com';
  const allow = (value: string | null, status = 200): unknown =>
    judgeOptionsAnswer(
      answer('', {
        status,
        headers:
          value === null
            ? []
            : [
                ['webhook-allowed-origin', value],
                ['webhook-allowed-rate', '100'],
              ],
      }),
      { origin },
    );
  assert.deepEqual(allow(origin), { ok: true, allowedRate: 100 });
  assert.deepEqual(allow('*', 405), { ok: true, allowedRate: 100 });
  assert.deepEqual(allow('Events.Example.COM'), { ok: true, allowedRate: 100 });
  assert.deepEqual(allow('other.example.com'), {
    ok: false,
    reason: 'allows events from "other.example.com", not from events.example.com',
  });
  assert.deepEqual(allow(null), {
    ok: false,
    reason: 'answered 200 without WebHook-Allowed-Origin, which is the consent',
  });
  assert.deepEqual(allow(''), { ok: false, reason: 'allows events from "", not from events.example.com' });
  const refused: Outcome = {
    kind: 'failure',
    code: 'connection-refused',
    message: 'refused the connection',
    status: null,
    durationMs: 1,
    connectMs: 1,
  };
  assert.deepEqual(judgeOptionsAnswer(refused, { origin }), { ok: false, reason: 'refused the connection' });
});
