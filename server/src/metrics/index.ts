// All metrics of a node, joined to what they count. The rooms below the platform know nothing of them: they tell a function.
import type { AttemptEnd, ChallengeResult } from '../engine/index.ts';
import type { FlowWatch } from '../flow/index.ts';
import type { Metrics } from '../metrics.ts';
import type { Clock } from '../model/clock.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Pulse, PulseAttempt } from '../model/pulse.ts';
import type { Store } from '../store/index.ts';
import { createCensus, type Census } from './census.ts';
import { gaugeCounts } from './counts.ts';
import { countAttempts, countChallenges, countMails } from './deliveries.ts';
import { gaugeEngines, type Engines } from './engine.ts';
import { countAccepts } from './events.ts';
import { countRequests, countRuns, countStarts } from './flows.ts';
import { countPulls } from './pulls.ts';

/** What is counted, and where. */
export interface MeterParts extends Engines {
  metrics: Metrics;
  store: Store;
  clock: Clock;
  pulse: Pulse;
}

/** What is to be told. */
export interface Meters {
  census: Census;
  onAttempt(end: AttemptEnd): void;
  onChallenge(result: ChallengeResult): void;
  onMail(outcome: Outcome): void;
  flows: FlowWatch;
}

/** Makes the metrics of everything but the process and the store’s transactions, which are there before. */
export function createMeters({ metrics, store, clock, pulse, ...engines }: MeterParts): Meters {
  const census = createCensus(store.log, clock);
  gaugeCounts(metrics, census);
  gaugeEngines(metrics, engines);
  const count = countAttempts(metrics);
  const onAccepted = (workspace: number, events: number): void => pulse.accepted(workspace, events, clock.monotonic());
  // In the place of the store’s own, so that whoever holds the store is counted.
  const { log, pulls, flows, hooks } = store;
  log.accept = countAccepts(metrics, log.accept, { clock, onAccepted });
  flows.start = countStarts(metrics, flows.start);
  Object.assign(hooks, countRequests(metrics, { ...hooks }, clock));
  Object.assign(
    pulls,
    countPulls(metrics, { ...pulls }, (workspace, deliveries) => {
      pulse.acknowledged(workspace, deliveries, clock.monotonic());
    }),
  );
  return {
    census,
    onAttempt: (end) => {
      count(end);
      pulse.attempt(attemptOf(end), clock.monotonic());
    },
    onChallenge: countChallenges(metrics),
    onMail: countMails(metrics),
    flows: countRuns(metrics),
  };
}

function attemptOf({ delivery, attempt, state, to }: AttemptEnd): PulseAttempt {
  const { startedAt, durationMs, error } = attempt;
  const isDelivered = state === 'delivered';
  return {
    workspace: delivery.workspace,
    webhook: to === 'webhook' ? delivery.target : null,
    durationMs,
    latencyMs: isDelivered ? startedAt + durationMs - delivery.createdAt : null,
    error: isDelivered ? null : (error ?? 'refused'),
  };
}
