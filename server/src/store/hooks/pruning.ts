// What goes of the requests to hooks: those of runs go with their runs (../flows/pruning.ts); here go the others, and all
// those of scenarios that were deleted.
import type { HookRequest } from '../../model/hook/exchange.ts';
import type { Sql, Tx } from '../sql.ts';
import type { RequestKey } from './contract.ts';

/** Requests of a flow that started no run, which are kept at least; a few more may stand for a while. */
export const MOST_KEPT = 1_000;
/** Or the latest of them, as many as have so many bytes: whoever knows a URL could fill the disk otherwise. */
export const MOST_BYTES = 64 * 1_024 * 1_024;
/** After so many more they are trimmed; a large one counts as several. */
export const TRIM_EVERY = 100;
const BYTES_OF_ONE = 65_536;

/** What a request counts. */
export function trimWeight({ body }: HookRequest): number {
  return 1 + Math.floor(body.length / BYTES_OF_ONE);
}
/** Rows that go in one transaction: each may bring megabytes. */
const CHUNK = 200;

/** Nothing works, or has worked, at it once more. */
const UNUSED = `(SELECT 1 FROM runs r WHERE r.workspace = hook_requests.workspace AND r.request = hook_requests.request
  AND r.request <> r.run LIMIT 1) IS NULL`;
const KEPT = `workspace = $1 AND flow = $2 AND state <> 'taken' AND ${UNUSED}`;

/** Takes away what a flow has too many of. */
export async function trimKept(sql: Sql, { workspace, flow }: { workspace: number; flow: number }): Promise<void> {
  for (let gone = CHUNK; gone === CHUNK;) {
    gone = await sql.write(
      async (tx) => {
        const [last] = await tx.all<{ request: number }>(
          `SELECT request FROM (
             SELECT request, ROW_NUMBER() OVER (ORDER BY request DESC) AS place,
               SUM(bytes) OVER (ORDER BY request DESC) AS bytes
             FROM (SELECT request, LENGTH(body) AS bytes FROM hook_requests WHERE ${KEPT}
               ORDER BY request DESC LIMIT ${MOST_KEPT + 1}) AS latest) AS counted
           WHERE place > ${MOST_KEPT} OR (place > 1 AND bytes > ${MOST_BYTES})
           ORDER BY request DESC LIMIT 1`,
          [workspace, flow],
        );
        if (!last) return 0;
        return tx.run(
          `DELETE FROM hook_requests WHERE workspace = $1 AND request IN (
             SELECT request FROM hook_requests WHERE ${KEPT} AND request <= $3 ORDER BY request LIMIT ${CHUNK})`,
          [workspace, flow, last.request],
        );
      },
      { synced: false },
    );
  }
}

/** What is to go of a workspace. */
export interface OldRequests {
  workspace: number;
  /** Requests that came before. */
  before: number;
  limit: number;
}

/** Takes away up to `limit` old requests that started no run; resolves how many went. */
export function pruneKept(sql: Sql, { workspace, before, limit }: OldRequests): Promise<number> {
  return sql.write(
    (tx) =>
      tx.run(
        `DELETE FROM hook_requests WHERE workspace = $1 AND request IN (
           SELECT request FROM hook_requests WHERE workspace = $1 AND state <> 'taken' AND received_at < $2 AND ${UNUSED} LIMIT $3)`,
        [workspace, before, Math.min(limit, CHUNK)],
      ),
    { synced: false },
  );
}

/** Takes away up to `limit` requests of scenarios that are deleted. Their tokens stay known as gone. */
export async function pruneOrphans(sql: Sql, { workspace, limit }: Omit<OldRequests, 'before'>): Promise<number> {
  const [flow] = await sql.scan<{ flow: number }>(
    `SELECT t.flow FROM hook_tombstones t WHERE t.workspace = $1
       AND (SELECT 1 FROM flows f WHERE f.workspace = t.workspace AND f.flow = t.flow) IS NULL
       AND (SELECT 1 FROM hook_requests q WHERE q.workspace = t.workspace AND q.flow = t.flow LIMIT 1) IS NOT NULL
     LIMIT 1`,
    [workspace],
  );
  if (!flow) return 0;
  return sql.write(
    (tx) =>
      tx.run(
        `DELETE FROM hook_requests WHERE workspace = $1 AND request IN (
           SELECT request FROM hook_requests WHERE workspace = $1 AND flow = $2 ORDER BY request LIMIT $3)`,
        [workspace, flow.flow, Math.min(limit, CHUNK)],
      ),
    { synced: false },
  );
}

/** Takes the requests away that nothing works at any more: neither the run they started nor one that does so once more. */
export async function dropRequests(tx: Tx, workspace: number, requests: Iterable<number>): Promise<void> {
  for (const request of requests) {
    await tx.run(
      `DELETE FROM hook_requests WHERE workspace = $1 AND request = $2
         AND (SELECT 1 FROM runs r WHERE r.workspace = $1 AND r.run = $2) IS NULL
         AND (SELECT 1 FROM runs r WHERE r.workspace = $1 AND r.request = $2 AND r.request <> r.run LIMIT 1) IS NULL`,
      [workspace, request],
    );
  }
}

/** Leaves nothing of what a request said. */
export async function blankRequest(tx: Tx, { workspace, request }: RequestKey): Promise<void> {
  await tx.run(
    `UPDATE hook_requests SET query = '', headers = '[]', body = $3, sender = NULL, reason = NULL
     WHERE workspace = $1 AND request = $2`,
    [workspace, request, NOTHING],
  );
}

const NOTHING = new Uint8Array();
