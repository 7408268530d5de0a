// The clocks: the one tests turn, and the machine's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../server/src/clock.ts';
import { testClock } from './clock.ts';

test('the kit: a turned clock runs what falls due, in order, each at its own instant', async () => {
  const clock = testClock(1_000_000);
  const ran: [string, number][] = [];
  const note = (name: string) => (): void => void ran.push([name, clock.now()]);
  clock.after(20, note('later'));
  clock.after(10, () => {
    note('first')();
    clock.after(5, note('planned by the first'));
    void Promise.resolve().then(() => clock.after(0, note('planned by its promise')));
  });
  clock.after(10, note('second'));
  const cancelled = clock.after(12, note('never'));
  cancelled.cancel();
  clock.after(31, note('not yet'));
  await clock.advance(30);
  assert.deepEqual(ran, [
    ['first', 1_000_010],
    ['second', 1_000_010],
    ['planned by its promise', 1_000_010],
    ['planned by the first', 1_000_015],
    ['later', 1_000_020],
  ]);
  assert.equal(clock.now(), 1_000_030);
  assert.equal(clock.pending(), 1);
  assert.equal(clock.nextIn(), 1);
});

test('the kit: setting the wall moves neither monotonic time nor what is planned', async () => {
  const clock = testClock(1_000_000);
  let ran = 0;
  clock.after(10, () => ran++);
  clock.setWall(5);
  assert.equal(clock.now(), 5);
  assert.equal(clock.monotonic(), 0);
  await clock.advance(10);
  assert.equal(ran, 1);
  assert.equal(clock.now(), 15);
});

test('the system clock: a span longer than a timer can hold does not ring at once', async () => {
  const far = systemClock.after(2 ** 31 + 1_000, () => assert.fail('rang'));
  await new Promise<void>((done) => void systemClock.after(20, done));
  far.cancel();
  far.cancel();
});

test('the system clock: rings no earlier than said', async () => {
  const startedAt = systemClock.monotonic();
  await new Promise<void>((done) => void systemClock.after(15, done));
  assert.ok(systemClock.monotonic() - startedAt >= 14);
});
