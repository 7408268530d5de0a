// Drafts and versions of scenarios over HTTP: nothing of a draft is active before it is published.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApi, type ApiGround } from './api-ground.ts';
import { post } from './hook-ground.ts';

type Json = Record<string, unknown>;

function answering(body: string): string {
  return `scenario: greet\nsteps:\n  - reply: { status: 200, body: ${JSON.stringify(body)} }\n`;
}

const YAML = { 'content-type': 'application/yaml' };

function put(api: ApiGround, text: string, rest = ''): Promise<Json> {
  return api.expect(200, `PUT /v1/scenarios/greet${rest}`, { body: text, headers: YAML });
}

async function published(api: ApiGround): Promise<{ hook: string }> {
  const flow = await api.expect(201, 'PUT /v1/scenarios/greet', { body: answering('one'), headers: YAML });
  return { hook: api.url + String((flow['hook'] as Json)['path']) };
}

test('R102 a draft is not active until it is published, and is compared and tried before', async (t) => {
  const api = await startApi(t);
  const { hook } = await published(api);
  const draft = await put(api, answering('two ${ body.n } ${ secret.WHO }'), '/draft');
  assert.deepEqual([draft['base'], draft['published']], [1, 1]);
  assert.deepEqual(draft['notes'], ['greet uses the secret WHO, which is not set yet.']);
  assert.deepEqual(
    (draft['difference'] as Json[]).filter(({ mark }) => mark !== ' ').map(({ mark }) => mark),
    ['-', '+'],
  );
  assert.equal((await post(hook, { n: 1 })).text, 'one');
  const body = { version: 'draft', send: { body: '{"n":7}' } };
  const dry = await api.expect(200, 'POST /v1/scenarios/greet/dry-run', { body });
  assert.deepEqual([dry['status'], (dry['reply'] as Json)['body']], ['completed', 'two 7 the-secret-WHO']);
  const { items } = (await api.expect(200, 'GET /v1/scenarios/greet/requests')) as { items: Json[] };
  const kept = { version: 'draft', request: items[0]!['id'] };
  const again = await api.expect(200, 'POST /v1/scenarios/greet/dry-run', { body: kept });
  assert.equal((again['reply'] as Json)['body'], 'two 1 the-secret-WHO');
  const compared = await api.expect(200, 'GET /v1/scenarios/greet/difference');
  assert.deepEqual(
    [compared['from'], compared['to'], compared['difference']],
    ['published', 'draft', draft['difference']],
  );
  const now = await api.expect(200, 'POST /v1/scenarios/greet/publish');
  assert.equal(now['version'], 2);
  assert.equal((await post(hook, { n: 3 })).status, 500, 'its secret is not set');
  await api.expect(200, 'PUT /v1/secrets/WHO', { body: { value: 'ann' } });
  assert.equal((await post(hook, { n: 3 })).text, 'two 3 ann');
  await api.refused('not-found', 'GET /v1/scenarios/greet/draft');
  await api.refused('not-found', 'POST /v1/scenarios/greet/publish');
});

test('R102 a draft is refused where another version was published since it was begun', async (t) => {
  const api = await startApi(t);
  const { hook } = await published(api);
  await put(api, answering('two'), '/draft');
  await put(api, answering('meanwhile'));
  const shown = await api.expect(200, 'GET /v1/scenarios/greet/draft');
  assert.deepEqual([shown['base'], shown['published']], [1, 2]);
  const refused = await api.refused('changed-meanwhile', 'POST /v1/scenarios/greet/publish');
  assert.match(String(refused['detail']), /begun from version 1, and version 2 is published by now/);
  assert.equal((await post(hook)).text, 'meanwhile');
  await api.expect(204, 'DELETE /v1/scenarios/greet/draft');
  await api.refused('not-found', 'DELETE /v1/scenarios/greet/draft');
  await put(api, answering('two'), '/draft');
  await api.expect(200, 'POST /v1/scenarios/greet/publish');
  assert.equal((await post(hook)).text, 'two');
});

test('R102 a scenario may begin as a draft: it has no hook before it is published', async (t) => {
  const api = await startApi(t);
  const files = [{ name: 'g.yaml', text: `${answering('one')}---\njob: other\nsteps: [noop]\n` }];
  const seen = await api.expect(200, 'PUT /v1/flows', { body: { files, draft: true, dryRun: true } });
  assert.deepEqual(
    (seen['flows'] as Json[]).map(({ name, change }) => [name, change]),
    [['greet', 'draft']],
  );
  await api.refused('not-found', 'GET /v1/scenarios/greet/draft');
  await api.expect(200, 'PUT /v1/flows', { body: { files, draft: true } });
  assert.deepEqual((await api.expect(200, 'GET /v1/scenarios'))['items'], []);
  assert.deepEqual((await api.expect(200, 'GET /v1/jobs'))['items'], []);
  assert.equal((await api.expect(200, 'GET /v1/scenarios/greet/draft'))['base'], null);
  const made = await api.expect(201, 'POST /v1/scenarios/greet/publish');
  assert.match(String((made['hook'] as Json)['path']), /^\/hooks\//);
});

test('R102 a draft is checked as a push is', async (t) => {
  const api = await startApi(t);
  await published(api);
  const bad = async (body: string, words: RegExp): Promise<void> => {
    const refused = await api.refused('invalid-document', 'PUT /v1/scenarios/greet/draft', { body, headers: YAML });
    assert.match(String(refused['detail']), words);
  };
  await bad('scenario: other\n', /begins with "scenario: greet"/);
  await bad('job: greet\nsteps: [noop]\n', /begins with "scenario: greet"/);
  await bad('scenario: greet\nsteps: [nonsense: 1]\n', /nonsense/);
  await bad('scenario: greet\ngroup: nowhere\n', /group "nowhere"/);
  await api.refused('not-found', 'GET /v1/scenarios/greet/draft');
});

test('R102 versions are listed, shown and compared', async (t) => {
  const api = await startApi(t);
  await published(api);
  await put(api, answering('two'));
  await put(api, answering('three'));
  const { items } = (await api.expect(200, 'GET /v1/scenarios/greet/versions')) as { items: Json[] };
  assert.deepEqual(
    items.map(({ version, published: now }) => [version, now]),
    [
      [3, true],
      [2, false],
      [1, false],
    ],
  );
  assert.equal((await api.expect(200, 'GET /v1/scenarios/greet/versions/2'))['source'], answering('two'));
  await api.refused('not-found', 'GET /v1/scenarios/greet/versions/4');
  await api.refused('invalid-request', 'GET /v1/scenarios/greet/difference?from=last');
  await api.refused('not-found', 'GET /v1/scenarios/greet/difference');
  const compared = await api.expect(200, 'GET /v1/scenarios/greet/difference?from=1&to=published');
  const lines = (compared['difference'] as Json[]).filter(({ mark }) => mark === '-' || mark === '+');
  assert.deepEqual(
    lines.map(({ mark, text }) => `${mark}${text}`),
    ['-  - reply: { status: 200, body: "one" }', '+  - reply: { status: 200, body: "three" }'],
  );
  const dry = await api.expect(200, 'POST /v1/scenarios/greet/dry-run', { body: { version: '2' } });
  assert.equal((dry['reply'] as Json)['body'], 'two');
});
