// `serve` and `demo` as processes: first lines, signals, exit codes, the journey twice, and what is in the way.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { createClient } from '../src/client/index.ts';
import { auditLogEvent } from '../src/cli/begin/journey.ts';
import { AUDIT_LOG, bellwire, documents, spawnBellwire, temporaryFolder } from './cli-ground.ts';

interface Running {
  child: ChildProcess;
  lines: AsyncIterator<string>;
  /** The next line that fits; fails when the process ends before. */
  line(pattern: RegExp): Promise<RegExpExecArray>;
  closed: Promise<unknown[]>;
  stderr: Promise<string>;
}

function start(t: TestContext, args: string[], folder: string): Running {
  const child = spawnBellwire(args, { folder });
  const closed = once(child, 'close');
  t.after(() => {
    child.kill('SIGKILL');
    return closed;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const stderr = text(child.stderr);
  return {
    child,
    lines,
    closed,
    stderr,
    async line(pattern) {
      for (;;) {
        const { value, done } = await lines.next();
        if (done === true) assert.fail(`it ended before ${String(pattern)}: ${await stderr}`);
        const match = pattern.exec(value);
        if (match) return match;
      }
    },
  };
}

function folderOf(t: TestContext): string {
  const { folder, remove } = temporaryFolder();
  t.after(remove);
  return folder;
}

test('serve --dev says what is open, leaves its address, and ends gracefully by SIGTERM', async (t) => {
  const folder = folderOf(t);
  const { child, line, closed } = start(t, ['serve', '--dev', '--port', '0'], folder);
  await line(/^Bellwire \d/);
  await line(/^dev mode: .*loopback/);
  const [, url] = await line(/^API +(http:\/\/127\.0\.0\.1:\d+)$/);
  await line(/^store +\.\/data\/bellwire\.db$/);
  await line(/^admin key +\.\/data\/admin-key$/);
  assert.equal(readFileSync(join(folder, 'data', 'address'), 'utf8'), `${url}\n`);
  assert.equal((await bellwire(['webhooks', 'list'], { folder })).code, 0);
  const second = await bellwire(['serve', '--dev', '--port', '0'], { folder });
  assert.deepEqual([second.code, second.stderr.split('\n').length], [1, 2]);
  assert.match(second.stderr, /^bellwire: another process already runs on /);
  child.kill('SIGTERM');
  await line(/^stopping: /);
  assert.deepEqual(await closed, [0, null]);
  assert.ok(!existsSync(join(folder, 'data', 'address')));
  const gone = await bellwire(['webhooks', 'list'], { folder });
  assert.deepEqual([gone.code, /is not running; start one with: npx bellwire serve/.test(gone.stderr)], [3, true]);
});

test('R59 R60 serve without --dev refuses http and loopback; settings come from flags, file and environment', async (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, 'bellwire.yaml'), 'listen:\n  port: 0\nlog:\n  level: error\n');
  const args = ['serve', '--data', 'elsewhere', '--set', 'quotas.webhooks=3', '--json'];
  const { child, lines, closed } = start(t, args, folder);
  const { url, dev, store, dataFolder } = JSON.parse((await lines.next()).value as string) as Record<string, unknown>;
  assert.deepEqual([dev, store, dataFolder], [false, 'sqlite', join(folder, 'elsewhere')]);
  const env = { BELLWIRE_DATA_FOLDER: 'elsewhere' };
  const refused = await bellwire(['webhooks', 'add', 'x', 'http://127.0.0.1:9/'], { folder, env });
  assert.deepEqual([refused.code, refused.stderr.endsWith('(refused-url)\n')], [1, true]);
  assert.equal((await fetch(`${String(url)}/healthz`)).status, 200);
  child.kill('SIGINT');
  assert.deepEqual(await closed, [0, null]);
  const settings = await bellwire(['serve', '--print-settings', '--set', 'delivery.timeout=20s'], { folder });
  assert.match(settings.stdout, /^delivery\.timeout = 20s \(command line\)$/m);
  assert.match(settings.stdout, /^listen\.port = 0 \(.*bellwire\.yaml\)$/m);
  const open = await bellwire(['serve', '--dev', '--host', '0.0.0.0'], { folder });
  assert.deepEqual(
    [open.code, open.stderr.startsWith('bellwire: listen.host must be a loopback address in dev mode')],
    [2, true],
  );
});

test('a second signal ends serve at once, whatever is under way', async (t) => {
  const folder = folderOf(t);
  const { child, line, closed } = start(t, ['serve', '--dev', '--port', '0', '--set', 'shutdown.grace=1m'], folder);
  const [, port] = await line(/^API +http:\/\/127\.0\.0\.1:(\d+)$/);
  await line(/^stop /);
  // A request whose body never comes holds the graceful stop; the platform says when it waits for it.
  const key = readFileSync(join(folder, 'data', 'admin-key'), 'utf8').trim();
  const socket = connect(Number(port), '127.0.0.1');
  t.after(() => socket.destroy());
  socket.write(
    `POST /v1/webhooks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nExpect: 100-continue\r\n` +
      'Content-Type: application/json\r\nContent-Length: 10\r\n\r\n',
  );
  assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 100 /);
  // The process ends with the request half read: a reset is as good as an end.
  socket.on('error', () => undefined);
  child.kill('SIGTERM');
  await line(/^stopping: /);
  // One that comes at once may be the same signal, handed on by a launcher; somebody impatient goes on asking.
  const impatience = setInterval(() => child.kill('SIGTERM'), 50);
  t.after(() => clearInterval(impatience));
  assert.deepEqual(await closed, [143, null]);
});

const STEPS = [
  'platform',
  'handler',
  'catalog',
  'webhook',
  'challenge',
  'answer',
  'active',
  'subscribed',
  'published',
  'delivered',
];

test('R51 R61 R63 R70 R110 R111 R114 R118 the demo plays the journey, and plays it again on the same data', async (t) => {
  const folder = folderOf(t);
  for (const round of ['registered; pending', 'moved to its new address; pending']) {
    const { child, line, closed, stderr } = start(t, ['demo', '--port', '0'], folder);
    const said = new Map<string, string>();
    await line(/^ {2}Bellwire \d\S* {2}one event’s journey/);
    for (const step of STEPS) {
      const [whole, name, words] = await line(/^ {2}\S (\w+) +(.*?) +\d+ ms$/);
      assert.equal(whole.length, 79, 'every line is aligned, and fits 80 columns');
      said.set(name ?? '', words ?? '');
      assert.equal(name, step);
    }
    assert.match(said.get('webhook') ?? '', new RegExp(round));
    const [, challenge] = /^challengeRequest ([0-9a-f-]{36})$/.exec(said.get('challenge') ?? '') ?? [];
    assert.ok(challenge);
    assert.match(said.get('answer') ?? '', /^200 \{"verification":"[0-9a-f]{20}/);
    assert.equal(said.get('delivered'), 'signature verified: Standard Webhooks and HPE');
    const [, url] = await line(/^ {2}API +(http:\/\/127\.0\.0\.1:\d+)\/v1 /);
    await line(/Docs +http.*\/docs {2}\(for tools: \/openapi\.json\)$/);
    await line(/\/metrics, http.*\/healthz$/);
    await tryCommands({ line, folder, url: url ?? '' });
    child.kill('SIGINT');
    await line(/^ {2}stopping: /);
    assert.deepEqual(await closed, [0, null]);
    assert.equal(await stderr, '');
  }
});

/** The commands that the demo names work as they stand, and what they publish arrives at the demo's handler. */
async function tryCommands({
  line,
  folder,
  url,
}: {
  line: Running['line'];
  folder: string;
  url: string;
}): Promise<void> {
  for (const path of ['/docs', '/openapi.json', '/metrics', '/healthz'])
    assert.equal((await fetch(url + path)).status, 200);
  const commands: string[][] = [];
  for (let i = 0; i < 3; i++) {
    const [whole, words = ''] = await line(/^ {4}npx bellwire (.*)$/);
    assert.ok(whole.length <= 80);
    commands.push(words.split(' '));
  }
  await line(/It runs until Ctrl-C/);
  for (const args of commands) {
    const once = args[1] === 'tail' ? [...args, '--all', '--count', '1'] : args;
    const { code, stdout } = await bellwire(once, { folder });
    assert.equal(code, 0);
    assert.notEqual(stdout, '');
  }
  await line(new RegExp(`^ {2}→ delivered +${AUDIT_LOG.replaceAll('.', '\\.')} .*verified$`));
}

test('a signal that comes twice at once, by the group and by a launcher, still ends gracefully', async (t) => {
  const { child, line, closed } = start(t, ['demo', '--port', '0'], folderOf(t));
  await line(/It runs until Ctrl-C/);
  child.kill('SIGINT');
  child.kill('SIGTERM');
  assert.deepEqual(await closed, [0, null]);
});

test('the demo with --json gives one document per step', async (t) => {
  const folder = folderOf(t);
  const { child, lines, closed } = start(t, ['demo', '--port', '0', '--json'], folder);
  const steps: string[] = [];
  for (let last = ''; last !== 'running'; steps.push(last)) {
    last = (JSON.parse((await lines.next()).value as string) as { step: string }).step;
  }
  assert.deepEqual(steps, [...STEPS, 'running']);
  child.kill('SIGTERM');
  assert.deepEqual(await closed, [0, null]);
});

test('R1 R2 R25 R29 R37 bellwire demo automation shows the two bodies of the seed as they arrived, and again on the same data', async (t) => {
  const folder = folderOf(t);
  for (const _ of [1, 2]) {
    const { child, lines, closed } = start(t, ['demo', 'automation', '--port', '0', '--json'], folder);
    const seen: Record<string, unknown>[] = [];
    while (seen.at(-1)?.['step'] !== 'running') seen.push(JSON.parse((await lines.next()).value as string) as never);
    const [job, policy] = seen.filter(({ arrived }) => arrived !== undefined);
    assert.equal((job!['headers'] as Record<string, unknown>)['user-agent'], 'Cloud Automator (Serverworks Co., Ltd.)');
    const [ran] = job!['body'] as Record<string, unknown>[];
    assert.deepEqual(Object.keys(ran ?? {}), [
      'type',
      'trigger_job_id',
      'trigger_job_log_id',
      'status',
      'name',
      'started_at',
      'finished_at',
    ]);
    assert.deepEqual([ran?.['type'], ran?.['status'], ran?.['name']], ['job', 'completed', 'demo-nightly']);
    const [judged] = policy!['body'] as Record<string, unknown>[];
    const verdicts = (judged!['evaluations'] as Record<string, unknown>[]).map((one) => one['ComplianceType']);
    assert.deepEqual(
      [judged?.['type'], judged?.['rule_name'], verdicts],
      ['policy', 'buckets-have-owner', ['COMPLIANT', 'NON_COMPLIANT']],
    );
    child.kill('SIGTERM');
    assert.deepEqual(await closed, [0, null]);
  }
});

test('R92 R100 R103 R106 R51 bellwire demo scenario: the challenge is answered and an event is a row, and again on the same data', async (t) => {
  const folder = folderOf(t);
  for (const rows of [1, 2]) {
    const { child, lines, closed } = start(t, ['demo', 'scenario', '--port', '0', '--json'], folder);
    const seen: Record<string, unknown>[] = [];
    while (seen.at(-1)?.['step'] !== 'running') seen.push(JSON.parse((await lines.next()).value as string) as never);
    const steps = ['platform', 'push', 'webhook', 'challenge', 'subscribed', 'published', 'run', 'row', 'running'];
    assert.deepEqual(
      seen.flatMap(({ step }) => step ?? []),
      steps,
    );
    const textOf = (name: string): string => String(seen.find(({ step }) => step === name)?.['text']);
    assert.match(textOf('run'), /^number \d+: completed, route events, reply 200$/);
    const cells = seen.find(({ row }) => row !== undefined)?.['row'] as Record<string, unknown>;
    assert.deepEqual([cells['B'], cells['C']], ['john.doe@hpedev.io', 'User john.doe@hpedev.io logged out']);
    const kept = documents(await bellwire(['sheet', 'rows', 'AuditLog', '--json'], { folder }));
    assert.equal(kept.length, rows);
    child.kill('SIGTERM');
    assert.deepEqual(await closed, [0, null]);
  }
});

test('the demo says in one line what is in its way, and what to do', async (t) => {
  const folder = folderOf(t);
  const other = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  const taken = await bellwire(['demo', '--port', String(port)], { folder, env: { npm_lifecycle_event: 'start' } });
  assert.equal(taken.code, 1);
  assert.equal(
    taken.stderr,
    `bellwire: 127.0.0.1:${port} is taken by another program: stop it, or use another port: npm start -- --port 9000\n`,
  );
  assert.ok(!existsSync(join(folder, 'data')), 'a start in vain leaves no data behind');
  writeFileSync(join(folder, 'file'), '');
  const noFolder = await bellwire(['demo', '--port', '0', '--data', 'file'], { folder });
  assert.deepEqual([noFolder.code, /^bellwire: cannot make the data folder .*\n$/.test(noFolder.stderr)], [1, true]);

  const { child, line, closed } = start(t, ['demo', '--port', '0'], folder);
  const [, own] = await line(/dev mode on http:\/\/127\.0\.0\.1:(\d+)/);
  await line(/It runs until Ctrl-C/);
  const twice = await bellwire(['demo', '--port', '0'], { folder });
  assert.match(
    twice.stderr,
    /^bellwire: a platform runs already on \.\/data: .* start another: npx bellwire demo --port \d+ --data \.\/data-2\n$/,
  );
  const samePort = await bellwire(['demo', '--port', String(own), '--data', 'data-2'], { folder });
  assert.ok(!existsSync(join(folder, 'data-2')));
  assert.match(samePort.stderr, /^bellwire: 127\.0\.0\.1:\d+ is taken by another Bellwire, perhaps a demo: /);
  child.kill('SIGTERM');
  assert.deepEqual(await closed, [0, null]);
});

test('R114 a second start brings the demo’s webhook back, whatever was done to it', async (t) => {
  const folder = folderOf(t);
  for (const wish of ['disable', 'pause', 'rm'] as const) {
    const { child, line, closed } = start(t, ['demo', '--port', '0'], folder);
    await line(/^ {2}\S delivered /);
    await line(/It runs until Ctrl-C/);
    const args = ['webhooks', wish, 'demo-handler', ...(wish === 'rm' ? ['--force'] : [])];
    assert.equal((await bellwire(args, { folder })).code, 0);
    child.kill('SIGTERM');
    await closed;
  }
  const { child, line, closed } = start(t, ['demo', '--port', '0'], folder);
  await line(/^ {2}\S delivered /);
  child.kill('SIGTERM');
  await closed;
});

test('R73 the demo’s event has the shape of the source document, nulls and numbers included', async (t) => {
  const event = auditLogEvent(new Date(1_734_698_093_161));
  assert.deepEqual(Object.keys(event), [
    'specversion',
    'id',
    'source',
    'type',
    'datacontenttype',
    'dataschema',
    'time',
    'data',
  ]);
  assert.deepEqual(
    [event.time, event.source],
    ['2024-12-20T12:34:53.161Z', '//global.api.greenlake.hpe.com/audit-log'],
  );
  const data = event.data as { id: string; workspace: object; created_at: number };
  assert.deepEqual([data.id, data.created_at], [event.id, 1_734_698_093_161]);
  assert.deepEqual(data.workspace, {
    id: '3009de2825f211ec8a84fedebcb4a754',
    workspace_name: null,
    workspace_type: null,
  });
  const folder = folderOf(t);
  const { child, lines, closed } = start(t, ['serve', '--dev', '--port', '0', '--json'], folder);
  const { url } = JSON.parse((await lines.next()).value as string) as { url: string };
  const client = createClient({ url, key: readFileSync(join(folder, 'data', 'admin-key'), 'utf8').trim() });
  const { accepted } = await client.events.publish(event);
  assert.equal(accepted[0]?.note, undefined, 'it keeps the schema of the catalog');
  const shown = await bellwire(['events', 'show', accepted[0]?.event ?? '', '--json'], { folder });
  assert.deepEqual(documents<{ envelope: object }>(shown)[0]?.envelope, event);
  child.kill('SIGTERM');
  await closed;
});
