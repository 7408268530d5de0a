// Reading of hooks: which scenario has a token, what came to it, how far a run is.
import { makeFlowFinder } from '../flows/definitions.ts';
import type { RunKey, RunState } from '../flows/contract.ts';
import type { Page } from '../page.ts';
import type { Sql, Value } from '../sql.ts';
import type { Hooks, RequestHead, RequestsQuery } from './contract.ts';
import { CONTENT, contentOf, readReply, type ContentRow } from './rows.ts';

type ReadingVerbs = Pick<Hooks, 'find' | 'request' | 'requests' | 'progress'>;

const HEAD = `q.workspace, q.request, q.flow, q.run, q.state, q.reason, q.status, q.method,
  LENGTH(q.body) AS bytes, q.received_at AS "receivedAt"`;

/** The verbs that read. */
export function makeHookReading(sql: Sql): ReadingVerbs {
  const findFlow = makeFlowFinder(sql);
  return {
    find: async (token) => {
      const flow = await findFlow(token);
      if (flow) return flow.kind === 'scenario' ? flow : null;
      const gone = await sql.read('SELECT 1 AS one FROM hook_tombstones WHERE token = $1 LIMIT 1', [token]);
      return gone.length > 0 ? 'gone' : null;
    },
    request: async ({ workspace, request }) => {
      const [row] = await sql.read<RequestHead & ContentRow>(
        `SELECT ${HEAD}, ${CONTENT} FROM hook_requests q WHERE q.workspace = $1 AND q.request = $2`,
        [workspace, request],
      );
      if (!row) return null;
      const { query: _query, headers: _headers, body: _body, sender: _sender, ...head } = row;
      return { ...head, content: contentOf(row) };
    },
    requests: (query) => requests(sql, query),
    progress: (key) => progress(sql, key),
  };
}

async function progress(sql: Sql, { workspace, run }: RunKey): ReturnType<Hooks['progress']> {
  const [row] = await sql.read<{ state: RunState; reply: string | null }>(
    'SELECT state, reply FROM runs WHERE workspace = $1 AND run = $2',
    [workspace, run],
  );
  if (!row) return null;
  const { state, reply } = row;
  if (reply !== null) return { state, reply: readReply(reply) };
  if (state === 'failed' || state === 'aborted') {
    const of = [workspace, run];
    const continued = 'SELECT run FROM runs WHERE workspace = $1 AND continues = $2';
    const [next] = await sql.read<{ run: number }>(continued, of);
    if (next) return progress(sql, { workspace, run: next.run });
  }
  return { state, reply: null };
}

async function requests(sql: Sql, query: RequestsQuery): Promise<Page<RequestHead>> {
  const { workspace, flow, state, cursor, limit } = query;
  const values: Value[] = [workspace, flow, cursor === null ? Number.MAX_SAFE_INTEGER : Number(cursor), limit + 1];
  let where = 'q.workspace = $1 AND q.flow = $2 AND q.request < $3';
  if (state !== undefined) where += ` AND q.state = $${values.push(state)}`;
  // Says nothing new: it lets the index of those be used.
  if (state !== undefined && state !== 'taken') where += ` AND q.state <> 'taken'`;
  const rows = await sql.scan<RequestHead>(
    `SELECT ${HEAD} FROM hook_requests q WHERE ${where} ORDER BY q.request DESC LIMIT $4`,
    values,
  );
  const page = rows.slice(0, limit);
  return { rows: page, next: rows.length > limit ? String(page.at(-1)!.request) : null };
}
