// What a sheet is: rows of cells under columns, in one of several places (R98). Pure data.
//
// A row names its cells by the letters of columns (A, B … AA, as the seed's scenario does) or by the columns' titles.
import type { Json } from './flow/definition.ts';
import { didYouMean } from './near-names.ts';

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

/** Longest text of a cell, in characters: what XLSX takes. */
export const MOST_CELL_CHARACTERS = 32_767;

/** What a value becomes in a cell: lists and objects their JSON; what is missing is an empty cell (R99). */
export function cellOf(value: Json): Cell {
  if (value !== null && typeof value === 'object') return JSON.stringify(value);
  return typeof value === 'string' ? value.toWellFormed() : value;
}

/**
 * Cells by the letters of their columns, or what is wrong with them in one clause: a column that there is not, two that are
 * the same, a text too long for a cell.
 */
export function cellsByLetter(
  sheet: Pick<Sheet, 'columns'>,
  cells: Cells,
): { ok: true; cells: Cells } | { ok: false; fault: string } {
  const byLetter: Record<string, Cell> = {};
  for (const [name, cell] of Object.entries(cells)) {
    const column = columnOf(sheet, name);
    if (column === null) {
      const columns = sheet.columns.length === 0 ? ': columns are A to XFD' : didYouMean(name, sheet.columns);
      return { ok: false, fault: `has no column ${JSON.stringify(name)}${columns}` };
    }
    const letters = lettersOf(column);
    if (letters in byLetter) {
      return { ok: false, fault: `is given the column ${letters} twice, once as ${JSON.stringify(name)}` };
    }
    if (typeof cell === 'string' && cell.length > MOST_CELL_CHARACTERS) {
      const most = MOST_CELL_CHARACTERS.toLocaleString('en');
      return {
        ok: false,
        fault: `cannot hold what is for ${JSON.stringify(name)}: a cell has at most ${most} characters`,
      };
    }
    byLetter[letters] = cell;
  }
  return { ok: true, cells: byLetter };
}

/** Cells by the titles of their columns, by letters where a column has none. What was by titles already stays. */
export function cellsByTitle({ columns }: Pick<Sheet, 'columns'>, cells: Cells): Cells {
  const named = Object.entries(cells).map(([letters, cell]) => {
    const column = columnOfLetters(letters);
    return [(column === null ? undefined : columns[column]) ?? letters, cell] as const;
  });
  return Object.fromEntries(named);
}

/** What a row says itself that it is made for: the text in the sheet's key column. Null without one, or where it is empty. */
export function ownKeyOf(sheet: Pick<Sheet, 'columns' | 'keyColumn'>, byLetter: Cells): string | null {
  const column = sheet.keyColumn === null ? null : columnOf(sheet, sheet.keyColumn);
  const own = column === null ? null : (byLetter[lettersOf(column)] ?? null);
  return own === null || own === '' ? null : String(own);
}
