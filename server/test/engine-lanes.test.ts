// The lane keeper with real leases, the clock turned by hand: what it owns, and for how long without asking.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { testClock, type TestClock } from '../../test/kit/clock.ts';
import { LaneKeeper } from '../src/engine/lane-keeper.ts';
import { LANES, type Lanes } from '../src/store/contract.ts';
import { sqliteGround } from './store-ground.ts';

interface Kept {
  keeper: LaneKeeper;
  clock: TestClock;
  lanes: Lanes;
  taken: number[][];
  lost: number[][];
  errors: unknown[];
}

async function keep(t: TestContext): Promise<Kept> {
  const store = await (await sqliteGround(t)).open();
  const clock = testClock();
  const [taken, lost, errors]: [number[][], number[][], unknown[]] = [[], [], []];
  const lanes = { ...store.lanes };
  const keeper = new LaneKeeper({
    lanes,
    clock,
    node: 'a',
    leaseMs: 15_000,
    heartbeatMs: 5000,
    onTaken: (numbers) => taken.push([...numbers]),
    onLost: (numbers) => lost.push([...numbers]),
    onError: (error) => errors.push(error),
  });
  return { keeper, clock, lanes, taken, lost, errors };
}

/** Turns the clock to the next sign of life and waits until it has been given. */
async function beat(clock: TestClock): Promise<void> {
  await clock.advance(5000);
  while (clock.pending() === 0) await new Promise((again) => setImmediate(again));
}

test('R124 a first node takes every lane and keeps them as long as it shows signs of life', async (t) => {
  const { keeper, clock, taken, lost } = await keep(t);
  await keeper.start();
  for (let i = 0; i < 20; i++) await beat(clock);
  assert.deepEqual([taken.map(({ length }) => length), lost], [[LANES], []]);
  assert.deepEqual({ ...keeper.owned(5) }, { lane: 5, epoch: 1 });
  assert.equal(keeper.owned(LANES), undefined);
});

test('R124 a node that was suspended owns nothing, without asking anybody', async (t) => {
  const { keeper, clock, lanes } = await keep(t);
  await keeper.start();
  lanes.take = () => new Promise(() => undefined);
  clock.setWall(clock.now() - 3_600_000);
  await clock.advance(14_999);
  assert.ok(keeper.owned(0), 'the wall clock has no say in it');
  await clock.advance(1);
  assert.equal(keeper.owned(0), undefined);
});

test('R124 a lane that had another owner in between is lost first and then taken anew, under a new epoch', async (t) => {
  const { keeper, clock, lanes, taken, lost } = await keep(t);
  await keeper.start();
  await lanes.take('b', clock.now() + 60_000, 1);
  await beat(clock);
  assert.deepEqual([lost.map(({ length }) => length), taken.map(({ length }) => length)], [[LANES], [LANES, LANES]]);
  assert.deepEqual({ ...keeper.owned(0) }, { lane: 0, epoch: 3 });
});

test('R124 a lease that ran out and that nobody wanted is looked through anew, under the same epoch', async (t) => {
  const { keeper, clock, lanes, taken, lost, errors } = await keep(t);
  await keeper.start();
  const { take } = lanes;
  lanes.take = () => Promise.reject(new Error('away'));
  for (let i = 0; i < 3; i++) await beat(clock);
  assert.equal(keeper.owned(0), undefined);
  lanes.take = take;
  await beat(clock);
  assert.deepEqual({ ...keeper.owned(0) }, { lane: 0, epoch: 1 });
  assert.deepEqual([lost, taken.map(({ length }) => length), errors.length], [[], [LANES, LANES], 3]);
});

test('R124 a start without a store fails in its words; a stop gives everything up at once', async (t) => {
  const { keeper, clock, lanes } = await keep(t);
  const { take } = lanes;
  lanes.take = () => Promise.reject(new Error('away'));
  await assert.rejects(keeper.start(), /away/);
  lanes.take = take;
  await keeper.start();
  await keeper.stop();
  assert.equal(keeper.owned(0), undefined);
  assert.equal(clock.pending(), 0);
  assert.equal((await lanes.take('b', clock.now(), 1000)).length, LANES);
});
