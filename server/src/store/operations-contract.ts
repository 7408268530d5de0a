// The part of the store's contract about operations: recover, replay, redrive, chunk by chunk.
import type { DeliveryKey } from '../model/ids.ts';
import type { OperationKind, OperationState } from '../model/operation.ts';
import type { OwnedLane } from './lane-contract.ts';

/** A place in the order of deliveries; for a replay only the event counts. */
export type DeliveryPosition = Pick<DeliveryKey, 'event' | 'target' | 'copy'>;

/** What an operation was asked to do. Instants epoch ms. */
export interface OperationWish {
  workspace: number;
  kind: OperationKind;
  /** Null is every webhook (redrive only). */
  webhook: number | null;
  /** Events accepted at or after; for a redrive: dead letters that ended at or after. */
  since: number | null;
  /** The same, before. */
  until: number | null;
  /** Replay: an exact type or a pattern; null is what the webhook is subscribed to when a chunk is made. */
  type: string | null;
  /** Replay: a filter as subscriptions have them. */
  filter: string | null;
  /** Deliveries per second. */
  pace: number;
  /** A sentence for whoever asked, or null. */
  note: string | null;
}

/** An operation as it is read. */
export interface StoredOperation extends OperationWish {
  operation: number;
  state: OperationState;
  /** Why it was cancelled or failed, or null. */
  reason: string | null;
  /** Events from here (exclusive) up to there (inclusive) are looked at. */
  from: number;
  upTo: number;
  /** The last place that was looked at. */
  cursor: DeliveryPosition;
  /** Chunks so far: the compare-and-set of `advance`. */
  chunks: number;
  looked: number;
  /** Made due now, or copied. The rest of `looked` was skipped. */
  released: number;
  /** The next chunk is planned for this instant. */
  nextAt: number;
  createdAt: number;
  updatedAt: number;
  endedAt: number | null;
}

/** An operation that is running, and the lane whose owner runs it: its webhook's, or one of its own. */
export interface RunningOperation extends StoredOperation {
  lane: number;
}

/** How operations are listed: the newest first. */
export interface OperationsQuery {
  workspace: number;
  state?: OperationState | undefined;
  webhook?: number | undefined;
  /** Exclusive bound: the last number of the page before. */
  cursor: number | null;
  limit: number;
}

/** What is asked of an operation that is to go on. */
export interface AheadQuery {
  operation: StoredOperation;
  /** Deliveries to be made due, at most. */
  limit: number;
  now: number;
}

/** What an operation has before it. */
export interface Ahead {
  /** Deliveries to be made due. */
  keys: DeliveryKey[];
  /** Deliveries seen up to `cursor`. */
  looked: number;
  cursor: DeliveryPosition;
  /** Nothing comes after it. */
  ended: boolean;
}

/** One chunk of an operation: what it does, and where it is afterwards. */
export interface OperationChunk {
  /** As it was read: a chunk that somebody else has done meanwhile is not done again. */
  operation: StoredOperation;
  /** The lane under which it runs; a former owner is refused. */
  lane: OwnedLane;
  /** Deliveries to be made due now, whatever waits or is dead of them. */
  release: readonly DeliveryKey[];
  /** Events to be sent to the operation's webhook once more, as copies. */
  copy: readonly number[];
  looked: number;
  cursor: DeliveryPosition;
  ended: boolean;
  now: number;
}

/** Long actions on many deliveries. The cursor moves in the transaction that does what it passes. */
export interface Operations {
  /** Begins one. Refuses `operation-running` while one of its kind runs for its webhook, and names that one. */
  begin(wish: OperationWish, now: number): Promise<StoredOperation>;
  one(workspace: number, operation: number): Promise<StoredOperation | null>;
  list(query: OperationsQuery): Promise<StoredOperation[]>;
  /** All that run, of every workspace. */
  running(): Promise<RunningOperation[]>;
  /** Reads what a recover or a redrive has before it, what waits or is dead. Off the hot thread. */
  ahead(query: AheadQuery): Promise<Ahead>;
  /** Does a chunk. Null, and nothing done, when it has ended, is somebody else's, or has moved meanwhile. */
  advance(chunk: OperationChunk): Promise<StoredOperation | null>;
  /** Lets a running one rest, or a resting one go on; one that has ended stays as it is. Refuses `not-found`. */
  pause(
    key: { workspace: number; operation: number },
    pause: { paused: boolean; now: number },
  ): Promise<StoredOperation>;
  /** Ends one that has not ended yet; one that has stays as it is. Refuses `not-found`. */
  end(key: { workspace: number; operation: number }, end: OperationEnd): Promise<StoredOperation>;
}

/** How an operation ends before its end. */
export interface OperationEnd {
  state: 'cancelled' | 'failed';
  reason: string;
  now: number;
}
