// The platform's settings: one typed object from the manual, a file, the environment and the command line.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMap, parseDocument } from 'yaml';
import { didYouMean } from '../model/near-names.ts';
import { layer, type Door, type Layer, type Origin } from './layers.ts';
import { readOtelVariables } from './otel-variables.ts';
import { createReader, type ProxyAddress, type Reader, type Reading } from './reader.ts';

/** Everything that can be set; `bellwire.default.yaml` tells what each means. Spans in ms, sizes in bytes. */
export interface Config {
  dev: boolean;
  listen: { host: string; port: number };
  /** Absolute path. */
  dataFolder: string;
  store: StoreSetting;
  /** Keys in base64, or the file to keep them in: what the keyring is opened with. */
  secrets: { keys: readonly string[] } | { file: string };
  targets: {
    httpsRequired: boolean;
    publicNamesRequired: boolean;
    /** Ranges in CIDR form that may be connected to although they are not public. */
    allowAddresses: readonly string[];
    allowUnverified: boolean;
  };
  /** Null is `Bellwire/<version>`. */
  userAgent: string | null;
  challenge: {
    source: string;
    attempts: number;
    intervalMs: number;
    timeoutMs: number;
    success: '200' | '2xx';
    /** Null is the name of this machine. */
    origin: string | null;
    /** Null is never. */
    recheckMs: number | null;
    concurrency: number;
  };
  delivery: {
    timeoutMs: number;
    /** One delay after each failed try; their number plus one is the number of tries. */
    retryDelaysMs: readonly number[];
    /** Share of a delay, 0 to 1. */
    jitter: number;
    window: { min: number; start: number; max: number };
    concurrency: number;
    queuePerWebhook: number;
    queueBytes: number;
    settleDelayMs: number;
    /** Open deliveries of one webhook that are told by an operational event; null for never. */
    backlog: number | null;
    /** The outbound proxy, or null: straight. */
    proxy: ProxyAddress | null;
  };
  postProcessing: { intervalMs: number; timeoutMs: number };
  /** The mail server, or null: no mail can be sent. */
  mail: MailSetting | null;
  limits: { eventBytes: number; requestBytes: number; bodyBytes: number; fanout: number };
  schemas: { vetTimeoutMs: number; checkTimeoutMs: number };
  /** Limits of a workspace that was given none; null is unlimited. */
  quotas: {
    eventsPerDay: number | null;
    bytesPerDay: number | null;
    webhooks: number | null;
    subscriptions: number | null;
    eventTypes: number | null;
  };
  retention: { eventsMs: number; deliveriesMs: number; idempotencyMs: number; changesMs: number; runsMs: number };
  lanes: { leaseMs: number; heartbeatMs: number };
  /** Deliveries per second that an operation releases unless it says otherwise. */
  operations: { pace: number };
  flows: FlowSetting;
  /** Hooks of scenarios. `bodyBytes`: the largest body that is read; a hook may ask for less. */
  hooks: { bodyBytes: number };
  sheets: SheetSetting;
  log: { level: LogLevel; pretty: boolean; deliveries: DeliveryLines };
  /** Where traces go; null for nowhere. */
  tracing: TracingSetting | null;
  shutdown: { graceMs: number };
}

/** The mail server, and who we are to it. */
export interface MailSetting {
  host: string;
  port: number;
  secure: 'tls' | 'starttls' | 'none';
  user: string | null;
  password: string | null;
  from: string;
}

/** Where the store is. */
export type StoreSetting =
  | { kind: 'sqlite'; file: string }
  | {
      kind: 'postgres';
      url: string;
      connections: number;
      connectTimeoutMs: number;
      statementTimeoutMs: number;
      rewritesErased: boolean;
    };

/** Jobs and policy sets, and what they may reach on this machine. */
export interface FlowSetting {
  /** Runs that work at once on a node. */
  concurrency: number;
  /** Runs that may lead to one another before the chain is cut (R16). */
  maxDepth: number;
  /** Largest output of a step, and most text of one log. */
  stepBytes: number;
  logBytes: number;
  /** Folders whose JSON files policies may read, absolute. */
  folders: readonly string[];
  /** May policies use the machine's own identity at AWS? */
  machineIdentity: boolean;
  commands: {
    /** Workspaces whose jobs may run commands, by name. */
    workspaces: readonly string[] | 'all';
    /** Absolute; null for none. */
    scripts: string | null;
    /** User and group (one number) of commands where the platform is root. */
    user: number;
    unshielded: boolean;
    graceMs: number;
  };
}

/** Sheets that are kept elsewhere. */
export interface SheetSetting {
  /** Folders in which CSV, XLSX and SQLite files may be, absolute. */
  folders: readonly string[];
  /** XLSX files are written at most so often each. */
  xlsxEveryMs: number;
  /** Rows that a built-in sheet may have. */
  mostRows: number;
}

/** Traces: where they go, and how many of them. */
export interface TracingSetting {
  /** URL that spans are POSTed to. */
  endpoint: string;
  /** Of traces that begin here, 0 to 1. */
  sample: number;
  /** Of every request to the collector; values are secrets. */
  headers: Readonly<Record<string, string>>;
  service: string;
  /** Of the resource, beside the service. */
  attributes: Readonly<Record<string, string>>;
}

/** Which attempts have a line in the log. */
export type DeliveryLines = 'none' | 'failed' | 'all';

/** How much is logged. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Where settings come from besides the manual. Nothing here reads the process: all of it is handed in. */
export interface ConfigSources {
  /** The working folder: relative paths start here, and `bellwire.yaml` is looked for here. */
  folder: string;
  /** The file named with --config; when left out, `bellwire.yaml` if there is one. */
  file?: string | undefined;
  env?: Readonly<Record<string, string | undefined>>;
  /** From the command line: a part of the manual's tree, for example `{ listen: { port: 9000 } }`. */
  overrides?: object;
}

/** A loaded configuration and how it came about. */
export interface LoadedConfig {
  config: Config;
  /** Each setting with its value as text (secrets as `set` or `unset`) and where it comes from. */
  settings: readonly Reading[];
}

/** Settings that cannot be used: every fault at once, each in one line that says where it stands. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** The manual: its values are the defaults, its names are all that exist. */
const MANUAL = new URL('../../bellwire.default.yaml', import.meta.url);
/** The file that is read when none is named. */
const FILE = 'bellwire.yaml';
/** Environment variables of the same prefix that are not settings of the platform. */
const NOT_SETTINGS = new Set(['BELLWIRE_URL', 'BELLWIRE_KEY', 'BELLWIRE_WORKSPACE', 'BELLWIRE_CONFIG']);

/** All that dev mode changes, and the only place where it does; every one of these can still be set otherwise. */
const DEV = {
  targets: { httpsRequired: false, publicNamesRequired: false, allowAddresses: ['loopback'], allowUnverified: true },
  flows: { commands: { workspaces: ['all'], scripts: '.' } },
  sheets: { folders: ['.'] },
  log: { pretty: true },
};

/** Loads and checks the settings. Throws {@link ConfigError} with every fault found. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const faults: string[] = [];
  const tree = parseYaml(readFileSync(MANUAL, 'utf8'), fileURLToPath(MANUAL), faults);
  const manual = layer(tree, 'default', { known: null, faults });
  const door = { known: manual.names(), faults };
  const file = readFile(sources, faults);
  const layers = [
    layer(file.tree, file.origin, door),
    environment(sources.env ?? {}, door),
    layer(sources.overrides ?? {}, 'command line', door),
  ];
  const dev = createReader([manual, ...layers], []).boolean('dev');
  const reader = createReader([manual, ...(dev ? [layer(DEV, 'dev mode', door)] : []), ...layers], faults);
  const config = compose(reader, sources.folder);
  checkTogether(config, reader);
  if (faults.length > 0) throw new ConfigError([...new Set(faults)]);
  return { config, settings: reader.readings() };
}

/** One line per setting: its path, its value, and where that comes from. Secrets show only whether they are set. */
export function describeConfig(loaded: LoadedConfig): string {
  return loaded.settings.map(({ path, text, origin }) => `${path} = ${text} (${origin})`).join('\n');
}

/** The environment variable of a setting: `delivery.retryDelays` → `BELLWIRE_DELIVERY_RETRY_DELAYS`. */
export function variableOf(path: string): string {
  return `BELLWIRE_${path
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;
}

function compose(read: Reader, folder: string): Config {
  const dataFolder = resolve(folder, read.text('dataFolder'));
  return {
    dev: read.boolean('dev'),
    listen: { host: read.text('listen.host'), port: read.integer('listen.port', { min: 0, max: 65_535 }) },
    dataFolder,
    store: composeStore(read, { folder, dataFolder }),
    secrets: composeSecrets(read, { folder, dataFolder }),
    targets: {
      httpsRequired: read.boolean('targets.httpsRequired'),
      publicNamesRequired: read.boolean('targets.publicNamesRequired'),
      allowAddresses: read.addresses('targets.allowAddresses'),
      allowUnverified: read.boolean('targets.allowUnverified'),
    },
    userAgent: read.headerValue('userAgent'),
    challenge: {
      source: read.text('challenge.source'),
      attempts: read.integer('challenge.attempts', { min: 1, max: 100 }),
      intervalMs: read.span('challenge.interval'),
      timeoutMs: read.span('challenge.timeout', { min: 1 }),
      success: read.word('challenge.success', ['200', '2xx']),
      origin: read.headerValue('challenge.origin'),
      recheckMs: read.optionalSpan('challenge.recheck', { min: 1_000 }),
      concurrency: read.integer('challenge.concurrency', { min: 1, max: 100_000 }),
    },
    delivery: composeDelivery(read),
    postProcessing: {
      intervalMs: read.span('postProcessing.interval', { min: 100 }),
      timeoutMs: read.span('postProcessing.timeout', { min: 1, max: 120_000 }),
    },
    mail: composeMail(read),
    ...composeLimits(read),
    retention: {
      eventsMs: read.span('retention.events'),
      deliveriesMs: read.span('retention.deliveries'),
      idempotencyMs: read.span('retention.idempotency'),
      changesMs: read.span('retention.changes'),
      runsMs: read.span('retention.runs'),
    },
    lanes: {
      leaseMs: read.span('lanes.lease', { min: 100 }),
      heartbeatMs: read.span('lanes.heartbeat', { min: 10 }),
    },
    operations: { pace: read.integer('operations.pace', { min: 1, max: 100_000 }) },
    flows: composeFlows(read, folder),
    hooks: { bodyBytes: read.size('hooks.maxBody', { min: 1_024, max: 16 * 1024 * 1024 }) },
    sheets: {
      folders: read.texts('sheets.folders').map((one) => resolve(folder, one)),
      xlsxEveryMs: read.span('sheets.xlsxEvery', { max: 60_000 }),
      mostRows: read.integer('sheets.mostRows', { min: 1, max: 100_000_000 }),
    },
    log: {
      level: read.word('log.level', ['trace', 'debug', 'info', 'warn', 'error', 'silent']),
      pretty: read.boolean('log.pretty'),
      deliveries: read.word('log.deliveries', ['none', 'failed', 'all']),
    },
    tracing: composeTracing(read),
    shutdown: { graceMs: read.span('shutdown.grace') },
  };
}

function composeStore(read: Reader, folders: { folder: string; dataFolder: string }): StoreSetting {
  const setting = read.storeAddress('store');
  const postgres = {
    connections: read.integer('postgres.connections', { min: 3, max: 1_000 }),
    connectTimeoutMs: read.span('postgres.connectTimeout', { min: 1 }),
    statementTimeoutMs: read.span('postgres.statementTimeout', { min: 1 }),
    rewritesErased: read.boolean('postgres.rewritesErased'),
  };
  if (setting.startsWith('postgres')) return { kind: 'postgres', url: setting, ...postgres };
  const path = setting.slice('sqlite:'.length);
  const file = path === '' ? join(folders.dataFolder, 'bellwire.db') : resolve(folders.folder, path);
  return { kind: 'sqlite', file };
}

function composeSecrets(read: Reader, folders: { folder: string; dataFolder: string }): Config['secrets'] {
  const keys = read.secretList('secrets.keys');
  const file = read.optionalText('secrets.keyFile');
  if (keys.length > 0) return { keys };
  return { file: file === null ? join(folders.dataFolder, 'secret-keys') : resolve(folders.folder, file) };
}

function composeDelivery(read: Reader): Config['delivery'] {
  return {
    timeoutMs: read.span('delivery.timeout', { min: 1 }),
    retryDelaysMs: read.spans('delivery.retryDelays'),
    jitter: read.share('delivery.jitter'),
    window: {
      min: read.integer('delivery.window.min', { min: 1, max: 100_000 }),
      start: read.integer('delivery.window.start', { min: 1, max: 100_000 }),
      max: read.integer('delivery.window.max', { min: 1, max: 100_000 }),
    },
    concurrency: read.integer('delivery.concurrency', { min: 1, max: 1_000_000 }),
    queuePerWebhook: read.integer('delivery.queuePerWebhook', { min: 1, max: 10_000_000 }),
    queueBytes: read.size('delivery.queue', { min: 1_024 }),
    settleDelayMs: read.span('delivery.settleDelay', { max: 10_000 }),
    backlog: read.optionalInteger('delivery.backlog'),
    proxy: read.optionalProxy('delivery.proxy'),
  };
}

function composeMail(read: Reader): MailSetting | null {
  const host = read.optionalText('mail.host');
  const rest = {
    port: read.integer('mail.port', { min: 1, max: 65_535 }),
    secure: read.word('mail.secure', ['tls', 'starttls', 'none']),
    user: read.optionalText('mail.user'),
    password: read.optionalSecret('mail.password'),
    from: read.text('mail.from'),
  };
  return host === null ? null : { host, ...rest };
}

function composeFlows(read: Reader, folder: string): FlowSetting {
  const workspaces = read.texts('flows.commands.workspaces');
  const scripts = read.optionalText('flows.commands.scripts');
  return {
    concurrency: read.integer('flows.concurrency', { min: 1, max: 10_000 }),
    maxDepth: read.integer('flows.maxDepth', { min: 0, max: 1_000 }),
    stepBytes: read.size('flows.stepOutput', { min: 1_024, max: 64 * 1024 * 1024 }),
    logBytes: read.size('flows.log', { min: 1_024 }),
    folders: read.texts('flows.folders').map((one) => resolve(folder, one)),
    machineIdentity: read.boolean('flows.machineIdentity'),
    commands: {
      workspaces: workspaces.includes('all') ? 'all' : workspaces,
      scripts: scripts === null ? null : resolve(folder, scripts),
      user: read.integer('flows.commands.user', { min: 1, max: 4_294_967_294 }),
      unshielded: read.boolean('flows.commands.unshielded'),
      graceMs: read.span('flows.commands.grace', { max: 600_000 }),
    },
  };
}

function composeLimits(read: Reader): Pick<Config, 'limits' | 'schemas' | 'quotas'> {
  return {
    limits: {
      eventBytes: read.size('limits.event', { min: 1_024 }),
      requestBytes: read.size('limits.request', { min: 1_024 }),
      bodyBytes: read.size('limits.body', { min: 1_024 }),
      fanout: read.integer('limits.fanout', { min: 1, max: 1_000_000 }),
    },
    schemas: {
      vetTimeoutMs: read.span('schemas.vetTimeout', { min: 1, max: 60_000 }),
      checkTimeoutMs: read.span('schemas.checkTimeout', { min: 1, max: 60_000 }),
    },
    quotas: {
      eventsPerDay: read.optionalInteger('quotas.eventsPerDay'),
      bytesPerDay: read.optionalSize('quotas.bytesPerDay'),
      webhooks: read.optionalInteger('quotas.webhooks'),
      subscriptions: read.optionalInteger('quotas.subscriptions'),
      eventTypes: read.optionalInteger('quotas.eventTypes'),
    },
  };
}

function composeTracing(read: Reader): TracingSetting | null {
  const endpoint = read.optionalEndpoint('tracing.endpoint');
  const rest = {
    sample: read.share('tracing.sample'),
    headers: read.secretPairs('tracing.headers'),
    service: read.text('tracing.service'),
    attributes: read.pairs('tracing.attributes'),
  };
  return endpoint === null ? null : { endpoint, ...rest };
}

/** Faults that show only between settings. */
function checkTogether(config: Config, read: Reader): void {
  const { window } = config.delivery;
  if (config.dev && !isLoopback(config.listen.host)) {
    read.refuse(
      'listen.host',
      'must be a loopback address in dev mode, such as 127.0.0.1; take dev away to listen elsewhere',
    );
  }
  if (!(window.min <= window.start && window.start <= window.max)) {
    read.refuse('delivery.window.start', 'must lie between delivery.window.min and delivery.window.max');
  }
  if (config.limits.requestBytes < config.limits.eventBytes) {
    read.refuse('limits.request', 'must not be smaller than limits.event');
  }
  if (config.lanes.heartbeatMs * 2 > config.lanes.leaseMs) {
    read.refuse('lanes.heartbeat', 'must be at most half of lanes.lease, so that one lost sign of life loses no lane');
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function readFile(sources: ConfigSources, faults: string[]): { tree: object; origin: Origin } {
  const path = resolve(sources.folder, sources.file ?? FILE);
  try {
    return { tree: parseYaml(readFileSync(path, 'utf8'), path, faults), origin: path };
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (!missing || sources.file !== undefined) {
      faults.push(`${path} ${missing ? 'does not exist' : `cannot be read: ${(error as Error).message}`}`);
    }
    return { tree: {}, origin: path };
  }
}

function parseYaml(text: string, path: string, faults: string[]): object {
  const document = parseDocument(text, { prettyErrors: false });
  const fault = document.errors[0];
  if (fault) {
    const line = text.slice(0, fault.pos[0]).split('\n').length;
    faults.push(`${path}, line ${line}: ${fault.message}`);
    return {};
  }
  if (document.contents === null) return {};
  if (isMap(document.contents)) return document.toJS({ maxAliasCount: 100 }) as object;
  faults.push(`${path} must hold settings as "name: value"`);
  return {};
}

function environment(env: Readonly<Record<string, string | undefined>>, door: Door): Layer {
  const paths = new Map([...(door.known ?? [])].map((path) => [variableOf(path), path]));
  const values = new Map<string, { raw: unknown; origin: Origin }>();
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('BELLWIRE_') || NOT_SETTINGS.has(name) || value === undefined || value === '') continue;
    const path = paths.get(name);
    if (path) values.set(path, { raw: value, origin: `environment variable ${name}` });
    else door.faults.push(`the environment variable ${name} names no setting${didYouMean(name, paths.keys())}`);
  }
  for (const { path, raw, variable } of readOtelVariables(env)) {
    if (!values.has(path)) values.set(path, { raw, origin: `environment variable ${variable}` });
  }
  return { get: (path) => values.get(path), names: () => new Set(values.keys()) };
}
