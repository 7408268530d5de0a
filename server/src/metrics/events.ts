// Events as numbers: what was accepted, what was known already, and how long it took to be on disk.
import { SECONDS, type Metrics } from '../metrics.ts';
import type { Clock } from '../model/clock.ts';
import type { Log } from '../store/contract.ts';

/** What is told of each accept that stored something: events that were new, by workspace. */
export type OnAccepted = (workspace: number, events: number) => void;

/** The `accept` verb, counted. */
export function countAccepts(
  metrics: Metrics,
  accept: Log['accept'],
  { clock, onAccepted }: { clock: Clock; onAccepted: OnAccepted },
): Log['accept'] {
  const events = metrics.counter({ name: 'bellwire_events_accepted_total', help: 'Events accepted, each once.' });
  const duplicates = metrics.counter({
    name: 'bellwire_events_duplicate_total',
    help: 'Events that were accepted before and got the first answer again.',
  });
  const duration = metrics.histogram({
    name: 'bellwire_accept_duration_seconds',
    help: 'From the check of a publish to the commit of its events and deliveries.',
    buckets: SECONDS,
  });
  return async (publish) => {
    const askedAt = clock.monotonic();
    const result = await accept(publish);
    if (result.kind !== 'accepted') return result;
    duration.observe((clock.monotonic() - askedAt) / 1_000);
    let fresh = 0;
    for (const { duplicate } of result.accepted) if (!duplicate) fresh++;
    events.add(fresh);
    duplicates.add(result.accepted.length - fresh);
    onAccepted(publish.catalog.workspace, fresh);
    return result;
  };
}
