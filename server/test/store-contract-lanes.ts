// The store's contract, part four: a lane belongs to one node at a time, and every change of owner is a new epoch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LANES, type OwnedLane } from '../src/store/index.ts';
import { NOON } from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

const numbers = (lanes: OwnedLane[]): number[] => lanes.map(({ lane }) => lane);
const epochs = (lanes: OwnedLane[]): number[] => [...new Set(lanes.map(({ epoch }) => epoch))];
const EVERY = Array.from({ length: LANES }, (_, lane) => lane);

/** Runs this part on an engine. */
export function exerciseLanes(engine: string, prepare: Prepare): void {
  test(`${engine}: a node takes all free lanes, keeps them by taking them again, gives them up by releasing`, async (t) => {
    const store = await (await prepare(t)).open({ node: 'one' });
    const { lanes } = store;
    const taken = await lanes.take('one', NOON, 1000);
    assert.deepEqual([numbers(taken), epochs(taken)], [EVERY, [1]]);
    assert.deepEqual(await lanes.take('one', NOON + 500, 1000), taken);
    assert.deepEqual(await lanes.take('one', NOON + 900, 1000), taken);
    // Nobody else wanted them: a late renewal finds them as they were.
    assert.deepEqual(await lanes.take('one', NOON + 9000, 1000), taken);
    await lanes.release('one');
    const again = await lanes.take('one', NOON + 9002, 1000);
    assert.deepEqual([numbers(again), epochs(again)], [EVERY, [2]]);
  });

  test(`${engine}: a lease that ran out is taken over with a new epoch`, async (t) => {
    const { lanes } = await (await prepare(t)).open({ node: 'latter' });
    await lanes.take('former', NOON, 1000);
    const taken = await lanes.take('latter', NOON + 1000, 1000);
    assert.deepEqual([numbers(taken), epochs(taken)], [EVERY, [2]]);
  });
}
