// The test endpoint itself: it records to the byte and misbehaves as told.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { startReceiver, type Answer } from './receiver.ts';

async function post(url: string, body: string | Uint8Array = 'x'): Promise<string> {
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  const bytes = Buffer.from(body);
  socket.write(
    `POST /in?a=1 HTTP/1.1\r\nHost: x\r\nX-Twice: 1\r\nx-twice: 2\r\nConnection: close\r\nContent-Length: ${bytes.length}\r\n\r\n`,
  );
  socket.write(bytes);
  return text(socket);
}

test('the kit: a request is recorded to the byte', async (t) => {
  const receiver = await startReceiver({ status: 204, headers: { 'x-answer': 'yes' } });
  t.after(() => receiver.stop());
  const body = Uint8Array.of(0, 255, 13, 10, 0xc3);
  const [answer, [request]] = await Promise.all([post(receiver.url, body), receiver.received(1)]);
  assert.match(answer, /^HTTP\/1\.1 204 .*x-answer: yes/s);
  assert.deepEqual(request?.body, Buffer.from(body));
  assert.equal(request?.url, '/in?a=1');
  assert.deepEqual(request?.rawHeaders.slice(2, 6), ['X-Twice', '1', 'x-twice', '2']);
  assert.equal(receiver.requests.length, 1);
});

test('the kit: waiting for what does not come says how much came', async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.stop());
  await post(receiver.url);
  await assert.rejects(receiver.received(2, { withinMs: 20 }), /1 of 2 requests came within 20 ms/);
});

test('the kit: each mood of the endpoint', async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.stop());
  const as = (answer: Answer): Promise<string> => {
    receiver.behave(answer);
    return post(receiver.url);
  };
  assert.match(await as({ body: 'a\0b' }), /a\0b$/);
  assert.equal(await as({ raw: 'nonsense' }), 'nonsense');
  assert.match(await as({ mood: 'drip', everyMs: 1, body: 'drop' }), /drop$/);
  assert.match(await as({ status: 302, headers: { location: 'http://127.0.0.1:1/' } }), /302.*location: /s);
  await assert.rejects(as({ mood: 'refuse' }), { code: 'ECONNRESET' });
  await assert.rejects(as({ mood: 'reset', body: 'half' }), { code: 'ECONNRESET' });

  receiver.behave({ mood: 'endless' });
  const endless = connect(receiver.port, '127.0.0.1');
  endless.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
  let read = 0;
  for await (const chunk of endless) if ((read += (chunk as Buffer).length) > 1_000_000) break;
  assert.ok(read > 1_000_000);

  receiver.behave((_, nth) => (nth === receiver.requests.length - 1 ? { mood: 'hang' } : {}));
  const hanging = post(receiver.url);
  await receiver.received(receiver.requests.length + 1);
  assert.ok(receiver.openSockets() >= 1);
  await receiver.stop();
  await hanging.catch(() => {});
  assert.equal(receiver.openSockets(), 0);
});
