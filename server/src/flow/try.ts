// One try of an action: its context, its deadline, and its end whatever the action does.
import type { Clock } from '../model/clock.ts';
import { formatSpan } from '../model/quantities.ts';
import { ActionFailed, type Action, type ActionContext } from './action.ts';
import type { Json } from '../model/flow/definition.ts';
import { follow, type Halt } from './ending.ts';

/** How long an action that was told to end may take. It has commands to end in good order. */
const SETTLE_MS = 30_000;

/** What a try is made of. */
export interface Try {
  action: Action;
  context(signal: AbortSignal): ActionContext;
  halt: Halt;
  clock: Clock;
  /** It may take so long; null for as long as the run may. */
  timeoutMs: number | null;
}

/**
 * Runs the action once and resolves its output. Rejects with an ActionFailed, with the Ending when the run is to end, or
 * with whatever the action throws. What was done is done: an action that succeeds although it was told to end succeeds.
 */
export async function tryOnce({ action, context, halt, clock, timeoutMs }: Try): Promise<Json> {
  const { controller, release } = follow(action.brief ? halt.cutSignal : halt.signal);
  const { signal } = controller;
  const tooLong = (ms: number): void => controller.abort(new ActionFailed(`it took longer than ${formatSpan(ms)}`));
  const deadline = timeoutMs === null ? null : clock.after(timeoutMs, () => tooLong(timeoutMs));
  const patience = giveUpAfter(signal, clock);
  try {
    signal.throwIfAborted();
    return await Promise.race([action.run(context(signal)), patience.over]);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    deadline?.cancel();
    patience.cancel();
    release();
  }
}

/** Rejects a while after the signal: what does not end by then is not waited for. */
function giveUpAfter(signal: AbortSignal, clock: Clock): { over: Promise<never>; cancel(): void } {
  const over = Promise.withResolvers<never>();
  // Nobody may be listening any more.
  over.promise.catch(() => undefined);
  const begin = (): void => {
    const timer = clock.after(SETTLE_MS, () => over.reject(signal.reason));
    cancel = () => timer.cancel();
  };
  let cancel = (): void => signal.removeEventListener('abort', begin);
  signal.addEventListener('abort', begin, { once: true });
  return { over: over.promise, cancel: () => cancel() };
}
