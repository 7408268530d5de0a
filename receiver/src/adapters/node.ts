// node:http in front of a receiver.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Receiver } from '../receiver.ts';
import { serve } from './exchange.ts';

/** A listener for `http.createServer`, or for one path of your own routing. It never rejects. */
export type NodeListener = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>;

/**
 * Serves a receiver from node:http. Nothing may have read the body before: it is verified as raw bytes. If something
 * has, the answer is 500 and says so.
 * @example createServer(toNodeListener(createReceiver({ secret, on }))).listen(3000)
 */
export function toNodeListener(receiver: Receiver): NodeListener {
  return (incoming, outgoing) => serve(receiver, { incoming, outgoing });
}
