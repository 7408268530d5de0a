// One target's queue: what of its deliveries is in memory, how many are under way, what memory does not have.
//
// The store has every open delivery; memory has at most `limit` of them ready to go.
//
//   offer ──▶ ready ──take──▶ under way ──settled──▶ gone
//     └ no room, or the store is ahead: `behind`; a refill reads the next page once there is room again
//
// Refills go through what is due page by page. What falls due or is committed meanwhile may lie before the place they
// have got to, so whoever knows of such a delivery calls `fallBehind`: then they go through it all once more.
//
// `known` holds what is ready or under way, until its settlement is committed: a refill that reads an open row again
// finds it there. What is settled while a refill reads is remembered until that reading ends, for the same reason.
import type { PendingDelivery } from '../model/delivery.ts';
import { narrow, openWindow, widen, type Window, type WindowLimits } from '../model/window.ts';
import type { Refill, RefillQuery, TargetKey } from '../store/contract.ts';
import type { Route } from './route.ts';
import type { Taker } from './turns.ts';

/** Bounds of a queue. */
export interface QueueLimits {
  /** Deliveries ready in memory. */
  limit: number;
  window: WindowLimits;
  /** Bytes that all queues together may hold ready. */
  room: Room;
}

/** The memory that the queues share. Every delivery counts with its whole event, though deliveries of one share it. */
export class Room {
  readonly #most: number;
  #used = 0;

  constructor(mostBytes: number) {
    this.#most = mostBytes;
  }

  get isFull(): boolean {
    return this.#used >= this.#most;
  }

  take({ carried }: PendingDelivery): void {
    this.#used += carried.envelope.length;
  }

  give({ carried }: PendingDelivery): void {
    this.#used -= carried.envelope.length;
  }
}

/** Deliveries that a refill reads at once. */
const PAGE = 250;
/** Deliveries that a queue may hold even when there is no room: nobody is starved by the backlog of others. */
const ALWAYS = 16;

/** Names a delivery within its target. */
type Name = number | string;

/** The deliveries of one target that memory knows. */
export class TargetQueue implements Taker, TargetKey {
  readonly workspace: number;
  readonly target: number;
  readonly #limits: QueueLimits;
  /** Null until it has been read, and while the webhook does not exist. */
  route: Route | null = null;
  window: Window;
  /** Nothing is sent before this instant (epoch ms): the target's own word (`Retry-After`). */
  quietUntil = 0;
  /** When the store's next delivery that is not due yet will be (epoch ms). */
  nextDueAt = Infinity;
  underWay = 0;
  /** Changes of the webhook heard of, and how many of them the route knows: nothing is sent by an old one. */
  changes = 0;
  changesRead = 0;
  /** The reading that is under way. */
  loading: Promise<void> | null = null;
  /** Changes of its state that were judged here and are on their way to the store. */
  unwritten = 0;
  readonly #ready: PendingDelivery[] = [];
  #first = 0;
  readonly #known = new Set<Name>();
  #position: RefillQuery['after'] = null;
  #settledMeanwhile: Set<Name> | null = null;
  #behind = false;
  /** Something may lie before `position`: after the last page comes the first one again. */
  #missed = false;
  /** What is being read was asked for before everything was dropped. */
  #stale = false;
  readonly #now: () => number;

  constructor({ workspace, target }: TargetKey, limits: QueueLimits, now: () => number) {
    this.workspace = workspace;
    this.target = target;
    this.#limits = limits;
    this.#now = now;
    this.window = openWindow(limits.window);
  }

  get waiting(): number {
    return this.#ready.length - this.#first;
  }

  /** Nothing of it is ready or under way. */
  get isEmpty(): boolean {
    return this.waiting === 0 && this.underWay === 0;
  }

  /** The store may have due deliveries that memory does not. */
  get behind(): boolean {
    return this.#behind;
  }

  /** Nothing of it is in memory and nothing is expected: it may be forgotten. */
  get isIdle(): boolean {
    const isExpecting = this.#behind && this.route?.sendable === true;
    return this.#known.size === 0 && !isExpecting && !this.isReading && this.nextDueAt === Infinity;
  }

  get isReading(): boolean {
    return this.#settledMeanwhile !== null;
  }

  isReady(): boolean {
    return (
      this.waiting > 0 &&
      this.route !== null &&
      this.route.sendable &&
      this.changes === this.changesRead &&
      this.underWay < Math.floor(this.window.size) &&
      this.quietUntil <= this.#now()
    );
  }

  /** Takes a delivery that was just committed, if there is room and the store is not ahead of memory. */
  offer(delivery: PendingDelivery): boolean {
    if (this.#behind || this.waiting >= this.#most) {
      this.fallBehind();
      return false;
    }
    this.#add(delivery);
    return true;
  }

  /** The store has something due that memory has not: only a refill finds it. */
  fallBehind(): void {
    this.#behind = true;
    this.#missed = true;
  }

  get #most(): number {
    return this.#limits.room.isFull ? ALWAYS : this.#limits.limit;
  }

  #add(delivery: PendingDelivery): void {
    const name = nameOf(delivery);
    if (this.#known.has(name) || this.#settledMeanwhile?.has(name)) return;
    this.#known.add(name);
    this.#limits.room.take(delivery);
    this.#ready.push(delivery);
  }

  /** The next delivery, now under way. */
  take(): PendingDelivery {
    const delivery = this.#ready[this.#first]!;
    this.#limits.room.give(delivery);
    this.#first++;
    if (this.#first > 64 && this.#first * 2 > this.#ready.length) {
      this.#ready.splice(0, this.#first);
      this.#first = 0;
    }
    this.underWay++;
    const paceMs = this.route?.paceMs ?? 0;
    if (paceMs > 0) this.quietUntil = Math.max(this.quietUntil, this.#now()) + paceMs;
    return delivery;
  }

  /** Is it in memory, ready or under way? */
  knows(delivery: { event: number; copy: number }): boolean {
    return this.#known.has(nameOf(delivery));
  }

  /** Keeps a refill from bringing a delivery in while it is tried by hand. */
  reserve(delivery: { event: number; copy: number }): void {
    this.#known.add(nameOf(delivery));
  }

  /** Forgets a delivery: its settlement is committed, or it was never sent. */
  forget(delivery: { event: number; copy: number }): void {
    const name = nameOf(delivery);
    this.#known.delete(name);
    this.#settledMeanwhile?.add(name);
  }

  /** Drops what is ready: it is held, or somebody else's now; the store has it. */
  drop(): void {
    for (const delivery of this.#ready.splice(0).slice(this.#first)) {
      this.#known.delete(nameOf(delivery));
      this.#limits.room.give(delivery);
    }
    this.#first = 0;
    this.#position = null;
    this.nextDueAt = Infinity;
    this.#stale = this.isReading;
    this.fallBehind();
  }

  /** The page to read next, when there is room for one; marks the reading as begun. */
  beginRefill(): RefillQuery | null {
    const limit = Math.min(PAGE, this.#most);
    if (!this.#behind || this.isReading || this.waiting > limit / 2) return null;
    this.#settledMeanwhile = new Set();
    if (this.#position === null) this.#missed = false;
    const { workspace, target } = this;
    return { workspace, target, now: this.#now(), after: this.#position, limit };
  }

  /** Takes the page that was read; null when reading failed. */
  endRefill(page: Refill | null): void {
    if (page && !this.#stale && this.route?.sendable) {
      for (const delivery of page.deliveries) this.#add(delivery);
      const last = page.deliveries.at(-1);
      this.#position = page.more && last ? { dueAt: last.dueAt, event: last.event, copy: last.copy } : null;
      this.#behind = page.more || this.#missed;
    }
    this.#stale = false;
    this.#settledMeanwhile = null;
  }

  /** A send came back well. */
  succeeded(): void {
    this.window = widen(this.window, this.#limits.window);
  }

  /** A send said "too much". */
  overwhelmed(sentAt: number): void {
    this.window = narrow(this.window, this.#limits.window, { sentAt, now: this.#now() });
  }

  /** Released after having been held: everything due is in the store, and the pace starts low. */
  release(): void {
    this.window = openWindow(this.#limits.window);
    this.quietUntil = 0;
    this.fallBehind();
  }
}

// The copy is 0 for all but replays: a number is cheaper in a set than a text.
function nameOf({ event, copy }: { event: number; copy: number }): Name {
  return copy === 0 ? event : `${event}/${copy}`;
}
