// API keys (only their hashes) and the first answers to requests that carry an `Idempotency-Key`.
import {
  StoreRefusal,
  type ApiKey,
  type IdempotencyClaim,
  type IdempotencyKey,
  type KeyScope,
  type Settings,
} from './contract.ts';
import type { Sql } from './sql.ts';

type KeyVerbs = Pick<Settings, 'createKey' | 'keys' | 'deleteKey' | 'findKey'>;
type IdempotencyVerbs = Pick<Settings, 'claim' | 'fulfil'>;

interface KeyRow {
  key: string;
  name: string;
  scopes: string;
  workspaces: string | null;
  service: string | null;
  createdAt: number;
}

const KEY = 'SELECT key, name, scopes, workspaces, service, created_at AS "createdAt" FROM api_keys';

function keyOf({ scopes, workspaces, ...row }: KeyRow): ApiKey {
  return {
    ...row,
    scopes: JSON.parse(scopes) as KeyScope[],
    workspaces: workspaces === null ? null : (JSON.parse(workspaces) as number[]),
  };
}

/** The verbs about API keys. */
export function makeKeyVerbs(sql: Sql): KeyVerbs {
  return {
    createKey: async ({ key, name, scopes, workspaces, service, createdAt }, hash) => {
      await sql.write((tx) =>
        tx.run(
          `INSERT INTO api_keys (key, hash, name, scopes, workspaces, service, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)`,
          [key, hash, name, JSON.stringify(scopes), workspaces && JSON.stringify(workspaces), service, createdAt],
        ),
      );
    },
    keys: async () => (await sql.read<KeyRow>(`${KEY} ORDER BY created_at, key`)).map(keyOf),
    deleteKey: async (key) => {
      const deleted = await sql.write((tx) => tx.run('DELETE FROM api_keys WHERE key = $1', [key]));
      if (deleted === 0) throw new StoreRefusal('not-found', 'there is no such key');
    },
    findKey: async (hash) => {
      const [row] = await sql.read<KeyRow>(`${KEY} WHERE hash = $1`, [hash]);
      return row ? keyOf(row) : null;
    },
  };
}

/**
 * A claim whose request never ended (the process died) is given up after this long: more than twice the longest request,
 * a retry by hand of 120 s, for what is given up too early is done twice.
 */
const CLAIM_EXPIRES_MS = 300_000;

/** The verbs about idempotency. */
export function makeIdempotencyVerbs(sql: Sql): IdempotencyVerbs {
  const where = 'workspace = $1 AND owner = $2 AND key = $3';
  return {
    claim: (key, now) =>
      sql.write(async (tx): Promise<IdempotencyClaim> => {
        const id = [key.workspace, key.owner, key.key];
        await tx.run(`DELETE FROM idempotency_keys WHERE ${where} AND status IS NULL AND claimed_at < $4`, [
          ...id,
          now - CLAIM_EXPIRES_MS,
        ]);
        const made = await tx.run(
          `INSERT INTO idempotency_keys (workspace, owner, key, body_hash, status, answer, claimed_at)
           VALUES ($1, $2, $3, $4, NULL, NULL, $5) ON CONFLICT DO NOTHING`,
          [...id, key.bodyHash, now],
        );
        if (made === 1) return { kind: 'claimed' };
        const [row] = await tx.all<{ bodyHash: string; status: number | null; answer: string | null }>(
          `SELECT body_hash AS "bodyHash", status, answer FROM idempotency_keys WHERE ${where}`,
          id,
        );
        return answerOf(row, key);
      }),
    fulfil: async (key, answer) => {
      const id = [key.workspace, key.owner, key.key];
      // A claim may have been given up and made again meanwhile: what is answered stays answered.
      const running = `${where} AND status IS NULL`;
      await sql.write((tx) =>
        answer === null
          ? tx.run(`DELETE FROM idempotency_keys WHERE ${running}`, id)
          : tx.run(`UPDATE idempotency_keys SET status = $4, answer = $5 WHERE ${running}`, [
              ...id,
              answer.status,
              answer.body,
            ]),
      );
    },
  };
}

function answerOf(
  row: { bodyHash: string; status: number | null; answer: string | null } | undefined,
  { bodyHash }: IdempotencyKey,
): IdempotencyClaim {
  if (!row) return { kind: 'running' };
  if (row.bodyHash !== bodyHash) return { kind: 'other-body' };
  if (row.status === null) return { kind: 'running' };
  return { kind: 'answered', status: row.status, body: row.answer ?? '' };
}
