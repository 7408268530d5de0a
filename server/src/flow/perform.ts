// Performs the action of one step: its input, its tries, and what is written down before and after each.
//
// Before something that reaches out of the run begins, the row that says so is committed, and with it the end of every
// step before it. So after a crash each step's row tells whether it had ended, had not begun, or was interrupted.
import type { ActionStep, Json, Step } from '../model/flow/definition.ts';
import { actionFault, actionRule, type ActionRule } from '../model/flow/actions.ts';
import { formatSpan } from '../model/quantities.ts';
import type { Clock } from '../model/clock.ts';
import { ActionFailed, type Action, type ActionContext, type RunFacts } from './action.ts';
import { sizeFault } from './bounds.ts';
import { Ending, type Halt } from './ending.ts';
import type { Expressions } from './expressions.ts';
import { keyOfRow, keyOfStep } from './idempotency.ts';
import type { Journal } from './journal.ts';
import type { Masker } from '../model/flow/mask.ts';
import type { Seat } from './places.ts';
import type { Replies } from './replies.ts';
import type { RunTrace } from './run-trace.ts';
import type { Scope } from './scope.ts';
import type { StepRow } from './step-row.ts';
import { tryOnce } from './try.ts';

/** What performing stands on. */
export interface Performing {
  facts: RunFacts;
  actions: ReadonlyMap<string, Action>;
  expressions: Expressions;
  journal: Journal;
  masker: Masker;
  halt: Halt;
  seat: Seat;
  replies: Replies;
  trace: RunTrace;
  clock: Clock;
  /** Bytes that the input or the output of a step may have. */
  stepBytes: number;
  onError(error: unknown): void;
}

/** A step failed. The message is a clause that names it. */
export class StepFailed extends Error {
  override name = 'StepFailed';
  readonly place: string;
  readonly output: Json;

  constructor(reason: string, { place, output = null }: { place: string; output?: Json }) {
    super(reason);
    this.place = place;
    this.output = output;
  }

  /** Whatever was thrown by a step, as its failure; what failed inside of it stays what it is. */
  static of(error: unknown, { step, place }: { step: Step; place: string }): StepFailed {
    if (error instanceof StepFailed) return error;
    const what = step.name ?? (step.kind === 'action' ? `${place} (${step.action})` : `${place} (${step.kind})`);
    const output = error instanceof ActionFailed ? error.output : null;
    return new StepFailed(`${what}: ${(error as Error).message}`, { place, output });
  }
}

/** A step that is performed. */
export interface Performed {
  step: ActionStep;
  row: StepRow;
  scope: Scope;
}

/**
 * Resolves the output, as it is kept (masked) and as it was. Rejects with an {@link Ending}, or an error whose message says
 * why the step failed.
 */
export async function performAction(parts: Performing, of: Performed): Promise<{ output: Json; raw: Json }> {
  const { actions, journal, halt, masker } = parts;
  const { step, row } = of;
  const action = actions.get(step.action);
  const rule = actionRule(step.action);
  if (!action || !rule) throw new ActionFailed(`there is no action ${step.action} here`, { retryable: false });
  const isInterrupted = row.tries > 0 && row.error === null;
  const former = isInterrupted ? row.output : null;
  if (isInterrupted) await resume(parts, { ...of, action, rule });
  const input = inputOf(parts, of);
  for (;;) {
    row.begin({ tries: row.tries + 1, input: masker.json(input), error: null });
    if (rule.outward) await journal.flush();
    halt.check();
    try {
      const context = (signal: AbortSignal): ActionContext => contextOf(parts, { ...of, input, former, signal });
      const raw = await tryOnce({ action, context, halt, clock: parts.clock, timeoutMs: step.timeoutMs });
      return { output: kept(parts, raw), raw };
    } catch (error) {
      await waitForNext(parts, of, error);
    }
  }
}

// The platform ended in the middle of it. Whatever is left of it is ended first.
async function resume(parts: Performing, of: Performed & { action: Action; rule: ActionRule }): Promise<void> {
  const { step, row, action, rule } = of;
  if (row.process !== null) {
    await action.endProcess?.(row.process);
    row.begin({ process: null });
  }
  if (rule.goesOn) return;
  if (step.resume === 'fail') throw new ActionFailed('the platform ended in the middle of it', { retryable: false });
  parts.journal.line({
    place: row.place,
    stream: 'note',
    text: 'The platform ended in the middle of it: it is run again.',
  });
}

function inputOf({ expressions, clock, stepBytes, masker }: Performing, { step, row, scope }: Performed): Json {
  const input = expressions.fill(step, scope, clock.now());
  const tooLarge = sizeFault(input, stepBytes);
  if (tooLarge !== null) throw new ActionFailed(`its input ${tooLarge}`, { retryable: false });
  const fault = actionFault(step.action, input, 'evaluated');
  if (fault !== null) {
    // What was wrong is seen in the history.
    row.begin({ input: masker.json(input) });
    throw new ActionFailed(fault, { retryable: false });
  }
  return input;
}

function kept({ masker, stepBytes }: Performing, raw: Json): Json {
  const fault = sizeFault(raw, stepBytes);
  if (fault !== null) throw new ActionFailed(`its output ${fault}`, { retryable: false });
  return masker.json(raw);
}

/** Resolves when the next try may begin. Rejects when there is none. */
async function waitForNext(parts: Performing, { step, row }: Performed, error: unknown): Promise<void> {
  const { journal, masker, clock, halt, onError, stepBytes } = parts;
  if (error instanceof Ending) throw error;
  if (!(error instanceof ActionFailed)) {
    onError(error);
    throw new ActionFailed(`something went wrong in the platform: ${(error as Error).message}`, { retryable: false });
  }
  const output = sizeFault(error.output, stepBytes) === null ? masker.json(error.output) : null;
  if (!error.retryable || row.tries > step.retry.times) {
    throw new ActionFailed(error.message, { retryable: false, output });
  }
  const waitMs = Math.max(step.retry.waitMs, Math.min(error.afterMs ?? 0, LONGEST_ASKED_MS));
  const reason = masker.text(error.message);
  // Written down also where the run is to end: nothing is under way any more, and whoever goes on with it may know that.
  row.begin({ error: reason, output, process: null });
  const text = `Try ${row.tries} failed: ${reason}. The next one is in ${formatSpan(waitMs)}.`;
  journal.line({ place: row.place, stream: 'note', text });
  await journal.flush();
  await sleepUntil(parts, clock.now() + waitMs, halt.signal);
}

/** How long somebody else may tell us to wait. */
const LONGEST_ASKED_MS = 3_600_000;

interface Trying extends Performed {
  input: Json;
  former: Json;
  signal: AbortSignal;
}

function contextOf(parts: Performing, { step, row, input, former, signal }: Trying): ActionContext {
  const { facts, journal, masker, replies, trace, stepBytes } = parts;
  const { place } = row;
  const commit = async (changes: Parameters<StepRow['begin']>[0]): Promise<void> => {
    row.begin(changes);
    await journal.flush();
  };
  return {
    run: facts,
    place,
    input,
    former,
    signal,
    attempt: row.tries,
    timeoutMs: step.timeoutMs,
    trace: trace.of(place),
    // Made when an action asks: most do not, and a hash costs more than the rest of this.
    get idempotencyKey() {
      return keyOfStep(facts, { step, place });
    },
    get rowKey() {
      return keyOfRow(facts, { step, place });
    },
    log: (stream, text) => journal.line({ place, stream, text: masker.text(text) }),
    noteProcess: (process) => commit({ process }),
    note: (soFar) => {
      const fault = sizeFault(soFar, stepBytes);
      return fault === null ? commit({ output: masker.json(soFar) }) : Promise.resolve();
    },
    mask: (text) => masker.text(text),
    reply: (reply) => replies.give(reply),
    sleepUntil: (at) => sleepUntil(parts, at, signal),
  };
}

/** Resolves at that instant, the run's place given to others meanwhile. Rejects with the signal's reason. */
function sleepUntil({ seat, clock }: Performing, at: number, signal: AbortSignal): Promise<void> {
  const waiting = Promise.withResolvers<void>();
  const timer = clock.after(at - clock.now(), waiting.resolve);
  const wake = (): void => waiting.reject(signal.reason);
  if (signal.aborted) wake();
  else signal.addEventListener('abort', wake, { once: true });
  return seat.sleep(waiting.promise).finally(() => {
    timer.cancel();
    signal.removeEventListener('abort', wake);
  });
}
