// The part of the Google Sheets API (v4, spreadsheets.values) that sheets need: read, append, update.
//
// Values go in RAW: text is text, never a formula (R98).
import { lettersOf, type Cell } from '../../../model/sheet.ts';
import type { Clock } from '../../../model/clock.ts';
import { parseRetryAfter } from '../../../model/retry.ts';
import { ActionFailed } from '../../action.ts';
import { FetchFailed, type Fetch, type FetchAnswer } from '../../fetch.ts';
import type { GoogleAccount, GoogleTokens } from './account.ts';

/** What requests are made with. */
export interface GoogleApiParts {
  fetch: Fetch;
  clock: Pick<Clock, 'now'>;
  tokens: GoogleTokens;
}

/** One tab of one spreadsheet, as an account reaches it. */
export interface GoogleTab {
  api: string | null;
  spreadsheet: string;
  tab: string;
  account: GoogleAccount;
}

/** A value in a cell that is there already. Rows and columns from 0. */
export interface CellSet {
  row: number;
  column: number;
  cell: Cell;
}

const API = 'https://sheets.googleapis.com';
const DEADLINE_MS = 60_000;
const MOST_BYTES = 32 * 1024 * 1024;
/** Quotas are filled again every minute; so long is waited when nothing else is said. */
const BACK_OFF_MS = 10_000;
/** A request of which nobody knows whether it was done may still be under way for a moment. */
const UNSURE_MS = 2_000;

interface Asked {
  method: 'GET' | 'POST';
  path: string;
  query: Record<string, string>;
  body?: unknown;
}

/** Requests about one tab. All reject with `ActionFailed`. */
export class GoogleApi {
  readonly #parts: GoogleApiParts;
  readonly #at: GoogleTab;
  readonly #signal: AbortSignal;

  constructor(parts: GoogleApiParts, at: GoogleTab, signal: AbortSignal) {
    this.#parts = parts;
    this.#at = at;
    this.#signal = signal;
  }

  /** The first row, as text. */
  async titles(): Promise<string[]> {
    const rows = await this.#read('1:1', 'ROWS');
    return (rows[0] ?? []).map(String);
  }

  /** The values of a column from its first row on. */
  async column(column: number): Promise<Cell[]> {
    const letters = lettersOf(column);
    return (await this.#read(`${letters}:${letters}`, 'COLUMNS'))[0] ?? [];
  }

  /** All rows. What is empty at the end of a row or of the tab is left out. */
  rows(): Promise<Cell[][]> {
    return this.#read(null, 'ROWS');
  }

  /** Appends rows in one request, all or none; resolves the number of the first, from 1, where Google tells it. */
  async append(rows: readonly (readonly Cell[])[]): Promise<number | null> {
    const range = this.#range('A1');
    const told = await this.#ask({
      method: 'POST',
      path: `/values/${encodeURIComponent(range)}:append`,
      query: { valueInputOption: 'RAW', insertDataOption: 'INSERT_ROWS' },
      body: { range, majorDimension: 'ROWS', values: rows },
    });
    const updated = (told['updates'] as { updatedRange?: unknown } | undefined)?.updatedRange;
    const row = typeof updated === 'string' ? /![A-Z]+(\d+)/.exec(updated)?.[1] : undefined;
    return row === undefined ? null : Number(row);
  }

  /** Sets cells in one request, all or none. */
  async set(cells: readonly CellSet[]): Promise<void> {
    const data = cells.map(({ row, column, cell }) => ({
      range: this.#range(`${lettersOf(column)}${row + 1}`),
      majorDimension: 'ROWS',
      // Null would leave what is there.
      values: [[cell ?? '']],
    }));
    await this.#ask({
      method: 'POST',
      path: '/values:batchUpdate',
      query: {},
      body: { valueInputOption: 'RAW', data },
    });
  }

  async #read(range: string | null, majorDimension: 'ROWS' | 'COLUMNS'): Promise<Cell[][]> {
    const told = await this.#ask({
      method: 'GET',
      path: `/values/${encodeURIComponent(this.#range(range))}`,
      query: { majorDimension, valueRenderOption: 'UNFORMATTED_VALUE' },
    });
    return (told['values'] as Cell[][] | undefined) ?? [];
  }

  #range(cells: string | null): string {
    const tab = `'${this.#at.tab.replaceAll("'", "''")}'`;
    return cells === null ? tab : `${tab}!${cells}`;
  }

  // A token may have been taken back before its time: then there is one more try with a new one. Nothing was done.
  async #ask(asked: Asked): Promise<Record<string, unknown>> {
    const { tokens, clock } = this.#parts;
    let answer = await this.#send(asked);
    if (answer.status === 401) {
      tokens.forget(this.#at.account);
      answer = await this.#send(asked);
    }
    const told = readJson(answer.body);
    if (answer.status !== 200) throw refused(this.#at, { answer, told, now: clock.now() });
    if (told !== null) return told;
    throw new ActionFailed('Google answered 200, but what is no JSON', { afterMs: UNSURE_MS });
  }

  async #send({ method, path, query, body }: Asked): Promise<FetchAnswer> {
    const { api, spreadsheet, account } = this.#at;
    const { fetch, tokens } = this.#parts;
    const token = await tokens.of(account);
    const base = (api ?? API).replace(/\/+$/, '');
    const search = new URLSearchParams(query).toString();
    const url = `${base}/v4/spreadsheets/${encodeURIComponent(spreadsheet)}${path}${search === '' ? '' : `?${search}`}`;
    const content = body === undefined ? null : Buffer.from(JSON.stringify(body));
    const type: Record<string, string> = content === null ? {} : { 'content-type': 'application/json; charset=utf-8' };
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json', ...type };
    const bounds = { deadlineMs: DEADLINE_MS, maxBytes: MOST_BYTES, signal: this.#signal };
    return fetch({ method, url, headers, body: content, ...bounds }).catch((error: unknown) => {
      if (!(error instanceof FetchFailed)) throw error;
      throw new ActionFailed(`Google: ${error.message}`, { afterMs: method === 'POST' ? UNSURE_MS : null });
    });
  }
}

interface Refusal {
  answer: FetchAnswer;
  told: Record<string, unknown> | null;
  now: number;
}

/** A request that Google did not take. */
export class GoogleRefused extends ActionFailed {
  override name = 'GoogleRefused';
  readonly status: number;

  constructor(reason: string, status: number, more: ConstructorParameters<typeof ActionFailed>[1]) {
    super(reason, more);
    this.status = status;
  }
}

function refused({ spreadsheet, tab, account }: GoogleTab, { answer, told, now }: Refusal): GoogleRefused {
  const { status } = answer;
  const message = (told?.['error'] as { message?: unknown } | undefined)?.message;
  const said = typeof message === 'string' ? `: ${message.slice(0, 300)}` : '';
  const words: Readonly<Record<number, string>> = {
    400: `Google refuses the request (400)${said}; is there a tab ${JSON.stringify(tab)}?`,
    401: `Google does not take the account’s access token (401)${said}`,
    403: `Google does not let the account in (403)${said}; share the spreadsheet with ${account.email}`,
    404: `Google knows no spreadsheet ${JSON.stringify(spreadsheet)} (404)${said}`,
    429: `Google’s quota is used up (429)${said}`,
  };
  const isPassing = status === 429 || status === 408 || status >= 500;
  const at = parseRetryAfter(answer.headers['retry-after'] ?? null, now);
  const afterMs = at === null ? (status === 429 ? BACK_OFF_MS : null) : at - now;
  return new GoogleRefused(words[status] ?? `Google answered ${status}${said}`, status, {
    retryable: isPassing,
    afterMs,
  });
}

function readJson(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString()) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
