// Jobs and policy sets over HTTP: pushed, shown, deleted; runs asked for, listed, aborted; secrets that only go in.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApi, type ApiGround } from './api-ground.ts';

type Json = Record<string, unknown>;

const NIGHTLY = `job: nightly
description: Rebuilds the index.
params:
  table: { type: text, oneOf: [orders, users], default: orders }
  rows: { type: integer, default: 10 }
on: { cron: "0 2 * * *", timezone: Asia/Tokyo }
steps:
  - noop
`;
const BASELINE = `policySet: baseline
rules:
  - { rule: closed, resources: [{ id: a, open: false }, { id: b, open: true }], compliant: "\${ !open }", detail: OPEN }
`;

function push(api: ApiGround, files: Record<string, string>, more: Json = {}): Promise<Json> {
  const list = Object.entries(files).map(([name, text]) => ({ name, text }));
  return api.expect(200, 'PUT /v1/flows', { body: { files: list, ...more } });
}

function changes(pushed: Json): string[] {
  return (pushed['flows'] as Json[]).map(({ kind, name, change }) => `${kind} ${name} ${change}`);
}

test('bellwire push: created, changed with its lines, the same; what is in no file is named and stays', async (t) => {
  const api = await startApi(t);
  const first = await push(api, { 'a.yaml': `${NIGHTLY}---\n${BASELINE}` });
  assert.deepEqual(changes(first), ['job nightly created', 'policy-set baseline created']);
  const [job, set] = first['flows'] as Json[];
  assert.ok(Number.isInteger(job?.['id']) && Number.isInteger(set?.['id']) && job?.['id'] !== set?.['id']);
  // R31: ids are JSON numbers, and stay.
  const later = NIGHTLY.replace('0 2 * * *', '0 3 * * *');
  const dry = await push(api, { 'a.yaml': later }, { dryRun: true });
  assert.deepEqual([dry['dryRun'], changes(dry)], [true, ['job nightly changed']]);
  assert.deepEqual(dry['absent'], [{ kind: 'policy-set', name: 'baseline' }]);
  const lines = ((dry['flows'] as Json[])[0]!['difference'] as Json[]).map(({ mark, text }) => `${mark}${text}`);
  assert.ok(lines.includes('-on: { cron: "0 2 * * *", timezone: Asia/Tokyo }'), lines.join('\n'));
  assert.ok(lines.includes('+on: { cron: "0 3 * * *", timezone: Asia/Tokyo }'));
  const shown = await api.expect(200, 'GET /v1/jobs/nightly');
  assert.deepEqual([shown['version'], shown['source']], [1, NIGHTLY]);
  const second = await push(api, {
    'a.yaml': later,
    'b.yaml': `# told otherwise\n${BASELINE.replace('{ id: a, open: false }', '{open: false, id: a}')}`,
  });
  assert.equal(changes(second)[0], 'job nightly changed');
  const again = await push(api, { 'a.yaml': `# only a comment\n${later}` });
  assert.deepEqual(changes(again), ['job nightly same']);
  const now = await api.expect(200, `GET /v1/jobs/${String(job?.['id'])}`);
  assert.deepEqual(
    [now['name'], now['version'], now['cron']],
    ['nightly', 2, [{ at: '0 3 * * *', timezone: 'Asia/Tokyo' }]],
  );
});

test('bellwire push --prune deletes what is in no file, and says so beforehand with --dry-run', async (t) => {
  const api = await startApi(t);
  await push(api, { 'a.yaml': `${NIGHTLY}---\n${BASELINE}` });
  const dry = await push(api, { 'a.yaml': NIGHTLY }, { prune: true, dryRun: true });
  assert.deepEqual(changes(dry), ['job nightly same', 'policy-set baseline deleted']);
  await api.expect(200, 'GET /v1/policy-sets/baseline');
  const pushed = await push(api, { 'a.yaml': NIGHTLY }, { prune: true });
  assert.deepEqual([changes(pushed), pushed['absent']], [['job nightly same', 'policy-set baseline deleted'], []]);
  await api.refused('not-found', 'GET /v1/policy-sets/baseline');
});

test('errors name file, line and the words expected, and nothing is kept', async (t) => {
  const api = await startApi(t);
  const body = {
    files: [
      { name: 'flows/good.yaml', text: NIGHTLY },
      { name: 'flows/bad.yaml', text: 'job: x\ntimout: 1m\nsteps:\n  - htpp: https://a.example/\n' },
    ],
  };
  const problem = await api.refused('invalid-document', 'PUT /v1/flows', { body });
  assert.deepEqual(
    (problem['errors'] as Json[]).map(({ pointer, detail }) => [pointer, detail]),
    [
      ['flows/bad.yaml:2:1', 'there is no field of a job called "timout"; did you mean timeout?'],
      ['flows/bad.yaml:4:5', 'there is no action "htpp"; did you mean http?'],
    ],
  );
  assert.match(String(problem['detail']), /^flows\/bad\.yaml:2:1: .*\(and 1 more fault\)$/);
  assert.deepEqual((await api.expect(200, 'GET /v1/jobs'))['items'], []);
});

test('a group, a post-processing or an event type that is not there is a fault of the document', async (t) => {
  const api = await startApi(t);
  await api.expect(201, 'POST /v1/groups', { body: { name: 'operations' } });
  const text = 'job: x\ngroup: operatons\nafter: [nobody]\non: { event: com.example.nothing }\nsteps: [noop]\n';
  const problem = await api.refused('invalid-document', 'PUT /v1/flows', {
    body: { files: [{ name: 'x.yaml', text }] },
  });
  const words = (problem['errors'] as Json[]).map(({ detail }) => detail as string);
  assert.equal(words.length, 3);
  assert.match(words[0] ?? '', /the group "operatons".*did you mean operations\?/);
  assert.match(words[1] ?? '', /the post-processing "nobody".*there is none yet/);
  assert.match(words[2] ?? '', /the event type "com\.example\.nothing"/);
});

test('one document by its name in the path; another name, or two of them, are refused', async (t) => {
  const api = await startApi(t);
  const yaml = { 'content-type': 'application/yaml' };
  const made = await api.expect(201, 'PUT /v1/jobs/nightly', { body: NIGHTLY, headers: yaml });
  assert.deepEqual([made['name'], made['kind'], made['version']], ['nightly', 'job', 1]);
  const json = { job: 'nightly', steps: ['noop'] };
  const changed = await api.expect(200, 'PUT /v1/jobs/nightly', { body: JSON.stringify(json) });
  assert.deepEqual([changed['id'], changed['version']], [made['id'], 2]);
  await api.refused('invalid-document', 'PUT /v1/jobs/other', { body: NIGHTLY, headers: yaml });
  await api.refused('invalid-document', 'PUT /v1/jobs/nightly', { body: `${NIGHTLY}---\n${BASELINE}`, headers: yaml });
  await api.refused('invalid-document', 'PUT /v1/policy-sets/baseline', { body: NIGHTLY, headers: yaml });
  await api.refused('invalid-utf8', 'PUT /v1/jobs/nightly', { body: new Uint8Array([0xff]), headers: yaml });
  await api.refused('body-required', 'PUT /v1/jobs/nightly', { headers: yaml });
});

test('the token of an HTTP trigger is shown once, and another is made by hand', async (t) => {
  const api = await startApi(t);
  const http = NIGHTLY.replace('on: {', 'on: { http: true,');
  const [made] = (await push(api, { 'a.yaml': http }))['flows'] as Json[];
  const { path, authorization } = made!['trigger'] as { path: string; authorization: string };
  assert.match(path, /^\/trigger\/[\w-]{32}$/);
  assert.match(authorization, /^CAAuth [\w-]{32}$/);
  const shown = (await api.expect(200, 'GET /v1/jobs/nightly'))['trigger'];
  assert.deepEqual(shown, { path });
  const [same] = (await push(api, { 'a.yaml': http }))['flows'] as Json[];
  assert.deepEqual([same?.['change'], same?.['trigger']], ['same', null]);
  const renewed = (await api.expect(200, 'POST /v1/jobs/nightly/trigger'))['trigger'] as Json;
  assert.notEqual(renewed['path'], path);
  assert.match(String(renewed['authorization']), /^CAAuth [\w-]{32}$/);
  await push(api, { 'a.yaml': NIGHTLY });
  await api.refused('wrong-state', 'POST /v1/jobs/nightly/trigger');
  assert.equal((await api.expect(200, 'GET /v1/jobs/nightly'))['trigger'], null);
});

test('a run is asked for with parameters, held against what the job declares', async (t) => {
  const api = await startApi(t);
  await push(api, { 'a.yaml': NIGHTLY });
  const run = await api.expect(202, 'POST /v1/jobs/nightly/runs', { body: { params: { table: 'users' } } });
  assert.deepEqual([run['kind'], run['name'], run['params']], ['job', 'nightly', { table: 'users', rows: 10 }]);
  assert.ok(Number.isInteger(run['id']));
  assert.equal((run['cause'] as Json)['by'], 'hand');
  await api.expect(202, 'POST /v1/jobs/nightly/runs');
  for (const params of [{ tabel: 'users' }, { table: 'all' }, { rows: '10' }, { rows: 1.5 }]) {
    const problem = await api.refused('invalid-request', 'POST /v1/jobs/nightly/runs', { body: { params } });
    assert.match(String((problem['errors'] as Json[])[0]?.['pointer']), /^\/params\/\w+$/);
  }
  const { items } = await api.expect(200, 'GET /v1/jobs/nightly/runs');
  assert.equal((items as Json[]).length, 2);
  const page = await api.expect(200, 'GET /v1/runs?limit=1');
  assert.equal((page['items'] as Json[]).length, 1);
  const rest = await api.expect(200, `GET /v1/runs?limit=1&cursor=${String(page['next'])}`);
  assert.notEqual((rest['items'] as Json[])[0]?.['id'], (page['items'] as Json[])[0]?.['id']);
});

test('runs of jobs and evaluations of policy sets are not mistaken for one another, nor those of other workspaces', async (t) => {
  const api = await startApi(t);
  await push(api, { 'a.yaml': `${NIGHTLY}---\n${BASELINE}` });
  const { id } = await api.expect(202, 'POST /v1/jobs/nightly/runs');
  await api.refused('not-found', `GET /v1/evaluations/${String(id)}`);
  await api.refused('not-found', 'GET /v1/runs/999999');
  await api.refused('not-found', 'GET /v1/runs/abc');
  const problem = await api.refused('not-found', 'GET /v1/jobs/nightli');
  assert.match(String(problem['detail']), /did you mean nightly\?/);
  await api.refused('not-found', 'GET /v1/jobs/baseline');
  await api.expect(201, 'POST /v1/workspaces', { body: { name: 'other' } });
  await api.refused('not-found', `GET /v1/runs/${String(id)}?workspace=other`);
  assert.deepEqual((await api.expect(200, 'GET /v1/jobs?workspace=other'))['items'], []);
});

test('reading needs the scope read, everything else manage; a start is no publish', async (t) => {
  const api = await startApi(t);
  await push(api, { 'a.yaml': NIGHTLY });
  const keyOf = async (scopes: string[]): Promise<string> =>
    String((await api.expect(201, 'POST /v1/keys', { body: { name: scopes.join(), scopes } }))['key']);
  const read = await keyOf(['read']);
  const publish = await keyOf(['publish']);
  await api.expect(200, 'GET /v1/jobs', { key: read });
  for (const what of [
    'POST /v1/jobs/nightly/runs',
    'DELETE /v1/jobs/nightly',
    'GET /v1/secrets',
    'POST /v1/jobs/nightly/trigger',
  ]) {
    await api.refused('missing-scope', what, { key: read });
    await api.refused('missing-scope', what, { key: publish });
  }
  await api.refused('missing-scope', 'GET /v1/jobs', { key: publish });
});

test('secrets: set, listed by name, deleted, never shown; a push says which are missing', async (t) => {
  const api = await startApi(t);
  const text =
    'job: x\nsteps:\n  - http: { url: "https://a.example/", headers: { authorization: "Bearer ${ secret.TOKEN }" } }\n';
  assert.deepEqual((await push(api, { 'x.yaml': text }))['notes'], ['x uses the secret TOKEN, which is not set yet.']);
  const set = await api.ask('PUT /v1/secrets/TOKEN', { body: { value: 'hunter2-hunter2' } });
  assert.equal(set.status, 200);
  assert.ok(!set.text.includes('hunter2'));
  assert.deepEqual((await push(api, { 'x.yaml': text }))['notes'], []);
  const list = await api.ask('GET /v1/secrets');
  assert.ok(list.text.includes('TOKEN') && !list.text.includes('hunter2'));
  await api.expect(200, 'GET /v1/secrets/TOKEN');
  await api.refused('not-found', 'GET /v1/secrets/OTHER');
  await api.refused('not-found', 'PUT /v1/secrets/not-a-name', { body: { value: 'x' } });
  await api.refused('invalid-request', 'PUT /v1/secrets/EMPTY', { body: { value: '' } });
  await api.expect(204, 'DELETE /v1/secrets/TOKEN');
  await api.refused('not-found', 'GET /v1/secrets/TOKEN');
  assert.ok(!api.lines.join('\n').includes('hunter2'));
});
