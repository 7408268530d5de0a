// What `backup`, `restore` and `copy` share: which store is meant, how far it is, and what was carried.
import type { Command } from 'commander';
import { GROUPS, MoveRefusal, type Moved, type MoveWish } from '../../moving.ts';
import { Failure } from '../failure.ts';
import type { PlatformOptions } from '../begin/serve.ts';
import { collect, type Session } from '../session.ts';

/** Options that say which store is meant, as `serve` takes them. */
export type StoreOptions = Pick<PlatformOptions, 'data' | 'store' | 'config' | 'set'>;

/** Adds them, for `doctor` too. */
export function addStoreOptions(command: Command): Command {
  return command
    .option('--data <folder>', 'Folder of the embedded store and its keys (dataFolder)')
    .option('--store <address>', 'sqlite, sqlite:<file> or postgres://… (store)')
    .option('--config <file>', 'Settings file; else bellwire.yaml, if there is one')
    .option('--set <name=value>', 'Any setting, by its name in bellwire.default.yaml; repeatable', collect);
}

const SHOW_EVERY_MS = 200;

/** Moves something under the eyes of whoever asked; what is refused is told in its own words. */
export async function move(
  session: Session,
  work: (wish: MoveWish) => Promise<Moved>,
): Promise<Moved & { ms: number }> {
  const { terminal, signal, version, json } = session;
  const isScreen = terminal.stderr.isTTY === true && !json;
  const begunAt = performance.now();
  let shownAt = begunAt;
  const onProgress: NonNullable<MoveWish['onProgress']> = ({ stage, table, rows }) => {
    if (!isScreen || performance.now() - shownAt < SHOW_EVERY_MS) return;
    shownAt = performance.now();
    terminal.stderr.write(`\r\u001B[2K${stage} ${table}: ${countOf(rows)}`);
  };
  try {
    const moved = await work({ now: Date.now, release: version, signal, onProgress });
    if (moved.strangers.length > 0)
      session.note(`left out, for they are not Bellwire's: ${moved.strangers.join(', ')}`);
    return { ...moved, ms: performance.now() - begunAt };
  } catch (error) {
    if (error instanceof MoveRefusal) throw new Failure(error.message);
    throw error;
  } finally {
    if (isScreen) terminal.stderr.write('\r\u001B[2K');
  }
}

/** What was carried, in people's words and numbers. */
export function carriedLines(session: Session, { tables, ms }: Moved & { ms: number }): string[] {
  const rows = new Map(tables.map(({ table, rows }) => [table, rows]));
  const groups = Object.entries(GROUPS).map(
    ([name, of]) => [name, sum(of.map((table) => rows.get(table) ?? 0))] as const,
  );
  const all = sum(rows.values());
  const width = countOf(all).length;
  const rate = Math.round(all / Math.max(ms / 1_000, 0.001));
  const shown = [...groups.filter(([, count]) => count > 0), ['rows in all', all] as const];
  return [
    ...session.facts(Object.fromEntries(shown.map(([name, count]) => [name, countOf(count).padStart(width)]))),
    `carried and compared in ${(ms / 1_000).toFixed(1)} s, ${countOf(rate)} rows a second`,
  ];
}

/** The same for programs. */
export function carriedJson({ tables, ms, takenAt, keys }: Moved & { ms: number }): object {
  return { takenAt: new Date(takenAt).toISOString(), ms: Math.round(ms), keys, tables };
}

/** `key 1a2b3c4d`, or several. */
export function keyNames(keys: readonly string[]): string {
  return `${keys.length === 1 ? 'key' : 'keys'} ${keys.join(', ')}`;
}

function countOf(count: number): string {
  return count.toLocaleString('en');
}

function sum(numbers: Iterable<number>): number {
  let all = 0;
  for (const number of numbers) all += number;
  return all;
}
