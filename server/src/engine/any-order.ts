// Deliveries in whatever order they come: the line of a webhook that does not ask for more.
//
//   offer ──▶ ready ──take──▶ under way ──settled──▶ gone
//     └ no room, or the store is ahead: `behind`; a refill reads the next page once there is room again
//
// Refills go through what is due page by page. What falls due or is committed meanwhile may lie before the place they
// have got to, so whoever knows of such a delivery calls `fallBehind`: then they go through it all once more.
//
// With `freshFirst` what is published while the store is ahead does not wait behind the backlog: it is taken first,
// three times out of four.
import type { PendingDelivery } from '../model/delivery.ts';
import type { Refill, RefillQuery, TargetKey } from '../store/contract.ts';
import { mostOf, nameOf, type Line, type LineLimits, type Name, type Named, type Taken } from './line.ts';

/** Deliveries that a refill reads at once. */
const PAGE = 250;
/** One in so many goes to the backlog while there is something fresh, so that none waits for ever. */
const BACKLOG_TURN = 4;

/** A queue of deliveries that gives back the room behind its head. */
class Ready {
  readonly #items: PendingDelivery[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  push(delivery: PendingDelivery): void {
    this.#items.push(delivery);
  }

  shift(): PendingDelivery {
    const delivery = this.#items[this.#first++]!;
    if (this.#first > 64 && this.#first * 2 > this.#items.length) {
      this.#items.splice(0, this.#first);
      this.#first = 0;
    }
    return delivery;
  }

  pull(name: Name): PendingDelivery | undefined {
    const at = this.#items.findIndex((one, i) => i >= this.#first && nameOf(one) === name);
    return at < 0 ? undefined : this.#items.splice(at, 1)[0];
  }

  clear(): PendingDelivery[] {
    const rest = this.#items.splice(0).slice(this.#first);
    this.#first = 0;
    return rest;
  }
}

/** See the head of this file. */
export class AnyOrder implements Line {
  readonly #limits: LineLimits;
  readonly #freshFirst: boolean;
  readonly #ready = new Ready();
  readonly #fresh = new Ready();
  readonly #known = new Set<Name>();
  #position: RefillQuery['after'] = null;
  #settledMeanwhile: Set<Name> | null = null;
  #behind = false;
  /** Something may lie before `position`: after the last page comes the first one again. */
  #missed = false;
  /** What is being read was asked for before everything was dropped. */
  #stale = false;
  #turn = 0;
  #isBacklog = false;

  readonly #now: () => number;

  constructor(limits: LineLimits, freshFirst: boolean, now: () => number) {
    this.#limits = limits;
    this.#now = now;
    this.#freshFirst = freshFirst;
  }

  get waiting(): number {
    return this.#ready.length + this.#fresh.length;
  }

  get isEmpty(): boolean {
    return this.#known.size === 0;
  }

  get behind(): boolean {
    return this.#behind;
  }

  get isReading(): boolean {
    return this.#settledMeanwhile !== null;
  }

  get isBacklog(): boolean {
    return this.#isBacklog;
  }

  offer(delivery: PendingDelivery): boolean {
    if (this.waiting >= mostOf(this.#limits) || (this.#behind && !this.#freshFirst)) {
      this.fallBehind();
      return false;
    }
    this.#add(delivery, this.#behind ? this.#fresh : this.#ready);
    return true;
  }

  fallBehind(): void {
    this.#behind = true;
    this.#missed = true;
  }

  sweep(): void {
    this.fallBehind();
  }

  ring(): number {
    this.fallBehind();
    return Infinity;
  }

  #add(delivery: PendingDelivery, to: Ready): void {
    const name = nameOf(delivery);
    if (this.#known.has(name) || this.#settledMeanwhile?.has(name)) return;
    this.#known.add(name);
    this.#limits.room.take(delivery);
    to.push(delivery);
  }

  get hasFresh(): boolean {
    return this.#fresh.length > 0;
  }

  take(freshOnly: boolean): PendingDelivery {
    const isBacklogsTurn = this.hasFresh && !freshOnly && ++this.#turn % BACKLOG_TURN === 0;
    const isFresh = this.#ready.length === 0 || (this.hasFresh && !isBacklogsTurn);
    const delivery = isFresh ? this.#fresh.shift() : this.#ready.shift();
    this.#isBacklog = !isFresh;
    this.#limits.room.give(delivery);
    return delivery;
  }

  pull(key: Named): Taken {
    const name = nameOf(key);
    if (this.#known.has(name)) {
      const pulled = this.#ready.pull(name) ?? this.#fresh.pull(name);
      if (!pulled) return 'busy';
      this.#limits.room.give(pulled);
    }
    this.#known.add(name);
    return 'taken';
  }

  ended(): void {}

  forget(key: Named): void {
    const name = nameOf(key);
    this.#known.delete(name);
    this.#settledMeanwhile?.add(name);
  }

  drop(): void {
    for (const delivery of [...this.#ready.clear(), ...this.#fresh.clear()]) {
      this.#known.delete(nameOf(delivery));
      this.#limits.room.give(delivery);
    }
    this.#position = null;
    this.#stale = this.isReading;
    this.fallBehind();
  }

  beginRefill({ workspace, target }: TargetKey): RefillQuery | null {
    const limit = Math.min(PAGE, mostOf(this.#limits));
    if (!this.#behind || this.isReading || this.#ready.length > limit / 2) return null;
    this.#settledMeanwhile = new Set();
    if (this.#position === null) this.#missed = false;
    return { workspace, target, now: this.#now(), by: 'due', after: this.#position, limit };
  }

  endRefill(page: Refill | null): number {
    if (page && !this.#stale) {
      for (const delivery of page.deliveries) this.#add(delivery, this.#ready);
      const last = page.deliveries.at(-1);
      this.#position = page.more && last ? { dueAt: last.dueAt, event: last.event, copy: last.copy } : null;
      this.#behind = page.more || this.#missed;
    }
    this.#stale = false;
    this.#settledMeanwhile = null;
    return page?.nextDueAt ?? Infinity;
  }
}
