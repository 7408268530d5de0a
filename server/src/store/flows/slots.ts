// Slots: as many runs of a flow have one as may run at once; they are given in the order in which runs were asked for.
//
// They are given and taken back while the workspace's row is held: by whoever starts, ends or aborts a run, or changes a
// flow. So nobody has to count when a run is claimed: whatever is queued and has a slot may begin.
import type { Tx } from '../sql.ts';
import { laneOf } from './rows.ts';

/** Gives the free slots of a flow to those that wait longest. Resolves the lanes in which runs may begin now. */
export async function giveSlots(tx: Tx, { workspace, flow }: { workspace: number; flow: number }): Promise<number[]> {
  const of = [workspace, flow];
  const waiting = 'workspace = $1 AND flow = $2 AND finished_at IS NULL AND slot = 0';
  const [first] = await tx.all(`SELECT run FROM runs WHERE ${waiting} ORDER BY run LIMIT 1`, of);
  if (!first) return [];
  const [row] = await tx.all<{ free: number }>(
    `SELECT f.most_runs - (SELECT COUNT(*) FROM runs r WHERE r.workspace = f.workspace AND r.flow = f.flow AND r.slot = 1)
       AS free FROM flows f WHERE f.workspace = $1 AND f.flow = $2`,
    of,
  );
  const free = row?.free ?? 0;
  if (free <= 0) return [];
  const next = await tx.all<{ run: number; bucket: number }>(
    `SELECT run, bucket FROM runs WHERE ${waiting} ORDER BY run LIMIT $3`,
    [...of, free],
  );
  await tx.update('runs', { columns: ['slot'], rows: next.map(({ run }) => [workspace, run, 1]) });
  return next.map(({ bucket }) => laneOf(bucket));
}
