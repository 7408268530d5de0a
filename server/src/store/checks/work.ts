// Checks of what is to be done: lanes and their owners, and whatever is due and nobody does.
import type { Batching } from '../../model/batch.ts';
import { BUCKETS, LANES } from '../contract.ts';
import type { StoreCheck, StoreGround } from './check.ts';

const RESTART = 'restart the platform, which reads all that is due at its start: bellwire serve';
/** What is due for longer is not being worked at. Sweeps look every half minute. */
const PATIENCE_MS = 10 * 60_000;
const HOUR_MS = 3_600_000;

/** A count, and since when the oldest waits. */
interface Waiting {
  count: number;
  since: number | null;
}

/** A check that something of a table waits for too long while a platform runs. */
function forgotten(of: {
  name: string;
  looksAt: string;
  what: string;
  /** A query of `count` and `since`; `$1` is the instant up to which it should have been done. */
  query: string;
  patienceMs?: number;
  remedy?: string;
}): StoreCheck {
  return {
    name: of.name,
    looksAt: of.looksAt,
    severity: 'warning',
    remedy: of.remedy ?? RESTART,
    async look({ store, now, isRunning }) {
      if (!isRunning) return [];
      const [row] = await store.ask<Waiting>(of.query, [now - (of.patienceMs ?? PATIENCE_MS)]);
      const { count, since } = row!;
      return count === 0 ? [] : [`${count} ${of.what}, ${minutes(now - (since ?? now))} late`];
    },
  };
}

/** The checks. */
export const WORK_CHECKS: readonly StoreCheck[] = [
  {
    name: 'lanes.owner',
    looksAt: 'while a platform runs: every lane has an owner whose lease lasts',
    severity: 'fault',
    remedy: 'a node takes what is free with its next heartbeat; if it does not, restart it: bellwire serve',
    async look({ store, now, isRunning }) {
      const rows = await store.ask<{ node: string | null; until: number }>(
        'SELECT node, leased_until AS until FROM lanes',
      );
      const half =
        rows.length === 0 || rows.length === LANES ? [] : [`there are ${rows.length} lanes instead of ${LANES}`];
      if (!isRunning) return half;
      const free = rows.filter(({ node, until }) => node === null || until < now).length;
      return free === 0 ? half : [...half, `${free} of ${rows.length} lanes have no owner: what belongs to them waits`];
    },
  },
  {
    name: 'lanes.lease',
    looksAt: 'no lease of a lane ends further ahead than a lease can last',
    severity: 'warning',
    remedy:
      'a clock was wrong; correct it (timedatectl), then restart that node, which gives its lanes back: bellwire serve',
    async look({ store, now }) {
      const [row] = await store.ask<{ count: number; node: string | null }>(
        'SELECT count(*) AS count, max(node) AS node FROM lanes WHERE leased_until > $1',
        [now + HOUR_MS],
      );
      return row!.count === 0 ? [] : [`${row!.count} lanes are leased to ${row!.node} for more than an hour ahead`];
    },
  },
  {
    name: 'deliveries.forgotten',
    looksAt: 'while a platform runs: webhooks that may be sent to, and get nothing of what is due',
    severity: 'warning',
    remedy: RESTART,
    look: (ground) => (ground.isRunning ? lookForForgotten(ground) : []),
  },
  {
    name: 'runs.begin',
    looksAt: 'while a platform runs: runs that may begin and do not, though it has places left',
    severity: 'warning',
    remedy: RESTART,
    async look({ store, now, isRunning, concurrency }) {
      if (!isRunning) return [];
      const [row] = await store.ask<Waiting & { running: number }>(
        `SELECT count(*) AS count, min(created_at) AS since,
           (SELECT count(*) FROM runs WHERE state = 'running') AS running
         FROM runs WHERE state = 'queued' AND slot = 1 AND created_at < $1`,
        [now - PATIENCE_MS],
      );
      const { count, since, running } = row!;
      if (count === 0 || running >= concurrency) return [];
      return [`${count} runs may begin and do not, the oldest for ${minutes(now - since!)}`];
    },
  },
  forgotten({
    name: 'runs.wait',
    looksAt: 'while a platform runs: runs that wait for a slot though their flow has a free one',
    what: 'runs wait for a slot though their flow has a free one',
    query: `SELECT count(*) AS count, min(r.created_at) AS since FROM runs r
      JOIN flows f ON f.workspace = r.workspace AND f.flow = r.flow
      WHERE r.state = 'queued' AND r.slot = 0 AND r.created_at < $1 AND (r.begin_at IS NULL OR r.begin_at < $1)
        AND f.most_runs > (SELECT count(*) FROM runs s WHERE s.workspace = f.workspace AND s.flow = f.flow AND s.slot = 1)`,
    remedy: 'abort the oldest of them, which gives its slot on: bellwire job runs NAME, then bellwire run abort NUMBER',
  }),
  {
    name: 'runs.owner',
    looksAt: 'while a platform runs: runs under way whose lane nobody owns',
    severity: 'fault',
    remedy: RESTART,
    async look({ store, now, isRunning }) {
      if (!isRunning) return [];
      const [row] = await store.ask<{ count: number }>(
        `SELECT count(*) AS count FROM runs r LEFT JOIN lanes l ON l.lane = r.bucket % ${LANES}
         WHERE r.state = 'running' AND (l.node IS NULL OR l.leased_until < $1)`,
        [now],
      );
      return row!.count === 0 ? [] : [`${row!.count} runs are under way and nobody works at them`];
    },
  },
  forgotten({
    name: 'schedules.due',
    looksAt: 'while a platform runs: time tables whose next instant has passed',
    what: 'time tables have not started their flows',
    query: `SELECT count(*) AS count, min(next_at) AS since FROM schedules WHERE next_at < $1`,
  }),
  forgotten({
    name: 'operations.stuck',
    looksAt: 'while a platform runs: operations that do not move',
    what: 'operations stand still',
    query: `SELECT count(*) AS count, min(next_at) AS since FROM operations WHERE state = 'running' AND next_at < $1`,
    remedy: 'cancel and begin them again; each says how far it was: bellwire operations list',
  }),
  forgotten({
    name: 'erasures.stuck',
    looksAt: 'while a platform runs: erasures that do not move',
    what: 'erasures stand still',
    query: `SELECT count(*) AS count, min(due_at) AS since FROM erasures WHERE ended_at IS NULL AND due_at < $1`,
    patienceMs: HOUR_MS,
  }),
  forgotten({
    name: 'fanouts.left',
    looksAt: 'while a platform runs: events whose many deliveries were not all made',
    what: 'events have targets that got no delivery yet',
    query: `SELECT count(*) AS count, min(e.accepted_at) AS since FROM fanouts f
      JOIN events e ON e.workspace = f.workspace AND e.event = f.event WHERE e.accepted_at < $1`,
  }),
  forgotten({
    name: 'burials.left',
    looksAt: 'while a platform runs: deleted webhooks whose deliveries are still open',
    what: 'deleted webhooks have open deliveries still',
    query: `SELECT count(*) AS count, min(deleted_at) AS since FROM burials WHERE deleted_at < $1`,
  }),
  {
    name: 'clock.ahead',
    looksAt: 'no event was accepted later than now: the clock was not set back',
    severity: 'warning',
    remedy: 'see that NTP keeps the clock (timedatectl); retries move by themselves while a platform runs',
    async look({ store, now }) {
      const rows = await store.ask<{ at: number | null }>(
        `SELECT (SELECT e.accepted_at FROM events e WHERE e.workspace = w.workspace ORDER BY e.event DESC LIMIT 1) AS at
         FROM workspaces w`,
      );
      const latest = Math.max(0, ...rows.map(({ at }) => at ?? 0));
      return latest <= now + 60_000
        ? []
        : [`the newest event is of ${minutes(latest - now)} from now: the clock was set back`];
    },
  },
];

interface Backlog {
  workspace: number;
  target: number;
  count: number;
  since: number;
  name: string;
  batch: string | null;
  ordering: string;
  lastSuccessAt: number | null;
  underWay: number;
}

// A busy webhook may be hours behind. It is forgotten when nothing of it succeeds or is tried meanwhile: what was tried is
// due again soon, or is over.
async function lookForForgotten({ store, now }: StoreGround): Promise<string[]> {
  const rows = await store.ask<Backlog>(
    `SELECT b.workspace, b.target, b.count, b.since, w.name, w.batch, w.ordering, w.last_success_at AS "lastSuccessAt",
       (SELECT count(*) FROM (SELECT 1 AS one FROM deliveries t WHERE t.workspace = b.workspace AND t.target = b.target
          AND t.state = 0 AND t.due_at > $1 AND t.attempts > 0 LIMIT 1) AS tried) AS "underWay"
     FROM (SELECT workspace, target, count(*) AS count, min(due_at) AS since FROM deliveries
           WHERE state = 0 AND due_at < $1 GROUP BY workspace, target) AS b
     JOIN webhooks w ON w.workspace = b.workspace AND w.webhook = b.target
     JOIN lanes l ON l.lane = w.bucket % ${LANES}
     WHERE w.intent = 'enabled' AND w.health IN ('active', 'warning') AND w.mode <> 'pull'
       AND (w.quiet_until IS NULL OR w.quiet_until < $1) AND l.node IS NOT NULL AND l.leased_until >= $2
     ORDER BY b.since LIMIT 5`,
    [now - PATIENCE_MS, now],
  );
  return rows
    .filter((row) => isForgotten(row, now))
    .map(
      ({ count, name, since }) =>
        `${count} deliveries to "${name}" are due and not tried, the oldest for ${minutes(now - since)}`,
    );
}

function isForgotten({ batch, lastSuccessAt, underWay, since }: Backlog, now: number): boolean {
  const waitMs = batch === null ? 0 : (JSON.parse(batch) as Batching).waitMs;
  return underWay === 0 && (lastSuccessAt ?? 0) < now - PATIENCE_MS && since + waitMs < now - PATIENCE_MS;
}

function minutes(ms: number): string {
  const all = Math.round(ms / 60_000);
  return all < 120 ? `${all} min` : `${Math.round(all / 60)} h`;
}

// Buckets are spread evenly: what this file says of lanes rests on it.
if (BUCKETS % LANES !== 0) throw new Error('buckets must be a multiple of lanes');
