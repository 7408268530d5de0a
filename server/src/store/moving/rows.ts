// What is carried from one store to another: tables as the schema has them, rows as texts and bytes, and what they add up to.
import { hash } from 'node:crypto';
import type { ColumnKind } from '../sql.ts';

/** A value on its way. Integers travel as their decimal text, so that none is ever rounded. */
export type Cell = string | Uint8Array | null;

/** A table as a store's own catalog describes it. */
export interface Shape {
  name: string;
  /** In the order of its columns. A kind that no table of Bellwire has is shown as the engine calls it. */
  columns: readonly { name: string; kind: ColumnKind | `a ${string}` }[];
}

/** Puts columns, ordered by their tables, together to these. */
export function shapesOf(
  rows: readonly { table: string; name: string; type: string }[],
  kinds: Readonly<Record<string, ColumnKind>>,
): Shape[] {
  const tables = Map.groupBy(rows, ({ table }) => table);
  return Array.from(tables, ([name, columns]) => ({
    name,
    columns: columns.map(({ name, type }) => ({ name, kind: kinds[type] ?? (`a ${type}` as const) })),
  }));
}

/** How many rows a table has, and their digest: 64 hex digits, the same in whatever order the rows are read. */
export interface Tally {
  rows: number;
  digest: string;
}

/** Adds up the rows of one table. */
export interface Tallying {
  add(rows: readonly (readonly Cell[])[]): void;
  tally(): Tally;
}

const WORDS = 8;

/**
 * Begins to add up. The digest is the sum of the rows' SHA-256, word by word: two engines that sort texts differently
 * come to the same, and a row that is lost, doubled or changed by one bit is seen.
 */
export function beginTally(): Tallying {
  const sum = new Uint32Array(WORDS);
  let count = 0;
  return {
    add(rows) {
      for (const row of rows) {
        const one = hash('sha256', JSON.stringify(row.map(named)), 'buffer');
        for (let i = 0; i < WORDS; i++) sum[i] = sum[i]! + one.readUInt32BE(i * 4);
      }
      count += rows.length;
    },
    tally: () => ({ rows: count, digest: Array.from(sum, (word) => word.toString(16).padStart(8, '0')).join('') }),
  };
}

// Bytes are named by their own digest, in a list of one: no text is written so.
function named(cell: Cell): string | null | readonly [string] {
  return cell instanceof Uint8Array ? [hash('sha256', cell, 'hex')] : cell;
}
