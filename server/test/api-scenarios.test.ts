// Scenarios over HTTP: pushed with their samples and sheets, shown with their hook's URL, given another one, deleted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApi } from './api-ground.ts';

type Json = Record<string, unknown>;

const AUDIT = `scenario: audit
on: { hook: { verify: greenlake, secret: GREENLAKE, shapes: [samples/event.json], dedupe: "\${ body.id }" } }
steps:
  - set: { who: "\${ body.data.user }" }
`;
const SAMPLES = [{ name: 'flows/samples/event.json', text: '{"id":"1","data":{"user":"jo"}}' }];
const files = [{ name: 'flows/audit.yaml', text: AUDIT }];

test('R75 R76 R78 a scenario is pushed with its samples, and its hook has a URL at once', async (t) => {
  const api = await startApi(t);
  const pushed = await api.expect(200, 'PUT /v1/flows', { body: { files, samples: SAMPLES } });
  const [flow] = pushed['flows'] as Json[];
  const hook = flow?.['hook'] as Json;
  assert.deepEqual([flow?.['kind'], flow?.['change'], flow?.['trigger']], ['scenario', 'created', null]);
  assert.match(String(hook['path']), /^\/hooks\/[A-Za-z0-9_-]{32}$/);
  assert.deepEqual([hook['verify'], hook['shapes'], hook['methods']], ['greenlake', ['event'], ['POST']]);
  assert.deepEqual(pushed['notes'], ['audit uses the secret GREENLAKE, which is not set yet.']);
  const shown = await api.expect(200, 'GET /v1/scenarios/audit');
  assert.deepEqual([shown['hook'], shown['trigger'], shown['source']], [hook, null, AUDIT]);
  // A URL is for as long as the scenario is: neither the same nor a changed document makes another.
  const changed = [{ name: 'flows/audit.yaml', text: AUDIT.replace('who:', 'user:') }];
  const again = await api.expect(200, 'PUT /v1/flows', { body: { files: changed, samples: SAMPLES } });
  const second = (again['flows'] as [Json])[0];
  assert.deepEqual([second['change'], (second['hook'] as Json)['path']], ['changed', hook['path']]);
  const missing = await api.refused('invalid-document', 'PUT /v1/flows', { body: { files } });
  assert.match(String(missing['detail']), /there is no sample samples\/event\.json beside the document/);
});

test('R78 a hook can be given another URL; a deleted scenario is gone', async (t) => {
  const api = await startApi(t);
  const headers = { 'content-type': 'application/yaml' };
  const made = await api.expect(201, 'PUT /v1/scenarios/bare', { body: 'scenario: bare\n', headers });
  const renewed = await api.expect(200, 'POST /v1/scenarios/bare/hook');
  assert.notEqual((renewed['hook'] as Json)['path'], (made['hook'] as Json)['path']);
  const list = (await api.expect(200, 'GET /v1/scenarios'))['items'] as Json[];
  assert.deepEqual(
    list.map(({ name, hook }) => [name, hook]),
    [['bare', renewed['hook']]],
  );
  assert.deepEqual((await api.expect(200, 'GET /v1/jobs'))['items'], []);
  await api.refused('invalid-document', 'PUT /v1/scenarios/other', { body: 'scenario: bare\n', headers });
  await api.refused('invalid-document', 'PUT /v1/jobs/bare', { body: 'scenario: bare\n', headers });
  await api.expect(204, 'DELETE /v1/scenarios/bare');
  await api.refused('not-found', 'GET /v1/scenarios/bare');
});

test('R98 sheets are kept before the flows that name them', async (t) => {
  const api = await startApi(t);
  const text = 'sheet: AuditLog\ncolumns: [Time, Who]\n';
  const push = (more: Json = {}) =>
    api.expect(200, 'PUT /v1/flows', { body: { files: [{ name: 's.yaml', text }], ...more } });
  const made = { name: 'AuditLog', place: 'built-in', change: 'created' };
  assert.deepEqual((await push({ dryRun: true }))['sheets'], [made]);
  assert.deepEqual((await push())['sheets'], [made]);
  assert.deepEqual((await push())['sheets'], [{ ...made, change: 'same' }]);
  const other = { name: 'o.yaml', text: 'sheet: Other\ncolumns: [Id]\nkey: Id\nin: { sql: DB, table: t }\n' };
  assert.deepEqual((await push({ files: [other] }))['notes'], [
    'The sheet Other uses the secret DB, which is not set yet.',
  ]);
});

test('R98 a sheet that only a step names is made as a built-in one, and the push says so', async (t) => {
  const api = await startApi(t);
  const text = 'scenario: x\nsteps:\n  - sheet.append: { to: AuditLog, row: { A: "${ body.id }" } }\n';
  const pushed = await api.expect(200, 'PUT /v1/flows', { body: { files: [{ name: 'x.yaml', text }] } });
  assert.deepEqual(pushed['sheets'], [{ name: 'AuditLog', place: 'built-in', change: 'created' }]);
  assert.deepEqual(pushed['notes'], ['There was no sheet AuditLog yet: it is made as a built-in one.']);
  const again = await api.expect(200, 'PUT /v1/flows', { body: { files: [{ name: 'x.yaml', text }] } });
  assert.deepEqual([again['sheets'], again['notes']], [[], []]);
});
