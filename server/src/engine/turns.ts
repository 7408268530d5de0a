// Whose turn it is: workspaces in a ring, and in each workspace its targets in a ring. Fair between workspaces first.
// A workspace may keep as many places busy as are still free, no more (dynamic thresholds, Choudhury and Hahne 1998):
// one alone has half of them, and whatever hangs in a few, somebody else always finds a place at once.

/** What takes turns. */
export interface Taker {
  readonly workspace: number;
  /** May something be sent right now? */
  isReady(): boolean;
}

/** Two rings. A taker stands in at most one place; who is no longer ready leaves when its turn comes. */
export class Turns<T extends Taker> {
  readonly #rings = new Map<number, T[]>();
  readonly #inside = new Set<T>();
  readonly #busy = new Map<number, number>();
  #free: number;

  /** `places` are those that all takers share. */
  constructor(places: number) {
    this.#free = places;
  }

  /** Puts a taker at the end of its workspace's ring, unless it stands there already. */
  join(taker: T): void {
    if (this.#inside.has(taker)) return;
    this.#inside.add(taker);
    const ring = this.#rings.get(taker.workspace);
    if (ring) ring.push(taker);
    else this.#rings.set(taker.workspace, [taker]);
  }

  /**
   * Takes out whoever is next and a place for it; the caller lets it join again when it has more. Undefined when nobody
   * is ready or there is no place for those who are.
   */
  next(): T | undefined {
    for (const [workspace, ring] of this.#rings) {
      const busy = this.#busy.get(workspace) ?? 0;
      if (busy >= this.#free) continue;
      // A map iterates in order of insertion: deleted and set again, the workspace stands at the end.
      this.#rings.delete(workspace);
      while (ring.length > 0) {
        const taker = ring.shift()!;
        this.#inside.delete(taker);
        if (!taker.isReady()) continue;
        if (ring.length > 0) this.#rings.set(workspace, ring);
        this.#busy.set(workspace, busy + 1);
        this.#free--;
        return taker;
      }
    }
    return undefined;
  }

  /** Gives a place back. */
  back({ workspace }: T): void {
    const busy = this.#busy.get(workspace)! - 1;
    if (busy === 0) this.#busy.delete(workspace);
    else this.#busy.set(workspace, busy);
    this.#free++;
  }
}
