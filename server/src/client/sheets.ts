// Sheets and their rows, as the client speaks of them.
import type { RowAddedOut, RowIn, RowsOut } from '../api/sheets/rows.ts';
import type { SheetOut, SheetsOut } from '../api/sheets/sheets.ts';
import type { Calls, ListOptions } from './calls.ts';
import { path, type CallOptions, type Requester } from './request.ts';

/** How long a long sheet may take to arrive. */
const EXPORT_MS = 3_600_000;

/** `client.sheets`. A sheet goes by its name. */
export function sheetsOf({ get, post, put, remove, list }: Calls, { send }: Requester) {
  return {
    list: (query?: ListOptions) => list<SheetsOut>('/v1/sheets', query),
    get: (name: string, call?: CallOptions) => get<SheetOut>(path`/v1/sheets/${name}`, call),
    /** Makes or replaces it by its document; rows stay. */
    put: (name: string, document: string, call?: CallOptions) =>
      put<SheetOut>(path`/v1/sheets/${name}`, {
        body: { bytes: document, headers: { 'content-type': 'application/yaml' } },
        ...call,
      }),
    delete: (name: string, call?: CallOptions) => remove(path`/v1/sheets/${name}`, call),
    rows: (name: string, query?: ListOptions) => list<RowsOut>(path`/v1/sheets/${name}/rows`, query),
    /** Adds a row; of one key there is one. */
    addRow: (name: string, row: RowIn, call?: CallOptions) =>
      post<RowAddedOut>(path`/v1/sheets/${name}/rows`, { json: row, ...call }),
    deleteRow: (name: string, row: number, call?: CallOptions) =>
      remove(path`/v1/sheets/${name}/rows/${String(row)}`, call),
    /** The whole of it as a file. CSV comes as it is read: its body is a stream. */
    export: (name: string, format: 'csv' | 'xlsx', call?: CallOptions): Promise<Response> =>
      send({
        method: 'GET',
        path: path`/v1/sheets/${name}/${`rows.${format}`}`,
        accept: '*/*',
        timeoutMs: EXPORT_MS,
        ...call,
      }),
  };
}
