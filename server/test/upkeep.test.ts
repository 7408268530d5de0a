// Upkeep: tasks come back, are run sooner when there is something to do, and end with the platform.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Upkeep } from '../src/engine/upkeep.ts';
import { testClock } from '../../test/kit/clock.ts';

test('upkeep: a task that is hurried runs at once, and once more when it was asked for while it ran', async () => {
  const clock = testClock();
  const upkeep = new Upkeep(clock, (error) => assert.fail(error as Error));
  let runs = 0;
  let finish = Promise.withResolvers<void>();
  const ran = async (times: number): Promise<void> => {
    for (let turn = 0; runs < times && turn < 100; turn++) await new Promise((next) => setImmediate(next));
    assert.equal(runs, times);
  };
  upkeep.start({
    name: 'fan-out',
    everyMs: 1000,
    run: () => {
      runs++;
      return finish.promise;
    },
  });
  await ran(1);
  upkeep.hurry('fan-out');
  const first = finish;
  finish = Promise.withResolvers<void>();
  first.resolve();
  await new Promise((next) => setImmediate(next));
  await clock.advance(0);
  await ran(2);
  finish.resolve();
  await new Promise((next) => setImmediate(next));
  upkeep.hurry('fan-out');
  await ran(3);
  upkeep.hurry('unknown');
  await upkeep.stop();
});
