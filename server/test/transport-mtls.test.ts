// TLS identities: a client certificate and an authority of one webhook's own, never shared with another's.
import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { createServer, type TlsOptions, type TLSSocket } from 'node:tls';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { diagnose } from '../src/engine/transport/failure.ts';
import { nameTlsIdentity, parseTarget, type TlsIdentity, type Transport } from '../src/engine/transport/index.ts';
import { issueCertificate, type Issued } from './certificates.ts';
import { answered, failed, http, makeTransport, post, start } from './transport-servers.ts';

const HOST = 'hooks.example.test';
const authority = issueCertificate({ name: 'private authority', isAuthority: true });
const server = issueCertificate({ name: HOST, issuer: authority, names: [HOST] });
const alice = issueCertificate({ name: 'alice', issuer: authority });
const bob = issueCertificate({ name: 'bob', issuer: authority });

interface TlsServer {
  port: number;
  /** Who asked, by request: the common name of the client certificate, `-` without one. */
  callers: string[];
  /** For each connection, whether its TLS session was one from before. */
  resumed: boolean[];
}

/** A server that wants a client certificate of the authority; it keeps connections open unless told to close. */
async function listenTls(t: TestContext, options: TlsOptions = {}, close = false): Promise<TlsServer> {
  const seen: TlsServer = { port: 0, callers: [], resumed: [] };
  const sockets = new Set<TLSSocket>();
  const { certificate: cert, privateKey: key } = server;
  const listener = createServer(
    { key, cert, ca: authority.certificate, requestCert: true, rejectUnauthorized: false, ...options },
    (socket: TLSSocket) => {
      sockets.add(socket);
      seen.resumed.push(socket.isSessionReused());
      socket.on('error', () => {});
      socket.on('data', () => {
        seen.callers.push(String(socket.getPeerCertificate().subject?.CN ?? '-'));
        const answer = http(200, 'ok', close ? ['connection: close'] : []);
        if (close) socket.end(answer);
        else socket.write(answer);
      });
    },
  );
  seen.port = await start(t, listener, sockets);
  return seen;
}

function identity(of: Issued | null, ca: string | null = authority.certificate, expiresAt?: number): TlsIdentity {
  const certificate = of?.certificate ?? null;
  const privateKey = of?.privateKey ?? null;
  return nameTlsIdentity({ certificate, privateKey, ca, expiresAt: expiresAt ?? null });
}

function transportTo(t: TestContext): Transport {
  const resolve = async () => [{ address: '127.0.0.1', family: 4 }];
  return makeTransport(t, { guard: createAddressGuard({ allow: ['127.0.0.0/8'], resolve }) });
}

function ask(port: number, tls: TlsIdentity | null) {
  const url = `https://${HOST}:${port}/hook`;
  return post(url, { target: parseTarget(url, tls) });
}

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a client certificate per webhook is shown to the endpoint that asks for it (${maxVersion})`, async (t) => {
    const { port, callers } = await listenTls(t, { maxVersion });
    const transport = transportTo(t);
    for (const who of [alice, bob, alice]) answered(await transport.send(ask(port, identity(who))));
    assert.deepEqual(callers, ['alice', 'bob', 'alice']);
  });

  test(`connections and TLS sessions are never shared between identities (${maxVersion})`, async (t) => {
    const { port, callers, resumed } = await listenTls(t, { maxVersion }, true);
    const transport = transportTo(t);
    for (const who of [alice, bob, null, alice, bob]) {
      answered(await transport.send(ask(port, identity(who))));
    }
    assert.deepEqual(callers, ['alice', 'bob', '-', 'alice', 'bob']);
    assert.deepEqual(resumed, [false, false, false, true, true], 'a session is resumed by its own identity only');
  });

  test(`without a certificate an endpoint that insists on one is a failure that says so (${maxVersion})`, async (t) => {
    const { port, callers } = await listenTls(t, { maxVersion, rejectUnauthorized: true });
    const outcome = failed(await transportTo(t).send(ask(port, identity(null))));
    assert.equal(outcome.code, 'tls');
    assert.match(outcome.message, /^(asks for a client certificate|failed the TLS handshake)/);
    assert.deepEqual(callers, []);
  });

  test(`a client certificate that has expired: the failure says since when (${maxVersion})`, async (t) => {
    const until = Date.now() - 86_400_000;
    const expired = issueCertificate({ name: 'late', issuer: authority, from: until - 86_400_000, until });
    const { port, callers } = await listenTls(t, { maxVersion, rejectUnauthorized: true });
    const outcome = failed(await transportTo(t).send(ask(port, identity(expired, authority.certificate, until))));
    const day = new Date(until).toISOString().slice(0, 10);
    assert.match(outcome.message, new RegExp(`; the client certificate it was shown expired on ${day}$`));
    assert.deepEqual(callers, []);
  });
}

test('connections kept open are per identity, and the same material under two webhooks is one identity', async (t) => {
  const { port, callers, resumed } = await listenTls(t);
  const transport = transportTo(t);
  for (const who of [alice, bob, alice]) answered(await transport.send(ask(port, identity(who))));
  assert.equal(resumed.length, 2, 'one connection each');
  assert.deepEqual(callers, ['alice', 'bob', 'alice']);
  assert.deepEqual(transport.stats(), { origins: 2, inFlight: 0, waiting: 0, idle: 2 });
});

test('a private authority is trusted for its webhook only, and instead of the system’s', async (t) => {
  const { port, callers } = await listenTls(t, { requestCert: false });
  const transport = transportTo(t);
  const own = ask(port, identity(null));
  assert.equal(answered(await transport.send(own)).status, 200);
  for (const tls of [null, identity(null, issueCertificate({ name: 'another', isAuthority: true }).certificate)]) {
    const outcome = failed(await transport.send(ask(port, tls)));
    assert.equal(outcome.code, 'tls');
    assert.match(outcome.message, /^has a certificate that is not trusted/);
  }
  assert.equal(answered(await transport.send(own)).status, 200);
  assert.equal(callers.length, 2);
});

test('material that OpenSSL cannot use is a failure of its own deliveries', async (t) => {
  const { port } = await listenTls(t);
  const transport = transportTo(t);
  const broken = nameTlsIdentity({ certificate: 'no PEM', privateKey: alice.privateKey, ca: null, expiresAt: null });
  assert.equal(failed(await transport.send(ask(port, broken))).code, 'tls');
  assert.equal(answered(await transport.send(ask(port, identity(alice)))).status, 200);
});

test('what a server’s alert says of the client certificate is put into words', () => {
  const words = (code: string, of: Issued | null): string =>
    diagnose(Object.assign(new Error(code), { code }), {
      hostname: HOST,
      status: null,
      isConnected: true,
      tls: identity(of),
    }).message;
  assert.equal(
    words('ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', alice),
    'refused the client certificate: it has expired',
  );
  assert.equal(
    words('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', alice),
    'refused the client certificate: it does not trust who issued it',
  );
  assert.equal(words('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', null), 'asks for a client certificate');
  assert.equal(
    words('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', null),
    'failed the TLS handshake (ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE)',
  );
});
