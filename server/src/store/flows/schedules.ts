// Time tables: when each is due next, and those that are.
import type { Sql } from '../sql.ts';
import type { DueSchedule, Flows } from './contract.ts';
import { inLanes } from './rows.ts';

/** The verbs that read time tables; they are moved on by starting.ts. */
export function makeScheduleVerbs(sql: Sql): Pick<Flows, 'dueSchedules' | 'nextSchedule'> {
  return {
    dueSchedules: async (lanes, now, limit) => {
      const rows = await sql.read<Omit<DueSchedule, 'enabled'> & { enabled: number }>(
        `SELECT s.workspace, s.flow, s.schedule, s.next_at AS "dueAt", f.enabled, v.definition FROM schedules s
         JOIN flows f ON f.workspace = s.workspace AND f.flow = s.flow
         JOIN flow_versions v ON v.workspace = f.workspace AND v.flow = f.flow AND v.version = f.version
         WHERE s.next_at <= $1 ${inLanes('s.bucket', lanes)}
         ORDER BY s.next_at, s.workspace, s.flow, s.schedule LIMIT $2`,
        [now, limit],
      );
      return rows.map((row) => ({ ...row, enabled: row.enabled === 1 }));
    },
    nextSchedule: async (lanes) => {
      const [row] = await sql.read<{ nextAt: number }>(
        `SELECT next_at AS "nextAt" FROM schedules WHERE next_at IS NOT NULL ${inLanes('bucket', lanes)}
         ORDER BY next_at LIMIT 1`,
      );
      return row?.nextAt ?? null;
    },
  };
}
