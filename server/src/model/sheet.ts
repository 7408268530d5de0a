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

/** The letters of a column, from 0: A, B … Z, AA (R98). */
export function lettersOf(column: number): string {
  let letters = '';
  for (let rest = column + 1; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters;
  }
  return letters;
}

/** Most columns of a row, as XLSX has them: the last one is XFD. */
export const MOST_COLUMNS = 16_384;

/** The column of these letters, from 0; null where they are none. */
export function columnOfLetters(letters: string): number | null {
  if (!/^[A-Z]{1,3}$/.test(letters)) return null;
  let column = 0;
  for (const letter of letters) column = column * 26 + letter.charCodeAt(0) - 64;
  return column <= MOST_COLUMNS ? column - 1 : null;
}

/** The column that a title or letters name, from 0; a title goes first. Null where there is none. */
export function columnOf({ columns }: Pick<Sheet, 'columns'>, name: string): number | null {
  const titled = columns.indexOf(name);
  return titled >= 0 ? titled : columnOfLetters(name);
}

/** What a program for tables takes for the beginning of a formula, white space before it or not. */
const FORMULA = /^'*(?:\s*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|[\t\r\n])/;
const NUMBER = /^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The text as it is written where a cell that looks like a formula would be taken for one: a `'` goes before it (R98). */
export function guardFormula(text: string): string {
  return FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
}

/** What {@link guardFormula} was given. */
export function unguardFormula(text: string): string {
  return text.startsWith("'") && guardFormula(text.slice(1)) === text ? text.slice(1) : text;
}
