// The trace of a request: the context it came with, and the span of what is done for it.
import type { IncomingMessage } from 'node:http';
import { readTraceContext } from '../model/trace-context.ts';
import type { Tracer } from '../tracing/index.ts';
import type { Facts } from './report.ts';
import type { Reply } from './reply.ts';
import { headerOf } from './request-head.ts';

/** Reads the context of a request whose route is known, and begins its span where something is traced. */
export function joinTrace(request: IncomingMessage, facts: Facts, tracer: Tracer | null): void {
  const { headers } = request;
  if (headers['traceparent'] !== undefined) {
    facts.trace = readTraceContext(headers['traceparent'], headerOf(request, 'tracestate'));
  }
  const { route } = facts;
  // Those who look whether the platform is well do so every few seconds.
  if (tracer === null || route === null || (route.access === 'anybody' && route.method === 'GET')) return;
  facts.span = tracer.begin(`${request.method} ${route.path}`, {
    kind: 'server',
    parent: facts.trace,
    attributes: { 'http.request.method': request.method, 'http.route': route.path, 'url.scheme': 'http' },
  });
  facts.trace = facts.span.trace;
}

/** Ends it; a null reply went to nobody. */
export function endTrace({ span, workspace, key, told }: Facts, reply: Reply | null): void {
  if (span === null) return;
  if (span.isRecorded) {
    const problem = reply !== null && 'code' in reply ? reply.code : undefined;
    span.set({
      'http.response.status_code': reply?.status,
      'error.type': problem ?? (reply === null ? 'client-gone' : undefined),
      'bellwire.workspace': workspace?.name,
      'bellwire.key': key?.key,
    });
    for (const name in told) {
      const value = told[name];
      if (typeof value === 'number' || typeof value === 'string') span.set({ [`bellwire.${name}`]: value });
    }
  }
  span.end(reply !== null && reply.status >= 500 ? `answered ${reply.status}` : null);
}
