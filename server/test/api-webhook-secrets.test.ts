// The secrets of a webhook as they are made, replaced and turned over: pure, by cases.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateSecret } from '@bellwire/receiver';
import { firstSecrets, replaceSecret, resign, rotateSecret } from '../src/api/webhook-secrets.ts';

let seed = 0;
const bytes = (count: number) => new Uint8Array(count).fill(++seed);
const WHSEC = generateSecret(new Uint8Array(24).fill(7));

test('wire 1: a generated secret serves both dialects; a text of one’s own only challenge and HPE signature', () => {
  const generated = firstSecrets({}, bytes);
  assert.deepEqual(generated.signing, ['standard-v1']);
  assert.deepEqual(generated.secrets.standardKeys, [generated.secrets.secret]);
  assert.deepEqual(generated.generated, { secret: generated.secrets.secret });
  const brought = firstSecrets({ secret: WHSEC }, bytes);
  assert.deepEqual([brought.signing, brought.secrets.standardKeys, brought.generated], [['standard-v1'], [WHSEC], {}]);
  const text = firstSecrets({ secret: ' text ' }, bytes);
  assert.deepEqual([text.signing, text.secrets.secret, text.secrets.standardKeys], [['hpe'], ' text ', []]);
  const both = firstSecrets({ secret: 'text', signing: ['hpe', 'standard-v1'] }, bytes);
  assert.match(both.generated.standardKey!, /^whsec_/);
  assert.deepEqual(both.secrets.standardKeys, [both.generated.standardKey]);
  const asymmetric = firstSecrets({ signing: ['standard-v1a'] }, bytes);
  assert.match(asymmetric.publicKey!, /^whpk_/);
  assert.match(asymmetric.secrets.signingKey!, /^whsk_/);
  assert.ok(!JSON.stringify(asymmetric.generated).includes('whsk_'), 'the private key stays here');
});

test('wire 1: a rotation honours the former secret beside the new one, and the one that was proved of two', () => {
  const first = firstSecrets({ secret: WHSEC }, bytes);
  const turned = rotateSecret(first, { given: undefined, overlap: true }, bytes);
  const { secret, secondarySecret, proved, standardKeys } = turned.secrets;
  assert.deepEqual([secondarySecret, proved], [WHSEC, 'secondarySecret']);
  assert.deepEqual(standardKeys, [secret, WHSEC], 'the new one signs first');
  assert.deepEqual(turned.generated, { secret });
  const again = rotateSecret(turned, { given: 'text', overlap: true }, bytes);
  assert.equal(again.secrets.secondarySecret, WHSEC, 'the endpoint has never proved the one in between');
  assert.deepEqual(again.secrets.standardKeys, [again.generated.standardKey, secret]);
  const proven = rotateSecret(
    { ...turned, secrets: { ...turned.secrets, proved: 'secret' } },
    { given: 'text', overlap: true },
    bytes,
  );
  assert.equal(proven.secrets.secondarySecret, secret);
  const cut = rotateSecret(turned, { given: 'text', overlap: false }, bytes);
  assert.deepEqual(
    [cut.secrets.secondarySecret, cut.secrets.proved, cut.secrets.standardKeys.length],
    [null, 'secret', 1],
  );
});

test('API: a replaced secret leaves nothing of the former one; keys of their own stay', () => {
  const first = firstSecrets(
    { secret: WHSEC, signing: ['standard-v1', 'standard-v1a'], authorization: 'Bearer x' },
    bytes,
  );
  const replaced = replaceSecret(first, 'text', bytes);
  assert.ok(!JSON.stringify(replaced.secrets).includes(WHSEC));
  assert.deepEqual(
    [replaced.secrets.signingKey, replaced.publicKey, replaced.secrets.authorization],
    [first.secrets.signingKey, first.publicKey, 'Bearer x'],
  );
  const kept = replaceSecret(replaced, 'other text', bytes);
  assert.deepEqual([kept.secrets.standardKeys, kept.generated], [replaced.secrets.standardKeys, {}]);
  const signed = resign(firstSecrets({ secret: 'text' }, bytes), ['standard-v1'], bytes);
  assert.deepEqual(signed.secrets.standardKeys, [signed.generated.standardKey]);
});
