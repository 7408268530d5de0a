// Secrets of flows: by name, sealed with the keys of the installation. They are opened for the flow engine alone.
import type { Flows } from './contract.ts';
import { StoreRefusal } from '../contract.ts';
import type { Keyring } from '../keyring.ts';
import type { Listeners } from '../listeners.ts';
import type { Sql } from '../sql.ts';

type SecretVerbs = Pick<Flows, 'putSecret' | 'secretNames' | 'deleteSecret' | 'secrets'>;

/** What a sealed value is bound to. */
export function contextOfSecret({ workspace, name }: { workspace: number; name: string }): string {
  return `flow secret ${workspace} ${name}`;
}

/** What the verbs stand on. */
export interface SecretParts {
  sql: Sql;
  keyring: Keyring;
  listeners: Listeners;
}

/** The verbs about secrets. */
export function makeSecretVerbs({ sql, keyring, listeners }: SecretParts): SecretVerbs {
  return {
    putSecret: async ({ workspace, name, value }, now) => {
      const sealed = keyring.seal(value, contextOfSecret({ workspace, name }));
      await sql.write(async (tx) => {
        const living = `SELECT 1 AS one FROM workspaces WHERE workspace = $1 AND deleted_at IS NULL`;
        const found = await tx.all(`${living}${sql.dialect.forUpdate}`, [workspace]);
        if (found.length === 0) throw new StoreRefusal('not-found', 'there is no such workspace');
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
    deleteSecret: async (workspace, name) => {
      const where = 'workspace = $1 AND name = $2';
      const deleted = await sql.write((tx) => tx.run(`DELETE FROM flow_secrets WHERE ${where}`, [workspace, name]));
      if (deleted === 0) throw new StoreRefusal('not-found', `there is no secret named ${name}`);
      listeners.tell('flowSecrets', workspace);
    },
    secrets: async (workspace, names) => {
      if (names.length === 0) return {};
      const rows = await sql.read<{ name: string; value: string }>(
        'SELECT name, value FROM flow_secrets WHERE workspace = $1',
        [workspace],
      );
      const wanted = new Set(names);
      const open = rows.filter(({ name }) => wanted.has(name));
      return Object.fromEntries(
        open.map(({ name, value }) => [name, keyring.open(value, contextOfSecret({ workspace, name }))]),
      );
    },
  };
}
