// The platform, put together: config → store → engine + flows + API → start() / stop(). The only file that names the parts.
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createApi, type Api } from './api/api.ts';
import type { NodeFacts } from './api/parts.ts';
import { createPayloadSchemas, type PayloadSchemas } from './api/payload-schema/index.ts';
import type { Config } from './config/index.ts';
import { systemClock } from './clock.ts';
import { createErrorLog, type ErrorLog } from './error-log.ts';
import { joinEngine } from './engine-port.ts';
import { createDelivering, type Delivering, type DeliveringOptions } from './engine/index.ts';
import { prepareStore } from './first-start.ts';
import type { FlowEngine } from './flow/index.ts';
import { assembleFlows } from './flows.ts';
import type { Log } from './log/index.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createMeters, type Meters } from './metrics/index.ts';
import { gaugeProcess } from './metrics/process.ts';
import { countCommits, gaugeDisk } from './metrics/store.ts';
import type { Clock } from './model/clock.ts';
import { Pulse } from './model/pulse.ts';
import { makeFolder } from './store/folder.ts';
import { openStore, type Store, type StoreWatch } from './store/index.ts';
import { openKeyring } from './store/keyring.ts';
import { openTracing, type Tracer } from './tracing/index.ts';
import { createWorkLog, type WorkLog } from './work-log.ts';

// What a program needs to start one, as `bellwire/platform`.
export { ConfigError, loadConfig } from './config/index.ts';
export { createLog } from './log/index.ts';

/** What a platform is made of. */
export interface PlatformParts {
  config: Config;
  log: Log;
  version: string;
  /** The machine's clock unless a test hands in its own. */
  clock?: Clock;
  /** How the store is opened, unless a test stands in between. */
  openStore?: typeof openStore;
}

/** A platform that runs. */
export interface RunningPlatform {
  /** Where the API listens. */
  url: string;
  /** The admin key, also in the file `admin-key` of the data folder. */
  adminKey: string;
  /** For tests and tools in the same process. */
  store: Store;
  /** Takes nothing new, finishes what is under way within the grace, writes everything down. Twice is harmless. */
  stop(): Promise<void>;
}

/** Starts everything in order; whatever had started is stopped again when a later part fails. Throws in words. */
export async function startPlatform(parts: PlatformParts): Promise<RunningPlatform> {
  const { config, log, version, clock = systemClock } = parts;
  const stops: (() => Promise<void> | void)[] = [];
  let isRunning = false;
  const stop = onlyOnce(async () => {
    const beganAt = clock.monotonic();
    await stopAll(stops.splice(0).toReversed(), log);
    const durationMs = Math.round(clock.monotonic() - beganAt);
    if (isRunning) log.info({ durationMs }, 'the platform has stopped');
  });
  try {
    // A start that cannot listen must not leave a new data folder behind.
    if (!existsSync(config.dataFolder)) await listen(probe(), config);
    makeFolder(config.dataFolder);
    const metrics = createMetrics();
    const watch = countCommits(metrics);
    const errors = createErrorLog(log, clock);
    const store = await open({ config, errors, watch }, parts.openStore ?? openStore);
    stops.push(() => store.close());
    const first = { dataFolder: config.dataFolder, limits: config.quotas, log, now: clock.now() };
    const adminKey = await prepareStore(store.settings, first);
    const { kind } = config.store;
    gaugeDisk(metrics, { dataFolder: config.dataFolder, file: kind === 'sqlite' ? config.store.file : null });
    stops.push(gaugeProcess(metrics, { version, store: kind }));
    const schemas = createPayloadSchemas(config.schemas);
    stops.push(() => schemas.close());
    const tracing = await trace({ config, log, version, clock, metrics });
    // Last of all, so that it tells of how the others stopped.
    if (tracing) stops.unshift(() => tracing.stop());
    const shared = { config, log, errors, version, clock, store, metrics, schemas };
    const { delivering, flows, api } = assemble({ ...shared, tracer: tracing?.tracer ?? null });
    stops.push(() => delivering.stop(config.shutdown.graceMs));
    await delivering.start();
    stops.push(() => flows.stop(config.shutdown.graceMs));
    flows.start();
    stops.push(() => api.close(config.shutdown.graceMs));
    // First of all: whoever waits for a run would hold the API up to its grace.
    stops.push(() => flows.dismiss());
    const url = await listen(api, config);
    stops.push(leaveAddress(config.dataFolder, url));
    log.info({ url, store: config.store.kind, dev: config.dev, version, node: nodeName }, 'the platform is running');
    isRunning = true;
    return { url, adminKey, store, stop };
  } catch (error) {
    // What does not stop has been reported; why it did not start is what counts.
    await stop().catch(() => undefined);
    throw error;
  }
}

// One that fails (the database is down, say) keeps no other from stopping.
async function stopAll(stops: readonly (() => Promise<void> | void)[], log: Log): Promise<void> {
  const failures: unknown[] = [];
  for (const stop of stops) {
    try {
      await stop();
    } catch (error) {
      failures.push(error);
      log.error({ error }, 'a part of the platform did not stop as it should');
    }
  }
  if (failures.length > 0) throw failures[0];
}

function open(
  { config, errors, watch }: { config: Config; errors: ErrorLog; watch: StoreWatch },
  openWith: typeof openStore,
): Promise<Store> {
  const { store: setting, limits } = config;
  return openWith({
    address: setting.kind === 'sqlite' ? setting.file : setting.url,
    keyring: openKeyring(config.secrets),
    node: nodeName,
    limits: { fanout: limits.fanout, group: GROUP },
    sheetRows: config.sheets.mostRows,
    ...(setting.kind === 'sqlite' ? { connections: 1 } : setting),
    onError: errors.store,
    watch,
  });
}

function trace({ config, ...parts }: Pick<Assembled, 'config' | 'log' | 'version' | 'clock' | 'metrics'>) {
  const { tracing: setting } = config;
  return setting && openTracing({ ...parts, setting, node: nodeName });
}

/** Events and deliveries that one commit may hold, about: more make it longer than it is worth. */
const GROUP = 4000;

/** This process, by a name no other has. */
const nodeName = `${hostname()}/${process.pid}/${randomBytes(4).toString('hex')}`;

interface Assembled {
  config: Config;
  log: Log;
  errors: ErrorLog;
  version: string;
  clock: Clock;
  store: Store;
  metrics: Metrics;
  schemas: PayloadSchemas;
  tracer: Tracer | null;
}

function assemble(parts: Assembled): { delivering: Delivering; flows: FlowEngine; api: Api } {
  const { config, log, errors, version, clock, store, metrics, schemas, tracer } = parts;
  const pulse = new Pulse();
  const meters: Meters = createMeters({
    ...parts,
    pulse,
    delivering: () => delivering,
    flows: () => flows,
    places: { deliveries: config.delivery.concurrency, runs: config.flows.concurrency },
  });
  const watch = countAndLog(meters, createWorkLog(log, config, tracer !== null));
  const { port, onAttempt } = joinEngine(store.settings, log, () => delivering);
  const userAgent = config.userAgent ?? `Bellwire/${version}`;
  const delivering: Delivering = createDelivering({
    store,
    clock,
    node: nodeName,
    dice: Math.random,
    uuid: randomUUID,
    userAgent,
    allowAddresses: config.targets.allowAddresses,
    proxy: config.delivery.proxy,
    plan: { delaysMs: config.delivery.retryDelaysMs, jitter: config.delivery.jitter },
    timeoutMs: config.delivery.timeoutMs,
    window: config.delivery.window,
    queuePerWebhook: config.delivery.queuePerWebhook,
    queueBytes: config.delivery.queueBytes,
    concurrency: config.delivery.concurrency,
    settleDelayMs: config.delivery.settleDelayMs,
    backlog: config.delivery.backlog,
    report: config.postProcessing,
    mail: config.mail,
    startFlow: (delivery) => flows.startByEvent(delivery),
    challenge: challengeOf(config),
    lease: config.lanes,
    fanout: config.limits.fanout,
    retention: config.retention,
    tracer,
    onError: errors.engine,
    ...watch,
    onAttempt: both(watch.onAttempt, onAttempt),
    onResealed: (count) =>
      log.info({ count }, 'secrets are encrypted with the first key now: former keys may be taken away'),
    onMail: meters.onMail,
    onLanes: { taken: () => flows.wake(), lost: (lanes) => flows.drop(lanes) },
    otherSockets: config.flows.concurrency,
  });
  const flows: FlowEngine = assembleFlows({
    config,
    log,
    clock,
    store,
    schemas,
    tracer,
    delivering,
    watch: watch.flows,
    onError: errors.flows,
  });
  const random = { uuid: randomUUID, bytes: (n: number) => randomBytes(n) };
  const api = createApi({
    store,
    config,
    log,
    clock,
    random,
    schemas,
    engine: port,
    metrics,
    tracer,
    watching: {
      census: meters.census.latest,
      pulse: (workspaces) => pulse.read(workspaces, clock.monotonic()),
      node: () => nodeFacts({ delivering, flows, places: config.delivery.concurrency }),
    },
    version,
    receive: (call, tell) => flows.receive(call, tell),
  });
  return { delivering, flows, api };
}

function nodeFacts(of: { delivering: Delivering; flows: FlowEngine; places: number }): NodeFacts {
  const { lanes, ready, underWay, transport } = of.delivering.stats();
  return {
    name: nodeName,
    lanes,
    ready,
    underWay,
    places: of.places,
    connections: transport.inFlight + transport.idle,
    runs: of.flows.stats().running,
    memoryBytes: process.memoryUsage.rss(),
  };
}

/** What ends is counted, and has its line in the log. */
function countAndLog(meters: Meters, works: WorkLog) {
  const { onWebhook, onOperation, onRound } = works;
  return {
    onWebhook,
    onOperation,
    onRound,
    onAttempt: both(meters.onAttempt, works.onAttempt),
    onChallenge: both(meters.onChallenge, works.onChallenge),
    flows: { step: meters.flows.step, run: both(meters.flows.run, works.onRun) },
  };
}

function both<Told>(one: (told: Told) => void, other: (told: Told) => void): (told: Told) => void {
  return (told) => {
    one(told);
    other(told);
  };
}

function challengeOf({ challenge: { success, origin, ...rest } }: Config): DeliveringOptions['challenge'] {
  return { ...rest, success: success === '2xx' ? '2xx' : 'exactly-200', origin: origin ?? hostname() };
}

async function listen(api: Pick<Api, 'listen'>, { listen: { host, port } }: Config): Promise<string> {
  try {
    const { address, port: taken } = await api.listen(host, port);
    return `http://${address.includes(':') ? `[${address}]` : address}:${taken}`;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const place = `${host}:${port}`;
    if (code === 'EADDRINUSE')
      throw new Error(`${place} is taken: stop what listens there, or use another --port`, { cause: error });
    if (code === 'EACCES')
      throw new Error(`not allowed to listen on ${place}: use a --port above 1023`, { cause: error });
    throw new Error(`cannot listen on ${place}: ${message}`, { cause: error });
  }
}

/** Listens for as long as it takes to know that one can. */
function probe(): Pick<Api, 'listen'> {
  return {
    listen: async (host, port) => {
      const server = createServer().listen(port, host);
      await once(server, 'listening');
      server.close();
      await once(server, 'close');
      return { address: host, port };
    },
  };
}

// Tells the CLI where the platform of this data folder listens. Gone when it has stopped; a crash leaves a wrong one,
// which the next start replaces.
function leaveAddress(folder: string, url: string): () => void {
  const file = join(folder, 'address');
  writeFileSync(file, `${url}\n`, { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

function onlyOnce(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => (running ??= run());
}
