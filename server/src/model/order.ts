// The order in which a webhook gets its deliveries: any, or first in first out, as a whole or by a key. Pure.
//
//   key null            one line for the whole webhook
//   key 'subject'       a line for each value of a CloudEvents attribute
//   key 'data/user/id'  a line for each value of a member of the data
//
// In each line one delivery is under way at a time, in the order of the events, over retries, holds and restarts. An
// event that lacks its key stands in the line of those that lack it: they are in order among themselves.
import { readEnvelope } from './cloud-events/index.ts';

/** What becomes of a line whose first delivery fails. */
export type OnFailure =
  /** It waits: the delivery is tried until it succeeds; when its tries are used up, again and again at the last delay. */
  | 'block'
  /** After its tries the delivery is a dead letter, and the next one goes. */
  | 'skip'
  /** After its tries the line waits until somebody retries that delivery or unparks the webhook; the other lines go on. */
  | 'park';

/** A webhook's order. `tries` null is as many as its retry plan has. */
export type Order = { kind: 'any' } | Fifo;
export interface Fifo {
  kind: 'fifo';
  key: string | null;
  onFailure: OnFailure;
  tries: number | null;
}

/** The order of a webhook that asks for none. */
export const ANY_ORDER: Order = { kind: 'any' };

/** The due instant of what is parked: the last one there is. */
export const PARKED_AT = 8_640_000_000_000_000;

const KEY = /^(?:[a-z0-9]{1,100}|data(?:\/[^/]{1,100}){1,10})$/;

/** What is wrong with an order, as a clause; null when nothing is. */
export function orderFault(order: Order, recovery: Recovery): string | null {
  if (order.kind === 'any') return null;
  if (recovery === 'fresh-first') return 'fifo deliveries are recovered in order: recovery cannot be fresh-first';
  if (order.key !== null && !KEY.test(order.key)) {
    return `key must be an attribute such as "subject" or a path such as "data/user/id", not "${order.key}"`;
  }
  if (order.onFailure === 'block' && order.tries !== null) return 'block never gives up, so it takes no tries';
  return null;
}

/**
 * How what was held, or did not fit into memory, is sent beside what has just been published. In order: the oldest
 * first, which keeps none waiting for ever; fresh first: what is new does not wait behind a long backlog, which gets
 * one send in four.
 */
export type Recovery = 'in-order' | 'fresh-first';

/** The line a delivery stands in, as a name: lines with different names are different ones. */
export function lineOf(envelope: Uint8Array, key: string | null): string {
  if (key === null) return '';
  const { attributes, data } = readEnvelope(envelope);
  const [first, ...path] = key.split('/');
  const value = path.length > 0 ? memberOf(data, path) : attributes[first!];
  return value === undefined || value === null ? 'null' : JSON.stringify(value);
}

function memberOf(data: unknown, path: readonly string[]): unknown {
  // Bytes have no members.
  let value = data instanceof Uint8Array ? undefined : data;
  for (const name of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
