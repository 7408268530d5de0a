// What a workspace may publish per UTC day and has used of it, and how many things it may have.
import { StoreRefusal, type AcceptResult, type NewEvent } from './contract.ts';
import { IS_WEBHOOK } from './modes.ts';
import type { Tx } from './sql.ts';

/** The quota columns of a workspace; null is unlimited. */
export interface Quota {
  eventsPerDay: number | null;
  bytesPerDay: number | null;
  /** The day that is counted, in days since the epoch. It never goes back: a clock that is behind counts into it. */
  day: number;
  dayEvents: number;
  dayBytes: number;
}

const DAY_MS = 86_400_000;

/** Could these events exceed the quota if all of them were new? */
export function mayExceed(quota: Quota, events: readonly NewEvent[]): boolean {
  if (quota.eventsPerDay === null && quota.bytesPerDay === null) return false;
  return exceeded(quota, quota.dayEvents + events.length, quota.dayBytes + sizeOf(events)) !== null;
}

/** The refusal when these new events do not fit into the day any more; null when they do. */
export function overQuota(quota: Quota, events: readonly NewEvent[], at: number): AcceptResult | null {
  if (events.length === 0) return null;
  const day = Math.max(quota.day, dayOf(at));
  const { dayEvents, dayBytes } = day === quota.day ? quota : { dayEvents: 0, dayBytes: 0 };
  const what = exceeded(quota, dayEvents + events.length, dayBytes + sizeOf(events));
  if (what === null) return null;
  const limit = (what === 'events' ? quota.eventsPerDay : quota.bytesPerDay)!;
  return { kind: 'over-quota', what, limit, resetAt: (day + 1) * DAY_MS };
}

/** Counts an event that is new. */
export function count(quota: Quota, { envelope }: NewEvent, at: number): void {
  const day = dayOf(at);
  if (day > quota.day) Object.assign(quota, { day, dayEvents: 0, dayBytes: 0 });
  quota.dayEvents++;
  quota.dayBytes += envelope.length;
}

function dayOf(at: number): number {
  return Math.floor(at / DAY_MS);
}

function sizeOf(events: readonly NewEvent[]): number {
  return events.reduce((sum, { envelope }) => sum + envelope.length, 0);
}

function exceeded({ eventsPerDay, bytesPerDay }: Quota, events: number, bytes: number): 'events' | 'bytes' | null {
  if (eventsPerDay !== null && events > eventsPerDay) return 'events';
  return bytesPerDay !== null && bytes > bytesPerDay ? 'bytes' : null;
}

const THINGS = { webhooks: 'webhooks', subscriptions: 'subscriptions', event_types: 'event types' } as const;

const ONLY = {
  webhooks: ` AND ${IS_WEBHOOK}`,
  subscriptions: ` AND webhook IN (SELECT w.webhook FROM webhooks w WHERE w.workspace = $1 AND w.${IS_WEBHOOK})`,
  event_types: '',
} as const satisfies Record<keyof typeof THINGS, string>;

/** Refuses `limit-reached` when a workspace has as many of these as it may have. Its row must be held. */
export async function refuseOverLimit(
  tx: Tx,
  { table, workspace, limit }: { table: keyof typeof THINGS; workspace: number; limit: number | null },
): Promise<void> {
  if (limit === null) return;
  const only = ONLY[table];
  const [row] = await tx.all<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table} WHERE workspace = $1${only}`, [
    workspace,
  ]);
  if (row!.n >= limit) throw new StoreRefusal('limit-reached', `this workspace may have ${limit} ${THINGS[table]}`);
}
