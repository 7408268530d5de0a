// The end of runs that no node works at: those that were aborted before they began, or failed for want of a place. Their
// ends are told as those of all others (R1): an aborted job fires what its failure does.
import type { FlowKind, PolicySet } from '../../model/flow/definition.ts';
import { jobEndEvent, policyEndEvent, scenarioEndEvent } from '../../model/flow/end-events.ts';
import type { OperationalEvent } from '../../model/operational-events.ts';
import type { Tx } from '../sql.ts';
import type { Telling } from '../telling.ts';
import { laneOf, type HeldRun } from './rows.ts';
import { giveSlots } from './slots.ts';

/** What is told of a run that ended without having begun. */
export interface Unbegun {
  workspace: number;
  run: number;
  flow: number;
  kind: FlowKind;
  name: string;
  depth: number;
  state: 'failed' | 'aborted';
  reason: string;
  createdAt: number;
}

/** Tells of it: of a job, or of each rule of a policy set, which then has failed (R39). Resolves the numbers of the events. */
export async function tellUnbegun(
  tx: Tx,
  telling: Telling,
  { end, now }: { end: Unbegun; now: number },
): Promise<number[]> {
  const { workspace, flow } = end;
  const hearing = telling.hearing(workspace);
  if (!hearing) return [];
  const reports = await reportsOf(tx, { workspace, flow, after: 'failed' });
  const events = await endEventsOf(tx, { end, now });
  const numbers = await telling.report(
    hearing,
    events.map((event) => ({ event, reports })),
  );
  return numbers.filter((number) => number !== null);
}

async function endEventsOf(tx: Tx, { end, now }: { end: Unbegun; now: number }): Promise<OperationalEvent[]> {
  const { workspace, flow, run, kind, name, state, reason, depth, createdAt } = end;
  const group = await groupOf(tx, workspace, flow);
  if (kind !== 'policy-set') {
    const times = { startedAt: createdAt, finishedAt: now };
    const of = { run, name, group, status: state, reason, depth, ...times };
    return [kind === 'job' ? jobEndEvent({ job: flow, ...of }) : scenarioEndEvent({ scenario: flow, ...of })];
  }
  const about = { policySet: flow, evaluation: run, policySetName: name, group, depth, reason };
  const rules = await rulesOf(tx, workspace, flow);
  return rules.map((rule) => {
    return policyEndEvent({ ...about, rule, status: 'failed', evaluatedAt: now, evaluations: [] });
  });
}

async function rulesOf(tx: Tx, workspace: number, flow: number): Promise<string[]> {
  const [row] = await tx.all<{ definition: string }>(
    `SELECT v.definition FROM flows f
     JOIN flow_versions v ON v.workspace = f.workspace AND v.flow = f.flow AND v.version = f.version
     WHERE f.workspace = $1 AND f.flow = $2`,
    [workspace, flow],
  );
  if (!row) return [];
  const { rules = [] } = JSON.parse(row.definition) as Partial<PolicySet>;
  return rules.map(({ name }) => name);
}

async function groupOf(tx: Tx, workspace: number, flow: number): Promise<string | null> {
  const [row] = await tx.all<{ name: string }>(
    `SELECT g.name FROM flows f JOIN groups g ON g.workspace = f.workspace AND g.number = f.group_number
     WHERE f.workspace = $1 AND f.flow = $2`,
    [workspace, flow],
  );
  return row?.name ?? null;
}

/** The post-processings that a flow's end goes to. */
export async function reportsOf(
  tx: Tx,
  { workspace, flow, after }: { workspace: number; flow: number; after: 'completed' | 'failed' },
): Promise<number[]> {
  const rows = await tx.all<{ target: number }>(
    'SELECT target FROM flow_reports WHERE workspace = $1 AND flow = $2 AND on_status = $3 ORDER BY target',
    [workspace, flow, after],
  );
  return rows.map(({ target }) => target);
}

/** Who asks for the end of a run, and when. */
export interface Asked {
  by: string;
  now: number;
}

/**
 * Asks these runs to end, their workspace held. Those that have not begun are ended at once; of those that run the owners
 * have to hear. Resolves the lanes in which there is something to do now.
 */
export async function askToEnd(
  tx: Tx,
  telling: Telling,
  { runs, by, now }: Asked & { runs: readonly HeldRun[] },
): Promise<number[]> {
  const lanes: number[] = [];
  for (const held of runs) {
    const { workspace, run, flow, bucket, state, slot } = held;
    if (state === 'running') {
      const where = 'workspace = $1 AND run = $2 AND abort_asked IS NULL';
      await tx.run(`UPDATE runs SET abort_asked = $3 WHERE ${where}`, [workspace, run, by]);
      lanes.push(laneOf(bucket));
    } else if (state === 'queued') {
      const reason = `aborted by ${by} before it began`;
      const told = await tellUnbegun(tx, telling, { end: { ...held, state: 'aborted', reason }, now });
      await tx.run(
        `UPDATE runs SET state = 'aborted', slot = 0, reason = $3, abort_asked = $4, finished_at = $5, end_events = $6,
           lines = $7 WHERE workspace = $1 AND run = $2`,
        [workspace, run, reason, by, now, JSON.stringify(told), held.lines + 1],
      );
      await tx.insert('run_log', [[workspace, run, held.lines + 1, now, '', 'error', reason]]);
      if (slot === 1) lanes.push(...(await giveSlots(tx, { workspace, flow, now })));
    }
  }
  return lanes;
}
