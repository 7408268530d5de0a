// Keeping what starts no run: refused, unreadable, a challenge. What comes at once shares a transaction, which is not synced.
import { allNamed } from '../flows/rows.ts';
import { GroupCommit } from '../group-commit.ts';
import type { Sql } from '../sql.ts';
import type { Hooks, KeptRequest } from './contract.ts';
import { GROUP, requestRow, weightOf, type Kept } from './rows.ts';
import type { Trimmer } from './trimming.ts';

/** Makes the `keep` verb. */
export function makeKeeper({ sql, trimmer }: { sql: Sql; trimmer: Trimmer }): Pick<Hooks, 'keep'> {
  const commits = new GroupCommit<KeptRequest, number | null>({
    commit: async (requests) => {
      const { numbers, kept } = await commit(sql, requests);
      trimmer.count(kept);
      return numbers;
    },
    weigh: ({ request }) => weightOf(request),
    most: GROUP,
    blamesItem: (error) => sql.blamesRow(error),
  });
  return { keep: async (request) => ({ request: await commits.submit(request) }) };
}

interface Written {
  numbers: (number | null)[];
  kept: Kept[];
}

function commit(sql: Sql, requests: readonly KeptRequest[]): Promise<Written> {
  return sql.write(
    async (tx) => {
      const given = new Map<KeptRequest, Kept>();
      const groups = [...Map.groupBy(requests, ({ workspace }) => workspace)].sort(([a], [b]) => a - b);
      for (const [workspace, own] of groups) {
        const [held] = await tx.all<{ head: number }>(
          `SELECT head FROM workspaces WHERE workspace = $1 AND deleted_at IS NULL${sql.dialect.forUpdate}`,
          [workspace],
        );
        if (!held) continue;
        const named = { workspace, numbers: own.map(({ flow }) => flow) };
        const flows = await allNamed<{ flow: number }>(
          tx,
          named,
          (marks) => `SELECT flow FROM flows WHERE workspace = $1 AND flow IN (${marks})`,
        );
        const living = new Set(flows.map(({ flow }) => flow));
        let { head } = held;
        for (const one of own) if (living.has(one.flow)) given.set(one, keptOf(one, ++head));
        if (head > held.head) tx.atCommit('UPDATE workspaces SET head = $1 WHERE workspace = $2', [head, workspace]);
      }
      const kept = [...given.values()];
      await tx.insertNew('hook_requests', kept.map(requestRow));
      return { numbers: requests.map((one) => given.get(one)?.request ?? null), kept };
    },
    { synced: false },
  );
}

function keptOf({ workspace, flow, request: content, state, reason, status, now }: KeptRequest, request: number): Kept {
  return { workspace, request, flow, run: null, state, reason, status, dedupe: null, receivedAt: now, content };
}
