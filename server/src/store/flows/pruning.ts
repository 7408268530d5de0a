// Retention of runs: what ended long ago goes with its steps, lines, results and request, a little at a time; versions of flows go
// with the last run of them. What is known of a rule stays, however old the evaluation is that found it.
import { dropRequests } from '../hooks/pruning.ts';
import type { Sql, Tx } from '../sql.ts';
import { pruneFormerSecrets } from './secrets.ts';

/** What is to go. */
export interface OldRuns {
  workspace: number;
  /** Runs that ended before. */
  before: number;
  /** Runs at most, and about so many lines for each. */
  limit: number;
  /** The workspace was deleted: everything goes. */
  deleted: boolean;
}

/** Rows that go with one run at most, for each run that may go. */
const LINES_PER_RUN = 20;

interface OldRun {
  run: number;
  flow: number;
  lines: number;
  request: number | null;
}

/** Takes old runs away; resolves how many rows of them, or lines of the oldest, went. */
export async function pruneRuns(sql: Sql, { workspace, before, limit, deleted }: OldRuns): Promise<number> {
  const old = deleted
    ? await sql.scan<OldRun>('SELECT run, flow, lines, request FROM runs WHERE workspace = $1 ORDER BY run LIMIT $2', [
        workspace,
        limit,
      ])
    : await sql.scan<OldRun>(
        `SELECT run, flow, lines, request FROM runs r WHERE workspace = $1 AND finished_at < $2
           AND (SELECT 1 FROM policy_known k WHERE k.workspace = r.workspace AND k.run = r.run LIMIT 1) IS NULL
         ORDER BY run LIMIT $3`,
        [workspace, before, limit],
      );
  const [first] = old;
  if (!first) return pruneFormerSecrets(sql, { workspace, before });
  const room = limit * LINES_PER_RUN;
  if (first.lines > room) return trimLog(sql, { workspace, run: first.run, room });
  const some: OldRun[] = [];
  for (let lines = 0; some.length < old.length;) {
    const next = old[some.length]!;
    lines += next.lines;
    if (lines > room) break;
    some.push(next);
  }
  return sql.write((tx) => drop(tx, { workspace, runs: some }), { synced: false });
}

// A log too long for one transaction goes line by line from its beginning; the run goes when little is left of it.
function trimLog(
  sql: Sql,
  { workspace, run, room }: { workspace: number; run: number; room: number },
): Promise<number> {
  return sql.write(
    async (tx) => {
      const of = [workspace, run];
      const [row] = await tx.all<{ line: number | null }>(
        'SELECT MIN(line) AS line FROM run_log WHERE workspace = $1 AND run = $2',
        of,
      );
      const from = row?.line ?? 0;
      const where = 'workspace = $1 AND run = $2';
      const gone = await tx.run(`DELETE FROM run_log WHERE ${where} AND line < $3`, [...of, from + room]);
      await tx.run(`UPDATE runs SET lines = (SELECT COUNT(*) FROM run_log WHERE ${where}) WHERE ${where}`, of);
      return Math.max(1, gone);
    },
    { synced: false },
  );
}

async function drop(tx: Tx, { workspace, runs }: { workspace: number; runs: readonly OldRun[] }): Promise<number> {
  for (const { run } of runs) {
    for (const table of ['run_steps', 'run_log', 'policy_rules', 'policy_results', 'sheet_changes']) {
      await tx.run(`DELETE FROM ${table} WHERE workspace = $1 AND run = $2`, [workspace, run]);
    }
    await tx.run('DELETE FROM runs WHERE workspace = $1 AND run = $2', [workspace, run]);
  }
  await dropRequests(tx, workspace, new Set(runs.flatMap(({ request }) => (request === null ? [] : [request]))));
  for (const flow of new Set(runs.map(({ flow }) => flow))) await dropVersions(tx, { workspace, flow });
  return runs.length;
}

/** So many of the latest versions are kept whether or not a run of them is. */
const VERSIONS_KEPT = 20;

/**
 * Takes the versions of a flow away that nothing needs: neither a run that is kept, nor whoever looks at the latest ones.
 * Versions grow with the numbers of runs, but for those of replays.
 */
export async function dropVersions(tx: Tx, { workspace, flow }: { workspace: number; flow: number }): Promise<void> {
  const of = [workspace, flow];
  const where = 'workspace = $1 AND flow = $2';
  const lowest = async (text: string): Promise<number> => {
    const [row] = await tx.all<{ version: number | null }>(text, of);
    return row?.version ?? Number.MAX_SAFE_INTEGER;
  };
  const oldest = await lowest(`SELECT version FROM runs WHERE ${where} ORDER BY run LIMIT 1`);
  const replayed = await lowest(`SELECT MIN(version) AS version FROM runs WHERE ${where} AND request <> run`);
  const latest = await lowest(`SELECT version - ${VERSIONS_KEPT - 1} AS version FROM flows WHERE ${where}`);
  const needed = Math.min(oldest, replayed, latest);
  await tx.run(`DELETE FROM flow_versions WHERE ${where} AND version < $3`, [...of, needed]);
}

/** Takes up to `limit` old changes of resources away. */
export function pruneHistory(sql: Sql, { workspace, before, limit }: Omit<OldRuns, 'deleted'>): Promise<number> {
  return sql.write(
    (tx) =>
      tx.run(
        `DELETE FROM policy_history WHERE workspace = $1 AND (flow, rule, resource, run) IN (
           SELECT h.flow, h.rule, h.resource, h.run FROM policy_history h WHERE h.workspace = $1 AND h.at < $2
           ORDER BY h.at LIMIT $3)`,
        [workspace, before, limit],
      ),
    { synced: false },
  );
}
