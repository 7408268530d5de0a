// A workbook in memory: orders for its tabs, what it had besides kept as it was. Only this file knows the library.
//
// Text is written as text, never as a formula, so nothing has to be guarded here (R98).
import { openXlsx, saveXlsx, writeXlsx, type RoundtripWorkbook, type Sheet as Tab } from 'hucre/xlsx';
import type { Cell } from '../../../model/sheet.ts';
import { ActionFailed } from '../../action.ts';
import { plainText } from '../layout.ts';
import type { Answer, Order } from '../orders.ts';
import { Table } from '../table.ts';
import { unpackedBytes } from './unpacked-size.ts';

/** An order for one tab of a file. */
export interface TabOrder {
  tab: string;
  order: Order;
}

type TabCell = Tab['rows'][number][number];

/** A tab that has taken orders. */
interface Open {
  tab: Tab;
  table: Table;
  /** How many of its rows are titles. */
  titles: number;
  /** How many it has besides, empty ones at the end left out. */
  rows: number;
}

/** More is not unpacked: ordinary rows come to six times their file, the largest (file-fault.ts) to 200 MiB (measured). */
const MOST_UNPACKED_BYTES = 512 * 1024 * 1024;

/** Names that programs for tables cannot take. */
const NO_TAB_NAME = /^$|.{32}|[[\]:*?/\\]|^'|'$/;

/** One workbook. */
export class XlsxBook {
  readonly #book: RoundtripWorkbook;
  readonly #open = new Map<string, Open>();
  #isChanged = false;

  private constructor(book: RoundtripWorkbook) {
    this.#book = book;
  }

  /** Reads a file's bytes; null makes an empty workbook. Rejects with `ActionFailed` where they are none. */
  static async read(bytes: Uint8Array | null): Promise<XlsxBook> {
    if (bytes === null) return new XlsxBook({ sheets: [] });
    try {
      if (unpackedBytes(bytes) > MOST_UNPACKED_BYTES) {
        throw new RangeError(`it unpacks to more than ${MOST_UNPACKED_BYTES / 2 ** 20} MiB`);
      }
      return new XlsxBook(await openXlsx(bytes, { readStyles: true }));
    } catch (error) {
      throw new ActionFailed(`the file is no XLSX workbook: ${(error as Error).message}`, { retryable: false });
    }
  }

  /** Does it. A tab that is not there is made. Throws `ActionFailed`, nothing changed, where it cannot be done. */
  obey({ tab, order }: TabOrder): Answer {
    const open = this.#tab(tab, order.sheet.columns);
    const answer = open.table.obey(order);
    this.#write(open);
    return answer;
  }

  /** The file's bytes; null where nothing was changed. */
  async bytes(): Promise<Uint8Array | null> {
    if (!this.#isChanged) return null;
    // What was never a file has nothing to be kept.
    return this.#book.hasMacros === undefined
      ? writeXlsx({ sheets: this.#book.sheets.map(({ name, rows }) => ({ name, rows })) })
      : saveXlsx(this.#book);
  }

  // The same tab with titles and without is one tab, seen in two ways.
  #tab(name: string, titles: readonly string[]): Open {
    const tab = this.#book.sheets.find((one) => one.name.toLowerCase() === name.toLowerCase()) ?? this.#make(name);
    const id = `${tab.name}\n${titles.length > 0}`;
    for (const other of this.#open.keys())
      if (other !== id && other.startsWith(`${tab.name}\n`)) this.#open.delete(other);
    const known = this.#open.get(id);
    if (known !== undefined) return known;
    if (titles.length > 0 && tab.rows.every(isEmpty)) {
      tab.rows = [[...titles]];
      this.#isChanged = true;
    }
    const open = openTab(tab, titles.length > 0 ? 1 : 0);
    this.#open.set(id, open);
    return open;
  }

  #make(name: string): Tab {
    if (NO_TAB_NAME.test(name)) {
      const words = `${JSON.stringify(name)} is no name of a tab: 1 to 31 characters, none of [ ] : * ? / \\`;
      throw new ActionFailed(words, { retryable: false });
    }
    const tab: Tab = { name, rows: [] };
    this.#book.sheets.push(tab);
    this.#isChanged = true;
    return tab;
  }

  #write(open: Open): void {
    const { tab, table, titles } = open;
    const { appended, set } = table.take();
    for (const [at, cells] of set) {
      for (const [place, cell] of cells) setCell(tab, { row: titles + at, place, cell });
    }
    for (const row of appended) {
      for (const [place, cell] of row.entries()) setCell(tab, { row: titles + open.rows, place, cell });
      open.rows += 1;
    }
    if (appended.length > 0 || set.size > 0) this.#isChanged = true;
  }
}

function openTab(tab: Tab, titles: number): Open {
  const rows = tab.rows.slice(titles);
  while (rows.length > 0 && isEmpty(rows.at(-1)!)) rows.pop();
  const header = titles === 0 ? null : (tab.rows[0] ?? []).map((cell) => plainText(cellOf(cell)));
  return {
    tab,
    titles,
    rows: rows.length,
    table: new Table(
      header,
      rows.map((row) => row.map(cellOf)),
    ),
  };
}

function setCell(tab: Tab, { row, place, cell }: { row: number; place: number; cell: Cell }): void {
  while (tab.rows.length <= row) tab.rows.push([]);
  const cells = tab.rows[row]!;
  while (cells.length <= place) cells.push(null);
  cells[place] = cell;
  const id = `${row},${place}`;
  const former = tab.cells?.get(id);
  if (former === undefined) return;
  // Its look stays; a formula or rich text that was there does not.
  const { style } = former;
  tab.cells!.set(id, { value: cell, type: typeOf(cell), ...(style === undefined ? {} : { style }) });
}

function typeOf(cell: Cell): 'empty' | 'string' | 'number' | 'boolean' {
  return cell === null ? 'empty' : (typeof cell as 'string' | 'number' | 'boolean');
}

function cellOf(cell: TabCell | undefined): Cell {
  return cell instanceof Date ? cell.toISOString() : (cell ?? null);
}

function isEmpty(row: readonly TabCell[]): boolean {
  return row.every((cell) => cell === null || cell === '');
}
