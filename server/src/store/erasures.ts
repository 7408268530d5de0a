// Erasing the payloads of one subject: its events keep number, type, source and id, and nothing else is left of them.
//
//   running    a window of the log at a time: envelopes, what attempts kept of requests and answers, leases, what runs
//              that it caused made of it; what was still open becomes a dead letter. Each chunk and the cursor behind
//              it are one transaction
//   cleaning   later, once more by the marks: what a transaction that had begun before has still written
//   scrubbing  the subject itself goes from this table; then what deletions left in the files (see Sql.scrub)
//
// A settle that comes after it keeps no details of an erased event (settle.ts), and what was copied for another target
// meanwhile is found dead already. Every node runs it; the cursor refuses whoever did not see the chunk before.
import { readEnvelope } from '../model/cloud-events/index.ts';
import type { Erasures, ErasureState, StoredErasure } from './contract.ts';
import { ERASED } from './erased.ts';
import { eraseRuns } from './flows/erasing.ts';
import type { Listeners } from './listeners.ts';
import { STATE, type Sql, type Tx, type Value } from './sql.ts';
import { nextNumber } from './webhooks.ts';

/** Events looked at in one go; each may bring a quarter of a megabyte. */
const CHUNK = 100;
/** A transaction that began before the last chunk has ended by now: PostgreSQL ends those that idle after ten seconds. */
const CLEAN_AFTER_MS = 15_000;

/** Makes the verbs about erasures. */
export function makeErasures(sql: Sql, listeners: Listeners): Erasures {
  const seen = new Map<string, string>();
  return {
    begin: (of, now) => sql.write((tx) => begin(sql, tx, { ...of, now })),
    one: async (workspace, erasure) => {
      const [row] = await sql.read<ErasureRow>(`${ERASURE} WHERE workspace = $1 AND erasure = $2`, [
        workspace,
        erasure,
      ]);
      return row ? erasureOf(row) : null;
    },
    list: async ({ workspace, cursor, limit }) => {
      const rows = await sql.read<ErasureRow>(
        `${ERASURE} WHERE workspace = $1 AND erasure < $2 ORDER BY erasure DESC LIMIT $3`,
        [workspace, cursor ?? Number.MAX_SAFE_INTEGER, limit],
      );
      return rows.map(erasureOf);
    },
    advance: async (now) => {
      const all = await sql.read<ErasureRow>(
        `${ERASURE} WHERE ended_at IS NULL ORDER BY created_at, workspace, erasure`,
      );
      tellWhatMoved(listeners, seen, all);
      const next = all.find(({ stage, dueAt }) => stage !== 'cleaning' || dueAt <= now);
      if (!next) return false;
      await step(sql, next, now);
      listeners.tell('erased', next.workspace);
      return true;
    },
  };
}

interface ErasureRow {
  workspace: number;
  erasure: number;
  subject: string | null;
  stage: 'running' | 'cleaning' | 'scrubbing' | 'done';
  upTo: number;
  cursor: number;
  erased: number;
  dueAt: number;
  createdAt: number;
  endedAt: number | null;
}

const ERASURE = `SELECT workspace, erasure, subject, stage, up_to AS "upTo", cursor, erased, due_at AS "dueAt",
  created_at AS "createdAt", ended_at AS "endedAt" FROM erasures`;

function erasureOf({ workspace, erasure, stage, upTo, cursor, erased, createdAt, endedAt }: ErasureRow): StoredErasure {
  const state: ErasureState = stage === 'done' ? 'done' : 'running';
  const progress = stage === 'running' ? (0.9 * cursor) / Math.max(1, upTo) : stage === 'done' ? 1 : 0.9;
  return { workspace, erasure, state, erased, progress, createdAt, endedAt };
}

// Another node may have erased what this one has in memory.
function tellWhatMoved(listeners: Listeners, seen: Map<string, string>, all: readonly ErasureRow[]): void {
  const before = new Map(seen);
  seen.clear();
  for (const { workspace, erasure, stage, cursor } of all) {
    const [name, now] = [`${workspace}/${erasure}`, `${stage} ${cursor}`];
    seen.set(name, now);
    if (before.has(name) && before.get(name) !== now) listeners.tell('erased', workspace);
  }
}

async function begin(
  sql: Sql,
  tx: Tx,
  { workspace, subject, now }: { workspace: number; subject: string; now: number },
): Promise<StoredErasure> {
  // Events have numbers below this one, and every one that is not committed yet has a higher one.
  const { head: erasure } = await nextNumber(sql, tx, workspace);
  await tx.run(
    `INSERT INTO erasures (workspace, erasure, subject, stage, up_to, cursor, erased, due_at, created_at, ended_at)
     VALUES ($1, $2, $3, 'running', $2, 0, 0, $4, $4, NULL)`,
    [workspace, erasure, subject, now],
  );
  return { workspace, erasure, state: 'running', erased: 0, progress: 0, createdAt: now, endedAt: null };
}

async function step(sql: Sql, row: ErasureRow, now: number): Promise<void> {
  switch (row.stage) {
    case 'running':
      return look(sql, row, now);
    case 'cleaning':
      return clean(sql, row, now);
    case 'scrubbing':
      await sql.scrub();
      await sql.write((tx) => move(tx, row, { stage: 'done', ended_at: now }));
      return;
    case 'done':
  }
}

async function look(sql: Sql, row: ErasureRow, now: number): Promise<void> {
  const { workspace, subject, cursor, upTo } = row;
  const window = await sql.scan<{ event: number; envelope: Uint8Array; erasedAt: number | null }>(
    `SELECT event, envelope, erased_at AS "erasedAt" FROM events WHERE workspace = $1 AND event > $2 AND event <= $3
     ORDER BY event LIMIT ${CHUNK}`,
    [workspace, cursor, upTo],
  );
  const theirs = window.filter(({ envelope, erasedAt }) => erasedAt === null && isOf(envelope, subject ?? ''));
  const events = theirs.map(({ event }) => event);
  const last = window.length < CHUNK ? upTo : window.at(-1)!.event;
  const ended: Record<string, Value> = last >= upTo ? { stage: 'cleaning', due_at: now + CLEAN_AFTER_MS } : {};
  await sql.write(async (tx) => {
    await holdWorkspace(sql, tx, workspace);
    const moved = await move(tx, row, { cursor: last, erased: row.erased + events.length, ...ended });
    if (moved === 1) await erase(tx, { workspace, events, now });
  });
}

const SUBJECT = Buffer.from('subject');

// Most envelopes need not be parsed: a name that is not there as it is could only be there with an escape.
function isOf(envelope: Uint8Array, subject: string): boolean {
  const bytes = Buffer.from(envelope.buffer, envelope.byteOffset, envelope.byteLength);
  if (!bytes.includes(SUBJECT) && !bytes.includes(0x5c)) return false;
  return readEnvelope(envelope).attributes['subject'] === subject;
}

// The marks lead to all that was ever erased here, which is no more than a look at each.
async function clean(sql: Sql, row: ErasureRow, now: number): Promise<void> {
  const { workspace, upTo } = row;
  for (let after = 0; ;) {
    const marked = await sql.scan<{ event: number }>(
      `SELECT event FROM events WHERE workspace = $1 AND erased_at IS NOT NULL AND event > $2 AND event <= $3
       ORDER BY event LIMIT ${CHUNK}`,
      [workspace, after, upTo],
    );
    if (marked.length === 0) break;
    const events = marked.map(({ event }) => event);
    await sql.write(async (tx) => {
      await holdWorkspace(sql, tx, workspace);
      await erase(tx, { workspace, events, now });
    });
    after = events.at(-1)!;
  }
  await sql.write((tx) => move(tx, row, { stage: 'scrubbing', subject: null }));
}

// As `accept` and the expansion of fan-outs hold it: what they make is there, or is made after the mark.
async function holdWorkspace(sql: Sql, tx: Tx, workspace: number): Promise<void> {
  await tx.all(`SELECT head FROM workspaces WHERE workspace = $1${sql.dialect.forUpdate}`, [workspace]);
}

function move(tx: Tx, { workspace, erasure, stage, cursor }: ErasureRow, to: Record<string, Value>): Promise<number> {
  const set = Object.keys(to).map((column, i) => `${column} = $${i + 5}`);
  return tx.run(
    `UPDATE erasures SET ${set.join(', ')} WHERE workspace = $1 AND erasure = $2 AND stage = $3 AND cursor = $4`,
    [workspace, erasure, stage, cursor, ...Object.values(to)],
  );
}

async function erase(
  tx: Tx,
  { workspace, events, now }: { workspace: number; events: readonly number[]; now: number },
): Promise<void> {
  for (const event of events) {
    const key = [workspace, event];
    const where = 'workspace = $1 AND event = $2';
    await tx.run(`UPDATE events SET envelope = $3, note = NULL, erased_at = $4 WHERE ${where} AND erased_at IS NULL`, [
      ...key,
      NOTHING,
      now,
    ]);
    await tx.run(
      `UPDATE deliveries SET state = ${STATE.dead}, ended_at = $3, reason = '${ERASED}' WHERE ${where} AND state = 0`,
      [...key, now],
    );
    await tx.run(`UPDATE deliveries SET reason = '${ERASED}' WHERE ${where} AND reason <> '${ERASED}'`, key);
    await tx.run(
      `UPDATE attempts SET request_headers = '{}', response_headers = NULL, response = NULL,
         error = CASE WHEN error IS NULL THEN NULL ELSE '${ERASED}' END WHERE ${where}`,
      key,
    );
    await tx.run(`DELETE FROM leases WHERE ${where}`, key);
    await eraseRuns(tx, { workspace, event });
  }
}

const NOTHING = new Uint8Array();
