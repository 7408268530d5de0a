// Errors that the parts report, as lines of the log. All of them meet an outage of the store, several times a second: it has
// one line when it begins, and one a minute for as long as it goes on.
import type { Log } from './log/index.ts';
import type { Clock } from './model/clock.ts';
import { StoreOutage } from './store/index.ts';

const TELL_EVERY_MS = 60_000;

type Report = (error: unknown) => void;

/** What each part is given to report its errors to. */
export type ErrorLog = Readonly<Record<'store' | 'engine' | 'flows', Report>>;

/** Makes the reports. */
export function createErrorLog(log: Log, clock: Clock): ErrorLog {
  let toldAt = -Infinity;
  let others = 0;
  const outage = (error: unknown): void => {
    if (clock.monotonic() - toldAt < TELL_EVERY_MS) {
      others++;
      return;
    }
    log.error({ error, others }, 'the store is out of order');
    toldAt = clock.monotonic();
    others = 0;
  };
  const unlessOutage = (report: Report): Report => {
    return (error) => (isOutage(error) ? outage(error) : report(error));
  };
  return {
    store: unlessOutage((error) => log.error({ error }, 'the store reports an error')),
    engine: unlessOutage((error) => log.error({ error }, 'the engine reports an error')),
    flows: unlessOutage((error) => log.error({ error }, 'the flow engine reports an error')),
  };
}

function isOutage(error: unknown): boolean {
  return error instanceof StoreOutage || (error instanceof Error && error.cause instanceof StoreOutage);
}
