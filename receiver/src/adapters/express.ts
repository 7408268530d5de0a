// Express in front of a receiver.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Receiver } from '../receiver.ts';
import { consumedBody, serve } from './exchange.ts';

/** What Express hands to a route, as far as it matters here. */
export type ExpressRequest = IncomingMessage & {
  readonly body?: unknown;
  /** Kept by `express.json({ verify })` in many projects, and by Google Cloud Functions always. */
  readonly rawBody?: unknown;
};

/** A handler for a route of Express. */
export type ExpressHandler = (
  request: ExpressRequest,
  response: ServerResponse,
  next: (error: Error) => void,
) => Promise<void>;

/**
 * Serves a receiver from a route of Express. Mount it before `express.json()` and its kind, which throw the raw bytes
 * away; `express.raw()` in front of it does no harm. A body that was parsed goes to Express's error handling with a
 * sentence that says what to do.
 * @example app.post('/webhooks', toExpress(createReceiver({ secret, on })))
 */
export function toExpress(receiver: Receiver): ExpressHandler {
  return async (request, response, next) => {
    const exchange = { incoming: request, outgoing: response };
    if (!request.readableDidRead) return serve(receiver, exchange);
    const body = request.rawBody ?? request.body;
    if (body instanceof Uint8Array) return serve(receiver, { ...exchange, body });
    next(new Error(consumedBody('mount this route before express.json(), or give the route express.raw() instead')));
  };
}
