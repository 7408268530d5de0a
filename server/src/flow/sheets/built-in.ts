// Sheets in Bellwire's own store. Exact: texts stay as they are, and are guarded where they leave (see the exports).
import type { Clock } from '../../model/clock.ts';
import { cellsByLetter, ownKeyOf, type Cells } from '../../model/sheet.ts';
import { StoreOutage, StoreRefusal, type Sheets, type StoredSheet } from '../../store/contract.ts';
import { ActionFailed } from '../action.ts';
import type { SheetAtHand, SheetPlaceDoor } from './place.ts';

/** What it stands on. */
export interface BuiltInParts {
  sheets: Sheets;
  clock: Pick<Clock, 'now' | 'after'>;
}

/** Most rows that one update changes. */
const MOST_UPDATED = 10_000;
/** How long until a store that was out of order is asked again. */
const AGAIN_MS = 500;

/** The door of one sheet, for one run; `StoreRefusal` of the code `not-found` passes through: it may be there anew. */
export function openBuiltIn(
  { sheets, clock }: BuiltInParts,
  { sheet, run }: { sheet: StoredSheet; run: number },
): SheetPlaceDoor {
  const ask = async <T>({ signal }: SheetAtHand, work: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        // All that is asked here may be asked again, also where nobody knows whether it was done.
        if (error instanceof StoreOutage) await waitFor({ clock, signal });
        else if (error instanceof StoreRefusal && error.code === 'full') {
          throw new ActionFailed(error.message.replace('the sheet', `the sheet ${sheet.name}`), { retryable: false });
        } else throw error;
      }
    }
  };
  const of = { workspace: 0, sheet: sheet.sheet };
  const append = (
    at: SheetAtHand,
    { key, cells, unless }: Pick<Parameters<Sheets['append']>[0], 'key' | 'cells' | 'unless'>,
  ) =>
    ask(at, () =>
      sheets.append({
        ...of,
        workspace: at.workspace,
        // What the key column holds is what a row is made for, whatever delivers it.
        key: ownKeyOf(sheet, cells) ?? key,
        cells,
        run,
        ...(unless ? { unless } : {}),
        now: clock.now(),
      }),
    );
  const lookup = (at: SheetAtHand, match: Cells, limit: number) =>
    ask(at, () => sheets.lookup({ ...of, workspace: at.workspace, match: lettered(sheet, match), limit }));
  const set = (at: SheetAtHand, rows: readonly number[], cells: Cells) =>
    ask(at, () => sheets.set({ ...of, workspace: at.workspace, rows, cells, run, now: clock.now() }));
  return {
    append: (at, { key, cells }) => append(at, { key, cells: lettered(sheet, cells) }),
    update: async (at, { match, cells: names, upsert, key }) => {
      const cells = lettered(sheet, names);
      const { rows, upTo } = await lookup(at, match, MOST_UPDATED + 1);
      if (rows.length > MOST_UPDATED) {
        const most = MOST_UPDATED.toLocaleString('en');
        throw new ActionFailed(`more than ${most} rows of ${sheet.name} fit; nothing was changed`, {
          retryable: false,
        });
      }
      const found = rows.map(({ row }) => row);
      if (found.length > 0 || !upsert) return { updated: await set(at, found, cells), added: false };
      const fresh = { ...lettered(sheet, match), ...cells };
      const unless = { match: lettered(sheet, match), beyond: upTo };
      const { row, added } = await append(at, { key, cells: fresh, unless });
      // Somebody else was first, or this very step before a crash.
      return added ? { updated: 0, added } : { updated: await set(at, [row], cells), added };
    },
    lookup: async (at, { match, limit }) => {
      const { rows } = await lookup(at, match, limit);
      return rows.map(({ row, cells }) => ({ row, cells }));
    },
  };
}

function lettered(sheet: StoredSheet, cells: Cells): Cells {
  const read = cellsByLetter(sheet, cells);
  if (read.ok) return read.cells;
  throw new ActionFailed(`the sheet ${sheet.name} ${read.fault}`, { retryable: false });
}

function waitFor({ clock, signal }: { clock: Pick<Clock, 'after'>; signal: AbortSignal }): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      timer.cancel();
      reject(signal.reason as Error);
    };
    const timer = clock.after(AGAIN_MS, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
