// Operations: recover, redrive and replay, chunk by chunk. A chunk, the cursor behind it and its counts are one
// transaction, so a crash at any instant leaves an operation that goes on where it was: nothing twice, nothing left out.
//
// No lease is needed: an operation belongs to the owner of a lane, as deliveries do, and the chunk number refuses
// whoever did not see the chunk before.
import type { DeliveryKey } from '../model/ids.ts';
import { formatId } from '../model/ids.ts';
import { nextChunkAt } from '../model/operation.ts';
import { deliveryRow, newDelivery } from './accept.ts';
import {
  LANES,
  StoreRefusal,
  type Ahead,
  type AheadQuery,
  type DeliveryPosition,
  type OperationChunk,
  type OperationEnd,
  type Operations,
  type OperationsQuery,
  type OperationWish,
  type RunningOperation,
  type StoredOperation,
  type TargetKey,
} from './contract.ts';
import { ERASED } from './erased.ts';
import { firstEventBehind } from './gaps.ts';
import type { Listeners } from './listeners.ts';
import { IS_WEBHOOK } from './modes.ts';
import { lastBefore } from './prune.ts';
import { stillOwned } from './settle.ts';
import { STATE, STILL_OPEN, type Sql, type Tx, type Value } from './sql.ts';
import { bucketOf, nextNumber } from './webhooks.ts';

/** Makes the verbs about operations. */
export function makeOperations(sql: Sql, listeners: Listeners): Operations {
  return {
    begin: async (wish, now) => {
      const from = await beginningOf(sql, wish);
      const operation = await sql.write((tx) => begin(sql, tx, { wish, from, now }));
      listeners.tell('operation');
      return operation;
    },
    one: async (workspace, operation) => {
      const [row] = await sql.read<OperationRow>(`${OPERATION} ${ONE}`, [workspace, operation]);
      return row ? operationOf(row) : null;
    },
    list: (query) => list(sql, query),
    running: () => running(sql),
    ahead: ({ operation, limit, now }) =>
      operation.kind === 'recover'
        ? undelivered(sql, { operation, limit, now })
        : deadLetters(sql, { operation, limit, now }),
    advance: async (chunk) => {
      const done = await sql.write((tx) => advance(sql, tx, chunk), { synced: chunk.ended });
      if (done && done.targets.length > 0) listeners.tellDue(done.targets);
      return done?.operation ?? null;
    },
    pause: async ({ workspace, operation }, { paused, now }) => {
      const row = await sql.write((tx) => pauseOne(sql, tx, { workspace, operation, paused, now }));
      if (!paused) listeners.tell('operation');
      return row;
    },
    end: ({ workspace, operation }, end) => sql.write((tx) => endOne(sql, tx, { workspace, operation, ...end })),
  };
}

/* ── Rows ───────────────────────────────────────────────────────────────────────────────────────────────────── */

interface OperationRow extends Omit<StoredOperation, 'cursor'> {
  cursorEvent: number;
  cursorTarget: number;
  cursorCopy: number;
}

const OPERATION = `
  SELECT workspace, operation, kind, webhook, since, until, type, filter, pace, note, state, reason,
         from_event AS "from", up_to AS "upTo", cursor_event AS "cursorEvent", cursor_target AS "cursorTarget",
         cursor_copy AS "cursorCopy", chunks, looked, released, next_at AS "nextAt", created_at AS "createdAt",
         updated_at AS "updatedAt", ended_at AS "endedAt" FROM operations`;
const ONE = 'WHERE workspace = $1 AND operation = $2';

function operationOf({ cursorEvent, cursorTarget, cursorCopy, ...row }: OperationRow): StoredOperation {
  return { ...row, cursor: { event: cursorEvent, target: cursorTarget, copy: cursorCopy } };
}

async function list(sql: Sql, query: OperationsQuery): Promise<StoredOperation[]> {
  const { workspace, state = null, webhook = null, cursor, limit } = query;
  const rows = await sql.read<OperationRow>(
    `${OPERATION} WHERE workspace = $1 AND operation < $2 AND (CAST($3 AS TEXT) IS NULL OR state = $3)
       AND (CAST($4 AS BIGINT) IS NULL OR webhook = $4) ORDER BY operation DESC LIMIT $5`,
    [workspace, cursor ?? Number.MAX_SAFE_INTEGER, state, webhook, limit],
  );
  return rows.map(operationOf);
}

async function running(sql: Sql): Promise<RunningOperation[]> {
  const rows = await sql.read<OperationRow>(`${OPERATION} WHERE state = 'running' ORDER BY workspace, operation`);
  return rows.map((row) => ({ ...operationOf(row), lane: laneOf(row) }));
}

// The owner of the webhook's lane hears at once what has become due. An operation on all webhooks hashes by its number.
function laneOf({ workspace, webhook, operation }: OperationRow): number {
  return bucketOf(workspace, webhook ?? operation) % LANES;
}

/* ── Begin and end ──────────────────────────────────────────────────────────────────────────────────────────── */

/** Clocks of nodes differ, and are set: the log is looked at from this much before the instant, event by event. */
const CLOCKS_MS = 86_400_000;

// Events up to this number are gone, or were accepted too early.
async function beginningOf(sql: Sql, { workspace, kind, since }: OperationWish): Promise<number> {
  const [oldest] = await sql.read<{ event: number; acceptedAt: number; head: number }>(
    `SELECT e.event, e.accepted_at AS "acceptedAt", w.head FROM events e JOIN workspaces w ON w.workspace = e.workspace
     WHERE e.workspace = $1 ORDER BY e.event LIMIT 1`,
    [workspace],
  );
  if (!oldest) return 0;
  const { event, acceptedAt: oldestEvent, head } = oldest;
  if (since === null || kind === 'redrive') return event - 1;
  return Math.max(event - 1, await lastBefore(sql, { workspace, head, oldestEvent }, since - CLOCKS_MS));
}

async function begin(
  sql: Sql,
  tx: Tx,
  { wish, from, now }: { wish: OperationWish; from: number; now: number },
): Promise<StoredOperation> {
  const { workspace, kind, webhook } = wish;
  const { head: operation } = await nextNumber(sql, tx, workspace);
  if (webhook !== null && !(await webhooksIn(tx, workspace)).has(webhook)) {
    throw new StoreRefusal('not-found', 'there is no such webhook');
  }
  await refuseBeside(tx, wish);
  const columns: Record<string, Value> = {
    workspace,
    operation,
    kind,
    webhook,
    since: wish.since,
    until: wish.until,
    type: wish.type,
    filter: wish.filter,
    pace: wish.pace,
    note: wish.note,
    state: 'running',
    from_event: from,
    up_to: operation,
    cursor_event: from,
    // Past every target and copy of that event.
    cursor_target: Number.MAX_SAFE_INTEGER,
    cursor_copy: 0,
    chunks: 0,
    looked: 0,
    released: 0,
    next_at: now,
    created_at: now,
    updated_at: now,
  };
  const names = Object.keys(columns);
  const marks = names.map((_, i) => `$${i + 1}`).join(', ');
  await tx.run(`INSERT INTO operations (${names.join(', ')}) VALUES (${marks})`, Object.values(columns));
  return read(tx, { workspace, operation });
}

// Two of a kind would release the same deliveries at twice the pace. The workspace's row is held.
async function refuseBeside(tx: Tx, { workspace, kind, webhook }: OperationWish): Promise<void> {
  const all = await tx.all<{ operation: number; webhook: number | null; token: string }>(
    `SELECT o.operation, o.webhook, w.token FROM operations o JOIN workspaces w ON w.workspace = o.workspace
     WHERE o.workspace = $1 AND o.kind = $2 AND o.state IN ('running', 'paused') ORDER BY o.operation`,
    [workspace, kind],
  );
  const first = all.find((other) => webhook === null || other.webhook === null || other.webhook === webhook);
  if (!first) return;
  const id = formatId('op', first.token, first.operation);
  throw new StoreRefusal(
    'operation-running',
    `a ${kind} of ${webhook === null ? 'some' : 'this'} webhook runs already, ${id}: wait for it, or cancel it`,
  );
}

async function read(tx: Tx, key: { workspace: number; operation: number }): Promise<StoredOperation> {
  const [row] = await tx.all<OperationRow>(`${OPERATION} ${ONE}`, [key.workspace, key.operation]);
  if (!row) throw new StoreRefusal('not-found', 'there is no such operation');
  return operationOf(row);
}

async function pauseOne(
  sql: Sql,
  tx: Tx,
  { workspace, operation, paused, now }: { workspace: number; operation: number; paused: boolean; now: number },
): Promise<StoredOperation> {
  await holdOperation(sql, tx, { workspace, operation });
  const [from, to] = paused ? ['running', 'paused'] : ['paused', 'running'];
  await tx.run(`UPDATE operations SET state = $3, updated_at = $4 ${ONE} AND state = $5`, [
    workspace,
    operation,
    to,
    now,
    from,
  ]);
  return read(tx, { workspace, operation });
}

async function endOne(
  sql: Sql,
  tx: Tx,
  { workspace, operation, state, reason, now }: { workspace: number; operation: number } & OperationEnd,
): Promise<StoredOperation> {
  await holdOperation(sql, tx, { workspace, operation });
  await tx.run(
    `UPDATE operations SET state = $3, reason = $4, ended_at = $5, updated_at = $5 ${ONE} AND state IN ('running', 'paused')`,
    [workspace, operation, state, reason, now],
  );
  return read(tx, { workspace, operation });
}

function holdOperation(
  sql: Sql,
  tx: Tx,
  { workspace, operation }: { workspace: number; operation: number },
): Promise<{ state: string; chunks: number }[]> {
  return tx.all(`SELECT state, chunks FROM operations ${ONE}${sql.dialect.forUpdate}`, [workspace, operation]);
}

/* ── What is ahead ──────────────────────────────────────────────────────────────────────────────────────────── */

/** Deliveries seen in one go: most of a long log was delivered, and seeing them costs a transaction per page. */
const SEEN = 5000;
/** Events among which one go looks for a webhook's deliveries. */
const WINDOW = 10_000;
/** … and for the dead letters of all. */
const WIDE_WINDOW = 100_000;

interface Seen extends DeliveryPosition {
  state: number;
  dueAt: number;
}

async function undelivered(sql: Sql, ask: AheadQuery): Promise<Ahead> {
  const { operation } = ask;
  const { workspace, webhook, since, cursor } = operation;
  const bound = await boundOf(sql, operation, WINDOW);
  const seen = await sql.scan<Seen>(
    `SELECT d.event, d.target, d.copy, d.state, CASE WHEN l.lease IS NULL THEN d.due_at ELSE 0 END AS "dueAt"
     FROM deliveries d JOIN events e ON e.workspace = d.workspace AND e.event = d.event
     LEFT JOIN leases l ON l.workspace = d.workspace AND l.event = d.event AND l.target = d.target AND l.copy = d.copy
     WHERE d.workspace = $1 AND d.target = $2 AND (d.event, d.target, d.copy) > ($3, $4, $5) AND d.event <= $6
       AND e.accepted_at >= $7
     ORDER BY d.event, d.target, d.copy LIMIT $8`,
    [workspace, webhook, cursor.event, cursor.target, cursor.copy, bound, since ?? 0, SEEN],
  );
  return pageOf({ ...ask, seen, bound });
}

async function deadLetters(sql: Sql, ask: AheadQuery): Promise<Ahead> {
  const { operation } = ask;
  const { workspace, webhook, since, until, cursor } = operation;
  const bound = await boundOf(sql, operation, WIDE_WINDOW);
  const seen = await sql.scan<Seen>(
    `SELECT d.event, d.target, d.copy, d.state, d.due_at AS "dueAt" FROM deliveries d
     WHERE d.workspace = $1 AND d.state = ${STATE.dead} AND (d.event, d.target, d.copy) > ($2, $3, $4) AND d.event <= $5
       AND (CAST($6 AS BIGINT) IS NULL OR d.target = $6) AND d.ended_at >= $7 AND d.ended_at < $8
     ORDER BY d.event, d.target, d.copy LIMIT $9`,
    [
      workspace,
      cursor.event,
      cursor.target,
      cursor.copy,
      bound,
      webhook,
      since ?? 0,
      until ?? Number.MAX_SAFE_INTEGER,
      SEEN,
    ],
  );
  return pageOf({ ...ask, seen, bound });
}

// How far one go looks: a window from the next event on.
async function boundOf(sql: Sql, { workspace, cursor, upTo }: StoredOperation, window: number): Promise<number> {
  if (cursor.event + window >= upTo) return upTo;
  const next = await firstEventBehind(sql, { workspace, after: cursor.event, upTo });
  return next === null ? upTo : Math.min(upTo, next - 1 + window);
}

// As many as may be released; what lies behind the last of them is seen again. What is due already is on its way, and so
// is what is leased to a consumer.
function pageOf({ operation, seen, limit, now, bound }: AheadQuery & { seen: Seen[]; bound: number }): Ahead {
  const { workspace, upTo } = operation;
  const keys: DeliveryKey[] = [];
  let looked = 0;
  for (const { event, target, copy, state, dueAt } of seen) {
    const isWanted = state === STATE.dead || (state === STATE.open && dueAt > now);
    if (isWanted && keys.length === limit) break;
    if (isWanted) keys.push({ workspace, event, target, copy });
    looked++;
  }
  const isWhole = looked === seen.length && seen.length < SEEN;
  if (isWhole) return { keys, looked, cursor: endOf(bound), ended: bound >= upTo };
  const { event, target, copy } = seen[looked - 1]!;
  return { keys, looked, cursor: { event, target, copy }, ended: false };
}

function endOf(event: number): DeliveryPosition {
  return { event, target: Number.MAX_SAFE_INTEGER, copy: 0 };
}

/* ── A chunk ────────────────────────────────────────────────────────────────────────────────────────────────── */

async function advance(
  sql: Sql,
  tx: Tx,
  chunk: OperationChunk,
): Promise<{ operation: StoredOperation; targets: TargetKey[] } | null> {
  const { operation: before, lane, now } = chunk;
  const { workspace, operation, webhook } = before;
  // Held as `accept` holds it: no webhook is deleted between the look at it and the commit of what is released to it.
  const held = await tx.all(
    `SELECT head FROM workspaces WHERE workspace = $1 AND deleted_at IS NULL${sql.dialect.forUpdate}`,
    [workspace],
  );
  if (held.length === 0 || !(await stillOwned(tx, sql.dialect, [lane]))) return null;
  const [row] = await holdOperation(sql, tx, before);
  if (row?.state !== 'running' || row.chunks !== before.chunks) return null;
  const living = await webhooksIn(tx, workspace);
  if (webhook !== null && !living.has(webhook)) {
    const end = { state: 'failed' as const, reason: 'The webhook was deleted.', now };
    return { operation: await endOne(sql, tx, { workspace, operation, ...end }), targets: [] };
  }
  // A dead letter of a webhook that is gone has nowhere to go.
  const keys = chunk.release.filter(({ target }) => living.has(target));
  let released = await release(tx, keys, now);
  if (webhook !== null) released += await copy(sql, tx, { ...chunk, workspace, webhook });
  await move(tx, chunk, released);
  const targets = webhook === null ? [...new Set(keys.map(({ target }) => target))] : [webhook];
  return {
    operation: await read(tx, before),
    targets: released === 0 ? [] : targets.map((target) => ({ workspace, target })),
  };
}

async function webhooksIn(tx: Tx, workspace: number): Promise<Set<number>> {
  const rows = await tx.all<{ webhook: number }>(
    `SELECT webhook FROM webhooks WHERE workspace = $1 AND ${IS_WEBHOOK}`,
    [workspace],
  );
  return new Set(rows.map(({ webhook }) => webhook));
}

const REOPENED = ['state', 'tries', 'due_at', 'first_try_at', 'ended_at', 'reason', 'batch'];

// What was dead begins a new chain of tries; what waits for its next try need not wait any longer. What was delivered
// since it was looked at stays as it is. The attempts made so far are kept, and so is the id. What was dead leaves its
// batch: of that one only a part may be released, and a receiver would take the rest for what it has had already.
async function release(tx: Tx, keys: readonly DeliveryKey[], now: number): Promise<number> {
  if (keys.length === 0) return 0;
  const named = keys.map(({ workspace, event, target, copy }): Value[] => [workspace, event, target, copy]);
  // In this order, or what was dead would be counted twice.
  const expedited = await tx.update('deliveries', {
    columns: ['due_at'],
    rows: named.map((key) => [...key, now]),
    only: STILL_OPEN,
  });
  const reopened = await tx.update('deliveries', {
    columns: REOPENED,
    rows: named.map((key) => [...key, STATE.open, 0, now, null, null, null, null]),
    // What was erased has nothing that could be sent.
    only: `state = ${STATE.dead} AND (reason IS NULL OR reason <> '${ERASED}')`,
  });
  return reopened + expedited;
}

async function copy(
  sql: Sql,
  tx: Tx,
  { workspace, webhook, copy: events, now }: OperationChunk & { workspace: number; webhook: number },
): Promise<number> {
  if (events.length === 0) return 0;
  const rows: Value[][] = [];
  for (const { event, copies, least } of await copiesOf(sql, tx, { workspace, webhook, events })) {
    const carried = { event, type: '', envelope: NOTHING, trace: null };
    const made = newDelivery({ workspace, target: webhook, carried, at: now });
    rows.push(deliveryRow({ ...made, copy: Math.max(copies ?? 0, least ?? 0) + 1 }));
  }
  await tx.insert('deliveries', rows);
  return rows.length;
}

/** The row of a delivery holds nothing of the event but its number. */
const NOTHING = new Uint8Array();
const LOOKUP = 64;

interface Copies {
  event: number;
  copies: number | null;
  /** What copies count from where the store came back from a backup (moving/fresh-numbers.ts). */
  least: number | null;
}

// The highest copy of each event that the webhook has; events that retention has taken away meanwhile are not there.
async function copiesOf(
  sql: Sql,
  tx: Tx,
  { workspace, webhook, events }: { workspace: number; webhook: number; events: readonly number[] },
): Promise<Copies[]> {
  const found: Copies[] = [];
  for (let at = 0; at < events.length; at += LOOKUP) {
    const some = events.slice(at, at + LOOKUP);
    const marks = some.map((_, i) => `$${i + 3}`).join(', ');
    found.push(
      ...(await tx.all<Copies>(
        `SELECT e.event, (SELECT MAX(d.copy) FROM deliveries d WHERE d.workspace = e.workspace AND d.event = e.event
           AND d.target = $2) AS copies, (SELECT CAST(value AS BIGINT) FROM installation WHERE name = 'copies') AS least
         FROM events e WHERE e.workspace = $1 AND e.erased_at IS NULL AND e.event IN (${marks}) ORDER BY e.event${sql.dialect.forUpdate}`,
        [workspace, webhook, ...some],
      )),
    );
  }
  return found;
}

async function move(tx: Tx, chunk: OperationChunk, released: number): Promise<void> {
  const { operation: before, looked, cursor, ended, now } = chunk;
  const { workspace, operation, nextAt: plannedAt, pace } = before;
  await tx.run(
    `UPDATE operations SET cursor_event = $3, cursor_target = $4, cursor_copy = $5, chunks = chunks + 1,
       looked = looked + $6, released = released + $7, next_at = $8, updated_at = $9, state = $10, ended_at = $11 ${ONE}`,
    [
      workspace,
      operation,
      cursor.event,
      cursor.target,
      cursor.copy,
      looked,
      released,
      nextChunkAt({ plannedAt, released, pace, now }),
      now,
      ended ? 'done' : 'running',
      ended ? now : null,
    ],
  );
}
