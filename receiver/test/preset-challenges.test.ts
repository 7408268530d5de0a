// The challenges of senders: answered exactly as each wants it, and never so that an answer could be used as a signature.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { challengeNames, createPresetVerifier, createSyncPresetVerifier, verificationOf } from '@bellwire/receiver';
import type { PresetOptions, PresetRequest, PresetVerdict } from '@bellwire/receiver';
import { nodeCrypto } from '@bellwire/receiver/node-crypto';
import { challengeVectors, greenlakeBody } from './vectors.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const now = 1_700_000_000_000;
const at = String(now / 1000);
const mac = (secret: string, text: string, encoding: 'hex' | 'base64' = 'hex') =>
  createHmac('sha256', secret).update(text).digest(encoding);

async function judge(options: PresetOptions, request: PresetRequest): Promise<PresetVerdict> {
  const clocked = { now: () => now, ...options };
  const verdict = await createPresetVerifier(clocked)(request);
  assert.deepEqual(createSyncPresetVerifier(clocked, nodeCrypto)(request), verdict);
  return verdict;
}

function get(query: string, headers: Record<string, string> = {}): PresetRequest {
  return { method: 'GET', headers: new Headers(headers), query: new URLSearchParams(query), body: new Uint8Array() };
}

function post(body: unknown, headers: Record<string, string> = {}): PresetRequest {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { method: 'POST', headers: new Headers(headers), query: new URLSearchParams(), body: bytes(text) };
}

/** The body of the answer, whose other parts are as they always are; or the reason of the refusal. */
async function answer(options: PresetOptions, request: PresetRequest, type: 'text' | 'json'): Promise<string> {
  const verdict = await judge(options, request);
  if (verdict.kind === 'refused') return verdict.reason;
  assert.ok(verdict.kind === 'challenge', verdict.kind);
  assert.equal(verdict.answer.status, 200);
  assert.deepEqual(verdict.answer.headers, {
    'content-type': type === 'text' ? 'text/plain; charset=utf-8' : 'application/json',
    'x-content-type-options': 'nosniff',
  });
  return verdict.answer.body;
}

function slack(body: unknown, secret: string): PresetRequest {
  const text = JSON.stringify(body);
  const signature = `v0=${mac(secret, `v0:${at}:${text}`)}`;
  return post(text, { 'X-Slack-Signature': signature, 'X-Slack-Request-Timestamp': at });
}

function zoom(body: unknown, secret: string): PresetRequest {
  const text = JSON.stringify(body);
  return post(text, { 'x-zm-signature': `v0=${mac(secret, `v0:${at}:${text}`)}`, 'x-zm-request-timestamp': at });
}

const github = { preset: 'github', secret: 's3cr3tKey' } as const;

test('R66 R92 R95 wire 1: greenlake answers its challenge, signed or not, under the first secret', async () => {
  for (const [secret, challenge, verification] of challengeVectors) {
    const options = { preset: 'greenlake', secret: [secret, 'other'] } as const;
    const request = post({ data: { challengeRequest: challenge } });
    assert.equal(await answer(options, request, 'json'), JSON.stringify({ verification }));
    assert.equal(await verificationOf(secret, challenge), verification);
  }
  const [secret, challengeRequest, verification] = challengeVectors[0]!;
  const binary = post({ challengeRequest }, { 'ce-specversion': '1.0', 'content-type': 'application/json' });
  assert.equal(await answer({ preset: 'greenlake', secret }, binary, 'json'), JSON.stringify({ verification }));
  const verdict = await judge({ preset: 'greenlake', secret: 's3cr3tKey' }, post(greenlakeBody));
  assert.ok(verdict.kind === 'challenge' && verdict.challenge === 'greenlake' && verdict.secret === undefined);
});

test('wire 1: nothing that could be a signature is handed out or taken back by greenlake', async () => {
  const options = { preset: 'greenlake', secret: 's3cr3tKey' } as const;
  for (const challengeRequest of ['{"id":"forged"}', '', 'a b', 'a'.repeat(129), 7, null]) {
    assert.equal(await answer(options, post({ data: { challengeRequest } }), 'json'), 'unsigned');
  }
  const signed = post('12345', { 'HPE-Webhook-Signature': mac('s3cr3tKey', '12345') });
  assert.equal(await answer(options, signed, 'json'), 'proves-nothing');
  const twice = post('{"data":{"challengeRequest":"a","challengeRequest":"b"}}');
  assert.equal(await answer(options, twice, 'json'), 'unsigned');
  const escaped = post('{"data":{"challenge\\u0052equest":"a"}}');
  assert.equal(await answer(options, escaped, 'json'), 'unsigned');
});

test('wire 7: slack, url_verification is echoed as text, once its signature is verified', async () => {
  const options = { preset: 'slack', secret: ['new', 'old'] } as const;
  const body = {
    token: 'x',
    challenge: '3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P',
    type: 'url_verification',
  };
  assert.equal(await answer(options, slack(body, 'old'), 'text'), body.challenge);
  const verdict = await judge(options, slack(body, 'old'));
  assert.ok(verdict.kind === 'challenge' && verdict.secret === 1);
  assert.equal(await answer(options, post(body), 'text'), 'unsigned');
  assert.equal(await answer(options, slack(body, 'wrong'), 'text'), 'no-match');
  for (const challenge of [undefined, 7, '', 'a\nb', 'a'.repeat(2049)]) {
    assert.equal(await answer(options, slack({ ...body, challenge }, 'new'), 'text'), 'bad-challenge');
  }
  assert.equal((await judge(options, slack({ type: 'event_callback' }, 'new'))).kind, 'accepted');
});

test('wire 7: zoom, endpoint.url_validation is answered with the published value, under the secret that signed it', async () => {
  const secret = 'my-zoom-secret-token';
  const options = { preset: 'zoom', secret: ['other', secret] } as const;
  const body = { event: 'endpoint.url_validation', payload: { plainToken: 'qgg8vlvZRS6UYooatFL8Aw' }, event_ts: 1 };
  assert.deepEqual(JSON.parse(await answer(options, zoom(body, secret), 'json')), {
    plainToken: 'qgg8vlvZRS6UYooatFL8Aw',
    encryptedToken: '8dea98ffad2b91f74c656e7da408bcc1fc6869ca42fd9337d1dcf0d432c011d1',
  });
  assert.equal(await answer(options, post(body), 'json'), 'unsigned');
  for (const plainToken of [`v0:${at}:{}`, '', undefined]) {
    assert.equal(await answer(options, zoom({ ...body, payload: { plainToken } }, secret), 'json'), 'bad-challenge');
  }
  assert.equal((await judge(options, zoom({ event: 'meeting.started' }, secret))).kind, 'accepted');
});

test('wire 7: meta and websub, hub.challenge is echoed only to those who know our hub.verify_token', async () => {
  for (const name of ['meta', 'websub'] as const) {
    const options: PresetOptions = { ...github, challenges: [name], verifyToken: ['mine', 'old'] };
    const ask = (query: string) => answer(options, get(query), 'text');
    assert.equal(await ask('hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=mine'), '1158201444');
    assert.equal(await ask('hub.mode=subscribe&hub.challenge=a%3Cb%3E&hub.verify_token=old'), 'a<b>');
    for (const query of [
      'hub.challenge=1',
      'hub.challenge=1&hub.verify_token=',
      'hub.challenge=1&hub.verify_token=Mine',
      'hub.challenge=1&hub.verify_token=mine&hub.verify_token=mine',
      'hub.challenge=1&hub.challenge=2&hub.verify_token=mine',
      'hub.challenge=&hub.verify_token=mine',
    ]) {
      assert.equal(await ask(query), 'bad-challenge', query);
    }
    assert.equal(await ask('hub.verify_token=mine'), 'unsigned');
    const posted = { ...get('hub.challenge=1&hub.verify_token=mine'), method: 'POST' };
    assert.equal(await answer(options, posted, 'text'), 'unsigned');
  }
});

test('wire 7: x, crc_token is answered with its HMAC, and a body that is such a token proves nothing', async () => {
  const options: PresetOptions = {
    preset: 'hmac',
    secret: 'consumer',
    header: 'x-twitter-webhooks-signature',
    prefix: 'sha256=',
    encoding: 'base64',
    challenges: ['x'],
  };
  const token = 'MTg4OTA5NDE5OQ';
  const response = `sha256=${mac('consumer', token, 'base64')}`;
  assert.equal(
    await answer(options, get(`crc_token=${token}&nonce=1`), 'json'),
    JSON.stringify({ response_token: response }),
  );
  for (const query of ['crc_token=', 'crc_token=%7B%7D', 'crc_token=a&crc_token=b', `crc_token=${'a'.repeat(129)}`]) {
    assert.equal(await answer(options, get(query), 'json'), 'bad-challenge', query);
  }
  const replayed = post(token, { 'x-twitter-webhooks-signature': response });
  assert.equal(await answer(options, replayed, 'json'), 'proves-nothing');
  const stripe = post('7', { 'Stripe-Signature': `t=${at},v1=${mac('s3cr3tKey', `${at}.7`)}` });
  assert.equal(await answer({ ...github, preset: 'stripe', challenges: ['x'] }, stripe, 'json'), 'proves-nothing');
  assert.equal((await judge({ ...github, preset: 'stripe' }, stripe)).kind, 'accepted');
  const byToken = post('7', { authorization: 's3cr3tKey' });
  assert.equal((await judge({ ...github, preset: 'token', challenges: ['x'] }, byToken)).kind, 'accepted');
  const event = post('{}', { 'x-twitter-webhooks-signature': `sha256=${mac('consumer', '{}', 'base64')}` });
  assert.equal((await judge(options, event)).kind, 'accepted');
});

test('wire 7: dropbox, adobe, okta, microsoft-graph: echoed as each wants it', async () => {
  for (const name of ['dropbox', 'adobe'] as const) {
    const options: PresetOptions = { ...github, challenges: [name] };
    assert.equal(await answer(options, get('challenge=abc%20123'), 'text'), 'abc 123');
    assert.equal(await answer(options, get('challenge=%0D%0Ax'), 'text'), 'bad-challenge');
    assert.equal(await answer(options, { ...get('challenge=abc'), method: 'POST' }, 'text'), 'unsigned');
  }
  const okta: PresetOptions = { ...github, challenges: ['okta'] };
  const header = 'X-Okta-Verification-Challenge';
  assert.equal(await answer(okta, get('', { [header]: 'Xyz-1' }), 'json'), '{"verification":"Xyz-1"}');
  assert.equal(await answer(okta, get('', { [header]: 'a, a' }), 'json'), 'bad-challenge');
  assert.equal(await answer(okta, post('', { [header]: 'Xyz-1' }), 'json'), 'unsigned');
  const graph: PresetOptions = { ...github, challenges: ['microsoft-graph'] };
  const asked = { ...get('validationToken=Validation%3A+Testing+client+Request-Id%3A+9a8'), method: 'POST' };
  assert.equal(await answer(graph, asked, 'text'), 'Validation: Testing client Request-Id: 9a8');
  assert.equal(
    await answer(graph, { ...asked, method: undefined }, 'text'),
    'Validation: Testing client Request-Id: 9a8',
  );
  assert.equal(await answer(graph, { ...asked, method: 'GET' }, 'text'), 'unsigned');
});

test('wire 7: event-grid, SubscriptionValidation is answered with its code, and its URL is left alone', async (t) => {
  const fetched = t.mock.method(globalThis, 'fetch', () => Promise.reject(new Error('fetched')));
  const options: PresetOptions = { preset: 'token', secret: 'abc', header: 'X-Key', challenges: ['event-grid'] };
  const validationCode = '512d38b6-c7b8-40c8-89fe-f46f9e9622b6';
  const event = {
    id: '1',
    topic: '/subscriptions/x',
    eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent',
    data: { validationCode, validationUrl: 'https://127.0.0.1:1/validate' },
  };
  assert.equal(await answer(options, post([event]), 'json'), JSON.stringify({ validationResponse: validationCode }));
  for (const body of [[event, event], event, [], [{ ...event, eventType: 'Other' }], '[', [null]]) {
    assert.equal(await answer(options, post(body), 'json'), 'unsigned');
  }
  for (const data of [undefined, {}, { validationCode: '<b>' }]) {
    assert.equal(await answer(options, post([{ ...event, data }]), 'json'), 'bad-challenge');
  }
  assert.equal(fetched.mock.callCount(), 0);
});

test('wire 7: a challenge that was not switched on by name is not answered', async () => {
  assert.equal(challengeNames.length, 8);
  const requests = [
    get('hub.challenge=1&hub.verify_token=mine&crc_token=1&challenge=1', { 'X-Okta-Verification-Challenge': 'a' }),
    { ...get('validationToken=1'), method: 'POST' },
    post([{ eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent', data: { validationCode: 'a' } }]),
    post({ data: { challengeRequest: 'a' } }),
    post({ type: 'url_verification', challenge: 'a' }),
  ];
  for (const request of requests) assert.equal(await answer(github, request, 'text'), 'unsigned');
  const presets: PresetOptions[] = [
    { ...github, preset: 'slack' },
    { ...github, preset: 'zoom' },
  ];
  for (const options of presets) assert.equal(await answer(options, requests[0]!, 'text'), 'unsigned');
});

test('under observe a question is answered as ever, and one that may not be is not', async () => {
  const options: PresetOptions = { ...github, challenges: ['meta'], verifyToken: 'mine', observe: true };
  assert.equal(await answer(options, get('hub.challenge=1&hub.verify_token=mine'), 'text'), '1');
  const verdict = await judge(options, get('hub.challenge=1&hub.verify_token=wrong'));
  assert.ok(verdict.kind === 'accepted' && verdict.doubt?.reason === 'bad-challenge');
});

test('no challenge anybody may put is answered with the signature of a body that would be accepted', () => {
  const x: PresetOptions = { ...github, challenges: ['x'] };
  const asking = [
    { options: { ...github, preset: 'greenlake' } as PresetOptions, header: 'HPE-Webhook-Signature' },
    { options: x, header: 'X-Hub-Signature-256' },
  ];
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 140 }), fc.json({ maxDepth: 1 }), fc.nat().map(String)), (text) => {
      for (const { options, header } of asking) {
        const verify = createSyncPresetVerifier(options, nodeCrypto);
        const isX = options === x;
        const question = isX
          ? get(new URLSearchParams({ crc_token: text }).toString())
          : post({ data: { challengeRequest: text } });
        const verdict = verify(question);
        if (verdict.kind !== 'challenge') continue;
        const given = Object.values(JSON.parse(verdict.answer.body) as Record<string, string>)[0]!;
        const hex = isX ? Buffer.from(given.slice(7), 'base64').toString('hex') : given;
        const forged = verify(post(text, { [header]: `sha256=${hex}` }));
        assert.ok(forged.kind === 'refused' && forged.reason === 'proves-nothing');
      }
    }),
    { numRuns: 200 },
  );
});
