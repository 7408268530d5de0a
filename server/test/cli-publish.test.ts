// Publishing from the command line: options, documents, streams of lines, and what is refused of them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { createClient, type Client } from '../src/client/index.ts';
import { AUDIT_LOG, bellwire, documents, spawnBellwire, startGround, startProxy } from './cli-ground.ts';

let ground: Awaited<ReturnType<typeof startGround>>;
let client: Client;

before(async () => {
  ground = await startGround();
  client = createClient({ url: ground.platform.url, key: ground.platform.adminKey });
  await client.eventTypes.put('test', {});
});
after(() => ground.stop());

const run = (args: string[], stdin?: string | Uint8Array) => bellwire(args, { folder: ground.folder, stdin });

function line(id: string, more: object = {}): string {
  return JSON.stringify({ specversion: '1.0', id, source: '//lines', type: 'test', ...more });
}

async function idsOf(source: string): Promise<string[]> {
  return (await client.events.list({ source }).all()).map(({ id }) => id);
}

test('R125 one event from options: its data arrive as they were written', async () => {
  const data = '{"n": 12345678901234567890.0}';
  const { code, stdout } = await run([
    ...['publish', '--type', 'test', '--data', data, '--id', 'o1', '--source', '//options', '--subject', 'Sø'],
    ...['--attribute', 'extra=1', '--json'],
  ]);
  assert.equal(code, 0);
  const [accepted] = documents<{ event: string; id: string; duplicate: boolean }>({ stdout });
  assert.deepEqual([accepted?.id, accepted?.duplicate], ['o1', false]);
  const bytes = new TextDecoder().decode(await client.events.bytes(accepted?.event ?? ''));
  assert.ok(bytes.includes(data), bytes);
  const { envelope } = await client.events.get(accepted?.event ?? '');
  assert.deepEqual([envelope.subject, (envelope as { extra?: unknown }).extra], ['Sø', '1']);
  const again = await run(['publish', '--type', 'test', '--id', 'o1', '--source', '//options']);
  assert.match(again.stdout, /^evt_\w+ was accepted before \(id o1\): .* its data was not compared\n$/);
});

test('R125 one event from options: data from a file, from stdin, and of another kind', async () => {
  writeFileSync(join(ground.folder, 'data.json'), '{"from":"file"}');
  const event = async (args: string[], stdin?: string | Uint8Array) => {
    const { code, stdout, stderr } = await run(['publish', '--type', 'test', '--json', ...args], stdin);
    assert.equal(code, 0, stderr);
    return (await client.events.get(documents<{ event: string }>({ stdout })[0]?.event ?? '')).envelope;
  };
  assert.deepEqual((await event(['--data', '@data.json'])).data, { from: 'file' });
  assert.deepEqual((await event(['--data', '@-'], '{"from":"stdin"}')).data, { from: 'stdin' });
  assert.deepEqual((await event(['--data', 'hello', '--content-type', 'text/plain'])).data, 'hello');
  const bytes = await event(['--data', '@-', '--content-type', 'application/octet-stream'], Uint8Array.of(0, 255));
  assert.equal(bytes.data_base64, 'AP8=');
  assert.equal((await event([])).data, undefined);
  const bad = await run(['publish', '--type', 'test', '--data', '{oops']);
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /^bellwire: --data is not JSON: .*; for other data add --content-type text\/plain\n$/);
});

test('R125 a document: one event over several lines, and a batch', async () => {
  const one = await run(['publish'], JSON.stringify(JSON.parse(line('d1', { source: '//doc' })), null, 2));
  assert.deepEqual([one.code, one.stderr], [0, '']);
  writeFileSync(
    join(ground.folder, 'batch.json'),
    `[${line('d2', { source: '//doc' })},\n${line('d3', { source: '//doc' })}]`,
  );
  const batch = await run(['publish', 'batch.json', '--json']);
  assert.equal(documents(batch).length, 2);
  assert.deepEqual(await idsOf('//doc'), ['d1', 'd2', 'd3']);
  assert.deepEqual((await run(['publish'], 'neither\nnor')).code, 2);
  assert.deepEqual(
    (await run(['publish', 'nowhere.json'])).stderr,
    'bellwire: cannot read nowhere.json: there is no such file\n',
  );
  for (const input of ['', '\n \n', '[]']) {
    const nothing = await run(['publish'], input);
    assert.deepEqual([nothing.code, nothing.stdout], [1, '']);
    assert.equal(nothing.stderr, 'bellwire: nothing to publish: the input holds no event\n');
  }
});

test('R53 a stream of lines: thousands of events in batches, in order, a second time all known', async () => {
  const lines = Array.from({ length: 3_000 }, (_, i) => line(`n${i}`, { source: '//many', data: { i } }));
  writeFileSync(join(ground.folder, 'many.ndjson'), `${lines.join('\n')}\r\n\n`);
  const first = await run(['publish', 'many.ndjson']);
  assert.deepEqual([first.code, first.stderr], [0, '']);
  assert.match(first.stdout, /^3,000 events accepted in \d+\.\d s\n$/);
  assert.deepEqual(
    await idsOf('//many'),
    Array.from({ length: 3_000 }, (_, i) => `n${i}`),
  );
  const again = await run(['publish', '-', '--json'], lines.slice(0, 700).join('\n'));
  assert.ok(documents<{ duplicate: boolean }>(again).every(({ duplicate }) => duplicate));
  assert.equal(documents(again).length, 700);
});

test('R53 a slow pipe: each line goes at once, without waiting for more', async () => {
  const child = spawnBellwire(['publish', '--json'], { folder: ground.folder });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  for (const id of ['p1', 'p2', 'p3']) {
    child.stdin.write(`${line(id, { source: '//pipe' })}\n`);
    const { value } = await answers.next();
    assert.equal((JSON.parse(value as string) as { id: string }).id, id);
  }
  child.stdin.end();
  assert.deepEqual(await once(child, 'close'), [0, null]);
});

test('a bad line is named, what stands before it is accepted, nothing behind it is sent', async () => {
  const lines = [line('k1', { source: '//bad' }), '', '{"id": }', line('k2', { source: '//bad' })];
  const notJson = await run(['publish'], lines.join('\n'));
  assert.equal(notJson.code, 1);
  assert.match(notJson.stderr, /^bellwire: line 3 is not JSON: .*; 1 event accepted before it\n$/);
  assert.deepEqual(await idsOf('//bad'), ['k1']);
  const unknown = [line('k3', { source: '//bad' }), line('k4', { source: '//bad', type: 'tset' }), line('', {})];
  const refused = await run(['publish'], `${unknown.join('\n')}\n`);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^bellwire: line 3: .*; 0 events accepted before its batch\n$/m);
  assert.deepEqual(await idsOf('//bad'), ['k1']);
});

test('--keep-going leaves out what is refused, names it, and ends with exit code 1', async () => {
  const lines = [
    line('g1', { source: '//go' }),
    '[]',
    line('g2', { source: '//go', type: 'tset' }),
    line('g3', { source: '//go' }),
  ];
  const { code, stdout, stderr } = await run(['publish', '--keep-going'], Buffer.from(`${lines.join('\n')}\n`));
  assert.equal(code, 1);
  assert.match(stdout, /^2 events accepted in \d+\.\d s; 2 lines refused\n$/);
  assert.match(stderr, /^bellwire: line 2 is not a JSON object\nbellwire: line 3 is refused: .*\(unknown-type\)\n$/);
  assert.deepEqual(await idsOf('//go'), ['g1', 'g3']);
});

test('R73 R117 --example publishes what the catalog shows', async () => {
  const { code, stdout, stderr } = await run(['publish', '--example', AUDIT_LOG]);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^evt_\w+ accepted \(id \w+\)\n$/);
  const none = await run(['publish', '--example', 'test']);
  assert.deepEqual([none.code, /has no example/.test(none.stderr)], [2, true]);
});

test('the note of a schema in warn mode stands on stderr', async () => {
  const { code, stderr } = await run(['publish', '--type', AUDIT_LOG, '--data', '{}']);
  assert.equal(code, 0);
  assert.match(stderr, /^bellwire: note on evt_\w+: data must have the property "id"/);
});

test('R48 events tail shows what comes, survives a broken connection, and ends with its signal', async (t) => {
  const proxy = await startProxy(ground.platform.url);
  t.after(() => proxy.stop());
  const { adminKey } = ground.platform;
  const args = ['events', 'tail', '--type', 'test', '--json', '--url', proxy.url, '--key', adminKey];
  const { accepted } = await client.events.publish({ id: 't0', source: '//tail', type: 'test' });
  const child = spawnBellwire([...args, '--after', accepted[0]?.event ?? ''], { folder: ground.folder });
  const closed = once(child, 'close');
  const stderr = text(child.stderr);
  const shown = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => (JSON.parse((await shown.next()).value as string) as { event: { id: string } }).event.id;
  await client.events.publish({ id: 't1', source: '//tail', type: 'test' });
  assert.equal(await next(), 't1');
  proxy.cut(true);
  await client.events.publish({ id: 't2', source: '//tail', type: 'test' });
  proxy.cut(false);
  await client.events.publish({ id: 't3', source: '//tail', type: 'test' });
  assert.deepEqual([await next(), await next()], ['t2', 't3']);
  child.kill('SIGINT');
  assert.deepEqual(await closed, [0, null]);
  assert.match(
    await stderr,
    /^bellwire: waiting for events of test; Ctrl-C ends it\nbellwire: the stream of .* broke: .*; coming back\n$/,
  );
});

test('R48 events tail: from the beginning, a number of events, and what deliveries come to', async () => {
  const { stdout, code } = await run(['events', 'tail', '--all', '--type', 'test', '--count', '2']);
  assert.equal(code, 0);
  assert.match(stdout, /^\d\d:\d\d:\d\d {2}event {6}evt_\w+ {2}test\n\d\d:\d\d:\d\d {2}event /);
});
