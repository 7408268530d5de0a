// One attempt: what is sent, and what is kept of it. Pure but for the signature's key.
import { encodeBatch, encodeBinary } from '../model/cloud-events/index.ts';
import type { Attempt, PendingDelivery, Settlement, StoredState } from '../model/delivery.ts';
import { batchId, deliveryId } from '../model/ids.ts';
import { describeOutcome, type Outcome } from '../model/outcome.ts';
import { PARKED_AT } from '../model/order.ts';
import { isReported } from '../model/post-processing.ts';
import { isSuccess, type Decision } from '../model/retry.ts';
import { setTraceHeaders } from '../model/trace-context.ts';
import type { TargetKey } from '../store/contract.ts';
import type { Span } from '../tracing/index.ts';
import { composeReport } from './report.ts';
import { BEARER_MASK, type Route } from './route.ts';
import type { Composed } from './ways-out.ts';

/** What one request carries: a delivery, or those of a batch in the order of their events. */
export interface Load {
  deliveries: readonly [PendingDelivery, ...PendingDelivery[]];
  /** The batch's number; null for a delivery that goes by itself. */
  batch: number | null;
  /** The trace context of the attempt itself, where it is traced: sent in the place of what the events carry. */
  trace?: string;
}

/** A try under way. */
export interface Sending {
  startedAt: number;
  shownHeaders: string;
  outcome: Promise<Outcome>;
  /** Its place in a trace; null while nothing is traced. */
  span: Span | null;
}

/**
 * Composes a try. The id is the same over all tries, timestamp and signatures are of this one (Standard Webhooks 1.0);
 * the body is the publisher's bytes. A webhook that wants batches gets an array in any case.
 */
export function compose(route: Route, load: Load, sentAt: number): Composed {
  const { deliveries, batch } = load;
  const [first] = deliveries;
  const trace = load.trace ?? traceOf(deliveries);
  if (route.report !== null) return composeReport(route, route.report, { delivery: first, trace });
  if (route.isFlow) return { delivery: under(first, trace), shownHeaders: '{}' };
  const id = batch === null ? deliveryId(route.token, first) : batchId(route.token, first.target, batch);
  const { envelope } = first.carried;
  const encoded = route.format === 'binary' ? encodeBinary(envelope) : null;
  const single = encoded ? encoded.body : envelope;
  const body = route.batch === null ? single : encodeBatch(deliveries.map(({ carried }) => carried.envelope));
  const own: Record<string, string> = route.sign({ id, sentAt, body });
  own['webhook-id'] ??= id;
  own['webhook-timestamp'] ??= String(Math.floor(sentAt / 1000));
  setTraceHeaders(own, trace);
  if (encoded) for (const [name, value] of encoded.headers) own[name] = value;
  const headers = route.headers.slice();
  for (const name in own) headers.push(name, own[name]!);
  const shown = `${JSON.stringify(own).slice(0, -1)},${route.shownHeaders.slice(1)}`;
  const { masker } = route;
  const request = { method: 'POST', headers, body, deadlineMs: route.timeoutMs, masker };
  if (route.isRelayed) return { relayed: { key: keyOf(first), ...request }, shownHeaders: shown };
  return { request: { ...request, target: route.target, credentials: route.credentials }, shownHeaders: shown };
}

function keyOf({ workspace, target }: PendingDelivery): TargetKey {
  return { workspace, target };
}

// What it leads to belongs to the attempt.
function under(delivery: PendingDelivery, trace: string | null): PendingDelivery {
  return trace === delivery.carried.trace ? delivery : { ...delivery, carried: { ...delivery.carried, trace } };
}

// Of several only what they share: a request has one parent.
function traceOf(deliveries: Load['deliveries']): string | null {
  const { trace } = deliveries[0].carried;
  return deliveries.length === 1 || deliveries.every(({ carried }) => carried.trace === trace) ? trace : null;
}

/** What a try comes to whose request could not even be composed. */
export function uncomposed(error: Error): Outcome {
  const message = `the request could not be made: ${error.message}`;
  return { kind: 'failure', code: 'other', message, status: null, durationMs: 0, connectMs: 0 };
}

// The one place of an attempt that tells what was sent.
function sentTwice(shownHeaders: string): string {
  return shownHeaders.replace(`"${BEARER_MASK}"`, `"${BEARER_MASK} (renewed: the first one was answered 401)"`);
}

/** Did the target take the delivery? A post-processing has its own rule (R22). */
export function isTaken(route: Route | null, outcome: Outcome): boolean {
  return route?.report ? isReported(outcome, route.report) : isSuccess(outcome);
}

/**
 * The row of an attempt. Of an answer to several deliveries (`isShared`) only the status is kept: it may repeat any of
 * their events, and would outlive the erasure of that one with the others.
 */
export function attemptOf(
  outcome: Outcome,
  of: {
    attempt: number;
    manual: boolean;
    startedAt: number;
    shownHeaders: string;
    isTaken: boolean;
    isShared?: boolean;
  },
): Attempt {
  const answered = outcome.kind === 'response' && of.isShared !== true;
  return {
    attempt: of.attempt,
    manual: of.manual,
    startedAt: of.startedAt,
    durationMs: Math.round(outcome.durationMs),
    status: outcome.status,
    error: of.isTaken ? null : describeOutcome(outcome),
    requestHeaders: outcome.sentTwice === true ? sentTwice(of.shownHeaders) : of.shownHeaders,
    responseHeaders: answered ? JSON.stringify(outcome.headers) : null,
    response: answered && outcome.body.length > 0 ? outcome.body : null,
  };
}

/** What a try comes to for each delivery that it carried, once it is decided. */
export function settlementsOf(
  outcome: Outcome,
  of: Pick<Load, 'deliveries'> & { startedAt: number; shownHeaders: string; next: NonNullable<Settlement['next']> },
): Settlement[] {
  const { deliveries, startedAt, shownHeaders, next } = of;
  const isShared = deliveries.length > 1;
  const isTaken = next.state === 'delivered';
  return deliveries.map(({ workspace, event, target, copy, attempts, firstTryAt }) => {
    const made = { attempt: attempts + 1, manual: false, startedAt, shownHeaders, isTaken, isShared };
    const attempt = attemptOf(outcome, made);
    return { workspace, event, target, copy, next, firstTryAt: firstTryAt ?? startedAt, attempt };
  });
}

/** A delivery as it will be tried again, or null when it is over. */
export function againAfter(
  delivery: PendingDelivery,
  { next, attempt, firstTryAt }: Settlement,
): PendingDelivery | null {
  if (next?.state !== 'open') return null;
  return { ...delivery, tries: next.tries, attempts: attempt.attempt, firstTryAt, dueAt: next.dueAt };
}

/** The delivery's row after a try, as it was decided. */
export function nextOf(
  decision: Decision,
  { tries, now }: { tries: number; now: number },
): NonNullable<Settlement['next']> {
  switch (decision.next) {
    case 'delivered':
      return { state: 'delivered', tries, dueAt: now, endedAt: now, reason: null };
    case 'retry':
      return { state: 'open', tries, dueAt: decision.at, endedAt: null, reason: decision.reason };
    case 'blocked':
      return { state: 'open', tries, dueAt: decision.at, endedAt: null, reason: decision.reason };
    case 'parked':
      return { state: 'open', tries, dueAt: PARKED_AT, endedAt: null, reason: decision.reason };
    case 'dead':
      return { state: 'dead', tries, dueAt: now, endedAt: now, reason: decision.reason };
    case 'disable':
      return { state: 'open', tries, dueAt: now, endedAt: null, reason: decision.reason };
  }
}

/** An attempt that has ended, for those who watch. */
export interface AttemptEnd {
  delivery: PendingDelivery;
  attempt: Attempt;
  state: StoredState;
  to: AttemptTarget;
  outcome: Outcome;
  /** The part of all ids of its workspace; null when its target is gone. */
  token: string | null;
  /** When the next one is due (epoch ms), or null. */
  nextAt: number | null;
  /** The trace context it was made under, or null. */
  trace: string | null;
}

/** What an attempt was made at. */
export type AttemptTarget = 'webhook' | 'post-processing' | 'flow';

/** What a route leads to; one that is gone meanwhile led to a webhook, as most do. */
export function targetKindOf(route: Route | null): AttemptTarget {
  if (route?.isFlow) return 'flow';
  return route?.report ? 'post-processing' : 'webhook';
}
