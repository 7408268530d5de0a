// The scheduler of one node: starts flows by their time tables, each at its instant.
//
// One timer waits for the next one that is due in this node's lanes; ten thousand idle tables cost one look into an index
// every few seconds. A table moves on in the transaction that starts its runs, so no node starts one of them twice.
import type { Clock } from '../model/clock.ts';
import { dueStarts } from '../model/flow/cron.ts';
import type { Flow, Json } from '../model/flow/definition.ts';
import { Rounds } from '../model/rounds.ts';
import type { DueSchedule, Flows, NewRun, OwnedLane, ScheduleMove } from '../store/contract.ts';

/** What it stands on. */
export interface ScheduleParts {
  flows: Pick<Flows, 'dueSchedules' | 'nextSchedule' | 'advanceSchedule'>;
  lanes: { owned(): readonly OwnedLane[] };
  clock: Clock;
  onError(error: unknown): void;
}

/** How often it looks without a hint: another node may have taken a flow in. */
const LOOK_EVERY_MS = 5_000;
/** A store that does not answer is asked again after this. */
const RETRY_MS = 1_000;
/** Time tables that are moved on at once: they share transactions. */
const CHUNK = 500;

/** Starts what is due, until stopped. */
export class Scheduler {
  readonly #parts: ScheduleParts;
  readonly #rounds: Rounds;

  constructor(parts: ScheduleParts) {
    this.#parts = parts;
    const { clock, onError } = parts;
    this.#rounds = new Rounds({ clock, onError, retryMs: RETRY_MS, round: () => this.#round() });
  }

  /** Begins. */
  start(): void {
    this.#rounds.start();
  }

  /** A flow was changed, or lanes were taken. */
  wake(): void {
    this.#rounds.wake();
  }

  /** Starts nothing more; resolves when nothing is under way. */
  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  // Resolves how long there is nothing to do.
  async #round(): Promise<number> {
    const { flows, lanes, clock } = this.#parts;
    const owned = lanes.owned().map(({ lane }) => lane);
    if (owned.length === 0) return LOOK_EVERY_MS;
    while (!this.#rounds.isStopped) {
      const due = await flows.dueSchedules(owned, clock.now(), CHUNK);
      await Promise.all(due.map((schedule) => this.#advance(schedule)));
      if (due.length < CHUNK) break;
    }
    const next = await flows.nextSchedule(owned);
    return next === null ? LOOK_EVERY_MS : Math.min(LOOK_EVERY_MS, next - clock.now());
  }

  async #advance(due: DueSchedule): Promise<void> {
    const { flows, clock, onError } = this.#parts;
    let move: ScheduleMove;
    try {
      move = moveOf(due, clock.now());
    } catch (error) {
      onError(error);
      // It cannot be read, and cannot be read in a minute either: it waits for somebody to change it.
      const { workspace, flow, schedule, dueAt } = due;
      move = { workspace, flow, schedule, dueAt, nextAt: null, runs: [] };
    }
    await flows.advanceSchedule(move);
  }
}

/** What a time table that is due comes to. Throws where its definition cannot be read. */
export function moveOf({ definition, enabled, ...due }: DueSchedule, now: number): ScheduleMove {
  const { workspace, flow, schedule, dueAt } = due;
  const { on, params } = JSON.parse(definition) as Flow;
  const cron = on.cron[schedule];
  if (!cron) throw new Error(`flow ${flow} has no time table ${schedule}`);
  const { starts, nextAt } = dueStarts(cron, { dueAt, now });
  // Checked when the flow was saved.
  const defaults = Object.entries(params).flatMap(([name, { default: value }]): [string, Json][] =>
    value === undefined ? [] : [[name, value]],
  );
  const given = { ...Object.fromEntries(defaults), ...cron.params };
  const runs = (enabled ? starts : []).map((at): NewRun => {
    const cause = { by: 'cron', schedule, at } as const;
    const dedupe = `cron/${schedule}/${at}`;
    return { workspace, flow, cause, params: given, event: null, dedupe, depth: 0, maxDepth: 0, now };
  });
  return { workspace, flow, schedule, dueAt, nextAt, runs };
}
