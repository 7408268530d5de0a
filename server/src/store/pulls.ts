// Pull: deliveries are handed out under leases and come back acknowledged, given back, or not at all.
//
//   open, due ──pull──▶ leased ──acknowledge──▶ delivered
//      ▲                 │ └─────give back, or the lease ends, after the last try──▶ dead
//      └──give back, or the lease ends──┘
//
// A leased delivery is an open one that is due when its lease ends: so it comes back by itself, and every list shows it.
// The lease beside it says who may speak of it. Each handing out is a try; its attempt is written when it has ended.
import { randomBytes } from 'node:crypto';
import { isSendable, type Health, type Intent } from '../model/webhook.ts';
import type {
  LeaseBatch,
  LeaseClaim,
  LeasedDelivery,
  LeaseVerdict,
  Pulled,
  PullQuery,
  Pulls,
  Return,
  TargetKey,
} from './contract.ts';
import { STATE, type Sql, type Tx, type Value } from './sql.ts';

/** Bytes of events that are handed out at once; one event always is. */
const MOST_BYTES = 8 * 1024 * 1024;

/** Makes the verbs about pulling. */
export function makePulls(sql: Sql): Pulls {
  return {
    pull: async (query) => {
      // Whoever waits asks again at every hint: that must not cost a transaction each time.
      const look = await lookAt(sql, query);
      if (!look.isOpen) return null;
      if (!look.isDue) return complete(sql, query, []);
      const pulled = await sql.write((tx) => pull(sql, tx, query));
      return pulled && complete(sql, query, pulled);
    },
    acknowledge: (batch) => sql.write((tx) => acknowledge(sql, tx, batch)),
    giveBack: (batch) => sql.write((tx) => giveBack(sql, tx, batch)),
    extend: (batch) => sql.write((tx) => extend(sql, tx, batch)),
  };
}

/* ── Handing out ────────────────────────────────────────────────────────────────────────────────────────────── */

interface PullState {
  mode: string;
  intent: Intent;
  health: Health;
}

const WEBHOOK = 'SELECT mode, intent, health FROM webhooks WHERE workspace = $1 AND webhook = $2';

function isOpen(webhook: PullState | undefined): boolean {
  return webhook?.mode === 'pull' && isSendable(webhook.intent, webhook.health);
}

async function lookAt(sql: Sql, { workspace, target, now }: PullQuery): Promise<{ isOpen: boolean; isDue: boolean }> {
  const [webhook] = await sql.read<PullState>(WEBHOOK, [workspace, target]);
  if (!isOpen(webhook)) return { isOpen: false, isDue: false };
  const due = await sql.read(
    `SELECT 1 AS one FROM deliveries WHERE workspace = $1 AND target = $2 AND state = 0 AND due_at <= $3 LIMIT 1`,
    [workspace, target, now],
  );
  return { isOpen: true, isDue: due.length > 0 };
}

/** A delivery that is due, with the lease that ended, if there was one. */
interface Due {
  event: number;
  copy: number;
  tries: number;
  attempts: number;
  firstTryAt: number | null;
  createdAt: number;
  size: number;
  attempt: number | null;
  leasedAt: number | null;
}

type Handed = Due & { lease: string; leasedUntil: number };

async function pull(sql: Sql, tx: Tx, query: PullQuery): Promise<Handed[] | null> {
  const { workspace, target, limit, leaseMs, mostTries, now } = query;
  const [webhook] = await tx.all<PullState>(WEBHOOK, [workspace, target]);
  if (!isOpen(webhook)) return null;
  // A lease from the future is one from before the clock was set back; nobody can tell how much of it is left.
  // PostgreSQL: two consumers at once each lock what the other has not.
  const hold = sql.dialect.name === 'postgres' ? ' FOR UPDATE OF d SKIP LOCKED' : '';
  const due = await tx.all<Due>(
    `SELECT d.event, d.copy, d.tries, d.attempts, d.first_try_at AS "firstTryAt", d.created_at AS "createdAt",
            length(e.envelope) AS size, l.attempt, l.leased_at AS "leasedAt"
     FROM deliveries d JOIN events e ON e.workspace = d.workspace AND e.event = d.event
     LEFT JOIN leases l ON l.workspace = d.workspace AND l.event = d.event AND l.target = d.target AND l.copy = d.copy
     WHERE d.workspace = $1 AND d.target = $2 AND d.state = 0 AND d.due_at <= $3
       AND (l.leased_until IS NULL OR l.leased_until <= $3 OR l.leased_at > $3)
     ORDER BY d.due_at, d.event, d.copy LIMIT $4${hold}`,
    [workspace, target, now, limit],
  );
  const key = { workspace, target };
  await endAttempts(tx, key, { ended: due, now, error: 'the lease ended without an answer' });
  const worn = due.filter(({ tries }) => tries >= mostTries);
  await bury(tx, key, { dead: worn, now, reason: 'the lease of its last try ended without an answer' });
  const leasedUntil = now + leaseMs;
  const handed = fitting(due.filter(({ tries }) => tries < mostTries)).map((one) => {
    return { ...one, lease: randomBytes(15).toString('base64url'), leasedUntil };
  });
  await hand(tx, query, handed);
  return handed;
}

function fitting(due: Due[]): Due[] {
  let bytes = 0;
  const end = due.findIndex(({ size }) => (bytes += size) > MOST_BYTES);
  return end < 0 ? due : due.slice(0, Math.max(1, end));
}

async function hand(tx: Tx, { workspace, target, now }: PullQuery, handed: readonly Handed[]): Promise<void> {
  const keyOf = ({ event, copy }: Handed): Value[] => [workspace, event, target, copy];
  await tx.update('deliveries', {
    columns: ['tries', 'attempts', 'due_at', 'first_try_at'],
    rows: handed.map((one) => [...keyOf(one), one.tries + 1, one.attempts + 1, one.leasedUntil, one.firstTryAt ?? now]),
  });
  const leaseOf = (one: Handed): Value[] => [...keyOf(one), one.lease, one.attempts + 1, now, one.leasedUntil];
  const isFresh = ({ attempt }: Handed): boolean => attempt === null;
  await tx.insert('leases', handed.filter(isFresh).map(leaseOf));
  await tx.update('leases', {
    columns: ['lease', 'attempt', 'leased_at', 'leased_until'],
    rows: handed.filter((one) => !isFresh(one)).map(leaseOf),
  });
}

// The envelopes are read when the leases are committed, off the hot thread.
async function complete(sql: Sql, { workspace, target }: PullQuery, handed: readonly Handed[]): Promise<Pulled> {
  const events = [...new Set(handed.map(({ event }) => event))];
  const known = new Map<number, Carried>();
  for (let at = 0; at < events.length; at += LOOKUP) {
    const some = events.slice(at, at + LOOKUP);
    const marks = some.map((_, i) => `$${i + 2}`).join(', ');
    const rows = await sql.read<Carried>(
      `SELECT event, accepted_at AS "acceptedAt", trace, type, envelope FROM events
       WHERE workspace = $1 AND erased_at IS NULL AND event IN (${marks})`,
      [workspace, ...some],
    );
    for (const row of rows) known.set(row.event, row);
  }
  const deliveries = handed.flatMap(({ copy, lease, leasedUntil, attempts, createdAt, event }): LeasedDelivery[] => {
    const carried = known.get(event);
    const leased = { workspace, target, copy, lease, leasedUntil, attempt: attempts + 1, createdAt };
    return carried ? [{ ...leased, ...carried }] : [];
  });
  const [next] = await sql.read<{ dueAt: number | null }>(
    'SELECT MIN(due_at) AS "dueAt" FROM deliveries WHERE workspace = $1 AND target = $2 AND state = 0',
    [workspace, target],
  );
  return { deliveries, nextDueAt: next?.dueAt ?? null };
}

type Carried = Pick<LeasedDelivery, 'event' | 'acceptedAt' | 'trace' | 'type' | 'envelope'>;

/* ── Coming back ────────────────────────────────────────────────────────────────────────────────────────────── */

/** A delivery that somebody speaks of, with its lease. */
interface Held {
  event: number;
  copy: number;
  state: number;
  tries: number;
  lease: string | null;
  attempt: number | null;
  leasedAt: number | null;
  leasedUntil: number | null;
}

const LOOKUP = 64;

async function acknowledge(sql: Sql, tx: Tx, batch: LeaseBatch): Promise<LeaseVerdict[]> {
  const { workspace, target, now } = batch;
  const { verdicts, held } = await judge(sql, tx, batch);
  await endAttempts(tx, batch, { ended: held, now, error: null });
  await tx.update('deliveries', {
    columns: ['state', 'ended_at', 'reason'],
    rows: held.map(({ event, copy }) => [workspace, event, target, copy, STATE.delivered, now, null]),
  });
  await dropLeases(tx, batch, held);
  if (held.length > 0) await noteSuccess(tx, batch, now);
  return verdicts;
}

async function giveBack(sql: Sql, tx: Tx, batch: Return): Promise<LeaseVerdict[]> {
  const { workspace, target, now, delayMs, delaysMs } = batch;
  const { verdicts, held } = await judge(sql, tx, batch);
  const reason = storable(batch.reason);
  await endAttempts(tx, batch, { ended: held, now, error: reason });
  const dead = held.filter(({ tries }) => delaysMs[tries - 1] === undefined);
  await bury(tx, batch, { dead, now, reason });
  const again = held.filter(({ tries }) => delaysMs[tries - 1] !== undefined);
  await tx.update('deliveries', {
    columns: ['due_at', 'reason'],
    rows: again.map(({ event, copy, tries }) => {
      return [workspace, event, target, copy, now + (delayMs ?? delaysMs[tries - 1]!), reason];
    }),
  });
  await dropLeases(tx, batch, again);
  return verdicts;
}

async function extend(sql: Sql, tx: Tx, batch: LeaseBatch & { leaseMs: number }): Promise<LeaseVerdict[]> {
  const { workspace, target, now, leaseMs } = batch;
  const { verdicts, held } = await judge(sql, tx, batch);
  const rows = held.map(({ event, copy }): Value[] => [workspace, event, target, copy, now + leaseMs]);
  await tx.update('deliveries', { columns: ['due_at'], rows });
  await tx.update('leases', { columns: ['leased_until'], rows });
  return verdicts;
}

// Each claim for itself; of two for one delivery the first counts. `held` are those that were rightly claimed.
async function judge(sql: Sql, tx: Tx, batch: LeaseBatch): Promise<{ verdicts: LeaseVerdict[]; held: Held[] }> {
  const known = new Map((await holdAll(sql, tx, batch)).map((one) => [nameOf(one), one]));
  const held = new Map<string, Held>();
  const verdicts = batch.claims.map((claim) => {
    const one = known.get(nameOf(claim));
    const isAgain = held.has(nameOf(claim));
    const verdict = isAgain ? 'lease-lost' : verdictOn(claim, one, batch.now);
    if (verdict === 'done') held.set(nameOf(claim), one!);
    return verdict;
  });
  return { verdicts, held: [...held.values()] };
}

function verdictOn({ lease }: LeaseClaim, held: Held | undefined, now: number): LeaseVerdict {
  if (!held) return 'not-found';
  if (held.state === STATE.delivered) return 'already-delivered';
  if (held.lease !== lease) return 'lease-lost';
  return held.state === STATE.open && held.leasedUntil! > now ? 'done' : 'lease-expired';
}

function nameOf({ event, copy }: { event: number; copy: number }): string {
  return `${event}/${copy}`;
}

// In the order of their keys: two that hold the same deliveries in different orders deadlock.
async function holdAll(sql: Sql, tx: Tx, { workspace, target, claims }: LeaseBatch): Promise<Held[]> {
  const hold = sql.dialect.name === 'postgres' ? ' FOR UPDATE OF d' : '';
  const sorted = claims.toSorted((a, b) => a.event - b.event || a.copy - b.copy);
  const found: Held[] = [];
  for (let at = 0; at < sorted.length; at += LOOKUP) {
    const some = sorted.slice(at, at + LOOKUP);
    found.push(
      ...(await tx.all<Held>(
        `SELECT d.event, d.copy, d.state, d.tries, l.lease, l.attempt, l.leased_at AS "leasedAt",
                l.leased_until AS "leasedUntil"
         FROM deliveries d LEFT JOIN leases l
           ON l.workspace = d.workspace AND l.event = d.event AND l.target = d.target AND l.copy = d.copy
         WHERE d.workspace = $1 AND d.target = $2 AND (d.event, d.copy) IN (VALUES ${keyMarks(some.length)})
         ORDER BY d.event, d.copy${hold}`,
        [workspace, target, ...some.flatMap(({ event, copy }) => [event, copy])],
      )),
    );
  }
  return found;
}

function keyMarks(count: number): string {
  const mark = (n: number): string => `CAST($${n} AS BIGINT)`;
  return Array.from({ length: count }, (_, i) => `(${mark(2 * i + 3)}, ${mark(2 * i + 4)})`).join(', ');
}

async function dropLeases(
  tx: Tx,
  { workspace, target }: TargetKey,
  of: readonly { event: number; copy: number }[],
): Promise<void> {
  for (let at = 0; at < of.length; at += LOOKUP) {
    const some = of.slice(at, at + LOOKUP);
    await tx.run(
      `DELETE FROM leases WHERE workspace = $1 AND target = $2 AND (event, copy) IN (VALUES ${keyMarks(some.length)})`,
      [workspace, target, ...some.flatMap(({ event, copy }) => [event, copy])],
    );
  }
}

/* ── Ends ───────────────────────────────────────────────────────────────────────────────────────────────────── */

type Leased = Pick<Held, 'event' | 'copy' | 'attempt' | 'leasedAt'>;

// What was handed out is an attempt, from the pull until now; those that never were have none.
async function endAttempts(
  tx: Tx,
  { workspace, target }: TargetKey,
  { ended, now, error }: { ended: readonly Leased[]; now: number; error: string | null },
): Promise<void> {
  const rows = ended.flatMap(({ event, copy, attempt, leasedAt }): Value[][] => {
    if (attempt === null || leasedAt === null) return [];
    const took = Math.max(0, now - leasedAt);
    return [[workspace, event, target, copy, attempt, 0, leasedAt, took, null, error, '{}', null, null]];
  });
  await tx.insert('attempts', rows, 'keep');
}

async function bury(
  tx: Tx,
  key: TargetKey,
  { dead, now, reason }: { dead: readonly { event: number; copy: number }[]; now: number; reason: string },
): Promise<void> {
  const { workspace, target } = key;
  await tx.update('deliveries', {
    columns: ['state', 'ended_at', 'reason'],
    rows: dead.map(({ event, copy }) => [workspace, event, target, copy, STATE.dead, now, reason]),
  });
  await dropLeases(tx, key, dead);
}

/** The instant of the last success is written at most this often. */
const NOTE_EVERY_MS = 1000;

async function noteSuccess(tx: Tx, { workspace, target }: TargetKey, now: number): Promise<void> {
  await tx.run(
    `UPDATE webhooks SET last_success_at = $3 WHERE workspace = $1 AND webhook = $2
       AND (last_success_at IS NULL OR last_success_at < $4)`,
    [workspace, target, now, now - NOTE_EVERY_MS],
  );
}

function storable(words: string): string {
  return words.replaceAll('\0', '\uFFFD');
}
