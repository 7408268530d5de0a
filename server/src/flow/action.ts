// What an action is: one kind of thing a step does, such as `http` or `run`, and what it may use while it runs.
//
// What its input must look like stands in model/flow/actions.ts, for it is checked when a flow is saved, too. By the time
// an action runs its input has been evaluated and checked again.
import type { ActionName } from '../model/flow/actions.ts';
import type { Json } from '../model/flow/definition.ts';
import type { HookReply } from '../model/hook/exchange.ts';
import type { StoredLine } from '../store/flows/contract.ts';

/** The run a step belongs to, as an action may know it. */
export interface RunFacts {
  workspace: number;
  /** The part of all ids of the workspace. */
  token: string;
  run: number;
  /** The first of the runs that continue one another up to this one; its own number where it continues none. */
  origin: number;
  flow: number;
  /** The flow's name. */
  name: string;
  /** How many runs led to this one (R16). */
  depth: number;
  startedAt: number;
  /** The request that a scenario works at; null of a job. */
  request: RequestFacts | null;
}

/** The request of a scenario's run, as its actions may know it. */
export interface RequestFacts {
  request: number;
  /** What the work on it is known by over repetitions and replays: the value of the hook's `dedupe`, or its own number. */
  key: string;
}

/** What an action may use while it runs. */
export interface ActionContext {
  run: RunFacts;
  /** Where the step is in the run: `steps[1].each[3].steps[0]`. */
  place: string;
  /** Evaluated and checked. Secrets are in it in clear: say nothing of it without {@link ActionContext.mask}. */
  input: Json;
  /** From 1; goes on counting over restarts. */
  attempt: number;
  /** What the step says a try of it may take, ms; null where it says nothing. The signal keeps to it. */
  timeoutMs: number | null;
  /**
   * Aborted when the run is to end, the step's time is up, or the platform stops. Settle soon after: what does not is
   * not waited for. What is settled with afterwards is of no consequence.
   */
  signal: AbortSignal;
  /** The trace context that whatever it reaches belongs to (model/trace-context.ts), or null. */
  trace: string | null;
  /** The same for all tries of this step in this run, restarts included; no other step has it. */
  idempotencyKey: string;
  /**
   * What this step makes is known by, once (R106): of a scenario's run the same over repetitions and replays of its
   * request, of a job's the {@link ActionContext.idempotencyKey}.
   */
  rowKey: string;
  /** Adds lines to the run's log, masked and bounded; line breaks part lines. Costs nothing once the log is full. */
  log(stream: StoredLine['stream'], text: string): void;
  /**
   * Writes down by what the processes of this step can be found again; resolves when that is committed. After a crash
   * {@link Action.endProcess} gets it before anything else is done about the step.
   */
  noteProcess(process: string): Promise<void>;
  /**
   * Writes down how far the step is; resolves when that is committed. It is shown as the step's output while it runs,
   * and is {@link ActionContext.former} of the next try where the platform ended in the middle of this one.
   */
  note(soFar: Json): Promise<void>;
  /** What the step noted last before the platform ended in the middle of it; null otherwise. */
  former: Json;
  /** The text without any value of a secret the flow uses, in whatever usual form it occurs. */
  mask(text: string): string;
  /**
   * Answers who called the hook, at once; the run goes on. Throws {@link ActionFailed} where somebody was answered before,
   * and where there is no hook.
   */
  reply(reply: HookReply): void;
  /** Resolves at that instant (epoch ms). The run gives its place to others meanwhile. Rejects when aborted. */
  sleepUntil(at: number): Promise<void>;
}

/** One kind of thing a step does. */
export interface Action {
  name: ActionName;
  /** It ends by itself within moments: a platform that stops lets it end, where others are told to. */
  brief?: true;
  /**
   * Does it. The resolved value is the step's output: masked, and a failure of the step where it is too large. Throws
   * {@link ActionFailed}; anything else that is thrown is a bug of the action, and fails the step without another try.
   */
  run(context: ActionContext): Promise<Json>;
  /**
   * Ends what {@link ActionContext.noteProcess} wrote down, and resolves when nothing of it lives any more. Called before
   * a step that was interrupted is failed or run again. Throws in words when that cannot be told: then the step fails.
   */
  endProcess?(process: string): Promise<void>;
}

/** A step could not be done. The message is one clause for people. */
export class ActionFailed extends Error {
  override name = 'ActionFailed';
  /** False: another try is pointless. */
  readonly retryable: boolean;
  /** Another try before this many ms is pointless; null where nothing is known. */
  readonly afterMs: number | null;
  /** What the step shows as its output although it failed. */
  readonly output: Json;

  constructor(reason: string, more: { retryable?: boolean; afterMs?: number | null; output?: Json } = {}) {
    super(reason);
    this.retryable = more.retryable ?? true;
    this.afterMs = more.afterMs ?? null;
    this.output = more.output ?? null;
  }
}
