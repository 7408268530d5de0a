// The flows' half of the store, put together.
import { makeAbort } from './aborting.ts';
import { makeClaimVerbs } from './claiming.ts';
import type { Flows } from './contract.ts';
import { makeDefinitionVerbs, type DefinitionParts } from './definitions.ts';
import { makeFindingVerbs } from './findings.ts';
import { makeRunReading } from './run-reading.ts';
import { makeScheduleVerbs } from './schedules.ts';
import { makeSecretVerbs } from './secrets.ts';
import { makeStarter } from './starting.ts';
import { makeWriter } from './writing.ts';

/** Makes the verbs about flows; `drained` resolves when none that writes runs is under way. */
export function makeFlows(parts: DefinitionParts): { flows: Flows; drained(): Promise<void> } {
  const { sql, keyring } = parts;
  const underWay = new Set<Promise<unknown>>();
  const tracked = <In extends unknown[], Out>(
    verb: (...asked: In) => Promise<Out>,
  ): ((...asked: In) => Promise<Out>) => {
    return (...asked) => {
      const done = verb(...asked);
      underWay.add(done);
      const end = (): void => void underWay.delete(done);
      done.then(end, end);
      return done;
    };
  };
  const starter = makeStarter(parts);
  const writer = makeWriter(parts);
  const flows: Flows = {
    ...makeDefinitionVerbs(parts),
    ...makeSecretVerbs(sql, keyring),
    start: tracked(starter.start),
    advanceSchedule: tracked(starter.advanceSchedule),
    ...makeClaimVerbs(sql),
    note: tracked(writer.note),
    finish: tracked(writer.finish),
    abort: makeAbort(parts),
    ...makeRunReading(sql),
    ...makeScheduleVerbs(sql),
    ...makeFindingVerbs(sql),
  };
  return {
    flows,
    drained: async () => {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}
