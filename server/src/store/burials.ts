// Burying what was open for a deleted webhook, so that it can be seen as dead letters. The deletion leaves a note in
// `burials`, in its own transaction: no crash leaves anything open that nobody owns.
import type { TargetKey } from './contract.ts';
import { STATE, type Sql } from './sql.ts';

const CHUNK = 1000;
/** Chunks that whoever deletes waits for. */
const CHUNKS_AT_ONCE = 5;

/**
 * Buries the first of them. A failure is none of the deletion, which is committed: upkeep goes on by the note in `burials`.
 */
export async function buryAtOnce(sql: Sql, key: TargetKey): Promise<void> {
  for (let chunk = 0; chunk < CHUNKS_AT_ONCE; chunk++) {
    if (!(await buryChunk(sql, key, CHUNK).catch(() => false))) return;
  }
}

/** The `bury` verb: goes on with the oldest burial. */
export async function bury(sql: Sql, limit: number): Promise<boolean> {
  const [oldest] = await sql.read<TargetKey>('SELECT workspace, target FROM burials ORDER BY deleted_at LIMIT 1');
  if (!oldest) return false;
  await buryChunk(sql, oldest, limit);
  return true;
}

// False when all are buried. The note goes with the last of them, in the same transaction.
function buryChunk(sql: Sql, { workspace, target }: TargetKey, limit: number): Promise<boolean> {
  return sql.write(async (tx) => {
    const [burial] = await tx.all<{ deletedAt: number }>(
      `SELECT deleted_at AS "deletedAt" FROM burials WHERE workspace = $1 AND target = $2${sql.dialect.forUpdate}`,
      [workspace, target],
    );
    if (!burial) return false;
    const buried = await tx.run(
      `UPDATE deliveries SET state = ${STATE.dead}, ended_at = $1, reason = 'the webhook was deleted'
       WHERE workspace = $2 AND target = $3 AND state = 0 AND (event, copy) IN (SELECT event, copy FROM deliveries
         WHERE workspace = $2 AND target = $3 AND state = 0 LIMIT $4)`,
      [burial.deletedAt, workspace, target, limit],
    );
    if (buried === limit) return true;
    await tx.run('DELETE FROM burials WHERE workspace = $1 AND target = $2', [workspace, target]);
    return false;
  });
}
