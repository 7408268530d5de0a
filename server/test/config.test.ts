import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parse } from 'yaml';
import { ConfigError, describeConfig, loadConfig, variableOf, type ConfigSources } from '../src/config/index.ts';

const MANUAL = readFileSync(new URL('../bellwire.default.yaml', import.meta.url), 'utf8');

function folder(t: TestContext, file?: string): string {
  const path = mkdtempSync(join(tmpdir(), 'bellwire-config-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  if (file !== undefined) writeFileSync(join(path, 'bellwire.yaml'), file);
  return path;
}

function faultsOf(sources: ConfigSources): readonly string[] {
  try {
    loadConfig(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

test('with nothing set the manual holds: the whole of it is read, and the defaults are those of the requirements', (t) => {
  const at = folder(t);
  const { config, settings } = loadConfig({ folder: at });
  const named = leaves(parse(MANUAL) as object);
  assert.deepEqual(settings.map(({ path }) => path).toSorted(), named.toSorted());
  assert.deepEqual(config.listen, { host: '127.0.0.1', port: 8470 });
  assert.deepEqual(config.store, { kind: 'sqlite', file: join(at, 'data', 'bellwire.db') });
  assert.deepEqual(config.secrets, { file: join(at, 'data', 'secret-keys') });
  assert.deepEqual(config.targets, {
    httpsRequired: true,
    publicNamesRequired: true,
    allowAddresses: [],
    allowUnverified: false,
  });
  assert.equal(config.limits.eventBytes, 262_144);
  assert.equal(config.limits.requestBytes, 4_194_304);
});

test('R112 R65 challenges: three attempts, 5 s apart, 10 s each', (t) => {
  const { challenge } = loadConfig({ folder: folder(t) }).config;
  assert.deepEqual(challenge, {
    source: 'https://global.api.greenlake.hpe.com/events',
    attempts: 3,
    intervalMs: 5_000,
    timeoutMs: 10_000,
    success: '200',
    origin: null,
    recheckMs: 900_000,
    concurrency: 64,
  });
});

test('R124 the retry plan: 5 s doubling to a cap of 1 h, 20 tries in about 10 hours', (t) => {
  const { retryDelaysMs } = loadConfig({ folder: folder(t) }).config.delivery;
  const doubling = Array.from({ length: 19 }, (_, i) => Math.min(5_000 * 2 ** i, 3_600_000));
  assert.deepEqual(retryDelaysMs, doubling);
  const hours = retryDelaysMs.reduce((sum, delay) => sum + delay, 0) / 3_600_000;
  assert.ok(hours > 10 && hours < 11);
});

test('file, environment and command line override one another in this order', (t) => {
  const at = folder(
    t,
    'listen: { port: 1 }\ndelivery: { timeout: 1s, retryDelays: [1s, 2000] }\nlog: { level: warn }\n',
  );
  const sources = { folder: at, env: { BELLWIRE_LISTEN_PORT: '2', BELLWIRE_DELIVERY_TIMEOUT: '2s' } };
  const { config, settings } = loadConfig({ ...sources, overrides: { listen: { port: 3 } } });
  assert.equal(config.listen.port, 3);
  assert.equal(config.delivery.timeoutMs, 2_000);
  assert.deepEqual(config.delivery.retryDelaysMs, [1_000, 2_000]);
  assert.equal(config.log.level, 'warn');
  const origin = (path: string): string | undefined => settings.find((setting) => setting.path === path)?.origin;
  assert.equal(origin('listen.port'), 'command line');
  assert.equal(origin('delivery.timeout'), 'environment variable BELLWIRE_DELIVERY_TIMEOUT');
  assert.equal(origin('log.level'), join(at, 'bellwire.yaml'));
  assert.equal(origin('listen.host'), 'default');
});

test('the environment says lists with commas, null as none, and an empty variable is unset', (t) => {
  const env = {
    BELLWIRE_DELIVERY_RETRY_DELAYS: '5s, 1m,1h',
    BELLWIRE_QUOTAS_WEBHOOKS: 'none',
    BELLWIRE_QUOTAS_BYTES_PER_DAY: '1GiB',
    BELLWIRE_DATA_FOLDER: '',
    BELLWIRE_URL: 'http://127.0.0.1:8470',
    BELLWIRE_KEY: 'of the client',
    OTHER: 'x',
  };
  const { config } = loadConfig({ folder: folder(t), env });
  assert.deepEqual(config.delivery.retryDelaysMs, [5_000, 60_000, 3_600_000]);
  assert.equal(config.quotas.webhooks, null);
  assert.equal(config.quotas.bytesPerDay, 2 ** 30);
  assert.match(config.dataFolder, /data$/);
});

test('every setting has a variable of its own', () => {
  const names = leaves(parse(MANUAL) as object).map(variableOf);
  assert.equal(new Set(names).size, names.length);
  assert.equal(variableOf('delivery.queuePerWebhook'), 'BELLWIRE_DELIVERY_QUEUE_PER_WEBHOOK');
});

test('a name that is not in the manual is refused, with the one that was meant and where it stood', (t) => {
  const at = folder(
    t,
    'lisen: { port: 1 }\ndelivery: { retryDelay: [1s] }\nlog: loud\ndev: { a: 1 }\n__proto__: { x: 1 }\n',
  );
  const faults = faultsOf({ folder: at, env: { BELLWIRE_LISTEN_PROT: '1' }, overrides: { stroe: 'sqlite' } });
  const file = join(at, 'bellwire.yaml');
  assert.deepEqual(faults.slice(0, 3), [
    `lisen is not a setting; did you mean listen? (${file})`,
    `delivery.retryDelay is not a setting; did you mean delivery.retryDelays? (${file})`,
    `log holds settings of its own and takes no value (${file})`,
  ]);
  assert.ok(faults.some((fault) => fault.startsWith('__proto__ is not a setting')));
  assert.ok(
    faults.some((fault) => /BELLWIRE_LISTEN_PROT names no setting; did you mean BELLWIRE_LISTEN_PORT/.test(fault)),
  );
  assert.ok(faults.includes('stroe is not a setting; did you mean store? (command line)'));
  assert.ok(faults.some((fault) => fault.startsWith('dev must be true or false, not {"a":1}')));
});

test('a value that does not fit is refused with its place; all faults are told at once', (t) => {
  const table: [overrides: object, fault: RegExp][] = [
    [
      { listen: { port: 70_000 } },
      /^listen\.port must be a whole number, from 0 to 65535, not 70000 \(command line\)$/,
    ],
    [{ listen: { port: '80 80' } }, /^listen\.port must be a whole number/],
    [{ delivery: { timeout: '15 potatoes' } }, /^delivery\.timeout must be a span such as .* not 15 potatoes/],
    [{ delivery: { timeout: 0 } }, /^delivery\.timeout must be .* at least 1/],
    [{ delivery: { retryDelays: ['5s', 'soon'] } }, /^delivery\.retryDelays must be a list of a span/],
    [{ delivery: { jitter: 1.5 } }, /^delivery\.jitter must be a number from 0 to 1/],
    [{ limits: { event: '256KiBi' } }, /^limits\.event must be a size/],
    [{ log: { level: 'loud' } }, /^log\.level must be one of trace, debug/],
    [{ store: 'mysql://x' }, /^store must be sqlite, sqlite:<path> or postgres:/],
    [{ targets: { allowAddresses: ['10.0.0.0/33'] } }, /^targets\.allowAddresses must be a list of addresses/],
    [{ targets: { allowAddresses: ['10.1'] } }, /^targets\.allowAddresses must be/],
    [{ userAgent: 'a\r\nX: b' }, /^userAgent must be printable ASCII/],
    [{ dev: 'yes' }, /^dev must be true or false, not yes/],
    [{ delivery: { window: { min: 9 } } }, /^delivery\.window\.start must lie between/],
    [{ limits: { request: '64KiB' } }, /^limits\.request must not be smaller than limits\.event/],
    [{ lanes: { heartbeat: '10s' } }, /^lanes\.heartbeat must be at most half/],
    [{ dev: true, listen: { host: '0.0.0.0' } }, /^listen\.host must be a loopback address in dev mode/],
  ];
  const at = folder(t);
  for (const [overrides, fault] of table) {
    const faults = faultsOf({ folder: at, overrides });
    assert.equal(faults.length, 1, JSON.stringify(overrides));
    assert.match(faults[0] as string, fault);
  }
  assert.equal(faultsOf({ folder: at, overrides: { dev: 1, store: 'x', delivery: { jitter: -1 } } }).length, 3);
});

test('a file that is missing, broken, or no set of names is refused in words', (t) => {
  const at = folder(t, 'listen:\n  port: 1\n  port: 2\n');
  assert.match(faultsOf({ folder: at })[0] as string, /bellwire\.yaml, line 3: Map keys must be unique/);
  assert.match(faultsOf({ folder: at, file: 'other.yaml' })[0] as string, /other\.yaml does not exist$/);
  writeFileSync(join(at, 'list.yaml'), '- a\n');
  assert.match(faultsOf({ folder: at, file: 'list.yaml' })[0] as string, /must hold settings as "name: value"$/);
  writeFileSync(join(at, 'empty.yaml'), '# nothing yet\n');
  assert.deepEqual(faultsOf({ folder: at, file: 'empty.yaml' }), []);
});

test('R59 R60 dev mode loosens exactly these, and each can still be set otherwise', (t) => {
  const at = folder(t);
  const plain = loadConfig({ folder: at }).config;
  const dev = loadConfig({ folder: at, overrides: { dev: true } }).config;
  const loosened = {
    httpsRequired: false,
    publicNamesRequired: false,
    allowAddresses: ['127.0.0.0/8', '::1/128'],
    allowUnverified: true,
  };
  const commands = { ...plain.flows.commands, workspaces: 'all', scripts: at };
  const flows = { ...plain.flows, commands };
  const sheets = { ...plain.sheets, folders: [at] };
  const log = { ...plain.log, pretty: true };
  assert.deepEqual(dev, { ...plain, dev: true, targets: loosened, flows, sheets, log });
  const strict = loadConfig({
    folder: at,
    env: { BELLWIRE_DEV: 'true' },
    overrides: { targets: { httpsRequired: true } },
  });
  assert.equal(strict.config.targets.httpsRequired, true);
  assert.equal(strict.config.targets.publicNamesRequired, false);
});

test('addresses are ranges, single ones, or words', (t) => {
  const allowAddresses = ['10.1.0.0/16', '192.168.1.7', 'fd00::/8', '::1', 'private', 'loopback'];
  const { config } = loadConfig({ folder: folder(t), overrides: { targets: { allowAddresses } } });
  assert.deepEqual(config.targets.allowAddresses.slice(0, 4), ['10.1.0.0/16', '192.168.1.7/32', 'fd00::/8', '::1/128']);
  assert.ok(config.targets.allowAddresses.includes('172.16.0.0/12'));
});

test('the store: SQLite in the data folder or elsewhere, or PostgreSQL with its pool', (t) => {
  const at = folder(t);
  const store = (setting: string) => loadConfig({ folder: at, overrides: { store: setting } }).config.store;
  assert.deepEqual(store('sqlite:other/x.db'), { kind: 'sqlite', file: join(at, 'other', 'x.db') });
  assert.deepEqual(store('postgres://u:p@h:5432/d'), {
    kind: 'postgres',
    url: 'postgres://u:p@h:5432/d',
    connections: 10,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 60_000,
    rewritesErased: false,
  });
});

test('a proxy is an http URL with host and port; its password is never printed', (t) => {
  const at = folder(t);
  const load = (proxy: string) => loadConfig({ folder: at, env: { BELLWIRE_DELIVERY_PROXY: proxy } });
  const loaded = load('http://bell:hunt%3Aer2@proxy.example:3128');
  const authorization = `Basic ${Buffer.from('bell:hunt:er2').toString('base64')}`;
  assert.deepEqual(loaded.config.delivery.proxy, { hostname: 'proxy.example', port: 3128, authorization });
  assert.match(describeConfig(loaded), /^delivery\.proxy = http:\/\/\*\*\*@proxy\.example:3128 /m);
  const { hostname, port } = load('http://[::1]:80').config.delivery.proxy!;
  assert.deepEqual([hostname, port], ['::1', 80]);
  assert.equal(load('none').config.delivery.proxy, null);
  for (const bad of [
    'https://bell:hunter2@h:1',
    'socks5://h:1',
    'bell:hunter2@h:1',
    'http://h:1/x',
    'http://%ff:hunter2@h',
    'h:1',
  ]) {
    const faults = faultsOf({ folder: at, env: { BELLWIRE_DELIVERY_PROXY: bad } }).join();
    assert.match(faults, /^delivery\.proxy must be http:\/\/<host>:<port> or /);
    assert.ok(!faults.includes('hunter2'), faults);
  }
});

test('secrets print as set or unset, also in refusals', (t) => {
  const at = folder(t);
  const env = {
    BELLWIRE_SECRETS_KEYS: 'hunter2,hunter3',
    BELLWIRE_STORE: 'postgres://bell:hunter4@h/d?password=hunter5',
  };
  const loaded = loadConfig({ folder: at, env });
  assert.deepEqual(loaded.config.secrets, { keys: ['hunter2', 'hunter3'] });
  const text = describeConfig(loaded);
  assert.ok(!text.includes('hunter'), text);
  assert.match(text, /^secrets\.keys = set \(environment variable BELLWIRE_SECRETS_KEYS\)$/m);
  assert.match(text, /^store = postgres:\/\/bell:\*\*\*@h\/d\?password=\*\*\* /m);
  assert.match(describeConfig(loadConfig({ folder: at })), /^secrets\.keys = unset \(default\)$/m);
  const broken = { store: 'mysql://bell:hunter6@h/d', secrets: { keys: [{ a: 'hunter7' }] } };
  assert.ok(!faultsOf({ folder: at, overrides: broken }).join().includes('hunter'));
});

function leaves(tree: object, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([name, value]: [string, unknown]) => {
    const section = typeof value === 'object' && value !== null && !Array.isArray(value);
    return section ? leaves(value, `${prefix}${name}.`) : [`${prefix}${name}`];
  });
}

test('R8 R27 the mail server and the interval of post-processings are settings; its password is never shown', (t) => {
  const at = folder(t);
  const { config } = loadConfig({ folder: at });
  assert.deepEqual(config.postProcessing, { intervalMs: 60_000, timeoutMs: 15_000 });
  assert.equal(config.mail, null);
  const overrides = {
    mail: { host: 'mail.example', port: 465, secure: 'tls', user: 'bell', from: 'bell@gate.example' },
  };
  const loaded = loadConfig({ folder: at, overrides, env: { BELLWIRE_MAIL_PASSWORD: 's3cr3t' } });
  assert.deepEqual(loaded.config.mail, { ...overrides.mail, password: 's3cr3t' });
  assert.doesNotMatch(describeConfig(loaded), /s3cr3t/);
  assert.match(describeConfig(loaded), /^mail\.password = set \(environment variable BELLWIRE_MAIL_PASSWORD\)$/m);
  const faults = faultsOf({
    folder: at,
    overrides: { mail: { secure: 'yes', port: 0 }, postProcessing: { interval: 1 } },
  });
  assert.deepEqual(faults.map((fault) => fault.split(' ', 1).join('')).toSorted(), [
    'mail.port',
    'mail.secure',
    'postProcessing.interval',
  ]);
});

test('OpenTelemetry’s own variables are settings of tracing, below ours; what is not for us is passed over', (t) => {
  const at = folder(t);
  const load = (env: Record<string, string>) => loadConfig({ folder: at, env });
  const tracing = (env: Record<string, string>) => load(env).config.tracing;
  assert.equal(tracing({}), null);
  const base = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318/' };
  assert.deepEqual(tracing(base), {
    endpoint: 'http://127.0.0.1:4318/v1/traces',
    sample: 1,
    headers: {},
    service: 'bellwire',
    attributes: {},
  });
  const more = {
    ...base,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector.example/otlp',
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=s3%2Cret, x-team=a',
    OTEL_SERVICE_NAME: 'gateway',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
  };
  assert.deepEqual(tracing(more), {
    endpoint: 'https://collector.example/otlp',
    sample: 0.25,
    headers: { 'api-key': 's3,ret', 'x-team': 'a' },
    service: 'gateway',
    attributes: { 'deployment.environment.name': 'test' },
  });
  assert.doesNotMatch(describeConfig(load(more)), /s3/);
  assert.match(describeConfig(load(more)), /tracing\.sample = 0\.25 \(environment variable OTEL_TRACES_SAMPLER\)/);
  assert.equal(tracing({ ...more, BELLWIRE_TRACING_SAMPLE: '0.5' })?.sample, 0.5);
  assert.equal(tracing({ ...base, OTEL_TRACES_SAMPLER: 'jaeger_remote' })?.sample, 1);
  for (const other of ['OTEL_SDK_DISABLED=true', 'OTEL_TRACES_EXPORTER=none', 'OTEL_EXPORTER_OTLP_PROTOCOL=grpc']) {
    const [name, value] = other.split('=') as [string, string];
    assert.equal(tracing({ ...base, [name]: value }), null, other);
  }
  const bad = (env: Record<string, string>): string => {
    try {
      load(env);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.match(
    bad({ BELLWIRE_TRACING_ENDPOINT: 'http://u:s3cret@x/' }),
    /tracing\.endpoint must be .*http:\/\/\*\*\*@x/,
  );
  assert.match(
    bad({ BELLWIRE_TRACING_HEADERS: 'nothing' }),
    /tracing\.headers must be a list of texts such as name=value/,
  );
});
