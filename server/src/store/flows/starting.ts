// Starting: what is asked for at once shares a transaction. A run is queued, with a slot where its flow has a free one.
//
//   hold the workspaces' rows ─ numbers are given under them, and slots
//   move the time tables that are still due at that instant ─ the runs of others are left out
//   judge each wish: known already? too deep? is there a place?
//   insert them all, tell of those that failed at once, COMMIT, then tell the owners of their lanes
import type { FlowKind } from '../../model/flow/definition.ts';
import { GroupCommit } from '../group-commit.ts';
import type { Listeners } from '../listeners.ts';
import type { Sql, Tx, Value } from '../sql.ts';
import { writeTelling, type Hearing, type Telling } from '../telling.ts';
import type { Flows, NewRun, ScheduleMove, Started } from './contract.ts';
import { askToEnd, tellUnbegun } from './ends.ts';
import { allNamed, holdRuns, laneOf, storable, writeJson } from './rows.ts';

/** What starting stands on. */
export interface StartParts {
  sql: Sql;
  listeners: Listeners;
}

type StartVerbs = Pick<Flows, 'start' | 'advanceSchedule'>;

/** Runs that one transaction starts, about. */
const GROUP = 1000;

/** What is asked for in one go: runs of one workspace, and the time table that starts them. */
interface Wish {
  workspace: number;
  runs: readonly NewRun[];
  move: ScheduleMove | null;
}

/** Makes the verbs that start runs. */
export function makeStarter(parts: StartParts): StartVerbs {
  const commits = new GroupCommit<Wish, Started[]>({
    commit: (wishes) => commit(parts, wishes),
    weigh: ({ runs }) => 1 + runs.length,
    most: GROUP,
    blamesItem: (error) => parts.sql.blamesRow(error),
  });
  return {
    start: async (run) => {
      const [started] = await commits.submit({ workspace: run.workspace, runs: [run], move: null });
      return started!;
    },
    advanceSchedule: (move) => commits.submit({ workspace: move.workspace, runs: move.runs, move }),
  };
}

async function commit(parts: StartParts, wishes: readonly Wish[]): Promise<Started[][]> {
  const { sql, listeners } = parts;
  const lanes = new Set<number>();
  const answers = await writeTelling(parts, async (tx, telling) => {
    lanes.clear();
    const answers = new Map<Wish, Started[]>();
    const groups = Map.groupBy(wishes, ({ workspace }) => workspace);
    await telling.hold([...groups.keys()]);
    for (const [workspace, own] of groups) {
      const hearing = telling.hearing(workspace);
      const desk = hearing ? await openDesk({ sql, tx, hearing }, own) : null;
      for (const wish of own) answers.set(wish, desk ? judgeAll(desk, wish) : wish.runs.map(() => ({ kind: 'gone' })));
      if (desk) for (const lane of await store({ sql, tx, telling }, desk)) lanes.add(lane);
    }
    return wishes.map((wish) => answers.get(wish)!);
  });
  if (lanes.size > 0) listeners.tell('runs', [...lanes]);
  return answers;
}

/* ── What is known of a workspace ───────────────────────────────────────────────────────────────────────────── */

interface FlowAtHand {
  flow: number;
  bucket: number;
  kind: FlowKind;
  name: string;
  enabled: number;
  version: number;
  most: number;
  beyond: 'queue' | 'skip' | 'replace' | 'fail';
  /** Slots that are given. */
  taken: number;
}

/** A run to be inserted. */
interface Entry {
  number: number;
  flow: FlowAtHand;
  wish: NewRun;
  slot: 0 | 1;
  /** Why it failed at once, or null: it is queued. */
  reason: string | null;
  isTold: boolean;
  endEvents: readonly number[];
}

interface Desk {
  workspace: number;
  hearing: Hearing;
  flows: ReadonlyMap<number, FlowAtHand>;
  /** Numbers of runs by flow and name. */
  known: Map<string, number>;
  /** Time tables that are due as their movers believe. */
  due: ReadonlySet<string>;
  moves: ScheduleMove[];
  entries: Entry[];
  /** Flows whose oldest runs make room for new ones. */
  crowded: Set<FlowAtHand>;
}

interface Look {
  sql: Sql;
  tx: Tx;
  hearing: Hearing;
}

async function openDesk({ tx, hearing }: Look, wishes: readonly Wish[]): Promise<Desk> {
  const { workspace } = hearing;
  const runs = wishes.flatMap((wish) => wish.runs);
  const flows = await allNamed<FlowAtHand>(
    tx,
    { workspace, numbers: runs.map(({ flow }) => flow) },
    (marks) =>
      `SELECT f.flow, f.bucket, f.kind, f.name, f.enabled, f.version, f.most_runs AS most, f.beyond,
         (SELECT COUNT(*) FROM runs r WHERE r.workspace = f.workspace AND r.flow = f.flow AND r.slot = 1) AS taken
       FROM flows f WHERE f.workspace = $1 AND f.flow IN (${marks})`,
  );
  const moves = wishes.flatMap(({ move }) => (move ? [move] : []));
  return {
    workspace,
    hearing,
    flows: new Map(flows.map((flow) => [flow.flow, flow])),
    known: await knownRuns(tx, workspace, runs),
    due: await dueTables(tx, workspace, moves),
    moves: [],
    entries: [],
    crowded: new Set(),
  };
}

const LOOKUP = 64;

async function knownRuns(tx: Tx, workspace: number, runs: readonly NewRun[]): Promise<Map<string, number>> {
  const named = runs.filter(({ dedupe }) => dedupe !== null);
  const known = new Map<string, number>();
  for (let from = 0; from < named.length; from += LOOKUP) {
    const some = named.slice(from, from + LOOKUP);
    const keys = some.map((_, i) => `(CAST($${2 * i + 2} AS BIGINT), $${2 * i + 3})`).join(', ');
    const rows = await tx.all<{ run: number; flow: number; dedupe: string }>(
      // The second condition says nothing new: it lets the index of names be used.
      `SELECT run, flow, dedupe FROM runs
       WHERE workspace = $1 AND dedupe IS NOT NULL AND (flow, dedupe) IN (VALUES ${keys})`,
      [workspace, ...some.flatMap(({ flow, dedupe }) => [flow, dedupe])],
    );
    for (const { run, flow, dedupe } of rows) known.set(`${flow}/${dedupe}`, run);
  }
  return known;
}

// Whoever changes a time table holds the workspace, too: what is read here stays so.
async function dueTables(tx: Tx, workspace: number, moves: readonly ScheduleMove[]): Promise<Set<string>> {
  if (moves.length === 0) return new Set();
  const rows = await allNamed<{ flow: number; schedule: number; dueAt: number }>(
    tx,
    { workspace, numbers: moves.map(({ flow }) => flow) },
    (marks) => `SELECT flow, schedule, next_at AS "dueAt" FROM schedules WHERE workspace = $1 AND flow IN (${marks})`,
  );
  return new Set(rows.map(tableName));
}

function tableName({ flow, schedule, dueAt }: { flow: number; schedule: number; dueAt: number }): string {
  return `${flow}/${schedule}/${dueAt}`;
}

/* ── Judging ────────────────────────────────────────────────────────────────────────────────────────────────── */

function judgeAll(desk: Desk, { runs, move }: Wish): Started[] {
  if (move) {
    if (!desk.due.has(tableName(move)) || desk.moves.some((other) => tableName(other) === tableName(move))) return [];
    desk.moves.push(move);
  }
  return runs.map((run) => judge(desk, run));
}

function judge(desk: Desk, wish: NewRun): Started {
  const { dedupe, depth, maxDepth, cause } = wish;
  const name = dedupe === null ? null : `${wish.flow}/${dedupe}`;
  const known = name === null ? undefined : desk.known.get(name);
  if (known !== undefined) return { kind: 'known', run: known };
  const flow = desk.flows.get(wish.flow);
  if (!flow) return { kind: 'gone' };
  const enter = (of: Partial<Pick<Entry, 'slot' | 'reason' | 'isTold'>>): number => {
    const number = ++desk.hearing.head;
    if (name !== null) desk.known.set(name, number);
    desk.entries.push({ number, flow, wish, slot: 0, reason: null, isTold: false, endEvents: [], ...of });
    return number;
  };
  const fail = (reason: string, isTold: boolean): Started => {
    return { kind: 'failed', run: enter({ reason, isTold }), reason };
  };
  if (depth > maxDepth) {
    // Telling of it would go on with the chain.
    return fail(`not started: ${depth} runs led to it one after the other, and ${maxDepth} may`, false);
  }
  if (flow.enabled === 0 && cause.by !== 'hand') return { kind: 'skipped' };
  if (wish.refused !== undefined) return fail(`not started: ${storable(wish.refused)}`, true);
  if (flow.taken < flow.most) {
    flow.taken++;
    return { kind: 'queued', run: enter({ slot: 1 }) };
  }
  switch (flow.beyond) {
    case 'skip':
      return { kind: 'skipped' };
    case 'fail':
      return fail(`not started: ${flow.most} of its runs ${flow.most === 1 ? 'is' : 'are'} under way already`, true);
    case 'replace':
      desk.crowded.add(flow);
      return { kind: 'queued', run: enter({}) };
    case 'queue':
      return { kind: 'queued', run: enter({}) };
  }
}

/* ── Storing ────────────────────────────────────────────────────────────────────────────────────────────────── */

// Resolves the lanes in which there is something to do.
async function store(parts: { sql: Sql; tx: Tx; telling: Telling }, desk: Desk): Promise<number[]> {
  const { tx, telling } = parts;
  const { workspace, hearing, entries, moves } = desk;
  await tx.update('schedules', {
    columns: ['next_at'],
    rows: moves.map(({ flow, schedule, nextAt }) => [workspace, flow, schedule, nextAt]),
  });
  if (entries.length === 0) return [];
  await tx.run('UPDATE workspaces SET head = $1 WHERE workspace = $2', [hearing.head, workspace]);
  for (const entry of entries) {
    const { number: run, flow, wish, reason } = entry;
    if (!entry.isTold || reason === null) continue;
    const { now, depth } = wish;
    const end = { ...flow, workspace, run, depth, state: 'failed' as const, reason, createdAt: now };
    entry.endEvents = await tellUnbegun(tx, telling, { end, now });
  }
  await tx.insert('runs', entries.map(runRow));
  await tx.insert('run_log', entries.flatMap(lineRow));
  const lanes = entries.flatMap(({ slot, flow }) => (slot === 1 ? [laneOf(flow.bucket)] : []));
  for (const flow of desk.crowded) lanes.push(...(await makeRoom(parts, desk, flow)));
  return lanes;
}

function runRow({ number, flow, wish, slot, reason, endEvents }: Entry): Value[] {
  const { workspace, cause, params, event, dedupe, depth, now } = wish;
  const state = reason === null ? 'queued' : 'failed';
  const causeEvent = cause.by === 'event' ? cause.event : null;
  const of = [workspace, number, flow.flow, flow.bucket, flow.kind, flow.name, flow.version, state, slot, reason];
  const why = [JSON.stringify(cause), causeEvent, JSON.stringify(params), writeJson(event), dedupe, depth, null];
  const times = [now, null, reason === null ? null : now];
  return [...of, ...why, reason === null ? 0 : 1, ...times, JSON.stringify(endEvents)];
}

function lineRow({ number, wish, reason }: Entry): Value[][] {
  return reason === null ? [] : [[wish.workspace, number, 1, wish.now, '', 'error', reason]];
}

// As many of the oldest as are too many make room for the newest.
async function makeRoom(
  { sql, tx, telling }: { sql: Sql; tx: Tx; telling: Telling },
  { workspace, entries }: Desk,
  { flow, most }: FlowAtHand,
): Promise<number[]> {
  const open = await tx.all<{ run: number }>(
    `SELECT run FROM runs WHERE workspace = $1 AND flow = $2 AND finished_at IS NULL AND abort_asked IS NULL ORDER BY run`,
    [workspace, flow],
  );
  const surplus = open.slice(0, Math.max(0, open.length - most)).map(({ run }) => run);
  const newest = entries.findLast((entry) => entry.flow.flow === flow)!;
  const runs = await holdRuns(tx, sql.dialect, { workspace, numbers: surplus });
  return askToEnd(tx, telling, { runs, by: `run ${newest.number}, which replaces it,`, now: newest.wish.now });
}
