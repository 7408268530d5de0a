// A try by hand: one delivery now, whatever its state, under the same `webhook-id`. The automatic chain is left alone:
// only a success ends it. One that belongs to a batch leaves it for that: what stays goes on as it was, and the one that
// was tried alone joins another batch when it failed. A pace or `Retry-After` does not stand in its way: a person asks for this one request.
import type { Clock } from '../model/clock.ts';
import type { Settlement } from '../model/delivery.ts';
import type { DeliveryKey } from '../model/ids.ts';
import type { Outcome } from '../model/outcome.ts';
import type { OwnedLane, Store } from '../store/contract.ts';
import { endAttempt } from './attempt-span.ts';
import { attemptOf, isTaken, targetKindOf, type AttemptEnd, type Load, type Sending } from './attempt.ts';
import type { Stored } from './line.ts';
import type { LaneKeeper } from './lane-keeper.ts';
import type { QueueKeeper } from './queue-keeper.ts';
import type { Route } from './route.ts';
import type { Settler } from './settler.ts';

/** What became of a try by hand. */
export type ManualResult =
  | { kind: 'tried'; outcome: Outcome; delivered: boolean }
  /** The delivery, its event or its webhook is gone. */
  | { kind: 'gone' }
  /** The webhook may not be sent to in its state. */
  | { kind: 'held' }
  /** It is being sent at this moment. */
  | { kind: 'busy' }
  /** An earlier delivery of its key has to go first. */
  | { kind: 'in-turn' }
  /** Another node sends to this webhook. */
  | { kind: 'elsewhere' };

/** What a try by hand stands on. */
export interface ByHandParts {
  store: Store;
  lanes: LaneKeeper;
  clock: Clock;
  queues: QueueKeeper;
  settler: Settler;
  send(load: Load, route: Route): Sending;
  onAttempt?(end: AttemptEnd): void;
}

/** Tries a delivery now. Rejects when the store does not answer. */
export async function tryByHand(parts: ByHandParts, key: DeliveryKey): Promise<ManualResult> {
  const { queues, lanes, store } = parts;
  const queue = queues.of(key);
  if (queue.route === null || !queue.isRead) await queues.reload(queue);
  if (!queue.route) return { kind: 'gone' };
  // Only a line in order asks which delivery it is.
  const stored = queue.route.order.kind === 'fifo' ? await readStored(store, key) : null;
  const { route } = queue;
  const lane = lanes.owned(route.lane);
  if (!lane) return { kind: 'elsewhere' };
  if (!route.sendable) return { kind: 'held' };
  const taken = queue.pull(key, stored);
  if (taken !== 'taken') return { kind: taken };
  try {
    return await tryNow(parts, key, { route, lane });
  } finally {
    // Its turn in the automatic chain may have come meanwhile, and was passed over.
    queue.forget(key);
    queue.fallBehind();
    void queues.refill(queue);
  }
}

async function readStored({ log }: Store, key: DeliveryKey): Promise<Stored | null> {
  const [delivery, found] = await Promise.all([log.pending(key), log.delivery(key)]);
  return delivery && found && { delivery, isOpen: found.delivery.state === 'open' };
}

async function tryNow(
  parts: ByHandParts,
  key: DeliveryKey,
  { route, lane }: { route: Route; lane: OwnedLane },
): Promise<ManualResult> {
  const { store, settler, clock } = parts;
  const [delivery, before] = await Promise.all([store.log.pending(key), store.log.delivery(key)]);
  if (!delivery || !before) return { kind: 'gone' };
  if (delivery.batch !== null && before.delivery.state === 'open') await store.log.leaveBatch(key);
  const { startedAt, shownHeaders, outcome: coming, span } = parts.send({ deliveries: [delivery], batch: null }, route);
  const outcome = await coming;
  const delivered = isTaken(route, outcome);
  if (span) endAttempt(span, outcome, { what: delivered ? 'delivered' : 'by hand', at: null, isTaken: delivered });
  const number = delivery.attempts + 1;
  const attempt = attemptOf(outcome, { attempt: number, manual: true, startedAt, shownHeaders, isTaken: delivered });
  const { workspace, event, target, copy, tries, dueAt } = delivery;
  const next = delivered ? { state: 'delivered' as const, tries, dueAt, endedAt: clock.now(), reason: null } : null;
  const firstTryAt = delivery.firstTryAt ?? startedAt;
  const settlement: Settlement = { workspace, event, target, copy, next, firstTryAt, attempt };
  await new Promise<void>((done) => settler.add({ settlements: [settlement], lane, synced: true, done }));
  const state = delivered ? 'delivered' : before.delivery.state;
  const to = targetKindOf(route);
  const { token } = route;
  const trace = span?.trace ?? delivery.carried.trace;
  parts.onAttempt?.({ delivery, attempt, state, to, outcome, token, nextAt: null, trace });
  return { kind: 'tried', outcome, delivered };
}
