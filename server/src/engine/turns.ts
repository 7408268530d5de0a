// Whose turn it is: workspaces in a ring, and in each workspace its targets in a ring. Fair between workspaces first.

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

  /** Puts a taker at the end of its workspace's ring, unless it stands there already. */
  join(taker: T): void {
    if (this.#inside.has(taker)) return;
    this.#inside.add(taker);
    const ring = this.#rings.get(taker.workspace);
    if (ring) ring.push(taker);
    else this.#rings.set(taker.workspace, [taker]);
  }

  /** Takes out whoever is next; the caller lets it join again when it has more. Undefined when nobody is ready. */
  next(): T | undefined {
    for (const [workspace, ring] of this.#rings) {
      // A map iterates in order of insertion: deleted and set again, the workspace stands at the end.
      this.#rings.delete(workspace);
      while (ring.length > 0) {
        const taker = ring.shift()!;
        this.#inside.delete(taker);
        if (!taker.isReady()) continue;
        if (ring.length > 0) this.#rings.set(workspace, ring);
        return taker;
      }
    }
    return undefined;
  }
}
