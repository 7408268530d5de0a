// Telling of what happens here by operational events: written in the transaction of the change they tell of, so that
// none is lost and none is told of what was undone. Where nobody has subscribed to them nothing is written.
//
// Lock order: the workspaces' rows, as `accept` holds them, before any row of webhooks or deliveries.
import { compileSubscriptions, type Catalog } from '../model/catalog.ts';
import type { CarriedEvent, PendingDelivery } from '../model/delivery.ts';
import { attributesOf, envelopeOf, OPERATIONAL_SOURCE, type OperationalEvent } from '../model/operational-events.ts';
import { deliveryRow, newDelivery } from './accept.ts';
import { compileSubscription } from './catalogs.ts';
import type { Listeners } from './listeners.ts';
import type { Sql, Tx, WriteOptions } from './sql.ts';

/** The condition of the index that finds them; it must stand there and here in the same words. */
export const IS_OPERATIONAL = `substr(type, 1, 9) = 'bellwire.'`;

/** A workspace in which somebody has subscribed. Its row is held until the commit. */
export interface Hearing {
  workspace: number;
  token: string;
  head: number;
  targetsOf: Catalog['targetsOf'];
}

/** Tells, within one transaction. */
export class Telling {
  readonly #tx: Tx;
  readonly #forUpdate: string;
  readonly #hearings = new Map<number, Hearing>();
  readonly #deliveries: PendingDelivery[] = [];
  readonly #touched = new Set<number>();

  constructor(tx: Tx, forUpdate: string) {
    this.#tx = tx;
    this.#forUpdate = forUpdate;
  }

  /** Holds those of the workspaces in which somebody has subscribed. Before anything else is held. */
  async listen(workspaces: Iterable<number>): Promise<void> {
    const asked = [...new Set(workspaces)];
    if (asked.length === 0) return;
    const heard = await this.#tx.all<{ workspace: number }>(
      `SELECT DISTINCT workspace FROM subscriptions WHERE ${IS_OPERATIONAL} AND workspace IN (${asked.join(', ')})`,
    );
    if (heard.length === 0) return;
    const rows = await this.#tx.all<{ workspace: number; token: string; head: number }>(
      `SELECT workspace, token, head FROM workspaces
       WHERE workspace IN (${heard.map(({ workspace }) => workspace).join(', ')}) AND deleted_at IS NULL
       ORDER BY workspace${this.#forUpdate}`,
    );
    // Read while the row is held: whoever subscribes, or is deleted, does it before or after.
    for (const row of rows) {
      const subscriptions = await this.#tx.all<{ webhook: number; type: string; filter: string }>(
        `SELECT webhook, type, filter FROM subscriptions WHERE ${IS_OPERATIONAL} AND workspace = $1`,
        [row.workspace],
      );
      const targetsOf = compileSubscriptions(subscriptions.map(compileSubscription));
      this.#hearings.set(row.workspace, { ...row, targetsOf });
    }
  }

  /** The workspace, if somebody listens there. */
  hearing(workspace: number): Hearing | undefined {
    return this.#hearings.get(workspace);
  }

  /** Writes those events that somebody else than the webhook they are about has subscribed to. */
  async tell(hearing: Hearing, events: readonly OperationalEvent[]): Promise<void> {
    const { workspace } = hearing;
    const wanted = events.flatMap((event) => {
      const { type, data, about } = event;
      const targets = hearing.targetsOf({ type, attributes: attributesOf(event), data });
      const others = targets.filter((target) => target !== about);
      return others.length === 0 ? [] : [{ event, others, number: ++hearing.head, envelope: envelopeOf(event) }];
    });
    if (wanted.length === 0) return;
    const isNew = await this.#tx.insertNew(
      'events',
      wanted.map(({ event, number, envelope }) => {
        return [workspace, number, event.at, OPERATIONAL_SOURCE, event.id, event.type, null, null, envelope];
      }),
    );
    const made = wanted
      .filter((_, i) => isNew[i])
      .flatMap(({ event, others, number, envelope }) => {
        const carried: CarriedEvent = { event: number, type: event.type, envelope, trace: null };
        return others.map((target) => newDelivery({ workspace, target, carried, at: event.at }));
      });
    await this.#tx.insert(
      'deliveries',
      made.map((delivery) => deliveryRow(delivery)),
    );
    await this.#tx.run('UPDATE workspaces SET head = $1 WHERE workspace = $2', [hearing.head, workspace]);
    if (made.length === 0) return;
    this.#deliveries.push(...made);
    this.#touched.add(workspace);
  }

  /** After the commit. */
  announce(listeners: Listeners): void {
    if (this.#touched.size === 0) return;
    listeners.tell('deliveries', this.#deliveries);
    listeners.tell('events', [...this.#touched]);
  }
}

/** A transaction that may tell of what it does. */
export async function writeTelling<T>(
  { sql, listeners }: { sql: Sql; listeners: Listeners },
  work: (tx: Tx, telling: Telling) => Promise<T>,
  options?: WriteOptions,
): Promise<T> {
  let telling: Telling | null = null;
  const result = await sql.write(async (tx) => {
    // Anew each time: the transaction may be run again.
    telling = new Telling(tx, sql.dialect.forUpdate);
    return work(tx, telling);
  }, options);
  (telling as Telling | null)?.announce(listeners);
  return result;
}
