// Reads RFC 3339 date-times strictly: the `time` of an event, and the times that filters compare.

const DATE_TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

/**
 * The instant an RFC 3339 date-time names, in epoch milliseconds (with a fraction where the text has one, exact to
 * about a microsecond), or undefined when the text is not one. Calendar dates must exist. A leap second (`:60`) is
 * taken only where one can be, in the last minute of a month in UTC (RFC 3339 section 5.7), and counts as the second
 * after it, as POSIX time does. `t` and `z` may be lower case; a space instead of `T` is refused.
 */
export function parseDateTime(text: string): number | undefined {
  // Fixed places instead of capture groups: half the time, on a path every event takes.
  if (!DATE_TIME.test(text)) return undefined;
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  const offset = offsetMinutes(text);
  if (offset === undefined) return undefined;
  const instant = midnight(year, month, day) + ((hour * 60 + minute - offset) * 60 + second) * 1_000;
  if (second === 60 && !startsMonth(instant)) return undefined;
  return text[19] === '.' ? instant + Number.parseFloat(text.slice(19)) * 1_000 : instant;
}

/** Minutes east of UTC, 0 for Z; undefined when there is no such offset. */
function offsetMinutes(text: string): number | undefined {
  if (text.endsWith('Z') || text.endsWith('z')) return 0;
  const hours = twoDigits(text, text.length - 5);
  const minutes = twoDigits(text, text.length - 2);
  if (hours > 23 || minutes > 59) return undefined;
  return (hours * 60 + minutes) * (text[text.length - 6] === '-' ? -1 : 1);
}

function twoDigits(text: string, at: number): number {
  return text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 0x30 * 11;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Date.UTC, which takes the years 0 to 99 for 1900 to 1999, without that. */
function midnight(year: number, month: number, day: number): number {
  return year > 99 ? Date.UTC(year, month - 1, day) : new Date(0).setUTCFullYear(year, month - 1, day);
}

function startsMonth(instant: number): boolean {
  const date = new Date(instant);
  return date.getUTCDate() === 1 && instant % 86_400_000 === 0;
}
