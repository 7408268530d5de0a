// A store that is only looked at: a read-only connection beside whoever runs on it.
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import type { Row, Value } from '../sql.ts';
import { TooLong, type Looking } from './check.ts';

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

/** Opens it. Throws in words where there is none, or where it does not answer. */
export function openLooking(address: string, options: LookOptions = {}): Promise<Looking> {
  return /^postgres(ql)?:\/\//.test(address) ? lookAtPostgres(address, options) : lookAtSqlite(address);
}

// The log beside the file is read, too: what the running platform has committed is seen.
async function lookAtSqlite(file: string): Promise<Looking> {
  if (!existsSync(file)) throw new Error(`there is no file ${file} yet`);
  const db = new DatabaseSync(file, { readOnly: true, timeout: MOST_MS });
  try {
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
  } catch (error) {
    db.close();
    throw error;
  }
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
