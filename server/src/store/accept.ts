// Accepting events: one transaction for all that arrived meanwhile, the events and every delivery they cause.
//
//   lock the workspaces' rows ─ stale catalogs and quotas are seen here, numbers are given here
//   insert the events that are new ─ the others are answered with the first answer
//   insert their deliveries, up to the limit; a larger fan-out leaves its remaining targets in `fanouts`
//   move the workspaces' counters, COMMIT, then tell the engine
import type { CarriedEvent, PendingDelivery } from '../model/delivery.ts';
import type { Accepted, AcceptResult, NewEvent, Publish } from './contract.ts';
import { GroupCommit } from './group-commit.ts';
import type { Listeners } from './listeners.ts';
import { STATE, type Dialect, type Sql, type Tx, type Value } from './sql.ts';

/** Limits of one commit. */
export interface AcceptLimits {
  /** Targets expanded in the accept itself; the rest of a larger fan-out follows in chunks. */
  fanout: number;
  /** Events and deliveries that one commit may hold, about. */
  group: number;
}

const DAY_MS = 86_400_000;

/** Makes the `accept` verb. */
export function makeAcceptor(sql: Sql, listeners: Listeners, limits: AcceptLimits): GroupCommit<Publish, AcceptResult> {
  return new GroupCommit({
    commit: (publishes) => commit(sql, listeners, { publishes, fanout: limits.fanout }),
    weigh: (publish) => publish.events.length,
    most: limits.group,
    blamesItem: (error) => sql.blamesRow(error),
  });
}

async function commit(
  sql: Sql,
  listeners: Listeners,
  { publishes, fanout }: { publishes: readonly Publish[]; fanout: number },
): Promise<AcceptResult[]> {
  const batch = await sql.write(async (tx) => {
    const heads = await lockHeads(tx, sql.dialect, publishes);
    const batch = plan(publishes, heads);
    await store(tx, batch, fanout);
    for (const head of heads.values()) if (head.touched) moveHead(tx, head);
    return batch;
  });
  if (batch.deliveries.length > 0) listeners.tell('deliveries', batch.deliveries);
  if (batch.touched.length > 0) listeners.tell('events', batch.touched);
  return batch.results;
}

/* ── The workspaces' rows ───────────────────────────────────────────────────────────────────────────────────── */

interface Head {
  workspace: number;
  head: number;
  catalog: number;
  installation: number;
  eventsPerDay: number | null;
  bytesPerDay: number | null;
  day: number;
  dayEvents: number;
  dayBytes: number;
  touched: boolean;
}

// In ascending order, so that two nodes never wait for each other in a ring.
async function lockHeads(tx: Tx, dialect: Dialect, publishes: readonly Publish[]): Promise<Map<number, Head>> {
  const workspaces = [...new Set(publishes.map(({ catalog }) => catalog.workspace))].sort((a, b) => a - b);
  const rows = await tx.all<Omit<Head, 'touched'>>(
    `SELECT workspace, head, catalog, events_per_day AS "eventsPerDay", bytes_per_day AS "bytesPerDay", day,
            day_events AS "dayEvents", day_bytes AS "dayBytes",
            (SELECT CAST(value AS BIGINT) FROM installation WHERE name = 'catalog') AS installation
     FROM workspaces WHERE workspace IN (${workspaces.join(', ')}) AND deleted_at IS NULL
     ORDER BY workspace${dialect.forUpdate}`,
  );
  return new Map(rows.map((row) => [row.workspace, { ...row, touched: false }]));
}

function moveHead(tx: Tx, { workspace, head, day, dayEvents, dayBytes }: Head): void {
  tx.atCommit('UPDATE workspaces SET head = $1, day = $2, day_events = $3, day_bytes = $4 WHERE workspace = $5', [
    head,
    day,
    dayEvents,
    dayBytes,
    workspace,
  ]);
}

/* ── What is to be stored ───────────────────────────────────────────────────────────────────────────────────── */

/** One event that may be new; further ones with its key within the batch share its answer. */
interface Candidate {
  head: Head;
  publish: Publish;
  event: NewEvent;
  number: number;
  duplicate: boolean;
}

interface Batch {
  results: AcceptResult[];
  candidates: Candidate[];
  /** For each accepted answer: the candidate it speaks of, and whether it is a repetition within the batch. */
  answers: { answer: Accepted; candidate: Candidate; repeated: boolean }[];
  deliveries: PendingDelivery[];
  touched: number[];
}

function plan(publishes: readonly Publish[], heads: ReadonlyMap<number, Head>): Batch {
  const batch: Batch = { results: [], candidates: [], answers: [], deliveries: [], touched: [] };
  const byKey = new Map<string, Candidate>();
  for (const publish of publishes) {
    const head = heads.get(publish.catalog.workspace);
    const refusal = head ? refuse(publish, head) : ({ kind: 'gone' } as const);
    if (refusal || !head) {
      batch.results.push(refusal ?? { kind: 'gone' });
      continue;
    }
    const accepted = publish.events.map((event) => enter(batch, byKey, { head, publish, event }));
    batch.results.push({ kind: 'accepted', accepted });
  }
  return batch;
}

function refuse(publish: Publish, head: Head): AcceptResult | null {
  const { installation, workspace } = publish.catalog.version;
  if (installation !== head.installation || workspace !== head.catalog) return { kind: 'stale' };
  if (head.eventsPerDay === null && head.bytesPerDay === null) return null;
  const day = Math.floor(publish.acceptedAt / DAY_MS);
  const [events, bytes] = head.day === day ? [head.dayEvents, head.dayBytes] : [0, 0];
  const resetAt = (day + 1) * DAY_MS;
  const size = publish.events.reduce((sum, { envelope }) => sum + envelope.length, 0);
  if (head.eventsPerDay !== null && events + publish.events.length > head.eventsPerDay) {
    return { kind: 'over-quota', what: 'events', limit: head.eventsPerDay, resetAt };
  }
  if (head.bytesPerDay !== null && bytes + size > head.bytesPerDay) {
    return { kind: 'over-quota', what: 'bytes', limit: head.bytesPerDay, resetAt };
  }
  return null;
}

function enter(
  batch: Batch,
  byKey: Map<string, Candidate>,
  { head, publish, event }: { head: Head; publish: Publish; event: NewEvent },
): Accepted {
  // No attribute can hold a NUL, so the joined key is unambiguous.
  const key = `${head.workspace}\0${event.source}\0${event.id}`;
  let candidate = byKey.get(key);
  const repeated = candidate !== undefined;
  if (!candidate) {
    candidate = { head, publish, event, number: ++head.head, duplicate: false };
    head.touched = true;
    byKey.set(key, candidate);
    batch.candidates.push(candidate);
    count(head, publish.acceptedAt, event.envelope.length);
  }
  const answer: Accepted = { event: candidate.number, source: event.source, id: event.id, duplicate: repeated };
  batch.answers.push({ answer, candidate, repeated });
  return answer;
}

function count(head: Head, at: number, bytes: number): void {
  const day = Math.floor(at / DAY_MS);
  if (head.day !== day) Object.assign(head, { day, dayEvents: 0, dayBytes: 0 });
  head.dayEvents++;
  head.dayBytes += bytes;
}

/* ── Storing it ─────────────────────────────────────────────────────────────────────────────────────────────── */

async function store(tx: Tx, batch: Batch, fanout: number): Promise<void> {
  if (batch.candidates.length === 0) return;
  const inserted = await tx.insertNew('events', batch.candidates.map(eventRow));
  const duplicates = batch.candidates.filter((_, i) => !inserted[i]);
  if (duplicates.length > 0) await findFirst(tx, duplicates);
  const large: { candidate: Candidate; targets: number[] }[] = [];
  for (const candidate of batch.candidates) {
    if (candidate.duplicate) continue;
    const targets = candidate.publish.catalog.targetsOf(candidate.event);
    if (targets.length > fanout) large.push({ candidate, targets: targets.splice(fanout) });
    deliver(batch.deliveries, candidate, targets);
  }
  await tx.insert('deliveries', batch.deliveries.map(deliveryRow));
  for (const { candidate, targets } of large) {
    await tx.run('INSERT INTO fanouts (workspace, event, targets) VALUES ($1, $2, $3)', [
      candidate.head.workspace,
      candidate.number,
      JSON.stringify(targets),
    ]);
  }
  for (const { answer, candidate, repeated } of batch.answers) {
    answer.event = candidate.number;
    answer.duplicate = repeated || candidate.duplicate;
  }
  batch.touched = [...new Set(batch.candidates.filter((c) => !c.duplicate).map((c) => c.head.workspace))];
}

function eventRow({ head, publish, event, number }: Candidate): Value[] {
  const { acceptedAt, trace } = publish;
  return [head.workspace, number, acceptedAt, event.source, event.id, event.type, event.note, trace, event.envelope];
}

const LOOKUP = 64;

// What was accepted before is answered with its first number, and does not count.
async function findFirst(tx: Tx, duplicates: readonly Candidate[]): Promise<void> {
  for (const candidate of duplicates) {
    candidate.duplicate = true;
    candidate.head.dayEvents--;
    candidate.head.dayBytes -= candidate.event.envelope.length;
  }
  const workspaces = Map.groupBy(duplicates, ({ head }) => head.workspace);
  for (const [workspace, ofIt] of workspaces) {
    for (let from = 0; from < ofIt.length; from += LOOKUP) {
      const chunk = ofIt.slice(from, from + LOOKUP);
      const either = chunk.map((_, i) => `(source = $${2 * i + 2} AND id = $${2 * i + 3})`).join(' OR ');
      const rows = await tx.all<{ event: number; source: string; id: string }>(
        `SELECT event, source, id FROM events WHERE workspace = $1 AND (${either})`,
        [workspace, ...chunk.flatMap(({ event }) => [event.source, event.id])],
      );
      const numbers = new Map(rows.map((row) => [`${row.source}\0${row.id}`, row.event]));
      for (const candidate of chunk) {
        candidate.number = numbers.get(`${candidate.event.source}\0${candidate.event.id}`)!;
      }
    }
  }
}

function deliver(deliveries: PendingDelivery[], { head, publish, event, number }: Candidate, targets: number[]): void {
  const carried: CarriedEvent = { event: number, type: event.type, envelope: event.envelope, trace: publish.trace };
  for (const target of targets) {
    deliveries.push(newDelivery({ workspace: head.workspace, target, carried, at: publish.acceptedAt }));
  }
}

/** A delivery nobody has tried yet. */
export function newDelivery(of: {
  workspace: number;
  target: number;
  carried: CarriedEvent;
  at: number;
}): PendingDelivery {
  return {
    workspace: of.workspace,
    event: of.carried.event,
    target: of.target,
    copy: 0,
    tries: 0,
    attempts: 0,
    firstTryAt: null,
    dueAt: of.at,
    createdAt: of.at,
    carried: of.carried,
  };
}

/** Its row. */
export function deliveryRow(d: PendingDelivery): Value[] {
  return [d.workspace, d.event, d.target, d.copy, STATE.open, 0, 0, d.createdAt, d.dueAt, null, null, null];
}
