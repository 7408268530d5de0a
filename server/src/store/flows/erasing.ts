// What erasing a subject does to runs: those that its events caused lose what was made of them.
import { ERASED } from '../erased.ts';
import type { Tx } from '../sql.ts';

/** Blanks the runs that an event caused: its payload, the parameters made of it, what steps took and gave, the log. */
export async function eraseRuns(tx: Tx, { workspace, event }: { workspace: number; event: number }): Promise<void> {
  const runs = await tx.all<{ run: number }>('SELECT run FROM runs WHERE workspace = $1 AND cause_event = $2', [
    workspace,
    event,
  ]);
  for (const { run } of runs) {
    const of = [workspace, run];
    const where = 'workspace = $1 AND run = $2';
    const words = (column: string): string => `${column} = CASE WHEN ${column} IS NULL THEN NULL ELSE '${ERASED}' END`;
    await tx.run(`UPDATE runs SET event = NULL, params = '{}', ${words('reason')} WHERE ${where}`, of);
    await tx.run(`UPDATE run_steps SET input = NULL, output = NULL, ${words('error')} WHERE ${where}`, of);
    await tx.run(`UPDATE run_log SET text = '${ERASED}' WHERE ${where}`, of);
  }
}
