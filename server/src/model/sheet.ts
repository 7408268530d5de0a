// What a sheet is: rows of cells under columns, in one of several places (R98). Pure data.
//
// A row names its cells by the letters of columns (A, B … AA, as the seed's scenario does) or by the columns' titles.

/** A cell; null is an empty one. */
export type Cell = string | number | boolean | null;

/** Cells of a row by column: a letter, or a title. */
export type Cells = Readonly<Record<string, Cell>>;

/** A sheet, as a document or the API describes it. */
export interface Sheet {
  /** Unique in the workspace, 1–255 characters. */
  name: string;
  description: string;
  /** Titles, that of A first. Empty where columns go by their letters alone. */
  columns: readonly string[];
  /**
   * The column that holds what a row is made for (the event's id), by letter or title: in places that keep no such thing
   * themselves a row is looked up by it before it is appended again. Built-in sheets need none.
   */
  keyColumn: string | null;
  place: SheetPlace;
}

/** Where a sheet is kept. Names of secrets stand in place of what must not be read in a document. */
export type SheetPlace =
  /** A table of Bellwire's own. */
  | { kind: 'built-in' }
  /** A file in a folder that the operator allows. */
  | { kind: 'csv'; path: string }
  | { kind: 'xlsx'; path: string; tab: string }
  /** A table of a database: `connection` names a secret with its URL (postgres://… or sqlite:path). */
  | { kind: 'sql'; connection: string; table: string }
  /** `account` names a secret with the JSON key of a service account. Addresses are Google's unless given. */
  | { kind: 'google'; spreadsheet: string; tab: string; account: string; api: string | null };
