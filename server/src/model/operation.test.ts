import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkOf, isChunkDue, nextChunkAt, progressOf } from './operation.ts';

test('a chunk of an operation is a second of its pace, at least one delivery and at most 500', () => {
  for (const [pace, most] of [
    [1, 1],
    [30, 30],
    [500, 500],
    [100_000, 500],
  ] as const) {
    assert.equal(chunkOf(pace), most, String(pace));
  }
});

test('the rest after a chunk is what its deliveries take at the pace; lost time is made up for up to a second', () => {
  const at = (...[plannedAt, released, pace, now]: [number, number, number, number]): number =>
    nextChunkAt({ plannedAt, released, pace, now });
  assert.equal(at(10_000, 30, 30, 10_000), 11_000);
  assert.equal(at(10_000, 500, 5000, 10_000), 10_100);
  assert.equal(at(10_000, 0, 1, 10_000), 10_000, 'nothing released, nothing to wait for');
  assert.equal(at(10_000, 30, 30, 10_400), 11_000, 'late by less than a second');
  assert.equal(at(10_000, 30, 30, 99_000), 99_000, 'late by an hour');
  assert.equal(at(10_000, 30, 30, 5000), 6000, 'the clock was set back');
});

test('a chunk that seems to be far away is due: the clock was set back', () => {
  assert.ok(isChunkDue(10_000, 10_000));
  assert.ok(!isChunkDue(10_500, 10_000));
  assert.ok(isChunkDue(3_610_000, 10_000));
});

test('progress goes by the events looked through, and is whole only when it is done', () => {
  const of = (event: number, state: 'running' | 'done' | 'cancelled' = 'running'): number =>
    progressOf({ state, from: 100, upTo: 1100, event });
  assert.deepEqual([of(100), of(350), of(1099), of(350, 'cancelled'), of(350, 'done')], [0, 0.25, 0.999, 0.25, 1]);
  assert.equal(progressOf({ state: 'running', from: 5, upTo: 5, event: 5 }), 0);
});
