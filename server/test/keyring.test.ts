import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { test, type TestContext } from 'node:test';
import { KeyringError, makeKey, openKeyring } from '../src/store/keyring.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'bellwire-keyring-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('R71 a sealed secret opens again byte for byte and shows neither secret nor key', () => {
  const key = makeKey();
  const ring = openKeyring({ keys: [key] });
  for (const secret of ['s3cr3tKey', 'ключ-Ωµ-🔑', 'a b c ', '', '\0\n', 'x'.repeat(100_000)]) {
    const sealed = ring.seal(secret, 'webhook/1/1');
    assert.equal(ring.open(sealed, 'webhook/1/1'), secret);
    if (secret.length > 3) assert.ok(!sealed.includes(secret));
    assert.ok(!sealed.includes(key));
  }
  assert.ok(!inspect(ring, { depth: 9 }).includes(key));
});

test('the same secret is never sealed to the same text', () => {
  const ring = openKeyring({ keys: [makeKey()] });
  const sealed = new Set(Array.from({ length: 1_000 }, () => ring.seal('same', 'place')));
  assert.equal(sealed.size, 1_000);
});

test('a ciphertext opens in its own place only, and only unaltered', () => {
  const ring = openKeyring({ keys: [makeKey()] });
  const sealed = ring.seal('s3cr3tKey', 'webhook/1/1/secret');
  assert.throws(() => ring.open(sealed, 'webhook/1/2/secret'), /belongs to another place than webhook\/1\/2\/secret/);
  const [format, id, box] = sealed.split('.') as [string, string, string];
  for (let at = 0; at < box.length; at++) {
    const other = box[at] === 'A' ? 'B' : 'A';
    const altered = `${format}.${id}.${box.slice(0, at)}${other}${box.slice(at + 1)}`;
    if (Buffer.from(box, 'base64url').equals(Buffer.from(altered.split('.')[2] as string, 'base64url'))) continue;
    assert.throws(() => ring.open(altered, 'webhook/1/1/secret'), KeyringError);
  }
  for (const broken of ['', 'x', 'v1', 'v1..', `v2.${id}.${box}`, `v1.${id}.AAAA`, `${sealed}.x`, 'plain text']) {
    assert.throws(() => ring.open(broken, 'webhook/1/1/secret'), /not in a form this version knows/, broken);
  }
});

test('rotation: the first key encrypts, all decrypt, what is stale is known', () => {
  const [older, newer] = [makeKey(), makeKey()];
  const before = openKeyring({ keys: [older] });
  const during = openKeyring({ keys: [newer, older] });
  const after = openKeyring({ keys: [newer] });
  const sealed = before.seal('s3cr3tKey', 'place');
  assert.equal(during.open(sealed, 'place'), 's3cr3tKey');
  assert.equal(during.isStale(sealed), true);
  const resealed = during.seal(during.open(sealed, 'place'), 'place');
  assert.equal(during.isStale(resealed), false);
  assert.equal(after.open(resealed, 'place'), 's3cr3tKey');
  assert.throws(() => after.open(sealed, 'place'), /sealed with key [0-9a-f]{8}; here is key [0-9a-f]{8}$/);
});

test('keys that do not open the store are told by its canary, in words', () => {
  const [mine, other] = [makeKey(), makeKey()];
  const canary = openKeyring({ keys: [mine] }).makeCanary();
  assert.equal(openKeyring({ keys: [mine] }).checkCanary(canary), null);
  assert.equal(openKeyring({ keys: [other, mine] }).checkCanary(canary), null);
  assert.match(
    openKeyring({ keys: [other] }).checkCanary(canary) ?? '',
    /^the keys do not open this store: .*sealed with key/,
  );
  assert.match(openKeyring({ keys: [mine] }).checkCanary('nonsense') ?? '', /not in a form/);
});

test('the first start makes a key file of mode 0600 that the second start reads', (t) => {
  const file = join(folder(t), 'keys');
  const sealed = openKeyring({ file }).seal('s3cr3tKey', 'place');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const text = readFileSync(file, 'utf8');
  assert.equal(openKeyring({ file }).open(sealed, 'place'), 's3cr3tKey');
  assert.equal(readFileSync(file, 'utf8'), text);
  assert.deepEqual(readdirSync(join(file, '..')), ['keys']);
});

test('a new key is added to the file as its first line', (t) => {
  const file = join(folder(t), 'keys');
  const sealed = openKeyring({ file }).seal('s3cr3tKey', 'place');
  writeFileSync(file, `${makeKey()}\n${readFileSync(file, 'utf8')}`);
  const ring = openKeyring({ file });
  assert.equal(ring.open(sealed, 'place'), 's3cr3tKey');
  assert.equal(ring.isStale(sealed), true);
});

test('a key file that others may read, or that holds no key, is refused in words', (t) => {
  const file = join(folder(t), 'keys');
  openKeyring({ file });
  chmodSync(file, 0o644);
  assert.throws(() => openKeyring({ file }), /can be read by others; allow only its owner: chmod 600/);
  chmodSync(file, 0o600);
  writeFileSync(file, '# nothing\n\n');
  assert.throws(() => openKeyring({ file }), /holds no key/);
  writeFileSync(file, 'c2hvcnQ=\n');
  assert.throws(() => openKeyring({ file }), /key 1 in .* is not 32 bytes in base64/);
  assert.throws(() => openKeyring({ file: join(file, 'below', 'keys') }), KeyringError);
});

test(
  'a key file that is somebody else’s may be read by our group, as systemd and Kubernetes hand it in, and by nobody else',
  { skip: userInfo().uid !== 0 && 'only root can give a file away' },
  (t) => {
    const file = join(folder(t), 'keys');
    openKeyring({ file });
    chownSync(file, 65_534, 0);
    for (const mode of [0o440, 0o400, 0o640]) {
      chmodSync(file, mode);
      openKeyring({ file });
    }
    for (const mode of [0o444, 0o460, 0o644]) {
      chmodSync(file, mode);
      assert.throws(() => openKeyring({ file }), /can be read by others/);
    }
  },
);

test('keys of the setting are checked and never repeated in the refusal', () => {
  assert.throws(() => openKeyring({ keys: [] }), /secrets\.keys holds no key/);
  assert.throws(
    () => openKeyring({ keys: [makeKey(), 'hunter2-hunter2'] }),
    (error: Error) => /key 2 in the setting secrets\.keys/.test(error.message) && !error.message.includes('hunter2'),
  );
});
