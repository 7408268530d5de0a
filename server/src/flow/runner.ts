// The runner of one node: hears of queued runs, claims those of its lanes, keeps them fair, and ends them when asked.
//
// Hints say that there may be something; every few seconds it looks without one. All that it knows is a cache of the store:
// a node that is killed leaves its runs `running`, and whoever owns their lanes next goes on with them.
import type { Timer } from '../model/clock.ts';
import type { OwnedLane } from '../store/contract.ts';
import type { ClaimedRun, RunKey } from '../store/flows/contract.ts';
import { Ending } from './ending.ts';
import { Places } from './places.ts';
import type { Plan, Plans } from './plan.ts';
import { abortedBy, RunUnderWay, type Prepared, type RunParts } from './run.ts';

/** The lanes of this node. */
export interface FlowLanes {
  /** Those it owns at this moment, by their epochs. */
  owned(): OwnedLane[];
}

/** What a runner stands on. */
export interface RunnerParts extends Omit<RunParts, 'places'> {
  lanes: FlowLanes;
  plans: Plans;
  /** Runs that work at once; those that only wait for an instant do not count. */
  concurrency: number;
}

/** How often it looks without a hint. */
const LOOK_EVERY_MS = 5_000;
/** A store that does not answer is asked again after this. */
const RETRY_MS = 1_000;
/** Claims in a row before it looks at the rest. */
const CLAIMS = 10;
/** Runs in memory, those that wait included. */
const MOST_KEPT = 10_000;
/** When a run that could not be ended is tried again. */
const STUCK_MS = 60_000;
/** The part of all places that one workspace may have. */
const SHARE = 3 / 4;

/** Works at the runs of this node's lanes. */
export class Runner {
  readonly #parts: RunnerParts;
  readonly #runParts: RunParts;
  readonly #places: Places;
  readonly #runs = new Map<string, { under: RunUnderWay; ended: Promise<void> }>();
  /** Lanes whose interrupted runs were looked up, with the epoch of that. */
  readonly #known = new Map<number, number>();
  /** Runs that are being received, by workspace. */
  readonly #expected = new Map<number, number>();
  #allExpected = 0;
  #looping: Promise<void> | null = null;
  #stopped = false;
  /** There may be runs that only want a place. */
  #isCrowded = false;
  #woken = false;
  #stir: (() => void) | null = null;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
    this.#places = new Places(parts.concurrency, () => this.#placeIsFree());
    this.#runParts = { ...parts, places: this.#places };
  }

  /** Begins. */
  start(): void {
    this.#looping ??= this.#loop();
  }

  /** There may be something to do. */
  wake(): void {
    this.#woken = true;
    this.#stir?.();
  }

  /** These lanes are somebody else's: nothing more is done for their runs. */
  drop(lanes: readonly number[]): void {
    const lost = new Set(lanes);
    for (const lane of lanes) this.#known.delete(lane);
    const ending = new Ending('lost', 'the run is another node’s by now');
    for (const { under } of this.#runs.values()) if (lost.has(under.claimed.lane.lane)) under.cut(ending);
  }

  /**
   * May a run of this workspace that is about to be received begin here? A few may wait for a place in memory; where more
   * do, or the workspace has its share of them, it is queued, and claimed in its turn. What is expected must {@link arrive}.
   */
  expect(workspace: number): boolean {
    const { concurrency } = this.#parts;
    const share = Math.max(1, Math.floor(concurrency * SHARE));
    const expected = this.#expected.get(workspace) ?? 0;
    const isFull = expected >= share || (this.#places.held.get(workspace) ?? 0) >= share;
    const all = this.#allExpected;
    if (this.#stopped || isFull || all >= concurrency || this.#places.free === 0) return false;
    if (this.#runs.size + all >= MOST_KEPT) return false;
    this.#expected.set(workspace, expected + 1);
    this.#allExpected++;
    return true;
  }

  /** What was expected is here: the run, or null where none began. */
  arrive(workspace: number, begun: { run: ClaimedRun; prepared: Prepared } | null): void {
    this.#allExpected--;
    const left = (this.#expected.get(workspace) ?? 1) - 1;
    if (left > 0) this.#expected.set(workspace, left);
    else this.#expected.delete(workspace);
    if (begun) this.#begin(begun.run, begun.prepared);
  }

  /** Is this run under way here? */
  has(key: RunKey): boolean {
    return this.#runs.has(nameOf(key));
  }

  /** Runs under way. */
  get running(): number {
    return this.#runs.size;
  }

  /**
   * Ends: claims nothing more, tells all runs to leave off; what ends by itself within moments is let end for up to
   * `graceMs`, then cut off. Runs stay `running` for whoever owns them next.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.wake();
    const ending = new Ending('stop', 'the platform stops');
    for (const { under } of this.#runs.values()) under.end(ending);
    const ended = (): Promise<unknown> => Promise.all([...this.#runs.values()].map((run) => run.ended));
    await this.#within(graceMs, Promise.all([this.#looping, ended()]));
    for (const { under } of this.#runs.values()) under.cut(ending);
    await this.#within(graceMs, ended());
  }

  async #within(ms: number, ended: Promise<unknown>): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = this.#parts.clock.after(ms, late.resolve);
    await Promise.race([ended, late.promise]);
    timer.cancel();
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      this.#woken = false;
      let restMs = LOOK_EVERY_MS;
      try {
        await this.#round();
      } catch (error) {
        this.#parts.onError(error);
        restMs = RETRY_MS;
      }
      await this.#rest(restMs);
    }
  }

  async #rest(ms: number): Promise<void> {
    if (this.#woken || this.#stopped) return;
    const woken = Promise.withResolvers<void>();
    const timer: Timer = this.#parts.clock.after(ms, woken.resolve);
    this.#stir = woken.resolve;
    await woken.promise;
    this.#stir = null;
    timer.cancel();
  }

  async #round(): Promise<void> {
    const lanes = this.#parts.lanes.owned();
    if (lanes.length === 0) return;
    await this.#resume(lanes);
    await this.#abort(lanes);
    await this.#claim(lanes);
  }

  // Runs that were under way when their owner ended: of each lane once, as soon as it is ours.
  async #resume(lanes: readonly OwnedLane[]): Promise<void> {
    const fresh = lanes.filter(({ lane, epoch }) => this.#known.get(lane) !== epoch);
    if (fresh.length === 0) return;
    const found = await this.#parts.flows.interrupted(fresh);
    for (const { lane, epoch } of fresh) this.#known.set(lane, epoch);
    for (const run of found) this.#begin(run);
  }

  async #abort(lanes: readonly OwnedLane[]): Promise<void> {
    for (const key of await this.#parts.flows.aborting(lanes.map(({ lane }) => lane))) {
      const under = this.#runs.get(nameOf(key))?.under;
      if (!under) continue;
      const asked = await this.#parts.flows.run(key);
      under.end(abortedBy(asked?.abortAsked ?? 'somebody'));
    }
  }

  async #claim(lanes: readonly OwnedLane[]): Promise<void> {
    const { flows, clock, concurrency } = this.#parts;
    const share = Math.max(1, Math.floor(concurrency * SHARE));
    for (let claims = 0; !this.#stopped; claims++) {
      // A queue that does not end must not keep anybody from being aborted.
      if (claims === CLAIMS) return this.wake();
      const held = [...this.#places.held];
      const full = held.filter(([, places]) => places >= share).map(([workspace]) => workspace);
      const most = Math.max(0, ...held.filter(([, places]) => places < share).map(([, places]) => places));
      const limit = Math.min(this.#places.free, MOST_KEPT - this.#runs.size, share - most);
      // Whoever gives a place back asks again; when nothing is queued, the next hint does.
      this.#isCrowded = limit <= 0 || full.length > 0;
      if (limit <= 0) return;
      const claimed = await flows.claim({ lanes, now: clock.now(), limit, except: full });
      for (const run of claimed) this.#begin(run);
      if (claimed.length === 0) return;
    }
  }

  // What was claimed as the platform began to stop stays `running`, as if it had been interrupted.
  #begin(claimed: ClaimedRun, prepared: Prepared | null = null): void {
    const name = nameOf(claimed);
    if (this.#stopped || this.#runs.has(name)) return;
    const plan = this.#planOf(claimed);
    if (plan === null) return this.#comeBack(claimed, STUCK_MS);
    const under = new RunUnderWay({ claimed, plan, prepared }, this.#runParts);
    const ended = under.work().then((how) => {
      this.#runs.delete(name);
      // Where the lane is still ours, or is again, nobody else goes on with it.
      if (how !== 'ended') this.#comeBack(claimed, how === 'stuck' ? STUCK_MS : RETRY_MS);
    });
    this.#runs.set(name, { under, ended });
  }

  #planOf(claimed: ClaimedRun): Plan | null {
    try {
      return this.#parts.plans.of(claimed);
    } catch (error) {
      this.#parts.onError(error);
      return null;
    }
  }

  #placeIsFree(): void {
    if (this.#isCrowded) this.wake();
  }

  // It is looked for again among those that were interrupted.
  #comeBack({ lane: { lane } }: ClaimedRun, ms: number): void {
    if (this.#stopped) return;
    this.#parts.clock.after(ms, () => {
      this.#known.delete(lane);
      this.wake();
    });
  }
}

function nameOf({ workspace, run }: RunKey): string {
  return `${workspace}/${run}`;
}
