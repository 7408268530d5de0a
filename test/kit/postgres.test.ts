// The test PostgreSQL itself: what a broken one would hide.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import pg from 'pg';
import { sharedPostgresVariable, startPostgres, testDatabase, withoutPostgres } from './postgres.ts';

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return Object.values((await client.query(sql)).rows[0] as object)[0];
  } finally {
    await client.end();
  }
}

test('the kit: on linux-x64 there is always a PostgreSQL', () => {
  if (process.platform === 'linux' && process.arch === 'x64') assert.equal(withoutPostgres, false);
});

test('the kit: each test has a database of its own', { skip: withoutPostgres }, async (t) => {
  const [one, other] = [await testDatabase(t), await testDatabase(t)];
  await ask(one, 'CREATE TABLE only_here AS SELECT 1 AS one; SELECT 1').catch(() => {});
  assert.equal(await ask(one, `SELECT to_regclass('only_here')::text`), 'only_here');
  assert.equal(await ask(other, `SELECT to_regclass('only_here')::text`), null);
  assert.equal(await ask(one, 'SHOW server_encoding'), 'UTF8');
});

test('the kit: fsync and settings are what was asked for', { skip: withoutPostgres }, async (t) => {
  const server = await startPostgres({ fsync: true, settings: { max_connections: '7' } });
  t.after(() => server.stop());
  assert.equal(await ask(server.url, 'SHOW fsync'), 'on');
  assert.equal(await ask(server.url, 'SHOW synchronous_commit'), 'on');
  assert.equal(await ask(server.url, 'SHOW max_connections'), '7');
  assert.equal((await server.admin('SELECT 1 AS one'))[0]?.['one'], 1);
  process.kill(server.pid, 0);
  await server.stop();
  await server.stop();
  assert.throws(() => process.kill(server.pid, 0), { code: 'ESRCH' });
});

test(
  'the kit: a server ends with the process that started it, SIGKILL included',
  { skip: withoutPostgres },
  async () => {
    const starter = `
    const { startPostgres } = await import(${JSON.stringify(import.meta.resolve('./postgres.ts'))});
    const { pid, url } = await startPostgres();
    console.log(JSON.stringify({ pid, url }));
    setInterval(() => {}, 1000);
  `;
    const { [sharedPostgresVariable]: _, ...env } = process.env;
    const args = ['--input-type=module', '-e', starter];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { pid, url } = JSON.parse(line.toString()) as { pid: number; url: string };
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const cut = once(client, 'error');
    process.kill(pid, 0);
    child.kill('SIGKILL');
    await cut;
  },
);
