// The operator's proxy: what it is asked, and whose fault it is when no tunnel opens. A real proxy, and worse ones.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { test, type TestContext } from 'node:test';
import { isOurFault } from '../src/model/outcome.ts';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { nameTlsIdentity, parseTarget, type Transport } from '../src/engine/transport/index.ts';
import { issueCertificate } from './certificates.ts';
import { answered, failed, http, listen, makeTransport, post, start } from './transport-servers.ts';

interface ProxyUnderTest {
  port: number;
  /** Each CONNECT: what for, under which Host, with which credentials. */
  asked: { authority: string; host: string; authorization: string }[];
  sockets: Set<Socket>;
}

type Refusal = (request: IncomingMessage, socket: Socket, count: number) => boolean;

/** A proxy that opens tunnels, unless `refuse` has answered itself. */
async function startProxy(t: TestContext, refuse: Refusal = () => false): Promise<ProxyUnderTest> {
  const proxy: ProxyUnderTest = { port: 0, asked: [], sockets: new Set() };
  const server = createServer();
  server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const { host = '', 'proxy-authorization': authorization = '' } = request.headers;
    proxy.asked.push({ authority: request.url ?? '', host, authorization });
    socket.on('error', () => {});
    if (refuse(request, socket, proxy.asked.length)) return;
    const [address, port] = (request.url ?? '').split(':');
    const target = connect(Number(port), address, () => {
      socket.write('HTTP/1.1 200 Connection established\r\nvia: 1.1 test\r\n\r\n');
      target.write(head);
      target.pipe(socket).pipe(target);
    });
    proxy.sockets.add(target);
    target.on('error', () => void socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n'));
  });
  server.on('connection', (socket) => void proxy.sockets.add(socket));
  proxy.port = await start(t, server, proxy.sockets);
  return proxy;
}

const answer =
  (text: string): Refusal =>
  (_, socket) => {
    socket.write(text);
    return true;
  };

/** Every name leads to this machine, through the proxy. */
function through(t: TestContext, port: number, authorization: string | null = null): Transport {
  const guard = createAddressGuard({
    allow: ['127.0.0.0/8'],
    resolve: async (name) => [{ address: name.startsWith('inside') ? '10.0.0.1' : '127.0.0.1', family: 4 }],
  });
  return makeTransport(t, { guard, proxy: { hostname: '127.0.0.1', port, authorization } });
}

test('wire 6: the proxy is asked by CONNECT for the judged address, for http too; Host keeps the name', async (t) => {
  const server = await listen(t, ({ socket }) => socket.write(http(200, 'ok')));
  const proxy = await startProxy(t);
  const transport = through(t, proxy.port, 'Basic dXNlcjpwYXNz');
  const url = `http://hooks.example.test:${server.port}/in?a=b`;
  for (let n = 0; n < 2; n++) assert.equal(answered(await transport.send(post(url))).status, 200);
  const authority = `127.0.0.1:${server.port}`;
  assert.deepEqual(proxy.asked, [{ authority, host: authority, authorization: 'Basic dXNlcjpwYXNz' }]);
  assert.match(server.requests[0]!.head, /^POST \/in\?a=b HTTP\/1\.1\r\nhost: hooks\.example\.test:\d+/);
  assert.ok(!/proxy/i.test(server.requests[0]!.head), 'the credentials are the proxy’s alone');
});

test('wire 6: TLS goes through the tunnel under the name: SNI, certificate, client certificate', async (t) => {
  const authority = issueCertificate({ name: 'authority', isAuthority: true });
  const own = issueCertificate({ name: 'server', issuer: authority, names: ['hooks.example.test'] });
  const client = issueCertificate({ name: 'client', issuer: authority });
  const seen: unknown[] = [];
  const sockets = new Set<TLSSocket>();
  const server = createTlsServer(
    { key: own.privateKey, cert: own.certificate, ca: authority.certificate, requestCert: true },
    (socket: TLSSocket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', () => {
        seen.push([socket.servername, socket.getPeerCertificate().subject.CN, socket.isSessionReused()]);
        socket.end(http(200, 'ok', ['connection: close']));
      });
    },
  );
  const port = await start(t, server, sockets);
  const proxy = await startProxy(t);
  const transport = through(t, proxy.port);
  const { certificate, privateKey } = client;
  const tls = nameTlsIdentity({ certificate, privateKey, ca: authority.certificate, expiresAt: null });
  const ask = (name: string) => {
    const url = `https://${name}:${port}/`;
    return transport.send(post(url, { target: parseTarget(url, tls) }));
  };
  for (let n = 0; n < 2; n++) assert.equal(answered(await ask('hooks.example.test')).status, 200);
  assert.deepEqual(seen, [
    ['hooks.example.test', 'client', false],
    ['hooks.example.test', 'client', true],
  ]);
  const wrong = failed(await ask('other.example.test'));
  assert.deepEqual([wrong.code, wrong.message], ['tls', 'has a certificate that is not for other.example.test']);
  assert.ok(!isOurFault(wrong));
});

test('wire 6: what the guard refuses the proxy is never asked for', async (t) => {
  const proxy = await startProxy(t);
  const transport = through(t, proxy.port);
  for (const url of ['http://inside.example.test/', 'http://10.0.0.1/', 'https://[::1]/']) {
    assert.equal(failed(await transport.send(post(url))).code, 'refused-address');
  }
  assert.deepEqual(proxy.asked, []);
});

const OURS: [what: string, refuse: Refusal, words: string][] = [
  [
    'wants other credentials',
    answer('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'),
    'does not take the credentials of delivery.proxy (407)',
  ],
  ['answers garbage', answer('SSH-2.0-OpenSSH_9.2\r\n'), 'answered something that is not HTTP/1.1'],
  ['answers half a status', answer('HTTP/1.1 OK\r\n\r\n'), 'answered something that is not HTTP/1.1'],
  [
    'has headers without an end',
    answer(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`),
    'answered with too large a head',
  ],
  ['closes the connection', (_, socket) => !!socket.end(), 'closed the connection without opening a tunnel'],
  ['resets the connection', (_, socket) => !!socket.resetAndDestroy(), 'closed the connection'],
];

for (const [what, refuse, words] of OURS) {
  test(`a proxy that ${what} is our fault, in words, and asked again only after a while`, async (t) => {
    const proxy = await startProxy(t, refuse);
    const outcome = failed(await through(t, proxy.port).send(post('http://hooks.example.test/')));
    assert.deepEqual(
      [outcome.code, outcome.message, outcome.quietMs, isOurFault(outcome)],
      ['proxy', `was not sent to: the proxy ${words}`, 5_000, true],
    );
  });
}

test('a proxy that is not there is our fault', async (t) => {
  const gone = createTcpServer();
  const port = await start(t, gone);
  await new Promise((resolve) => gone.close(resolve));
  const outcome = failed(await through(t, port).send(post('http://hooks.example.test/')));
  assert.deepEqual([outcome.code, outcome.message], ['proxy', 'was not sent to: the proxy refused the connection']);
});

for (const [what, refuse, words] of [
  ['refuses with 403', answer('HTTP/1.1 403 Forbidden\r\n\r\n'), 'answered 403'],
  ['answers 502', answer('HTTP/1.1 502 Bad Gateway\r\n\r\n'), 'answered 502'],
  ['hangs', () => true, 'did not open a tunnel within 200 ms'],
  ['drips', answer('HTTP/1.1 2'), 'did not open a tunnel within 200 ms'],
] as [string, Refusal, string][]) {
  test(`a proxy that ${what}: the target is blamed while it is the only one, then the proxy, until a tunnel opens`, async (t) => {
    const server = await listen(t, ({ socket }) => socket.end(http(200, 'ok', ['connection: close'])));
    const works = String(server.port);
    const proxy = await startProxy(t, (request, socket, count) =>
      request.url!.endsWith(works) ? false : refuse(request, socket, count),
    );
    const transport = through(t, proxy.port);
    const send = (port: number | string) =>
      transport.send(post(`http://hooks.example.test:${port}/`, { deadlineMs: 200 }));
    for (let n = 0; n < 2; n++) {
      const alone = failed(await send(81));
      assert.deepEqual(
        [alone.code, alone.message, isOurFault(alone)],
        ['unreachable', `cannot be reached through the proxy, which ${words}`, false],
      );
    }
    for (const port of [82, 81]) {
      const outage = failed(await send(port));
      assert.deepEqual(
        [outage.code, outage.message, isOurFault(outage)],
        ['proxy', `was not sent to: the proxy ${words}, and so it does for other targets`, true],
      );
    }
    assert.equal(answered(await send(works)).status, 200);
    assert.equal(failed(await send(81)).code, 'unreachable');
  });
}

test('of several addresses of a name each try takes another one, and only the name is blamed', async (t) => {
  const server = await listen(t, ({ socket }) => socket.end(http(200, 'ok', ['connection: close'])));
  const proxy = await startProxy(t, (request, socket) => {
    if (request.url!.startsWith('127.0.0.1:')) return false;
    return socket.write('HTTP/1.1 504 Gateway Timeout\r\n\r\n');
  });
  const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.1'].map((address) => ({ address, family: 4 }));
  const guard = createAddressGuard({
    allow: ['127.0.0.0/8', '::1/128'],
    resolve: async () => [...addresses, { address: '::1', family: 6 }],
  });
  const transport = makeTransport(t, {
    guard,
    proxy: { hostname: '127.0.0.1', port: proxy.port, authorization: null },
  });
  const seen = [];
  for (let n = 0; n < 3; n++) {
    const outcome = await transport.send(post(`http://hooks.example.test:${server.port}/`));
    seen.push(outcome.kind === 'failure' ? outcome.code : outcome.status);
  }
  assert.deepEqual(seen, ['unreachable', 'unreachable', 200]);
});

test('a tunnel is given up with its try: nothing stays open', async (t) => {
  const ended = Promise.withResolvers<void>();
  const proxy = await startProxy(t, (_, socket) => !!socket.resume().once('end', () => ended.resolve()));
  const transport = through(t, proxy.port);
  failed(await transport.send(post('http://hooks.example.test/', { deadlineMs: 100 })));
  await ended.promise;
  assert.deepEqual(transport.stats(), { origins: 0, inFlight: 0, waiting: 0, idle: 0 });
});
