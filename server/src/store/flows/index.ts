// The flows' half of the store, put together.
import { Underway } from '../underway.ts';
import { makeAbort } from './aborting.ts';
import { makeAgainVerbs } from './again.ts';
import { makeClaimVerbs } from './claiming.ts';
import type { Flows } from './contract.ts';
import { makeDefinitionVerbs, type DefinitionParts } from './definitions.ts';
import { makeDraftVerbs } from './drafts.ts';
import { makeFindingVerbs } from './findings.ts';
import { makeRunReading } from './run-reading.ts';
import { makeScheduleVerbs } from './schedules.ts';
import { makeSecretVerbs } from './secrets.ts';
import { makeStarter } from './starting.ts';
import { makeWriter } from './writing.ts';

/** Makes the verbs about flows; `drained` resolves when none that writes runs is under way. */
export function makeFlows(parts: DefinitionParts): { flows: Flows; drained(): Promise<void> } {
  const { sql } = parts;
  const underway = new Underway();
  const starter = makeStarter(parts);
  const again = makeAgainVerbs(parts);
  const writer = makeWriter(parts);
  const flows: Flows = {
    ...makeDefinitionVerbs(parts),
    ...makeDraftVerbs(sql),
    ...makeSecretVerbs(parts),
    start: underway.tracked(starter.start),
    advanceSchedule: underway.tracked(starter.advanceSchedule),
    replay: underway.tracked(again.replay),
    continueRun: underway.tracked(again.continueRun),
    ...makeClaimVerbs(sql),
    note: underway.tracked(writer.note),
    finish: underway.tracked(writer.finish),
    abort: makeAbort(parts),
    ...makeRunReading(sql),
    ...makeScheduleVerbs(sql),
    ...makeFindingVerbs(sql),
  };
  return { flows, drained: () => underway.drained() };
}
