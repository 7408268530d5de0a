// Rows of built-in sheets as they are read, changed and deleted.
import { StoreRefusal } from '../contract.ts';
import type { Sql, Tx } from '../sql.ts';
import { holdSheet } from './appending.ts';
import { matching, packCells, unpackCells } from './cells.ts';
import type { Sheets, StoredRow } from './contract.ts';
import { erasedRuns } from './erasing.ts';

type RowVerbs = Pick<Sheets, 'set' | 'deleteRows' | 'rows' | 'lookup'>;

/** Rows that one statement of a lookup goes through: others who read wait no longer than for these. */
const WINDOW = 20_000;
/** Rows that one statement names. */
const NAMED_AT_ONCE = 256;

interface RowOfSheet {
  number: number;
  key: string;
  cells: string;
  at: number;
}

const ROW = 'SELECT number, key, cells, at FROM sheet_rows WHERE workspace = $1 AND sheet = $2';

/** The verbs about rows. */
export function makeRowVerbs(sql: Sql): RowVerbs {
  return {
    set: (change) => sql.write((tx) => setCells(sql, tx, change), { synced: change.run === null }),
    deleteRows: (workspace, sheet, rows) => sql.write((tx) => deleteRows(sql, tx, { workspace, sheet, rows })),
    rows: async ({ workspace, sheet, cursor, limit }) => {
      const after = Number(cursor ?? 0);
      const found = await sql.scan<RowOfSheet>(`${ROW} AND number > $3 ORDER BY number LIMIT $4`, [
        workspace,
        sheet,
        Number.isSafeInteger(after) ? after : 0,
        limit + 1,
      ]);
      const page = found.slice(0, limit);
      return { rows: page.map(rowOf), next: found.length > limit ? String(page.at(-1)!.number) : null };
    },
    lookup: (query) => lookup(sql, query),
  };
}

function rowOf({ number, key, cells, at }: RowOfSheet): StoredRow {
  return { row: number, key, cells: unpackCells(cells), at };
}

async function lookup(
  sql: Sql,
  { workspace, sheet, match, limit }: Parameters<Sheets['lookup']>[0],
): ReturnType<Sheets['lookup']> {
  const [head] = await sql.read<{ last: number }>(
    'SELECT last_number AS last FROM sheets WHERE workspace = $1 AND sheet = $2',
    [workspace, sheet],
  );
  const last = head?.last ?? 0;
  const { text, values } = matching(match, 6);
  const rows: StoredRow[] = [];
  for (let from = 0; rows.length < limit;) {
    // Numbers have gaps (../gaps.ts).
    const [first] = await sql.scan<{ number: number | null }>(
      'SELECT MIN(number) AS number FROM sheet_rows WHERE workspace = $1 AND sheet = $2 AND number > $3',
      [workspace, sheet, from],
    );
    if (!first || first.number === null || first.number > last) break;
    const bound = Math.min(first.number - 1 + WINDOW, last);
    const found = await sql.scan<RowOfSheet>(
      `${ROW} AND number > $3 AND number <= $4 AND ${text} ORDER BY number LIMIT $5`,
      [workspace, sheet, from, bound, limit - rows.length, ...values],
    );
    rows.push(...found.map(rowOf));
    from = bound;
  }
  return { rows, upTo: last };
}

async function setCells(
  sql: Sql,
  tx: Tx,
  { workspace, sheet, rows, cells, run, now }: Parameters<Sheets['set']>[0],
): Promise<number> {
  await mustHold(sql, tx, { workspace, sheet });
  const isErased = (await erasedRuns(tx, [{ workspace, run, now }])).size > 0;
  let changed = 0;
  for (const some of portions(rows)) {
    const found = await tx.all<RowOfSheet>(`${ROW} AND number IN (${marks(some, 3)})`, [workspace, sheet, ...some]);
    changed += found.length;
    if (isErased) continue;
    const next = found.map((row) => [workspace, sheet, row.number, packCells({ ...unpackCells(row.cells), ...cells })]);
    await tx.update('sheet_rows', { columns: ['cells'], rows: next });
    if (run === null) continue;
    const changes = found.map((row) => [workspace, run, sheet, row.number]);
    await tx.insert('sheet_changes', changes, 'keep');
  }
  return changed;
}

async function deleteRows(
  sql: Sql,
  tx: Tx,
  { workspace, sheet, rows }: { workspace: number; sheet: number; rows: readonly number[] },
): Promise<number> {
  await mustHold(sql, tx, { workspace, sheet });
  let gone = 0;
  for (const some of portions(rows)) {
    gone += await tx.run(
      `DELETE FROM sheet_rows WHERE workspace = $1 AND sheet = $2 AND number IN (${marks(some, 3)})`,
      [workspace, sheet, ...some],
    );
  }
  await tx.run('UPDATE sheets SET row_count = row_count - $3 WHERE workspace = $1 AND sheet = $2', [
    workspace,
    sheet,
    gone,
  ]);
  return gone;
}

async function mustHold(sql: Sql, tx: Tx, of: { workspace: number; sheet: number }): Promise<void> {
  const held = await holdSheet(sql, tx, of);
  if (!held) throw new StoreRefusal('not-found', 'there is no such sheet any more');
}

function* portions(rows: readonly number[]): Generator<number[]> {
  const each = [...new Set(rows)];
  for (let from = 0; from < each.length; from += NAMED_AT_ONCE) yield each.slice(from, from + NAMED_AT_ONCE);
}

function marks(values: readonly unknown[], from: number): string {
  return values.map((_, i) => `$${i + from}`).join(', ');
}
