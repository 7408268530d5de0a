// What erasing a subject does to runs: those that its events caused lose what was made of them.
import { ERASED } from '../erased.ts';
import { blankRequest } from '../hooks/pruning.ts';
import { eraseRows } from '../sheets/erasing.ts';
import type { Tx } from '../sql.ts';

/**
 * Blanks the runs that an event caused: its payload, the parameters made of it, what steps took and gave, the log, the rows
 * they wrote into sheets, and the request with its reply where there is one.
 */
export async function eraseRuns(tx: Tx, { workspace, event }: { workspace: number; event: number }): Promise<void> {
  const runs = await tx.all<{ run: number; request: number | null }>(
    'SELECT run, request FROM runs WHERE workspace = $1 AND cause_event = $2',
    [workspace, event],
  );
  for (const { run, request } of runs) {
    const of = [workspace, run];
    const where = 'workspace = $1 AND run = $2';
    const words = (column: string): string => `${column} = CASE WHEN ${column} IS NULL THEN NULL ELSE '${ERASED}' END`;
    await tx.run(`UPDATE runs SET event = NULL, params = '{}', reply = NULL, ${words('reason')} WHERE ${where}`, of);
    await tx.run(`UPDATE run_steps SET input = NULL, output = NULL, ${words('error')} WHERE ${where}`, of);
    await tx.run(`UPDATE run_log SET text = '${ERASED}' WHERE ${where}`, of);
    if (request !== null) await blankRequest(tx, { workspace, request });
    await eraseRows(tx, { workspace, run });
  }
}
