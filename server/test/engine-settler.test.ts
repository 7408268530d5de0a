// The settler: batches, order, a store that fails and comes back, lanes that were lost.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testClock } from '../../test/kit/clock.ts';
import { Settler } from '../src/engine/settler.ts';
import type { Settlement } from '../src/model/delivery.ts';
import type { SettleBatch, VitalsChange } from '../src/store/contract.ts';

const HERE = { lane: 1, epoch: 1 };
const LOST = { lane: 2, epoch: 1 };

/** A settler whose store answers as `reply` says; `batches` is what it was asked. */
function prepare(reply: (batch: SettleBatch, nth: number) => 'settled' | 'fenced' | Error = () => 'settled') {
  const clock = testClock();
  const batches: SettleBatch[] = [];
  const errors: unknown[] = [];
  const settler = new Settler({
    log: {
      settle: async (batch) => {
        const answer = reply(batch, batches.push(batch) - 1);
        if (answer instanceof Error) throw answer;
        return answer;
      },
    },
    clock,
    delayMs: 10,
    onError: (error) => errors.push(error),
  });
  const done: number[] = [];
  const add = (event: number, lane = HERE, synced = false): void => {
    const settlement = { workspace: 1, event, target: 7, copy: 0 } as Settlement;
    settler.add({ settlements: [settlement], lane, synced, done: () => done.push(event) });
  };
  return { clock, batches, errors, settler, done, add };
}

function vitals(target: number, streak: number, changed = false): VitalsChange {
  const change = changed ? { intent: 'enabled' as const, reason: 'why', at: 1 } : null;
  return {
    workspace: 1,
    target,
    revision: 1,
    vitals: { health: 'active', streak, lastSuccessAt: 1 },
    quietUntil: null,
    change,
  };
}

const events = ({ settlements }: SettleBatch): number[] => settlements.map(({ event }) => event);

test('R124 what ends within the delay shares a commit; what is told is committed', async () => {
  const { clock, batches, done, add, settler } = prepare();
  add(1);
  add(2);
  await clock.advance(9);
  assert.deepEqual([batches.length, done, settler.backlog], [0, [], 2]);
  await clock.advance(1);
  assert.deepEqual([batches.map(events), done, settler.backlog], [[[1, 2]], [1, 2], 0]);
  assert.deepEqual([batches[0]!.synced, batches[0]!.lanes], [false, [HERE]]);
});

test('R124 a full batch does not wait, and none holds more than 512', async () => {
  const { clock, batches, done, add } = prepare();
  for (let i = 0; i < 1100; i++) add(i);
  await clock.advance(0);
  await clock.advance(10);
  assert.deepEqual(
    batches.map(({ settlements }) => settlements.length),
    [512, 512, 76],
  );
  assert.deepEqual(
    done,
    done.toSorted((a, b) => a - b),
  );
  assert.equal(done.length, 1100);
});

test('R124 notes weigh as much as several settlements: many webhooks that fail together are written in several batches', async () => {
  const { clock, batches, settler, done } = prepare();
  for (let target = 0; target < 300; target++) {
    const settlement = { workspace: 1, event: target, target, copy: 0 } as Settlement;
    settler.add({ settlements: [settlement], lane: HERE, synced: false, done: () => done.push(target) });
    settler.note({ change: vitals(target, 0), lane: HERE });
  }
  settler.note({ change: vitals(1000, 0), lane: HERE });
  await clock.advance(10);
  assert.equal(done.length, 300);
  assert.ok(batches.length > 2, `${batches.length} batches`);
  for (const [i, batch] of batches.entries()) {
    const noted = batch.vitals.map(({ target }) => target);
    const own = batch.settlements.map(({ target }) => target);
    // A webhook's note goes with its delivery; one that has none goes with the last.
    assert.deepEqual(noted, i === batches.length - 1 ? [...own, 1000] : own);
  }
});

test('R124 a dead letter or a change of state syncs its batch', async () => {
  const { clock, batches, add, settler } = prepare();
  add(1, HERE, true);
  await clock.advance(10);
  settler.note({ change: vitals(7, 1), lane: HERE });
  await clock.advance(10);
  settler.note({ change: vitals(7, 2, true), lane: HERE });
  await clock.advance(10);
  assert.deepEqual(
    batches.map(({ synced }) => synced),
    [true, false, true],
  );
});

test('R124 of notes without a change only the newest is written; changes are all written, in order', async () => {
  const { clock, batches, settler } = prepare();
  const written: number[] = [];
  const notes: [streak: number, changed: boolean][] = [
    [1, false],
    [2, false],
    [3, true],
    [4, false],
    [5, true],
    [6, false],
    [7, false],
  ];
  for (const [streak, changed] of notes) {
    settler.note({ change: vitals(7, streak, changed), lane: HERE, done: () => written.push(streak) });
  }
  settler.note({ change: vitals(8, 9), lane: HERE });
  await clock.advance(10);
  assert.deepEqual(
    batches[0]!.vitals.map(({ vitals: { streak } }) => streak),
    [3, 5, 7, 9],
  );
  assert.deepEqual(written, [3, 5, 7]);
});

test('R124 a store that fails is asked again until it works: nothing is told before, nothing is lost', async () => {
  const { clock, batches, errors, done, add, settler } = prepare((_, nth) => (nth < 3 ? new Error('away') : 'settled'));
  add(1);
  await clock.advance(10);
  add(2);
  await clock.advance(400);
  assert.deepEqual([done, settler.backlog, errors.length], [[], 2, 2]);
  await clock.advance(1000);
  assert.deepEqual(
    [done, batches.map(events)],
    [
      [1, 2],
      [[1], [1], [1], [1], [2]],
    ],
  );
});

test('R124 a lane that was lost costs the others nothing, their webhooks’ state included', async () => {
  const { clock, batches, done, add, settler } = prepare(({ lanes }) =>
    lanes.some(({ lane }) => lane === LOST.lane) ? 'fenced' : 'settled',
  );
  const noted: string[] = [];
  add(1);
  add(2, LOST);
  settler.note({ change: vitals(7, 1, true), lane: HERE, done: () => noted.push('here') });
  settler.note({ change: vitals(8, 1, true), lane: LOST, done: () => noted.push('lost') });
  await clock.advance(10);
  const taken = batches.filter(({ lanes }) => lanes.every(({ lane }) => lane === HERE.lane));
  assert.deepEqual(taken.map(events), [[1]]);
  assert.deepEqual(
    taken[0]!.vitals.map(({ target }) => target),
    [7],
  );
  assert.deepEqual([done, noted, settler.backlog], [[1, 2], ['here', 'lost'], 0]);
});

test('R124 drained: everything is committed, or, once given up, forgotten', async () => {
  const working = prepare();
  working.add(1);
  await working.settler.drained();
  assert.deepEqual(working.done, [1]);
  const failing = prepare(() => new Error('away'));
  failing.add(1);
  const drained = failing.settler.drained();
  await failing.clock.advance(0);
  failing.settler.abandon();
  await failing.clock.advance(250);
  await drained;
  assert.equal(failing.settler.backlog, 0);
});

test('R124 caughtUp waits for what was added before it, not for what comes later', async () => {
  const { clock, settler, done, add } = prepare((_, nth) => (nth === 0 ? new Error('the store is away') : 'settled'));
  await settler.caughtUp();
  for (let event = 1; event <= 600; event++) add(event);
  let written = 0;
  const caughtUp = settler.caughtUp().then(() => (written = done.length));
  for (let event = 601; event <= 2_000; event++) add(event);
  await clock.advance(100);
  assert.equal(written, 0);
  await clock.advance(1_000);
  await caughtUp;
  assert.deepEqual([written, done.length], [1_024, 2_000]);
});
