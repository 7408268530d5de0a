// The challenge: every vector, what counts as a challenge, and what must never be answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { answerChallenge, verificationOf } from '@bellwire/receiver';
import { challengeVectors, greenlakeBody } from './vectors.ts';

const challenge = '8cbecfea-d708-4706-bba3-669225084a10';

for (const [secret, request, verification] of challengeVectors) {
  test(`R66 R70 R71 the verification of ${request} under ${JSON.stringify(secret)}`, async () => {
    assert.equal(await verificationOf(secret, request), verification);
    const answer = await answerChallenge(secret, { data: { challengeRequest: request } });
    assert.deepEqual(answer, {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: `{"verification":"${verification}"}`,
    });
  });
}

test('R61 R64 R67 R68 R69 R91 R92 the sample of the source document, answered as a Response', async () => {
  const answer = await answerChallenge('s3cr3tKey', JSON.parse(greenlakeBody));
  const response = new Response(answer!.body, answer);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/json');
  assert.deepEqual(await response.json(), { verification: challengeVectors[0]![2] });
});

test('R95 a challenge is told by data.challengeRequest, not by its type', async () => {
  for (const type of ['greenlake.events.v1beta1.webhooks.verification', 'something.else', undefined]) {
    assert.ok(await answerChallenge('secret', { type, data: { challengeRequest: challenge } }));
  }
  const others: unknown[] = [
    { type: 'com.hpe.greenlake.events.v1beta1.webhooks.verification', data: {} },
    { data: { challengeRequest: null } },
    { data: { challengeRequest: '' } },
    { data: { challengeRequest: 7 } },
    { data: { challengeRequest: { a: 1 } } },
    { data: Object.create({ challengeRequest: challenge }) },
    { challengeRequest: challenge },
    { data: null },
    [{ data: { challengeRequest: challenge } }],
    null,
    'text',
    undefined,
  ];
  for (const body of others) assert.equal(await answerChallenge('secret', body), undefined);
});

test('R71 R109 the secret is never trimmed or normalised: one differing character gives another answer', async () => {
  const base = await verificationOf('secret', challenge);
  for (const secret of ['secret ', ' secret', 'Secret', 'secret\n', '\ufeffsecret']) {
    assert.notEqual(await verificationOf(secret, challenge), base);
  }
  assert.notEqual(await verificationOf('\u00e9', challenge), await verificationOf('e\u0301', challenge));
});

test('no body of a delivery can be had signed by asking for it as a challenge', async () => {
  const envelope = fc.oneof(fc.object(), fc.array(fc.anything())).map((value) => JSON.stringify(value));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('', ' ', '\n'), envelope, async (space, body) => {
      assert.equal(await answerChallenge('secret', { data: { challengeRequest: space + body } }), undefined);
    }),
  );
  for (const text of ['{}', '[]', 'a b', `${challenge}\n`, 'x'.repeat(129), 'ü']) {
    assert.equal(await answerChallenge('secret', { data: { challengeRequest: text } }), undefined);
  }
});
