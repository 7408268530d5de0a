// Pulls as numbers: deliveries that were handed out, and what their consumers said of them.
import type { Metrics } from '../metrics.ts';
import type { LeaseVerdict, Pulls } from '../store/contract.ts';

const RESULTS = ['leased', 'acknowledged', 'returned', 'extended', 'too-late'];

/** The verbs of pulls, counted; `onDelivered` is told how many of a workspace were acknowledged. */
export function countPulls(
  metrics: Metrics,
  pulls: Pulls,
  onDelivered: (workspace: number, deliveries: number) => void,
): Pulls {
  const pulled = metrics.counter({
    name: 'bellwire_pulled_total',
    help: 'Deliveries of pull webhooks: leased, acknowledged, returned, extended, or answered for too late.',
    labels: ['result'],
  });
  for (const result of RESULTS) pulled.add(0, result);
  const judge = (verdicts: readonly LeaseVerdict[], result: string): number => {
    const done = verdicts.filter((verdict) => verdict === 'done').length;
    const late = verdicts.filter((verdict) => verdict === 'lease-lost' || verdict === 'lease-expired').length;
    pulled.add(done, result);
    pulled.add(late, 'too-late');
    return done;
  };
  return {
    async pull(query) {
      const found = await pulls.pull(query);
      pulled.add(found?.deliveries.length ?? 0, 'leased');
      return found;
    },
    async acknowledge(batch) {
      const verdicts = await pulls.acknowledge(batch);
      onDelivered(batch.workspace, judge(verdicts, 'acknowledged'));
      return verdicts;
    },
    async giveBack(batch) {
      const verdicts = await pulls.giveBack(batch);
      judge(verdicts, 'returned');
      return verdicts;
    },
    async extend(batch) {
      const verdicts = await pulls.extend(batch);
      judge(verdicts, 'extended');
      return verdicts;
    },
  };
}
