// What the actions sheet.append, sheet.update and sheet.lookup need of a place in which sheets are kept.
//
// Every place keeps one promise: of one key there is one row, however often it is appended, and whatever ends in between
// (R106). So the actions may simply be done again after a crash.
import type { Cells, Sheet } from '../../model/sheet.ts';

/** A sheet at hand, for one step of one run. */
export interface SheetAtHand {
  workspace: number;
  sheet: Sheet;
  /** The values of the secrets its place names, by name. */
  secrets: Readonly<Record<string, string>>;
  /** Aborted when the step's time is up. */
  signal: AbortSignal;
}

/** A row as it was found. */
export interface FoundRow {
  /** Where it is, from 1; titles do not count. */
  row: number;
  cells: Cells;
}

/** A place. Everything rejects with an `ActionFailed`, in words, where it cannot be done; what may pass is retryable. */
export interface SheetPlaceDoor {
  /** Appends a row unless there is one of this key; `row` is null where the place cannot tell. */
  append(at: SheetAtHand, row: { key: string; cells: Cells }): Promise<{ row: number | null; added: boolean }>;
  /** Sets cells of the rows in which all of `match` is so; with `upsert` one is appended where there is none. */
  update(
    at: SheetAtHand,
    change: { match: Cells; cells: Cells; upsert: boolean; key: string },
  ): Promise<{ updated: number; added: boolean }>;
  /** Rows in which all of `match` is so, the first ones, at most `limit`. */
  lookup(at: SheetAtHand, query: { match: Cells; limit: number }): Promise<FoundRow[]>;
}
