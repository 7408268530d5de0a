// Numbers have gaps: where retention has been, and a wide one behind a restore (moving/fresh-numbers.ts). What looks through
// the log a stretch of numbers at a time leaps over them by these.
import type { Sql } from './sql.ts';

/** The number of the first event behind `after` and up to `upTo`, null when there is none. */
export async function firstEventBehind(
  sql: Sql,
  { workspace, after, upTo }: { workspace: number; after: number; upTo: number },
): Promise<number | null> {
  const [row] = await sql.read<{ event: number | null }>(
    'SELECT MIN(event) AS event FROM events WHERE workspace = $1 AND event > $2 AND event <= $3',
    [workspace, after, upTo],
  );
  return row!.event;
}

/** The number of the last event up to `upTo`, null when there is none. */
export async function lastEventUpTo(
  sql: Sql,
  { workspace, upTo }: { workspace: number; upTo: number },
): Promise<number | null> {
  const [row] = await sql.read<{ event: number | null }>(
    'SELECT MAX(event) AS event FROM events WHERE workspace = $1 AND event <= $2',
    [workspace, upTo],
  );
  return row!.event;
}
