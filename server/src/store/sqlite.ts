// SQLite at the bottom of the store: one file, hot writes in this thread, reads and checkpoints in two others.
//
// Measured on two cores: a worker for the hot writes made them slower; one synced commit of a whole group costs about
// half a millisecond. `PRAGMA synchronous` is switched between transactions: what a publisher was promised is synced,
// a note that something was delivered is only written (it survives a crash of the process; losing it with the
// machine sends once more).
import { closeSync, existsSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { StoreOutage } from './contract.ts';
import { makeFolder } from './folder.ts';
import { TABLES, type Dialect, type Row, type Sql, type TableName, type Tx, type Update, type Value } from './sql.ts';
import { leftBeside } from './sqlite-file.ts';
import { Reader } from './sqlite-reader.ts';

export const sqliteDialect: Dialect = {
  name: 'sqlite',
  forUpdate: '',
  bytes: 'BLOB',
  clustered: ' WITHOUT ROWID',
  updated: '',
  // It has no statistics unless somebody runs ANALYZE.
  unsampled: () => '',
};

/** Pages of 4 KiB after which the hot thread itself finishes a checkpoint that the worker could not. */
const WAL_LIMIT_PAGES = 16_384;

const BUSY_MS = 10_000;

/** Pages that one step gives back: it holds publishes up for 0.2 ms, and for 12 ms one time in a hundred (measured). */
const SHRINK_PAGES = 64;
/** Free pages are used again by what comes next; the file shrinks only where there are many, and much of it is free. */
const LEAST_FREE_PAGES = 2_000;
const LEAST_FREE_SHARE = 0.25;

const MOST_CUTS = 200;
const CUT_AGAIN_MS = 25;

/** Statements kept ready. Some hold a list of workspaces or lanes in their text: there is no end of those. */
const MOST_PREPARED = 500;

/** SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_RANGE. */
const ROW_FAULTS = new Set([18, 19, 20, 25]);

/** SQLITE_BUSY, LOCKED. */
const IN_USE = new Set([5, 6]);
const FULL = 13;
/** SQLITE_PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB. */
const OUTAGES = new Set([3, 5, 6, 7, 8, 10, 11, FULL, 14, 15, 26]);

function codeOf(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) & 0xff;
}

// A full disk refuses a commit before it is one. Of any other fault at that point nobody knows what is on the disk.
function inWords(file: string, error: unknown, committing = false): unknown {
  const code = codeOf(error);
  if (!OUTAGES.has(code)) return error;
  const undone = !committing || code === FULL;
  return new StoreOutage(`${file} cannot be used: ${(error as Error).message}`, { cause: error, undone });
}

/** Opens (and makes) the file. Refuses, in words, a second process on it. */
export function openSqlite(path: string): Sql {
  const file = resolve(path);
  makeFolder(dirname(file));
  const lock = lockFile(file);
  try {
    return new Sqlite(file, openFile(file), lock);
  } catch (error) {
    lock.close();
    throw new Error(`cannot open ${file}: ${(error as Error).message}`);
  }
}

// The files beside it (-wal, -shm) take its mode: events are for nobody else on this machine.
function openFile(file: string): DatabaseSync {
  // Beside a new file SQLite deletes it, with the events that were accepted last.
  const log = existsSync(file) ? null : leftBeside(file);
  if (log) throw new Error(`${log} belongs to a file that was moved away: move it to where that one is`);
  closeSync(openSync(file, 'a', 0o600));
  const db = new DatabaseSync(file);
  try {
    refuseBackup(db);
    // Chosen before there is a table, and not again, for it would be written again: a store that is refused stays as it
    // is. Room that deletions leave is given back in small steps. Deleted content is overwritten where that costs no
    // further page; what is left in free pages goes with them (see scrub).
    const { page_count: pages } = db.prepare('PRAGMA page_count').get() as { page_count: number };
    if (pages === 0) db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    db.exec('PRAGMA secure_delete = FAST');
    db.exec('PRAGMA journal_mode = WAL');
    db.exec(`PRAGMA wal_autocheckpoint = ${WAL_LIMIT_PAGES}`);
    db.exec('PRAGMA cache_size = -65536');
    db.exec('PRAGMA temp_store = MEMORY');
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** The mark in the head of a file that it is a backup (moving/backup-mark.ts). */
export const BACKUP_APPLICATION = 0x62776270;

/** Refuses a backup: a platform on it would give numbers that were given before. */
export function refuseBackup(db: DatabaseSync): void {
  const { application_id: application } = db.prepare('PRAGMA application_id').get() as { application_id: number };
  if (application === BACKUP_APPLICATION) throw new Error('it is a backup: bellwire restore makes a store of it');
}

/** Another process owns the file. */
export class FileInUse extends Error {
  override name = 'FileInUse';
}

// The operating system drops the lock with the process, kill -9 included; an exclusive lock on the data file itself
// would keep our own reader out.
export function lockFile(file: string): DatabaseSync {
  const path = `${file}.lock`;
  try {
    // Where others may open it, they can hold it, and no platform starts.
    closeSync(openSync(path, 'a', 0o600));
    const lock = new DatabaseSync(path);
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    // By its code: what else goes wrong is told with the path, which may be of any words.
    if (IN_USE.has(codeOf(error))) {
      throw new FileInUse(`another process already runs on ${file}: stop it first, or use another data folder`);
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
  readonly dialect = sqliteDialect;
  readonly hints = null;
  readonly #file: string;
  readonly #db: DatabaseSync;
  readonly #reader: Reader;
  readonly #scanner: Reader;
  readonly #lock: DatabaseSync;
  readonly #prepared = new Map<string, Prepared>();
  #turn: Promise<unknown> = Promise.resolve();
  #synced: boolean | null = null;
  #closed = false;

  constructor(file: string, db: DatabaseSync, lock: DatabaseSync) {
    this.#file = file;
    this.#db = db;
    this.#reader = new Reader({ file, checkpoints: false });
    // A scan over a million rows takes seconds, which a checkpoint can wait and a refill cannot.
    this.#scanner = new Reader({ file, checkpoints: true });
    this.#lock = lock;
  }

  // Transactions take turns: their awaits would otherwise interleave on the one connection.
  write<T>(work: (tx: Tx) => Promise<T>, { synced = true } = {}): Promise<T> {
    const result = this.#turn.then(() => this.#transact(work, synced));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #transact<T>(work: (tx: Tx) => Promise<T>, synced: boolean): Promise<T> {
    if (this.#closed) throw new StoreOutage('the store is closed');
    let committing = false;
    try {
      this.#begin(synced);
      const tx = new SqliteTx(this);
      const result = await work(tx);
      await tx.finish();
      committing = true;
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      // A full disk has rolled it back already.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw inWords(this.#file, error, committing);
    }
  }

  #begin(synced: boolean): void {
    if (this.#synced !== synced) {
      this.#db.exec(`PRAGMA synchronous = ${synced ? 'FULL' : 'NORMAL'}`);
      this.#synced = synced;
    }
    this.#db.exec('BEGIN IMMEDIATE');
  }

  read<R = Row>(text: string, values: readonly Value[] = []): Promise<R[]> {
    return this.#ask(this.#reader, text, values);
  }

  scan<R = Row>(text: string, values: readonly Value[] = []): Promise<R[]> {
    return this.#ask(this.#scanner, text, values);
  }

  async #ask<R>(reader: Reader, text: string, values: readonly Value[]): Promise<R[]> {
    const { sql, order } = positional(text);
    try {
      return await reader.all<R>(
        sql,
        order.map((i) => values[i] ?? null),
      );
    } catch (error) {
      throw inWords(this.#file, error);
    }
  }

  // Free pages are where deleted content may still stand, the log is the other place. Whoever reads at this moment keeps
  // the log from being cut: then it is tried again.
  async scrub(): Promise<void> {
    while (this.#freePages() > 0) {
      if (!(await this.#inTurn(() => this.#vacuum(SHRINK_PAGES)))) break;
      await new Promise<void>((done) => setImmediate(done));
    }
    for (let tries = 0; tries < MOST_CUTS; tries++) {
      if (await this.#inTurn(() => this.#cutLog())) return;
      await setTimeout(CUT_AGAIN_MS, undefined, { ref: false });
    }
    throw new StoreOutage(`${this.#file}-wal is being read without a pause and cannot be cut`);
  }

  shrink(): Promise<boolean> {
    return this.#inTurn(() => {
      const free = this.#freePages();
      const { page_count: pages } = this.#db.prepare('PRAGMA page_count').get() as { page_count: number };
      if (free < LEAST_FREE_PAGES || free < pages * LEAST_FREE_SHARE) return false;
      return this.#vacuum(SHRINK_PAGES);
    });
  }

  #freePages(): number {
    return (this.#db.prepare('PRAGMA freelist_count').get() as { freelist_count: number }).freelist_count;
  }

  // False when nothing moved: the file is from before there was an auto_vacuum.
  #vacuum(pages: number): boolean {
    const before = this.#freePages();
    this.#db.exec(`PRAGMA synchronous = NORMAL; PRAGMA incremental_vacuum(${pages})`);
    this.#synced = false;
    return this.#freePages() < before;
  }

  #cutLog(): boolean {
    this.#db.exec('PRAGMA busy_timeout = 0');
    try {
      const { busy } = this.#db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
      return busy === 0;
    } finally {
      this.#db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    }
  }

  // Between two transactions, not within one.
  #inTurn<T>(work: () => T): Promise<T> {
    const result = this.#turn.then(() => {
      if (this.#closed) throw new StoreOutage('the store is closed');
      try {
        return work();
      } catch (error) {
        throw inWords(this.#file, error);
      }
    });
    this.#turn = result.catch(() => undefined);
    return result;
  }

  blamesRow(error: unknown): boolean {
    return ROW_FAULTS.has(codeOf(error));
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
    await Promise.all([this.#reader.close(), this.#scanner.close()]);
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
