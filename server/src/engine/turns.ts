// Whose turn it is: workspaces in a ring, and in each workspace its targets in a ring. Fair between workspaces first.
//
// Places are shared by dynamic thresholds (Choudhury and Hahne 1998): whoever holds many may take more only while many
// are free, so whatever hangs, somebody else finds a place at once.
//
//   a workspace       one alone has about three quarters of all places; as they run out, only as many as are still free
//   a target          as many as its workspace has left to take
//   what is silent    a target that has not answered yet, or not the last time: all of a workspace together have at
//                     most half of all places, and each the fewer the more there are
//
// The last rule is what a workspace's own healthy webhooks live by while a thousand others of it hang.

/** What takes turns. */
export interface Taker {
  readonly workspace: number;
  /** The places it holds. */
  readonly underWay: number;
  /** May something be sent right now? */
  isReady(): boolean;
}

/** A workspace's targets and places. */
interface Share<T> {
  answering: T[];
  silent: T[];
  /** Whose ring is looked at first. */
  silentFirst: boolean;
  busy: number;
  /** Of these, held by silent targets. */
  busySilent: number;
}

/** Takers passed over in one look because they hold enough: the others' turn comes with the next look. */
const MOST_PASSED = 64;
/** A silent target holds at most this part of what its like still has. */
const SILENT_PART = 1 / 16;

/** Rings. A taker stands in at most one place; who is no longer ready leaves when its turn comes. */
export class Turns<T extends Taker> {
  readonly #places: number;
  /** Workspaces with somebody waiting, in the order of their turns. */
  readonly #waiting = new Map<number, Share<T>>();
  readonly #shares = new Map<number, Share<T>>();
  /** In which ring a taker stands; what a ring holds besides is left over from before it changed. */
  readonly #inside = new Map<T, T[]>();
  readonly #answering = new WeakSet<T>();
  #free: number;

  /** `places` are those that all takers share. */
  constructor(places: number) {
    this.#places = places;
    this.#free = places;
  }

  /** Puts a taker at the end of its ring, unless it stands there already. */
  join(taker: T): void {
    if (this.#inside.has(taker)) return;
    const { workspace } = taker;
    let share = this.#shares.get(workspace);
    if (!share) {
      share = { answering: [], silent: [], silentFirst: false, busy: 0, busySilent: 0 };
      this.#shares.set(workspace, share);
    }
    const ring = this.#answering.has(taker) ? share.answering : share.silent;
    ring.push(taker);
    this.#inside.set(taker, ring);
    if (!this.#waiting.has(workspace)) this.#waiting.set(workspace, share);
  }

  /**
   * Takes out whoever is next and a place for it, which must be in its `underWay` before the next call; the caller lets
   * it join again when it has more. Undefined when nobody is ready or there is no place for those who are.
   */
  next(): T | undefined {
    if (this.#free === 0) return undefined;
    for (const [workspace, share] of this.#waiting) {
      const left = this.#leftTo(share);
      if (left <= 0) continue;
      const taker = this.#nextOf(share, left);
      // A map iterates in order of insertion: deleted and set again, the workspace stands at the end.
      if (taker) this.#waiting.delete(workspace);
      if (share.answering.length + share.silent.length > 0) this.#waiting.set(workspace, share);
      else this.#waiting.delete(workspace);
      if (!taker) continue;
      share.busy++;
      if (!this.#answering.has(taker)) share.busySilent++;
      this.#free--;
      return taker;
    }
    return undefined;
  }

  #leftTo({ busy }: Share<T>): number {
    const beyondReserve = 7 * (this.#free - this.#places / 8);
    return Math.max(this.#free, beyondReserve) - busy;
  }

  #nextOf(share: Share<T>, left: number): T | undefined {
    const leftSilent = Math.min(left, this.#places / 2 - share.busySilent);
    share.silentFirst = !share.silentFirst;
    for (const isSilent of [share.silentFirst, !share.silentFirst]) {
      const ring = isSilent ? share.silent : share.answering;
      const most = isSilent ? leftSilent : left;
      if (ring.length === 0 || most <= 0) continue;
      const taker = this.#nextIn(ring, isSilent ? { most, each: most * SILENT_PART } : { most, each: most });
      if (taker) return taker;
    }
    return undefined;
  }

  #nextIn(ring: T[], { most, each }: { most: number; each: number }): T | undefined {
    for (let passed = Math.min(ring.length, MOST_PASSED); ring.length > 0 && most > 0;) {
      const taker = ring.shift()!;
      if (this.#inside.get(taker) !== ring) continue;
      this.#inside.delete(taker);
      if (!taker.isReady()) continue;
      if (taker.underWay === 0 || taker.underWay < each) return taker;
      ring.push(taker);
      this.#inside.set(taker, ring);
      if (--passed <= 0) return undefined;
    }
    return undefined;
  }

  /** Gives a place back. */
  back(taker: T): void {
    const share = this.#shares.get(taker.workspace)!;
    share.busy--;
    if (!this.#answering.has(taker)) share.busySilent--;
    this.#free++;
    if (share.busy === 0 && share.answering.length + share.silent.length === 0) this.#shares.delete(taker.workspace);
  }

  /** Says whether a taker answers; every one counts as silent until it does. The places it holds count with it. */
  heard(taker: T, answers: boolean): void {
    if (this.#answering.has(taker) === answers) return;
    if (answers) this.#answering.add(taker);
    else this.#answering.delete(taker);
    const share = this.#shares.get(taker.workspace);
    if (share) share.busySilent += answers ? -taker.underWay : taker.underWay;
    // Where it stands now it may be passed over for long.
    if (this.#inside.delete(taker)) this.join(taker);
  }
}
