// The delivery engine. The main path, top to bottom:
//
//   offer ─ deliveries of owned lanes, straight from the commit, join their target's queue
//   pump  ─ while there is a free place: whose turn is it? take one delivery, compose, sign, send
//   end   ─ the outcome decides (model/retry.ts), the webhook's vitals are judged (model/webhook.ts), both are settled
//
// The store is read only for what memory does not have: a target's route, a queue's next page, what is due later.
// Wake-ups are hints; the sweep looks for forgotten work in the store from time to time.
import type { Clock, Timer } from '../model/clock.ts';
import type { Attempt, PendingDelivery, Settlement, StoredState } from '../model/delivery.ts';
import type { DeliveryKey } from '../model/ids.ts';
import { describeOutcome, isOurFault, type Outcome } from '../model/outcome.ts';
import { decide, isSuccess, type Decision } from '../model/retry.ts';
import { isSendable, judge, type Evidence } from '../model/webhook.ts';
import type { OwnedLane, Store, TargetKey } from '../store/contract.ts';
import { attemptOf, compose, uncomposed } from './attempt.ts';
import type { LaneKeeper } from './lane-keeper.ts';
import type { Sender } from './oauth/index.ts';
import { makeRoute, takeOver, type Route, type RouteDefaults } from './route.ts';
import { Settler } from './settler.ts';
import { TargetQueue, type QueueLimits } from './target-queue.ts';
import { Turns } from './turns.ts';

/** What the engine stands on. Spans in ms. */
export interface EngineParts {
  store: Store;
  sender: Sender;
  lanes: LaneKeeper;
  clock: Clock;
  /** From 0 inclusive to 1 exclusive: the jitter of retries. */
  dice: () => number;
  defaults: RouteDefaults;
  queues: QueueLimits;
  /** Sends under way in all. */
  concurrency: number;
  settleDelayMs: number;
  onError(error: unknown): void;
  /** Is told of every attempt once it is written down: metrics, live views. */
  onAttempt?(end: AttemptEnd): void;
}

/** An attempt that has ended, for those who watch. */
export interface AttemptEnd {
  delivery: PendingDelivery;
  attempt: Attempt;
  state: StoredState;
}

/** What became of a try by hand. */
export type ManualResult =
  | { kind: 'tried'; outcome: Outcome; delivered: boolean }
  /** The delivery, its event or its webhook is gone. */
  | { kind: 'gone' }
  /** The webhook may not be sent to in its state. */
  | { kind: 'held' }
  /** It is being sent at this moment, or this node does not own its lane. */
  | { kind: 'busy' };

/** While this many attempts wait to be written down, nothing more is sent: the store is not keeping up. */
const MOST_UNSETTLED = 4096;
/** Vitals without a change of state are written at most this often per webhook. */
const VITALS_EVERY_MS = 1000;
/** What is due for longer than this is looked for in the store, though memory may have it. */
const OVERDUE_MS = 10_000;
/** A store that does not answer is asked again after this. */
const RETRY_MS = 1000;
/** Queues that nothing happens in are forgotten when there are more than this. */
const IDLE_QUEUES = 10_000;

/** Delivers. */
export class Engine {
  readonly #parts: EngineParts;
  readonly #settler: Settler;
  readonly #turns: Turns<TargetQueue>;
  readonly #queues = new Map<string, TargetQueue>();
  readonly #notedAt = new WeakMap<TargetQueue, number>();
  readonly #timers = new Set<Timer>();
  #underWay = 0;
  #running = true;
  #isStalled = false;
  readonly #quiet = Promise.withResolvers<void>();

  constructor(parts: EngineParts) {
    this.#parts = parts;
    const { store, clock, concurrency, settleDelayMs, onError } = parts;
    this.#turns = new Turns(concurrency);
    this.#settler = new Settler({ log: store.log, clock, delayMs: settleDelayMs, onError });
  }

  /** Deliveries that were just committed, by whatever door. */
  offer(deliveries: readonly PendingDelivery[]): void {
    for (const delivery of deliveries) {
      const queue = this.#queueOf(delivery);
      if (queue.route === null) this.expect(delivery);
      else if (!queue.route.sendable || !this.#parts.lanes.owned(queue.route.lane)) queue.fallBehind();
      else if (queue.offer(delivery)) this.#turns.join(queue);
    }
    this.#pump();
  }

  /** The store has due deliveries of a target that memory has not: they are read when its route is known. */
  expect(key: TargetKey): void {
    const queue = this.#queueOf(key);
    queue.fallBehind();
    void (queue.route === null ? (queue.loading ?? this.reload(queue)) : this.#refill(queue));
  }

  /** Looks for what is due in these lanes: after taking them over, and from time to time. */
  async sweep(lanes: readonly number[]): Promise<void> {
    const { store, clock } = this.#parts;
    for (const backlog of await store.log.backlogs(lanes)) {
      const queue = this.#queueOf(backlog);
      if (backlog.dueAt > clock.now()) this.#dueLater(queue, backlog.dueAt);
      else if (queue.isEmpty || backlog.dueAt < clock.now() - OVERDUE_MS) queue.fallBehind();
      if (queue.route === null) void this.reload(queue);
      else void this.#refill(queue);
    }
    this.#forgetIdle();
  }

  /** Drops what memory has of lanes that are no longer this node's. */
  drop(lanes: readonly number[]): void {
    const lost = new Set(lanes);
    for (const [key, queue] of this.#queues) {
      if (queue.route === null || !lost.has(queue.route.lane)) continue;
      queue.drop();
      // Whoever still holds this queue finds that nothing may be sent from it; the lane's next owner makes a new one.
      queue.route = null;
      this.#queues.delete(key);
    }
  }

  /** Reads a target's webhook again: it was changed, or is needed for the first time. */
  async reload(key: TargetKey): Promise<void> {
    const queue = this.#queueOf(key);
    queue.changes++;
    return (queue.loading ??= this.#load(queue).finally(() => (queue.loading = null)));
  }

  // One reading after the other: what is read last is what was written last.
  async #load(queue: TargetQueue): Promise<void> {
    const { store, clock, defaults, onError } = this.#parts;
    while (queue.changesRead < queue.changes && this.#running) {
      const { changes } = queue;
      try {
        const target = await store.settings.target(queue);
        if (this.#queueOf(queue) !== queue) return;
        const before = queue.route;
        const route = target && makeRoute(target, defaults, clock.now());
        queue.route = route && before ? takeOver(route, before, queue.unwritten > 0) : route;
        queue.changesRead = changes;
        if (route?.expiresAt) this.#later(route.expiresAt - clock.now(), () => void this.reload(queue));
        await this.#adopt(queue, before);
      } catch (error) {
        onError(error);
        queue.changes++;
        await new Promise<void>((again) => this.#later(RETRY_MS, again));
      }
    }
  }

  async #adopt(queue: TargetQueue, before: Route | null): Promise<void> {
    const { store, clock } = this.#parts;
    if (!queue.route?.sendable) queue.drop();
    else if (!before) queue.fallBehind();
    else if (!before.sendable) {
      queue.release();
      // A webhook that works again need not wait for the end of its back-off.
      await store.log.expedite(queue, clock.now());
    }
    if (queue.waiting > 0) this.#turns.join(queue);
    await this.#refill(queue);
    this.#pump();
  }

  /* ── The main path ────────────────────────────────────────────────────────────────────────────────────────── */

  #pump(): void {
    this.#isStalled = false;
    while (this.#running) {
      this.#isStalled = this.#settler.backlog >= MOST_UNSETTLED;
      const queue = this.#isStalled ? undefined : this.#turns.next();
      if (!queue) return;
      this.#start(queue);
      if (queue.isReady()) this.#turns.join(queue);
    }
  }

  #start(queue: TargetQueue): void {
    const route = queue.route!;
    const lane = this.#parts.lanes.owned(route.lane);
    if (!lane) {
      queue.drop();
      this.#turns.back(queue);
      return;
    }
    const delivery = queue.take();
    this.#underWay++;
    const { startedAt, shownHeaders, outcome } = this.#send(delivery, route);
    void outcome.then((came) => this.#end(queue, { delivery, lane, startedAt, shownHeaders, outcome: came }));
    if (route.paceMs > 0) this.#wakeAt(queue, queue.quietUntil);
    if (queue.behind) void this.#refill(queue);
  }

  #send(delivery: PendingDelivery, route: Route, eager = false): Sending {
    const { clock, sender, onError } = this.#parts;
    const startedAt = clock.now();
    try {
      const { request, shownHeaders } = compose(route, delivery, startedAt);
      return { startedAt, shownHeaders, outcome: sender.send(eager ? { ...request, eager } : request) };
    } catch (error) {
      // A row that was damaged, or a bug of ours: it must not take the other deliveries with it.
      onError(error);
      return { startedAt, shownHeaders: '{}', outcome: Promise.resolve(uncomposed(error as Error)) };
    }
  }

  #end(queue: TargetQueue, { delivery, lane, outcome, startedAt, shownHeaders }: Ended): void {
    const { clock, dice, onAttempt } = this.#parts;
    const now = clock.now();
    const attempt = attemptOf(outcome, { attempt: delivery.attempts + 1, manual: false, startedAt, shownHeaders });
    const tries = delivery.tries + (isOurFault(outcome) ? 0 : 1);
    const plan = queue.route?.plan ?? this.#parts.defaults.plan;
    const decision = decide({ outcome, tries, plan, now, dice: dice() });
    const next = nextOf(decision, { tries, now });
    const firstTryAt = delivery.firstTryAt ?? startedAt;
    const { workspace, event, target, copy } = delivery;
    queue.underWay--;
    this.#underWay--;
    this.#turns.back(queue);
    this.#pace(queue, { outcome, decision, sentAt: startedAt });
    const changed = this.#judge(queue, { decision, outcome, firstTryAt, now, lane });
    this.#settler.add({
      settlement: { workspace, event, target, copy, next, firstTryAt, attempt },
      lane,
      synced: changed || next.state === 'dead',
      done: () => {
        queue.forget(delivery);
        if (next.state === 'open') this.#dueLater(queue, next.dueAt);
        onAttempt?.({ delivery, attempt, state: next.state });
        if (this.#isStalled) this.#pump();
      },
    });
    if (queue.isReady()) this.#turns.join(queue);
    this.#pump();
    if (!this.#running && this.#underWay === 0) this.#quiet.resolve();
  }

  #pace(queue: TargetQueue, of: { outcome: Outcome; decision: Decision; sentAt: number }): void {
    if (isSuccess(of.outcome)) queue.succeeded();
    else if (of.decision.slowDown) queue.overwhelmed(of.sentAt);
    const { quietUntil } = of.decision;
    if (quietUntil === null || quietUntil <= queue.quietUntil) return;
    queue.quietUntil = quietUntil;
    this.#wakeAt(queue, quietUntil);
  }

  #wakeAt(queue: TargetQueue, at: number): void {
    const { clock } = this.#parts;
    this.#later(at - clock.now(), () => {
      // Timers may ring a fraction early, and the wall clock may have been set back.
      if (queue.quietUntil > clock.now()) return this.#wakeAt(queue, queue.quietUntil);
      if (queue.isReady()) this.#turns.join(queue);
      this.#pump();
    });
  }

  /* ── The webhook's health ─────────────────────────────────────────────────────────────────────────────────── */

  // Judges what an outcome says about the webhook; true when its state changed.
  #judge(queue: TargetQueue, of: Judged): boolean {
    const { route } = queue;
    const evidence = evidenceOf(of);
    if (!route || !evidence) return false;
    const { vitals, changed, reason } = judge(route.vitals, evidence);
    route.vitals = vitals;
    const { workspace, target } = queue;
    const disables = of.decision.next === 'disable' && route.intent === 'enabled';
    if (!changed && !disables) {
      this.#noteVitals(queue, of);
      return false;
    }
    if (disables) route.intent = 'disabled';
    const { revision, intent } = route;
    const words = disables ? describeOutcome(of.outcome) : reason;
    queue.unwritten++;
    this.#settler.note({
      change: { workspace, target, revision, vitals, change: { intent, reason: words, at: of.now } },
      lane: of.lane,
      // Written or refused, because somebody else was faster: from here on it is as the store has it.
      done: () => {
        queue.unwritten--;
        void this.reload(queue);
      },
    });
    route.revision++;
    route.sendable &&= isSendable(intent, vitals.health);
    if (!route.sendable) queue.drop();
    return true;
  }

  #noteVitals(queue: TargetQueue, { now, lane }: Judged): void {
    if (now - (this.#notedAt.get(queue) ?? 0) < VITALS_EVERY_MS) return;
    this.#notedAt.set(queue, now);
    const { workspace, target } = queue;
    const { revision, vitals } = queue.route!;
    this.#settler.note({ change: { workspace, target, revision, vitals, change: null }, lane });
  }

  /* ── What memory does not have ────────────────────────────────────────────────────────────────────────────── */

  #queueOf({ workspace, target }: TargetKey): TargetQueue {
    const key = `${workspace}/${target}`;
    let queue = this.#queues.get(key);
    if (!queue) {
      queue = new TargetQueue({ workspace, target }, this.#parts.queues, () => this.#parts.clock.now());
      this.#queues.set(key, queue);
    }
    return queue;
  }

  async #refill(queue: TargetQueue): Promise<void> {
    if (!this.#running || !queue.route?.sendable || !this.#parts.lanes.owned(queue.route.lane)) return;
    const query = queue.beginRefill();
    if (!query) return;
    try {
      const page = await this.#parts.store.log.refill(query);
      queue.endRefill(page);
      if (page.nextDueAt !== null) this.#dueLater(queue, page.nextDueAt);
    } catch (error) {
      queue.endRefill(null);
      this.#parts.onError(error);
      this.#later(RETRY_MS, () => void this.#refill(queue));
      return;
    }
    if (queue.isReady()) this.#turns.join(queue);
    this.#pump();
    if (queue.behind) await this.#refill(queue);
  }

  // One timer per queue, for the earliest instant; a later one is found by the refill that this one causes.
  #dueLater(queue: TargetQueue, at: number): void {
    const { clock } = this.#parts;
    if (at >= queue.nextDueAt) return;
    queue.nextDueAt = at;
    this.#later(at - clock.now(), () => {
      if (queue.nextDueAt !== at) return;
      queue.nextDueAt = Infinity;
      queue.fallBehind();
      void this.#refill(queue);
    });
  }

  // Planned wake-ups end with the engine: none of them keeps a stopped process alive.
  #later(ms: number, run: () => void): void {
    if (!this.#running) return;
    const timer = this.#parts.clock.after(ms, () => {
      this.#timers.delete(timer);
      if (this.#running) run();
    });
    this.#timers.add(timer);
  }

  #forgetIdle(): void {
    if (this.#queues.size <= IDLE_QUEUES) return;
    for (const [key, queue] of this.#queues) if (queue.isIdle) this.#queues.delete(key);
  }

  /* ── By hand ──────────────────────────────────────────────────────────────────────────────────────────────── */

  /**
   * Tries a delivery now, whatever its state, under the same `webhook-id`. The automatic chain is left alone: only a
   * success ends it.
   */
  async retry(key: DeliveryKey): Promise<ManualResult> {
    const queue = this.#queueOf(key);
    if (queue.route === null || queue.changesRead < queue.changes) await this.reload(queue);
    const { route } = queue;
    if (!route) return { kind: 'gone' };
    const lane = this.#parts.lanes.owned(route.lane);
    if (!lane || queue.knows(key)) return { kind: 'busy' };
    if (!route.sendable) return { kind: 'held' };
    queue.reserve(key);
    try {
      return await this.#retryNow(queue, key, { route, lane });
    } finally {
      // Its turn in the automatic chain may have come meanwhile, and was passed over.
      queue.forget(key);
      queue.fallBehind();
      void this.#refill(queue);
    }
  }

  async #retryNow(queue: TargetQueue, key: DeliveryKey, to: { route: Route; lane: OwnedLane }): Promise<ManualResult> {
    const { log } = this.#parts.store;
    const { route, lane } = to;
    const [delivery, before] = await Promise.all([log.pending(key), log.delivery(key)]);
    if (!delivery || !before) return { kind: 'gone' };
    const { startedAt, shownHeaders, outcome: coming } = this.#send(delivery, route, true);
    const outcome = await coming;
    const attempt = attemptOf(outcome, { attempt: delivery.attempts + 1, manual: true, startedAt, shownHeaders });
    const delivered = isSuccess(outcome);
    const now = this.#parts.clock.now();
    const { workspace, event, target, copy, tries, firstTryAt } = delivery;
    const next = delivered
      ? { state: 'delivered' as const, tries, dueAt: delivery.dueAt, endedAt: now, reason: null }
      : null;
    await new Promise<void>((done) => {
      const settlement: Settlement = {
        workspace,
        event,
        target,
        copy,
        next,
        firstTryAt: firstTryAt ?? startedAt,
        attempt,
      };
      this.#settler.add({ settlement, lane, synced: true, done });
    });
    this.#parts.onAttempt?.({ delivery, attempt, state: delivered ? 'delivered' : before.delivery.state });
    return { kind: 'tried', outcome, delivered };
  }

  /* ── Whole ────────────────────────────────────────────────────────────────────────────────────────────────── */

  /** Gauges: sends under way, deliveries ready in memory, targets known, attempts not yet written. */
  stats(): { underWay: number; ready: number; targets: number; unsettled: number } {
    let ready = 0;
    for (const queue of this.#queues.values()) ready += queue.waiting;
    return { underWay: this.#underWay, ready, targets: this.#queues.size, unsettled: this.#settler.backlog };
  }

  /** Starts nothing more; resolves when nothing is under way. */
  quiet(): Promise<void> {
    this.#running = false;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
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

interface Judged {
  decision: Decision;
  outcome: Outcome;
  firstTryAt: number;
  now: number;
  lane: OwnedLane;
}

/** A try under way. */
interface Sending {
  startedAt: number;
  shownHeaders: string;
  outcome: Promise<Outcome>;
}

/** A try that has ended. */
interface Ended extends Omit<Sending, 'outcome'> {
  delivery: PendingDelivery;
  lane: OwnedLane;
  outcome: Outcome;
}

function nextOf(decision: Decision, { tries, now }: { tries: number; now: number }): NonNullable<Settlement['next']> {
  switch (decision.next) {
    case 'delivered':
      return { state: 'delivered', tries, dueAt: now, endedAt: now, reason: null };
    case 'retry':
      return { state: 'open', tries, dueAt: decision.at, endedAt: null, reason: decision.reason };
    case 'dead':
      return { state: 'dead', tries, dueAt: now, endedAt: now, reason: decision.reason };
    case 'disable':
      return { state: 'open', tries, dueAt: now, endedAt: null, reason: decision.reason };
  }
}

function evidenceOf(of: { decision: Decision; outcome: Outcome; firstTryAt: number; now: number }): Evidence | null {
  if (isOurFault(of.outcome)) return null;
  const words = describeOutcome(of.outcome);
  switch (of.decision.next) {
    case 'delivered':
      return { kind: 'success', at: of.now };
    case 'dead':
      return { kind: 'dead-letter', firstTryAt: of.firstTryAt, words };
    case 'retry':
    case 'disable':
      return { kind: 'failed-try', words };
  }
}
