// What `npm run pack` makes: the tarballs as npm would publish them, and what their users do with them in an empty folder.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, symlinkSync, mkdirSync, writeFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { publint } from 'publint';
import { pack, run, scratch, succeed, tarballs } from './kit/packages.ts';
import { repository } from './kit/sources.ts';

/** Bytes of a tarball, and unpacked: what the READMEs say, rounded up. */
const BOUNDS = { bellwire: [900_000, 3_500_000], receiver: [60_000, 200_000] } as const;
const NAMES = ['bellwire', 'receiver'] as const;
/** Packing compiles everything. */
const patient = { timeout: 240_000 };

let packed = '';
before(async () => void (packed = await pack()), patient);

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
      (file) => !/^(dist\/.*\.(js|d\.ts)|docs\/.*\.md|examples\/.*\.yaml|[^/]+\.(json|md|yaml)|LICENSE)$/.test(file),
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
