// Operations: long actions on many deliveries, done in small chunks at a pace. Pure.
//
//   running ──everything was looked at──▶ done
//   running ◀──asked to──▶ paused
//   running, paused ──asked to──▶ cancelled
//   running ──its webhook is gone, or a chunk fails again and again──▶ failed
//
// recover   a webhook gets all it should have got since an instant and has not: dead letters, retries that wait, and
//           what was never tried
// redrive   dead letters, of one webhook or of all, begin a new chain of tries
// replay    a webhook gets events (again), as copies: deliveries of their own

/** What an operation does. */
export type OperationKind = 'recover' | 'redrive' | 'replay';

/** How far it is. */
export type OperationState = 'running' | 'paused' | 'done' | 'cancelled' | 'failed';

/** Deliveries that one chunk releases at most: a transaction of some ten milliseconds. */
const LARGEST_CHUNK = 500;
/** An operation of a slow pace releases no more at once than it may in this time, so that a cancel is heard. */
const CHUNK_MS = 1000;

/** How many deliveries a chunk may release, at so many per second. */
export function chunkOf(pace: number): number {
  return Math.max(1, Math.min(LARGEST_CHUNK, Math.floor((pace * CHUNK_MS) / 1000)));
}

/** When the next chunk may come (epoch ms) after one that was planned for `plannedAt` and released so many. */
export function nextChunkAt(of: { plannedAt: number; released: number; pace: number; now: number }): number {
  const { plannedAt, released, pace, now } = of;
  // What was missed for longer than that is not made up for: a pace is a promise to the endpoint.
  const from = Math.min(now, Math.max(plannedAt, now - CHUNK_MS));
  return from + Math.ceil((released * 1000) / pace);
}

/** The share that is done, from 0 to 1, by the numbers of the events. */
export function progressOf(of: { state: OperationState; from: number; upTo: number; event: number }): number {
  const { state, from, upTo, event } = of;
  if (state === 'done') return 1;
  const share = upTo <= from ? 0 : (Math.min(event, upTo) - from) / (upTo - from);
  return Math.max(0, Math.floor(share * 1000) / 1000);
}

/** Has the instant of the next chunk come? A rest is never long: where it seems so, the clock was set back meanwhile. */
export function isChunkDue(nextAt: number, now: number): boolean {
  return nextAt <= now || nextAt - now > 2 * CHUNK_MS;
}
