// No secret is told: the whole platform is used, and made to fail, with secrets that are marked; then everything it has
// said (log, answers, metrics, command line) and all that it keeps is searched for them, in every form they can take.
// It is long because one platform is used in every way there is: a feature that is not used here is not searched.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import { createPrettyLines } from '../server/src/log/pretty.ts';
import { bellwire } from '../server/test/cli-ground.ts';
import { AUDIT, auditEvent, startApi, STRUCTURED, type ApiGround } from '../server/test/api-ground.ts';
import { issueCertificate } from '../server/test/certificates.ts';
import { listenForMail, refusal } from '../server/test/mail-server.ts';
import { startTokenEndpoint } from '../server/test/oauth-ground.ts';
import { startGoogleSheets } from './kit/google-sheets.ts';
import { eventually } from './kit/handler.ts';
import { createMarks, type Marks } from './kit/marks.ts';
import { testDatabase, withoutPostgres } from './kit/postgres.ts';
import { startReceiver, type TestReceiver } from './kit/receiver.ts';

type Json = Record<string, unknown>;

interface Ground {
  api: ApiGround;
  marks: Marks;
  /** The data folder. */
  folder: string;
  /** Where traces go, which refuses the first of them. */
  collector: TestReceiver;
  /** As the command line is told of the installation. */
  env: Record<string, string>;
  /** Says back all that it is sent, headers included, and that it failed. */
  echo: TestReceiver;
}

/** Something that has an end. */
type Ending = Parameters<typeof testDatabase>[0];

/** Where a mark may stand, and why. Anything else is a leak. */
const ALLOWED: { mark: RegExp; place: RegExp; because: string }[] = [
  { mark: /^Made/, place: /^made: /, because: 'it is shown once, to whoever had it made' },
  {
    mark: /^(Trigger|Hook)Path$/,
    place: /^(made: trigger$|GET \/v1\/(jobs|policy-sets|scenarios)(\/\d+)? )/,
    because: 'who may read a flow may know where it is called; a trigger has a token beside it',
  },
  {
    mark: /^FlowSecret$/,
    place: /^(GET \/v1\/sheets\/kept\/rows|store (bellwire|sheet_rows))/,
    because: 'a document has it written into a sheet',
  },
  {
    mark: /^(Trigger|Hook)Path$/,
    place: /^store (bellwire|flows$)/,
    because: 'by these a request finds its flow; they open no more than that one',
  },
  {
    mark: /^(SenderToken|BasicPassword|SigningKey)$/,
    place: /^store (bellwire|hook_requests$|runs$)/,
    because: 'requests to hooks and replies are kept byte for byte, to be worked at again; they are masked when shown',
  },
];

const engines: [string, string | false, (t: Ending, marks: Marks) => Promise<string>][] = [
  ['SQLite', false, async () => 'sqlite'],
  ['PostgreSQL', withoutPostgres, markedDatabase],
];
for (const [engine, skip, addressOf] of engines) {
  test(
    `no secret is in a line of the log, a metric, an answer, an error or, unsealed, the store, on ${engine}`,
    { skip },
    async (t) => {
      const marks = createMarks();
      // The store goes after the platform.
      const ends: (() => Promise<void>)[] = [];
      const address = await addressOf({ after: (end) => void ends.push(end) }, marks);
      const ground = await start(t, marks, address);
      t.after(async () => {
        for (const end of ends) await end();
      });
      await deliver(t, ground);
      await report(ground);
      await automate(t, ground);
      await callHooks(ground);
      await knock(ground);
      await walk(ground);
      await noteStore(marks, address, ground.folder);
      await useCommandLine(ground);
      if (address !== 'sqlite') await takeStoreAway(ground, address);
      // What is to be traced is sent by then.
      await ground.api.platform.stop();
      for (const { body } of ground.collector.requests) marks.note('trace', body);
      for (const line of ground.api.lines) noteLine(marks, line);
      const leaks = marks
        .leaks()
        .filter(({ mark, place }) => !ALLOWED.some((of) => of.mark.test(mark) && of.place.test(place)));
      assert.ok(marks.count(/^log/) > 100 && marks.count(/^GET/) > 60 && marks.count(/^trace/) > 0);
      assert.deepEqual(leaks.slice(0, 40), []);
    },
  );
}

/** A database that is entered by a marked password. */
async function markedDatabase(t: Ending, marks: Marks): Promise<string> {
  const url = new URL(await testDatabase(t));
  const admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
  const [user, password] = [`marked_${process.pid}`, marks.make('StorePassword')];
  await admin.query(`CREATE ROLE ${user} LOGIN SUPERUSER PASSWORD '${password}'`);
  await admin.end();
  // By then the database is gone, and with it all that the role owns.
  const elsewhere = new URL(url);
  elsewhere.pathname = '/postgres';
  t.after(async () => {
    const last = new pg.Client({ connectionString: elsewhere.href });
    await last.connect();
    await last.query(`DROP ROLE ${user}`);
    await last.end();
  });
  url.username = user;
  url.password = password;
  return url.href;
}

async function start(t: TestContext, marks: Marks, address: string): Promise<Ground> {
  const echo = await startReceiver(({ headers, body, url }) => ({
    status: url.startsWith('/ok') ? 200 : 500,
    headers: { 'content-type': 'application/json', 'x-echo': headers.authorization ?? '' },
    body: JSON.stringify({ headers, body: body.toString() }),
  }));
  t.after(() => echo.stop());
  const refuse = async (): Promise<never> => {
    throw refusal(535, `no such user and password: ${password}`);
  };
  const password = marks.make('MailPassword');
  const port = await listenForMail(t, {
    authOptional: false,
    allowInsecureAuth: true,
    onAuth: (_auth, _session, done) => void refuse().catch(done),
    onMail: () => undefined,
  });
  const key = Buffer.from(marks.make('StoreKey', (text) => text.padEnd(32, 'k').slice(0, 32))).toString('base64');
  const collector = await startReceiver(({ headers }, nth) =>
    nth === 0 ? { status: 401, body: JSON.stringify(headers) } : { status: 200, body: '{}' },
  );
  t.after(() => collector.stop());
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-marked-'));
  const api = await startApi(t, {
    store: address,
    dataFolder: folder,
    secrets: { keys: [key] },
    mail: { host: '127.0.0.1', port, secure: 'none', user: 'bell', password, from: 'bell@gate.example' },
    challenge: { interval: '30ms', timeout: '500ms' },
    delivery: { retryDelays: ['10ms'], jitter: 0 },
    postProcessing: { interval: '1s' },
    tracing: {
      endpoint: `${collector.url}/v1/traces`,
      headers: [`authorization=${encodeURIComponent(`Bearer ${marks.make('TraceToken')}`)}`],
    },
    shutdown: { grace: '1s' },
  });
  marks.learn('AdminKey', api.platform.adminKey);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const store: Record<string, string> = address === 'sqlite' ? {} : { BELLWIRE_STORE: address };
  const env = { BELLWIRE_DEV: 'true', BELLWIRE_DATA_FOLDER: folder, BELLWIRE_SECRETS_KEYS: key, ...store };
  return { api, marks, echo, folder, collector, env };
}

/** A request whose answer is searched. */
async function ask({ api, marks }: Ground, what: string, asked: Parameters<ApiGround['ask']>[1] = {}): Promise<Json> {
  const { status, headers, text, json } = await api.ask(what, asked);
  marks.note(`${what} ${status}`, `${JSON.stringify([...headers])} ${text}`);
  return json;
}

/** The same, and it must be done. */
async function must(ground: Ground, what: string, body: unknown): Promise<Json> {
  const answered = await ask(ground, what, { body });
  assert.equal(answered['code'], undefined, `${what}: ${JSON.stringify(answered)}`);
  return answered;
}

/** One that makes a secret: of its answer nothing but `fields` may tell it. */
async function make(
  { api, marks }: Ground,
  what: string,
  asked: { name: string; body?: unknown; field?: string; headers?: Record<string, string> },
): Promise<Json> {
  const { name, field = 'secret', ...of } = asked;
  const { text, json, status } = await api.ask(what, of);
  assert.ok(status < 300, `${what}: ${text}`);
  marks.note(`made: ${name}`, text);
  marks.learn(`Made${name}`, String(json[field]));
  return json;
}

/* ── Deliveries ─────────────────────────────────────────────────────────────────────────────────────────────── */

async function deliver(t: TestContext, ground: Ground): Promise<void> {
  const { api, marks, echo } = ground;
  const token = marks.make('AccessToken');
  const provider = await startTokenEndpoint(t, ({ form, authorization }, count) =>
    count % 2 === 0
      ? { body: { access_token: token, token_type: 'Bearer', expires_in: 3600, hint: `${form} ${authorization}` } }
      : {
          status: 400,
          body: { error: 'invalid_client', error_description: `not ${form.get('client_secret')} ${authorization}` },
        },
  );
  const issued = issueCertificate({ name: 'marked', isAuthority: true, names: ['localhost'] });
  marks.learn('PrivateKey', issued.privateKey.split('\n')[1]!);
  const { certificate, privateKey } = issued;
  const oauth = (clientSecret: string, auth: string) => ({
    tokenUrl: provider.url,
    clientId: 'me',
    clientSecret,
    auth,
  });
  const url = (path: string, host = '127.0.0.1') => `http://${host}:${echo.port}${path}`;
  const webhooks: Json[] = [
    { secret: marks.make('WebhookSecret'), url: url('/a'), authorization: `Bearer ${marks.make('FixedValue')}` },
    { secret: marks.make('OwnSecret'), url: url('/ok'), headers: { 'x-api-key': marks.make('HeaderValue') } },
    { url: url('/b'), oauth: oauth(marks.make('ClientSecret'), 'basic') },
    { url: url('/ok/c'), oauth: oauth(marks.make('ClientSecretInBody'), 'body') },
    { url: `https://localhost:${echo.port}/d`, tls: { certificate, privateKey, ca: certificate } },
    { url: 'http://127.0.0.1:81/refused', secret: marks.make('RefusedSecret') },
    { url: url('/e'), secret: marks.make('RotatedAwaySecret'), verification: 'challenge' },
    { mode: 'pull' },
  ];
  const made: string[] = [];
  for (const [index, body] of webhooks.entries()) {
    const verification = body['mode'] === 'pull' ? {} : { verification: 'none' };
    const { id } = await must(ground, 'POST /v1/webhooks', { name: `w${index}`, ...verification, ...body });
    await must(ground, 'POST /v1/subscriptions', { webhook: id, type: AUDIT });
    made.push(id as string);
  }
  const generated = {
    body: { name: 'generated', url: url('/ok/f'), verification: 'none' },
    headers: { 'idempotency-key': 'k1' },
  };
  const own = await make(ground, 'POST /v1/webhooks', { name: 'Generated', ...generated });
  await ask(ground, 'POST /v1/webhooks', generated);
  await make(ground, `POST /v1/webhooks/${own['id']}/rotate`, { name: 'Rotated', body: {} });
  await ask(ground, `POST /v1/webhooks/${made[6]}/rotate`, { body: { secret: marks.make('NewSecret') } });
  await ask(ground, `PATCH /v1/webhooks/${made[0]}`, { body: { authorization: `Bearer ${marks.make('NextValue')}` } });
  for (const id of made) await ask(ground, `POST /v1/webhooks/${id}/test`);
  for (let n = 0; n < 3; n++) await ask(ground, 'POST /v1/events', { body: auditEvent(), headers: STRUCTURED });
  await eventually('deliveries have ended', async () => {
    const { items } = await api.expect(200, 'GET /v1/deliveries?limit=200');
    const states = (items as Json[]).map(({ state }) => state);
    // What is to be pulled stays.
    return states.length > 20 && states.filter((state) => state === 'scheduled').length === 3;
  });
  await ask(ground, `POST /v1/webhooks/${made[7]}/pull`, { body: {} });
  await listen(ground);
  await ask(ground, `POST /v1/webhooks/${made[0]}/recover`, { body: { since: new Date(0).toISOString() } });
  await must(ground, 'POST /v1/erasures', { subject: 'nobody' });
  // Whatever was to be said of a secret that is refused.
  for (const bad of [
    { secret: `${marks.make('BadSecret')}\n` },
    { authorization: `Bearer ${marks.make('BadValue')}\r\nx: y` },
    { headers: { 'x-key': `${marks.make('BadHeader')}\n` } },
    { oauth: { tokenUrl: 'nowhere', clientId: 'x', clientSecret: marks.make('BadClientSecret') } },
    {
      tls: {
        certificate: marks.make('NoCertificate'),
        privateKey: `-----BEGIN PRIVATE KEY-----\n${marks.make('BadKey')}`,
      },
    },
    { url: `http://user:${marks.make('UrlPassword')}@127.0.0.1:${echo.port}/` },
    { secrett: marks.make('WrongField') },
  ]) {
    await ask(ground, 'POST /v1/webhooks', { body: { name: 'bad', url: url('/x'), ...bad } });
    await ask(ground, `PATCH /v1/webhooks/${made[0]}`, { body: bad });
  }
  await ask(ground, 'POST /v1/webhooks', { body: `{"name":"cut","secret":"${marks.make('CutBody')}` });
}

/** Somebody listens, is handed a request, and never answers: it stays in the store. */
async function listen(ground: Ground): Promise<void> {
  const { api, marks } = ground;
  const authorization = `Bearer ${marks.make('HandedValue')}`;
  const { id } = await must(ground, 'POST /v1/webhooks', {
    name: 'listened to',
    mode: 'listen',
    verification: 'none',
    authorization,
  });
  await must(ground, 'POST /v1/subscriptions', { webhook: id, type: AUDIT });
  await ask(ground, `POST /v1/webhooks/${id}/listen`, { body: {} });
  await ask(ground, 'POST /v1/events', { body: auditEvent(), headers: STRUCTURED });
  const handed = await api.expect(200, `POST /v1/webhooks/${id}/listen`, { body: { waitMs: 10_000, takeOver: true } });
  assert.match(JSON.stringify(handed), new RegExp(authorization), 'it is handed what an endpoint would be sent');
}

async function report(ground: Ground): Promise<void> {
  const { marks, echo } = ground;
  await ask(ground, 'POST /v1/groups', { body: { name: 'operations' } });
  const authorization = marks.make('ReportValue');
  const kinds = [
    { name: 'ops', group: 'operations', kind: 'webhook', url: `${echo.url}/report`, authorization },
    { name: 'mail', universal: true, kind: 'email', recipients: ['a@example.com'] },
  ];
  for (const kind of kinds) {
    const { id } = await must(ground, 'POST /v1/post-processings', kind);
    await ask(ground, `POST /v1/post-processings/${id}/test`, { body: {} });
  }
  const bad = { name: 'bad', kind: 'webhook', url: `${echo.url}/x`, authorization: `${marks.make('BadReport')}\n` };
  await ask(ground, 'POST /v1/post-processings', { body: { universal: true, ...bad } });
}

/* ── Jobs, policies, sheets ─────────────────────────────────────────────────────────────────────────────────── */

async function automate(t: TestContext, ground: Ground): Promise<void> {
  const { api, marks, echo } = ground;
  const google = await startGoogleSheets(() => Date.now());
  t.after(() => google.stop());
  google.spreadsheet('1AbC', { Log: [] });
  marks.learn('GoogleKey', (JSON.parse(google.account) as { private_key: string }).private_key.split('\n')[1]!);
  const secrets = {
    CALLEE: marks.make('FlowSecret'),
    DATABASE: `postgres://bell:${marks.make('SqlPassword')}@127.0.0.1:1/shop?sslmode=disable`,
    GOOGLE: google.account,
    AWS_ID: marks.make('AwsId'),
    AWS_SECRET: marks.make('AwsSecret'),
  };
  for (const [name, value] of Object.entries(secrets))
    await ask(ground, `PUT /v1/secrets/${name}`, { body: { value } });
  const files = documents(echo.url, google.url).map((text, index) => ({ name: `d${index}.yaml`, text }));
  const pushed = await api.expect(200, 'PUT /v1/flows', { body: { files } });
  for (const flow of pushed['flows'] as Json[]) {
    const { trigger, hook } = flow as { trigger: { path: string; authorization: string } | null; hook: Json | null };
    if (trigger) learnTrigger(marks, trigger);
    if (hook) marks.learn('HookPath', String(hook['path']).replace('/hooks/', ''));
  }
  const draft = {
    body: 'scenario: open\nsteps: [{ fail: "${ secret.CALLEE }" }]\n',
    headers: { 'content-type': 'application/yaml' },
  };
  await ask(ground, 'PUT /v1/scenarios/open/draft', draft);
  const names = ['http', 'shapes', 'sql', 'google', 'kept', 'mail', 'command'];
  for (const name of names) await must(ground, `POST /v1/jobs/${name}/runs`, {});
  await must(ground, 'POST /v1/policy-sets/judged/evaluations', {});
  await eventually(
    'all runs have ended',
    async () => {
      const runs = (await api.expect(200, 'GET /v1/runs?limit=100'))['items'] as Json[];
      const evaluations = (await api.expect(200, 'GET /v1/evaluations'))['items'] as Json[];
      const all = [...runs, ...evaluations];
      return all.length > names.length && all.every(({ finishedAt }) => finishedAt !== null);
    },
    60_000,
  );
}

/** Resolves the token. */
function learnTrigger(marks: Marks, { path, authorization }: { path: string; authorization: string }): string {
  marks.learn('TriggerPath', path.replace('/trigger/', ''));
  return marks.learn('MadeTriggerToken', authorization.replace('CAAuth ', ''));
}

function documents(echo: string, google: string): string[] {
  return [
    `job: http
on: { http: true }
after: { completed: [ops, mail], failed: [ops, mail] }
steps:
  - name: told
    onError: continue
    http: { url: "${echo}/flow?key=\${ secret.CALLEE }", method: POST, headers: { authorization: "Bearer \${ secret.CALLEE }" }, body: { say: "\${ secret.CALLEE }" } }
  - fail: "it said \${ json(steps.told) } to \${ secret.CALLEE }"
`,
    `job: shapes
steps:
  - set: { a: "\${ base64(secret.CALLEE) }", b: "\${ urlEncode(secret.CALLEE) }", c: "x\${ secret.CALLEE }y" }
  - set: { d: "\${ base64(secret.CALLEE + '!') }", e: "\${ a }" }
  - http: { url: "http://127.0.0.1:1/\${ secret.CALLEE }" }
`,
    'job: sql\nsteps: [{ sql: { connection: "${ secret.DATABASE }", query: "SELECT 1" } }]\n',
    `sheet: elsewhere\ncolumns: [id]\nkey: id\nin: { google: 1AbC, tab: Gone, account: GOOGLE, api: "${google}" }\n`,
    'sheet: kept\ncolumns: [id]\n',
    'job: kept\nsteps: [{ sheet.append: { to: kept, row: { id: "${ secret.CALLEE }" } } }]\n',
    'job: google\nsteps: [{ sheet.append: { to: elsewhere, row: { id: 1 } } }]\n',
    'job: mail\nsteps: [{ mail: { to: a@example.com, subject: "${ secret.CALLEE }", text: x } }]\n',
    `job: command
steps:
  - run: { shell: 'echo "$S"; echo "$S" >&2; echo "{\\"result\\": \\"$S\\"}"; exit 3', env: { S: "\${ secret.CALLEE }" } }
`,
    `policySet: judged
on: { http: true }
after: [ops]
rules:
  - { rule: listed, resources: { http: "${echo}/list", headers: { authorization: "\${ secret.CALLEE }" }, each: items, id: id }, compliant: true }
  - rule: aws
    resources: { aws: s3.bucket, regions: [eu-central-1], endpoint: "${echo}/aws", credentials: { accessKeyId: "\${ secret.AWS_ID }", secretAccessKey: "\${ secret.AWS_SECRET }" } }
    compliant: true
  - { rule: given, resources: [{ id: a }], compliant: "\${ resource.id == secret.CALLEE }", detail: "\${ secret.CALLEE }" }
`,
    'scenario: open\non: { hook: { verify: { preset: token, header: x-odd }, secret: SENDER } }\nsteps: [{ set: { got: "${ headers }" } }, { reply: { status: 200, body: "${ headers }" } }]\n',
    'scenario: known\non: { hook: { verify: basic, secret: BASIC } }\nsteps: [{ fail: "${ json(headers) }" }]\n',
    'scenario: signed\non: { hook: { verify: standard-webhooks, secret: SIGNING } }\nsteps: [{ reply: 204 }]\n',
  ];
}

/* ── Hooks and triggers ─────────────────────────────────────────────────────────────────────────────────────── */

async function callHooks(ground: Ground): Promise<void> {
  const { api, marks } = ground;
  const sender = marks.make('SenderToken');
  const basic = `bell:${marks.make('BasicPassword')}`;
  const key = marks.make('SigningKey', (text) => `whsec_${Buffer.from(text.padEnd(32, 's')).toString('base64')}`);
  for (const [name, value] of Object.entries({ SENDER: sender, BASIC: basic, SIGNING: key }))
    await ask(ground, `PUT /v1/secrets/${name}`, { body: { value } });
  const pathOf = async (name: string): Promise<string> =>
    String(((await api.expect(200, `GET /v1/scenarios/${name}`))['hook'] as Json)['path']);
  const [open, known, signed] = [await pathOf('open'), await pathOf('known'), await pathOf('signed')];
  const many = Object.fromEntries(Array.from({ length: 250 }, (_, n) => [`x-${n}`, '1']));
  const calls: [string, Record<string, string>][] = [
    [open, { 'x-odd': sender }],
    [open, { 'x-odd': `${sender}x` }],
    [open, { 'x-odd': sender, 'content-type': 'application/xml' }],
    [open, { 'x-odd': sender, ...many }],
    [`${open}?odd=${sender}`, { 'x-odd': sender }],
    [known, { authorization: `Basic ${Buffer.from(basic).toString('base64')}` }],
    [known, { authorization: `Basic ${Buffer.from(`${basic}x`).toString('base64')}` }],
    [signed, { 'webhook-id': 'a', 'webhook-timestamp': '1', 'webhook-signature': `v1,${key}` }],
  ];
  for (const [path, headers] of calls) {
    for (const method of ['POST', 'PUT', 'GET'])
      await api.ask(`${method} ${path}`, {
        key: null,
        headers,
        ...(method === 'GET' ? {} : { body: { say: headers['x-odd'] ?? '' } }),
      });
  }
  await api.ask(`POST ${open}`, { key: null, headers: { 'x-odd': sender }, body: 'x'.repeat(5_000_000) });
  // What was a secret when the requests came is none to be told later, either.
  for (const [name, value] of [
    ['SENDER', 'SenderTokenAfter'],
    ['CALLEE', 'FlowSecretAfter'],
  ] as const)
    await ask(ground, `PUT /v1/secrets/${name}`, { body: { value: marks.make(value) } });
  await replayAll(ground);
  const { trigger } = (await api.expect(200, 'GET /v1/jobs/http')) as { trigger: { path: string } };
  const renewed = await api.expect(200, 'POST /v1/jobs/http/trigger');
  marks.note('made: trigger', JSON.stringify(renewed));
  const now = renewed['trigger'] as { path: string; authorization: string };
  const token = learnTrigger(marks, now);
  for (const path of [trigger.path, now.path])
    for (const headers of [{}, { authorization: `CAAuth ${token}` }, { authorization: `Bearer ${token}` }, many])
      for (const method of ['POST', 'GET'])
        await ask(ground, `${method} ${path}`, {
          key: null,
          headers,
          ...(method === 'POST' ? { body: { a: 1 } } : {}),
        });
}

/** Works once more at what came to the hooks: as it would be, and as it is. */
async function replayAll(ground: Ground): Promise<void> {
  const { api } = ground;
  for (const name of ['open', 'known']) {
    const { items } = (await api.expect(200, `GET /v1/scenarios/${name}/requests?state=taken`)) as { items: Json[] };
    assert.notEqual(items.length, 0);
    for (const { id } of items.slice(0, 3)) {
      await ask(ground, `POST /v1/requests/${String(id)}/replay`, { body: { dry: true } });
      await must(ground, `POST /v1/requests/${String(id)}/replay`, {});
    }
    await eventually(`all runs of ${name} have ended`, async () => {
      const { items: runs } = (await api.expect(200, `GET /v1/scenarios/${name}/runs`)) as { items: Json[] };
      return runs.every(({ finishedAt }) => finishedAt !== null);
    });
  }
}

/* ── Whoever knocks with wrong keys, and all that can be read ───────────────────────────────────────────────── */

async function knock(ground: Ground): Promise<void> {
  const { api, marks } = ground;
  const { key } = await make(ground, 'POST /v1/keys', {
    name: 'ApiKey',
    field: 'key',
    body: { name: 'all', scopes: ['read'] },
  });
  const wrong = marks.make('WrongKey', (text) => `bw_${text}`);
  for (const authorization of [
    `Bearer ${wrong}`,
    wrong,
    `Basic ${wrong}`,
    `Bearer ${key as string}x`,
    `Bearer ${key as string} ${wrong}`,
  ])
    await ask(ground, 'GET /v1/webhooks', { key: null, headers: { authorization } });
  for (const what of [
    `GET /v1/${wrong}`,
    `GET /v1/events?${wrong}=1`,
    `GET /v1/webhooks/${wrong}`,
    `POST /trigger/${wrong}`,
    `POST /hooks/${wrong}`,
    `DELETE /v1/keys/${key as string}`,
  ])
    await api.ask(what);
  await ask(ground, 'POST /v1/webhooks', { key: key as string, body: { name: 'x' } });
}

/** What the command line prints, of the platform and of the installation beneath it; and a backup. */
async function useCommandLine({ marks, folder, env, api }: Ground): Promise<void> {
  const said = async (env: Record<string, string>, ...args: string[]): Promise<void> => {
    const { stdout, stderr } = await bellwire(args, { folder, env });
    assert.notEqual(stdout + stderr, '', args.join(' '));
    marks.note(`bellwire ${args.join(' ')}`, stdout + stderr);
  };
  const file = join(folder, 'all.backup');
  await said(env, 'doctor');
  await said(env, 'backup', file);
  marks.note('store bellwire, in a backup', readFileSync(file));
  const client = { BELLWIRE_URL: api.url, BELLWIRE_KEY: api.platform.adminKey };
  await said(client, 'webhooks', 'list', '--json');
  await said({ ...client, BELLWIRE_KEY: marks.make('WrongKeyOfCli', (text) => `bw_${text}`) }, 'webhooks', 'list');
  const password = marks.make('PasswordOfNowhere');
  await said({ ...env, BELLWIRE_STORE: `postgres://bell:${password}@127.0.0.1:9/x` }, 'serve', '--port', '0');
  await said(env, 'serve', '--print-settings');
}

/** The database takes nobody for a while. */
async function takeStoreAway(ground: Ground, address: string): Promise<void> {
  const elsewhere = new URL(address);
  const name = elsewhere.pathname.slice(1);
  elsewhere.pathname = '/postgres';
  const client = new pg.Client({ connectionString: elsewhere.href });
  await client.connect();
  await client.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS false`);
  await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
  for (const path of ['/readyz', '/v1/webhooks', '/v1/events', '/metrics']) await ask(ground, `GET ${path}`);
  const { status } = await ground.api.ask('GET /readyz');
  assert.equal(status, 503);
  await client.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS true`);
  await client.end();
  await eventually('the store is back', async () => (await ground.api.ask('GET /readyz')).status === 200, 30_000);
}

/** All that is kept: the files of the embedded store, or each row of each table. */
async function noteStore(marks: Marks, address: string, folder: string): Promise<void> {
  if (address === 'sqlite') {
    for (const name of ['bellwire.db', 'bellwire.db-wal'])
      marks.note(`store ${name}`, readFileSync(join(folder, name)));
    return;
  }
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  );
  for (const { name } of tables) {
    const { rows } = await client.query<{ row: string }>(`SELECT t::text AS row FROM "${name}" t`);
    marks.note(`store ${name}`, rows.map(({ row }) => row).join('\n'));
  }
  await client.end();
}

/** Every GET route of the document, with everything there is. */
async function walk(ground: Ground): Promise<void> {
  const { api, marks } = ground;
  const { paths } = (await api.expect(200, 'GET /openapi.json')) as { paths: Record<string, Json> };
  const known = new Map<string, string[]>();
  const routes = Object.keys(paths).filter((path) => 'get' in paths[path]!);
  // The one never ends, and the other is a hook's.
  const walked = routes.filter((path) => path !== '/v1/stream' && path !== '/hooks/{token}');
  const asked = new Set<string>();
  // What lists hold fills the paths of others, lists among them: until there is nothing new.
  for (let before = -1; asked.size > before;) {
    before = asked.size;
    for (const path of walked) {
      for (const filled of fill(path, known)) {
        if (asked.has(filled)) continue;
        asked.add(filled);
        const { items } = (await ask(ground, `GET ${filled}`)) as { items?: Json[] };
        const name = NAMES[path.split('/').at(-1)!];
        if (items === undefined || name === undefined) continue;
        const ids = items.map((item) => String(item[NAMED.get(name) ?? 'id']));
        known.set(name, [...new Set([...(known.get(name) ?? []), ...ids])].slice(0, 30));
      }
    }
  }
  await ask(ground, 'GET /v1/policy-sets/judged/history?rule=given&resource=a');
  await listenIn(ground);
  const unread = routes.filter(
    (path) => marks.count(new RegExp(`^GET ${path.replaceAll(/\{\w+\}/g, '[^/]+')}(\\?.*)? 200$`)) === 0,
  );
  assert.deepEqual(unread, ['/hooks/{token}']);
}

/** The live stream, from the first event to an attempt that is made meanwhile. */
async function listenIn({ api, marks }: Ground): Promise<void> {
  const headers = { authorization: `Bearer ${api.platform.adminKey}` };
  const response = await fetch(`${api.url}/v1/stream?after=0`, { headers });
  const begun = api.expect(202, 'POST /v1/events', { body: auditEvent(), headers: STRUCTURED });
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes('event: delivery')) break;
  }
  await begun;
  marks.note(`GET /v1/stream ${response.status}`, text);
}

/** By which member a path names an item, where that is not its id. */
const NAMED = new Map([
  ['event', 'event'],
  ['type', 'type'],
  ['version', 'version'],
  ['secret', 'name'],
  ['sheet', 'name'],
]);

/** What the items of a list are called in paths. */
const NAMES: Record<string, string> = {
  'event-types': 'type',
  workspaces: 'workspace',
  events: 'event',
  webhooks: 'webhook',
  subscriptions: 'subscription',
  deliveries: 'delivery',
  operations: 'operation',
  erasures: 'erasure',
  groups: 'group',
  'post-processings': 'postProcessing',
  jobs: 'job',
  runs: 'run',
  scenarios: 'scenario',
  requests: 'request',
  versions: 'version',
  'policy-sets': 'policySet',
  evaluations: 'evaluation',
  secrets: 'secret',
  sheets: 'sheet',
  services: 'service',
  keys: 'key',
};

function fill(path: string, known: ReadonlyMap<string, string[]>): string[] {
  const name = /\{(\w+)\}/.exec(path)?.[1];
  if (name === undefined) return [path];
  return (known.get(name) ?? []).flatMap((id) => fill(path.replace(`{${name}}`, encodeURIComponent(id)), known));
}

function noteLine(marks: Marks, line: string): void {
  marks.note('log', line);
  createPrettyLines({ write: (pretty) => marks.note('log for people', pretty) }, false).write(line);
}
