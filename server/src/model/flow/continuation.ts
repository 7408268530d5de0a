// What a run takes over of the one that it continues: steps that had ended, stand at the same place and do the same still.
//
//   steps in order ─ ended, and the same?     taken over as it is
//                  ─ a route or a loop that had begun, and the same?   taken over as begun, and so are the steps in it
//                  ─ anything else            this one and all that come after it are done anew
//
// The items of a loop do not wait for one another: each is looked at by itself.
import type { Json, Step } from './definition.ts';
import type { RouteOutput } from './route.ts';

/** What has to be known of a step that was written down. */
export interface StepRecord {
  place: string;
  state: 'running' | 'completed' | 'failed' | 'skipped' | 'aborted';
  input: Json;
  output: Json;
  error: string | null;
  finishedAt: number | null;
}

/** The two versions of a flow's steps, and what the run came to by the former one. */
export interface Interruption<Row extends StepRecord> {
  former: readonly Step[];
  present: readonly Step[];
  rows: readonly Row[];
}

/** The rows that are taken over, by which the walk of the run that continues passes what was done. */
export function takeOver<Row extends StepRecord>({ former, present, rows }: Interruption<Row>): Row[] {
  const found: Found<Row> = { rows: new Map(rows.map((row) => [row.place, row])), taken: [] };
  takeSteps({ former, present }, '', found);
  return found.taken;
}

/** What a step does, as text: neither how often it is tried nor what a failure leads to. The same text is the same deed. */
export function deedOf(step: Step): string {
  const { kind, name, if: when } = step;
  if (step.kind === 'action') return JSON.stringify([kind, name, when, step.action, step.input]);
  if (step.kind === 'each') return JSON.stringify([kind, name, when, step.of, step.as]);
  const branches = step.branches.map((branch) => [branch.name, branch.if]);
  return JSON.stringify([kind, name, when, step.match, branches]);
}

interface Found<Row> {
  rows: ReadonlyMap<string, Row>;
  taken: Row[];
}

interface Pair<Of> {
  former: Of;
  present: Of;
}

/** False: it came to a step that is to be done anew. */
function takeSteps<Row extends StepRecord>(
  { former, present }: Pair<readonly Step[]>,
  prefix: string,
  found: Found<Row>,
): boolean {
  return present.every((step, at) => {
    const before = former[at];
    return before !== undefined && takeStep({ former: before, present: step }, `${prefix}steps[${at}]`, found);
  });
}

function takeStep<Row extends StepRecord>(pair: Pair<Step>, place: string, found: Found<Row>): boolean {
  const { former, present } = pair;
  const row = found.rows.get(place);
  if (row === undefined || deedOf(former) !== deedOf(present)) return false;
  if (row.state === 'skipped') {
    found.taken.push(row);
    return true;
  }
  if (row.state === 'failed' && isCaught(pair)) return takeCaught(pair, row, found);
  if (present.kind === 'action') {
    if (row.state !== 'completed') return false;
    found.taken.push(row);
    return true;
  }
  return takeInside(pair, row, found);
}

/** The flow itself says what a failure of it leads to, and says the same still. */
function isCaught({ former, present }: Pair<Step>): boolean {
  if (former.onError.then === 'fail' || former.onError.then !== present.onError.then) return false;
  return present.kind === 'action' || JSON.stringify(former) === JSON.stringify(present);
}

function takeCaught<Row extends StepRecord>({ former, present }: Pair<Step>, row: Row, found: Found<Row>): boolean {
  found.taken.push(row);
  // For those who read the history: the walk does not look at them.
  const inside = [`${row.place}.route[`, `${row.place}.each[`];
  for (const inner of found.rows.values()) {
    if (inside.some((start) => inner.place.startsWith(start))) found.taken.push(inner);
  }
  if (former.onError.then !== 'steps' || present.onError.then !== 'steps') return true;
  const handlers = { former: former.onError.steps, present: present.onError.steps };
  return takeSteps(handlers, `${row.place}.onError.`, found);
}

function takeInside<Row extends StepRecord>(pair: Pair<Step>, row: Row, found: Found<Row>): boolean {
  const at = found.taken.length;
  const { former, present } = pair;
  const { place } = row;
  let isWhole = true;
  if (former.kind === 'route' && present.kind === 'route') {
    // Nothing was decided, or what was is erased.
    const { branches } = (row.output ?? {}) as Partial<RouteOutput>;
    if (branches === undefined) return false;
    isWhole = present.branches.every(({ steps }, branch) => {
      if (branches[branch]?.taken !== true) return true;
      const inner = { former: former.branches[branch]?.steps ?? [], present: steps };
      return takeSteps(inner, `${place}.route[${branch}].`, found);
    });
  } else if (former.kind === 'each' && present.kind === 'each') {
    const { of } = (row.input ?? {}) as { of?: Json[] };
    if (of === undefined) return false;
    const inner = { former: former.steps, present: present.steps };
    for (const item of of.keys()) if (!takeSteps(inner, `${place}.each[${item}].`, found)) isWhole = false;
  }
  const isEnded = isWhole && row.state === 'completed';
  found.taken.splice(at, 0, isEnded ? row : { ...row, state: 'running', error: null, finishedAt: null });
  return isEnded;
}
