// `bellwire doctor` as it is run: beside a platform, after it, before the first start; what it finds around the store.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Writable } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { test, type TestContext } from 'node:test';
import { eventually } from '../../test/kit/handler.ts';
import { findingsOf } from '../src/checks.ts';
import { PARTS } from '../src/cli/operate/doctor.ts';
import type { Ground, Machine } from '../src/cli/operate/doctor/ground.ts';
import { runProgram } from '../src/cli/program.ts';
import { createClient } from '../src/client/index.ts';
import { loadConfig } from '../src/config/index.ts';
import { MIGRATIONS } from '../src/store/migrate.ts';
import { BACKUP_APPLICATION, sqliteDialect } from '../src/store/sqlite.ts';
import { issueCertificate } from './certificates.ts';
import { bellwire, startGround, temporaryFolder } from './cli-ground.ts';

interface Told {
  part: string;
  check: string;
  state: string;
  findings: { severity: string; text: string; remedy: string }[];
}

/** Runs it in this process; resolves the exit code, what it wrote, and the checks that found something. */
async function examine(
  folder: string,
  args: readonly string[] = [],
): Promise<{ code: number; text: string; found: Record<string, string[]>; told: Told[] }> {
  const lines: string[] = [];
  const write = new Writable({ write: (chunk, _, done) => (lines.push(String(chunk)), done()) });
  const terminal = { stdin: process.stdin, stdout: write, stderr: write, env: { COLUMNS: '80' }, folder };
  const signal = new AbortController().signal;
  const code = await runProgram(['doctor', ...args], { terminal, signal, version: '0.0.0' });
  const text = lines.join('');
  const told = args.includes('--json')
    ? text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Told)
    : [];
  const found = told
    .filter(({ findings }) => findings.length > 0)
    .map(({ check, findings }) => [check, findings.map((one) => `${one.severity}: ${one.text} → ${one.remedy}`)]);
  return { code, text, told, found: Object.fromEntries(found) as Record<string, string[]> };
}

async function portOf(server: Server): Promise<number> {
  if (!server.listening) await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function folderOf(t: TestContext): string {
  const { folder, remove } = temporaryFolder();
  t.after(remove);
  return folder;
}

test('doctor: before the first start there is nothing to look at, and that is said as a note', async (t) => {
  const folder = folderOf(t);
  const { code, text } = await examine(folder);
  assert.equal(code, 0, text);
  assert.match(text, /· there is no data folder \S+\n\s+yet\n|there is no data folder/);
  assert.match(text, /→ the first start makes it: bellwire serve/);
  assert.ok(
    text.split('\n').every((line) => line.length <= 80),
    text,
  );
  assert.equal((await examine(folder, ['--strict'])).code, 1);
});

test('doctor: each fault of the settings is told with its place, and nothing else is looked at', async (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, 'bellwire.yaml'), 'delivery:\n  timeout: soon\nlanez: 3\n');
  const { code, found, told } = await examine(folder, ['--json']);
  assert.equal(code, 1);
  assert.equal(found['settings.usable']!.length, 2);
  assert.match(found['settings.usable']!.join('\n'), /delivery\.timeout.*bellwire\.yaml.*→ correct it there/);
  assert.match(found['settings.usable']!.join('\n'), /lanez is not a setting; did you mean lanes\?/);
  assert.ok(told.filter(({ part }) => part === 'store').every(({ state }) => state === 'skipped'));
  writeFileSync(join(folder, 'bellwire.yaml'), 'delivery: {\n');
  assert.match((await examine(folder, ['--json'])).found['settings.usable']![0]!, /bellwire\.yaml, line \d/);
});

test('doctor: a busy platform is well; so is what it leaves; what is done to its files is found', async (t) => {
  const { folder, platform, stop } = await startGround();
  t.after(stop);
  await makeBusy(createClient({ url: platform.url, key: platform.adminKey }));
  const running = await examine(folder);
  assert.equal(running.code, 0, running.text);
  assert.match(
    running.text,
    /running at http:\/\/127\.0\.0\.1:\d+\n✔ settings {2}2 well\n✔ files {5}4 well\n✔ machine/,
  );
  assert.match(running.text, /\d+ checks, nothing found\n$/);
  // As users run it: a process of its own, beside the one that writes.
  const alone = await bellwire(['doctor', '--json'], { folder });
  assert.deepEqual([alone.code, alone.stderr], [0, '']);
  assert.equal(alone.stdout.trim().split('\n').length, Object.values(PARTS).flat().length);
  await platform.stop();
  const stopped = await examine(folder);
  assert.equal(stopped.code, 0, stopped.text);
  assert.match(stopped.text, /, not running\n/);
  await damageFiles(folder);
});

/** One delivery of every state, a run under way and one that waits. */
async function makeBusy(client: ReturnType<typeof createClient>): Promise<void> {
  const type = 'com.example.made';
  await client.eventTypes.put(type, { description: '' });
  const failing = createServer((_, response) => void response.writeHead(500).end()).listen(0, '127.0.0.1');
  const url = `http://127.0.0.1:${await portOf(failing)}`;
  for (const [name, delays] of [
    ['dead', []],
    ['waiting', [3_600_000]],
    ['paused', []],
  ] as const) {
    const { id } = await client.webhooks.create({
      name,
      url,
      verification: 'none',
      policy: { retryDelaysMs: [...delays] },
    });
    await client.subscriptions.create({ webhook: id, type });
    if (name === 'paused') await client.webhooks.pause(id);
  }
  await client.jobs.put('long', 'job: long\nsteps: [{ wait: 1h }]\n');
  await client.jobs.run('long');
  await client.jobs.run('long');
  await client.events.publish([1, 2].map((n) => ({ source: '//test', type, data: { n } })));
  await eventually('every delivery was tried or is held', async () => {
    const all = await client.deliveries.list().all();
    const states = new Set(all.map(({ state }) => state));
    return all.length === 6 && ['dead', 'scheduled', 'held'].every((state) => states.has(state as 'dead'));
  });
  failing.closeAllConnections();
  failing.close();
}

/** The folder of a platform that has stopped: everything that its files may be. */
async function damageFiles(folder: string): Promise<void> {
  const data = join(folder, 'data');
  const files = ['secret-keys', 'admin-key', 'bellwire.db'].map((name) => join(data, name));
  const look = async (): Promise<Record<string, string[]>> => (await examine(folder, ['--json'])).found;
  for (const file of files) chmodSync(file, 0o644);
  chmodSync(data, 0o777);
  const open = await look();
  for (const file of files)
    assert.match(
      open['files.modes']!.join('\n'),
      new RegExp(`fault: ${file} can be read by others → chmod 600 ${file}`),
    );
  assert.match(open['files.folder']![0]!, /^warning: others may write to \S+ → chmod 700 /);
  assert.match(open['files.keys']![0]!, /^fault: \S+secret-keys can be read by others; allow only its owner/);
  for (const file of files) chmodSync(file, 0o600);
  chmodSync(data, 0o700);

  writeFileSync(join(data, 'admin-key'), 'bw_of_somebody_else\n');
  const key = readFileSync(join(data, 'secret-keys'));
  rmSync(join(data, 'secret-keys'));
  writeFileSync(join(data, 'address'), 'http://127.0.0.1:9\n');
  const changed = await look();
  assert.match(
    changed['files.admin-key']![0]!,
    /^warning: the store does not know the key in .* → restart the platform/,
  );
  assert.match(changed['files.keys']![0]!, /^fault: there is no key file \S+secret-keys → put your copy/);
  assert.match(
    changed['platform.answers']![0]!,
    /^warning: nobody answers at http:\/\/127\.0\.0\.1:9,.* → start it again/,
  );
  writeFileSync(join(data, 'secret-keys'), key, { mode: 0o600 });

  writeFileSync(join(data, 'bellwire.db'), 'this is no store'.repeat(1_000));
  rmSync(join(data, 'bellwire.db-wal'), { force: true });
  assert.match((await look())['store.opens']![0]!, /^fault: \S+: file is not a database → .*bellwire restore FILE$/);
}

test('doctor: a platform that is not ready, has another clock or another release', async (t) => {
  const folder = folderOf(t);
  const server = createServer((request, response) => {
    response.setHeader('date', new Date(Date.now() - 60_000).toUTCString());
    if (request.url === '/readyz') response.writeHead(503).end('{"detail":"the store is away"}');
    else response.end('{"version":"0.0.9"}');
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  mkdirSync(join(folder, 'data'), { mode: 0o700 });
  writeFileSync(join(folder, 'data', 'address'), `http://127.0.0.1:${await portOf(server)}\n`);
  const { found, code } = await examine(folder, ['--json']);
  assert.equal(code, 1);
  assert.match(
    found['platform.answers']![0]!,
    /^fault: the platform at \S+ is not ready: the store is away → its log says why/,
  );
  assert.match(
    found['platform.clock']![0]!,
    /^warning: the clocks of the platform and of this machine are (59|6\d)(\.\d+)? s apart/,
  );
  assert.match(found['platform.release']![0]!, /^note: bellwire 0\.0\.9 is running, and this is 0\.0\.0/);
  server.closeAllConnections();
});

test('doctor: a certificate that ends soon of a server that the settings name', async (t) => {
  const folder = folderOf(t);
  const { certificate, privateKey } = issueCertificate({ name: 'collector', until: Date.now() + 3 * 86_400_000 });
  const server = createTlsServer({ cert: certificate, key: privateKey }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  const endpoint = `https://127.0.0.1:${await portOf(server)}/v1/traces`;
  const { found } = await examine(folder, ['--json', '--set', `tracing.endpoint=${endpoint}`]);
  assert.match(
    found['settings.certificates']![0]!,
    /^warning: the certificate of 127\.0\.0\.1 ends on 20\d\d-\d\d-\d\d → /,
  );
  const mail = [`host=127.0.0.1`, `port=${await portOf(server)}`, 'secure=tls', 'from=a@example.com'];
  const options = mail.flatMap((one) => ['--set', `mail.${one}`]);
  const { found: ofMail } = await examine(folder, ['--json', ...options]);
  assert.match(ofMail['settings.certificates']![0]!, /^warning: the certificate of 127\.0\.0\.1 ends on /);
});

test('doctor: what is no store yet, or none of ours, is told so once, not by every check', async (t) => {
  const folder = folderOf(t);
  const look = async (...args: string[]): Promise<Record<string, string[]>> => {
    const { code, found, told } = await examine(folder, ['--json', ...args]);
    assert.equal(
      code,
      Object.values(found)
        .flat()
        .every((one) => one.startsWith('note'))
        ? 0
        : 1,
    );
    assert.ok(told.filter(({ part }) => part === 'contents').every(({ state }) => state === 'skipped'));
    return found;
  };
  mkdirSync(join(folder, 'data', 'address'), { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, 'data', 'bellwire.db'), '', { mode: 0o600 });
  const start = 'the first start makes it: bellwire serve';
  assert.deepEqual(await look(), {
    'store.opens': [`note: there is no store in ${folder}/data/bellwire.db yet → ${start}`],
  });
  const store = join(folder, 'data', 'bellwire.db');
  const run = (sql: string): void => {
    const db = new DatabaseSync(store);
    db.exec(sql);
    db.close();
  };
  run(`PRAGMA application_id = ${BACKUP_APPLICATION}`);
  assert.match((await look())['store.opens']![0]!, /^fault: .*: it is a backup: bellwire restore makes a store of it/);
  // As the release before the newest migration left it.
  const former = MIGRATIONS.slice(0, -1).map(
    ({ name }, at) => `INSERT INTO migrations VALUES (${at + 1}, '${name}', '${checksumOf(at)}', '0.0.1');`,
  );
  const table = 'CREATE TABLE migrations (number BIGINT, name TEXT, checksum TEXT, release TEXT)';
  run(`PRAGMA application_id = 0; ${table}; ${former.join('')}`);
  const older = await look();
  assert.deepEqual(Object.keys(older), ['files.keys', 'store.schema']);
  assert.match(
    older['store.schema']![0]!,
    /^note: the store is at schema \d+, and the next start brings it to \d+: .* → take a backup/,
  );
  run(`INSERT INTO migrations VALUES (98, 'later', 'x', '9.9.9'), (99, 'last', 'x', '9.9.9')`);
  assert.match((await look())['store.schema']![0]!, /^fault: this store is at schema \d+ by bellwire 9\.9\.9/);
  const file = await look('--data', join('data', 'bellwire.db'));
  assert.match(file['files.folder']![0]!, /^fault: \S+ is not a folder → name a folder/);
  assert.match((await look('--store', 'sqlite:data'))['store.opens']![0]!, /^fault: \S+data is not a file → /);
});

function checksumOf(at: number): string {
  return createHash('sha256').update(MIGRATIONS[at]!.statements(sqliteDialect)).digest('hex');
}

test('doctor: what this machine lacks', async (t) => {
  const folder = folderOf(t);
  mkdirSync(join(folder, 'data'));
  const { config } = loadConfig({ folder });
  const well: Machine = {
    node: '26.10.0',
    floor: [24, 15],
    timeZones: '2026a',
    openFiles: 1_000_000,
    disk: { free: 2 ** 40, size: 2 ** 41 },
  };
  const look = async (name: string, over: Partial<Machine>): Promise<string[]> => {
    const ground = { config, machine: { ...well, ...over }, now: Date.UTC(2026, 10, 23), contents: null } as Ground;
    const check = PARTS['machine']!.find((one) => one.name === `machine.${name}`)!;
    return (await findingsOf(check, ground)).map(({ severity, text }) => `${severity}: ${text}`);
  };
  for (const { name } of PARTS['machine']!) assert.deepEqual(await look(name.slice('machine.'.length), {}), []);
  const old = ['fault: this is Node 24.14.9, and 24.15 is the oldest that runs bellwire'];
  assert.deepEqual(await look('node', { node: '24.14.9' }), old);
  assert.deepEqual(await look('node', { node: '24.15.0' }), []);
  assert.match((await look('time-zones', { timeZones: '2023c' }))[0]!, /of 2023c: rules may have changed/);
  assert.match((await look('time-zones', { timeZones: undefined }))[0]!, /know UTC only/);
  assert.match((await look('open-files', { openFiles: 1_024 }))[0]!, /may open 1024 files; .* it may want 2\d\d\d/);
  assert.match((await look('disk', { disk: { free: 2 ** 20, size: 2 ** 40 } }))[0]!, /^fault: only 1 MiB are free/);
});

test('docs/doctor.md tells every check as the table of the code has it', () => {
  const page = readFileSync('docs/doctor.md', 'utf8');
  const rows = Object.values(PARTS)
    .flat()
    .map(({ name, looksAt, severity, remedy }) => `| \`${name}\` | ${looksAt} | ${severity} | ${remedy} |`);
  const missing = rows.filter((row) => !page.includes(`${row}\n`));
  assert.deepEqual(missing, [], 'these rows belong into docs/doctor.md');
  assert.equal(page.match(/^\| `/gm)!.length, rows.length, 'docs/doctor.md has rows of checks that are gone');
});
