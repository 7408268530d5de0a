// The store's contract: what the platform asks of its memory, in the domain's words. One verb is one transaction.
//
// It is long because it is the whole contract: one place to read what may be asked, and nothing of how it is done.
//
// Promises every engine keeps (the suite in server/test/store-contract.ts shows them on each):
//  - A verb that has resolved is committed; `accept` and every state change are also synced to disk. A `settle` of
//    successes and retries may be lost by a crash (it is only a note that something was sent): it is sent again. So may
//    what is said to be written `lazily`: it is done again from what was synced.
//  - `accept` is a group commit: what arrives while one commit runs shares the next. A shared commit fails only the
//    guilty: a request that cannot be stored is found by halving, its companions are stored.
//  - Numbers of a workspace (events, webhooks, subscriptions…) are given under a lock on the workspace's row that is
//    held until the commit. So numbers are in commit order, a reader by number skips nothing, two publishes of the
//    same ids cannot deadlock, and the subscriptions an event is matched with are those of its commit.
//  - Every key leads with the workspace. Instants are epoch ms, spans ms, sizes bytes.
import type { Batching } from '../model/batch.ts';
import type { Catalog, EventType, SchemaCheck } from '../model/catalog.ts';
import type { ChallengeNote } from '../model/challenge.ts';
import type { Attempt, DeliveryState, PendingDelivery, Settlement, StoredState } from '../model/delivery.ts';
import type { DeliveryKey } from '../model/ids.ts';
import type { Order, Recovery } from '../model/order.ts';
import type { OperationKind, OperationState } from '../model/operation.ts';
import type { ReportSetting } from '../model/post-processing.ts';
import type {
  Format,
  Health,
  Intent,
  Mode,
  OAuthClient,
  Signing,
  TlsSettings,
  Verification,
  Vitals,
} from '../model/webhook.ts';
import type { Flows, RunKey } from './flows/contract.ts';
import type { Hooks } from './hooks/contract.ts';
import type { Lanes, OwnedLane } from './lane-contract.ts';
import type { Page } from './page.ts';
import type { PostProcessings } from './post-processings/contract.ts';
import type { Sheets } from './sheets/contract.ts';

export * from './flows/contract.ts';
export * from './hooks/contract.ts';
export * from './lane-contract.ts';
export * from './page.ts';
export * from './sheets/contract.ts';

/** The whole store. */
export interface Store {
  log: Log;
  operations: Operations;
  erasures: Erasures;
  pulls: Pulls;
  flows: Flows;
  hooks: Hooks;
  settings: Settings;
  postProcessings: PostProcessings;
  sheets: Sheets;
  lanes: Lanes;
  /** Hints that something was committed; they may be missed or come twice (polling is the truth). */
  on(listener: StoreListener): void;
  /** Resolves when the store answers; rejects with the reason in words otherwise. */
  check(): Promise<void>;
  /** Finishes what was begun and closes. Twice is harmless. */
  close(): Promise<void>;
}

/** What the store tells those who listen, always after the commit. */
export interface StoreListener {
  /** Deliveries made by any door: publish, replay, expansion of a large fan-out. */
  deliveries?(deliveries: PendingDelivery[]): void;
  /** Events of these workspaces were accepted. */
  events?(workspaces: readonly number[]): void;
  /** Deliveries of these targets have become due in the store, too many to be handed over. */
  due?(targets: readonly TargetKey[]): void;
  /** Fan-outs were left to be expanded in chunks. */
  fanouts?(): void;
  /** An operation was begun. */
  operation?(): void;
  /** Events of this workspace were erased: what memory has of its deliveries is to be read again. */
  erased?(workspace: number): void;
  /** A webhook was made, changed or deleted. */
  webhook?(workspace: number, webhook: number): void;
  /** A flow was made, changed or deleted. */
  flow?(workspace: number, flow: number): void;
  /** A sheet was made, changed or deleted. */
  sheet?(workspace: number, name: string): void;
  /** A secret of flows was set or deleted. */
  flowSecrets?(workspace: number): void;
  /** In these lanes runs may begin, or were asked to end, whichever node's doing it was. */
  runs?(lanes: readonly number[]): void;
  /** These runs of scenarios have replied, or ended, at whichever node: who waits for one asks how far it is. */
  replied?(runs: readonly RunKey[]): void;
}

/* ── The log and its deliveries ─────────────────────────────────────────────────────────────────────────────── */

/** What a publisher said, decoded and checked against one version of the catalog. */
export interface Publish {
  catalog: Catalog;
  events: readonly NewEvent[];
  acceptedAt: number;
  /** `traceparent` of the request, or null. */
  trace: string | null;
}

/** One event to be accepted. */
export interface NewEvent {
  source: string;
  id: string;
  type: string;
  attributes: Readonly<Record<string, string | number | boolean>>;
  data: unknown;
  /** Structured-mode JSON bytes, exactly as sent. */
  envelope: Uint8Array;
  /** What a schema in `warn` mode found, or null. */
  note: string | null;
}

/** The answer to one event: the first answer again when (workspace, source, id) was accepted before (R53, R125). */
export interface Accepted {
  event: number;
  source: string;
  id: string;
  duplicate: boolean;
}

/** What became of a publish. */
export type AcceptResult =
  | { kind: 'accepted'; accepted: Accepted[] }
  /** The catalog has changed since the check: check again against `settings.catalog()`. */
  | { kind: 'stale' }
  | { kind: 'over-quota'; what: 'events' | 'bytes'; limit: number; resetAt: number }
  /** The workspace is gone. */
  | { kind: 'gone' };

/** An event as it is read. */
export interface StoredEvent {
  workspace: number;
  event: number;
  acceptedAt: number;
  source: string;
  id: string;
  type: string;
  note: string | null;
  trace: string | null;
  /** Empty when it was erased. */
  envelope: Uint8Array;
  /** When its payload was erased, or null. */
  erasedAt: number | null;
}

/** How events are listed: ascending by number, after a position (poll), or the newest first. */
export interface EventsQuery {
  workspace: number;
  order: 'oldest-first' | 'newest-first';
  /** Exclusive bound from a former page's `next`; null from the start. */
  cursor: number | null;
  limit: number;
  /** Exact type, or a `.*` pattern. */
  type?: string;
  source?: string;
  /** Accepted at or after / before. */
  since?: number;
  until?: number;
}

/** A page of events. A filtered page may hold fewer than `limit` (even none) and still continue. */
export interface EventsPage {
  rows: StoredEvent[];
  /** Number to continue after. Polling uses it also at the end of the log: it never goes back and never skips. */
  cursor: number;
  /** Is there more right now? */
  more: boolean;
}

/** A delivery as it is read. */
export interface StoredDelivery extends DeliveryKey {
  type: string;
  source: string;
  eventId: string;
  state: StoredState;
  shown: DeliveryState;
  tries: number;
  attempts: number;
  createdAt: number;
  dueAt: number;
  firstTryAt: number | null;
  endedAt: number | null;
  reason: string | null;
  /** The batch it was last sent in, or null. */
  batch: number | null;
}

/** How deliveries are listed: newest event first. */
export interface DeliveriesQuery {
  workspace: number;
  state?: DeliveryState;
  webhook?: number;
  event?: number;
  cursor: string | null;
  limit: number;
}

/** A target: what deliveries go to, a webhook or a post-processing. */
export interface TargetKey {
  workspace: number;
  target: number;
}

/** What a target has open. */
export interface Backlog extends TargetKey {
  /** The webhook's revision: a node that knows an older one reads it again. */
  revision: number;
  /** When the earliest open delivery is due; null when nothing is open. */
  dueAt: number | null;
}

/** A page of due deliveries of one target, in order of (dueAt, event, copy). */
export interface Refill {
  deliveries: PendingDelivery[];
  /** Are there more that are due already? */
  more: boolean;
  /** When the next one that is not due yet will be, or null. */
  nextDueAt: number | null;
}

/**
 * A batch to settle: deliveries (each at most once), their attempts, and the vitals of the webhooks they moved, in one
 * transaction. A success is believed whatever the delivery has become meanwhile; a failure moves only what is open.
 */
export interface SettleBatch {
  settlements: readonly Settlement[];
  vitals: readonly VitalsChange[];
  /** Dead letters and state changes are synced; the rest need not be. */
  synced: boolean;
  /** Lanes this batch belongs to, each with the epoch under which it is owned: a former owner is refused. */
  lanes: readonly OwnedLane[];
  now: number;
}

/** Names a batch of a target. */
export interface BatchKey extends TargetKey {
  batch: number;
}

/** What is to become a batch. */
export interface BatchWish extends TargetKey {
  members: readonly DeliveryKey[];
  /** The lane under which it is sent. */
  lane: OwnedLane;
}

/** A batch that was formed: those of the wish that are in it. What has ended meanwhile is not. */
export interface FormedBatch {
  /** Counts from 1 within the webhook; none is given twice. */
  batch: number;
  members: readonly DeliveryKey[];
}

/** New vitals of a webhook, with the change of health or intent to record when there was one. */
export interface VitalsChange extends TargetKey {
  /** The revision the evidence was judged against; a webhook changed by hand meanwhile keeps what the hand set. */
  revision: number;
  vitals: Vitals;
  /** Until when it asked to be left alone (`Retry-After`), or null. */
  quietUntil: number | null;
  /** Why its deliveries fail at present, where the state stays `warning`; absent when there is nothing new to say. */
  reason?: string;
  /** Present when the state changed. */
  change: { intent: Intent; reason: string; at: number } | null;
}

/** How long what is finished is kept, per table, where a workspace says nothing else. Spans in ms. */
export interface Retention {
  eventsMs: number;
  deliveriesMs: number;
  idempotencyMs: number;
  changesMs: number;
  /** Runs with their steps, logs and results, and what resources were found to be. */
  runsMs: number;
}

/** Rows of the log. */
export interface Log {
  /** Accepts a publish with all its deliveries, in a commit shared with whatever arrived meanwhile. */
  accept(publish: Publish): Promise<AcceptResult>;
  /** Settles a batch. Resolves `'fenced'` and writes nothing when a lane of it belongs to somebody else by now. */
  settle(batch: SettleBatch): Promise<'settled' | 'fenced'>;
  /**
   * Makes a new batch of open deliveries that belong to none, for good: it is synced before anything of it is sent, in a
   * commit shared with what else is formed meanwhile. Null, and nothing written, when the lane is somebody else's by now
   * or the webhook is gone.
   */
  formBatch(wish: BatchWish): Promise<FormedBatch | null>;
  /** What is still open of a batch, in the order of the events. */
  batch(key: BatchKey): Promise<PendingDelivery[]>;
  /** Takes a delivery out of its batch: somebody tries it alone. Harmless where it belongs to none. */
  leaveBatch(key: DeliveryKey): Promise<void>;
  /** Reads due deliveries of a target, past a position. */
  refill(query: RefillQuery): Promise<Refill>;
  /** All targets in these lanes (0–63), and since when they have something open: what a node finds to do there. */
  backlogs(lanes: readonly number[]): Promise<Backlog[]>;
  /**
   * Makes every waiting retry of a target due now, in chunks; resolves the number moved. What is parked (model/order.ts)
   * stays so unless it is asked for, too.
   */
  expedite(target: TargetKey, now: number, which?: { parked?: boolean }): Promise<number>;
  /**
   * Moves what waits of a target with a clock that was set back: each delivery is due as much earlier, but not before
   * now; so is the end of the pause that the endpoint asked for. In chunks; resolves the number of deliveries moved.
   * What is parked stays so. Called again for the same step it makes them earlier still, never later.
   */
  followClock(target: TargetKey, step: ClockStep): Promise<number>;
  /**
   * Tells, by operational events, of webhooks whose open deliveries have reached the threshold, and of those that have
   * less than half of it again; resolves how many. Looks only where somebody has subscribed.
   */
  watchBacklogs(threshold: number, now: number): Promise<number>;
  /** Makes up to `limit` open deliveries of deleted webhooks dead letters; false when none is left. */
  bury(limit: number): Promise<boolean>;
  /** Expands up to `limit` targets of fan-outs too large for their accept; false when none is left. */
  expandFanouts(limit: number, now: number): Promise<boolean>;
  /** One page of events. Runs off the hot thread. */
  events(query: EventsQuery): Promise<EventsPage>;
  event(workspace: number, event: number): Promise<StoredEvent | null>;
  /** The number of the newest event of a workspace (0 for none): where a live stream begins. */
  head(workspace: number): Promise<number>;
  deliveries(query: DeliveriesQuery): Promise<Page<StoredDelivery>>;
  delivery(key: DeliveryKey): Promise<{ delivery: StoredDelivery; attempts: Attempt[] } | null>;
  /** One delivery ready to be tried by hand, whatever its state; null when it or its event is gone. */
  pending(key: DeliveryKey): Promise<PendingDelivery | null>;
  /**
   * Takes up to `limit` expired rows of each table and workspace away; what is open for too long becomes a dead letter.
   * Resolves how many rows went or were buried: call again until 0.
   */
  prune(retention: Retention, now: number, limit: number): Promise<number>;
  /**
   * Gives a little of the room that deletions left back to the file system, where that is worth it; true when there is
   * more. PostgreSQL sees to it itself.
   */
  shrink(): Promise<boolean>;
  /** Counts for metrics: open, dead, and the oldest due instant, per workspace. Runs off the hot thread. */
  totals(): Promise<{ workspace: number; open: number; dead: number; oldestDueAt: number | null }[]>;
}

/** The wall clock was set back. */
export interface ClockStep {
  /** What it says since. */
  now: number;
  /** By so many ms. */
  backMs: number;
  /** Given: only what the old time had as due within so many ms before the step, as what is written late has it. */
  lateMs?: number;
}

/** Which due deliveries to read. */
export interface RefillQuery extends TargetKey {
  now: number;
  /**
   * By the instant they are due (the default), only what is due; or by event, whatever their instant: then position and
   * page go by (event, copy) alone.
   */
  by?: 'due' | 'event';
  /** Exclusive position (dueAt, event, copy) of the last one read, or null from the start. */
  after: { dueAt: number; event: number; copy: number } | null;
  limit: number;
}

/* ── Erasures ───────────────────────────────────────────────────────────────────────────────────────────────── */

/** How far an erasure is: running until nothing of it is left in the files, as far as the store can see to that. */
export type ErasureState = 'running' | 'done';

/** An erasure as it is read; the subject is not kept longer than it is needed, so it is never shown. */
export interface StoredErasure {
  workspace: number;
  erasure: number;
  state: ErasureState;
  /** Events erased so far. */
  erased: number;
  /** From 0 to 1. */
  progress: number;
  createdAt: number;
  endedAt: number | null;
}

/** Erasing the payloads of subjects. */
export interface Erasures {
  /** Begins to erase the events of a subject that are committed by now. It survives restarts. */
  begin(of: { workspace: number; subject: string }, now: number): Promise<StoredErasure>;
  one(workspace: number, erasure: number): Promise<StoredErasure | null>;
  /** The newest first, below the number `cursor`. */
  list(query: { workspace: number; cursor: number | null; limit: number }): Promise<StoredErasure[]>;
  /** One chunk of the oldest that can go on; false when there is nothing to do by now. */
  advance(now: number): Promise<boolean>;
}

/* ── Operations ─────────────────────────────────────────────────────────────────────────────────────────────── */

/** A place in the order of deliveries; for a replay only the event counts. */
export type DeliveryPosition = Pick<DeliveryKey, 'event' | 'target' | 'copy'>;

/** What an operation was asked to do. Instants epoch ms. */
export interface OperationWish {
  workspace: number;
  kind: OperationKind;
  /** Null is every webhook (redrive only). */
  webhook: number | null;
  /** Events accepted at or after; for a redrive: dead letters that ended at or after. */
  since: number | null;
  /** The same, before. */
  until: number | null;
  /** Replay: an exact type or a pattern; null is what the webhook is subscribed to when a chunk is made. */
  type: string | null;
  /** Replay: a filter as subscriptions have them. */
  filter: string | null;
  /** Deliveries per second. */
  pace: number;
  /** A sentence for whoever asked, or null. */
  note: string | null;
}

/** An operation as it is read. */
export interface StoredOperation extends OperationWish {
  operation: number;
  state: OperationState;
  /** Why it was cancelled or failed, or null. */
  reason: string | null;
  /** Events from here (exclusive) up to there (inclusive) are looked at. */
  from: number;
  upTo: number;
  /** The last place that was looked at. */
  cursor: DeliveryPosition;
  /** Chunks so far: the compare-and-set of `advance`. */
  chunks: number;
  looked: number;
  /** Made due now, or copied. The rest of `looked` was skipped. */
  released: number;
  /** The next chunk is planned for this instant. */
  nextAt: number;
  createdAt: number;
  updatedAt: number;
  endedAt: number | null;
}

/** An operation that is running, and the lane whose owner runs it: its webhook's, or one of its own. */
export interface RunningOperation extends StoredOperation {
  lane: number;
}

/** How operations are listed: the newest first. */
export interface OperationsQuery {
  workspace: number;
  state?: OperationState | undefined;
  webhook?: number | undefined;
  /** Exclusive bound: the last number of the page before. */
  cursor: number | null;
  limit: number;
}

/** What is asked of an operation that is to go on. */
export interface AheadQuery {
  operation: StoredOperation;
  /** Deliveries to be made due, at most. */
  limit: number;
  now: number;
}

/** What an operation has before it. */
export interface Ahead {
  /** Deliveries to be made due. */
  keys: DeliveryKey[];
  /** Deliveries seen up to `cursor`. */
  looked: number;
  cursor: DeliveryPosition;
  /** Nothing comes after it. */
  ended: boolean;
}

/** One chunk of an operation: what it does, and where it is afterwards. */
export interface OperationChunk {
  /** As it was read: a chunk that somebody else has done meanwhile is not done again. */
  operation: StoredOperation;
  /** The lane under which it runs; a former owner is refused. */
  lane: OwnedLane;
  /** Deliveries to be made due now, whatever waits or is dead of them. */
  release: readonly DeliveryKey[];
  /** Events to be sent to the operation's webhook once more, as copies. */
  copy: readonly number[];
  looked: number;
  cursor: DeliveryPosition;
  ended: boolean;
  now: number;
}

/** Long actions on many deliveries. The cursor moves in the transaction that does what it passes. */
export interface Operations {
  /** Begins one. Refuses `operation-running` while one of its kind runs for its webhook, and names that one. */
  begin(wish: OperationWish, now: number): Promise<StoredOperation>;
  one(workspace: number, operation: number): Promise<StoredOperation | null>;
  list(query: OperationsQuery): Promise<StoredOperation[]>;
  /** All that run, of every workspace. */
  running(): Promise<RunningOperation[]>;
  /** Reads what a recover or a redrive has before it, what waits or is dead. Off the hot thread. */
  ahead(query: AheadQuery): Promise<Ahead>;
  /** Does a chunk. Null, and nothing done, when it has ended, is somebody else's, or has moved meanwhile. */
  advance(chunk: OperationChunk): Promise<StoredOperation | null>;
  /** Lets a running one rest, or a resting one go on; one that has ended stays as it is. Refuses `not-found`. */
  pause(
    key: { workspace: number; operation: number },
    pause: { paused: boolean; now: number },
  ): Promise<StoredOperation>;
  /** Ends one that has not ended yet; one that has stays as it is. Refuses `not-found`. */
  end(key: { workspace: number; operation: number }, end: OperationEnd): Promise<StoredOperation>;
}

/** How an operation ends before its end. */
export interface OperationEnd {
  state: 'cancelled' | 'failed';
  reason: string;
  now: number;
}

/* ── Pull ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/** What a consumer asks for. Spans in ms. */
export interface PullQuery extends TargetKey {
  /** Deliveries at most; fewer when their events are large. */
  limit: number;
  leaseMs: number;
  /** A delivery that was handed out this often becomes a dead letter instead of being handed out again. */
  mostTries: number;
  now: number;
}

/** What a consumer gets. */
export interface Pulled {
  deliveries: LeasedDelivery[];
  /** When the next delivery falls due or its lease ends, if that is known; null when nothing is open. */
  nextDueAt: number | null;
}

/** A delivery in somebody's hands. */
export interface LeasedDelivery extends DeliveryKey {
  lease: string;
  leasedUntil: number;
  /** Counts from 1 within the delivery. */
  attempt: number;
  createdAt: number;
  acceptedAt: number;
  trace: string | null;
  type: string;
  envelope: Uint8Array;
}

/** A delivery with the lease under which somebody speaks of it. */
export interface LeaseClaim extends DeliveryKey {
  lease: string;
}

/** What became of one claim. */
export type LeaseVerdict =
  | 'done'
  /** There is no such delivery of this target. */
  | 'not-found'
  /** It was acknowledged before. */
  | 'already-delivered'
  /** The lease is somebody else's, or was given back. */
  | 'lease-lost'
  /** Too late: the delivery is, or will be, handed out again. */
  | 'lease-expired';

/** Several claims of one target's deliveries at once; each is judged for itself. */
export interface LeaseBatch extends TargetKey {
  claims: readonly LeaseClaim[];
  now: number;
}

/** Deliveries that are given back. */
export interface Return extends LeaseBatch {
  /** What went wrong, in words. */
  reason: string;
  /** When they are handed out again, or null: as the plan has it. */
  delayMs: number | null;
  /** The waits between tries; after the last one a delivery that is given back is a dead letter. */
  delaysMs: readonly number[];
}

/** Targets of mode `pull`: a delivery is handed out under a lease, which is all that stands between two consumers. */
export interface Pulls {
  /** Hands out what is due, the longest due first. Null unless the target is one and may be delivered to. */
  pull(query: PullQuery): Promise<Pulled | null>;
  /** These were dealt with. Verdicts in the order of the claims. */
  acknowledge(batch: LeaseBatch): Promise<LeaseVerdict[]>;
  /** These were not; they are handed out again. */
  giveBack(batch: Return): Promise<LeaseVerdict[]>;
  /** These take longer: their leases end so long from now. */
  extend(batch: LeaseBatch & { leaseMs: number }): Promise<LeaseVerdict[]>;
}

/* ── Catalog and settings ───────────────────────────────────────────────────────────────────────────────────── */

/** A tenant. `workspace` is its key in every table, `token` the part of all its ids. */
export interface Workspace {
  workspace: number;
  token: string;
  name: string;
  limits: WorkspaceLimits;
  retention: WorkspaceRetention;
  createdAt: number;
}

/** How long a workspace keeps what is finished; null is as long as the installation says. */
export type WorkspaceRetention = { [Span in keyof Retention]: number | null };

/** What may change about a workspace. */
export interface WorkspacePatch {
  limits?: Partial<WorkspaceLimits>;
  retention?: Partial<WorkspaceRetention>;
}

/** What a workspace may use; null is unlimited. Events and bytes count per UTC day, the others in all. */
export interface WorkspaceLimits {
  eventsPerDay: number | null;
  bytesPerDay: number | null;
  webhooks: number | null;
  subscriptions: number | null;
  /** Of its own; those of the installation are nobody's. */
  eventTypes: number | null;
}

/** A publisher of the platform-wide catalog. */
export interface Service {
  service: string;
  description: string;
  createdAt: number;
}

/** What may be said about an event type. */
export interface EventTypeSetting {
  workspace: number;
  type: string;
  service: string | null;
  description: string;
  schema: string | null;
  schemaCheck: SchemaCheck;
  example: string | null;
  deprecation: string | null;
}

/** A webhook with everything about it but its secrets. Instants epoch ms, spans ms. */
export interface Webhook {
  workspace: number;
  webhook: number;
  token: string;
  bucket: number;
  name: string;
  description: string;
  mode: Mode;
  /** Empty for mode `pull`. */
  url: string;
  verification: Verification;
  signing: readonly Signing[];
  format: Format;
  /** Of the user's own: their values stand in what `target` resolves alone, a mask everywhere else. */
  headers: Readonly<Record<string, string>>;
  /** Delays between tries, or null for the installation's plan. */
  retryDelaysMs: readonly number[] | null;
  /** One deadline over connect, headers and body, or null for the installation's. */
  timeoutMs: number | null;
  /** Requests per minute at most, or null for as many as the endpoint bears. */
  rate: number | null;
  order: Order;
  recovery: Recovery;
  /** How large its batches may be, or null: each delivery goes alone. */
  batch: Batching | null;
  /** Requests per minute the endpoint allowed when it was verified, or null for no limit. */
  allowedRate: number | null;
  /** Until when it asked to be left alone (`Retry-After`), or null. */
  quietUntil: number | null;
  intent: Intent;
  health: Health;
  streak: number;
  lastSuccessAt: number | null;
  /** Why it is in its state. */
  reason: string;
  /** ed25519 public key (`whpk_…`) of the `standard-v1a` signature, or null. */
  publicKey: string | null;
  /** How its access tokens are got, or null: it needs none. */
  oauth: OAuthClient | null;
  /** What its TLS connections show and trust, or null: as the platform's own. */
  tls: TlsSettings | null;
  /** Until when the former secret is honoured beside the present one, or null. */
  secondaryUntil: number | null;
  /** The last attempt at a challenge of it as it is now, or null. */
  challenge: ChallengeNote | null;
  /** When it last proved that it is willing, as it is now, or null. */
  provedAt: number | null;
  createdAt: number;
  updatedAt: number;
  /** Grows with every change: the compare-and-set of `updateWebhook`. */
  revision: number;
}

/** A webhook's secrets in the clear; they leave the store only towards the engine. */
export interface WebhookSecrets {
  /** HMAC key of challenge and HPE signature, as text. */
  secret: string;
  /** The former (or next) secret, honoured during a rotation. */
  secondarySecret: string | null;
  /** Which of the two the endpoint proved last: the HPE signature, which can carry only one, is made with it. */
  proved: 'secret' | 'secondarySecret';
  /** Standard Webhooks keys (`whsec_…`), the present first; former ones until `secondaryUntil`. */
  standardKeys: readonly string[];
  /** ed25519 key (`whsk_…`) of `standard-v1a`, or null. */
  signingKey: string | null;
  /** Verbatim `Authorization` value, or null (R4). */
  authorization: string | null;
  /** The secret of the OAuth 2 client, or null. */
  clientSecret: string | null;
  /** The private key of the client certificate, PEM, or null. */
  privateKey: string | null;
}

/** A target as the engine reaches it. */
export interface Reached {
  webhook: Webhook;
  secrets: WebhookSecrets;
  /** Present when it is a post-processing: then the webhook is only what both kinds have in common. */
  report?: ReportSetting;
  /** Present when it is a flow: what is delivered to it starts a run. */
  isFlow?: boolean;
}

/** What is said of a webhook when it is made, and may be said anew later. */
type WebhookTerms = Pick<
  Webhook,
  | 'name'
  | 'description'
  | 'url'
  | 'verification'
  | 'signing'
  | 'format'
  | 'headers'
  | 'retryDelaysMs'
  | 'timeoutMs'
  | 'rate'
  | 'order'
  | 'recovery'
  | 'publicKey'
  | 'oauth'
  | 'tls'
  | 'health'
> & { secrets: WebhookSecrets };

/** What a new webhook is made of. */
export interface NewWebhook extends WebhookTerms, Pick<Webhook, 'workspace' | 'reason'> {
  /** `push` when left out. */
  mode?: Mode;
  /** None when left out. */
  batch?: Batching | null;
  now: number;
}

/** What becomes of a webhook by itself, or by hand. */
type WebhookCourse = Pick<
  Webhook,
  'allowedRate' | 'quietUntil' | 'intent' | 'streak' | 'lastSuccessAt' | 'secondaryUntil' | 'challenge' | 'provedAt'
>;

/** Fields of a webhook that may change; absent ones stay. */
export type WebhookPatch = Partial<WebhookTerms & WebhookCourse & Pick<Webhook, 'batch'>>;

/** A recorded change of state. */
export interface WebhookChange {
  at: number;
  intent: Intent;
  health: Health;
  reason: string;
}

/** Webhook + event type (or pattern) + optional filter. */
export interface Subscription {
  workspace: number;
  subscription: number;
  webhook: number;
  type: string;
  filter: string | null;
  createdAt: number;
}

/** An API key; only its hash is kept. */
export interface ApiKey {
  key: string;
  name: string;
  scopes: readonly KeyScope[];
  /** The workspaces it may act for; null is the installation's own key, for all. */
  workspaces: readonly number[] | null;
  /** The service it is bound to: it publishes only that one's types. */
  service: string | null;
  createdAt: number;
}

/** What a key may do. */
export type KeyScope = 'publish' | 'read' | 'manage' | 'pull';

/**
 * The store, or the way to it, is out of order: neither the request's fault nor this program's. The message says it in
 * words. Asking again later helps, when somebody has mended it or by itself.
 */
export class StoreOutage extends Error {
  override name = 'StoreOutage';
  /** False only where the answer to a COMMIT was lost: then it may have been done. */
  readonly undone: boolean;
  constructor(message: string, { cause, undone = true }: { cause?: unknown; undone?: boolean } = {}) {
    super(message, { cause });
    this.undone = undone;
  }
}

/** A refusal in the domain's words; anything else a verb throws is a {@link StoreOutage} or a bug. */
export class StoreRefusal extends Error {
  override name = 'StoreRefusal';
  readonly code: RefusalCode;
  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Why a verb refused. */
export type RefusalCode =
  | 'not-found'
  | 'name-taken'
  | 'exists'
  | 'in-use'
  | 'wrong-state'
  | 'limit-reached'
  | 'changed-meanwhile'
  | 'operation-running'
  | 'erased'
  /** A sheet has as many rows as one may have. */
  | 'full';

/** The first answer to a request with an `Idempotency-Key`, or the state of it. */
export type IdempotencyClaim =
  | { kind: 'claimed' }
  | { kind: 'running' }
  | { kind: 'other-body' }
  | { kind: 'answered'; status: number; body: string };

/** Catalog, webhooks, subscriptions, keys. */
export interface Settings {
  /** The compiled catalog of a workspace, at its newest version known here; null when the workspace is gone. */
  catalog(workspace: number): Promise<Catalog | null>;

  workspaces(): Promise<Workspace[]>;
  workspace(by: { workspace: number } | { token: string } | { name: string }): Promise<Workspace | null>;
  createWorkspace(name: string, limits: WorkspaceLimits, now: number): Promise<Workspace>;
  /** Changes limits and retention; what is left out stays. */
  changeWorkspace(workspace: number, patch: WorkspacePatch): Promise<Workspace>;
  /** Deletes a workspace with all it holds (rows go in chunks, the workspace at once). */
  deleteWorkspace(workspace: number, now: number): Promise<void>;

  services(): Promise<Service[]>;
  /** Makes a service; the same again is harmless (R49). */
  putService(service: string, description: string, now: number): Promise<Service>;
  deleteService(service: string): Promise<void>;
  /** Makes or replaces an event type; the same again is harmless (R49). */
  putType(type: EventTypeSetting, now: number): Promise<EventType>;
  /** Refuses `in-use` while subscriptions name exactly this type. */
  deleteType(workspace: number, type: string): Promise<void>;

  createWebhook(webhook: NewWebhook): Promise<Webhook>;
  webhooks(workspace: number): Promise<Webhook[]>;
  webhook(workspace: number, webhook: number): Promise<Webhook | null>;
  /** The target with its secrets: for sending, signing and challenging only. */
  target(key: TargetKey): Promise<Reached | null>;
  /** Changes a webhook if it still has that revision (`changed-meanwhile` otherwise); a change of state is recorded. */
  updateWebhook(change: WebhookUpdate): Promise<Webhook>;
  /** Notes what an attempt at a challenge came to, unless the webhook was changed meanwhile. It is no change of it. */
  noteChallenge(note: TargetKey & { revision: number; note: ChallengeNote }): Promise<void>;
  /** Enabled webhooks that have to prove themselves: pending ones, and critical ones left alone since before then. */
  unproved(criticalBefore: number): Promise<Unproved[]>;
  /** Ends up to `limit` rotations whose time is over: forgets former secrets and keys; resolves how many ended. */
  endRotations(now: number, limit: number): Promise<number>;
  /**
   * Refuses `in-use` while subscriptions exist, unless forced. Its open deliveries become dead letters: some at once,
   * the rest by `log.bury`.
   */
  deleteWebhook(key: TargetKey, force: boolean, now: number): Promise<void>;
  webhookChanges(workspace: number, webhook: number, limit: number): Promise<WebhookChange[]>;

  /** Makes a subscription; the same again answers the first one with `created: false`. */
  createSubscription(subscription: NewSubscription): Promise<{ subscription: Subscription; created: boolean }>;
  subscriptions(workspace: number, webhook?: number): Promise<Subscription[]>;
  deleteSubscription(workspace: number, subscription: number): Promise<void>;

  createKey(key: ApiKey, hash: string): Promise<void>;
  keys(): Promise<ApiKey[]>;
  deleteKey(key: string): Promise<void>;
  /** The key with this SHA-256 hash (hex), or null. */
  findKey(hash: string): Promise<ApiKey | null>;

  /**
   * Seals up to `limit` secrets again that a former key has sealed; resolves how many: call again until 0. Then the
   * former key can be taken away.
   */
  reseal(limit: number): Promise<number>;

  /** Claims an `Idempotency-Key` for a request with this body hash, or tells what became of the first one. */
  claim(key: IdempotencyKey, now: number): Promise<IdempotencyClaim>;
  /** Stores the answer of a claimed request; a null answer releases the claim (the request failed before acting). */
  fulfil(key: IdempotencyKey, answer: { status: number; body: string } | null): Promise<void>;
}

/** A change of a webhook. */
export interface WebhookUpdate extends TargetKey {
  revision: number;
  patch: WebhookPatch;
  /** Reason to record when intent or health changes. */
  reason: string | null;
  now: number;
}

/** A webhook that has to prove itself. */
export interface Unproved extends TargetKey {
  bucket: number;
  /** `critical` only if it has proved itself before, as it is now: nobody else's address is asked again and again. */
  health: 'pending' | 'critical';
}

/** What a new subscription is made of. */
export interface NewSubscription {
  workspace: number;
  webhook: number;
  type: string;
  filter: string | null;
  now: number;
}

/** Names one request that carries an `Idempotency-Key`. */
export interface IdempotencyKey {
  workspace: number;
  /** The key that authenticated the request, and the request's own key. */
  owner: string;
  key: string;
  bodyHash: string;
}
