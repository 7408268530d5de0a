// Settling: what a batch of attempts came to, in one transaction: delivery rows, attempt rows, the webhooks' vitals.
import type { Settlement } from '../model/delivery.ts';
import { stateEvent } from '../model/operational-events.ts';
import type { Health, Intent } from '../model/webhook.ts';
import type { OwnedLane, SettleBatch, VitalsChange } from './contract.ts';
import { nameOf, type DeadLetters } from './dead-letters.ts';
import { ERASED, erasedAmong } from './erased.ts';
import type { Listeners } from './listeners.ts';
import { STATE, STILL_OPEN, type Dialect, type Sql, type Tx, type Value } from './sql.ts';
import { writeTelling, type Telling } from './telling.ts';

/** What settling stands on. */
export interface SettleParts {
  sql: Sql;
  listeners: Listeners;
  deadLetters: DeadLetters;
}

/**
 * The `settle` verb: writes nothing when a lane of the batch has a new owner by now. A batch that cannot be stored is
 * halved until the guilty attempt stands alone, and that one is stored without its details.
 */
export async function settle(parts: SettleParts, batch: SettleBatch): Promise<'settled' | 'fenced'> {
  try {
    return await settleWhole(parts, batch);
  } catch (error) {
    if (!parts.sql.blamesRow(error)) throw error;
    const { settlements } = batch;
    if (settlements.length < 2) {
      return settleWhole(parts, { ...batch, settlements: settlements.map(withoutDetails) });
    }
    const middle = settlements.length >> 1;
    const first = { ...batch, settlements: settlements.slice(0, middle), vitals: [] };
    if ((await settle(parts, first)) === 'fenced') return 'fenced';
    return settle(parts, { ...batch, settlements: settlements.slice(middle) });
  }
}

function withoutDetails(settlement: Settlement): Settlement {
  const { error } = settlement.attempt;
  const words = error === null ? null : `${error} (details could not be stored)`;
  const details = { error: words, requestHeaders: '{}', responseHeaders: null, response: null };
  return { ...settlement, attempt: { ...settlement.attempt, ...details } };
}

const NONE: ReadonlySet<string> = new Set();

// The event was erased while the attempt was under way.
function withoutPayload(settlement: Settlement): Settlement {
  const error = settlement.attempt.error === null ? null : ERASED;
  const details = { error, requestHeaders: '{}', responseHeaders: null, response: null };
  return { ...settlement, attempt: { ...settlement.attempt, ...details } };
}

async function settleWhole(parts: SettleParts, batch: SettleBatch): Promise<'settled' | 'fenced'> {
  const { sql, listeners, deadLetters } = parts;
  const moved: VitalsChange[] = [];
  const result = await writeTelling(
    parts,
    async (tx, telling) => {
      moved.length = 0;
      if (!(await stillOwned(tx, sql.dialect, batch.lanes))) return 'fenced';
      const dead = batch.settlements.filter(({ next }) => next?.state === 'dead');
      const changed = batch.vitals.filter(({ change }) => change !== null);
      await telling.listen([...dead, ...changed].map(({ workspace }) => workspace));
      const settled = await settleDeliveries(tx, batch.settlements);
      const erased = settled.length === 0 ? NONE : await erasedAmong(tx, settled, batch.now);
      const kept = settled.map((one) => (erased.has(`${one.workspace}/${one.event}`) ? withoutPayload(one) : one));
      await tx.insert('attempts', kept.map(attemptRow), 'keep');
      for (const change of batch.vitals) if (await setVitals(tx, change, telling)) moved.push(change);
      if (dead.length > 0) await deadLetters.tell(tx, telling, { dead, now: batch.now });
      return 'settled';
    },
    { synced: batch.synced, kind: 'settle', size: batch.settlements.length },
  );
  // Told here only: a settlement is written by the owner of the lane, and nobody else goes by what it says.
  for (const { workspace, target, change } of moved) if (change) listeners.tell('webhook', workspace, target);
  return result;
}

/**
 * Are these lanes still owned under their epochs? The rows are held until the commit: a new owner waits for a settle that
 * has begun, and comes before one that has not.
 */
export async function stillOwned(tx: Tx, dialect: Dialect, lanes: readonly OwnedLane[]): Promise<boolean> {
  const isOwned = await readOwners(tx, dialect, lanes);
  return lanes.every(isOwned);
}

/** As {@link stillOwned}, lane by lane. */
export async function readOwners(
  tx: Tx,
  dialect: Dialect,
  lanes: readonly OwnedLane[],
): Promise<(lane: OwnedLane) => boolean> {
  if (lanes.length === 0) return () => false;
  const numbers = [...new Set(lanes.map(({ lane }) => lane))].sort((a, b) => a - b);
  const hold = dialect.name === 'postgres' ? ' ORDER BY lane FOR SHARE' : '';
  const rows = await tx.all<{ lane: number; epoch: number }>(
    `SELECT lane, epoch FROM lanes WHERE lane IN (${numbers.join(', ')})${hold}`,
  );
  const epochs = new Map(rows.map(({ lane, epoch }) => [lane, epoch]));
  return ({ lane, epoch }) => epochs.get(lane) === epoch;
}

const MOVED = ['state', 'tries', 'attempts', 'due_at', 'first_try_at', 'ended_at', 'reason'];

// Resolves those whose delivery is there. A success is believed whenever it comes; a failure moves only what is still
// open: meanwhile the delivery may have been delivered by hand, or buried with its webhook.
async function settleDeliveries(tx: Tx, settlements: readonly Settlement[]): Promise<readonly Settlement[]> {
  const {
    delivered = [],
    failed = [],
    counted = [],
  } = Object.groupBy(settlements, ({ next }) =>
    next === null ? 'counted' : next.state === 'delivered' ? 'delivered' : 'failed',
  );
  let changed = 0;
  if (delivered.length > 0) changed += await tx.update('deliveries', { columns: MOVED, rows: delivered.map(movedRow) });
  if (failed.length > 0) {
    const rows = failed.map(movedRow);
    changed += await tx.update('deliveries', { columns: MOVED, rows, only: STILL_OPEN });
  }
  if (counted.length > 0) changed += await countAttempts(tx, counted);
  if (changed === settlements.length) return settlements;
  if (failed.length > 0) await countAttempts(tx, failed);
  return thoseThere(tx, settlements);
}

function keyOf({ workspace, event, target, copy }: Settlement): Value[] {
  return [workspace, event, target, copy];
}

function movedRow(settlement: Settlement): Value[] {
  const { next, firstTryAt, attempt } = settlement;
  const { state, tries, dueAt, endedAt, reason } = next!;
  return [...keyOf(settlement), STATE[state], tries, attempt.attempt, dueAt, firstTryAt, endedAt, storable(reason)];
}

function countAttempts(tx: Tx, settlements: readonly Settlement[]): Promise<number> {
  const rows = settlements.map((settlement) => [...keyOf(settlement), settlement.attempt.attempt]);
  return tx.update('deliveries', { columns: ['attempts'], rows });
}

// An attempt whose delivery retention has taken away meanwhile would stay for ever.
async function thoseThere(tx: Tx, settlements: readonly Settlement[]): Promise<Settlement[]> {
  const there: Settlement[] = [];
  for (const settlement of settlements) {
    const found = await tx.all(
      'SELECT 1 AS one FROM deliveries WHERE workspace = $1 AND event = $2 AND target = $3 AND copy = $4',
      keyOf(settlement),
    );
    if (found.length > 0) there.push(settlement);
  }
  return there;
}

function attemptRow(settlement: Settlement): Value[] {
  const { attempt: a } = settlement;
  const answer = [a.status, storable(a.error), a.requestHeaders, a.responseHeaders, a.response];
  return [...keyOf(settlement), a.attempt, a.manual ? 1 : 0, a.startedAt, a.durationMs, ...answer];
}

// What went wrong is told in an endpoint's own words, which may hold a NUL: PostgreSQL's text cannot.
function storable<T extends string | null>(words: T): T {
  return (words?.includes('\0') ? words.replaceAll('\0', '\uFFFD') : words) as T;
}

async function setVitals(
  tx: Tx,
  { workspace, target, revision, quietUntil, ...of }: VitalsChange,
  telling: Telling,
): Promise<boolean> {
  const { vitals, change } = of;
  const { health, streak, lastSuccessAt } = vitals;
  const where = 'workspace = $1 AND webhook = $2 AND revision = $3';
  const known = [workspace, target, revision];
  if (!change) {
    const set = 'streak = $4, last_success_at = $5, quiet_until = $6, reason = COALESCE($7, reason)';
    const values = [...known, streak, lastSuccessAt, quietUntil, storable(of.reason ?? null)];
    return (await tx.run(`UPDATE webhooks SET ${set} WHERE ${where}`, values)) === 1;
  }
  const { intent, at } = change;
  const reason = storable(change.reason);
  const changed = await tx.run(
    `UPDATE webhooks SET streak = $4, last_success_at = $5, health = $6, intent = $7, reason = $8, updated_at = $9,
       quiet_until = $10, revision = revision + 1 WHERE ${where}`,
    [...known, streak, lastSuccessAt, health, intent, reason, at, quietUntil],
  );
  if (changed === 0) return false;
  await recordChange(tx, telling, { workspace, webhook: target, change: revision + 1, at, intent, health, reason });
  return true;
}

/** Writes one entry of a webhook's history, and tells of it; its number is the revision it made. */
export async function recordChange(
  tx: Tx,
  telling: Telling,
  entry: {
    workspace: number;
    webhook: number;
    change: number;
    at: number;
    intent: Intent;
    health: Health;
    reason: string;
  },
): Promise<void> {
  const { workspace, webhook, change, at, intent, health, reason } = entry;
  await tx.run(
    'INSERT INTO webhook_changes (workspace, webhook, change, at, intent, health, reason) VALUES ($1, $2, $3, $4, $5, $6, $7)',
    [workspace, webhook, change, at, intent, health, reason],
  );
  const hearing = telling.hearing(workspace);
  if (!hearing) return;
  const name = await nameOf(tx, workspace, webhook);
  await telling.tell(hearing, [stateEvent({ ...entry, token: hearing.token, name })]);
}
