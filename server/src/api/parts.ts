// What the API is handed: it names no concrete store, engine or clock, and imports no other room above the store.
import type { Config } from '../config/index.ts';
import type { Log, LogFields } from '../log/index.ts';
import type { Metrics } from '../metrics.ts';
import type { Clock } from '../model/clock.ts';
import type { HookCall, HookReply } from '../model/hook/exchange.ts';
import type { DeliveryKey } from '../model/ids.ts';
import type { ChallengeNote } from '../model/challenge.ts';
import type { PulseReading } from '../model/pulse.ts';
import type { Counts, Store, TargetKey, Webhook } from '../store/contract.ts';
import type { Tracer } from '../tracing/index.ts';
import type { PayloadSchemas } from './payload-schema/index.ts';
import type { OutcomeOut } from './wire.ts';

/** The settings the API reads. */
export type ApiConfig = Pick<Config, 'delivery' | 'flows' | 'hooks' | 'limits' | 'operations' | 'quotas' | 'targets'>;

/** Dice, handed in. */
export interface Random {
  /** A random UUID. */
  uuid(): string;
  /** That many random bytes. */
  bytes(count: number): Uint8Array;
}

/** What the API asks of the engine, which hears of every change of a webhook from the store. engine-port.ts joins the two. */
export interface EnginePort {
  /**
   * Sends one challenge now (R113) and begins a run of attempts when it fails. While a run is on its way already, its
   * next attempt is made at once instead of a second run. Rejects only on outages.
   */
  test(target: TargetKey): Promise<{ webhook: Webhook; outcome: OutcomeOut; note: ChallengeNote }>;
  /** Begins a run of challenge attempts, unless the webhook's verification is `none`. Returns at once. */
  challenge(target: TargetKey): void;
  /**
   * Why nothing may be sent to this host at present, as a sentence, or null: a literal or a name that resolves to an
   * address the operator does not allow (R59). A name that does not resolve is no reason.
   */
  judgeHost(hostname: string): Promise<string | null>;
  /** One test request to a post-processing, now (R45). Rejects `not-found` when it is gone. */
  testReport(target: TargetKey, as: 'job' | 'policy'): Promise<OutcomeOut>;
  /** Makes what is parked of a target due; its lines go on. */
  unpark(target: TargetKey): Promise<void>;
  /** One try by hand, now, that leaves the automatic chain alone; null when the delivery or its event is gone. */
  retry(key: DeliveryKey): Promise<OutcomeOut | null>;
  /** Calls back after each attempt is settled, until the returned function is called. */
  watch(listener: (settled: SettledAttempt) => void): () => void;
}

/** What those who watch are shown, beside metrics. */
export interface Watching {
  /** Counts of the whole store, some seconds old: the same answer for all who ask meanwhile. */
  census(): Promise<Counts & { countedAt: number }>;
  /** What this node remembers of these workspaces, or of all. */
  pulse(workspaces: readonly number[] | null): PulseReading;
  /** This node at this moment. */
  node(): NodeFacts;
}

/** A node, in numbers. */
export interface NodeFacts {
  name: string;
  lanes: number;
  /** Deliveries in memory. */
  ready: number;
  /** Places in use, of so many. */
  underWay: number;
  places: number;
  /** Outbound, the idle ones included. */
  connections: number;
  /** Runs under way. */
  runs: number;
  memoryBytes: number;
}

/** What an attempt came to, as the live stream shows it. Instants epoch ms. */
export interface SettledAttempt extends DeliveryKey {
  attempt: number;
  manual: boolean;
  state: 'scheduled' | 'delivered' | 'dead';
  startedAt: number;
  durationMs: number;
  status: number | null;
  error: string | null;
}

/** Everything {@link createApi} is made of. */
export interface ApiParts {
  store: Store;
  config: ApiConfig;
  log: Log;
  clock: Clock;
  random: Random;
  schemas: PayloadSchemas;
  engine: EnginePort;
  /** Takes a request to a hook; resolves what its caller is answered. */
  receive(call: HookCall, tell: (facts: LogFields) => void): Promise<HookReply>;
  metrics: Metrics;
  /** Null while nothing is traced. */
  tracer: Tracer | null;
  watching: Watching;
  /** Shown in /openapi.json. */
  version: string;
}
