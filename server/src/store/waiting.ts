// What is still to be delivered: due deliveries of a target, targets with a backlog.
import type { PendingDelivery } from '../model/delivery.ts';
import type { DeliveryKey } from '../model/ids.ts';
import { PARKED_AT } from '../model/order.ts';
import { LANES, type Backlog, type Refill, type RefillQuery, type TargetKey } from './contract.ts';
import type { Sql } from './sql.ts';

interface PendingRow extends DeliveryKey {
  tries: number;
  attempts: number;
  firstTryAt: number | null;
  dueAt: number;
  createdAt: number;
  type: string;
  trace: string | null;
  envelope: Uint8Array;
}

const PENDING = `
  SELECT d.workspace, d.event, d.target, d.copy, d.tries, d.attempts, d.first_try_at AS "firstTryAt",
         d.due_at AS "dueAt", d.created_at AS "createdAt", e.type, e.trace, e.envelope
  FROM deliveries d JOIN events e ON e.workspace = d.workspace AND e.event = d.event`;

/** The `refill` verb: one keyset page over the index of open deliveries. */
export async function refill(sql: Sql, query: RefillQuery): Promise<Refill> {
  if (query.by === 'event') return refillInOrder(sql, query);
  const { workspace, target, now, after, limit } = query;
  const { dueAt, event, copy } = after ?? { dueAt: -1, event: -1, copy: -1 };
  const rows = await sql.read<PendingRow>(
    `${PENDING} WHERE d.workspace = $1 AND d.target = $2 AND d.state = 0 AND d.due_at <= $3
       AND (d.due_at, d.event, d.copy) > ($4, $5, $6)
     ORDER BY d.due_at, d.event, d.copy LIMIT $7`,
    [workspace, target, now, dueAt, event, copy, limit],
  );
  const [next] = await sql.read<{ dueAt: number | null }>(
    'SELECT MIN(due_at) AS "dueAt" FROM deliveries WHERE workspace = $1 AND target = $2 AND state = 0 AND due_at > $3',
    [workspace, target, now],
  );
  return { deliveries: rows.map(pendingOf), more: rows.length === limit, nextDueAt: next?.dueAt ?? null };
}

// The index of open deliveries finds those of the target, the rest is a sort of their keys alone: an index by event would
// be paid by every delivery of every webhook. The plus keeps the log's own order from being used, which holds all targets.
async function refillInOrder(sql: Sql, { workspace, target, after, limit }: RefillQuery): Promise<Refill> {
  const rows = await sql.read<PendingRow>(
    `${PENDING} WHERE d.workspace = $1 AND d.target = $2 AND (d.event, d.copy) IN (
       SELECT k.event, k.copy FROM deliveries k
       WHERE k.workspace = $1 AND k.target = $2 AND k.state = 0 AND (+k.event, +k.copy) > ($3, $4)
       ORDER BY +k.event, +k.copy LIMIT $5)
     ORDER BY d.event, d.copy`,
    [workspace, target, after?.event ?? -1, after?.copy ?? -1, limit],
  );
  return { deliveries: rows.map(pendingOf), more: rows.length === limit, nextDueAt: null };
}

/** The `pending` verb. */
export async function pending(
  sql: Sql,
  { workspace, event, target, copy }: DeliveryKey,
): Promise<PendingDelivery | null> {
  const [row] = await sql.read<PendingRow>(
    `${PENDING} WHERE d.workspace = $1 AND d.event = $2 AND d.target = $3 AND d.copy = $4 AND e.erased_at IS NULL`,
    [workspace, event, target, copy],
  );
  return row ? pendingOf(row) : null;
}

function pendingOf({ type, trace, envelope, ...row }: PendingRow): PendingDelivery {
  return { ...row, carried: { event: row.event, type, trace, envelope } };
}

/** The `backlogs` verb: one look into the index of open deliveries per webhook. */
export async function backlogs(sql: Sql, lanes: readonly number[]): Promise<Backlog[]> {
  const owned = new Set(lanes);
  const rows = await sql.scan<Backlog & { bucket: number }>(
    `SELECT w.workspace, w.webhook AS target, w.revision, w.bucket,
            (SELECT MIN(d.due_at) FROM deliveries d
             WHERE d.workspace = w.workspace AND d.target = w.webhook AND d.state = 0) AS "dueAt"
     FROM webhooks w`,
  );
  return rows.flatMap(({ bucket, ...backlog }) => (owned.has(bucket % LANES) ? [backlog] : []));
}

const CHUNK = 1000;

/** The `expedite` verb: a webhook that works again need not wait for the end of its back-off. */
export async function expedite(
  sql: Sql,
  { workspace, target }: TargetKey,
  { now, parked = false, beyond = now }: { now: number; parked?: boolean; beyond?: number },
): Promise<number> {
  const before = parked ? PARKED_AT + 1 : PARKED_AT;
  const after = Math.max(now, beyond);
  const which = 'workspace = $1 AND target = $2 AND state = 0 AND due_at > $3 AND due_at < $4';
  const values = [workspace, target, after, before];
  const [row] = await sql.read<{ count: number }>(`SELECT COUNT(*) AS count FROM deliveries WHERE ${which}`, values);
  const all = row!.count;
  // Not until a chunk comes out small: on PostgreSQL a settle that comes in between takes rows out of it. And not until
  // nothing is left: what fails meanwhile is planned anew.
  for (let moved = 0; ;) {
    const changed = await sql.write((tx) =>
      tx.run(
        `UPDATE deliveries SET due_at = $5 WHERE ${which}
           AND (event, copy) IN (SELECT event, copy FROM deliveries WHERE ${which} LIMIT ${CHUNK})`,
        [...values, now],
      ),
    );
    moved += changed;
    if (changed === 0 || moved >= all) return moved;
  }
}
