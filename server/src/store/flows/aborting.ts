// Aborting: asking for the end of a run, by hand or by the run that replaces it.
import type { Listeners } from '../listeners.ts';
import type { Sql } from '../sql.ts';
import { writeTelling } from '../telling.ts';
import type { Flows } from './contract.ts';
import { askToEnd } from './ends.ts';
import { holdRuns } from './rows.ts';

/** The `abort` verb. */
export function makeAbort({ sql, listeners }: { sql: Sql; listeners: Listeners }): Flows['abort'] {
  return async ({ workspace, run }, by, now) => {
    const asked = await writeTelling({ sql, listeners }, async (tx, telling) => {
      // Slots are given on, and the end is told.
      await telling.hold([workspace]);
      if (!telling.hearing(workspace)) return null;
      const runs = await holdRuns(tx, sql.dialect, { workspace, numbers: [run] });
      const isOpen = runs.some(({ state }) => state === 'queued' || state === 'running');
      if (!isOpen) return null;
      // Somebody may wait for what it would have replied.
      const unbegun = runs.filter(({ state, request }) => state === 'queued' && request !== null);
      return { lanes: await askToEnd(tx, telling, { runs, by, now }), unbegun: unbegun.length > 0 };
    });
    if (asked === null) return false;
    listeners.tellRuns(asked.lanes);
    if (asked.unbegun) listeners.tellReplied([{ workspace, run }]);
    return true;
  };
}
