// The two ends of a move: a store that is read in one snapshot, and an empty one that is filled in one transaction.
import type { Dialect } from '../sql.ts';
import type { Cell, Shape } from './rows.ts';

/** A store as it was at one instant, whatever is written to it meanwhile. */
export interface Source {
  readonly engine: Dialect['name'];
  /** What it is called in sentences: a file, or the place of a database. Never with a password. */
  readonly name: string;
  /** Its tables, in the order of their names. */
  tables(): Promise<Shape[]>;
  /** All rows of a table, some at a time, in no particular order. */
  rows(table: Shape): AsyncIterable<Cell[][]>;
  /** A question of a few rows, within the same snapshot. */
  ask<R>(text: string): Promise<R[]>;
  /** All of it was read: the snapshot ends. It holds nothing up any more, and what is asked from here on is of the present. */
  letGo(): Promise<void>;
  /** Does a platform run on it at this moment? Before `letGo`: did one, when the snapshot began? */
  isRunning(): Promise<boolean>;
  close(): Promise<void>;
}

/** A store that is being filled: nothing of it can be seen before `keep`. It can be read as a source can. */
export interface Target extends Omit<Source, 'isRunning' | 'letGo'> {
  readonly dialect: Dialect;
  write(table: Shape, rows: readonly Cell[][]): Promise<void>;
  /** Runs a statement; resolves how many rows it changed. `$1…$n` in order of the values. */
  run(text: string, values?: readonly (string | number | null)[]): Promise<number>;
  /** Makes it all last, synced to disk. After that only `close` may be called. */
  keep(): Promise<void>;
  /** Without `keep` before: nothing is left of it. */
  close(): Promise<void>;
}

/** Rows that are handed over together at most, and about how many bytes they may have. */
export const PORTION = { rows: 1_000, bytes: 4 * 1024 * 1024 };

/** About how many bytes a row takes. */
export function weightOf(row: readonly Cell[]): number {
  let bytes = 0;
  for (const cell of row) bytes += cell === null ? 1 : cell.length;
  return bytes;
}

/** What cannot be moved, or not there, in words for whoever asked for it. */
export class MoveRefusal extends Error {
  override name = 'MoveRefusal';
}
