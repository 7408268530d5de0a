// The delivering half, put together: lanes, transport, engine, challenger, upkeep.
import type { Clock } from '../model/clock.ts';
import type { DeliveryKey } from '../model/ids.ts';
import type { RetryPlan } from '../model/retry.ts';
import { LANES, type Retention, type Store, type TargetKey } from '../store/contract.ts';
import { AddressRefused, createAddressGuard, type AddressGuard } from './transport/address-guard.ts';

import { Challenger, type ChallengeResult } from './challenger.ts';
import type { ManualResult } from './by-hand.ts';
import { ClockWatch } from './clock-watch.ts';
import { Engine, type AttemptEnd } from './engine.ts';
import { LaneKeeper } from './lane-keeper.ts';
import { createSender, type Sender } from './oauth/index.ts';
import { createMailer, type Mailer, type MailServer, type OutgoingMail } from './mail/index.ts';
import { OperationRunner } from './operations.ts';
import { testReport, type TestReportResult } from './report.ts';
import { Room } from './line.ts';
import { createTransport, type ProxySetting, type Transport, type TransportStats } from './transport/index.ts';
import { Upkeep, type Task } from './upkeep.ts';
import { joinWays } from './ways-out.ts';
import type { Outcome } from '../model/outcome.ts';
import type { WindowLimits } from '../model/window.ts';

export type { AttemptEnd, ChallengeResult, ManualResult };

/** Everything that can be set about delivering. Spans in ms. */
export interface DeliveringOptions {
  store: Store;
  clock: Clock;
  node: string;
  dice: () => number;
  uuid: () => string;
  userAgent: string;
  allowAddresses: readonly string[];
  /** Everything that is sent goes through it; null or left out: straight. */
  proxy?: ProxySetting | null;
  plan: RetryPlan;
  timeoutMs: number;
  window: WindowLimits;
  queuePerWebhook: number;
  /** Bytes that all queues together may hold in memory. */
  queueBytes: number;
  /** Targets that are remembered though nothing happens. Default 10,000. */
  queuesKept?: number;
  concurrency: number;
  settleDelayMs: number;
  challenge: {
    source: string;
    attempts: number;
    intervalMs: number;
    timeoutMs: number;
    success: 'exactly-200' | '2xx';
    origin: string;
    /** Attempts under way in all, beside the deliveries. */
    concurrency: number;
    /** How often a critical webhook that once proved itself is asked whether it is well again; null for never. */
    recheckMs: number | null;
  };
  /** Of post-processings: from the beginning of one send to the next, and the deadline of each. */
  report: { intervalMs: number; timeoutMs: number };
  /** Mails go by it; null for none. */
  mail: MailServer | null;
  /** Open deliveries of one webhook from which on a backlog is told; null for never. */
  backlog: number | null;
  lease: { leaseMs: number; heartbeatMs: number };
  fanout: number;
  retention: Retention;
  onError(error: unknown): void;
  onAttempt?(end: AttemptEnd): void;
}

const SWEEP_EVERY_MS = 30_000;
const CLOCK_EVERY_MS = 1_000;
/** How long after a clock was set back something planned by the old time may still be written. */
const LATE_EVERY_MS = 5_000;
const CHALLENGES_EVERY_MS = 30_000;
const ROTATIONS_EVERY_MS = 10_000;
const ROTATIONS_CHUNK = 100;
const FANOUT_EVERY_MS = 1_000;
const BURY_EVERY_MS = 5_000;
const BACKLOG_EVERY_MS = 30_000;
const BURY_CHUNK = 1_000;
const PRUNE_EVERY_MS = 60_000;
const PRUNE_CHUNK = 500;
const ERASE_EVERY_MS = 2_000;
const SHRINK_EVERY_MS = 500;
/** Steps in a row: what is given back in one look, a quarter of a megabyte each. */
const SHRINK_STEPS = 8;
const RESEAL_EVERY_MS = 3_600_000;
const RESEAL_CHUNK = 100;

/** The delivering half of the platform. */
export interface Delivering {
  /** Takes lanes and begins to deliver; resolves when it does. */
  start(): Promise<void>;
  /** A challenge now (the Test button); null when the webhook is gone. */
  test(key: TargetKey): Promise<ChallengeResult | null>;
  /** Begins a run of challenges. */
  challenge(key: TargetKey): void;
  /** Why nothing may be sent to this host at present, or null; a name that does not resolve is no reason. */
  judgeHost(hostname: string): Promise<AddressRefused | null>;
  /** What is parked of a target is tried again, and its lines go on. */
  unpark(key: TargetKey): Promise<void>;
  /** A test request to a post-processing, now (R44–R47); null when it is gone. */
  testReport(key: TargetKey, as: 'job' | 'policy'): Promise<TestReportResult | null>;
  /** Sends a mail; see {@link Mailer.send}. */
  sendMail(mail: OutgoingMail): Promise<Outcome>;
  /** Tries a delivery by hand. */
  retry(key: DeliveryKey): Promise<ManualResult>;
  stats(): ReturnType<Engine['stats']> & { transport: TransportStats; lanes: number };
  /** Ends: nothing new, what is under way gets `graceMs`, everything is written down. Twice is harmless. */
  stop(graceMs: number): Promise<void>;
}

/** Puts the delivering half together; nothing runs before `start`. */
export function createDelivering(options: DeliveringOptions): Delivering {
  const { store, clock, node, onError, userAgent, concurrency, challenge } = options;
  const { guard, transport, sender } = createWayOut(options);
  const mailer = createMailer(options.mail);
  const ways = joinWays(sender, mailer);
  const defaults = { plan: options.plan, timeoutMs: options.timeoutMs, userAgent, report: options.report };
  const upkeep = new Upkeep(clock, onError);
  const challenger = new Challenger({
    settings: store.settings,
    sender,
    clock,
    uuid: options.uuid,
    userAgent,
    onError,
    ...challenge,
  });
  const lanes: LaneKeeper = new LaneKeeper({
    lanes: store.lanes,
    clock,
    node,
    ...options.lease,
    onTaken: (taken) => {
      void engine.sweep(taken).catch(onError);
      operations.wake();
    },
    onLost: (lost) => engine.drop(lost),
    onError,
  });
  const engine = new Engine({
    store,
    ways,
    lanes,
    clock,
    dice: options.dice,
    defaults,
    queues: { limit: options.queuePerWebhook, window: options.window, room: new Room(options.queueBytes) },
    queuesKept: options.queuesKept ?? 10_000,
    concurrency,
    settleDelayMs: options.settleDelayMs,
    onError,
    ...(options.onAttempt ? { onAttempt: options.onAttempt } : {}),
  });
  const operations = new OperationRunner({ store, lanes, clock, onError });
  store.on(engine.ears);
  store.on({
    fanouts: () => upkeep.hurry('fan-out'),
    operation: () => operations.wake(),
    webhook: (workspace, target) => {
      void engine.reload({ workspace, target });
      void challengeIfPending(store, challenger, { workspace, target }).catch(onError);
    },
  });
  let stopped: Promise<void> | null = null;
  return {
    start: async () => {
      await lanes.start();
      for (const task of tasks({ store, engine, challenger, lanes, clock, options, upkeep })) upkeep.start(task);
      operations.start();
    },
    test: (key) => challenger.test(key),
    challenge: (key) => challenger.begin(key),
    judgeHost: (hostname) => judgeHost(guard, hostname),
    unpark: (key) => engine.unpark(key),
    testReport: (key, as) =>
      testReport({ settings: store.settings, ways, clock, defaults, uuid: options.uuid }, key, as),
    sendMail: (mail) => mailer.send(mail),
    retry: (key) => engine.retry(key),
    stats: () => ({ ...engine.stats(), transport: transport.stats(), lanes: lanes.numbers.length }),
    stop: (graceMs) =>
      (stopped ??= stopAll({ upkeep, operations, challenger, engine, transport, mailer, lanes, clock }, graceMs)),
  };
}

/** What leads out: addresses are judged, connections kept, access tokens added. */
function createWayOut({ allowAddresses, userAgent, proxy = null, concurrency, challenge, clock }: DeliveringOptions): {
  guard: AddressGuard;
  transport: Transport;
  sender: Sender;
} {
  const guard = createAddressGuard({ allow: [...allowAddresses] });
  const maxSockets = concurrency + challenge.concurrency;
  // No limit by host: endpoints of many tenants live on one, and those that hang must not use up the others' share.
  const transport = createTransport({ guard, userAgent, proxy, maxSockets, maxSocketsPerOrigin: maxSockets });
  return { guard, transport, sender: createSender(transport, clock) };
}

interface Stopping {
  upkeep: Upkeep;
  operations: OperationRunner;
  challenger: Challenger;
  engine: Engine;
  transport: Transport;
  mailer: Mailer;
  lanes: LaneKeeper;
  clock: Clock;
}

async function stopAll(parts: Stopping, graceMs: number): Promise<void> {
  const { upkeep, operations, challenger, engine, transport, mailer, lanes, clock } = parts;
  const sent = Promise.all([challenger.stop(), engine.quiet()]);
  await within(clock, graceMs, Promise.all([upkeep.stop(), operations.stop(), sent]));
  // What is still under way is cut off: that is our own doing, and uses no try up.
  mailer.close();
  await transport.close({ force: true });
  await sent;
  await within(clock, graceMs, engine.drained());
  engine.abandon();
  await lanes.stop();
}

/** Waits for something to end, but no longer than this. */
async function within(clock: Clock, ms: number, ended: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = clock.after(ms, late.resolve);
  await Promise.race([ended, late.promise]);
  timer.cancel();
}

async function judgeHost(guard: AddressGuard, hostname: string): Promise<AddressRefused | null> {
  try {
    await guard.resolve(hostname);
    return null;
  } catch (error) {
    return error instanceof AddressRefused ? error : null;
  }
}

async function challengeIfPending(store: Store, challenger: Challenger, key: TargetKey): Promise<void> {
  const webhook = await store.settings.webhook(key.workspace, key.target);
  if (webhook?.intent === 'enabled' && webhook.health === 'pending') challenger.begin(key);
}

// Every webhook that has to prove itself has a run: one that a crash or an outage of the store interrupted begins again,
// and what is critical is asked from time to time, for people forget to press Test when the endpoint is well again.
async function challengeUnproved(
  store: Store,
  parts: { challenger: Challenger; lanes: LaneKeeper; clock: Clock; recheckMs: number | null },
): Promise<void> {
  const { challenger, lanes, clock, recheckMs } = parts;
  const owned = new Set(lanes.numbers);
  const criticalBefore = recheckMs === null ? 0 : clock.now() - recheckMs;
  for (const { bucket, health, ...key } of await store.settings.unproved(criticalBefore)) {
    if (!owned.has(bucket % LANES)) continue;
    if (health === 'pending') challenger.begin(key);
    else challenger.recheck(key);
  }
}

interface Kept {
  store: Store;
  engine: Engine;
  challenger: Challenger;
  lanes: LaneKeeper;
  clock: Clock;
  options: Pick<DeliveringOptions, 'fanout' | 'retention' | 'challenge' | 'backlog'>;
  upkeep: Upkeep;
}

/** What is done from time to time. */
function tasks({ store, engine, challenger, lanes, clock, options, upkeep }: Kept): Task[] {
  const watch = new ClockWatch(clock);
  const { fanout, retention, backlog } = options;
  const { recheckMs } = options.challenge;
  const chunks = (on: () => boolean): Chunks => ({ clock, on });
  return [
    {
      name: 'challenges',
      everyMs: CHALLENGES_EVERY_MS,
      run: () => challengeUnproved(store, { challenger, lanes, clock, recheckMs }),
    },
    { name: 'rotations', everyMs: ROTATIONS_EVERY_MS, run: (on) => endRotations(store, chunks(on)) },
    {
      name: 'backlogs',
      everyMs: BACKLOG_EVERY_MS,
      run: async () => {
        if (backlog !== null) await store.log.watchBacklogs(backlog, clock.now());
      },
    },
    { name: 'burials', everyMs: BURY_EVERY_MS, run: (on) => buryAll(store, chunks(on)) },
    { name: 'sweep', everyMs: SWEEP_EVERY_MS, run: () => engine.sweep(lanes.numbers) },
    {
      name: 'clock',
      everyMs: CLOCK_EVERY_MS,
      run: async () => {
        const ms = watch.setBack();
        if (ms === 0) return;
        engine.setBack(ms);
        upkeep.hurry('retries');
      },
    },
    {
      name: 'retries',
      everyMs: LATE_EVERY_MS,
      // A task of its own: while it goes through a long backlog the clock is watched on, for it may be set back again.
      run: async () => {
        const pass = watch.next();
        if (!pass) return;
        let isDone = false;
        try {
          await engine.followClock(pass);
          isDone = true;
        } finally {
          watch.ended(pass, isDone);
        }
      },
    },
    { name: 'fan-out', everyMs: FANOUT_EVERY_MS, run: (on) => expandAll(store, fanout, chunks(on)) },
    { name: 'retention', everyMs: PRUNE_EVERY_MS, run: (on) => pruneAll(store, retention, chunks(on)) },
    { name: 'erasures', everyMs: ERASE_EVERY_MS, run: (on) => eraseAll(store, chunks(on)) },
    { name: 'room', everyMs: SHRINK_EVERY_MS, run: (on) => shrinkSome(store, on) },
    { name: 'keys', everyMs: RESEAL_EVERY_MS, run: (on) => resealAll(store, on) },
  ];
}

/** What a task in chunks goes by: the time, and whether to begin another chunk. */
interface Chunks {
  clock: Clock;
  on(): boolean;
}

async function endRotations(store: Store, { clock, on }: Chunks): Promise<void> {
  while (on() && (await store.settings.endRotations(clock.now(), ROTATIONS_CHUNK)) === ROTATIONS_CHUNK);
}

async function buryAll(store: Store, { on }: Chunks): Promise<void> {
  while (on() && (await store.log.bury(BURY_CHUNK)));
}

async function expandAll(store: Store, limit: number, { clock, on }: Chunks): Promise<void> {
  while (on() && (await store.log.expandFanouts(limit, clock.now())));
}

async function eraseAll(store: Store, { clock, on }: Chunks): Promise<void> {
  while (on() && (await store.erasures.advance(clock.now())));
}

async function shrinkSome(store: Store, on: () => boolean): Promise<void> {
  for (let step = 0; step < SHRINK_STEPS && on(); step++) if (!(await store.log.shrink())) return;
}

// The rest of a rotation of the keys that seal secrets: once after the start, which is when there are new ones.
async function resealAll(store: Store, on: () => boolean): Promise<void> {
  while (on() && (await store.settings.reseal(RESEAL_CHUNK)) > 0);
}

async function pruneAll(store: Store, retention: Retention, { clock, on }: Chunks): Promise<void> {
  while (on() && (await store.log.prune(retention, clock.now(), PRUNE_CHUNK)) > 0);
}
