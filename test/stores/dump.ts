// A store as a file: SQLite's own file, packed, and of PostgreSQL a dump that any client can load, for pg_dump is not on
// every machine.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import pg from 'pg';
import type { Place } from './installation.ts';

/** Where `openStore` finds the store of a place. */
export function addressOf({ folder, store }: Place): string {
  return store === 'sqlite' ? join(folder, 'bellwire.db') : store;
}

/** Runs one statement on a store that is closed. */
export async function runOn<Row = Record<string, unknown>>(place: Place, text: string): Promise<Row[]> {
  if (place.store !== 'sqlite')
    return withClient(place.store, async (client) => (await client.query(text)).rows as Row[]);
  const db = new DatabaseSync(addressOf(place));
  try {
    return db.prepare(text).all() as Row[];
  } finally {
    db.close();
  }
}

/** The number of rows of each table. */
export async function countRows(place: Place): Promise<Record<string, number>> {
  const tables = await runOn<{ name: string }>(
    place,
    place.store === 'sqlite'
      ? "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
      : "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
  );
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const [row] = await runOn<{ rows: unknown }>(place, `SELECT count(*) AS rows FROM ${name}`);
    counts[name] = Number(row!.rows);
  }
  return counts;
}

/** Packs a closed store into a file. */
export async function pack(place: Place, file: string): Promise<void> {
  const bytes = place.store === 'sqlite' ? packSqlite(addressOf(place)) : Buffer.from(await dump(place.store));
  writeFileSync(file, gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION }));
}

/** Unpacks it into a place that is empty. */
export async function unpack(file: string, place: Place): Promise<void> {
  const bytes = gunzipSync(readFileSync(file));
  if (place.store === 'sqlite') writeFileSync(addressOf(place), bytes);
  else await withClient(place.store, (client) => client.query(bytes.toString()));
}

function packSqlite(address: string): Buffer {
  const copy = `${address}.packed`;
  const db = new DatabaseSync(address);
  db.exec(`VACUUM INTO '${copy}'`);
  db.close();
  const bytes = readFileSync(copy);
  rmSync(copy);
  return bytes;
}

/** Tables with all that the schema says of them, their rows, then constraints and indexes. */
function dump(url: string): Promise<string> {
  return withClient(url, async (client) => {
    const ask = async (text: string, values: string[] = []): Promise<string[]> =>
      (await client.query<[string]>({ text, values, rowMode: 'array' })).rows.map(([first]) => first);
    const tables = await ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename");
    const lines: string[] = [];
    for (const table of tables) {
      lines.push(...(await ask(CREATE, [table])), ...(await ask(STATISTICS, [table])));
      const [row] = await ask(ROW, [table]);
      const rows = await ask(row!);
      if (rows.length > 0) lines.push(`INSERT INTO ${table} VALUES\n${rows.join(',\n')};`);
      lines.push(...(await ask(CONSTRAINTS, [table])), ...(await ask(INDEXES, [table])));
    }
    return `${lines.join('\n')}\n`;
  });
}

const CREATE = `
  SELECT format('CREATE TABLE %I (%s)%s;', c.relname,
    string_agg(format('%I %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
      CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
      coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')), ', ' ORDER BY a.attnum),
    CASE WHEN c.reloptions IS NULL THEN '' ELSE format(' WITH (%s)', array_to_string(c.reloptions, ', ')) END)
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.oid = $1::regclass GROUP BY c.oid, c.relname, c.reloptions`;
const STATISTICS = `
  SELECT format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s;', $1::text, attname, attstattarget)
  FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND attstattarget >= 0 ORDER BY attnum`;
/** A query that gives each row as a tuple of literals, in the order of the primary key. */
const ROW = `
  SELECT format('SELECT concat(''('', concat_ws('', '', %s), '')'') FROM %s ORDER BY 1',
    string_agg(format('quote_nullable(%I::text)', attname), ', ' ORDER BY attnum), $1::text)
  FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`;
const CONSTRAINTS = `
  SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s;', $1::text, conname, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE conrelid = $1::regclass AND contype IN ('p', 'u', 'f', 'c') ORDER BY contype, conname`;
const INDEXES = `
  SELECT pg_get_indexdef(i.indexrelid) || ';' FROM pg_index i
  WHERE i.indrelid = $1::regclass AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid) ORDER BY 1`;

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
