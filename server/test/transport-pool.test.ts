// Connections: reused, bounded, evicted, sent on again when stale, and gone after close.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { answered, failed, http, listen, makeTransport, post, type RawRequest } from './transport-servers.ts';

test('a connection is kept and reused, and dropped with its origin when idle too long', async (t) => {
  const server = await listen(t, ({ socket }) => socket.write(http(200, 'ok')));
  const transport = makeTransport(t, { keepAliveMs: 50 });
  assert.ok(answered(await transport.send(post(server.url))).connectMs > 0);
  assert.equal(answered(await transport.send(post(server.url))).connectMs, 0);
  assert.deepEqual(
    server.requests.map((request) => request.connection),
    [1, 1],
  );
  assert.deepEqual(transport.stats(), { origins: 1, inFlight: 0, waiting: 0, idle: 1 });
  await new Promise((resolve) => server.requests[0]!.socket.once('close', resolve));
  while (transport.stats().origins > 0) await new Promise(setImmediate);
  assert.deepEqual(transport.stats(), { origins: 0, inFlight: 0, waiting: 0, idle: 0 });
});

test('a server that closes after each answer is connected to anew', async (t) => {
  const server = await listen(t, ({ socket }) => socket.end(http(200, 'ok', ['connection: close'])));
  const transport = makeTransport(t);
  for (let n = 0; n < 3; n += 1) assert.equal(answered(await transport.send(post(server.url))).status, 200);
  assert.deepEqual(
    server.requests.map((request) => request.connection),
    [1, 2, 3],
  );
});

test('a request on a kept-alive connection that turns out closed is sent once more, on a new one', async (t) => {
  const server = await listen(t, ({ socket, request }) => {
    if (request === 2 || request === 5) socket.destroy();
    else socket.write(http(200, 'ok'));
  });
  const transport = makeTransport(t);
  await transport.send(post(server.url));
  const headers = ['webhook-id', 'msg_1'];
  const resent = answered(await transport.send(post(server.url, { headers })));
  assert.ok(resent.status === 200 && resent.connectMs > 0);
  assert.deepEqual(
    server.requests.map((request) => request.connection),
    [1, 1, 2],
  );
  assert.deepEqual(server.requests[1]!.head, server.requests[2]!.head);

  await transport.send(post(server.url));
  const once = failed(await transport.send(post(server.url, { resend: false })));
  assert.deepEqual([once.code, once.message], ['connection-reset', 'closed the connection without answering']);
  assert.equal(server.requests.length, 5);
  assert.deepEqual(transport.stats(), { origins: 0, inFlight: 0, waiting: 0, idle: 0 });
});

test('a request is not sent again on a fresh connection, nor once an answer has begun', async (t) => {
  const server = await listen(t, ({ socket, request }) => {
    if (request === 1) socket.destroy();
    if (request === 2) socket.write(http(200, 'ok'));
    if (request === 3) socket.end('HTTP/1.1 2');
  });
  const transport = makeTransport(t);
  assert.equal(failed(await transport.send(post(server.url))).code, 'connection-reset');
  assert.equal(answered(await transport.send(post(server.url))).status, 200);
  assert.equal(failed(await transport.send(post(server.url))).kind, 'failure');
  assert.equal(server.requests.length, 3);
});

test('connections to one origin are bounded, those that wait go in order', async (t) => {
  const open: RawRequest[] = [];
  const arrived = new EventTarget();
  const server = await listen(t, (request) => {
    open.push(request);
    arrived.dispatchEvent(new Event('request'));
  });
  const until = async (count: number): Promise<void> => {
    while (open.length < count)
      await new Promise((resolve) => arrived.addEventListener('request', resolve, { once: true }));
  };
  const transport = makeTransport(t, { maxSocketsPerOrigin: 2 });
  const sends = [1, 2, 3, 4, 5].map((n) => transport.send(post(server.url, { headers: ['n', String(n)] })));
  await until(2);
  assert.deepEqual(transport.stats(), { origins: 1, inFlight: 2, waiting: 3, idle: 0 });
  for (let n = 0; n < 5; n += 1) {
    await until(n + 1);
    open[n]!.socket.write(http(200));
  }
  await Promise.all(sends);
  assert.equal(server.connections.size, 2);
  assert.deepEqual(
    open.slice(2).map(({ head }) => /\r\nn: (\d)/.exec(head)?.[1]),
    ['3', '4', '5'],
  );
});

test('connections in all are bounded: idle ones give way, waiting origins take turns, and waiting has an end', async (t) => {
  const held: RawRequest[] = [];
  const quick = await listen(t, ({ socket }) => socket.write(http(200)));
  const [a, b] = [await listen(t, (request) => held.push(request)), await listen(t, (request) => held.push(request))];
  const transport = makeTransport(t, { maxSockets: 1, waitMs: 100 });
  await transport.send(post(quick.url));
  assert.equal(transport.stats().idle, 1);

  const order: string[] = [];
  const send = (name: string, url: string): Promise<void> =>
    transport
      .send(post(url))
      .then((outcome) => void order.push(`${name} ${outcome.kind === 'failure' ? outcome.code : outcome.status}`));
  const sends = [send('a1', a.url), send('a2', a.url), send('a3', a.url), send('b1', b.url)];
  assert.deepEqual(transport.stats(), { origins: 2, inFlight: 1, waiting: 3, idle: 0 });
  const answer = async (status: number): Promise<void> => {
    while (held.length === 0) await new Promise(setImmediate);
    held.shift()!.socket.write(http(status));
  };
  await answer(201);
  await answer(202);
  await sends[2];
  await answer(203);
  await Promise.all(sends);
  assert.deepEqual(order, ['a1 201', 'a2 202', 'a3 busy', 'b1 203']);
});

test('thousands of waiting requests that cannot be sent fail one by one, not through the stack', async (t) => {
  const held: RawRequest[] = [];
  const server = await listen(t, (request) => held.push(request));
  const transport = makeTransport(t, { maxSocketsPerOrigin: 1, maxSockets: undefined });
  const first = transport.send(post(server.url));
  const bad = Array.from({ length: 5_000 }, () => transport.send(post(server.url, { headers: ['a', '\n'] })));
  const last = transport.send(post(server.url));
  for (const status of [200, 201]) {
    while (held.length === 0) await new Promise(setImmediate);
    held.shift()!.socket.write(http(status));
  }
  assert.deepEqual([answered(await first).status, answered(await last).status], [200, 201]);
  assert.ok((await Promise.all(bad)).every((outcome) => failed(outcome).code === 'invalid-request'));
});

test('close lets what is in flight end, refuses what comes later, and is harmless twice', async (t) => {
  const held: RawRequest[] = [];
  const server = await listen(t, (request) => held.push(request));
  const transport = makeTransport(t, { maxSocketsPerOrigin: 1 });
  const [inFlight, waiting] = [transport.send(post(server.url)), transport.send(post(server.url))];
  while (held.length === 0) await new Promise(setImmediate);
  const closing = Promise.all([transport.close(), transport.close()]);
  assert.equal(failed(await waiting).code, 'closed');
  assert.equal(failed(await transport.send(post(server.url))).code, 'closed');
  held[0]!.socket.write(http(200));
  assert.equal(answered(await inFlight).status, 200);
  await closing;
  await transport.close();
  assert.deepEqual(transport.stats(), { origins: 0, inFlight: 0, waiting: 0, idle: 0 });
});

test('close with force cuts what is in flight', async (t) => {
  const server = await listen(t, () => {});
  const transport = makeTransport(t);
  const inFlight = transport.send(post(server.url));
  await transport.close({ force: true });
  assert.equal(failed(await inFlight).code, 'closed');
});

test('a thousand sends to many origins leave nothing behind', async (t) => {
  const server = await listen(t, ({ socket, request }) => {
    if (request % 7 === 0) socket.destroy();
    else socket.write(http(200, 'ok', request % 5 === 0 ? ['connection: close'] : []));
  });
  const guard = createAddressGuard({
    allow: ['127.0.0.0/8'],
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
  });
  const transport = makeTransport(t, { guard, maxSockets: 50, maxSocketsPerOrigin: 3 });
  const sends = Array.from({ length: 1_000 }, (_, n) =>
    transport.send(post(`http://h${n % 30}.example.test:${server.port}/`, { deadlineMs: 20_000 })),
  );
  const outcomes = await Promise.all(sends);
  const odd = outcomes.filter((outcome) => outcome.kind === 'failure' && outcome.code !== 'connection-reset');
  assert.deepEqual(odd, []);
  await transport.close();
  assert.deepEqual(transport.stats(), { origins: 0, inFlight: 0, waiting: 0, idle: 0 });
});
