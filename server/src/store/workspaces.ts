// Workspaces, services and event types: the verbs of the settings that say who there is and what may be published.
import { createHash, randomBytes } from 'node:crypto';
import type { EventType } from '../model/catalog.ts';
import { makeToken } from '../model/ids.ts';
import { buryToken } from './flows/triggers.ts';
import type { Listeners } from './listeners.ts';
import { EVENT_TYPE, moveInstallationCatalog, moveWorkspaceCatalog, type Catalogs } from './catalogs.ts';
import {
  StoreRefusal,
  type EventTypeSetting,
  type Service,
  type Settings,
  type Workspace,
  type WorkspaceLimits,
  type WorkspacePatch,
  type WorkspaceRetention,
} from './contract.ts';
import { refuseOverLimit } from './quota.ts';
import { removeSheets } from './sheets/descriptions.ts';
import type { Sql, Tx, Value } from './sql.ts';

type WorkspaceVerbs = Pick<
  Settings,
  'workspaces' | 'workspace' | 'createWorkspace' | 'changeWorkspace' | 'deleteWorkspace'
>;
type CatalogVerbs = Pick<Settings, 'services' | 'putService' | 'deleteService' | 'putType' | 'deleteType'>;

interface WorkspaceRow extends WorkspaceLimits, WorkspaceRetention {
  workspace: number;
  token: string;
  name: string;
  createdAt: number;
}

const WORKSPACE = `
  SELECT workspace, token, name, events_per_day AS "eventsPerDay", bytes_per_day AS "bytesPerDay",
         max_webhooks AS webhooks, max_subscriptions AS subscriptions, max_event_types AS "eventTypes",
         keep_events_ms AS "eventsMs", keep_deliveries_ms AS "deliveriesMs", keep_idempotency_ms AS "idempotencyMs",
         keep_changes_ms AS "changesMs", keep_runs_ms AS "runsMs", created_at AS "createdAt"
  FROM workspaces WHERE deleted_at IS NULL`;

const LIMIT_COLUMNS = {
  eventsPerDay: 'events_per_day',
  bytesPerDay: 'bytes_per_day',
  webhooks: 'max_webhooks',
  subscriptions: 'max_subscriptions',
  eventTypes: 'max_event_types',
} as const satisfies Record<keyof WorkspaceLimits, string>;

const RETENTION_COLUMNS = {
  eventsMs: 'keep_events_ms',
  deliveriesMs: 'keep_deliveries_ms',
  idempotencyMs: 'keep_idempotency_ms',
  changesMs: 'keep_changes_ms',
  runsMs: 'keep_runs_ms',
} as const satisfies Record<keyof WorkspaceRetention, string>;

function workspaceOf({ workspace, token, name, createdAt, ...spans }: WorkspaceRow): Workspace {
  const { eventsMs, deliveriesMs, idempotencyMs, changesMs, runsMs, ...limits } = spans;
  const retention = { eventsMs, deliveriesMs, idempotencyMs, changesMs, runsMs };
  return { workspace, token, name, limits, retention, createdAt };
}

/** The verbs about workspaces. */
export function makeWorkspaceVerbs(sql: Sql, catalogs: Catalogs, listeners: Listeners): WorkspaceVerbs {
  return {
    workspaces: async () => (await sql.read<WorkspaceRow>(`${WORKSPACE} ORDER BY workspace`)).map(workspaceOf),
    workspace: async (by) => {
      const [[column, value]] = Object.entries(by) as [[string, string | number]];
      const [row] = await sql.read<WorkspaceRow>(`${WORKSPACE} AND ${column} = $1`, [value]);
      return row ? workspaceOf(row) : null;
    },
    createWorkspace: (name, limits, now) => sql.write((tx) => createWorkspace(sql, tx, { name, limits, now })),
    changeWorkspace: (workspace, patch) => sql.write((tx) => changeWorkspace(tx, workspace, patch)),
    deleteWorkspace: async (workspace, now) => {
      const webhooks = await sql.write((tx) => deleteWorkspace(tx, workspace, now));
      catalogs.forget(workspace);
      for (const webhook of webhooks) listeners.tellWebhook(workspace, webhook);
    },
  };
}

async function createWorkspace(
  sql: Sql,
  tx: Tx,
  { name, limits, now }: { name: string; limits: WorkspaceLimits; now: number },
): Promise<Workspace> {
  const workspace = await nextWorkspace(sql, tx);
  await refuseTakenName(tx, name);
  const token = makeToken(randomBytes(10));
  await tx.run(
    `INSERT INTO workspaces (workspace, token, name, head, catalog, events_per_day, bytes_per_day, max_webhooks,
       max_subscriptions, max_event_types, day, day_events, day_bytes, deleted_at, created_at)
     VALUES ($1, $2, $3, 0, 1, $4, $5, $6, $7, $8, 0, 0, 0, NULL, $9)`,
    [workspace, token, name, ...valuesOf(limits), now],
  );
  const retention = { eventsMs: null, deliveriesMs: null, idempotencyMs: null, changesMs: null, runsMs: null };
  return { workspace, token, name, limits, retention, createdAt: now };
}

function valuesOf({ eventsPerDay, bytesPerDay, webhooks, subscriptions, eventTypes }: WorkspaceLimits): Value[] {
  return [eventsPerDay, bytesPerDay, webhooks, subscriptions, eventTypes];
}

// The counter is held until the commit. No number is given twice: a node may still know a deleted workspace by it.
async function nextWorkspace(sql: Sql, tx: Tx): Promise<number> {
  const [row] = await tx.all<{ last: number }>(
    `SELECT CAST(value AS BIGINT) AS last FROM installation WHERE name = 'workspaces'${sql.dialect.forUpdate}`,
  );
  const next = row!.last + 1;
  await tx.run(`UPDATE installation SET value = $1 WHERE name = 'workspaces'`, [String(next)]);
  return next;
}

async function refuseTakenName(tx: Tx, name: string): Promise<void> {
  const taken = await tx.all('SELECT 1 AS one FROM workspaces WHERE name = $1', [name]);
  if (taken.length > 0) throw new StoreRefusal('name-taken', `there is already a workspace named ${name}`);
}

async function changeWorkspace(tx: Tx, workspace: number, { limits, retention }: WorkspacePatch): Promise<Workspace> {
  const names: Record<string, string> = { ...LIMIT_COLUMNS, ...RETENTION_COLUMNS };
  const changed = Object.entries({ ...limits, ...retention }).filter(([, value]) => value !== undefined);
  if (changed.length > 0) {
    const set = changed.map(([name], i) => `${names[name]} = $${i + 2}`).join(', ');
    await tx.run(`UPDATE workspaces SET ${set} WHERE workspace = $1`, [
      workspace,
      ...changed.map(([, value]) => value),
    ]);
  }
  const [row] = await tx.all<WorkspaceRow>(`${WORKSPACE} AND workspace = $1`, [workspace]);
  if (!row) throw new StoreRefusal('not-found', 'there is no such workspace');
  return workspaceOf(row);
}

// The row stays as a mark until retention has taken the log away; its name is free again at once. Resolves the numbers
// of the webhooks that went with it.
async function deleteWorkspace(tx: Tx, workspace: number, now: number): Promise<number[]> {
  const changed = await tx.run(
    `UPDATE workspaces SET deleted_at = $2, name = name || ' (deleted ' || token || ')', catalog = catalog + 1
     WHERE workspace = $1 AND deleted_at IS NULL`,
    [workspace, now],
  );
  if (changed === 0) throw new StoreRefusal('not-found', 'there is no such workspace');
  const webhooks = await tx.all<{ webhook: number }>('SELECT webhook FROM webhooks WHERE workspace = $1', [workspace]);
  await buryToken(tx, { workspace });
  const settings = [
    'subscriptions',
    'webhooks',
    'webhook_changes',
    'event_types',
    'idempotency_keys',
    'operations',
    'erasures',
    'groups',
    'post_processings',
    'flow_reports',
    'flows',
    'flow_drafts',
    'flow_secrets',
    'former_secrets',
    'schedules',
    'policy_known',
  ];
  for (const table of settings) await tx.run(`DELETE FROM ${table} WHERE workspace = $1`, [workspace]);
  await removeSheets(tx, workspace);
  return webhooks.map(({ webhook }) => webhook);
}

/** The verbs about services and event types. */
export function makeCatalogVerbs(sql: Sql, catalogs: Catalogs): CatalogVerbs {
  const changing = async <T>(work: (tx: Tx) => Promise<T>, workspace = 0): Promise<T> => {
    const result = await sql.write(work);
    catalogs.forget(workspace);
    return result;
  };
  return {
    services: () => sql.read<Service>(`${SERVICE} ORDER BY service`),
    putService: (service, description, now) => changing((tx) => putService(tx, { service, description, now })),
    deleteService: (service) => changing((tx) => deleteService(tx, service)),
    putType: (type, now) => changing((tx) => putType(tx, type, now), type.workspace),
    deleteType: (workspace, type) => changing((tx) => deleteType(tx, workspace, type), workspace),
  };
}

const SERVICE = 'SELECT service, description, created_at AS "createdAt" FROM services';

async function putService(
  tx: Tx,
  { service, description, now }: { service: string; description: string; now: number },
): Promise<Service> {
  await tx.run(
    `INSERT INTO services (service, description, created_at) VALUES ($1, $2, $3)
     ON CONFLICT (service) DO UPDATE SET description = excluded.description`,
    [service, description, now],
  );
  const [row] = await tx.all<Service>(`${SERVICE} WHERE service = $1`, [service]);
  return row!;
}

async function deleteService(tx: Tx, service: string): Promise<void> {
  const types = await tx.all('SELECT type FROM event_types WHERE service = $1 LIMIT 1', [service]);
  if (types.length > 0) throw new StoreRefusal('in-use', `the service ${service} still has event types`);
  const deleted = await tx.run('DELETE FROM services WHERE service = $1', [service]);
  if (deleted === 0) throw new StoreRefusal('not-found', `there is no service ${service}`);
}

async function putType(tx: Tx, setting: EventTypeSetting, now: number): Promise<EventType> {
  const { workspace, type, service, description, schema, schemaCheck, example, deprecation } = setting;
  // First, for it holds the workspace's row: the workspace cannot be deleted meanwhile.
  await moveCatalog(tx, workspace);
  if (service !== null) {
    const known = await tx.all('SELECT 1 AS one FROM services WHERE service = $1', [service]);
    if (known.length === 0) throw new StoreRefusal('not-found', `there is no service ${service}`);
  }
  const other = await tx.all(
    `SELECT 1 AS one FROM event_types WHERE type = $1 AND (workspace = 0) <> ($2 = 0) AND workspace IN (0, $2)`,
    [type, workspace],
  );
  if (other.length > 0) throw new StoreRefusal('exists', `the installation's catalog already has a type ${type}`);
  if (workspace !== 0) await refuseOneTypeTooMany(tx, workspace, type);
  const hash = schema === null ? null : createHash('sha256').update(schema).digest('hex');
  await tx.run(
    `INSERT INTO event_types (workspace, type, service, description, schema, schema_hash, schema_check, example,
       deprecation, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     ON CONFLICT (workspace, type) DO UPDATE SET service = excluded.service, description = excluded.description,
       schema = excluded.schema, schema_hash = excluded.schema_hash, schema_check = excluded.schema_check,
       example = excluded.example, deprecation = excluded.deprecation, updated_at = excluded.updated_at`,
    [workspace, type, service, description, schema, hash, schemaCheck, example, deprecation, now, now],
  );
  const [row] = await tx.all<EventType>(`${EVENT_TYPE} WHERE workspace = $1 AND type = $2`, [workspace, type]);
  return row!;
}

async function refuseOneTypeTooMany(tx: Tx, workspace: number, type: string): Promise<void> {
  const known = await tx.all('SELECT 1 AS one FROM event_types WHERE workspace = $1 AND type = $2', [workspace, type]);
  if (known.length > 0) return;
  const [row] = await tx.all<{ max: number | null }>(
    'SELECT max_event_types AS max FROM workspaces WHERE workspace = $1',
    [workspace],
  );
  await refuseOverLimit(tx, { table: 'event_types', workspace, limit: row!.max });
}

async function deleteType(tx: Tx, workspace: number, type: string): Promise<void> {
  await moveCatalog(tx, workspace);
  const used = await tx.all(
    'SELECT 1 AS one FROM subscriptions WHERE type = $1 AND ($2 = 0 OR workspace = $2) LIMIT 1',
    [type, workspace],
  );
  if (used.length > 0) throw new StoreRefusal('in-use', `subscriptions still name the type ${type}`);
  const deleted = await tx.run('DELETE FROM event_types WHERE workspace = $1 AND type = $2', [workspace, type]);
  if (deleted === 0) throw new StoreRefusal('not-found', `there is no event type ${type}`);
}

async function moveCatalog(tx: Tx, workspace: number): Promise<void> {
  if (workspace === 0) await moveInstallationCatalog(tx);
  else await moveWorkspaceCatalog(tx, workspace);
}
