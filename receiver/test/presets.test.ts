// Verify presets: the published values of every sender, both drivers, and everything that must be refused.
import assert from 'node:assert/strict';
import { createHmac, createPrivateKey, sign as signWith } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import {
  createPresetVerifier,
  createSyncPresetVerifier,
  generateSecret,
  presetNames,
  SecretError,
} from '@bellwire/receiver';
import type { Preset, PresetOptions, PresetRequest, PresetVerdict } from '@bellwire/receiver';
import { nodeCrypto } from '@bellwire/receiver/node-crypto';
import { greenlakeBody, hpeVector, privateKey, publicKey, vectors } from './vectors.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const now = 1_700_000_000_000;
const seconds = now / 1000;

/** The verdict of both drivers, which must be one. */
async function judge(options: PresetOptions, request: PresetRequest): Promise<PresetVerdict> {
  const clocked = { now: () => now, ...options };
  const verdict = await createPresetVerifier(clocked)(request);
  assert.deepEqual(createSyncPresetVerifier(clocked, nodeCrypto)(request), verdict);
  return verdict;
}

/** The verdict in one word: the index of the secret, `challenge`, or the reason. */
async function word(options: PresetOptions, request: PresetRequest): Promise<string> {
  const verdict = await judge(options, request);
  if (verdict.kind === 'refused') return verdict.reason;
  return verdict.kind === 'accepted' ? String(verdict.secret) : verdict.kind;
}

const published: { preset: Preset; secret: string; headers: Record<string, string>; body: string; at?: number }[] = [
  {
    preset: { preset: 'greenlake' },
    secret: hpeVector.secret,
    headers: { 'HPE-Webhook-Signature': hpeVector.signature },
    body: greenlakeBody,
  },
  {
    preset: { preset: 'github' },
    secret: "It's a Secret to Everybody",
    headers: { 'X-Hub-Signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17' },
    body: 'Hello, World!',
  },
  {
    preset: { preset: 'stripe' },
    secret: 'whsec_test_secret',
    headers: {
      'Stripe-Signature': 't=1614265330,v1=af4ead0627a34a8cca29808e8de9ada8e41a92e6237c63cef6eacf51d36cca34',
    },
    body: '{\n  "id": "evt_test_webhook",\n  "object": "event"\n}',
    at: 1_614_265_330_000,
  },
  {
    preset: { preset: 'shopify' },
    secret: 'test_secret_key',
    headers: { 'X-Shopify-Hmac-SHA256': 'B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g=' },
    body: '{"foo": "bar"}',
  },
  ...vectors.map((vector) => ({
    preset: { preset: 'standard-webhooks' } as const,
    secret: vector.verifyWith,
    headers: {
      'webhook-id': vector.id,
      'webhook-timestamp': String(vector.timestamp),
      'webhook-signature': vector.signature,
    },
    body: vector.body,
    at: vector.timestamp * 1000,
  })),
];

for (const { preset, secret, headers, body, at = now } of published) {
  test(`wire 7: the published value of ${preset.preset} verifies under ${secret}`, async () => {
    // The body of the greenlake value is a challenge, so of that one only the rule is looked at: as the hmac preset.
    const rule: Preset =
      preset.preset === 'greenlake' ? { preset: 'hmac', header: 'HPE-Webhook-Signature', prefix: 'sha256=' } : preset;
    const request = { headers: new Headers(headers), body: bytes(body) };
    const clocked = { now: () => at };
    assert.equal(await word({ ...rule, secret, ...clocked }, request), '0');
    assert.equal(await word({ ...rule, secret: [`${secret.slice(0, -4)}AAA=`, secret], ...clocked }, request), '1');
    assert.equal(await word({ ...rule, secret, ...clocked }, { ...request, body: bytes(`${body} `) }), 'no-match');
  });
}

interface Signed {
  readonly name: string;
  readonly options: Preset & { readonly secret: string };
  /** The headers of a right request, sent at some instant (epoch seconds). */
  readonly sign: (body: string, at: number) => Record<string, string>;
  /** The header that carries the signature, and how the signature begins. */
  readonly header: string;
  readonly prefix: string;
  readonly timed: boolean;
}

const secret = 'a secret of some length';
const whsec = generateSecret(new Uint8Array(32).fill(7));
const mac = (text: string, encoding: 'hex' | 'base64' = 'hex', algorithm = 'sha256') =>
  createHmac(algorithm, secret).update(text).digest(encoding);
const standard = (family: string) => (body: string, at: number) => ({
  [`${family}-id`]: 'msg_1',
  [`${family}-timestamp`]: String(at),
  [`${family}-signature`]: new Webhook(whsec).sign('msg_1', new Date(at * 1000), body),
});

const senders: readonly Signed[] = [
  {
    name: 'greenlake',
    options: { preset: 'greenlake', secret },
    sign: (body) => ({ 'HPE-Webhook-Signature': `sha256=${mac(body)}` }),
    header: 'HPE-Webhook-Signature',
    prefix: 'sha256=',
    timed: false,
  },
  {
    name: 'standard-webhooks',
    options: { preset: 'standard-webhooks', secret: whsec },
    sign: standard('webhook'),
    header: 'webhook-signature',
    prefix: 'v1,',
    timed: true,
  },
  {
    name: 'svix',
    options: { preset: 'standard-webhooks', secret: whsec },
    sign: standard('svix'),
    header: 'svix-signature',
    prefix: 'v1,',
    timed: true,
  },
  {
    name: 'standard-webhooks v1a',
    options: { preset: 'standard-webhooks', secret: publicKey },
    sign: (body, at) => ({
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(at),
      'webhook-signature': `v1a,${ed25519(`msg_1.${at}.${body}`)}`,
    }),
    header: 'webhook-signature',
    prefix: 'v1a,',
    timed: true,
  },
  {
    name: 'github',
    options: { preset: 'github', secret },
    sign: (body) => ({ 'X-Hub-Signature-256': `sha256=${mac(body)}` }),
    header: 'X-Hub-Signature-256',
    prefix: 'sha256=',
    timed: false,
  },
  {
    name: 'stripe',
    options: { preset: 'stripe', secret },
    sign: (body, at) => ({ 'Stripe-Signature': `t=${at},v0=${'0'.repeat(64)},v1=${mac(`${at}.${body}`)}` }),
    header: 'Stripe-Signature',
    prefix: `t=${seconds},v0=${'0'.repeat(64)},v1=`,
    timed: true,
  },
  {
    name: 'slack',
    options: { preset: 'slack', secret },
    sign: (body, at) => ({
      'X-Slack-Request-Timestamp': String(at),
      'X-Slack-Signature': `v0=${mac(`v0:${at}:${body}`)}`,
    }),
    header: 'X-Slack-Signature',
    prefix: 'v0=',
    timed: true,
  },
  {
    name: 'shopify',
    options: { preset: 'shopify', secret },
    sign: (body) => ({ 'X-Shopify-Hmac-SHA256': mac(body, 'base64') }),
    header: 'X-Shopify-Hmac-SHA256',
    prefix: '',
    timed: false,
  },
  {
    name: 'zoom',
    options: { preset: 'zoom', secret },
    sign: (body, at) => ({ 'x-zm-request-timestamp': String(at), 'x-zm-signature': `v0=${mac(`v0:${at}:${body}`)}` }),
    header: 'x-zm-signature',
    prefix: 'v0=',
    timed: true,
  },
  {
    name: 'hmac, sha512 in base64 with a timestamp in ms',
    options: {
      preset: 'hmac',
      secret,
      header: 'X-Signed',
      algorithm: 'sha512',
      encoding: 'base64',
      timestamp: { header: 'X-Sent', content: '{timestamp}|{body}', unit: 'milliseconds' },
    },
    sign: (body, at) => ({
      'X-Sent': String(at * 1000),
      'X-Signed': mac(`${at * 1000}|${body}`, 'base64', 'sha512'),
    }),
    header: 'X-Signed',
    prefix: '',
    timed: true,
  },
  {
    name: 'hmac, sha1 in hex',
    options: { preset: 'hmac', secret, header: 'X-Hub-Signature', algorithm: 'sha1', prefix: 'sha1=' },
    sign: (body) => ({ 'X-Hub-Signature': `sha1=${mac(body, 'hex', 'sha1')}` }),
    header: 'X-Hub-Signature',
    prefix: 'sha1=',
    timed: false,
  },
];

function ed25519(text: string): string {
  const seed = Buffer.from(privateKey.slice(5), 'base64').subarray(0, 32);
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  return signWith(null, Buffer.from(text), createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })).toString(
    'base64',
  );
}

const body = '{"a":1}';

for (const { name, options, sign, header, prefix, timed } of senders) {
  const judged = (headers: Headers, sent = body) => word(options, { headers, body: bytes(sent) });
  const right = () => new Headers(sign(body, seconds));
  const changed = (value: string, of = header) => {
    const headers = right();
    headers.set(of, value);
    return headers;
  };

  test(`issue 6, ${name}: what is signed is accepted, whatever is changed of it is not`, async () => {
    assert.equal(await judged(right()), '0');
    assert.equal(await judged(right(), '{"a": 1}'), 'no-match');
    const signature = right().get(header)!.slice(prefix.length);
    const last = signature.replaceAll('=', '').length - 1;
    for (const at of [0, Math.floor(last / 2)]) {
      const other = signature[at] === '1' ? '2' : '1';
      const wrong = `${signature.slice(0, at)}${other}${signature.slice(at + 1)}`;
      assert.equal(wrong.length, signature.length);
      assert.equal(await judged(changed(prefix + wrong)), 'no-match', `of the right length and wrong at ${at}`);
    }
    for (const value of [
      prefix,
      prefix + signature.slice(0, 8),
      prefix + signature.slice(0, -1),
      `${prefix}${signature}0`,
    ]) {
      assert.equal(await judged(changed(value)), 'no-match', value);
    }
    assert.equal(await judged(changed('garbage')), name === 'stripe' ? 'missing-header' : 'no-match');
  });

  test(`issue 6, ${name}: a header that is missing or stands twice is refused`, async () => {
    for (const one of right().keys()) {
      const without = right();
      without.delete(one);
      assert.equal(await judged(without), one === header.toLowerCase() ? 'unsigned' : 'missing-header', one);
      const twice = right();
      twice.append(one, right().get(one)!);
      assert.equal(await judged(twice), 'repeated-header', one);
    }
  });

  if (timed)
    test(`issue 6, ${name}: late and early`, async () => {
      for (const [off, expected] of [
        [-300, '0'],
        [-301, 'too-old'],
        [300, '0'],
        [301, 'too-new'],
      ] as const) {
        const headers = new Headers(sign(body, seconds + off));
        assert.equal(await judged(headers), expected, String(off));
      }
      const timestamp = [...right().keys()].find((one) => /time|sent/.test(one));
      for (const value of ['hello', `${seconds}abc`, `+${seconds}`, `0${seconds}`, '1e9', '-1', '1.5', '']) {
        const headers = timestamp
          ? changed(value, timestamp)
          : changed(right().get(header)!.replace(String(seconds), value));
        assert.equal(await judged(headers), value === '' && timestamp ? 'missing-header' : 'bad-timestamp', value);
      }
    });

  test(`issue 6, ${name}: under two secrets the verdict says which one fits`, async () => {
    const other = options.secret.startsWith('wh') ? generateSecret(new Uint8Array(32).fill(1)) : 'another secret';
    const request = { headers: right(), body: bytes(body) };
    assert.equal(await word({ ...options, secret: [other, options.secret] }, request), '1');
    assert.equal(await word({ ...options, secret: [options.secret, other] }, request), '0');
    assert.match(await word({ ...options, secret: other }, request), /^no-(match|key)$/);
  });

  test(`issue 6, ${name}: observed, a request passes with its doubt`, async () => {
    const verdict = await judge({ ...options, observe: true }, { headers: right(), body: bytes('{}') });
    assert.ok(verdict.kind === 'accepted' && verdict.secret === undefined && verdict.doubt?.reason === 'no-match');
    const fine = await judge({ ...options, observe: true }, { headers: right(), body: bytes(body) });
    assert.ok(fine.kind === 'accepted' && fine.secret === 0 && fine.doubt === undefined);
  });
}

test('issue 6, credentials: equal, or refused', async () => {
  const table: [PresetOptions, string, string, string][] = [
    [{ preset: 'cloud-automator', secret: ['CAAuth new', 'CAAuth old'] }, 'Authorization', 'CAAuth old', '1'],
    [{ preset: 'cloud-automator', secret: 'CAAuth new' }, 'Authorization', 'CAAuth neW', 'no-match'],
    [{ preset: 'cloud-automator', secret: 'CAAuth new' }, 'Authorization', 'CAAuth new, CAAuth new', 'no-match'],
    [{ preset: 'cloud-automator', secret: 'CAAuth new' }, 'X-Other', 'CAAuth new', 'unsigned'],
    [{ preset: 'token', secret: 'Bearer abc' }, 'authorization', 'Bearer abc', '0'],
    [{ preset: 'token', secret: 'abc', prefix: 'Bearer ' }, 'authorization', 'Bearer abc', '0'],
    [{ preset: 'token', secret: 'abc', prefix: 'Bearer ' }, 'authorization', 'abc', 'no-match'],
    [{ preset: 'token', secret: 'abc', header: 'X-Token' }, 'x-token', 'abc', '0'],
    [{ preset: 'token', secret: 'abc', header: 'X-Token' }, 'x-token', '', 'unsigned'],
    [{ preset: 'token', secret: 'abc', header: 'X-Token' }, 'x-token', 'abcd', 'no-match'],
    [{ preset: 'token', secret: 'é' }, 'authorization', Buffer.from('é').toString('latin1'), '0'],
    [{ preset: 'basic', secret: 'me:pä:ss' }, 'authorization', `Basic ${btoa('me:p\xc3\xa4:ss')}`, '0'],
    [{ preset: 'basic', secret: 'me:pass' }, 'authorization', `basic  ${btoa('me:pass')}`, '0'],
    [{ preset: 'basic', secret: 'me:pass' }, 'authorization', `Basic ${btoa('me:pasS')}`, 'no-match'],
    [{ preset: 'basic', secret: 'me:pass' }, 'authorization', 'me:pass', 'no-match'],
    [{ preset: 'basic', secret: 'me:pass' }, 'authorization', 'Basic ', 'no-match'],
    [{ preset: 'basic', secret: 'me:pass' }, 'authorization', `Basic ${btoa('me:pass')}, x`, 'repeated-header'],
  ];
  for (const [options, name, value, expected] of table) {
    const request = { headers: new Headers({ [name]: value }), body: bytes('anything') };
    assert.equal(await word(options, request), expected, `${options.preset} ${value}`);
  }
});

test('wire 7: several signatures: any may fit, unknown versions are skipped', async () => {
  const at = String(seconds);
  const v1 = mac(`${at}.${body}`);
  const zero = '0'.repeat(64);
  const stripe = (value: string) =>
    word({ preset: 'stripe', secret }, { headers: new Headers({ 'Stripe-Signature': value }), body: bytes(body) });
  assert.equal(await stripe(`v1=${zero},v1=${v1},t=${at},v2=x,what`), '0');
  assert.equal(await stripe(`t=${at},v0=${v1}`), 'no-match');
  assert.equal(await stripe(`t=${at},t=${at},v1=${v1}`), 'repeated-header');
  assert.equal(await stripe(`v1=${v1}`), 'missing-header');
  const headers = new Headers(standard('webhook')(body, seconds));
  const right = headers.get('webhook-signature')!;
  headers.set('webhook-signature', `v9,x v1,AAAA  ${right} v1,`);
  const options = { preset: 'standard-webhooks', secret: whsec } as const;
  const verdict = await judge(options, { headers, body: bytes(body) });
  assert.deepEqual(verdict, { kind: 'accepted', secret: 0, id: 'msg_1' });
  headers.set('webhook-signature', `${right},${right}`);
  assert.equal(await word(options, { headers, body: bytes(body) }), 'no-match');
  assert.equal(
    await word(
      { ...options, secret: publicKey },
      { headers: new Headers(standard('webhook')(body, seconds)), body: bytes(body) },
    ),
    'no-key',
  );
});

test('fails closed: what cannot verify anything is refused when it is configured', () => {
  const wrong: [unknown, new (message: string) => Error][] = [
    [{ preset: 'github' }, SecretError],
    [{ preset: 'github', secret: '' }, SecretError],
    [{ preset: 'github', secret: [] }, SecretError],
    [{ preset: 'github', secret: ['a', undefined] }, SecretError],
    [{ preset: 'standard-webhooks', secret: 'text' }, SecretError],
    [{ preset: 'standard-webhooks', secret: privateKey }, SecretError],
    [{ preset: 'basic', secret: 'nocolon' }, SecretError],
    [{ preset: 'nobody', secret: 'a' }, TypeError],
    [{ preset: 'toString', secret: 'a' }, TypeError],
    [{ preset: 'hmac', secret: 'a' }, TypeError],
    [{ preset: 'hmac', secret: 'a', header: 'X Y' }, TypeError],
    [{ preset: 'hmac', secret: 'a', header: 'X', algorithm: 'md5' }, TypeError],
    [{ preset: 'hmac', secret: 'a', header: 'X', encoding: 'hexadecimal' }, TypeError],
    [{ preset: 'hmac', secret: 'a', header: 'X', timestamp: { header: 'T', content: '{body}' } }, TypeError],
    [{ preset: 'hmac', secret: 'a', header: 'X', timestamp: { header: 'T', content: '{body}{timestamp}' } }, TypeError],
    [{ preset: 'hmac', secret: 'a', header: 'X', timestamp: { header: 'T', unit: 'days' } }, TypeError],
    [{ preset: 'token', secret: 'a', header: '' }, TypeError],
    [{ preset: 'github', secret: 'a', challenges: ['nobody'] }, TypeError],
    [{ preset: 'github', secret: 'a', challenges: ['meta'] }, TypeError],
    [{ preset: 'github', secret: 'a', challenges: ['meta'], verifyToken: '' }, TypeError],
  ];
  for (const [options, kind] of wrong) {
    assert.throws(() => createPresetVerifier(options as PresetOptions), kind, JSON.stringify(options));
    assert.throws(() => createSyncPresetVerifier(options as PresetOptions, nodeCrypto), kind);
  }
  assert.equal(new Set(presetNames).size, 11);
});

test('a refusal names neither secret nor the signature expected', async () => {
  for (const { options, sign, header } of senders) {
    const verdict = await judge(options, { headers: new Headers(sign(body, seconds)), body: bytes('{}') });
    assert.ok(verdict.kind === 'refused' && verdict.detail.includes(header), verdict.kind);
    assert.ok(!verdict.detail.includes(options.secret) && !/[0-9a-f]{16}/.test(verdict.detail));
  }
});

test('any change of one bit of the body is refused by every sender; any headers and bodies get a verdict', async () => {
  const verifiers = senders.map(({ options, sign }) => ({
    verify: createSyncPresetVerifier({ ...options, now: () => now }, nodeCrypto),
    sign,
  }));
  const text = fc.string({ minLength: 1, maxLength: 60 }).map((value) => JSON.stringify([value]));
  fc.assert(
    fc.property(text, fc.nat(), (value, at) => {
      for (const { verify, sign } of verifiers) {
        const headers = new Headers(sign(value, seconds));
        const sent = bytes(value);
        assert.equal(verify({ headers, body: sent }).kind, 'accepted');
        sent[at % sent.length]! ^= 1 << (at % 8);
        assert.equal(verify({ headers, body: sent }).kind, 'refused');
      }
    }),
    { numRuns: 50 },
  );
  const part = fc.constantFrom(
    'v1,',
    'v0=',
    't=',
    'sha256=',
    ',',
    ' ',
    '=',
    `${seconds}`,
    'a'.repeat(64),
    'é',
    'AAAA',
    '.',
  );
  const value = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(value, value, fc.uint8Array({ maxLength: 40 }), (first, second, sent) => {
      for (const { verify, sign } of verifiers) {
        const headers = new Headers();
        for (const [index, name] of Object.keys(sign('', seconds)).entries()) headers.set(name, index ? second : first);
        assert.equal(verify({ headers, body: sent }).kind, 'refused');
      }
    }),
    { numRuns: 100 },
  );
});
