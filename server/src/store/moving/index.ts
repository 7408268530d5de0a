// Backup, restore and copy: three names for one move of a whole store, from any engine to any.
import type { Keyring } from '../keyring.ts';
import { postgresDialect } from '../postgres.ts';
import { sqliteDialect } from '../sqlite.ts';
import { whyNoFile } from '../sqlite-file.ts';
import { readMark, writeMark, type BackupMark } from './backup-mark.ts';
import {
  carry,
  goThrough,
  migrateTarget,
  refuseDifference,
  refuseFull,
  schemaOf,
  type Contents,
  type Watch,
} from './carry.ts';
import { MoveRefusal, type Source, type Target } from './ends.ts';
import { freeLanes, giveFreshNumbers } from './fresh-numbers.ts';
import { readPostgres, writePostgres } from './postgres-ends.ts';
import { holdFile, readSqlite, writeSqlite } from './sqlite-ends.ts';
import { keysOf } from './sealed.ts';

export { MoveRefusal } from './ends.ts';
export { GROUPS } from './tables.ts';
export type { BackupMark } from './backup-mark.ts';
export type { Carried, OnProgress } from './carry.ts';

/** A move that was done. */
export interface Moved extends Contents {
  /** The instant that was carried, epoch ms. */
  takenAt: number;
  /** Keys that open what is sealed in it. */
  keys: readonly string[];
  /** Of its backup, where it came from one. */
  mark: BackupMark | null;
}

/** How a move is asked for. */
export interface MoveWish extends Watch {
  /** The clock, epoch ms. */
  now: () => number;
  /** The bellwire that does it. */
  release: string;
}

/** Takes a backup of a store, which may run meanwhile. Throws {@link MoveRefusal}. */
export async function takeBackup(
  from: string,
  { file, replaces, now, release, ...watch }: MoveWish & { file: string; replaces: boolean },
): Promise<Moved> {
  const source = await openSource(from);
  try {
    const takenAt = now();
    const schema = await schemaOf(source, dialectOf(source));
    const keys = await keysOf(source);
    const contents = await fill(writeSqlite({ path: file, isStore: false, replaces }), async (target) => {
      await migrateTarget(target, schema);
      const contents = await carry(source, target, watch);
      await writeMark(target, { takenAt, engine: source.engine, release, keys, tables: contents.tables });
      return contents;
    });
    return { takenAt, keys, mark: null, ...contents };
  } finally {
    await source.close();
  }
}

/**
 * Makes a store of a backup, where there is none yet. What counts goes on from fresh numbers. Throws {@link MoveRefusal},
 * also where a key is lacking.
 */
export async function restoreBackup(
  file: string,
  { to, keyring, now, ...watch }: MoveWish & { to: string; keyring: (keys: readonly string[]) => Keyring },
): Promise<Moved> {
  const source = readSqlite(file);
  try {
    const mark = await readMark(source);
    await schemaOf(source, sqliteDialect);
    refuseMissingKeys(mark.keys, keyring(mark.keys));
    const contents = await fill(await openTarget(to), async (target) => {
      const contents = await carryIntoStore(source, target, watch);
      const found = new Map(contents.tables.map((carried) => [carried.table, carried]));
      for (const wanted of mark.tables) refuseDifference(wanted, found.get(wanted.table) ?? NOTHING, source.name);
      await giveFreshNumbers(target, { now: now(), takenAt: mark.takenAt });
      return contents;
    });
    return { takenAt: mark.takenAt, keys: mark.keys, mark, ...contents };
  } finally {
    await source.close();
  }
}

/** Reads all of a backup and compares it with what it says of itself, as a restore does. Throws {@link MoveRefusal}. */
export async function checkBackup(file: string, watch: Watch = {}): Promise<Moved> {
  const source = readSqlite(file);
  try {
    const mark = await readMark(source);
    await schemaOf(source, sqliteDialect);
    const tables = new Map((await source.tables()).map((shape) => [shape.name, shape]));
    for (const wanted of mark.tables) {
      const shape = tables.get(wanted.table);
      const found = shape ? await goThrough(source, shape, { ...watch, stage: 'comparing' }) : NOTHING;
      refuseDifference(wanted, found, source.name);
    }
    return { takenAt: mark.takenAt, tables: mark.tables, strangers: [], keys: mark.keys, mark };
  } finally {
    await source.close();
  }
}

const NOTHING = { rows: 0, digest: '' };

/**
 * Copies a store into an empty place. One on which a platform runs is refused, unless `whileRunning`: then what it accepts
 * from now on is not in the copy, which goes on from fresh numbers. Throws {@link MoveRefusal}.
 */
export async function copyStore(
  from: string,
  { to, whileRunning, now, ...watch }: MoveWish & { to: string; whileRunning: boolean },
): Promise<Moved> {
  if (from === to) throw new MoveRefusal('from and to are the same place');
  const letGo = whileRunning ? () => undefined : holdSource(from);
  const source = await openSource(from).catch((error: unknown) => {
    letGo();
    throw error;
  });
  try {
    const takenAt = now();
    await schemaOf(source, dialectOf(source));
    if (!whileRunning) await refuseRunning(source);
    const keys = await keysOf(source);
    const contents = await fill(await openTarget(to), async (target) => {
      const contents = await carryIntoStore(source, target, watch);
      if (whileRunning) await giveFreshNumbers(target, { now: now(), takenAt });
      else await refuseRunning(source);
      return contents;
    });
    return { takenAt, keys, mark: null, ...contents };
  } finally {
    await source.close();
    letGo();
  }
}

/* ── The two ends ───────────────────────────────────────────────────────────────────────────────────────────── */

function isPostgres(address: string): boolean {
  return /^postgres(ql)?:\/\//.test(address);
}

async function openSource(address: string): Promise<Source> {
  return isPostgres(address) ? readPostgres(address) : readSqlite(address);
}

async function openTarget(address: string): Promise<Target> {
  return isPostgres(address) ? writePostgres(address) : writeSqlite({ path: address, isStore: true, replaces: false });
}

function dialectOf({ engine }: Source): typeof sqliteDialect {
  return engine === 'sqlite' ? sqliteDialect : postgresDialect;
}

// A file is held for as long as it is copied; a database is looked at before and after. Where there is no file, nothing is
// made beside it: who opens it says why.
function holdSource(address: string): () => void {
  return isPostgres(address) || whyNoFile(address) ? () => undefined : holdFile(address, runs(address));
}

async function refuseRunning(source: Source): Promise<void> {
  if (await source.isRunning()) throw new MoveRefusal(runs(source.name));
}

function runs(name: string): string {
  return `a platform runs on ${name}: stop it first, so that nothing is left behind`;
}

async function fill<T>(target: Target, work: (target: Target) => Promise<T>): Promise<T> {
  try {
    await refuseFull(target);
    const done = await work(target);
    await target.keep();
    return done;
  } finally {
    await target.close();
  }
}

async function carryIntoStore(source: Source, target: Target, watch: Watch): Promise<Contents> {
  await migrateTarget(target, await schemaOf(source, dialectOf(source)));
  const contents = await carry(source, target, watch);
  await freeLanes(target);
  await migrateTarget(target);
  return contents;
}

function refuseMissingKeys(keys: readonly string[], keyring: Keyring): void {
  const missing = keys.filter((key) => !keyring.holds(key));
  if (missing.length > 0) {
    throw new MoveRefusal(
      `the secrets in this backup need ${missing.length === 1 ? 'key' : 'keys'} ${missing.join(', ')}, which are not here: keys are never in a backup`,
    );
  }
}
