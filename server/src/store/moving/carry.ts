// The move itself: every table of a source into an empty target, counted and compared, before anything of it is kept.
import { MIGRATIONS, migrate, readSchema } from '../migrate.ts';
import type { Dialect, Value } from '../sql.ts';
import { MoveRefusal, type Source, type Target } from './ends.ts';
import { beginTally, type Cell, type Shape, type Tally } from './rows.ts';
import { carriedOf } from './tables.ts';

/** What was carried of one table. */
export interface Carried extends Tally {
  table: string;
}

/** What came of it. */
export interface Contents {
  tables: readonly Carried[];
  /** Tables of the source that are not Bellwire's, and were left there. */
  strangers: readonly string[];
}

/** All rows go from one place to the other, and are read again there. */
export type Stage = 'carrying' | 'comparing';

/** Is told how far it is: so many rows of this table. */
export type OnProgress = (at: { stage: Stage; table: string; rows: number }) => void;

/** How it is watched, and ended. */
export interface Watch {
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

/** The schema a source is at. Throws in words where this program does not know it, or it is no store. */
export async function schemaOf(source: Source, dialect: Dialect): Promise<number> {
  const tables = await source.tables();
  if (!tables.some(({ name }) => name === 'migrations'))
    throw new MoveRefusal(`${source.name} is not a store of Bellwire`);
  const { number, complaint } = await readSchema({ dialect, read: (text) => source.ask(text) });
  if (complaint !== null) throw new MoveRefusal(`${source.name}: ${complaint}`);
  return number;
}

/** Brings a target to a schema; without a number to the newest. */
export async function migrateTarget(target: Target, schema = MIGRATIONS.length): Promise<void> {
  const tx = {
    all: <R>(text: string) => target.ask<R>(text),
    run: (text: string, values: readonly Value[] = []) => target.run(text, values as (string | number | null)[]),
  };
  await migrate({ dialect: target.dialect, write: (work) => work(tx) }, MIGRATIONS.slice(0, schema));
}

/** Refuses a target in which there is something. */
export async function refuseFull(target: Target): Promise<void> {
  const tables = (await target.tables()).map(({ name }) => name);
  if (tables.length === 0) return;
  const hasStore = tables.includes('migrations');
  throw new MoveRefusal(
    hasStore
      ? `${target.name} holds a store already: what is carried goes into an empty place only`
      : `${target.name} holds other tables (${tables.slice(0, 3).join(', ')}): what is carried goes into an empty place only`,
  );
}

/**
 * Carries every table into a target of the same schema, reads it back there, and compares counts and digests. Throws
 * {@link MoveRefusal} where they differ.
 */
export async function carry(source: Source, target: Target, watch: Watch = {}): Promise<Contents> {
  const tables: Carried[] = [];
  const { carried, strangers } = carriedOf(await source.tables(), await target.tables());
  for (const table of carried) {
    // Its first rows are written by the migrations.
    await target.run(`DELETE FROM ${table.name}`);
    const use = (rows: Cell[][]): Promise<void> => target.write(table, rows);
    tables.push({ table: table.name, ...(await goThrough(source, table, { ...watch, stage: 'carrying', use })) });
  }
  await source.letGo();
  for (const [i, table] of carried.entries()) {
    refuseDifference(tables[i]!, await goThrough(target, table, { ...watch, stage: 'comparing' }), target.name);
  }
  return { tables, strangers };
}

/** Refuses what was read where it is not what it should be. */
export function refuseDifference(wanted: Carried, found: Tally, where: string): void {
  const { table, rows, digest } = wanted;
  if (found.rows !== rows)
    throw new MoveRefusal(`${where} has ${found.rows} rows of ${table} where there should be ${rows}`);
  if (found.digest !== digest) throw new MoveRefusal(`${where}: the rows of ${table} are not what they should be`);
}

/** Reads all rows of a table, and adds them up. */
export async function goThrough(
  source: Pick<Source, 'rows'>,
  table: Shape,
  { stage, use, onProgress, signal }: Watch & { stage: Stage; use?: (rows: Cell[][]) => Promise<void> },
): Promise<Tally> {
  const tallying = beginTally();
  for await (const rows of source.rows(table)) {
    signal?.throwIfAborted();
    tallying.add(rows);
    await use?.(rows);
    onProgress?.({ stage, table: table.name, rows: tallying.tally().rows });
  }
  return tallying.tally();
}
