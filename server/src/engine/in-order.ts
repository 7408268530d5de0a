// Deliveries in the order of their events: the line of a webhook that asks for fifo, as a whole or by a key.
//
//   the store, by event number ──▶ each key's own queue ──first, when it is due──▶ under way ──over──▶ the next
//                                        └ failed: first again, when its time has come
//
// What a key has in memory is always the first of what it has in the store, without a gap: so deliveries are never
// taken from a commit directly (another node's, or an earlier one, might be missing) but always read, by number, from a
// position up to which everything open is known or noted as left behind. A key that waits keeps only its first
// delivery here; where the rest begins is noted (`leftFrom`), and the reading goes back there when the key moves again.
// With batches (only without a key) one batch is under way at a time: the first ones of the line, as many as go together.
// What comes late (a replay, a redrive, the rest of a fan-out above the limit) goes first in its key.
import { companyUntil, countTogether, type Batching } from '../model/batch.ts';
import type { PendingDelivery } from '../model/delivery.ts';
import { lineOf, PARKED_AT, type Fifo } from '../model/order.ts';
import type { Refill, RefillQuery, TargetKey } from '../store/contract.ts';
import { mostOf, nameOf, type Line, type LineLimits, type Name, type Named, type Stored, type Taken } from './line.ts';

/** Deliveries that a refill reads at once. */
const PAGE = 500;
/** Of one key in memory, where there are several. */
const PER_KEY = 64;

interface Key {
  name: string;
  /** In the order of their events. */
  waiting: PendingDelivery[];
  /** How many are under way, or failed and not yet written down: more than one are a batch. */
  busy: number;
  /** What failed, as it will be tried again once that is written down. */
  again: Map<Name, PendingDelivery>;
  /** The first event of it that was passed over by the reading. */
  leftFrom: number | null;
  isReady: boolean;
}

/** The order, and batches beside it. */
interface Wish extends Pick<Fifo, 'key' | 'onFailure'> {
  batching?: Batching | null;
}

/** See the head of this file. */
export class InOrder implements Line {
  readonly #limits: LineLimits;
  readonly #by: string | null;
  readonly #parks: boolean;
  readonly #batching: Batching | null;
  readonly #now: () => number;
  readonly #keys = new Map<string, Key>();
  readonly #busy = new Map<Name, Key>();
  readonly #known = new Set<Name>();
  /** Keys whose first delivery may go, in turn. */
  #ready: Key[] = [];
  #held = 0;
  #position: { event: number; copy: number } | null = null;
  #settledMeanwhile: Set<Name> | null = null;
  #behind = true;
  #missed = false;
  #stale = false;

  readonly hasFresh = false;
  readonly isBacklog = true;

  constructor(limits: LineLimits, { key, onFailure, batching }: Wish, now: () => number) {
    this.#limits = limits;
    this.#by = key;
    this.#parks = onFailure === 'park';
    this.#batching = batching ?? null;
    this.#now = now;
  }

  get waiting(): number {
    return this.#ready.length;
  }

  get isEmpty(): boolean {
    return this.#known.size === 0;
  }

  get behind(): boolean {
    // With one line there is nothing to find beyond what is left.
    return this.#behind && !(this.#by === null && (this.#keys.get('')?.leftFrom ?? null) !== null);
  }

  get isReading(): boolean {
    return this.#settledMeanwhile !== null;
  }

  offer({ event }: PendingDelivery): boolean {
    if (this.#position !== null && event <= this.#position.event) this.#rewind(event);
    this.#behind = true;
    this.#missed = this.isReading;
    return false;
  }

  fallBehind(): void {
    this.#rewind(0);
  }

  sweep(): void {
    if (this.isEmpty) this.#rewind(0);
    else this.#behind = true;
  }

  ring(): number {
    let next = Infinity;
    for (const key of this.#keys.values()) {
      this.#makeReady(key);
      const dueAt = key.isReady || key.busy > 0 ? Infinity : (key.waiting[0]?.dueAt ?? Infinity);
      if (dueAt < next && dueAt < PARKED_AT) next = dueAt;
    }
    return next;
  }

  take(): PendingDelivery {
    const key = this.#ready.shift()!;
    key.isReady = false;
    return this.#begin(key);
  }

  #begin(key: Key): PendingDelivery {
    const delivery = this.#takeFirst(key);
    this.#setBusy(key, nameOf(delivery));
    return delivery;
  }

  get startsAt(): number {
    const batching = this.#batching;
    const [key] = this.#ready;
    if (batching === null || !key) return 0;
    const { waiting } = key;
    const isFull = waiting.length >= Math.min(batching.events, mostOf(this.#limits));
    // What cannot join it ends a batch, too.
    if (isFull || waiting[0]!.batch !== null || countTogether(batching, waiting, this.#now()) < waiting.length)
      return 0;
    return companyUntil(batching, waiting[0]!, this.#now());
  }

  takeTogether(): PendingDelivery[] {
    const key = this.#ready.shift()!;
    key.isReady = false;
    const count = countTogether(this.#batching!, key.waiting, this.#now());
    return Array.from({ length: count }, () => this.#begin(key));
  }

  claim(others: readonly PendingDelivery[]): boolean {
    // There is one line, and a batch of it is under way.
    const key = this.#keys.get('')!;
    for (const other of others) {
      const name = nameOf(other);
      const at = key.waiting.findIndex((one) => nameOf(one) === name);
      if (at >= 0) this.#takeAt(key, at);
      this.#known.add(name);
      this.#setBusy(key, name);
    }
    if (key.waiting.length === 0 && key.leftFrom !== null) this.#rewind(key.leftFrom);
    return true;
  }

  pull(of: Named, stored: Stored | null): Taken {
    const name = nameOf(of);
    if (!stored) return 'taken';
    const { delivery, isOpen } = stored;
    if (this.#busy.has(name)) return 'busy';
    const key = this.#keyOf(lineOf(delivery.carried.envelope, this.#by));
    if (key.busy > 0) return 'busy';
    const [first] = key.waiting;
    const isFirst = first !== undefined && nameOf(first) === name;
    if (isOpen && !isFirst && (first !== undefined || this.#behind || key.leftFrom !== null)) return 'in-turn';
    if (isFirst) this.#takeFirst(key);
    this.#unready(key);
    this.#known.add(name);
    this.#setBusy(key, name);
    return 'taken';
  }

  ended(delivery: PendingDelivery, again: PendingDelivery | null): void {
    const name = nameOf(delivery);
    const key = this.#busy.get(name);
    if (!key) return;
    if (again) key.again.set(name, again);
    else this.#free(key, name);
  }

  forget(of: Named): void {
    const name = nameOf(of);
    const key = this.#busy.get(name);
    this.#known.delete(name);
    this.#settledMeanwhile?.add(name);
    if (!key) return;
    const again = key.again.get(name);
    if (again) this.#insert(key, again);
    else {
      // Tried by hand: whether it is still open, and so the first, the store knows.
      this.#clear(key);
      this.#rewind(of.event);
    }
    this.#free(key, name);
  }

  drop(): void {
    for (const key of this.#keys.values()) {
      this.#clear(key);
      key.leftFrom = null;
      this.#tidy(key);
    }
    this.#ready = [];
    this.#rewind(0);
  }

  beginRefill({ workspace, target }: TargetKey): RefillQuery | null {
    const most = mostOf(this.#limits);
    // Half of what there is room for is enough, unless a batch takes more.
    const enough = Math.max(most / 2, Math.min(this.#batching?.events ?? 0, most) - 1);
    if (!this.behind || this.isReading || this.#held > enough) return null;
    this.#settledMeanwhile = new Set();
    this.#missed = false;
    const after = this.#position && { dueAt: 0, ...this.#position };
    const now = this.#now();
    return { workspace, target, now, by: 'event', after, limit: Math.min(PAGE, most - this.#held) };
  }

  endRefill(page: Refill | null): number {
    if (page && !this.#stale) {
      for (const delivery of page.deliveries) {
        // Parked under a former order: nobody parks any more.
        const isLeftOver = delivery.dueAt === PARKED_AT && !this.#parks;
        this.#add(isLeftOver ? { ...delivery, dueAt: 0 } : delivery);
      }
      const last = page.deliveries.at(-1);
      if (last) this.#position = { event: last.event, copy: last.copy };
      this.#behind = page.more || this.#missed;
    }
    this.#stale = false;
    this.#settledMeanwhile = null;
    return this.ring();
  }

  /* ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────── */

  #keyOf(name: string): Key {
    let key = this.#keys.get(name);
    if (!key) {
      key = { name, waiting: [], busy: 0, again: new Map(), leftFrom: null, isReady: false };
      this.#keys.set(name, key);
    }
    return key;
  }

  #add(delivery: PendingDelivery): void {
    const name = nameOf(delivery);
    if (this.#known.has(name) || this.#settledMeanwhile?.has(name)) return;
    const key = this.#keyOf(lineOf(delivery.carried.envelope, this.#by));
    if (key.leftFrom !== null && delivery.event >= key.leftFrom) return;
    const [first] = key.waiting;
    const isLast = first !== undefined && isBefore(key.waiting.at(-1)!, delivery);
    const isFull = this.#by !== null && key.waiting.length >= PER_KEY;
    if (isLast && (isFull || (key.busy === 0 && first.dueAt > this.#now()))) key.leftFrom = delivery.event;
    else {
      this.#insert(key, delivery);
      this.#makeReady(key);
    }
  }

  #insert(key: Key, delivery: PendingDelivery): void {
    let at = key.waiting.length;
    while (at > 0 && isBefore(delivery, key.waiting[at - 1]!)) at--;
    key.waiting.splice(at, 0, delivery);
    if (at === 0) this.#unready(key);
    this.#known.add(nameOf(delivery));
    this.#limits.room.take(delivery);
    this.#held++;
  }

  #makeReady(key: Key): void {
    if (key.isReady || key.busy > 0 || key.waiting.length === 0 || key.waiting[0]!.dueAt > this.#now()) return;
    key.isReady = true;
    this.#ready.push(key);
  }

  #unready(key: Key): void {
    if (!key.isReady) return;
    key.isReady = false;
    this.#ready.splice(this.#ready.indexOf(key), 1);
  }

  #setBusy(key: Key, name: Name): void {
    key.busy++;
    this.#busy.set(name, key);
  }

  #takeFirst(key: Key): PendingDelivery {
    const delivery = this.#takeAt(key, 0);
    if (key.waiting.length === 0 && key.leftFrom !== null) this.#rewind(key.leftFrom);
    return delivery;
  }

  #takeAt(key: Key, at: number): PendingDelivery {
    const delivery = at === 0 ? key.waiting.shift()! : key.waiting.splice(at, 1)[0]!;
    this.#limits.room.give(delivery);
    this.#held--;
    return delivery;
  }

  // The next one of it may go, when this was the last of a batch.
  #free(key: Key, name: Name): void {
    this.#busy.delete(name);
    key.again.delete(name);
    key.busy--;
    this.#makeReady(key);
    this.#tidy(key);
  }

  #clear(key: Key): void {
    this.#unready(key);
    for (const delivery of key.waiting.splice(0)) {
      this.#known.delete(nameOf(delivery));
      this.#limits.room.give(delivery);
      this.#held--;
    }
  }

  #tidy(key: Key): void {
    if (key.waiting.length === 0 && key.busy === 0 && key.leftFrom === null) this.#keys.delete(key.name);
  }

  // Reads again from this event on. What is being read is of no use then.
  #rewind(event: number): void {
    this.#behind = true;
    this.#stale = this.isReading;
    if (this.#position !== null && this.#position.event >= event) {
      this.#position = event === 0 ? null : { event: event - 1, copy: Number.MAX_SAFE_INTEGER };
    }
    const from = this.#position?.event ?? -1;
    for (const key of this.#keys.values()) {
      if (key.leftFrom !== null && key.leftFrom > from) key.leftFrom = null;
    }
  }
}

function isBefore(a: Named, b: Named): boolean {
  return a.event < b.event || (a.event === b.event && a.copy < b.copy);
}
