import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  HEALING_STREAK,
  isSendable,
  judge,
  shownState,
  type Evidence,
  type Health,
  type Intent,
  type Vitals,
} from './webhook.ts';

const intents: Intent[] = ['enabled', 'paused', 'disabled'];
const healths: Health[] = ['pending', 'active', 'warning', 'critical'];

/** Vitals whose last success lies at 1000. */
function vitals(health: Health, streak = 3): Vitals {
  return { health, streak, lastSuccessAt: 1000 };
}

const success: Evidence = { kind: 'success', at: 2000 };
const failed: Evidence = { kind: 'failed-try', words: 'answered 500' };
const deadSince = (firstTryAt: number): Evidence => ({ kind: 'dead-letter', firstTryAt, words: 'answered 500' });
const passed: Evidence = { kind: 'challenge-passed' };
const unproved: Evidence = { kind: 'challenge-failed', words: 'timed out' };
const changed: Evidence = { kind: 'to-be-verified', words: 'the URL was changed' };

/** Every arrow of the diagram at the head of webhook.ts, and every one that is not there. */
const arrows: [evidence: Evidence, from: Record<Health, Health>][] = [
  [success, { pending: 'pending', active: 'active', warning: 'warning', critical: 'critical' }],
  [failed, { pending: 'pending', active: 'warning', warning: 'warning', critical: 'critical' }],
  [deadSince(500), { pending: 'pending', active: 'warning', warning: 'warning', critical: 'critical' }],
  [deadSince(1500), { pending: 'pending', active: 'critical', warning: 'critical', critical: 'critical' }],
  [passed, { pending: 'active', active: 'active', warning: 'active', critical: 'active' }],
  [unproved, { pending: 'critical', active: 'critical', warning: 'critical', critical: 'critical' }],
  [changed, { pending: 'pending', active: 'pending', warning: 'pending', critical: 'pending' }],
];

test('R111 R112 R113 R124 what each piece of evidence makes of each state', () => {
  for (const [evidence, from] of arrows) {
    for (const before of healths) {
      const verdict = judge(vitals(before), evidence);
      assert.equal(verdict.vitals.health, from[before], `${evidence.kind} ${before}`);
      assert.equal(verdict.changed, from[before] !== before, `${evidence.kind} ${before}`);
      assert.ok(verdict.reason.length > 0);
    }
  }
});

test('R124 a dead letter is critical when nothing has succeeded since its first try, at that very instant included', () => {
  assert.equal(judge(vitals('active'), deadSince(1000)).vitals.health, 'warning');
  assert.equal(judge(vitals('active'), deadSince(1001)).vitals.health, 'critical');
  assert.equal(judge({ ...vitals('active'), lastSuccessAt: null }, deadSince(1)).vitals.health, 'critical');
});

test('R124 ten successes in a row heal a warning, one failure in between begins the count anew', () => {
  let now = judge(vitals('active'), failed).vitals;
  for (let i = 1; i < HEALING_STREAK; i++) now = judge(now, success).vitals;
  assert.deepEqual([now.health, now.streak], ['warning', 9]);
  now = judge(now, failed).vitals;
  for (let i = 1; i < HEALING_STREAK; i++) now = judge(now, success).vitals;
  assert.equal(now.health, 'warning');
  const healed = judge(now, success);
  assert.deepEqual([healed.vitals.health, healed.changed], ['active', true]);
});

test('R124 the last success never goes back, also when successes are told out of order', () => {
  const late = judge({ ...vitals('active'), lastSuccessAt: 3000 }, success);
  assert.equal(late.vitals.lastSuccessAt, 3000);
  assert.equal(judge({ ...vitals('active'), lastSuccessAt: null }, success).vitals.lastSuccessAt, 2000);
});

test('R51 R62 deliveries are sent only where people and evidence both allow it', () => {
  const sendable = intents.flatMap((intent) =>
    healths.filter((health) => isSendable(intent, health)).map((health) => [intent, health]),
  );
  assert.deepEqual(sendable, [
    ['enabled', 'active'],
    ['enabled', 'warning'],
  ]);
});

test('R113 the state shown joins both axes: what people set hides the health, and does not change it', () => {
  for (const health of healths) {
    assert.deepEqual(
      intents.map((intent) => shownState(intent, health)),
      [health, 'paused', 'disabled'],
    );
  }
});

test('R51 no order of evidence but a right answer makes an unproved webhook sendable', () => {
  const evidence = fc.constantFrom(success, failed, deadSince(500), deadSince(1500), unproved, changed);
  fc.assert(
    fc.property(fc.constantFrom<Health>('pending', 'critical'), fc.array(evidence), (start, steps) => {
      let now = vitals(start);
      for (const step of steps) now = judge(now, step).vitals;
      assert.equal(isSendable('enabled', now.health), false);
      assert.equal(judge(now, passed).vitals.health, 'active');
    }),
  );
});
