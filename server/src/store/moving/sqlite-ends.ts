// The ends of a move on SQLite: a file that is read beside the process that owns it, and a new file that gets its name last.
import {
  closeSync,
  existsSync,
  fchmodSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { platform } from 'node:os';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { makeFolder } from '../folder.ts';
import { BACKUP_APPLICATION, FileInUse, lockFile, sqliteDialect } from '../sqlite.ts';
import { leftBeside, whyNoFile } from '../sqlite-file.ts';
import type { ColumnKind } from '../sql.ts';
import { MoveRefusal, PORTION, weightOf, type Source, type Target } from './ends.ts';
import { shapesOf, type Cell, type Shape } from './rows.ts';

/** Opens a file as a source. Its snapshot is that of this instant. Throws {@link MoveRefusal}. */
export function readSqlite(path: string): Source {
  const file = resolve(path);
  const db = openToRead(file);
  return {
    engine: 'sqlite',
    name: file,
    ...readerOf(db, file),
    letGo: async () => db.exec('COMMIT'),
    // Who must be alone with a file holds it.
    isRunning: async () => false,
    close: async () => db.close(),
  };
}

function openToRead(file: string): DatabaseSync {
  const none = whyNoFile(file);
  if (none) throw new MoveRefusal(none.why);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
    // The first look at it fixes what is seen.
    db.exec('BEGIN; SELECT count(*) FROM sqlite_schema');
    refuseCutOff(db, file);
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof MoveRefusal) throw error;
    throw new MoveRefusal(`${file} cannot be read: ${(error as Error).message}`);
  }
}

// What the head of a file says of its length is compared with it: a copy that was cut off is told at once.
function refuseCutOff(db: DatabaseSync, file: string): void {
  const { size: wanted } = db
    .prepare('SELECT page_count * page_size AS size FROM pragma_page_count, pragma_page_size')
    .get() as { size: number };
  const { size } = statSync(file);
  // A file that is being written has its newest pages in the log beside it.
  if (size < wanted && !existsSync(`${file}-wal`)) {
    throw new MoveRefusal(`${file} is cut off: it has ${size} bytes of ${wanted}`);
  }
}

/** Keeps any platform from starting on a file; answers how to end that. Throws {@link MoveRefusal}, in these words where one runs. */
export function holdFile(path: string, inUse?: string): () => void {
  try {
    const lock = lockFile(resolve(path));
    return () => lock.close();
  } catch (error) {
    throw new MoveRefusal(error instanceof FileInUse && inUse !== undefined ? inUse : (error as Error).message);
  }
}

const KINDS: Readonly<Record<string, ColumnKind>> = { BIGINT: 'int', TEXT: 'text', BLOB: 'bytes' };

const TABLES = `SELECT t.name AS "table", c.name, c.type FROM pragma_table_list t, pragma_table_info(t.name) c
  WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY t.name, c.cid`;

function readerOf(db: DatabaseSync, file: string): Pick<Source, 'tables' | 'rows' | 'ask'> {
  const damaged = (error: unknown): never => {
    throw new MoveRefusal(`${file} is damaged: ${(error as Error).message}`);
  };
  const ask = async <R>(text: string): Promise<R[]> => {
    try {
      return db.prepare(text).all() as R[];
    } catch (error) {
      return damaged(error);
    }
  };
  return {
    ask,
    tables: async () => shapesOf(await ask(TABLES), KINDS),
    async *rows({ name, columns }) {
      const wanted = columns.map((column) => (column.kind === 'int' ? `CAST(${column.name} AS TEXT)` : column.name));
      const statement = db.prepare(`SELECT ${wanted.join(', ')} FROM ${name}`);
      statement.setReturnArrays(true);
      try {
        yield* portionsOf(statement.iterate() as Iterable<unknown> as Iterable<Cell[]>);
      } catch (error) {
        damaged(error);
      }
    },
  };
}

// The loop is let run in between: for signals, and for the line of progress.
async function* portionsOf(rows: Iterable<Cell[]>): AsyncGenerator<Cell[][]> {
  let portion: Cell[][] = [];
  let bytes = 0;
  for (const row of rows) {
    portion.push(row);
    bytes += weightOf(row);
    if (portion.length < PORTION.rows && bytes < PORTION.bytes) continue;
    yield portion;
    [portion, bytes] = [[], 0];
    await setImmediate();
  }
  if (portion.length > 0) yield portion;
}

/** How a new file is made. */
export interface FileWish {
  path: string;
  /** A store: no platform may run on it, or begin to, until it is there. */
  isStore: boolean;
  /** May it take the place of a backup of that name? */
  replaces: boolean;
}

/**
 * Begins a new file, for nobody else on this machine (0600). It is written beside as `<path>.part`, synced, and then
 * renamed, so that whatever happens no part of one is ever taken for a whole. Throws {@link MoveRefusal}.
 */
export function writeSqlite(wish: FileWish): Target {
  const file = resolve(wish.path);
  try {
    makeFolder(dirname(file));
  } catch (error) {
    throw new MoveRefusal((error as Error).message);
  }
  const letGo = wish.isStore ? holdFile(file) : () => undefined;
  try {
    refuseTaken(file, wish);
    return new NewFile(file, letGo);
  } catch (error) {
    letGo();
    throw error;
  }
}

function refuseTaken(file: string, { isStore, replaces }: FileWish): void {
  const none = whyNoFile(file);
  if (none?.isThere !== false) {
    if (isStore) throw new MoveRefusal(`${file} is there already: a store is made only where there is none`);
    if (!replaces) throw new MoveRefusal(`${file} is there already; --replace lets a new one take its place`);
    if (none || !isBackup(file)) throw new MoveRefusal(`${file} is not a backup, so none takes its place`);
  }
  const log = leftBeside(file);
  if (log)
    throw new MoveRefusal(`${log} belongs to a former file: move it to where that one is, or it damages the new one`);
}

/** Where the head of a file of SQLite says which program it is of, and how long the head is until then. */
const APPLICATION_AT = 68;

function isBackup(file: string): boolean {
  const head = Buffer.alloc(APPLICATION_AT + 4);
  const handle = openSync(file, 'r');
  try {
    return readSync(handle, head) === head.length && head.readUInt32BE(APPLICATION_AT) === BACKUP_APPLICATION;
  } finally {
    closeSync(handle);
  }
}

/** Rows of one statement, by the largest first. */
const MANY = [50, 10, 1];
/** SQLite's own bound on the values of one statement. */
const MOST_VALUES = 32_000;
/**
 * What is synced at once, about. Beside a file of 190 MiB another one's sync of 8 KiB took 70 to 132 ms at most where all of it
 * was synced at the end, and 37 to 62 ms in such portions (three runs each).
 */
const SYNC_BYTES = 8 * 2 ** 20;

class NewFile implements Target {
  readonly engine = 'sqlite';
  readonly dialect = sqliteDialect;
  readonly name: string;
  readonly tables: Source['tables'];
  readonly rows: Source['rows'];
  readonly ask: Source['ask'];
  readonly #part: string;
  readonly #handle: number;
  readonly #db: DatabaseSync;
  readonly #letGo: () => void;
  readonly #statements = new Map<string, StatementSync>();
  #syncedBytes = 0;
  #isKept = false;

  constructor(file: string, letGo: () => void) {
    this.name = file;
    this.#letGo = letGo;
    this.#part = `${file}.part`;
    ({ handle: this.#handle, db: this.#db } = beginPart(this.#part));
    ({ tables: this.tables, rows: this.rows, ask: this.ask } = readerOf(this.#db, file));
  }

  async write({ name, columns }: Shape, rows: readonly Cell[][]): Promise<void> {
    let from = 0;
    for (const many of MANY) {
      if (many > 1 && many * columns.length > MOST_VALUES) continue;
      const statement = this.#insert(name, columns, many);
      for (; from + many <= rows.length; from += many) {
        this.#said(() => statement.run(...rows.slice(from, from + many).flat()));
      }
    }
    this.#said(() => this.#syncPortion());
  }

  // All of it at the end would hold up the syncs of a platform on the same disk for as long.
  #syncPortion(): void {
    const { size } = fstatSync(this.#handle);
    if (size - this.#syncedBytes < SYNC_BYTES) return;
    fdatasyncSync(this.#handle);
    this.#syncedBytes = size;
  }

  #insert(table: string, columns: Shape['columns'], many: number): StatementSync {
    const key = `${table} ${many}`;
    let statement = this.#statements.get(key);
    if (!statement) {
      const tuple = `(${columns.map(() => '?').join(', ')})`;
      const names = columns.map((column) => column.name).join(', ');
      statement = this.#db.prepare(`INSERT INTO ${table} (${names}) VALUES ${Array(many).fill(tuple).join(', ')}`);
      this.#statements.set(key, statement);
    }
    return statement;
  }

  async run(text: string, values: readonly (string | number | null)[] = []): Promise<number> {
    const named = [...text.matchAll(/\$(\d+)/g)].map(([, n]) => values[Number(n) - 1] ?? null);
    return this.#said(() => Number(this.#db.prepare(text.replace(/\$\d+/g, '?')).run(...named).changes));
  }

  async keep(): Promise<void> {
    this.#said(() => {
      this.#db.exec('COMMIT');
      this.#db.close();
      fsyncSync(this.#handle);
      renameSync(this.#part, this.name);
      this.#isKept = true;
      if (platform() !== 'win32') syncFolder(dirname(this.name));
    });
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
    // Not before: closing any handle of a file gives up the locks that SQLite has on it.
    closeSync(this.#handle);
    if (!this.#isKept) rmSync(this.#part, { force: true });
    this.#letGo();
  }

  #said<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new MoveRefusal(`${this.#part} cannot be written: ${(error as Error).message}`);
    }
  }
}

// Not a journal: what is not renamed is nothing. Room that deletions leave is given back in small steps, as in any store.
const BEGIN = `PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
  PRAGMA auto_vacuum = INCREMENTAL; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; BEGIN EXCLUSIVE`;

// One that was left by a process that was ended is no hindrance; one that another process writes is.
function beginPart(part: string): { handle: number; db: DatabaseSync } {
  try {
    if (existsSync(part)) removeLeft(part);
    const handle = openSync(part, 'wx', 0o600);
    fchmodSync(handle, 0o600);
    const db = new DatabaseSync(part);
    db.exec(BEGIN);
    // Held from here on. Another process may have taken it for a left one in the moment before.
    if (statSync(part).ino !== fstatSync(handle).ino) throw new MoveRefusal(busyWords(part));
    return { handle, db };
  } catch (error) {
    if (error instanceof MoveRefusal) throw error;
    throw new MoveRefusal(`${part} cannot be written: ${(error as Error).message}`);
  }
}

function removeLeft(part: string): void {
  const db = new DatabaseSync(part);
  try {
    hold(db, part);
    // While it is held: what another process begins by that name in the next moment is not taken for it.
    rmSync(part);
  } finally {
    db.close();
  }
}

function hold(db: DatabaseSync, part: string): void {
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    if (/locked|busy/i.test((error as Error).message)) throw new MoveRefusal(busyWords(part));
    // Not a database: the rest of one.
  }
}

function busyWords(part: string): string {
  return `another process is writing ${basename(part)} at this moment`;
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
