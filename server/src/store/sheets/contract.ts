// The sheets' half of the store's contract: their descriptions, and the rows of the built-in ones.
//
// The promises of ../contract.ts hold here, too: one verb is one transaction. What has resolved is committed; of rows that
// a run appends or changes it is not synced by itself, for the request that causes them was, and is worked at again where
// they are lost. What comes by hand is synced.
import type { Cell, Sheet } from '../../model/sheet.ts';
import type { Page } from '../page.ts';

/** Sheets. */
export interface Sheets {
  /** Makes or replaces a description by name; rows stay. `same` when it is what it was. */
  put(
    workspace: number,
    sheet: Sheet,
    now: number,
  ): Promise<{ sheet: StoredSheet; change: 'created' | 'changed' | 'same' }>;
  /** By name. */
  list(workspace: number): Promise<StoredSheet[]>;
  one(workspace: number, name: string): Promise<StoredSheet | null>;
  /** It is gone at once, and its name free; its rows go by and by (`log.prune`). Refuses `not-found`. */
  remove(workspace: number, name: string): Promise<void>;

  /**
   * Appends a row to a built-in sheet unless there is one of this key; what is asked for at once shares transactions.
   * Refuses `not-found` where the sheet is gone, `full` beyond the most rows a sheet may have.
   */
  append(row: NewRow): Promise<{ row: number; added: boolean }>;
  /** Sets cells of rows by their numbers; null or an empty text empties one. Resolves how many rows there were. */
  set(change: {
    workspace: number;
    sheet: number;
    rows: readonly number[];
    cells: RowCells;
    /** The run that does it: an erasure that reaches it reaches these rows. Null by hand. */
    run: number | null;
    now: number;
  }): Promise<number>;
  /** Resolves how many there were. Their keys are free again. */
  deleteRows(workspace: number, sheet: number, rows: readonly number[]): Promise<number>;
  /** Rows in their order, from a reader that stops nobody. */
  rows(query: { workspace: number; sheet: number; cursor: string | null; limit: number }): Promise<Page<StoredRow>>;
  /**
   * The first rows in which all of these cells are so, as their texts are compared: `5` is `"5"`, and an empty text is an
   * empty cell. All rows of the sheet are looked at, from a reader that stops nobody; `upTo` is the last one that was.
   */
  lookup(query: {
    workspace: number;
    sheet: number;
    match: RowCells;
    limit: number;
  }): Promise<{ rows: StoredRow[]; upTo: number }>;
}

/** Cells of a row by the letters of columns. Empty ones are left out where a row is read. */
export type RowCells = Readonly<Record<string, Cell>>;

/** A sheet as it is read. */
export interface StoredSheet extends Sheet {
  sheet: number;
  /** Rows that a built-in one has. */
  rows: number;
  createdAt: number;
  updatedAt: number;
}

/** A row to be appended. */
export interface NewRow {
  workspace: number;
  sheet: number;
  key: string;
  cells: RowCells;
  /** The run that makes it, so that erasing what a subject's events led to finds it; null by hand. */
  run: number | null;
  /** Not where a row behind `beyond` has these cells: it stands in place of the new one. For what was looked up before. */
  unless?: { match: RowCells; beyond: number };
  now: number;
}

/** A row as it is read. */
export interface StoredRow {
  /** From 1, in the order in which they were appended; deleted ones leave a gap. */
  row: number;
  key: string;
  cells: RowCells;
  at: number;
}
