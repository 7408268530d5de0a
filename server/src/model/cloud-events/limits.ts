// How large, how deep and how many: the bounds on what one request may bring.
import type { FaultList } from './faults.ts';

/** Limits in bytes: of one event as structured JSON (CloudEvents asks that 64 KiB pass), and of a request's body. */
export type EventLimits = { eventBytes: number; requestBytes: number };

/** Objects and arrays nest at most this deep, the event's own object counted. */
export const MAX_DEPTH = 128;

/** A batch holds at most this many events: one request must not hold up the others for long. */
export const MAX_BATCH_EVENTS = 10_000;

/** True when an event of so many bytes may pass; adds the fault when not. */
export function fitsEvent(bytes: number, limits: EventLimits, faults: FaultList): boolean {
  if (bytes <= limits.eventBytes) return true;
  faults.add('event-too-large', `The event has ${bytes} bytes as structured JSON; the limit is ${limits.eventBytes}.`);
  return false;
}

/** True when an event of this depth may pass; adds the fault when not. */
export function fitsDepth(depth: number, faults: FaultList): boolean {
  if (depth <= MAX_DEPTH) return true;
  faults.add('nested-too-deep', `The event nests deeper than ${MAX_DEPTH} levels.`);
  return false;
}
