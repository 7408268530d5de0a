// Deliveries in whatever order they come: the line of a webhook that does not ask for more.
//
//   offer ──▶ ready ──take──▶ under way ──settled──▶ gone
//     └ no room, or the store is ahead: `behind`; a refill reads the next page once there is room again
//
// Refills go through what is due page by page. What falls due or is committed meanwhile may lie before the place they
// have got to, so whoever knows of such a delivery calls `fallBehind`: then they go through it all once more.
//
// A batch that was tried before is known here by one of its members: the others are read when it goes again.
//
// With `freshFirst` what is published while the store is ahead does not wait behind the backlog: it is taken first,
// three times out of four.
import { companyUntil, countTogether, type Batching } from '../model/batch.ts';
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
  #bytes = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  /** Of all envelopes. */
  get bytes(): number {
    return this.#bytes;
  }

  push(delivery: PendingDelivery): void {
    this.#items.push(delivery);
    this.#bytes += delivery.carried.envelope.length;
  }

  first(count: number): PendingDelivery[] {
    return this.#items.slice(this.#first, this.#first + count);
  }

  shift(): PendingDelivery {
    const delivery = this.#items[this.#first++]!;
    this.#bytes -= delivery.carried.envelope.length;
    if (this.#first > 64 && this.#first * 2 > this.#items.length) {
      this.#items.splice(0, this.#first);
      this.#first = 0;
    }
    return delivery;
  }

  pull(name: Name): PendingDelivery | undefined {
    const at = this.#items.findIndex((one, i) => i >= this.#first && nameOf(one) === name);
    const pulled = at < 0 ? undefined : this.#items.splice(at, 1)[0];
    if (pulled) this.#bytes -= pulled.carried.envelope.length;
    return pulled;
  }

  clear(): PendingDelivery[] {
    const rest = this.#items.splice(0).slice(this.#first);
    this.#first = 0;
    this.#bytes = 0;
    return rest;
  }
}

/** What is wished for beside any order. */
interface Wish {
  freshFirst: boolean;
  batching: Batching | null;
}

/** See the head of this file. */
export class AnyOrder implements Line {
  readonly #limits: LineLimits;
  readonly #freshFirst: boolean;
  readonly #batching: Batching | null;
  readonly #ready = new Ready();
  readonly #fresh = new Ready();
  /** One delivery of each batch that was tried before, and the numbers of these batches until they are settled. */
  readonly #again = new Ready();
  readonly #batches = new Set<number>();
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

  constructor(limits: LineLimits, { freshFirst, batching }: Wish, now: () => number) {
    this.#limits = limits;
    this.#now = now;
    this.#freshFirst = freshFirst && batching === null;
    this.#batching = batching;
  }

  get waiting(): number {
    return this.#ready.length + this.#fresh.length + this.#again.length;
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
    if (delivery.batch !== null && this.#batching !== null) {
      if (this.#batches.has(delivery.batch)) return;
      this.#batches.add(delivery.batch);
      to = this.#again;
    }
    this.#known.add(name);
    this.#limits.room.take(delivery);
    to.push(delivery);
  }

  get hasFresh(): boolean {
    return this.#fresh.length > 0;
  }

  take(freshOnly: boolean): PendingDelivery {
    const isBacklogsTurn = this.hasFresh && !freshOnly && ++this.#turn % BACKLOG_TURN === 0;
    const backlog = this.#again.length > 0 ? this.#again : this.#ready;
    const isFresh = backlog.length === 0 || (this.hasFresh && !isBacklogsTurn);
    const delivery = isFresh ? this.#fresh.shift() : backlog.shift();
    this.#isBacklog = !isFresh;
    this.#limits.room.give(delivery);
    return delivery;
  }

  /** How many make a batch, as far as memory reaches. */
  #fullAt({ events }: Batching): number {
    return Math.min(events, mostOf(this.#limits));
  }

  get startsAt(): number {
    const batching = this.#batching;
    if (batching === null || this.#again.length > 0) return 0;
    const { length, bytes } = this.#ready;
    if (length === 0 || length >= this.#fullAt(batching) || bytes + length >= batching.bytes) return 0;
    return companyUntil(batching, this.#ready.first(1)[0]!, this.#now());
  }

  takeTogether(): PendingDelivery[] {
    const { events } = this.#batching!;
    if (this.#again.length > 0) return [this.take(false)];
    // All that is ready has been due before, whatever the clock says by now.
    const count = countTogether(this.#batching!, this.#ready.first(events), Infinity);
    return Array.from({ length: count }, () => this.take(false));
  }

  claim(others: readonly PendingDelivery[]): boolean {
    const names = others.map(nameOf);
    if (names.some((name) => this.#known.has(name))) return false;
    for (const name of names) this.#known.add(name);
    return true;
  }

  pull(key: Named): Taken {
    const name = nameOf(key);
    if (this.#known.has(name)) {
      const pulled = this.#ready.pull(name) ?? this.#fresh.pull(name) ?? this.#again.pull(name);
      if (!pulled) return 'busy';
      if (pulled.batch !== null) this.#batches.delete(pulled.batch);
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
    if (typeof key.batch === 'number') this.#batches.delete(key.batch);
  }

  drop(): void {
    for (const delivery of [...this.#ready.clear(), ...this.#fresh.clear(), ...this.#again.clear()]) {
      this.#known.delete(nameOf(delivery));
      if (delivery.batch !== null) this.#batches.delete(delivery.batch);
      this.#limits.room.give(delivery);
    }
    this.#position = null;
    this.#stale = this.isReading;
    this.fallBehind();
  }

  beginRefill({ workspace, target }: TargetKey): RefillQuery | null {
    const limit = Math.min(PAGE, mostOf(this.#limits));
    // Half a page is enough, unless a batch takes more.
    const enough = Math.max(limit / 2, this.#batching === null ? 0 : this.#fullAt(this.#batching) - 1);
    if (!this.#behind || this.isReading || this.#ready.length > enough) return null;
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
