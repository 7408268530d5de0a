// Subscriptions: the verbs of the settings that say who hears what.
import { moveWorkspaceCatalog } from './catalogs.ts';
import { StoreRefusal, type NewSubscription, type Settings, type Subscription } from './contract.ts';
import { IS_WEBHOOK } from './modes.ts';
import { refuseOverLimit } from './quota.ts';
import type { Sql, Tx } from './sql.ts';
import { nextNumber, type WebhookParts } from './webhooks.ts';

type SubscriptionVerbs = Pick<Settings, 'createSubscription' | 'subscriptions' | 'deleteSubscription'>;

const SUBSCRIPTION = `SELECT workspace, subscription, webhook, type, NULLIF(filter, '') AS filter,
                             created_at AS "createdAt" FROM subscriptions`;

// What flows hear of is theirs alone.
const SHOWN = `workspace = $1 AND webhook IN (SELECT w.webhook FROM webhooks w WHERE w.workspace = $1 AND w.${IS_WEBHOOK})`;

/** The verbs about subscriptions. */
export function makeSubscriptionVerbs({ sql, catalogs }: WebhookParts): SubscriptionVerbs {
  return {
    createSubscription: async (fresh) => {
      const result = await sql.write((tx) => createSubscription(sql, tx, fresh));
      catalogs.forget(fresh.workspace);
      return result;
    },
    subscriptions: (workspace, webhook) =>
      webhook === undefined
        ? sql.read<Subscription>(`${SUBSCRIPTION} WHERE ${SHOWN} ORDER BY subscription`, [workspace])
        : sql.read<Subscription>(`${SUBSCRIPTION} WHERE ${SHOWN} AND webhook = $2 ORDER BY subscription`, [
            workspace,
            webhook,
          ]),
    deleteSubscription: async (workspace, subscription) => {
      await sql.write(async (tx) => {
        await nextNumber(sql, tx, workspace);
        const deleted = await tx.run(`DELETE FROM subscriptions WHERE ${SHOWN} AND subscription = $2`, [
          workspace,
          subscription,
        ]);
        if (deleted === 0) throw new StoreRefusal('not-found', 'there is no such subscription');
        await moveWorkspaceCatalog(tx, workspace);
      });
      catalogs.forget(workspace);
    },
  };
}

async function createSubscription(
  sql: Sql,
  tx: Tx,
  { workspace, webhook, type, filter, now }: NewSubscription,
): Promise<{ subscription: Subscription; created: boolean }> {
  const { head: subscription, subscriptions } = await nextNumber(sql, tx, workspace);
  const known = await tx.all(`SELECT 1 AS one FROM webhooks WHERE workspace = $1 AND webhook = $2 AND ${IS_WEBHOOK}`, [
    workspace,
    webhook,
  ]);
  if (known.length === 0) throw new StoreRefusal('not-found', 'there is no such webhook');
  const [same] = await tx.all<Subscription>(
    `${SUBSCRIPTION} WHERE workspace = $1 AND webhook = $2 AND type = $3 AND filter = $4`,
    [workspace, webhook, type, filter ?? ''],
  );
  if (same) return { subscription: same, created: false };
  await refuseOverLimit(tx, { table: 'subscriptions', workspace, limit: subscriptions });
  await tx.run(
    'INSERT INTO subscriptions (workspace, subscription, webhook, type, filter, created_at) VALUES ($1, $2, $3, $4, $5, $6)',
    [workspace, subscription, webhook, type, filter ?? '', now],
  );
  await moveWorkspaceCatalog(tx, workspace);
  return { subscription: { workspace, subscription, webhook, type, filter, createdAt: now }, created: true };
}
