// Deliveries as numbers: attempts by outcome, time to deliver, what is open, dead and late.
import type { AttemptEnd } from './engine/index.ts';
import { SECONDS, type Metrics } from './metrics.ts';
import type { Clock } from './model/clock.ts';
import type { Store } from './store/index.ts';

/** Counting reads every open delivery, and scrapers come in pairs. */
const COUNT_EVERY_MS = 5_000;

/** Makes the metrics of deliveries; the answer is to be told of each attempt. */
export function countDeliveries(
  metrics: Metrics,
  log: Pick<Store['log'], 'totals'>,
  clock: Clock,
): (end: AttemptEnd) => void {
  const attempts = metrics.counter({
    name: 'bellwire_attempts_total',
    help: 'Attempts at deliveries, by what they came to.',
    labels: ['outcome'],
  });
  const latency = metrics.histogram({
    name: 'bellwire_delivery_seconds',
    help: 'From the accept of an event to the end of the attempt that delivered it.',
    buckets: SECONDS,
  });
  const open = metrics.gauge({ name: 'bellwire_deliveries_open', help: 'Deliveries still to be made.' });
  const dead = metrics.gauge({ name: 'bellwire_deliveries_dead', help: 'Dead letters kept.' });
  const oldest = metrics.gauge({
    name: 'bellwire_oldest_due_seconds',
    help: 'How long the oldest due delivery has been waiting; 0 when none is due.',
  });
  let totals: Awaited<ReturnType<typeof log.totals>> = [];
  let countedAt = -Infinity;
  metrics.onRead(async () => {
    if (clock.monotonic() - countedAt > COUNT_EVERY_MS) {
      countedAt = clock.monotonic();
      totals = await log.totals();
    }
    open.set(totals.reduce((sum, row) => sum + row.open, 0));
    dead.set(totals.reduce((sum, row) => sum + row.dead, 0));
    const due = Math.min(...totals.map(({ oldestDueAt }) => oldestDueAt ?? Infinity));
    oldest.set(Math.max(0, Number.isFinite(due) ? (clock.now() - due) / 1000 : 0));
  });
  return ({ delivery, attempt, state }) => {
    attempts.add(1, state === 'open' ? 'failed' : state);
    if (state === 'delivered') latency.observe((attempt.startedAt + attempt.durationMs - delivery.createdAt) / 1000);
  };
}
