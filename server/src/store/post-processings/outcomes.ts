// What became of the reports of runs: read from their deliveries, so that it is written only once (R24, R28).
import { STATE, type Sql } from '../sql.ts';
import type { ReportKind, Reported } from '../../model/post-processing.ts';
import type { StoredReport } from './contract.ts';

interface OutcomeRow {
  event: number;
  target: number;
  name: string | null;
  kind: ReportKind | null;
  state: number;
  tries: number;
  status: number | null;
  reason: string | null;
  dueAt: number;
  endedAt: number | null;
}

const STATES: Record<number, Reported['state']> = {
  [STATE.open]: 'open',
  [STATE.delivered]: 'delivered',
  [STATE.dead]: 'dead',
};

/** The `reportsOf` verb. */
export async function reportsOf(sql: Sql, workspace: number, events: readonly number[]): Promise<StoredReport[]> {
  if (events.length === 0) return [];
  const marks = events.map((_, i) => `$${i + 2}`).join(', ');
  const rows = await sql.read<OutcomeRow>(
    `SELECT d.event, d.target, p.name, p.kind, d.state, d.tries, a.status, d.reason, d.due_at AS "dueAt",
            d.ended_at AS "endedAt"
     FROM deliveries d
     JOIN webhooks w ON w.workspace = d.workspace AND w.webhook = d.target AND w.mode = 'report'
     LEFT JOIN post_processings p ON p.workspace = d.workspace AND p.target = d.target
     LEFT JOIN attempts a ON a.workspace = d.workspace AND a.event = d.event AND a.target = d.target
       AND a.copy = d.copy AND a.attempt = d.attempts
     WHERE d.workspace = $1 AND d.event IN (${marks})
     ORDER BY d.event, d.target`,
    [workspace, ...events],
  );
  return rows.map(({ name, state, dueAt, endedAt, ...row }) => {
    return { ...row, postProcessing: name, state: STATES[state]!, at: endedAt ?? dueAt };
  });
}
