// A target's queue against a model of the store: whatever overtakes what, nothing is lost and nothing is sent twice at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Room } from '../src/engine/line.ts';
import { TargetQueue } from '../src/engine/target-queue.ts';
import { ANY_IN_ORDER, type Route } from '../src/engine/route.ts';
import { ANY_ORDER } from '../src/model/order.ts';
import type { PendingDelivery } from '../src/model/delivery.ts';
import type { Refill, RefillQuery } from '../src/store/contract.ts';

const LIMIT = 4;
const LIMITS = { limit: LIMIT, window: { min: 1, start: 3, max: 8 }, room: new Room(1e6) };
const ROUTE = { sendable: true, paceMs: 0, batch: null, order: ANY_ORDER, orderName: ANY_IN_ORDER } as unknown as Route;

/** Everything around a queue, as slow and as disorderly as the steps say. */
class World {
  now = 1000;
  queue = new TargetQueue({ workspace: 1, target: 7 }, LIMITS, { now: () => this.now, monotonic: () => this.now });
  /** Open deliveries as the store has them: number → due instant. */
  open = new Map<number, number>();
  delivered = new Set<number>();
  sending = new Set<number>();
  /** Committed, the queue has not heard of it yet. */
  unsaid: PendingDelivery[] = [];
  /** Sent, the settlement is not committed; then committed, the queue has not heard of it. */
  unsettled: { delivery: PendingDelivery; retryAt: number | null }[] = [];
  undone: { delivery: PendingDelivery; retryAt: number | null }[] = [];
  reading: RefillQuery | null = null;
  page: Refill | null = null;
  timers: number[] = [];
  #numbers = 0;

  constructor() {
    this.queue.route = ROUTE;
  }

  /** The publisher's clock was read before the commit: `lag` says how long. */
  commit(lag: number): void {
    const event = ++this.#numbers;
    this.open.set(event, this.now - lag);
    this.unsaid.push(this.#delivery(event));
  }

  offer(): void {
    const delivery = this.unsaid.shift();
    if (delivery && this.queue.route?.sendable) this.queue.offer(delivery);
  }

  take(): void {
    if (!this.queue.isReady()) return;
    const delivery = this.queue.take();
    assert.ok(!this.sending.has(delivery.event), `${delivery.event} is sent twice at once`);
    assert.ok(!this.delivered.has(delivery.event), `${delivery.event} is sent after its success was written`);
    this.sending.add(delivery.event);
  }

  answer(retryAfter: number | null): void {
    const [event] = this.sending;
    if (event === undefined) return;
    this.sending.delete(event);
    this.queue.underWay--;
    const retryAt = retryAfter === null ? null : this.now + retryAfter;
    this.unsettled.push({ delivery: this.#delivery(event), retryAt });
  }

  // The word of a commit is under way for less than a send and its settlement take.
  settle(): void {
    const settled = this.unsettled.shift();
    if (!settled) return;
    while (this.unsaid.some(({ event }) => event === settled.delivery.event)) this.offer();
    const { event } = settled.delivery;
    if (settled.retryAt === null) {
      this.open.delete(event);
      this.delivered.add(event);
    } else this.open.set(event, settled.retryAt);
    this.undone.push(settled);
  }

  done(): void {
    const settled = this.undone.shift();
    if (!settled) return;
    this.queue.forget(settled.delivery);
    if (settled.retryAt !== null) this.timers.push(settled.retryAt);
  }

  begin(): void {
    if (this.queue.route?.sendable && !this.reading) this.reading = this.queue.beginRefill();
  }

  read(): void {
    if (!this.reading || this.page) return;
    const { now, after, limit } = this.reading;
    const rows = [...this.open]
      .map(([event, dueAt]) => ({ event, dueAt }))
      .sort((a, b) => a.dueAt - b.dueAt || a.event - b.event);
    const due = rows.filter(({ dueAt }) => dueAt <= now);
    const rest = due.filter(
      (r) => !after || r.dueAt > after.dueAt || (r.dueAt === after.dueAt && r.event > after.event),
    );
    const page = rest.slice(0, limit);
    this.page = {
      deliveries: page.map(({ event }) => this.#delivery(event)),
      more: page.length === limit,
      nextDueAt: rows.find(({ dueAt }) => dueAt > now)?.dueAt ?? null,
    };
  }

  end(): void {
    if (!this.reading || !this.page) return;
    this.queue.endRefill(this.page);
    if (this.page.nextDueAt !== null) this.timers.push(this.page.nextDueAt);
    this.reading = null;
    this.page = null;
  }

  /** Paused and resumed, perhaps while a page is being read. */
  hold(): void {
    this.queue.route = { ...ROUTE, sendable: false };
    this.queue.drop();
  }

  release(): void {
    if (this.queue.route?.sendable) return;
    this.queue.route = ROUTE;
    this.queue.release();
  }

  pass(ms: number): void {
    this.now += ms;
    const due = this.timers.filter((at) => at <= this.now);
    this.timers = this.timers.filter((at) => at > this.now);
    if (due.length > 0) this.queue.fallBehind();
  }

  /** Lets everything come to its end. No sweep helps. */
  finish(): void {
    this.release();
    for (let i = 0; i < 2000 && (this.open.size > 0 || this.sending.size > 0); i++) {
      this.offer();
      this.take();
      this.answer(null);
      this.settle();
      this.done();
      this.begin();
      this.read();
      this.end();
      this.pass(i % 20 === 19 ? 50 : 0);
    }
    assert.deepEqual([...this.open.keys()], [], 'nothing is lost');
  }

  #delivery(event: number): PendingDelivery {
    const dueAt = this.open.get(event) ?? 0;
    const carried = { event, type: 't', envelope: new Uint8Array(), trace: null };
    return {
      workspace: 1,
      target: 7,
      event,
      copy: 0,
      tries: 0,
      attempts: 0,
      firstTryAt: null,
      dueAt,
      createdAt: 0,
      batch: null,
      carried,
    };
  }
}

type Step = (world: World) => void;
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }).map((lag) => (w: World) => w.commit(lag)) },
  { weight: 4, arbitrary: fc.constant((w: World) => w.offer()) },
  { weight: 4, arbitrary: fc.constant((w: World) => w.take()) },
  {
    weight: 3,
    arbitrary: fc.option(fc.integer({ min: 0, max: 5 })).map((retry) => (w: World) => w.answer(retry)),
  },
  { weight: 3, arbitrary: fc.constant((w: World) => w.settle()) },
  { weight: 3, arbitrary: fc.constant((w: World) => w.done()) },
  { weight: 3, arbitrary: fc.constant((w: World) => w.begin()) },
  { weight: 3, arbitrary: fc.constant((w: World) => w.read()) },
  { weight: 3, arbitrary: fc.constant((w: World) => w.end()) },
  { weight: 1, arbitrary: fc.constant((w: World) => w.hold()) },
  { weight: 1, arbitrary: fc.constant((w: World) => w.release()) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 4 }).map((ms) => (w: World) => w.pass(ms)) },
);

test('R124 whatever overtakes what, a queue loses nothing and sends nothing twice at once', () => {
  fc.assert(
    fc.property(fc.array(steps, { minLength: 10, maxLength: 150, size: 'max' }), (run) => {
      const world = new World();
      for (const step of run) step(world);
      world.finish();
    }),
    { numRuns: 3000 },
  );
});
