// Running it: health, readiness, metrics, the log, stopping; and the two documents that describe it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { problemCodes } from '../src/model/problem.ts';
import { createMetrics } from '../src/metrics.ts';
import { StoreOutage } from '../src/store/index.ts';
import { describeApi } from '../src/api/openapi.ts';
import { routes } from '../src/api/routes.ts';
import { AUDIT, auditEvent, startApi, STRUCTURED } from './api-ground.ts';

type Json = Record<string, unknown>;

test('API: health and readiness ask no key, metrics neither, and none of them shows a secret', async (t) => {
  const api = await startApi(t);
  assert.deepEqual(await api.expect(200, 'GET /healthz', { key: null }), { status: 'ok' });
  assert.deepEqual(await api.expect(200, 'GET /readyz', { key: null }), { status: 'ok' });
  await api.expect(202, 'POST /v1/events', { body: auditEvent(), headers: STRUCTURED });
  const metrics = await api.ask('GET /metrics', { key: null });
  assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  assert.match(
    metrics.text,
    /bellwire_http_request_duration_seconds_count\{route="POST \/v1\/events",status="202"\} 1\n/,
  );
  assert.match(metrics.text, /^# TYPE bellwire_engine_\w+ gauge$/m);
});

test('API: who comes without a path or a key is told where to look', async (t) => {
  const api = await startApi(t);
  for (const path of ['/', '/v1']) {
    const index = await api.expect(200, `GET ${path}`, { key: null });
    assert.deepEqual(
      [index['openapi'], index['health'], index['version']],
      ['/openapi.json', '/healthz', '0.0.0-test'],
    );
    for (const link of ['openapi', 'health']) await api.expect(200, `GET ${String(index[link])}`, { key: null });
  }
});

test('API: one line per request, with who, where, what and how long', async (t) => {
  const api = await startApi(t);
  await api.refused('unknown-type', 'POST /v1/events?workspace=default', {
    body: auditEvent({ type: 'x' }),
    headers: STRUCTURED,
  });
  const line = api.lines.map((one) => JSON.parse(one) as Json).find(({ route }) => route === '/v1/events');
  assert.deepEqual(
    [line!['method'], line!['status'], line!['code'], line!['workspace']],
    ['POST', 422, 'unknown-type', 'default'],
  );
  assert.match(String(line!['caller']), /^key_/);
  assert.equal(typeof line!['durationMs'], 'number');
  await api.ask('GET /bw_a-key-in-the-wrong-place');
  assert.ok(!api.lines.join('').includes('wrong-place'), 'a path that fits no route is not repeated');
});

test('API: a fault of ours is 500 with an instance that the log names, and nothing else leaks', async (t) => {
  const api = await startApi(t);
  const { store } = api.platform;
  store.settings.webhooks = () => Promise.reject(new Error('SQLITE_IOERR: the disk is on fire'));
  store.check = () => Promise.reject(new Error('the disk is on fire'));
  const { status, json, text } = await api.ask('GET /v1/webhooks');
  assert.deepEqual([status, json['code']], [500, 'internal']);
  assert.match(String(json['instance']), /^urn:uuid:/);
  assert.ok(!/disk|sqlite|\.ts/i.test(text), text);
  const line = api.lines.find((one) => one.includes(String(json['instance'])))!;
  assert.equal((JSON.parse(line) as Json)['level'], 'error');
  const ready = await api.ask('GET /readyz', { key: null });
  assert.deepEqual([ready.status, ready.json['code']], [503, 'unavailable']);
  await api.expect(200, 'GET /healthz', { key: null });
});

test('API: a store that is out of order is 503 with Retry-After, and says "nothing was done" only where it knows', async (t) => {
  const api = await startApi(t);
  const { store } = api.platform;
  for (const undone of [true, false]) {
    store.settings.webhooks = () => Promise.reject(new StoreOutage('the disk is full', { undone }));
    const { status, headers, json } = await api.ask('GET /v1/webhooks');
    assert.deepEqual([status, json['code'], headers.get('retry-after')], [503, 'unavailable', '1']);
    assert.equal(/nothing was done/.test(String(json['detail'])), undone);
  }
});

test('a part that fails to stop keeps no other from stopping; each failure is said, the first is thrown', async (t) => {
  const api = await startApi(t);
  const { store } = api.platform;
  const close = store.close.bind(store);
  let closed = false;
  store.close = async () => {
    closed = true;
    await close();
    throw new Error('the file does not close');
  };
  store.lanes.release = () => Promise.reject(new StoreOutage('the database is down'));
  await assert.rejects(api.platform.stop(), /^StoreOutage: the database is down/);
  // What stands around the test stops it once more.
  api.platform.stop = () => Promise.resolve();
  assert.ok(closed);
  const said = api.lines.filter((line) => /did not stop as it should/.test(line)).join('');
  assert.match(said, /the database is down[^]*the file does not close/);
});

test('API: stopping takes nothing new and finishes what is in flight', async (t) => {
  const api = await startApi(t);
  const { hostname, port } = new URL(api.url);
  const body = JSON.stringify(auditEvent());
  const answer = new Promise<{ status: number | undefined; connection: string | undefined }>((resolve, reject) => {
    const headers = { authorization: `Bearer ${api.platform.adminKey}`, 'content-length': body.length, ...STRUCTURED };
    const publish = request({ hostname, port, path: '/v1/events', method: 'POST', headers }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode, connection: response.headers.connection }));
    });
    publish.on('error', reject);
    publish.flushHeaders();
    // The head is on its way; the body follows once the platform is stopping.
    publish.once('socket', (socket) => socket.once('connect', () => setImmediate(() => void stopThenSend())));
    async function stopThenSend(): Promise<void> {
      await api.expect(200, 'GET /healthz');
      void api.platform.stop();
      publish.end(body);
    }
  });
  assert.deepEqual(await answer, { status: 202, connection: 'close' });
  await api.platform.stop();
  await assert.rejects(fetch(`${api.url}/healthz`));
});

test('metrics: counters, gauges and histograms in the text format of Prometheus', async () => {
  const metrics = createMetrics();
  const counter = metrics.counter({ name: 'c_total', help: 'Counts.', labels: ['a', 'b'] });
  counter.add(1, 'x', 'y"\n\\');
  counter.add(2, 'x', 'y"\n\\');
  metrics.gauge({ name: 'g', help: 'Is.\nTwo lines.' }).set(-1.5);
  const histogram = metrics.histogram({ name: 'h_seconds', help: 'Takes.', buckets: [1, 2] });
  for (const value of [0.5, 1, 1.5, 9]) histogram.observe(value);
  assert.equal(metrics.counter({ name: 'c_total', help: '', labels: ['a', 'b'] }), counter);
  metrics.onRead(() => Promise.reject(new Error('a collector that fails is left out')));
  assert.equal(
    await metrics.read(),
    `# HELP c_total Counts.
# TYPE c_total counter
c_total{a="x",b="y\\"\\n\\\\"} 3
# HELP g Is.\\nTwo lines.
# TYPE g gauge
g -1.5
# HELP h_seconds Takes.
# TYPE h_seconds histogram
h_seconds_bucket{le="1"} 2
h_seconds_bucket{le="2"} 3
h_seconds_bucket{le="+Inf"} 4
h_seconds_sum 12
h_seconds_count 4
`,
  );
});

test('docs/errors.md lists every code with its status and its title, and no other', () => {
  const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const listed = [...text.matchAll(/^\| `([a-z0-9-]+)` \| (\d{3}) \| (.+) \|$/gm)].map(([, code, status, title]) => [
    code,
    { status: Number(status), title },
  ]);
  assert.deepEqual(Object.fromEntries(listed), { ...problemCodes });
});

test('OpenAPI: every route is described, every example keeps its schema, and the document is sound', () => {
  const document = JSON.parse(JSON.stringify(describeApi(routes, '1.2.3'))) as Json;
  assert.equal(document['openapi'], '3.1.1');
  const paths = document['paths'] as Record<string, Record<string, Json>>;
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const all = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
  const named = routes.flatMap(({ name }) =>
    name.startsWith('ANY ') ? all.map((one) => name.replace('ANY', one)) : [name],
  );
  assert.deepEqual(described.sort(), named.sort());
  const ids = Object.values(paths).flatMap((methods) => Object.values(methods).map((one) => one['operationId']));
  assert.equal(new Set(ids).size, ids.length, 'operationIds are unique');
  const ajv = new Ajv2020({ strict: true, strictTypes: false });
  addFormats.default(ajv);
  let examples = 0;
  const visit = (node: unknown, at: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const one = node as Json;
    if (typeof one['schema'] === 'object' && 'example' in one) {
      const validate = ajv.compile(one['schema'] as Json);
      assert.ok(validate(one['example']), `${at}: ${JSON.stringify(validate.errors)}`);
      examples++;
    }
    if (Array.isArray(one['examples']) && ('type' in one || 'anyOf' in one)) {
      const validate = ajv.compile(one);
      for (const example of one['examples']) assert.ok(validate(example), `${at}: ${JSON.stringify(validate.errors)}`);
    }
    if (typeof one['$ref'] === 'string') assert.equal(one['$ref'], '#/components/schemas/Problem');
    for (const [name, inner] of Object.entries(one))
      if (name !== 'example' && name !== 'examples') visit(inner, `${at}/${name}`);
  };
  visit(document, '');
  assert.ok(examples > 40, `${examples} examples`);
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, one] of Object.entries(methods)) {
      const parameters = one['parameters'] as { name: string; in: string; required: boolean; schema: Json }[];
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      assert.deepEqual(
        parameters.filter((p) => p.in === 'path').map((p) => p.name),
        inPath,
        `${method} ${path}`,
      );
      assert.ok(parameters.every((p) => typeof p.schema === 'object'));
      assert.ok(String(one['summary']).length > 8 && Array.isArray(one['tags']), `${method} ${path}`);
      const responses = one['responses'] as Record<string, { description: string }>;
      assert.ok(
        Object.keys(responses).some((status) => status.startsWith('2')),
        `${method} ${path}`,
      );
      assert.ok(Object.values(responses).every(({ description }) => description.length > 0));
    }
  }
});

test('OpenAPI: real answers are what the document says', async (t) => {
  const api = await startApi(t);
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  const webhook = await api.expect(201, 'POST /v1/webhooks', {
    body: { name: 'n', url: 'http://127.0.0.1:8009/', signing: ['standard-v1a'] },
  });
  const subscription = await api.expect(201, 'POST /v1/subscriptions', {
    body: { webhook: webhook['id'], type: AUDIT },
  });
  const accepted = await api.expect(202, 'POST /v1/events', { body: auditEvent(), headers: STRUCTURED });
  const { event } = (accepted['accepted'] as { event: string }[])[0]!;
  const [delivery] = (await api.expect(200, 'GET /v1/deliveries'))['items'] as { id: string }[];
  const replay = { body: { type: AUDIT } };
  const begun = await api.expect(202, `POST /v1/webhooks/${String(webhook['id'])}/replay`, replay);
  const erasure = await api.expect(202, 'POST /v1/erasures', { body: { subject: 'somebody' } });
  const group = await api.expect(201, 'POST /v1/groups', { body: { name: 'ops' } });
  const mail = { name: 'oncall', kind: 'email', universal: true, recipients: ['oncall@example.com'] };
  const postProcessing = await api.expect(201, 'POST /v1/post-processings', { body: mail });
  const rules = '[{ rule: r, resources: [{ id: a }], compliant: "${ true }" }]';
  const files = [{ name: 'a.yaml', text: `job: nightly\nsteps: [noop]\n---\npolicySet: baseline\nrules: ${rules}\n` }];
  files.push({ name: 'b.yaml', text: 'scenario: answer\non: { hook: true }\n---\nsheet: AuditLog\n' });
  await api.expect(200, 'PUT /v1/flows', { body: { files } });
  const draft = 'scenario: answer\non: { hook: true }\nsteps: [noop]\n';
  await api.expect(200, 'PUT /v1/scenarios/answer/draft', { body: draft, headers: { 'content-type': 'text/plain' } });
  const { hook } = await api.expect(200, 'GET /v1/scenarios/answer');
  await fetch(api.url + (hook as { path: string }).path, { method: 'POST', body: '{}' });
  const [request] = (await api.expect(200, 'GET /v1/scenarios/answer/requests'))['items'] as { id: string }[];
  const run = await api.expect(202, 'POST /v1/jobs/nightly/runs', { body: {} });
  const evaluation = await api.expect(202, 'POST /v1/policy-sets/baseline/evaluations', { body: {} });
  await api.expect(200, 'PUT /v1/secrets/TOKEN', { body: { value: 'x' } });
  const values: Record<string, string> = {
    '{group}': group['id'] as string,
    '{postProcessing}': postProcessing['id'] as string,
    '{job}': 'nightly',
    '{policySet}': 'baseline',
    '{scenario}': 'answer',
    '{sheet}': 'AuditLog',
    '{version}': '1',
    '{request}': request!.id,
    '{run}': String(run['id']),
    '{evaluation}': String(evaluation['id']),
    '{secret}': 'TOKEN',
    '{erasure}': erasure['id'] as string,
    '{operation}': begun['id'] as string,
    '{service}': 'hpe-greenlake-platform',
    '{type}': AUDIT,
    '{workspace}': 'default',
    '{event}': event,
    '{webhook}': webhook['id'] as string,
    '{subscription}': subscription['id'] as string,
    '{delivery}': delivery!.id,
  };
  await api.expect(201, 'POST /v1/sheets/AuditLog/rows', { body: { cells: { A: 1 } } });
  let checked = 0;
  for (const { name, out, access } of routes) {
    if (
      !name.startsWith('GET') ||
      name.endsWith('stream') ||
      name.endsWith('metrics') ||
      name.includes('/rows.') ||
      access === 'anybody' ||
      out === null
    )
      continue;
    const query = name.endsWith('/history') ? '?rule=r&resource=a' : '';
    const what = name.replace(/\{\w+\}/g, (parameter) => values[parameter]!) + query;
    const answer = await api.expect(200, what);
    const validate = ajv.compile(closed(JSON.parse(JSON.stringify(out)) as Json));
    assert.ok(validate(answer), `${what}: ${JSON.stringify(validate.errors)}`);
    checked++;
  }
  assert.ok(checked >= 16, `${checked} routes`);
});

/** The same schema, with no field beyond those it names. */
function closed(schema: Json): Json {
  for (const inner of Object.values(schema)) if (typeof inner === 'object' && inner !== null) closed(inner as Json);
  if (schema['properties'] !== undefined && schema['additionalProperties'] === undefined)
    schema['additionalProperties'] = false;
  return schema;
}
