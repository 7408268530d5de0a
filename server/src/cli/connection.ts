// Finds the platform and its key without any setting: the command line, then the environment, then the data folder.
//
// The admin key of a data folder goes to the address that stands in the same folder, and nowhere else: a mistyped --url
// must not carry it to a stranger.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { EXIT, Failure, HOW_TO_START } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** What the command line says about the platform. */
export interface ConnectionOptions {
  url?: string | undefined;
  key?: string | undefined;
  workspace?: string | undefined;
}

/** Where to send requests, and as whom. */
export interface Connection {
  url: string;
  key: string;
  workspace: string | undefined;
}

/** What a data folder says. */
interface Found {
  folder: string;
  url: string | null;
  key: string | null;
}

/** Finds the platform. Throws {@link Failure} that says what is missing. */
export async function findPlatform(
  options: ConnectionOptions,
  { env, folder }: Pick<Terminal, 'env' | 'folder'>,
): Promise<Connection> {
  const workspace = options.workspace ?? (env['BELLWIRE_WORKSPACE'] || undefined);
  const named = options.url ?? (env['BELLWIRE_URL'] || undefined);
  const givenKey = options.key ?? (env['BELLWIRE_KEY'] || undefined);
  if (named !== undefined && givenKey !== undefined) {
    return { url: withScheme(named), key: givenKey, workspace };
  }
  const found = await findDataFolder(env, folder);
  const url = named === undefined ? found?.url : withScheme(named);
  if (url === undefined || url === null) throw notRunning(found);
  const own = found !== null && found.url !== null && sameOrigin(url, found.url);
  const key = givenKey ?? (own ? found.key : null);
  if (key === null) {
    throw new Failure(
      `there is no key for ${url}: give one with --key or BELLWIRE_KEY`,
      EXIT.denied,
      'unauthenticated',
    );
  }
  return { url, key, workspace };
}

function notRunning(found: Found | null): Failure {
  const where =
    found === null
      ? 'no platform is named, and no data folder of one is found here or above'
      : `the platform of ${found.folder} is not running`;
  return new Failure(`${where}; ${HOW_TO_START}, or name one with --url and --key`, EXIT.unreachable, 'unreachable');
}

/** The data folder a platform runs on, or ran on: of the environment, else of this folder or the nearest one above. */
async function findDataFolder(env: Terminal['env'], folder: string): Promise<Found | null> {
  const named = env['BELLWIRE_DATA_FOLDER'];
  if (named) return read(resolve(folder, named));
  for (let at = folder; ; at = dirname(at)) {
    const found = read(await dataFolderOf(at));
    if (found !== null || at === dirname(at)) return found;
  }
}

/** The data folder of a working folder: what its bellwire.yaml says, else `data`. */
async function dataFolderOf(folder: string): Promise<string> {
  if (!existsSync(join(folder, 'bellwire.yaml'))) return join(folder, 'data');
  const { loadConfig } = await import('../config/index.ts');
  return loadConfig({ folder }).config.dataFolder;
}

function read(folder: string): Found | null {
  const key = lineOf(join(folder, 'admin-key'));
  const address = lineOf(join(folder, 'address'));
  if (key === null && address === null) return null;
  return { folder, key, url: address === null ? null : reachable(address) };
}

function lineOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim() || null;
  } catch {
    return null;
  }
}

/** A platform that listens on all addresses is reached on the loopback one. */
function reachable(address: string): string {
  return address.replace('://0.0.0.0:', '://127.0.0.1:').replace('://[::]:', '://[::1]:');
}

function withScheme(url: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? url : `http://${url}`;
}

function sameOrigin(one: string, other: string): boolean {
  const origin = (url: string) => URL.parse(url)?.origin.replace('//localhost:', '//127.0.0.1:');
  return origin(one) !== undefined && origin(one) === origin(other);
}
