// Google Sheets on loopback: token exchange and values, as Google publishes them, strict about all that it is asked.
//
// What a client may get wrong is refused as Google would: a signature, a claim, a range, an option. And it can be told to
// fail: with a status, or by cutting the connection before or after it has done what it was asked.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jwtVerify } from 'jose';

type Value = string | number | boolean | null;

/** What comes over the next request of a kind, in order; afterwards all is well again. */
export type Trouble =
  | { status: number; headers?: Record<string, string> }
  /** The connection is cut: before anything is done, or when it is done and nobody has heard of it. */
  | { cut: 'before' | 'after' };

/** Kinds of requests. */
export type Asked = 'token' | 'read' | 'append' | 'update';

/** A running server. */
export interface GoogleSheets {
  /** For the `api` of a sheet. */
  url: string;
  /** The JSON key of its service account. */
  account: string;
  email: string;
  /** Makes a spreadsheet with tabs of rows. */
  spreadsheet(id: string, tabs: Record<string, Value[][]>): void;
  rows(id: string, tab: string): Value[][];
  /** What comes over the next requests of a kind. */
  trouble(kind: Asked, ...troubles: Trouble[]): void;
  /** No token that was given until now is good any more. */
  revoke(): void;
  /** Requests of a kind that came in. */
  count(kind: Asked): number;
  stop(): Promise<void>;
}

const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const SCOPE = 'https://www.googleapis.com/auth/spreadsheets';

class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Starts one. `now` is its clock, epoch ms. */
export async function startGoogleSheets(now: () => number = Date.now): Promise<GoogleSheets> {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const email = 'bellwire@project.iam.gserviceaccount.com';
  const keyId = randomUUID();
  const books = new Map<string, Map<string, Value[][]>>();
  const troubles = new Map<Asked, Trouble[]>();
  const counts = new Map<Asked, number>();
  let tokens = new Map<string, number>();
  let url = '';

  const exchange = async (request: IncomingMessage, body: string): Promise<object> => {
    if (request.headers['content-type'] !== 'application/x-www-form-urlencoded') {
      throw new Refusal(400, 'invalid_request', 'the content type is not that of a form');
    }
    const form = new URLSearchParams(body);
    if (form.get('grant_type') !== GRANT) throw new Refusal(400, 'unsupported_grant_type', 'Invalid grant_type');
    try {
      const { payload, protectedHeader } = await jwtVerify(form.get('assertion') ?? '', keys.publicKey, {
        algorithms: ['RS256'],
        issuer: email,
        audience: `${url}/token`,
        requiredClaims: ['iat', 'exp', 'scope'],
        currentDate: new Date(now()),
      });
      if (payload.exp! - payload.iat! > 3_600) throw new Error('Token must be a short-lived token (60 minutes)');
      if (payload.iat! > now() / 1_000 + 60) throw new Error('Check your iat and exp values');
      if (payload['scope'] !== SCOPE) throw new Error('the scope is another one');
      if (protectedHeader.kid !== keyId) throw new Error('the key is another one');
    } catch (error) {
      throw new Refusal(400, 'invalid_grant', `Invalid JWT: ${(error as Error).message}`);
    }
    const token = `ya29.${randomUUID()}`;
    tokens.set(token, now() + 3_599_000);
    return { access_token: token, expires_in: 3_599, token_type: 'Bearer' };
  };

  const answer = (request: IncomingMessage, body: string): { kind: Asked; act: () => object | Promise<object> } => {
    const { pathname, searchParams } = new URL(request.url!, url);
    if (request.method === 'POST' && pathname === '/token')
      return { kind: 'token', act: () => exchange(request, body) };
    const match = /^\/v4\/spreadsheets\/([^/]+)\/values(?:\/([^/]+?))?(:append|:batchUpdate)?$/.exec(pathname);
    if (match === null) return { kind: 'read', act: () => fault(404, 'NOT_FOUND', 'Requested entity was not found.') };
    const [, id = '', range, verb] = match.map((one) => (one === undefined ? undefined : decodeURIComponent(one)));
    const kind = verb === ':append' ? 'append' : verb === ':batchUpdate' ? 'update' : 'read';
    const act = (): object => {
      const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
      if ((tokens.get(token) ?? 0) <= now()) {
        return fault(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
      }
      const book = books.get(id);
      if (book === undefined) return fault(404, 'NOT_FOUND', 'Requested entity was not found.');
      if (kind === 'read') return read(book, range!, searchParams);
      const content = JSON.parse(body) as Record<string, unknown>;
      return kind === 'append'
        ? append(book, { range: range!, query: searchParams, content, id })
        : update(book, content);
    };
    return { kind, act };
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const { kind, act } = answer(request, body);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    const trouble = troubles.get(kind)?.shift();
    if (trouble !== undefined && 'cut' in trouble) {
      if (trouble.cut === 'after') await act();
      response.destroy();
      return;
    }
    if (trouble !== undefined) {
      for (const [name, value] of Object.entries(trouble.headers ?? {})) response.setHeader(name, value);
      return say(response, trouble.status, error(trouble.status, 'TROUBLE', 'as told'));
    }
    try {
      say(response, 200, await act());
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      const { status, code, message } = refusal;
      say(
        response,
        status,
        kind === 'token' ? { error: code, error_description: message } : error(status, code, message),
      );
    }
  };

  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' });
  return {
    url,
    email,
    account: JSON.stringify({
      type: 'service_account',
      project_id: 'project',
      private_key_id: keyId,
      private_key: key,
      client_email: email,
      token_uri: `${url}/token`,
    }),
    spreadsheet: (id, tabs) => void books.set(id, new Map(Object.entries(tabs))),
    rows: (id, tab) => books.get(id)!.get(tab)!,
    trouble: (kind, ...some) => void troubles.set(kind, [...(troubles.get(kind) ?? []), ...some]),
    revoke: () => (tokens = new Map()),
    count: (kind) => counts.get(kind) ?? 0,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function say(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' });
  response.end(JSON.stringify(body));
}

function error(code: number, status: string, message: string): object {
  return { error: { code, message, status } };
}

function fault(status: number, code: string, message: string): never {
  throw new Refusal(status, code, message);
}

type Book = Map<string, Value[][]>;

/** A range in A1 notation: which rows and columns, from 0; null where it goes on to the end. */
interface Range {
  tab: string;
  rows: Value[][];
  from: { row: number; column: number };
  to: { row: number | null; column: number | null };
}

function rangeOf(book: Book, text: string): Range {
  const parts = /^(?:'((?:[^']|'')+)'|([A-Za-z0-9_]+))(?:!(.+))?$/.exec(text);
  const tab = parts?.[1]?.replaceAll("''", "'") ?? parts?.[2];
  const rows = tab === undefined ? undefined : book.get(tab);
  if (parts === null || tab === undefined || rows === undefined) {
    return fault(400, 'INVALID_ARGUMENT', `Unable to parse range: ${text}`);
  }
  if (parts[3] === undefined) return { tab, rows, from: { row: 0, column: 0 }, to: { row: null, column: null } };
  const cells = /^([A-Z]*)(\d*)(?::([A-Z]*)(\d*))?$/.exec(parts[3]);
  if (cells === null) return fault(400, 'INVALID_ARGUMENT', `Unable to parse range: ${text}`);
  const [
    ,
    column = '',
    row = '',
    toColumn = parts[3].includes(':') ? '' : column,
    toRow = parts[3].includes(':') ? '' : row,
  ] = cells;
  return {
    tab,
    rows,
    from: { row: row === '' ? 0 : Number(row) - 1, column: column === '' ? 0 : columnOf(column) },
    to: { row: toRow === '' ? null : Number(toRow) - 1, column: toColumn === '' ? null : columnOf(toColumn) },
  };
}

function columnOf(letters: string): number {
  return Array.from(letters).reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1;
}

function lettersOf(column: number): string {
  return column < 26
    ? String.fromCharCode(65 + column)
    : lettersOf(Math.floor(column / 26) - 1) + lettersOf(column % 26);
}

function read(book: Book, text: string, query: URLSearchParams): object {
  expectQuery(query, { majorDimension: ['ROWS', 'COLUMNS'], valueRenderOption: ['UNFORMATTED_VALUE'] });
  const { rows, from, to } = rangeOf(book, text);
  const picked = rows
    .slice(from.row, to.row === null ? undefined : to.row + 1)
    .map((row) => row.slice(from.column, to.column === null ? undefined : to.column + 1));
  const majorDimension = query.get('majorDimension')!;
  const width = Math.max(0, ...picked.map((row) => row.length));
  const turned = Array.from({ length: width }, (_, column) => picked.map((row) => row[column] ?? null));
  // Empty cells inside are empty text; those at the ends are left out.
  const values = trimmed(
    (majorDimension === 'ROWS' ? picked : turned).map((row) => trimmed(row.map((cell) => cell ?? ''))),
  );
  return { range: text, majorDimension, ...(values.length === 0 ? {} : { values }) };
}

function trimmed<T>(list: T[]): T[] {
  const isEmpty = (one: T | undefined): boolean => one === '' || (Array.isArray(one) && one.length === 0);
  while (list.length > 0 && isEmpty(list.at(-1))) list.pop();
  return list;
}

interface Appending {
  range: string;
  query: URLSearchParams;
  content: Record<string, unknown>;
  id: string;
}

function append(book: Book, { range: text, query, content, id }: Appending): object {
  expectQuery(query, { valueInputOption: ['RAW'], insertDataOption: ['INSERT_ROWS'] });
  if (content['range'] !== text) fault(400, 'INVALID_ARGUMENT', 'Requested writing within another range');
  const { tab, rows } = rangeOf(book, text);
  const values = valuesOf(content);
  const first = rows.length;
  for (const row of values) rows.push(row.map((cell) => cell ?? ''));
  const width = Math.max(...values.map((row) => row.length));
  const updatedRange = `${tab}!A${first + 1}:${lettersOf(width - 1)}${first + values.length}`;
  return { spreadsheetId: id, updates: { spreadsheetId: id, updatedRange, updatedRows: values.length } };
}

function update(book: Book, content: Record<string, unknown>): object {
  if (content['valueInputOption'] !== 'RAW') fault(400, 'INVALID_ARGUMENT', 'valueInputOption is required');
  const data = content['data'] as Record<string, unknown>[];
  for (const one of data) {
    const { rows, from } = rangeOf(book, one['range'] as string);
    for (const [at, row] of valuesOf(one).entries()) {
      while (rows.length <= from.row + at) rows.push([]);
      const cells = rows[from.row + at]!;
      for (const [place, cell] of row.entries()) {
        while (cells.length <= from.column + place) cells.push('');
        if (cell !== null) cells[from.column + place] = cell;
      }
    }
  }
  return { totalUpdatedCells: data.length };
}

function valuesOf(content: Record<string, unknown>): Value[][] {
  const { majorDimension, values } = content;
  if (majorDimension !== 'ROWS' || !Array.isArray(values)) fault(400, 'INVALID_ARGUMENT', 'Invalid value range');
  for (const cell of (values as unknown[][]).flat()) {
    if (typeof cell === 'object' && cell !== null) fault(400, 'INVALID_ARGUMENT', 'Invalid values: struct_value');
    if (cell === 'what Google refuses') fault(400, 'INVALID_ARGUMENT', 'Invalid value');
  }
  return values as Value[][];
}

function expectQuery(query: URLSearchParams, known: Record<string, string[]>): void {
  for (const [name, value] of query) {
    if (known[name]?.includes(value)) continue;
    fault(400, 'INVALID_ARGUMENT', `Invalid JSON payload received. Unknown name "${name}" or value ${value}`);
  }
  for (const name of Object.keys(known)) if (!query.has(name)) fault(400, 'INVALID_ARGUMENT', `${name} is required`);
}
