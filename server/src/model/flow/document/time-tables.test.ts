// Time tables: what is one, what never comes, when the next start is, in its zone and past the days to skip.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTimezone, startAfter, timeTableFault } from './time-tables.ts';

const at = (text: string): number => Date.parse(text);
// oxlint-disable-next-line max-params -- a line of a table
const next = (table: string, timezone: string, after: string, skip: string[] = []): string | undefined => {
  const start = startAfter({ at: table, timezone, skip }, at(after));
  return start === null ? undefined : new Date(start).toISOString();
};

test('a cron line that never fires, and lines that are none, are refused in words', () => {
  for (const table of [
    '0 2 * * *',
    '*/5 * * * * *',
    '0 0 L * *',
    '0 0 * * 1#5',
    '0 9 * * MON-FRI',
    '2026-12-01T08:00:00Z',
  ]) {
    assert.equal(timeTableFault(table, 'Asia/Tokyo'), null, table);
  }
  assert.match(timeTableFault('0 0 30 2 *', 'UTC') ?? '', /never comes/);
  for (const table of ['', 'sometimes', '61 * * * *', '* * * *', '1 2 3 4 5 6 7 8']) {
    assert.match(timeTableFault(table, 'UTC') ?? '', /is no time table/, table);
  }
});

test('an unknown time zone is none', () => {
  assert.deepEqual(['UTC', 'Asia/Tokyo', 'Europe/Berlin'].map(isTimezone), [true, true, true]);
  assert.deepEqual(['', 'Mars/Base', 'Tokyo'].map(isTimezone), [false, false, false]);
});

test('the next start, in the zone of the table, past the days to skip', () => {
  assert.equal(next('0 2 * * *', 'Asia/Tokyo', '2026-11-22T16:00:00Z'), '2026-11-22T17:00:00.000Z');
  assert.equal(next('0 2 * * *', 'Asia/Tokyo', '2026-11-22T17:00:00Z'), '2026-11-23T17:00:00.000Z');
  // 17:00 UTC on the 22nd is the 23rd in Tokyo.
  assert.equal(next('0 2 * * *', 'Asia/Tokyo', '2026-11-22T16:00:00Z', ['2026-11-23']), '2026-11-23T17:00:00.000Z');
  assert.equal(next('2026-12-01T08:00:00Z', 'UTC', '2026-11-22T16:00:00Z'), '2026-12-01T08:00:00.000Z');
  assert.equal(next('2026-12-01T08:00:00Z', 'UTC', '2026-12-22T16:00:00Z'), undefined);
});

test('the hour that summer time leaves out or repeats: one start', () => {
  assert.equal(next('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z'), '2026-03-29T01:00:00.000Z');
  const first = next('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z') ?? '';
  assert.equal(first, '2026-10-25T00:30:00.000Z');
  assert.equal(next('30 2 * * *', 'Europe/Berlin', first), '2026-10-26T01:30:00.000Z');
});
