// The end of a key's rotation: what was sealed with a former key is sealed again with the first, chunk by chunk.
//
// The canary comes last: as long as something is sealed with a former key, a start without that key is refused.
import { contextOfSecret } from './flows/secrets.ts';
import type { Keyring } from './keyring.ts';
import type { Sql } from './sql.ts';
import { contextOf } from './webhooks.ts';

/** Where something is sealed. */
interface Place {
  table: string;
  /** The column of its name within the workspace, and the one that is sealed. */
  name: string;
  sealed: string;
  contextOf(workspace: number, name: string | number): string;
}

/** All places where something is sealed, but for the canary. */
export const SEALED: readonly Place[] = [
  {
    table: 'webhooks',
    name: 'webhook',
    sealed: 'secrets',
    contextOf: (workspace, webhook) => contextOf({ workspace, webhook: Number(webhook) }),
  },
  {
    table: 'flow_secrets',
    name: 'name',
    sealed: 'value',
    contextOf: (workspace, name) => contextOfSecret({ workspace, name: String(name) }),
  },
  {
    table: 'former_secrets',
    name: 'name',
    sealed: 'value',
    contextOf: (workspace, name) => contextOfSecret({ workspace, name: String(name) }),
  },
];

/** The `reseal` verb: up to `limit` secrets. Resolves how many were moved; 0 when the rotation is complete. */
export async function reseal(sql: Sql, keyring: Keyring, limit: number): Promise<number> {
  for (const place of SEALED) {
    const moved = await resealSome(sql, keyring, { place, limit });
    if (moved > 0) return moved;
  }
  return resealCanary(sql, keyring);
}

interface Sealed {
  workspace: number;
  name: string | number;
  sealed: string;
}

async function resealSome(
  sql: Sql,
  keyring: Keyring,
  { place, limit }: { place: Place; limit: number },
): Promise<number> {
  const { table, name, sealed } = place;
  const { freshPrefix } = keyring;
  const stale = await sql.scan<Sealed>(
    `SELECT workspace, ${name} AS name, ${sealed} AS sealed FROM ${table} WHERE substr(${sealed}, 1, $1) <> $2 LIMIT $3`,
    [freshPrefix.length, freshPrefix, limit],
  );
  if (stale.length === 0) return 0;
  const fresh = stale.map((row) => {
    const context = place.contextOf(row.workspace, row.name);
    return { ...row, again: keyring.seal(keyring.open(row.sealed, context), context) };
  });
  await sql.write(async (tx) => {
    for (const row of fresh) {
      // Unless it was changed meanwhile, which seals it with the first key, too. A webhook's revision stays.
      const where = `workspace = $2 AND ${name} = $3 AND ${sealed} = $4`;
      const values = [row.again, row.workspace, row.name, row.sealed];
      await tx.run(`UPDATE ${table} SET ${sealed} = $1 WHERE ${where}`, values);
    }
  });
  return stale.length;
}

async function resealCanary(sql: Sql, keyring: Keyring): Promise<number> {
  const [row] = await sql.read<{ value: string }>(`SELECT value FROM installation WHERE name = 'canary'`);
  if (!row || !keyring.isStale(row.value)) return 0;
  return sql.write((tx) =>
    tx.run(`UPDATE installation SET value = $1 WHERE name = 'canary' AND value = $2`, [
      keyring.makeCanary(),
      row.value,
    ]),
  );
}
