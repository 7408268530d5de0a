// How times are written and read: patterns such as `YYYY-MM-DD HH:mm`, in the letters of Moment and of Luxon alike.
import { ExpressionError } from './fault.ts';
import type { WallTime } from './time-zones.ts';

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

/** A time with what its zone says of it. */
export interface ShownTime extends WallTime {
  /** 1 is Monday, 7 is Sunday. */
  weekday: number;
  /** Epoch ms. */
  instant: number;
  /** Ms east of UTC. */
  offset: number;
}

const two = (value: number): string => String(value).padStart(2, '0');
const onTwelve = (hour: number): number => hour % 12 || 12;

/** ISO 8601: the week that holds the year's first Thursday is the first. */
function weekOf({ year, month, day, weekday }: ShownTime): number {
  const thursday = Date.UTC(year, month - 1, day + 4 - weekday);
  const first = Date.UTC(new Date(thursday).getUTCFullYear(), 0, 1);
  return 1 + Math.floor((thursday - first) / (7 * 86_400_000));
}

function offsetText(offset: number, colon: string): string {
  const minutes = Math.round(Math.abs(offset) / 60_000);
  return `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${colon}${two(minutes % 60)}`;
}

type Write = (time: ShownTime) => string;

const TOKENS: Readonly<Record<string, Write>> = {
  YYYY: ({ year }) => String(year).padStart(4, '0'),
  YY: ({ year }) => two(year % 100),
  MMMM: ({ month }) => MONTHS[month - 1] as string,
  MMM: ({ month }) => (MONTHS[month - 1] as string).slice(0, 3),
  MM: ({ month }) => two(month),
  M: ({ month }) => String(month),
  DD: ({ day }) => two(day),
  D: ({ day }) => String(day),
  dddd: ({ weekday }) => WEEKDAYS[weekday - 1] as string,
  ddd: ({ weekday }) => (WEEKDAYS[weekday - 1] as string).slice(0, 3),
  E: ({ weekday }) => String(weekday),
  HH: ({ hour }) => two(hour),
  H: ({ hour }) => String(hour),
  hh: ({ hour }) => two(onTwelve(hour)),
  h: ({ hour }) => String(onTwelve(hour)),
  mm: ({ minute }) => two(minute),
  m: ({ minute }) => String(minute),
  ss: ({ second }) => two(second),
  s: ({ second }) => String(second),
  SSS: ({ ms }) => String(ms).padStart(3, '0'),
  A: ({ hour }) => (hour < 12 ? 'AM' : 'PM'),
  a: ({ hour }) => (hour < 12 ? 'am' : 'pm'),
  ZZ: ({ offset }) => offsetText(offset, ''),
  Z: ({ offset }) => offsetText(offset, ':'),
  W: (time) => String(weekOf(time)),
  Q: ({ month }) => String(Math.ceil(month / 3)),
  X: ({ instant }) => String(Math.floor(instant / 1_000)),
  x: ({ instant }) => String(instant),
};

/** Luxon's letters for the same. */
const ALIASES: Readonly<Record<string, string>> = {
  yyyy: 'YYYY',
  yy: 'YY',
  dd: 'DD',
  d: 'D',
  EEEE: 'dddd',
  EEE: 'ddd',
  cccc: 'dddd',
  ccc: 'ddd',
};

type Part = { token: string } | { literal: string };

const PIECES = /\[([^\]]*)\]|'([^']*)'|([A-Za-z])\3*|[^A-Za-z[']+|./gs;

/** The parts of a pattern. Throws an ExpressionError that names the letters it does not know. */
export function partsOf(pattern: string): Part[] {
  if (pattern.length > 200) throw new ExpressionError('A format of a time has at most 200 characters');
  return Array.from(pattern.matchAll(PIECES), ([piece, bracketed, quoted, letter]): Part => {
    if (letter === undefined) return { literal: bracketed ?? quoted ?? piece };
    const token = Object.hasOwn(ALIASES, piece) ? (ALIASES[piece] as string) : piece;
    if (Object.hasOwn(TOKENS, token)) return { token };
    if (piece === 'T') return { literal: piece };
    throw new ExpressionError(
      `${piece} is no part of a format; letters that stand for themselves are written [${piece}]`,
    );
  });
}

/** A time by a pattern; `[…]` and `'…'` hold letters that stand for themselves. */
export function writeTime(time: ShownTime, pattern: string): string {
  return partsOf(pattern)
    .map((part) => ('token' in part ? (TOKENS[part.token] as Write)(time) : part.literal))
    .join('');
}

/** What a token reads: the pattern of its text, and the field it says. */
interface Reader {
  pattern: string;
  read(text: string, into: ReadTime): void;
}

/** What was read of a text. */
export interface ReadTime extends WallTime {
  afternoon: boolean | null;
  /** Ms east of UTC; null where the text does not say. */
  offset: number | null;
  instant: number | null;
}

const field = (name: keyof WallTime, pattern: string): Reader => ({
  pattern,
  read(text, into) {
    into[name] = Number(text);
  },
});

const monthBy = (length: number | undefined): Reader => ({
  pattern: MONTHS.map((month) => month.slice(0, length)).join('|'),
  read(text, into) {
    into.month = MONTHS.findIndex((month) => month.slice(0, length).toLowerCase() === text.toLowerCase()) + 1;
  },
});

const half: Reader = {
  pattern: '[AaPp][Mm]',
  read(text, into) {
    into.afternoon = text.toLowerCase() === 'pm';
  },
};

const offset: Reader = {
  pattern: '[Zz]|[+-]\\d\\d:?\\d\\d',
  read(text, into) {
    const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2));
    into.offset = /z/i.test(text) ? 0 : minutes * 60_000 * (text.startsWith('-') ? -1 : 1);
  },
};

const epoch = (unit: number): Reader => ({
  pattern: '-?\\d{1,15}',
  read(text, into) {
    into.instant = Number(text) * unit;
  },
});

const READERS: Readonly<Record<string, Reader>> = {
  YYYY: field('year', '\\d{4}'),
  YY: {
    pattern: '\\d\\d',
    read(text, into) {
      into.year = 2_000 + Number(text);
    },
  },
  MMMM: monthBy(undefined),
  MMM: monthBy(3),
  MM: field('month', '\\d\\d'),
  M: field('month', '\\d{1,2}'),
  DD: field('day', '\\d\\d'),
  D: field('day', '\\d{1,2}'),
  HH: field('hour', '\\d\\d'),
  H: field('hour', '\\d{1,2}'),
  hh: field('hour', '\\d\\d'),
  h: field('hour', '\\d{1,2}'),
  mm: field('minute', '\\d\\d'),
  m: field('minute', '\\d{1,2}'),
  ss: field('second', '\\d\\d'),
  s: field('second', '\\d{1,2}'),
  SSS: field('ms', '\\d{3}'),
  A: half,
  a: half,
  Z: offset,
  ZZ: offset,
  X: epoch(1_000),
  x: epoch(1),
};

/** Reads a whole text by a pattern; null when it does not fit. Throws an ExpressionError for a pattern that cannot. */
export function readTime(text: string, pattern: string): ReadTime | null {
  const readers: Reader[] = [];
  const source = partsOf(pattern).map((part) => {
    if ('literal' in part) return part.literal.replaceAll(/[^\w\s]/g, '\\$&');
    const reader = READERS[part.token];
    if (reader === undefined) throw new ExpressionError(`${part.token} can be written, but not read`);
    // Numbers of unknown length side by side could be cut in endlessly many ways.
    if (readers.includes(reader)) throw new ExpressionError(`${part.token} stands in the format twice`);
    readers.push(reader);
    return `(${reader.pattern})`;
  });
  if (text.length > 400) return null;
  const found = new RegExp(`^${source.join('')}$`, 'i').exec(text);
  if (found === null) return null;
  const time: ReadTime = {
    ...{ year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, ms: 0 },
    ...{ afternoon: null, offset: null, instant: null },
  };
  for (const [index, reader] of readers.entries()) reader.read(found[index + 1] as string, time);
  return exactly(time);
}

/** On a clock of twelve hours 12 is the first; a field beyond its range is no time. */
function exactly(time: ReadTime): ReadTime | null {
  if (time.afternoon !== null) {
    if (time.hour < 1 || time.hour > 12) return null;
    time.hour = (time.hour % 12) + (time.afternoon ? 12 : 0);
  }
  const possible = time.month >= 1 && time.month <= 12 && time.day >= 1 && time.hour < 24 && time.minute < 60;
  return possible && time.second < 60 ? time : null;
}
