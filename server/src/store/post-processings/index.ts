// Post-processings: their verbs. Each is a row of `post_processings`, for people, and one of `webhooks`, for the engine.
import type { Dialect, ReportKind } from '../../model/post-processing.ts';
import type { Success } from '../../model/retry.ts';
import { StoreRefusal, type WebhookSecrets } from '../contract.ts';
import type { Keyring } from '../keyring.ts';
import type { Listeners } from '../listeners.ts';
import { STATE, type Sql, type Tx, type Value } from '../sql.ts';
import { bucketOf, contextOf, nextNumber } from '../webhooks.ts';
import type {
  PostProcessing,
  PostProcessingChange,
  PostProcessingKey,
  PostProcessings,
  PostProcessingSetting,
} from './contract.ts';
import { flowNames, makeGroupVerbs, readGroup } from './groups.ts';
import { reportsOf } from './outcomes.ts';

interface Parts {
  sql: Sql;
  keyring: Keyring;
  listeners: Listeners;
}

/** The verbs about groups and post-processings. */
export function makePostProcessings(parts: Parts): PostProcessings {
  const { sql, listeners } = parts;
  const told = async <T>(key: Promise<T & PostProcessingKey>): Promise<T> => {
    const made = await key;
    listeners.tellWebhook(made.workspace, made.target);
    return made;
  };
  return {
    ...makeGroupVerbs(sql),
    create: (workspace, setting, now) => told(sql.write((tx) => create(parts, tx, { workspace, setting, now }))),
    list: async (workspace) =>
      (await sql.read<ReportRow>(`${REPORT} WHERE p.workspace = $1 ORDER BY p.name`, [workspace])).map(reportOf),
    one: async ({ workspace, target }) => {
      const [row] = await sql.read<ReportRow>(`${REPORT} ${ONE}`, [workspace, target]);
      return row ? reportOf(row) : null;
    },
    change: (change) => told(sql.write((tx) => changeOne(parts, tx, change))),
    delete: async (key, now) => {
      await sql.write((tx) => deleteOne(sql, tx, { ...key, now }));
      listeners.tellWebhook(key.workspace, key.target);
    },
    reportsOf: (workspace, events) => reportsOf(sql, workspace, events),
  };
}

/* ── Rows ───────────────────────────────────────────────────────────────────────────────────────────────────── */

interface ReportRow extends PostProcessingKey {
  token: string;
  name: string;
  group: number | null;
  kind: ReportKind;
  recipients: string;
  success: Success;
  intervalMs: number | null;
  dialect: Dialect;
  hasAuthorization: number;
  url: string;
  timeoutMs: number | null;
  createdAt: number;
  updatedAt: number;
  revision: number;
}

const REPORT = `
  SELECT p.workspace, p.target, s.token, p.name, p.group_number AS "group", p.kind, p.recipients, p.success,
         p.interval_ms AS "intervalMs", p.dialect, p.has_authorization AS "hasAuthorization", w.url,
         w.timeout_ms AS "timeoutMs", w.created_at AS "createdAt", w.updated_at AS "updatedAt", w.revision
  FROM post_processings p
  JOIN webhooks w ON w.workspace = p.workspace AND w.webhook = p.target
  JOIN workspaces s ON s.workspace = p.workspace`;
const ONE = 'WHERE p.workspace = $1 AND p.target = $2';

function reportOf({ recipients, hasAuthorization, ...row }: ReportRow): PostProcessing {
  return { ...row, recipients: JSON.parse(recipients) as string[], hasAuthorization: hasAuthorization === 1 };
}

async function readOne(tx: Tx, { workspace, target }: PostProcessingKey): Promise<PostProcessing> {
  const [row] = await tx.all<ReportRow>(`${REPORT} ${ONE}`, [workspace, target]);
  if (!row) throw new StoreRefusal('not-found', 'there is no such post-processing');
  return reportOf(row);
}

/* ── Writing ────────────────────────────────────────────────────────────────────────────────────────────────── */

async function create(
  { sql, keyring }: Parts,
  tx: Tx,
  { workspace, setting, now }: { workspace: number; setting: PostProcessingSetting; now: number },
): Promise<PostProcessing> {
  const { head: target } = await nextNumber(sql, tx, workspace);
  const key = { workspace, target };
  if (setting.group !== null) await readGroup(tx, { workspace, group: setting.group });
  await refuseTakenName(tx, { ...key, name: setting.name });
  await insert(tx, 'webhooks', {
    workspace,
    webhook: target,
    bucket: bucketOf(workspace, target),
    // No webhook can be named so, and none is kept from its name (R108).
    name: `report/${target}`,
    description: '',
    mode: 'report',
    verification: 'none',
    signing: '[]',
    format: 'structured',
    headers: '{}',
    ordering: '{"kind":"any"}',
    recovery: 'in-order',
    intent: 'enabled',
    health: 'active',
    streak: 0,
    reason: '',
    secrets: seal(keyring, key, setting.authorization),
    url: setting.url,
    timeout_ms: setting.timeoutMs,
    created_at: now,
    updated_at: now,
    revision: 1,
  });
  await insert(tx, 'post_processings', { workspace, target, ...columnsOf(setting) });
  return readOne(tx, key);
}

async function changeOne({ sql, keyring }: Parts, tx: Tx, change: PostProcessingChange): Promise<PostProcessing> {
  const { workspace, target, revision, patch, now } = change;
  await nextNumber(sql, tx, workspace);
  const before = await readOne(tx, change);
  if (before.revision !== revision) {
    throw new StoreRefusal('changed-meanwhile', 'the post-processing was changed meanwhile: read it again');
  }
  if (patch.group !== undefined && patch.group !== null) await readGroup(tx, { workspace, group: patch.group });
  if (patch.name !== undefined) await refuseTakenName(tx, { workspace, target, name: patch.name });
  await update(tx, 'post_processings', { where: { workspace, target }, set: columnsOf(patch) });
  const { authorization } = patch;
  await update(tx, 'webhooks', {
    where: { workspace, webhook: target },
    set: {
      ...(patch.url === undefined ? {} : { url: patch.url }),
      ...(patch.timeoutMs === undefined ? {} : { timeout_ms: patch.timeoutMs }),
      ...(authorization === undefined ? {} : { secrets: seal(keyring, change, authorization) }),
      updated_at: now,
      revision: revision + 1,
    },
  });
  return readOne(tx, change);
}

const DELETED = 'the post-processing was deleted';

// Its row among the webhooks stays as a mark for as long as its deliveries do: without it they would be taken for those
// of a webhook that is gone.
async function deleteOne(
  sql: Sql,
  tx: Tx,
  { workspace, target, now }: PostProcessingKey & { now: number },
): Promise<void> {
  await nextNumber(sql, tx, workspace);
  await readOne(tx, { workspace, target });
  const key = [workspace, target];
  const flows = await tx.all<{ kind: string; name: string }>(
    `SELECT f.kind, f.name FROM flows f WHERE f.workspace = $1 AND f.flow IN (
       SELECT r.flow FROM flow_reports r WHERE r.workspace = $1 AND r.target = $2)
     ORDER BY f.kind, f.name`,
    key,
  );
  if (flows.length > 0) throw new StoreRefusal('in-use', `these report to it: ${flowNames(flows)}`);
  await tx.run('DELETE FROM post_processings WHERE workspace = $1 AND target = $2', key);
  await tx.run(
    `UPDATE webhooks SET intent = 'disabled', url = '', updated_at = $3, revision = revision + 1
     WHERE workspace = $1 AND webhook = $2`,
    [...key, now],
  );
  await tx.run(
    `UPDATE deliveries SET state = ${STATE.dead}, ended_at = $3, reason = $4
     WHERE workspace = $1 AND target = $2 AND state = ${STATE.open}`,
    [...key, now, DELETED],
  );
}

async function refuseTakenName(
  tx: Tx,
  { workspace, target, name }: PostProcessingKey & { name: string },
): Promise<void> {
  const taken = await tx.all(
    'SELECT 1 AS one FROM post_processings WHERE workspace = $1 AND name = $2 AND target <> $3',
    [workspace, name, target],
  );
  if (taken.length > 0) throw new StoreRefusal('name-taken', `there is already a post-processing named ${name}`);
}

type Columns = Record<string, Value>;

function columnsOf(patch: Partial<PostProcessingSetting>): Columns {
  const { name, group, kind, recipients, success, intervalMs, dialect, authorization } = patch;
  const all = {
    name,
    group_number: group,
    kind,
    recipients: recipients && JSON.stringify(recipients),
    success,
    interval_ms: intervalMs,
    dialect,
    has_authorization: authorization === undefined ? undefined : authorization === null ? 0 : 1,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Columns;
}

async function insert(tx: Tx, table: string, columns: Columns): Promise<void> {
  const names = Object.keys(columns);
  const marks = names.map((_, i) => `$${i + 1}`).join(', ');
  await tx.run(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${marks})`, Object.values(columns));
}

async function update(tx: Tx, table: string, { where, set }: { where: Columns; set: Columns }): Promise<void> {
  const names = Object.keys(set);
  if (names.length === 0) return;
  const keys = Object.keys(where).map((name, i) => `${name} = $${i + 1}`);
  const changes = names.map((name, i) => `${name} = $${i + 1 + keys.length}`);
  await tx.run(`UPDATE ${table} SET ${changes.join(', ')} WHERE ${keys.join(' AND ')}`, [
    ...Object.values(where),
    ...Object.values(set),
  ]);
}

function seal(keyring: Keyring, { workspace, target }: PostProcessingKey, authorization: string | null): string {
  const secrets: WebhookSecrets & { headers: object } = {
    secret: '',
    secondarySecret: null,
    proved: 'secret',
    standardKeys: [],
    signingKey: null,
    authorization,
    clientSecret: null,
    privateKey: null,
    headers: {},
  };
  return keyring.seal(JSON.stringify(secrets), contextOf({ workspace, webhook: target }));
}
