// Runs and their steps as rows, and back.
import type { FlowKind, Json } from '../../model/flow/definition.ts';
import { LANES } from '../lane-contract.ts';
import type { Dialect, Tx, Value } from '../sql.ts';
import type { Cause, RunKey, RunState, StepState, StoredRun, StoredStep } from './contract.ts';

/** A run as it is selected. */
export interface RunRow extends RunKey {
  flow: number;
  kind: FlowKind;
  name: string;
  version: number;
  state: RunState;
  reason: string | null;
  cause: string;
  params: string;
  depth: number;
  trace: string | null;
  abortAsked: string | null;
  request: number | null;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  endEvents: string;
}

/** Columns of a run `r`. */
export const RUN_COLUMNS = `r.workspace, r.run, r.flow, r.kind, r.name, r.version, r.state, r.reason, r.cause, r.params,
  r.depth, r.trace, r.abort_asked AS "abortAsked", r.request, r.created_at AS "createdAt", r.started_at AS "startedAt",
  r.finished_at AS "finishedAt", r.end_events AS "endEvents"`;

/** A run as it is read. */
export function runOf(row: RunRow): StoredRun {
  const { workspace, run, flow, kind, name, version, state, reason, depth, trace, abortAsked, request } = row;
  return {
    workspace,
    run,
    flow,
    kind,
    name,
    version,
    state,
    reason,
    cause: JSON.parse(row.cause) as Cause,
    params: JSON.parse(row.params) as Record<string, Json>,
    depth,
    trace,
    abortAsked,
    request,
    createdAt: row.createdAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    endEvents: JSON.parse(row.endEvents) as number[],
  };
}

/** A step as it is selected. */
export interface StepRow {
  place: string;
  name: string | null;
  action: string;
  state: StepState;
  tries: number;
  input: string | null;
  output: string | null;
  error: string | null;
  process: string | null;
  startedAt: number;
  finishedAt: number | null;
}

/** All steps of a run. */
export const STEPS = `SELECT place, name, action, state, tries, input, output, error, process, started_at AS "startedAt",
  finished_at AS "finishedAt" FROM run_steps WHERE workspace = $1 AND run = $2`;

/** Steps as they are read, in the order in which they began. */
export function stepsOf(rows: readonly StepRow[]): StoredStep[] {
  const steps = rows.map((row) => ({ ...row, input: readJson(row.input), output: readJson(row.output) }));
  return steps.sort((a, b) => a.startedAt - b.startedAt || byPlace(a.place, b.place));
}

// `steps[2]` is before `steps[10]`.
const places = new Intl.Collator('en', { numeric: true });

function byPlace(a: string, b: string): number {
  return places.compare(a, b);
}

/** The row of a step. */
export function stepRow({ workspace, run }: RunKey, step: StoredStep): Value[] {
  const { place, name, action, state, tries, input, output, error, process, startedAt, finishedAt } = step;
  const texts = [writeJson(input), writeJson(output), storable(error), process];
  return [workspace, run, place, storable(name), action, state, tries, ...texts, startedAt, finishedAt];
}

/** JSON as a column holds it. */
export function writeJson(json: Json): string | null {
  return json === null ? null : JSON.stringify(json);
}

/** The other way round. */
export function readJson(text: string | null): Json {
  return text === null ? null : (JSON.parse(text) as Json);
}

/** Words of others may hold a NUL, which PostgreSQL's text cannot, and halves of characters, which UTF-8 cannot. */
export function storable<T extends string | null>(words: T): T {
  return (words === null ? null : words.replaceAll('\0', '\uFFFD').toWellFormed()) as T;
}

/** The lane whose owner works at the runs of this bucket. */
export function laneOf(bucket: number): number {
  return bucket % LANES;
}

/** A condition on rows in these lanes; empty where that is all of them. */
export function inLanes(column: string, lanes: readonly number[]): string {
  if (new Set(lanes).size === LANES) return '';
  return `AND ${column} % ${LANES} IN (${lanes.length === 0 ? '-1' : lanes.toSorted((a, b) => a - b).join(', ')})`;
}

/** Numbers that one statement names. There is a statement for each count up to this, and no more. */
const NAMED = 64;

/** Rows of a workspace by numbers; `text` gets the marks of a list that begins at $2. */
export async function allNamed<R>(
  tx: Pick<Tx, 'all'>,
  { workspace, numbers }: { workspace: number; numbers: Iterable<number> },
  text: (marks: string) => string,
): Promise<R[]> {
  const rows: R[] = [];
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  for (let from = 0; from < sorted.length; from += NAMED) {
    const some = sorted.slice(from, from + NAMED);
    rows.push(...(await tx.all<R>(text(some.map((_, i) => `$${i + 2}`).join(', ')), [workspace, ...some])));
  }
  return rows;
}

/** What is looked at of a run before it is written. */
export interface HeldRun extends RunKey {
  flow: number;
  bucket: number;
  kind: FlowKind;
  name: string;
  state: RunState;
  slot: number;
  lines: number;
  depth: number;
  causeEvent: number | null;
  request: number | null;
  createdAt: number;
}

/** These runs of a workspace, held until the commit. */
export function holdRuns(
  tx: Tx,
  dialect: Dialect,
  named: { workspace: number; numbers: Iterable<number> },
): Promise<HeldRun[]> {
  return allNamed<HeldRun>(
    tx,
    named,
    (marks) =>
      `SELECT workspace, run, flow, bucket, kind, name, state, slot, lines, depth, cause_event AS "causeEvent", request,
              created_at AS "createdAt"
       FROM runs WHERE workspace = $1 AND run IN (${marks}) ORDER BY run${dialect.forUpdate}`,
  );
}
