// Counting what is in the store, for those who watch it: one look at everything that is open, and at what ended badly.
//
// Everything comes from indexes of what is open, so it costs what is open and not what is kept.
import type { Intent, Health } from '../model/webhook.ts';
import type { Counts, OpenOfTarget } from './log-contract.ts';
import { IS_WEBHOOK } from './modes.ts';
import { STATE, type Sql } from './sql.ts';

interface OpenRow extends Omit<OpenOfTarget, 'intent' | 'health' | 'mode'> {
  intent: Intent | null;
  health: Health | null;
  mode: OpenOfTarget['mode'] | null;
}

// The planner reads this from the index of what is open alone.
const OPEN = `
  SELECT o.workspace, o.target, o.open, o."oldestDueAt", w.intent, w.health, w.mode
  FROM (SELECT workspace, target, COUNT(*) AS open, MIN(due_at) AS "oldestDueAt"
        FROM deliveries WHERE state = ${STATE.open} GROUP BY workspace, target) o
  LEFT JOIN webhooks w ON w.workspace = o.workspace AND w.webhook = o.target
  ORDER BY o.workspace, o.target`;

const DEAD = `
  SELECT w.workspace,
         (SELECT COUNT(*) FROM deliveries d WHERE d.workspace = w.workspace AND d.state = ${STATE.dead}) AS dead
  FROM workspaces w WHERE w.deleted_at IS NULL ORDER BY w.workspace`;

const WEBHOOKS = `
  SELECT workspace, intent, health, COUNT(*) AS count FROM webhooks WHERE ${IS_WEBHOOK}
  GROUP BY workspace, intent, health ORDER BY workspace, intent, health`;

const OTHERS = `
  SELECT 'lease' AS what, '' AS state, COUNT(*) AS count FROM leases WHERE leased_until > $1
  UNION ALL SELECT 'operation', state, COUNT(*) FROM operations WHERE ended_at IS NULL GROUP BY state
  UNION ALL SELECT 'run', state, COUNT(*) FROM runs WHERE finished_at IS NULL GROUP BY state`;

/** The `counts` verb. */
export async function counts(sql: Sql, now: number): Promise<Counts> {
  const open = await sql.scan<OpenRow>(OPEN);
  const dead = await sql.scan<{ workspace: number; dead: number }>(DEAD);
  const webhooks = await sql.scan<Counts['webhooks'][number]>(WEBHOOKS);
  const others = await sql.scan<{ what: 'lease' | 'operation' | 'run'; state: string; count: number }>(OTHERS, [now]);
  const states = (what: string): Record<string, number> =>
    Object.fromEntries(others.filter((row) => row.what === what).map(({ state, count }) => [state, count]));
  return {
    // What is open for a webhook that is gone is about to be buried.
    open: open.map(({ intent, health, mode, ...row }) => {
      return { ...row, intent: intent ?? 'disabled', health: health ?? 'critical', mode: mode ?? 'push' };
    }),
    dead: dead.map((row) => ({ ...row })),
    webhooks: webhooks.map((row) => ({ ...row })),
    leases: states('lease')[''] ?? 0,
    operations: states('operation'),
    runs: states('run'),
  };
}
