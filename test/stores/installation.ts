// A platform on a store that is to be frozen, or was: settings by which nothing of it depends on this machine.
import { systemClock } from '../../server/src/clock.ts';
import { createClient, type Client } from '../../server/src/client/index.ts';
import { loadConfig } from '../../server/src/config/index.ts';
import { createLog } from '../../server/src/log/index.ts';
import { startPlatform, type RunningPlatform } from '../../server/src/platform.ts';
import type { Outside } from './outside.ts';

/** The key that seals the secrets of every frozen store: for tests, and known to everybody. */
export const KEY = Buffer.from('a key of tests that all may know').toString('base64');

/** Where a frozen installation is unpacked. */
export interface Place {
  /** Its data folder. */
  folder: string;
  /** The setting `store`. */
  store: string;
}

/** A platform on it. */
export interface Installation {
  platform: RunningPlatform;
  client: Client;
  /** The same, in another workspace. */
  in(workspace: string): Client;
  /** The lines of its log. */
  lines: string[];
}

/** Settings of a platform on this place. */
export function settingsOf({ folder, store }: Place, { proxy }: Pick<Outside, 'proxy'>): object {
  return {
    dev: true,
    listen: { port: 0 },
    dataFolder: folder,
    store,
    secrets: { keys: [KEY] },
    delivery: { proxy, jitter: 0 },
    challenge: { attempts: 1, timeout: '30s' },
    shutdown: { grace: '200ms' },
  };
}

/** Starts one whose wall clock is so many ms ahead of the machine's. */
export async function startInstallation(place: Place, outside: Outside, aheadMs = 0): Promise<Installation> {
  const { config } = loadConfig({ folder: place.folder, overrides: settingsOf(place, outside) });
  const lines: string[] = [];
  const log = createLog({ level: 'info', pretty: false, destination: { write: (line: string) => lines.push(line) } });
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const platform = await startPlatform({ config, log, version: '0.0.0-test', clock });
  const { url, adminKey: key } = platform;
  return {
    platform,
    lines,
    client: createClient({ url, key, workspace: 'default' }),
    in: (workspace) => createClient({ url, key, workspace }),
  };
}
