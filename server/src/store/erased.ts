// The mark of erased events, and how those who write about events find it.
import type { Tx } from './sql.ts';

/** Why a delivery of an erased event is dead. */
export const ERASED = 'erased';

/** Those of these events that are erased. One look at a small table where nothing was erased lately. */
export async function erasedAmong(
  tx: Tx,
  events: readonly { workspace: number; event: number }[],
  now: number,
): Promise<ReadonlySet<string>> {
  const lately = await tx.all<{ workspace: number }>(
    'SELECT DISTINCT workspace FROM erasures WHERE ended_at IS NULL OR ended_at > $1',
    [now - LATELY_MS],
  );
  const erased = new Set<string>();
  for (const { workspace } of lately) {
    const own = [...new Set(events.filter((one) => one.workspace === workspace).map(({ event }) => event))];
    for (const event of own) {
      const marked = await tx.all(
        'SELECT 1 AS one FROM events WHERE workspace = $1 AND event = $2 AND erased_at IS NOT NULL',
        [workspace, event],
      );
      if (marked.length > 0) erased.add(`${workspace}/${event}`);
    }
  }
  return erased;
}

/** An attempt that began before an erasure has ended by this long after it. */
const LATELY_MS = 3_600_000;
