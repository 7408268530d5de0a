// Where the columns of a sheet are in a table that has its own: by their titles where it has any, else by their letters.
import { cellsByLetter, columnOf, columnOfLetters, lettersOf, type Cell, type Cells } from '../../model/sheet.ts';
import { ActionFailed } from '../action.ts';
import type { OrderedSheet } from './orders.ts';

/** Cells by the places of columns in the table, from 0. */
export type Placed = ReadonlyMap<number, Cell>;

/** A row with what it is made for. */
export interface KeyedRow {
  /** The place of the column that holds it. */
  keyAt: number;
  key: string;
  cells: Placed;
}

/** A cell as it is compared: a number and its text are one, and so are an empty cell and an empty text. */
export function plainText(cell: Cell | undefined): string {
  return cell === null || cell === undefined ? '' : String(cell);
}

/** The columns of a sheet in a table. `header` is the table's first row of titles, or null where it has none. */
export class Layout {
  readonly #sheet: OrderedSheet;
  readonly #header: readonly string[] | null;

  constructor(sheet: OrderedSheet, header: readonly string[] | null) {
    this.#sheet = sheet;
    this.#header = header;
  }

  /** The place of a column in the table, from 0. Throws {@link ActionFailed} where there is none. */
  placeOf(name: string): number {
    const column = columnOf(this.#sheet, name);
    if (column === null) throw refused(`has no column ${JSON.stringify(name)}`);
    return this.#placeOfColumn(column);
  }

  /** Cells by their places. Throws {@link ActionFailed} where they are none of the sheet's. */
  place(cells: Cells): Placed {
    const read = cellsByLetter(this.#sheet, cells);
    if (!read.ok) throw refused(read.fault);
    const placed = Object.entries(read.cells).map(([letters, cell]) => [columnOfLetters(letters)!, cell] as const);
    return new Map(placed.map(([column, cell]) => [this.#placeOfColumn(column), cell]));
  }

  /**
   * A row with its key in its key column: what the row has there, and else the key itself. So one row stays one whatever
   * delivers it, where the column is mapped to what tells events apart.
   */
  keyed({ key, cells }: { key: string; cells: Cells }): KeyedRow {
    const placed = this.place(cells);
    const keyAt = this.placeOf(keyColumnOf(this.#sheet));
    const own = plainText(placed.get(keyAt));
    if (own !== '') return { keyAt, key: own, cells: placed };
    return { keyAt, key, cells: new Map([...placed, [keyAt, key]]) };
  }

  #placeOfColumn(column: number): number {
    const title = this.#sheet.columns[column];
    if (title === undefined || this.#header === null) return column;
    const place = this.#header.indexOf(title);
    if (place >= 0) return place;
    throw refused(`has no column with the title ${JSON.stringify(title)}: its first row has other ones`);
  }

  /** A row of the table by the letters of the sheet's columns; empty cells are null. */
  read(row: readonly (Cell | undefined)[]): Cells {
    const { columns } = this.#sheet;
    const width = Math.max(columns.length, this.#header === null ? row.length : 0);
    const places = Array.from({ length: width }, (_, column) => {
      const title = columns[column];
      return title === undefined || this.#header === null ? column : this.#header.indexOf(title);
    });
    return Object.fromEntries(places.map((place, column) => [lettersOf(column), emptyIsNull(row[place])]));
  }
}

/** The key column's name. Throws {@link ActionFailed} where the sheet names none. */
export function keyColumnOf({ keyColumn }: OrderedSheet): string {
  if (keyColumn !== null) return keyColumn;
  throw refused('needs a keyColumn: by it a row is found before it is appended again');
}

function emptyIsNull(cell: Cell | undefined): Cell {
  return cell === undefined || cell === '' ? null : cell;
}

function refused(words: string): ActionFailed {
  return new ActionFailed(`the sheet ${words}`, { retryable: false });
}
