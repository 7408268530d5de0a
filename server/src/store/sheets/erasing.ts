// What erasing a subject does to sheets: rows that were written by runs its events caused lose their cells.
import { ERASED, erasedAmong } from '../erased.ts';
import type { Tx } from '../sql.ts';

/**
 * Empties the rows that a run appended or changed, whoever else wrote into them. They keep their numbers and instants; a
 * key may hold what is to be erased.
 */
export async function eraseRows(tx: Tx, { workspace, run }: { workspace: number; run: number }): Promise<void> {
  const empty = `UPDATE sheet_rows SET cells = '{}', key = '${ERASED} ' || number`;
  await tx.run(`${empty} WHERE workspace = $1 AND run = $2 AND cells <> '{}'`, [workspace, run]);
  await tx.run(
    `${empty} WHERE workspace = $1 AND cells <> '{}' AND (sheet, number) IN (
       SELECT c.sheet, c.number FROM sheet_changes c WHERE c.workspace = $1 AND c.run = $2)`,
    [workspace, run],
  );
}

/** Who writes a row, and when. */
interface Writer {
  workspace: number;
  run: number | null;
  now: number;
}

/**
 * Those of the runs, as `workspace/run`, whose event is erased by now: they were under way when it was, and must leave
 * nothing of it. One look at a small table where nothing was erased lately.
 */
export async function erasedRuns(tx: Tx, writers: readonly Writer[]): Promise<ReadonlySet<string>> {
  const some = await tx.all('SELECT 1 AS one FROM erasures LIMIT 1');
  if (some.length === 0) return new Set();
  const caused: { workspace: number; run: number; event: number }[] = [];
  for (const { workspace, run } of new Map(writers.map((one) => [`${one.workspace}/${one.run}`, one])).values()) {
    if (run === null) continue;
    const [found] = await tx.all<{ event: number | null }>(
      'SELECT cause_event AS event FROM runs WHERE workspace = $1 AND run = $2',
      [workspace, run],
    );
    const event = found?.event ?? null;
    if (event !== null) caused.push({ workspace, run, event });
  }
  if (caused.length === 0) return new Set();
  const erased = await erasedAmong(tx, caused, Math.max(...writers.map(({ now }) => now)));
  const runs = caused.filter(({ workspace, event }) => erased.has(`${workspace}/${event}`));
  return new Set(runs.map(({ workspace, run }) => `${workspace}/${run}`));
}
