// One target's queue: its line of deliveries, how many may be under way, and when: all that decides whose turn it is.
import type { Clock } from '../model/clock.ts';
import type { PendingDelivery } from '../model/delivery.ts';
import { Ramp } from '../model/ramp.ts';
import { Window, type WindowLimits } from '../model/window.ts';
import type { Refill, RefillQuery, TargetKey } from '../store/contract.ts';
import { Alarm } from './alarm.ts';
import { AnyOrder } from './any-order.ts';
import { InOrder } from './in-order.ts';
import { nameOf, type Line, type LineLimits, type Name, type Named, type Stored, type Taken } from './line.ts';
import { ANY_IN_ORDER, type Route } from './route.ts';
import type { Taker } from './turns.ts';

/** Bounds of a queue. */
export interface QueueLimits extends LineLimits {
  window: WindowLimits;
}

/** Paces below this, ms, are kept on average: timers are no finer than a millisecond. */
const FINE_PACE_MS = 10;
/** So many of what was held may begin at once: one bad event among a few must not make the webhook look dead. */
const RAMP_BURST = 8;

/**
 * Deliveries that memory holds ready for a target that does not answer, at most. A thousand that hang would fill it with
 * what will not be sent for long, and the collector would stop everything to look through it.
 */
const SILENT_LIMIT = 64;

/** The deliveries of one target that memory knows, and its turn. */
export class TargetQueue implements Taker, TargetKey {
  readonly workspace: number;
  readonly target: number;
  readonly #limits: QueueLimits;
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly #now: () => number;
  #line: Line;
  /** After a change of the order: until what the former line sent has come back, nothing goes by the new one. */
  #former: Line | null = null;
  #route: Route | null = null;
  readonly window: Window;
  /** Nothing is sent before this instant (epoch ms): the target's own word (`Retry-After`). */
  quietUntil = 0;
  /** Paces are spans: these instants are of the monotonic clock. */
  #paceUntil = -Infinity;
  /** What was held and is sent again goes by this pace; what is fresh need not. */
  #rampUntil = -Infinity;
  #ramp: Ramp | null = null;
  underWay = 0;
  /** Did it answer the last time? */
  answers = false;
  /** Batches that were taken and are being bound in the store, each with what was forgotten since. */
  readonly #binding = new Map<readonly PendingDelivery[], Set<Name>>();
  /** Changes of the webhook heard of, and how many of them the route knows: nothing is sent by an old one. */
  changes = 0;
  changesRead = 0;
  /** The reading that is under way. */
  loading: Promise<void> | null = null;
  /** Changes of its state that were judged here and are on their way to the store. */
  unwritten = 0;
  /** Rings when the next delivery is due that the store has; when a pace or a pause ends; when a former secret does. */
  readonly due = new Alarm();
  readonly wake = new Alarm();
  readonly expiry = new Alarm();

  constructor({ workspace, target }: TargetKey, limits: QueueLimits, clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.workspace = workspace;
    this.target = target;
    this.#limits = this.#whileSilent(limits);
    this.#clock = clock;
    this.#now = () => clock.now();
    this.#line = new AnyOrder(this.#limits, { freshFirst: false, batching: null }, this.#now);
    this.window = new Window(limits.window);
  }

  #whileSilent(limits: QueueLimits): QueueLimits {
    const mostReady = (): number => (this.answers ? limits.limit : Math.min(limits.limit, SILENT_LIMIT));
    return {
      room: limits.room,
      window: limits.window,
      get limit() {
        return mostReady();
      },
    };
  }

  /** Null until it has been read, and while the webhook does not exist. */
  get route(): Route | null {
    return this.#route;
  }

  set route(route: Route | null) {
    const before = this.#route;
    this.#route = route;
    if (!route || (before !== null ? before.orderName === route.orderName : route.orderName === ANY_IN_ORDER)) return;
    if (!this.#former && !this.#line.isEmpty) this.#former = this.#line;
    this.#line.drop();
    const { order, recovery, batch: batching } = route;
    this.#line =
      order.kind === 'fifo'
        ? new InOrder(this.#limits, { ...order, batching }, this.#now)
        : new AnyOrder(this.#limits, { freshFirst: recovery === 'fresh-first', batching }, this.#now);
    this.#line.fallBehind();
    this.#settleFormer();
  }

  #settleFormer(): void {
    if (this.#former?.isEmpty) this.#former = null;
  }

  get waiting(): number {
    return this.#line.waiting;
  }

  /** Nothing of it is in memory. */
  get isEmpty(): boolean {
    return this.#line.isEmpty && this.#former === null;
  }

  get behind(): boolean {
    return this.#line.behind;
  }

  get isInOrder(): boolean {
    return this.#route?.order.kind === 'fifo';
  }

  get isBatching(): boolean {
    return (this.#route?.batch ?? null) !== null;
  }

  get isReading(): boolean {
    return this.#line.isReading;
  }

  /** Has its webhook been read since it was last changed? */
  get isRead(): boolean {
    return this.changes > 0 && this.changesRead === this.changes;
  }

  /** Nothing of it is in memory and nothing is expected: it may be forgotten. */
  get isIdle(): boolean {
    const expects = this.behind && (!this.isRead || this.route?.sendable === true);
    const isBusy = this.loading !== null || this.isReading || this.unwritten > 0 || this.underWay > 0;
    return this.isEmpty && !expects && !isBusy && this.due.at === Infinity && this.waitMs <= 0;
  }

  /** How long it is, ms, until the next send may begin, as far as time is concerned; 0 or less: it may by now. */
  get waitMs(): number {
    const pacedUntil = this.#line.hasFresh ? this.#paceUntil : Math.max(this.#paceUntil, this.#rampUntil);
    const from = Math.max(this.quietUntil, this.#line.startsAt);
    return Math.max(from - this.#now(), pacedUntil - this.#clock.monotonic());
  }

  /** Does time stand between two of its sends? */
  get isPaced(): boolean {
    return this.#ramp !== null || (this.#route?.paceMs ?? 0) > 0 || this.isBatching;
  }

  /** May it be sent to at all, by the route as it is known? */
  get isOpen(): boolean {
    return this.#former === null && this.#route !== null && this.#route.sendable && this.changes === this.changesRead;
  }

  isReady(): boolean {
    return this.#line.waiting > 0 && this.isOpen && this.underWay < Math.floor(this.window.size) && this.waitMs <= 0;
  }

  /** Takes a delivery that was just committed, if there is room and the store is not ahead of memory. */
  offer(delivery: PendingDelivery): boolean {
    return this.#line.offer(delivery);
  }

  /** The store has something due that memory has not: only a refill finds it. */
  fallBehind(): void {
    this.#line.fallBehind();
  }

  /** From time to time: the store may have something that nobody spoke of. */
  sweep(): void {
    this.#line.sweep();
  }

  /** Something is due; says when the next will be. */
  ring(): number {
    return this.#line.ring();
  }

  /** The next delivery, now under way. */
  take(): PendingDelivery {
    const delivery = this.#line.take(this.#rampUntil > this.#clock.monotonic());
    this.#began();
    return delivery;
  }

  /** The next batch, now under way, and what it counts for is one request; see {@link Line.takeTogether}. */
  takeTogether(): PendingDelivery[] {
    const taken = this.#line.takeTogether();
    this.#binding.set(taken, new Set());
    this.#began();
    return taken;
  }

  /**
   * Takes the rest of a batch; see {@link Line.claim}. Once for each batch that was taken: with no members where it is
   * given back. Nothing is taken where one of them was forgotten since: it was still open when the members were read.
   */
  claim(members: readonly PendingDelivery[], taken: readonly PendingDelivery[]): boolean {
    const gone = this.#binding.get(taken);
    this.#binding.delete(taken);
    const ours = new Set(taken.map(nameOf));
    const others = members.filter((member) => !ours.has(nameOf(member)));
    const isWhole = members.length > 0 && !others.some((other) => gone?.has(nameOf(other)));
    return isWhole && this.#line.claim(others);
  }

  #began(): void {
    const now = this.#clock.monotonic();
    this.underWay++;
    if (this.#ramp && this.#line.isBacklog) {
      const { paceMs } = this.#ramp;
      this.#rampUntil = Math.max(this.#rampUntil, now - RAMP_BURST * paceMs) + paceMs;
    }
    const paceMs = this.#route?.paceMs ?? 0;
    const slackMs = paceMs < FINE_PACE_MS ? FINE_PACE_MS : 0;
    if (paceMs > 0) this.#paceUntil = Math.max(this.#paceUntil, now - slackMs) + paceMs;
  }

  /** Sends nothing for so long: what stands in the way is not the target's doing. */
  rest(ms: number): void {
    this.#paceUntil = Math.max(this.#paceUntil, this.#clock.monotonic() + ms);
  }

  /** Takes one out to be tried by hand. */
  pull(key: Named, stored: Stored | null): Taken {
    return this.#former ? 'busy' : this.#line.pull(key, stored);
  }

  /** What a try came to, before it is written down: null when it is over. */
  ended(delivery: PendingDelivery, again: PendingDelivery | null): void {
    this.#line.ended(delivery, again);
  }

  /** Forgets a delivery: its settlement is committed, or it was never sent. */
  forget(key: Named): void {
    if (this.#binding.size > 0) for (const gone of this.#binding.values()) gone.add(nameOf(key));
    this.#line.forget(key);
    if (this.#former) {
      this.#former.forget(key);
      this.#settleFormer();
    }
  }

  /** Drops what is ready: it is held, or somebody else's now; the store has it. */
  drop(): void {
    this.due.cancel();
    this.#line.drop();
  }

  /** The page to read next, when there is room for one; marks the reading as begun. */
  beginRefill(): RefillQuery | null {
    return this.#former ? null : this.#line.beginRefill(this);
  }

  /** Takes the page that was read, null when reading failed; says when something will be due. */
  endRefill(page: Refill | null): number {
    const dueAt = this.#line.endRefill(this.route?.sendable ? page : null);
    if (!this.behind && this.waiting === 0) this.#endRamp();
    return dueAt;
  }

  /** A send was answered as it should be. `sentAt`, here and below, is of the monotonic clock. */
  succeeded(of: { sentAt: number; durationMs: number }): void {
    const now = this.#clock.monotonic();
    this.window.succeeded({ ...of, now });
    if (this.#ramp?.succeeded(now)) this.#endRamp();
  }

  #endRamp(): void {
    this.#ramp = null;
    this.#rampUntil = -Infinity;
  }

  /** A send said "too much". */
  overwhelmed(sentAt: number): void {
    const now = this.#clock.monotonic();
    this.window.overwhelmed({ sentAt, now });
    this.#ramp?.failed({ sentAt, now });
  }

  /** A send was not answered. */
  unanswered(sentAt: number): void {
    const now = this.#clock.monotonic();
    this.window.unanswered({ sentAt, now });
    this.#ramp?.failed({ sentAt, now });
  }

  /**
   * Released after having been held: everything due is in the store, and window and pace start low. What the target
   * said by `Retry-After` goes on: neither a resume by hand nor a right answer to a challenge takes its word back.
   */
  release(): void {
    this.window.reset();
    this.#ramp = new Ramp(this.#clock.monotonic());
    this.#rampUntil = -Infinity;
    // Their instants have been moved forward in the store.
    this.#line.drop();
  }
}
