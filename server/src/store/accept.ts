// Accepting events: one transaction for all that arrived meanwhile, the events and every delivery they cause.
//
//   match each event with the subscriptions of the catalog it was checked by ─ before, so that it can fail alone
//   lock the workspaces' rows ─ stale catalogs and quotas are seen here, numbers are given here
//   insert the events that are new ─ the others are answered with the first answer
//   insert their deliveries, up to the limits of an event and of the commit; what is beyond leaves its targets in `fanouts`
//   move the workspaces' counters, COMMIT, then tell the engine
import type { CarriedEvent, PendingDelivery } from '../model/delivery.ts';
import type { Accepted, AcceptResult, CommitFacts, NewEvent, Publish } from './contract.ts';
import { GroupCommit } from './group-commit.ts';
import { matchEvents } from './matching.ts';
import type { Listeners } from './listeners.ts';
import { count, mayExceed, overQuota, type Quota } from './quota.ts';
import { STATE, type Dialect, type Sql, type Tx, type Value } from './sql.ts';

/** Limits of one commit. */
export interface AcceptLimits {
  /** Targets expanded in the accept itself; the rest of a larger fan-out follows in chunks. */
  fanout: number;
  /** Events and deliveries that one commit may hold, about: then it takes no further publish. */
  group: number;
  /** Deliveries that one commit makes at most; the rest of a large batch's follows in chunks, as for `fanout`. */
  deliveries?: number;
}

/** Ten thousand take SQLite some 40 ms; a thousand events for a thousand webhooks would take all memory. */
const MOST_DELIVERIES = 10_000;

/** The `accept` verb. */
export interface Acceptor {
  accept(publish: Publish): Promise<AcceptResult>;
  /** Resolves when no accept is under way any more. */
  drained(): Promise<void>;
}

/** A publish with the targets of each of its events. */
interface Matched {
  publish: Publish;
  targets: readonly number[][];
}

/** Makes the acceptor of a store. */
export function makeAcceptor(sql: Sql, listeners: Listeners, limits: AcceptLimits): Acceptor {
  const { fanout, group, deliveries = MOST_DELIVERIES } = limits;
  const weigh = ({ targets }: Matched): number => {
    const made = targets.reduce((sum, { length }) => sum + Math.min(length, fanout), 0);
    return targets.length + Math.min(made, deliveries);
  };
  const commits = new GroupCommit<Matched, AcceptResult>({
    commit: (matched) => commit(sql, listeners, { matched, room: { fanout, deliveries } }),
    weigh,
    most: group,
    blamesItem: (error) => sql.blamesRow(error),
  });
  const underWay = new Set<Promise<AcceptResult>>();
  return {
    accept: (publish) => {
      const accepted = matchEvents(publish).then((targets) => commits.submit({ publish, targets }));
      underWay.add(accepted);
      const end = (): void => void underWay.delete(accepted);
      accepted.then(end, end);
      return accepted;
    },
    drained: async () => {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}

/** How many deliveries may be made: for one event, and in the commit. */
interface Room {
  fanout: number;
  deliveries: number;
}

async function commit(
  sql: Sql,
  listeners: Listeners,
  { matched, room }: { matched: readonly Matched[]; room: Room },
): Promise<AcceptResult[]> {
  const work = async (tx: Tx): Promise<Batch> => {
    const heads = await lockHeads(tx, sql.dialect, matched);
    const batch = plan(matched, heads);
    await store(tx, batch, room);
    for (const head of heads.values()) if (head.touched) moveHead(tx, head);
    return batch;
  };
  const events = matched.reduce((sum, { targets }) => sum + targets.length, 0);
  const batch = await sql.write(work, { kind: 'accept', size: events });
  if (batch.deliveries.length > 0) listeners.tell('deliveries', batch.deliveries);
  if (batch.touched.length > 0) listeners.tell('events', batch.touched);
  if (batch.leavesRest) listeners.tell('fanouts');
  return batch.results;
}

/* ── The workspaces' rows ───────────────────────────────────────────────────────────────────────────────────── */

interface Head extends Quota {
  workspace: number;
  head: number;
  catalog: number;
  installation: number;
  touched: boolean;
  /**
   * Where the quota could be reached: the numbers of those of the group's events that were accepted before, by key.
   * They count for nothing, and only the log knows them. Null where it need not be asked.
   */
  known: ReadonlyMap<string, number> | null;
}

async function lockHeads(tx: Tx, dialect: Dialect, matched: readonly Matched[]): Promise<Map<number, Head>> {
  const groups = Map.groupBy(matched, ({ publish }) => publish.catalog.workspace);
  // In ascending order, so that two nodes never wait for each other in a ring.
  const workspaces = [...groups.keys()].sort((a, b) => a - b);
  const rows = await tx.all<Omit<Head, 'touched' | 'known'>>(
    `SELECT workspace, head, catalog, events_per_day AS "eventsPerDay", bytes_per_day AS "bytesPerDay", day,
            day_events AS "dayEvents", day_bytes AS "dayBytes",
            (SELECT CAST(value AS BIGINT) FROM installation WHERE name = 'catalog') AS installation
     FROM workspaces WHERE workspace IN (${workspaces.join(', ')}) AND deleted_at IS NULL
     ORDER BY workspace${dialect.forUpdate}`,
  );
  const heads = new Map<number, Head>();
  for (const row of rows) {
    const events = groups.get(row.workspace)!.flatMap(({ publish }) => publish.events);
    const known = mayExceed(row, events) ? await firstNumbers(tx, row.workspace, events) : null;
    heads.set(row.workspace, { ...row, touched: false, known });
  }
  return heads;
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
  targets: readonly number[];
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
  /** Some of its fan-outs are to be expanded later. */
  leavesRest: boolean;
}

function plan(matched: readonly Matched[], heads: ReadonlyMap<number, Head>): Batch {
  const batch: Batch = { results: [], candidates: [], answers: [], deliveries: [], touched: [], leavesRest: false };
  const byKey = new Map<string, Candidate>();
  const commit: CommitFacts = { publishes: matched.length, events: 0 };
  for (const { publish, targets } of matched) {
    const head = heads.get(publish.catalog.workspace);
    const refusal = head ? refuse(publish, head, byKey) : ({ kind: 'gone' } as const);
    if (refusal || !head) {
      batch.results.push(refusal ?? { kind: 'gone' });
      continue;
    }
    const accepted = publish.events.map((event, i) =>
      enter(batch, byKey, { head, publish, event, targets: targets[i]!, number: 0, duplicate: false }),
    );
    commit.events += accepted.length;
    batch.results.push({ kind: 'accepted', accepted, commit });
  }
  return batch;
}

function refuse(publish: Publish, head: Head, byKey: ReadonlyMap<string, Candidate>): AcceptResult | null {
  const { installation, workspace } = publish.catalog.version;
  if (installation !== head.installation || workspace !== head.catalog) return { kind: 'stale' };
  if (head.known === null) return null;
  const fresh = new Map(publish.events.map((event) => [keyOf(event), event]));
  for (const key of fresh.keys()) {
    if (head.known.has(key) || byKey.has(`${head.workspace}\0${key}`)) fresh.delete(key);
  }
  return overQuota(head, [...fresh.values()], publish.acceptedAt);
}

// No attribute can hold a NUL, so the joined key is unambiguous.
function keyOf({ source, id }: { source: string; id: string }): string {
  return `${source}\0${id}`;
}

function enter(batch: Batch, byKey: Map<string, Candidate>, fresh: Candidate): Accepted {
  const { head, event, publish } = fresh;
  const { source, id } = event;
  const key = `${head.workspace}\0${keyOf(event)}`;
  const first = head.known?.get(keyOf(event));
  if (first !== undefined) return { event: first, source, id, duplicate: true };
  let candidate = byKey.get(key);
  const repeated = candidate !== undefined;
  if (!candidate) {
    candidate = fresh;
    candidate.number = ++head.head;
    head.touched = true;
    byKey.set(key, candidate);
    batch.candidates.push(candidate);
    if (head.known) count(head, event, publish.acceptedAt);
  }
  const answer: Accepted = { event: candidate.number, source, id, duplicate: repeated };
  batch.answers.push({ answer, candidate, repeated });
  return answer;
}

/* ── Storing it ─────────────────────────────────────────────────────────────────────────────────────────────── */

async function store(tx: Tx, batch: Batch, room: Room): Promise<void> {
  if (batch.candidates.length === 0) return;
  const inserted = await tx.insertNew('events', batch.candidates.map(eventRow));
  const duplicates = batch.candidates.filter((_, i) => !inserted[i]);
  if (duplicates.length > 0) await findFirst(tx, duplicates);
  const fanouts = makeDeliveries(batch, room);
  await tx.insert(
    'deliveries',
    batch.deliveries.map((delivery) => deliveryRow(delivery)),
  );
  await tx.insert('fanouts', fanouts);
  batch.leavesRest = fanouts.length > 0;
  for (const { answer, candidate, repeated } of batch.answers) {
    answer.event = candidate.number;
    answer.duplicate = repeated || candidate.duplicate;
  }
  batch.touched = [...new Set(batch.candidates.filter((c) => !c.duplicate).map((c) => c.head.workspace))];
}

// Makes what there is room for; the rest becomes rows of `fanouts`.
function makeDeliveries(batch: Batch, { fanout, deliveries }: Room): Value[][] {
  const fanouts: Value[][] = [];
  const texts = new Map<readonly number[], string>();
  for (const candidate of batch.candidates) {
    if (candidate.duplicate) continue;
    const { head, event, publish, targets, number } = candidate;
    if (!head.known) count(head, event, publish.acceptedAt);
    const made = Math.min(targets.length, fanout, deliveries - batch.deliveries.length);
    deliver(batch.deliveries, candidate, made);
    if (made === targets.length) continue;
    // Events of one type mostly share their list.
    const text = (made === 0 ? texts.get(targets) : undefined) ?? JSON.stringify(targets.slice(made));
    if (made === 0) texts.set(targets, text);
    fanouts.push([head.workspace, number, text]);
  }
  return fanouts;
}

function eventRow({ head, publish, event, number }: Candidate): Value[] {
  const { acceptedAt } = publish;
  const trace = event.trace ?? publish.trace;
  return [head.workspace, number, acceptedAt, event.source, event.id, event.type, event.note, trace, event.envelope];
}

// What was accepted before is answered with its first number.
async function findFirst(tx: Tx, duplicates: readonly Candidate[]): Promise<void> {
  for (const [workspace, ofIt] of Map.groupBy(duplicates, ({ head }) => head.workspace)) {
    const events = ofIt.map(({ event }) => event);
    const first = await firstNumbers(tx, workspace, events);
    for (const candidate of ofIt) {
      candidate.duplicate = true;
      candidate.number = first.get(keyOf(candidate.event))!;
    }
  }
}

const LOOKUP = 64;

/** The numbers under which events of a workspace were accepted before, by key. */
async function firstNumbers(tx: Tx, workspace: number, events: readonly NewEvent[]): Promise<Map<string, number>> {
  const numbers = new Map<string, number>();
  for (let from = 0; from < events.length; from += LOOKUP) {
    const chunk = events.slice(from, from + LOOKUP);
    // Not a chain of ORs: SQLite would look through the whole log for it.
    const keys = chunk.map((_, i) => `($${2 * i + 2}, $${2 * i + 3})`).join(', ');
    const rows = await tx.all<{ event: number; source: string; id: string }>(
      `SELECT event, source, id FROM events WHERE workspace = $1 AND (source, id) IN (VALUES ${keys})`,
      [workspace, ...chunk.flatMap(({ source, id }) => [source, id])],
    );
    for (const row of rows) numbers.set(keyOf(row), row.event);
  }
  return numbers;
}

function deliver(deliveries: PendingDelivery[], candidate: Candidate, most: number): void {
  const { head, publish, event, number, targets } = candidate;
  const { type, envelope, trace = null } = event;
  const carried: CarriedEvent = { event: number, type, envelope, trace: trace ?? publish.trace };
  for (const target of targets.slice(0, most)) {
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
  const { workspace, target, carried, at } = of;
  const key = { workspace, event: carried.event, target, copy: 0 };
  return { ...key, tries: 0, attempts: 0, firstTryAt: null, dueAt: at, createdAt: at, batch: null, carried };
}

/** Its row; `dead` when there is nothing to try any more, with the instant and the reason. */
export function deliveryRow(d: PendingDelivery, dead: { at: number; reason: string } | null = null): Value[] {
  const key = [d.workspace, d.event, d.target, d.copy];
  const state = dead ? STATE.dead : STATE.open;
  return [...key, state, 0, 0, d.createdAt, d.dueAt, null, dead?.at ?? null, dead?.reason ?? null];
}
