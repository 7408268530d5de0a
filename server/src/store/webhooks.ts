// Webhooks: the verbs of the settings that say who is to be reached, where and how.
import { createHash } from 'node:crypto';
import type { Batching } from '../model/batch.ts';
import type { ChallengeNote } from '../model/challenge.ts';
import type { Order, Recovery } from '../model/order.ts';
import {
  isWebhook,
  type Format,
  type Health,
  type Intent,
  type OAuthClient,
  type Signing,
  type TargetMode,
  type TlsSettings,
  type Verification,
} from '../model/webhook.ts';
import { maskHeaders } from '../model/headers.ts';
import { deletedEvent } from '../model/operational-events.ts';
import { moveWorkspaceCatalog, type Catalogs } from './catalogs.ts';
import {
  BUCKETS,
  StoreRefusal,
  type NewWebhook,
  type Settings,
  type TargetKey,
  type Unproved,
  type Webhook,
  type WebhookChange,
  type WebhookPatch,
  type WebhookSecrets,
  type WebhookUpdate,
} from './contract.ts';
import type { Keyring } from './keyring.ts';
import type { Listeners } from './listeners.ts';
import { refuseOverLimit } from './quota.ts';
import { buryAtOnce } from './burials.ts';
import { nameOf } from './dead-letters.ts';
import { IS_WEBHOOK } from './modes.ts';
import { recordChange } from './settle.ts';
import { writeTelling, type Telling } from './telling.ts';
import type { Sql, Tx, Value } from './sql.ts';
import { reportSettingOf } from './post-processings/setting.ts';

type WebhookVerbs = Pick<
  Settings,
  | 'createWebhook'
  | 'webhooks'
  | 'webhook'
  | 'target'
  | 'updateWebhook'
  | 'noteChallenge'
  | 'unproved'
  | 'endRotations'
  | 'deleteWebhook'
  | 'webhookChanges'
>;

/** What these verbs stand on. */
export interface WebhookParts {
  sql: Sql;
  keyring: Keyring;
  catalogs: Catalogs;
  listeners: Listeners;
}

/** The verbs about webhooks. */
export function makeWebhookVerbs({ sql, keyring, catalogs, listeners }: WebhookParts): WebhookVerbs {
  return {
    createWebhook: async (fresh) => {
      const webhook = await writeTelling({ sql, listeners }, (tx, telling) =>
        createWebhook(sql, tx, { fresh, keyring, telling }),
      );
      listeners.tellWebhook(webhook.workspace, webhook.webhook);
      return webhook;
    },
    webhooks: async (workspace) =>
      (
        await sql.read<WebhookRow>(`${WEBHOOK} WHERE w.workspace = $1 AND w.${IS_WEBHOOK} ORDER BY w.webhook`, [
          workspace,
        ])
      ).map(webhookOf),
    webhook: async (workspace, webhook) => {
      const [row] = await sql.read<WebhookRow>(`${WEBHOOK} ${ONE} AND w.${IS_WEBHOOK}`, [workspace, webhook]);
      return row ? webhookOf(row) : null;
    },
    target: async ({ workspace, target }) => {
      const [row] = await sql.read<WebhookRow>(`${WEBHOOK} ${ONE}`, [workspace, target]);
      if (!row) return null;
      const { headers, ...secrets } = openSealed(keyring, row);
      const reached = { webhook: { ...webhookOf(row), headers }, secrets };
      if (row.mode === 'flow') return { ...reached, isFlow: true };
      if (row.mode !== 'report') return reached;
      const report = await reportSettingOf(sql, { workspace, target });
      return report && { ...reached, report };
    },
    updateWebhook: async (update) => {
      const webhook = await writeTelling({ sql, listeners }, (tx, telling) =>
        updateWebhook(sql, tx, { update, keyring, telling }),
      );
      listeners.tellWebhook(webhook.workspace, webhook.webhook);
      return webhook;
    },
    noteChallenge: async ({ workspace, target, revision, note }) => {
      const row = [JSON.stringify(note), workspace, target, revision];
      const where = 'workspace = $2 AND webhook = $3 AND revision = $4';
      await sql.write((tx) => tx.run(`UPDATE webhooks SET challenge = $1 WHERE ${where}`, row), { synced: false });
    },
    unproved: (criticalBefore) => sql.read<Unproved>(UNPROVED, [criticalBefore]),
    endRotations: async (now, limit) => {
      const ended = await endRotations(sql, { keyring, listeners, now, limit });
      for (const { workspace, webhook } of ended) listeners.tellWebhook(workspace, webhook);
      return ended.length;
    },
    deleteWebhook: async (key, force, now) => {
      await writeTelling({ sql, listeners }, (tx, telling) => deleteWebhook(sql, tx, { key, force, now, telling }));
      catalogs.forget(key.workspace);
      // Before the burial: while it lasts, or if it fails, nothing more is sent.
      listeners.tellWebhook(key.workspace, key.target);
      await buryAtOnce(sql, key);
    },
    webhookChanges: (workspace, webhook, limit) =>
      sql.read<WebhookChange>(
        `SELECT at, intent, health, reason FROM webhook_changes WHERE workspace = $1 AND webhook = $2
         ORDER BY change DESC LIMIT ${limit}`,
        [workspace, webhook],
      ),
  };
}

/* ── Rows ───────────────────────────────────────────────────────────────────────────────────────────────────── */

interface WebhookRow {
  workspace: number;
  webhook: number;
  token: string;
  bucket: number;
  name: string;
  description: string;
  /** `report`: the other half of a post-processing (post-processings/); `flow`: of a flow (flows/). */
  mode: TargetMode;
  url: string;
  verification: Verification;
  signing: string;
  format: Format;
  headers: string;
  retryDelaysMs: string | null;
  timeoutMs: number | null;
  rate: number | null;
  order: string;
  recovery: Recovery;
  batch: string | null;
  allowedRate: number | null;
  quietUntil: number | null;
  intent: Intent;
  health: Health;
  streak: number;
  lastSuccessAt: number | null;
  reason: string;
  publicKey: string | null;
  oauth: string | null;
  tls: string | null;
  secrets: string;
  secondaryUntil: number | null;
  challenge: string | null;
  provedAt: number | null;
  createdAt: number;
  updatedAt: number;
  revision: number;
  listenedUntil: number | null;
  takesOver: number | null;
}

const WEBHOOK = `
  SELECT w.workspace, w.webhook, s.token, w.bucket, w.name, w.description, w.mode, w.url, w.verification, w.signing,
         w.format, w.headers, w.retry_delays_ms AS "retryDelaysMs", w.timeout_ms AS "timeoutMs", w.rate, w.ordering AS "order",
         w.recovery, w.batch, w.allowed_rate AS "allowedRate",
         w.quiet_until AS "quietUntil", w.intent, w.health, w.streak, w.last_success_at AS "lastSuccessAt", w.reason,
         w.public_key AS "publicKey", w.oauth, w.tls, w.secrets, w.secondary_until AS "secondaryUntil", w.challenge,
         w.proved_at AS "provedAt", w.created_at AS "createdAt", w.updated_at AS "updatedAt", w.revision,
         l.until AS "listenedUntil", l.takes_over AS "takesOver"
  FROM webhooks w JOIN workspaces s ON s.workspace = w.workspace
  LEFT JOIN listeners l ON l.workspace = w.workspace AND l.webhook = w.webhook`;
const ONE = 'WHERE w.workspace = $1 AND w.webhook = $2';

const UNPROVED = `
  SELECT workspace, webhook AS target, bucket, health FROM webhooks
  WHERE intent = 'enabled' AND verification <> 'none' AND mode <> 'listen'
    AND (health = 'pending' OR (health = 'critical' AND proved_at IS NOT NULL AND updated_at < $1))
  ORDER BY workspace, webhook`;

function webhookOf({
  secrets: _sealed,
  signing,
  headers,
  retryDelaysMs,
  order,
  batch,
  oauth,
  tls,
  challenge,
  mode,
  listenedUntil,
  takesOver,
  ...row
}: WebhookRow): Webhook {
  return {
    ...row,
    mode: isWebhook(mode) ? mode : 'push',
    signing: JSON.parse(signing) as Signing[],
    headers: JSON.parse(headers) as Record<string, string>,
    retryDelaysMs: retryDelaysMs === null ? null : (JSON.parse(retryDelaysMs) as number[]),
    order: JSON.parse(order) as Order,
    batch: batch === null ? null : (JSON.parse(batch) as Batching),
    challenge: challenge === null ? null : (JSON.parse(challenge) as ChallengeNote),
    oauth: oauth === null ? null : (JSON.parse(oauth) as OAuthClient),
    tls: tls === null ? null : (JSON.parse(tls) as TlsSettings),
    listener: listenedUntil === null ? null : { until: listenedUntil, takesOver: takesOver === 1 },
  };
}

/** What a webhook's sealed secrets are bound to: a ciphertext copied to another row does not open. */
export function contextOf({ workspace, webhook }: { workspace: number; webhook: number }): string {
  return `webhook ${workspace} ${webhook}`;
}

// The values of a user's own headers are sealed with the secrets, for many of them are; their names stand in the row.
interface Sealed extends WebhookSecrets {
  headers: Readonly<Record<string, string>>;
}

function seal(keyring: Keyring, of: { workspace: number; webhook: number }, sealed: Sealed): string {
  return keyring.seal(JSON.stringify(sealed), contextOf(of));
}

function openSealed(keyring: Keyring, row: Pick<WebhookRow, 'workspace' | 'webhook' | 'secrets'>): Sealed {
  return JSON.parse(keyring.open(row.secrets, contextOf(row))) as Sealed;
}

/** The bucket a target hashes to, for ever: its lane is the bucket modulo the number of lanes. */
export function bucketOf(workspace: number, target: number): number {
  return createHash('sha256').update(`${workspace}/${target}`).digest().readUInt16BE(0) % BUCKETS;
}

/* ── Writing webhooks ───────────────────────────────────────────────────────────────────────────────────────── */

interface Limits {
  head: number;
  webhooks: number | null;
  subscriptions: number | null;
}

// The workspace's row with its next number, held until the commit.
async function holdWorkspace(sql: Sql, tx: Tx, workspace: number): Promise<Limits> {
  const [row] = await tx.all<Limits>(
    `SELECT head + 1 AS head, max_webhooks AS webhooks, max_subscriptions AS subscriptions
     FROM workspaces WHERE workspace = $1 AND deleted_at IS NULL${sql.dialect.forUpdate}`,
    [workspace],
  );
  if (!row) throw new StoreRefusal('not-found', 'there is no such workspace');
  return row;
}

/** The workspace's next number, its row held until the commit. Refuses `not-found`. */
export async function nextNumber(sql: Sql, tx: Tx, workspace: number): Promise<Limits> {
  const row = await holdWorkspace(sql, tx, workspace);
  await tx.run('UPDATE workspaces SET head = $1 WHERE workspace = $2', [row.head, workspace]);
  return row;
}

async function refuseTakenName(
  tx: Tx,
  { workspace, name, except = -1 }: { workspace: number; name: string; except?: number },
): Promise<void> {
  const taken = await tx.all('SELECT 1 AS one FROM webhooks WHERE workspace = $1 AND name = $2 AND webhook <> $3', [
    workspace,
    name,
    except,
  ]);
  if (taken.length > 0) throw new StoreRefusal('name-taken', `there is already a webhook named ${name}`);
}

async function createWebhook(
  sql: Sql,
  tx: Tx,
  { fresh, keyring, telling }: { fresh: NewWebhook; keyring: Keyring; telling: Telling },
): Promise<Webhook> {
  const { workspace, name, now } = fresh;
  const { head: webhook, webhooks } = await nextNumber(sql, tx, workspace);
  await telling.listen([workspace]);
  await refuseOverLimit(tx, { table: 'webhooks', workspace, limit: webhooks });
  await refuseTakenName(tx, { workspace, name });
  const key = { workspace, webhook };
  const columns: Record<string, Value> = {
    workspace,
    webhook,
    bucket: bucketOf(workspace, webhook),
    ...columnsOf(fresh),
    mode: fresh.mode ?? 'push',
    intent: 'enabled',
    health: fresh.health,
    streak: 0,
    reason: fresh.reason,
    secrets: seal(keyring, key, { ...fresh.secrets, headers: fresh.headers }),
    created_at: now,
    updated_at: now,
    revision: 1,
  };
  const names = Object.keys(columns);
  const marks = names.map((_, i) => `$${i + 1}`).join(', ');
  await tx.run(`INSERT INTO webhooks (${names.join(', ')}) VALUES (${marks})`, Object.values(columns));
  const { health, reason } = fresh;
  await recordChange(tx, telling, { ...key, change: 1, at: now, intent: 'enabled', health, reason });
  return readOne(tx, key);
}

async function readOne(tx: Tx, key: { workspace: number; webhook: number }): Promise<Webhook> {
  return webhookOf(await readRow(tx, key));
}

async function readRow(tx: Tx, { workspace, webhook }: { workspace: number; webhook: number }): Promise<WebhookRow> {
  const [row] = await tx.all<WebhookRow>(`${WEBHOOK} ${ONE} AND w.${IS_WEBHOOK}`, [workspace, webhook]);
  if (!row) throw new StoreRefusal('not-found', 'there is no such webhook');
  return row;
}

const COLUMNS = {
  name: 'name',
  description: 'description',
  url: 'url',
  verification: 'verification',
  signing: 'signing',
  format: 'format',
  headers: 'headers',
  retryDelaysMs: 'retry_delays_ms',
  timeoutMs: 'timeout_ms',
  rate: 'rate',
  order: 'ordering',
  recovery: 'recovery',
  batch: 'batch',
  allowedRate: 'allowed_rate',
  quietUntil: 'quiet_until',
  intent: 'intent',
  health: 'health',
  streak: 'streak',
  lastSuccessAt: 'last_success_at',
  publicKey: 'public_key',
  oauth: 'oauth',
  tls: 'tls',
  secondaryUntil: 'secondary_until',
  challenge: 'challenge',
  provedAt: 'proved_at',
} as const satisfies Record<keyof Omit<WebhookPatch, 'secrets'>, string>;

function columnsOf(fields: WebhookPatch): Record<string, Value> {
  const columns: Record<string, Value> = {};
  const shown = fields.headers === undefined ? fields : { ...fields, headers: maskHeaders(fields.headers) };
  for (const [field, column] of Object.entries(COLUMNS)) {
    const value = shown[field as keyof typeof COLUMNS];
    if (value === undefined) continue;
    columns[column] = value !== null && typeof value === 'object' ? JSON.stringify(value) : value;
  }
  return columns;
}

async function updateWebhook(
  sql: Sql,
  tx: Tx,
  { update, keyring, telling }: { update: WebhookUpdate; keyring: Keyring; telling: Telling },
): Promise<Webhook> {
  const { workspace, target: webhook, revision, patch, reason, now } = update;
  const key = { workspace, webhook };
  // Held, so that no other one takes the name meanwhile.
  if (patch.name !== undefined) await holdWorkspace(sql, tx, workspace);
  if (patch.intent !== undefined || patch.health !== undefined) await telling.listen([workspace]);
  const before = await readRow(tx, key);
  if (before.revision !== revision) {
    throw new StoreRefusal('changed-meanwhile', 'the webhook was changed meanwhile: read it again');
  }
  if (patch.name !== undefined) await refuseTakenName(tx, { workspace, name: patch.name, except: webhook });
  const columns: Record<string, Value> = { ...columnsOf(patch), updated_at: now, revision: revision + 1 };
  if (patch.secrets || patch.headers) {
    const { headers, ...secrets } = openSealed(keyring, before);
    columns['secrets'] = seal(keyring, key, { ...(patch.secrets ?? secrets), headers: patch.headers ?? headers });
  }
  const { intent = before.intent, health = before.health } = patch;
  const moved = intent !== before.intent || health !== before.health;
  if (reason !== null) columns['reason'] = reason;
  const set = Object.keys(columns).map((column, i) => `${column} = $${i + 4}`);
  const changed = await tx.run(
    `UPDATE webhooks SET ${set.join(', ')} WHERE workspace = $1 AND webhook = $2 AND revision = $3`,
    [workspace, webhook, revision, ...Object.values(columns)],
  );
  if (changed === 0) throw new StoreRefusal('changed-meanwhile', 'the webhook was changed meanwhile: read it again');
  if (moved) {
    const change = { ...key, change: revision + 1, at: now, intent, health, reason: reason ?? '' };
    await recordChange(tx, telling, change);
  }
  return readOne(tx, key);
}

const GRACE_ENDED = 'the former secret has ended before the endpoint proved the present one';

// What the endpoint has never proved must not begin to sign on its own: it is asked first.
async function endRotations(
  sql: Sql,
  { keyring, listeners, now, limit }: Pick<WebhookParts, 'keyring' | 'listeners'> & { now: number; limit: number },
): Promise<Webhook[]> {
  const over = await sql.read<{ workspace: number; target: number }>(
    'SELECT workspace, webhook AS target FROM webhooks WHERE secondary_until <= $1 LIMIT $2',
    [now, limit],
  );
  const ended: Webhook[] = [];
  for (const key of over) {
    const webhook = await writeTelling({ sql, listeners }, (tx, telling) =>
      endRotation(sql, tx, { key, keyring, now, telling }),
    );
    if (webhook) ended.push(webhook);
  }
  return ended;
}

async function endRotation(
  sql: Sql,
  tx: Tx,
  { key, keyring, now, telling }: { key: TargetKey; keyring: Keyring; now: number; telling: Telling },
): Promise<Webhook | null> {
  const [row] = await tx.all<WebhookRow>(`${WEBHOOK} ${ONE}`, [key.workspace, key.target]);
  // Deleted, or rotated again meanwhile.
  if (!row || row.secondaryUntil === null || row.secondaryUntil > now) return null;
  const { proved, standardKeys, headers: _, ...secrets } = openSealed(keyring, row);
  const patch: WebhookPatch = {
    secondaryUntil: null,
    secrets: { ...secrets, secondarySecret: null, proved: 'secret', standardKeys: standardKeys.slice(0, 1) },
  };
  const { health, verification, revision } = row;
  const isUnproved = verification === 'challenge' && proved === 'secondarySecret' && health !== 'critical';
  if (isUnproved) Object.assign(patch, { health: 'pending', streak: 0, challenge: null });
  return updateWebhook(sql, tx, {
    update: { ...key, revision, patch, reason: isUnproved ? GRACE_ENDED : null, now },
    keyring,
    telling,
  });
}

async function deleteWebhook(
  sql: Sql,
  tx: Tx,
  { key, force, now, telling }: { key: TargetKey; force: boolean; now: number; telling: Telling },
): Promise<void> {
  const { workspace, target: webhook } = key;
  const ids = [workspace, webhook];
  await nextNumber(sql, tx, workspace);
  await telling.listen([workspace]);
  const name = await nameOf(tx, workspace, webhook);
  const subscriptions = await tx.run('DELETE FROM subscriptions WHERE workspace = $1 AND webhook = $2', ids);
  if (subscriptions > 0 && !force) {
    throw new StoreRefusal(
      'in-use',
      `the webhook has ${subscriptions} subscription(s): delete them first, or force it`,
    );
  }
  const deleted = await tx.run(
    `DELETE FROM webhooks AS w WHERE w.workspace = $1 AND w.webhook = $2 AND w.${IS_WEBHOOK}`,
    ids,
  );
  if (deleted === 0) throw new StoreRefusal('not-found', 'there is no such webhook');
  for (const table of ['listeners', 'relays'])
    await tx.run(`DELETE FROM ${table} WHERE workspace = $1 AND webhook = $2`, ids);
  await tx.run('DELETE FROM webhook_changes WHERE workspace = $1 AND webhook = $2', ids);
  await tx.run('INSERT INTO burials (workspace, target, deleted_at) VALUES ($1, $2, $3)', [...ids, now]);
  await moveWorkspaceCatalog(tx, workspace);
  const hearing = telling.hearing(workspace);
  if (hearing) await telling.tell(hearing, [deletedEvent({ token: hearing.token, webhook, name, at: now })]);
}
