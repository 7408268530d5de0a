// What a workspace may publish per UTC day, and what it has used of it.
import type { AcceptResult, NewEvent } from './contract.ts';

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
