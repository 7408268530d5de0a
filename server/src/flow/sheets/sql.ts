// Sheets in tables of databases: columns go by their titles, a row is looked up by its key column in the transaction that
// adds it.
import { columnOf, lettersOf, type Cell, type Cells } from '../../model/sheet.ts';
import { ActionFailed } from '../action.ts';
import { SESSION_MS, type Database, type Databases, type Query } from '../databases/index.ts';
import { keyColumnOf, plainText } from './layout.ts';
import { placeOfOrders, type OrderedPlace } from './ordered-place.ts';
import type { Answer, Answers, AppendOrder, LookupOrder, Order, OrderedSheet, UpdateOrder } from './orders.ts';

/** What it is made of. */
export interface SqlPlaceParts {
  databases: Pick<Databases, 'open'>;
  /** What rows that are looked up may hold together. */
  maxBytes: number;
}

/** Makes it. */
export function createSqlPlace({ databases, maxBytes }: SqlPlaceParts): OrderedPlace {
  return placeOfOrders({
    ask: async ({ sheet: { place }, secrets, signal }, order) => {
      if (place.kind !== 'sql') throw new Error(`a sheet of the kind ${place.kind} came to the databases`);
      const url = secrets[place.connection];
      if (url === undefined) throw refused(`there is no secret ${place.connection}, which names the database`);
      const database = await databases.open(url);
      const rows = order.kind === 'lookup' ? order.limit : 1;
      return database.session({ rows, bytes: maxBytes, deadlineMs: SESSION_MS, signal }, (query) =>
        obey(new SqlTable({ kind: database.kind, query, name: place.table, sheet: order.sheet }), order),
      );
    },
    close: async () => undefined,
  });
}

function obey(table: SqlTable, order: Order): Promise<Answer> {
  if (order.kind === 'append') return table.within(() => table.append(order));
  return order.kind === 'update' ? table.within(() => table.update(order)) : table.lookup(order);
}

interface SqlTableParts {
  kind: Database['kind'];
  query: Query;
  name: string;
  sheet: OrderedSheet;
}

/** A table during one session. */
class SqlTable {
  readonly #kind: Database['kind'];
  readonly #query: Query;
  readonly #name: string;
  readonly #sheet: OrderedSheet;

  constructor({ kind, query, name, sheet }: SqlTableParts) {
    this.#kind = kind;
    this.#query = query;
    // schema.table
    this.#name = name.split('.', 2).map(quoted).join('.');
    this.#sheet = sheet;
  }

  async within<T>(work: () => Promise<T>): Promise<T> {
    await this.#query(this.#kind === 'sqlite' ? 'BEGIN IMMEDIATE' : 'BEGIN', []);
    const result = await work();
    await this.#query('COMMIT', []);
    return result;
  }

  async append({ key, cells }: Pick<AppendOrder, 'key' | 'cells'>): Promise<Answers['append']> {
    const keyName = this.#column(keyColumnOf(this.#sheet));
    const row = this.#columns(cells);
    if (plainText(row.get(keyName)) === '') row.set(keyName, key);
    const own = row.get(keyName)!;
    await this.#alone(plainText(own));
    if (await this.#has(keyName, own)) return { row: null, added: false };
    const names = [...row.keys()].map(quoted).join(', ');
    const marks = [...row.keys()].map((_, at) => this.#mark(at)).join(', ');
    const text = `INSERT INTO ${this.#name} (${names}) VALUES (${marks}) ON CONFLICT DO NOTHING`;
    const { count } = await this.#query(text, [...row.values()]);
    if (count > 0) return { row: null, added: true };
    if (await this.#has(keyName, own)) return { row: null, added: false };
    throw refused('another row of the table has a value that the table wants to be there once');
  }

  async update(order: UpdateOrder): Promise<Answers['update']> {
    const set = [...this.#columns(order.cells)];
    const { where, values } = this.#where(order.match, set.length);
    const sets = set.map(([name], at) => `${quoted(name)} = ${this.#mark(at)}`).join(', ');
    const text =
      set.length === 0 ? `SELECT 1 FROM ${this.#name}${where} LIMIT 1` : `UPDATE ${this.#name} SET ${sets}${where}`;
    const { count } = await this.#query(text, [...set.map(([, cell]) => cell), ...values]);
    if (count > 0 || !order.upsert) return { updated: set.length === 0 ? 0 : count, added: false };
    const { added } = await this.append({ key: order.key, cells: { ...order.match, ...order.cells } });
    return { updated: 0, added };
  }

  async lookup({ match, limit }: LookupOrder): Promise<Answers['lookup']> {
    const { columns } = this.#sheet;
    const { where, values } = this.#where(match, 0);
    const names = columns.length === 0 ? '*' : columns.map(quoted).join(', ');
    const text = `SELECT ${names} FROM ${this.#name}${where} LIMIT ${Math.max(1, Math.floor(limit))}`;
    const { rows } = await this.#query(text, values);
    return rows.map((row, at) => ({
      row: at + 1,
      cells: Object.fromEntries(
        Object.entries(row).map(([name, value]): [string, Cell] => {
          const column = columns.indexOf(name);
          return [column < 0 ? name : lettersOf(column), cellOf(value)];
        }),
      ),
    }));
  }

  // Whoever appends the same key at the same time waits, on another node, too. SQLite has one writer anyway.
  async #alone(key: string): Promise<void> {
    if (this.#kind === 'sqlite') return;
    await this.#query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`bellwire ${this.#name} ${key}`]);
  }

  async #has(column: string, value: Cell): Promise<boolean> {
    const text = `SELECT 1 FROM ${this.#name} WHERE ${quoted(column)} = ${this.#mark(0)} LIMIT 1`;
    return (await this.#query(text, [value])).rows.length > 0;
  }

  #where(match: Cells, from: number): { where: string; values: Cell[] } {
    const values: Cell[] = [];
    const parts = [...this.#columns(match)].map(([name, cell]) => {
      if (cell === null) return `${quoted(name)} IS NULL`;
      values.push(cell);
      return `${quoted(name)} = ${this.#mark(from + values.length - 1)}`;
    });
    return { where: parts.length === 0 ? '' : ` WHERE ${parts.join(' AND ')}`, values };
  }

  #columns(cells: Cells): Map<string, Cell> {
    return new Map(Object.entries(cells).map(([name, cell]) => [this.#column(name), cell]));
  }

  // Without titles the names are those of the table's own columns.
  #column(name: string): string {
    const { columns } = this.#sheet;
    if (columns.length === 0) return name;
    const column = columnOf(this.#sheet, name);
    const title = column === null ? undefined : columns[column];
    if (title === undefined) throw refused(`the sheet has no column ${JSON.stringify(name)}`);
    return title;
  }

  #mark(at: number): string {
    return this.#kind === 'sqlite' ? '?' : `$${at + 1}`;
  }
}

function quoted(name: string): string {
  if (name.includes('\0') || name === '') throw refused('a name of a table or column is none');
  return `"${name.replaceAll('"', '""')}"`;
}

function cellOf(value: unknown): Cell {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value as Cell);
}

function refused(words: string): ActionFailed {
  return new ActionFailed(words, { retryable: false });
}
