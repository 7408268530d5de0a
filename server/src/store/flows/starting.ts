// Starting: what is asked for at once shares a transaction. A run is queued, with a slot where its flow has a free one.
//
//   hold the workspaces' rows ─ numbers are given under them, and slots
//   move the time tables that are still due at that instant ─ the runs of others are left out
//   judge each wish: known already? too deep? is there a place?
//   insert them all, tell of those that failed at once, COMMIT, then tell the owners of their lanes
import { GroupCommit } from '../group-commit.ts';
import type { Listeners } from '../listeners.ts';
import type { Sql, Tx } from '../sql.ts';
import { writeTelling, type Hearing, type Telling } from '../telling.ts';
import type { Cause, Flows, NewRun, ScheduleMove, Started } from './contract.ts';
import { Desk, type Entry } from './desk.ts';
import { allNamed, storable } from './rows.ts';

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
  const work = async (tx: Tx, telling: Telling): Promise<Started[][]> => {
    lanes.clear();
    const answers = new Map<Wish, Started[]>();
    const groups = Map.groupBy(wishes, ({ workspace }) => workspace);
    await telling.hold([...groups.keys()]);
    for (const [workspace, own] of groups) {
      const hearing = telling.hearing(workspace);
      if (!hearing) {
        for (const wish of own)
          answers.set(
            wish,
            wish.runs.map(() => ({ kind: 'gone' })),
          );
        continue;
      }
      const table = await openTable(tx, hearing, own);
      for (const wish of own) answers.set(wish, judgeAll(table, wish));
      for (const lane of await store({ sql, tx, telling }, table)) lanes.add(lane);
    }
    return wishes.map((wish) => answers.get(wish)!);
  };
  const answers = await writeTelling(parts, work, { kind: 'run', size: wishes.length });
  listeners.tellRuns(lanes);
  return answers;
}

/* ── Time tables ────────────────────────────────────────────────────────────────────────────────────────────── */

/** What is asked for in one workspace. */
interface Table {
  desk: Desk;
  /** Time tables that are due as their movers believe. */
  due: ReadonlySet<string>;
  moves: ScheduleMove[];
}

async function openTable(tx: Tx, hearing: Hearing, wishes: readonly Wish[]): Promise<Table> {
  const desk = await Desk.open(
    tx,
    hearing,
    wishes.flatMap(({ runs }) => runs),
  );
  const moves = wishes.flatMap(({ move }) => (move ? [move] : []));
  return { desk, due: await dueTables(tx, hearing.workspace, moves), moves: [] };
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

async function store(parts: { sql: Sql; tx: Tx; telling: Telling }, { desk, moves }: Table): Promise<number[]> {
  const { workspace } = desk.hearing;
  await parts.tx.update('schedules', {
    columns: ['next_at'],
    rows: moves.map(({ flow, schedule, nextAt }) => [workspace, flow, schedule, nextAt]),
  });
  return desk.entries.length === 0 ? [] : desk.store(parts);
}

/* ── Judging ────────────────────────────────────────────────────────────────────────────────────────────────── */

function judgeAll({ desk, due, moves }: Table, { runs, move }: Wish): Started[] {
  if (move) {
    if (!due.has(tableName(move)) || moves.some((other) => tableName(other) === tableName(move))) return [];
    moves.push(move);
  }
  return runs.map((run) => judge(desk, run));
}

/** Enters a run that is asked for, where there is a place for it; `more` is what else is known of it. */
export function judge(desk: Desk, wish: NewRun, more: Partial<Entry> = {}): Started {
  const { depth, maxDepth, cause, request = null } = wish;
  const known = desk.known(wish);
  if (known !== undefined) return { kind: 'known', run: known };
  const flow = desk.flows.get(wish.flow);
  if (!flow) return { kind: 'gone' };
  const enter = (of: { slot?: 1; reason?: string; isTold?: boolean }): number =>
    desk.enter({ ...wish, flow, number: desk.next(), request, ...more, ...of });
  const fail = (reason: string, isTold: boolean): Started => {
    return { kind: 'failed', run: enter({ reason, isTold }), reason };
  };
  // Telling of it would go on with the chain.
  if (depth > maxDepth) return fail(tooDeep(depth, maxDepth), false);
  if (flow.enabled === 0 && !isByHand(cause)) return { kind: 'skipped' };
  if (wish.refused !== undefined) return fail(`not started: ${storable(wish.refused)}`, true);
  switch (desk.takePlace(flow)) {
    case 'slot':
      return { kind: 'queued', run: enter({ slot: 1 }) };
    case 'skip':
      return { kind: 'skipped' };
    case 'fail':
      return fail(tooMany(flow.most), true);
    case 'replace':
      desk.crowd(flow);
      return { kind: 'queued', run: enter({}) };
    case 'queue':
      return { kind: 'queued', run: enter({}) };
  }
}

// Whoever asks for a request to be worked at once more does so by hand, too.
function isByHand({ by }: Cause): boolean {
  return by === 'hand' || by === 'replay' || by === 'continue';
}

/** Why a run fails that too many others have led to. */
export function tooDeep(depth: number, maxDepth: number): string {
  return `not started: ${depth} runs led to it one after the other, and ${maxDepth} may`;
}

/** Why a run fails that there is no place for. */
export function tooMany(most: number): string {
  return `not started: ${most} of its runs ${most === 1 ? 'is' : 'are'} under way already`;
}
