// Where resources come from: inline, files, pages over HTTP, through the platform's own guarded transport.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { createTransport } from '../src/engine/transport/index.ts';
import { fetchOver } from '../src/flow-port.ts';
import type { Fetch } from '../src/flow/fetch.ts';
import { createEvaluate } from '../src/flow/policy/evaluate.ts';
import type { Reading, SourceParts } from '../src/flow/policy/reading.ts';
import { listResources } from '../src/flow/policy/sources.ts';
import type { HttpSource, Rule } from '../src/model/flow/definition.ts';

const reading = (of: Partial<Reading> = {}): Reading => ({ scope: {}, signal: new AbortController().signal, ...of });

function makeFetch(t: TestContext, allow = ['127.0.0.0/8']): Fetch {
  const transport = createTransport({ guard: createAddressGuard({ allow }), userAgent: 'test' });
  t.after(() => transport.close({ force: true }));
  return fetchOver((request) => transport.send(request));
}

const parts = (of: Partial<SourceParts> = {}): SourceParts => {
  const fetch: Fetch = () => assert.fail('nothing was to be fetched');
  return { fetch, folders: [], machineIdentity: false, ...of };
};

/** An inventory with three pages of two resources, for those who show the key. */
async function startInventory(t: TestContext): Promise<{ url: string; seen: string[] }> {
  const seen: string[] = [];
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://inventory');
    seen.push(url.pathname + url.search);
    const page = Number(url.searchParams.get('page') ?? 1);
    if (request.headers.authorization !== 'Bearer k-1') return response.writeHead(401).end();
    if (url.pathname === '/html') return response.end('<html>');
    if (url.pathname === '/away') return response.end('{"items":[],"next":"http://other.example/"}');
    if (url.pathname === '/circle') return response.end('{"items":[],"next":"/circle"}');
    const items = [{ arn: `r${page * 2 - 1}` }, { arn: `r${page * 2}` }];
    response.end(JSON.stringify({ items, next: page < 3 ? `?page=${page + 1}` : null }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

function pages(url: string): HttpSource {
  return { kind: 'http', url, headers: { authorization: 'Bearer ${ secret.KEY }' }, each: 'items', next: 'next' };
}

const WITH_KEY = { scope: { secret: { KEY: 'k-1' } } };

test('resources over HTTP: page after page, with a header made of a secret', async (t) => {
  const { url, seen } = await startInventory(t);
  const found = await listResources(pages(`${url}/buckets`), parts({ fetch: makeFetch(t) }), reading(WITH_KEY));
  assert.deepEqual(
    found,
    ['r1', 'r2', 'r3', 'r4', 'r5', 'r6'].map((arn) => ({ arn })),
  );
  assert.deepEqual(seen, ['/buckets', '/buckets?page=2', '/buckets?page=3']);
});

test('resources over HTTP: what goes wrong is said in words', async (t) => {
  const { url } = await startInventory(t);
  const fetch = makeFetch(t);
  const list = (path: string, of: Partial<Reading> = WITH_KEY): Promise<unknown> =>
    listResources(pages(`${url}${path}`), parts({ fetch }), reading(of));
  await assert.rejects(list('/buckets', { scope: { secret: { KEY: 'k-2' } } }), /\/buckets answered 401$/);
  await assert.rejects(list('/html'), /\/html is not JSON/);
  await assert.rejects(list('/away'), /the next page is on another host \(other\.example\): it is not followed/);
  await assert.rejects(list('/circle'), /the pages go round in a circle/);
  const guarded = parts({ fetch: makeFetch(t, []) });
  await assert.rejects(listResources(pages(url), guarded, reading(WITH_KEY)), /which the operator does not allow/);
});

test('resources in a file: only in a folder that the operator allows, wherever links lead', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'bellwire-sources-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const folder = join(root, 'inventory');
  mkdirSync(folder);
  writeFileSync(join(folder, 'all.json'), '{"machines":[{"id":"m1"},{"id":"m2"}]}');
  writeFileSync(join(root, 'secret.json'), '[]');
  symlinkSync(join(root, 'secret.json'), join(folder, 'link.json'));
  const list = (path: string, each: string | null = null, folders = [folder]): Promise<unknown> =>
    listResources({ kind: 'file', path, each }, parts({ folders }), reading());
  assert.deepEqual(await list('all.json', 'machines'), [{ id: 'm1' }, { id: 'm2' }]);
  await assert.rejects(list('all.json'), /there is no list of resources in the file all\.json/);
  await assert.rejects(list('all.json', null, []), /the operator allows no folder/);
  for (const path of ['../secret.json', join(root, 'secret.json'), 'link.json']) {
    await assert.rejects(list(path), /is in no folder that the operator allows/);
  }
  await assert.rejects(list('none.json'), /cannot be read: ENOENT/);
});

test('R2 R42 every rule is evaluated; one that cannot be is failed with its reason and stops no other', async (t) => {
  const { url, seen } = await startInventory(t);
  const lines: string[] = [];
  const rule = (name: string, compliant: string, source: HttpSource): Rule => ({
    name,
    description: '',
    resources: { from: source, id: 'arn', name: null },
    applies: null,
    compliant,
    detail: null,
  });
  const good = pages(`${url}/buckets`);
  const results = await createEvaluate(parts({ fetch: makeFetch(t) }))({
    set: {
      kind: 'policy-set',
      rules: [
        rule('first', "arn != 'r3'", good),
        rule('broken', 'true', pages(`${url}/html`)),
        rule('last', 'true', good),
      ],
    } as never,
    scope: {},
    secrets: { KEY: 'k-1' },
    signal: new AbortController().signal,
    known: async () => [],
    log: (name, text) => void lines.push(`${name}: ${text}`),
  });
  assert.deepEqual(
    results.map(({ rule: name, status, resources }) => [name, status, resources.length]),
    [
      ['first', 'completed', 6],
      ['broken', 'failed', 0],
      ['last', 'completed', 6],
    ],
  );
  assert.match(results[1]!.reason!, /is not JSON/);
  assert.equal(lines[0], 'first: 5 COMPLIANT, 1 NON_COMPLIANT; 0 changed since last time');
  // Rules with the same source look at the same list.
  assert.equal(seen.filter((path) => path.startsWith('/buckets')).length, 3);
});

test('an evaluation that is aborted ends', async () => {
  const abort = new AbortController();
  abort.abort(new Error('enough'));
  const evaluating = createEvaluate(parts())({
    set: { rules: [{ name: 'a' }] } as never,
    scope: {},
    secrets: {},
    signal: abort.signal,
    known: async () => [],
    log: () => undefined,
  });
  await assert.rejects(evaluating, /enough/);
});
