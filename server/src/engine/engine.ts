// The delivery engine: the main path, top to bottom.
//
//   offer ─ deliveries of owned lanes, straight from the commit, join their target's queue
//   pump  ─ while there is a free place: whose turn is it? take one delivery (or a batch: batches.ts), compose, sign, send
//   end   ─ the outcome decides (model/retry.ts), the webhook's health is judged (health.ts), both are settled
//
// The store is read only for what memory does not have (queue-keeper.ts).
import type { Clock } from '../model/clock.ts';
import type { PendingDelivery, Settlement } from '../model/delivery.ts';
import type { DeliveryKey } from '../model/ids.ts';
import { isOurFault, type Outcome } from '../model/outcome.ts';
import { PARKED_AT } from '../model/order.ts';
import { decideReport } from '../model/post-processing.ts';
import { decide, type DecideInput, type Decision } from '../model/retry.ts';
import type { OwnedLane, Store, StoreListener, TargetKey } from '../store/contract.ts';
import type { Tracer } from '../tracing/index.ts';
import { beginAttempt, endAttempt } from './attempt-span.ts';
import {
  againAfter,
  compose,
  nextOf,
  settlementsOf,
  targetKindOf,
  uncomposed,
  type AttemptEnd,
  type Load,
  type Sending,
} from './attempt.ts';
import { bindBatch } from './batches.ts';
import { tryByHand, type ManualResult } from './by-hand.ts';
import type { Pass } from './clock-watch.ts';
import { Health, type WebhookChanged } from './health.ts';
import type { LaneKeeper } from './lane-keeper.ts';
import { nameOf } from './line.ts';
import { QueueKeeper } from './queue-keeper.ts';
import type { Route, RouteDefaults } from './route.ts';
import { Settler } from './settler.ts';
import type { QueueLimits, TargetQueue } from './target-queue.ts';
import { Turns } from './turns.ts';
import type { WaysOut } from './ways-out.ts';

/** What the engine stands on. Spans in ms. */
export interface EngineParts {
  store: Store;
  ways: WaysOut;
  lanes: LaneKeeper;
  clock: Clock;
  /** From 0 inclusive to 1 exclusive: the jitter of retries. */
  dice: () => number;
  defaults: RouteDefaults;
  queues: QueueLimits;
  /** Queues that nothing happens in are forgotten when there are more than this. */
  queuesKept: number;
  /** Sends under way in all. */
  concurrency: number;
  settleDelayMs: number;
  /** Null while nothing is traced. */
  tracer: Tracer | null;
  onError(error: unknown): void;
  /** Is told of every attempt once it is written down: metrics, live views. */
  onAttempt?(end: AttemptEnd): void;
  /** Is told of webhooks whose state changed by what came back. */
  onWebhook?: ((changed: WebhookChanged) => void) | undefined;
}

/** A batch that could not be sent is tried again after this. */
const REST_MS = 250;
/**
 * Sends begun in one turn of the event loop: a thousand that become ready together are a third of a second of composing,
 * signing and connecting, for which nothing else would be read, committed or answered.
 */
const MOST_BEGUN = 8;
/** While this many attempts wait to be written down, nothing more is sent: the store is not keeping up. */
const MOST_UNSETTLED = 4096;

/** Delivers. */
export class Engine {
  readonly #parts: EngineParts;
  readonly #settler: Settler;
  readonly #queues: QueueKeeper;
  readonly #health: Health;
  readonly #turns: Turns<TargetQueue>;
  #underWay = 0;
  /** In this turn of the event loop. */
  #begun = 0;
  /** How often the wall clock was set back. */
  #setBacks = 0;
  #running = true;
  #isStalled = false;
  readonly #quiet = Promise.withResolvers<void>();

  constructor(parts: EngineParts) {
    this.#parts = parts;
    const { store, clock, concurrency, settleDelayMs, onError } = parts;
    this.#turns = new Turns(concurrency);
    this.#settler = new Settler({ log: store.log, clock, delayMs: settleDelayMs, onError });
    this.#queues = new QueueKeeper({
      ...parts,
      kept: parts.queuesKept,
      onReady: (queue) => {
        if (queue.isReady()) this.#turns.join(queue);
        else if (queue.isBatching) this.#queues.wake(queue);
        this.#pump();
      },
    });
    this.#health = new Health({
      settler: this.#settler,
      reload: (queue) => void this.#queues.reload(queue),
      onChange: parts.onWebhook,
    });
  }

  /** Deliveries that were just committed, by whatever door. */
  offer(deliveries: readonly PendingDelivery[]): void {
    const elsewhere: TargetQueue[] = [];
    for (const delivery of deliveries) {
      const queue = this.#queues.of(delivery);
      if (queue.route === null) void this.#meet(queue);
      else if (!this.#parts.lanes.owned(queue.route.lane)) elsewhere.push(queue);
      else if (!queue.route.sendable) queue.fallBehind();
      else if (queue.offer(delivery)) this.#turns.join(queue);
      else if (queue.isInOrder) void this.#queues.refill(queue);
      if (queue.isBatching) this.#queues.wake(queue);
    }
    for (const queue of elsewhere) queue.fallBehind();
    this.#parts.store.log.wakeOwners(elsewhere);
    this.#pump();
  }

  /** Where a target's lane is becomes known with its route. */
  async #meet(queue: TargetQueue): Promise<void> {
    await this.expect(queue);
    if (queue.route && !this.#parts.lanes.owned(queue.route.lane)) this.#parts.store.log.wakeOwners([queue]);
  }

  /** The store has due deliveries of a target that memory has not: they are read when its route is known. */
  expect(key: TargetKey): Promise<void> {
    const queue = this.#queues.of(key);
    queue.fallBehind();
    return queue.route === null ? (queue.loading ?? this.#queues.reload(queue)) : this.#queues.refill(queue);
  }

  #pump(): void {
    this.#isStalled = false;
    while (this.#running && this.#begun < MOST_BEGUN) {
      this.#isStalled = this.#settler.backlog >= MOST_UNSETTLED;
      const queue = this.#isStalled ? undefined : this.#turns.next();
      if (!queue) return;
      if (this.#begun++ === 0) setImmediate(() => this.#nextTurn());
      this.#start(queue);
      if (queue.isReady()) this.#turns.join(queue);
    }
  }

  #nextTurn(): void {
    this.#begun = 0;
    this.#pump();
  }

  #start(queue: TargetQueue): void {
    const route = queue.route!;
    const lane = this.#parts.lanes.owned(route.lane);
    if (!lane) {
      queue.drop();
      this.#turns.back(queue);
      return;
    }
    this.#underWay++;
    if (route.batch === null) this.#try(queue, { deliveries: [queue.take()], batch: null }, lane);
    else void this.#startBatch(queue, lane);
    if (queue.isPaced) this.#queues.wake(queue);
    if (queue.behind) void this.#queues.refill(queue);
  }

  // What is not in the store by now is not sent: a crash after the send must find the same batch again.
  async #startBatch(queue: TargetQueue, lane: OwnedLane): Promise<void> {
    const { store, lanes, onError } = this.#parts;
    const taken = queue.takeTogether();
    const load = await bindBatch(store.log, taken, lane).catch((error: unknown) => {
      onError(error);
      return null;
    });
    const isStill = this.#running && queue.isOpen && lanes.owned(lane.lane)?.epoch === lane.epoch;
    const isOurs = queue.claim(load && isStill ? load.deliveries : [], taken);
    if (load && isOurs) {
      const names = new Set(load.deliveries.map(nameOf));
      for (const left of taken) if (!names.has(nameOf(left))) queue.forget(left);
      return this.#try(queue, load, lane);
    }
    // Given back. What stands in its way is over in a moment, and a store that fails is not asked without a pause.
    queue.rest(REST_MS);
    this.#queues.wake(queue);
    for (const delivery of taken) queue.forget(delivery);
    queue.fallBehind();
    void this.#queues.refill(queue);
    this.#leave(queue);
    this.#goOn(queue);
  }

  #try(queue: TargetQueue, load: Load, lane: OwnedLane): void {
    const sentAt = this.#parts.clock.monotonic();
    const { outcome, ...sent } = this.#send(load, queue.route!);
    void outcome.then((came) => this.#end(queue, { ...load, ...sent, lane, sentAt, outcome: came }));
  }

  #send(load: Load, route: Route, eager = false): Sending {
    const { clock, ways, tracer, onError } = this.#parts;
    const startedAt = clock.now();
    const span = tracer && beginAttempt(tracer, load, route);
    try {
      const composed = compose(route, span ? { ...load, trace: span.trace } : load, startedAt);
      return { startedAt, shownHeaders: composed.shownHeaders, outcome: ways.send(composed, { eager }), span };
    } catch (error) {
      // A row that was damaged, or a bug of ours: it must not take the other deliveries with it.
      onError(error);
      return { startedAt, shownHeaders: '{}', outcome: Promise.resolve(uncomposed(error as Error)), span };
    }
  }

  // One outcome, one decision, whatever the request carried.
  #end(queue: TargetQueue, { deliveries, lane, outcome, sentAt, startedAt, shownHeaders, span }: Ended): void {
    const { clock, onAttempt } = this.#parts;
    const now = clock.now();
    const tries = fewestTries(deliveries) + (isOurFault(outcome) ? 0 : 1);
    const decision = this.#decide(queue.route, { outcome, tries, startedAt, now });
    const to = targetKindOf(queue.route);
    const token = queue.route?.token ?? null;
    const next = nextOf(decision, { tries, now });
    const firstTryAt = lastFirstTry(deliveries, startedAt);
    const follows = followedBy(decision, next);
    if (span) endAttempt(span, outcome, follows);
    this.#leave(queue);
    const asksForPatience = this.#pace(queue, { outcome, decision, sentAt });
    const changed = this.#health.judge(queue, { decision, outcome, firstTryAt, now, lane, asksForPatience });
    const settlements = settlementsOf(outcome, { deliveries, startedAt, shownHeaders, next });
    deliveries.forEach((delivery, i) => queue.ended(delivery, againAfter(delivery, settlements[i]!)));
    this.#settler.add({
      settlements,
      lane,
      synced: changed || next.state === 'dead',
      done: () => {
        for (const delivery of deliveries) queue.forget(delivery);
        if (next.state === 'open') this.#queues.dueLater(queue, next.dueAt);
        if (queue.behind) void this.#queues.refill(queue);
        if (queue.isReady()) this.#turns.join(queue);
        deliveries.forEach((delivery, i) => {
          const { attempt } = settlements[i]!;
          const trace = span?.trace ?? delivery.carried.trace;
          onAttempt?.({ delivery, attempt, state: next.state, to, outcome, token, nextAt: follows.at, trace });
        });
        if (this.#isStalled || queue.isInOrder) this.#pump();
      },
    });
    this.#goOn(queue);
  }

  #leave(queue: TargetQueue): void {
    queue.underWay--;
    this.#underWay--;
    this.#turns.back(queue);
  }

  #goOn(queue: TargetQueue): void {
    if (queue.isReady()) this.#turns.join(queue);
    this.#pump();
    if (!this.#running && this.#underWay === 0) this.#quiet.resolve();
  }

  #decide(route: Route | null, of: { outcome: Outcome; tries: number; startedAt: number; now: number }): Decision {
    if (route?.report) return decideReport({ ...of, ...route.report });
    return decide({ ...of, ...planOf(route, this.#parts.defaults), dice: this.#parts.dice() });
  }

  // What an outcome says about how much, and how soon, may be sent; true when it asks for more patience than before.
  #pace(queue: TargetQueue, of: { outcome: Outcome; decision: Decision; sentAt: number }): boolean {
    const { outcome, decision, sentAt } = of;
    const isAnswer = outcome.kind === 'response';
    if (isAnswer || outcome.code === 'timeout') {
      queue.answers = isAnswer;
      this.#turns.heard(queue, isAnswer);
    }
    if (decision.next === 'delivered') queue.succeeded({ sentAt, durationMs: outcome.durationMs });
    else if (decision.slowDown && isAnswer) queue.overwhelmed(sentAt);
    else if (decision.slowDown) queue.unanswered(sentAt);
    const { quietUntil } = decision;
    if (quietUntil === null || quietUntil <= queue.quietUntil) return false;
    queue.quietUntil = quietUntil;
    this.#queues.wake(queue);
    return true;
  }

  /** Looks for what is due in these lanes: after taking them over, and from time to time. */
  sweep(lanes: readonly number[]): Promise<void> {
    return this.#queues.sweep(lanes);
  }

  /** The wall clock was set back by so many ms: pauses end when they were to end. What waits follows it later. */
  setBack(ms: number): void {
    this.#setBacks++;
    this.#queues.setBack(ms);
  }

  /** Moves what waits with a clock that was set back, once what was planned before is written down. */
  async followClock(pass: Pass): Promise<void> {
    await this.#settler.caughtUp();
    await this.#queues.followClock(pass);
  }

  /** Drops what memory has of lanes that are no longer this node's. */
  drop(lanes: readonly number[]): void {
    this.#queues.drop(lanes);
  }

  /** What the engine wants to hear from the store. */
  readonly ears: StoreListener = {
    deliveries: (deliveries) => this.offer(deliveries),
    due: (targets) => {
      for (const target of targets) void this.expect(target);
    },
    // What waits in memory is dropped and read again.
    erased: (workspace) => this.#queues.reread(workspace),
  };

  /** Reads a target's webhook again: it was changed. */
  reload(key: TargetKey): Promise<void> {
    return this.#queues.reload(key);
  }

  /** What is parked of a target is tried again, and its lines go on. */
  unpark(key: TargetKey): Promise<void> {
    return this.#queues.unpark(key);
  }

  /** Tries a delivery now, whatever its state; see by-hand.ts. */
  retry(key: DeliveryKey): Promise<ManualResult> {
    const send = (load: Load, route: Route): Sending => this.#send(load, route, true);
    return tryByHand({ ...this.#parts, queues: this.#queues, settler: this.#settler, send }, key);
  }

  /**
   * Sends under way, deliveries ready in memory, targets known, attempts not yet written; how often the clock was set
   * back since the start.
   */
  stats(): { underWay: number; ready: number; targets: number; unsettled: number; setBacks: number } {
    const setBacks = this.#setBacks;
    return { underWay: this.#underWay, unsettled: this.#settler.backlog, setBacks, ...this.#queues.stats() };
  }

  /** Starts nothing more; resolves when nothing is under way. */
  quiet(): Promise<void> {
    this.#running = false;
    this.#queues.stop();
    if (this.#underWay === 0) this.#quiet.resolve();
    return this.#quiet.promise;
  }

  /** Writes down what came of everything; resolves when it is committed, or was given up. */
  drained(): Promise<void> {
    return this.#settler.drained();
  }

  /** Gives up what the store does not take by now: it will be sent again, under the same ids. */
  abandon(): void {
    this.#settler.abandon();
  }
}

function followedBy({ next: what }: Decision, { state, dueAt }: NonNullable<Settlement['next']>) {
  return { what, at: state === 'open' && dueAt < PARKED_AT ? dueAt : null, isTaken: what === 'delivered' };
}

type Terms = Pick<DecideInput, 'plan' | 'onFailure' | 'isStandIn'>;

function planOf(route: Route | null, defaults: RouteDefaults): Terms {
  if (!route) return { plan: defaults.plan };
  const { plan, order, isTakenOver } = route;
  return { plan, onFailure: order.kind === 'fifo' ? order.onFailure : undefined, isStandIn: isTakenOver };
}

// A batch counts its own tries: what joins it after some by itself begins anew with it.
function fewestTries(deliveries: Load['deliveries']): number {
  let fewest = deliveries[0].tries;
  for (const { tries } of deliveries) if (tries < fewest) fewest = tries;
  return fewest;
}

// So the evidence is no older than the batch.
function lastFirstTry(deliveries: Load['deliveries'], startedAt: number): number {
  let last = 0;
  for (const { firstTryAt } of deliveries) last = Math.max(last, firstTryAt ?? startedAt);
  return last;
}

/** A try that has ended. */
interface Ended extends Omit<Sending, 'outcome'>, Load {
  lane: OwnedLane;
  /** Of the monotonic clock, for paces; `startedAt` is what people are shown. */
  sentAt: number;
  outcome: Outcome;
}
