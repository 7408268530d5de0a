// Deliveries as numbers: attempts by what they came to, why they failed, how long they took; challenges and mails.
import type { AttemptEnd, AttemptTarget, ChallengeResult } from '../engine/index.ts';
import { SECONDS, type Metrics } from '../metrics.ts';
import type { Outcome } from '../model/outcome.ts';

/** From a millisecond to a day: what was held or retried is delivered late, and that is to be seen. */
const LATENCY = [...SECONDS, 60, 300, 1_800, 7_200, 43_200, 86_400];

const TARGETS: readonly AttemptTarget[] = ['webhook', 'post-processing', 'flow'];

/** Makes the metrics of attempts; the answer is to be told of each. */
export function countAttempts(metrics: Metrics): (end: AttemptEnd) => void {
  const attempts = metrics.counter({
    name: 'bellwire_attempts_total',
    help: 'Attempts at deliveries: delivered, failed (it is tried again), or dead (it was the last one).',
    labels: ['to', 'outcome'],
  });
  for (const to of TARGETS) for (const outcome of ['delivered', 'failed', 'dead']) attempts.add(0, to, outcome);
  const failures = metrics.counter({
    name: 'bellwire_attempt_failures_total',
    help: 'Attempts that did not deliver, by cause: the class of the status, or why there was no answer.',
    labels: ['to', 'cause'],
  });
  const durations = metrics.histogram({
    name: 'bellwire_attempt_duration_seconds',
    help: 'From the start of an attempt to the end of its answer.',
    labels: ['to'],
    buckets: SECONDS,
  });
  const latency = metrics.histogram({
    name: 'bellwire_delivery_latency_seconds',
    help: 'From the accept of an event to the end of the attempt that delivered it.',
    buckets: LATENCY,
  });
  return ({ delivery, attempt, state, to, outcome }) => {
    attempts.add(1, to, state === 'open' ? 'failed' : state);
    durations.observe(attempt.durationMs / 1_000, to);
    if (state !== 'delivered') failures.add(1, to, causeOf(outcome));
    else latency.observe(Math.max(0, attempt.startedAt + attempt.durationMs - delivery.createdAt) / 1_000);
  };
}

/** Why an attempt did not deliver, in a word: `5xx`, `timeout`. */
export function causeOf(outcome: Outcome): string {
  return outcome.kind === 'response' ? `${Math.floor(outcome.status / 100)}xx` : outcome.code;
}

/** Makes the metric of challenges; the answer is to be told of each. */
export function countChallenges(metrics: Metrics): (result: ChallengeResult) => void {
  const challenges = metrics.counter({
    name: 'bellwire_challenges_total',
    help: 'Challenges by what they came to: passed, wrong (an answer that proves nothing), unanswered.',
    labels: ['result'],
  });
  for (const result of ['passed', 'wrong', 'unanswered']) challenges.add(0, result);
  return ({ verdict, outcome }) => {
    challenges.add(1, verdict.ok ? 'passed' : outcome.kind === 'response' ? 'wrong' : 'unanswered');
  };
}

/** Makes the metric of mails; the answer is to be told of each. */
export function countMails(metrics: Metrics): (outcome: Outcome) => void {
  const mails = metrics.counter({
    name: 'bellwire_mails_total',
    help: 'Mails of post-processings and of steps, by what the mail server said.',
    labels: ['outcome'],
  });
  for (const outcome of ['sent', 'refused', 'failed']) mails.add(0, outcome);
  return (outcome) => {
    if (outcome.kind === 'response') mails.add(1, 'sent');
    else mails.add(1, outcome.code === 'mail-refused' ? 'refused' : 'failed');
  };
}
