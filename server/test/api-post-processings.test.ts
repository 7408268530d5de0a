// Groups and post-processings by the API: every limit at both edges, every rule between the fields, test requests.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startReceiver } from '../../test/kit/receiver.ts';
import { startApi, type ApiGround } from './api-ground.ts';

const URL = 'https://ops.example.com/runs';
const HOOK = { name: 'ops-hook', group: 'operations', kind: 'webhook', url: URL };
const MAIL = { name: 'oncall', universal: true, kind: 'email', recipients: ['oncall@example.com'] };

async function start(t: TestContext, overrides: object = {}): Promise<ApiGround> {
  const api = await startApi(t, overrides);
  await api.expect(201, 'POST /v1/groups', { body: { name: 'operations' } });
  return api;
}

let names = 0;

/** Makes one with a name of its own; resolves its path. */
async function made(api: ApiGround, body: object): Promise<Record<string, unknown>> {
  return api.expect(201, 'POST /v1/post-processings', { body: { ...body, name: `p${++names}` } });
}

async function refused(api: ApiGround, code: string, body: object): Promise<string> {
  const { detail } = await api.refused(code, 'POST /v1/post-processings', { body: { ...body, name: `p${++names}` } });
  return detail as string;
}

test('R18 R19 groups and post-processings are made, listed, shown, changed and deleted', async (t) => {
  const api = await start(t);
  const { items } = await api.expect(200, 'GET /v1/groups');
  const [group] = items as { id: string; name: string }[];
  assert.match(group!.id, /^grp_/);
  const hook = await api.expect(201, 'POST /v1/post-processings', { body: { ...HOOK, authorization: 'CAAuth abc' } });
  const { id, createdAt, updatedAt, ...rest } = hook;
  assert.deepEqual(rest, {
    name: 'ops-hook',
    group: group!.id,
    universal: false,
    kind: 'webhook',
    url: URL,
    hasAuthorization: true,
    recipients: [],
    success: 'exactly-200',
    intervalMs: null,
    timeoutMs: null,
    dialect: 'cloud-automator',
  });
  assert.equal(createdAt, updatedAt);
  assert.deepEqual(await api.expect(200, `GET /v1/post-processings/${String(id)}`), hook);
  const mail = await api.expect(201, 'POST /v1/post-processings', { body: MAIL });
  assert.deepEqual(
    [mail['universal'], mail['group'], mail['url'], mail['recipients']],
    [true, null, null, MAIL.recipients],
  );
  const first = await api.expect(200, 'GET /v1/post-processings?limit=1');
  assert.deepEqual(first['items'], [hook]);
  const second = await api.expect(200, `GET /v1/post-processings?cursor=${String(first['next'])}`);
  assert.deepEqual(second['items'], [mail]);
  const patch = { name: 'renamed', success: '2xx', intervalMs: 5_000, dialect: 'bellwire', group: group!.id };
  const changed = await api.expect(200, `PATCH /v1/post-processings/${String(id)}`, { body: patch });
  assert.deepEqual(
    [changed['name'], changed['success'], changed['intervalMs'], changed['dialect'], changed['hasAuthorization']],
    ['renamed', '2xx', 5_000, 'bellwire', true],
  );
  await api.refused('in-use', `DELETE /v1/groups/${group!.id}`);
  await api.expect(204, `DELETE /v1/post-processings/${String(id)}`);
  await api.refused('not-found', `GET /v1/post-processings/${String(id)}`);
  await api.expect(200, `PATCH /v1/groups/${group!.id}`, { body: { name: 'ops' } });
  await api.expect(204, `DELETE /v1/groups/${group!.id}`);
  await api.refused('not-found', `GET /v1/groups/${group!.id}`);
});

test('R5 a name has 1 to 255 characters that are not all white space, and is nobody else’s', async (t) => {
  const api = await start(t);
  const create = (name: unknown) => api.ask('POST /v1/post-processings', { body: { ...HOOK, name } });
  for (const name of ['', ' ', '\t\n', 'x'.repeat(256), '🌙'.repeat(256), 7, null]) {
    assert.equal((await create(name)).status, 400, JSON.stringify(name));
  }
  for (const name of ['x', 'x'.repeat(255), '🌙'.repeat(255), '夜間 ジョブ']) {
    const { status, json } = await create(name);
    assert.deepEqual([status, json['name']], [201, name]);
  }
  await api.refused('name-taken', 'POST /v1/post-processings', { body: { ...HOOK, name: 'x' } });
  await api.refused('name-taken', 'POST /v1/groups', { body: { name: 'operations' } });
  for (const name of ['', ' ', 'x'.repeat(256)])
    await api.refused('invalid-request', 'POST /v1/groups', { body: { name } });
  await api.expect(201, 'POST /v1/groups', { body: { name: 'x'.repeat(255) } });
});

test('R6 R7 one group, or all of them: only an e-mail may be universal, and it cannot become a webhook', async (t) => {
  const api = await start(t);
  const universal = { ...HOOK, group: undefined, universal: true };
  assert.match(await refused(api, 'invalid-post-processing', universal), /Only an e-mail may be for all groups/);
  assert.match(await refused(api, 'invalid-post-processing', { ...HOOK, universal: true }), /one group, or to all/);
  assert.match(await refused(api, 'invalid-post-processing', { ...HOOK, group: undefined }), /Name the group/);
  assert.match(await refused(api, 'invalid-post-processing', { ...MAIL, universal: false }), /Name the group/);
  assert.match(await refused(api, 'unknown-group', { ...HOOK, group: 'opperations' }), /did you mean operations/);
  const mail = await made(api, MAIL);
  const path = `/v1/post-processings/${String(mail['id'])}`;
  const become = { kind: 'webhook', url: URL };
  const { detail } = await api.refused('invalid-post-processing', `PATCH ${path}`, { body: become });
  assert.match(detail as string, /Only an e-mail may be for all groups/);
  const hook = await api.expect(200, `PATCH ${path}`, { body: { ...become, group: 'operations' } });
  assert.deepEqual([hook['kind'], hook['universal'], hook['recipients'], hook['url']], ['webhook', false, [], URL]);
  await api.refused('invalid-post-processing', `PATCH ${path}`, { body: { universal: true } });
  const again = { kind: 'email', universal: true, recipients: ['a@example.com'] };
  const back = await api.expect(200, `PATCH ${path}`, { body: again });
  assert.deepEqual(
    [back['kind'], back['universal'], back['url'], back['hasAuthorization']],
    ['email', true, null, false],
  );
  const moved = await api.expect(200, `PATCH ${path}`, { body: { group: 'operations' } });
  assert.equal(moved['universal'], false);
});

test('R8 a kind has its own fields; what belongs to the other one is refused by name', async (t) => {
  const api = await start(t);
  await api.refused('invalid-request', 'POST /v1/post-processings', { body: { ...HOOK, kind: 'sqs' } });
  assert.match(await refused(api, 'invalid-post-processing', { ...HOOK, recipients: ['a@b.c'] }), /no recipients/);
  assert.match(await refused(api, 'invalid-post-processing', { ...MAIL, url: URL }), /no url/);
  assert.match(await refused(api, 'invalid-post-processing', { ...MAIL, authorization: 'x' }), /no authorization/);
  assert.match(await refused(api, 'invalid-post-processing', { ...MAIL, recipients: undefined }), /needs recipients/);
  const bad = ['a', '@b', 'a@', 'a b@c.d', 'a@b\r\nc', '<a@b.c>', 'a@b,c@d', `${'x'.repeat(65)}@example.com`];
  for (const address of bad) {
    await refused(api, 'invalid-request', { ...MAIL, recipients: [address] });
  }
  const addresses = (count: number) => Array.from({ length: count }, (_, i) => `a${i}@example.com`);
  await made(api, { ...MAIL, recipients: addresses(50) });
  const long = (length: number) => `${'x'.repeat(64)}@${'y'.repeat(length - 65)}`;
  await made(api, { ...MAIL, recipients: [long(254)] });
  for (const recipients of [[], addresses(51), ['a@example.com', 'a@example.com'], [long(255)]]) {
    await refused(api, 'invalid-request', { ...MAIL, recipients });
  }
});

test('R9 R10 http and https, in any case; nothing else, and not nothing', async (t) => {
  // Not dev mode's doing: https is required of webhooks here.
  const api = await start(t, { targets: { httpsRequired: true, publicNamesRequired: true } });
  await refused(api, 'invalid-post-processing', { ...HOOK, url: undefined });
  for (const url of [
    '',
    ' ',
    'ftp://example.com/',
    'javascript:alert(1)',
    'example.com',
    '//example.com/',
    'https://',
  ]) {
    await refused(api, 'refused-url', { ...HOOK, url });
  }
  await refused(api, 'refused-url', { ...HOOK, url: 'https://user:pw@example.com/' });
  await api.refused('refused-url', 'POST /v1/webhooks', { body: { name: 'w', url: 'http://example.com/' } });
  for (const url of [
    'http://example.com/a',
    'HTTPS://example.com/a',
    'HtTp://example.com/a',
    'http://127.0.0.1:8009/',
  ]) {
    const { url: kept } = await made(api, { ...HOOK, url });
    assert.equal(
      kept,
      url.replace(/^\w+/, (scheme) => scheme.toLowerCase()),
    );
  }
});

test('R10 where it leads is the operator’s setting', async (t) => {
  const api = await start(t, { targets: { allowAddresses: [] } });
  const detail = await refused(api, 'refused-url', { ...HOOK, url: 'http://127.0.0.1:8009/' });
  assert.match(detail, /does not allow/);
});

test('R11 a URL of 2,048 characters is taken, one of 2,049 is not', async (t) => {
  const api = await start(t);
  const of = (length: number, letter = 'x'): string => {
    const head = 'https://example.com/';
    return head + letter.repeat(length - head.length);
  };
  assert.equal(((await made(api, { ...HOOK, url: of(2_048) }))['url'] as string).length, 2_048);
  assert.match(await refused(api, 'refused-url', { ...HOOK, url: of(2_049) }), /2048|2,048/);
  await made(api, { ...HOOK, url: of(2_048, '🌙') });
  await refused(api, 'refused-url', { ...HOOK, url: of(2_049, '🌙') });
});

test('R12 R13 R15 R17 an Authorization value may be left out; any text that HTTP can carry, up to 1,024 characters', async (t) => {
  const api = await start(t);
  for (const authorization of [undefined, null, '']) {
    assert.equal((await made(api, { ...HOOK, authorization }))['hasAuthorization'], false);
  }
  for (const authorization of ['x', 'CAAuth 0123456789abcdef', 'y'.repeat(1_024), 'ä é ÿ ~ "quoted"']) {
    assert.equal((await made(api, { ...HOOK, authorization }))['hasAuthorization'], true, authorization);
  }
  await refused(api, 'invalid-request', { ...HOOK, authorization: 'y'.repeat(1_025) });
  // Characters, not bytes.
  await made(api, { ...HOOK, authorization: 'ä'.repeat(1_024) });
  await refused(api, 'invalid-request', { ...HOOK, authorization: 'ä'.repeat(1_025) });
  for (const authorization of ['a\r\nb', 'a\nb', 'a\rb', '日本', '🌙', ' a', 'a\u007f']) {
    await refused(api, 'refused-header', { ...HOOK, authorization });
  }
  await refused(api, 'invalid-request', { ...HOOK, authorization: 'a\0b' });
  const hook = await made(api, { ...HOOK, authorization: 'secret-value' });
  const path = `/v1/post-processings/${String(hook['id'])}`;
  assert.equal((await api.expect(200, `PATCH ${path}`, { body: { authorization: null } }))['hasAuthorization'], false);
  assert.doesNotMatch((await api.ask(`GET ${path}`)).text + api.lines.join('\n'), /secret-value/);
});

test('R19 deletion is refused while jobs or policy sets report to it, and names them', async (t) => {
  const api = await start(t);
  const { id } = await api.expect(201, 'POST /v1/post-processings', { body: HOOK });
  const jobs = Array.from({ length: 21 }, (_, n) => `job: job-${n + 10}\nsteps: [noop]\nafter: [ops-hook]\n`);
  const set =
    'policySet: closed\nrules: [{ rule: r, resources: [{ id: a }], compliant: true }]\nafter: { failed: [ops-hook] }\n';
  const push = (documents: string[]) =>
    api.expect(200, 'PUT /v1/flows', {
      body: { files: [{ name: 'f.yaml', text: documents.join('---\n') }], prune: true },
    });
  await push([...jobs.slice(0, 2), set]);
  const path = `DELETE /v1/post-processings/${String(id)}`;
  const { detail } = await api.refused('in-use', path);
  assert.match(detail as string, /job job-10, job job-11, policy set closed\.?$/);
  await push(jobs);
  assert.match((await api.refused('in-use', path))['detail'] as string, /job job-29 and 1 more\.?$/);
  await push([]);
  await api.expect(204, path);
});

test('R27 unknown fields, and spans out of bounds, are refused by name', async (t) => {
  const api = await start(t);
  for (const wrong of [
    { shared_by_group: true },
    { intervalMs: 99 },
    { intervalMs: 86_400_001 },
    { timeoutMs: 0 },
    { timeoutMs: 120_001 },
    { success: '200' },
  ]) {
    await refused(api, 'invalid-request', { ...HOOK, ...wrong });
  }
  await made(api, { ...HOOK, intervalMs: 100, timeoutMs: 120_000 });
  await made(api, { ...HOOK, intervalMs: 86_400_000, timeoutMs: 1 });
});

test('R44 R45 R46 R47 a test request is answered with what it came to', async (t) => {
  const api = await start(t);
  const receiver = await startReceiver();
  t.after(() => receiver.stop());
  const { id } = await made(api, { ...HOOK, url: receiver.url, authorization: 'CAAuth x' });
  const path = `POST /v1/post-processings/${String(id)}/test`;
  const test = async (body?: object) => {
    const { outcome } = await api.expect(200, path, body === undefined ? {} : { body });
    return outcome as { ok: boolean; status: number | null; error: string | null; durationMs: number };
  };
  const good = await test();
  assert.deepEqual([good.ok, good.status, good.error], [true, 200, null]);
  assert.ok(good.durationMs >= 0);
  assert.equal((await test({ as: 'policy' })).ok, true);
  await api.refused('invalid-request', path, { body: { as: 'scenario' } });
  assert.deepEqual(
    receiver.requests.map(({ body }) => JSON.parse(body.toString())),
    [
      [
        {
          type: 'job',
          trigger_job_id: 1,
          trigger_job_log_id: 8,
          status: 'completed',
          name: 'Job for Test Request',
          started_at: '2017-10-01T09:00:00Z',
          finished_at: '2017-10-01T09:01:00Z',
        },
      ],
      [
        {
          type: 'policy',
          status: 'completed',
          policy_set_name: 'Policy Set for Test Request',
          rule_name: 'Policy for Test Request',
          evaluations_time: '2017-10-01T09:00:00Z',
          evaluations: [
            {
              ResourceId: 'resource-for-test-request',
              ResourceName: 'Resource for Test Request',
              ComplianceType: 'COMPLIANT',
              ResultDetailCode: null,
            },
          ],
        },
      ],
    ],
  );
  receiver.behave({ status: 503 });
  const answered = await test();
  assert.deepEqual([answered.ok, answered.status, answered.error], [false, 503, 'answered 503']);
  await receiver.stop();
  const silent = await test();
  assert.deepEqual([silent.ok, silent.status, silent.error], [false, null, 'refused the connection']);
  const { id: mail } = await made(api, MAIL);
  const { outcome } = await api.expect(200, `POST /v1/post-processings/${String(mail)}/test`);
  assert.match((outcome as { error: string }).error, /there is no mail server \(setting mail\.host\)/);
  await api.refused('not-found', `POST /v1/post-processings/${String(id).replace(/.$/, 'z')}/test`);
});

test('a post-processing is no webhook, whoever asks, and nobody’s of another workspace', async (t) => {
  const api = await start(t);
  const { id } = await made(api, HOOK);
  const webhook = String(id).replace(/^pp_/, 'wh_');
  assert.deepEqual((await api.expect(200, 'GET /v1/webhooks'))['items'], []);
  await api.refused('not-found', `GET /v1/webhooks/${webhook}`);
  await api.refused('not-found', `PATCH /v1/webhooks/${webhook}`, { body: { description: 'mine' } });
  await api.refused('not-found', `DELETE /v1/webhooks/${webhook}`);
  for (const action of ['test', 'pause', 'enable', 'unpark']) {
    await api.refused('not-found', `POST /v1/webhooks/${webhook}/${action}`);
  }
  const subscription = { webhook, type: 'bellwire.*' };
  await api.refused('unknown-webhook', 'POST /v1/subscriptions', { body: subscription });
  await api.expect(201, 'POST /v1/workspaces', { body: { name: 'other' } });
  await api.refused('not-found', `GET /v1/post-processings/${String(id)}?workspace=other`);
  await api.refused('missing-scope', 'POST /v1/post-processings', { body: HOOK, key: await reader(api) });
});

async function reader(api: ApiGround): Promise<string> {
  const body = { name: 'reader', scopes: ['read'] };
  return (await api.expect(201, 'POST /v1/keys', { body }))['key'] as string;
}
