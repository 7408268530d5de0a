// Definitions: what flows there are, by kind and name, with their versions and what starts them.
import { moveWorkspaceCatalog, type Catalogs } from '../catalogs.ts';
import { StoreRefusal } from '../contract.ts';
import { GroupCommit } from '../group-commit.ts';
import type { Keyring } from '../keyring.ts';
import type { Listeners } from '../listeners.ts';
import type { Sql, Tx, Value } from '../sql.ts';
import { bucketOf, nextNumber } from '../webhooks.ts';
import type { Flows, FlowSetting, FlowVersion, PutFlow, StoredFlow } from './contract.ts';
import { publishDraft } from './drafts.ts';
import { removeEventTarget, setEventTarget } from './event-targets.ts';
import { dropVersions } from './pruning.ts';
import { giveSlots } from './slots.ts';
import { buryToken, renewTrigger } from './triggers.ts';

type DefinitionVerbs = Pick<Flows, 'put' | 'list' | 'one' | 'version' | 'remove' | 'byTrigger' | 'renewTrigger'>;

/** What these verbs stand on. */
export interface DefinitionParts {
  sql: Sql;
  keyring: Keyring;
  catalogs: Catalogs;
  listeners: Listeners;
}

/** The verbs about definitions. */
export function makeDefinitionVerbs(parts: DefinitionParts): DefinitionVerbs {
  const { sql, catalogs, listeners } = parts;
  const puts = makePuts(parts);
  return {
    put: (setting, now) => put(parts, puts, { setting, now }),
    list: async (workspace, kind) => {
      const where = kind === undefined ? '' : ' AND f.kind = $2';
      const values = kind === undefined ? [workspace] : [workspace, kind];
      const rows = await sql.scan<FlowRow>(`${FLOW} WHERE f.workspace = $1${where} ORDER BY f.name, f.kind`, values);
      const after = await readAfter(sql, workspace);
      return rows.map((row) => flowOf(row, after));
    },
    one: async (workspace, by) => {
      const [row] =
        'flow' in by
          ? await sql.read<FlowRow>(`${FLOW} ${ONE}`, [workspace, by.flow])
          : await sql.read<FlowRow>(`${FLOW} ${NAMED}`, [workspace, by.kind, by.name]);
      return row ? flowOf(row, await readAfter(sql, workspace, row.flow)) : null;
    },
    version: async (workspace, flow, version) => {
      const [row] = await sql.read<FlowVersion>(
        `SELECT version, definition, source, created_at AS "createdAt" FROM flow_versions
         WHERE workspace = $1 AND flow = $2 AND version = $3`,
        [workspace, flow, version],
      );
      return row ?? null;
    },
    remove: async (workspace, flow, now) => {
      const target = await sql.write((tx) => remove(sql, tx, { workspace, flow, now }));
      catalogs.forget(workspace);
      listeners.tell('flow', workspace, flow);
      if (target) listeners.tellWebhook(workspace, flow);
    },
    byTrigger: async (path) => {
      const found = await byPath(sql, path);
      return found?.tokenHash ? { flow: found.flow, tokenHash: found.tokenHash } : null;
    },
    renewTrigger: async (workspace, flow, trigger) => {
      await sql.write((tx) => renewTrigger(tx, { workspace, flow, trigger }));
      listeners.tell('flow', workspace, flow);
    },
  };
}

/** Finds a flow by the path of its HTTP trigger, whatever opens that. */
export function makeFlowFinder(sql: Sql): (path: string) => Promise<StoredFlow | null> {
  return async (path) => (await byPath(sql, path))?.flow ?? null;
}

async function byPath(sql: Sql, path: string): Promise<{ flow: StoredFlow; tokenHash: string | null } | null> {
  const [row] = await sql.read<FlowRow>(`${FLOW} WHERE f.trigger_path = $1`, [path]);
  if (!row) return null;
  return { flow: flowOf(row, await readAfter(sql, row.workspace, row.flow)), tokenHash: row.triggerHash };
}

/* ── Rows ───────────────────────────────────────────────────────────────────────────────────────────────────── */

interface FlowRow extends Omit<StoredFlow, 'enabled' | 'after' | 'concurrency'> {
  enabled: number;
  most: number;
  beyond: StoredFlow['concurrency']['then'];
  triggerHash: string | null;
}

const FLOW = `
  SELECT f.workspace, f.flow, f.bucket, f.kind, f.name, g.name AS "group", f.enabled, f.version, f.most_runs AS most,
         f.beyond, f.trigger_path AS "triggerPath", f.trigger_hash AS "triggerHash", v.definition, v.source,
         f.created_at AS "createdAt", f.updated_at AS "updatedAt"
  FROM flows f JOIN flow_versions v ON v.workspace = f.workspace AND v.flow = f.flow AND v.version = f.version
  LEFT JOIN groups g ON g.workspace = f.workspace AND g.number = f.group_number`;
const ONE = 'WHERE f.workspace = $1 AND f.flow = $2';
const NAMED = 'WHERE f.workspace = $1 AND f.kind = $2 AND f.name = $3';

type After = ReadonlyMap<number, StoredFlow['after']>;

const NOBODY: StoredFlow['after'] = { completed: [], failed: [] };

// The post-processings of one flow, or of all.
async function readAfter(read: Pick<Sql, 'read'>, workspace: number, flow?: number): Promise<After> {
  const rows = await read.read<{ flow: number; on: 'completed' | 'failed'; name: string }>(
    `SELECT r.flow, r.on_status AS "on", p.name FROM flow_reports r
     JOIN post_processings p ON p.workspace = r.workspace AND p.target = r.target
     WHERE r.workspace = $1${flow === undefined ? '' : ' AND r.flow = $2'} ORDER BY p.name`,
    flow === undefined ? [workspace] : [workspace, flow],
  );
  const after = new Map<number, { completed: string[]; failed: string[] }>();
  for (const { flow, on, name } of rows) {
    const lists = after.get(flow) ?? { completed: [], failed: [] };
    lists[on].push(name);
    after.set(flow, lists);
  }
  return after;
}

function flowOf({ enabled, most, beyond, triggerHash: _hash, ...row }: FlowRow, after: After): StoredFlow {
  const concurrency = { max: most, then: beyond };
  return { ...row, enabled: enabled === 1, concurrency, after: after.get(row.flow) ?? NOBODY };
}

/* ── Making and changing ────────────────────────────────────────────────────────────────────────────────────── */

/** Flows that one transaction keeps, for it holds their workspaces: whoever publishes there waits. */
const GROUP = 50;

interface PutWish {
  setting: FlowSetting;
  now: number;
}

interface Put {
  flow: number;
  change: PutFlow['change'];
  triggerIsNew: boolean;
  /** Lanes in which runs may begin now, for there are more slots. */
  lanes: number[];
  /** It has event triggers, or had some. */
  hasTarget: boolean;
}

type Puts = GroupCommit<PutWish, Put>;

/** A push asks for many at once: they share transactions, and one that is refused is refused alone. */
function makePuts(parts: DefinitionParts): Puts {
  const { sql } = parts;
  return new GroupCommit<PutWish, Put>({
    commit: (wishes) => sql.write((tx) => putAll(parts, tx, wishes)),
    weigh: () => 1,
    most: GROUP,
    blamesItem: (error) => error instanceof StoreRefusal || sql.blamesRow(error),
  });
}

async function put(parts: DefinitionParts, puts: Puts, wish: PutWish): Promise<PutFlow> {
  const { sql, catalogs, listeners } = parts;
  const { workspace, kind, name, definition, after } = wish.setting;
  const [present] = await sql.read<FlowRow>(`${FLOW} ${NAMED}`, [workspace, kind, name]);
  if (present?.definition === definition && wish.setting.base === undefined) {
    const flow = flowOf(present, await readAfter(sql, workspace, present.flow));
    return { flow, change: 'same', triggerIsNew: false };
  }
  const { flow, change, triggerIsNew, lanes, hasTarget } = await puts.submit(wish);
  if (change !== 'same') {
    catalogs.forget(workspace);
    listeners.tell('flow', workspace, flow);
    if (hasTarget) listeners.tellWebhook(workspace, flow);
    listeners.tellRuns(lanes);
  }
  const [row] = await sql.read<FlowRow>(`${FLOW} ${ONE}`, [workspace, flow]);
  if (!row) throw new StoreRefusal('changed-meanwhile', 'the flow was deleted meanwhile');
  const tellsNobody = after.completed.length + after.failed.length === 0;
  const told: After = tellsNobody ? new Map() : await readAfter(sql, workspace, flow);
  return { flow: flowOf(row, told), change, triggerIsNew };
}

// Workspaces are held in the order of their numbers, as everywhere: two groups cannot wait for each other.
async function putAll(parts: DefinitionParts, tx: Tx, wishes: readonly PutWish[]): Promise<Put[]> {
  const made = new Map<PutWish, Put>();
  for (const wish of wishes.toSorted((a, b) => a.setting.workspace - b.setting.workspace)) {
    made.set(wish, await putOne(parts, tx, wish));
  }
  return wishes.map((wish) => made.get(wish)!);
}

async function putOne({ sql, keyring }: DefinitionParts, tx: Tx, { setting, now }: PutWish): Promise<Put> {
  const { workspace, kind, name, definition, trigger } = setting;
  const { head } = await nextNumber(sql, tx, workspace);
  const [before] = await tx.all<FlowRow>(`${FLOW} ${NAMED}`, [workspace, kind, name]);
  const flow = before?.flow ?? head;
  if (setting.base !== undefined) await publishDraft(tx, setting, before?.version ?? 0);
  const triggerIsNew = trigger !== null && (before?.triggerPath ?? null) === null;
  if (before?.definition === definition) {
    return { flow, change: 'same', triggerIsNew: false, lanes: [], hasTarget: false };
  }
  const version = (before?.version ?? 0) + 1;
  const kept = before ? { path: before.triggerPath, tokenHash: before.triggerHash } : { path: null, tokenHash: null };
  const columns: Record<string, Value> = {
    group_number: await groupNumber(tx, workspace, setting.group),
    enabled: setting.enabled ? 1 : 0,
    version,
    most_runs: setting.concurrency.max,
    beyond: setting.concurrency.then,
    trigger_path: trigger === null ? null : (kept.path ?? trigger.path),
    trigger_hash: trigger === null ? null : (kept.tokenHash ?? trigger.tokenHash),
    updated_at: now,
  };
  const bucket = bucketOf(workspace, flow);
  if (before) {
    const set = Object.keys(columns).map((column, i) => `${column} = $${i + 3}`);
    await tx.run(`UPDATE flows SET ${set.join(', ')} WHERE workspace = $1 AND flow = $2`, [
      workspace,
      flow,
      ...Object.values(columns),
    ]);
  } else {
    const all: Record<string, Value> = { workspace, flow, bucket, kind, name, ...columns, created_at: now };
    const marks = Object.keys(all).map((_, i) => `$${i + 1}`);
    await tx.run(`INSERT INTO flows (${Object.keys(all).join(', ')}) VALUES (${marks.join(', ')})`, Object.values(all));
  }
  const key = { workspace, flow };
  await tx.run(
    `INSERT INTO flow_versions (workspace, flow, version, definition, source, created_at)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [workspace, flow, version, definition, setting.source, now],
  );
  if (before) await dropVersions(tx, key);
  await setReports(tx, key, setting.after);
  await setSchedules(tx, { ...key, bucket }, setting.schedules);
  const hasTarget = await setEventTarget({ sql, tx, keyring }, { ...key, bucket, setting, now });
  const lanes = before ? await giveSlots(tx, { ...key, now }) : [];
  return { flow, change: before ? 'changed' : 'created', triggerIsNew, lanes, hasTarget };
}

async function groupNumber(tx: Tx, workspace: number, group: string | null): Promise<number | null> {
  if (group === null) return null;
  const [row] = await tx.all<{ number: number }>('SELECT number FROM groups WHERE workspace = $1 AND name = $2', [
    workspace,
    group,
  ]);
  if (!row) throw new StoreRefusal('not-found', `there is no group named ${group}`);
  return row.number;
}

async function setReports(
  tx: Tx,
  { workspace, flow }: { workspace: number; flow: number },
  after: FlowSetting['after'],
): Promise<void> {
  await tx.run('DELETE FROM flow_reports WHERE workspace = $1 AND flow = $2', [workspace, flow]);
  const missing = new Set<string>();
  for (const on of ['completed', 'failed'] as const) {
    for (const name of new Set(after[on])) {
      const made = await tx.run(
        `INSERT INTO flow_reports (workspace, flow, target, on_status)
         SELECT workspace, $2, target, $3 FROM post_processings WHERE workspace = $1 AND name = $4`,
        [workspace, flow, on, name],
      );
      if (made === 0) missing.add(name);
    }
  }
  if (missing.size === 0) return;
  const names = [...missing].join(', ');
  throw new StoreRefusal('not-found', `there is no post-processing named ${names}`);
}

// Those of a flow that is not enabled stay: they are passed over, and it goes on with the next when it is.
async function setSchedules(
  tx: Tx,
  { workspace, flow, bucket }: { workspace: number; flow: number; bucket: number },
  schedules: FlowSetting['schedules'],
): Promise<void> {
  await tx.run('DELETE FROM schedules WHERE workspace = $1 AND flow = $2', [workspace, flow]);
  await tx.insert(
    'schedules',
    schedules.map((nextAt, schedule) => [workspace, flow, schedule, bucket, nextAt]),
  );
}

/* ── Removing ───────────────────────────────────────────────────────────────────────────────────────────────── */

// Runs, their versions and what was found stay as long as retention says; requests to a hook go soon. True when it had an event target.
async function remove(
  sql: Sql,
  tx: Tx,
  { workspace, flow, now }: { workspace: number; flow: number; now: number },
): Promise<boolean> {
  await nextNumber(sql, tx, workspace);
  const of = [workspace, flow];
  const where = 'workspace = $1 AND flow = $2';
  const open = await tx.all(`SELECT run FROM runs WHERE ${where} AND finished_at IS NULL`, of);
  if (open.length > 0) {
    const runs = open.length === 1 ? 'a run of it is' : `${open.length} runs of it are`;
    throw new StoreRefusal('in-use', `${runs} under way: abort first what is not to go on`);
  }
  await buryToken(tx, { workspace, flow });
  await tx.run(
    `DELETE FROM flow_drafts WHERE workspace = $1 AND name =
       (SELECT name FROM flows WHERE ${where} AND kind = 'scenario')`,
    of,
  );
  const deleted = await tx.run(`DELETE FROM flows WHERE ${where}`, of);
  if (deleted === 0) throw new StoreRefusal('not-found', 'there is no such flow');
  for (const table of ['flow_reports', 'schedules', 'policy_known'])
    await tx.run(`DELETE FROM ${table} WHERE ${where}`, of);
  const hadTarget = await removeEventTarget(tx, { workspace, flow, now });
  await moveWorkspaceCatalog(tx, workspace);
  return hadTarget;
}
