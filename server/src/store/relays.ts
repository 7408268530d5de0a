// Relays: requests of the engine on their way to whoever listens for their webhook, and the answers on their way back.
//
//   ask ──▶ waits ──listen──▶ handed out ──answer──▶ answered ──look──▶ the engine goes on
//
// A row lives for as long as one request. What it was about is in the log: a row that is lost is asked for again by the
// engine's next try, so nothing here is synced. Head and signature are sealed, for they may carry credentials.
import { randomBytes } from 'node:crypto';
import type {
  HandedRequest,
  Listened,
  Listener,
  ListenQuery,
  RelayAnswer,
  RelayedRequest,
  Relays,
  RelayState,
  RelayVerdict,
  TargetKey,
} from './contract.ts';
import type { Keyring } from './keyring.ts';
import type { Listeners } from './listeners.ts';
import { IS_WEBHOOK } from './modes.ts';
import type { Sql, Tx } from './sql.ts';

interface RelayParts {
  sql: Sql;
  keyring: Keyring;
  listeners: Listeners;
}

/** Bytes of bodies that are handed out at once; one request always is. */
const MOST_BYTES = 4 * 1024 * 1024;
/** How long after its end a row is kept at most. */
const KEPT_MS = 60_000;
const LAZILY = { synced: false } as const;

/** Makes the verbs about listeners. */
export function makeRelays({ sql, keyring, listeners }: RelayParts): Relays {
  return {
    listen: async (query) => {
      const listened = await sql.write((tx) => listen({ sql, keyring }, tx, query), LAZILY);
      if (typeof listened === 'string') return listened;
      const { isNew, ...handed } = listened;
      if (isNew) listeners.tellListener(query);
      return handed;
    },
    waiting: async ({ workspace, target }, now) => {
      const one = await sql.read(`SELECT 1 AS one FROM relays WHERE ${WAITING} LIMIT 1`, [workspace, target, now]);
      return one.length > 0;
    },
    answer: async (key, given) => {
      const verdicts = await sql.write((tx) => takeAnswers(sql, tx, { ...key, ...given }), LAZILY);
      if (verdicts.includes('done')) listeners.tellRelays(key);
      return verdicts;
    },
    leave: async (key, { listener, polls, now }) => {
      const { workspace, target } = key;
      const ended = await sql.write(
        (tx) =>
          tx.run(
            `UPDATE listeners SET until = $4 WHERE workspace = $1 AND webhook = $2 AND listener = $3
             ${polls === undefined ? '' : `AND polls = ${polls}`}`,
            [workspace, target, listener, now],
          ),
        LAZILY,
      );
      if (ended > 0) listeners.tellListener(key);
      return ended > 0;
    },
    ask: async (key, request, at) => {
      const relay = await sql.write((tx) => ask(keyring, tx, { key, request, at }), LAZILY);
      if (relay !== null) listeners.tellRelays(key);
      return relay;
    },
    look: (key, relays, now) => look(sql, key, { relays, now }),
    forget: (key, relays) => sql.write((tx) => forget(tx, key, relays), LAZILY),
    prune: (now) =>
      sql.write(async (tx) => {
        await tx.run('DELETE FROM relays WHERE until < $1', [now - KEPT_MS]);
        await tx.run('DELETE FROM listeners WHERE until < $1', [now - KEPT_MS]);
      }, LAZILY),
  };
}

const WAITING = 'workspace = $1 AND webhook = $2 AND listener IS NULL AND until > $3';
const LISTENER = `SELECT listener, until, polls, takes_over AS "takesOver" FROM listeners
  WHERE workspace = $1 AND webhook = $2`;

interface ListenerRow {
  listener: string;
  until: number;
  polls: number;
  takesOver: number;
}

interface RelayRow {
  relay: string;
  head: string;
  body: Uint8Array | null;
}

/* ── Listening ──────────────────────────────────────────────────────────────────────────────────────────────── */

async function listen(
  { sql, keyring }: Pick<RelayParts, 'sql' | 'keyring'>,
  tx: Tx,
  query: ListenQuery,
): Promise<(Listened & { isNew: boolean }) | 'replaced' | 'gone'> {
  const { workspace, target, now } = query;
  const key = [workspace, target];
  const found = await tx.all(
    `SELECT 1 AS one FROM webhooks WHERE workspace = $1 AND webhook = $2 AND ${IS_WEBHOOK}${sql.dialect.forUpdate}`,
    key,
  );
  if (found.length === 0) return 'gone';
  const [before] = await tx.all<ListenerRow>(`${LISTENER}${sql.dialect.forUpdate}`, key);
  // One that was away for so long that it was forgotten may go on.
  if (query.listener !== null && before && before.listener !== query.listener) return 'replaced';
  const listener = query.listener ?? randomBytes(18).toString('base64url');
  const requests = await handOut({ sql, keyring }, tx, { query, listener });
  const until = now + (requests.length > 0 ? query.leaseMs : query.waitingMs);
  const polls = (before?.polls ?? 0) + 1;
  await tx.run(
    `INSERT INTO listeners (workspace, webhook, listener, until, polls, takes_over) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (workspace, webhook) DO UPDATE SET listener = excluded.listener, until = excluded.until,
       polls = excluded.polls, takes_over = excluded.takes_over`,
    [...key, listener, until, polls, query.takesOver ? 1 : 0],
  );
  // One that was believed to be gone is back, or another one has come.
  const isNew = !before || before.until <= now || before.listener !== listener;
  return { listener, until, takesOver: query.takesOver, polls, requests, isNew };
}

async function handOut(
  { sql, keyring }: Pick<RelayParts, 'sql' | 'keyring'>,
  tx: Tx,
  { query, listener }: { query: ListenQuery; listener: string },
): Promise<HandedRequest[]> {
  const { workspace, target, limit, now } = query;
  const rows = await tx.all<RelayRow>(
    `SELECT relay, head, body FROM relays WHERE ${WAITING} ORDER BY asked_at, relay LIMIT ${limit}${sql.dialect.forUpdate}`,
    [workspace, target, now],
  );
  let bytes = 0;
  const taken = rows.filter(({ body }, at) => (bytes += body?.length ?? 0) <= MOST_BYTES || at === 0);
  if (taken.length === 0) return [];
  await tx.run(
    `UPDATE relays SET listener = $3 WHERE workspace = $1 AND webhook = $2 AND relay IN (${marks(taken, 4)})`,
    [workspace, target, listener, ...taken.map(({ relay }) => relay)],
  );
  return taken.map(({ relay, head, body }) => {
    const opened = JSON.parse(keyring.open(head, contextOf(query, relay))) as Omit<RelayedRequest, 'body'>;
    return { relay, ...opened, body };
  });
}

async function takeAnswers(
  sql: Sql,
  tx: Tx,
  { workspace, target, listener, answers, now }: TargetKey & Parameters<Relays['answer']>[1],
): Promise<RelayVerdict[]> {
  const verdicts: RelayVerdict[] = [];
  for (const { relay, answer } of answers) {
    const [row] = await tx.all<{ listener: string | null; answer: string | null; until: number }>(
      `SELECT listener, answer, until FROM relays WHERE workspace = $1 AND webhook = $2 AND relay = $3${sql.dialect.forUpdate}`,
      [workspace, target, relay],
    );
    const verdict = verdictOn(row, listener, now);
    verdicts.push(verdict);
    if (verdict !== 'done') continue;
    await tx.run('UPDATE relays SET answer = $4 WHERE workspace = $1 AND webhook = $2 AND relay = $3', [
      workspace,
      target,
      relay,
      JSON.stringify(answer),
    ]);
  }
  return verdicts;
}

function verdictOn(
  row: { listener: string | null; answer: string | null; until: number } | undefined,
  listener: string,
  now: number,
): RelayVerdict {
  if (!row || row.listener === null) return 'not-found';
  if (row.listener !== listener) return 'lease-lost';
  if (row.answer !== null) return 'already-answered';
  return row.until <= now ? 'lease-expired' : 'done';
}

/* ── The engine's side ──────────────────────────────────────────────────────────────────────────────────────── */

async function ask(
  keyring: Keyring,
  tx: Tx,
  { key, request, at }: { key: TargetKey; request: RelayedRequest; at: { now: number; until: number } },
): Promise<string | null> {
  const { workspace, target } = key;
  const [listener] = await tx.all<ListenerRow>(LISTENER, [workspace, target]);
  if (!listener || listener.until <= at.now) return null;
  const relay = randomBytes(18).toString('base64url');
  const { method, headers, body, deadlineMs } = request;
  const head = { method, headers, deadlineMs };
  await tx.run(
    `INSERT INTO relays (workspace, webhook, relay, asked_at, until, head, body) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [workspace, target, relay, at.now, at.until, keyring.seal(JSON.stringify(head), contextOf(key, relay)), body],
  );
  return relay;
}

async function look(
  sql: Sql,
  { workspace, target }: TargetKey,
  { relays, now }: { relays: readonly string[]; now: number },
): Promise<{ listener: Listener | null; states: Map<string, RelayState> }> {
  const key = [workspace, target];
  const [[found], rows] = await Promise.all([
    sql.read<ListenerRow>(LISTENER, key),
    sql.read<{ relay: string; listener: string | null; answer: string | null }>(
      `SELECT relay, listener, answer FROM relays WHERE workspace = $1 AND webhook = $2 AND relay IN (${marks(relays, 3)})`,
      [...key, ...relays],
    ),
  ]);
  const isThere = found !== undefined && found.until > now;
  const states = rows.map(({ relay, listener, answer }): [string, RelayState] => {
    // In the hands of somebody who was replaced, or left, it is nobody's.
    const isHanded = listener !== null;
    const isLost = isHanded && (!isThere || found.listener !== listener);
    return [relay, { isHanded, isLost, answer: answer === null ? null : (JSON.parse(answer) as RelayAnswer) }];
  });
  const listener = isThere ? { until: found.until, takesOver: found.takesOver === 1 } : null;
  return { listener, states: new Map(states) };
}

// That something was answered is known for a while: an answer that is repeated because nobody heard that it was taken.
async function forget(tx: Tx, { workspace, target }: TargetKey, relays: readonly string[]): Promise<void> {
  const where = `workspace = $1 AND webhook = $2 AND relay IN (${marks(relays, 3)})`;
  const values = [workspace, target, ...relays];
  await tx.run(`DELETE FROM relays WHERE ${where} AND answer IS NULL`, values);
  await tx.run(`UPDATE relays SET head = '', body = NULL, answer = 'null' WHERE ${where}`, values);
}

function marks(values: readonly unknown[], from: number): string {
  return values.map((_, i) => `$${i + from}`).join(', ');
}

function contextOf({ workspace, target }: TargetKey, relay: string): string {
  return `relay ${workspace} ${target} ${relay}`;
}
