// The ends of a move on PostgreSQL: one transaction that sees one instant, and one that fills an empty schema.
import pg from 'pg';
import { postgresDialect, sessionLock } from '../postgres.ts';
import type { ColumnKind } from '../sql.ts';
import { MoveRefusal, PORTION, weightOf, type Source, type Target } from './ends.ts';
import { shapesOf, type Cell, type Shape } from './rows.ts';

const ANSWER_MS = 10_000;

/** Begins to read a database. Its snapshot is that of this instant. Throws {@link MoveRefusal}. */
export async function readPostgres(url: string): Promise<Source> {
  const client = await connect(url);
  const name = nameOf(url);
  await said(name, client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1'));
  return {
    engine: 'postgres',
    name,
    ...readerOf(client, name),
    letGo: async () => void (await said(name, client.query('COMMIT'))),
    isRunning: () => isRunning(client, name),
    close: () => client.end(),
  };
}

/**
 * Begins to fill a database, whose schema must be empty. Whoever starts a platform on it meanwhile waits. Throws
 * {@link MoveRefusal}.
 */
export async function writePostgres(url: string): Promise<Target> {
  const client = await connect(url);
  const name = nameOf(url);
  // The lock by which migrations take turns (../migrate.ts).
  await said(name, client.query('BEGIN; SELECT pg_advisory_xact_lock(7090744, 1)'));
  return {
    engine: 'postgres',
    dialect: postgresDialect,
    name,
    ...readerOf(client, name),
    write: (table, rows) => said(name, write(client, table, rows)),
    run: async (text, values = []) => (await said(name, client.query(text, [...values]))).rowCount ?? 0,
    keep: async () => void (await said(name, client.query('COMMIT'))),
    // Without COMMIT before, the server rolls all of it back.
    close: () => client.end(),
  };
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'bellwire',
    connectionTimeoutMillis: ANSWER_MS,
    keepAlive: true,
  });
  // What breaks fails the statement that is under way.
  client.on('error', () => undefined);
  const name = nameOf(url);
  await said(name, client.connect());
  await said(name, client.query('SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0'));
  return client;
}

function nameOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `PostgreSQL at ${host}${pathname}`;
}

async function said<T>(name: string, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof MoveRefusal) throw error;
    const { message, errors } = error as Error & { errors?: Error[] };
    throw new MoveRefusal(`${name}: ${errors?.map((one) => one.message).join('; ') ?? message}`);
  }
}

const KINDS: Readonly<Record<string, ColumnKind>> = { bigint: 'int', text: 'text', bytea: 'bytes' };

function readerOf(client: pg.Client, where: string): Pick<Source, 'tables' | 'rows' | 'ask'> {
  return {
    async tables() {
      const { rows } = await said(
        where,
        client.query<{ table: string; name: string; type: string }>(
          `SELECT c.table_name AS "table", c.column_name AS name, c.data_type AS type
           FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
           WHERE t.table_schema = current_schema() AND t.table_type = 'BASE TABLE'
           ORDER BY c.table_name COLLATE "C", c.ordinal_position`,
        ),
      );
      return shapesOf(rows, KINDS);
    },
    rows: (table) => rowsOf(client, where, table),
    ask: async <R>(text: string) => (await said(where, client.query(text))).rows as R[],
  };
}

// A cursor gives so many rows at a time; big ones are then handed on in smaller portions.
async function* rowsOf(client: pg.Client, where: string, { name, columns }: Shape): AsyncGenerator<Cell[][]> {
  const names = columns.map((column) => column.name).join(', ');
  await said(where, client.query(`DECLARE moving NO SCROLL CURSOR FOR SELECT ${names} FROM ${name}`));
  let size = PORTION.rows;
  for (;;) {
    const query = { text: `FETCH ${size} FROM moving`, rowMode: 'array' as const };
    const { rows } = await said(where, client.query<Cell[]>(query));
    if (rows.length === 0) break;
    yield rows;
    // Bodies of megabytes come fewer at a time.
    const each = rows.reduce((sum, row) => sum + weightOf(row), 0) / rows.length;
    size = Math.max(1, Math.min(PORTION.rows, Math.floor(PORTION.bytes / each)));
  }
  await said(where, client.query('CLOSE moving'));
}

// A platform holds a lock by the name under which it owns its lanes.
async function isRunning(client: pg.Client, name: string): Promise<boolean> {
  const { rows } = await said(
    name,
    client.query<{ node: string }>('SELECT DISTINCT node FROM lanes WHERE node IS NOT NULL'),
  );
  for (const { node } of rows) {
    const [space, key] = sessionLock(node);
    const held = await said(
      name,
      client.query(
        `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid::bigint = $1 AND objid::bigint = $2
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        [space, key >>> 0],
      ),
    );
    if (held.rows.length > 0) return true;
  }
  return false;
}

const LARGEST_INSERT = 256;
const ARRAY_OF: Record<string, string> = { int: 'bigint[]', text: 'text[]', bytes: 'bytea[]' };

// As in ../postgres.ts: an array per column is the cheapest way in, but bytes in one would travel as text.
async function write(client: pg.Client, table: Shape, rows: readonly Cell[][]): Promise<void> {
  const { name, columns } = table;
  const names = columns.map((column) => column.name).join(', ');
  if (!columns.some(({ kind }) => kind === 'bytes')) {
    const arrays = columns.map(({ kind }, i) => `$${i + 1}::${ARRAY_OF[kind]}`).join(', ');
    await client.query({
      name: `moving ${name}`,
      text: `INSERT INTO ${name} (${names}) SELECT * FROM unnest(${arrays})`,
      values: columns.map((_, i) => rows.map((row) => row[i])),
    });
    return;
  }
  for (let from = 0; from < rows.length;) {
    const size = Math.min(LARGEST_INSERT, 2 ** Math.floor(Math.log2(rows.length - from)));
    const tuples = Array.from({ length: size }, (_, row) => `(${marks(columns.length, row)})`).join(', ');
    await client.query({
      name: `moving ${name} ${size}`,
      text: `INSERT INTO ${name} (${names}) VALUES ${tuples}`,
      values: rows.slice(from, from + size).flat(),
    });
    from += size;
  }
}

function marks(columns: number, row: number): string {
  return Array.from({ length: columns }, (_, i) => `$${row * columns + i + 1}`).join(', ');
}
