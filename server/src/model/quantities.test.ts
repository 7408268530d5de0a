import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSpan, parseSize, parseSpan } from './quantities.ts';

test('spans are read as people write them', () => {
  const table: [text: string | number, ms: number | null][] = [
    ['250ms', 250],
    ['15s', 15_000],
    ['10m', 600_000],
    ['1.5h', 5_400_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    [' 5s ', 5_000],
    ['1500', 1_500],
    [1_500, 1_500],
    ['0', 0],
    ['', null],
    ['s', null],
    ['15', 15],
    ['15 s', null],
    ['-5s', null],
    ['5S', null],
    ['5w', null],
    ['1s5', null],
    ['0.0001s', null],
    ['1e3', null],
    [-1, null],
    [1.5, null],
    [Number.NaN, null],
    [Infinity, null],
    ['9'.repeat(30) + 'd', null],
  ];
  for (const [text, ms] of table) assert.equal(parseSpan(text), ms, JSON.stringify(text));
});

test('sizes are read as people write them', () => {
  const table: [text: string | number, bytes: number | null][] = [
    ['256KiB', 262_144],
    ['4 MiB', 4_194_304],
    ['4mib', 4_194_304],
    ['1.5GiB', 1_610_612_736],
    ['10kB', 10_000],
    ['2MB', 2_000_000],
    ['512', 512],
    ['512B', 512],
    [512, 512],
    ['0', 0],
    ['', null],
    ['KiB', null],
    ['-1KiB', null],
    ['1.0001KiB', null],
    ['1 potato', null],
    ['1K', null],
    [-1, null],
    [0.5, null],
  ];
  for (const [text, bytes] of table) assert.equal(parseSize(text), bytes, JSON.stringify(text));
});

test('what is printed reads back as the same number', () => {
  for (const ms of [0, 1, 999, 1_000, 15_000, 90_000, 90_001, 3_600_000, 604_800_000, 1_234_567_890]) {
    assert.equal(parseSpan(formatSpan(ms)), ms);
  }
  assert.equal(formatSpan(90_000), '1m30s');
});
