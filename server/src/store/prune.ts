// Retention: what is older than its span goes, table by table, a small chunk per transaction.
//
// An open delivery older than its event may live becomes a dead letter that can be seen; ended deliveries go with
// their attempts; an event goes when it is old and no delivery of it is left.
import type { Retention } from './contract.ts';
import { STATE, type Sql, type Tx } from './sql.ts';

/** The `prune` verb: up to `limit` rows of each table; resolves how many rows went or were buried. */
export async function prune(
  sql: Sql,
  { retention, now, limit }: { retention: Retention; now: number; limit: number },
): Promise<number> {
  const workspaces = await sql.read<{ workspace: number; deleted: number }>(
    'SELECT workspace, CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END AS deleted FROM workspaces',
  );
  let moved = 0;
  for (const { workspace, deleted } of workspaces) {
    const eventsBefore = deleted ? now + 1 : now - retention.eventsMs;
    const deliveriesBefore = deleted ? now + 1 : now - retention.deliveriesMs;
    const steps: ((tx: Tx) => Promise<number>)[] = [
      (tx) => bury(tx, { workspace, before: eventsBefore, now, limit }),
      (tx) => dropDeliveries(tx, { workspace, before: deliveriesBefore, limit }),
      (tx) => dropEvents(tx, { workspace, before: eventsBefore, limit }),
      (tx) => dropClaims(tx, { workspace, before: now - retention.idempotencyMs }),
      (tx) => dropChanges(tx, { workspace, before: now - retention.changesMs }),
    ];
    for (const step of steps) moved += await sql.write(step, { synced: false });
  }
  return moved;
}

interface Chunk {
  workspace: number;
  before: number;
  limit: number;
}

function bury(tx: Tx, { workspace, before, now, limit }: Chunk & { now: number }): Promise<number> {
  return tx.run(
    `UPDATE deliveries SET state = ${STATE.dead}, ended_at = $3, reason = 'expired before it could be delivered'
     WHERE workspace = $1 AND state = 0 AND (event, target, copy) IN (SELECT event, target, copy FROM deliveries
       WHERE workspace = $1 AND state = 0 AND created_at < $2 LIMIT ${limit})`,
    [workspace, before, now],
  );
}

async function dropDeliveries(tx: Tx, { workspace, before, limit }: Chunk): Promise<number> {
  const old = await tx.all<{ event: number; target: number; copy: number }>(
    `SELECT event, target, copy FROM deliveries WHERE workspace = $1 AND state <> 0 AND ended_at < $2
     ORDER BY event LIMIT ${limit}`,
    [workspace, before],
  );
  for (const { event, target, copy } of old) {
    const key = [workspace, event, target, copy];
    const where = 'workspace = $1 AND event = $2 AND target = $3 AND copy = $4';
    await tx.run(`DELETE FROM attempts WHERE ${where}`, key);
    await tx.run(`DELETE FROM deliveries WHERE ${where}`, key);
  }
  return old.length;
}

function dropEvents(tx: Tx, { workspace, before, limit }: Chunk): Promise<number> {
  return tx.run(
    `DELETE FROM events WHERE workspace = $1 AND event IN (
       SELECT e.event FROM events e WHERE e.workspace = $1 AND e.accepted_at < $2
         AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.workspace = e.workspace AND d.event = e.event)
         AND NOT EXISTS (SELECT 1 FROM fanouts f WHERE f.workspace = e.workspace AND f.event = e.event)
       ORDER BY e.event LIMIT ${limit})`,
    [workspace, before],
  );
}

function dropClaims(tx: Tx, { workspace, before }: { workspace: number; before: number }): Promise<number> {
  return tx.run('DELETE FROM idempotency_keys WHERE workspace = $1 AND claimed_at < $2', [workspace, before]);
}

// The newest entry of a webhook says why it is in its state: it stays.
function dropChanges(tx: Tx, { workspace, before }: { workspace: number; before: number }): Promise<number> {
  return tx.run(
    `DELETE FROM webhook_changes WHERE workspace = $1 AND at < $2 AND change < (
       SELECT MAX(l.change) FROM webhook_changes l
       WHERE l.workspace = webhook_changes.workspace AND l.webhook = webhook_changes.webhook)`,
    [workspace, before],
  );
}
