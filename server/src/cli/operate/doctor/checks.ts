// The checks of all that surrounds a store: settings, files, this machine, the running platform.
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { hashKey } from '../../../api/auth.ts';
import { NoStoreYet, type Check, type Seen } from '../../../checks.ts';
import type { Ground } from './ground.ts';

const CLOCK_MS = 2_000;
const DAY_MS = 86_400_000;
const SOON_MS = 30 * DAY_MS;
const LEAST_FREE_BYTES = 512 * 2 ** 20;
/** Files beside the sockets: the store, its workers, the log, modules. */
const OTHER_FILES = 128;
const HANDSHAKE_MS = 5_000;

type LocalCheck = Check<Ground>;

/** About the settings. */
export const SETTINGS_CHECKS: readonly LocalCheck[] = [
  {
    name: 'settings.usable',
    looksAt: 'the settings file, the environment and the command line',
    severity: 'fault',
    remedy:
      'correct it there; every setting is explained in server/bellwire.default.yaml, and shown by bellwire serve --print-settings',
    look: ({ faults }) => faults,
  },
  {
    name: 'settings.certificates',
    looksAt: 'the certificates of the servers of traces and of mail (mail.secure: tls), 30 days ahead',
    severity: 'warning',
    remedy: 'have it renewed by whoever runs that server, or name another one in bellwire.yaml',
    look: async ({ config, now }) => {
      const { tracing = null, mail = null } = config ?? {};
      const places = [
        ...(tracing?.endpoint.startsWith('https:') === true ? [placeOf(new URL(tracing.endpoint))] : []),
        ...(mail?.secure === 'tls' ? [mail] : []),
      ];
      return (await Promise.all(places.map((place) => certificateOf(place, now)))).flat();
    },
  },
];

/** About the data folder. */
export const FILE_CHECKS: readonly LocalCheck[] = [
  {
    name: 'files.folder',
    looksAt: 'the data folder: it is there, can be written, and is nobody else’s',
    severity: 'warning',
    remedy: 'let only its owner in: chmod 700 FOLDER',
    look({ config }) {
      if (config === null) return [];
      const { dataFolder } = config;
      const status = statSync(dataFolder, { throwIfNoEntry: false });
      const start = 'the first start makes it: bellwire serve';
      if (!status) return [{ severity: 'note', text: `there is no data folder ${dataFolder} yet`, remedy: start }];
      if (!status.isDirectory()) {
        const remedy = 'name a folder: dataFolder in bellwire.yaml, or --data';
        return [{ severity: 'fault', text: `${dataFolder} is not a folder`, remedy }];
      }
      const seen: Seen[] = [];
      if (!mayWrite(dataFolder)) {
        const remedy = `give it to the user that bellwire runs as: chown -R USER ${dataFolder}`;
        seen.push({ severity: 'fault', text: `${dataFolder} cannot be written`, remedy });
      }
      if (isOpenToOthers(status.mode, 0o022)) {
        seen.push({ text: `others may write to ${dataFolder}`, remedy: `chmod 700 ${dataFolder}` });
      }
      return seen;
    },
  },
  {
    name: 'files.modes',
    looksAt: 'the files of keys and of the store: only their owner reads them',
    severity: 'fault',
    remedy: 'chmod 600 FILE',
    look({ config }) {
      if (config === null) return [];
      const { dataFolder, secrets, store } = config;
      const files = [
        join(dataFolder, 'admin-key'),
        ...('file' in secrets ? [secrets.file] : []),
        ...(store.kind === 'sqlite' ? [store.file, `${store.file}-wal`] : []),
      ];
      return files.flatMap((file) => {
        const status = statSync(file, { throwIfNoEntry: false });
        if (!status?.isFile() || !isOpenToOthers(status.mode, 0o077)) return [];
        return [{ text: `${file} can be read by others`, remedy: `chmod 600 ${file}` }];
      });
    },
  },
  {
    name: 'files.keys',
    looksAt: 'the keys that open the secrets of the store',
    severity: 'fault',
    remedy: 'put your copy of the key file back, or name the keys in BELLWIRE_SECRETS_KEYS',
    look({ noKeys, store, config }) {
      if (noKeys === null || store === null) return [];
      const file = config !== null && 'file' in config.secrets ? config.secrets.file : '';
      if (!existsSync(file)) return [noKeys];
      const remedy = `put your copy of it there, for the user that bellwire runs as and nobody else: chmod 600 ${file}`;
      return [{ text: noKeys, remedy }];
    },
  },
  {
    name: 'files.admin-key',
    looksAt: 'the admin key of the data folder is one of the store',
    severity: 'warning',
    remedy: 'restart the platform, which writes a new one: bellwire serve',
    async look({ config, contents }) {
      const file = config === null ? '' : join(config.dataFolder, 'admin-key');
      if (contents === null || !existsSync(file)) return [];
      const key = readFileSync(file, 'utf8').trim();
      const known = await contents.store.ask('SELECT 1 AS one FROM api_keys WHERE hash = $1', [hashKey(key)]);
      return known.length > 0 ? [] : [`the store does not know the key in ${file}`];
    },
  },
];

/** About this machine. */
export const MACHINE_CHECKS: readonly LocalCheck[] = [
  {
    name: 'machine.node',
    looksAt: 'the version of Node',
    severity: 'fault',
    remedy: 'run it with a newer Node, for example: npx node@26 …, or the installer of nodejs.org',
    look({ machine: { node, floor } }) {
      const [major = 0, minor = 0] = node.split('.').map(Number);
      const isOld = major < floor[0] || (major === floor[0] && minor < floor[1]);
      return isOld ? [`this is Node ${node}, and ${floor.join('.')} is the oldest that runs bellwire`] : [];
    },
  },
  {
    name: 'machine.time-zones',
    looksAt: 'the time zone data of Node, which time tables rest on',
    severity: 'warning',
    remedy: 'install a newer Node of the same major version; it brings the data along',
    look({ machine: { timeZones }, now }) {
      if (timeZones === undefined) return ['this Node has no time zone data: time tables know UTC only'];
      const years = new Date(now).getUTCFullYear() - Number(timeZones.slice(0, 4));
      return years > 2 ? [`the time zone data are of ${timeZones}: rules may have changed since`] : [];
    },
  },
  {
    name: 'machine.open-files',
    looksAt: 'how many files a process may open, beside the sockets that deliveries and runs may take',
    severity: 'warning',
    remedy: 'raise it (ulimit -n, LimitNOFILE= of systemd), or lower delivery.concurrency in bellwire.yaml',
    look({ machine: { openFiles }, config }) {
      if (openFiles === null || config === null) return [];
      const wanted =
        config.delivery.concurrency + config.challenge.concurrency + config.flows.concurrency + OTHER_FILES;
      return openFiles >= wanted
        ? []
        : [`a process may open ${openFiles} files; with these settings it may want ${wanted}`];
    },
  },
  {
    name: 'machine.disk',
    looksAt:
      'the room on the disk of the store (of the data folder, on PostgreSQL), beside what it will grow to by its retention',
    severity: 'warning',
    remedy:
      'make room, or keep less: retention.events and retention.deliveries in bellwire.yaml, bellwire workspaces retain NAME',
    look: lookAtDisk,
  },
];

/** About the platform that runs here. */
export const PLATFORM_CHECKS: readonly LocalCheck[] = [
  {
    name: 'platform.answers',
    looksAt: 'the platform that the data folder names: it answers, and is ready',
    severity: 'fault',
    remedy: 'its log says why; restart it: bellwire serve',
    look({ platform }) {
      if (platform === null) return [];
      const { url, answer } = platform;
      if (answer === null) {
        const text = `nobody answers at ${url}, where the platform ran last: it was ended without a word`;
        return [{ severity: 'warning', text, remedy: 'start it again: bellwire serve' }];
      }
      return answer.status === 200 ? [] : [`the platform at ${url} is not ready: ${detailOf(answer.text)}`];
    },
  },
  {
    name: 'platform.clock',
    looksAt: 'the clock of the running platform beside that of this machine',
    severity: 'warning',
    remedy: 'let NTP (chrony, systemd-timesyncd) set the clock: timedatectl',
    look({ platform }) {
      const offMs = platform?.answer?.offMs ?? 0;
      return offMs <= CLOCK_MS ? [] : [`the clocks of the platform and of this machine are ${offMs / 1_000} s apart`];
    },
  },
  {
    name: 'platform.release',
    looksAt: 'the release that runs beside the one that is installed here',
    severity: 'note',
    remedy: 'restart it to run what is installed: bellwire serve',
    look({ platform, release }) {
      const runs = platform?.answer?.version ?? release;
      return runs === release ? [] : [`bellwire ${runs} is running, and this is ${release}`];
    },
  },
  {
    name: 'store.opens',
    looksAt: 'the store that the settings name',
    severity: 'fault',
    remedy: 'see that the database runs, and that the setting store names it: bellwire serve --print-settings',
    look({ config, noStore }) {
      if (noStore === null || config === null) return [];
      const text = noStore.message;
      if (noStore instanceof NoStoreYet) {
        return [{ severity: 'note', text, remedy: 'the first start makes it: bellwire serve' }];
      }
      const restore =
        'see that the setting store names it; if it is damaged, go back to the last backup: bellwire restore FILE';
      return [{ text, ...(config.store.kind === 'sqlite' ? { remedy: restore } : {}) }];
    },
  },
];

function isOpenToOthers(mode: number, bits: number): boolean {
  return process.platform !== 'win32' && (mode & bits) !== 0;
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

// A store that is younger than what it keeps grows on: by as much again per day as so far.
async function lookAtDisk({ machine: { disk }, config, contents, now }: Ground): Promise<Seen[]> {
  if (config === null) return [];
  if (disk.free < LEAST_FREE_BYTES) {
    return [{ severity: 'fault', text: `only ${roughly(disk.free)} are free on the disk of the store` }];
  }
  if (config.store.kind !== 'sqlite' || contents === null) return [];
  const size = statSync(config.store.file).size;
  const rows = await contents.store.ask<{ at: number | null }>(
    `SELECT (SELECT e.accepted_at FROM events e WHERE e.workspace = w.workspace ORDER BY e.event LIMIT 1) AS at FROM workspaces w`,
  );
  const ages = rows.flatMap(({ at }) => (at === null ? [] : now - at));
  const ageMs = Math.max(DAY_MS, ...ages);
  const keptMs = Math.max(config.retention.eventsMs, config.retention.deliveriesMs);
  const growth = size * Math.max(0, keptMs / ageMs - 1);
  if (growth <= disk.free) return [];
  const days = Math.round(keptMs / DAY_MS);
  return [`the store will be ${roughly(size + growth)} when it holds ${days} days, and ${roughly(disk.free)} are free`];
}

function roughly(bytes: number): string {
  return bytes < 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

function detailOf(text: string): string {
  try {
    return (JSON.parse(text) as { detail?: string }).detail ?? text;
  } catch {
    return text;
  }
}

interface Place {
  host: string;
  port: number;
}

function placeOf({ hostname, port }: URL): Place {
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 443) };
}

/** What is to be said of the certificate that a server shows. That it does not answer is no matter of certificates. */
function certificateOf({ host, port }: Place, now: number): Promise<string[]> {
  return new Promise((resolve) => {
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = connect({ host, port, ...name, rejectUnauthorized: false });
    const done = (seen: string[]): void => {
      socket.destroy();
      resolve(seen);
    };
    socket.setTimeout(HANDSHAKE_MS, () => done([]));
    socket.on('error', () => done([]));
    socket.on('secureConnect', () => {
      const until = Date.parse(socket.getPeerCertificate().valid_to);
      if (until > now + SOON_MS) return done([]);
      const day = new Date(until).toISOString().slice(0, 10);
      return done([`the certificate of ${host} ${until < now ? 'ended' : 'ends'} on ${day}`]);
    });
  });
}
