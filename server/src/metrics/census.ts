// The census: one count of what is in the store for all who ask.
//
// Counting reads all that is open, and scrapers come in pairs: it is done at most every few seconds, and at most for a
// twentieth of the time, and everybody who asks meanwhile gets the same answer. Whoever asks for a new one waits for it,
// but not for long: a scrape that comes too late tells nothing at all.
import type { Clock } from '../model/clock.ts';
import type { Counts, Log } from '../store/contract.ts';

const COUNT_EVERY_MS = 5_000;
/** A count that takes a second is made every twenty. */
const REST = 20;
/** Older it does not get: one that took its time because the store stood still says nothing of the next. */
const OLDEST_MS = 120_000;
/** A scrape is given ten seconds, a frame of `bellwire top` five. */
const PATIENCE_MS = 2_000;

/** Counts, as of this instant (epoch ms); counting took so long. */
export interface Counted extends Counts {
  countedAt: number;
  tookMs: number;
}

/** What the census says: to whoever shows how things go, and whoever has to tell something soon. */
export interface Census {
  /** The latest count, made anew when it is old; the former while that takes its time. Rejects when the store fails. */
  latest(): Promise<Counted>;
  /** The same, or null where there is none soon. Never rejects. */
  soon(): Promise<Counted | null>;
}

/** Makes the census of a store. */
export function createCensus(log: Pick<Log, 'counts'>, clock: Clock): Census {
  let former: Counted | null = null;
  let counting: Promise<Counted> | null = null;
  let goodUntil = -Infinity;

  async function count(): Promise<Counted> {
    const [countedAt, began] = [clock.now(), clock.monotonic()];
    try {
      const counts = await log.counts(countedAt);
      const tookMs = clock.monotonic() - began;
      goodUntil = clock.monotonic() + Math.min(Math.max(COUNT_EVERY_MS, REST * tookMs), OLDEST_MS);
      former = { ...counts, countedAt, tookMs };
      return former;
    } catch (error) {
      // Nobody knows how it is now.
      former = null;
      throw error;
    }
  }

  /** What comes of it, or what there is by now. */
  async function patiently(asked: Promise<Counted>): Promise<Counted | null> {
    const late = Promise.withResolvers<Counted | null>();
    const timer = clock.after(PATIENCE_MS, () => late.resolve(former));
    try {
      return await Promise.race([asked, late.promise]);
    } finally {
      timer.cancel();
    }
  }

  const ask = (): Promise<Counted> => (counting ??= count().finally(() => void (counting = null)));
  const isGood = (): boolean => clock.monotonic() < goodUntil;
  return {
    async latest() {
      if (former !== null && isGood()) return former;
      const asked = ask();
      return (await patiently(asked)) ?? asked;
    },
    async soon() {
      if (former !== null && isGood()) return former;
      return patiently(ask()).catch(() => null);
    },
  };
}
