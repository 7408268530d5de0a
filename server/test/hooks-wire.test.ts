// What a hook is to those who call it: HTTP and nothing else, whatever comes is taken as it is, and handshakes are answered.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { text } from 'node:stream/consumers';
import { does, route } from './flow-ground.ts';
import { post, startHooks } from './hook-ground.ts';

const SAMPLES = new URL('../../examples/flows/samples/', import.meta.url);

/** Sends these bytes and nothing else; resolves all that comes back before the connection ends. */
async function raw(url: string, request: string | Uint8Array): Promise<string> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(request);
  return text(socket);
}

test('R54 the wire is enough: bytes on a socket, without any library, are a request, and its answer is HTTP', async (t) => {
  const hooks = await startHooks(t);
  const placed = await hooks.scenario('wire', [does('reply', { status: 202, body: 'got ${ body.id }' })]);
  const { pathname } = new URL(placed.url);
  const head = `POST ${pathname} HTTP/1.1\r\nHost: any\r\nConnection: close\r\nContent-Type: application/json\r\n`;
  const body = '{"id":"é1"}';
  const whole = await raw(placed.url, `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  assert.match(whole, /^HTTP\/1\.1 202 /);
  assert.ok(whole.endsWith('\r\n\r\ngot é1') || /\r\n\r\n[0-9a-f]+\r\ngot é1\r\n0\r\n/.test(whole), whole);
  const parts = `${head}Transfer-Encoding: chunked\r\n\r\n8\r\n{"id":"2\r\n2\r\n"}\r\n0\r\n\r\n`;
  assert.match(await raw(placed.url, parts), /got 2/);
  const former = `POST ${pathname} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"id":3}`;
  assert.match(await raw(placed.url, former), /^HTTP\/1\.1 202 [^]*got 3/);
});

test('R91 R57 the seed’s challenge and its event are taken as they are, byte for byte, and their parsed bodies go to the steps', async (t) => {
  const hooks = await startHooks(t);
  const placed = await hooks.scenario('seed', [
    does('reply', { body: '${ body.type }|${ request.size }|${ body.data.challengeRequest }' }),
  ]);
  for (const name of ['challenge', 'event']) {
    const bytes = readFileSync(new URL(`${name}.json`, SAMPLES));
    const sent = JSON.parse(bytes.toString()) as { type: string; data: { challengeRequest?: string } };
    const back = await post(placed.url, bytes);
    assert.equal(back.text, `${sent.type}|${bytes.length}|${sent.data.challengeRequest ?? ''}`);
    const [head] = await hooks.requests(placed);
    const { workspace } = hooks;
    const kept = await hooks.platform.store.hooks.request({ workspace, request: head!.request });
    assert.deepEqual(Buffer.from(kept!.content.body), bytes);
  }
});

test('R74 events of types nobody knows, with fields and attributes nobody has named, are taken and can be read', async (t) => {
  const hooks = await startHooks(t);
  const shape = { type: 'collection', fields: { id: { type: 'text' } } } as const;
  const hook = { onMisfit: 'refuse', shapes: [{ name: 'event', shape }] } as const;
  const placed = await hooks.scenario('open', [does('reply', { body: '${ body.more.deep } ${ body.acmetrace }' })], {
    hook,
  });
  const event = { specversion: '1.0', id: 'e1', source: '/s', type: 'never.heard.of', acmetrace: 't1' };
  const back = await post(placed.url, { ...event, more: { deep: [1] } });
  assert.deepEqual([back.status, back.text], [200, '[1] t1']);
  assert.deepEqual(
    (await hooks.log((await hooks.ended(placed)).run)).filter((line) => /shape/.test(line)),
    [],
  );
});

test('R97 a route has two branches or more, the first that fits is taken; with one alone it is a filter', async (t) => {
  const hooks = await startHooks(t);
  const branch = (name: string, filter: string | null) => ({
    name,
    if: filter,
    steps: [does('reply', { body: name })],
  });
  const three = await hooks.scenario('three', [
    route([branch('rest', null), branch('large', 'body.n > 10'), branch('small', 'body.n > 1')]),
  ]);
  const taken = async (n: number): Promise<string> => (await post(three.url, { n })).text;
  assert.deepEqual([await taken(11), await taken(5), await taken(0)], ['large', 'small', 'rest']);
  const one = await hooks.scenario('one', [route([branch('only', 'body.n > 1')])]);
  assert.deepEqual([(await post(one.url, { n: 2 })).text, (await post(one.url, { n: 1 })).text], ['only', 'Accepted']);
});

test('R20 wire 4 the handshake of CloudEvents is answered by the hook: consent is a header, and nobody else gets it', async (t) => {
  const hooks = await startHooks(t);
  const ask = async (url: string, headers: Record<string, string>) => {
    const response = await fetch(url, { method: 'OPTIONS', headers });
    await response.arrayBuffer();
    const consent = ['webhook-allowed-origin', 'webhook-allowed-rate'].map((name) => response.headers.get(name));
    return [response.status, response.headers.get('allow'), ...consent];
  };
  const handshake = { 'WebHook-Request-Origin': 'Events.example.com', 'WebHook-Request-Rate': '120' };
  const open = await hooks.scenario('open', []);
  assert.deepEqual(await ask(open.url, handshake), [200, 'POST, OPTIONS', 'Events.example.com', '*']);
  assert.deepEqual(await ask(open.url, {}), [204, 'POST, OPTIONS', null, null]);
  const states = async (placed: typeof open) =>
    (await hooks.requests(placed)).map(({ state, status }) => [state, status]);
  assert.deepEqual(await states(open), [['challenge', 200]]);
  assert.deepEqual(await hooks.runs(open), []);
  const chosen = await hooks.scenario('chosen', [], { hook: { origins: ['events.example.com'] } });
  assert.deepEqual(await ask(chosen.url, handshake), [200, 'POST, OPTIONS', 'Events.example.com', '*']);
  const other = { 'WebHook-Request-Origin': 'evil.example.com' };
  assert.deepEqual(await ask(chosen.url, other), [204, 'POST, OPTIONS', null, null]);
  assert.deepEqual(await states(chosen), [
    ['refused', 204],
    ['challenge', 200],
  ]);
  const off = await hooks.scenario('off', [], { over: { enabled: false } });
  assert.deepEqual(await ask(off.url, handshake), [503, null, null, null]);
});

test('R20 wire 4 a webhook of the platform that is verified by the handshake becomes active at a hook', async (t) => {
  const hooks = await startHooks(t, { challenge: { origin: 'events.example.com' } });
  const { url } = await hooks.scenario('own', [], { hook: { origins: ['events.example.com'] } });
  const made = await hooks.expect(201, 'POST /v1/webhooks', { body: { name: 'own', url, verification: 'options' } });
  let shown: Record<string, unknown> = { state: 'pending' };
  for (let looks = 0; shown['state'] === 'pending' && looks < 3_000; looks++) {
    await new Promise((again) => setTimeout(again, 5));
    shown = await hooks.expect(200, `GET /v1/webhooks/${String(made['id'])}`);
  }
  assert.equal(shown['state'], 'active', JSON.stringify(shown));
});

test('R80 R96 what fits no shape is noted, of a request that has waited for its run, too', async (t) => {
  const hooks = await startHooks(t);
  const shape = { type: 'collection', fields: { id: { type: 'number' } } } as const;
  const hook = { shapes: [{ name: 'order', shape }] };
  const placed = await hooks.scenario('waits', [does('wait', '${ body.wait }'), does('reply', 200)], {
    hook: { ...hook, replyWithinMs: 20_000 },
    over: { concurrency: { max: 1, then: 'queue' } },
  });
  const back = await Promise.all([
    post(placed.url, { id: 'x', wait: '300ms' }),
    post(placed.url, { id: 'y', wait: '1ms' }),
  ]);
  assert.deepEqual(
    back.map(({ status }) => status),
    [200, 200],
  );
  const runs = await hooks.runs(placed);
  assert.equal(runs.length, 2);
  for (const { run } of runs) {
    assert.equal((await hooks.log(run)).filter((line) => /id is a text, not a number/.test(line)).length, 1);
  }
});

test('R86 a platform that stops keeps nobody waiting: 202 with the run’s id, which goes on later', async (t) => {
  const hooks = await startHooks(t, { shutdown: { grace: '60s' } });
  const placed = await hooks.scenario('slow', [does('wait', '1h'), does('reply', 200)], {
    hook: { replyWithinMs: 300_000 },
  });
  const waiting = post(placed.url);
  while ((await hooks.runs(placed)).length === 0) await new Promise((again) => setImmediate(again));
  const [run] = await hooks.runs(placed);
  const stopped = hooks.platform.stop();
  const back = await waiting;
  assert.deepEqual([back.status, JSON.parse(back.text)], [202, { run: run!.run }]);
  await stopped;
});
