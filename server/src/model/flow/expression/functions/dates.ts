// Functions of times. A time is epoch ms, or a text in RFC 3339, or a day as YYYY-MM-DD; results are epoch ms.
import type { Json } from '../../../json-value.ts';
import { parseDateTime } from '../../../cloud-events/time.ts';
import { produce, spend } from '../budget.ts';
import { ExpressionError } from '../fault.ts';
import { partsOf, readTime, writeTime } from '../time-formats.ts';
import { daysIn, instantOf, wallTimeOf, withinCalendar, zoneOf } from '../time-zones.ts';
import type { WallTime, Zone } from '../time-zones.ts';
import { aKind } from '../values.ts';
import { entry, numberOf, textOf, wordOf } from './entry.ts';
import type { Argument, Call, FunctionEntry } from './entry.ts';

/** What asking Intl some times for the offset of a zone costs, in steps: a tenth of a millisecond. */
const ZONE_STEPS = 400;
const UTC_STEPS = 10;
/** What writing or reading by a format costs: about ten microseconds. */
const FORMAT_STEPS = 50;
const SPANS = { milliseconds: 1, seconds: 1_000, minutes: 60_000, hours: 3_600_000, days: 86_400_000 } as const;
const WEEK = 7 * SPANS.days;
const UTC = zoneOf('UTC');

function zoneFrom(value: Argument): Zone {
  if (value === undefined || value === null || value === '') return UTC;
  if (typeof value === 'string') return zoneOf(value);
  throw new ExpressionError('The time zone must be a text');
}

/** The evaluation, and the zone that a function was given. */
interface Where {
  call: Call;
  zone?: Argument;
}

/** Does it with a time; nothing stays nothing. Days without a zone of their own are those of `zone`. */
function withTime(value: Argument, { call, zone }: Where, does: (instant: number, zone: Zone) => Json): Json {
  if (value === undefined || value === null || value === '') return null;
  const where = zoneFrom(zone);
  spend(call, where === UTC ? UTC_STEPS : ZONE_STEPS);
  return does(instantFrom(value, where), where);
}

function instantFrom(value: Json, zone: Zone): number {
  if (typeof value === 'number') return withinCalendar(Math.floor(value));
  if (typeof value !== 'string') throw new ExpressionError(`A time is wanted, and this is ${aKind(value)}`);
  const instant = parseDateTime(value);
  if (instant !== undefined) return withinCalendar(Math.floor(instant));
  const day = readTime(value, 'YYYY-MM-DD');
  if (day !== null && day.day <= daysIn(day.year, day.month)) return instantOf(day, zone);
  throw new ExpressionError('The text is no time of RFC 3339; parseDate(text, format) reads others');
}

function formatDate([value, format, zone]: readonly Argument[], call: Call): Json {
  return withTime(value, { call, zone }, (instant, where) => {
    if (format === undefined && (zone === undefined || zone === 'UTC')) return new Date(instant).toISOString();
    spend(call, FORMAT_STEPS);
    const wall = wallTimeOf(instant, where);
    const days = new Date(0).setUTCFullYear(wall.year, wall.month - 1, wall.day);
    const shown = { ...wall, instant, weekday: new Date(days).getUTCDay() || 7, offset: where.offsetAt(instant) };
    const text = writeTime(shown, format === undefined ? 'YYYY-MM-DDTHH:mm:ss.SSSZ' : textOf(format, call));
    produce(call, text.length);
    return text;
  });
}

function parseDate([value, format, zone]: readonly Argument[], call: Call): Json {
  if (format === undefined) return withTime(value, { call, zone }, (instant) => instant);
  const text = textOf(value ?? null, call);
  if (text === '') return null;
  spend(call, FORMAT_STEPS + ZONE_STEPS);
  const time = readTime(text, textOf(format, call));
  if (time === null || time.day > daysIn(time.year, time.month)) {
    throw new ExpressionError('The text is no time of this format');
  }
  if (time.instant !== null) return withinCalendar(time.instant);
  return time.offset === null ? instantOf(time, zoneFrom(zone)) : instantOf(time, UTC) - time.offset;
}

/** Adds a span that is the same everywhere. */
function adder(name: string, span: number): FunctionEntry {
  return entry(`${name}(time, count)`, ([value, count], call) =>
    withTime(value, { call }, (instant) => withinCalendar(Math.floor(instant + numberOf(count, 'count') * span))),
  );
}

/** Adds days, months or years of the calendar of a zone: the clock shows the same time, as far as it does that day. */
function calendarAdder(name: string, add: (wall: WallTime, count: number) => WallTime): FunctionEntry {
  return entry(
    `${name}(time, count, zone?)`,
    ([value, count, zone], call) =>
      withTime(value, { call, zone }, (instant, where) => {
        const number = numberOf(count, 'count');
        if (!Number.isInteger(number)) throw new ExpressionError('The count must be a whole number');
        return instantOf(add(wallTimeOf(instant, where), number), where);
      }),
    { 2: zoneFrom },
  );
}

/** The last day of a month where it has not so many. */
function addMonths(wall: WallTime, count: number): WallTime {
  const months = wall.year * 12 + wall.month - 1 + count;
  const [year, month] = [Math.floor(months / 12), months - 12 * Math.floor(months / 12) + 1];
  return { ...wall, year, month, day: Math.min(wall.day, daysIn(year, month)) };
}

const UNITS = ['milliseconds', 'seconds', 'minutes', 'hours', 'days', 'weeks', 'months', 'years'] as const;
const unitOf = (value: Argument): (typeof UNITS)[number] => wordOf(value, 'unit', UNITS);

/** Whole units from the second time to the first; negative where it is earlier. */
function dateDifference([left, right, unit]: readonly Argument[], call: Call): Json {
  return withTime(left, { call }, (one) =>
    withTime(right, { call }, (other) => {
      const word = unitOf(unit);
      if (word === 'months' || word === 'years')
        return Math.trunc(monthsBetween(one, other) / (word === 'years' ? 12 : 1));
      // Not -0, which is a 0 to JSON but not to everyone.
      return Math.trunc((one - other) / (word === 'weeks' ? WEEK : SPANS[word])) + 0;
    }),
  );
}

function monthsBetween(one: number, other: number): number {
  if (one < other) return 0 - monthsBetween(other, one);
  const [a, b] = [wallTimeOf(one, UTC), wallTimeOf(other, UTC)];
  const months = (a.year - b.year) * 12 + a.month - b.month;
  return instantOf(addMonths(b, months), UTC) > one ? months - 1 : months;
}

const PARTS = ['year', 'month', 'day', 'weekday', 'hour', 'minute', 'second', 'millisecond'] as const;
const partOf = (value: Argument): (typeof PARTS)[number] => wordOf(value, 'part', PARTS);

function datePart([value, part, zone]: readonly Argument[], call: Call): Json {
  return withTime(value, { call, zone }, (instant, where) => {
    const word = partOf(part);
    const wall = wallTimeOf(instant, where);
    if (word === 'weekday') return weekdayOf(wall);
    return word === 'millisecond' ? wall.ms : wall[word];
  });
}

/** 1 is Monday, 7 is Sunday. */
function weekdayOf({ year, month, day }: WallTime): number {
  return new Date(new Date(0).setUTCFullYear(year, month - 1, day)).getUTCDay() || 7;
}

const STARTS = ['day', 'year', 'month', 'week', 'hour', 'minute', 'second'] as const;
const startUnit = (value: Argument): (typeof STARTS)[number] => wordOf(value, 'unit', STARTS);

/** The first instant of the day, week (from Monday), month … that a time lies in. */
function startOf([value, unit, zone]: readonly Argument[], call: Call): Json {
  return withTime(value, { call, zone }, (instant, where) => {
    const word = startUnit(unit);
    const wall = wallTimeOf(instant, where);
    const day = { ...wall, hour: 0, minute: 0, second: 0, ms: 0 };
    switch (word) {
      case 'year':
        return instantOf({ ...day, month: 1, day: 1 }, where);
      case 'month':
        return instantOf({ ...day, day: 1 }, where);
      case 'week':
        return instantOf({ ...day, day: wall.day - weekdayOf(wall) + 1 }, where);
      case 'day':
        return instantOf(day, where);
      case 'hour':
        return instant - ((wall.minute * 60 + wall.second) * 1_000 + wall.ms);
      case 'minute':
        return instant - (wall.second * 1_000 + wall.ms);
      case 'second':
        return instant - wall.ms;
    }
  });
}

/** Whether two times stand so to each other; nothing stands no way to anything. */
function ordered(name: string, holds: (one: number, other: number) => boolean): FunctionEntry {
  return entry(`${name}(time, other)`, ([left, right], call) => {
    const found = withTime(left, { call }, (one) => withTime(right, { call }, (other) => holds(one, other)));
    return found ?? false;
  });
}

const isFormat = (value: Json): unknown => (typeof value === 'string' ? partsOf(value) : undefined);

export const DATE_FUNCTIONS: readonly FunctionEntry[] = [
  entry('now()', (_, { now }) => {
    if (now === null) throw new ExpressionError('The time is not known here');
    return now;
  }),
  entry('formatDate(time, format?, zone?)', formatDate, { 1: isFormat, 2: zoneFrom }),
  entry('parseDate(text, format?, zone?)', parseDate, { 1: isFormat, 2: zoneFrom }),
  adder('addSeconds', SPANS.seconds),
  adder('addMinutes', SPANS.minutes),
  adder('addHours', SPANS.hours),
  calendarAdder('addDays', (wall, count) => ({ ...wall, day: wall.day + count })),
  calendarAdder('addMonths', addMonths),
  calendarAdder('addYears', (wall, count) => addMonths(wall, 12 * count)),
  entry('dateDifference(time, other, unit?)', dateDifference, { 2: unitOf }),
  entry('datePart(time, part, zone?)', datePart, { 1: partOf, 2: zoneFrom }),
  entry('startOf(time, unit, zone?)', startOf, { 1: startUnit, 2: zoneFrom }),
  ordered('isBefore', (one, other) => one < other),
  ordered('isAfter', (one, other) => one > other),
];
