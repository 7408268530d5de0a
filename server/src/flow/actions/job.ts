// `job`: a run of a job of the same workspace. With `wait` the step takes as long as that run, and comes out as it does.
//
// The step's key is the name of the run: a step that is done again after a crash finds the run there is.
import type { Clock } from '../../model/clock.ts';
import type { Job, Json } from '../../model/flow/definition.ts';
import { checkParams, faultsInWords } from '../../model/flow/params.ts';
import type { Flows, StoredFlow } from '../../store/flows/contract.ts';
import { ActionFailed, type Action, type ActionContext } from '../action.ts';

/** What it stands on. */
export interface JobParts {
  flows: Pick<Flows, 'one' | 'start' | 'run'>;
  clock: Pick<Clock, 'now'>;
  /** Runs that may start one another. */
  maxDepth: number;
}

interface JobInput {
  name: string;
  params?: Readonly<Record<string, Json>>;
  wait?: boolean;
}

/** The first look at a run that is waited for, and the longest pause between two. */
const LOOK_MS = 25;
const LONGEST_LOOK_MS = 2_000;

/** Makes it. */
export function createJob(parts: JobParts): Action {
  return {
    name: 'job',
    run: async (context) => {
      const { input } = context;
      const asked = (typeof input === 'string' ? { name: input } : input) as unknown as JobInput;
      const job = await parts.flows.one(context.run.workspace, { kind: 'job', name: asked.name });
      if (!job) throw new ActionFailed(`there is no job ${asked.name}`, { retryable: false });
      const run = await start(parts, context, { job, asked });
      return asked.wait === true ? waitForEnd(parts, context, { job, run }) : { job: job.flow, run };
    },
  };
}

async function start(
  { flows, clock, maxDepth }: JobParts,
  { run, idempotencyKey, trace }: ActionContext,
  { job, asked }: { job: StoredFlow; asked: JobInput },
): Promise<number> {
  const checked = checkParams((JSON.parse(job.definition) as Job).params, asked.params);
  if (!checked.ok) throw new ActionFailed(faultsInWords(checked.faults), { retryable: false });
  const started = await flows.start({
    workspace: run.workspace,
    flow: job.flow,
    cause: { by: 'run', run: run.run },
    params: checked.params,
    event: null,
    dedupe: `step/${idempotencyKey}`,
    depth: run.depth + 1,
    maxDepth,
    trace,
    now: clock.now(),
  });
  switch (started.kind) {
    case 'queued':
    case 'known':
      return started.run;
    case 'failed':
      throw new ActionFailed(`run ${started.run} of ${asked.name} failed: ${started.reason}`, { retryable: false });
    case 'skipped':
      throw new ActionFailed(`${asked.name} is not enabled, or enough of its runs are under way`);
    case 'gone':
      throw new ActionFailed(`there is no job ${asked.name}`, { retryable: false });
  }
}

async function waitForEnd(
  { flows, clock }: JobParts,
  { run: { workspace }, sleepUntil }: ActionContext,
  { job, run }: { job: StoredFlow; run: number },
): Promise<Json> {
  for (let ms = LOOK_MS; ; ms = Math.min(LONGEST_LOOK_MS, ms * 1.5)) {
    const found = await flows.run({ workspace, run });
    if (!found) throw new ActionFailed(`run ${run} of ${job.name} is gone`, { retryable: false });
    const { state, reason } = found;
    const output = { job: job.flow, run, state, reason };
    if (state === 'completed') return output;
    if (state === 'failed' || state === 'aborted') {
      throw new ActionFailed(`run ${run} of ${job.name} ${state}: ${reason}`, { retryable: false, output });
    }
    await sleepUntil(clock.now() + Math.ceil(ms));
  }
}
