// What is in the store as gauges: open, held, dead; the oldest due; webhooks by state; leases, operations, runs.
//
// Counting reads all that is open, and scrapers come in pairs: it is done at most every few seconds, and at most for a
// twentieth of the time, and everybody who asks meanwhile gets the same answer.
import type { Metrics } from '../metrics.ts';
import type { Clock } from '../model/clock.ts';
import { isSendable, shownState } from '../model/webhook.ts';
import type { Counts, Log, OpenOfTarget } from '../store/contract.ts';

const COUNT_EVERY_MS = 5_000;
/** A count that takes a second is made every twenty. */
const REST = 20;

/** Counts, as of this instant (epoch ms); counting took so long. */
export interface Counted extends Counts {
  countedAt: number;
  tookMs: number;
}

/** The latest counts, made anew when they are old. Rejects when the store does not answer. */
export type Census = () => Promise<Counted>;

/** Makes the census of a store. */
export function createCensus(log: Pick<Log, 'counts'>, clock: Clock): Census {
  let latest: Promise<Counted> | null = null;
  let goodUntil = -Infinity;
  async function count(): Promise<Counted> {
    const [countedAt, began] = [clock.now(), clock.monotonic()];
    const counted = await log.counts(countedAt);
    const tookMs = clock.monotonic() - began;
    goodUntil = clock.monotonic() + Math.max(COUNT_EVERY_MS, REST * tookMs);
    return { ...counted, countedAt, tookMs };
  }
  return () => {
    if (latest && clock.monotonic() < goodUntil) return latest;
    const counting = count();
    // Until it is there, whoever asks waits for it.
    goodUntil = Infinity;
    latest = counting;
    counting.catch(() => {
      latest = null;
      goodUntil = -Infinity;
    });
    return counting;
  };
}

/** Is what it has open held? */
export function isHeld({ intent, health }: Pick<OpenOfTarget, 'intent' | 'health'>): boolean {
  return !isSendable(intent, health);
}

/** How long the earliest of these has been due, ms; 0 when none is. What is held waits for people, not for us. */
export function overdueMs(open: readonly OpenOfTarget[], now: number): number {
  let oldest = now;
  for (const one of open) if (!isHeld(one)) oldest = Math.min(oldest, one.oldestDueAt);
  return now - oldest;
}

const STATES = ['pending', 'active', 'warning', 'critical', 'paused', 'disabled'] as const;
const OPERATION_STATES = ['running', 'paused'] as const;
const RUN_STATES = ['queued', 'running'] as const;

/** Makes the gauges. */
export function gaugeCounts(metrics: Metrics, census: Census, clock: Clock): void {
  const gauges = makeGauges(metrics);
  metrics.onRead(async () => {
    const counted = await census();
    const { open, dead, webhooks } = counted;
    let held = 0;
    let scheduled = 0;
    for (const one of open) {
      if (isHeld(one)) held += one.open;
      else scheduled += one.open;
    }
    gauges.deliveries.set(scheduled, 'scheduled');
    gauges.deliveries.set(held, 'held');
    gauges.deliveries.set(
      dead.reduce((sum, row) => sum + row.dead, 0),
      'dead',
    );
    const now = clock.now();
    const isPull = ({ mode }: OpenOfTarget): boolean => mode === 'pull';
    gauges.oldest.set(overdueMs(open.filter(isPull), now) / 1_000, 'pull');
    gauges.oldest.set(
      overdueMs(
        open.filter((one) => !isPull(one)),
        now,
      ) / 1_000,
      'push',
    );
    for (const state of STATES) {
      const are = webhooks.filter(({ mode, intent, health }) => {
        return (mode === 'push' || mode === 'pull') && shownState(intent, health) === state;
      });
      gauges.webhooks.set(
        are.reduce((sum, { count }) => sum + count, 0),
        state,
      );
    }
    gauges.leases.set(counted.leases);
    for (const state of OPERATION_STATES) gauges.operations.set(counted.operations[state] ?? 0, state);
    for (const state of RUN_STATES) gauges.runs.set(counted.runs[state] ?? 0, state);
    gauges.countDuration.set(counted.tookMs / 1_000);
  });
}

function makeGauges(metrics: Metrics) {
  return {
    deliveries: metrics.gauge({
      name: 'bellwire_deliveries',
      help: 'Deliveries in the store that are not delivered: scheduled, held, dead.',
      labels: ['state'],
    }),
    oldest: metrics.gauge({
      name: 'bellwire_oldest_due_seconds',
      help: 'For how long the oldest due delivery that is not held has been waiting; 0 when none is due.',
      labels: ['mode'],
    }),
    webhooks: metrics.gauge({ name: 'bellwire_webhooks', help: 'Webhooks by state.', labels: ['state'] }),
    leases: metrics.gauge({ name: 'bellwire_pull_leases', help: 'Leases that consumers hold at present.' }),
    operations: metrics.gauge({
      name: 'bellwire_operations',
      help: 'Operations that have not ended.',
      labels: ['state'],
    }),
    runs: metrics.gauge({ name: 'bellwire_runs', help: 'Runs that have not ended.', labels: ['state'] }),
    countDuration: metrics.gauge({
      name: 'bellwire_count_duration_seconds',
      help: 'How long the latest count of the store took.',
    }),
  };
}
