// A CSV file on disk: read whole, its torn end mended, appended to with one sync, or written anew beside it.
import { constants } from 'node:fs';
import { appendFile, open, type FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { unguardFormula, type Cell } from '../../../model/sheet.ts';
import { ActionFailed } from '../../action.ts';
import { formatRecord, parseCsv, type CsvRecord } from './text.ts';
import { tooLarge } from '../file-fault.ts';
import type { Placed } from '../layout.ts';
import { NEW_FILE_MODE, replaceFile, syncFolder, writeAll } from '../replace-file.ts';
import type { Changes } from '../table.ts';

/** What tells a file that nobody has touched since. */
interface Print {
  inode: bigint;
  bytes: bigint;
  changedAt: bigint;
}

/** The content of a file. */
export interface CsvContent {
  /** The first record, where it holds titles. */
  header: string[] | null;
  rows: Cell[][];
  /** That of its first record. */
  lineEnd: string;
}

const READ_AND_WRITE = constants.O_RDWR | constants.O_NOFOLLOW;
const BOM = '\uFEFF';

/** One file. Not for two users at once. */
export class CsvFile {
  readonly path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** Opens it; made where it is not there. Rejects with what the file system says, or with an `ActionFailed`. */
  static async open(path: string): Promise<CsvFile> {
    const handle = await openOrMake(path);
    const stats = await handle.stat();
    if (stats.isFile() && stats.size >= 0) {
      const fault = tooLarge(basename(path), stats.size);
      if (fault === null) return new CsvFile(path, handle);
      await handle.close();
      throw fault;
    }
    await handle.close();
    throw new ActionFailed(`${basename(path)} is no file`, { retryable: false });
  }

  async print(): Promise<Print> {
    const { ino, size, mtimeNs } = await this.#handle.stat({ bigint: true });
    return { inode: ino, bytes: size, changedAt: mtimeNs };
  }

  /** Reads it, its end mended; an empty one gets the titles, if there are any, as its first record. */
  async read(titles: readonly string[]): Promise<CsvContent> {
    const text = await this.#mended(titles);
    const records = parseCsv(text.replace(BOM, ''));
    if (records.length === 0 && titles.length > 0) {
      await this.append([titles], '\r\n');
      return { header: [...titles], rows: [], lineEnd: '\r\n' };
    }
    const lineEnd = records[0]?.lineEnd || '\r\n';
    const header = titles.length > 0 ? records.shift()!.fields : null;
    return { header, rows: records.map(({ fields }) => fields.map(unguardFormula)), lineEnd };
  }

  /** Appends rows with one write and one sync. What cannot be written whole is taken back. */
  async append(rows: readonly (readonly (Cell | undefined)[])[], lineEnd: string): Promise<void> {
    const bytes = Buffer.from(rows.map((row) => formatRecord(row, lineEnd)).join(''));
    const { size } = await this.#handle.stat();
    const fault = tooLarge(basename(this.path), size + bytes.length);
    if (fault !== null) throw fault;
    try {
      await writeAll(this.#handle, bytes, size);
      await this.#handle.datasync();
    } catch (error) {
      await this.#handle.truncate(size).catch(() => undefined);
      throw error;
    }
  }

  /** Writes it anew with the changes: the new file takes its place whole. This one is of no use then. */
  async replace(
    { set, appended }: Changes,
    { hasHeader, lineEnd }: { hasHeader: boolean; lineEnd: string },
  ): Promise<void> {
    const text = await this.#text();
    const body = text.replace(BOM, '');
    const first = hasHeader ? 1 : 0;
    const kept = parseCsv(body).map((record, at) => changedRecord(body, record, set.get(at - first)));
    const added = appended.map((row) => formatRecord(row, lineEnd));
    const content = Buffer.from([text.startsWith(BOM) ? BOM : '', ...kept, ...added].join(''));
    const fault = tooLarge(basename(this.path), content.length);
    if (fault !== null) throw fault;
    await replaceFile(this.path, content);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #text(): Promise<string> {
    const { size } = await this.#handle.stat();
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await this.#handle.read(bytes, 0, size, 0);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, bytesRead));
    } catch {
      throw new ActionFailed(`the file ${basename(this.path)} is no UTF-8 text`, { retryable: false });
    }
  }

  // The last record has no line end where a crash cut our writing short, or where a person wrote it so. The former is set
  // aside: it is appended whole when its step is done again. The latter gets its line end.
  async #mended(titles: readonly string[]): Promise<string> {
    const text = await this.#text();
    const record = parseCsv(text).at(-1);
    if (record === undefined || record.lineEnd !== '') return text;
    if (record.open && /[\r\n]/.test(text.slice(record.start))) {
      const words = `the file ${basename(this.path)} ends within a cell that begins with a quote: mend it by hand`;
      throw new ActionFailed(words, { retryable: false });
    }
    const piece = text.slice(record.start);
    const size = Buffer.byteLength(text);
    if (isWhole(record, titles.length) && !piece.includes('\0')) {
      const lineEnd = piece.endsWith('\r') ? '\n' : lineEndOf(text);
      await writeAll(this.#handle, Buffer.from(lineEnd), size);
      return text + lineEnd;
    }
    await appendFile(`${this.path}.torn`, `${piece}\r\n`, { mode: NEW_FILE_MODE, flush: true });
    await this.#handle.truncate(size - Buffer.byteLength(piece));
    return text.slice(0, record.start);
  }
}

// What nobody changed stays as it was written, a formula that a person put there included.
function changedRecord(text: string, { fields, start, end, lineEnd }: CsvRecord, cells: Placed | undefined): string {
  if (cells === undefined) return text.slice(start, end);
  const row: Cell[] = fields.map(unguardFormula);
  for (const [place, cell] of cells) {
    while (row.length <= place) row.push(null);
    row[place] = cell;
  }
  return formatRecord(row, lineEnd);
}

function isWhole({ fields, lastQuoted, open }: CsvRecord, width: number): boolean {
  if (open) return false;
  return lastQuoted || (fields.length === width && fields.at(-1) !== '');
}

function lineEndOf(text: string): string {
  return /\r?\n/.exec(text)?.[0] ?? '\r\n';
}

async function openOrMake(path: string): Promise<FileHandle> {
  try {
    return await open(path, READ_AND_WRITE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const handle = await open(path, READ_AND_WRITE | constants.O_CREAT, NEW_FILE_MODE);
  await syncFolder(dirname(path));
  return handle;
}
