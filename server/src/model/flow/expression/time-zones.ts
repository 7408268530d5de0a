// Wall-clock time in time zones, by Intl: what a clock shows at an instant, and the instant at which it shows that.
import { ExpressionError } from './fault.ts';

/** What a clock and a calendar show. `month` and `day` count from 1. */
export interface WallTime {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  ms: number;
}

/** A time zone: minutes-exact offsets from UTC, in ms. */
export interface Zone {
  offsetAt(instant: number): number;
}

/** Instants that calendars of four-digit years can show: the years 1 to 9999. */
const FIRST = -62_135_596_800_000;
const LAST = 253_402_300_799_999;
const DAY = 86_400_000;

const UTC: Zone = { offsetAt: () => 0 };
/** Formatters cost a tenth of a millisecond to make; there are some 600 zones. */
const known = new Map<string, Zone>([['UTC', UTC]]);
const MOST_KNOWN = 700;

/** A zone by its IANA name or as an offset such as `+09:00`. Throws an ExpressionError when there is none. */
export function zoneOf(name: string): Zone {
  const found = known.get(name);
  if (found !== undefined) return found;
  const zone = makeZone(name);
  if (known.size < MOST_KNOWN) known.set(name, zone);
  return zone;
}

function makeZone(name: string): Zone {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      era: 'narrow',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    throw new ExpressionError('There is no such time zone; they are written UTC, Europe/Berlin, +09:00');
  }
  return {
    offsetAt(instant) {
      const whole = Math.floor(instant / 1_000) * 1_000;
      // `11/23/2026 A, 02:20:41`: read from the text, which costs a third of the parts.
      const shown = format.format(whole);
      const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = (shown.match(/\d+/g) ?? []).map(Number);
      const time = { year: shown.includes('B') ? 1 - year : year, month, day, hour, minute, second, ms: 0 };
      return asIfUtc(time) - whole;
    },
  };
}

/** An instant, or an ExpressionError when it lies outside of the years 1 to 9999. */
export function withinCalendar(instant: number): number {
  if (instant >= FIRST && instant <= LAST) return instant;
  throw new ExpressionError('The time lies outside of the years 1 to 9999');
}

/** What clocks of a zone show at an instant. */
export function wallTimeOf(instant: number, zone: Zone): WallTime {
  const date = new Date(withinCalendar(instant) + zone.offsetAt(instant));
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    ms: date.getUTCMilliseconds(),
  };
}

/**
 * The instant at which clocks of a zone show a time; fields beyond their range carry over. Where the clocks show it
 * twice, the first; where they skip it, as much later as they skip.
 */
export function instantOf(wall: WallTime, zone: Zone): number {
  const local = withinCalendar(asIfUtc(wall));
  const before = local - zone.offsetAt(local - DAY);
  const after = local - zone.offsetAt(local + DAY);
  const shows = (instant: number): boolean => instant + zone.offsetAt(instant) === local;
  if (shows(before)) return shows(after) ? Math.min(before, after) : before;
  return shows(after) ? after : before;
}

/** How many days a month has. */
export function daysIn(year: number, month: number): number {
  return new Date(asIfUtc({ year, month: month + 1, day: 0, hour: 0, minute: 0, second: 0, ms: 0 })).getUTCDate();
}

/** Date.UTC, which takes the years 0 to 99 for 1900 to 1999, without that. */
function asIfUtc({ year, month, day, hour, minute, second, ms }: WallTime): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.setUTCHours(hour, minute, second, ms);
}
