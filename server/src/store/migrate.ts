// Brings a store to the newest schema: numbered migrations, forward only, each in one transaction with its record.
import { createHash } from 'node:crypto';
import { begin } from './migrations/001-begin.ts';
import { flows } from './migrations/002-flows.ts';
import { hooks } from './migrations/003-hooks.ts';
import { sheets } from './migrations/004-sheets.ts';
import type { Dialect, Sql, Tx } from './sql.ts';

/** Every migration in order; its place is its number. An entry never changes after a release: add another one. */
const MIGRATIONS: readonly { name: string; statements: (dialect: Dialect) => string }[] = [
  { name: '001-begin', statements: begin },
  { name: '002-flows', statements: flows },
  { name: '003-hooks', statements: hooks },
  { name: '004-sheets', statements: sheets },
];

/** The number of the newest schema this program knows. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Applies what is missing. Refuses, in words, a store that is newer than this program or whose applied migrations
 * differ from those it knows.
 */
export async function migrate(sql: Sql): Promise<void> {
  await sql.write(async (tx) => {
    await takeTurn(tx, sql.dialect);
    await tx.run(
      'CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)',
    );
    const applied = await tx.all<{ number: number; name: string; checksum: string }>(
      'SELECT number, name, checksum FROM migrations ORDER BY number',
    );
    refuseStrangers(applied, sql.dialect);
    for (let i = applied.length; i < MIGRATIONS.length; i++) await apply(tx, i, sql.dialect);
  });
}

// Two nodes that start at once: the second waits here and then finds nothing left to do. Not a lock on the table: it
// may not be there yet, and PostgreSQL does not make `IF NOT EXISTS` wait for another one's transaction.
async function takeTurn(tx: Tx, dialect: Dialect): Promise<void> {
  if (dialect.name === 'postgres') await tx.all('SELECT pg_advisory_xact_lock(7090744, 1)');
}

function refuseStrangers(
  applied: readonly { number: number; name: string; checksum: string }[],
  dialect: Dialect,
): void {
  if (applied.length > MIGRATIONS.length) {
    throw new Error(
      `this store is at schema ${applied.length} and this program knows only ${MIGRATIONS.length}: start a newer bellwire`,
    );
  }
  for (const [i, row] of applied.entries()) {
    const known = MIGRATIONS[i]!;
    if (row.name !== known.name || row.checksum !== checksum(known.statements(dialect))) {
      throw new Error(`migration ${row.number} of this store (${row.name}) is not the one this program knows`);
    }
  }
}

async function apply(tx: Tx, index: number, dialect: Dialect): Promise<void> {
  const { name, statements } = MIGRATIONS[index]!;
  const text = statements(dialect);
  for (const statement of text.split(';')) if (statement.trim() !== '') await tx.run(statement);
  await tx.run('INSERT INTO migrations (number, name, checksum) VALUES ($1, $2, $3)', [
    index + 1,
    name,
    checksum(text),
  ]);
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
