// Deliveries and their attempts as everyone above the store sees them. Pure.
import type { DeliveryKey } from './ids.ts';
import { isSendable, type Health, type Intent } from './webhook.ts';

/** What is stored: still to be done, done, or given up. */
export type StoredState = 'open' | 'delivered' | 'dead';

/** What is shown. An open delivery is `held` while its webhook may not be sent to, and `scheduled` otherwise. */
export type DeliveryState = 'scheduled' | 'held' | 'delivered' | 'dead';

/** The state shown: holding needs no write, it follows from the webhook's state at the moment of reading. */
export function shownDeliveryState(stored: StoredState, intent: Intent, health: Health): DeliveryState {
  if (stored !== 'open') return stored;
  return isSendable(intent, health) ? 'scheduled' : 'held';
}

/** One delivery with what it carries, ready for the engine. Instants are epoch ms. */
export interface PendingDelivery extends DeliveryKey {
  /** Automatic tries used so far. */
  tries: number;
  /** All attempts made so far, manual ones included. */
  attempts: number;
  firstTryAt: number | null;
  dueAt: number;
  createdAt: number;
  /** The number of the batch it belongs to, counted by its webhook; null while it belongs to none. */
  batch: number | null;
  /** The event it carries; deliveries of one event share the object. */
  carried: CarriedEvent;
}

/** The event that deliveries carry: the bytes once, whatever the fan-out. */
export interface CarriedEvent {
  event: number;
  type: string;
  /** The event as one structured-mode JSON object, exactly as the publisher sent it. */
  envelope: Uint8Array;
  /** The publisher's `traceparent`, or null. */
  trace: string | null;
}

/** One HTTP try of a delivery, as it is kept (secrets masked before it gets here). */
export interface Attempt {
  /** Counts from 1 within the delivery. */
  attempt: number;
  /** Asked for by hand: leaves the automatic chain alone. */
  manual: boolean;
  startedAt: number;
  durationMs: number;
  /** HTTP status, or null when there was no answer. */
  status: number | null;
  /** What went wrong, in words; null for a success. */
  error: string | null;
  /** JSON object of the request's headers. */
  requestHeaders: string;
  /** JSON array of [name, value], or null without an answer. */
  responseHeaders: string | null;
  /** The first 16 KiB of the answer. */
  response: Uint8Array | null;
}

/** What one attempt came to: the delivery's next row and the attempt's. */
export interface Settlement extends DeliveryKey {
  /** The delivery's row after the attempt; null when a manual try failed and changes nothing but the count. */
  next: { state: StoredState; tries: number; dueAt: number; endedAt: number | null; reason: string | null } | null;
  firstTryAt: number;
  attempt: Attempt;
}
