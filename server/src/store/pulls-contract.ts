// The part of the store's contract about webhooks that fetch their deliveries themselves, by leases.
import type { DeliveryKey } from '../model/ids.ts';
import type { TargetKey } from './log-contract.ts';

/** What a consumer asks for. Spans in ms. */
export interface PullQuery extends TargetKey {
  /** Deliveries at most; fewer when their events are large. */
  limit: number;
  leaseMs: number;
  /** A delivery that was handed out this often becomes a dead letter instead of being handed out again. */
  mostTries: number;
  now: number;
}

/** What a consumer gets. */
export interface Pulled {
  deliveries: LeasedDelivery[];
  /** When the next delivery falls due or its lease ends, if that is known; null when nothing is open. */
  nextDueAt: number | null;
}

/** A delivery in somebody's hands. */
export interface LeasedDelivery extends DeliveryKey {
  lease: string;
  leasedUntil: number;
  /** Counts from 1 within the delivery. */
  attempt: number;
  createdAt: number;
  acceptedAt: number;
  trace: string | null;
  type: string;
  envelope: Uint8Array;
}

/** A delivery with the lease under which somebody speaks of it. */
export interface LeaseClaim extends DeliveryKey {
  lease: string;
}

/** What became of one claim. */
export type LeaseVerdict =
  | 'done'
  /** There is no such delivery of this target. */
  | 'not-found'
  /** It was acknowledged before. */
  | 'already-delivered'
  /** The lease is somebody else's, or was given back. */
  | 'lease-lost'
  /** Too late: the delivery is, or will be, handed out again. */
  | 'lease-expired';

/** Several claims of one target's deliveries at once; each is judged for itself. */
export interface LeaseBatch extends TargetKey {
  claims: readonly LeaseClaim[];
  now: number;
}

/** Deliveries that are given back. */
export interface Return extends LeaseBatch {
  /** What went wrong, in words. */
  reason: string;
  /** When they are handed out again, or null: as the plan has it. */
  delayMs: number | null;
  /** The waits between tries; after the last one a delivery that is given back is a dead letter. */
  delaysMs: readonly number[];
}

/** Targets of mode `pull`: a delivery is handed out under a lease, which is all that stands between two consumers. */
export interface Pulls {
  /** Hands out what is due, the longest due first. Null unless the target is one and may be delivered to. */
  pull(query: PullQuery): Promise<Pulled | null>;
  /** These were dealt with. Verdicts in the order of the claims. */
  acknowledge(batch: LeaseBatch): Promise<LeaseVerdict[]>;
  /** These were not; they are handed out again. */
  giveBack(batch: Return): Promise<LeaseVerdict[]>;
  /** These take longer: their leases end so long from now. */
  extend(batch: LeaseBatch & { leaseMs: number }): Promise<LeaseVerdict[]>;
}
