// Once more: a request from its beginning, or a run from where it came to an end too soon. One transaction each.
//
// The workspace is held, as for every start, and the run that it is about: its version, its steps and its request stay for
// as long as the new run needs them.
import { takeOver } from '../../model/flow/continuation.ts';
import type { Flow, Step } from '../../model/flow/definition.ts';
import { StoreRefusal } from '../contract.ts';
import { writeTelling, type Hearing, type Telling } from '../telling.ts';
import type { Tx } from '../sql.ts';
import type { Cause, ContinueWish, Flows, NewRun, ReplayWish, Started, StoredRun, StoredStep } from './contract.ts';
import { Desk, type Entry } from './desk.ts';
import { holdRuns, readJson, RUN_COLUMNS, runOf, STEPS, stepRow, stepsOf, type RunRow, type StepRow } from './rows.ts';
import { judge, type StartParts } from './starting.ts';

type AgainVerbs = Pick<Flows, 'replay' | 'continueRun'>;

/** Makes the verbs. */
export function makeAgainVerbs(parts: StartParts): AgainVerbs {
  return {
    replay: (wish) => startOne(parts, wish.workspace, (making) => replay(making, wish)),
    continueRun: (wish) => startOne(parts, wish.workspace, (making) => continueRun(making, wish)),
  };
}

/** What a run is made within. */
interface Making {
  parts: StartParts;
  tx: Tx;
  telling: Telling;
  hearing: Hearing;
}

async function startOne(
  parts: StartParts,
  workspace: number,
  start: (making: Making) => Promise<{ started: Started; lanes: number[] }>,
): Promise<Started> {
  const { started, lanes } = await writeTelling(parts, async (tx, telling) => {
    await telling.hold([workspace]);
    const hearing = telling.hearing(workspace);
    return hearing ? start({ parts, tx, telling, hearing }) : { started: { kind: 'gone' } as const, lanes: [] };
  });
  parts.listeners.tellRuns(lanes);
  return started;
}

async function enter(
  making: Making,
  wish: NewRun,
  more: Partial<Entry>,
): Promise<{ started: Started; lanes: number[] }> {
  const { parts, tx, telling, hearing } = making;
  const desk = await Desk.open(tx, hearing, [wish]);
  const started = judge(desk, wish, more);
  return { started, lanes: desk.entries.length === 0 ? [] : await desk.store({ sql: parts.sql, tx, telling }) };
}

/* ── A request ──────────────────────────────────────────────────────────────────────────────────────────────── */

interface Asked {
  flow: number;
  headers: string;
}

async function replay(making: Making, { workspace, request, run, version, ...wish }: ReplayWish) {
  const { tx } = making;
  const former = run === null ? null : await formerOf(making, { workspace, run });
  const [asked] = await tx.all<Asked>(`SELECT flow, headers FROM hook_requests WHERE workspace = $1 AND request = $2`, [
    workspace,
    request,
  ]);
  if (!asked || (former !== null && former.request !== request)) {
    throw new StoreRefusal('not-found', 'the request is not kept any more');
  }
  if (isErased(asked)) throw new StoreRefusal('erased', 'what the request said was erased');
  if (version === 'original' && former === null) {
    throw new StoreRefusal('wrong-state', 'it started no run: there is no original version');
  }
  const original = version === 'original' && former !== null ? former.version : null;
  if (original !== null) await definitionOf(tx, { workspace, flow: asked.flow, version: original });
  if (wish.dedupe !== null) {
    await tx.run(
      `UPDATE hook_requests SET dedupe = $3 WHERE workspace = $1 AND request = $2 AND dedupe IS NULL AND state <> 'taken'`,
      [workspace, request, wish.dedupe],
    );
  }
  const cause: Cause = { by: 'replay', run, key: wish.key };
  const what = { workspace, flow: asked.flow, cause, params: {}, event: null, dedupe: null, request };
  const { maxDepth, trace = null, now } = wish;
  const asWhat = original === null ? '' : `, by version ${original}`;
  const note = `Works once more at ${run === null ? 'a request that had started no run' : `the request of run ${run}`}${asWhat}.`;
  return enter(making, { ...what, depth: former?.depth ?? 0, maxDepth, trace, now }, { version: original, note });
}

// A request over HTTP has headers; one of which nothing is left has none (erasing.ts).
function isErased({ headers }: Pick<Asked, 'headers'>): boolean {
  return headers === '[]';
}

/* ── A run ──────────────────────────────────────────────────────────────────────────────────────────────────── */

interface Former extends StoredRun {
  event: string | null;
  reply: string | null;
  causeEvent: number | null;
}

async function continueRun(making: Making, { workspace, run, key, maxDepth, trace = null, now }: ContinueWish) {
  const { tx } = making;
  const former = await formerOf(making, { workspace, run });
  await checkOpenEnd(tx, former);
  const { flow, params, event, request, depth, reply, causeEvent } = former;
  const steps = await takenOver(tx, former);
  const origin = former.cause.by === 'continue' ? former.cause.origin : run;
  const cause: Cause = { by: 'continue', run, origin, key };
  const count = steps.filter(({ state }) => state !== 'running').length;
  const note = `Continues run ${run}: ${count} of its steps ${count === 1 ? 'is' : 'are'} taken over.`;
  const wish = { workspace, flow, cause, params, event: readJson(event), dedupe: null, depth, maxDepth, trace, now };
  const taken = steps.some(({ action, state }) => action === 'reply' && state === 'completed') ? reply : null;
  const asked = request === null ? wish : { ...wish, request };
  const { started, lanes } = await enter(making, asked, { continues: run, causeEvent, note });
  if (!('run' in started)) return { started, lanes };
  const next = { workspace, run: started.run };
  await tx.insert(
    'run_steps',
    steps.map((step) => stepRow(next, step)),
  );
  if (taken !== null) {
    await tx.run('UPDATE runs SET reply = $3 WHERE workspace = $1 AND run = $2', [workspace, started.run, taken]);
  }
  return { started, lanes };
}

async function checkOpenEnd(
  tx: Tx,
  { workspace, run, state, kind, request, event, causeEvent }: Former,
): Promise<void> {
  if (kind === 'policy-set') throw new StoreRefusal('wrong-state', 'an evaluation is made anew, and not continued');
  if (state === 'completed')
    throw new StoreRefusal('wrong-state', `run ${run} has completed: there is nothing to continue`);
  if (state !== 'failed' && state !== 'aborted') {
    throw new StoreRefusal('wrong-state', `run ${run} is ${state}: it goes on by itself`);
  }
  const [next] = await tx.all<{ run: number }>('SELECT run FROM runs WHERE workspace = $1 AND continues = $2', [
    workspace,
    run,
  ]);
  if (next) throw new StoreRefusal('wrong-state', `run ${next.run} continues run ${run} already`);
  if (causeEvent !== null && event === null) throw new StoreRefusal('erased', 'the event that started it was erased');
  if (kind !== 'scenario') return;
  const [asked] = await tx.all<Asked>('SELECT flow, headers FROM hook_requests WHERE workspace = $1 AND request = $2', [
    workspace,
    request,
  ]);
  if (!asked) throw new StoreRefusal('wrong-state', 'its request is not kept any more');
  if (isErased(asked)) throw new StoreRefusal('erased', 'what its request said was erased');
}

async function takenOver(tx: Tx, { workspace, run, flow, version }: Former): Promise<StoredStep[]> {
  const [present] = await tx.all<{ version: number }>('SELECT version FROM flows WHERE workspace = $1 AND flow = $2', [
    workspace,
    flow,
  ]);
  if (!present) throw new StoreRefusal('not-found', 'it was deleted: nothing of it can be continued');
  const rows = stepsOf(await tx.all<StepRow>(STEPS, [workspace, run]));
  return takeOver({
    former: stepsIn(await definitionOf(tx, { workspace, flow, version })),
    present: stepsIn(await definitionOf(tx, { workspace, flow, version: present.version })),
    rows,
  }).map((row) => ({ ...row, process: null }));
}

function stepsIn(definition: string): readonly Step[] {
  const flow = JSON.parse(definition) as Flow;
  return flow.kind === 'policy-set' ? [] : flow.steps;
}

async function formerOf(
  { parts, tx }: Making,
  { workspace, run }: { workspace: number; run: number },
): Promise<Former> {
  await holdRuns(tx, parts.sql.dialect, { workspace, numbers: [run] });
  const [row] = await tx.all<RunRow & Pick<Former, 'event' | 'reply' | 'causeEvent'>>(
    `SELECT ${RUN_COLUMNS}, r.event, r.reply, r.cause_event AS "causeEvent" FROM runs r
     WHERE r.workspace = $1 AND r.run = $2`,
    [workspace, run],
  );
  if (!row) throw new StoreRefusal('not-found', `there is no run ${run}`);
  const { event, reply, causeEvent } = row;
  return { ...runOf(row), event, reply, causeEvent };
}

async function definitionOf(
  tx: Tx,
  { workspace, flow, version }: { workspace: number; flow: number; version: number },
): Promise<string> {
  const [row] = await tx.all<{ definition: string }>(
    'SELECT definition FROM flow_versions WHERE workspace = $1 AND flow = $2 AND version = $3',
    [workspace, flow, version],
  );
  if (row) return row.definition;
  throw new StoreRefusal('wrong-state', `version ${version}, by which it ran, is not kept any more`);
}
