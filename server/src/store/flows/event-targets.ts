// The target a flow with event triggers is: a row of `webhooks` of mode `flow` under the flow's own number, with one
// subscription per trigger. So an event for a flow is a delivery of the log as any other: kept, retried, never twice.
import { moveWorkspaceCatalog } from '../catalogs.ts';
import type { Keyring } from '../keyring.ts';
import type { Sql, Tx, Value } from '../sql.ts';
import { contextOf, nextNumber } from '../webhooks.ts';
import type { FlowSetting } from './contract.ts';

interface FlowKey {
  workspace: number;
  flow: number;
}

/** What is written of a flow's event triggers. */
export interface EventTarget extends FlowKey {
  bucket: number;
  setting: FlowSetting;
  now: number;
}

/**
 * Sets what a flow hears of, its workspace held; nothing while it is not enabled. The target stays as long as the flow, for
 * deliveries that were made for it. Resolves whether there is one.
 */
export async function setEventTarget(
  parts: { sql: Sql; tx: Tx; keyring: Keyring },
  target: EventTarget,
): Promise<boolean> {
  const { sql, tx } = parts;
  const { workspace, flow, setting, now } = target;
  const events = setting.enabled ? setting.events : [];
  const of = [workspace, flow];
  const found = await tx.all('SELECT 1 AS one FROM webhooks WHERE workspace = $1 AND webhook = $2', of);
  if (found.length === 0 && events.length === 0) return false;
  if (found.length === 0) await makeTarget(parts, target);
  await tx.run('DELETE FROM subscriptions WHERE workspace = $1 AND webhook = $2', of);
  const distinct = new Map(
    events.map(({ type, filter }) => [`${type} ${filter ?? ''}`, { type, filter: filter ?? '' }]),
  );
  for (const { type, filter } of distinct.values()) {
    const { head } = await nextNumber(sql, tx, workspace);
    await tx.run(
      `INSERT INTO subscriptions (workspace, subscription, webhook, type, filter, created_at)
       VALUES ($1, $2, $3, $4, $5, $6)`,
      [workspace, head, flow, type, filter, now],
    );
  }
  await moveWorkspaceCatalog(tx, workspace);
  return true;
}

// Nothing of it is ever sent, so nothing is signed: the secrets are empty.
async function makeTarget(
  { tx, keyring }: { tx: Tx; keyring: Keyring },
  { workspace, flow, bucket, now }: EventTarget,
): Promise<void> {
  const secrets = {
    secret: '',
    secondarySecret: null,
    proved: 'secret',
    standardKeys: [],
    signingKey: null,
    authorization: null,
    clientSecret: null,
    privateKey: null,
    headers: {},
  };
  const columns: Record<string, Value> = {
    workspace,
    webhook: flow,
    bucket,
    // A name that nobody can give to a webhook of his own.
    name: `"flow ${flow}"`,
    description: '',
    mode: 'flow',
    url: '',
    verification: 'none',
    signing: '[]',
    format: 'structured',
    headers: '{}',
    ordering: '{"kind":"any"}',
    recovery: 'in-order',
    intent: 'enabled',
    health: 'active',
    streak: 0,
    reason: 'the event triggers of a flow',
    secrets: keyring.seal(JSON.stringify(secrets), contextOf({ workspace, webhook: flow })),
    created_at: now,
    updated_at: now,
    revision: 1,
  };
  const names = Object.keys(columns);
  const marks = names.map((_, i) => `$${i + 1}`);
  await tx.run(`INSERT INTO webhooks (${names.join(', ')}) VALUES (${marks.join(', ')})`, Object.values(columns));
}

/** Takes the target away with its flow, the workspace held: what was open for it becomes dead letters. */
export async function removeEventTarget(tx: Tx, { workspace, flow, now }: FlowKey & { now: number }): Promise<boolean> {
  const of = [workspace, flow];
  const deleted = await tx.run('DELETE FROM webhooks WHERE workspace = $1 AND webhook = $2', of);
  if (deleted === 0) return false;
  await tx.run('DELETE FROM subscriptions WHERE workspace = $1 AND webhook = $2', of);
  await tx.run('INSERT INTO burials (workspace, target, deleted_at) VALUES ($1, $2, $3)', [...of, now]);
  return true;
}
