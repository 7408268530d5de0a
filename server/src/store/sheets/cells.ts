// Cells as they are stored: one JSON text a row, in one form, so that a cell can be found in it as text.
import { columnOfLetters, type Cell } from '../../model/sheet.ts';
import type { Value } from '../sql.ts';
import type { RowCells } from './contract.ts';

/** The stored form: columns in their order, empty cells left out. */
export function packCells(cells: RowCells): string {
  const full = Object.entries(cells).filter(([, cell]) => cell !== null && cell !== '');
  const ordered = full.map(([name, cell]) => ({ at: columnOfLetters(name) ?? 0, name, cell }));
  ordered.sort((a, b) => a.at - b.at);
  return JSON.stringify(Object.fromEntries(ordered.map(({ name, cell }) => [name, cell])));
}

/** Cells from their stored form. */
export function unpackCells(text: string): RowCells {
  return JSON.parse(text) as RowCells;
}

/** A condition on `cells`. */
export interface CellCondition {
  text: string;
  values: Value[];
}

/**
 * All of these cells are so, in SQL that both engines have: something is in a text when taking it out changes the text.
 * It is exact: within a text of JSON every quote has a backslash before it, so `"A":` begins a cell and nothing else.
 * Values are numbered from `from`.
 */
export function matching(match: RowCells, from: number): CellCondition {
  const values: Value[] = [];
  const held = (part: string): string => `replace(cells, $${from - 1 + values.push(part)}, '') <> cells`;
  const conditions = Object.entries(match).map(([name, cell]) => {
    const begin = `${JSON.stringify(name)}:`;
    if (cell === null || cell === '') return `NOT (${held(begin)})`;
    const forms = formsOf(cell).flatMap((form) => [held(`${begin}${form},`), held(`${begin}${form}}`)]);
    return `(${forms.join(' OR ')})`;
  });
  return { text: conditions.length === 0 ? '1 = 1' : conditions.join(' AND '), values };
}

// A number and its text are one, as are true and its word.
function formsOf(cell: Exclude<Cell, null>): string[] {
  const text = String(cell);
  const bare = JSON.stringify(Number(text)) === text || text === 'true' || text === 'false';
  return bare ? [JSON.stringify(text), text] : [JSON.stringify(text)];
}
