// Batches: events that go to a webhook in one request, as a JSON array (CloudEvents batched mode). Pure.
//
// A batch begins when it is full or its oldest event has waited long enough. With its first try it is fixed: over all
// tries it holds the same events in the same order under the same id, but for what has left it or is no more.
import type { PendingDelivery } from './delivery.ts';
import type { Order, Recovery } from './order.ts';
import type { Format } from './webhook.ts';

/** How large a webhook's batches may be. */
export interface Batching {
  /** Events at most. */
  events: number;
  /** The oldest of them waits for company at most so long from when it was accepted, ms. */
  waitMs: number;
  /** Bytes of the request's body at most; an event that is larger goes alone. */
  bytes: number;
}

/** What a webhook gets that asks for batches and says no more: ten events, or the oldest is 60 s old (wire 1). */
export const DEFAULT_BATCHING: Batching = { events: 10, waitMs: 60_000, bytes: 1_048_576 };

/** Bounds of the setting. */
export const MOST_EVENTS = 1_000;
export const LONGEST_WAIT_MS = 3_600_000;
export const FEWEST_BYTES = 1_024;
export const MOST_BYTES = 1_048_576;

/** What is wrong with batches beside the rest of a webhook, as a clause; null when nothing is. */
export function batchingFault(of: {
  batch: Batching | null;
  order: Order;
  recovery: Recovery;
  format: Format;
}): string | null {
  const { batch, order, recovery, format } = of;
  if (batch === null) return null;
  if (format === 'binary') return 'a batch is a format of its own: it needs the format "structured"';
  if (recovery === 'fresh-first') return 'batches are recovered in order: recovery cannot be fresh-first';
  if (order.kind === 'fifo' && order.key !== null) {
    return 'a batch would make the keys in it wait for one another: fifo needs to be without a key, or there are no batches';
  }
  return null;
}

/** What counts of a delivery that waits. */
export type Waiting = Pick<PendingDelivery, 'batch' | 'dueAt' | 'carried'>;

/**
 * How many of what waits, from the first on, make one batch: one in any case, and one only where the first belongs to a
 * batch already. What is not due by `now` (epoch ms) joins none.
 */
export function countTogether({ events, bytes }: Batching, waiting: readonly Waiting[], now: number): number {
  let count = 0;
  // Each event comes with a comma, and the last one's is a bracket.
  let size = 1;
  for (const { batch, dueAt, carried } of waiting) {
    size += carried.envelope.length + 1;
    if (count > 0 && (batch !== null || dueAt > now || size > bytes)) break;
    count++;
    if (count >= events || batch !== null) break;
  }
  return count;
}

/** Until when a delivery waits for company (epoch ms). Made in the future, the clock was set back: nobody can tell. */
export function companyUntil({ waitMs }: Batching, { createdAt }: { createdAt: number }, now: number): number {
  return createdAt > now ? 0 : createdAt + waitMs;
}
