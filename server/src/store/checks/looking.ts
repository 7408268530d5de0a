// A store that is only looked at: a read-only connection beside whoever runs on it.
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import type { Row, Value } from '../sql.ts';
import { refuseBackup } from '../sqlite.ts';
import { whyNoFile } from '../sqlite-file.ts';
import { NoStoreYet, TooLong, type Looking } from './check.ts';

/** How long one query of a database may take. One of a file holds nobody up, however long it takes. */
const MOST_MS = 30_000;
const INT8 = 20;
/** SQLSTATE query_canceled. */
const CANCELED = '57014';

/** How a database is looked at. */
export interface LookOptions {
  connectTimeoutMs?: number;
  mostMs?: number;
}

/** Opens it. Throws in words where it cannot be looked at; {@link NoStoreYet} where a start would make it. */
export async function openLooking(address: string, options: LookOptions = {}): Promise<Looking> {
  const isPostgres = /^postgres(ql)?:\/\//.test(address);
  const looking = isPostgres ? await lookAtPostgres(address, options) : lookAtSqlite(address);
  try {
    await refuseNone(looking);
    return looking;
  } catch (error) {
    await looking.close();
    throw error;
  }
}

async function refuseNone({ engine, name, ask }: Looking): Promise<void> {
  const table = `SELECT 1 AS one FROM sqlite_schema WHERE name = 'migrations'`;
  const rows = await ask(engine === 'sqlite' ? table : `SELECT 1 AS one WHERE to_regclass('migrations') IS NOT NULL`);
  if (rows.length === 0) throw new NoStoreYet(`there is no store in ${name} yet`);
}

// The log beside the file is read, too: what the running platform has committed is seen.
function lookAtSqlite(file: string): Looking {
  const none = whyNoFile(file);
  if (none) throw none.isThere ? new Error(none.why) : new NoStoreYet(`${none.why} yet`);
  const db = openFile(file);
  return {
    engine: 'sqlite',
    name: file,
    async ask<R = Row>(text: string, values: readonly Value[] = []): Promise<R[]> {
      const order = Array.from(text.matchAll(/\$(\d+)/g), ([, n]) => values[Number(n) - 1] ?? null);
      return db.prepare(text.replace(/\$\d+/g, '?')).all(...order) as R[];
    },
    close: async () => db.close(),
  };
}

function openFile(file: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { readOnly: true, timeout: MOST_MS });
    refuseBackup(db);
    return db;
  } catch (error) {
    db?.close();
    throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
  }
}

// Each query is a transaction of its own, READ ONLY: none holds anything back for longer than it takes.
async function lookAtPostgres(
  url: string,
  { connectTimeoutMs = 10_000, mostMs = MOST_MS }: LookOptions,
): Promise<Looking> {
  const types = new pg.TypeOverrides();
  types.setTypeParser(INT8, Number);
  const client = new pg.Client({
    connectionString: url,
    types,
    application_name: 'bellwire doctor',
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: mostMs,
    query_timeout: mostMs + 5_000,
  });
  client.on('error', () => undefined);
  const name = `PostgreSQL at ${new URL(url).host}`;
  try {
    await client.connect();
    await client.query('SET default_transaction_read_only = on');
  } catch (error) {
    const errors = error instanceof AggregateError ? (error.errors as Error[]) : [error as Error];
    await client.end().catch(() => undefined);
    throw new Error(`${name} does not answer: ${errors.map(({ message }) => message).join('; ')}`, { cause: error });
  }
  return {
    engine: 'postgres',
    name,
    async ask<R = Row>(text: string, values: readonly Value[] = []): Promise<R[]> {
      try {
        return (await client.query({ text, values: [...values] as unknown[] })).rows as R[];
      } catch (error) {
        if ((error as { code?: string }).code !== CANCELED) throw error;
        throw new TooLong(`the database took longer than ${mostMs / 1_000} s`, { cause: error });
      }
    },
    close: () => client.end(),
  };
}
