// RFC 3339 date-times, read strictly.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseDateTime } from './time.ts';

test('wire 4: RFC 3339 times name their instant', () => {
  const table: [text: string, instant: number][] = [
    // The examples of RFC 3339 section 5.8.
    ['1985-04-12T23:20:50.52Z', Date.UTC(1985, 3, 12, 23, 20, 50, 520)],
    ['1996-12-19T16:39:57-08:00', Date.UTC(1996, 11, 20, 0, 39, 57)],
    ['1990-12-31T23:59:60Z', Date.UTC(1991, 0, 1)],
    ['1990-12-31T15:59:60-08:00', Date.UTC(1991, 0, 1)],
    ['1937-01-01T12:00:27.87+00:20', Date.UTC(1937, 0, 1, 11, 40, 27, 870)],
    ['2024-12-20t12:34:53.161z', 1734698093161],
    ['2024-12-20T12:34:53.161000000Z', 1734698093161],
    ['1970-01-01T00:00:00-00:00', 0],
    ['1970-01-01T00:00:00.0005Z', 0.5],
    ['2000-02-29T00:00:00Z', Date.UTC(2000, 1, 29)],
    ['0000-02-29T00:00:00Z', Date.parse('0000-02-29T00:00:00Z')],
    ['0099-12-31T00:00:00Z', Date.parse('0099-12-31T00:00:00Z')],
    ['9999-12-31T23:59:59.999+23:59', Date.parse('9999-12-31T00:00:59.999Z')],
  ];
  for (const [text, instant] of table) assert.equal(parseDateTime(text), instant, text);
});

test('wire 4: what is no RFC 3339 time is refused', () => {
  const table = [
    '',
    '2024-12-20',
    '2024-12-20T12:34:53',
    '2024-12-20 12:34:53Z',
    '2024-12-20T12:34Z',
    '2024-12-20T12:34:53.Z',
    '2024-12-20T12:34:53,5Z',
    '2024-12-20T12:34:53+0900',
    '2024-12-20T12:34:53+09',
    '2024-12-20T12:34:53+24:00',
    '2024-12-20T12:34:53+09:60',
    '2024-13-01T00:00:00Z',
    '2024-00-01T00:00:00Z',
    '2024-12-00T00:00:00Z',
    '2024-12-32T00:00:00Z',
    '2024-11-31T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2024-12-20T24:00:00Z',
    '2024-12-20T23:60:00Z',
    '2024-12-20T23:59:61Z',
    '2024-12-20T23:59:60Z',
    '2024-12-31T12:00:60Z',
    '2024-12-31T23:59:60+01:00',
    '12024-12-20T12:34:53Z',
    '-024-12-20T12:34:53Z',
    '+2024-12-20T12:34:53Z',
    ' 2024-12-20T12:34:53Z',
    '2024-12-20T12:34:53Z\n',
    '２０２４-12-20T12:34:53Z',
    'Fri, 20 Dec 2024 12:34:53 GMT',
    '1734698093',
  ];
  for (const text of table) assert.equal(parseDateTime(text), undefined, text);
});

test('wire 4: every instant of Date reads back', () => {
  const dates = fc.date({
    min: new Date('0000-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59Z'),
    noInvalidDate: true,
  });
  fc.assert(fc.property(dates, (date) => assert.equal(parseDateTime(date.toISOString()), date.getTime())));
});
