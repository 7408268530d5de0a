// Tables for people: aligned, one line a row, fitted to the screen.
import { clip, pad, plain, widthOf, type Style } from './terminal.ts';

/** One column: its head, and what an item shows in it. */
export interface Column<Item> {
  head: string;
  of(item: Item): string;
  style?(item: Item): Style | undefined;
  /** It may be cut when the screen is narrow, down to this many cells. */
  least?: number;
  /** Of what is cut the end stays: event types begin alike. */
  keepEnd?: true;
}

/** How the table is to look. */
export interface Look {
  columns: number;
  paint: (style: Style, text: string) => string;
}

const GAP = 2;

/** The lines of a table, its heads first. */
export function tableOf<Item>(items: readonly Item[], columns: readonly Column<Item>[], look: Look): string[] {
  const rows = items.map((item) => columns.map((column) => plain(column.of(item))));
  const natural = columns.map(({ head }, at) => Math.max(widthOf(head), ...rows.map((row) => widthOf(row[at] ?? ''))));
  const widths = fit(natural, columns, look.columns);
  const line = (cells: readonly string[], style: (at: number) => Style | undefined): string =>
    cells
      .map((cell, at) => {
        const text = clip(cell, widths[at] ?? 0, columns[at]?.keepEnd);
        const name = style(at);
        const painted = name === undefined ? text : look.paint(name, text);
        return at === cells.length - 1 ? painted : painted + pad('', (widths[at] ?? 0) - widthOf(text) + GAP);
      })
      .join('')
      .trimEnd();
  const heads = line(
    columns.map(({ head }) => head),
    () => 'dim',
  );
  return [heads, ...rows.map((row, index) => line(row, (at) => columns[at]?.style?.(items[index] as Item)))];
}

/** Takes from the widest column that may shrink until all fit. */
function fit<Item>(natural: readonly number[], columns: readonly Column<Item>[], room: number): number[] {
  const widths = [...natural];
  const excess = () => widths.reduce((sum, width) => sum + width, GAP * (widths.length - 1)) - room;
  while (excess() > 0) {
    let widest = -1;
    for (const [at, { least }] of columns.entries()) {
      if (least === undefined || (widths[at] as number) <= least) continue;
      if (widest < 0 || (widths[at] as number) > (widths[widest] as number)) widest = at;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] as number) - 1;
  }
  return widths;
}

/** Lines `name  value`, names aligned; what is null or empty is left out. */
export function factsOf(facts: Readonly<Record<string, string | number | null | undefined>>, look: Look): string[] {
  const shown = Object.entries(facts).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => widthOf(name)));
  return shown.map(([name, value]) => `${look.paint('dim', pad(name, width))}  ${plain(String(value))}`);
}
