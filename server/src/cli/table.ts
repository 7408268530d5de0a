// Tables for people: aligned, one line a row, fitted to the screen.
import { clip, pad, plain, widthOf, type Style } from './terminal.ts';

/** One column: its head, and what an item shows in it. */
export interface Column<Item> {
  head: string;
  of(item: Item): string;
  style?(item: Item): Style | undefined;
  /** It may be cut when the screen is narrow, down to this many cells. Later columns go first. */
  least?: number;
  /** It is left out where not even that fits: without `least` it is shown whole or not at all. */
  optional?: true;
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
  const natural = columns.map(({ head }, at) => {
    const widest = rows.reduce((most, row) => Math.max(most, widthOf(row[at] as string)), 0);
    // A column in which nothing stands takes no room.
    return widest === 0 ? 0 : Math.max(widest, widthOf(head));
  });
  const widths = fit(natural, columns, look.columns);
  const line = (cells: readonly string[], style: (column: Column<Item>) => Style | undefined): string => {
    const shown = columns.flatMap((column, at) => {
      const width = widths[at] as number;
      if (width === 0) return [];
      const text = clip(cells[at] as string, width, column.keepEnd);
      const name = style(column);
      return [(name === undefined ? text : look.paint(name, text)) + ' '.repeat(width - widthOf(text))];
    });
    return shown.join(' '.repeat(GAP)).trimEnd();
  };
  const heads = columns.map(({ head }) => head);
  return [
    line(heads, () => 'dim'),
    ...items.map((item, index) => line(rows[index] as string[], (column) => column.style?.(item))),
  ];
}

/** Narrows columns from the last to the first until all fit, and leaves out those that may be. */
function fit<Item>(natural: readonly number[], columns: readonly Column<Item>[], room: number): number[] {
  const widths = [...natural];
  const excess = () => widths.reduce((sum, width) => sum + (width === 0 ? 0 : width + GAP), -GAP) - room;
  for (let at = widths.length - 1; at >= 0 && excess() > 0; at--) {
    const { least = widths[at]!, optional } = columns[at] as Column<Item>;
    widths[at] = Math.min(widths[at] as number, Math.max(least, (widths[at] as number) - excess()));
    if (optional === true && excess() > 0) widths[at] = 0;
  }
  return widths;
}

/** Lines `name  value`, names aligned; what is null or empty is left out. */
export function factsOf(facts: Readonly<Record<string, string | number | null | undefined>>, look: Look): string[] {
  const shown = Object.entries(facts).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => widthOf(name)));
  return shown.map(([name, value]) => `${look.paint('dim', pad(name, width))}  ${plain(String(value))}`);
}
