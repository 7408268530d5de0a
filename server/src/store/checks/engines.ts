// Checks of the engine itself: is the file whole, is the database one that keeps its promises?
import { statSync } from 'node:fs';
import { readSchema, SCHEMA_VERSION } from '../migrate.ts';
import { postgresDialect } from '../postgres.ts';
import { sqliteDialect } from '../sqlite.ts';
import type { StoreCheck, StoreGround } from './check.ts';

const RESTORE = 'stop the platform, keep the file, and go back to the last backup: bellwire restore FILE';
/** The log is checkpointed at 16 MiB and finished at 64: more means that nobody has come to it. */
const LARGE_LOG_BYTES = 256 * 2 ** 20;
/** The oldest PostgreSQL that the tests have been run with. */
const LEAST_POSTGRES = 15;
const CLOCK_MS = 2_000;

/** The checks. */
export const ENGINE_CHECKS: readonly StoreCheck[] = [
  {
    name: 'store.schema',
    looksAt: 'the migrations of the store, by number and checksum',
    severity: 'fault',
    remedy: 'run the bellwire that made the store, or one released after it',
    async look({ store }) {
      const dialect = store.engine === 'sqlite' ? sqliteDialect : postgresDialect;
      const { number, complaint } = await readSchema({ dialect, read: store.ask });
      if (complaint !== null) return [complaint];
      if (number === SCHEMA_VERSION) return [];
      const text = `the store is at schema ${number}, and the next start brings it to ${SCHEMA_VERSION}: its rows are looked at from then on`;
      return [{ severity: 'note', text, remedy: 'take a backup, then start: bellwire backup FILE, bellwire serve' }];
    },
  },
  {
    name: 'store.pages',
    looksAt: 'on SQLite: every page and index of the file (PRAGMA quick_check)',
    severity: 'fault',
    remedy: RESTORE,
    async look({ store }) {
      if (store.engine !== 'sqlite') return [];
      const rows = await store.ask<{ quick_check: string }>('PRAGMA quick_check(3)');
      const words = rows.map((row) => row.quick_check).filter((one) => one !== 'ok');
      return words.length === 0 ? [] : [`the file is damaged: ${words.join('; ').replaceAll(/\s+/g, ' ')}`];
    },
  },
  {
    name: 'store.log-size',
    looksAt: 'on SQLite: the size of the log beside the file (-wal)',
    severity: 'warning',
    remedy: 'end what reads the file for so long (a backup by cp, a shell of sqlite3), or restart: bellwire serve',
    look({ store }) {
      if (store.engine !== 'sqlite') return [];
      const size = statSync(`${store.name}-wal`, { throwIfNoEntry: false })?.size ?? 0;
      if (size <= LARGE_LOG_BYTES) return [];
      return [`the log beside the store has ${Math.round(size / 2 ** 20)} MiB: somebody keeps it from being emptied`];
    },
  },
  {
    name: 'postgres.version',
    looksAt: 'on PostgreSQL: its version',
    severity: 'warning',
    remedy: `upgrade the server to PostgreSQL ${LEAST_POSTGRES} or newer: nothing older was tested`,
    async look(ground) {
      const version = await setting(ground, 'server_version_num');
      const major = Math.floor(Number(version ?? LEAST_POSTGRES * 10_000) / 10_000);
      return major >= LEAST_POSTGRES ? [] : [`the server is PostgreSQL ${major}`];
    },
  },
  {
    name: 'postgres.durability',
    looksAt: 'on PostgreSQL: fsync, full_page_writes and synchronous_commit',
    severity: 'fault',
    remedy: 'set them on in postgresql.conf, then SELECT pg_reload_conf(): what was answered 202 must not get lost',
    async look(ground) {
      const off: string[] = [];
      for (const name of ['fsync', 'full_page_writes', 'synchronous_commit']) {
        if ((await setting(ground, name)) === 'off') off.push(name);
      }
      return off.length === 0 ? [] : [`${off.join(', ')} ${off.length === 1 ? 'is' : 'are'} off`];
    },
  },
  {
    name: 'postgres.connections',
    looksAt: 'on PostgreSQL: how many connections are left, beside those this node may open',
    severity: 'warning',
    remedy: 'raise max_connections of the server, or lower postgres.connections in bellwire.yaml',
    async look({ store, connections, isRunning }) {
      if (store.engine !== 'postgres') return [];
      const [row] = await store.ask<{ most: number; used: number }>(
        `SELECT current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint AS most,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used`,
      );
      // A node that runs has most of its own already.
      const wanted = isRunning ? 1 : connections;
      const left = row!.most - row!.used;
      return left >= wanted
        ? []
        : [`${row!.used} of ${row!.most} connections are taken, and a node opens ${connections}`];
    },
  },
  {
    name: 'postgres.clock',
    looksAt: 'on PostgreSQL: its clock beside that of this machine',
    severity: 'warning',
    remedy: 'let NTP (chrony, systemd-timesyncd) set both clocks: timedatectl',
    async look({ store }) {
      if (store.engine !== 'postgres') return [];
      const asked = Date.now();
      const [row] = await store.ask<{ at: number }>(
        'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at',
      );
      const answered = Date.now();
      const off = row!.at < asked ? asked - row!.at : Math.max(0, row!.at - answered);
      return off <= CLOCK_MS ? [] : [`the clocks of the database and of this machine are ${off / 1_000} s apart`];
    },
  },
];

// Null on another engine.
async function setting({ store }: Pick<StoreGround, 'store'>, name: string): Promise<string | null> {
  if (store.engine !== 'postgres') return null;
  const [row] = await store.ask<{ value: string }>('SELECT current_setting($1) AS value', [name]);
  return row!.value;
}
