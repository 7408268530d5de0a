// Sheets in tabs of Google spreadsheets, by the Sheets API and a service account.
//
// The API's append has no idempotency key. So before anything is appended the key column is read, on the first try, too:
// what asks may be a redelivery, or the repetition of a request whose answer was lost. What many runs ask of one tab at
// once is one reading and one append: an account has sixty of each a minute.
import { LRUCache } from 'lru-cache';
import type { Cell } from '../../../model/sheet.ts';
import { ActionFailed } from '../../action.ts';
import { GoogleApi, GoogleRefused, type GoogleApiParts, type GoogleTab } from './api.ts';
import { GoogleTokens, readAccount } from './account.ts';
import { Layout, plainText, type KeyedRow } from '../layout.ts';
import { placeOfOrders, type OrderedPlace } from '../ordered-place.ts';
import type { AppendOrder, Order } from '../orders.ts';
import { OrderRounds, type Waiting } from '../rounds.ts';
import { Table } from '../table.ts';

/** What it is made of. */
export interface GooglePlaceParts extends Omit<GoogleApiParts, 'tokens'> {
  /** Rounds about one tab begin at most so often, ms; left out, as Google's quota has it. */
  everyMs?: number;
}

/** An order for a tab. */
interface TabOrder {
  at: GoogleTab;
  order: Order;
}

type WaitingFor<O extends Order> = Waiting<{ at: GoogleTab; order: O }>;

/** Titles are read again after this. */
const TITLES_MS = 300_000;
const MOST_TABS = 1_000;
const EVERY_MS = 1_100;
/** What Google recommends at most for one request is 2 MB. */
const APPEND_BYTES = 1_500_000;

/** Makes it. */
export function createGooglePlace({ fetch, clock, everyMs = EVERY_MS }: GooglePlaceParts): OrderedPlace {
  const tokens = new GoogleTokens({ fetch, clock });
  const titles = new LRUCache<string, string[]>({ max: MOST_TABS, ttl: TITLES_MS });
  const closing = new AbortController();
  const rounds = new OrderRounds<TabOrder>(async (about, waiting) => {
    const api = new GoogleApi({ fetch, clock, tokens }, waiting[0]!.order.at, closing.signal);
    const round = new Round({ api, titles, about });
    await round.append(waiting.filter(isAppend));
    await round.others(waiting.filter((one) => !isAppend(one)));
  }, everyMs);
  return placeOfOrders({
    ask: async ({ sheet: { place }, secrets, signal }, order) => {
      if (place.kind !== 'google') throw new Error(`a sheet of the kind ${place.kind} came to Google`);
      const { account, api, spreadsheet, tab } = place;
      const secret = secrets[account];
      if (secret === undefined) throw refused(`there is no secret ${account}, which holds the account’s key`);
      const about = JSON.stringify([api, spreadsheet, tab, secret]);
      return rounds.ask(about, { at: { api, spreadsheet, tab, account: readAccount(secret) }, order }, signal);
    },
    close: async () => {
      const ended = rounds.close();
      closing.abort(new Error('the platform is stopping'));
      await ended;
    },
  });
}

function isAppend(waiting: Waiting<TabOrder>): waiting is WaitingFor<AppendOrder> {
  return waiting.order.order.kind === 'append';
}

interface RoundParts {
  api: GoogleApi;
  titles: LRUCache<string, string[]>;
  about: string;
}

interface NewRow {
  row: KeyedRow;
  waiting: WaitingFor<AppendOrder>;
}

/** What is asked of one tab at once. */
class Round {
  readonly #api: GoogleApi;
  readonly #titles: LRUCache<string, string[]>;
  readonly #about: string;

  constructor({ api, titles, about }: RoundParts) {
    this.#api = api;
    this.#titles = titles;
    this.#about = about;
  }

  async append(waiting: readonly WaitingFor<AppendOrder>[]): Promise<void> {
    const byColumn = new Map<number, NewRow[]>();
    for (const one of waiting) {
      const { order } = one.order;
      try {
        const header = await this.#header(order);
        const row = new Layout(order.sheet, header).keyed(order);
        byColumn.set(row.keyAt, [...(byColumn.get(row.keyAt) ?? []), { row, waiting: one }]);
      } catch (error) {
        if (!(error instanceof ActionFailed) || error instanceof GoogleRefused) throw error;
        one.reject(error);
      }
    }
    for (const [keyAt, rows] of byColumn) await this.#appendNew(await this.#api.column(keyAt), rows);
  }

  async others(waiting: readonly Waiting<TabOrder>[]): Promise<void> {
    for (const hasTitles of [true, false]) {
      const some = waiting.filter(({ order: { order } }) => order.sheet.columns.length > 0 === hasTitles);
      if (some.length > 0) await this.#obey(some, hasTitles);
    }
  }

  async #appendNew(column: readonly Cell[], rows: readonly NewRow[]): Promise<void> {
    const known = new Map(column.map((cell, at) => [plainText(cell), at + 1]));
    const added = new Map<string, NewRow>();
    const again: NewRow[] = [];
    for (const one of rows) {
      const { key } = one.row;
      if (known.has(key) || added.has(key)) again.push(one);
      else added.set(key, one);
    }
    // Twice in one round: the second one waits for what becomes of the first.
    for (const one of again) {
      const at = known.get(one.row.key);
      if (at !== undefined) one.waiting.resolve({ row: at - titleRows(one.waiting.order.order), added: false });
    }
    const failed = new Map<string, unknown>();
    for (const part of partsOf([...added.values()])) await this.#appendRows(part, failed);
    for (const { row, waiting } of again) {
      if (failed.has(row.key)) waiting.reject(failed.get(row.key));
      else waiting.resolve({ row: null, added: false });
    }
  }

  async #appendRows(rows: readonly NewRow[], failed: Map<string, unknown>): Promise<void> {
    let first: number | null;
    try {
      first = await this.#api.append(rows.map(({ row }) => cellsOf(row)));
    } catch (error) {
      if (!(error instanceof GoogleRefused) || error.status !== 400) throw error;
      if (rows.length === 1) {
        failed.set(rows[0]!.row.key, error);
        rows[0]!.waiting.reject(error);
      }
      // All or none: one that Google does not take would hold up the others.
      else for (const row of rows) await this.#appendRows([row], failed);
      return;
    }
    for (const [at, { waiting }] of rows.entries()) {
      const row = first === null ? null : first + at - titleRows(waiting.order.order);
      waiting.resolve({ row, added: true });
    }
  }

  async #obey(waiting: readonly Waiting<TabOrder>[], hasTitles: boolean): Promise<void> {
    const header = hasTitles ? await this.#header(waiting[0]!.order.order) : null;
    const rows = await this.#api.rows();
    const table = new Table(header, hasTitles ? rows.slice(1) : rows);
    const done: (() => void)[] = [];
    for (const { order, resolve, reject } of waiting) {
      try {
        const answer = table.obey(order.order);
        done.push(() => resolve(answer));
      } catch (error) {
        reject(error);
      }
    }
    const { appended, set } = table.take();
    const cells = [...set].flatMap(([row, placed]) =>
      [...placed].map(([column, cell]) => ({ row: row + (hasTitles ? 1 : 0), column, cell })),
    );
    if (cells.length > 0) await this.#api.set(cells);
    if (appended.length > 0) await this.#api.append(appended);
    for (const settle of done) settle();
  }

  // An empty tab gets the titles.
  async #header({ sheet: { columns } }: Order): Promise<readonly string[] | null> {
    if (columns.length === 0) return null;
    const known = this.#titles.get(this.#about);
    if (known !== undefined && columns.every((title) => known.includes(title))) return known;
    let titles = await this.#api.titles();
    if (titles.length === 0) {
      await this.#api.set(columns.map((cell, column) => ({ row: 0, column, cell })));
      titles = [...columns];
    }
    this.#titles.set(this.#about, titles);
    return titles;
  }
}

function titleRows({ sheet: { columns } }: Order): number {
  return columns.length > 0 ? 1 : 0;
}

function cellsOf({ cells }: KeyedRow): Cell[] {
  const width = Math.max(...[...cells.keys()].map((place) => place + 1));
  return Array.from({ length: width }, (_, place) => cells.get(place) ?? null);
}

function partsOf(rows: readonly NewRow[]): NewRow[][] {
  const parts: NewRow[][] = [];
  let bytes = Infinity;
  for (const row of rows) {
    const size = Buffer.byteLength(JSON.stringify(cellsOf(row.row)));
    if (bytes + size > APPEND_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    bytes += size;
    parts.at(-1)!.push(row);
  }
  return parts;
}

function refused(words: string): ActionFailed {
  return new ActionFailed(words, { retryable: false });
}
