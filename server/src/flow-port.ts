// Joins flows to what else is in the house, of which they know nothing: requests to the outside go through the engine's
// guarded transport, and mails by its mail server.
import { serverOf } from './engine/attempt-span.ts';
import type { OutgoingMail } from './engine/mail/index.ts';
import { parseTarget, type OutgoingRequest, type Target } from './engine/transport/index.ts';
import { FetchFailed, type Fetch, type FetchRequest } from './flow/fetch.ts';
import type { SendMail } from './flow/outside.ts';
import { traceHeaders } from './model/trace-context.ts';
import type { Outcome } from './model/outcome.ts';
import type { Span, Tracer } from './tracing/index.ts';

// RFC 9110 9.2.2: doing them twice is doing them once.
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** The fetch of flows, over what sends for the engine. */
export function fetchOver(send: (request: OutgoingRequest) => Promise<Outcome>, tracer: Tracer | null = null): Fetch {
  return async (request) => {
    const { method, url, body, deadlineMs, maxBytes, signal } = request;
    const target = targetOf(url);
    const span = beginRequest(tracer, request, target);
    const outcome = await send({
      target,
      method,
      headers: Object.entries(headersOf(request, span)).flat(),
      body,
      deadlineMs,
      maxBytes,
      signal,
      resend: REPEATABLE.has(method),
    });
    if (span) endWith(span, outcome);
    if (outcome.kind === 'failure') throw new FetchFailed(outcome.message);
    if (outcome.truncated) throw new FetchFailed(`answered more than ${maxBytes} bytes`);
    const joined: Record<string, string> = {};
    for (const [name, value] of outcome.headers)
      joined[name] = Object.hasOwn(joined, name) ? `${joined[name]}, ${value}` : value;
    return { status: outcome.status, headers: joined, body: outcome.body };
  };
}

/** The mails of flows, over what sends for the engine. */
export function mailOver(send: (mail: OutgoingMail) => Promise<Outcome>, tracer: Tracer | null): SendMail {
  return async ({ trace, ...mail }) => {
    const span =
      trace === null || tracer === null ? null : tracer.begin('send mail', { kind: 'client', parent: trace });
    const outcome = await send(mail);
    span?.end(outcome.kind === 'failure' ? outcome.message : null);
    return outcome;
  };
}

// Host and port alone: the rest of a URL may be made of secrets.
function beginRequest(tracer: Tracer | null, { method, trace }: FetchRequest, target: Target): Span | null {
  if (tracer === null || !trace) return null;
  const attributes = { 'http.request.method': method, ...serverOf(target) };
  return tracer.begin(method, { kind: 'client', parent: trace, attributes });
}

// A context of the document's own is its own business.
function headersOf({ headers, trace = null }: FetchRequest, span: Span | null): Readonly<Record<string, string>> {
  const isOwn = Object.keys(headers).some((name) => /^trace(?:parent|state)$/i.test(name));
  return isOwn ? headers : { ...headers, ...traceHeaders(span?.trace ?? trace) };
}

function endWith(span: Span, outcome: Outcome): void {
  const isAnswer = outcome.kind === 'response';
  span.set({ 'http.response.status_code': outcome.status, 'error.type': isAnswer ? undefined : outcome.code });
  const fault = isAnswer && outcome.status >= 400 ? `answered ${outcome.status}` : null;
  span.end(isAnswer ? fault : outcome.message);
}

function targetOf(url: string): Target {
  try {
    return parseTarget(url);
  } catch {
    throw new FetchFailed(`${url} is no http or https URL`);
  }
}
