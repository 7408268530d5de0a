// What a checkup stands on, gathered once: settings, this machine, the running platform, the store. Nothing is changed.
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isPresent, lookAtStore, openerOf, type StoreGround } from '../../../checks.ts';
import { ConfigError, type Config } from '../../../config/index.ts';
import { loadSettings, type PlatformOptions } from '../../begin/serve.ts';
import type { Session } from '../../session.ts';

/** What is known of this machine. Sizes in bytes. */
export interface Machine {
  node: string;
  /** The oldest Node that runs this bellwire: major and minor. */
  floor: readonly [number, number];
  /** Version of the time zone data, such as 2026b; undefined where Node has none. */
  timeZones: string | undefined;
  /** Files that a process may have open; null where the system does not say. */
  openFiles: number | null;
  /** Of the disk that the store is on; of the data folder where it is a database. */
  disk: { free: number; size: number };
}

/** A platform that the data folder names. */
export interface Named {
  url: string;
  /** Null when nobody answers there. */
  answer: {
    /** Status and text of /readyz. */
    status: number;
    text: string;
    version: string;
    /** How far its clock is from ours, ms; what cannot be told by its answer is 0. */
    offMs: number;
  } | null;
}

/** Everything there is to look at. */
export interface Ground {
  /** What is wrong with the settings, one by one. */
  faults: readonly string[];
  /** Null when the settings have a fault. */
  config: Config | null;
  machine: Machine;
  platform: Named | null;
  store: StoreGround | null;
  /** The same where its rows are those that this program knows, and null where they are not. */
  contents: StoreGround | null;
  /** Why there is no store to look at; null when there is. */
  noStore: Error | null;
  /** Why nothing sealed can be opened; null when there are keys. */
  noKeys: string | null;
  release: string;
  /** Epoch ms. */
  now: number;
}

const ANSWER_MS = 5_000;

/** Gathers it; `close` when it was looked at. */
export async function gather(
  options: PlatformOptions,
  session: Session,
): Promise<{ ground: Ground; close: () => Promise<void> }> {
  const { config, faults } = settings(options, session);
  const bare = { faults, config, release: session.version, now: Date.now() };
  if (config === null) {
    const rest = { platform: null, store: null, contents: null, noStore: null, noKeys: null };
    return { ground: { ...bare, ...rest, machine: machineOf(session.terminal.folder) }, close: async () => undefined };
  }
  const platform = await findPlatform(config.dataFolder);
  const opens = openerOf(config);
  const looked = await lookAtStore(config).catch((error: unknown) => error as Error);
  const noKeys = typeof opens === 'string' ? opens : null;
  const ground = { ...bare, machine: machineOf(folderOf(config)), platform, noKeys };
  if (looked instanceof Error) {
    return { ground: { ...ground, store: null, contents: null, noStore: looked }, close: async () => undefined };
  }
  const store: StoreGround = {
    store: looked,
    now: bare.now,
    isRunning: (platform?.answer ?? null) !== null || (await isLeased(looked, bare.now)),
    opens: typeof opens === 'string' ? null : opens,
    connections: config.store.kind === 'postgres' ? config.store.connections : 0,
    concurrency: config.flows.concurrency,
  };
  // Where that cannot be told, the check of the schema says why.
  const contents = (await isPresent(looked).catch(() => false)) ? store : null;
  return { ground: { ...ground, store, contents, noStore: null }, close: () => looked.close() };
}

// Where the store grows.
function folderOf({ store, dataFolder }: Config): string {
  return store.kind === 'sqlite' ? dirname(store.file) : dataFolder;
}

function settings(options: PlatformOptions, session: Session): { config: Config | null; faults: readonly string[] } {
  try {
    return { config: loadSettings(options, session).config, faults: [] };
  } catch (error) {
    if (error instanceof ConfigError) return { config: null, faults: error.faults };
    throw error;
  }
}

function machineOf(folder: string): Machine {
  const manifest = readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8');
  const [, major, minor] = /(\d+)\.(\d+)/.exec((JSON.parse(manifest) as { engines: { node: string } }).engines.node)!;
  return {
    node: process.versions.node,
    floor: [Number(major), Number(minor)],
    timeZones: process.versions['tz'],
    openFiles: openFiles(),
    disk: diskOf(folder),
  };
}

// Node itself raises the soft limit to the hard one where it may; what stands here is what it has.
function openFiles(): number | null {
  try {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === 'unlimited' ? Infinity : Number(soft);
  } catch {
    return null;
  }
}

function diskOf(folder: string): Machine['disk'] {
  let there = folder;
  while (!existsSync(there) && there !== dirname(there)) there = dirname(there);
  const { bavail, blocks, bsize } = statfsSync(there);
  return { free: bavail * bsize, size: blocks * bsize };
}

async function findPlatform(dataFolder: string): Promise<Named | null> {
  const url = addressIn(join(dataFolder, 'address'));
  if (url === null) return null;
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const asked = Date.now();
    const ready = await fetch(new URL('/readyz', url), { signal });
    const answered = Date.now();
    const text = await ready.text();
    const index = (await (await fetch(url, { signal })).json()) as { version?: string };
    const offMs = clockOff(ready.headers.get('date'), asked, answered);
    return { url, answer: { status: ready.status, text, version: index.version ?? '', offMs } };
  } catch {
    return { url, answer: null };
  }
}

// None is there, or none that this user may read: then the checks of the files say that.
function addressIn(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim().replace('://0.0.0.0:', '://127.0.0.1:').replace('://[::]:', '://[::1]:');
  } catch {
    return null;
  }
}

// The header tells whole seconds, cut off.
function clockOff(date: string | null, asked: number, answered: number): number {
  const at = Date.parse(date ?? '');
  if (Number.isNaN(at)) return 0;
  return at + 1_000 < asked ? asked - at - 1_000 : Math.max(0, at - answered);
}

// Of a fleet the platform may run elsewhere: who owns lanes is alive.
async function isLeased({ ask }: StoreGround['store'], now: number): Promise<boolean> {
  const rows = await ask('SELECT lane FROM lanes WHERE node IS NOT NULL AND leased_until > $1 LIMIT 1', [now]).catch(
    () => [],
  );
  return rows.length > 0;
}
