// Webhooks towards protected endpoints over the API: OAuth 2 clients and TLS identities, checked when saved, never shown.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';
import { startLife } from '../../test/kit/life.ts';
import { startApi, type ApiGround } from './api-ground.ts';
import { issueCertificate } from './certificates.ts';

const DAY = 86_400_000;
const authority = issueCertificate({ name: 'private authority', isAuthority: true });
const client = issueCertificate({ name: 'client', issuer: authority });
const other = issueCertificate({ name: 'other', issuer: authority });
const OAUTH = { tokenUrl: 'https://id.example.com/token', clientId: 'me', clientSecret: 'SECRETofTheClient' };

/** Refusals of one field, by pointer and words. */
async function refusedAt(api: ApiGround, what: string, body: object): Promise<[pointer: string, detail: string]> {
  const { status, json } = await api.ask(what, { body });
  assert.equal(status, 422, JSON.stringify(json));
  const [fault] = json['errors'] as { pointer: string; detail: string }[];
  return [fault!.pointer, fault!.detail];
}

test('an OAuth 2 client: what it must have, its secret is never shown and does not follow to another token endpoint', async (t) => {
  const api = await startApi(t, { targets: { allowAddresses: ['0.0.0.0/0', '::/0'] } });
  const base = { url: 'https://hooks.example.com/in' };
  const made = await api.expect(201, 'POST /v1/webhooks', { body: { ...base, name: 'a', oauth: OAUTH } });
  const shown = {
    tokenUrl: OAUTH.tokenUrl,
    clientId: 'me',
    auth: 'basic',
    scope: null,
    audience: null,
    resource: null,
  };
  assert.deepEqual(made['oauth'], shown);
  const at = `/v1/webhooks/${made['id'] as string}`;
  const scoped = await api.expect(200, `PATCH ${at}`, { body: { oauth: { scope: 'a b', auth: 'body' } } });
  assert.deepEqual(scoped['oauth'], { ...shown, scope: 'a b', auth: 'body' });

  const needed = 'It is needed, and again when tokenUrl or clientId becomes another one.';
  const elsewhere = { oauth: { tokenUrl: 'https://evil.example.com/token' } };
  assert.deepEqual(await refusedAt(api, `PATCH ${at}`, elsewhere), ['/oauth/clientSecret', needed]);
  assert.deepEqual(await refusedAt(api, `PATCH ${at}`, { oauth: { clientId: 'you' } }), [
    '/oauth/clientSecret',
    needed,
  ]);
  const [pointer] = await refusedAt(api, `PATCH ${at}`, { oauth: { tokenUrl: 'ftp://x.example/' } });
  assert.equal(pointer, '/oauth/tokenUrl');
  assert.equal((await refusedAt(api, `PATCH ${at}`, { authorization: 'Bearer x' }))[0], '/oauth');
  for (const oauth of [
    { scope: 'a  b' },
    { scope: 'a"b' },
    { auth: 'jwt' },
    { resource: 'urn:x#y' },
    { secret: 'x' },
  ]) {
    await api.refused('invalid-request', `PATCH ${at}`, { body: { oauth } });
  }
  await api.refused('invalid-request', 'POST /v1/webhooks', { body: { ...base, name: 'b', oauth: { clientId: 'x' } } });

  const swapped = await api.expect(200, `PATCH ${at}`, { body: { oauth: null, authorization: 'Bearer x' } });
  assert.equal(swapped['oauth'], null);
  assert.ok(!api.lines.join('').includes('SECRETofTheClient'));
});

test('wire 6: a token endpoint may not be where a webhook may not be', async (t) => {
  const api = await startApi(t, { targets: { httpsRequired: true, publicNamesRequired: true } });
  const body = { name: 'a', url: 'https://hooks.example.com/in', oauth: OAUTH };
  for (const tokenUrl of ['http://id.example.com/token', 'https://127.0.0.1/token', 'https://localhost/token']) {
    const [pointer] = await refusedAt(api, 'POST /v1/webhooks', { ...body, oauth: { ...OAUTH, tokenUrl } });
    assert.equal(pointer, '/oauth/tokenUrl');
  }
});

test('a TLS identity is checked when it is saved: each refusal says what is wrong and where', async (t) => {
  const api = await startApi(t);
  const { certificate, privateKey } = client;
  const old = issueCertificate({
    name: 'old',
    issuer: authority,
    from: Date.UTC(2020, 0, 1),
    until: Date.UTC(2021, 0, 1),
  });
  const early = issueCertificate({
    name: 'early',
    issuer: authority,
    from: Date.now() + DAY,
    until: Date.now() + 2 * DAY,
  });
  const locked = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const refused = async (tls: object, url = 'https://127.0.0.1/'): Promise<string> =>
    (await refusedAt(api, 'POST /v1/webhooks', { name: 'a', url, tls })).join(' ');
  const damaged = certificate.replace(/[A-Za-z]{20}/, 'AAAAAAAAAAAAAAAAAAAA');
  assert.deepEqual(
    [
      await refused({ certificate }),
      await refused({ privateKey }),
      await refused({ certificate, privateKey: other.privateKey }),
      await refused({ certificate: old.certificate, privateKey: old.privateKey }),
      await refused({ certificate: 'no certificate', privateKey }),
      await refused({ certificate: damaged, privateKey }),
      await refused({ certificate: certificate + privateKey, privateKey }),
      await refused({ certificate, privateKey: 'no key' }),
      await refused({ certificate, privateKey: locked.privateKey }),
      await refused({ ca: 'nobody' }),
      await refused({ ca: old.certificate }),
      await refused({ ca: authority.certificate }, 'http://127.0.0.1/'),
    ],
    [
      '/tls/privateKey A certificate needs its private key.',
      '/tls/certificate A private key needs its certificate.',
      '/tls/privateKey The private key does not belong to the certificate (the first one, if there are many).',
      '/tls/certificate It expired on 2021-01-01.',
      '/tls/certificate It is not a certificate in PEM: that begins with -----BEGIN CERTIFICATE-----.',
      '/tls/certificate The certificate at place 1 is damaged: it cannot be read.',
      '/tls/certificate There is a private key in it: that has a field of its own.',
      '/tls/privateKey It is not a private key in PEM.',
      '/tls/privateKey The private key has a passphrase: give it without one, it is stored encrypted.',
      '/tls/ca It is not a certificate in PEM: that begins with -----BEGIN CERTIFICATE-----.',
      '/tls/ca It expired on 2021-01-01: nothing could be trusted by it.',
      '/tls A webhook with `tls` needs an https URL.',
    ],
  );
  assert.match(
    await refused({ certificate: early.certificate, privateKey: early.privateKey }),
    /It is not valid before/,
  );
});

test('challenged and delivered to over mutual TLS under a private authority; the key is never shown', async (t) => {
  const server = issueCertificate({ name: 'server', issuer: authority, names: ['localhost'] });
  const callers: string[] = [];
  const listener = createServer(
    { key: server.privateKey, cert: server.certificate, ca: authority.certificate, requestCert: true },
    (request, response) => {
      callers.push(String((request.socket as TLSSocket).getPeerCertificate().subject.CN));
      request.resume().on('end', () => response.end());
    },
  );
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    listener.closeAllConnections();
    listener.close();
  });
  const life = await startLife(t);
  const url = `https://localhost:${(listener.address() as AddressInfo).port}/`;
  const { certificate, privateKey } = client;
  const tls = { certificate, privateKey, ca: authority.certificate };
  const id = await life.webhook({ url, verification: 'none', tls });
  await life.publish();
  await life.settled(id, 'delivered');
  const shown = await life.expect(200, `GET /v1/webhooks/${id}`);
  const { expiresAt, ...pem } = shown['tls'] as Record<string, string>;
  assert.deepEqual(pem, { certificate, ca: authority.certificate });
  assert.ok(Date.parse(expiresAt!) > Date.now());

  const renewed = { certificate: other.certificate, privateKey: other.privateKey };
  const changed = await life.expect(200, `PATCH /v1/webhooks/${id}`, { body: { tls: renewed } });
  assert.equal((changed['tls'] as { ca: string }).ca, authority.certificate, 'what is left out stays');
  assert.equal(changed['state'], 'active', 'a renewed certificate need not prove the webhook again');
  await life.publish();
  await life.settled(id, 'delivered', 2);
  assert.deepEqual(callers, ['client', 'other']);

  await life.expect(200, `PATCH /v1/webhooks/${id}`, { body: { tls: null, policy: { retryDelaysMs: [] } } });
  await life.publish();
  const [dead] = await life.settled(id, 'dead');
  const [attempt] = await life.attempts(dead!['id'] as string);
  assert.match(String(attempt!['error']), /^has a certificate that is not trusted/);
  const bodies = JSON.stringify([shown, changed]) + life.lines.join('');
  assert.ok(!bodies.includes('PRIVATE KEY'));
});
