// The store's contract as tests that any engine can be handed. Each part stands in a file of its own.
import { exerciseAccept } from './store-contract-accept.ts';
import { exerciseAgain } from './store-contract-again.ts';
import { exerciseBatches } from './store-contract-batches.ts';
import { exerciseDrafts } from './store-contract-drafts.ts';
import { exerciseEnds } from './store-contract-ends.ts';
import { exerciseErasing } from './store-contract-erasing.ts';
import { exerciseFindings } from './store-contract-findings.ts';
import { exerciseFlows } from './store-contract-flows.ts';
import { exerciseHooks } from './store-contract-hooks.ts';
import { exerciseLanes } from './store-contract-lanes.ts';
import { exerciseLimits } from './store-contract-limits.ts';
import { exercisePostProcessings } from './store-contract-post-processings.ts';
import { exerciseReading } from './store-contract-reading.ts';
import { exerciseRetention } from './store-contract-retention.ts';
import { exerciseRuns } from './store-contract-runs.ts';
import { exerciseSettings } from './store-contract-settings.ts';
import { exerciseSettling } from './store-contract-settling.ts';
import { exerciseSheets } from './store-contract-sheets.ts';
import { exerciseTelling } from './store-contract-telling.ts';
import { exerciseWatching } from './store-contract-watching.ts';
import { exerciseWebhooks } from './store-contract-webhooks.ts';
import type { Prepare } from './store-ground.ts';

/** Runs the whole contract on an engine; `prepare` gives each test an empty database of it. */
export function exerciseStore(engine: string, prepare: Prepare): void {
  exerciseAccept(engine, prepare);
  exerciseLimits(engine, prepare);
  exerciseReading(engine, prepare);
  exerciseSettling(engine, prepare);
  exerciseLanes(engine, prepare);
  exerciseSettings(engine, prepare);
  exerciseWebhooks(engine, prepare);
  exerciseTelling(engine, prepare);
  exercisePostProcessings(engine, prepare);
  exerciseRetention(engine, prepare);
  exerciseErasing(engine, prepare);
  exerciseFlows(engine, prepare);
  exerciseRuns(engine, prepare);
  exerciseHooks(engine, prepare);
  exerciseEnds(engine, prepare);
  exerciseAgain(engine, prepare);
  exerciseDrafts(engine, prepare);
  exerciseFindings(engine, prepare);
  exerciseBatches(engine, prepare);
  exerciseSheets(engine, prepare);
  exerciseWatching(engine, prepare);
}
