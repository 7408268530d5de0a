// Lines of the log about what the engines do: attempts, challenges, runs, operations, changes of webhooks. One wide line to
// a unit of work; which fields it has is written down in docs/logs.md, and a test holds lines and page together.
//
// What comes by the thousand and went well is shown at `debug` only. Its fields are not even put together at another level.
import type { AttemptEnd, ChallengeTold, DeliveringOptions, WebhookChanged } from './engine/index.ts';
import type { EndedRun } from './flow/index.ts';
import type { Config } from './config/index.ts';
import type { Log, LogFields } from './log/index.ts';
import { deliveryId, formatId } from './model/ids.ts';
import { spanIdOf, traceIdOf } from './model/trace-context.ts';
import type { StoredOperation } from './store/index.ts';

/** What is to be told. */
export interface WorkLog extends Required<
  Pick<DeliveringOptions, 'onAttempt' | 'onWebhook' | 'onOperation' | 'onRound'>
> {
  onChallenge(told: ChallengeTold): void;
  onRun(end: EndedRun): void;
}

/** Rounds that took less have found nothing to do. */
const BRIEF_MS = 20;
/** Rounds that took more are something to know of. */
const LONG_MS = 5_000;

/** Makes it. `isTraced`: contexts are told, for a collector has what they name. */
export function createWorkLog(
  log: Log,
  { log: { level, deliveries } }: Pick<Config, 'log'>,
  isTraced: boolean,
): WorkLog {
  const isDebugging = level === 'debug' || level === 'trace';
  const attempts = isDebugging || level === 'info' ? deliveries : 'none';
  const traceOf = (trace: string | null): LogFields =>
    isTraced && trace !== null ? { traceId: traceIdOf(trace), spanId: spanIdOf(trace) } : {};
  return {
    onAttempt(end) {
      const isFailure = end.state !== 'delivered' && end.attempt.error !== null;
      const isTold = attempts === 'all' || (attempts === 'failed' && isFailure);
      if (!isTold && !isDebugging) return;
      const line = { ...attemptLine(end), ...traceOf(end.trace) };
      if (isTold) log.info(line, 'attempt');
      else log.debug(line, 'attempt');
    },
    onChallenge(told) {
      log.info(challengeLine(told), 'challenge');
    },
    onWebhook(changed) {
      log.info(webhookLine(changed), 'webhook changed');
    },
    onRun(end) {
      const isQuiet = end.kind === 'scenario' && end.state === 'completed';
      if (isQuiet && !isDebugging) return;
      const line = { ...runLine(end), ...traceOf(end.trace) };
      if (isQuiet) log.debug(line, 'run');
      else log.info(line, 'run');
    },
    onOperation(operation) {
      log.info(operationLine(operation), 'operation');
    },
    onRound(name, durationMs) {
      if (durationMs >= LONG_MS) log.info({ task: name, durationMs: rounded(durationMs) }, 'upkeep');
      else if (isDebugging && durationMs >= BRIEF_MS)
        log.debug({ task: name, durationMs: rounded(durationMs) }, 'upkeep');
    },
  };
}

function attemptLine({ delivery, attempt: made, state, to, token, nextAt }: AttemptEnd): LogFields {
  const { workspace: workspaceNumber, event, target } = delivery;
  const { attempt, manual, startedAt, durationMs, status, error } = made;
  const ids =
    token === null
      ? { event, webhook: target }
      : {
          delivery: deliveryId(token, delivery),
          webhook: formatId(to === 'post-processing' ? 'pp' : 'wh', token, target),
        };
  return {
    ...ids,
    workspaceNumber,
    to,
    type: delivery.carried.type,
    attempt,
    manual: manual || undefined,
    batch: delivery.batch ?? undefined,
    status,
    state,
    reason: error,
    durationMs,
    waitedMs: startedAt - delivery.createdAt,
    nextAt: nextAt ?? undefined,
  };
}

function challengeLine({ token, workspace: workspaceNumber, webhook, note, outcome }: ChallengeTold): LogFields {
  const { error, attempt, attempts, nextAt } = note;
  return {
    webhook: formatId('wh', token, webhook),
    workspaceNumber,
    attempt,
    attempts,
    status: outcome.status,
    passed: error === null,
    reason: error,
    durationMs: Math.round(outcome.durationMs),
    nextAt: nextAt ?? undefined,
  };
}

function webhookLine({ token, workspace: workspaceNumber, webhook, ...changed }: WebhookChanged): LogFields {
  return { webhook: formatId('wh', token, webhook), workspaceNumber, ...changed };
}

function runLine({ claimed, kind, state, reason, finishedAt }: EndedRun): LogFields {
  const { workspace: workspaceNumber, run, flow, name, version, cause, createdAt, startedAt, steps } = claimed;
  return {
    run,
    workspaceNumber,
    kind,
    flow,
    name,
    version,
    cause: cause.by,
    state,
    reason,
    resumed: steps.length > 0 || undefined,
    durationMs: finishedAt - startedAt,
    waitedMs: startedAt - createdAt,
  };
}

function operationLine(operation: StoredOperation): LogFields {
  const { workspace: workspaceNumber, kind, state, reason, looked, released, chunks, createdAt, updatedAt } = operation;
  const durationMs = updatedAt - createdAt;
  return { operation: operation.operation, workspaceNumber, kind, state, reason, looked, released, chunks, durationMs };
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
