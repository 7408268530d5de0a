// Retention: what is older than its span goes, table by table, a small chunk per transaction.
//
// An open delivery older than its event may live becomes a dead letter that can be seen; ended deliveries go with
// their attempts; an event goes when it is old and no delivery of it is left.
//
// No index serves this: one on instants would cost every accept 2 µs a row. Events are numbered in the order in which
// they were accepted, so the old ones are those up to a number, which some twenty looks into the log find; the clocks
// of two nodes may differ, but not by days. What is to go is looked for off the hot thread and then taken by its key.
import type { DeliveryKey } from '../model/ids.ts';
import type { Retention, WorkspaceRetention } from './contract.ts';
import { pruneHistory, pruneRuns } from './flows/pruning.ts';
import { pruneKept, pruneOrphans } from './hooks/pruning.ts';
import { dropSheetRows } from './sheets/pruning.ts';
import { STATE, type Sql, type Tx, type Value } from './sql.ts';

/** The `prune` verb: up to `limit` rows of each table and workspace; resolves how many rows went or were buried. */
export async function prune(
  sql: Sql,
  { retention, now, limit }: { retention: Retention; now: number; limit: number },
): Promise<number> {
  let moved = 0;
  for (const place of await overview(sql)) {
    const { workspace, deleted } = place;
    const before = (span: keyof Retention): number =>
      deleted ? Number.MAX_SAFE_INTEGER : now - (place[span] ?? retention[span]);
    const expiry = { events: before('eventsMs'), deliveries: before('deliveriesMs') };
    moved += await pruneLog(sql, { ...place, expiry, now, limit });
    if (place.oldestClaim !== null && place.oldestClaim < before('idempotencyMs')) {
      moved += await dropClaims(sql, { workspace, before: before('idempotencyMs'), limit });
    }
    const changes = { workspace, before: before('changesMs'), limit };
    if (place.oldestChange !== null && place.oldestChange < changes.before) moved += await dropChanges(sql, changes);
    if (place.oldestOperation !== null && place.oldestOperation < changes.before) {
      moved += await dropOperations(sql, changes);
    }
    if (place.oldestLease !== null && place.oldestLease < before('deliveriesMs')) {
      moved += await dropLeases(sql, { workspace, before: before('deliveriesMs'), limit });
    }
    moved += await dropDeletedReports(sql, { workspace, before: before('deliveriesMs') });
    const runs = { workspace, before: before('runsMs'), limit, deleted: deleted === 1 };
    if (place.oldestRun !== null && place.oldestRun < runs.before) moved += await pruneRuns(sql, runs);
    if (place.oldestFinding !== null && place.oldestFinding < runs.before) moved += await pruneHistory(sql, runs);
    if (place.oldestRequest !== null && place.oldestRequest < runs.before) moved += await pruneKept(sql, runs);
    moved += await pruneOrphans(sql, runs);
    if (place.goneSheet !== null) moved += await dropSheetRows(sql, { workspace, sheet: place.goneSheet, limit });
    const { oldestEvent, oldestRun, oldestRequest, goneSheet } = place;
    if (deleted && [oldestEvent, oldestRun, oldestRequest, goneSheet].every((one) => one === null))
      moved += await unsynced(sql, (tx) => vanish(tx, workspace));
  }
  // Requests that reach into no workspace keep their answers under the number 0.
  return moved + (await dropClaims(sql, { workspace: 0, before: now - retention.idempotencyMs, limit }));
}

function unsynced<T>(sql: Sql, work: (tx: Tx) => Promise<T>): Promise<T> {
  return sql.write(work, { synced: false });
}

interface Place extends WorkspaceRetention {
  workspace: number;
  head: number;
  deleted: number;
  /** When the oldest event was accepted. */
  oldestEvent: number | null;
  oldestClaim: number | null;
  oldestChange: number | null;
  /** When the first operation ended. */
  oldestOperation: number | null;
  /** When the first lease ended that nobody came back with. */
  oldestLease: number | null;
  /** When the oldest run was asked for. */
  oldestRun: number | null;
  /** When the oldest request came that started no run. */
  oldestRequest: number | null;
  /** When the oldest change of a resource was found. */
  oldestFinding: number | null;
  /** A sheet that was deleted and still has rows. */
  goneSheet: number | null;
}

function overview(sql: Sql): Promise<Place[]> {
  return sql.scan<Place>(
    `SELECT w.workspace, w.head, CASE WHEN w.deleted_at IS NULL THEN 0 ELSE 1 END AS deleted,
       w.keep_events_ms AS "eventsMs", w.keep_deliveries_ms AS "deliveriesMs",
       w.keep_idempotency_ms AS "idempotencyMs", w.keep_changes_ms AS "changesMs",
       w.keep_runs_ms AS "runsMs",
       (SELECT e.accepted_at FROM events e WHERE e.workspace = w.workspace ORDER BY e.event LIMIT 1) AS "oldestEvent",
       (SELECT MIN(i.claimed_at) FROM idempotency_keys i WHERE i.workspace = w.workspace) AS "oldestClaim",
       (SELECT MIN(c.at) FROM webhook_changes c WHERE c.workspace = w.workspace) AS "oldestChange",
       (SELECT MIN(o.ended_at) FROM operations o WHERE o.workspace = w.workspace) AS "oldestOperation",
       (SELECT MIN(l.leased_until) FROM leases l WHERE l.workspace = w.workspace) AS "oldestLease",
       (SELECT r.created_at FROM runs r WHERE r.workspace = w.workspace ORDER BY r.run LIMIT 1) AS "oldestRun",
       (SELECT MIN(q.received_at) FROM hook_requests q WHERE q.workspace = w.workspace AND q.state <> 'taken')
         AS "oldestRequest",
       (SELECT MIN(h.at) FROM policy_history h WHERE h.workspace = w.workspace) AS "oldestFinding",
       (SELECT MIN(s.sheet) FROM sheets s WHERE s.workspace = w.workspace AND s.name IS NULL) AS "goneSheet"
     FROM workspaces w ORDER BY w.workspace`,
  );
}

/* ── The log ────────────────────────────────────────────────────────────────────────────────────────────────── */

interface LogChunk extends Place {
  expiry: { events: number; deliveries: number };
  now: number;
  limit: number;
}

async function pruneLog(sql: Sql, chunk: LogChunk): Promise<number> {
  const { workspace, deleted, oldestEvent, expiry, now, limit } = chunk;
  if (oldestEvent === null) return 0;
  let moved = 0;
  if (deleted) moved += await unsynced(sql, (tx) => tx.run('DELETE FROM fanouts WHERE workspace = $1', [workspace]));
  const oldEvents = await lastBefore(sql, chunk, expiry.events);
  const oldDeliveries =
    expiry.deliveries === expiry.events ? oldEvents : await lastBefore(sql, chunk, expiry.deliveries);
  const open = { workspace, upTo: oldEvents, before: expiry.events, limit };
  moved += await bury(sql, open, now);
  moved += await dropDeliveries(sql, { workspace, upTo: oldDeliveries, before: expiry.deliveries, limit });
  return moved + (await dropEvents(sql, open));
}

/** The number of the last event accepted before an instant, 0 when there is none. */
export async function lastBefore(
  sql: Sql,
  { workspace, head, oldestEvent }: Pick<Place, 'workspace' | 'head' | 'oldestEvent'>,
  instant: number,
): Promise<number> {
  if (oldestEvent === null || oldestEvent >= instant) return 0;
  let old = 0;
  for (let young = head + 1; old + 1 < young;) {
    const middle = Math.floor((old + young) / 2);
    const [row] = await sql.scan<{ event: number; acceptedAt: number }>(
      `SELECT event, accepted_at AS "acceptedAt" FROM events WHERE workspace = $1 AND event >= $2
       ORDER BY event LIMIT 1`,
      [workspace, middle],
    );
    if (row && row.event < young && row.acceptedAt < instant) old = row.event;
    else young = middle;
  }
  return old;
}

interface Old {
  workspace: number;
  /** Events up to this number are old enough. */
  upTo: number;
  before: number;
  limit: number;
}

type DeliveryOrder = Pick<DeliveryKey, 'event' | 'target' | 'copy'>;

const KEYS = 'SELECT event, target, copy FROM deliveries';
const EXPIRED = `workspace = $1 AND event <= $2 AND state = ${STATE.open} AND created_at < $3`;
const ENDED = `workspace = $1 AND event <= $2 AND state <> ${STATE.open} AND ended_at < $3`;
const UP_TO = 'event >= $4 AND (event, target, copy) <= ($5, $6, $7)';

// The condition's values followed by the range of these rows, or null when there are none.
function rangeOf(rows: readonly DeliveryOrder[], condition: readonly Value[]): Value[] | null {
  const [first, last] = [rows[0], rows.at(-1)];
  return first && last ? [...condition, first.event, last.event, last.target, last.copy] : null;
}

async function bury(sql: Sql, { workspace, upTo, before, limit }: Old, now: number): Promise<number> {
  if (upTo === 0) return 0;
  // Found by the index of what is open (the plus keeps the key of the whole log from being used), which is little
  // among what is old.
  const rows = await sql.scan<DeliveryOrder>(
    `${KEYS} WHERE workspace = $1 AND created_at < $3 AND (event, target, copy) IN (
       ${KEYS} WHERE workspace = $1 AND state = ${STATE.open} AND +event <= $2)
     ORDER BY +event, target, copy LIMIT $4`,
    [workspace, upTo, before, limit],
  );
  const range = rangeOf(rows, [workspace, upTo, before]);
  if (!range) return 0;
  return unsynced(sql, (tx) =>
    tx.run(
      `UPDATE deliveries SET state = ${STATE.dead}, ended_at = $8, reason = 'expired before it could be delivered'
       WHERE ${EXPIRED} AND ${UP_TO}`,
      [...range, now],
    ),
  );
}

// The attempts go after their deliveries: a settle that comes in between finds no delivery and leaves no attempt.
async function dropDeliveries(sql: Sql, { workspace, upTo, before, limit }: Old): Promise<number> {
  if (upTo === 0) return 0;
  const rows = await sql.scan<DeliveryOrder>(`${KEYS} WHERE ${ENDED} ORDER BY event, target, copy LIMIT $4`, [
    workspace,
    upTo,
    before,
    limit,
  ]);
  const range = rangeOf(rows, [workspace, upTo, before]);
  if (!range) return 0;
  const [from, to] = [rows[0]!.event, rows.at(-1)!.event];
  return unsynced(sql, async (tx) => {
    const dropped = await tx.run(`DELETE FROM deliveries WHERE ${ENDED} AND ${UP_TO}`, range);
    await tx.run(
      `DELETE FROM attempts WHERE workspace = $1 AND event BETWEEN $2 AND $3 AND (
         SELECT 1 FROM deliveries d WHERE d.workspace = attempts.workspace AND d.event = attempts.event
           AND d.target = attempts.target AND d.copy = attempts.copy) IS NULL`,
      [workspace, from, to],
    );
    return dropped;
  });
}

// Not NOT EXISTS: PostgreSQL would join the whole tables to answer for a thousand rows.
const FINISHED = `workspace = $1 AND event <= $2 AND accepted_at < $3
  AND (SELECT 1 FROM deliveries d WHERE d.workspace = events.workspace AND d.event = events.event LIMIT 1) IS NULL
  AND (SELECT 1 FROM fanouts f WHERE f.workspace = events.workspace AND f.event = events.event) IS NULL`;

/** Old events looked at in one go, per event that may go. */
const LOOKAHEAD = 5;

async function dropEvents(sql: Sql, { workspace, upTo, before, limit }: Old): Promise<number> {
  // Window after window, until one has something: an old event may be kept by a delivery that ended late.
  for (let from = 0; from < upTo;) {
    const window = await sql.scan<{ event: number }>(
      'SELECT event FROM events WHERE workspace = $1 AND event > $2 AND event <= $3 ORDER BY event LIMIT $4',
      [workspace, from, upTo, limit * LOOKAHEAD],
    );
    if (window.length === 0) return 0;
    const first = window[0]!.event;
    from = window.at(-1)!.event;
    const finished = await sql.scan<{ event: number }>(
      `SELECT event FROM events WHERE ${FINISHED} AND event >= $4 ORDER BY event LIMIT $5`,
      [workspace, from, before, first, limit],
    );
    const last = finished.at(-1)?.event;
    if (last === undefined) continue;
    return unsynced(sql, (tx) =>
      tx.run(`DELETE FROM events WHERE ${FINISHED} AND event >= $4`, [workspace, last, before, finished[0]!.event]),
    );
  }
  return 0;
}

/* ── The rest ───────────────────────────────────────────────────────────────────────────────────────────────── */

interface Chunk {
  workspace: number;
  before: number;
  limit: number;
}

async function dropClaims(sql: Sql, { workspace, before, limit }: Chunk): Promise<number> {
  const [row] = await sql.scan<{ last: number | null }>(
    `SELECT MAX(claimed_at) AS last FROM (
       SELECT claimed_at FROM idempotency_keys WHERE workspace = $1 AND claimed_at < $2
       ORDER BY claimed_at LIMIT $3) AS oldest`,
    [workspace, before, limit],
  );
  const last = row?.last ?? null;
  if (last === null) return 0;
  return unsynced(sql, (tx) =>
    tx.run('DELETE FROM idempotency_keys WHERE workspace = $1 AND claimed_at <= $2', [workspace, last]),
  );
}

// The newest entry of a webhook says why it is in its state: it stays.
function dropChanges(sql: Sql, { workspace, before, limit }: Chunk): Promise<number> {
  return unsynced(sql, (tx) =>
    tx.run(
      `DELETE FROM webhook_changes WHERE workspace = $1 AND (webhook, change) IN (
         SELECT c.webhook, c.change FROM webhook_changes c WHERE c.workspace = $1 AND c.at < $2 AND c.change < (
           SELECT MAX(l.change) FROM webhook_changes l WHERE l.workspace = c.workspace AND l.webhook = c.webhook)
         LIMIT $3)`,
      [workspace, before, limit],
    ),
  );
}

function dropOperations(sql: Sql, { workspace, before, limit }: Chunk): Promise<number> {
  return unsynced(sql, (tx) =>
    tx.run(
      `DELETE FROM operations WHERE workspace = $1 AND operation IN (
         SELECT o.operation FROM operations o WHERE o.workspace = $1 AND o.ended_at < $2 LIMIT $3)`,
      [workspace, before, limit],
    ),
  );
}

// Leases end with their deliveries; these are of deliveries that were given up while they lasted.
function dropLeases(sql: Sql, { workspace, before, limit }: Chunk): Promise<number> {
  return unsynced(sql, (tx) =>
    tx.run(
      `DELETE FROM leases WHERE workspace = $1 AND (event, target, copy) IN (
         SELECT l.event, l.target, l.copy FROM leases l WHERE l.workspace = $1 AND l.leased_until < $2 LIMIT $3)`,
      [workspace, before, limit],
    ),
  );
}

// Marks of post-processings that were deleted stay for as long as their deliveries do.
async function dropDeletedReports(sql: Sql, { workspace, before }: Omit<Chunk, 'limit'>): Promise<number> {
  const which = `workspace = $1 AND mode = 'report' AND intent = 'disabled' AND updated_at < $2`;
  const some = await sql.scan(`SELECT 1 AS one FROM webhooks WHERE ${which} LIMIT 1`, [workspace, before]);
  if (some.length === 0) return 0;
  return unsynced(sql, (tx) => tx.run(`DELETE FROM webhooks WHERE ${which}`, [workspace, before]));
}

// The log of a deleted workspace is gone: nothing is left but its mark, and what a request under way may have added.
async function vanish(tx: Tx, workspace: number): Promise<number> {
  for (const table of [
    'attempts',
    'idempotency_keys',
    'event_types',
    'fanouts',
    'burials',
    'operations',
    'leases',
    'relays',
    'listeners',
    'erasures',
    'groups',
    'post_processings',
    'flow_versions',
    'policy_history',
    'hook_tombstones',
    'hook_requests',
    'sheet_changes',
  ]) {
    await tx.run(`DELETE FROM ${table} WHERE workspace = $1`, [workspace]);
  }
  return tx.run('DELETE FROM workspaces WHERE workspace = $1', [workspace]);
}
