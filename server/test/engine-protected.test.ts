// The engine towards protected endpoints: what a broken token endpoint and a broken proxy cost, and whom.
import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { startReceiver } from '../../test/kit/receiver.ts';
import { startEngine } from './engine-ground.ts';
import { clientOf, startTokenEndpoint } from './oauth-ground.ts';
import { newWebhook } from './store-furniture.ts';
import { start } from './transport-servers.ts';

test('a token endpoint that is broken costs one window of tries, not every delivery; then all of them arrive', async (t) => {
  let isBroken = true;
  const tokens = await startTokenEndpoint(t, () =>
    isBroken
      ? { status: 503, body: 'down' }
      : { body: { access_token: 'good', token_type: 'Bearer', expires_in: 3600 } },
  );
  const receiver = await startReceiver();
  t.after(() => receiver.stop());
  const engine = await startEngine(t);
  const { secrets } = newWebhook(1, 'x');
  const hook = await engine.webhook(receiver.url, {
    oauth: clientOf(tokens.url),
    secrets: { ...secrets, clientSecret: 'c' },
  });
  await engine.publish(100);
  await engine.until('the first have failed', () => engine.ends.length >= 8);
  assert.deepEqual([engine.ends.length, tokens.asked.length], [8, 1]);
  assert.match(engine.ends[0]!.attempt.error!, /there is no access token, for 127\.0\.0\.1 answered 503$/);
  assert.ok(engine.ends.every(({ attempt }) => attempt.requestHeaders.includes('"authorization":"Bearer •••"')));
  isBroken = false;
  await engine.until('all have arrived', () => receiver.requests.length === 100);
  assert.ok(receiver.requests.every(({ headers }) => headers['authorization'] === 'Bearer good'));
  await engine.until('all are settled', () => engine.ends.filter(({ state }) => state === 'delivered').length === 100);
  assert.equal((await engine.store.settings.webhook(engine.workspace, hook.webhook))!.intent, 'enabled');
  assert.equal(tokens.asked.length, 2);
});

test('a proxy that is down uses up no try and turns no webhook critical; when it is back, everything arrives', async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.stop());
  const away = createServer();
  const port = await start(t, away);
  await new Promise((resolve) => away.close(resolve));
  const engine = await startEngine(t, { proxy: { hostname: '127.0.0.1', port, authorization: null } });
  const hooks = [];
  for (let n = 0; n < 3; n++) hooks.push(await engine.webhook(receiver.url, { retryDelaysMs: [] }));
  await engine.publish(2);
  await engine.until('each has failed twice', () => engine.ends.length >= 12);
  for (const { attempt, state } of engine.ends) {
    assert.deepEqual([attempt.error, state], ['was not sent to: the proxy refused the connection', 'open']);
  }
  const health = async () => {
    const all = await engine.store.settings.webhooks(engine.workspace);
    return all.map((webhook) => webhook.health);
  };
  assert.deepEqual(await health(), ['active', 'active', 'active']);

  // A tunnel to wherever it is asked for.
  const sockets = new Set<Socket>();
  const proxy = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', (asked) => {
      const target = connect(Number(/:(\d+) HTTP/.exec(asked.toString())![1]), '127.0.0.1');
      sockets.add(target);
      target.on('error', () => {});
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(target).pipe(socket);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(port, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  await engine.until('all have arrived', () => receiver.requests.length === 6);
  assert.deepEqual(await health(), ['active', 'active', 'active']);
});
