// Sheets in CSV files (RFC 4180) of folders that the operator allows.
//
// One writer at a time per file, within this process. What many runs append at once is one write and one sync. A row is
// looked up by its key column before it is appended, so a step that is done again after a crash adds nothing.
import { LRUCache } from 'lru-cache';
import type { Cells } from '../../../model/sheet.ts';
import type { AllowedFolders } from '../../allowed-file.ts';
import { CsvFile } from './file.ts';
import { fileFault, sheetFile, MOST_FILE_BYTES } from '../file-fault.ts';
import { plainText } from '../layout.ts';
import { placeOfOrders, type OrderedPlace } from '../ordered-place.ts';
import type { Order } from '../orders.ts';
import { OrderRounds, type Waiting } from '../rounds.ts';
import { Table } from '../table.ts';

/** What files are reached by. */
export interface FilePlaceParts {
  files: AllowedFolders;
}

/** A file as it was left. */
interface Known {
  print: Awaited<ReturnType<CsvFile['print']>>;
  /** Were its first record titles, as this sheet saw it? */
  hasHeader: boolean;
  table: Table;
  lineEnd: string;
}

/** So that no document turns a file of another kind into a sheet. */
const CSV_NAME = /\.(?:csv|txt)$/i;

/** Makes it. */
export function createCsvPlace({ files }: FilePlaceParts): OrderedPlace {
  const known: Files = new LRUCache({
    maxSize: MOST_FILE_BYTES,
    sizeCalculation: ({ print }) => Number(print.bytes) + 1,
  });
  const rounds = new OrderRounds<Order>((path, waiting) => doRound(path, waiting, known), 0);
  return placeOfOrders({
    ask: async ({ sheet: { place }, signal }, order) => {
      if (place.kind !== 'csv') throw new Error(`a sheet of the kind ${place.kind} came to the CSV files`);
      try {
        const path = await sheetFile(place.path, { files, name: CSV_NAME });
        return await rounds.ask(path, 'cells' in order ? { ...order, cells: texts(order.cells) } : order, signal);
      } catch (error) {
        throw signal.aborted ? error : fileFault(place.path, error);
      }
    },
    close: () => rounds.close(),
  });
}

// A file keeps text alone: so a row reads the same before and after it was read anew.
function texts(cells: Cells): Cells {
  return Object.fromEntries(Object.entries(cells).map(([name, cell]) => [name, plainText(cell)]));
}

async function doRound(path: string, waiting: readonly Waiting[], known: Files): Promise<void> {
  try {
    // Sheets with titles and without may share a file.
    for (const hasHeader of [true, false]) {
      const orders = waiting.filter(({ order }) => order.sheet.columns.length > 0 === hasHeader);
      if (orders.length === 0) continue;
      const file = await CsvFile.open(path);
      await obey(file, orders, { known, hasHeader }).finally(() => file.close());
    }
  } catch (error) {
    known.delete(path);
    throw error;
  }
}

type Files = LRUCache<string, Known>;

interface Knowing {
  known: Files;
  hasHeader: boolean;
}

async function obey(file: CsvFile, waiting: readonly Waiting[], { known, hasHeader }: Knowing): Promise<void> {
  const { table, lineEnd } = await tableOf(file, waiting[0]!.order.sheet.columns, { known, hasHeader });
  const done: (() => void)[] = [];
  for (const { order, resolve, reject } of waiting) {
    try {
      const answer = table.obey(order);
      done.push(() => resolve(answer));
    } catch (error) {
      reject(error);
    }
  }
  const changes = table.take();
  if (changes.set.size > 0) {
    await file.replace(changes, { hasHeader, lineEnd });
    known.delete(file.path);
  } else {
    if (changes.appended.length > 0) await file.append(changes.appended, lineEnd);
    known.set(file.path, { print: await file.print(), hasHeader, table, lineEnd });
  }
  for (const settle of done) settle();
}

async function tableOf(
  file: CsvFile,
  titles: readonly string[],
  { known, hasHeader }: Knowing,
): Promise<Pick<Known, 'table' | 'lineEnd'>> {
  const former = known.get(file.path);
  if (former?.hasHeader === hasHeader) {
    const now = await file.print();
    const { inode, bytes, changedAt } = former.print;
    if (now.inode === inode && now.bytes === bytes && now.changedAt === changedAt) return former;
  }
  const { header, rows, lineEnd } = await file.read(titles);
  return { table: new Table(header, rows), lineEnd };
}
