// The transport's contract: whatever the other side does, one Outcome, bounded in time and bytes.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { createResolve } from '../src/engine/transport/address-resolve.ts';
import { parseTarget } from '../src/engine/transport/index.ts';
import { describeOutcome } from '../src/model/outcome.ts';
import { answered, failed, http, listen, makeTransport, post, start } from './transport-servers.ts';

test('R125 a POST carries path, query, headers and body bytes as given, and the answer comes back whole', async (t) => {
  const server = await listen(t, ({ socket }) =>
    socket.write(http(202, 'thanks', ['X-Trace: 7', 'Set-Cookie: a', 'Set-Cookie: b'])),
  );
  const body = Buffer.from([0x7b, 0x00, 0xff, 0x7d]);
  const headers = ['webhook-id', 'msg_1', 'Authorization', 'Bearer \u00e9'];
  const outcome = answered(await makeTransport(t).send(post(`${server.url}?a=%20b#gone`, { headers, body })));

  const [request] = server.requests;
  assert.match(request!.head, /^POST \/hook\?a=%20b HTTP\/1\.1\r\n/);
  assert.match(request!.head, new RegExp(`\r\nhost: 127\\.0\\.0\\.1:${server.port}\r\n`));
  assert.match(
    request!.head,
    /\r\nwebhook-id: msg_1\r\nAuthorization: Bearer \u00e9\r\nuser-agent: Bellwire\/test\r\ncontent-length: 4$/,
  );
  assert.deepEqual(request!.body, body);

  assert.equal(outcome.status, 202);
  assert.equal(Buffer.from(outcome.body).toString(), 'thanks');
  assert.deepEqual([outcome.bodyBytes, outcome.truncated, outcome.retryAfter], [6, false, null]);
  assert.deepEqual(outcome.headers, [
    ['content-length', '6'],
    ['x-trace', '7'],
    ['set-cookie', 'a'],
    ['set-cookie', 'b'],
  ]);
  assert.ok(outcome.durationMs > 0 && outcome.connectMs > 0 && outcome.connectMs <= outcome.durationMs);
});

test('wire 4: an OPTIONS request goes out without a body, and a User-Agent of its own is kept', async (t) => {
  const server = await listen(t, ({ socket }) => socket.write(http(200, '', ['WebHook-Allowed-Origin: *'])));
  const headers = ['User-Agent', 'Cloud Automator (Serverworks Co., Ltd.)'];
  const outcome = await makeTransport(t).send(post(server.url, { method: 'OPTIONS', headers, body: null }));
  assert.deepEqual(answered(outcome).headers.at(-1), ['webhook-allowed-origin', '*']);
  assert.match(server.requests[0]!.head, /^OPTIONS \/hook HTTP/);
  assert.equal(server.requests[0]!.head.match(/user-agent/gi)!.length, 1);
});

test('wire 3: redirects are never followed', async (t) => {
  const server = await listen(t, ({ socket }) => socket.write(http(302, '', ['Location: /elsewhere'])));
  const outcome = await makeTransport(t).send(post(server.url));
  assert.equal(answered(outcome).status, 302);
  assert.equal(describeOutcome(outcome), 'answered 302, and redirects are not followed');
  assert.equal(server.requests.length, 1);
});

test('a compressed answer is kept as it came', async (t) => {
  const body = gzipSync('x'.repeat(1_000_000));
  const server = await listen(t, ({ socket }) => socket.write(http(200, body, ['Content-Encoding: gzip'])));
  assert.deepEqual(Buffer.from(answered(await makeTransport(t).send(post(server.url))).body), body);
});

test('wire 3: of an answer 16 KiB are kept and 64 KiB read', async (t) => {
  const sizes = [16_384, 16_385, 65_536, 65_537];
  const server = await listen(t, ({ socket, request }) => socket.write(http(200, 'x'.repeat(sizes[request - 1]!))));
  const transport = makeTransport(t);
  const seen = [];
  for (const _ of sizes) {
    const { body, bodyBytes, truncated } = answered(await transport.send(post(server.url)));
    seen.push([body.length, bodyBytes > 65_536, truncated]);
  }
  assert.deepEqual(seen, [
    [16_384, false, false],
    [16_384, false, true],
    [16_384, false, true],
    [16_384, true, true],
  ]);
});

test('an endless answer is cut off: the status counts, the connection does not survive', async (t) => {
  const closed = Promise.withResolvers<void>();
  const server = await listen(t, ({ socket }) => {
    socket.on('close', () => closed.resolve());
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n');
    const chunk = Buffer.alloc(8_192, 'x');
    const pour = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on('drain', pour);
    pour();
  });
  const transport = makeTransport(t);
  const outcome = answered(await transport.send(post(server.url)));
  assert.deepEqual([outcome.status, outcome.body.length, outcome.truncated], [200, 16_384, true]);
  assert.ok(outcome.bodyBytes > 65_536 && outcome.bodyBytes < 1_000_000);
  await closed.promise;
  assert.equal(transport.stats().idle, 0);
});

test('NUL bytes are bytes; control characters in header values are replaced; headers are bounded', async (t) => {
  const many = Array.from({ length: 100 }, (_, n) => `x-${n}: ${n}`);
  const server = await listen(t, ({ socket, request }) => {
    if (request === 1) socket.write(http(200, Buffer.from('a\0b'), ['x-odd: a\u0085b']));
    else socket.write(http(200, '', request === 2 ? many : [`x-long: ${'y'.repeat(10_000)}`, 'x-after: 1']));
  });
  const transport = makeTransport(t);
  const first = answered(await transport.send(post(server.url)));
  assert.deepEqual([...first.body], [97, 0, 98]);
  assert.deepEqual(first.headers.at(-1), ['x-odd', 'a\ufffdb']);
  assert.equal(answered(await transport.send(post(server.url))).headers.length, 64);
  assert.deepEqual(answered(await transport.send(post(server.url))).headers, [['content-length', '0']]);
});

test('interim answers are ignored', async (t) => {
  const server = await listen(t, ({ socket }) => {
    socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n');
    socket.write(http(200, 'final'));
  });
  const outcome = answered(await makeTransport(t).send(post(server.url)));
  assert.deepEqual([outcome.status, Buffer.from(outcome.body).toString()], [200, 'final']);
  assert.deepEqual(outcome.headers, [['content-length', '5']]);
});

test('wire 3: the deadline covers waiting for the head, and a body that drips', async (t) => {
  const server = await listen(t, ({ socket, request }) => {
    if (request === 1) return;
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n');
    const drip = setInterval(() => socket.write('.'), 10);
    socket.on('close', () => clearInterval(drip));
  });
  const transport = makeTransport(t);
  const silent = failed(await transport.send(post(server.url, { deadlineMs: 120 })));
  assert.deepEqual([silent.code, silent.message, silent.status], ['timeout', 'did not answer within 120 ms', null]);
  assert.ok(silent.durationMs >= 120 && silent.durationMs < 1_000, `${silent.durationMs}`);
  const dripping = failed(await transport.send(post(server.url, { deadlineMs: 120 })));
  assert.equal(dripping.message, 'answered 200, but did not finish within 120 ms');
  assert.deepEqual([dripping.code, dripping.status], ['timeout', 200]);
  assert.equal(transport.stats().inFlight, 0);
});

test('wire 3: the deadline covers connecting, the TLS handshake included', async (t) => {
  const dumb = createServer((socket) => socket.on('error', () => {}));
  const port = await start(t, dumb);
  const outcome = failed(await makeTransport(t).send(post(`https://127.0.0.1:${port}/`, { deadlineMs: 120 })));
  assert.deepEqual([outcome.code, outcome.message], ['timeout', 'did not accept a connection within 120 ms']);
  assert.ok(outcome.connectMs >= 120 && outcome.connectMs <= outcome.durationMs);
});

test('wire 3: the deadline covers resolving the name', async (t) => {
  const guard = createAddressGuard({ resolve: () => new Promise(() => {}) });
  const outcome = failed(
    await makeTransport(t, { guard }).send(post('https://hooks.example.test/', { deadlineMs: 60 })),
  );
  assert.deepEqual([outcome.code, outcome.message], ['timeout', 'did not accept a connection within 60 ms']);
});

test('of several addresses of a name the first that works is used', async (t) => {
  const server = await listen(t, ({ socket }) => socket.write(http(200)));
  const gone = { address: '127.0.0.2', family: 4 };
  const addresses = [gone, { address: '127.0.0.1', family: 4 }];
  const guard = createAddressGuard({ allow: ['127.0.0.0/8'], resolve: async () => addresses });
  const transport = makeTransport(t, { guard });
  const url = `http://hooks.example.test:${server.port}/`;
  assert.equal(answered(await transport.send(post(url))).status, 200);
  addresses[1] = gone;
  await transport.close();
  assert.equal(failed(await makeTransport(t, { guard }).send(post(url))).code, 'connection-refused');
});

test('an answer without a length ends with the connection', async (t) => {
  const server = await listen(t, ({ socket }) => socket.end('HTTP/1.0 200 OK\r\n\r\nall of it'));
  const outcome = answered(await makeTransport(t).send(post(server.url)));
  assert.deepEqual([outcome.status, Buffer.from(outcome.body).toString()], [200, 'all of it']);
});

test('R26 a connection that is refused, reset, closed or cut half-way is a failure that says so', async (t) => {
  const server = await listen(t, ({ socket, request }) => {
    if (request === 1) socket.resetAndDestroy();
    if (request === 2) socket.end();
    if (request === 3) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf');
    if (request === 4) socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n');
  });
  const transport = makeTransport(t);
  const send = async (): Promise<string[]> => {
    const { code, message } = failed(await transport.send(post(server.url)));
    return [code, message];
  };
  assert.deepEqual(await send(), ['connection-reset', 'closed the connection without answering']);
  assert.deepEqual(await send(), ['connection-reset', 'closed the connection without answering']);
  const half = ['connection-reset', 'answered 200, but closed the connection before the end of it'];
  assert.deepEqual(await send(), half);
  assert.deepEqual(await send(), half);

  const gone = createServer();
  const port = await start(t, gone);
  await new Promise((resolve) => gone.close(resolve));
  const refused = failed(await transport.send(post(`http://127.0.0.1:${port}/`)));
  assert.deepEqual([refused.code, refused.message], ['connection-refused', 'refused the connection']);
});

test('R26 a name that does not resolve is a failure that says so', async (t) => {
  const resolve = createResolve({ servers: ['127.0.0.1:1'], system: false });
  const transport = makeTransport(t, { guard: createAddressGuard({ resolve }) });
  const outcome = failed(await transport.send(post('https://hooks.example.test/')));
  assert.equal(outcome.code, 'dns');
  assert.match(outcome.message, /^the name hooks\.example\.test could not be resolved/);
});

test('an answer that is not HTTP, or whose head is too large, is a failure of its own kind', async (t) => {
  const answers = [
    'SSH-2.0-OpenSSH_9.2\r\n',
    `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
    'HTTP/1.1 200 OK\r\na\0b: c\r\n\r\n',
  ];
  const server = await listen(t, ({ socket, request }) => socket.write(answers[request - 1]!, 'latin1'));
  const transport = makeTransport(t);
  const seen = [];
  for (const _ of answers) {
    const { code, message } = failed(await transport.send(post(server.url)));
    seen.push([code, message]);
  }
  assert.deepEqual(seen, [
    ['protocol', 'answered something that is not HTTP/1.1 (Expected HTTP/, RTSP/ or ICE/)'],
    ['protocol', 'answered with too large a head'],
    ['protocol', 'answered something that is not HTTP/1.1 (Invalid header token)'],
  ]);
});

test('a response whose headers have no end is cut off: by its size when it is fast, by the deadline when it drips', async (t) => {
  const timers = new Set<NodeJS.Timeout>();
  t.after(() => timers.forEach((timer) => clearInterval(timer)));
  const server = await listen(t, ({ socket, request }) => {
    const [begin, line] = [
      ['HTTP/1.1 200 OK\r\n', `x: ${'y'.repeat(1_000)}\r\n`],
      ['HTTP/1.1 200 OK\r\n', 'x: y\r\n'],
      ['HTTP/1.1 200 OK\r\nx: ', 'y'],
      ['', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
    ][request - 1] as [string, string];
    socket.write(begin);
    timers.add(setInterval(() => socket.write(line), request === 1 ? 0 : 5));
  });
  const transport = makeTransport(t);
  const seen = [];
  for (let n = 0; n < 4; n++) {
    const { code, message } = failed(await transport.send(post(server.url, { deadlineMs: n === 0 ? 5_000 : 100 })));
    seen.push([code, message]);
  }
  const late = ['timeout', 'did not answer within 100 ms'];
  assert.deepEqual(seen, [['protocol', 'answered with too large a head'], late, late, late]);
  assert.deepEqual(transport.stats(), { origins: 0, inFlight: 0, waiting: 0, idle: 0 });
});

test('R13 what HTTP cannot carry is never sent and never throws', async (t) => {
  const server = await listen(t, ({ socket }) => socket.write(http(200)));
  const transport = makeTransport(t);
  for (const value of ['a\r\nX-Injected: 1', 'a\nb', 'a\0b', '\u20ac']) {
    const outcome = failed(await transport.send(post(server.url, { headers: ['authorization', value] })));
    assert.equal(outcome.code, 'invalid-request');
  }
  const target = { ...parseTarget(server.url), path: '/a b\r\nX: 1' };
  assert.equal(failed(await transport.send(post(server.url, { target }))).code, 'invalid-request');
  assert.equal(failed(await transport.send(post(server.url, { headers: undefined as never }))).code, 'other');
  assert.equal(
    failed(
      await transport.send(
        post('http://x/', { target: { origin: 'x:', hostname: 'x', path: '/', tls: null, pool: 'x:' } }),
      ),
    ).kind,
    'failure',
  );
  assert.equal(server.requests.length, 0);
  assert.equal(answered(await transport.send(post(server.url))).status, 200);
  assert.deepEqual(transport.stats(), { origins: 1, inFlight: 0, waiting: 0, idle: 1 });
});

test('one endpoint that answers nonsense does not disturb another request in flight', async (t) => {
  const bad = await listen(t, ({ socket }) => socket.write('\0\0\0\0'));
  const good = await listen(t, ({ socket, request }) => request === 1 && socket.write(http(204)));
  const transport = makeTransport(t);
  const [a, b] = await Promise.all([transport.send(post(bad.url)), transport.send(post(good.url))]);
  assert.deepEqual([failed(a).code, answered(b).status], ['protocol', 204]);
});
