// Places for challenges: so many may be under way at once, and workspaces take turns for them. Whoever has a thousand
// endpoints that hang waits for its own.
import { Turns } from './turns.ts';

interface Waiting {
  readonly workspace: number;
  readonly underWay: number;
  isReady(): boolean;
  go(): void;
}

/** A bounded number of places, fair between workspaces: one alone has half of them at most. */
export class ChallengePlaces {
  readonly #turns: Turns<Waiting>;

  constructor(places: number) {
    this.#turns = new Turns(places);
  }

  /** Resolves when it is this workspace's turn, with the function that gives the place back (call it once). */
  take(workspace: number): Promise<() => void> {
    const turn = Promise.withResolvers<() => void>();
    const waiting: Waiting = {
      workspace,
      underWay: 0,
      isReady: () => true,
      go: () =>
        turn.resolve(() => {
          this.#turns.back(waiting);
          this.#next();
        }),
    };
    this.#turns.join(waiting);
    this.#next();
    return turn.promise;
  }

  #next(): void {
    for (let next = this.#turns.next(); next; next = this.#turns.next()) next.go();
  }
}
