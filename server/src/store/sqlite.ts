// SQLite at the bottom of the store: one file, hot writes in this thread, long reads and checkpoints in a worker.
//
// Measured on two cores: a worker for the hot writes made them slower; one synced commit of a whole group costs about
// half a millisecond. `PRAGMA synchronous` is switched between transactions: what a publisher was promised is synced,
// a note that something was delivered is only written (it survives a crash of the process; losing it with the
// machine sends once more).
import { closeSync, existsSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { makeFolder } from './folder.ts';
import { TABLES, type Dialect, type Row, type Sql, type TableName, type Tx, type Update, type Value } from './sql.ts';

const dialect: Dialect = {
  name: 'sqlite',
  forUpdate: '',
  bytes: 'BLOB',
  clustered: ' WITHOUT ROWID',
  updated: '',
};

/** Pages of 4 KiB after which the hot thread itself finishes a checkpoint that the worker could not. */
const WAL_LIMIT_PAGES = 16_384;

/** Statements kept ready. Some hold a list of workspaces or lanes in their text: there is no end of those. */
const MOST_PREPARED = 500;

/** SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_RANGE. */
const ROW_FAULTS = new Set([18, 19, 20, 25]);

/** Opens (and makes) the file. Refuses, in words, a second process on it. */
export function openSqlite(path: string): Sql {
  const file = resolve(path);
  makeFolder(dirname(file));
  const lock = lockFile(file);
  try {
    return new Sqlite(openFile(file), new Reader(file), lock);
  } catch (error) {
    lock.close();
    throw new Error(`cannot open ${file}: ${(error as Error).message}`);
  }
}

// The files beside it (-wal, -shm) take its mode: events are for nobody else on this machine.
function openFile(file: string): DatabaseSync {
  closeSync(openSync(file, 'a', 0o600));
  const db = new DatabaseSync(file);
  try {
    db.exec('PRAGMA journal_mode = WAL');
    db.exec(`PRAGMA wal_autocheckpoint = ${WAL_LIMIT_PAGES}`);
    db.exec('PRAGMA cache_size = -65536');
    db.exec('PRAGMA temp_store = MEMORY');
    db.exec('PRAGMA busy_timeout = 10000');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

// The operating system drops the lock with the process, kill -9 included; an exclusive lock on the data file itself
// would keep our own reader out.
function lockFile(file: string): DatabaseSync {
  const path = `${file}.lock`;
  try {
    const lock = new DatabaseSync(path);
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    if (/locked|busy/i.test((error as Error).message)) {
      throw new Error(`another process already runs on ${file}: stop it first, or use another data folder`);
    }
    const why = existsSync(path) ? 'open' : 'make';
    throw new Error(`cannot ${why} ${path}: ${(error as Error).message}`);
  }
}

/** A statement ready to run: SQLite wants `?`, and the values in the order in which they appear. */
interface Prepared {
  statement: StatementSync;
  order: readonly number[];
}

class Sqlite implements Sql {
  readonly dialect = dialect;
  readonly #db: DatabaseSync;
  readonly #reader: Reader;
  readonly #lock: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();
  #turn: Promise<unknown> = Promise.resolve();
  #synced: boolean | null = null;
  #closed = false;

  constructor(db: DatabaseSync, reader: Reader, lock: DatabaseSync) {
    this.#db = db;
    this.#reader = reader;
    this.#lock = lock;
  }

  // Transactions take turns: their awaits would otherwise interleave on the one connection.
  write<T>(work: (tx: Tx) => Promise<T>, { synced = true } = {}): Promise<T> {
    const result = this.#turn.then(() => this.#transact(work, synced));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #transact<T>(work: (tx: Tx) => Promise<T>, synced: boolean): Promise<T> {
    if (this.#closed) throw new Error('the store is closed');
    if (this.#synced !== synced) {
      this.#db.exec(`PRAGMA synchronous = ${synced ? 'FULL' : 'NORMAL'}`);
      this.#synced = synced;
    }
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const tx = new SqliteTx(this);
      const result = await work(tx);
      await tx.finish();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  read<R = Row>(text: string, values: readonly Value[] = []): Promise<R[]> {
    const { sql, order } = positional(text);
    return this.#reader.all<R>(
      sql,
      order.map((i) => values[i] ?? null),
    );
  }

  blamesRow(error: unknown): boolean {
    return ROW_FAULTS.has(((error as { errcode?: number }).errcode ?? 0) & 0xff);
  }

  // One process owns the file, so any session but its own is gone.
  async sessionGone(): Promise<boolean> {
    return true;
  }

  async holdSession(): Promise<void> {}

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#turn;
    this.#closed = true;
    await this.#reader.close();
    this.#db.close();
    this.#lock.close();
  }

  prepare(text: string): Prepared {
    let prepared = this.#prepared.get(text);
    if (!prepared) {
      const { sql, order } = positional(text);
      prepared = { statement: this.#db.prepare(sql), order };
      if (this.#prepared.size >= MOST_PREPARED) this.#prepared.delete(this.#prepared.keys().next().value!);
      this.#prepared.set(text, prepared);
    }
    return prepared;
  }
}

function positional(text: string): { sql: string; order: number[] } {
  const order: number[] = [];
  const sql = text.replace(/\$(\d+)/g, (_, n: string) => {
    order.push(Number(n) - 1);
    return '?';
  });
  return { sql, order };
}

class SqliteTx implements Tx {
  readonly #engine: Sqlite;
  readonly #atCommit: { text: string; values: readonly number[] }[] = [];

  constructor(engine: Sqlite) {
    this.#engine = engine;
  }

  async all<R = Row>(text: string, values: readonly Value[] = []): Promise<R[]> {
    const { statement, order } = this.#engine.prepare(text);
    return statement.all(...order.map((i) => values[i] ?? null)) as R[];
  }

  async run(text: string, values: readonly Value[] = []): Promise<number> {
    const { statement, order } = this.#engine.prepare(text);
    return Number(statement.run(...order.map((i) => values[i] ?? null)).changes);
  }

  // Measured: 50 rows in one statement cost 3.5 µs each, one row in a statement 5.7 µs.
  async insert(table: TableName, rows: readonly (readonly Value[])[], existing = 'refuse'): Promise<void> {
    const conflict = existing === 'keep' ? ' ON CONFLICT DO NOTHING' : '';
    let from = 0;
    for (const many of MANY) {
      if (from + many > rows.length) continue;
      const { statement } = this.#engine.prepare(insertText(table, conflict, many));
      for (; from + many <= rows.length; from += many) statement.run(...rows.slice(from, from + many).flat());
    }
  }

  async insertNew(table: TableName, rows: readonly (readonly Value[])[]): Promise<boolean[]> {
    const { statement } = this.#engine.prepare(insertText(table, ' ON CONFLICT DO NOTHING'));
    return rows.map((row) => Number(statement.run(...row).changes) === 1);
  }

  async update(table: TableName, { columns, rows, only }: Update): Promise<number> {
    const { key } = TABLES[table];
    const n = key.length;
    const set = columns.map((column, i) => `${column} = $${n + i + 1}`).join(', ');
    const where = [...key.map((column, i) => `${column} = $${i + 1}`), ...(only ? [only] : [])].join(' AND ');
    const { statement, order } = this.#engine.prepare(`UPDATE ${table} SET ${set} WHERE ${where}`);
    let changed = 0;
    for (const row of rows) changed += Number(statement.run(...order.map((i) => row[i] ?? null)).changes);
    return changed;
  }

  atCommit(text: string, values: readonly number[]): void {
    this.#atCommit.push({ text, values });
  }

  async finish(): Promise<void> {
    for (const { text, values } of this.#atCommit) await this.run(text, values);
  }
}

/** Rows of one statement where many are inserted: as many as are left, by the largest first. */
const MANY = [50, 10, 1];

const insertTexts = new Map<string, string>();

function insertText(table: TableName, conflict: string, rows = 1): string {
  const key = `${table} ${rows}${conflict}`;
  let text = insertTexts.get(key);
  if (text === undefined) {
    const columns = Object.keys(TABLES[table].columns);
    const tuple = (row: number): string => `(${columns.map((_, i) => `$${row * columns.length + i + 1}`).join(', ')})`;
    const tuples = Array.from({ length: rows }, (_, row) => tuple(row)).join(', ');
    text = `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${tuples}${conflict}`;
    insertTexts.set(key, text);
  }
  return text;
}

/** The worker that reads (a list over a million rows takes seconds) and checkpoints. */
class Reader {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (rows: unknown[]) => void; reject: (error: Error) => void }>();
  #next = 1;
  #gone: Error | null = null;

  constructor(file: string) {
    const script = new URL(`./sqlite-reader.worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
    this.#worker = new Worker(script, { workerData: { file } });
    this.#worker.unref();
    this.#worker.on('message', (message: { id: number; rows?: unknown[]; error?: string }) => this.#answer(message));
    this.#worker.on('error', (error) => this.#fail(error as Error));
    this.#worker.on('exit', () => this.#fail(new Error('the reader of the store has ended')));
  }

  all<R>(sql: string, values: readonly Value[]): Promise<R[]> {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = this.#next++;
    return new Promise<R[]>((done, fail) => {
      this.#waiting.set(id, { resolve: done as (rows: unknown[]) => void, reject: fail });
      // Held only while a read is under way, so an idle store does not keep the process.
      this.#worker.ref();
      this.#worker.postMessage({ id, sql, values });
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #answer({ id, rows, error }: { id: number; rows?: unknown[]; error?: string }): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (rows) waiting.resolve(rows);
    else waiting.reject(new Error(error));
  }

  #fail(error: Error): void {
    this.#gone ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
