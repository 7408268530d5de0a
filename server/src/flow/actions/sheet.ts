// `sheet.append`, `sheet.update`, `sheet.lookup`: rows of a sheet, wherever it is kept. Done again they change nothing.
import { createHash } from 'node:crypto';
import { MAX_ROWS } from '../../model/flow/actions.ts';
import type { Json } from '../../model/flow/definition.ts';
import { cellOf, cellsByTitle, type Cells } from '../../model/sheet.ts';
import type { Action, ActionContext } from '../action.ts';
import { textOf } from '../text-of.ts';
import type { SheetDesk } from '../sheets/index.ts';

type Row = Readonly<Record<string, Json>>;

interface AppendInput {
  to: string;
  row: Row | readonly Row[];
  key?: Json;
}

interface UpdateInput {
  in: string;
  where: Row;
  set: Row;
  upsert?: boolean;
  key?: Json;
}

interface LookupInput {
  in: string;
  where?: Row;
  limit?: number;
}

/** Rows that a lookup gives unless it asks for more. */
const ROWS_FOUND = 100;
/** Longest key as it is said; a longer one goes by its hash. */
const LONGEST_KEY = 255;

/** Makes the three. */
export function createSheetActions(desk: SheetDesk): Action[] {
  return [
    { name: 'sheet.append', brief: true, run: (context) => append(desk, context) },
    { name: 'sheet.update', brief: true, run: (context) => update(desk, context) },
    { name: 'sheet.lookup', brief: true, run: (context) => lookup(desk, context) },
  ];
}

async function append(desk: SheetDesk, context: ActionContext): Promise<Json> {
  const { to, row, key } = context.input as unknown as AppendInput;
  const base = keyOf(context, key);
  return desk.use(wanted(context, to), async (door, at): Promise<Json> => {
    if (!isList(row)) {
      const appended = await door.append(at, { key: storable(base), cells: cellsOf(row) });
      return { sheet: to, ...appended };
    }
    const rows: (number | null)[] = [];
    let added = 0;
    // One after the other: rows stand in the order in which they were given.
    for (const [index, one] of row.entries()) {
      const appended = await door.append(at, { key: storable(`${base}/${index}`), cells: cellsOf(one) });
      rows.push(appended.row);
      if (appended.added) added++;
    }
    return { sheet: to, rows, added };
  });
}

async function update(desk: SheetDesk, context: ActionContext): Promise<Json> {
  const { in: name, where, set, upsert = false, key } = context.input as unknown as UpdateInput;
  const change = { match: cellsOf(where), cells: cellsOf(set), upsert, key: storable(keyOf(context, key)) };
  return desk.use(wanted(context, name), async (door, at) => ({ sheet: name, ...(await door.update(at, change)) }));
}

async function lookup(desk: SheetDesk, context: ActionContext): Promise<Json> {
  const { in: name, where = {}, limit = ROWS_FOUND } = context.input as unknown as LookupInput;
  return desk.use(wanted(context, name), async (door, at) => {
    const found = await door.lookup(at, { match: cellsOf(where), limit: Math.min(limit, MAX_ROWS) });
    const rows = found.map(({ row, cells }) => ({ row, cells: { ...cellsByTitle(at.sheet, cells) } }));
    return { sheet: name, found: rows.length, rows };
  });
}

function wanted({ run: { workspace, run }, signal }: ActionContext, name: string): Parameters<SheetDesk['use']>[0] {
  return { workspace, name, run, signal };
}

// A scenario's rows are of the request: whatever repeats or replays it, the step makes its row once.
function keyOf({ rowKey }: ActionContext, given: Json | undefined): string {
  return given === undefined ? rowKey : textOf(given);
}

function storable(key: string): string {
  const clean = key.toWellFormed().replaceAll('\0', '');
  return clean.length <= LONGEST_KEY ? clean : createHash('sha256').update(clean).digest('hex');
}

function cellsOf(row: Row): Cells {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, cellOf(value)]));
}

function isList(row: Row | readonly Row[]): row is readonly Row[] {
  return Array.isArray(row);
}
