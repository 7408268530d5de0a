// The census: one count for all who ask, made anew when it is old, never more often than the store bears.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCensus, overdueMs } from '../src/metrics/counts.ts';
import type { Counts, OpenOfTarget } from '../src/store/contract.ts';

const NONE: Counts = { open: [], dead: [], webhooks: [], leases: 0, operations: {}, runs: {} };

/** A clock that is set by hand, and a store that counts how often it is asked; each count takes so long. */
function ground() {
  let now = 1_000;
  let asked = 0;
  const state = { tookMs: 10, fails: false };
  const clock = { now: () => now, monotonic: () => now, after: () => ({ cancel: () => undefined }) };
  const counts = async (): Promise<Counts> => {
    asked++;
    now += state.tookMs;
    if (state.fails) throw new Error('the store is away');
    return NONE;
  };
  const census = createCensus({ counts }, clock);
  return { census, state, pass: (ms: number) => void (now += ms), asked: () => asked };
}

test('the census: whoever asks at once, or soon after, gets the same count', async () => {
  const { census, pass, asked } = ground();
  const [one, other] = await Promise.all([census(), census()]);
  assert.equal(one, other);
  assert.deepEqual([one.countedAt, one.tookMs], [1_000, 10]);
  pass(4_900);
  await census();
  assert.equal(asked(), 1);
  pass(200);
  await census();
  assert.equal(asked(), 2);
});

test('the census: what takes long is counted for a twentieth of the time at most', async () => {
  const { census, state, pass, asked } = ground();
  state.tookMs = 1_000;
  await census();
  pass(19_900);
  await census();
  assert.equal(asked(), 1);
  pass(200);
  await census();
  assert.equal(asked(), 2);
});

test('the census: a store that does not answer is asked again by whoever asks next', async () => {
  const { census, state, asked } = ground();
  state.fails = true;
  await assert.rejects(census(), /the store is away/);
  state.fails = false;
  assert.equal((await census()).leases, 0);
  assert.equal(asked(), 2);
});

test('the oldest due: what is held does not count, nor what is due later', () => {
  const open = (oldestDueAt: number, over: Partial<OpenOfTarget> = {}): OpenOfTarget => {
    return {
      workspace: 1,
      target: 1,
      open: 1,
      oldestDueAt,
      mode: 'push',
      intent: 'enabled',
      health: 'active',
      ...over,
    };
  };
  assert.equal(overdueMs([open(900), open(100, { intent: 'paused' }), open(5_000)], 1_000), 100);
  assert.equal(overdueMs([open(100, { health: 'critical' }), open(1_001)], 1_000), 0);
  assert.equal(overdueMs([], 1_000), 0);
});
