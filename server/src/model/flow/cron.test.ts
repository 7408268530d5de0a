// Time tables: zones, daylight saving, days to skip, what was missed, and lines that never fire.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cronFault, dueStarts, firstStart, isTimezone, MOST_CAUGHT_UP, nextStart, ON_TIME_MS } from './cron.ts';
import type { Cron } from './definition.ts';

function table(at: string, over: Partial<Cron> = {}): Cron {
  return { at, timezone: 'UTC', skip: [], startTimeoutMs: null, catchUp: 'none', params: {}, ...over };
}

function starts(cron: Cron, from: string, count: number): (string | null)[] {
  const all: (string | null)[] = [];
  for (let at: number | null = Date.parse(from); all.length < count && at !== null;) {
    at = nextStart(cron, at);
    all.push(at === null ? null : new Date(at).toISOString().slice(0, 19));
  }
  return all;
}

test('a time table starts in its own time zone', () => {
  assert.deepEqual(starts(table('0 2 * * *', { timezone: 'Asia/Tokyo' }), '2026-11-22T00:00:00Z', 2), [
    '2026-11-22T17:00:00',
    '2026-11-23T17:00:00',
  ]);
  assert.deepEqual(starts(table('*/20 30 9 15W * *'), '2026-08-01T00:00:00Z', 2), [
    '2026-08-14T09:30:00',
    '2026-08-14T09:30:20',
  ]);
  assert.deepEqual(starts(table('0 9 * * MON#2'), '2026-11-01T00:00:00Z', 2), [
    '2026-11-09T09:00:00',
    '2026-12-14T09:00:00',
  ]);
});

test('what falls into the hour left out in spring starts right after it, what falls into the one that comes twice once', () => {
  const paris = table('30 2 * * *', { timezone: 'Europe/Paris' });
  assert.deepEqual(starts(paris, '2026-03-28T12:00:00Z', 2), ['2026-03-29T01:00:00', '2026-03-30T00:30:00']);
  assert.deepEqual(starts(paris, '2026-10-24T12:00:00Z', 2), ['2026-10-25T00:30:00', '2026-10-26T01:30:00']);
  const often = table('*/30 * * * *', { timezone: 'Europe/Paris' });
  assert.deepEqual(starts(often, '2026-10-25T00:10:00Z', 4), [
    '2026-10-25T00:30:00',
    '2026-10-25T01:00:00',
    '2026-10-25T01:30:00',
    '2026-10-25T02:00:00',
  ]);
  assert.equal(starts(often, '2026-03-29T00:40:00Z', 2)[1], '2026-03-29T01:30:00');
});

test('on days to skip nothing starts, by the calendar of the zone, not even every second', () => {
  const tokyo = { timezone: 'Asia/Tokyo', skip: ['2026-12-31', '2027-01-01'] };
  assert.deepEqual(starts(table('0 2 * * *', tokyo), '2026-12-29T18:00:00Z', 1), ['2027-01-01T17:00:00']);
  assert.deepEqual(starts(table('* * * * * *', tokyo), '2026-12-30T14:59:58Z', 2), [
    '2026-12-30T14:59:59',
    '2027-01-01T15:00:00',
  ]);
});

test('one instant starts once', () => {
  const once = table('2026-12-24T18:00:00+09:00', { timezone: 'Asia/Tokyo' });
  assert.deepEqual(starts(once, '2026-11-01T00:00:00Z', 3), ['2026-12-24T09:00:00', null]);
  assert.equal(firstStart({ ...once, skip: ['2026-12-24'] }, 0), null);
});

test('a line that never fires, or is none, is refused with the reason', () => {
  assert.equal(cronFault('0 2 * * *', 'Asia/Tokyo'), null);
  assert.equal(cronFault('0 0 29 2 *', 'UTC'), null);
  assert.equal(cronFault('2026-12-24T18:00:00Z', 'UTC'), null);
  for (const never of ['0 0 30 2 *', '0 0 31 4,6,9,11 *']) assert.match(cronFault(never, 'UTC')!, /never fires/);
  assert.match(cronFault('61 * * * *', 'UTC')!, /Invalid value for minute: 61/);
  assert.match(cronFault('* * * *', 'UTC')!, /has 4 fields/);
  assert.match(cronFault('0 0 0 1 1 * 2020', 'UTC')!, /has 7 fields/);
  assert.match(cronFault('@daily', 'UTC')!, /has one field/);
  assert.match(cronFault('', 'UTC')!, /has one field/);
  assert.match(cronFault('2026-13-24T18:00:00Z', 'UTC')!, /no instant/);
  assert.match(cronFault('2026-12-24T18:00:00', 'UTC')!, /no instant/);
  assert.match(cronFault(`0 0 ${'1,'.repeat(50_000)} * *`, 'UTC')!, /fields/);
  assert.match(cronFault('0 2 * * *', 'Mars/Olympus')!, /no time zone "Mars\/Olympus"/);
});

test('time zones are known by their names', () => {
  for (const name of ['UTC', 'Asia/Tokyo', 'America/Argentina/Buenos_Aires']) assert.ok(isTimezone(name), name);
  for (const name of ['', 'Tokyo', '+09:00', 'Mars/Olympus', 'Asia/Tokyo; DROP']) assert.ok(!isTimezone(name), name);
});

const HOUR = 3_600_000;
const MIDNIGHT = Date.UTC(2026, 10, 22);

test('what is on time starts; what was missed starts never, once, or each time, as the table says', () => {
  const hourly = table('0 * * * *');
  const now = MIDNIGHT + 5 * HOUR;
  const after = (cron: Cron, late: number): unknown => {
    const { starts: at, nextAt } = dueStarts(cron, { dueAt: MIDNIGHT, now: now + late });
    return [at.map((ms) => (ms - MIDNIGHT) / HOUR), (nextAt! - MIDNIGHT) / HOUR];
  };
  assert.deepEqual(dueStarts(hourly, { dueAt: MIDNIGHT, now: MIDNIGHT + 3 }), {
    starts: [MIDNIGHT],
    nextAt: MIDNIGHT + HOUR,
  });
  assert.deepEqual(after(hourly, ON_TIME_MS), [[5], 6]);
  assert.deepEqual(after(hourly, ON_TIME_MS + 1), [[], 6]);
  assert.deepEqual(after(table('0 * * * *', { catchUp: 'one' }), ON_TIME_MS), [[5], 6]);
  assert.deepEqual(after(table('0 * * * *', { catchUp: 'one' }), ON_TIME_MS + 1), [[5], 6]);
  assert.deepEqual(after(table('0 * * * *', { catchUp: 'all' }), 30 * 60_000), [[0, 1, 2, 3, 4, 5], 6]);
  const patient = table('0 * * * *', { catchUp: 'all', startTimeoutMs: 2 * HOUR });
  assert.deepEqual(after(patient, 0), [[3, 4, 5], 6]);
  const skipped = table('0 * * * *', { catchUp: 'all', skip: ['2026-11-22'] });
  assert.deepEqual(dueStarts(skipped, { dueAt: MIDNIGHT, now }), { starts: [], nextAt: MIDNIGHT + 24 * HOUR });
});

test('a week of missed seconds is the last hundred of them, and costs little', () => {
  const now = MIDNIGHT + 7 * 24 * HOUR;
  const { starts: at, nextAt } = dueStarts(table('* * * * * *', { catchUp: 'all' }), { dueAt: MIDNIGHT, now });
  assert.deepEqual([at.length, at.at(-1), nextAt], [MOST_CAUGHT_UP, now, now + 1000]);
});

test('one instant that was missed is made up for once, and is over', () => {
  const once = table('2026-11-22T00:00:00Z', { catchUp: 'one' });
  assert.deepEqual(dueStarts(once, { dueAt: MIDNIGHT, now: MIDNIGHT + HOUR }), { starts: [MIDNIGHT], nextAt: null });
});
