// TLS: the certificate is checked against the name, and the name stays in SNI and Host while the address is pinned.
import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type TlsOptions, type TLSSocket } from 'node:tls';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import type { TransportOptions, Transport } from '../src/engine/transport/index.ts';
import { answered, failed, http, listen, makeTransport, post, start } from './transport-servers.ts';

// Self-signed for hooks.example.test, localhost and 127.0.0.1, valid for a century, used nowhere but here.
const key = readFileSync(new URL('fixtures/tls-key.pem', import.meta.url), 'utf8');
const cert = readFileSync(new URL('fixtures/tls-cert.pem', import.meta.url), 'utf8');

interface TlsServer {
  port: number;
  names: (string | false)[];
  hosts: string[];
  resumed: boolean[];
}

async function listenTls(t: TestContext, options: TlsOptions = {}): Promise<TlsServer> {
  const seen: TlsServer = { port: 0, names: [], hosts: [], resumed: [] };
  const sockets = new Set<TLSSocket>();
  const server = createServer({ key, cert, ...options }, (socket) => {
    sockets.add(socket);
    seen.names.push((socket as TLSSocket & { servername: string | false }).servername);
    seen.resumed.push(socket.isSessionReused());
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      seen.hosts.push(/\r\nhost: (.*)\r\n/.exec(chunk.toString('latin1'))?.[1] ?? '');
      socket.end(http(200, 'ok', ['connection: close']));
    });
  });
  seen.port = await start(t, server, sockets);
  return seen;
}

/** Every name leads to this machine. */
function transportTo(t: TestContext, options: Partial<TransportOptions> = {}): Transport {
  const guard = createAddressGuard({
    allow: ['127.0.0.0/8'],
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
  });
  return makeTransport(t, { guard, ...options });
}

test('R60 a certificate that nobody vouches for is refused', async (t) => {
  const server = await listenTls(t);
  const outcome = failed(await transportTo(t).send(post(`https://hooks.example.test:${server.port}/`)));
  assert.equal(outcome.code, 'tls');
  assert.equal(outcome.message, 'has a certificate that is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)');
  assert.deepEqual(server.hosts, []);
});

test('wire 6: the pinned address is dialled under the name: SNI and Host say it, the certificate is checked for it', async (t) => {
  const server = await listenTls(t);
  const outcome = await transportTo(t, { ca: cert }).send(post(`https://hooks.example.test:${server.port}/a`));
  assert.equal(answered(outcome).status, 200);
  assert.deepEqual(server.names, ['hooks.example.test']);
  assert.deepEqual(server.hosts, [`hooks.example.test:${server.port}`]);
});

test('an IP literal is checked against the addresses of the certificate', async (t) => {
  const server = await listenTls(t);
  const outcome = await transportTo(t, { ca: cert }).send(post(`https://127.0.0.1:${server.port}/`));
  assert.equal(answered(outcome).status, 200);
  assert.deepEqual(server.names, [false]);
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`R60 a certificate for another name is refused every time, session resumption or not (${maxVersion})`, async (t) => {
    const server = await listenTls(t, { maxVersion });
    const transport = transportTo(t, { ca: cert });
    for (let n = 0; n < 3; n += 1) {
      const outcome = failed(await transport.send(post(`https://other.example.test:${server.port}/`)));
      assert.deepEqual(
        [outcome.code, outcome.message],
        ['tls', 'has a certificate that is not for other.example.test'],
      );
    }
    assert.deepEqual(server.hosts, []);
  });

  test(`a session is resumed on the next connection (${maxVersion})`, async (t) => {
    const server = await listenTls(t, { maxVersion });
    const transport = transportTo(t, { ca: cert });
    for (let n = 0; n < 2; n += 1) answered(await transport.send(post(`https://hooks.example.test:${server.port}/`)));
    assert.deepEqual(server.resumed, [false, true]);
  });
}

test('a server that speaks no TLS says so', async (t) => {
  const plain = await listen(t, () => {});
  const sent = transportTo(t).send(post(`https://127.0.0.1:${plain.port}/`));
  while (plain.connections.size === 0) await new Promise(setImmediate);
  for (const socket of plain.connections) socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  const outcome = failed(await sent);
  assert.equal(outcome.code, 'tls');
  assert.match(outcome.message, /^failed the TLS handshake \(/);
});
