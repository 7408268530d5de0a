// A process that holds one SQLite file open: statements come as messages, rows go back.
//
// A process, for SQLite's statements cannot be broken off and a thread that is in one cannot be ended, not even by the end
// of the whole process. What is asked may touch no other file: ATTACH, VACUUM INTO and PRAGMA are denied.
import { constants, DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { Json } from '../../model/flow/definition.ts';
import { weightOf } from './database.ts';
import type { ChildAnswer, ChildQuestion } from './sqlite.ts';

const BUSY_MS = 2_000;
const DENIED: ReadonlySet<number> = new Set([
  constants.SQLITE_ATTACH,
  constants.SQLITE_DETACH,
  constants.SQLITE_PRAGMA,
]);

let database: DatabaseSync | null = null;

process.on('message', (question: ChildQuestion) => {
  process.send!(answer(question));
});
process.on('disconnect', () => {
  database?.close();
});

function answer(question: ChildQuestion): ChildAnswer {
  try {
    database ??= open(question.file);
    // What a session left of a transaction.
    if (question.text === null) {
      if (database.isTransaction) database.exec('ROLLBACK');
      return { rows: [], count: 0 };
    }
    return run(database, question);
  } catch (error) {
    const { message, errcode } = error as Error & { errcode?: number };
    return errcode === undefined ? { error: message } : { error: message, errcode };
  }
}

function open(file: string): DatabaseSync {
  const opened = new DatabaseSync(file, { timeout: BUSY_MS, defensive: true });
  opened.exec('PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON');
  opened.setAuthorizer((code) => (DENIED.has(code) ? constants.SQLITE_DENY : constants.SQLITE_OK));
  return opened;
}

function run(opened: DatabaseSync, { text, params, rows: mostRows, bytes }: ChildQuestion): ChildAnswer {
  const statement = opened.prepare(text!);
  statement.setReadBigInts(true);
  const values = params.map(bound);
  if (statement.columns().length === 0) return { rows: [], count: Number(statement.run(...values).changes) };
  const rows: { [column: string]: Json }[] = [];
  let weight = 0;
  for (const found of statement.iterate(...values)) {
    const row: { [column: string]: Json } = {};
    for (const [name, value] of Object.entries(found)) {
      const json = jsonOf(value);
      row[name] = json;
      weight += name.length + 4 + weightOf(json);
    }
    if (rows.push(row) > mostRows || weight > bytes) return { tooMuch: true };
  }
  return { rows, count: rows.length };
}

// A whole number goes in as one: as a floating one it would stand in a column of text with a point.
function bound(value: Json): SQLInputValue {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
}

function jsonOf(value: unknown): Json {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value as Json;
}
