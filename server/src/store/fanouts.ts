// Fan-outs too large for their accept: the targets it left, expanded chunk by chunk, one transaction each.
import type { CarriedEvent, PendingDelivery } from '../model/delivery.ts';
import { deliveryRow, newDelivery } from './accept.ts';
import type { Log } from './contract.ts';
import { ERASED } from './erased.ts';
import type { Listeners } from './listeners.ts';
import type { Sql, Tx } from './sql.ts';

/** Events of one chunk at most: each brings its envelope into memory. */
const MOST_EVENTS = 100;

/** The `expandFanouts` verb: one chunk of the oldest of each workspace in turn, so that none waits for another one's. */
export function makeExpander(sql: Sql, listeners: Listeners): Log['expandFanouts'] {
  let last = 0;
  const nextAfter = async (workspace: number): Promise<number | undefined> => {
    const rows = await sql.read<{ workspace: number }>(
      'SELECT workspace FROM fanouts WHERE workspace > $1 ORDER BY workspace LIMIT 1',
      [workspace],
    );
    return rows[0]?.workspace;
  };
  return async (limit, now) => {
    const workspace = (await nextAfter(last)) ?? (last > 0 ? await nextAfter(0) : undefined);
    last = workspace ?? 0;
    if (workspace === undefined) return false;
    const made = await sql.write((tx) => expand(sql, tx, { workspace, limit, now }));
    if (made.length > 0) listeners.tell('deliveries', made);
    return true;
  };
}

type Carried = CarriedEvent & { erasedAt: number | null };

interface Chunk {
  workspace: number;
  /** Deliveries at most. */
  limit: number;
  now: number;
}

/** What an event of a chunk is expanded by, and what is left of it. */
interface Part {
  event: number;
  targets: number[];
  left: number[];
}

async function expand(sql: Sql, tx: Tx, { workspace, limit, now }: Chunk): Promise<PendingDelivery[]> {
  // Held as `accept` holds it: no webhook is deleted between the look at it and the commit of its delivery.
  await tx.all(`SELECT head FROM workspaces WHERE workspace = $1${sql.dialect.forUpdate}`, [workspace]);
  const parts = await takeParts(tx, workspace, limit);
  // Another node was quicker.
  if (parts.length === 0) return [];
  const living = await webhooksAmong(tx, workspace, parts);
  const carried = await carriedEvents(tx, workspace, parts);
  const all = parts.flatMap(({ event, targets }) =>
    targets.map((target) => newDelivery({ workspace, target, carried: carried.get(event)!, at: now })),
  );
  const deadWhy = ({ event, target }: PendingDelivery): { at: number; reason: string } | null => {
    if (carried.get(event)!.erasedAt !== null) return { at: now, reason: ERASED };
    return living.has(target) ? null : { at: now, reason: 'the webhook was deleted' };
  };
  const rows = all.map((delivery) => deliveryRow(delivery, deadWhy(delivery)));
  await tx.insert('deliveries', rows, 'keep');
  await leaveRest(tx, workspace, parts);
  return all.filter((delivery) => deadWhy(delivery) === null);
}

// The oldest events, up to the limit: of the last one something may be left.
async function takeParts(tx: Tx, workspace: number, limit: number): Promise<Part[]> {
  const rows = await tx.all<{ event: number; targets: string }>(
    `SELECT event, targets FROM fanouts WHERE workspace = $1 ORDER BY event LIMIT ${Math.min(limit, MOST_EVENTS)}`,
    [workspace],
  );
  const parts: Part[] = [];
  let room = limit;
  for (const { event, targets: text } of rows) {
    if (room === 0) break;
    const left = JSON.parse(text) as number[];
    const targets = left.splice(0, room);
    room -= targets.length;
    parts.push({ event, targets, left });
  }
  return parts;
}

async function carriedEvents(tx: Tx, workspace: number, parts: readonly Part[]): Promise<ReadonlyMap<number, Carried>> {
  const rows = await tx.all<Carried>(
    `SELECT e.event, e.type, e.trace, e.envelope, e.erased_at AS "erasedAt" FROM fanouts f
     JOIN events e ON e.workspace = f.workspace AND e.event = f.event WHERE f.workspace = $1 AND f.event <= $2`,
    [workspace, parts.at(-1)!.event],
  );
  return new Map(rows.map((row) => [row.event, row]));
}

async function leaveRest(tx: Tx, workspace: number, parts: readonly Part[]): Promise<void> {
  const { event, left } = parts.at(-1)!;
  const done = left.length === 0 ? event : event - 1;
  await tx.run('DELETE FROM fanouts WHERE workspace = $1 AND event <= $2', [workspace, done]);
  if (left.length > 0) {
    const rest = [workspace, event, JSON.stringify(left)];
    await tx.run('UPDATE fanouts SET targets = $3 WHERE workspace = $1 AND event = $2', rest);
  }
}

// Targets are in ascending order.
async function webhooksAmong(tx: Tx, workspace: number, parts: readonly Part[]): Promise<Set<number>> {
  const first = Math.min(...parts.map(({ targets }) => targets[0]!));
  const last = Math.max(...parts.map(({ targets }) => targets.at(-1)!));
  const rows = await tx.all<{ webhook: number }>(
    'SELECT webhook FROM webhooks WHERE workspace = $1 AND webhook BETWEEN $2 AND $3',
    [workspace, first, last],
  );
  return new Set(rows.map(({ webhook }) => webhook));
}
