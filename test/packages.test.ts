// What `npm run pack` makes: the tarballs as npm would publish them, and what their users do with them in an empty folder.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { before, test, type TestContext } from 'node:test';
import { publint } from 'publint';
import { vectors } from '../receiver/test/vectors.ts';
import { eventually } from './kit/handler.ts';
import { startLife } from './kit/life.ts';
import { install, pack, run, scratch, strangersEnvironment, succeed, tarballs } from './kit/packages.ts';
import { startProcess } from './kit/platform-process.ts';
import { findRuntimes, type Runtimes } from './kit/runtimes.ts';
import { repository } from './kit/sources.ts';

/** Bytes of a tarball, and unpacked: what the READMEs say, rounded up. */
const BOUNDS = { bellwire: [1_200_000, 4_500_000], receiver: [60_000, 200_000] } as const;
const NAMES = ['bellwire', 'receiver'] as const;
/** Packing compiles everything. */
const patient = { timeout: 240_000 };

let packed = '';
/** Where both are installed with npm, or null where the registry cannot be reached. */
let installed: string | null = null;
let runtimes: Runtimes | string = '';
before(
  async () => {
    const finding = findRuntimes();
    packed = await pack();
    installed = await install(tarballs(packed));
    runtimes = await finding;
  },
  { timeout: 540_000 },
);

/** All files below a folder, by their paths from there. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1));
}

test('a package holds JavaScript, the declarations its exports lead to, a README and the licence, and no more', () => {
  for (const name of NAMES) {
    const files = filesOf(join(packed, name));
    for (const wanted of ['package.json', 'README.md', 'LICENSE']) assert.ok(files.includes(wanted), wanted);
    const strange = files.filter(
      (file) =>
        !/^(dist\/.*\.(js|d\.ts)|docs\/.*\.md|examples\/.*\.(yaml|json)|[^/]+\.(json|md|yaml)|LICENSE)$/.test(file),
    );
    assert.deepEqual(strange, []);
    assert.deepEqual(
      files.filter((file) => /\.test\.|(^|\/)test\//.test(file)),
      [],
    );
    for (const file of files) {
      const text = readFileSync(join(packed, name, file), 'utf8');
      assert.ok(!text.includes(repository) && !text.includes(packed), `${file} names a folder of the machine`);
      assert.doesNotMatch(text, /^\/\/# sourceMappingURL/m, file);
      if (file.endsWith('.js') || file.endsWith('.d.ts')) assert.doesNotMatch(text, /from '\.[^']*\.ts'/, file);
    }
  }
});

test('a package is no larger than its README and docs/packages.md say', () => {
  for (const file of tarballs(packed)) {
    const name = file.includes('receiver') ? 'receiver' : 'bellwire';
    const [tarball, unpacked] = BOUNDS[name];
    const bytes = filesOf(join(packed, name)).reduce((sum, one) => sum + statSync(join(packed, name, one)).size, 0);
    assert.ok(statSync(file).size <= tarball, `${file}: ${statSync(file).size} bytes`);
    assert.ok(bytes <= unpacked, `${name}, unpacked: ${bytes} bytes`);
  }
});

test('publint, strict, has nothing to say', async () => {
  for (const name of NAMES) {
    const { messages } = await publint({ pkgDir: join(packed, name), strict: true });
    assert.deepEqual(messages, []);
  }
});

test('packing in the folder of the sources is refused with the command that packs', async () => {
  for (const workspace of ['server', 'receiver']) {
    const { code, stderr } = await run(['npm', 'pack', '--dry-run', '--workspace', workspace], { folder: repository });
    assert.notEqual(code, 0);
    assert.match(stderr, /`npm run pack` in the clone builds the packages/);
  }
});

const USE = `import { createClient, BellwireError, type NewEvent } from 'bellwire';
import { job, scenario } from 'bellwire/flows';
import { createLog, loadConfig, startPlatform, type RunningPlatform } from 'bellwire/platform';
import { createReceiver, type CloudEvent } from '@bellwire/receiver';
import { toNodeListener } from '@bellwire/receiver/node';
import { toExpress } from '@bellwire/receiver/express';
import { toFastify } from '@bellwire/receiver/fastify';
import { toLambda } from '@bellwire/receiver/lambda';

const client = createClient({ url: 'http://127.0.0.1:8470', key: 'bw_key' });
const event: NewEvent = { source: '//shop', type: 'com.example.order.created', data: { order: 7 } };
export const accepted = client.events.publish(event);
export const receive = createReceiver({
  secret: 's3cr3tKey',
  on: { t: (e: CloudEvent<{ order: number }>) => e.data?.order.toFixed() },
});
export const all = [toNodeListener, toExpress, toFastify, toLambda, job, scenario, BellwireError];
export const start = (): Promise<RunningPlatform> => {
  const { config } = loadConfig({ folder: '.', overrides: { dev: true } });
  const log = createLog({ level: config.log.level, pretty: false, destination: process.stderr });
  return startPlatform({ config, log, version: '0.1.0' });
};
// @ts-expect-error a secret is text
createReceiver({ secret: 7 });
// @ts-expect-error an event has a type
void client.events.publish({ source: '//shop' });
// @ts-expect-error a job has a name
job({ steps: [] });
`;

test('the types resolve under nodenext, node16 and bundler, and refuse what is wrong', patient, async () => {
  const folder = scratch();
  mkdirSync(join(folder, 'node_modules/@bellwire'), { recursive: true });
  symlinkSync(join(packed, 'receiver'), join(folder, 'node_modules/@bellwire/receiver'));
  symlinkSync(join(packed, 'bellwire'), join(folder, 'node_modules/bellwire'));
  // What they depend on, as it would be installed.
  for (const name of ['@types', 'typebox', 'undici', 'undici-types']) {
    symlinkSync(join(repository, 'node_modules', name), join(folder, 'node_modules', name));
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'use.ts'), USE);
  const tsc = join(repository, 'node_modules/typescript/bin/tsc');
  const flags = ['--noEmit', '--strict', '--preserveSymlinks', '--target', 'es2024', '--types', 'node'];
  for (const resolution of [
    // Once with all declarations checked in themselves.
    ['--module', 'nodenext', '--skipLibCheck', 'false'],
    ['--module', 'node16', '--skipLibCheck'],
    ['--module', 'esnext', '--moduleResolution', 'bundler', '--skipLibCheck'],
  ]) {
    await succeed([process.execPath, tsc, ...flags, ...resolution, 'use.ts'], { folder });
  }
});

const unreachable = 'the npm registry cannot be reached';

/** Starts a program that goes on; its lines. It ends with the test. */
function start(t: TestContext, [command = '', ...args]: readonly string[], folder: string): string[] {
  const env = { ...strangersEnvironment(), DENO_NO_UPDATE_CHECK: '1' };
  // In a group of its own: npx starts a shell, and that the program.
  const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const ended = once(child, 'close');
  t.after(async () => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
    await ended;
  });
  const lines: string[] = [];
  for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', (line) => lines.push(line));
  return lines;
}

/** Waits for a line that matches; resolves what the first group matched. */
async function lineOf(lines: readonly string[], pattern: RegExp): Promise<string> {
  const look = () => lines.map((line) => pattern.exec(line)).find((one) => one !== null) ?? false;
  const found = await eventually(`a line like ${pattern}`, look, 60_000).catch((error: Error) =>
    assert.fail(`${error.message}\n${lines.join('\n')}`),
  );
  return found[1] ?? '';
}

const LISTENING = /^listening on (http:\S+)$/;

/** Copies the programs of test/runtimes/ to where the packages are installed. */
function program(name: string): string {
  cpSync(join(repository, 'test/runtimes', name), join(installed!, name));
  return name;
}

test('npx bellwire in an otherwise empty folder: version, help, and the journey of one event', patient, async (t) => {
  if (installed === null) return t.skip(unreachable);
  assert.equal(await succeed(['npx', 'bellwire', '--version'], { folder: installed }), '0.1.0\n');
  assert.match(await succeed(['npx', 'bellwire', '--help'], { folder: installed }), /^Usage: bellwire/);
  const lines = start(t, ['npx', 'bellwire', 'demo', '--port', '0'], installed);
  await lineOf(lines, /(verified|signature)/);
  // Its document and its samples come along.
  const command = ['npx', 'bellwire', 'demo', 'scenario', '--port', '0', '--data', 'data of a scenario'];
  await lineOf(start(t, command, installed), /(npx bellwire sheet rows)/);
});

test('a Node that is too old is told which one it takes, in one line', async (t) => {
  if (installed === null) return t.skip(unreachable);
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.20.0' } });`;
  const imported = `data:text/javascript,${encodeURIComponent(pretend)}`;
  const cli = 'node_modules/bellwire/dist/cli.js';
  const ended = await run([process.execPath, '--import', imported, cli, '--help'], { folder: installed });
  assert.equal(ended.code, 1);
  assert.equal(ended.stderr, 'bellwire: needs Node 24.15 or newer, this is 22.20.0; see nodejs.org.\n');
});

for (const which of ['this Node', 'the oldest Node'] as const) {
  test(`${which}: bellwire serve delivers to a handler by the receiver, all as installed`, patient, async (t) => {
    if (installed === null) return t.skip(unreachable);
    if (which !== 'this Node' && typeof runtimes === 'string') return t.skip(runtimes);
    const node = which === 'this Node' ? process.execPath : (runtimes as Runtimes).node24;
    const data = join(installed, `data of ${which}`);
    const cli = join(installed, 'node_modules/bellwire/dist/cli.js');
    const platform = await startProcess({ folder: data, program: [node, cli] });
    t.after(() => platform.stop());
    const lines = start(t, [node, program('handler.mjs')], installed);
    const handler = await lineOf(lines, LISTENING);
    await succeed([node, program('publish.mjs'), platform.url, platform.adminKey, handler], { folder: installed });
    await lineOf(lines, /^(com\.example\.order\.created order-7)$/);
  });
}

/** How a runtime is started, with what it may do. */
const commands = (found: Runtimes) => ({
  'Node 24': [found.node24],
  Deno: [found.deno, 'run', '--no-prompt', '--allow-net=127.0.0.1', '--allow-read=.'],
  Bun: [found.bun, 'run'],
});

test(
  'R66 R70 the receiver under Node 24, Deno, Bun, and the Node of the machine: vectors of all signatures',
  patient,
  async (t) => {
    if (installed === null) return t.skip(unreachable);
    const file = join(repository, 'clients/testdata/vectors.json');
    const known = { ...(JSON.parse(readFileSync(file, 'utf8')) as object), signatures: vectors };
    writeFileSync(join(installed, 'vectors.json'), JSON.stringify(known));
    const machines = Object.entries(typeof runtimes === 'string' ? {} : commands(runtimes));
    for (const [name, command] of [...machines, ['the Node of the machine', ['node']] as const]) {
      const said = await succeed([...command, program('vectors.mjs')], { folder: installed });
      assert.equal(said, '15 vectors hold\n', name);
    }
    if (typeof runtimes === 'string') t.diagnostic(runtimes);
  },
);

test(
  'R54 R66 R70 Deno.serve and Bun.serve with the receiver: challenged, and an event is delivered',
  patient,
  async (t) => {
    if (installed === null) return t.skip(unreachable);
    if (typeof runtimes === 'string') return t.skip(runtimes);
    const life = await startLife(t);
    const { Deno, Bun } = commands(runtimes);
    for (const command of [Deno, Bun]) {
      const lines = start(t, [...command, program('handler.mjs')], installed);
      await life.webhook({ url: await lineOf(lines, LISTENING), secret: 's3cr3tKey' });
      await life.publish();
      await lineOf(lines, /^(com\.hpe\.greenlake\.audit-log\S+ \S+)$/);
    }
  },
);
