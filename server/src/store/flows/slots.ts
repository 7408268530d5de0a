// Slots: as many runs of a flow have one as may run at once; they are given in the order in which runs were asked for.
//
// They are given and taken back while the workspace's row is held: by whoever starts, ends or aborts a run, or changes a
// flow. So nobody has to count when a run is claimed: whatever is queued and has a slot may begin.
import type { Sql, Tx } from '../sql.ts';
import { inLanes, laneOf } from './rows.ts';

/** Whose slots are given, and when. */
export interface SlotGiving {
  workspace: number;
  flow: number;
  now: number;
}

/**
 * Gives the free slots of a flow to those that wait longest, and may begin by now. Resolves the lanes in which runs may
 * begin now.
 */
export async function giveSlots(tx: Tx, { workspace, flow, now }: SlotGiving): Promise<number[]> {
  const of = [workspace, flow];
  const waiting = `workspace = $1 AND flow = $2 AND state = 'queued' AND slot = 0
    AND (begin_at IS NULL OR begin_at <= $3)`;
  const [first] = await tx.all(`SELECT run FROM runs WHERE ${waiting} ORDER BY run LIMIT 1`, [...of, now]);
  if (!first) return [];
  const [row] = await tx.all<{ free: number }>(
    `SELECT f.most_runs - (SELECT COUNT(*) FROM runs r WHERE r.workspace = f.workspace AND r.flow = f.flow AND r.slot = 1)
       AS free FROM flows f WHERE f.workspace = $1 AND f.flow = $2`,
    of,
  );
  const free = row?.free ?? 0;
  if (free <= 0) return [];
  const next = await tx.all<{ run: number; bucket: number }>(
    `SELECT run, bucket FROM runs WHERE ${waiting} ORDER BY run LIMIT $4`,
    [...of, now, free],
  );
  await tx.update('runs', { columns: ['slot'], rows: next.map(({ run }) => [workspace, run, 1]) });
  return next.map(({ bucket }) => laneOf(bucket));
}

interface Due {
  workspace: number;
  flow: number;
}

/** Gives free slots to runs of these lanes whose instant has come. Resolves whether some got one. */
export async function giveDueSlots(
  sql: Sql,
  { lanes, now }: { lanes: readonly number[]; now: number },
): Promise<boolean> {
  const due = await sql.read<Due>(
    `SELECT DISTINCT r.workspace, r.flow FROM runs r JOIN flows f ON f.workspace = r.workspace AND f.flow = r.flow
     WHERE r.begin_at <= $1 AND r.state = 'queued' AND r.slot = 0 ${inLanes('r.bucket', lanes)} AND f.most_runs >
       (SELECT COUNT(*) FROM runs s WHERE s.workspace = f.workspace AND s.flow = f.flow AND s.slot = 1)
     ORDER BY r.workspace, r.flow`,
    [now],
  );
  if (due.length === 0) return false;
  return sql.write(async (tx) => {
    let given = 0;
    for (const { workspace, flow } of due) {
      await tx.all(`SELECT head FROM workspaces WHERE workspace = $1${sql.dialect.forUpdate}`, [workspace]);
      given += (await giveSlots(tx, { workspace, flow, now })).length;
    }
    return given > 0;
  });
}
