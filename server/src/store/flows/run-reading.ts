// Reading runs: one, a page of them, their steps and lines.
import type { Page } from '../page.ts';
import type { Sql, Value } from '../sql.ts';
import type { Flows, RunsQuery, ShownRun, StoredLine } from './contract.ts';
import { RUN_COLUMNS, runOf, STEPS, stepsOf, type RunRow, type StepRow } from './rows.ts';

type ReadingVerbs = Pick<Flows, 'run' | 'runs' | 'steps' | 'lines'>;

const RUN = `SELECT ${RUN_COLUMNS},
  (SELECT COUNT(*) FROM run_steps s WHERE s.workspace = r.workspace AND s.run = r.run AND s.state <> 'skipped') AS operations,
  (SELECT c.run FROM runs c WHERE c.workspace = r.workspace AND c.continues = r.run) AS "continuedBy" FROM runs r`;

type ShownRow = RunRow & Pick<ShownRun, 'operations' | 'continuedBy'>;

function shownOf(row: ShownRow): ShownRun {
  const { operations, continuedBy } = row;
  return { ...runOf(row), operations, continuedBy };
}

/** The verbs that read runs. */
export function makeRunReading(sql: Sql): ReadingVerbs {
  return {
    run: async ({ workspace, run }) => {
      const [row] = await sql.read<ShownRow>(`${RUN} WHERE r.workspace = $1 AND r.run = $2`, [workspace, run]);
      return row ? shownOf(row) : null;
    },
    runs: (query) => runs(sql, query),
    steps: async ({ workspace, run }) => stepsOf(await sql.read<StepRow>(STEPS, [workspace, run])),
    lines: ({ workspace, run }, after, limit) =>
      sql.read<StoredLine>(
        `SELECT line, at, place, stream, text FROM run_log WHERE workspace = $1 AND run = $2 AND line > $3
         ORDER BY line LIMIT $4`,
        [workspace, run, after, limit],
      ),
  };
}

async function runs(sql: Sql, query: RunsQuery): Promise<Page<ShownRun>> {
  const { workspace, cursor, limit } = query;
  const values: Value[] = [workspace, cursor === null ? Number.MAX_SAFE_INTEGER : Number(cursor), limit + 1];
  let where = 'r.workspace = $1 AND r.run < $2';
  for (const column of ['flow', 'kind', 'state'] as const) {
    const value = query[column];
    if (value !== undefined) where += ` AND r.${column} = $${values.push(value)}`;
  }
  const rows = await sql.scan<ShownRow>(`${RUN} WHERE ${where} ORDER BY r.run DESC LIMIT $3`, values);
  const page = rows.slice(0, limit);
  return { rows: page.map(shownOf), next: rows.length > limit ? String(page.at(-1)!.run) : null };
}
