// Turns: workspaces one after the other, and no more places for one than it leaves to the others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Turns } from '../src/engine/turns.ts';

interface Taker {
  workspace: number;
  name: string;
  waiting: number;
  underWay: number;
  isReady(): boolean;
}

function taker(workspace: number, name: string, waiting = Infinity): Taker {
  return {
    workspace,
    name,
    waiting,
    underWay: 0,
    isReady() {
      return this.waiting > 0;
    },
  };
}

/** Lets `count` of them start, in their turn. */
function run(turns: Turns<Taker>, count: number): Taker[] {
  const started: Taker[] = [];
  while (started.length < count) {
    const next = turns.next();
    if (!next) break;
    next.waiting--;
    next.underWay++;
    started.push(next);
    if (next.isReady()) turns.join(next);
  }
  return started;
}

test('R53 workspaces take turns first, the webhooks of one among themselves', () => {
  const turns = new Turns<Taker>(1000);
  for (const name of ['a', 'b', 'c']) turns.join(taker(1, name));
  turns.join(taker(2, 'x'));
  const order = run(turns, 8).map(({ name }) => name);
  assert.deepEqual(order, ['a', 'x', 'b', 'x', 'c', 'x', 'a', 'x']);
});

test('R53 who has nothing more to send leaves; nobody stands in two places', () => {
  const turns = new Turns<Taker>(1000);
  const [a, b] = [taker(1, 'a', 2), taker(1, 'b', 1)];
  for (const one of [a, a, b, a]) turns.join(one);
  assert.deepEqual(run(turns, 10), [a, b, a]);
  assert.equal(turns.next(), undefined);
  b.waiting = 1;
  turns.join(b);
  b.waiting = 0;
  assert.equal(turns.next(), undefined, 'no longer ready when its turn came');
});

function back(turns: Turns<Taker>, taker: Taker): void {
  taker.underWay--;
  turns.back(taker);
}

test('R53 one workspace alone has three quarters of the places, and one that is given back is used again', () => {
  const turns = new Turns<Taker>(1000);
  const targets = Array.from({ length: 20 }, (_, i) => taker(1, `t${i}`));
  for (const one of targets) {
    turns.heard(one, true);
    turns.join(one);
  }
  const [a] = targets as [Taker];
  const alone = run(turns, 1000).length;
  assert.ok(alone >= 700 && alone < 800, String(alone));
  assert.equal(run(turns, 100).length, 0);
  back(turns, a);
  assert.equal(run(turns, 100).length, 1);
  turns.join(taker(2, 'b'));
  assert.equal(run(turns, 1)[0]!.name, 'b', 'the other finds a place at once');
});

test('R53 a single place serves everybody', () => {
  const turns = new Turns<Taker>(1);
  const [a, b] = [taker(1, 'a', 1), taker(2, 'b', 1)];
  turns.join(a);
  turns.join(b);
  for (const one of [a, b]) {
    assert.equal(turns.next(), one);
    assert.equal(turns.next(), undefined);
    one.waiting = 0;
    back(turns, one);
  }
});

test('R53 whatever hangs, a workspace with nothing under way always finds a place', () => {
  const noise = fc.array(fc.record({ workspace: fc.integer({ min: 1, max: 6 }), isBack: fc.boolean() }), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(fc.integer({ min: 64, max: 128 }), noise, (places, steps) => {
      const turns = new Turns<Taker>(places);
      const busy: Taker[] = [];
      for (const { workspace, isBack } of steps) {
        turns.join(taker(workspace, 'noisy', 30));
        const next = turns.next();
        if (next) {
          next.underWay++;
          busy.push(next);
        }
        if (isBack && busy.length > 0) back(turns, busy.shift()!);
      }
      const quiet = taker(99, 'quiet', 1);
      turns.join(quiet);
      const started = run(turns, places);
      assert.ok(started.includes(quiet));
    }),
  );
});

test('R53 what does not answer has half of the places at most; whoever of the same workspace answers has the others', () => {
  const turns = new Turns<Taker>(1000);
  const hanging = Array.from({ length: 2000 }, (_, i) => taker(1, `h${i}`));
  for (const one of hanging) turns.join(one);
  assert.equal(run(turns, 2000).length, 500);
  const healthy = taker(1, 'healthy', 200);
  turns.heard(healthy, true);
  turns.join(healthy);
  assert.equal(run(turns, 1000).length, 200);
});

test('R53 fifty that hang leave a place to a fifty-first of their workspace that nobody has heard of yet', () => {
  const turns = new Turns<Taker>(1000);
  for (let i = 0; i < 50; i++) turns.join(taker(1, `h${i}`));
  const busy = run(turns, 2000).length;
  assert.ok(busy >= 350 && busy < 500, String(busy));
  const fresh = taker(1, 'fresh', 1);
  turns.join(fresh);
  assert.deepEqual(run(turns, 10), [fresh]);
});

test('R53 what a target holds counts with it when it falls silent or answers again', () => {
  const turns = new Turns<Taker>(100);
  const a = taker(1, 'a', 40);
  turns.heard(a, true);
  turns.join(a);
  assert.equal(run(turns, 100).length, 40);
  turns.heard(a, false);
  for (let i = 0; i < 20; i++) turns.join(taker(1, `s${i}`, 1));
  assert.equal(run(turns, 100).length, 10, 'fifty in all');
  turns.heard(a, true);
  assert.equal(run(turns, 100).length, 10);
});
