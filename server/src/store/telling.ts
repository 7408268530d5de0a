// Telling of what happens here by operational events: written in the transaction of the change they tell of, so that
// none is lost and none is told of what was undone. Where nobody has subscribed to them, and no post-processing is to be
// told, nothing is written.
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

/** An event to be told, and the post-processings it goes to beside those who have subscribed. */
export interface Told {
  event: OperationalEvent;
  reports: readonly number[];
  /** The trace context it is sent under; absent without. */
  trace?: string | null;
}

/** A workspace in which something may be told. Its row is held until the commit. */
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
    await this.hold(heard.map(({ workspace }) => workspace));
  }

  /** Holds these workspaces whether or not somebody has subscribed: for what post-processings are told of. */
  async hold(workspaces: readonly number[]): Promise<void> {
    if (workspaces.length === 0) return;
    const rows = await this.#tx.all<{ workspace: number; token: string; head: number }>(
      `SELECT workspace, token, head FROM workspaces
       WHERE workspace IN (${workspaces.join(', ')}) AND deleted_at IS NULL
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

  /** The workspace, if it is held; undefined where nobody listens, or it is gone. */
  hearing(workspace: number): Hearing | undefined {
    return this.#hearings.get(workspace);
  }

  /** Writes those events that somebody else than the webhook they are about has subscribed to. */
  async tell(hearing: Hearing, events: readonly OperationalEvent[]): Promise<void> {
    await this.report(
      hearing,
      events.map((event) => ({ event, reports: [] })),
    );
  }

  /**
   * Writes those events that somebody has subscribed to, or that go to a post-processing. Resolves the number of each in
   * the log, null where it was not written: nobody is told of it, or it is there already.
   */
  async report(hearing: Hearing, told: readonly Told[]): Promise<(number | null)[]> {
    const { workspace } = hearing;
    const living = await this.#livingReports(workspace, told);
    const judged = told.map(({ event, reports, trace = null }) => {
      const { type, data, about } = event;
      const targets = hearing.targetsOf({ type, attributes: attributesOf(event), data });
      const others = new Set(targets.filter((target) => target !== about));
      for (const target of reports) if (living.has(target)) others.add(target);
      return { event, trace, others: [...others], number: others.size === 0 ? null : ++hearing.head };
    });
    const wanted = judged.flatMap(({ event, trace, others, number }) =>
      number === null ? [] : [{ event, trace, others, number, envelope: envelopeOf(event) }],
    );
    if (wanted.length === 0) return judged.map(() => null);
    const isNew = await this.#tx.insertNew(
      'events',
      wanted.map(({ event, trace, number, envelope }) => {
        return [workspace, number, event.at, OPERATIONAL_SOURCE, event.id, event.type, null, trace, envelope];
      }),
    );
    const written = wanted.filter((_, i) => isNew[i]);
    const made = written.flatMap(({ event, trace, others, number, envelope }) => {
      const carried: CarriedEvent = { event: number, type: event.type, envelope, trace };
      return others.map((target) => newDelivery({ workspace, target, carried, at: event.at }));
    });
    await this.#tx.insert(
      'deliveries',
      made.map((delivery) => deliveryRow(delivery)),
    );
    await this.#tx.run('UPDATE workspaces SET head = $1 WHERE workspace = $2', [hearing.head, workspace]);
    if (made.length > 0) {
      this.#deliveries.push(...made);
      this.#touched.add(workspace);
    }
    const numbers = new Set(written.map(({ number }) => number));
    return judged.map(({ number }) => (number !== null && numbers.has(number) ? number : null));
  }

  // A post-processing may have been deleted since the run began; its workspace is held, so none is while this lasts.
  async #livingReports(workspace: number, told: readonly Told[]): Promise<ReadonlySet<number>> {
    const named = [...new Set(told.flatMap(({ reports }) => reports))];
    if (named.length === 0) return new Set();
    const rows = await this.#tx.all<{ target: number }>(
      `SELECT target FROM post_processings
       WHERE workspace = $1 AND target IN (${named.map((_, i) => `$${i + 2}`).join(', ')})`,
      [workspace, ...named],
    );
    return new Set(rows.map(({ target }) => target));
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
