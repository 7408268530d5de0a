// What makes a file a backup: a table of its own that says what is in it, written last. Without it a file is none.
import { hash } from 'node:crypto';
import { BACKUP_APPLICATION } from '../sqlite.ts';
import { MoveRefusal, type Source, type Target } from './ends.ts';
import type { Carried } from './carry.ts';
import { MARK } from './tables.ts';

/** What a backup says of itself. */
export interface BackupMark {
  /** Of this table. */
  format: number;
  /** The instant it shows, epoch ms. */
  takenAt: number;
  /** The engine it was taken from, and the bellwire that took it. */
  engine: string;
  release: string;
  /** Keys that open what is sealed in it; they are not in it. */
  keys: readonly string[];
  /** Rows and digest of each table. */
  tables: readonly Carried[];
}

const FORMAT = 1;

/** Marks a file as a whole backup. */
export async function writeMark(target: Target, given: Omit<BackupMark, 'format'>): Promise<void> {
  const mark: BackupMark = { format: FORMAT, ...given };
  await target.run(`CREATE TABLE ${MARK} (name TEXT PRIMARY KEY, value TEXT NOT NULL)`);
  for (const [name, value] of Object.entries({ ...mark, digest: digestOf(mark) })) {
    await target.run(`INSERT INTO ${MARK} (name, value) VALUES ($1, $2)`, [name, JSON.stringify(value)]);
  }
  await target.run(`PRAGMA application_id = ${BACKUP_APPLICATION}`);
}

/** Reads the mark. Throws {@link MoveRefusal} where there is none, or a newer one. */
export async function readMark(source: Source): Promise<BackupMark> {
  const tables = (await source.tables()).map(({ name }) => name);
  if (!tables.includes(MARK)) {
    const isStore = tables.includes('migrations');
    throw new MoveRefusal(
      isStore
        ? `${source.name} is a store, not a backup: bellwire copy carries a store`
        : `${source.name} is not a backup of Bellwire`,
    );
  }
  const { digest, ...mark } = await readEntries(source);
  if (mark.format > FORMAT) {
    throw new MoveRefusal(
      `${source.name} was taken by bellwire ${mark.release}: restore it with that one or a newer one`,
    );
  }
  if (digest !== digestOf(mark)) throw new MoveRefusal(damaged(source));
  return mark;
}

async function readEntries(source: Source): Promise<BackupMark & { digest: string }> {
  const rows = await source.ask<{ name: string; value: string }>(`SELECT name, value FROM ${MARK}`);
  try {
    const entries = rows.map(({ name, value }) => [name, JSON.parse(value) as unknown]);
    return Object.fromEntries(entries) as BackupMark & { digest: string };
  } catch {
    throw new MoveRefusal(damaged(source));
  }
}

function digestOf(mark: BackupMark): string {
  const entries = Object.entries(mark).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return hash('sha256', JSON.stringify(entries), 'hex');
}

function damaged({ name }: Source): string {
  return `${name} is damaged: what it says of itself was changed`;
}
