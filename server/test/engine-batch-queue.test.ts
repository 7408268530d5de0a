// A queue with batches, in any order and in fifo, against a model of the store: whatever fails, overtakes or restarts, a batch goes out
// as what it was, but for what has left it or is over; none of it is lost or under way twice at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Load } from '../src/engine/attempt.ts';
import { bindBatch } from '../src/engine/batches.ts';
import { Room } from '../src/engine/line.ts';
import type { Route } from '../src/engine/route.ts';
import { TargetQueue } from '../src/engine/target-queue.ts';
import type { PendingDelivery } from '../src/model/delivery.ts';
import type { Log, Refill, RefillQuery } from '../src/store/contract.ts';

const TARGET = { workspace: 1, target: 7 };
const LANE = { lane: 1, epoch: 1 };
const EVENTS = 3;
const BATCHING = { events: EVENTS, waitMs: 4, bytes: 1e6 };

interface Sent {
  batch: number;
  members: readonly PendingDelivery[];
}

interface Taken {
  taken: PendingDelivery[];
  /** Undefined until it is bound. */
  bound: Load | null | undefined;
}

/** Everything around a queue, as slow and as disorderly as the steps say. */
class World {
  now = 1000;
  queue: TargetQueue;
  readonly #isFifo: boolean;
  readonly #limit: number;
  /** Open deliveries as the store has them. */
  open = new Map<number, PendingDelivery>();
  over = new Set<number>();
  unsaid: PendingDelivery[] = [];
  starting: Taken[] = [];
  sending: Sent[] = [];
  unsettled: { sent: Sent; retryAt: number | null }[] = [];
  byHand: { delivery: PendingDelivery; hasLeft: boolean } | null = null;
  reading: { query: RefillQuery; page: Refill | null } | null = null;
  /** What a batch held when it was first sent, and what has left it by hand. */
  #sent = new Map<number, number[]>();
  #left = new Set<string>();
  #numbers = 0;
  #batches = 0;

  constructor(isFifo: boolean, limit: number) {
    this.#isFifo = isFifo;
    this.#limit = limit;
    this.queue = this.#newQueue();
  }

  #newQueue(): TargetQueue {
    const limits = { limit: this.#limit, room: new Room(1e6), window: { min: 1, start: 4, max: 4 } };
    const now = (): number => this.now;
    const queue = new TargetQueue(TARGET, limits, { now, monotonic: now });
    const order = this.#isFifo ? { kind: 'fifo', key: null, onFailure: 'block', tries: null } : { kind: 'any' };
    const policy = { order, recovery: 'in-order', batch: BATCHING, orderName: 'with batches', paceMs: 0 };
    queue.route = { ...policy, sendable: true } as unknown as Route;
    return queue;
  }

  /** The store's part in a batch. */
  readonly #log: Pick<Log, 'formBatch' | 'batch'> = {
    formBatch: async ({ members }) => {
      const free = members.filter(({ event }) => this.open.get(event)?.batch === null);
      const batch = ++this.#batches;
      for (const { event } of free) this.open.set(event, { ...this.open.get(event)!, batch });
      return { batch, members: free };
    },
    batch: async ({ batch }) => {
      const members = [...this.open.values()].filter((one) => one.batch === batch);
      return members.sort((a, b) => a.event - b.event);
    },
  };

  commit(): void {
    const event = ++this.#numbers;
    const carried = { event, type: 't', envelope: new TextEncoder().encode('{"data":{}}'), trace: null };
    const times = { firstTryAt: null, dueAt: this.now, createdAt: this.now };
    const delivery = { ...TARGET, event, copy: 0, tries: 0, attempts: 0, ...times, batch: null, carried };
    this.open.set(event, delivery);
    this.unsaid.push(delivery);
  }

  offer(): void {
    const delivery = this.unsaid.shift();
    if (delivery) this.queue.offer(delivery);
  }

  take(): void {
    if (!this.queue.isReady()) return;
    const taken = this.queue.takeTogether();
    assert.ok(taken.length > 0 && taken.length <= EVENTS);
    this.starting.push({ taken, bound: undefined });
  }

  async bind(): Promise<void> {
    const one = this.starting.find(({ bound }) => bound === undefined);
    if (one) one.bound = await bindBatch(this.#log, one.taken, LANE);
  }

  /** What was bound is sent, or given back: the webhook was paused meanwhile. */
  send(isGivenBack: boolean): void {
    const at = this.starting.findIndex(({ bound }) => bound !== undefined);
    if (at < 0) return;
    const [{ taken, bound }] = this.starting.splice(at, 1) as [Taken];
    const isClaimed = this.queue.claim(isGivenBack || !bound ? [] : bound.deliveries, taken);
    const members = isClaimed ? bound!.deliveries : [];
    for (const one of taken) if (!members.some(({ event }) => event === one.event)) this.queue.forget(one);
    if (members.length === 0) {
      this.queue.underWay--;
      return this.queue.fallBehind();
    }
    const batch = bound!.batch!;
    this.#check(batch, members);
    this.sending.push({ batch, members });
  }

  #check(batch: number, members: readonly PendingDelivery[]): void {
    const events = members.map(({ event }) => event);
    assert.deepEqual(
      events,
      events.toSorted((a, b) => a - b),
    );
    // Answered rightly, and not written down yet: the next one may go.
    const through = this.unsettled.filter(({ retryAt }) => retryAt === null).flatMap(({ sent }) => sent.members);
    for (const event of events) {
      const others = [...this.sending, ...this.unsettled.map(({ sent }) => sent)].flatMap((one) => one.members);
      assert.ok(!others.some((one) => one.event === event), `${event} is under way twice at once`);
      assert.ok(this.byHand?.delivery.event !== event, `${event} is tried by hand and in a batch`);
      assert.ok(!this.over.has(event), `${event} is sent after its success was written`);
      const isOvertaking = [...this.open.keys()].some(
        (other) => other < event && !events.includes(other) && !through.some((one) => one.event === other),
      );
      assert.ok(!this.#isFifo || !isOvertaking, `${event} overtakes`);
    }
    const first = this.#sent.get(batch);
    if (!first) this.#sent.set(batch, events);
    else {
      const expected = first.filter((event) => !this.over.has(event) && !this.#left.has(`${batch}/${event}`));
      assert.deepEqual(events, expected, `batch ${batch} is sent as what it was`);
    }
  }

  answer(retryAfter: number | null): void {
    const sent = this.sending.shift();
    if (!sent) return;
    this.queue.underWay--;
    const retryAt = retryAfter === null ? null : this.now + retryAfter;
    for (const one of sent.members) {
      this.queue.ended(one, retryAt === null ? null : { ...one, tries: one.tries + 1, dueAt: retryAt });
    }
    this.unsettled.push({ sent, retryAt });
  }

  settle(): void {
    const settled = this.unsettled.shift();
    if (!settled) return;
    const { sent, retryAt } = settled;
    const waits = (event: number): boolean => this.unsaid.some((one) => one.event === event);
    while (sent.members.some(({ event }) => waits(event))) this.offer();
    for (const { event } of sent.members) {
      if (retryAt === null) this.open.delete(event);
      if (retryAt === null) this.over.add(event);
      else this.open.set(event, { ...this.open.get(event)!, tries: 1, dueAt: retryAt });
    }
    for (const one of sent.members) this.queue.forget(one);
    if (!this.#isFifo) this.queue.fallBehind();
  }

  begin(): void {
    if (this.reading) return;
    const query = this.queue.beginRefill();
    if (query) this.reading = { query, page: null };
  }

  look(): void {
    if (!this.reading || this.reading.page) return;
    const { after, limit, by, now } = this.reading.query;
    const rows = [...this.open.values()].filter((one) =>
      by === 'event'
        ? !after || one.event > after.event
        : one.dueAt <= now &&
          (!after || one.dueAt > after.dueAt || (one.dueAt === after.dueAt && one.event > after.event)),
    );
    rows.sort((a, b) => (by === 'event' ? 0 : a.dueAt - b.dueAt) || a.event - b.event);
    const deliveries = rows.slice(0, limit);
    this.reading.page = { deliveries, more: rows.length > deliveries.length, nextDueAt: null };
  }

  end(): void {
    if (!this.reading?.page) return;
    this.queue.endRefill(this.reading.page);
    this.reading = null;
  }

  /** Everything in memory is lost; what was not written down is sent again. */
  restart(): void {
    this.starting = [];
    this.sending = [];
    this.unsettled = [];
    this.reading = null;
    this.byHand = null;
    this.unsaid = [];
    this.queue = this.#newQueue();
    this.queue.fallBehind();
  }

  hold(): void {
    this.queue.drop();
  }

  beginByHand(which: number): void {
    const events = [...this.open.keys()].filter((event) => !this.unsaid.some((one) => one.event === event));
    const delivery = this.open.get(events[which % Math.max(1, events.length)] ?? -1);
    if (!delivery || this.byHand) return;
    if (this.queue.pull(delivery, { delivery, isOpen: true }) === 'taken') this.byHand = { delivery, hasLeft: false };
  }

  leave(): void {
    if (!this.byHand) return;
    const { event } = this.byHand.delivery;
    const stored = this.open.get(event)!;
    if (stored.batch !== null) this.#left.add(`${stored.batch}/${event}`);
    this.open.set(event, { ...stored, batch: null });
    this.byHand.hasLeft = true;
  }

  endByHand(isOver: boolean): void {
    if (!this.byHand?.hasLeft) return;
    const { delivery } = this.byHand;
    if (isOver) this.open.delete(delivery.event);
    if (isOver) this.over.add(delivery.event);
    this.byHand = null;
    const { event, copy } = delivery;
    this.queue.forget({ event, copy });
    this.queue.fallBehind();
  }

  pass(ms: number): void {
    this.now += ms;
    this.queue.ring();
  }

  /** Lets everything come to its end; no sweep helps. */
  async finish(): Promise<void> {
    this.leave();
    this.endByHand(true);
    for (let i = 0; i < 3000 && this.open.size > 0; i++) {
      this.offer();
      this.begin();
      this.look();
      this.end();
      this.take();
      await this.bind();
      this.send(false);
      this.answer(null);
      this.settle();
      this.pass(5);
    }
    assert.deepEqual([...this.open.keys()], [], 'nothing is lost');
    while (this.unsettled.length > 0) this.settle();
    assert.ok(this.queue.isEmpty, 'nothing is left in memory');
  }
}

type Step = (world: World) => void | Promise<void>;
const times = (weight: number, step: Step): { weight: number; arbitrary: fc.Arbitrary<Step> } => ({
  weight,
  arbitrary: fc.constant(step),
});
const steps: fc.Arbitrary<Step> = fc.oneof(
  times(6, (w) => w.commit()),
  times(5, (w) => w.offer()),
  times(5, (w) => w.take()),
  times(4, (w) => w.bind()),
  { weight: 4, arbitrary: fc.nat(9).map((n) => (w: World) => w.send(n === 0)) },
  { weight: 4, arbitrary: fc.option(fc.nat(8)).map((retry) => (w: World) => w.answer(retry)) },
  times(4, (w) => w.settle()),
  times(3, (w) => w.begin()),
  times(3, (w) => w.look()),
  times(3, (w) => w.end()),
  times(1, (w) => w.restart()),
  times(1, (w) => w.hold()),
  { weight: 1, arbitrary: fc.nat(50).map((which) => (w: World) => w.beginByHand(which)) },
  times(2, (w) => w.leave()),
  { weight: 2, arbitrary: fc.boolean().map((isOver) => (w: World) => w.endByHand(isOver)) },
  { weight: 4, arbitrary: fc.nat(4).map((ms) => (w: World) => w.pass(ms)) },
);

for (const isFifo of [false, true]) {
  test(`R124 batches ${isFifo ? 'in order' : 'in any order'}: whatever happens, a batch is sent as what it was`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 8 }),
        fc.array(steps, { minLength: 10, maxLength: 150, size: 'max' }),
        async (limit, run) => {
          const world = new World(isFifo, limit);
          for (const step of run) await step(world);
          await world.finish();
        },
      ),
      { numRuns: 1000 },
    );
  });
}
