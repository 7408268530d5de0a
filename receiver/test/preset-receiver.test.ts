// The receiver of one kind of sender, as a program uses it: the README's example, and every answer it gives.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createPresetReceiver } from '@bellwire/receiver';
import type { PresetDelivery, PresetReceiverOptions, Receiver } from '@bellwire/receiver';
import { toNodeListener } from '@bellwire/receiver/node';

const secret = 's3cr3tKey';
const url = 'https://ops.example/hook';
const signed = (body: string) => `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
const post = (body: string, signature = signed(body)) =>
  new Request(url, { method: 'POST', headers: { 'x-hub-signature-256': signature, 'x-github-event': 'push' }, body });

function recorder(changes: Partial<PresetReceiverOptions> = {}) {
  const handled: PresetDelivery[] = [];
  const refusals: string[] = [];
  const failures: unknown[] = [];
  const receive = createPresetReceiver({
    preset: 'github',
    secret,
    handle: (delivery: PresetDelivery) => void handled.push(delivery),
    onRefusal: ({ reason }: { reason: string }) => refusals.push(reason),
    onFailure: (error: unknown) => failures.push(error),
    ...changes,
  } as PresetReceiverOptions);
  const answer = async (of: Request) => {
    const response = await receive(of);
    return `${response.status} ${await response.text()}`.trim();
  };
  return { answer, handled, refusals, failures, receive };
}

test('the example of the README runs as it stands', async () => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  const examples = [...readme.matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code!);
  const code = examples.find((one) => one.includes('createPresetReceiver'));
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-preset-'));
  const told: unknown[] = [];
  try {
    mkdirSync(join(folder, 'node_modules', '@bellwire'), { recursive: true });
    symlinkSync(join(import.meta.dirname, '..'), join(folder, 'node_modules', '@bellwire', 'receiver'));
    writeFileSync(join(folder, 'example.ts'), code!);
    process.env['GITHUB_SECRET'] = 'the new one';
    process.env['GITHUB_SECRET_OLD'] = secret;
    Object.assign(globalThis, { notify: (...all: unknown[]) => told.push(all) });
    const example = (await import(pathToFileURL(join(folder, 'example.ts')).href)) as { receive: Receiver };
    assert.equal((await example.receive(post('{"ref":"main"}'))).status, 200);
    assert.deepEqual(told, [['push', { ref: 'main' }]]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('200 with what was verified; 401 without the reason, which is told apart', async () => {
  const { answer, handled, refusals } = recorder();
  assert.equal(await answer(post('{"a":1}')), '200');
  assert.deepEqual(handled[0]!.json(), { a: 1 });
  assert.deepEqual([handled[0]!.secret, handled[0]!.query.size], [0, 0]);
  assert.equal(await answer(post('{"a":1}', signed('{}'))), '401 not verified');
  assert.equal(await answer(new Request(url, { method: 'POST', body: '{}' })), '401 not verified');
  assert.deepEqual(refusals, ['no-match', 'unsigned']);
  assert.equal(handled.length, 1);
});

test('405, 413, 400, 500', async () => {
  const { answer, failures } = recorder({ maxBytes: 20, handle: ({ json }) => json() });
  assert.equal(await answer(new Request(url)), '405 send a POST');
  assert.match(await answer(post('{"a":"a long text of words"}')), /^413 /);
  assert.equal(await answer(post('{"a":')), '400 the body is not valid JSON');
  assert.equal(failures.length, 0);
  const failing = recorder({ handle: () => Promise.reject(new Error('the disk is full')) });
  assert.equal(await failing.answer(post('{}')), '500');
  assert.equal(failing.failures.length, 1);
});

test('observe: handled, with the doubt told', async () => {
  const { answer, handled, refusals } = recorder({ observe: true });
  assert.equal(await answer(post('{}', 'sha256=00')), '200');
  assert.deepEqual([handled[0]!.doubt?.reason, refusals], ['no-match', ['no-match']]);
});

test('challenges are answered, a question that may not be is not', async () => {
  const { answer, receive, refusals, handled } = recorder({ challenges: ['meta'], verifyToken: 'mine' });
  const response = await receive(new Request(`${url}?hub.mode=subscribe&hub.challenge=42&hub.verify_token=mine`));
  assert.deepEqual([response.status, await response.text()], [200, '42']);
  assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(await answer(new Request(`${url}?hub.challenge=42&hub.verify_token=no`)), '405 send a POST');
  assert.deepEqual([refusals, handled.length], [['bad-challenge'], 0]);
});

test('over HTTP a signature that stands twice in the request is refused, the right one first or last', async () => {
  const { receive, refusals } = recorder();
  const server = createServer(toNodeListener(receive)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const send = async (signatures: string[]): Promise<number> => {
    const outgoing = request({ port, host: '127.0.0.1', method: 'POST' });
    outgoing.setHeader('X-Hub-Signature-256', signatures);
    outgoing.end('{}');
    const [incoming] = (await once(outgoing, 'response')) as [{ statusCode: number; resume(): void }];
    incoming.resume();
    return incoming.statusCode;
  };
  const wrong = `sha256=${'0'.repeat(64)}`;
  try {
    assert.equal(await send([signed('{}')]), 200);
    for (const both of [
      [signed('{}'), wrong],
      [wrong, signed('{}')],
      [signed('{}'), signed('{}')],
    ]) {
      assert.equal(await send(both), 401);
    }
    assert.deepEqual(
      refusals,
      Array.from({ length: 3 }, () => 'repeated-header'),
    );
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
