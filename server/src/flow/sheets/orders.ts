// What is asked of a sheet that is kept elsewhere, as data: orders are gathered, and some go to another thread.
import type { Cells, Sheet } from '../../model/sheet.ts';
import type { FoundRow } from './place.ts';

/** What of a sheet's description an order needs. */
export type OrderedSheet = Pick<Sheet, 'columns' | 'keyColumn'>;

/** Append a row unless there is one of its key. */
export interface AppendOrder {
  kind: 'append';
  sheet: OrderedSheet;
  key: string;
  cells: Cells;
}

/** Set cells of rows. */
export interface UpdateOrder {
  kind: 'update';
  sheet: OrderedSheet;
  match: Cells;
  cells: Cells;
  upsert: boolean;
  key: string;
}

/** Find rows. */
export interface LookupOrder {
  kind: 'lookup';
  sheet: OrderedSheet;
  match: Cells;
  limit: number;
}

/** One thing that is asked of a sheet. */
export type Order = AppendOrder | UpdateOrder | LookupOrder;

/** What the orders of each kind come to. */
export interface Answers {
  append: { row: number | null; added: boolean };
  update: { updated: number; added: boolean };
  lookup: FoundRow[];
}

/** What comes of an order. */
export type Answer = Answers[Order['kind']];
