// Receiving: requests that come at once share a transaction, each with the run that it starts. Where there is a slot and
// the lane is in the hands of whoever received it, the run begins in the same transaction.
//
//   hold the workspaces' rows ─ numbers are given under them, and slots
//   which of the lanes handed in are still their owners'?
//   judge each request: is it of the flow as it is? known already? too deep? is there a place?
//   insert requests and runs, COMMIT (synced), then tell the owners of the lanes in which something waits
import type { ClaimedRun } from '../flows/contract.ts';
import { Desk, type Entry, type FlowAtHand } from '../flows/desk.ts';
import { allNamed, laneOf } from '../flows/rows.ts';
import { tooDeep, tooMany } from '../flows/starting.ts';
import { GroupCommit } from '../group-commit.ts';
import type { OwnedLane } from '../lane-contract.ts';
import type { Listeners } from '../listeners.ts';
import { readOwners } from '../settle.ts';
import type { Sql, Tx } from '../sql.ts';
import { writeTelling, type Hearing, type Telling } from '../telling.ts';
import type { Hooks, NewRequest, Receipt } from './contract.ts';
import { dedupeName, GROUP, requestRow, weightOf, type Kept } from './rows.ts';
import type { Trimmer } from './trimming.ts';

/** What receiving stands on. */
export interface ReceiveParts {
  sql: Sql;
  listeners: Listeners;
  trimmer: Trimmer;
}

/** Makes the `receive` verb. */
export function makeReceiver(parts: ReceiveParts): Pick<Hooks, 'receive'> {
  const commits = new GroupCommit<NewRequest, Receipt>({
    commit: (requests) => commit(parts, requests),
    weigh: ({ request }) => weightOf(request),
    most: GROUP,
    blamesItem: (error) => parts.sql.blamesRow(error),
  });
  return { receive: (request) => commits.submit({ ...request, dedupe: dedupeName(request.dedupe) }) };
}

async function commit({ sql, listeners, trimmer }: ReceiveParts, requests: readonly NewRequest[]): Promise<Receipt[]> {
  let lanes: number[] = [];
  let kept: Kept[] = [];
  const work = async (tx: Tx, telling: Telling): Promise<Receipt[]> => {
    lanes = [];
    kept = [];
    const receipts = new Map<NewRequest, Receipt>();
    const groups = Map.groupBy(requests, ({ workspace }) => workspace);
    await telling.hold([...groups.keys()]);
    const handed = new Set(requests.flatMap(({ lane }) => (lane ? [lane] : [])));
    const isOwned = await readOwners(tx, sql.dialect, [...handed]);
    for (const [workspace, own] of groups) {
      const hearing = telling.hearing(workspace);
      const counter = hearing ? await openCounter(tx, { hearing, isOwned, requests: own }) : null;
      for (const one of own) receipts.set(one, counter ? judge(counter, one) : { kind: 'gone' });
      if (!counter || counter.kept.length === 0) continue;
      lanes.push(...(await counter.desk.store({ sql, tx, telling })));
      kept.push(...counter.kept);
    }
    // Not as arrays of columns: bodies would travel as text.
    await tx.insertNew('hook_requests', kept.map(requestRow));
    return requests.map((one) => receipts.get(one)!);
  };
  const receipts = await writeTelling({ sql, listeners }, work, { kind: 'hook', size: requests.length });
  listeners.tellRuns(lanes);
  trimmer.count(kept);
  return receipts;
}

/* ── What is known of a workspace ───────────────────────────────────────────────────────────────────────────── */

interface Counter {
  desk: Desk;
  isOwned: (lane: OwnedLane) => boolean;
  /** Runs that wait, by flow; of those that may have as many as they should. */
  waiting: Map<number, number>;
  works: ReadonlyMap<number, Work>;
  kept: Kept[];
}

/** What a flow's run is worked at by. */
interface Work {
  flow: number;
  definition: string;
  group: string | null;
}

async function openCounter(
  tx: Tx,
  { hearing, isOwned, requests }: { hearing: Hearing; isOwned: Counter['isOwned']; requests: readonly NewRequest[] },
): Promise<Counter> {
  const desk = await Desk.open(tx, hearing, requests);
  const asked = Map.groupBy(requests, ({ flow }) => flow);
  const crowded: number[] = [];
  const beginning: number[] = [];
  for (const [flow, own] of asked) {
    const { most = 0, taken = 0 } = desk.flows.get(flow) ?? {};
    if (taken + own.length > most || own.some(({ beginAt }) => beginAt !== null)) crowded.push(flow);
    if (taken < most && own.some(({ lane }) => lane !== null)) beginning.push(flow);
  }
  const { workspace } = hearing;
  const waiting = await readWaiting(tx, { workspace, numbers: crowded });
  const works = await readWorks(tx, { workspace, numbers: beginning });
  return { desk, isOwned, waiting, works, kept: [] };
}

type Named = { workspace: number; numbers: readonly number[] };

// Counted within an index: a queue may be long.
async function readWaiting(tx: Tx, named: Named): Promise<Map<number, number>> {
  const rows = await allNamed<{ flow: number; waiting: number }>(
    tx,
    named,
    (marks) =>
      `SELECT flow, COUNT(*) AS waiting FROM runs
       WHERE workspace = $1 AND flow IN (${marks}) AND state = 'queued' AND slot = 0 GROUP BY flow`,
  );
  return new Map(rows.map(({ flow, waiting }) => [flow, waiting]));
}

async function readWorks(tx: Tx, named: Named): Promise<Map<number, Work>> {
  const rows = await allNamed<Work>(
    tx,
    named,
    (marks) =>
      `SELECT f.flow, v.definition, g.name AS "group" FROM flows f
       JOIN flow_versions v ON v.workspace = f.workspace AND v.flow = f.flow AND v.version = f.version
       LEFT JOIN groups g ON g.workspace = f.workspace AND g.number = f.group_number
       WHERE f.workspace = $1 AND f.flow IN (${marks})`,
  );
  return new Map(rows.map((row) => [row.flow, row]));
}

/* ── Judging ────────────────────────────────────────────────────────────────────────────────────────────────── */

function judge(counter: Counter, one: NewRequest): Receipt {
  const { desk } = counter;
  const { depth, maxDepth } = one;
  const flow = desk.flows.get(one.flow);
  if (!flow || flow.kind !== 'scenario') return { kind: 'gone' };
  if (flow.version !== one.version || flow.triggerPath !== one.token) return { kind: 'stale' };
  const known = desk.known(one);
  if (known !== undefined) {
    keep(counter, one, { request: desk.next(), run: known, state: 'repeated' });
    return { kind: 'known', run: known };
  }
  if (flow.enabled === 0) return { kind: 'disabled' };
  const asked = { one, flow };
  // Telling of it would go on with the chain.
  if (depth > maxDepth) return fail(counter, asked, { reason: tooDeep(depth, maxDepth), isTold: false });
  switch (one.beginAt === null ? desk.takePlace(flow) : 'queue') {
    case 'slot':
      return take(counter, asked);
    case 'queue': {
      const waiting = counter.waiting.get(flow.flow) ?? 0;
      if (waiting >= one.queue) return { kind: 'full' };
      counter.waiting.set(flow.flow, waiting + 1);
      return { kind: 'queued', run: enter(counter, asked, { beginAt: one.beginAt }) };
    }
    case 'skip':
      return { kind: 'full' };
    case 'fail':
      return fail(counter, asked, { reason: tooMany(flow.most), isTold: true });
    case 'replace':
      desk.crowd(flow);
      return { kind: 'queued', run: enter(counter, asked, {}) };
  }
}

/** A request, and the flow that is to work at it. */
interface Asked {
  one: NewRequest;
  flow: FlowAtHand;
}

// It has a slot: it begins here where the lane is in the right hands, and is claimed otherwise.
function take(counter: Counter, { one, flow }: Asked): Receipt {
  const { lane } = one;
  const work = counter.works.get(flow.flow);
  const isHere = lane !== null && lane.lane === laneOf(flow.bucket) && counter.isOwned(lane);
  if (!work || !isHere) return { kind: 'queued', run: enter(counter, { one, flow }, { slot: 1 }) };
  const run = enter(counter, { one, flow }, { slot: 1, begins: true });
  return { kind: 'begun', run: begunRun({ one, flow, work, lane, run }) };
}

function begunRun({ one, flow, work, lane, run }: Asked & { work: Work; lane: OwnedLane; run: number }): ClaimedRun {
  const { workspace, depth, trace = null, dedupe, doubt, request: content, now } = one;
  const { flow: number, kind, name, version } = flow;
  const { definition, group } = work;
  return {
    workspace,
    run,
    flow: number,
    kind,
    name,
    version,
    state: 'running',
    reason: null,
    cause: { by: 'hook', request: run },
    params: {},
    depth,
    trace,
    abortAsked: null,
    createdAt: now,
    startedAt: now,
    finishedAt: null,
    endEvents: [],
    lane,
    definition,
    group,
    event: null,
    request: { request: run, receivedAt: now, content, dedupe, doubt },
    steps: [],
  };
}

function fail(counter: Counter, asked: Asked, { reason, isTold }: { reason: string; isTold: boolean }): Receipt {
  return { kind: 'failed', run: enter(counter, asked, { reason, isTold }), reason };
}

// A request and its run have the same number.
function enter(counter: Counter, { one, flow }: Asked, of: Partial<Entry>): number {
  const { desk } = counter;
  const { dedupe, depth, trace, now } = one;
  const number = desk.next();
  const cause = { by: 'hook', request: number } as const;
  desk.enter({ number, flow, cause, params: {}, event: null, dedupe, depth, trace, now, request: number, ...of });
  keep(counter, one, { request: number, run: number, state: 'taken' });
  return number;
}

function keep(counter: Counter, one: NewRequest, as: Pick<Kept, 'request' | 'run' | 'state'>): void {
  const { workspace, flow, request: content, dedupe, doubt, now } = one;
  counter.kept.push({ workspace, flow, content, dedupe, reason: doubt, status: null, receivedAt: now, ...as });
}
