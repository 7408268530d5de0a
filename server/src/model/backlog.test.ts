// Sums of what is open.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backlogOf, type OpenOf } from './backlog.ts';

function openOf(oldestDueAt: number, over: Partial<OpenOf> = {}): OpenOf {
  return { open: 1, oldestDueAt, intent: 'enabled', health: 'active', ...over };
}

test('the backlog: what is held does not count as due, nor does what is due later', () => {
  assert.deepEqual(backlogOf([], 1_000), { scheduled: 0, held: 0, oldestDueMs: 0 });
  const paused = openOf(100, { intent: 'paused', open: 3 });
  const critical = openOf(100, { health: 'critical', open: 4 });
  assert.deepEqual(backlogOf([openOf(900), paused, openOf(5_000)], 1_000), { scheduled: 2, held: 3, oldestDueMs: 100 });
  assert.deepEqual(backlogOf([critical, openOf(1_001)], 1_000), { scheduled: 1, held: 4, oldestDueMs: 0 });
});
