// The verbs about hooks, put together.
import type { Listeners } from '../listeners.ts';
import type { Sql } from '../sql.ts';
import { Underway } from '../underway.ts';
import type { Hooks } from './contract.ts';
import { makeKeeper } from './keeping.ts';
import { makeHookReading } from './reading.ts';
import { makeReceiver } from './receiving.ts';
import { Trimmer } from './trimming.ts';

/** What hooks stand on. */
export interface HookParts {
  sql: Sql;
  listeners: Listeners;
  onError(error: unknown): void;
}

/** Makes the verbs about hooks; `drained` resolves when none that writes is under way. */
export function makeHooks({ sql, listeners, onError }: HookParts): { hooks: Hooks; drained(): Promise<void> } {
  const trimmer = new Trimmer(sql, onError);
  const underway = new Underway();
  const { receive } = makeReceiver({ sql, listeners, trimmer });
  const { keep } = makeKeeper({ sql, trimmer });
  return {
    hooks: { receive: underway.tracked(receive), keep: underway.tracked(keep), ...makeHookReading(sql) },
    drained: async () => {
      await underway.drained();
      await trimmer.idle();
    },
  };
}
