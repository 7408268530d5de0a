// The signatures against published vectors, an independent library, and each other's runtimes.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { generateKeyPairSync, nodeCrypto } from '@bellwire/receiver/node-crypto';
import {
  createSigner,
  createSyncSigner,
  generateKeyPair,
  generateSecret,
  importSecret,
  publicKeyOf,
  SecretError,
  sign,
  standardWebhooksContent,
} from '@bellwire/receiver';
import type { Scheme, SigningKey } from '@bellwire/receiver';
import { greenlakeBody, hpeVector, privateKey, publicKey, vectors } from './vectors.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const message = (id: string, timestamp: number, body: string) => ({ id, sentAt: timestamp * 1000, body: bytes(body) });

for (const { scheme, secret, id, timestamp, body, signature } of vectors) {
  test(`wire 3: vector ${scheme} ${id}, by WebCrypto and by functions handed in`, async () => {
    const keys: SigningKey[] = [{ scheme, secret }];
    const expected = { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signature };
    assert.deepEqual(await sign(message(id, timestamp, body), keys), expected);
    assert.deepEqual(createSyncSigner(keys, nodeCrypto)(message(id, timestamp, body)), expected);
  });
}

test('wire 1: the HPE signature covers the body alone and the secret is text', async () => {
  const keys: SigningKey[] = [{ scheme: 'hpe', secret: hpeVector.secret }];
  const expected = { 'hpe-webhook-signature': hpeVector.signature };
  assert.deepEqual(await sign(message('a', 1, greenlakeBody), keys), expected);
  assert.deepEqual(createSyncSigner(keys, nodeCrypto)(message('b', 2, greenlakeBody)), expected);
});

test('wire 1: a whsec_ secret is text for the HPE signature and decoded for Standard Webhooks', async () => {
  const secret = vectors[0]!.secret;
  const headers = await sign(message('msg_1', 1, '{}'), [
    { scheme: 'v1', secret },
    { scheme: 'hpe', secret },
  ]);
  const key = Buffer.from(secret.slice(6), 'base64');
  assert.equal(headers['webhook-signature'], `v1,${createHmac('sha256', key).update('msg_1.1.{}').digest('base64')}`);
  assert.equal(headers['hpe-webhook-signature'], `sha256=${createHmac('sha256', secret).update('{}').digest('hex')}`);
});

test('wire 3: a rotation signs with the new and the old secret, in that order, in one header', async () => {
  const [first, second, third] = vectors as [(typeof vectors)[0], (typeof vectors)[0], (typeof vectors)[0]];
  const keys: SigningKey[] = [first, second, third].map(({ scheme, secret }) => ({ scheme, secret }));
  const { 'webhook-signature': list } = await createSigner(keys)(message(first.id, first.timestamp, first.body));
  assert.equal(list?.split(' ').length, 3);
  assert.equal(list?.split(' ')[0], first.signature);
  assert.equal(list?.split(' ')[2], third.signature);
});

test('the two drivers agree on any body, id and set of keys', async () => {
  const secrets: Record<Scheme, string> = { v1: vectors[0]!.secret, v1a: privateKey, hpe: 'ключ-Ωµ-🔑' };
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        body: fc.uint8Array({ maxLength: 300 }),
        id: fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/),
        sentAt: fc.integer({ min: 0, max: 4e12 }),
      }),
      fc.uniqueArray(fc.constantFrom<Scheme>('v1', 'v1a', 'hpe'), { minLength: 1 }),
      async (delivery, schemes) => {
        const keys = schemes.map((scheme) => ({ scheme, secret: secrets[scheme] }));
        assert.deepEqual(createSyncSigner(keys, nodeCrypto)(delivery), await sign(delivery, keys));
      },
    ),
    { numRuns: 60 },
  );
});

test('the npm package standardwebhooks accepts what we sign and signs what we sign', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 24, maxLength: 64 }),
      fc.string({ maxLength: 200 }),
      async (key, text) => {
        const secret = generateSecret(key);
        const body = JSON.stringify({ text });
        const headers = await sign({ id: 'msg_1', sentAt: Date.now(), body: bytes(body) }, [{ scheme: 'v1', secret }]);
        assert.deepEqual(new Webhook(secret).verify(body, headers), { text });
        const sentAt = new Date(Number(headers['webhook-timestamp']) * 1000);
        assert.equal(new Webhook(secret).sign('msg_1', sentAt, body), headers['webhook-signature']);
      },
    ),
    { numRuns: 40 },
  );
});

test('the content is id.timestamp.body, byte for byte', () => {
  const content = standardWebhooksContent('msg_1', 12, Uint8Array.from([0, 255, 46]));
  assert.deepEqual(content, Uint8Array.from([...bytes('msg_1.12.'), 0, 255, 46]));
});

test('wire 3: secrets of 24 to 64 bytes are generated and imported, others refused; signing takes any length', async () => {
  for (const length of [24, 32, 64]) {
    const secret = generateSecret(new Uint8Array(length).fill(7));
    assert.match(secret, /^whsec_/);
    assert.equal(importSecret(secret), secret);
  }
  for (const length of [0, 23, 65]) {
    assert.throws(() => generateSecret(new Uint8Array(length)), SecretError);
    assert.throws(() => importSecret(`whsec_${Buffer.alloc(length).toString('base64')}`), SecretError);
  }
  assert.ok(await sign(message('m', 1, ''), [{ scheme: 'v1', secret: 'whsec_AAAA' }]));
});

test('keys of the wrong form are refused by a sentence that does not contain them', () => {
  const wrong: SigningKey[] = [
    { scheme: 'v1', secret: 's3cr3tKey' },
    { scheme: 'v1', secret: 'whsec_' },
    { scheme: 'v1', secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n' },
    { scheme: 'v1', secret: 'whsec_MfKQ-r8GKYqrTwjUPD8ILPZIo2LaLaSw' },
    { scheme: 'v1a', secret: publicKey },
    { scheme: 'v1a', secret: 'whsk_AAAA' },
  ];
  for (const key of wrong) {
    assert.throws(
      () => createSigner([key]),
      (error: Error) => error instanceof SecretError && !error.message.includes(key.secret.slice(6) || '\0'),
    );
  }
  assert.throws(() => createSigner([]), /at least one key/);
  assert.throws(
    () =>
      createSyncSigner(
        [
          { scheme: 'hpe', secret: 'a' },
          { scheme: 'hpe', secret: 'b' },
        ],
        nodeCrypto,
      ),
    /only one HPE secret/,
  );
});

test('a message id with a dot, white space or nothing in it is never signed', async () => {
  const signer = createSyncSigner([{ scheme: 'v1', secret: vectors[0]!.secret }], nodeCrypto);
  for (const id of ['', 'a.b', 'a b', 'a\n', 'ü']) {
    assert.throws(() => signer(message(id, 1, '{}')), RangeError);
    await assert.rejects(sign(message(id, 1, '{}'), [{ scheme: 'v1', secret: vectors[0]!.secret }]), RangeError);
  }
});

test('wire 3: key pairs in the whsk_/whpk_ form, the same from both runtimes', async () => {
  const seed = Buffer.from(privateKey.slice(5), 'base64').subarray(0, 32);
  assert.deepEqual(await generateKeyPair(seed), { privateKey, publicKey });
  assert.deepEqual(generateKeyPairSync(seed), { privateKey, publicKey });
  assert.equal(publicKeyOf(privateKey), publicKey);
  await assert.rejects(generateKeyPair(new Uint8Array(31)));
  assert.throws(() => generateKeyPairSync(new Uint8Array(33)));
});
