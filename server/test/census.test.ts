// The census: one count for all who ask, made anew when it is old, never more often than the store bears, and no gauge
// of what is not known.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testClock } from '../../test/kit/clock.ts';
import { createMetrics } from '../src/metrics.ts';
import { createCensus } from '../src/metrics/census.ts';
import { gaugeCounts } from '../src/metrics/counts.ts';
import type { Counts, OpenOfTarget } from '../src/store/contract.ts';

const NONE: Counts = { open: [], dead: [], webhooks: [], leases: 0, operations: {}, runs: {} };

/** A clock that is set by hand, and a store that counts how often it is asked; each count takes so long. */
function ground(counted = NONE) {
  const clock = testClock();
  let asked = 0;
  const state = { tookMs: 10, fails: false };
  const counts = async (): Promise<Counts> => {
    asked++;
    const taken = Promise.withResolvers<void>();
    clock.after(state.tookMs, taken.resolve);
    await taken.promise;
    if (state.fails) throw new Error('the store is away');
    return counted;
  };
  const census = createCensus({ counts }, clock);
  /** Asks, and lets the count take its time. */
  const ask = async () => {
    const asking = census.latest();
    await clock.advance(state.tookMs);
    return asking;
  };
  return { census, ask, state, clock, asked: () => asked };
}

test('the census: whoever asks at once, or soon after, gets the same count', async () => {
  const { census, ask, clock, asked } = ground();
  const [one, other] = await Promise.all([ask(), census.latest()]);
  assert.equal(one, other);
  assert.equal(one.tookMs, 10);
  await clock.advance(4_900);
  await census.latest();
  assert.equal(asked(), 1);
  await clock.advance(200);
  await ask();
  assert.equal(asked(), 2);
});

test('the census: what takes long is counted for a twentieth of the time at most', async () => {
  const { ask, state, clock, asked } = ground();
  state.tookMs = 1_000;
  await ask();
  await clock.advance(18_900);
  await ask();
  assert.equal(asked(), 1);
  await clock.advance(1_100);
  await ask();
  assert.equal(asked(), 2);
});

test('the census: a store that fails is asked again by whoever asks next', async () => {
  const { census, ask, state, clock, asked } = ground();
  state.fails = true;
  const refused = assert.rejects(census.latest(), /the store is away/);
  await clock.advance(10);
  await refused;
  state.fails = false;
  assert.equal((await ask()).leases, 0);
  assert.equal(asked(), 2);
});

test('the census: while a count takes long the former one is told, and without one nothing is', async () => {
  const { census, ask, state, clock, asked } = ground();
  state.tookMs = 60_000;
  const first = census.latest();
  const none = census.soon();
  await clock.advance(2_000);
  assert.equal(await none, null);
  await clock.advance(58_000);
  const former = await first;
  await clock.advance(20 * 60_000);
  const [late, soon] = [census.latest(), census.soon()];
  await clock.advance(2_000);
  assert.deepEqual([await late, await soon], [former, former]);
  await clock.advance(58_000);
  const next = await ask();
  assert.notEqual(next, former);
  assert.equal(asked(), 2);
  // It took a minute: it is not kept for twenty.
  state.tookMs = 10;
  await clock.advance(120_000);
  assert.notEqual(await ask(), next);
});

test('the gauges of the store: what was due when it was counted, and nothing while it cannot be counted', async () => {
  const of = { workspace: 1, target: 1, open: 1, mode: 'push', intent: 'enabled', health: 'active' } as const;
  const clock = testClock();
  const open: OpenOfTarget[] = [{ ...of, oldestDueAt: clock.now() - 3 }];
  open.push({ ...of, target: 2, mode: 'listen', oldestDueAt: clock.now() - 60_000 });
  const webhooks = [{ workspace: 1, intent: 'enabled', health: 'active', count: 2 }] as const;
  let fails = false;
  const counts = async (): Promise<Counts> => {
    if (fails) throw new Error('the store is away');
    return { ...NONE, open, webhooks };
  };
  const metrics = createMetrics();
  gaugeCounts(metrics, createCensus({ counts }, clock));
  for (let reads = 0; reads < 2; reads++) {
    const text = await metrics.read();
    // A delivery that was on its way then is through long since: it does not grow older with the count.
    assert.match(text, /^bellwire_oldest_due_seconds\{mode="push"\} 0\.003$/m);
    assert.match(text, /^bellwire_oldest_due_seconds\{mode="listen"\} 60$/m);
    assert.match(text, /^bellwire_webhooks\{state="active"\} 2$/m);
    await clock.advance(4_000);
  }
  fails = true;
  await clock.advance(10_000);
  const text = await metrics.read();
  assert.doesNotMatch(text, /^bellwire_(deliveries|webhooks|oldest_due_seconds|pull_leases)\b/m);
  assert.match(text, /^# TYPE bellwire_deliveries gauge$/m);
});
