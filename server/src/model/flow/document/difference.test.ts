// The difference of two texts, as people read it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differenceOf } from './difference.ts';

const lines = (before: string, after: string): string[] =>
  differenceOf(before, after).map(({ mark, text }) => `${mark}${text}`);

test('a readable diff: changed lines with their neighbours, gaps where nothing changed', () => {
  const before = Array.from({ length: 20 }, (_, at) => `line ${at + 1}`);
  const after = before.with(1, 'line two').toSpliced(15, 1).toSpliced(18, 0, 'more');
  assert.deepEqual(lines(`${before.join('\n')}\n`, `${after.join('\n')}\n`), [
    ' line 1',
    '-line 2',
    '+line two',
    ' line 3',
    ' line 4',
    ' line 5',
    '@line 13',
    ' line 13',
    ' line 14',
    ' line 15',
    '-line 16',
    ' line 17',
    ' line 18',
    ' line 19',
    '+more',
    ' line 20',
  ]);
});

test('the same is nothing, all is new, all is gone', () => {
  assert.deepEqual(lines('a\nb\n', 'a\nb\n'), []);
  assert.deepEqual(lines('', 'a\nb\n'), ['+a', '+b']);
  assert.deepEqual(lines('a\nb\n', ''), ['-a', '-b']);
});

test('a huge difference is bounded', () => {
  const many = (word: string): string => Array.from({ length: 5_000 }, (_, at) => `${word} ${at}`).join('\n');
  assert.equal(lines(many('a'), many('b')).length, 10_000);
});
