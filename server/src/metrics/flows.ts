// Flows as numbers: runs by kind and end, steps by action and end, requests to hooks, what came of wishes for runs.
import type { FlowWatch } from '../flow/index.ts';
import { SECONDS, type Metrics } from '../metrics.ts';
import type { Clock } from '../model/clock.ts';
import type { Flows, Hooks } from '../store/contract.ts';

/** From a hundredth of a second to a day. */
const RUN_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200, 43_200, 86_400];

const KINDS = ['job', 'policy-set', 'scenario'];
const ENDS = ['completed', 'failed', 'aborted'];

/** Makes the metrics of runs and steps; the answer is to be told of each. */
export function countRuns(metrics: Metrics): FlowWatch {
  const runs = metrics.counter({
    name: 'bellwire_runs_ended_total',
    help: 'Runs that have ended, by what they were of and how.',
    labels: ['kind', 'state'],
  });
  for (const kind of KINDS) for (const state of ENDS) runs.add(0, kind, state);
  const durations = metrics.histogram({
    name: 'bellwire_run_duration_seconds',
    help: 'From the beginning of a run to its end.',
    labels: ['kind'],
    buckets: RUN_SECONDS,
  });
  const steps = metrics.counter({
    name: 'bellwire_steps_ended_total',
    help: 'Steps of runs that have ended, by action and how.',
    labels: ['action', 'state'],
  });
  return {
    step: ({ action, state }) => steps.add(1, action, state),
    run: ({ kind, state, claimed, finishedAt }) => {
      runs.add(1, kind, state);
      durations.observe(Math.max(0, finishedAt - claimed.startedAt) / 1_000, kind);
    },
  };
}

const WISHES = ['queued', 'known', 'failed', 'skipped', 'gone'];

/** The `start` verb, counted. */
export function countStarts(metrics: Metrics, start: Flows['start']): Flows['start'] {
  const wishes = metrics.counter({
    name: 'bellwire_run_starts_total',
    help: 'Wishes for runs by hand, HTTP, event or step, by what became of them.',
    labels: ['result'],
  });
  for (const result of WISHES) wishes.add(0, result);
  return async (run) => {
    const started = await start(run);
    wishes.add(1, started.kind);
    return started;
  };
}

const RESULTS = ['taken', 'repeated', 'full', 'refused', 'unreadable', 'misfit', 'challenge'];

/** What became of a request that was to start a run, in the words of the metric. */
const RECEIPTS = {
  begun: 'taken',
  queued: 'taken',
  failed: 'taken',
  known: 'repeated',
  full: 'full',
  disabled: 'refused',
  gone: 'refused',
  // It is judged again by what the hook is now.
  stale: null,
} as const;

/** The verbs of hooks, counted. */
export function countRequests(metrics: Metrics, hooks: Hooks, clock: Clock): Pick<Hooks, 'receive' | 'keep'> {
  const requests = metrics.counter({
    name: 'bellwire_hook_requests_total',
    help: 'Requests to hooks that exist, by what became of them.',
    labels: ['result'],
  });
  for (const result of RESULTS) requests.add(0, result);
  const duration = metrics.histogram({
    name: 'bellwire_hook_receive_seconds',
    help: 'From a request that was verified and read to the commit of it and its run.',
    buckets: SECONDS,
  });
  return {
    async receive(request) {
      const askedAt = clock.monotonic();
      const receipt = await hooks.receive(request);
      duration.observe((clock.monotonic() - askedAt) / 1_000);
      const result = RECEIPTS[receipt.kind];
      if (result !== null) requests.add(1, result);
      return receipt;
    },
    keep(request) {
      requests.add(1, request.state);
      return hooks.keep(request);
    },
  };
}
