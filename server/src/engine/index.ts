// The delivering half, put together: lanes, transport, engine, challenger, upkeep.
import type { Clock } from '../model/clock.ts';
import type { DeliveryKey } from '../model/ids.ts';
import type { Outcome } from '../model/outcome.ts';
import type { RetryPlan } from '../model/retry.ts';
import type { OwnedLane, Retention, Store, TargetKey, StoredOperation } from '../store/contract.ts';
import type { Tracer } from '../tracing/index.ts';
import { AddressRefused, createAddressGuard, type AddressGuard } from './transport/address-guard.ts';
import { Challenger, type ChallengeResult, type ChallengeTold } from './challenger.ts';
import type { WebhookChanged } from './health.ts';
import type { ManualResult } from './by-hand.ts';
import { chores, FAN_OUT } from './chores.ts';
import type { AttemptEnd, AttemptTarget } from './attempt.ts';
import { Engine } from './engine.ts';
import { LaneKeeper } from './lane-keeper.ts';
import { createSender, type Sender } from './oauth/index.ts';
import { createMailer, type Mailer, type MailServer, type OutgoingMail } from './mail/index.ts';
import { OperationRunner } from './operations.ts';
import { testReport, type TestReportResult } from './report.ts';
import { Room } from './line.ts';
import {
  createTransport,
  type OutgoingRequest,
  type ProxySetting,
  type Transport,
  type TransportStats,
} from './transport/index.ts';
import { Upkeep } from './upkeep.ts';
import { Relay } from './relay.ts';
import { joinWays, type StartFlow } from './ways-out.ts';
import type { WindowLimits } from '../model/window.ts';

export type { StartFlow } from './ways-out.ts';
export type { AttemptEnd, AttemptTarget, ChallengeResult, ChallengeTold, ManualResult, WebhookChanged };

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
  /** Deliveries to flows go to it; without one they wait. */
  startFlow?: StartFlow;
  /** Open deliveries of one webhook from which on a backlog is told; null for never. */
  backlog: number | null;
  lease: { leaseMs: number; heartbeatMs: number };
  fanout: number;
  retention: Retention;
  /** Null, or absent, while nothing is traced. */
  tracer?: Tracer | null;
  onError(error: unknown): void;
  onAttempt?(end: AttemptEnd): void;
  /** Is told of every challenge that was answered, or not. */
  onChallenge?(result: ChallengeTold): void;
  /** A webhook’s state changed by what the evidence says. */
  onWebhook?(changed: WebhookChanged): void;
  /** An operation has ended here. */
  onOperation?(operation: StoredOperation): void;
  /** A round of upkeep is over. */
  onRound?(name: string, durationMs: number): void;
  /** Is told of every mail, whoever sent it. */
  onMail?(outcome: Outcome): void;
  /** So many secrets were sealed with a former key: now all are with the first, and the former ones open nothing more. */
  onResealed?(count: number): void;
  /** Lanes that have just become this node's, and those that no longer are: for whoever else works by them. */
  onLanes?: { taken(): void; lost(lanes: readonly number[]): void };
  /** Connections at a time beside those of deliveries and challenges: what others send through `send`. Default 0. */
  otherSockets?: number;
}

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
  /** The lanes of this node at this moment. */
  lanes(): OwnedLane[];
  /** Sends a request that is no delivery, through the same address guard and proxy. Never rejects. */
  send(request: OutgoingRequest): Promise<Outcome>;
  /** Which addresses may be connected to, for whoever does not speak HTTP. */
  addresses: Pick<AddressGuard, 'judge' | 'lookup'>;
  stats(): ReturnType<Engine['stats']> & { transport: TransportStats; lanes: number };
  /** Ends: nothing new, what is under way gets `graceMs`, everything is written down. Twice is harmless. */
  stop(graceMs: number): Promise<void>;
}

/** Puts the delivering half together; nothing runs before `start`. */
export function createDelivering(options: DeliveringOptions): Delivering {
  const { store, clock, onError, userAgent, concurrency, challenge, tracer = null } = options;
  const { guard, transport, sender } = createWayOut(options);
  const mailer = toldOf(createMailer(options.mail), options.onMail);
  const relay = new Relay({ store, clock, onLeft: (key) => void engine.reload(key), onError });
  const ways = joinWays(sender, relay, { mailer, startFlow: options.startFlow ?? noFlows });
  const defaults = { plan: options.plan, timeoutMs: options.timeoutMs, userAgent, report: options.report };
  const upkeep = new Upkeep(clock, onError, options.onRound);
  const challenger = new Challenger({
    settings: store.settings,
    sender,
    relay,
    clock,
    uuid: options.uuid,
    userAgent,
    tracer,
    onError,
    onResult: options.onChallenge,
    onChange: options.onWebhook,
    ...challenge,
  });
  const lanes: LaneKeeper = keepLanes(options, {
    taken: (taken) => {
      void engine.sweep(taken).catch(onError);
      operations.wake();
    },
    lost: (lost) => engine.drop(lost),
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
    tracer,
    onError,
    ...(options.onAttempt ? { onAttempt: options.onAttempt } : {}),
    onWebhook: options.onWebhook,
  });
  const operations = new OperationRunner({ store, lanes, clock, onEnd: options.onOperation, onError });
  hearStore({ store, engine, challenger, relay, operations, upkeep, onError });
  let stopped: Promise<void> | null = null;
  return {
    start: async () => {
      await lanes.start();
      const { fanout, retention, backlog, onResealed } = options;
      const { recheckMs } = challenge;
      const parts = { store, engine, challenger, lanes, clock, upkeep, fanout, retention, backlog, recheckMs };
      for (const chore of chores({ ...parts, onResealed })) upkeep.start(chore);
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
    lanes: () => lanes.all,
    send: (request) => transport.send(request),
    addresses: guard,
    stats: () => ({ ...engine.stats(), transport: transport.stats(), lanes: lanes.numbers.length }),
    stop: (graceMs) =>
      (stopped ??= stopAll(
        { upkeep, operations, challenger, engine, transport, relay, mailer, lanes, clock },
        graceMs,
      )),
  };
}

interface Hearing extends Pick<Stopping, 'engine' | 'challenger' | 'relay' | 'operations' | 'upkeep'> {
  store: Store;
  onError(error: unknown): void;
}

function hearStore({ store, engine, challenger, relay, operations, upkeep, onError }: Hearing): void {
  store.on(engine.ears);
  store.on({
    fanouts: () => upkeep.hurry(FAN_OUT),
    operation: () => operations.wake(),
    webhook: (workspace, target) => {
      void engine.reload({ workspace, target });
      void challengeIfPending(store, challenger, { workspace, target }).catch(onError);
    },
    changed: (key) => void engine.reload(key),
    relays: (key) => relay.hear(key),
    listener: (key) => {
      relay.hear(key);
      void engine.reload(key);
    },
  });
}

/** What follows when lanes come and go. */
interface LaneEars {
  taken(lanes: readonly number[]): void;
  lost(lanes: readonly number[]): void;
}

function keepLanes({ store, clock, node, lease, onError, onLanes }: DeliveringOptions, ears: LaneEars): LaneKeeper {
  const onTaken = (taken: readonly number[]): void => {
    ears.taken(taken);
    onLanes?.taken();
  };
  const onLost = (lost: readonly number[]): void => {
    ears.lost(lost);
    onLanes?.lost(lost);
  };
  return new LaneKeeper({ lanes: store.lanes, clock, node, ...lease, onTaken, onLost, onError });
}

const noFlows: StartFlow = async () => {
  const message = 'no flow engine runs here';
  return { kind: 'failure', code: 'closed', message, status: null, durationMs: 0, connectMs: 0 };
};

/** What leads out: addresses are judged, connections kept, access tokens added. */
function createWayOut(options: DeliveringOptions): { guard: AddressGuard; transport: Transport; sender: Sender } {
  const { allowAddresses, userAgent, proxy = null, concurrency, challenge, otherSockets = 0, clock } = options;
  const guard = createAddressGuard({ allow: [...allowAddresses] });
  const maxSockets = concurrency + challenge.concurrency + otherSockets;
  // No limit by host: endpoints of many tenants live on one, and those that hang must not use up the others' share.
  const transport = createTransport({ guard, userAgent, proxy, maxSockets, maxSocketsPerOrigin: maxSockets });
  return { guard, transport, sender: createSender(transport, clock) };
}

function toldOf(mailer: Mailer, onMail?: (outcome: Outcome) => void): Mailer {
  if (!onMail) return mailer;
  const send = async (mail: OutgoingMail): Promise<Outcome> => {
    const outcome = await mailer.send(mail);
    onMail(outcome);
    return outcome;
  };
  return { send, close: () => mailer.close() };
}

interface Stopping {
  upkeep: Upkeep;
  operations: OperationRunner;
  challenger: Challenger;
  engine: Engine;
  transport: Transport;
  relay: Relay;
  mailer: Mailer;
  lanes: LaneKeeper;
  clock: Clock;
}

async function stopAll(parts: Stopping, graceMs: number): Promise<void> {
  const { upkeep, operations, challenger, engine, transport, relay, mailer, lanes, clock } = parts;
  const sent = Promise.all([challenger.stop(), engine.quiet()]);
  await within(clock, graceMs, Promise.all([upkeep.stop(), operations.stop(), sent]));
  // What is still under way is cut off: that is our own doing, and uses no try up.
  mailer.close();
  relay.close();
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
