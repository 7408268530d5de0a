// Watching backlogs: which webhooks have too much open, told once when it begins and once when it is over.
import { backlogEvent } from '../model/operational-events.ts';
import type { Listeners } from './listeners.ts';
import { IS_WEBHOOK } from './modes.ts';
import type { Sql } from './sql.ts';
import { IS_OPERATIONAL, writeTelling } from './telling.ts';

interface Watched {
  workspace: number;
  webhook: number;
  name: string;
  open: number;
  since: number | null;
}

// Counts no further than the threshold.
const WATCHED = `
  SELECT w.workspace, w.webhook, w.name, w.backlog_since AS since,
    (SELECT COUNT(*) FROM (SELECT 1 AS one FROM deliveries d
       WHERE d.workspace = w.workspace AND d.target = w.webhook AND d.state = 0 LIMIT $1) AS counted) AS open
  FROM webhooks w WHERE w.${IS_WEBHOOK} AND w.workspace IN (SELECT workspace FROM subscriptions WHERE ${IS_OPERATIONAL})`;

/** The `watchBacklogs` verb. */
export async function watchBacklogs(
  parts: { sql: Sql; listeners: Listeners },
  { threshold, now }: { threshold: number; now: number },
): Promise<number> {
  let told = 0;
  for (const watched of await parts.sql.scan<Watched>(WATCHED, [threshold])) {
    const { open, since } = watched;
    const isOver = since === null ? open >= threshold : open * 2 < threshold;
    if (isOver && (await tell(parts, watched, { threshold, now }))) told++;
  }
  return told;
}

// False when another node was faster.
function tell(
  parts: { sql: Sql; listeners: Listeners },
  { workspace, webhook, name, open, since }: Watched,
  { threshold, now }: { threshold: number; now: number },
): Promise<boolean> {
  return writeTelling(parts, async (tx, telling) => {
    await telling.listen([workspace]);
    const was = since === null ? 'backlog_since IS NULL' : 'backlog_since IS NOT NULL';
    const changed = await tx.run(
      `UPDATE webhooks SET backlog_since = $1 WHERE workspace = $2 AND webhook = $3 AND ${was}`,
      [since === null ? now : null, workspace, webhook],
    );
    const hearing = telling.hearing(workspace);
    if (changed === 0 || !hearing) return false;
    const about = { token: hearing.token, webhook, name, at: now };
    const event = backlogEvent({ ...about, isExceeded: since === null, open, threshold, since: since ?? now });
    await telling.tell(hearing, [event]);
    return true;
  });
}
