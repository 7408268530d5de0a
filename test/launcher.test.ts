// The launcher (tools/*.mjs): whatever Node runs it, it goes on or says in one line what is missing. No network is needed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sharedPostgresVariable } from './kit/postgres.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NOBODY = 65_534;

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface How {
  root?: string;
  /** Replaces the environment. */
  env?: NodeJS.ProcessEnv;
  node?: string[];
  uid?: number;
}

/** The environment without what `npm test` tells its tests: the platform takes no setting it does not know. */
const { [sharedPostgresVariable]: _, ...OWN } = process.env;

/** Runs `node tools/bellwire.mjs` of this clone or of another folder. */
function bellwire(args: string[], { root = ROOT, env = OWN, node = [], uid }: How = {}): Promise<Ended> {
  const as = uid === undefined ? {} : { uid, gid: uid };
  const child = spawn(process.execPath, [...node, join(root, 'tools/bellwire.mjs'), ...args], { env, ...as });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => (said[stream] += text));
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...said }));
  });
}

/** The launcher in a folder of its own, where nothing is installed. */
function freshClone(t: TestContext, files = ['package.json', 'package-lock.json']): string {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-clone-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(ROOT, 'tools'), join(folder, 'tools'), { recursive: true });
  for (const file of files) cpSync(join(ROOT, file), join(folder, file));
  return folder;
}

/** No npm and no other Node to be found. */
function emptyPath(folder: string): NodeJS.ProcessEnv {
  mkdirSync(join(folder, 'empty'));
  return { PATH: join(folder, 'empty') };
}

test('start: where all is installed it goes on at once, and hands back output and exit code', async (t) => {
  // Without npm on PATH an install could only fail.
  const env = emptyPath(freshClone(t));
  const version = await bellwire(['--version'], { env });
  assert.deepEqual([version.code, version.stderr], [0, '']);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  const unknown = await bellwire(['no-such-command'], { env });
  assert.equal(unknown.code, 2);
});

test('start: a platform that no Node comes for is told which Node to install, before anything is installed', async (t) => {
  const folder = freshClone(t);
  const pretend = `Object.defineProperty(process, 'platform', { value: 'sunos' });
    Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.11.0' } });`;
  const { code, stderr } = await bellwire([], {
    root: folder,
    env: emptyPath(folder),
    node: ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`],
  });
  assert.equal(code, 1);
  assert.match(stderr, /^bellwire: needs Node 24\.\S+ or newer, this is 20\.11\.0, and none for sunos-\S+ comes with/);
  assert.match(stderr, /install Node 26 from nodejs\.org\.\n$/);
});

test('start: without npm, or without the lock file, it says so in one line', async (t) => {
  const folder = freshClone(t);
  const noNpm = await bellwire([], { root: folder, env: emptyPath(folder) });
  assert.equal(noNpm.code, 1);
  assert.match(noNpm.stderr, /^bellwire: npm was not found on PATH, .* then retry\.\n$/);
  const part = freshClone(t, ['package.json']);
  const incomplete = await bellwire([], { root: part, env: emptyPath(part) });
  assert.equal(incomplete.code, 1);
  assert.match(incomplete.stderr, /^bellwire: package-lock\.json is missing or unreadable; .*\n$/);
});

test('start: a folder that may not be written is named', async (t) => {
  const isRoot = process.getuid?.() === 0;
  if (isRoot && !isForEverybody(process.execPath))
    return t.skip('root may write everywhere, and nobody may not run node');
  const folder = freshClone(t);
  const env = emptyPath(folder);
  chmodSync(folder, 0o555);
  const { code, stderr } = await bellwire([], { root: folder, env, ...(isRoot ? { uid: NOBODY } : {}) });
  chmodSync(folder, 0o755);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `bellwire: no permission to write ${folder}, where the dependencies must be installed; make it yours or clone elsewhere.\n`,
  );
});

test('start: a port that is taken is named, with what to do', async (t) => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const data = join(mkdtempSync(join(tmpdir(), 'bellwire-taken-')), 'data');
  t.after(() => rmSync(dirname(data), { recursive: true, force: true }));
  const { code, stderr } = await bellwire(['serve', '--dev', '--port', String(port), '--data', data]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${port} is taken: stop what listens there, or use another --port`));
});

/** May every user run this program: is each folder above it open? */
function isForEverybody(file: string): boolean {
  for (let at = dirname(file); at !== dirname(at); at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
  }
  return (statSync(file).mode & 0o001) !== 0;
}
