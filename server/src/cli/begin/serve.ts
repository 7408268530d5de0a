// `bellwire serve`: the platform, until it is asked to stop.
import { join, relative } from 'node:path';
import type { Command } from 'commander';
import { describeConfig, loadConfig, type Config, type LoadedConfig } from '../../config/index.ts';
import { createLog, type Log } from '../../log/index.ts';
import { Failure, usage } from '../failure.ts';
import { collect, type Declare, type Session } from '../session.ts';
import { painter } from '../terminal.ts';

/** Options of everything that runs a platform. */
export interface PlatformOptions {
  port?: string;
  host?: string;
  dev?: boolean;
  data?: string;
  store?: string;
  config?: string;
  set?: readonly string[];
}

/** Adds the options that `serve` and `demo` share. */
export function addPlatformOptions(command: Command): Command {
  return command
    .option('--port <port>', 'Port of the API; 0 takes a free one (listen.port)')
    .option('--data <folder>', 'Folder of the embedded store, its keys and the admin key (dataFolder)')
    .option('--store <address>', 'sqlite, sqlite:<file> or postgres://… (store)')
    .option('--config <file>', 'Settings file; else bellwire.yaml, if there is one')
    .option('--set <name=value>', 'Any setting, by its name in bellwire.default.yaml; repeatable', collect);
}

/** Loads the settings; those of the command line stand above all others. */
export function loadSettings(options: PlatformOptions, { terminal }: Session): LoadedConfig {
  const { env, folder } = terminal;
  const named: [string, string | boolean | undefined][] = [
    ['listen.port', options.port],
    ['listen.host', options.host],
    ['dev', options.dev],
    ['dataFolder', options.data],
    ['store', options.store],
    ...(options.set ?? []).map(settingOf),
  ];
  const overrides = {};
  for (const [path, value] of named) if (value !== undefined) place(overrides, path.split('.'), value);
  return loadConfig({ folder, file: options.config ?? (env['BELLWIRE_CONFIG'] || undefined), env, overrides });
}

function settingOf(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw usage(`--set takes name=value, for example --set delivery.timeout=20s, not "${text}"`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function place(tree: Record<string, unknown>, [name = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) tree[name] = value;
  else place((tree[name] ??= {}) as Record<string, unknown>, rest, value);
}

/** The log of a platform that runs in the foreground: on stderr, so that stdout belongs to what was asked for. */
export function logTo({ terminal, json }: Session, { log: { level, pretty } }: Config): Log {
  const { stderr, env } = terminal;
  const colour = painter(stderr, env)('red', '') !== '';
  return createLog({ level, pretty: pretty && !json, destination: stderr, colour });
}

/** What dev mode opens, in one line. */
export const DEV_NOTICE =
  'dev mode: webhooks may be http, on loopback, and unverified; the API listens on loopback only';

export const serve: Declare = (command, run) => {
  addPlatformOptions(command)
    .option('--host <address>', 'Address of the API; 0.0.0.0 or :: is all of them (listen.host)')
    .option('--dev', 'For development: http and loopback targets are allowed (dev)')
    .option('--print-settings', 'Print every setting, its value and where it comes from, and end')
    .addHelpText('after', '\nA password in --store is seen by others on this machine: BELLWIRE_STORE is not.')
    .action(run(serveUntilStopped));
};

async function serveUntilStopped(
  session: Session,
  options: PlatformOptions & { printSettings?: boolean },
): Promise<void> {
  const loaded = loadSettings(options, session);
  const { config } = loaded;
  if (options.printSettings === true) {
    session.show(loaded.settings, () => [describeConfig(loaded)]);
    return;
  }
  const { terminal, signal, version } = session;
  session.say(`Bellwire ${version}`);
  if (config.dev) session.say(session.paint('yellow', DEV_NOTICE));
  const { startPlatform } = await import('../../platform.ts');
  const platform = await startPlatform({ config, log: logTo(session, config), version }).catch(explainStart);
  const store = config.store.kind === 'sqlite' ? near(config.store.file, terminal.folder) : 'PostgreSQL';
  session.show({ url: platform.url, dev: config.dev, store: config.store.kind, dataFolder: config.dataFolder }, () =>
    session.facts({
      API: platform.url,
      store,
      'admin key': near(join(config.dataFolder, 'admin-key'), terminal.folder),
      stop: 'Ctrl-C; twice ends it at once',
    }),
  );
  await aborted(signal);
  session.say(`${terminal.stdout.isTTY === true ? '\n' : ''}stopping: what is under way is finished first`);
  await platform.stop();
}

/** The platform throws in words; they are all there is to say. */
function explainStart(error: unknown): never {
  throw new Failure((error as Error).message);
}

/** A path as people write it: relative to where they stand, where that is shorter. */
export function near(path: string, folder: string): string {
  const short = relative(folder, path);
  return short.startsWith('..') ? path : `./${short}`;
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
