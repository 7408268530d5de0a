// Reads RFC 3339 date-times strictly: the `time` of an event, and the times that filters compare.

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/**
 * The instant an RFC 3339 date-time names, in epoch milliseconds (with a fraction where the text has one, exact to
 * about a microsecond), or undefined when the text is not one. Calendar dates must exist. A leap second (`:60`) is
 * taken only where one can be, in the last minute of a month in UTC (RFC 3339 section 5.7), and counts as the second
 * after it, as POSIX time does. `t` and `z` may be lower case; a space instead of `T` is refused.
 */
export function parseDateTime(text: string): number | undefined {
  const match = DATE_TIME.exec(text);
  if (match === null) return undefined;
  const month = Number(match[2]);
  const day = Number(match[3]);
  const hour = Number(match[4]);
  const minute = Number(match[5]);
  const second = Number(match[6]);
  const offsetHour = Number(match[9] ?? 0);
  const offsetMinute = Number(match[10] ?? 0);
  if (month < 1 || month > 12 || day < 1 || day > daysIn(Number(match[1]), month)) return undefined;
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return undefined;
  const offset = (offsetHour * 60 + offsetMinute) * (match[8] === '-' ? -60_000 : 60_000);
  const instant = utc(Number(match[1]), month, day) + (hour * 3_600 + minute * 60 + second) * 1_000 - offset;
  if (second === 60 && !startsMonth(instant)) return undefined;
  return match[7] === undefined ? instant : instant + Number(match[7]) * 1_000;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Date.UTC, which takes the years 0 to 99 for 1900 to 1999, without that. */
function utc(year: number, month: number, day: number): number {
  return year > 99 ? Date.UTC(year, month - 1, day) : new Date(0).setUTCFullYear(year, month - 1, day);
}

function startsMonth(instant: number): boolean {
  const date = new Date(instant);
  return date.getUTCDate() === 1 && instant % 86_400_000 === 0;
}
