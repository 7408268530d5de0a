// The lane keeper: takes the lanes that are free, renews the leases, and knows, before every send, what it owns.
import type { Clock, Timer } from '../model/clock.ts';
import type { Lanes, OwnedLane } from '../store/contract.ts';

/** What the keeper stands on. Spans in ms. */
export interface LaneKeeperParts {
  lanes: Lanes;
  clock: Clock;
  node: string;
  leaseMs: number;
  heartbeatMs: number;
  /** Lanes that have just become this node's. */
  onTaken(lanes: readonly number[]): void;
  /** Lanes that are no longer this node's. */
  onLost(lanes: readonly number[]): void;
  onError(error: unknown): void;
}

/** Holds this node's lanes. */
export class LaneKeeper {
  readonly #parts: LaneKeeperParts;
  #owned = new Map<number, OwnedLane>();
  #leasedUntil = 0;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(parts: LaneKeeperParts) {
    this.#parts = parts;
  }

  /** Takes what is free and keeps it until `stop`. */
  async start(): Promise<void> {
    await this.#beat();
  }

  /**
   * The lane with its epoch while this node owns it, undefined otherwise. Judged on the monotonic clock: a node that
   * was suspended finds its leases over without asking anybody.
   */
  owned(lane: number): OwnedLane | undefined {
    return this.#parts.clock.monotonic() < this.#leasedUntil ? this.#owned.get(lane) : undefined;
  }

  /** The numbers of the lanes owned. */
  get numbers(): number[] {
    return [...this.#owned.keys()];
  }

  /** All lanes owned, each with its epoch; none when the leases are over. */
  get all(): OwnedLane[] {
    return this.#parts.clock.monotonic() < this.#leasedUntil ? [...this.#owned.values()] : [];
  }

  /** Gives all lanes up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#parts.lanes.release(this.#parts.node);
    this.#owned = new Map();
  }

  async #beat(): Promise<void> {
    const { lanes, clock, node, leaseMs, heartbeatMs, onError } = this.#parts;
    // The lease counts from before the request: the store's own instant is later, never earlier.
    const before = clock.monotonic();
    try {
      const owned = await lanes.take(node, clock.now(), leaseMs);
      if (this.#stopped) return;
      const lapsed = clock.monotonic() >= this.#leasedUntil;
      this.#leasedUntil = before + leaseMs;
      this.#adopt(owned, lapsed);
    } catch (error) {
      onError(error);
      if (this.#leasedUntil === 0) throw error;
    }
    this.#timer = clock.after(heartbeatMs, () => void this.#beat());
  }

  // A lane whose epoch has moved was somebody else's in between: what is in memory of it may be stale. Where the lease
  // had run out and nobody wanted the lane, nothing was sent meanwhile, so it is looked through as if it were new.
  #adopt(owned: readonly OwnedLane[], lapsed: boolean): void {
    const former = this.#owned;
    this.#owned = new Map(owned.map((lane) => [lane.lane, lane]));
    const lost = [...former.values()].filter(({ lane, epoch }) => this.#owned.get(lane)?.epoch !== epoch);
    const taken = owned.filter(({ lane, epoch }) => lapsed || former.get(lane)?.epoch !== epoch);
    if (lost.length > 0) this.#parts.onLost(lost.map(({ lane }) => lane));
    if (taken.length > 0) this.#parts.onTaken(taken.map(({ lane }) => lane));
  }
}
