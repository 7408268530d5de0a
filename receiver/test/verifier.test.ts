// Verification: every rule of Standard Webhooks and of the HPE signature, and everything that must fail.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { createReceiver, createVerifier, generateSecret, SecretError, sign, verify } from '@bellwire/receiver';
import type { Refusal, SigningKey, VerifierOptions } from '@bellwire/receiver';
import { greenlakeBody, hpeVector, privateKey, publicKey, secret, vectors } from './vectors.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const now = 1_700_000_000_000;
const other = generateSecret(new Uint8Array(32).fill(1));

interface Changes {
  readonly headers?: Record<string, string | undefined>;
  readonly body?: string;
}

async function signedBy(keys: readonly SigningKey[], changes: Changes = {}) {
  const body = bytes('{"a":1}');
  const headers = new Headers(await sign({ id: 'msg_1', sentAt: now, body }, keys));
  for (const [name, value] of Object.entries(changes.headers ?? {})) {
    if (value === undefined) headers.delete(name);
    else headers.set(name, value);
  }
  return { headers, body: changes.body === undefined ? body : bytes(changes.body) };
}

const v1: SigningKey = { scheme: 'v1', secret };
const v1a: SigningKey = { scheme: 'v1a', secret: privateKey };
const hpe: SigningKey = { scheme: 'hpe', secret: 's3cr3tKey' };

async function judge(keys: readonly SigningKey[], options: Partial<VerifierOptions> = {}, changes: Changes = {}) {
  const verdict = await verify(await signedBy(keys, changes), { secret, now: () => now, ...options });
  return verdict.ok ? verdict.schemes.join('+') : verdict.reason;
}

for (const { scheme, verifyWith, id, timestamp, body, signature } of vectors) {
  test(`wire 3: vector ${scheme} ${id} verifies`, async () => {
    const headers = new Headers({
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signature,
    });
    const options = { secret: verifyWith, now: () => timestamp * 1000 };
    assert.deepEqual(await verify({ headers, body: bytes(body) }, options), { ok: true, schemes: [scheme], id });
  });
}

test('wire 1: the HPE vector verifies, also as bare hex and in upper case', async () => {
  const hex = hpeVector.signature.slice(7);
  for (const value of [hpeVector.signature, hex, hex.toUpperCase(), `sha256=${hex.toUpperCase()}`]) {
    const headers = new Headers({ 'HPE-Webhook-Signature': value });
    const verdict = await verify({ headers, body: bytes(greenlakeBody) }, { secret: hpeVector.secret });
    assert.deepEqual(verdict, { ok: true, schemes: ['hpe'], id: undefined });
  }
});

test('wire 3: what must fail', async () => {
  const { headers } = await signedBy([v1]);
  const right = headers.get('webhook-signature')!;
  const signatures = [
    'v1,',
    'v1',
    ',',
    'v1,garbage',
    'v1,AAAA',
    right.slice(0, 3 + 8),
    right.slice(3),
    right.slice(0, -1),
    `${right}=`,
    `${right},${right}`,
    `v2,${right.slice(3)}`,
    `v1a,${right.slice(3)}`,
    `V1,${right.slice(3)}`,
    right.replace('v1,', 'v1, '),
  ];
  for (const value of signatures) {
    const verdict = await judge([v1], {}, { headers: { 'webhook-signature': value } });
    assert.equal(verdict, 'no-match', value);
  }
  for (const value of [
    'hello',
    `${now / 1000}abc`,
    `${now / 1000}.0`,
    `+${now / 1000}`,
    `0${now / 1000}`,
    '1e9',
    '-1',
  ]) {
    const verdict = await judge([v1], {}, { headers: { 'webhook-timestamp': value } });
    assert.equal(verdict, 'bad-timestamp', value);
  }
  for (const name of ['webhook-id', 'webhook-timestamp']) {
    assert.equal(await judge([v1], {}, { headers: { [name]: undefined } }), 'missing-header');
    assert.equal(await judge([v1], {}, { headers: { [name]: '' } }), 'missing-header');
  }
  assert.equal(await judge([v1], {}, { headers: { 'webhook-signature': undefined } }), 'unsigned');
  assert.equal(await judge([v1], {}, { headers: { 'webhook-signature': '' } }), 'no-match');
  assert.equal(await judge([v1], {}, { headers: { 'webhook-id': 'msg_2' } }), 'no-match');
  assert.equal(await judge([v1], {}, { headers: { 'webhook-timestamp': String(now / 1000 + 1) } }), 'no-match');
  assert.equal(await judge([v1], {}, { body: '{"a": 1}' }), 'no-match');
  assert.equal(await judge([v1], { secret: other }), 'no-match');
});

test('wire 1: HPE signatures that must fail', async () => {
  const hex = (await signedBy([hpe])).headers.get('hpe-webhook-signature')!.slice(7);
  const base64 = Buffer.from(hex, 'hex').toString('base64');
  const values = ['', 'sha256=', hex.slice(0, 63), `${hex}0`, `sha1=${hex}`, base64, `sha256=${base64}`, `x${hex}`];
  for (const value of values) {
    const changes = { headers: { 'hpe-webhook-signature': value } };
    assert.equal(await judge([hpe], { secret: 's3cr3tKey' }, changes), 'no-match', value);
  }
  for (const text of ['s3cr3tKey ', 'S3cr3tKey', 's3cr3tKe']) {
    assert.equal(await judge([hpe], { secret: text }), 'no-match');
  }
});

test('wire 3: ±300 s inclusive, by the clock handed in', async () => {
  for (const [seconds, expected] of [
    [300, 'v1'],
    [301, 'too-old'],
    [-300, 'v1'],
    [-301, 'too-new'],
  ] as const) {
    assert.equal(await judge([v1], { now: () => now + seconds * 1000 }), expected);
  }
  assert.equal(await judge([v1], { now: () => now + 11_000, toleranceMs: 10_000 }), 'too-old');
});

test('wire 3: any matching entry accepts, unknown versions are skipped, every secret is tried', async () => {
  const { headers } = await signedBy([v1]);
  const list = `v9,x v1,AAAA  ${headers.get('webhook-signature')} v1,`;
  assert.equal(await judge([v1], {}, { headers: { 'webhook-signature': list } }), 'v1');
  assert.equal(await judge([v1], { secret: [other, secret] }), 'v1');
  assert.equal(await judge([{ scheme: 'v1', secret: other }, v1]), 'v1');
  assert.equal(await judge([{ scheme: 'v1', secret: other }, v1], { secret: other }), 'v1');
  assert.equal(await judge([v1a], { secret: [secret, publicKey] }), 'v1a');
  assert.equal(await judge([v1, v1a], { secret: publicKey }), 'v1a');
  assert.equal(await judge([hpe], { secret: ['old', 's3cr3tKey'] }), 'hpe');
});

test('every signature the sender put must verify, and what is required must be there', async () => {
  const both = [v1, { scheme: 'hpe', secret } as const];
  const table: [readonly SigningKey[], Partial<VerifierOptions>, Changes, string][] = [
    [both, {}, {}, 'v1+hpe'],
    [both, {}, { headers: { 'hpe-webhook-signature': '0'.repeat(64) } }, 'no-match'],
    [both, {}, { headers: { 'webhook-signature': 'v1,AAAA' } }, 'no-match'],
    [[v1, hpe], { secret: 's3cr3tKey' }, {}, 'no-key'],
    [[v1a, hpe], { secret: publicKey }, {}, 'no-key'],
    [[hpe], { secret: 's3cr3tKey', require: 'standard-webhooks' }, {}, 'required-scheme-missing'],
    [[v1], { require: 'hpe' }, {}, 'required-scheme-missing'],
    [both, { require: 'hpe' }, {}, 'v1+hpe'],
    [both, { require: 'standard-webhooks' }, {}, 'v1+hpe'],
    [[v1], { require: 'none' }, { headers: { 'webhook-signature': undefined } }, ''],
    [[v1], { require: 'none' }, { body: '{}' }, 'no-match'],
  ];
  for (const [keys, options, changes, expected] of table) assert.equal(await judge(keys, options, changes), expected);
});

test('only an id that a signature covers is handed on', async () => {
  const request = await signedBy([hpe], { headers: { 'webhook-id': 'forged' } });
  assert.deepEqual(await verify(request, { secret: 's3cr3tKey' }), { ok: true, schemes: ['hpe'], id: undefined });
});

test('wire 3: a short secret still verifies; one that cannot be used is refused when configured', async () => {
  const short = 'whsec_AAAA';
  assert.equal(await judge([{ scheme: 'v1', secret: short }], { secret: short }), 'v1');
  for (const wrong of [[], '', [''], 'whsec_', 'whsec_not base64', 'whpk_AAAA', privateKey, `${secret}\n`]) {
    assert.throws(() => createVerifier({ secret: wrong }), SecretError, String(wrong));
  }
});

test('wire 3: from JavaScript, a secret that is not there at all is named as what is missing', () => {
  for (const missing of [undefined, null]) {
    const options = { secret: missing as unknown as string };
    for (const create of [createVerifier, createReceiver]) {
      assert.throws(() => void create(options), { name: 'SecretError', message: /^secret is missing: / });
    }
  }
});

test('a refusal names neither secret nor the signature expected', async () => {
  const right = (await signedBy([v1])).headers.get('webhook-signature')!;
  const request = await signedBy([v1], { headers: { 'webhook-signature': 'v1,AAAA' } });
  const verdict = await verify(request, { secret, now: () => now });
  assert.ok(!verdict.ok && !verdict.detail.includes(secret) && !verdict.detail.includes(right.slice(3)));
});

test('a list of many ed25519 entries costs a bounded number of checks', async () => {
  const right = (await signedBy([v1a])).headers.get('webhook-signature')!;
  const wrong = `v1a,${Buffer.alloc(64, 1).toString('base64')}`;
  const list = (count: number) => [...Array.from({ length: count }, () => wrong), right].join(' ');
  const judged = (count: number) =>
    judge([v1a], { secret: publicKey }, { headers: { 'webhook-signature': list(count) } });
  assert.equal(await judged(31), 'v1a');
  assert.equal(await judged(32), 'no-match');
});

test('any change of one bit in body or signature is refused; what the npm package signs is accepted', async () => {
  const verifier = createVerifier({ secret, now: () => now });
  const webhook = new Webhook(secret);
  await fc.assert(
    fc.asyncProperty(fc.string({ minLength: 1, maxLength: 100 }), fc.nat(), async (text, at) => {
      const signature = webhook.sign('msg_1', new Date(now), text);
      const headers = new Headers({
        'webhook-id': 'msg_1',
        'webhook-timestamp': String(now / 1000),
        'webhook-signature': signature,
      });
      const body = bytes(text);
      assert.ok((await verifier({ headers, body })).ok);
      const changed = Uint8Array.from(body);
      changed[at % body.length]! ^= 1 << (at % 8);
      const verdict = await verifier({ headers, body: changed });
      assert.equal(verdict.ok ? '' : verdict.reason, 'no-match' satisfies Refusal);
      const mac = Buffer.from(signature.slice(3), 'base64');
      mac[at % mac.length]! ^= 1 << (at % 8);
      headers.set('webhook-signature', `v1,${mac.toString('base64')}`);
      assert.equal((await verifier({ headers, body })).ok, false);
    }),
    { numRuns: 60 },
  );
});
