// Reading the log: pages of events and deliveries, single ones with all their detail. Nothing here writes.
import { isPattern } from '../model/catalog.ts';
import { shownDeliveryState, type Attempt, type DeliveryState, type StoredState } from '../model/delivery.ts';
import type { DeliveryKey } from '../model/ids.ts';
import type { Health, Intent, TargetMode } from '../model/webhook.ts';
import type { DeliveriesQuery, EventsPage, EventsQuery, Page, StoredDelivery, StoredEvent } from './contract.ts';
import { firstEventBehind, lastEventUpTo } from './gaps.ts';
import { IS_WEBHOOK } from './modes.ts';
import { STATE, type Sql, type Value } from './sql.ts';

/** Numbers that one filtered page looks through at most: a rare type in a long log costs pages, not seconds. */
export const WINDOW = 50_000;

const EVENT = `SELECT workspace, event, accepted_at AS "acceptedAt", source, id, type, note, trace, envelope,
  erased_at AS "erasedAt" FROM events`;

/** Collects conditions and their values. A text must not hold values: both engines keep every statement they prepare. */
class Where {
  readonly values: Value[] = [];
  readonly #parts: string[] = [];

  /** Adds a condition; each `?` stands for one of its values. Without a value it is left out. */
  and(part: string, ...values: (Value | undefined)[]): this {
    if (!values.includes(undefined)) this.#parts.push(this.filled(part, ...(values as Value[])));
    return this;
  }

  /** A piece of text with its values. */
  filled(part: string, ...values: Value[]): string {
    return part.replace(/\?/g, () => `$${this.values.push(values.shift()!)}`);
  }

  get text(): string {
    return this.#parts.join(' AND ');
  }
}

/**
 * The `events` verb. Positions are in commit order, and everything up to the head read first is committed: a reader
 * that continues after `cursor` skips nothing.
 */
export async function events(sql: Sql, query: EventsQuery, window: number): Promise<EventsPage> {
  const head = await headOf(sql, query.workspace);
  const forward = query.order === 'oldest-first';
  const from = query.cursor ?? (forward ? 0 : head + 1);
  const bound = forward ? Math.min(head, from + window) : Math.max(0, from - 1 - window);
  const where = new Where()
    .and('workspace = ?', query.workspace)
    .and(forward ? 'event > ?' : 'event < ?', from)
    .and(forward ? 'event <= ?' : 'event > ?', bound)
    .and('source = ?', query.source)
    .and('accepted_at >= ?', query.since)
    .and('accepted_at < ?', query.until);
  if (query.type !== undefined && isPattern(query.type)) {
    const prefix = query.type.slice(0, -1);
    // Not LIKE: `%` and `_` are letters here, and case counts.
    where.and('substr(type, 1, length(?)) = ?', prefix, prefix);
  } else where.and('type = ?', query.type);
  const order = where.filled(`ORDER BY event ${forward ? 'ASC' : 'DESC'} LIMIT ?`, query.limit);
  const rows = await sql.scan<StoredEvent>(`${EVENT} WHERE ${where.text} ${order}`, where.values);
  const last = rows.length === query.limit ? rows.at(-1) : undefined;
  if (last) return { rows, cursor: last.event, more: forward ? last.event < head : last.event > 1 };
  const { workspace } = query;
  if (forward) {
    const next = bound < head ? await firstEventBehind(sql, { workspace, after: bound, upTo: head }) : null;
    return { rows, cursor: next === null ? Math.max(head, from) : next - 1, more: next !== null };
  }
  const before = bound > 0 ? await lastEventUpTo(sql, { workspace, upTo: bound }) : null;
  return { rows, cursor: (before ?? 0) + 1, more: before !== null };
}

/** The `event` verb. */
export async function event(sql: Sql, workspace: number, number: number): Promise<StoredEvent | null> {
  const [row] = await sql.read<StoredEvent>(`${EVENT} WHERE workspace = $1 AND event = $2`, [workspace, number]);
  return row ?? null;
}

/** The `head` verb. */
export async function headOf(sql: Sql, workspace: number): Promise<number> {
  const [row] = await sql.read<{ head: number }>('SELECT head FROM workspaces WHERE workspace = $1', [workspace]);
  return row?.head ?? 0;
}

/* ── Deliveries ─────────────────────────────────────────────────────────────────────────────────────────────── */

interface DeliveryRow extends DeliveryKey {
  state: number;
  tries: number;
  attempts: number;
  createdAt: number;
  dueAt: number;
  firstTryAt: number | null;
  endedAt: number | null;
  reason: string | null;
  batch: number | null;
  type: string;
  source: string;
  eventId: string;
  intent: Intent | null;
  health: Health | null;
  mode: TargetMode | null;
}

// The join is to the left: a deleted webhook's deliveries can still be seen.
const DELIVERY = `
  SELECT d.workspace, d.event, d.target, d.copy, d.state, d.tries, d.attempts, d.created_at AS "createdAt",
         d.due_at AS "dueAt", d.first_try_at AS "firstTryAt", d.ended_at AS "endedAt", d.reason, d.batch,
         e.type, e.source, e.id AS "eventId", w.intent, w.health, w.mode
  FROM deliveries d
  JOIN events e ON e.workspace = d.workspace AND e.event = d.event
  LEFT JOIN webhooks w ON w.workspace = d.workspace AND w.webhook = d.target`;

/**
 * The `deliveries` verb: first the keys of the page, by whatever index is shortest, then their rows. What one webhook was
 * sent is looked for in the log itself, a window of events per page: an index for it cost every delivery a third of its
 * writing.
 */
export async function deliveries(sql: Sql, query: DeliveriesQuery, window: number): Promise<Page<StoredDelivery>> {
  const { state } = query;
  // A plus keeps an index from being used. What is open or dead is little among what was delivered: it is found by the
  // index of its state and then sorted, or a list of nothing would be looked for in the whole log.
  const few = state !== undefined && state !== 'delivered' ? '+' : '';
  const where = new Where()
    .and('k.workspace = ?', query.workspace)
    .and(`${state === 'dead' ? '+' : ''}k.target = ?`, query.webhook)
    .and('k.event = ?', query.event)
    // What goes to post-processings and flows stands with their runs.
    .and(`k.target NOT IN (${NO_WEBHOOKS})`, query.workspace);
  if (state !== undefined) where.and(STATE_IS[state], ...(STATE_IS[state].includes('?') ? [query.workspace] : []));
  const after = query.cursor === null ? null : readPosition(query.cursor);
  let bound = 0;
  if (query.webhook !== undefined && query.event === undefined && few === '') {
    const from = after?.[0] ?? (await headOf(sql, query.workspace));
    bound = Math.max(0, from - window);
    where.and('k.event > ?', bound);
  }
  if (after) where.and(`(${few}k.event, k.target, k.copy) < (?, ?, ?)`, ...after);
  const order = where.filled(`ORDER BY ${few}k.event DESC, k.target DESC, k.copy DESC LIMIT ?`, query.limit + 1);
  const rows = await sql.scan<DeliveryRow>(
    `${DELIVERY} WHERE d.workspace = ${where.filled('?', query.workspace)} AND (d.event, d.target, d.copy) IN (
       SELECT k.event, k.target, k.copy FROM deliveries k WHERE ${where.text} ${order})
     ORDER BY d.event DESC, d.target DESC, d.copy DESC`,
    where.values,
  );
  const page = rows.slice(0, query.limit);
  const last = rows.length > query.limit ? page.at(-1) : undefined;
  const before = last || bound === 0 ? null : await lastEventUpTo(sql, { workspace: query.workspace, upTo: bound });
  const end = last ?? (before === null ? null : { event: before + 1, target: 0, copy: 0 });
  return { rows: page.map(deliveryOf), next: end && `${end.event}.${end.target}.${end.copy}` };
}

function readPosition(cursor: string): number[] | null {
  const position = cursor.split('.').map(Number);
  return position.length === 3 && position.every((n) => Number.isSafeInteger(n) && n >= 0) ? position : null;
}

// The SQL of `isSendable`; a webhook that is gone cannot be sent to.
const SENDABLE = `SELECT s.webhook FROM webhooks s
  WHERE s.workspace = ? AND s.intent = 'enabled' AND s.health IN ('active', 'warning')`;

const NO_WEBHOOKS = `SELECT r.webhook FROM webhooks r WHERE r.workspace = ? AND NOT r.${IS_WEBHOOK}`;

// Held and scheduled are one stored state; which of the two it is depends on the webhook.
const STATE_IS: Record<DeliveryState, string> = {
  scheduled: `k.state = ${STATE.open} AND k.target IN (${SENDABLE})`,
  held: `k.state = ${STATE.open} AND k.target NOT IN (${SENDABLE})`,
  delivered: `k.state = ${STATE.delivered}`,
  dead: `k.state = ${STATE.dead}`,
};

const STATES: readonly StoredState[] = ['open', 'delivered', 'dead'];

function deliveryOf({ intent, health, ...row }: DeliveryRow): StoredDelivery {
  const state = STATES[row.state]!;
  return { ...row, state, shown: shownDeliveryState(state, intent ?? 'disabled', health ?? 'critical') };
}

/** The `delivery` verb. */
export async function delivery(
  sql: Sql,
  { workspace, event, target, copy }: DeliveryKey,
): Promise<{ delivery: StoredDelivery; attempts: Attempt[] } | null> {
  const key = [workspace, event, target, copy];
  const [row] = await sql.read<DeliveryRow>(
    `${DELIVERY} WHERE d.workspace = $1 AND d.event = $2 AND d.target = $3 AND d.copy = $4`,
    key,
  );
  if (!row) return null;
  const attempts = await sql.read<Omit<Attempt, 'manual'> & { manual: number }>(
    `SELECT attempt, manual, started_at AS "startedAt", duration_ms AS "durationMs", status, error,
            request_headers AS "requestHeaders", response_headers AS "responseHeaders", response
     FROM attempts WHERE workspace = $1 AND event = $2 AND target = $3 AND copy = $4 ORDER BY attempt`,
    key,
  );
  return { delivery: deliveryOf(row), attempts: attempts.map((a) => ({ ...a, manual: a.manual === 1 })) };
}
