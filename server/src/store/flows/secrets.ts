// Secrets of flows: by name, sealed with the keys of the installation. They are opened for the flow engine, and for what
// keeps them out of sight: for that, what a secret was before is kept sealed as long as requests that may say it.
import type { Flows } from './contract.ts';
import { StoreRefusal } from '../contract.ts';
import type { Keyring } from '../keyring.ts';
import type { Listeners } from '../listeners.ts';
import type { Sql, Tx } from '../sql.ts';

type SecretVerbs = Pick<
  Flows,
  'putSecret' | 'secretNames' | 'deleteSecret' | 'secrets' | 'formerSecrets' | 'everySecret'
>;

/** What a sealed value is bound to. */
export function contextOfSecret({ workspace, name }: { workspace: number; name: string }): string {
  return `flow secret ${workspace} ${name}`;
}

interface NamedValue {
  name: string;
  value: string;
}

/** What the verbs stand on. */
export interface SecretParts {
  sql: Sql;
  keyring: Keyring;
  listeners: Listeners;
}

/** Values of one secret that are kept when it is changed often: those of the last changes. */
const MOST_FORMER = 20;

/** Keeps the value that a secret has, for it is about to be another one or none. */
async function keepFormer(tx: Tx, { workspace, name, now }: { workspace: number; name: string; now: number }) {
  const of = [workspace, name];
  await tx.run(
    `INSERT INTO former_secrets (workspace, name, ended_at, value)
     SELECT workspace, name, CAST($3 AS BIGINT), value FROM flow_secrets WHERE workspace = $1 AND name = $2`,
    [...of, now],
  );
  await tx.run(
    `DELETE FROM former_secrets WHERE workspace = $1 AND name = $2 AND ended_at < (
       SELECT MIN(ended_at) FROM (SELECT ended_at FROM former_secrets WHERE workspace = $1 AND name = $2
         ORDER BY ended_at DESC LIMIT ${MOST_FORMER}) AS kept)`,
    of,
  );
}

/** Takes away what no request that is kept can say; resolves how many. */
export async function pruneFormerSecrets(sql: Sql, { workspace, before }: { workspace: number; before: number }) {
  const where = 'workspace = $1 AND ended_at < $2';
  const of = [workspace, before];
  const old = await sql.read(`SELECT 1 AS one FROM former_secrets WHERE ${where} LIMIT 1`, of);
  if (old.length === 0) return 0;
  return sql.write((tx) => tx.run(`DELETE FROM former_secrets WHERE ${where}`, of), { synced: false });
}

/** The verbs about secrets. */
export function makeSecretVerbs({ sql, keyring, listeners }: SecretParts): SecretVerbs {
  const read = async (from: string, workspace: number, names?: readonly string[]): Promise<NamedValue[]> => {
    if (names?.length === 0) return [];
    const rows = await sql.read<NamedValue>(`SELECT name, value FROM ${from}`, [workspace]);
    const wanted = names && new Set(names);
    return rows
      .filter(({ name }) => wanted?.has(name) ?? true)
      .map(({ name, value }) => ({ name, value: keyring.open(value, contextOfSecret({ workspace, name })) }));
  };
  return {
    putSecret: async ({ workspace, name, value }, now) => {
      const sealed = keyring.seal(value, contextOfSecret({ workspace, name }));
      await sql.write(async (tx) => {
        const living = `SELECT 1 AS one FROM workspaces WHERE workspace = $1 AND deleted_at IS NULL`;
        const found = await tx.all(`${living}${sql.dialect.forUpdate}`, [workspace]);
        if (found.length === 0) throw new StoreRefusal('not-found', 'there is no such workspace');
        await keepFormer(tx, { workspace, name, now });
        await tx.run(
          `INSERT INTO flow_secrets (workspace, name, value, updated_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (workspace, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
          [workspace, name, sealed, now],
        );
      });
      listeners.tell('flowSecrets', workspace);
    },
    secretNames: (workspace) =>
      sql.read<{ name: string; updatedAt: number }>(
        'SELECT name, updated_at AS "updatedAt" FROM flow_secrets WHERE workspace = $1 ORDER BY name',
        [workspace],
      ),
    deleteSecret: async (workspace, name, now) => {
      const deleted = await sql.write(async (tx) => {
        await keepFormer(tx, { workspace, name, now });
        return tx.run('DELETE FROM flow_secrets WHERE workspace = $1 AND name = $2', [workspace, name]);
      });
      if (deleted === 0) throw new StoreRefusal('not-found', `there is no secret named ${name}`);
      listeners.tell('flowSecrets', workspace);
    },
    secrets: async (workspace, names) => {
      const open = await read('flow_secrets WHERE workspace = $1', workspace, names);
      return Object.fromEntries(open.map(({ name, value }) => [name, value]));
    },
    everySecret: async (workspace) => {
      // The present ones first: what is changed in between is then a former one.
      const present = await read('flow_secrets WHERE workspace = $1', workspace);
      const former = await read('former_secrets WHERE workspace = $1', workspace);
      return [...present, ...former].map(({ value }) => value);
    },
    formerSecrets: async (workspace, names) =>
      (await read('former_secrets WHERE workspace = $1 ORDER BY ended_at', workspace, names)).map(({ value }) => value),
  };
}
