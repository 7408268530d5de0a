// The desk at which runs are made, within one transaction: what is known of a workspace's flows and runs, and the rows of
// those that are new. The workspace is held: numbers are given under it, and slots.
import type { FlowKind } from '../../model/flow/definition.ts';
import type { Sql, Tx, Value } from '../sql.ts';
import type { Hearing, Telling } from '../telling.ts';
import type { NewRun } from './contract.ts';
import { askToEnd, tellUnbegun } from './ends.ts';
import { allNamed, holdRuns, laneOf, writeJson } from './rows.ts';

/** A flow of which runs are asked for. */
export interface FlowAtHand {
  flow: number;
  bucket: number;
  kind: FlowKind;
  name: string;
  enabled: number;
  version: number;
  triggerPath: string | null;
  most: number;
  beyond: 'queue' | 'skip' | 'replace' | 'fail';
  /** Slots that are given. */
  taken: number;
}

/** A run to be inserted. */
export interface Entry extends Pick<NewRun, 'cause' | 'params' | 'event' | 'dedupe' | 'depth' | 'trace' | 'now'> {
  number: number;
  flow: FlowAtHand;
  request: number | null;
  slot: 0 | 1;
  /** It begins in this transaction, in the hands of whoever asked for it. */
  begins: boolean;
  /** When it is to be given a slot at the earliest; null is as soon as there is one. */
  beginAt: number | null;
  /** Why it failed at once; null where it did not. */
  reason: string | null;
  isTold: boolean;
  endEvents: readonly number[];
  /** The version that it is worked at by; null is the present one. */
  version: number | null;
  /** The event that led to the run it continues; null where its cause says so itself. */
  causeEvent: number | null;
  /** The run that it continues. */
  continues: number | null;
  /** The first line of its log; null without. */
  note: string | null;
}

/** What a run is when nothing else is said of it. */
const PLAIN = {
  request: null,
  slot: 0,
  begins: false,
  beginAt: null,
  reason: null,
  isTold: false,
  endEvents: [],
  version: null,
  causeEvent: null,
  continues: null,
  note: null,
} as const;

/** What an entry has to say. */
export type NewEntry = Omit<Entry, keyof typeof PLAIN> & Partial<Entry>;

/** Whose runs are asked for, and by which names. */
export type Asked = Pick<NewRun, 'flow' | 'dedupe'>;

/** Makes runs of one workspace. */
export class Desk {
  readonly hearing: Hearing;
  readonly flows: ReadonlyMap<number, FlowAtHand>;
  readonly entries: Entry[] = [];
  readonly #known: Map<string, number>;
  /** Flows whose oldest runs make room for new ones. */
  readonly #crowded = new Set<FlowAtHand>();

  private constructor(hearing: Hearing, flows: ReadonlyMap<number, FlowAtHand>, known: Map<string, number>) {
    this.hearing = hearing;
    this.flows = flows;
    this.#known = known;
  }

  /** Looks up what is asked for. */
  static async open(tx: Tx, hearing: Hearing, asked: readonly Asked[]): Promise<Desk> {
    const { workspace } = hearing;
    const flows = await allNamed<FlowAtHand>(
      tx,
      { workspace, numbers: asked.map(({ flow }) => flow) },
      (marks) =>
        `SELECT f.flow, f.bucket, f.kind, f.name, f.enabled, f.version, f.trigger_path AS "triggerPath",
           f.most_runs AS most, f.beyond,
           (SELECT COUNT(*) FROM runs r WHERE r.workspace = f.workspace AND r.flow = f.flow AND r.slot = 1) AS taken
         FROM flows f WHERE f.workspace = $1 AND f.flow IN (${marks})`,
    );
    const known = await knownRuns(tx, workspace, asked);
    return new Desk(hearing, new Map(flows.map((flow) => [flow.flow, flow])), known);
  }

  /** The run that has this name already, of this transaction or before. */
  known({ flow, dedupe }: Asked): number | undefined {
    return dedupe === null ? undefined : this.#known.get(`${flow}/${dedupe}`);
  }

  /** The next number of the workspace. */
  next(): number {
    return ++this.hearing.head;
  }

  /** Gives a slot where the flow has a free one; says what the flow wants done otherwise. */
  takePlace(flow: FlowAtHand): 'slot' | FlowAtHand['beyond'] {
    if (flow.taken >= flow.most) return flow.beyond;
    flow.taken++;
    return 'slot';
  }

  /** Enters a run; resolves its number. */
  enter(of: NewEntry): number {
    const { number, flow, dedupe } = of;
    if (dedupe !== null) this.#known.set(`${flow.flow}/${dedupe}`, number);
    this.entries.push({ ...PLAIN, ...of });
    return number;
  }

  /** Runs of this flow that are older make room for those that were entered. */
  crowd(flow: FlowAtHand): void {
    this.#crowded.add(flow);
  }

  /** Inserts what was entered, and moves the workspace's counter. Resolves the lanes in which there is something to do. */
  async store(parts: { sql: Sql; tx: Tx; telling: Telling }): Promise<number[]> {
    const { tx, telling } = parts;
    const { workspace } = this.hearing;
    for (const entry of this.entries) {
      const { number: run, flow, reason, isTold, depth, now } = entry;
      if (!isTold || reason === null) continue;
      const end = { ...flow, workspace, run, depth, state: 'failed' as const, reason, createdAt: now };
      entry.endEvents = await tellUnbegun(tx, telling, { end, now });
    }
    await tx.insert(
      'runs',
      this.entries.map((entry) => runRow(workspace, entry)),
    );
    await tx.insert(
      'run_log',
      this.entries.flatMap((entry) => lineRows(workspace, entry)),
    );
    const ready = this.entries.filter(({ slot, begins }) => slot === 1 && !begins);
    const lanes = ready.map(({ flow }) => laneOf(flow.bucket));
    for (const flow of this.#crowded) lanes.push(...(await this.#makeRoom(parts, flow)));
    // Last: the events that tell of runs have taken numbers, too.
    tx.atCommit('UPDATE workspaces SET head = $1 WHERE workspace = $2', [this.hearing.head, workspace]);
    return lanes;
  }

  // As many of the oldest as are too many make room for the newest.
  async #makeRoom(
    { sql, tx, telling }: { sql: Sql; tx: Tx; telling: Telling },
    { flow, most }: FlowAtHand,
  ): Promise<number[]> {
    const { workspace } = this.hearing;
    const open = await tx.all<{ run: number }>(
      `SELECT run FROM runs WHERE workspace = $1 AND flow = $2 AND finished_at IS NULL AND abort_asked IS NULL ORDER BY run`,
      [workspace, flow],
    );
    const surplus = open.slice(0, Math.max(0, open.length - most)).map(({ run }) => run);
    const newest = this.entries.findLast((entry) => entry.flow.flow === flow)!;
    const runs = await holdRuns(tx, sql.dialect, { workspace, numbers: surplus });
    return askToEnd(tx, telling, { runs, by: `run ${newest.number}, which replaces it,`, now: newest.now });
  }
}

const LOOKUP = 64;

async function knownRuns(tx: Tx, workspace: number, asked: readonly Asked[]): Promise<Map<string, number>> {
  const named = asked.filter(({ dedupe }) => dedupe !== null);
  const known = new Map<string, number>();
  for (let from = 0; from < named.length; from += LOOKUP) {
    const some = named.slice(from, from + LOOKUP);
    const keys = some.map((_, i) => `(CAST($${2 * i + 2} AS BIGINT), $${2 * i + 3})`).join(', ');
    const rows = await tx.all<{ run: number; flow: number; dedupe: string }>(
      // The second condition says nothing new: it lets the index of names be used.
      `SELECT run, flow, dedupe FROM runs
       WHERE workspace = $1 AND dedupe IS NOT NULL AND (flow, dedupe) IN (VALUES ${keys})`,
      [workspace, ...some.flatMap(({ flow, dedupe }) => [flow, dedupe])],
    );
    for (const { run, flow, dedupe } of rows) known.set(`${flow}/${dedupe}`, run);
  }
  return known;
}

function runRow(workspace: number, entry: Entry): Value[] {
  const { number, flow, cause, params, event, dedupe, depth, request, slot, begins, beginAt, reason, now } = entry;
  const { version, continues, trace = null } = entry;
  const state = reason !== null ? 'failed' : begins ? 'running' : 'queued';
  const causeEvent = cause.by === 'event' ? cause.event : entry.causeEvent;
  const of = [workspace, number, flow.flow, flow.bucket, flow.kind, flow.name, version ?? flow.version, state, slot];
  const why = [reason, JSON.stringify(cause), causeEvent, JSON.stringify(params), writeJson(event), dedupe, depth];
  const times = [now, begins ? now : null, reason === null ? null : now];
  const lines = linesOf(entry).length;
  return [...of, ...why, request, continues, beginAt, trace, null, lines, ...times, JSON.stringify(entry.endEvents)];
}

function lineRows(workspace: number, entry: Entry): Value[][] {
  return linesOf(entry).map(([stream, text], at) => [workspace, entry.number, at + 1, entry.now, '', stream, text]);
}

function linesOf({ note, reason }: Entry): ['note' | 'error', string][] {
  const lines: ['note' | 'error', string][] = [];
  if (note !== null) lines.push(['note', note]);
  if (reason !== null) lines.push(['error', reason]);
  return lines;
}
