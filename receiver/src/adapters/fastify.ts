// Fastify in front of a receiver.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Receiver } from '../receiver.ts';
import { serve } from './exchange.ts';

interface Route {
  method: string[];
  url: string;
  handler(request: { raw: IncomingMessage }, reply: { raw: ServerResponse; hijack(): unknown }): unknown;
}

/** The part of a Fastify instance that is used; it needs no types of Fastify to be one. */
export interface FastifyLike {
  removeAllContentTypeParsers(): unknown;
  addContentTypeParser(
    contentType: string,
    parser: (request: unknown, payload: unknown, done: (error: Error | null) => void) => void,
  ): unknown;
  route(route: Route): unknown;
}

/**
 * A Fastify plugin that serves a receiver at one URL. It keeps Fastify's body parsers away from that URL, and only
 * from it: Fastify gives each plugin its own parsers.
 * @example app.register(toFastify(createReceiver({ secret, on }), { url: '/webhooks' }))
 */
export function toFastify(receiver: Receiver, { url }: { url: string }): (app: FastifyLike) => Promise<void> {
  return async (app) => {
    app.removeAllContentTypeParsers();
    // A parser that leaves the stream unread: the receiver reads it, up to its own limit.
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.route({
      method: ['POST', 'OPTIONS', 'GET', 'PUT', 'PATCH', 'DELETE'],
      url,
      async handler(request, reply) {
        reply.hijack();
        await serve(receiver, { incoming: request.raw, outgoing: reply.raw });
      },
    });
  };
}
