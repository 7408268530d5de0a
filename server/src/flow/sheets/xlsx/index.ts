// Sheets in tabs of XLSX files in folders that the operator allows.
//
// A file is written whole for every change, in a thread of its own: so what many runs ask of it is gathered, and the new
// file takes the former one's place when it is synced. The first order does not wait.
import { ActionFailed } from '../../action.ts';
import type { FilePlaceParts } from '../csv/index.ts';
import { fileFault, sheetFile } from '../file-fault.ts';
import { placeOfOrders, type OrderedPlace } from '../ordered-place.ts';
import { OrderRounds, type Waiting } from '../rounds.ts';
import type { TabOrder } from './book.ts';
import { XlsxThread } from './thread.ts';

/** What it is made of. */
export interface XlsxPlaceParts extends FilePlaceParts {
  /** One file is written at most so often, ms. */
  everyMs: number;
}

const XLSX_NAME = /\.xls[xm]$/i;

/** Makes it. */
export function createXlsxPlace({ files, everyMs }: XlsxPlaceParts): OrderedPlace {
  const thread = new XlsxThread();
  const rounds = new OrderRounds<TabOrder>((path, waiting) => doRound(thread, path, waiting), everyMs);
  return placeOfOrders({
    ask: async ({ sheet: { place }, signal }, order) => {
      if (place.kind !== 'xlsx') throw new Error(`a sheet of the kind ${place.kind} came to the XLSX files`);
      try {
        const path = await sheetFile(place.path, { files, name: XLSX_NAME });
        return await rounds.ask(path, { tab: place.tab, order }, signal);
      } catch (error) {
        throw signal.aborted ? error : fileFault(place.path, error);
      }
    },
    close: async () => {
      await rounds.close();
      await thread.close();
    },
  });
}

async function doRound(thread: XlsxThread, path: string, waiting: readonly Waiting<TabOrder>[]): Promise<void> {
  const done = await thread.ask(
    path,
    waiting.map(({ order }) => order),
  );
  for (const [at, { resolve, reject }] of waiting.entries()) {
    const one = done[at]!;
    if ('answer' in one) resolve(one.answer);
    else reject(new ActionFailed(one.fault, { retryable: one.retryable }));
  }
}
