// Time tables: when a flow starts by the clock. Pure: instants are handed in.
//
// Five or six cron fields (minute hour day month weekday, with seconds in front) in a time zone, or one instant. As in
// Vixie's cron a day fits when either its day of the month or its weekday does, where both are given. What falls into the
// hour that is left out in spring starts right after it; what falls into the hour that comes twice in autumn starts once,
// unless it starts every so many minutes.
import { Cron as Table } from 'croner';
import type { Cron } from './definition.ts';

/** A start that is at most so late is on time; what is later was missed. */
export const ON_TIME_MS = 60_000;
/** Missed starts that are made up for at most. */
export const MOST_CAUGHT_UP = 100;

/** Does the runtime know a time zone of this name? */
export function isTimezone(name: string): boolean {
  try {
    // An offset such as +02:00 is no name of a zone, though the runtime takes it.
    return (
      new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '' && /^[A-Za-z]/.test(name)
    );
  } catch {
    return false;
  }
}

const INSTANT = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

function instantOf(at: string): number | null {
  if (!INSTANT.test(at)) return null;
  const ms = Date.parse(at.toUpperCase());
  return Number.isNaN(ms) ? null : ms;
}

/** From here on a table has to fire: nothing is left out that is rarer than a leap year that is none. */
const BEGINNING = Date.UTC(2001, 0, 1);
/** Croner counts years to 3000; a table finds its next start long before. */
const LONGEST = 200;

/** What is wrong with a time table, as a clause; null for one that fires. */
export function cronFault(at: string, timezone: string): string | null {
  if (/^\d{4}-/.test(at)) {
    return instantOf(at) === null ? `${shown(at)} is no instant such as 2026-12-24T18:00:00+09:00` : null;
  }
  const fields = at.trim().split(/\s+/);
  if (at.length > LONGEST || (fields.length !== 5 && fields.length !== 6)) {
    return `${shown(at)} has ${fields.length === 1 ? 'one field' : `${fields.length} fields`}, and a time table has five, or six with seconds in front`;
  }
  if (!isTimezone(timezone)) return `there is no time zone ${shown(timezone)}; they have names such as Europe/Paris`;
  try {
    return nextOf(at, timezone, BEGINNING) === null ? `${shown(at)} never fires: there is no such day` : null;
  } catch (error) {
    const words = (error as Error).message.replace(/^CronPattern: /, '');
    return `${shown(at)} is no time table: ${words}`;
  }
}

function shown(text: string): string {
  return `"${text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text}"`;
}

/* ── Tables ─────────────────────────────────────────────────────────────────────────────────────────────────── */

interface Known {
  table: Table;
  /** From `after` (inclusive) up to `next` (exclusive) the next start is `next`. */
  after: number;
  next: number | null;
}

/** Parsed tables that are kept. Ten thousand flows have few different ones, and to look for a start costs 0.3 ms. */
const MOST_KNOWN = 1000;
const known = new Map<string, Known>();

function tableOf(at: string, timezone: string): Known {
  const name = `${timezone} ${at}`;
  let one = known.get(name);
  if (!one) {
    one = { table: new Table(at.trim(), { timezone, paused: true }), after: Infinity, next: null };
    if (known.size >= MOST_KNOWN) known.delete(known.keys().next().value!);
    known.set(name, one);
  }
  return one;
}

// The first instant after this one, whatever day it is.
function nextOf(at: string, timezone: string, after: number): number | null {
  const one = tableOf(at, timezone);
  const isKnown = after >= one.after && (one.next === null || after < one.next);
  if (isKnown) return one.next;
  one.next = one.table.nextRun(new Date(after))?.getTime() ?? null;
  one.after = after;
  return one.next;
}

// The instants from one on up to another, of many the last ones, the oldest first.
function between(at: string, timezone: string, { from, upTo }: { from: number; upTo: number }): number[] {
  const all = [from];
  for (let next = nextOf(at, timezone, from); next !== null && next <= upTo; next = nextOf(at, timezone, next)) {
    all.push(next);
    if (all.length > MOST_CAUGHT_UP) {
      const last = tableOf(at, timezone).table.previousRuns(MOST_CAUGHT_UP, new Date(upTo + 1));
      return last.map((date) => date.getTime()).toReversed();
    }
  }
  return all;
}

/* ── Days ───────────────────────────────────────────────────────────────────────────────────────────────────── */

const calendars = new Map<string, Intl.DateTimeFormat>();

/** The day it is in a zone, as `YYYY-MM-DD`. */
function dayOf(ms: number, timezone: string): string {
  let calendar = calendars.get(timezone);
  if (!calendar) {
    calendar = new Intl.DateTimeFormat('en-CA', {
      timeZone: timezone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    });
    if (calendars.size >= MOST_KNOWN) calendars.clear();
    calendars.set(timezone, calendar);
  }
  return calendar.format(ms);
}

function isSkipped(ms: number, { timezone, skip }: Cron): boolean {
  return skip.length > 0 && skip.includes(dayOf(ms, timezone));
}

/** Seconds of a table may not be gone through one by one: a day that is skipped is left at its end. */
function endOfDay(ms: number, timezone: string): number | null {
  return nextOf('0 0 0 * * *', timezone, ms);
}

/* ── Starts ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/** When a time table starts its flow next, after an instant (epoch ms); null for never again. Throws on one with a fault. */
export function nextStart(cron: Cron, after: number): number | null {
  const { at, timezone } = cron;
  const instant = instantOf(at);
  if (instant !== null) {
    return instant > after && !isSkipped(instant, cron) ? instant : null;
  }
  let next = nextOf(at, timezone, after);
  while (next !== null && isSkipped(next, cron)) {
    const end = endOfDay(next, timezone);
    next = end === null ? null : nextOf(at, timezone, end - 1);
  }
  return next;
}

/** The first start of a time table that is kept now. */
export function firstStart(cron: Cron, now: number): number | null {
  return nextStart(cron, now);
}

/** What a time table that is due comes to. */
export interface DueStarts {
  /** The instants for which a run is started, the oldest first. */
  starts: number[];
  nextAt: number | null;
}

/**
 * What is started of a time table that was due at an instant, looked at now. What is on time is started; of what was missed
 * (the platform was down, say) as much as `catchUp` says; nothing that is later than `startTimeoutMs`.
 */
export function dueStarts(cron: Cron, { dueAt, now }: { dueAt: number; now: number }): DueStarts {
  const { at, timezone, startTimeoutMs, catchUp } = cron;
  const nextAt = nextStart(cron, Math.max(now, dueAt));
  const all = instantOf(at) === null ? between(at, timezone, { from: dueAt, upTo: now }) : [dueAt];
  const planned = all.filter((ms) => !isSkipped(ms, cron));
  const onTime = planned.filter((ms) => now - ms <= ON_TIME_MS);
  const wanted = catchUp === 'all' ? planned : catchUp === 'one' && onTime.length === 0 ? planned.slice(-1) : onTime;
  return { starts: wanted.filter((ms) => startTimeoutMs === null || now - ms <= startTimeoutMs), nextAt };
}
