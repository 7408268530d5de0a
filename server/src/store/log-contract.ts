// The log's part of the store's contract: events and their deliveries, from the accept to the settle, and their retention.
import type { Catalog } from '../model/catalog.ts';
import type { Attempt, DeliveryState, PendingDelivery, Settlement, StoredState } from '../model/delivery.ts';
import type { DeliveryKey } from '../model/ids.ts';
import type { OpenOf } from '../model/backlog.ts';
import type { Health, Intent, TargetMode, Vitals } from '../model/webhook.ts';
import type { OwnedLane } from './lane-contract.ts';
import type { Page } from './page.ts';

/** What a publisher said, decoded and checked against one version of the catalog. */
export interface Publish {
  catalog: Catalog;
  events: readonly NewEvent[];
  acceptedAt: number;
  /** The trace context of the request (model/trace-context.ts), or null. */
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
  /** The trace context that it brings itself; absent or null, it has that of its publish. */
  trace?: string | null;
}

/** The answer to one event: the first answer again when (workspace, source, id) was accepted before (R53, R125). */
export interface Accepted {
  event: number;
  source: string;
  id: string;
  duplicate: boolean;
}

/** The commit that publishes shared: the same object for all of them. */
export interface CommitFacts {
  publishes: number;
  events: number;
}

/** What became of a publish. */
export type AcceptResult =
  | { kind: 'accepted'; accepted: Accepted[]; commit: CommitFacts }
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
  /** Of its target; null where that is gone. */
  mode: TargetMode | null;
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
  /** Tells the other nodes that these targets have something due, for one of them owns their lanes. It may be lost. */
  wakeOwners(targets: readonly TargetKey[]): void;
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
  /** Counts what is in the store, for metrics and overviews. Runs off the hot thread. */
  counts(now: number): Promise<Counts>;
}

/** What is in the store, counted at one moment or nearly so. */
export interface Counts {
  /** Targets that have something open. */
  open: readonly OpenOfTarget[];
  /** Dead letters of each workspace. */
  dead: readonly { workspace: number; dead: number }[];
  /** Webhooks by what decides their state. */
  webhooks: readonly { workspace: number; intent: Intent; health: Health; count: number }[];
  /** Leases that have not ended. */
  leases: number;
  /** Operations that have not ended, by state. */
  operations: Readonly<Record<string, number>>;
  /** Runs that have not ended, by state. */
  runs: Readonly<Record<string, number>>;
}

/** What one target has open. */
export interface OpenOfTarget extends TargetKey, OpenOf {
  mode: TargetMode;
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
