// The lanes' half of the store's contract: which node owns what.

/** Targets hash to 1,024 buckets, buckets to 64 lanes; a lane is owned by one node at a time. */
export const BUCKETS = 1024;
/** See {@link BUCKETS}. */
export const LANES = 64;

/** A lane in somebody's hands; `epoch` grows with every change of owner (the fencing token). */
export interface OwnedLane {
  lane: number;
  epoch: number;
}

/** Leases on lanes. */
export interface Lanes {
  /**
   * Takes every lane that is free, expired, or whose holder's session is gone, and renews what this node has; resolves
   * all that it owns.
   */
  take(node: string, now: number, leaseMs: number): Promise<OwnedLane[]>;
  /** Gives all up. */
  release(node: string): Promise<void>;
}
