// The sheets' half of the store's contract: their descriptions, and the rows of the built-in ones.
//
// The promises of ../contract.ts hold here, too: one verb is one transaction. What has resolved is committed; of rows it
// is not synced by itself, for the request that causes them was, and is worked at again where they are lost.
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
  list(workspace: number): Promise<StoredSheet[]>;
  one(workspace: number, name: string): Promise<StoredSheet | null>;
  /** With all its rows. */
  remove(workspace: number, name: string): Promise<void>;

  /**
   * Appends a row to a built-in sheet unless there is one of this key; what is asked for at once shares transactions.
   * Refuses `not-found` where the sheet is gone, `full` beyond the most rows a sheet may have.
   */
  append(row: NewRow): Promise<{ row: number; added: boolean }>;
  /** Sets cells of rows by their numbers; resolves how many there were. */
  set(change: {
    workspace: number;
    sheet: number;
    rows: readonly number[];
    cells: Readonly<Record<string, Cell>>;
    now: number;
  }): Promise<number>;
  deleteRows(workspace: number, sheet: number, rows: readonly number[]): Promise<number>;
  /** Rows in their order, from a reader that stops nobody. */
  rows(query: { workspace: number; sheet: number; cursor: string | null; limit: number }): Promise<Page<StoredRow>>;
  /** The first rows in which all of these cells are so. */
  lookup(query: {
    workspace: number;
    sheet: number;
    match: Readonly<Record<string, Cell>>;
    limit: number;
  }): Promise<StoredRow[]>;
}

/** A sheet as it is read. */
export interface StoredSheet extends Sheet {
  sheet: number;
  rows: number;
  createdAt: number;
  updatedAt: number;
}

/** A row to be appended. Cells go by the letters of columns. */
export interface NewRow {
  workspace: number;
  sheet: number;
  key: string;
  cells: Readonly<Record<string, Cell>>;
  /** The run that makes it, so that erasing what a subject's events led to finds it; null by hand. */
  run: number | null;
  now: number;
}

/** A row as it is read. */
export interface StoredRow {
  /** From 1, in the order in which they were appended; deleted ones leave a gap. */
  row: number;
  key: string;
  cells: Readonly<Record<string, Cell>>;
  at: number;
}
