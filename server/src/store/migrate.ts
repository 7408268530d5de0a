// Brings a store to the newest schema: numbered migrations, forward only, each in one transaction with its record.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { begin } from './migrations/001-begin.ts';
import { flows } from './migrations/002-flows.ts';
import { hooks } from './migrations/003-hooks.ts';
import { sheets } from './migrations/004-sheets.ts';
import { listening } from './migrations/005-listening.ts';
import type { Dialect, Sql, Tx } from './sql.ts';

/** One step of the schema. */
export interface Migration {
  name: string;
  /** Its statements in the words of an engine, parted by semicolons. */
  statements: (dialect: Dialect) => string;
}

/** Every migration in order; its place is its number. An entry never changes after a release: add another one. */
export const MIGRATIONS: readonly Migration[] = [
  { name: '001-begin', statements: begin },
  { name: '002-flows', statements: flows },
  { name: '003-hooks', statements: hooks },
  { name: '004-sheets', statements: sheets },
  { name: '005-listening', statements: listening },
];

/** The number of the newest schema this program knows. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** The release that this program is. */
const RELEASE = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

/** What a store says of a migration: by which release it was applied, too. */
interface Applied {
  number: number;
  name: string;
  checksum: string;
  release: string;
}

/** What statements of a migration run on. */
type Runs = Pick<Tx, 'all' | 'run'>;

/** What can be migrated: an open store, or one that is being filled (moving/). */
export interface Migrated {
  dialect: Dialect;
  write<T>(work: (tx: Runs) => Promise<T>): Promise<T>;
}

/**
 * Applies what is missing, all of it in one transaction: who is ended in the middle leaves the former schema. Refuses, in
 * words and without writing anything, a store that is newer than this program or whose applied migrations differ from
 * those it knows. `known` is what it knows; a test says something else.
 */
export async function migrate(sql: Migrated, known: readonly Migration[] = MIGRATIONS): Promise<void> {
  await sql.write(async (tx) => {
    await takeTurn(tx, sql.dialect);
    await tx.run(
      'CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, release TEXT NOT NULL)',
    );
    const applied = await tx.all<Applied>('SELECT number, name, checksum, release FROM migrations ORDER BY number');
    const complaint = complaintOf(applied, known, sql.dialect);
    if (complaint !== null) throw new Error(complaint);
    for (let i = applied.length; i < known.length; i++) await apply(tx, { ...known[i]!, number: i + 1 }, sql.dialect);
  });
}

/** What a store says of its schema; the number 0 is one that has none yet. */
export interface SchemaState {
  number: number;
  /** Why this program does not open it, in words; null when it does. */
  complaint: string | null;
}

/** Reads, and changes nothing. */
export async function readSchema(sql: Pick<Sql, 'read' | 'dialect'>): Promise<SchemaState> {
  const applied = await sql.read<Applied>('SELECT number, name, checksum, release FROM migrations ORDER BY number');
  return { number: applied.length, complaint: complaintOf(applied, MIGRATIONS, sql.dialect) };
}

// Two nodes that start at once: the second waits here and then finds nothing left to do. Not a lock on the table: it
// may not be there yet, and PostgreSQL does not make `IF NOT EXISTS` wait for another one's transaction.
async function takeTurn(tx: Runs, dialect: Dialect): Promise<void> {
  if (dialect.name === 'postgres') await tx.all('SELECT pg_advisory_xact_lock(7090744, 1)');
}

function complaintOf(applied: readonly Applied[], known: readonly Migration[], dialect: Dialect): string | null {
  if (applied.length > known.length) {
    const { release } = applied.at(-1)!;
    return `this store is at schema ${applied.length} by bellwire ${release}, and this is bellwire ${RELEASE}, which knows schemas up to ${known.length}: start bellwire ${release} or a newer one; nothing was changed`;
  }
  for (const [i, { number, name, checksum: was, release }] of applied.entries()) {
    const mine = known[i]!;
    if (name !== mine.name || was !== checksum(mine.statements(dialect))) {
      return `migration ${number} of this store (${name}, by bellwire ${release}) is not the one that this bellwire ${RELEASE} knows: start the bellwire that made the store, or one released after it; nothing was changed`;
    }
  }
  return null;
}

async function apply(
  tx: Runs,
  { number, name, statements }: Migration & { number: number },
  dialect: Dialect,
): Promise<void> {
  const text = statements(dialect);
  for (const statement of text.split(';')) if (statement.trim() !== '') await tx.run(statement);
  await tx.run('INSERT INTO migrations (number, name, checksum, release) VALUES ($1, $2, $3, $4)', [
    number,
    name,
    checksum(text),
    RELEASE,
  ]);
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
