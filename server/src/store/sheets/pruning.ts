// Rows of sheets that were deleted go a chunk at a time, so that a sheet of a million stops nobody.
import type { Sql } from '../sql.ts';

/** Takes up to `limit` rows of a deleted sheet away, and the sheet with the last of them; resolves how many went. */
export async function dropSheetRows(
  sql: Sql,
  { workspace, sheet, limit }: { workspace: number; sheet: number; limit: number },
): Promise<number> {
  const rows = await sql.scan<{ number: number }>(
    'SELECT number FROM sheet_rows WHERE workspace = $1 AND sheet = $2 ORDER BY number LIMIT $3',
    [workspace, sheet, limit],
  );
  const last = rows.at(-1)?.number;
  return sql.write(
    async (tx) => {
      const of = [workspace, sheet];
      const where = 'workspace = $1 AND sheet = $2';
      if (last !== undefined) return tx.run(`DELETE FROM sheet_rows WHERE ${where} AND number <= $3`, [...of, last]);
      return tx.run(`DELETE FROM sheets WHERE ${where} AND name IS NULL`, of);
    },
    { synced: false },
  );
}
