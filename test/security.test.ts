// SECURITY.md is true: every threat names tests, and they are there; and what no other test looks at.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { does } from '../server/test/flow-ground.ts';
import { post, startHooks } from '../server/test/hook-ground.ts';
import { repository } from './kit/sources.ts';

/** The names of the tests in a file; `${…}` of a template stands for anything. */
function testsIn(file: string): RegExp[] {
  const text = readFileSync(join(repository, file), 'utf8');
  const named = /\btest\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g;
  return [...text.matchAll(named)].map(([, single, double, template]) => {
    const name = (single ?? double ?? template ?? '').replace(/\\(['"`])/g, '$1');
    const parts = template === undefined ? [name] : name.split(/\$\{[^}]*\}/);
    return new RegExp(`^${parts.map(escape).join('.+')}$`);
  });
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

test('SECURITY.md: threats are numbered without a gap, and every test that one names is there', () => {
  const text = readFileSync(join(repository, 'SECURITY.md'), 'utf8');
  const threats = text.split(/^(?=\*\*T\d+\*\* )/m).slice(1);
  assert.deepEqual(
    threats.map((threat) => /^\*\*T(\d+)\*\*/.exec(threat)?.[1]),
    threats.map((_, index) => String(index + 1)),
  );
  const missing: string[] = [];
  const known = new Map<string, RegExp[]>();
  for (const threat of threats) {
    const number = /^\*\*(T\d+)\*\*/.exec(threat)![1];
    const named = [...threat.split(/^##/m)[0]!.matchAll(/^- `([^`]+)`: (.+)$/gm)];
    if (named.length === 0) missing.push(`${number}: no test`);
    for (const [, file, name] of named as unknown as [string, string, string][]) {
      if (!existsSync(join(repository, file))) missing.push(`${number}: there is no ${file}`);
      else if (!known.has(file)) known.set(file, testsIn(file));
      if (known.get(file)?.some((one) => one.test(name)) === false) missing.push(`${number}: ${file} has no "${name}"`);
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(threats.length >= 50, String(threats.length));
});

/** Rules about the lock file, as the checks have them: plain JavaScript, which any Node runs. */
type Rule = (packages: Record<string, object>) => string[];

test('the checks read the lock file and the licences', async () => {
  const rules = pathToFileURL(join(repository, 'tools/lock.mjs')).href;
  const { faultsOfLock, faultsOfLicences } = (await import(rules)) as { faultsOfLock: Rule; faultsOfLicences: Rule };
  const well = { integrity: 'sha512-x', license: 'MIT' };
  assert.deepEqual(faultsOfLock({ 'node_modules/a': well, server: {} }), []);
  const faults = faultsOfLock({
    'node_modules/a': { ...well, integrity: 'sha1-x' },
    'node_modules/b': { ...well, resolved: 'https://registry.example/b.tgz' },
    'node_modules/c': { ...well, hasInstallScript: true },
    'server/node_modules/d': { license: 'MIT' },
  });
  assert.deepEqual(
    faults.map((fault) => fault.split(':')[0]),
    ['node_modules/a', 'node_modules/b', 'node_modules/c', 'server/node_modules/d'],
  );
  const licences = { a: 'MIT', b: '(MIT OR GPL-3.0)', c: 'GPL-3.0', d: 'MIT AND GPL-3.0' };
  const entries = Object.fromEntries(Object.entries(licences).map(([name, license]) => [name, { license }]));
  assert.equal(faultsOfLicences({ ...entries, e: {}, f: { link: true } }).length, 3);
});

test('a platform, as others on its machine and on its network meet it', async (t) => {
  const folder = join(mkdtempSync(join(tmpdir(), 'bellwire-apart-')), 'data');
  const hooks = await startHooks(t, { dataFolder: folder });
  t.after(() => rmSync(dirname(folder), { recursive: true, force: true }));

  await t.test('a data folder and what is in it are for nobody else', { skip: process.platform === 'win32' }, () => {
    const files = readdirSync(folder);
    assert.ok(
      ['admin-key', 'address', 'bellwire.db', 'secret-keys'].every((name) => files.includes(name)),
      files.join(),
    );
    for (const path of [folder, ...files.map((name) => join(folder, name))])
      assert.equal(statSync(path).mode & 0o077, 0, path);
  });

  await t.test('what a scenario replies is no page of ours', async () => {
    const headers = { 'content-type': 'text/html' };
    const reply = does('reply', { status: 200, headers, body: '<script>alert(1)</script>' });
    const { url } = await hooks.scenario('page', [reply]);
    const page = await post(url);
    assert.equal(page.status, 200);
    assert.equal(page.headers.get('content-security-policy'), 'sandbox');
    assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
  });

  await t.test('who listens needs a key that may change the webhook, in its workspace', async () => {
    const body = { name: 'listened to', mode: 'listen', verification: 'none' };
    const { id } = await hooks.expect(201, 'POST /v1/webhooks', { body });
    const path = `POST /v1/webhooks/${id as string}/listen`;
    const made = await hooks.expect(201, 'POST /v1/keys', {
      body: { name: 'reader', scopes: ['read', 'publish', 'pull'] },
    });
    await hooks.refused('missing-scope', path, { key: made['key'] as string, body: {} });
    await hooks.expect(201, 'POST /v1/workspaces', { body: { name: 'neighbour' } });
    await hooks.refused('not-found', `${path}?workspace=neighbour`, { body: {} });
    await hooks.expect(200, path, { body: {} });
  });

  await t.test('API: readiness tells whoever asks no more than that the store is away', async () => {
    const { store } = hooks.platform;
    store.check = () => Promise.reject(new Error('PostgreSQL at db.inside:5432 refuses: no user "bell"'));
    const { status, text } = await hooks.ask('GET /readyz', { key: null });
    assert.equal(status, 503);
    assert.doesNotMatch(text, /db\.inside|bell"/);
    assert.ok(
      hooks.lines.some((line) => line.includes('db.inside')),
      'the log says why',
    );
  });
});
