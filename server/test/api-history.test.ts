// The history of scenarios over HTTP: runs with their route, requests, replays, and runs that are mended and continued.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { startApi, type ApiGround } from './api-ground.ts';
import { post } from './hook-ground.ts';

type Json = Record<string, unknown>;

interface Ground {
  api: ApiGround;
  /** The URL of the hook of the scenario `audit`. */
  hook: string;
  /** What the server that scenarios call was sent: the path, the key, and the authorization. */
  calls: { path: string; key: string; authorization: string }[];
  push(text: string): Promise<Json>;
  /** The newest run, when it has ended. */
  ended(): Promise<Json>;
  rows(): Promise<number>;
}

/** Marks what must be seen nowhere. */
const SECRET = 'Marked-S3cret-9f1c';

function documentOf(url: string, path = '/409', more = ''): string {
  return `scenario: audit
on: { hook: { verify: { preset: token, header: x-audit-token }, secret: SENDER, dedupe: "\${ body.id }" } }
steps:
  - name: kind
    route:
      - name: big
        if: body.size > 100
        steps: [{ stop: ~ }]
      - name: usual
        else: true
        steps:
          - sheet.append: { to: Log, row: { A: "\${ body.id }" } }
  - name: tell
    http: { url: "${url}/ok/\${ body.id }", method: POST, headers: { authorization: "Bearer \${ secret.CALLEE }" } }
  - { name: save, http: { url: "${url}${path}", method: POST, headers: { authorization: "Bearer \${ secret.CALLEE }" } } }
  - reply: { status: 201, body: { id: "\${ body.id }", size: "\${ body.size }" } }
${more}`;
}

async function start(t: TestContext): Promise<Ground> {
  const api = await startApi(t);
  const calls: Ground['calls'] = [];
  const server = createServer((request, response) => {
    const { url: path = '', headers } = request;
    calls.push({ path, key: String(headers['idempotency-key']), authorization: String(headers.authorization) });
    const wanted = /^\/(\d+)/.exec(path)?.[1];
    const isKnown = headers.authorization === `Bearer ${SECRET}`;
    request.resume().once('end', () => response.writeHead(wanted ? Number(wanted) : isKnown ? 200 : 401).end('{}'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const name of ['SENDER', 'CALLEE'])
    await api.expect(200, `PUT /v1/secrets/${name}`, { body: { value: SECRET } });
  const push = async (text: string): Promise<Json> => {
    const files = [{ name: 'audit.yaml', text: text.replaceAll('URL', url) }];
    return ((await api.expect(200, 'PUT /v1/flows', { body: { files } }))['flows'] as Json[])[0]!;
  };
  const pushed = await push(documentOf('URL'));
  const hook = api.url + String((pushed['hook'] as Json)['path']);
  const ended = async (): Promise<Json> => {
    for (;;) {
      const { items } = (await api.expect(200, 'GET /v1/scenarios/audit/runs?limit=1')) as { items: Json[] };
      const [run] = items;
      if (run?.['finishedAt']) return run;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const rows = async (): Promise<number> =>
    ((await api.expect(200, 'GET /v1/sheets/Log/rows'))['items'] as unknown[]).length;
  return { api, hook, calls, push, ended, rows };
}

const SENT = { headers: { 'x-audit-token': SECRET, cookie: 'session=1', 'x-note': `it is ${SECRET}` } };

test('R104 R105 a run shows its route, the filters that did not hold, and each step with input, output and error', async (t) => {
  const { api, hook, ended } = await start(t);
  assert.equal((await post(hook, { id: 'a', size: 7 }, SENT)).status, 500);
  const { id } = await ended();
  const run = await api.expect(200, `GET /v1/runs/${id}`);
  assert.deepEqual([run['kind'], run['state'], run['route'], run['reply']], ['scenario', 'failed', ['usual'], null]);
  assert.match(String(run['reason']), /^save: .*409/);
  assert.equal(run['operations'], 4);
  assert.ok(Number(run['durationMs']) >= 0);
  assert.deepEqual(run['cause'], { by: 'hook', request: run['request'] });
  const { items } = (await api.expect(200, `GET /v1/runs/${id}/steps`)) as { items: Json[] };
  const [kind, , , save] = items as [Json, Json, Json, Json];
  assert.deepEqual((kind['output'] as Json)['branches'], [
    { branch: 'big', taken: false, because: 'its filter does not hold', if: 'body.size > 100', was: false },
    { branch: 'usual', taken: true, because: 'no other branch fits', if: null, was: null },
  ]);
  assert.deepEqual([save['name'], save['state']], ['save', 'failed']);
  assert.match(String(save['error']), /409/);
  const log = await api.expect(200, `GET /v1/runs/${id}/log`);
  assert.match(JSON.stringify(log['items']), /409/);
  await api.refused('wrong-state', `POST /v1/runs/${id}/abort`);
});

test('R105 what a secret says is shown nowhere: not in the API, the log, or the rows of steps', async (t) => {
  const { api, hook, ended } = await start(t);
  await post(hook, { id: 'a', size: 7, note: SECRET }, SENT);
  await post(hook, { id: 'b', note: SECRET }, { headers: { 'x-audit-token': 'Wrong-Token-77' } });
  const { id, request } = await ended();
  const { items } = (await api.expect(200, 'GET /v1/scenarios/audit/requests')) as { items: Json[] };
  const refused = items.find(({ state }) => state === 'refused') as Json;
  const asked = [
    ...[`GET /v1/runs/${id}`, `GET /v1/runs/${id}/steps`, `GET /v1/runs/${id}/log`, 'GET /v1/scenarios/audit/runs'],
    ...[`GET /v1/requests/${request}`, `GET /v1/requests/${refused['id']}`, 'GET /v1/scenarios/audit/requests'],
  ];
  const answers = await Promise.all(asked.map(async (what) => (await api.ask(what)).text));
  const dry = await api.ask(`POST /v1/runs/${id}/replay`, { body: { dry: true } });
  assert.equal(dry.status, 200, dry.text);
  for (const text of [...answers, dry.text, ...api.lines])
    assert.doesNotMatch(text, /Marked-S3cret|Wrong-Token|session=1/);
  const shown = await api.expect(200, `GET /v1/requests/${request}`);
  const headers = shown['headers'] as { name: string; value: string }[];
  const valueOf = (name: string) => headers.find((one) => one.name.toLowerCase() === name)?.value;
  assert.deepEqual([valueOf('x-audit-token'), valueOf('cookie'), valueOf('x-note')], ['•••', '•••', 'it is •••']);
  assert.deepEqual((shown['body'] as Json)['text'], '{"id":"a","size":7,"note":"•••"}');
});

test('R105 what was a secret when a request came is none to be told by a run that works at it later', async (t) => {
  const { api, hook, push, ended } = await start(t);
  const said =
    'steps: [{ name: said, set: { caller: "${ headers }", note: "${ body.note }" } }, { fail: "${ body.note }" }]';
  await push(documentOf('URL').replace(/steps:[^]*/, `${said}\n`));
  await post(hook, { id: 'a', note: SECRET }, SENT);
  const { request } = await ended();
  for (const name of ['SENDER', 'CALLEE']) {
    await api.expect(200, `PUT /v1/secrets/${name}`, { body: { value: `another-${name}` } });
  }
  const { run } = await api.expect(202, `POST /v1/requests/${request}/replay`, { body: {} });
  const again = await ended();
  assert.deepEqual([again['id'], again['reason']], [(run as Json)['id'], 'steps[1] (fail): •••']);
  // Nor when the scenario has come to use others.
  await push(
    documentOf('URL')
      .replaceAll('SENDER', 'OTHER')
      .replace(/steps:[^]*/, `${said}\n`),
  );
  await api.expect(202, `POST /v1/requests/${request}/replay`, { body: {} });
  const third = await ended();
  const asked = [`GET /v1/requests/${request}`, ...[again, third].map(({ id }) => `GET /v1/runs/${id}/steps`)];
  const texts = await Promise.all(asked.map(async (what) => (await api.ask(what)).text));
  for (const text of texts) assert.match(text, /•••/);
  for (const text of [...texts, ...api.lines]) assert.doesNotMatch(text, /Marked-S3cret/);
});

test('R104 a run that is mended goes on where it failed, does nothing twice, and asks with the same key', async (t) => {
  const { api, hook, calls, push, ended, rows } = await start(t);
  await api.expect(200, 'PUT /v1/secrets/CALLEE', { body: { value: 'not-yet-right' } });
  await push(documentOf('URL', '/save').replace('/ok/', '/200/'));
  await post(hook, { id: 'a', size: 7 }, SENT);
  const first = await ended();
  assert.match(String(first['reason']), /^save: .*401/);
  await api.expect(200, 'PUT /v1/secrets/CALLEE', { body: { value: SECRET } });
  const next = await api.expect(202, `POST /v1/runs/${first['id']}/continue`);
  assert.deepEqual(next['cause'], { by: 'continue', run: first['id'], key: 'admin' });
  const second = await ended();
  assert.deepEqual([second['id'], second['state'], second['operations']], [next['id'], 'completed', 5]);
  const paths = calls.map(({ path }) => path);
  assert.deepEqual(paths, ['/200/a', '/save', '/save']);
  assert.equal(calls[1]!.key, calls[2]!.key, 'whoever is asked again can tell');
  assert.equal(await rows(), 1);
  const shown = await api.expect(200, `GET /v1/runs/${second['id']}`);
  assert.deepEqual(shown['reply'], {
    status: 201,
    headers: [{ name: 'content-type', value: 'application/json' }],
    body: '{"id":"a","size":7}',
  });
  assert.equal((await api.expect(200, `GET /v1/runs/${first['id']}`))['continuedBy'], second['id']);
  const repeated = await post(hook, { id: 'a', size: 7 }, SENT);
  assert.deepEqual(
    [repeated.status, repeated.text],
    [201, shown['reply'] && '{"id":"a","size":7}'],
    'its sender hears so',
  );
  assert.equal((await api.expect(200, `GET /v1/runs/${first['id']}`))['reply'], null);
  await api.refused('wrong-state', `POST /v1/runs/${first['id']}/continue`);
  const done = await api.refused('wrong-state', `POST /v1/runs/${second['id']}/continue`);
  assert.match(String(done['detail']), /has completed: there is nothing to continue/);
});

test('R104 a step that was mended is another one: it has another key, and what came before it stays done', async (t) => {
  const { api, hook, calls, push, ended, rows } = await start(t);
  await post(hook, { id: 'a', size: 7 }, SENT);
  const first = await ended();
  await push(documentOf('URL', '/save'));
  await api.expect(202, `POST /v1/runs/${first['id']}/continue`);
  const second = await ended();
  assert.deepEqual([second['state'], second['version']], ['completed', 2]);
  assert.deepEqual(
    calls.map(({ path }) => path),
    ['/ok/a', '/409', '/save'],
  );
  assert.notEqual(calls[1]!.key, calls[2]!.key);
  assert.equal(await rows(), 1);
});

test('R104 R106 a replay works at the same request again by either version, and appends no second row', async (t) => {
  const { api, hook, calls, push, ended, rows } = await start(t);
  await push(documentOf('URL', '/save'));
  assert.equal((await post(hook, { id: 'a', size: 7 }, SENT)).status, 201);
  const first = await ended();
  await push(documentOf('URL', '/other'));
  for (const [body, version, path] of [
    [undefined, 3, '/other'],
    [{ version: 'original' }, 2, '/save'],
  ] as const) {
    const { run } = (await api.expect(202, `POST /v1/runs/${first['id']}/replay`, body ? { body } : {})) as {
      run: Json;
    };
    assert.deepEqual(run['cause'], { by: 'replay', run: first['id'], key: 'admin' });
    const again = await ended();
    assert.deepEqual([again['id'], again['state'], again['version']], [run['id'], 'completed', version]);
    assert.equal(again['request'], first['request']);
    assert.equal(calls.at(-1)!.path, path);
    assert.equal((await api.expect(200, `GET /v1/runs/${run['id']}`))['reply'] !== null, true, 'kept for who looks');
  }
  assert.equal(await rows(), 1);
});

test('R104 a dry replay shows route, inputs and reply, reaches nobody, and keeps nothing', async (t) => {
  const { api, hook, calls, push, ended, rows } = await start(t);
  await push(documentOf('URL', '/save'));
  await post(hook, { id: 'a', size: 7 }, SENT);
  const first = await ended();
  const [calledBefore, rowsBefore] = [calls.length, await rows()];
  const original = await api.expect(200, `POST /v1/runs/${first['id']}/replay`, {
    body: { dry: true, version: 'original' },
  });
  const dry = original['dry'] as Json;
  assert.deepEqual([original['run'], dry['status'], dry['route']], [null, 'completed', ['usual']]);
  assert.deepEqual(dry['rows'], { Log: [{ A: 'a' }] });
  assert.deepEqual((dry['reply'] as Json)['status'], 201);
  const save = (dry['steps'] as Json[]).find(({ name }) => name === 'save') as Json;
  assert.equal(((save['input'] as Json)['headers'] as Json)['authorization'], 'Bearer •••');
  assert.equal((save['output'] as Json)['status'], 200, 'what it gave then stands in');
  assert.deepEqual([calls.length, await rows(), (await ended())['id']], [calledBefore, rowsBefore, first['id']]);
});

test('R104 a request that was turned away is replayed once its sender is known, and its repetition appends no second row', async (t) => {
  const { api, hook, push, ended, rows } = await start(t);
  await push(documentOf('URL', '/save'));
  assert.equal((await post(hook, { id: 'x', size: 7 }, { headers: { 'x-audit-token': 'wrong' } })).status, 401);
  const { items } = (await api.expect(200, 'GET /v1/scenarios/audit/requests?state=refused')) as { items: Json[] };
  const [refused] = items as [Json];
  assert.deepEqual([refused['state'], refused['status'], refused['run']], ['refused', 401, null]);
  const dry = await api.expect(200, `POST /v1/requests/${refused['id']}/replay`, { body: { dry: true } });
  assert.equal((dry['dry'] as Json)['status'], 'completed');
  const { run } = (await api.expect(202, `POST /v1/requests/${refused['id']}/replay`)) as { run: Json };
  assert.deepEqual(run['cause'], { by: 'replay', run: null, key: 'admin' });
  assert.equal((await ended())['state'], 'completed');
  assert.equal((await post(hook, { id: 'x', size: 7 }, SENT)).status, 201);
  assert.equal((await ended())['state'], 'completed');
  assert.equal(await rows(), 1);
});

test('R104 an unreadable request is replayed into a run that says why it cannot be read', async (t) => {
  const { api, hook, ended } = await start(t);
  assert.equal((await post(hook, '{"id":', SENT)).status, 400);
  const { items } = (await api.expect(200, 'GET /v1/scenarios/audit/requests')) as { items: Json[] };
  const dry = await api.expect(200, `POST /v1/requests/${items[0]!['id']}/replay`, { body: { dry: true } });
  assert.equal((dry['dry'] as Json)['status'], 'refused');
  await api.expect(202, `POST /v1/requests/${items[0]!['id']}/replay`);
  const run = await ended();
  assert.equal(run['state'], 'failed');
  assert.match(String(run['reason']), /JSON/);
});

test('R104 a request whose body was too large to be taken in is no request to replay', async (t) => {
  const { api, hook } = await start(t);
  assert.equal((await post(hook, 'x'.repeat(5 * 2 ** 20), SENT)).status, 413);
  const { items } = (await api.expect(200, 'GET /v1/scenarios/audit/requests')) as { items: Json[] };
  const id = items[0]!['id'];
  for (const dry of [true, false]) {
    const refused = await api.expect(409, `POST /v1/requests/${id}/replay`, { body: { dry } });
    assert.match(String(refused['detail']), /too large to be kept/);
  }
  await api.expect(409, 'POST /v1/scenarios/audit/dry-run', { body: { request: id } });
});

test('R104 what is somebody else’s, gone or of a job is refused in words', async (t) => {
  const { api, hook, push, ended } = await start(t);
  await post(hook, { id: 'a', size: 7 }, SENT);
  const { id, request } = await ended();
  await api.expect(201, 'POST /v1/workspaces', { body: { name: 'other' } });
  const headers = { 'bellwire-workspace': 'other' };
  for (const what of ['replay', 'continue']) {
    await api.refused('not-found', `POST /v1/runs/${id}/${what}`, { headers });
    await api.refused('not-found', `POST /v1/runs/4711/${what}`);
  }
  await api.refused('not-found', `GET /v1/runs/${id}`, { headers });
  await api.refused('not-found', `GET /v1/requests/${request}`, { headers });
  await api.refused('not-found', `POST /v1/requests/${request}/replay`, { headers });
  await push('job: one\nsteps: [noop]\n');
  const job = await api.expect(202, 'POST /v1/jobs/one/runs');
  await api.refused('wrong-state', `POST /v1/runs/${job['id']}/replay`);
  await api.refused('invalid-request', `POST /v1/runs/${id}/replay`, { body: { version: 7 } });
  await api.expect(204, 'DELETE /v1/scenarios/audit');
  await api.refused('not-found', `POST /v1/runs/${id}/continue`);
  await api.refused('not-found', `POST /v1/runs/${id}/replay`, { body: { dry: true } });
  await api.refused('not-found', `POST /v1/runs/${id}/replay`);
});

test('R104 a run that failed within a branch goes on within it: what the route decided stays decided', async (t) => {
  const { api, hook, calls, push, ended, rows } = await start(t);
  const text = (path: string) => `scenario: audit
on: { hook: true }
steps:
  - name: kind
    route:
      - name: usual
        else: true
        steps:
          - sheet.append: { to: Log, row: { A: "\${ body.id }" } }
          - http: { url: "URL/200/once", method: POST }
          - http: { url: "URL${path}", method: POST }
  - each: { of: body.all, as: one, steps: [{ http: { url: "URL\${ one }", method: POST } }] }
`;
  await push(text('/409'));
  await post(hook, { id: 'a', all: ['/200/x', '/200/y'] });
  const first = await ended();
  assert.deepEqual((await api.expect(200, `GET /v1/runs/${first['id']}`))['route'], ['usual']);
  await push(text('/200/twice'));
  await api.expect(202, `POST /v1/runs/${first['id']}/continue`);
  const second = await ended();
  assert.deepEqual([second['state'], second['id'] !== first['id']], ['completed', true]);
  const paths = calls.map(({ path }) => path);
  assert.deepEqual(paths, ['/200/once', '/409', '/200/twice', '/200/x', '/200/y']);
  assert.equal(await rows(), 1);
  assert.deepEqual((await api.expect(200, `GET /v1/runs/${second['id']}`))['route'], ['usual']);
});

test('R86 R104 a run that failed after its reply is continued with the reply that was given', async (t) => {
  const { api, hook, calls, push, ended } = await start(t);
  const text = (path: string) =>
    `scenario: audit\non: { hook: true }\nsteps:\n  - reply: { status: 202, body: "\${ body.id }" }\n  - http: { url: "URL${path}", method: POST }\n`;
  await push(text('/409'));
  assert.equal((await post(hook, { id: 'a' })).status, 202);
  const first = await ended();
  assert.equal(first['state'], 'failed');
  await push(text('/200'));
  const next = await api.expect(202, `POST /v1/runs/${first['id']}/continue`);
  assert.equal((await ended())['state'], 'completed');
  assert.deepEqual(
    calls.map(({ path }) => path),
    ['/409', '/200'],
  );
  for (const { id } of [first, next]) {
    const { reply } = (await api.expect(200, `GET /v1/runs/${id}`)) as { reply: Json };
    assert.deepEqual([reply['status'], reply['body']], [202, 'a']);
  }
});

test('R104 a run of a job is continued, too, with its parameters', async (t) => {
  const { api, calls, push } = await start(t);
  const text = (path: string) =>
    `job: nightly\nparams: { table: { default: orders } }\nsteps:\n  - http: { url: "URL/200/\${ params.table }", method: POST }\n  - http: { url: "URL${path}", method: POST }\n`;
  await push(text('/409'));
  const over = async (id: unknown): Promise<Json> => {
    for (;;) {
      const run = await api.expect(200, `GET /v1/runs/${id}`);
      if (run['finishedAt'] !== null) return run;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const body = { params: { table: 'users' } };
  const first = await over((await api.expect(202, 'POST /v1/jobs/nightly/runs', { body }))['id']);
  assert.deepEqual([first['state'], first['request'], first['route']], ['failed', null, []]);
  await push(text('/200/save'));
  const next = await over((await api.expect(202, `POST /v1/runs/${first['id']}/continue`))['id']);
  assert.deepEqual([next['state'], next['params']], ['completed', { table: 'users' }]);
  assert.deepEqual(
    calls.map(({ path }) => path),
    ['/200/users', '/409', '/200/save'],
  );
});
