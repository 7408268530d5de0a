// Checks of what belongs together: each row that names another one, and the counters above them.
import type { StoreCheck } from './check.ts';

const RESTORE = 'somebody wrote to the store from outside; go back to the last backup: bellwire restore FILE';

interface Orphans {
  name: string;
  looksAt: string;
  /** What they are, as in `3 deliveries whose event is not there`. */
  what: string;
  /** The rows, from their table on: each with `workspace` and `number`. */
  from: string;
  remedy?: string;
}

/** A check that counts rows which should not be, and names the first. */
function orphans({ name, looksAt, what, from, remedy = RESTORE }: Orphans): StoreCheck {
  return {
    name,
    looksAt,
    severity: 'fault',
    remedy,
    async look({ store }) {
      // What belongs to a workspace that is being deleted goes piece by piece.
      const rows = `FROM (${from}) AS o WHERE o.workspace NOT IN (SELECT workspace FROM workspaces WHERE deleted_at IS NOT NULL)`;
      const [all] = await store.ask<{ count: number }>(`SELECT count(*) AS count ${rows}`);
      if (all!.count === 0) return [];
      const [one] = await store.ask<{ workspace: number; number: number }>(`SELECT workspace, number ${rows} LIMIT 1`);
      // What is no more was on its way from one transaction to the next.
      return one ? [`${all!.count} ${what} (one is ${one.number} of workspace ${one.workspace})`] : [];
    },
  };
}

/** The checks. */
export const ROW_CHECKS: readonly StoreCheck[] = [
  orphans({
    name: 'deliveries.event',
    looksAt: 'every delivery has its event',
    what: 'deliveries whose event is not there',
    from: `SELECT d.workspace, d.event AS number FROM deliveries d
      WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.workspace = d.workspace AND e.event = d.event)`,
  }),
  orphans({
    name: 'deliveries.target',
    looksAt: 'every open delivery has its webhook, post-processing or flow, or is being buried with it',
    what: 'open deliveries to what does not exist',
    from: `SELECT d.workspace, d.event AS number FROM deliveries d
      WHERE d.state = 0
        AND NOT EXISTS (SELECT 1 FROM webhooks w WHERE w.workspace = d.workspace AND w.webhook = d.target)
        AND NOT EXISTS (SELECT 1 FROM burials b WHERE b.workspace = d.workspace AND b.target = d.target)`,
  }),
  orphans({
    name: 'attempts.delivery',
    looksAt: 'every attempt has its delivery',
    what: 'attempts whose delivery is not there',
    from: `SELECT a.workspace, a.event AS number FROM attempts a
      WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.workspace = a.workspace AND d.event = a.event
        AND d.target = a.target AND d.copy = a.copy)`,
  }),
  orphans({
    name: 'batches.number',
    looksAt: 'every batch was counted by its webhook',
    what: 'deliveries of batches that their webhook has not counted: one number would be given twice',
    from: `SELECT d.workspace, d.event AS number FROM deliveries d
      JOIN webhooks w ON w.workspace = d.workspace AND w.webhook = d.target
      WHERE d.batch IS NOT NULL AND d.batch > w.batches`,
  }),
  orphans({
    name: 'subscriptions.webhook',
    looksAt: 'every subscription has its webhook',
    what: 'subscriptions whose webhook is not there',
    from: `SELECT s.workspace, s.subscription AS number FROM subscriptions s
      WHERE NOT EXISTS (SELECT 1 FROM webhooks w WHERE w.workspace = s.workspace AND w.webhook = s.webhook)`,
    remedy: 'end them, by the ids that this lists: bellwire subscriptions',
  }),
  orphans({
    name: 'flows.version',
    looksAt: 'every flow, and every run that has not ended, has its version',
    what: 'flows or runs whose version is not there: they cannot be worked at',
    from: `SELECT f.workspace, f.flow AS number FROM flows f
      WHERE NOT EXISTS (SELECT 1 FROM flow_versions v WHERE v.workspace = f.workspace AND v.flow = f.flow AND v.version = f.version)
      UNION ALL
      SELECT r.workspace, r.run AS number FROM runs r
      WHERE r.finished_at IS NULL AND NOT EXISTS (SELECT 1 FROM flow_versions v
        WHERE v.workspace = r.workspace AND v.flow = r.flow AND v.version = r.version)`,
    remedy: 'push their documents again, and abort the runs: bellwire push FOLDER, bellwire run abort NUMBER',
  }),
  orphans({
    name: 'requests.run',
    looksAt: 'every request to a hook that was taken has its run',
    what: 'requests that were taken and have no run: what they asked for was not done',
    from: `SELECT h.workspace, h.request AS number FROM hook_requests h
      WHERE h.state = 'taken' AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.workspace = h.workspace AND r.run = h.run)`,
    remedy: 'do them once more: bellwire scenario requests NAME --state taken, then bellwire request replay req_…',
  }),
  orphans({
    name: 'steps.run',
    looksAt: 'every step and every line of a log has its run',
    what: 'steps whose run is not there',
    from: `SELECT s.workspace, s.run AS number FROM run_steps s
      WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.workspace = s.workspace AND r.run = s.run)`,
  }),
  orphans({
    name: 'runs.slot',
    looksAt: 'no run that has ended keeps the place of another one',
    what: 'runs that have ended and still hold the slot of another one',
    from: 'SELECT r.workspace, r.run AS number FROM runs r WHERE r.slot = 1 AND r.finished_at IS NOT NULL',
  }),
  orphans({
    name: 'workspaces.head',
    looksAt: 'the counter of every workspace is not behind its newest row',
    what: 'counters of workspaces behind their events or runs: a number would be given twice',
    from: `SELECT w.workspace, w.head AS number FROM workspaces w
      WHERE w.head < (SELECT max(e.event) FROM events e WHERE e.workspace = w.workspace)
         OR w.head < (SELECT max(r.run) FROM runs r WHERE r.workspace = w.workspace)`,
  }),
];
