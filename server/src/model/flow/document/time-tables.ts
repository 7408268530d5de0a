// Time tables as documents write them: five or six fields of cron, or one instant; judged by what they come to.
import { Cron } from 'croner';
import { parseDateTime } from '../../cloud-events/index.ts';
import type { Cron as TimeTable } from '../definition.ts';

/** Where a table is tried: any instant will do, as long as it is the same for everybody. */
const TRIED_AT = Date.UTC(2026, 0, 1);

/** What is wrong with a table, in one clause; null when nothing is. */
export function timeTableFault(at: string, timezone: string): string | null {
  if (parseDateTime(at) !== undefined) return null;
  try {
    if (cronOf(at, timezone).nextRun(new Date(TRIED_AT)) !== null) return null;
    return `"${at}" never comes: there is no such day`;
  } catch (error) {
    const why = (error as Error).message.replace(/^CronPattern: /, '');
    return `"${at}" is no time table such as "0 2 * * *" (${why})`;
  }
}

/** Is there a time zone of this name? */
export function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** The first start after an instant (epoch ms), days to skip left out; null when there is none. */
export function startAfter(
  { at, timezone, skip }: Pick<TimeTable, 'at' | 'timezone' | 'skip'>,
  after: number,
): number | null {
  const once = parseDateTime(at);
  if (once !== undefined) return once > after && !skip.includes(dayOf(once, timezone)) ? once : null;
  const cron = cronOf(at, timezone);
  for (let from = new Date(after), tries = 0; tries < MOST_SKIPPED; tries++) {
    const next = cron.nextRun(from);
    if (next === null) return null;
    if (!skip.includes(dayOf(next.getTime(), timezone))) return next.getTime();
    from = next;
  }
  return null;
}

/** Starts on days to skip that are passed over: every second of some days. */
const MOST_SKIPPED = 1_000_000;

function cronOf(at: string, timezone: string): Cron {
  return new Cron(at, { timezone, paused: true, mode: '5-or-6-parts' });
}

function dayOf(ms: number, timezone: string): string {
  return new Intl.DateTimeFormat('en-CA', { timeZone: timezone, dateStyle: 'short' }).format(ms);
}
