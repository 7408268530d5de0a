// A line in order against a model of the store: whatever fails, overtakes or restarts, each key's events go one at a time
// and in order, none is lost, none is sent after its success was written, and other keys do not wait.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InOrder } from '../src/engine/in-order.ts';
import { Room } from '../src/engine/line.ts';
import type { PendingDelivery } from '../src/model/delivery.ts';
import { PARKED_AT } from '../src/model/order.ts';
import type { Refill, RefillQuery } from '../src/store/contract.ts';

const TARGET = { workspace: 1, target: 7 };

/** Everything around a line, as slow and as disorderly as the steps say. */
class World {
  now = 1000;
  line: InOrder;
  readonly #by: string | null;
  readonly #limit: number;
  /** Open deliveries as the store has them. */
  open = new Map<number, PendingDelivery>();
  /** Events that are over, in memory's opinion, and those written down. */
  over = new Set<number>();
  sending: PendingDelivery[] = [];
  unsettled: { delivery: PendingDelivery; next: 'over' | 'parked' | number }[] = [];
  reading: { query: RefillQuery; page: Refill | null } | null = null;
  /** Committed after higher numbers: these may be overtaken by what was read before. */
  readonly #late = new Set<number>();
  #numbers = 0;

  constructor(by: string | null, limit: number) {
    this.#by = by;
    this.#limit = limit;
    this.line = this.#newLine();
  }

  #newLine(): InOrder {
    const order = { kind: 'fifo', key: this.#by, onFailure: 'park', tries: null } as const;
    return new InOrder({ limit: this.#limit, room: new Room(1e6) }, order, () => this.now);
  }

  keyOf(event: number): number {
    return this.#by === null ? 0 : event % 5;
  }

  commit(isSaid: boolean): void {
    // Numbers have gaps: one belongs to another target now and then, and may come late (a replay).
    this.#numbers += 1 + (this.#numbers % 7 === 3 ? 1 : 0);
    this.#make(this.#numbers, isSaid);
  }

  late(): void {
    const gap = Array.from({ length: this.#numbers }, (_, i) => i + 1).find(
      (event) => !this.open.has(event) && !this.over.has(event),
    );
    if (gap === undefined) return;
    this.#late.add(gap);
    this.#make(gap, true);
  }

  #make(event: number, isSaid: boolean): void {
    const data = event % 5 === 4 ? {} : { k: event % 5 };
    const envelope = new TextEncoder().encode(JSON.stringify({ data }));
    const carried = { event, type: 't', envelope, trace: null };
    const times = { firstTryAt: null, dueAt: this.now, createdAt: this.now };
    const delivery = { ...TARGET, event, copy: 0, tries: 0, attempts: 0, ...times, batch: null, carried };
    this.open.set(event, delivery);
    if (isSaid) this.line.offer(delivery);
  }

  take(): void {
    if (this.line.waiting === 0) return;
    const delivery = this.line.take();
    const { event } = delivery;
    const key = this.keyOf(event);
    const same = [...this.sending, ...this.unsettled.filter(({ next }) => next !== 'over').map((u) => u.delivery)];
    assert.ok(!same.some((other) => this.keyOf(other.event) === key), `two of key ${key} at once`);
    assert.ok(!this.over.has(event), `${event} is sent again although it is over`);
    assert.ok(delivery.dueAt <= this.now, `${event} is sent before its time`);
    for (const other of this.open.keys()) {
      const isEarlier = this.keyOf(other) === key && other < event && !this.over.has(other);
      assert.ok(!isEarlier || this.#late.has(other), `${event} overtakes ${other}`);
    }
    this.sending.push(delivery);
  }

  answer(which: number, next: 'over' | 'parked' | number): void {
    const [delivery] = this.sending.splice(which % Math.max(1, this.sending.length), 1);
    if (!delivery) return;
    const isOver = next === 'over';
    if (isOver) this.over.add(delivery.event);
    const dueAt = next === 'parked' ? PARKED_AT : this.now + Number(next);
    this.line.ended(delivery, isOver ? null : { ...delivery, tries: delivery.tries + 1, dueAt });
    this.unsettled.push({ delivery, next });
  }

  settle(): void {
    const settled = this.unsettled.shift();
    if (!settled) return;
    const { delivery, next } = settled;
    if (next === 'over') this.open.delete(delivery.event);
    else {
      const dueAt = next === 'parked' ? PARKED_AT : this.now + next;
      this.open.set(delivery.event, { ...delivery, tries: delivery.tries + 1, dueAt });
    }
    this.line.forget(delivery);
  }

  begin(): void {
    if (this.reading) return;
    const query = this.line.beginRefill(TARGET);
    if (query) this.reading = { query, page: null };
  }

  look(): void {
    if (!this.reading || this.reading.page) return;
    const { after, limit } = this.reading.query;
    const rows = [...this.open.values()].filter(({ event }) => !after || event > after.event);
    rows.sort((a, b) => a.event - b.event);
    const deliveries = rows.slice(0, Math.min(limit, 4));
    this.reading.page = { deliveries, more: rows.length > deliveries.length, nextDueAt: null };
  }

  end(): void {
    if (!this.reading?.page) return;
    this.line.endRefill(this.reading.page);
    this.reading = null;
  }

  /** Everything in memory is lost; what was not written down is sent again. */
  restart(): void {
    for (const { delivery } of this.unsettled) this.over.delete(delivery.event);
    this.sending = [];
    this.unsettled = [];
    this.reading = null;
    this.line = this.#newLine();
  }

  hold(): void {
    this.line.drop();
  }

  byHand(which: number): void {
    const events = [...this.open.keys()];
    const delivery = this.open.get(events[which % Math.max(1, events.length)] ?? -1);
    if (!delivery || this.over.has(delivery.event)) return;
    if (this.line.pull(delivery, { delivery, isOpen: true }) !== 'taken') return;
    const { event } = delivery;
    assert.ok(!this.sending.some((one) => this.keyOf(one.event) === this.keyOf(event)), 'two of a key at once');
    if (which % 2 === 0) {
      this.open.delete(event);
      this.over.add(event);
    }
    this.line.forget(delivery);
  }

  unpark(): void {
    for (const [event, delivery] of this.open) {
      if (delivery.dueAt === PARKED_AT) this.open.set(event, { ...delivery, dueAt: this.now });
    }
    this.line.drop();
  }

  pass(ms: number): void {
    this.now += ms;
    this.line.ring();
  }

  /** Lets everything come to its end; a sweep finds what nobody spoke of. */
  finish(): void {
    this.settleAll();
    this.unpark();
    this.line.fallBehind();
    for (let i = 0; i < 4000 && this.open.size > 0; i++) {
      this.begin();
      this.look();
      this.end();
      this.take();
      this.answer(0, 'over');
      this.settle();
      this.pass(5);
      if (i % 500 === 499) this.line.sweep();
    }
    assert.deepEqual([...this.open.keys()], [], 'nothing is lost');
    assert.ok(this.line.isEmpty, 'nothing is left in memory');
  }

  settleAll(): void {
    while (this.sending.length > 0) this.answer(0, 'over');
    while (this.unsettled.length > 0) this.settle();
  }
}

type Step = (world: World) => void;
const times = (weight: number, arbitrary: fc.Arbitrary<Step>): { weight: number; arbitrary: fc.Arbitrary<Step> } => ({
  weight,
  arbitrary,
});
const always = (step: Step): fc.Arbitrary<Step> => fc.constant(step);
const steps: fc.Arbitrary<Step> = fc.oneof(
  times(
    6,
    fc.boolean().map((isSaid) => (w: World) => w.commit(isSaid)),
  ),
  times(
    5,
    always((w) => w.take()),
  ),
  times(
    4,
    fc.tuple(fc.nat(9), fc.oneof(fc.constant('over' as const), fc.constant('parked' as const), fc.nat(20))).map(
      ([which, next]) =>
        (w: World) =>
          w.answer(which, next),
    ),
  ),
  times(
    4,
    always((w) => w.settle()),
  ),
  times(
    4,
    always((w) => w.begin()),
  ),
  times(
    4,
    always((w) => w.look()),
  ),
  times(
    4,
    always((w) => w.end()),
  ),
  times(
    1,
    always((w) => w.late()),
  ),
  times(
    1,
    always((w) => w.restart()),
  ),
  times(
    1,
    always((w) => w.hold()),
  ),
  times(
    1,
    always((w) => w.unpark()),
  ),
  times(
    1,
    fc.nat(50).map((which) => (w: World) => w.byHand(which)),
  ),
  times(
    3,
    fc.nat(10).map((ms) => (w: World) => w.pass(ms)),
  ),
);

for (const [what, by] of [
  ['a webhook', null],
  ['a key', 'data/k'],
] as const) {
  test(`R124 in order by ${what}: one at a time, no inversion, nothing lost, over failures, holds and restarts`, () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 30 }), fc.array(steps, { maxLength: 200, size: 'max' }), (limit, run) => {
        const world = new World(by, limit);
        for (const step of run) step(world);
        world.finish();
      }),
      { numRuns: 1500 },
    );
  });
}
