// Joins flows to what else is in the house, of which they know nothing: requests to the outside go through the engine's
// guarded transport.
import { parseTarget, type OutgoingRequest, type Target } from './engine/transport/index.ts';
import { FetchFailed, type Fetch } from './flow/fetch.ts';
import type { Outcome } from './model/outcome.ts';

// RFC 9110 9.2.2: doing them twice is doing them once.
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** The fetch of flows, over what sends for the engine. */
export function fetchOver(send: (request: OutgoingRequest) => Promise<Outcome>): Fetch {
  return async ({ method, url, headers, body, deadlineMs, maxBytes, signal }) => {
    const outcome = await send({
      target: targetOf(url),
      method,
      headers: Object.entries(headers).flat(),
      body,
      deadlineMs,
      maxBytes,
      signal,
      resend: REPEATABLE.has(method),
    });
    if (outcome.kind === 'failure') throw new FetchFailed(outcome.message);
    if (outcome.truncated) throw new FetchFailed(`answered more than ${maxBytes} bytes`);
    const joined: Record<string, string> = {};
    for (const [name, value] of outcome.headers)
      joined[name] = Object.hasOwn(joined, name) ? `${joined[name]}, ${value}` : value;
    return { status: outcome.status, headers: joined, body: outcome.body };
  };
}

function targetOf(url: string): Target {
  try {
    return parseTarget(url);
  } catch {
    throw new FetchFailed(`${url} is no http or https URL`);
  }
}
