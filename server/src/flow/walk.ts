// Walks the tree of a flow's steps: which come next, what each sees, what a failure leads to, and what a former owner of
// the run has finished already.
//
// A step that has ended is never done again: its row says what it came to. That holds because whatever reaches out of the
// run begins only when all that ended before it is written down (perform.ts).
import { actionRule } from '../model/flow/actions.ts';
import type { ActionStep, EachStep, Json, RouteStep, Step } from '../model/flow/definition.ts';
import { ExpressionError } from '../model/flow/expression/index.ts';
import type { StoredStep } from '../store/flows/contract.ts';
import { ActionFailed } from './action.ts';
import { sizeFault } from './bounds.ts';
import { Ending, Stopped } from './ending.ts';
import { isMasked } from '../model/flow/mask.ts';
import { performAction, StepFailed, type Performing } from './perform.ts';
import { decideRoute, skippedOutput, type RouteOutput } from '../model/flow/route.ts';
import { collects } from '../model/flow/step-tree.ts';
import type { Scope } from './scope.ts';
import { StepRow } from './step-row.ts';

/** What a walk stands on. */
export interface WalkParts extends Performing {
  /** What a former owner wrote down, by place. */
  former: ReadonlyMap<string, StoredStep>;
  /** Steps of one run, those of all rounds of its loops. */
  mostSteps: number;
}

/** Goes through the steps of one run. */
export class Walk {
  readonly #parts: WalkParts;
  #count = 0;

  constructor(parts: WalkParts) {
    this.#parts = parts;
  }

  /**
   * Does steps in order. `prefix` is where they stand: `steps[0].route[1].`. Rejects with {@link StepFailed} when one
   * fails for good, or with an {@link Ending}.
   */
  async steps(steps: readonly Step[], prefix: string, scope: Scope): Promise<void> {
    // A turn of the promises: a tree of any depth is walked without nesting calls.
    await Promise.resolve();
    for (const [at, step] of steps.entries()) await this.#step(step, `${prefix}steps[${at}]`, scope);
  }

  async #step(step: Step, place: string, scope: Scope): Promise<void> {
    const { halt, journal, clock, mostSteps, trace } = this.#parts;
    halt.check();
    if (++this.#count > mostSteps) throw new Ending('fail', `it has more than ${mostSteps} steps`);
    await journal.breathe();
    const former = this.#parts.former.get(place) ?? null;
    if (former && former.state !== 'running' && former.state !== 'aborted') {
      return this.#again({ step, place, scope, former });
    }
    const action = step.kind === 'action' ? step.action : step.kind;
    const row = new StepRow(journal, former ?? { place, name: step.name, action, startedAt: clock.now() });
    trace.begin({ place, name: step.name, action });
    try {
      const skipped = former ? null : this.#whySkipped(step, scope);
      if (skipped !== null) return row.end('skipped', { at: clock.now(), output: skipped });
      const output = await this.#perform(step, row, scope);
      row.end('completed', { at: clock.now(), output });
      // Nobody waits for it, but the shorter it takes, the less a crash can make of it.
      if (step.kind === 'action' && actionRule(step.action)?.outward) journal.hurry();
      if (step.kind !== 'action' || step.action !== 'set') scope.stepEnded(step.name, output);
      if (step.kind === 'action' && step.action === 'stop') throw stoppedBy(output);
    } catch (error) {
      await this.#ended(error, { step, place, scope, row });
    } finally {
      trace.end(place, row);
    }
  }

  /** Null: it is to be done. */
  #whySkipped(step: Step, scope: Scope): Json | null {
    const { expressions, clock, masker } = this.#parts;
    if (step.if === null) return null;
    const { holds, value } = expressions.holds(step.if, scope, clock.now());
    return holds ? null : masker.json(skippedOutput(step.if, value));
  }

  async #perform(step: Step, row: StepRow, scope: Scope): Promise<Json> {
    if (step.kind === 'route') return this.#route(step, row, scope);
    if (step.kind === 'each') return this.#each(step, row, scope);
    const { output, raw } = await performAction(this.#parts, { step, row, scope });
    this.#leave(step, raw, scope);
    return output;
  }

  async #ended(error: unknown, of: { step: Step; place: string; scope: Scope; row: StepRow }): Promise<void> {
    const { step, place, scope, row } = of;
    const { journal, clock, masker, halt, onError } = this.#parts;
    if (error instanceof Stopped) {
      // What it stopped inside of has done what it was to do.
      row.end('completed', { at: clock.now() });
      throw error;
    }
    if (error instanceof Ending) {
      const state = error.kind === 'abort' ? 'aborted' : 'failed';
      if (error.kind === 'abort' || error.kind === 'fail') row.end(state, { at: clock.now(), error: error.message });
      throw error;
    }
    if (!isOfFlow(error)) onError(error);
    const failed = StepFailed.of(error, { step, place });
    const reason = masker.text(failed.message);
    // What a route has decided stays in its row: the history shows it, and a run that continues this one goes by it.
    const output = step.kind === 'route' ? {} : { output: failed.output };
    row.end('failed', { at: clock.now(), error: reason, ...output });
    // What failed inside of it has said so.
    if (failed.place === place) journal.line({ place, stream: 'note', text: `Failed: ${reason}` });
    halt.check();
    await this.#caught({ step, place, scope, failed });
  }

  /** What a failure leads to. */
  async #caught({
    step,
    place,
    scope,
    failed,
  }: {
    step: Step;
    place: string;
    scope: Scope;
    failed: StepFailed;
  }): Promise<void> {
    const { onError } = step;
    scope.stepEnded(step.name, failed.output);
    if (onError.then === 'fail') throw failed;
    if (onError.then === 'continue') return;
    const reason = this.#parts.masker.text(failed.message);
    scope.set('error', { step: step.name, place: failed.place, message: reason });
    await this.steps(onError.steps, `${place}.onError.`, scope);
  }

  /** A step that had ended before: what it left behind is put back. */
  async #again({
    step,
    place,
    scope,
    former,
  }: {
    step: Step;
    place: string;
    scope: Scope;
    former: StoredStep;
  }): Promise<void> {
    if (former.state === 'skipped') return;
    if (former.state === 'failed') {
      const failed = new StepFailed(former.error ?? 'it failed', { place, output: former.output });
      return this.#caught({ step, place, scope, failed });
    }
    if (step.kind === 'route') {
      // Its branches may have set variables. Nothing of them is done again: their steps have ended, too.
      const row = new StepRow(this.#parts.journal, former);
      await this.#takeBranches(step, row, scope);
    }
    if (step.kind === 'action') this.#leaveAgain(step, scope, former);
    if (step.kind !== 'action' || step.action !== 'set') scope.stepEnded(step.name, former.output);
    if (step.kind === 'action' && step.action === 'stop') throw stoppedBy(former.output);
  }

  /** What an action leaves behind beside its output. */
  #leave(step: ActionStep, value: Json, scope: Scope): void {
    if (step.action === 'set') assign(step.name, value, scope);
    if (step.action !== 'collect') return;
    if (scope.collected === null) throw new ActionFailed('there is no loop here to collect for', { retryable: false });
    scope.collected.push(value);
  }

  #leaveAgain(step: ActionStep, scope: Scope, former: StoredStep): void {
    if (step.action === 'reply') this.#parts.replies.wasGiven();
    if (step.action !== 'set' && step.action !== 'collect') return;
    const { expressions, clock } = this.#parts;
    // What holds a secret is not in the row; it is made again of what it was made of.
    this.#leave(step, isMasked(former.output) ? expressions.fill(step, scope, clock.now()) : former.output, scope);
  }

  async #route(step: RouteStep, row: StepRow, scope: Scope): Promise<Json> {
    const { expressions, clock, masker } = this.#parts;
    // Masked before it is cut: half of a secret would be known by nobody.
    const holds = (filter: string): { holds: boolean; value: Json } => {
      const found = expressions.holds(filter, scope, clock.now());
      return { holds: found.holds, value: masker.json(found.value) };
    };
    // What was decided before a crash stays decided.
    if (row.output === null) row.begin({ output: decideRoute(step, holds) });
    await this.#takeBranches(step, row, scope);
    return row.output;
  }

  async #takeBranches(step: RouteStep, row: StepRow, scope: Scope): Promise<void> {
    // Nothing is left of it where the event that caused the run was erased.
    const { branches = [] } = (row.output ?? {}) as Partial<RouteOutput>;
    for (const [at, branch] of step.branches.entries()) {
      if (branches[at]?.taken === true) await this.steps(branch.steps, `${row.place}.route[${at}].`, scope);
    }
  }

  async #each(step: EachStep, row: StepRow, scope: Scope): Promise<Json> {
    const items = this.#itemsOf(step, row, scope);
    const collected: Json[][] = items.map(() => []);
    let next = 0;
    const failures: unknown[] = [];
    const work = async (): Promise<void> => {
      for (let at = next++; at < items.length && failures.length === 0; at = next++) {
        const inner = scope.inside({ [step.as]: items[at] as Json }, collected[at] as Json[]);
        try {
          await this.steps(step.steps, `${row.place}.each[${at}].`, inner);
        } catch (error) {
          // The first one counts; what is under way beside it is let end.
          failures.push(error);
        }
      }
    };
    const workers = Math.max(1, Math.min(step.atOnce, items.length));
    await this.#parts.seat.together(Array.from({ length: workers }, () => work));
    if (failures.length > 0) throw failures[0];
    return this.#gathered(step, items.length, collected.flat());
  }

  #gathered(step: EachStep, items: number, collected: Json[]): Json {
    if (!collects(step.steps)) return { items };
    const fault = sizeFault(collected, this.#parts.stepBytes);
    if (fault !== null) throw new ActionFailed(`what it collected ${fault}`);
    return this.#parts.masker.json({ items, collected });
  }

  // Kept in the row, so that a crash changes nothing about the list; masked, so that it is the same before and after.
  #itemsOf(step: EachStep, row: StepRow, scope: Scope): readonly Json[] {
    const { expressions, clock, masker, stepBytes } = this.#parts;
    const former = row.input as { of?: Json[] } | null;
    if (former?.of) return former.of;
    const value = expressions.value(step.of, scope, clock.now());
    if (!Array.isArray(value)) throw new ActionFailed('what it goes through is not a list');
    const fault = sizeFault(value, stepBytes);
    if (fault !== null) throw new ActionFailed(`the list ${fault}`);
    const of = masker.json(value) as Json[];
    row.begin({ input: { of } });
    return of;
  }
}

function stoppedBy(output: Json): Stopped {
  const { as, reason } = output as { as: 'completed' | 'failed'; reason: string };
  return new Stopped(as, reason);
}

/** Is it a fault of the flow or of the world, and not of the platform? */
function isOfFlow(error: unknown): boolean {
  return error instanceof StepFailed || error instanceof ActionFailed || error instanceof ExpressionError;
}

function assign(name: string | null, values: Json, scope: Scope): void {
  for (const [variable, value] of Object.entries(values as Record<string, Json>)) scope.set(variable, value);
  scope.stepEnded(name, values);
}
