// `bellwire backup`, `restore` and `copy` as they are typed, beside a platform that runs.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { createClient } from '../src/client/index.ts';
import { AUDIT_LOG, bellwire, documents, startGround, type Ended } from './cli-ground.ts';

let ground: Awaited<ReturnType<typeof startGround>>;
let folder = '';
const run = (...args: string[]): Promise<Ended> => bellwire(args, { folder, env: { COLUMNS: '80' } });

before(async () => {
  ground = await startGround();
  ({ folder } = ground);
  const client = createClient({ url: ground.platform.url, key: ground.platform.adminKey });
  await client.webhooks.create({ name: 'held', url: 'http://127.0.0.1:9999/', verification: 'none' });
  await client.subscriptions.create({ webhook: (await client.webhooks.list().all())[0]!.id, type: AUDIT_LOG });
  const event = { source: '//tests', type: AUDIT_LOG, data: {} };
  await client.events.publish([1, 2, 3].map((n) => ({ ...event, id: `e${n}` })));
});
after(() => ground.stop());

test('backup writes a whole file beside a platform that runs, and names the keys it needs', async () => {
  const { code, stdout, stderr } = await run('backup', 'monday.backup');
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^\.\/monday\.backup {2}.*, as it was at \d{4}-.*Z$/m);
  assert.match(stdout, /^events +3$/m);
  assert.match(stdout, /^carried and compared in [\d.]+ s, [\d,]+ rows a second$/m);
  assert.match(stderr, /^its secrets need key [0-9a-f]{8}: not in the backup/m);
  for (const line of `${stdout}${stderr}`.split('\n')) assert.ok(line.length <= 80, line);
  assert.equal(statSync(join(folder, 'monday.backup')).mode & 0o777, 0o600);
  const again = await run('backup', 'monday.backup');
  assert.deepEqual([again.code, /is there already; --replace/.test(again.stderr)], [1, true]);
  const replaced = await run('backup', 'monday.backup', '--replace', '--json');
  const [document] = documents<{ keys: string[]; tables: { table: string; rows: number }[] }>(replaced);
  assert.equal(document?.keys.length, 1);
  assert.equal(document.tables.find(({ table }) => table === 'events')?.rows, 3);
  const whole = await run('restore', 'monday.backup', '--check');
  assert.deepEqual([whole.code, /monday\.backup is whole/.test(whole.stdout)], [0, true]);
});

test('a full disk ends a backup in words, and leaves nothing', { skip: process.platform === 'win32' }, async () => {
  const cli = join(import.meta.dirname, '../src/cli.ts');
  const script = `ulimit -f 200; exec "${process.execPath}" "${cli}" backup full.backup`;
  const child = spawn('sh', ['-c', script], { cwd: folder, env: { PATH: process.env['PATH'] ?? '' } });
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  assert.deepEqual([code, /^bellwire: .*full\.backup\.part cannot be written: /.test(stderr)], [1, true], stderr);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('full')),
    [],
  );
});

test('restore asks for the keys and for an empty place, and the store it makes is served', async () => {
  await run('backup', 'tuesday.backup');
  const running = await run('restore', 'tuesday.backup');
  assert.deepEqual([running.code, /another process already runs on/.test(running.stderr)], [1, true]);
  const keyless = await run('restore', 'tuesday.backup', '--data', 'other');
  assert.deepEqual([keyless.code, /need key [0-9a-f]{8}: put your copy/.test(keyless.stderr)], [1, true]);
  assert.ok(!existsSync(join(folder, 'other', 'bellwire.db')));
  mkdirSync(join(folder, 'other'), { recursive: true });
  writeFileSync(join(folder, 'other', 'secret-keys'), 'no key\n', { mode: 0o600 });
  const spoilt = await run('restore', 'tuesday.backup', '--data', 'other');
  assert.deepEqual(
    [spoilt.code, /^bellwire: [^\n]*secret-keys[^\n]*\n$/.test(spoilt.stderr)],
    [1, true],
    spoilt.stderr,
  );
  cpSync(join(folder, 'data', 'secret-keys'), join(folder, 'other', 'secret-keys'));
  const { code, stdout, stderr } = await run('restore', 'tuesday.backup', '--data', 'other');
  assert.deepEqual([code, stdout.startsWith('restored from ./tuesday.backup, as it was at')], [0, true], stderr);
  for (const line of `${stdout}${stderr}`.split('\n')) assert.ok(line.length <= 80, line);
  const full = await run('restore', 'tuesday.backup', '--data', 'other');
  assert.deepEqual([full.code, /is there already/.test(full.stderr)], [1, true]);
  const none = await run('restore', 'wednesday.backup', '--data', 'third');
  assert.deepEqual([none.code, /there is no file .*wednesday\.backup/.test(none.stderr)], [1, true]);
});

test('copy refuses a store on which a platform runs, unless that is said', async () => {
  const target = ['--to', `sqlite:${join(folder, 'copy.db')}`];
  const { code, stderr } = await run('copy', ...target);
  assert.deepEqual([code, /a platform runs on .*: stop it first/.test(stderr)], [1, true]);
  assert.ok(!existsSync(join(folder, 'copy.db')));
  const done = await run('copy', ...target, '--while-running');
  assert.deepEqual([done.code, /^events +3$/m.test(done.stdout)], [0, true], done.stderr);
  for (const line of `${done.stdout}${done.stderr}`.split('\n')) assert.ok(line.length <= 80, line);
  assert.equal((await run('copy')).code, 2);
});
