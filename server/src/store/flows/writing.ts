// Writing down what runs come to: steps and lines while they are under way, then the end with all that tells of it. What
// is noted at once shares a transaction.
//
//   hold the workspaces of those that end ─ as every accept does, for events are told and slots given
//   which lanes are still their owners', which runs still run? the others are fenced
//   write steps, lines, ends, what policies found; tell; give the slots on; COMMIT; then tell the owners of the lanes
import type { HookReply } from '../../model/hook/exchange.ts';
import { erasedAmong, ERASED } from '../erased.ts';
import { GroupCommit } from '../group-commit.ts';
import { writeReply } from '../hooks/rows.ts';
import type { Listeners } from '../listeners.ts';
import { readOwners } from '../settle.ts';
import type { Dialect, Sql, Tx, Value } from '../sql.ts';
import { writeTelling, type Telling, type Told } from '../telling.ts';
import type { Flows, RunEnd, RunKey, RunNotes, StoredLine, StoredStep } from './contract.ts';
import { reportsOf } from './ends.ts';
import { packFindings, storeFindings, type Findings } from './findings.ts';
import { holdRuns, laneOf, stepRow, storable, type HeldRun } from './rows.ts';
import { giveSlots } from './slots.ts';

/** What writing stands on. */
export interface WriteParts {
  sql: Sql;
  listeners: Listeners;
}

type WriteVerbs = Pick<Flows, 'note' | 'finish'>;

/** Steps and lines that one transaction writes, about. */
const GROUP = 4000;

/** Something to be written of one run. */
interface Writing {
  notes: RunNotes;
  end: RunEnd | null;
  findings: Findings | null;
}

type Verdict = 'written' | 'fenced';

/** Makes the verbs that write runs. */
export function makeWriter(parts: WriteParts): WriteVerbs {
  const heard = new Heard();
  const commits = new GroupCommit<Writing, Verdict>({
    commit: (writings) => commit({ ...parts, heard }, writings),
    weigh: ({ notes, findings }) => 1 + notes.steps.length + notes.lines.length + weightOf(findings),
    most: GROUP,
    blamesItem: (error) => parts.sql.blamesRow(error),
  });
  return {
    note: async (notes) =>
      (await commits.submit({ notes, end: null, findings: null })) === 'written' ? 'noted' : 'fenced',
    finish: async (end) => {
      const findings = await packFindings(end.results);
      return (await commits.submit({ notes: end, end, findings })) === 'written' ? 'finished' : 'fenced';
    },
  };
}

function weightOf(findings: Findings | null): number {
  return findings === null ? 0 : findings.chunks.length + findings.changed.length + findings.appeared.length;
}

/**
 * Workspaces in which somebody hears of ends. Of what others were told nothing may be undone by a power cut, so such ends are
 * synced; where nobody hears of them, lazy ones are not.
 */
class Heard {
  readonly #workspaces = new Set<number>();

  has(workspace: number): boolean {
    return this.#workspaces.has(workspace);
  }

  add(workspaces: Iterable<number>): void {
    if (this.#workspaces.size > MOST_HEARD) this.#workspaces.clear();
    for (const workspace of workspaces) this.#workspaces.add(workspace);
  }
}

/** Workspaces that are remembered; to forget one costs a transaction that is made twice. */
const MOST_HEARD = 10_000;

/** Somebody hears of an end that was about to be committed unsynced. */
class MustBeSynced extends Error {}

type Committing = WriteParts & { heard: Heard };

async function commit(parts: Committing, writings: readonly Writing[]): Promise<Verdict[]> {
  const { heard } = parts;
  // One that must be synced takes the others along.
  const synced = writings.some(
    ({ notes, end }) => notes.lazily !== true || (end !== null && heard.has(notes.key.workspace)),
  );
  try {
    return await write(parts, writings, synced);
  } catch (error) {
    if (!(error instanceof MustBeSynced)) throw error;
    return write(parts, writings, true);
  }
}

async function write(parts: Committing, writings: readonly Writing[], synced: boolean): Promise<Verdict[]> {
  const { sql, listeners, heard } = parts;
  const lanes = new Set<number>();
  let replied: RunKey[] = [];
  const verdicts = await writeTelling(
    parts,
    async (tx, telling) => {
      lanes.clear();
      const batch = await openBatch({ tx, telling, dialect: sql.dialect }, writings);
      const verdicts = writings.map((writing) => enter(batch, writing));
      await storeNotes(tx, batch);
      const ends = await storeEnds(tx, telling, batch);
      heard.add(ends.heardIn);
      if (!synced && ends.heardIn.size > 0) throw new MustBeSynced();
      for (const lane of ends.lanes) lanes.add(lane);
      replied = [...batch.pages.values()].filter(isHeardOf).map(({ held: { workspace, run } }) => ({ workspace, run }));
      return verdicts;
    },
    { synced, kind: 'run', size: writings.length },
  );
  listeners.tellRuns(lanes);
  listeners.tellReplied(replied);
  return verdicts;
}

/* ── Judging ────────────────────────────────────────────────────────────────────────────────────────────────── */

/** A run with what is to be written of it. */
interface Page {
  held: HeldRun;
  /** The event that caused it was erased: nothing of what was made of it may be written. */
  isErased: boolean;
  lines: number;
  reply: HookReply | null;
  end: RunEnd | null;
  findings: Findings | null;
}

interface Batch {
  isOwned: Awaited<ReturnType<typeof readOwners>>;
  /** Workspaces that are still there, of those that are held. */
  living: ReadonlySet<number>;
  pages: ReadonlyMap<string, Page>;
  steps: Map<string, Value[]>;
  lines: Value[][];
}

function nameOf({ workspace, run }: RunKey): string {
  return `${workspace}/${run}`;
}

async function openBatch(
  { tx, telling, dialect }: { tx: Tx; telling: Telling; dialect: Dialect },
  writings: readonly Writing[],
): Promise<Batch> {
  const ending = writings.filter(({ end }) => end !== null).map(({ notes }) => notes.key.workspace);
  const held = [...new Set(ending)];
  await telling.hold(held);
  const isOwned = await readOwners(
    tx,
    dialect,
    writings.map(({ notes }) => notes.lane),
  );
  const groups = [...Map.groupBy(writings, ({ notes }) => notes.key.workspace)].sort(([a], [b]) => a - b);
  const runs: HeldRun[] = [];
  for (const [workspace, own] of groups) {
    const numbers = own.map(({ notes }) => notes.key.run);
    runs.push(...(await holdRuns(tx, dialect, { workspace, numbers })));
  }
  const caused = runs.flatMap(({ workspace, causeEvent }) =>
    causeEvent === null ? [] : [{ workspace, event: causeEvent }],
  );
  const erased = caused.length === 0 ? new Set<string>() : await erasedAmong(tx, caused, latestOf(writings));
  const pages = runs.map((held): [string, Page] => {
    const isErased = held.causeEvent !== null && erased.has(`${held.workspace}/${held.causeEvent}`);
    return [nameOf(held), { held, isErased, lines: held.lines, reply: null, end: null, findings: null }];
  });
  const living = new Set(held.filter((workspace) => telling.hearing(workspace) !== undefined));
  return { isOwned, living, pages: new Map(pages), steps: new Map(), lines: [] };
}

function latestOf(writings: readonly Writing[]): number {
  let latest = 0;
  for (const { notes, end } of writings) {
    if (end) latest = Math.max(latest, end.now);
    for (const { startedAt, finishedAt } of notes.steps) latest = Math.max(latest, finishedAt ?? startedAt);
    for (const { at } of notes.lines) latest = Math.max(latest, at);
  }
  return latest;
}

function enter(batch: Batch, { notes, end, findings }: Writing): Verdict {
  const { key, lane } = notes;
  const page = batch.pages.get(nameOf(key));
  if (!page || page.held.state !== 'running' || page.end !== null) return 'fenced';
  if (lane.lane !== laneOf(page.held.bucket) || !batch.isOwned(lane)) return 'fenced';
  if (end && !batch.living.has(key.workspace)) return 'fenced';
  for (const step of notes.steps) {
    const kept = page.isErased ? withoutPayload(step) : step;
    batch.steps.set(`${nameOf(key)}/${step.place}`, stepRow(key, kept));
  }
  for (const line of notes.lines) {
    const text = page.isErased ? ERASED : line.text;
    batch.lines.push(lineRow(key, { ...line, text, line: ++page.lines }));
  }
  if (notes.reply) page.reply = page.isErased ? { status: notes.reply.status, headers: [], body: '' } : notes.reply;
  page.end = end;
  page.findings = findings;
  return 'written';
}

function withoutPayload(step: StoredStep): StoredStep {
  return { ...step, input: null, output: null, error: step.error === null ? null : ERASED };
}

function lineRow({ workspace, run }: RunKey, { line, at, place, stream, text }: StoredLine): Value[] {
  return [workspace, run, line, at, place, stream, storable(text)];
}

/* ── Storing ────────────────────────────────────────────────────────────────────────────────────────────────── */

const STEP_MOVES = ['state', 'tries', 'input', 'output', 'error', 'process', 'started_at', 'finished_at'];
/** The first columns of a step: its key, its name and its action, which do not change. */
const STEP_HEAD = 5;
const STEP_KEY = 3;

async function storeNotes(tx: Tx, { steps, lines, pages }: Batch): Promise<void> {
  if (steps.size > 0) {
    const rows = [...steps.values()];
    const isNew = await tx.insertNew('run_steps', rows);
    const known = rows.filter((_, i) => !isNew[i]).map((row) => [...row.slice(0, STEP_KEY), ...row.slice(STEP_HEAD)]);
    await tx.update('run_steps', { columns: STEP_MOVES, rows: known });
  }
  await tx.insert('run_log', lines);
  const longer = [...pages.values()].filter(({ held, lines: now, end }) => end === null && now > held.lines);
  await tx.update('runs', { columns: ['lines'], rows: longer.map((page) => [...keyOf(page), page.lines]) });
  const replying = [...pages.values()].filter(({ reply }) => reply !== null);
  await tx.update('runs', {
    columns: ['reply'],
    rows: replying.map((page) => [...keyOf(page), writeReply(page.reply!)]),
  });
}

function keyOf({ held }: Page): number[] {
  return [held.workspace, held.run];
}

// Somebody may wait for what it has replied, or for its end without a reply.
function isHeardOf({ held, reply, end }: Page): boolean {
  return held.request !== null && (reply !== null || end !== null);
}

const RUN_ENDS = ['state', 'slot', 'reason', 'finished_at', 'end_events', 'lines'];

/** A run that has ended. */
type Ended = Page & { end: RunEnd };

// Resolves the lanes in which something may begin, and the workspaces in which somebody hears of an end.
async function storeEnds(
  tx: Tx,
  telling: Telling,
  { pages }: Batch,
): Promise<{ lanes: readonly number[]; heardIn: ReadonlySet<number> }> {
  const ended = [...pages.values()].filter((page): page is Ended => page.end !== null);
  const heardIn = new Set<number>();
  if (ended.length === 0) return { lanes: [], heardIn };
  const told = new Map<Page, (number | null)[]>();
  for (const [workspace, own] of Map.groupBy(ended, ({ held }) => held.workspace)) {
    for (const [page, numbers] of await tellEnds(tx, telling, { workspace, ended: own })) told.set(page, numbers);
  }
  const rows = ended.map((page): Value[] => {
    const { end, isErased } = page;
    const reason = isErased && end.reason !== null ? ERASED : storable(end.reason);
    const events = (told.get(page) ?? []).filter((number) => number !== null);
    if (events.length > 0) heardIn.add(page.held.workspace);
    return [...keyOf(page), end.state, 0, reason, end.now, JSON.stringify(events), page.lines];
  });
  await tx.update('runs', { columns: RUN_ENDS, rows });
  for (const { held, end, findings } of ended) {
    if (findings) await storeFindings(tx, { key: held, flow: held.flow, findings, now: end.now });
  }
  const now = Math.max(...ended.map(({ end }) => end.now));
  const flows = new Map(ended.map(({ held }) => [`${held.workspace}/${held.flow}`, held]));
  const lanes: number[] = [];
  for (const flow of flows.values()) lanes.push(...(await giveSlots(tx, { ...flow, now })));
  return { lanes, heardIn };
}

// The events of all ends of a workspace at once; resolves their numbers, end by end.
async function tellEnds(
  tx: Tx,
  telling: Telling,
  { workspace, ended }: { workspace: number; ended: readonly Ended[] },
): Promise<Map<Page, (number | null)[]>> {
  const reports = new Map<string, number[]>();
  const told: Told[] = [];
  for (const { held, end } of ended) {
    for (const { event, after } of end.events) {
      const name = `${held.flow} ${after}`;
      const known = reports.get(name) ?? (await reportsOf(tx, { workspace, flow: held.flow, after }));
      reports.set(name, known);
      told.push({ event, reports: known, trace: end.trace ?? null });
    }
  }
  const numbers = await telling.report(telling.hearing(workspace)!, told);
  const byPage = new Map<Page, (number | null)[]>();
  let from = 0;
  for (const page of ended) {
    byPage.set(page, numbers.slice(from, from + page.end.events.length));
    from += page.end.events.length;
  }
  return byPage;
}
