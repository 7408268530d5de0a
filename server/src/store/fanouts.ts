// Fan-outs too large for their accept: the targets it left, expanded chunk by chunk, one transaction each.
import type { CarriedEvent, PendingDelivery } from '../model/delivery.ts';
import { deliveryRow, newDelivery } from './accept.ts';
import type { Log } from './contract.ts';
import type { Listeners } from './listeners.ts';
import type { Sql, Tx } from './sql.ts';

interface Fanout {
  workspace: number;
  event: number;
}

/** The `expandFanouts` verb: the oldest of each workspace in turn, so that none waits for another one's. */
export function makeExpander(sql: Sql, listeners: Listeners): Log['expandFanouts'] {
  let last = 0;
  return async (limit, now) => {
    const waiting = await sql.read<Fanout>(
      'SELECT workspace, MIN(event) AS event FROM fanouts GROUP BY workspace ORDER BY workspace',
    );
    const next = waiting.find(({ workspace }) => workspace > last) ?? waiting[0];
    if (!next) return false;
    last = next.workspace;
    const made = await sql.write((tx) => expand(sql, tx, { fanout: next, limit, now }));
    if (made.length > 0) listeners.tell('deliveries', made);
    return true;
  };
}

async function expand(
  sql: Sql,
  tx: Tx,
  { fanout, limit, now }: { fanout: Fanout; limit: number; now: number },
): Promise<PendingDelivery[]> {
  const key = [fanout.workspace, fanout.event];
  // Held as `accept` holds it: no webhook is deleted between the look at it and the commit of its delivery.
  await tx.all(`SELECT head FROM workspaces WHERE workspace = $1${sql.dialect.forUpdate}`, [fanout.workspace]);
  const [row] = await tx.all<{ targets: string } & Omit<CarriedEvent, 'event'>>(
    `SELECT f.targets, e.type, e.trace, e.envelope FROM fanouts f
     JOIN events e ON e.workspace = f.workspace AND e.event = f.event WHERE f.workspace = $1 AND f.event = $2`,
    key,
  );
  // Another node was quicker.
  if (!row) return [];
  const { targets: left, type, trace, envelope } = row;
  const targets = JSON.parse(left) as number[];
  const batch = targets.splice(0, limit);
  const living = await webhooksAmong(tx, fanout.workspace, batch);
  const carried = { event: fanout.event, type, trace, envelope };
  const all = batch.map((target) => newDelivery({ workspace: fanout.workspace, target, carried, at: now }));
  const deleted = { at: now, reason: 'the webhook was deleted' };
  const rows = all.map((delivery) => deliveryRow(delivery, living.has(delivery.target) ? null : deleted));
  await tx.insert('deliveries', rows, 'keep');
  if (targets.length === 0) await tx.run('DELETE FROM fanouts WHERE workspace = $1 AND event = $2', key);
  else {
    const rest = JSON.stringify(targets);
    await tx.run('UPDATE fanouts SET targets = $3 WHERE workspace = $1 AND event = $2', [...key, rest]);
  }
  return all.filter(({ target }) => living.has(target));
}

// Targets are in ascending order.
async function webhooksAmong(tx: Tx, workspace: number, targets: readonly number[]): Promise<Set<number>> {
  const rows = await tx.all<{ webhook: number }>(
    'SELECT webhook FROM webhooks WHERE workspace = $1 AND webhook BETWEEN $2 AND $3',
    [workspace, targets[0] ?? 0, targets.at(-1) ?? 0],
  );
  return new Set(rows.map(({ webhook }) => webhook));
}
