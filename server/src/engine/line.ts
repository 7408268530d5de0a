// A line: those of a target's open deliveries that memory has, and how the others are read from the store.
//
// There are two kinds: any-order.ts and in-order.ts. Both hold what is ready or under way by name until its settlement
// is committed, so that a reading that brings an open row again finds it there; what is settled while a page is read is
// remembered until that reading ends, for the same reason.
import type { PendingDelivery } from '../model/delivery.ts';
import type { Refill, RefillQuery, TargetKey } from '../store/contract.ts';

/** Names a delivery within its target. */
export type Name = number | string;

/** What a line needs to know of a delivery to find it. */
export interface Named {
  event: number;
  copy: number;
  /** Its batch, where it is known. */
  batch?: number | null;
}

// The copy is 0 for all but replays: a number is cheaper in a set than a text.
export function nameOf({ event, copy }: Named): Name {
  return copy === 0 ? event : `${event}/${copy}`;
}

/** Where a delivery stands when somebody wants to try it by hand. */
export type Taken =
  /** It is theirs until `forget`. */
  | 'taken'
  /** It is being sent, or what came of that is being written down. */
  | 'busy'
  /** An earlier one of its key must go first. */
  | 'in-turn';

/** A delivery as the store has it. */
export interface Stored {
  delivery: PendingDelivery;
  isOpen: boolean;
}

/** A line. Times are epoch ms. */
export interface Line {
  /** Deliveries that may be taken now. */
  readonly waiting: number;
  /** Nothing is in memory: neither ready nor waiting nor under way. */
  readonly isEmpty: boolean;
  /** The store may have deliveries to send that memory has not. */
  readonly behind: boolean;
  readonly isReading: boolean;
  /** Takes a delivery that was just committed; false when it is left to the store. */
  offer(delivery: PendingDelivery): boolean;
  /** The store has something due that memory has not: only a reading finds it. */
  fallBehind(): void;
  /** From time to time: the store may have something that nobody spoke of. */
  sweep(): void;
  /** Time has come for something; says when it will come next (Infinity: never). */
  ring(): number;
  /** Does something wait that was published while there was a backlog, and need not wait for that? */
  readonly hasFresh: boolean;
  /** The next delivery, now under way. With `freshOnly` the backlog has to wait, if there is something fresh. */
  take(freshOnly: boolean): PendingDelivery;
  /** When what waits may go, where batches are wished for and none is full yet (epoch ms); 0 at once. */
  readonly startsAt: number;
  /**
   * The next batch, now under way: what makes a new one, or one of those that belong to the same one already. Only where
   * batches are wished for.
   */
  takeTogether(): PendingDelivery[];
  /**
   * Takes the rest of a batch of which some were taken: all of them or, when somebody tries one of them by hand, none. That
   * one is about to leave the batch, which must not be sent without it before.
   */
  claim(others: readonly PendingDelivery[]): boolean;
  /** Does the delivery taken last belong to the backlog? */
  readonly isBacklog: boolean;
  /** Takes one delivery out to be tried by hand; with what the store says of it, which lines in order ask for. */
  pull(key: Named, stored: Stored | null): Taken;
  /** What a try came to, before it is written down: null when it is over, or when it is due again. */
  ended(delivery: PendingDelivery, again: PendingDelivery | null): void;
  /** Forgets a delivery: its settlement is committed, or it was never sent. */
  forget(key: Named): void;
  /** Drops what is ready: it is held, or somebody else's now; the store has it. */
  drop(): void;
  /** The page to read next, when there is room for one; marks the reading as begun. */
  beginRefill(key: TargetKey): RefillQuery | null;
  /** Takes the page that was read, null when reading failed; says when something will be due (Infinity: never). */
  endRefill(page: Refill | null): number;
}

/** The memory that the lines share. Every delivery counts with its whole event, though deliveries of one share it. */
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

/** Bounds of a line. */
export interface LineLimits {
  /** Deliveries ready in memory. */
  limit: number;
  /** Bytes that all lines together may hold ready. */
  room: Room;
}

/** Deliveries that a line may hold even when there is no room: nobody is starved by the backlog of others. */
const ALWAYS = 16;

/** How many deliveries a line may hold at present. */
export function mostOf({ limit, room }: LineLimits): number {
  return room.isFull ? Math.min(ALWAYS, limit) : limit;
}
