// Drafts of scenarios, and the versions that scenarios had: what is changed is not active before it is published (R102).
import { StoreRefusal } from '../contract.ts';
import type { Sql, Tx } from '../sql.ts';
import type { Draft, DraftKey, Flows, FlowSetting, VersionHead } from './contract.ts';

type DraftVerbs = Pick<Flows, 'putDraft' | 'draft' | 'deleteDraft' | 'versions'>;

const DRAFT = `SELECT workspace, name, base, definition, source, created_at AS "createdAt", updated_at AS "updatedAt"
  FROM flow_drafts WHERE workspace = $1 AND name = $2`;

/** The verbs about drafts and versions. */
export function makeDraftVerbs(sql: Sql): DraftVerbs {
  return {
    putDraft: (draft, now) => sql.write((tx) => putDraft(sql, tx, { draft, now })),
    draft: async ({ workspace, name }) => (await sql.read<Draft>(DRAFT, [workspace, name]))[0] ?? null,
    deleteDraft: async ({ workspace, name }) => {
      const where = 'workspace = $1 AND name = $2';
      const deleted = await sql.write((tx) => tx.run(`DELETE FROM flow_drafts WHERE ${where}`, [workspace, name]));
      if (deleted === 0) throw new StoreRefusal('not-found', `there is no draft of ${name}`);
    },
    versions: (workspace, flow) =>
      sql.read<VersionHead>(
        `SELECT version, created_at AS "createdAt" FROM flow_versions WHERE workspace = $1 AND flow = $2
         ORDER BY version DESC`,
        [workspace, flow],
      ),
  };
}

// What it was begun from stays: whoever publishes it hears of what was published meanwhile.
async function putDraft(
  sql: Sql,
  tx: Tx,
  { draft, now }: { draft: DraftKey & Pick<Draft, 'definition' | 'source'>; now: number },
): Promise<Draft> {
  const { workspace, name, definition, source } = draft;
  const living = await tx.all(
    `SELECT workspace FROM workspaces WHERE workspace = $1 AND deleted_at IS NULL${sql.dialect.forUpdate}`,
    [workspace],
  );
  if (living.length === 0) throw new StoreRefusal('not-found', 'there is no such workspace');
  const [flow] = await tx.all<{ version: number }>(
    `SELECT version FROM flows WHERE workspace = $1 AND kind = 'scenario' AND name = $2`,
    [workspace, name],
  );
  await tx.run(
    `INSERT INTO flow_drafts (workspace, name, base, definition, source, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (workspace, name) DO UPDATE
     SET definition = excluded.definition, source = excluded.source, updated_at = excluded.updated_at`,
    [workspace, name, flow?.version ?? 0, definition, source, now],
  );
  const [kept] = await tx.all<Draft>(DRAFT, [workspace, name]);
  return { ...kept! };
}

/** Refuses `changed-meanwhile` unless the draft was begun from this version (0: there was none); then it goes. */
export async function publishDraft(
  tx: Tx,
  { workspace, name, definition, base = 0 }: Pick<FlowSetting, 'workspace' | 'name' | 'definition' | 'base'>,
  published: number,
): Promise<void> {
  if (base !== published) {
    const begun = base === 0 ? 'when there was no such scenario' : `from version ${base}`;
    const now = published === 0 ? 'it was deleted meanwhile' : `version ${published} is published by now`;
    throw new StoreRefusal('changed-meanwhile', `the draft was begun ${begun}, and ${now}`);
  }
  // One that was changed meanwhile is another draft, and stays.
  await tx.run('DELETE FROM flow_drafts WHERE workspace = $1 AND name = $2 AND definition = $3', [
    workspace,
    name,
    definition,
  ]);
}
