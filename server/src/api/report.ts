// One wide line in the log and one observation per request: who asked for what, what it came to, how long it took.
import type { IncomingMessage } from 'node:http';
import type { ApiKey, Workspace } from '../store/contract.ts';
import type { LogFields } from '../log/index.ts';
import type { Span } from '../tracing/index.ts';
import type { ApiParts } from './parts.ts';
import { spanIdOf, traceIdOf } from '../model/trace-context.ts';
import type { Reply } from './reply.ts';
import type { Route } from './routes.ts';

/** What is known of a request by the time it is answered. `startedAt` is monotonic. */
export interface Facts {
  startedAt: number;
  path: string;
  route: Route | null;
  key: ApiKey | null;
  workspace: Workspace | null;
  /** The trace context of what is done for it. */
  trace: string | null;
  span: Span | null;
  /** What its operation said of it. */
  told: LogFields;
}

/** Tells the operator. */
export interface Report {
  /** A request was answered; null when its client went away before. */
  request(request: IncomingMessage, facts: Facts, reply: Reply | null): void;
  /** A fault of ours; answers the URN it stands under in the log. */
  failure(facts: Facts, error: unknown): string;
}

const PUBLISH = 'POST /v1/events';

/** Makes the report. */
export function createReport({ log, metrics, clock, random }: ApiParts): Report {
  const requests = metrics.histogram({
    name: 'bellwire_http_request_duration_seconds',
    help: 'Time from the headers of a request to its answer.',
    labels: ['route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
  });
  const refusals = metrics.counter({
    name: 'bellwire_publishes_refused_total',
    help: 'Requests that were to publish and were refused, by the code of the refusal.',
    labels: ['code'],
  });
  return {
    request(request, facts, reply) {
      const durationMs = clock.monotonic() - facts.startedAt;
      const code = reply !== null && 'code' in reply ? reply.code : undefined;
      if (code !== undefined && facts.route?.name === PUBLISH) refusals.add(1, code);
      requests.observe(durationMs / 1_000, facts.route?.name ?? 'none', String(reply?.status ?? 'gone'));
      const line = {
        method: request.method,
        route: facts.route?.path ?? null,
        // A path that fits no route may hold anything, a secret put in the wrong place included.
        path: facts.route === null ? null : facts.path,
        status: reply?.status ?? null,
        code,
        durationMs: Math.round(durationMs * 1_000) / 1_000,
        caller: facts.key?.key,
        workspace: facts.workspace?.name,
        workspaceNumber: facts.workspace?.workspace,
        bytes: bytesOf(request),
        requestId: requestIdOf(request),
        ...facts.told,
        ...(facts.span === null ? {} : { traceId: traceIdOf(facts.span.trace), spanId: spanIdOf(facts.span.trace) }),
      };
      // What comes by the thousand and went well is counted above, and shown at `debug` only.
      const isQuiet = request.method === 'GET' || facts.route?.operation.quiet === true;
      if (isQuiet && reply !== null && reply.status < 400) log.debug(line, 'request');
      else log.info(line, 'request');
    },
    failure(facts, error) {
      const instance = `urn:uuid:${random.uuid()}`;
      const route = facts.route?.name ?? null;
      log.error({ error, instance, route, workspace: facts.workspace?.name }, 'request failed');
      return instance;
    },
  };
}

/** Of the body, as far as the request says. */
function bytesOf({ headers }: IncomingMessage): number | undefined {
  const length = headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

/** What its sender, or a proxy before us, calls it; none of a form that could say more than that. */
function requestIdOf({ headers }: IncomingMessage): string | undefined {
  const id = headers['x-request-id'];
  return typeof id === 'string' && /^[\w.:-]{1,128}$/.test(id) ? id : undefined;
}
