// The retry plan by tables.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Failure, FailureCode, Outcome } from './outcome.ts';
import {
  RETRY_AFTER_CAP_MS,
  decide,
  parseRetryAfter,
  planInOrder,
  type DecideInput,
  type Decision,
  type RetryPlan,
} from './retry.ts';

const NOW = Date.UTC(2026, 10, 22, 20, 0, 0);
const EVEN = 0.5;

function answer(status: number, retryAfter: string | null = null): Outcome {
  const body = new Uint8Array(0);
  const timings = { durationMs: 1, connectMs: 0 };
  return { kind: 'response', status, headers: [], body, bodyBytes: 0, truncated: false, retryAfter, ...timings };
}

/** R124: 5 s doubling to a cap of 1 h, 20 tries in all. */
const PLAN: RetryPlan = {
  delaysMs: Array.from({ length: 19 }, (_, n) => Math.min(5_000 * 2 ** n, 3_600_000)),
  jitter: 0.2,
};

function failure(code: FailureCode, message = 'did not answer within 15 s'): Failure {
  return { kind: 'failure', code, message, status: null, durationMs: 1, connectMs: 0 };
}

function after(outcome: Outcome, input: Partial<DecideInput> = {}): Decision {
  return decide({ outcome, tries: 1, plan: PLAN, now: NOW, dice: EVEN, ...input });
}

test('R124 the chain of a target that is down: 19 retries at the planned instants, then dead', () => {
  for (let tries = 1; tries <= 19; tries += 1) {
    const step = after(answer(500), { tries });
    assert.ok(step.next === 'retry');
    assert.deepEqual([step.at, step.counted, step.reason], [NOW + PLAN.delaysMs[tries - 1]!, true, 'answered 500']);
  }
  const last = after(answer(500), { tries: 20 });
  assert.deepEqual(last, { next: 'dead', reason: 'answered 500', slowDown: true, quietUntil: null });
});

test('what is futile for a while is not sent meanwhile: neither this delivery nor another to the same target', () => {
  const noToken = { ...failure('no-token'), quietMs: 7_000 };
  const counted = after(noToken);
  assert.ok(counted.next === 'retry' && counted.counted);
  assert.deepEqual([counted.at, counted.quietUntil, counted.slowDown], [NOW + 7_000, NOW + 7_000, false]);
  const later = after(noToken, { tries: 2 });
  assert.ok(later.next === 'retry');
  assert.equal(later.at, NOW + 10_000, 'the plan’s own wait is longer');
  const ours = after({ ...failure('proxy'), quietMs: 5_000 }, { tries: 20 });
  assert.ok(ours.next === 'retry' && !ours.counted);
  assert.deepEqual([ours.at, ours.quietUntil], [NOW + 5_000, NOW + 5_000]);
});

test('R124 waits are spread over ± 20 % by the dice', () => {
  const at = (dice: number): number => {
    const step = after(answer(500), { dice });
    assert.ok(step.next === 'retry');
    return step.at - NOW;
  };
  assert.deepEqual([at(0), at(0.5), at(0.75), at(1 - Number.EPSILON)], [4_000, 5_000, 5_500, 6_000]);
});

test('R124 the last of a plan’s tries is the last; without delays it is the first', () => {
  const plan = { delaysMs: [1_000, 2_000], jitter: 0.2 };
  const steps = [1, 2, 3].map((tries) => after(answer(500), { tries, plan }));
  assert.deepEqual(
    steps.map((step) => (step.next === 'retry' ? step.at - NOW : step.next)),
    [1_000, 2_000, 'dead'],
  );
  assert.equal(after(answer(500), { plan: { delaysMs: [], jitter: 0.2 } }).next, 'dead');
});

test('wire 3: 2xx succeeds, 3xx fails, 410 disables, the rest is tried again', () => {
  const nexts = [200, 201, 202, 204, 299, 300, 302, 308, 400, 401, 404, 409, 410, 413, 415, 429, 500, 503, 599];
  assert.deepEqual(
    nexts.map((status) => after(answer(status)).next),
    [
      ...Array.from({ length: 5 }, () => 'delivered'),
      ...Array.from({ length: 7 }, () => 'retry'),
      'disable',
      ...Array.from({ length: 6 }, () => 'retry'),
    ],
  );
  assert.equal((after(answer(301)) as { reason: string }).reason, 'answered 301, and redirects are not followed');
  assert.deepEqual(after(answer(410), { tries: 20 }), {
    next: 'disable',
    reason: 'answered 410: it is gone and wants nothing more',
    slowDown: false,
    quietUntil: null,
  });
});

test('R53 429, 5xx and time-outs slow the target down, nothing else does', () => {
  const slow = [429, 500, 501, 502, 503, 504, 599].map((status) => after(answer(status)));
  assert.ok(slow.every((step) => step.slowDown));
  assert.ok(after(failure('timeout')).slowDown);
  const others = [answer(200), answer(400), answer(404), answer(410), failure('connection-refused'), failure('tls')];
  assert.ok(others.every((outcome) => !after(outcome).slowDown));
});

test('wire 3: Retry-After is obeyed by this delivery and by all others to the target', () => {
  const asked = after(answer(503, '120'));
  assert.ok(asked.next === 'retry');
  assert.deepEqual([asked.at, asked.quietUntil], [NOW + 120_000, NOW + 120_000]);
  // The plan wins where it is the more patient.
  const patient = after(answer(429, '1'), { tries: 10 });
  assert.ok(patient.next === 'retry');
  assert.deepEqual([patient.at, patient.quietUntil], [NOW + 2_560_000, NOW + 1_000]);
  assert.equal(after(answer(503, '120'), { tries: 20 }).quietUntil, NOW + 120_000);
  assert.equal(after(answer(500, '120')).quietUntil, null);
  assert.equal(after(answer(503, 'soon')).quietUntil, null);
});

test('what failed through our own doing uses up no try and blames nobody', () => {
  for (const code of ['busy', 'closed'] as const) {
    const step = after(failure(code, 'was not sent to'), { tries: 20 });
    assert.deepEqual(step, {
      next: 'retry',
      at: NOW + 1_000,
      counted: false,
      reason: 'was not sent to',
      slowDown: false,
      quietUntil: null,
    });
  }
});

test('wire 3: Retry-After: seconds, decimals rounded up, HTTP-dates; garbage ignored, capped', () => {
  const table: [string | null, number | null][] = [
    ['0', 0],
    ['1', 1_000],
    [' 7 ', 7_000],
    ['1.1', 2_000],
    ['0.001', 1_000],
    ['3.', 3_000],
    ['0007', 7_000],
    ['Sun, 22 Nov 2026 20:00:30 GMT', 30_000],
    ['Sunday, 22-Nov-26 20:00:30 GMT', 30_000],
    ['Sun Nov 22 20:00:30 2026', 30_000],
    ['Tue Dec  1 20:00:00 2026', RETRY_AFTER_CAP_MS],
    ['Sun, 22 Nov 2026 19:00:00 GMT', 0],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 0],
    ['99999999999999999999', RETRY_AFTER_CAP_MS],
    ['604800', RETRY_AFTER_CAP_MS],
    [null, null],
    ['', null],
    ['-1', null],
    ['+1', null],
    ['1e3', null],
    ['0x10', null],
    ['.5', null],
    ['1,000', null],
    ['soon', null],
    ['120 seconds', null],
    ['NaN', null],
    ['Infinity', null],
    ['2026-11-22T20:00:30Z', null],
    ['Sun, 22 Nov 2026 20:00:30 +0100', null],
    ['Sun, 31 Nov 2026 20:00:30 GMT', null],
    ['Sun, 22 Foo 2026 20:00:30 GMT', null],
    ['Sun, 22 Nov 2026 24:00:30 GMT', null],
    ['Sun, 22 Nov 2026 20:61:30 GMT', null],
    ['22 Nov 2026', null],
  ];
  for (const [value, wanted] of table) {
    const at = parseRetryAfter(value, NOW);
    assert.equal(at === null ? null : at - NOW, wanted, JSON.stringify(value));
  }
});

test('an HTTP-date of two digits means the nearest century', () => {
  const in1999 = Date.UTC(1999, 11, 31, 23, 59, 30);
  assert.equal(parseRetryAfter('Saturday, 01-Jan-00 00:00:00 GMT', in1999), in1999 + 30_000);
});

test('R124 the tries of an order cut the plan short or repeat its last delay', () => {
  const plan = { delaysMs: [1, 2], jitter: 0 };
  const of = (tries: number | null): readonly number[] =>
    planInOrder({ kind: 'fifo', key: null, onFailure: 'skip', tries }, plan).delaysMs;
  assert.deepEqual([of(null), of(1), of(2), of(5)], [[1, 2], [], [1], [1, 2, 2, 2]]);
});

test('R124 a delivery that holds its line is blocked or parked after its last try, or skipped', () => {
  const last = (onFailure?: 'block' | 'skip' | 'park'): object => after(answer(500), { tries: 20, onFailure });
  assert.deepEqual(last('skip'), last());
  const rest = { slowDown: true, quietUntil: null };
  assert.deepEqual(last('park'), { next: 'parked', reason: 'parked after 20 tries: answered 500', ...rest });
  assert.deepEqual(last('block'), { next: 'blocked', at: NOW + 3_600_000, reason: 'answered 500', ...rest });
});
