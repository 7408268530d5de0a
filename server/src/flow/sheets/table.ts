// A table in memory that takes orders and remembers what they changed, for places that keep it in a file.
import type { Cell } from '../../model/sheet.ts';
import { Layout, plainText, type Placed } from './layout.ts';
import type { Answer, Answers, AppendOrder, LookupOrder, Order, UpdateOrder } from './orders.ts';

/** What the orders since the last {@link Table.take} have changed. */
export interface Changes {
  /** Rows that came last, in order. */
  appended: readonly (readonly Cell[])[];
  /** Cells that were set in rows that were there before, by row from 0. */
  set: ReadonlyMap<number, Placed>;
}

/** Rows below a header, if there is one. */
export class Table {
  readonly #header: readonly string[] | null;
  readonly #rows: Cell[][];
  readonly #keys = new Map<number, Set<string>>();
  #kept: number;
  #set = new Map<number, Map<number, Cell>>();

  /** `rows` belong to the table from now on. */
  constructor(header: readonly string[] | null, rows: Cell[][]) {
    this.#header = header;
    this.#rows = rows;
    this.#kept = rows.length;
  }

  /** Does it. Throws `ActionFailed`, nothing changed, where it cannot be done. */
  obey(order: Order): Answer {
    const layout = new Layout(order.sheet, order.sheet.columns.length === 0 ? null : this.#header);
    if (order.kind === 'append') return this.#append(layout, order);
    return order.kind === 'update' ? this.#update(layout, order) : this.#lookup(layout, order);
  }

  /** What was changed, from now on taken as kept. */
  take(): Changes {
    const changes = { appended: this.#rows.slice(this.#kept), set: this.#set };
    this.#kept = this.#rows.length;
    this.#set = new Map();
    return changes;
  }

  #append(layout: Layout, order: Pick<AppendOrder, 'key' | 'cells'>): Answers['append'] {
    const { keyAt, key, cells } = layout.keyed(order);
    const keys = this.#keysOf(keyAt);
    if (keys.has(key)) return { row: this.#rows.findIndex((row) => plainText(row[keyAt]) === key) + 1, added: false };
    const width = Math.max(this.#header?.length ?? 0, ...[...cells.keys()].map((place) => place + 1));
    this.#rows.push(Array.from({ length: width }, (_, place) => cells.get(place) ?? null));
    for (const [place, known] of this.#keys) known.add(plainText(cells.get(place)));
    return { row: this.#rows.length, added: true };
  }

  #update(layout: Layout, order: UpdateOrder): Answers['update'] {
    const match = layout.place(order.match);
    const cells = layout.place(order.cells);
    const found = this.#rows.flatMap((row, at) => (fits(row, match) ? [at] : []));
    if (found.length === 0 && order.upsert) {
      const { added } = this.#append(layout, { key: order.key, cells: { ...order.match, ...order.cells } });
      return { updated: 0, added };
    }
    for (const at of found) this.#setCells(at, cells);
    if (found.length > 0) for (const place of cells.keys()) this.#keys.delete(place);
    return { updated: found.length, added: false };
  }

  #setCells(at: number, cells: Placed): void {
    const row = this.#rows[at]!;
    for (const [place, cell] of cells) {
      while (row.length <= place) row.push(null);
      row[place] = cell;
      if (at >= this.#kept) continue;
      const set = this.#set.get(at) ?? new Map<number, Cell>();
      this.#set.set(at, set.set(place, cell));
    }
  }

  #lookup(layout: Layout, order: LookupOrder): Answers['lookup'] {
    const match = layout.place(order.match);
    const found: Answers['lookup'] = [];
    for (const [at, row] of this.#rows.entries()) {
      if (found.length >= order.limit) break;
      if (fits(row, match)) found.push({ row: at + 1, cells: layout.read(row) });
    }
    return found;
  }

  #keysOf(place: number): Set<string> {
    let keys = this.#keys.get(place);
    if (keys === undefined) {
      keys = new Set(this.#rows.map((row) => plainText(row[place])));
      this.#keys.set(place, keys);
    }
    return keys;
  }
}

/** Are all of these cells so in the row? */
export function fits(row: readonly (Cell | undefined)[], match: Placed): boolean {
  for (const [place, cell] of match) if (plainText(row[place]) !== plainText(cell)) return false;
  return true;
}
