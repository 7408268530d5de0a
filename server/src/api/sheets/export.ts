// Sheets as files: CSV (RFC 4180), as long as the sheet is; XLSX, to a bound, written in a thread of its own.
import type { ServerResponse } from 'node:http';
import { Worker } from 'node:worker_threads';
import { Type } from 'typebox';
import { columnOfLetters, guardFormula, type Cell, type Cells } from '../../model/sheet.ts';
import { refuse } from '../../model/problem.ts';
import type { StoredSheet } from '../../store/contract.ts';
import { operation, type Tools } from '../kernel.ts';
import { builtInNamed, SheetParams } from './sheets.ts';

/** Rows that are in memory at once. */
const CHUNK = 1_000;
/** Most rows of an XLSX file: all of them are in memory at once. */
export const MOST_XLSX_ROWS = 50_000;
const XLSX_TYPE = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet';
/** What the thread that writes XLSX may use. */
const HEAP_MIB = 768;

/** A file. */
export const SheetFile = Type.String({ description: 'The file.' });

export const exportCsv = operation<null, string>()({
  summary: 'The rows of a sheet as CSV (RFC 4180)',
  description:
    'UTF-8; the first record is the titles, where the sheet has any. Text that a program would take for a formula has an apostrophe before it.',
  params: SheetParams,
  produces: ['text/csv'],
  errors: ['wrong-state'],
  async handle({ params, workspace }, tools) {
    const sheet = await builtInNamed(params.sheet, workspace, tools.store);
    return { stream: (response) => void writeCsv(response, { sheet, workspace: workspace.workspace }, tools) };
  },
});

export const exportXlsx = operation<null, string>()({
  summary: 'The rows of a sheet as XLSX',
  description: `Of at most ${MOST_XLSX_ROWS.toLocaleString('en')} rows; a longer sheet is fetched as CSV.`,
  params: SheetParams,
  produces: [XLSX_TYPE],
  errors: ['wrong-state'],
  async handle({ params, workspace }, { store }) {
    const sheet = await builtInNamed(params.sheet, workspace, store);
    if (sheet.rows > MOST_XLSX_ROWS) {
      const [rows, most] = [sheet.rows, MOST_XLSX_ROWS].map((one) => one.toLocaleString('en'));
      throw refuse(
        'wrong-state',
        `The sheet has ${rows} rows, and XLSX is written of at most ${most}: fetch rows.csv.`,
      );
    }
    const rows: (readonly Cell[])[] = sheet.columns.length > 0 ? [sheet.columns] : [];
    for await (const some of chunksOf(store, { sheet, workspace: workspace.workspace })) {
      rows.push(...some.map((cells) => lineOf(cells, sheet.columns.length)));
      if (rows.length > MOST_XLSX_ROWS) break;
    }
    const bytes = await writeXlsxApart({ name: sheet.name, rows });
    return { status: 200, bytes, mediaType: XLSX_TYPE, headers: download(`${sheet.name}.xlsx`) };
  },
});

interface Exported {
  workspace: number;
  sheet: StoredSheet;
}

async function writeCsv(response: ServerResponse, exported: Exported, { store, log }: Tools): Promise<void> {
  const { columns } = exported.sheet;
  response.writeHead(200, {
    'content-type': 'text/csv; charset=utf-8',
    ...download(`${exported.sheet.name}.csv`),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  if (response.req.method === 'HEAD') return void response.end();
  response.on('error', () => undefined);
  try {
    if (columns.length > 0) response.write(recordOf(columns));
    for await (const rows of chunksOf(store, exported)) {
      const taken = response.write(rows.map((cells) => recordOf(lineOf(cells, columns.length))).join(''));
      if (!taken && !(await isTaken(response))) return;
    }
    response.end();
  } catch (error) {
    // The status is out: only an answer that breaks off can say that it is not whole.
    log.error({ error }, 'a sheet could not be exported to its end');
    response.destroy();
  }
}

/** RFC 6266, the name by RFC 8187. */
function download(file: string): Record<string, string> {
  return { 'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(file.toWellFormed())}` };
}

function isTaken(response: ServerResponse): Promise<boolean> {
  if (response.closed || response.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    response.once('drain', () => resolve(true));
    response.once('close', () => resolve(false));
  });
}

async function* chunksOf(
  { sheets }: Pick<Tools['store'], 'sheets'>,
  { workspace, sheet }: Exported,
): AsyncGenerator<Cells[], void, void> {
  for (let cursor: string | null = null; ;) {
    const page: Awaited<ReturnType<typeof sheets.rows>> = await sheets.rows({
      workspace,
      sheet: sheet.sheet,
      cursor,
      limit: CHUNK,
    });
    if (page.rows.length > 0) yield page.rows.map(({ cells }) => cells);
    if (page.next === null) return;
    cursor = page.next;
  }
}

/** Cells in their places; as many as the sheet has titles, or as the row needs. */
function lineOf(cells: Cells, least: number): Cell[] {
  const line: Cell[] = Array.from({ length: least }, () => null);
  for (const [letters, cell] of Object.entries(cells)) {
    const column = columnOfLetters(letters) ?? 0;
    while (line.length < column) line.push(null);
    line[column] = cell;
  }
  return line;
}

function recordOf(line: readonly Cell[]): string {
  return `${line.map(fieldOf).join(',')}\r\n`;
}

function fieldOf(cell: Cell): string {
  if (cell === null) return '';
  const text = typeof cell === 'string' ? guardFormula(cell) : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** What the thread is to write. */
export interface XlsxJob {
  name: string;
  rows: readonly (readonly Cell[])[];
}

function writeXlsxApart(workerData: XlsxJob): Promise<Uint8Array> {
  const script = new URL(`./xlsx.worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
  const worker = new Worker(script, { workerData, resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB } });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread that writes XLSX ended')));
  });
}
