// Sheets in tables and the action sql: on SQLite files and on PostgreSQL, one row per key, parameters only, all bounded.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import { testDatabase, withoutPostgres } from '../../test/kit/postgres.ts';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import type { ActionContext } from '../src/flow/action.ts';
import { createSql } from '../src/flow/actions/sql.ts';
import { createDatabases } from '../src/flow/databases/index.ts';
import { sqliteFault } from '../src/flow/databases/outcome.ts';
import { createSqlPlace } from '../src/flow/sheets/sql.ts';
import type { Json } from '../src/model/flow/definition.ts';
import type { Sheet } from '../src/model/sheet.ts';
import { allowed, atHand, failing, sheetFolder } from './sheet-ground.ts';

/** A database as somebody else keeps it. */
interface Kept {
  url: string;
  do(text: string): Promise<unknown[]>;
  /** How the first parameter is written. */
  mark: string;
}

const KINDS = {
  sqlite: async (t: TestContext, folder: string): Promise<Kept> => {
    const database = new DatabaseSync(join(folder, 'audit.db'));
    t.after(() => database.close());
    return { url: 'sqlite:audit.db', do: async (text) => database.prepare(text).all(), mark: '?' };
  },
  postgres: async (t: TestContext): Promise<Kept> => {
    const url = await testDatabase(t);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    // The database is dropped with all that is connected to it.
    client.on('error', () => undefined);
    t.after(() => client.end());
    return { url, do: async (text) => (await client.query(text)).rows as unknown[], mark: '$1' };
  },
};

type Kind = keyof typeof KINDS;

const bothKinds = (name: string, run: (t: TestContext, kind: Kind) => Promise<void>): void => {
  test(`${name} (sqlite)`, (t) => run(t, 'sqlite'));
  test(`${name} (postgres)`, { skip: withoutPostgres }, (t) => run(t, 'postgres'));
};

async function furnish(t: TestContext, kind: Kind, { allow = ['127.0.0.0/8'] }: { allow?: string[] } = {}) {
  const folder = sheetFolder(t);
  const databases = createDatabases({ addresses: createAddressGuard({ allow }), files: allowed(folder) });
  t.after(() => databases.close());
  const kept = await KINDS[kind](t, folder);
  const place = createSqlPlace({ databases, maxBytes: 65_536 });
  const at = (over: Partial<Sheet> = {}) =>
    atHand({ kind: 'sql', connection: 'DB', table: 'audit' }, { secrets: { DB: kept.url }, ...over });
  const action = createSql({ databases, maxBytes: 65_536 });
  const sql = (query: string, params: Json[] = [], over: Partial<ActionContext> = {}) => {
    const input = { connection: kept.url, query, params };
    const context = { input, timeoutMs: null, signal: new AbortController().signal, ...over };
    return action.run(context as unknown as ActionContext) as Promise<{ rows: Json[]; count: number }>;
  };
  return { ...kept, folder, databases, place, at, sql };
}

bothKinds('R98 R106 a row goes to the columns of its titles, once per key, unique or not', async (t, kind) => {
  for (const unique of ['', 'PRIMARY KEY']) {
    const { place, at, ...kept } = await furnish(t, kind);
    await kept.do(`CREATE TABLE audit (id text ${unique}, "user" text DEFAULT 'nobody', text text, n numeric)`);
    const sheet = at({ columns: ['id', 'user', 'text', 'n'] });
    const first = { key: 'k', cells: { A: 'evt-1', text: `'); DROP TABLE audit; --`, n: 1.5 } };
    assert.deepEqual(await place.append(sheet, first), { row: null, added: true });
    assert.deepEqual(await place.append(sheet, first), { row: null, added: false });
    const asked = Array.from({ length: 12 }, () => place.append(sheet, { key: 'k', cells: { id: 'evt-2' } }));
    assert.equal((await Promise.all(asked)).filter(({ added }) => added).length, 1);
    await place.append(sheet, { key: 'req_7/steps[0]', cells: { user: null } });
    assert.deepEqual(await place.lookup(sheet, { match: { A: 'evt-1' }, limit: 9 }), [
      { row: 1, cells: { A: 'evt-1', B: 'nobody', C: `'); DROP TABLE audit; --`, D: 1.5 } },
    ]);
    const [last] = await place.lookup(sheet, { match: { user: null }, limit: 9 });
    assert.equal(last?.cells['A'], 'req_7/steps[0]');
    assert.equal((await kept.do('SELECT 1 FROM audit')).length, 3);
  }
});

bothKinds('R98 rows are updated where they stand; upsert appends once', async (t, kind) => {
  const { place, at, ...kept } = await furnish(t, kind);
  await kept.do('CREATE TABLE audit (id text PRIMARY KEY, "user" text, text text)');
  await place.append(at(), { key: 'k', cells: { id: 'evt-1' } });
  const change = { match: { id: 'evt-1', user: null }, cells: { user: 'a', text: null }, upsert: false, key: 'k' };
  assert.deepEqual(await place.update(at(), change), { updated: 1, added: false });
  assert.deepEqual(await place.update(at(), change), { updated: 0, added: false });
  const upsert = { match: { id: 'evt-2' }, cells: { user: 'b' }, upsert: true, key: 'k' };
  assert.deepEqual(await place.update(at(), upsert), { updated: 0, added: true });
  assert.deepEqual(await place.update(at(), upsert), { updated: 1, added: false });
});

bothKinds('R106 a value that another row has already is told, not lost in silence', async (t, kind) => {
  const { place, at, ...kept } = await furnish(t, kind);
  await kept.do('CREATE TABLE audit (id text, "user" text UNIQUE, text text)');
  await place.append(at(), { key: 'k', cells: { id: 'evt-1', user: 'a' } });
  const asked = place.append(at(), { key: 'k', cells: { id: 'evt-2', user: 'a' } });
  await assert.rejects(asked, failing(/wants to be there once/, false));
});

bothKinds(
  'bad input: a table or a column that is gone, a sheet without a key column, a secret that is not',
  async (t, kind) => {
    const { place, at, ...kept } = await furnish(t, kind);
    const append = (over: Partial<Sheet> = {}) => place.append(at(over), { key: 'k', cells: { id: 'evt-1' } });
    await assert.rejects(append(), failing(/no such table: audit|relation "audit" does not exist/, false));
    await kept.do('CREATE TABLE audit (nr text)');
    await assert.rejects(append(), failing(/no such column: "?id|column "id" .*does not exist/, false));
    await assert.rejects(append({ keyColumn: null }), failing(/needs a keyColumn/, false));
    const none = { ...at(), secrets: {} };
    await assert.rejects(place.append(none, { key: 'k', cells: {} }), failing(/no secret DB/, false));
  },
);

bothKinds('R98 Action sql: rows by parameters, counts of changes, and one statement at a time', async (t, kind) => {
  const { sql, mark } = await furnish(t, kind);
  const [a, b] = mark === '?' ? ['?', '?'] : ['$1', '$2'];
  assert.deepEqual(await sql('CREATE TABLE t (n int, s text, f float, ok boolean)'), { rows: [], count: 0 });
  assert.equal((await sql(`INSERT INTO t (n, s) VALUES (${a}, ${b}), (2, 'b')`, [1, `'; DELETE FROM t`])).count, 2);
  assert.deepEqual(await sql(`SELECT n, s, f FROM t WHERE n = ${a}`, [1]), {
    rows: [{ n: 1, s: `'; DELETE FROM t`, f: null }],
    count: 1,
  });
  assert.equal((await sql(`UPDATE t SET ok = ${a}`, [true])).count, 2);
  assert.deepEqual((await sql(`DELETE FROM t WHERE n = ${a} RETURNING n`, [2])).rows, [{ n: 2 }]);
  if (kind === 'postgres') {
    await assert.rejects(sql('SELECT 1; SELECT 2'), failing(/cannot insert multiple commands/, false));
    const { rows } = await sql(
      `SELECT 9007199254740993::int8 AS big, 1.50::numeric AS price, '{"a":[1]}'::jsonb AS doc, ARRAY['x','y'] AS list,
        '\\x00ff'::bytea AS bytes, DATE '2026-11-23' AS day, TIMESTAMPTZ '2026-11-23 01:00+01' AS at, 'NaN'::float8 AS nan`,
    );
    const at = '2026-11-23T00:00:00.000Z';
    const exact = { big: '9007199254740993', price: '1.50', list: ['x', 'y'], bytes: 'AP8=' };
    assert.deepEqual(rows, [{ ...exact, doc: { a: [1] }, day: '2026-11-23', at, nan: 'NaN' }]);
  }
});

bothKinds(
  'bad input: Action sql: rows without end, one that is huge, and a statement that takes too long',
  async (t, kind) => {
    const { sql } = await furnish(t, kind);
    const endless = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT';
    await assert.rejects(sql(`${endless} x FROM c`), failing(/more than 10000 rows or 64 KiB/, false));
    const huge = kind === 'sqlite' ? `SELECT hex(zeroblob(1000000)) AS x` : `SELECT repeat('x', 50000000) AS x`;
    await assert.rejects(sql(huge), failing(/more than 10000 rows or 64 KiB/, false));
    const count = `${endless} count(*) FROM c`;
    await assert.rejects(sql(count, [], { timeoutMs: 300 }), failing(/took longer than 0\.3 s/, true));
    const over = new AbortController();
    const asked = sql(count, [], { signal: over.signal });
    over.abort(new Error('the run is to end'));
    await assert.rejects(asked, /the run is to end/);
    // What is asked next is not held up by it.
    assert.deepEqual((await sql('SELECT 1 AS one')).rows, [{ one: 1 }]);
  },
);

test('bad input: Action sql: a SQLite file reaches no other file, and none is made by mistake', async (t) => {
  const { sql, folder, databases } = await furnish(t, 'sqlite');
  const out = join(folder, 'out.db');
  const statements = [
    `ATTACH '${out}' AS o`,
    `VACUUM INTO '${out}'`,
    'PRAGMA journal_mode = OFF',
    `SELECT load_extension('x')`,
  ];
  for (const statement of statements)
    await assert.rejects(sql(statement), failing(/not authorized|authorization denied/, false));
  writeFileSync(join(folder, 'none.db'), 'this is no database, whatever its name says, and long enough to be read');
  mkdirSync(join(folder, 'folder.db'));
  for (const [url, words, retryable] of [
    ['sqlite:gone.db', /is gone/, true],
    ['sqlite:../x.db', /in no folder/, false],
    ['sqlite:folder.db', /is no file/, false],
    ['mysql://a:b@c/d', /begins with postgres/, false],
    ['postgres://h', /a host, a user and a database/, false],
    ['postgres://u@h/d?sslrootcert=/etc/passwd', /sslrootcert is not known/, false],
    ['postgres://u@h/d?host=/tmp', /host is not known/, false],
  ] as const) {
    await assert.rejects(databases.open(url), failing(words, retryable), url);
  }
  const bounds = { rows: 1, bytes: 1_000, deadlineMs: 10_000, signal: new AbortController().signal };
  const none = await databases.open('sqlite:none.db');
  await assert.rejects(
    none.session(bounds, (query) => query('SELECT 1 FROM t', [])),
    failing(/not a database/, false),
  );
});

test('bad input: a SQLite file that is locked or full says so, and may be tried again', async (t) => {
  const { sql, ...kept } = await furnish(t, 'sqlite');
  await kept.do('CREATE TABLE t (x)');
  await kept.do('BEGIN EXCLUSIVE');
  await assert.rejects(sql('INSERT INTO t VALUES (1)'), failing(/is locked by another program/, true));
  await kept.do('COMMIT');
  const full = sqliteFault('the database audit.db', { message: 'database or disk is full', errcode: 13 });
  failing(/the disk is full/, true)(full);
  assert.equal((await sql('INSERT INTO t VALUES (1)')).count, 1);
});

test(
  'R98 PostgreSQL is reached at allowed addresses only, and what is not there says so',
  { skip: withoutPostgres },
  async (t) => {
    const refused = await furnish(t, 'postgres', { allow: [] });
    await assert.rejects(
      refused.sql('SELECT 1'),
      failing(/is a loopback address, which the operator does not allow/, false),
    );
    const { databases, url } = await furnish(t, 'postgres');
    const bounds = { rows: 1, bytes: 1_000, deadlineMs: 10_000, signal: new AbortController().signal };
    const ask = async (other: (url: URL) => void) => {
      const changed = new URL(url);
      other(changed);
      return (await databases.open(changed.href)).session(bounds, (query) => query('SELECT 1', []));
    };
    await assert.rejects(
      ask((one) => (one.port = '1')),
      failing(/does not answer: .*ECONNREFUSED/, true),
    );
    await assert.rejects(
      ask((one) => (one.password = 'wrong')),
      failing(/refuses: password authentication failed/, false),
    );
    await assert.rejects(
      ask((one) => (one.search = 'sslmode=require')),
      failing(/does not support SSL/, false),
    );
  },
);
