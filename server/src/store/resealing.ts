// The end of a key's rotation: what was sealed with a former key is sealed again with the first, chunk by chunk.
//
// The canary comes last: as long as something is sealed with a former key, a start without that key is refused.
import type { Keyring } from './keyring.ts';
import type { Sql } from './sql.ts';
import { contextOf } from './webhooks.ts';

interface Sealed {
  workspace: number;
  webhook: number;
  secrets: string;
}

/** The `reseal` verb: up to `limit` secrets. Resolves how many were moved; 0 when the rotation is complete. */
export async function reseal(sql: Sql, keyring: Keyring, limit: number): Promise<number> {
  const { freshPrefix } = keyring;
  const stale = await sql.scan<Sealed>(
    'SELECT workspace, webhook, secrets FROM webhooks WHERE substr(secrets, 1, $1) <> $2 LIMIT $3',
    [freshPrefix.length, freshPrefix, limit],
  );
  if (stale.length === 0) return resealCanary(sql, keyring);
  const fresh = stale.map((row) => {
    const context = contextOf(row);
    return { ...row, again: keyring.seal(keyring.open(row.secrets, context), context) };
  });
  await sql.write(async (tx) => {
    for (const { workspace, webhook, secrets, again } of fresh) {
      // Unless it was changed meanwhile, which seals it with the first key, too. The webhook's revision stays.
      await tx.run('UPDATE webhooks SET secrets = $1 WHERE workspace = $2 AND webhook = $3 AND secrets = $4', [
        again,
        workspace,
        webhook,
        secrets,
      ]);
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
