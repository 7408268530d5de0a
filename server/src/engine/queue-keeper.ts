// The queue keeper: what memory has of the store. A queue per target; its route read when it is needed or was changed,
// its next page read when there is room, what falls due waited for, what nobody needs forgotten.
//
// Wake-ups are hints, from other nodes too: the sweep looks for forgotten work, and for changes that nobody told of.
import type { Clock } from '../model/clock.ts';
import type { Store, TargetKey } from '../store/contract.ts';
import { PARKED_AT } from '../model/order.ts';
import type { Pass } from './clock-watch.ts';
import type { LaneKeeper } from './lane-keeper.ts';
import { makeRoute, takeOver, type Route, type RouteDefaults } from './route.ts';
import { TargetQueue, type QueueLimits } from './target-queue.ts';

/** What the keeper stands on. */
export interface QueueKeeperParts {
  store: Store;
  lanes: LaneKeeper;
  clock: Clock;
  defaults: RouteDefaults;
  queues: QueueLimits;
  /** Queues that nothing happens in are forgotten when there are more than this. */
  kept: number;
  /** A queue may have something to send by now. */
  onReady(queue: TargetQueue): void;
  onError(error: unknown): void;
}

/** What is due for longer than this is looked for in the store, though memory may have it. */
const OVERDUE_MS = 10_000;
/** How long before a clock was set back what is written late was planned, at most. */
const LATE_MS = 60_000;
/** A store that does not answer is asked again after this. */
const RETRY_MS = 1000;

/** Keeps the queues. */
export class QueueKeeper {
  readonly #parts: QueueKeeperParts;
  readonly #queues = new Map<string, TargetQueue>();
  readonly #waiting = new Set<() => void>();
  #isRunning = true;

  constructor(parts: QueueKeeperParts) {
    this.#parts = parts;
  }

  /** The queue of a target, made when it is not there. */
  of({ workspace, target }: TargetKey): TargetQueue {
    const key = `${workspace}/${target}`;
    let queue = this.#queues.get(key);
    if (!queue) {
      queue = new TargetQueue({ workspace, target }, this.#parts.queues, this.#parts.clock);
      this.#queues.set(key, queue);
    }
    return queue;
  }

  /** Targets known, and the deliveries of theirs that are ready. */
  stats(): { targets: number; ready: number } {
    let ready = 0;
    for (const queue of this.#queues.values()) ready += queue.waiting;
    return { targets: this.#queues.size, ready };
  }

  #has({ workspace, target }: TargetKey): boolean {
    return this.#queues.has(`${workspace}/${target}`);
  }

  #keeps(queue: TargetQueue): boolean {
    return this.#queues.get(`${queue.workspace}/${queue.target}`) === queue;
  }

  /* ── From time to time ────────────────────────────────────────────────────────────────────────────────────── */

  /** Looks for what is due in these lanes, and for webhooks changed elsewhere. */
  async sweep(lanes: readonly number[]): Promise<void> {
    const { store, clock } = this.#parts;
    const swept = new Set(lanes);
    const missing = new Set<TargetQueue>();
    for (const queue of this.#queues.values()) if (queue.route && swept.has(queue.route.lane)) missing.add(queue);
    for (const { dueAt, revision, ...key } of await store.log.backlogs(lanes)) {
      if (dueAt === null && !this.#has(key)) continue;
      const queue = this.of(key);
      missing.delete(queue);
      if (dueAt !== null) {
        if (dueAt > clock.now()) this.dueLater(queue, dueAt);
        else if (queue.isEmpty || dueAt < clock.now() - OVERDUE_MS) queue.sweep();
      }
      const isOld = queue.route !== null && queue.unwritten === 0 && queue.route.revision < revision;
      if (queue.route === null || isOld) void this.reload(queue);
      else void this.refill(queue);
    }
    // Read before, gone by now: deleted by another node.
    for (const queue of missing) if (this.#keeps(queue)) void this.reload(queue);
    this.#forgetIdle();
  }

  /** The wall clock was set back: what an endpoint asked for by it ends as much earlier. */
  setBack(ms: number): void {
    for (const queue of this.#queues.values()) {
      queue.quietUntil -= ms;
      this.wake(queue);
    }
  }

  /** Moves what waits with a clock that was set back. */
  async followClock({ backMs, isLate }: Pass): Promise<void> {
    const { store, lanes, clock } = this.#parts;
    for (const { dueAt, workspace, target } of await store.log.backlogs(lanes.numbers)) {
      const queue = this.#queues.get(`${workspace}/${target}`);
      if (dueAt === null && !queue) continue;
      try {
        const step = { now: clock.now(), backMs, ...(isLate ? { lateMs: LATE_MS } : {}) };
        await store.log.followClock({ workspace, target }, step);
      } finally {
        // It has the former instants; some may have been moved even when not all could be.
        queue?.drop();
      }
    }
    await this.sweep(lanes.numbers);
  }

  #forgetIdle(): void {
    if (this.#queues.size <= this.#parts.kept) return;
    for (const [key, queue] of this.#queues) if (queue.isIdle) this.#remove(key, queue);
  }

  /** Drops what memory has of lanes that are no longer this node's. */
  drop(lanes: readonly number[]): void {
    const lost = new Set(lanes);
    for (const [key, queue] of this.#queues) {
      if (queue.route === null || !lost.has(queue.route.lane)) continue;
      queue.drop();
      // Whoever still holds this queue finds that nothing may be sent from it; the lane's next owner makes a new one.
      queue.route = null;
      this.#remove(key, queue);
    }
  }

  /** Drops what is ready for a workspace's targets and reads it again: some of it was erased. */
  reread(workspace: number): void {
    for (const queue of this.#queues.values()) {
      if (queue.workspace !== workspace) continue;
      queue.drop();
      queue.fallBehind();
      void this.refill(queue);
    }
  }

  #remove(key: string, queue: TargetQueue): void {
    for (const alarm of [queue.due, queue.wake, queue.expiry]) alarm.cancel();
    this.#queues.delete(key);
  }

  /* ── Routes ───────────────────────────────────────────────────────────────────────────────────────────────── */

  /** Reads a target's webhook again: it was changed, or is needed for the first time. */
  async reload(key: TargetKey): Promise<void> {
    const queue = this.of(key);
    queue.changes++;
    return (queue.loading ??= this.#load(queue).finally(() => (queue.loading = null)));
  }

  // One reading after the other: what is read last is what was written last.
  async #load(queue: TargetQueue): Promise<void> {
    const { store, defaults, clock, onError } = this.#parts;
    while (queue.changesRead < queue.changes && this.#isRunning) {
      const { changes } = queue;
      try {
        const target = await store.settings.target(queue);
        if (!this.#keeps(queue)) return;
        const before = queue.route;
        const route = target && makeRoute(target, defaults, clock.now());
        queue.route = route && before ? takeOver(route, before, queue.unwritten > 0) : route;
        queue.changesRead = changes;
        await this.#adopt(queue, before);
      } catch (error) {
        onError(error);
        queue.changes++;
        await this.#pause();
      }
    }
  }

  async #adopt(queue: TargetQueue, before: Route | null): Promise<void> {
    const { store, lanes, clock, onReady } = this.#parts;
    const { route } = queue;
    queue.expiry.set(clock, route?.expiresAt ?? Infinity, () => void this.reload(queue));
    if (route) this.#heed(queue, route, before);
    if (!route?.sendable) queue.drop();
    else if (!before) queue.fallBehind();
    else if (!before.sendable) {
      queue.release();
      // A webhook that works again need not wait for the end of its back-off. One node says so: the one that sends.
      if (lanes.owned(route.lane)) await store.log.expedite(queue, clock.now());
    }
    onReady(queue);
    await this.refill(queue);
  }

  // The endpoint's own word, which the store has kept; another URL, or whoever stands in for
  // it, is another endpoint, which has said nothing.
  #heed(queue: TargetQueue, { quietUntil, url, isTakenOver }: Route, before: Route | null): void {
    const isSame = before === null || (before.url === url && before.isTakenOver === isTakenOver);
    queue.quietUntil = isSame ? Math.max(queue.quietUntil, quietUntil) : quietUntil;
    this.wake(queue);
  }

  /** What is parked goes on. */
  async unpark(key: TargetKey): Promise<void> {
    const { store, clock } = this.#parts;
    const queue = this.of(key);
    await store.log.expedite(key, clock.now(), { parked: true });
    if (!queue.isRead) return this.reload(queue);
    queue.drop();
    await this.refill(queue);
  }

  #pause(): Promise<void> {
    return new Promise<void>((resolve) => {
      const timer = this.#parts.clock.after(RETRY_MS, end);
      const waiting = this.#waiting;
      waiting.add(end);
      function end(): void {
        timer.cancel();
        waiting.delete(end);
        resolve();
      }
    });
  }

  /* ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────── */

  /** Reads the queue's next page, if it has room and the store may have one. */
  async refill(queue: TargetQueue): Promise<void> {
    const { store, lanes, onReady, onError, clock } = this.#parts;
    while (this.#isRunning && queue.route?.sendable && lanes.owned(queue.route.lane)) {
      const query = queue.beginRefill();
      if (!query) return;
      try {
        const page = await store.log.refill(query);
        this.dueLater(queue, queue.endRefill(page));
        // Parked under a former order: nobody parks any more.
        if (page.nextDueAt === PARKED_AT && !queue.isInOrder) await this.unpark(queue);
      } catch (error) {
        queue.endRefill(null);
        onError(error);
        this.dueLater(queue, clock.now() + RETRY_MS);
        return;
      }
      onReady(queue);
    }
  }

  /* ── Wake-ups ─────────────────────────────────────────────────────────────────────────────────────────────── */

  /** Something will be due; of several instants the earliest counts, the others are found when it has come. */
  dueLater(queue: TargetQueue, at: number): void {
    if (at >= queue.due.at || at >= PARKED_AT || !this.#isRunning || !this.#keeps(queue)) return;
    queue.due.set(this.#parts.clock, at, () => {
      this.dueLater(queue, queue.ring());
      this.#parts.onReady(queue);
      void this.refill(queue);
    });
  }

  /** Has the queue looked at when its pace or pause ends. */
  wake(queue: TargetQueue): void {
    const { clock, onReady } = this.#parts;
    const { waitMs } = queue;
    if (waitMs <= 0 || !this.#isRunning || !this.#keeps(queue)) return;
    const at = clock.now() + waitMs;
    if (Math.abs(at - queue.wake.at) < 1) return;
    queue.wake.set(clock, at, () => {
      // Timers may ring a fraction early, and the wall clock may have been set back.
      this.wake(queue);
      onReady(queue);
    });
  }

  /** Reads nothing more, and wakes nobody. */
  stop(): void {
    this.#isRunning = false;
    for (const [key, queue] of this.#queues) this.#remove(key, queue);
    for (const end of this.#waiting) end();
  }
}
