// Whom the events of a publish are for. A large batch for many subscriptions takes seconds: it is matched in slices,
// and of all publishes together one slice runs in each turn of the event loop.
import type { Publish } from './contract.ts';

/** How long a slice may hold the thread. One event is never parted: ten thousand filters take about as long. */
const SLICE_MS = 5;

let lastTurn: Promise<void> = Promise.resolve();

function nextTurn(): Promise<void> {
  lastTurn = lastTurn.then(() => new Promise<void>((done) => setImmediate(done)));
  return lastTurn;
}

/** The targets of each event of a publish, in ascending order. Events for the same ones in a row share the list. */
export async function matchEvents({ catalog, events }: Publish): Promise<readonly number[][]> {
  const all: number[][] = [];
  let until = performance.now() + SLICE_MS;
  for (const event of events) {
    if (performance.now() > until) {
      await nextTurn();
      until = performance.now() + SLICE_MS;
    }
    const targets = catalog.targetsOf(event);
    const last = all.at(-1);
    all.push(last && isSame(last, targets) ? last : targets);
  }
  return all;
}

function isSame(some: readonly number[], others: readonly number[]): boolean {
  return some.length === others.length && some.every((target, i) => target === others[i]);
}
