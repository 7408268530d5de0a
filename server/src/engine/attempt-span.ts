// The span of an attempt: what a trace tells of one request to one target.
//
// Where the request goes is told by host and port alone: of many webhooks the rest of the URL is the secret.
import { batchId, deliveryId, formatId } from '../model/ids.ts';
import { describeOutcome, type Outcome } from '../model/outcome.ts';
import type { Attributes, Span, Tracer } from '../tracing/index.ts';
import type { Load } from './attempt.ts';
import type { Route } from './route.ts';
import type { Target } from './transport/index.ts';

/**
 * Begins it. A delivery belongs to the trace of its publish. What was not part of that publish begins a trace of its own,
 * which names the others: a batch, for it has many, and a copy, for what it copies may be long gone by.
 */
export function beginAttempt(tracer: Tracer, { deliveries, batch }: Load, route: Route): Span {
  const [first] = deliveries;
  const isApart = batch !== null || deliveries.length > 1 || first.copy > 0;
  const how = isApart ? { parent: null, links: contextsOf(deliveries) } : { parent: first.carried.trace };
  const span = tracer.begin(nameOf(route, batch), { kind: route.isFlow ? 'internal' : 'client', ...how });
  if (span.isRecorded) span.set({ ...about({ deliveries, batch }, route), ...whereTo(route) });
  return span;
}

function contextsOf(deliveries: Load['deliveries']): string[] {
  const contexts = new Set<string>();
  for (const { carried } of deliveries) if (carried.trace !== null) contexts.add(carried.trace);
  return [...contexts];
}

function nameOf({ report, isFlow }: Route, batch: number | null): string {
  if (report !== null) return report.kind === 'email' ? 'report by mail' : 'report';
  if (isFlow) return 'start flow';
  return batch === null ? 'deliver' : 'deliver batch';
}

function about({ deliveries, batch }: Load, { token, report }: Route): Attributes {
  const [first] = deliveries;
  const isAlone = batch === null;
  const target = formatId(report === null ? 'wh' : 'pp', token, first.target);
  return {
    'messaging.system': 'bellwire',
    'messaging.operation.name': 'deliver',
    'messaging.operation.type': 'send',
    'messaging.destination.name': target,
    'messaging.message.id': isAlone ? deliveryId(token, first) : batchId(token, first.target, batch),
    'messaging.batch.message_count': isAlone ? undefined : deliveries.length,
    'bellwire.webhook.id': target,
    'bellwire.delivery.id': isAlone ? deliveryId(token, first) : undefined,
    'bellwire.event.id': isAlone ? formatId('evt', token, first.event) : undefined,
    'bellwire.event.type': isAlone ? first.carried.type : undefined,
    'bellwire.attempt': first.attempts + 1,
  };
}

function whereTo({ target, report, isFlow }: Route): Attributes {
  if (isFlow || report?.kind === 'email') return {};
  return { 'http.request.method': 'POST', ...serverOf(target) };
}

/** Host and port of a target, as OpenTelemetry names them. */
export function serverOf({ origin, hostname }: Pick<Target, 'origin' | 'hostname'>): Attributes {
  const { protocol, port } = new URL(origin);
  const scheme = protocol.slice(0, -1);
  return {
    'url.scheme': scheme,
    'server.address': hostname,
    'server.port': Number(port) || (scheme === 'https' ? 443 : 80),
  };
}

/** Ends it with what came back. `next` is what follows: `delivered`, `retry`, `dead` …, at an instant (epoch ms) or never. */
export function endAttempt(
  span: Span,
  outcome: Outcome,
  next: { what: string; at: number | null; isTaken: boolean },
): void {
  if (!span.isRecorded) return;
  const isAnswer = outcome.kind === 'response';
  span.set({
    'http.response.status_code': outcome.status,
    'error.type': next.isTaken ? undefined : isAnswer ? String(outcome.status) : outcome.code,
    'bellwire.outcome': next.what,
    'bellwire.next_attempt_at': next.at === null ? undefined : new Date(next.at).toISOString(),
  });
  span.end(next.isTaken ? null : describeOutcome(outcome));
}
