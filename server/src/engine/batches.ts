// A batch before it is sent: what was taken becomes one in the store, or is completed by what the store has of it.
import type { PendingDelivery } from '../model/delivery.ts';
import type { Log, OwnedLane } from '../store/contract.ts';
import type { Load } from './attempt.ts';
import { nameOf } from './line.ts';

/**
 * Binds what was taken from a line (at least one delivery) into a batch; its members stand in the order of the events,
 * which is the same over all tries. Members that have ended meanwhile are missing: a batch may shrink and never grows,
 * so its id stays right, for whoever has seen it has seen all that it holds. Null when there is nothing to send: the lane
 * is somebody else's by now, the webhook is gone, or all has ended.
 */
export async function bindBatch(
  log: Pick<Log, 'formBatch' | 'batch'>,
  taken: readonly PendingDelivery[],
  lane: OwnedLane,
): Promise<Load | null> {
  const { workspace, target, batch } = taken[0]!;
  if (batch !== null) return loadOf(batch, await log.batch({ workspace, target, batch }));
  const formed = await log.formBatch({ workspace, target, members: taken, lane });
  if (!formed) return null;
  const names = new Set(formed.members.map(nameOf));
  const members = taken.filter((one) => names.has(nameOf(one))).map((one) => ({ ...one, batch: formed.batch }));
  return loadOf(formed.batch, members);
}

function loadOf(batch: number, members: PendingDelivery[]): Load | null {
  const [first, ...others] = members.toSorted((a, b) => a.event - b.event || a.copy - b.copy);
  return first ? { deliveries: [first, ...others], batch } : null;
}
