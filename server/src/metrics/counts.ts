// What is in the store as gauges: open, held, dead; the oldest due; webhooks by state; leases, operations, runs.
import type { Metrics } from '../metrics.ts';
import { backlogOf } from '../model/backlog.ts';
import { shownState } from '../model/webhook.ts';
import type { OpenOfTarget } from '../store/contract.ts';
import type { Census } from './census.ts';

const STATES = ['pending', 'active', 'warning', 'critical', 'paused', 'disabled'] as const;
const OPERATION_STATES = ['running', 'paused'] as const;
const RUN_STATES = ['queued', 'running'] as const;

/** For whom what is due waits: us, its consumer, or somebody who listens. */
const WAITS = {
  push: ({ mode }: OpenOfTarget) => mode !== 'pull' && mode !== 'listen',
  pull: ({ mode }: OpenOfTarget) => mode === 'pull',
  listen: ({ mode }: OpenOfTarget) => mode === 'listen',
};

/** Makes the gauges. What cannot be counted is not told: a former number would pass for a present one. */
export function gaugeCounts(metrics: Metrics, census: Census): void {
  const gauges = makeGauges(metrics);
  metrics.onRead(async () => {
    const counted = await census.soon();
    if (counted === null) {
      for (const gauge of Object.values(gauges)) gauge.clear();
      return;
    }
    const { open, dead, webhooks, countedAt } = counted;
    const { scheduled, held } = backlogOf(open, countedAt);
    gauges.deliveries.set(scheduled, 'scheduled');
    gauges.deliveries.set(held, 'held');
    gauges.deliveries.set(
      dead.reduce((sum, row) => sum + row.dead, 0),
      'dead',
    );
    for (const [mode, waits] of Object.entries(WAITS)) {
      gauges.oldest.set(backlogOf(open.filter(waits), countedAt).oldestDueMs / 1_000, mode);
    }
    for (const state of STATES) {
      const are = webhooks.filter(({ intent, health }) => shownState(intent, health) === state);
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
