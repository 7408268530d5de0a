import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pulse } from './pulse.ts';

const good = { workspace: 1, webhook: 7, durationMs: 20, latencyMs: 30, error: null };
const bad = { workspace: 1, webhook: 7, durationMs: 100, latencyMs: null, error: 'answered 503' };

test('the pulse shows the last sixty whole seconds, and forgets what is older', () => {
  const pulse = new Pulse();
  pulse.accepted(1, 5, 10_000);
  pulse.accepted(1, 2, 10_999);
  pulse.attempt(good, 11_500);
  pulse.attempt(bad, 11_900);
  const then = pulse.read(null, 12_100);
  assert.deepEqual(then.accepted.slice(-3), [0, 7, 0]);
  assert.deepEqual(then.delivered.slice(-1), [1]);
  assert.deepEqual(then.failed.slice(-1), [1]);
  assert.equal(then.accepted.length, 60);
  const sum = (values: number[]): number => values.reduce((all, value) => all + value, 0);
  assert.equal(sum(pulse.read(null, 70_000).accepted), 7, 'the last of the minute');
  assert.equal(sum(pulse.read(null, 71_000).accepted), 0);
  assert.equal(sum(pulse.read(null, 10_000_000).delivered), 0);
});

test('the pulse tells workspaces apart, and what is no webhook counts for nobody', () => {
  const pulse = new Pulse();
  pulse.attempt(good, 0);
  pulse.attempt({ ...good, workspace: 2, webhook: null }, 0);
  pulse.acknowledged(2, 4, 0);
  assert.equal(pulse.read([2], 1_000).delivered.at(-1), 5);
  assert.deepEqual(pulse.read([2], 1_000).webhooks, new Map([[2, new Map()]]));
  assert.equal(pulse.read(null, 1_000).delivered.at(-1), 6);
  assert.equal(pulse.read([3], 1_000).webhooks.size, 0);
});

test('the pulse knows how a webhook did in the last minutes, and why it failed', () => {
  const pulse = new Pulse();
  for (let at = 0; at < 4; at++) pulse.attempt(at === 0 ? bad : good, at * 60_000);
  const readAt = (now: number) => pulse.read(null, now).webhooks.get(1)?.get(7);
  assert.deepEqual(readAt(200_000), { attempts: 4, failures: 1, answerMs: 40, error: 'answered 503' });
  assert.deepEqual(readAt(370_000), { attempts: 3, failures: 0, answerMs: 20, error: null });
  assert.equal(readAt(539_000)?.attempts, 1);
  assert.equal(readAt(540_000), undefined);
  pulse.attempt(good, 600_000);
  assert.equal(readAt(600_000)?.attempts, 1, 'who was forgotten is known again');
});

test('the pulse’s percentiles are exact to a quarter', () => {
  const pulse = new Pulse();
  for (let ms = 1; ms <= 100; ms++) pulse.attempt({ ...good, latencyMs: ms }, 0);
  const { p50, p95, p99 } = pulse.read(null, 1_000).latencyMs!;
  for (const [found, exact] of [
    [p50, 50],
    [p95, 95],
    [p99, 99],
  ] as const) {
    assert.ok(found >= exact && found <= exact * 1.25 + 1, `${found} for ${exact}`);
  }
  assert.equal(pulse.read(null, 200_000).latencyMs, null);
});

test('the pulse forgets who came first when there are too many', () => {
  const pulse = new Pulse();
  for (let webhook = 1; webhook <= 10_001; webhook++) pulse.attempt({ ...good, webhook }, 0);
  assert.equal(pulse.read(null, 0).webhooks.get(1)?.size, 10_000);
});
