// Telling of dead letters: one operational event each, so many per webhook and minute. Who wants all of them lists them.
import type { Settlement } from '../model/delivery.ts';
import { deadLetterEvent, isOperational } from '../model/operational-events.ts';
import type { Tx } from './sql.ts';
import type { Telling } from './telling.ts';

/** Told of one webhook in one minute, by each node. An endpoint that dies with a backlog has thousands. */
const MOST_PER_MINUTE = 60;
const MINUTE_MS = 60_000;
/** Webhooks counted before the counts of former minutes are dropped. */
const MOST_COUNTED = 10_000;

/** Tells, and counts how often it did. */
export class DeadLetters {
  readonly #counts = new Map<string, { minute: number; count: number }>();

  /** Tells of the dead letters of a batch, in its transaction. One of an operational event makes no further one. */
  async tell(tx: Tx, telling: Telling, { dead, now }: { dead: readonly Settlement[]; now: number }): Promise<void> {
    for (const { workspace, event: number, target: webhook, copy, next, attempt } of dead) {
      const hearing = telling.hearing(workspace);
      if (!hearing) continue;
      const [event] = await tx.all<{ type: string; source: string; id: string }>(
        'SELECT type, source, id FROM events WHERE workspace = $1 AND event = $2',
        [workspace, number],
      );
      if (!event || isOperational(event.type)) continue;
      const nth = this.#count(`${workspace}/${webhook}`, now);
      if (nth > MOST_PER_MINUTE) continue;
      const { token } = hearing;
      const name = await nameOf(tx, workspace, webhook);
      const key = { workspace, event: number, target: webhook, copy };
      const { tries, reason } = next!;
      const isLast = nth === MOST_PER_MINUTE;
      const about = { token, webhook, name, at: now, key, event, tries, attempt: attempt.attempt, reason, isLast };
      await telling.tell(hearing, [deadLetterEvent(about)]);
    }
  }

  #count(webhook: string, now: number): number {
    const minute = Math.floor(now / MINUTE_MS);
    if (this.#counts.size > MOST_COUNTED) this.#counts.clear();
    const known = this.#counts.get(webhook);
    const count = known?.minute === minute ? known.count + 1 : 1;
    this.#counts.set(webhook, { minute, count });
    return count;
  }
}

/** What people call a webhook; its number when it is gone. */
export async function nameOf(tx: Tx, workspace: number, webhook: number): Promise<string> {
  const [row] = await tx.all<{ name: string }>('SELECT name FROM webhooks WHERE workspace = $1 AND webhook = $2', [
    workspace,
    webhook,
  ]);
  return row?.name ?? String(webhook);
}
