// Settling: what a batch of attempts came to, in one transaction: delivery rows, attempt rows, the webhooks' vitals.
import type { Settlement } from '../model/delivery.ts';
import type { OwnedLane, SettleBatch, VitalsChange } from './contract.ts';
import type { Listeners } from './listeners.ts';
import { STATE, type Dialect, type Sql, type Tx, type Value } from './sql.ts';

/**
 * The `settle` verb: writes nothing when a lane of the batch has a new owner by now. A row that cannot be stored is
 * found by halving and loses its details, not its outcome.
 */
export async function settle(sql: Sql, listeners: Listeners, batch: SettleBatch): Promise<'settled' | 'fenced'> {
  try {
    return await write(sql, listeners, batch);
  } catch (error) {
    const { settlements } = batch;
    if (!sql.blamesRow(error) || settlements.every(isBare)) throw error;
    const middle = settlements.length >> 1;
    const parts = middle === 0 ? [settlements.map(bare)] : [settlements.slice(0, middle), settlements.slice(middle)];
    let result: 'settled' | 'fenced' = 'settled';
    for (const [i, part] of parts.entries()) {
      const vitals = i === 0 ? batch.vitals : [];
      if ((await settle(sql, listeners, { ...batch, settlements: part, vitals })) === 'fenced') result = 'fenced';
    }
    return result;
  }
}

const UNSTORABLE = 'the details of this attempt could not be stored';

function isBare({ attempt }: Settlement): boolean {
  return attempt.requestHeaders === '{}' && attempt.response === null;
}

function bare(settlement: Settlement): Settlement {
  const error = settlement.attempt.error === null ? null : UNSTORABLE;
  const details = { error, requestHeaders: '{}', responseHeaders: null, response: null };
  const next = settlement.next && { ...settlement.next, reason: settlement.next.reason && UNSTORABLE };
  return { ...settlement, next, attempt: { ...settlement.attempt, ...details } };
}

async function write(sql: Sql, listeners: Listeners, batch: SettleBatch): Promise<'settled' | 'fenced'> {
  const moved: VitalsChange[] = [];
  const result = await sql.write(
    async (tx) => {
      moved.length = 0;
      if (!(await stillOwned(tx, sql.dialect, batch.lanes))) return 'fenced';
      await settleDeliveries(tx, batch.settlements);
      await tx.insertNew('attempts', batch.settlements.map(attemptRow));
      for (const change of batch.vitals) if (await setVitals(tx, change)) moved.push(change);
      return 'settled';
    },
    { synced: batch.synced },
  );
  for (const { workspace, target, change } of moved) if (change) listeners.tell('webhook', workspace, target);
  return result;
}

// The rows are held until the commit: a new owner waits for a settle that has begun, and comes before one that has not.
async function stillOwned(tx: Tx, dialect: Dialect, lanes: readonly OwnedLane[]): Promise<boolean> {
  if (lanes.length === 0) return true;
  const hold = dialect.name === 'postgres' ? ' ORDER BY lane FOR SHARE' : '';
  const rows = await tx.all<{ lane: number; epoch: number }>(
    `SELECT lane, epoch FROM lanes WHERE lane IN (${lanes.map(({ lane }) => lane).join(', ')})${hold}`,
  );
  const epochs = new Map(rows.map(({ lane, epoch }) => [lane, epoch]));
  return lanes.every(({ lane, epoch }) => epochs.get(lane) === epoch);
}

async function settleDeliveries(tx: Tx, settlements: readonly Settlement[]): Promise<void> {
  const moved: Value[][] = [];
  const counted: Value[][] = [];
  for (const s of settlements) {
    const key = [s.workspace, s.event, s.target, s.copy];
    const { next } = s;
    if (!next) counted.push([...key, s.attempt.attempt]);
    else {
      const { tries, dueAt, endedAt, reason } = next;
      moved.push([...key, STATE[next.state], tries, s.attempt.attempt, dueAt, s.firstTryAt, endedAt, reason]);
    }
  }
  const columns = ['state', 'tries', 'attempts', 'due_at', 'first_try_at', 'ended_at', 'reason'];
  if (moved.length > 0) await tx.update('deliveries', columns, moved);
  if (counted.length > 0) await tx.update('deliveries', ['attempts'], counted);
}

function attemptRow({ workspace, event, target, copy, attempt: a }: Settlement): Value[] {
  const key = [workspace, event, target, copy, a.attempt];
  return [
    ...key,
    a.manual ? 1 : 0,
    a.startedAt,
    a.durationMs,
    a.status,
    a.error,
    a.requestHeaders,
    a.responseHeaders,
    a.response,
  ];
}

async function setVitals(tx: Tx, { workspace, target, revision, vitals, change }: VitalsChange): Promise<boolean> {
  const { health, streak, lastSuccessAt } = vitals;
  const where = 'workspace = $1 AND webhook = $2 AND revision = $3';
  const known = [workspace, target, revision];
  if (!change) {
    const set = 'streak = $4, last_success_at = $5';
    return (await tx.run(`UPDATE webhooks SET ${set} WHERE ${where}`, [...known, streak, lastSuccessAt])) === 1;
  }
  const { intent, reason, at } = change;
  const changed = await tx.run(
    `UPDATE webhooks SET streak = $4, last_success_at = $5, health = $6, intent = $7, reason = $8, updated_at = $9,
       revision = revision + 1 WHERE ${where}`,
    [...known, streak, lastSuccessAt, health, intent, reason, at],
  );
  if (changed === 0) return false;
  await recordChange(tx, { workspace, webhook: target, change: revision + 1, at, intent, health, reason });
  return true;
}

/** Writes one entry of a webhook's history; its number is the revision it made. */
export async function recordChange(
  tx: Tx,
  entry: {
    workspace: number;
    webhook: number;
    change: number;
    at: number;
    intent: string;
    health: string;
    reason: string;
  },
): Promise<void> {
  const { workspace, webhook, change, at, intent, health, reason } = entry;
  await tx.run(
    'INSERT INTO webhook_changes (workspace, webhook, change, at, intent, health, reason) VALUES ($1, $2, $3, $4, $5, $6, $7)',
    [workspace, webhook, change, at, intent, health, reason],
  );
}
