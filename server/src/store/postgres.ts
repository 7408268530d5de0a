// PostgreSQL at the bottom of the store: pools of connections, prepared multi-row statements.
//
// Measured on two cores: multi-row VALUES in prepared power-of-two sizes is the cheapest way in (33–40k rows/s,
// buffers travel binary); `UPDATE … FROM unnest()` the cheapest way to change many rows.
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { StoreOutage } from './contract.ts';
import type { HintChannel } from './hints.ts';
import {
  TABLES,
  type ColumnKind,
  type Dialect,
  type Row,
  type Sql,
  type Table,
  type TableName,
  type Tx,
  type Update,
  type Value,
} from './sql.ts';

export const postgresDialect: Dialect = {
  name: 'postgres',
  forUpdate: ' FOR UPDATE',
  bytes: 'BYTEA',
  clustered: '',
  updated: ' WITH (fillfactor = 70)',
  unsampled: (table, columns) =>
    `ALTER TABLE ${table} ${columns.map((column) => `ALTER COLUMN ${column} SET STATISTICS 0`).join(', ')};`,
};

const INT8 = 20;
const LARGEST_INSERT = 256;
/** Serialisation failure and deadlock: the transaction was undone by PostgreSQL and may simply run again. */
const RETRYABLE = new Set(['40001', '40P01']);
const RETRIES = 5;

/** How the pools are sized and guarded. */
export interface PostgresOptions {
  /** Connections in all, at least three: one is kept for the session, a fifth of them is for scans. */
  connections: number;
  /** How long a connection may take to open. */
  connectTimeoutMs: number;
  /** How long a statement may take. A server that does not answer at all is given up then, too. */
  statementTimeoutMs: number;
  /** May `scrub` rewrite tables, for which everybody else has to wait? */
  rewritesErased?: boolean;
  /** Is told of errors of connections that are in nobody's hands. */
  onError: (error: Error) => void;
}

/** Opens the pools on the database. Connects lazily; `check` of the store says whether it answers. */
export function openPostgres(url: string, options: PostgresOptions): Sql {
  const scans = Math.max(1, Math.floor(options.connections / SHARE_OF_SCANS));
  const pool = openPool(url, options, Math.max(2, options.connections - scans));
  return new Postgres({ pool, scans: openPool(url, options, scans) }, `PostgreSQL at ${new URL(url).host}`, options);
}

function openPool(url: string, options: PostgresOptions, max: number): pg.Pool {
  const types = new pg.TypeOverrides();
  types.setTypeParser(INT8, Number);
  const pool = new pg.Pool({
    connectionString: url,
    max,
    types,
    application_name: 'bellwire',
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    query_timeout: options.statementTimeoutMs + GRACE_MS,
    keepAlive: true,
    // A transaction of ours lasts milliseconds. One whose node froze must not hold its workspace for longer than this.
    idle_in_transaction_session_timeout: 10_000,
  });
  pool.on('error', options.onError);
  // A connection that ends between two statements of a transaction tells of it by an event: the next statement fails.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

const SHARE_OF_SCANS = 5;
const PAYLOAD_TABLES = [
  'events',
  'deliveries',
  'attempts',
  'leases',
  'relays',
  'erasures',
  'runs',
  'run_steps',
  'run_log',
  'hook_requests',
];
/** From here on nothing needs the log's former segments, nor the tables' former files. */
const LEAVE_THE_LOG = ['SELECT pg_switch_wal()', 'CHECKPOINT'];

// Both may be kept to administrators: then they happen when the server comes to it.
function unlessForbidden(error: unknown): void {
  if ((error as { code?: string }).code !== '42501') throw error;
}

const VACUUM_MS = 6 * 3_600_000;
const GRACE_MS = 5_000;
const HOLD_AGAIN_MS = 1_000;

// SQLSTATE classes: 08 connection, 28 authorization, 3D no such database, 53 resources, 57 operator intervention, 58
// system error; 25006 is a standby that was not promoted. What has no SQLSTATE comes from the way there.
const OUTAGE = /^(08|28|3D|53|57|58|25006)/;

function inWords(where: string, error: unknown): unknown {
  if (error instanceof StoreOutage) return error;
  const { code, message } = error as { code?: string; message: string };
  const severe = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in (error as Error);
  if (severe && !OUTAGE.test(code)) return error;
  const errors = error instanceof AggregateError ? (error.errors as Error[]).map((one) => one.message) : [message];
  return new StoreOutage(`${where} ${severe ? 'refuses' : 'does not answer'}: ${errors.join('; ')}`, { cause: error });
}

class Postgres implements Sql {
  readonly dialect = postgresDialect;
  readonly hints: HintChannel = {
    send: (text) => this.#sendHint(text),
    hear: (listener) => void (this.#hear = listener),
  };
  readonly #pool: pg.Pool;
  readonly #scans: pg.Pool;
  readonly #where: string;
  readonly #options: PostgresOptions;
  #session: pg.PoolClient | null = null;
  /** Its session in short, by which it knows its own hints. */
  #name = '';
  #hear: (text: string) => void = () => undefined;
  #closing: Promise<void> | null = null;

  constructor(pools: { pool: pg.Pool; scans: pg.Pool }, where: string, options: PostgresOptions) {
    this.#pool = pools.pool;
    this.#scans = pools.scans;
    this.#where = where;
    this.#options = options;
  }

  async write<T>(work: (tx: Tx) => Promise<T>, { synced = true } = {}): Promise<T> {
    for (let run = 1; ; run++) {
      const client = await this.#said(this.#pool.connect());
      let broken = false;
      try {
        const tx = new PostgresTx((query) => this.#said(client.query(query)), synced);
        const result = await work(tx);
        await tx.commit();
        return result;
      } catch (error) {
        broken =
          error instanceof StoreOutage ||
          (await client.query('ROLLBACK').then(
            () => false,
            () => true,
          ));
        if (!RETRYABLE.has((error as { code?: string }).code ?? '')) throw error;
        if (run === RETRIES) {
          throw new StoreOutage(`${this.#where} is too busy: ${(error as Error).message}`, { cause: error });
        }
      } finally {
        client.release(broken);
      }
    }
  }

  read<R = Row>(text: string, values: readonly Value[] = []): Promise<R[]> {
    return this.#query(this.#pool, text, values);
  }

  scan<R = Row>(text: string, values: readonly Value[] = []): Promise<R[]> {
    return this.#query(this.#scans, text, values);
  }

  async #query<R>(pool: pg.Pool, text: string, values: readonly Value[]): Promise<R[]> {
    const { rows } = await this.#said(pool.query({ name: nameOf(text), text, values: values as unknown[] }));
    return rows as R[];
  }

  // VACUUM takes what was deleted out of reach of every query and lets its room be used again; bytes of it may stand in
  // the files until they are. Only VACUUM FULL leaves none, and stops everybody meanwhile: the operator says whether.
  async scrub(): Promise<void> {
    const client = await this.#said(this.#scans.connect());
    const run = (text: string): Promise<unknown> =>
      this.#said(client.query({ text, query_timeout: VACUUM_MS } as pg.QueryConfig));
    const { rewritesErased = false } = this.#options;
    try {
      await run('SET statement_timeout = 0');
      for (const table of PAYLOAD_TABLES) await run(`VACUUM ${rewritesErased ? '(FULL) ' : ''}${table}`);
      if (rewritesErased) for (const text of LEAVE_THE_LOG) await run(text).catch(unlessForbidden);
    } finally {
      client.release(true);
    }
  }

  async shrink(): Promise<boolean> {
    return false;
  }

  // SQLSTATE classes: 22 data exception, 23 integrity violation, 54 program limit exceeded.
  blamesRow(error: unknown): boolean {
    return /^(22|23|54)/.test((error as { code?: string }).code ?? '');
  }

  async holdSession(session: string): Promise<void> {
    const client = await this.#said(this.#pool.connect());
    try {
      await this.#said(client.query('SELECT pg_advisory_lock($1, $2)', sessionLock(session)));
      await this.#said(this.#listen(client));
    } catch (error) {
      client.release(true);
      throw error;
    }
    this.#name = String(sessionLock(session)[1]);
    this.#session = client;
    client.once('end', () => void this.#holdAgain(session));
  }

  // Until its session is held again, every other node takes this one for dead.
  async #holdAgain(session: string): Promise<void> {
    if (!this.#closing) this.#session?.release(true);
    this.#session = null;
    while (!this.#closing) {
      try {
        await this.holdSession(session);
        return;
      } catch (error) {
        this.#options.onError(error as Error);
        await setTimeout(HOLD_AGAIN_MS, undefined, { ref: false });
      }
    }
  }

  // The session's connection listens, too: it is the one that is there all the time.
  async #listen(client: pg.PoolClient): Promise<void> {
    client.on('notification', ({ payload = '' }) => {
      const gap = payload.indexOf(' ');
      if (payload.slice(0, gap) !== this.#name) this.#hear(payload.slice(gap + 1));
    });
    const { rows } = await client.query<{ channel: string }>(`SELECT quote_ident(${CHANNEL}) AS channel`);
    await client.query(`LISTEN ${rows[0]!.channel}`);
  }

  #sendHint(text: string): void {
    if (this.#closing) return;
    // An outage is told of by whatever else is asked for.
    this.read(`SELECT pg_notify(${CHANNEL}, $1)`, [`${this.#name} ${text}`]).catch(() => undefined);
  }

  async sessionGone(session: string): Promise<boolean> {
    const [row] = await this.read<{ free: boolean }>('SELECT pg_try_advisory_xact_lock($1, $2) AS free', [
      ...sessionLock(session),
    ]);
    return row!.free;
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#session?.release(true);
      await Promise.all([this.#pool.end(), this.#scans.end()]);
    })();
    return this.#closing;
  }

  async #said<T>(asked: Promise<T>): Promise<T> {
    try {
      return await asked;
    } catch (error) {
      throw inWords(this.#where, error);
    }
  }
}

/** Of one store: a database may hold several, each in a schema of its own. */
const CHANNEL = `'bellwire ' || current_schema()`;

const LOCK_CLASS = 0x62656c6c;

export function sessionLock(session: string): [number, number] {
  return [LOCK_CLASS, createHash('sha256').update(session).digest().readInt32BE(0)];
}

type Ask = (query: string | pg.QueryConfig) => Promise<pg.QueryResult>;

class PostgresTx implements Tx {
  readonly #ask: Ask;
  #begin: string | null;
  readonly #atCommit: string[] = [];

  constructor(ask: Ask, synced: boolean) {
    this.#ask = ask;
    this.#begin = synced ? 'BEGIN' : 'BEGIN; SET LOCAL synchronous_commit = off';
  }

  async all<R = Row>(text: string, values: readonly Value[] = []): Promise<R[]> {
    return (await this.#query(text, values)).rows as R[];
  }

  async run(text: string, values: readonly Value[] = []): Promise<number> {
    return (await this.#query(text, values)).rowCount ?? 0;
  }

  // One array per column: one statement for any number of rows. Measured against a list of rows: a third less CPU here, a
  // fifth less there, and no round trip per power of two.
  async insert(table: TableName, rows: readonly (readonly Value[])[], existing = 'refuse'): Promise<void> {
    if (rows.length === 0) return;
    const arrays = Object.keys(TABLES[table].columns).map((_, i) => rows.map((row) => row[i] ?? null));
    await this.#query(insertArraysText(table, existing === 'keep'), arrays as unknown as Value[]);
  }

  // A list of rows, in powers of two so that few statements are prepared: an array of envelopes would travel as text.
  async insertNew(table: TableName, rows: readonly (readonly Value[])[]): Promise<boolean[]> {
    const { key } = TABLES[table];
    const made = new Set<string>();
    for (let from = 0; from < rows.length;) {
      const size = Math.min(LARGEST_INSERT, 2 ** Math.floor(Math.log2(rows.length - from)));
      const result = await this.#query(insertNewText(table, size), rows.slice(from, from + size).flat());
      for (const row of result.rows as Row[]) made.add(key.map((column) => row[column]).join());
      from += size;
    }
    return rows.map((row) => made.has(row.slice(0, key.length).join()));
  }

  async update(table: TableName, { columns, rows, only }: Update): Promise<number> {
    if (rows.length === 0) return 0;
    const named = [...TABLES[table].key, ...columns];
    const arrays = named.map((_, i) => rows.map((row) => row[i] ?? null));
    const result = await this.#query(updateText(table, columns, only), arrays as unknown as Value[]);
    return result.rowCount ?? 0;
  }

  // Several statements in one message can have no parameters; integers can be written out.
  atCommit(text: string, values: readonly number[]): void {
    this.#atCommit.push(text.replace(/\$(\d+)/g, (_, n: string) => String(Math.trunc(values[Number(n) - 1]!))));
  }

  async commit(): Promise<void> {
    if (this.#begin !== null) return;
    try {
      await this.#ask([...this.#atCommit, 'COMMIT'].join('; '));
    } catch (error) {
      // Nobody knows whether the server had committed before its answer was lost.
      if (error instanceof StoreOutage) throw new StoreOutage(error.message, { cause: error.cause, undone: false });
      throw error;
    }
  }

  // BEGIN travels with the first statement when that one has no values: a round trip less.
  async #query(text: string, values: readonly Value[]): Promise<pg.QueryResult> {
    if (this.#begin !== null) {
      const begin = this.#begin;
      this.#begin = null;
      if (values.length === 0) {
        const results = (await this.#ask(`${begin}; ${text}`)) as unknown as pg.QueryResult[];
        return results.at(-1)!;
      }
      await this.#ask(begin);
    }
    return this.#ask({ name: nameOf(text), text, values: values as unknown[] });
  }
}

const texts = new Map<string, string>();

function remembered(key: string, make: () => string): string {
  let text = texts.get(key);
  if (text === undefined) texts.set(key, (text = make()));
  return text;
}

function nameOf(text: string): string {
  return remembered(`name ${text}`, () => createHash('sha256').update(text).digest('base64url').slice(0, 20));
}

function insertNewText(table: TableName, size: number): string {
  return remembered(`insert new ${table} ${size}`, () => {
    const { key, columns } = TABLES[table];
    const names = Object.keys(columns);
    const tuples = Array.from({ length: size }, (_, row) => {
      const marks = names.map((_column, i) => `$${row * names.length + i + 1}`);
      return `(${marks.join(', ')})`;
    });
    const values = `VALUES ${tuples.join(', ')} ON CONFLICT DO NOTHING`;
    return `INSERT INTO ${table} (${names.join(', ')}) ${values} RETURNING ${key.join(', ')}`;
  });
}

const ARRAY_OF: Record<ColumnKind, string> = { int: 'bigint[]', text: 'text[]', bytes: 'bytea[]' };

function arraysOf(table: TableName, columns: readonly string[]): string {
  const { columns: kept, later }: Table = TABLES[table];
  const kinds: Record<string, ColumnKind> = { ...kept, ...later };
  return columns.map((column, i) => `$${i + 1}::${ARRAY_OF[kinds[column]!]}`).join(', ');
}

function insertArraysText(table: TableName, keep: boolean): string {
  return remembered(`insert ${table} ${keep}`, () => {
    const columns = Object.keys(TABLES[table].columns);
    const rows = `SELECT * FROM unnest(${arraysOf(table, columns)})`;
    return `INSERT INTO ${table} (${columns.join(', ')}) ${rows}${keep ? ' ON CONFLICT DO NOTHING' : ''}`;
  });
}

// The new values carry other names than the columns, so that `only` speaks of what the rows hold.
function updateText(table: TableName, columns: readonly string[], only = ''): string {
  return remembered(`update ${table} ${columns.join()} ${only}`, () => {
    const { key } = TABLES[table];
    const named = [...key, ...columns];
    const set = columns.map((column) => `${column} = new_${column}`).join(', ');
    const where = [...key.map((column) => `${column} = new_${column}`), ...(only ? [only] : [])].join(' AND ');
    const fresh = named.map((column) => `new_${column}`).join(', ');
    return `UPDATE ${table} SET ${set} FROM unnest(${arraysOf(table, named)}) AS v(${fresh}) WHERE ${where}`;
  });
}
