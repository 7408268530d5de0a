// The flows' half of the store's contract: definitions, runs with their steps and log, secrets, what policies found.
//
// The promises of ../contract.ts hold here, too: one verb is one transaction, a verb that has resolved is committed and
// synced. A flow hashes to a bucket as targets do, and its runs belong to the owner of the bucket's lane: verbs of a run
// under way carry that lane, and a former owner is refused (`fenced`). Keys lead with the workspace. Instants are epoch ms.
import type { OperationalEvent } from '../../model/operational-events.ts';
import type { HookReply, HookRequest } from '../../model/hook/exchange.ts';
import type { FlowKind, Json } from '../../model/flow/definition.ts';
import type { FoundResource, KnownResource, RuleResult } from '../../model/policy/judge.ts';
import type { OwnedLane } from '../lane-contract.ts';
import type { Page } from '../page.ts';

export type { FoundResource, KnownResource, RuleResult } from '../../model/policy/judge.ts';

/** Flows. */
export interface Flows {
  /* Definitions */

  /**
   * Makes or replaces a flow by kind and name. `same` when the document's meaning is what it was: then nothing is written.
   * Refuses `changed-meanwhile` where it is a draft that was begun from another version than is published; the draft goes.
   * Refuses `not-found` where its group, or a post-processing of `after`, is not there. What is asked for at once shares
   * transactions.
   */
  put(flow: FlowSetting, now: number): Promise<PutFlow>;
  /** All of a kind, by name; without one, all. */
  list(workspace: number, kind?: FlowKind): Promise<StoredFlow[]>;
  one(workspace: number, by: { flow: number } | { kind: FlowKind; name: string }): Promise<StoredFlow | null>;
  /** A version of it: the latest twenty are kept, and others as long as a run of them is. */
  version(workspace: number, flow: number, version: number): Promise<FlowVersion | null>;
  /** Those that are kept, the newest first. */
  versions(workspace: number, flow: number): Promise<VersionHead[]>;
  /**
   * Keeps the draft of a scenario, by name: it changes nothing of what is published. The first one notes which version is
   * (`base`, 0 for none); those that replace it keep that.
   */
  putDraft(draft: DraftKey & Pick<Draft, 'definition' | 'source'>, now: number): Promise<Draft>;
  draft(key: DraftKey): Promise<Draft | null>;
  /** Refuses `not-found`. */
  deleteDraft(key: DraftKey): Promise<void>;
  /** Its runs under way are to be aborted first: `in-use` otherwise. History goes with retention. */
  remove(workspace: number, flow: number, now: number): Promise<void>;
  /** The job or policy set whose HTTP trigger is at this path, with the SHA-256 (hex) of the token that opens it. */
  byTrigger(path: string): Promise<{ flow: StoredFlow; tokenHash: string } | null>;
  /** Another path and token for a flow that has an HTTP trigger; refuses `not-found`. */
  renewTrigger(workspace: number, flow: number, trigger: Trigger): Promise<void>;

  /* Secrets, by name; values leave the store towards the flow engine, and towards what keeps them out of sight */

  putSecret(secret: { workspace: number; name: string; value: string }, now: number): Promise<void>;
  secretNames(workspace: number): Promise<{ name: string; updatedAt: number }[]>;
  deleteSecret(workspace: number, name: string, now: number): Promise<void>;
  /** The values of those that there are. */
  secrets(workspace: number, names: readonly string[]): Promise<Record<string, string>>;
  /** Values that they had before, or until they were deleted: old requests may say them. They go as old runs do. */
  formerSecrets(workspace: number, names: readonly string[]): Promise<string[]>;
  /** All values there are and were: an old request may say those that its flow has no name for any more. */
  everySecret(workspace: number): Promise<string[]>;

  /* Runs */

  /**
   * Asks for a run. It is queued, or refused by the flow's concurrency: `skip` leaves nothing, `fail` leaves a failed run
   * that is told as any other, `replace` asks the oldest to abort. The same `dedupe` of a flow again gives the first run.
   * A depth above `maxDepth` leaves a failed run that says so in its log and is told to nobody (R16). A flow that is not
   * enabled skips everything but a hand.
   */
  start(run: NewRun): Promise<Started>;
  /**
   * Queued runs of these lanes that have a place by their flow's concurrency become `running`; the oldest first, those of
   * the workspaces in `except` left for later.
   */
  claim(query: ClaimQuery): Promise<ClaimedRun[]>;
  /** Runs of these lanes that were running when their owner ended, with the steps they have finished. */
  interrupted(lanes: readonly OwnedLane[]): Promise<ClaimedRun[]>;
  /** Writes steps that began or ended, and lines of the log, of one run. */
  note(notes: RunNotes): Promise<'noted' | 'fenced'>;
  /**
   * Ends a run: its state, what is left to note, and in the same transaction the events that tell of it, which go to
   * whoever has subscribed and to the post-processings of the flow's `after`.
   */
  finish(end: RunEnd): Promise<'finished' | 'fenced'>;
  /**
   * Asks for the end of a run; its owner hears of it. A queued one is ended at once, and its end is told. False when it has
   * ended already, or is not there.
   */
  abort(key: RunKey, by: string, now: number): Promise<boolean>;
  /**
   * Starts another run at a request: of the present version, or of that of a run that worked at it. Refuses `not-found`,
   * `erased`, and `wrong-state` where that version is not kept any more.
   */
  replay(wish: ReplayWish): Promise<Started>;
  /**
   * Starts a run, by the present version, that takes over what a failed or aborted one has done (continuation.ts of the
   * model), and goes on from there. Refuses `not-found`; `erased`; and `wrong-state` where the run is under way or
   * completed, where another run continues it already, and where what it did is not known any more.
   */
  continueRun(wish: ContinueWish): Promise<Started>;
  /** Runs of these lanes that were asked to end. */
  aborting(lanes: readonly number[]): Promise<RunKey[]>;

  run(key: RunKey): Promise<ShownRun | null>;
  /** The newest first. */
  runs(query: RunsQuery): Promise<Page<ShownRun>>;
  steps(key: RunKey): Promise<StoredStep[]>;
  /** Lines after `after` (0 from the start), in order. */
  lines(key: RunKey, after: number, limit: number): Promise<StoredLine[]>;

  /* Time tables */

  /** Those that are due by now in these lanes. */
  dueSchedules(lanes: readonly number[], now: number, limit: number): Promise<DueSchedule[]>;
  /** When the next one of these lanes is due, or null. */
  nextSchedule(lanes: readonly number[]): Promise<number | null>;
  /**
   * Moves a time table on, with the runs it starts, in one transaction. Nothing happens, and none are resolved, when it is
   * not due at `dueAt` any more: another one has moved it, or it was changed.
   */
  advanceSchedule(move: ScheduleMove): Promise<Started[]>;

  /* What policies found */

  /** What became of each rule of an evaluation, in their order. */
  rules(key: RunKey): Promise<StoredRule[]>;
  /**
   * What is known of a rule's resources from its last evaluation that came to an end. A resource that was gone by then is
   * none of them: it was told once, and its history stays.
   */
  known(workspace: number, flow: number, rule: string): Promise<KnownResource[]>;
  /** Results of one evaluation: those that do not comply first, then rule by rule, by id. */
  results(query: ResultsQuery): Promise<Page<StoredResult>>;
  /** What one resource was found to be, the newest first; only changes, the first time it was seen among them. */
  history(query: HistoryQuery): Promise<StoredResult[]>;
}

/** What became of a wish to keep a flow. */
export interface PutFlow {
  flow: StoredFlow;
  change: 'created' | 'changed' | 'same';
  /** The trigger that was handed in is the flow's now: its token is to be shown, this once. */
  triggerIsNew: boolean;
}

/** Where a flow's HTTP trigger is, and what opens it. */
export interface Trigger {
  /** The last part of its URL, 32 characters. */
  path: string;
  /** SHA-256 (hex) of the token; null of a scenario's hook, whose path is all that a caller has to know. */
  tokenHash: string | null;
}

/** A flow to be kept. */
export interface FlowSetting {
  workspace: number;
  kind: FlowKind;
  name: string;
  /** The name of its group, or null. */
  group: string | null;
  enabled: boolean;
  /** The definition (model/flow/definition.ts) as JSON text, canonical: the same meaning is the same text. */
  definition: string;
  /** The document as its author wrote it. */
  source: string;
  /** For a flow that has none yet: one that has keeps it. Null without such a trigger. */
  trigger: Trigger | null;
  /** The names of `after`, refused `not-found` where there is no such post-processing. */
  after: { completed: readonly string[]; failed: readonly string[] };
  concurrency: { max: number; then: 'queue' | 'skip' | 'replace' | 'fail' };
  /** The first start of each of its time tables, in order. */
  schedules: readonly (number | null)[];
  /** What its event triggers subscribe to. */
  events: readonly { type: string; filter: string | null }[];
  /** It is published from its draft, which was begun from this version; absent where it is no draft's. */
  base?: number;
}

/** A flow as it is read. `flow` is the job id of R29. */
export interface StoredFlow extends Omit<FlowSetting, 'trigger' | 'schedules' | 'events' | 'base'> {
  flow: number;
  bucket: number;
  version: number;
  /** Where its HTTP trigger is, or null without. */
  triggerPath: string | null;
  createdAt: number;
  updatedAt: number;
}

/** Names the draft of a scenario. */
export interface DraftKey {
  workspace: number;
  name: string;
}

/** What a scenario is to be once it is published. */
export interface Draft extends DraftKey {
  /** The version that was published when it was begun; 0 where there was none. */
  base: number;
  definition: string;
  source: string;
  createdAt: number;
  updatedAt: number;
}

/** A version, as lists show it. */
export interface VersionHead {
  version: number;
  createdAt: number;
}

/** What a flow was. */
export interface FlowVersion {
  version: number;
  definition: string;
  source: string;
  createdAt: number;
}

/** Names a run. */
export interface RunKey {
  workspace: number;
  run: number;
}

/** What started a run. */
export type Cause =
  | { by: 'hand'; key: string }
  | { by: 'cron'; schedule: number; at: number }
  | { by: 'http' }
  | { by: 'event'; event: number; type: string }
  /** A step of another run. */
  | { by: 'run'; run: number }
  /** A request to the hook of a scenario. */
  | { by: 'hook'; request: number }
  /** A request once more: that of a run, or (null) one that had started none. */
  | { by: 'replay'; run: number | null; key: string }
  /** What that run was at, from the first step that had not ended on; `origin` is the first one of those that do so. */
  | { by: 'continue'; run: number; origin: number; key: string };

/** A run that is asked for. */
export interface NewRun {
  workspace: number;
  flow: number;
  cause: Cause;
  params: Readonly<Record<string, Json>>;
  /** The event that caused it (attributes and data), for its expressions; null without. */
  event: Json;
  /** Why it cannot begin whatever else is: it is left as a failed run that says so. */
  refused?: string;
  /** The same name again is the same run; null for a run of its own. */
  dedupe: string | null;
  /** The request to a hook that it is to work at once more; absent without. */
  request?: number;
  /** How many runs led to this one. */
  depth: number;
  maxDepth: number;
  /** The trace context it belongs to (model/trace-context.ts); absent without. */
  trace?: string | null;
  now: number;
}

/** What became of the wish for a run. */
export type Started =
  | { kind: 'queued'; run: number }
  | { kind: 'known'; run: number }
  | { kind: 'skipped' }
  | { kind: 'failed'; run: number; reason: string }
  | { kind: 'gone' };

/** A request that is to be worked at once more. */
export interface ReplayWish {
  workspace: number;
  request: number;
  /** The run that is played again: its cause names it. Null for a request that started none. */
  run: number | null;
  version: 'current' | 'original';
  /** The name under which it is done once, for a request that was kept without having been asked for one. */
  dedupe: string | null;
  /** The name of the key by which it is asked for. */
  key: string;
  maxDepth: number;
  /** As of a {@link NewRun}. */
  trace?: string | null;
  now: number;
}

/** A run that is to be continued. */
export interface ContinueWish extends Pick<ReplayWish, 'key' | 'maxDepth' | 'trace' | 'now'> {
  workspace: number;
  run: number;
}

/** How far a run is. */
export type RunState = 'queued' | 'running' | 'completed' | 'failed' | 'aborted';

/** A run as it is read. */
export interface StoredRun extends RunKey {
  flow: number;
  kind: FlowKind;
  name: string;
  version: number;
  state: RunState;
  reason: string | null;
  cause: Cause;
  params: Readonly<Record<string, Json>>;
  depth: number;
  /** The trace context it belongs to, or null. */
  trace: string | null;
  abortAsked: string | null;
  /** The request to a hook that it works at, or null. */
  request: number | null;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  /** The events that told of its end; what became of its post-processings is read from their deliveries. */
  endEvents: readonly number[];
}

/** A run as its history shows it. */
export interface ShownRun extends StoredRun {
  /** Steps that were done: those that were skipped are none of them. */
  operations: number;
  /** The run that continues it, or null. */
  continuedBy: number | null;
}

/** Which runs are to begin. */
export interface ClaimQuery {
  lanes: readonly OwnedLane[];
  now: number;
  limit: number;
  /** Workspaces that have enough under way. */
  except?: readonly number[];
}

/** A run to be worked at, with everything that takes. */
export interface ClaimedRun extends Omit<StoredRun, 'request'> {
  lane: OwnedLane;
  definition: string;
  group: string | null;
  event: Json;
  /** The request that a scenario's run works at; null without, or when it was taken away. */
  request: RunRequest | null;
  startedAt: number;
  /** Steps so far: those that ended, and those that were under way. Of one that begins: what it takes over. */
  steps: readonly StoredStep[];
}

/** The request of a scenario's run. */
export interface RunRequest {
  request: number;
  receivedAt: number;
  content: HookRequest;
  /** The name under which it is done once (R106), of replays, too; null without. */
  dedupe: string | null;
  /** Why it would have been refused, where it is only observed; null otherwise. */
  doubt: string | null;
}

/** How far a step is. */
export type StepState = 'running' | 'completed' | 'failed' | 'skipped' | 'aborted';

/** A step of a run. Secrets are masked before it gets here. */
export interface StoredStep {
  /** Where it is in this run: the step's path with the number of the item in each loop: `steps[1].each[3].steps[0]`. */
  place: string;
  name: string | null;
  action: string;
  state: StepState;
  tries: number;
  input: Json;
  output: Json;
  error: string | null;
  /** What is needed to find its processes again after a crash, or null. */
  process: string | null;
  startedAt: number;
  finishedAt: number | null;
}

/** A line of a job log or policy log. */
export interface StoredLine {
  /** From 1, without gaps. */
  line: number;
  at: number;
  place: string;
  stream: 'out' | 'error' | 'note';
  text: string;
}

/** What is written of a run under way. */
export interface RunNotes {
  key: RunKey;
  lane: OwnedLane;
  /** Inserted, or replaced under their place. */
  steps: readonly StoredStep[];
  lines: readonly Omit<StoredLine, 'line'>[];
  /** What the run has replied by now; absent where it has not, or that was written down before. */
  reply?: HookReply;
  /**
   * It need not be synced: losing it with the machine does the work once more, from a request that is on disk. For runs of
   * scenarios, and never for what has to be written down before something outward begins. An end that is told is synced all
   * the same. Absent: it is synced.
   */
  lazily?: true;
}

/** The end of a run. */
export interface RunEnd extends RunNotes {
  state: 'completed' | 'failed' | 'aborted';
  reason: string | null;
  now: number;
  /** What tells of it, each to the post-processings of `completed` or `failed`. */
  events: readonly { event: OperationalEvent; after: 'completed' | 'failed' }[];
  /** What a policy set found; empty for a job. */
  results: readonly RuleResult[];
  /** The trace context that what tells of the end is sent under; absent without. */
  trace?: string | null;
}

/** What became of a rule, as it is read. */
export interface StoredRule extends Omit<RuleResult, 'resources'> {
  /** How many resources are what. */
  counts: Readonly<Record<string, number>>;
  /** Resources that are something else than last time. */
  changes: number;
}

/** A result as it is read. */
export interface StoredResult extends FoundResource {
  run: number;
  rule: string;
  at: number;
}

/** How runs are listed. */
export interface RunsQuery {
  workspace: number;
  flow?: number;
  kind?: FlowKind;
  state?: RunState;
  cursor: string | null;
  limit: number;
}

/** How results are listed. */
export interface ResultsQuery {
  workspace: number;
  run: number;
  rule?: string;
  compliance?: string;
  cursor: string | null;
  limit: number;
}

/** Whose history is read. */
export interface HistoryQuery {
  workspace: number;
  flow: number;
  rule: string;
  resource: string;
  limit: number;
}

/** Names a time table. */
export interface ScheduleKey {
  workspace: number;
  flow: number;
  schedule: number;
}

/** What a time table comes to: the runs it starts, and when it is due next; null is never again. */
export interface ScheduleMove extends ScheduleKey {
  dueAt: number;
  nextAt: number | null;
  runs: readonly NewRun[];
}

/** A time table whose instant has come. */
export interface DueSchedule extends ScheduleKey {
  definition: string;
  enabled: boolean;
  /** The instant it was planned for. */
  dueAt: number;
}
