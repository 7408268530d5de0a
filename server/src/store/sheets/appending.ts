// Appending rows: what arrives while one commit runs shares the next. A sheet's row is held until the commit, so numbers are
// in the order of commits, and of one key there is one row whoever else appends it.
import { StoreRefusal } from '../contract.ts';
import { ERASED } from '../erased.ts';
import { GroupCommit } from '../group-commit.ts';
import type { Sql, Tx, Value } from '../sql.ts';
import { matching, packCells } from './cells.ts';
import type { NewRow } from './contract.ts';
import { erasedRuns } from './erasing.ts';

/** Rows a sheet may have unless it is said otherwise. */
export const MOST_ROWS = 1_000_000;
/** What one commit takes: rows, and the bytes of their cells. */
const GROUP_BYTES = 4 * 1024 * 1024;
/** What a row weighs beside its cells. */
const ROW_BYTES = 4_096;
/** Keys looked up by one statement. */
const KEYS_AT_ONCE = 250;

/** What became of a row. */
type Outcome = { row: number; added: boolean } | StoreRefusal;

interface Asked {
  row: NewRow;
  cells: string;
}

/** Makes the `append` verb. */
export function makeAppender({
  sql,
  mostRows,
}: {
  sql: Sql;
  mostRows: number;
}): (row: NewRow) => Promise<{ row: number; added: boolean }> {
  const group = new GroupCommit<Asked, Outcome>({
    commit: (asked) =>
      sql.write((tx) => appendAll(sql, tx, { asked, mostRows }), {
        synced: asked.some(({ row }) => row.run === null),
      }),
    weigh: ({ cells }) => ROW_BYTES + cells.length,
    most: GROUP_BYTES,
    blamesItem: (error) => sql.blamesRow(error),
  });
  return async (row) => {
    const outcome = await group.submit({ row, cells: packCells(row.cells) });
    if (outcome instanceof StoreRefusal) throw outcome;
    return outcome;
  };
}

async function appendAll(
  sql: Sql,
  tx: Tx,
  { asked, mostRows }: { asked: readonly Asked[]; mostRows: number },
): Promise<Outcome[]> {
  const outcomes = new Map<Asked, Outcome>();
  const bySheet = [...Map.groupBy(asked, ({ row }) => `${row.workspace}/${row.sheet}`).values()];
  // Always in this order: two nodes that append to the same sheets wait for each other, and never in a circle.
  bySheet.sort(([{ row: a } = asked[0]!], [{ row: b } = asked[0]!]) => a.workspace - b.workspace || a.sheet - b.sheet);
  const erased = await erasedRuns(
    tx,
    asked.map(({ row }) => row),
  );
  for (const own of bySheet) await appendToSheet(sql, tx, { own, outcomes, erased, mostRows });
  return asked.map((one) => outcomes.get(one)!);
}

interface Appending {
  own: readonly Asked[];
  outcomes: Map<Asked, Outcome>;
  erased: ReadonlySet<string>;
  mostRows: number;
}

async function appendToSheet(sql: Sql, tx: Tx, { own, outcomes, erased, mostRows }: Appending): Promise<void> {
  const { workspace, sheet } = own[0]!.row;
  const held = await holdSheet(sql, tx, { workspace, sheet });
  if (!held) {
    for (const one of own) outcomes.set(one, new StoreRefusal('not-found', 'there is no such sheet any more'));
    return;
  }
  const known = await rowsOfKeys(tx, { workspace, sheet, keys: own.map(({ row }) => row.key) });
  // Where one is looked for by its cells, those of this very group must be there to be found.
  const isLookedFor = own.some(({ row }) => row.unless !== undefined);
  const fresh: Value[][] = [];
  let { last, rows } = held;
  for (const one of own) {
    const { key, run, now } = one.row;
    const former = known.get(key) ?? (await foundBehind(tx, one.row));
    if (former === undefined && rows >= mostRows) {
      outcomes.set(one, new StoreRefusal('full', `the sheet is full: it has ${mostRows} rows, which is the most`));
      continue;
    }
    outcomes.set(one, { row: former ?? last + 1, added: former === undefined });
    if (former !== undefined) continue;
    [last, rows] = [last + 1, rows + 1];
    known.set(key, last);
    const isErased = erased.has(`${workspace}/${run}`);
    fresh.push([workspace, sheet, last, isErased ? `${ERASED} ${last}` : key, isErased ? '{}' : one.cells, run, now]);
    if (isLookedFor) await tx.insert('sheet_rows', fresh.splice(0));
  }
  await tx.insert('sheet_rows', fresh);
  await tx.run('UPDATE sheets SET last_number = $3, row_count = $4 WHERE workspace = $1 AND sheet = $2', [
    workspace,
    sheet,
    last,
    rows,
  ]);
}

/** Holds a sheet until the commit; null when it is gone. */
export async function holdSheet(
  { dialect }: Pick<Sql, 'dialect'>,
  tx: Tx,
  { workspace, sheet }: { workspace: number; sheet: number },
): Promise<{ last: number; rows: number } | null> {
  const [held] = await tx.all<{ last: number; rows: number }>(
    `SELECT last_number AS last, row_count AS rows FROM sheets
     WHERE workspace = $1 AND sheet = $2 AND name IS NOT NULL${dialect.forUpdate}`,
    [workspace, sheet],
  );
  return held ?? null;
}

async function rowsOfKeys(
  tx: Tx,
  { workspace, sheet, keys }: { workspace: number; sheet: number; keys: readonly string[] },
): Promise<Map<string, number>> {
  const known = new Map<string, number>();
  for (let from = 0; from < keys.length; from += KEYS_AT_ONCE) {
    const some = keys.slice(from, from + KEYS_AT_ONCE);
    // Filled up to a power of two: few statements to prepare.
    while (some.length & (some.length - 1)) some.push(some[0]!);
    const rows = await tx.all<{ key: string; number: number }>(
      `SELECT key, number FROM sheet_rows WHERE workspace = $1 AND sheet = $2
         AND key IN (${some.map((_, i) => `$${i + 3}`).join(', ')})`,
      [workspace, sheet, ...some],
    );
    for (const { key, number } of rows) known.set(key, number);
  }
  return known;
}

async function foundBehind(tx: Tx, { workspace, sheet, unless }: NewRow): Promise<number | undefined> {
  if (unless === undefined) return undefined;
  const { text, values } = matching(unless.match, 4);
  const [found] = await tx.all<{ number: number }>(
    `SELECT number FROM sheet_rows WHERE workspace = $1 AND sheet = $2 AND number > $3 AND ${text}
     ORDER BY number LIMIT 1`,
    [workspace, sheet, unless.beyond, ...values],
  );
  return found?.number;
}
