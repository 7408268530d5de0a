// What is still to be delivered: due deliveries of a target, targets with a backlog; other instants for what waits.
import type { PendingDelivery } from '../model/delivery.ts';
import type { DeliveryKey } from '../model/ids.ts';
import { PARKED_AT } from '../model/order.ts';
import { LANES, type Backlog, type ClockStep, type Refill, type RefillQuery, type TargetKey } from './contract.ts';
import { STILL_OPEN, type Sql, type Tx } from './sql.ts';

/** A delivery with its event, as one row. */
export interface PendingRow extends DeliveryKey {
  tries: number;
  attempts: number;
  firstTryAt: number | null;
  dueAt: number;
  createdAt: number;
  batch: number | null;
  type: string;
  trace: string | null;
  envelope: Uint8Array;
}

/** Selects {@link PendingRow}s. */
export const PENDING = `
  SELECT d.workspace, d.event, d.target, d.copy, d.tries, d.attempts, d.first_try_at AS "firstTryAt",
         d.due_at AS "dueAt", d.created_at AS "createdAt", d.batch, e.type, e.trace, e.envelope
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

/** The delivery of a row. */
export function pendingOf({ type, trace, envelope, ...row }: PendingRow): PendingDelivery {
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

/* ── Moving what waits ──────────────────────────────────────────────────────────────────────────────────────── */

const CHUNK = 1000;

/** The `expedite` verb: a webhook that works again need not wait for the end of its back-off. */
export function expedite(sql: Sql, key: TargetKey, { now, parked }: { now: number; parked: boolean }): Promise<number> {
  return replan(sql, key, { after: now, before: parked ? PARKED_AT + 1 : PARKED_AT, dueAtOf: () => now });
}

/** The `followClock` verb: what waits, and the pause that the endpoint asked for, move by as much as the clock did. */
export async function followClock(sql: Sql, key: TargetKey, { now, backMs, lateMs }: ClockStep): Promise<number> {
  const dueAtOf = (dueAt: number): number => Math.max(now, dueAt - backMs);
  if (lateMs !== undefined) {
    const after = Math.max(now, now + backMs - lateMs);
    return replan(sql, key, { after, before: now + backMs + 1, dueAtOf });
  }
  const { workspace, target } = key;
  await sql.write((tx) =>
    tx.run(
      'UPDATE webhooks SET quiet_until = quiet_until - $3 WHERE workspace = $1 AND webhook = $2 AND quiet_until > $4',
      [workspace, target, backMs, now],
    ),
  );
  return replan(sql, key, { after: now, before: PARKED_AT, dueAtOf });
}

/** Which of a target's open deliveries get another instant, exclusive bounds of the one they have, and which. */
interface Replan {
  after: number;
  before: number;
  /** Not later than what it is given. */
  dueAtOf(dueAt: number): number;
}

interface Waiting {
  event: number;
  copy: number;
  dueAt: number;
}

// One way through what waits, the earliest first: what has been moved lies behind, and what is planned meanwhile lies
// behind sooner or later, so it ends however many sends fail in between.
async function replan(sql: Sql, key: TargetKey, { after, before, dueAtOf }: Replan): Promise<number> {
  const { workspace, target } = key;
  const [last] = await sql.read<{ dueAt: number | null }>(
    `SELECT MAX(due_at) AS "dueAt" FROM deliveries
     WHERE workspace = $1 AND target = $2 AND state = 0 AND due_at > $3 AND due_at < $4`,
    [workspace, target, after, before],
  );
  if (last!.dueAt === null) return 0;
  let moved = 0;
  let from: Waiting | undefined = { dueAt: after, event: Number.MAX_SAFE_INTEGER, copy: 0 };
  while (from) {
    const chunk = await replanChunk(sql, key, { from, until: last!.dueAt, dueAtOf });
    moved += chunk.moved;
    from = chunk.last;
  }
  return moved;
}

function replanChunk(
  sql: Sql,
  key: TargetKey,
  { from, until, dueAtOf }: { from: Waiting; until: number; dueAtOf: Replan['dueAtOf'] },
): Promise<{ moved: number; last: Waiting | undefined }> {
  const { workspace, target } = key;
  return sql.write(async (tx) => {
    await holdLane(sql, tx, key);
    const rows = await tx.all<Waiting>(
      `SELECT event, copy, due_at AS "dueAt" FROM deliveries
       WHERE workspace = $1 AND target = $2 AND state = 0 AND due_at <= $3 AND (due_at, event, copy) > ($4, $5, $6)
       ORDER BY due_at, event, copy LIMIT ${CHUNK}`,
      [workspace, target, until, from.dueAt, from.event, from.copy],
    );
    const planned = rows.map(({ event, copy, dueAt }) => [workspace, event, target, copy, dueAtOf(dueAt)]);
    const moved = await tx.update('deliveries', { columns: ['due_at'], rows: planned, only: STILL_OPEN });
    return { moved, last: rows.length < CHUNK ? undefined : rows.at(-1) };
  });
}

// A settle holds its lanes before it changes deliveries, in whatever order they ended: it comes before or after, or the
// two would deadlock. Whoever pulls speaks of deliveries that are settled by nobody else.
async function holdLane(sql: Sql, tx: Tx, { workspace, target }: TargetKey): Promise<void> {
  if (sql.dialect.forUpdate === '') return;
  await tx.all(
    `SELECT lane FROM lanes WHERE lane = (SELECT bucket % ${LANES} FROM webhooks WHERE workspace = $1 AND webhook = $2)
     ${sql.dialect.forUpdate}`,
    [workspace, target],
  );
}
