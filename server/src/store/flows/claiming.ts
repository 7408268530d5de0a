// Claiming: queued runs that have a slot begin, each at one node only: the owner of its lane, by the lane's epoch.
import type { Json } from '../../model/flow/definition.ts';
import { CONTENT, contentOf, type ContentRow } from '../hooks/rows.ts';
import type { OwnedLane } from '../lane-contract.ts';
import { readOwners } from '../settle.ts';
import type { Sql } from '../sql.ts';
import type { ClaimedRun, ClaimQuery, Flows, RunKey, RunRequest, StoredStep } from './contract.ts';
import { holdRuns, inLanes, laneOf, readJson, RUN_COLUMNS, runOf, STEPS, stepsOf } from './rows.ts';
import type { RunRow, StepRow } from './rows.ts';
import { giveDueSlots } from './slots.ts';

type ClaimVerbs = Pick<Flows, 'claim' | 'interrupted' | 'aborting'>;

interface ClaimRow extends RunRow, Nullable<ContentRow> {
  bucket: number;
  definition: string;
  group: string | null;
  event: string | null;
  named: string | null;
  doubt: string | null;
  receivedAt: number | null;
}

/** Columns of a row that may not be there. */
type Nullable<Of> = { [Column in keyof Of]: Of[Column] | null };

// What a run is worked at by is the version it was started with; the group is what the flow's is now.
const CLAIM = `SELECT ${RUN_COLUMNS}, r.bucket, r.event, v.definition, g.name AS "group", ${CONTENT},
    q.dedupe AS named, q.reason AS doubt, q.received_at AS "receivedAt" FROM runs r
  JOIN flow_versions v ON v.workspace = r.workspace AND v.flow = r.flow AND v.version = r.version
  JOIN flows f ON f.workspace = r.workspace AND f.flow = r.flow
  LEFT JOIN groups g ON g.workspace = f.workspace AND g.number = f.group_number
  LEFT JOIN hook_requests q ON q.workspace = r.workspace AND q.request = r.request`;

/** The verbs by which a node gets its work. */
export function makeClaimVerbs(sql: Sql): ClaimVerbs {
  return {
    claim: (query) => claim(sql, query),
    interrupted: async (lanes) => {
      const rows = await sql.read<ClaimRow>(
        `${CLAIM} WHERE r.state = 'running' ${inLanes('r.bucket', numbersOf(lanes))} ORDER BY r.created_at, r.workspace, r.run`,
      );
      const epochs = new Map(lanes.map((lane) => [lane.lane, lane]));
      const found: ClaimedRun[] = [];
      for (const row of rows) {
        const lane = epochs.get(laneOf(row.bucket))!;
        found.push({ ...claimedOf(row, lane, row.startedAt!), steps: await stepsOfRun(sql, row) });
      }
      return found;
    },
    aborting: (lanes) =>
      sql.read<RunKey>(
        `SELECT workspace, run FROM runs WHERE state = 'running' AND abort_asked IS NOT NULL ${inLanes('bucket', lanes)}
         ORDER BY workspace, run`,
      ),
  };
}

function numbersOf(lanes: readonly OwnedLane[]): number[] {
  return lanes.map(({ lane }) => lane);
}

function claimedOf(row: ClaimRow, lane: OwnedLane, startedAt: number): ClaimedRun {
  const { definition, group } = row;
  const event: Json = readJson(row.event);
  const request = requestOf(row);
  return { ...runOf(row), state: 'running', startedAt, lane, definition, group, event, request, steps: [] };
}

async function stepsOfRun(sql: Sql, { workspace, run }: RunKey): Promise<StoredStep[]> {
  return stepsOf(await sql.read<StepRow>(STEPS, [workspace, run]));
}

function requestOf(row: ClaimRow): RunRequest | null {
  const { request, receivedAt, named: dedupe, doubt } = row;
  if (request === null || receivedAt === null) return null;
  return { request, receivedAt, content: contentOf(row as ContentRow), dedupe, doubt };
}

async function claim(sql: Sql, query: ClaimQuery): Promise<ClaimedRun[]> {
  const { lanes, now } = query;
  if (lanes.length === 0) return [];
  const claimed = await claimReady(sql, query);
  if (claimed.length > 0 || !(await giveDueSlots(sql, { lanes: numbersOf(lanes), now }))) return claimed;
  return claimReady(sql, query);
}

async function claimReady(sql: Sql, { lanes, now, limit, except = [] }: ClaimQuery): Promise<ClaimedRun[]> {
  const ready = await sql.read<ClaimRow>(
    `${CLAIM} WHERE r.state = 'queued' AND r.slot = 1 ${inLanes('r.bucket', numbersOf(lanes))}
       ${except.length === 0 ? '' : `AND r.workspace NOT IN (${except.map((_, i) => `$${i + 2}`).join(', ')})`}
     ORDER BY r.created_at, r.workspace, r.run LIMIT $1`,
    [limit, ...except],
  );
  if (ready.length === 0) return [];
  const epochs = new Map(lanes.map((lane) => [lane.lane, lane]));
  const begun = await sql.write(async (tx) => {
    const isOwned = await readOwners(tx, sql.dialect, lanes);
    const mine: RunKey[] = [];
    const groups = [...Map.groupBy(ready, (row) => row.workspace)].sort(([a], [b]) => a - b);
    for (const [workspace, rows] of groups) {
      const numbers = rows.map(({ run }) => run);
      const held = await holdRuns(tx, sql.dialect, { workspace, numbers });
      const still = held.filter(({ state, slot }) => state === 'queued' && slot === 1);
      mine.push(...still.filter(({ bucket }) => isOwned(epochs.get(laneOf(bucket))!)));
    }
    const rows = mine.map(({ workspace, run }) => [workspace, run, 'running', now]);
    await tx.update('runs', { columns: ['state', 'started_at'], rows });
    return new Set(mine.map(({ workspace, run }) => `${workspace}/${run}`));
  });
  const claimed: ClaimedRun[] = [];
  for (const row of ready) {
    if (!begun.has(`${row.workspace}/${row.run}`)) continue;
    const run = claimedOf(row, epochs.get(laneOf(row.bucket))!, now);
    // It begins with what it takes over.
    const isContinued = run.cause.by === 'continue';
    claimed.push(isContinued ? { ...run, steps: await stepsOfRun(sql, row) } : run);
  }
  return claimed;
}
