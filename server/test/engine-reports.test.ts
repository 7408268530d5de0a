// Reports of runs on their way out: real servers that fail in every way, a clock turned by hand, exactly so many sends.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { test, type TestContext } from 'node:test';
import type { ParsedMail } from 'mailparser';
import { startReceiver, type Answer, type Behaviour, type TestReceiver } from '../../test/kit/receiver.ts';
import { jobEndEvent, policyEndEvent } from '../src/model/flow/end-events.ts';
import type { OperationalEvent } from '../src/model/operational-events.ts';
import { reportEntry } from '../src/model/post-processing.ts';
import type { OwnedLane } from '../src/store/index.ts';
import type { PostProcessing, PostProcessingSetting } from '../src/store/post-processings/contract.ts';
import { startEngine, type EngineGround } from './engine-ground.ts';
import { NOON } from './store-furniture.ts';
import { addFlow, claim, finish, newRun, numberOf } from './flow-furniture.ts';
import { listenForMail, refusal } from './mail-server.ts';
import { start } from './transport-servers.ts';

const MINUTE = 60_000;
let ends = 0;

async function receive(t: TestContext, behaviour: Behaviour | Answer = {}): Promise<TestReceiver> {
  const receiver = await startReceiver(behaviour);
  t.after(() => receiver.stop());
  return receiver;
}

function hook(engine: EngineGround, url: string, over: Partial<PostProcessingSetting> = {}): Promise<PostProcessing> {
  const setting: PostProcessingSetting = {
    name: `hook ${++ends}`,
    kind: 'webhook',
    recipients: [],
    success: 'exactly-200',
    intervalMs: null,
    dialect: 'cloud-automator',
    group: null,
    url,
    authorization: null,
    timeoutMs: null,
    ...over,
  };
  return engine.store.postProcessings.create(engine.workspace, setting, NOON);
}

function jobEnd(): OperationalEvent {
  const about = { job: 7, run: ++ends, name: 'nightly', group: 'ops', depth: 0, reason: null };
  return jobEndEvent({ ...about, status: 'completed', startedAt: NOON - MINUTE, finishedAt: NOON });
}

/** A run ends that reports to this post-processing; resolves the event that tells of it. */
async function report(engine: EngineGround, { name }: PostProcessing, of = jobEnd()): Promise<number> {
  const { store, workspace } = engine;
  const flow = await addFlow(engine, `flow ${++ends}`, { after: { completed: [name], failed: [] } });
  const run = numberOf(await store.flows.start(newRun(flow)));
  const [claimed] = await claim({ store, lanes: await lanesOf(engine) });
  await finish(store, claimed!, { events: [{ event: of, after: 'completed' }] });
  return (await store.flows.run({ workspace, run }))!.endEvents[0]!;
}

/** What the log of the run says of it; null while it is not over. */
async function logged({ store, workspace }: EngineGround, event: number): Promise<string | null> {
  const [found] = await store.postProcessings.reportsOf(workspace, [event]);
  return reportEntry(found!)?.text ?? null;
}

/** Lets time pass until the report is over. */
async function over(engine: EngineGround, event: number): Promise<string> {
  await engine.until('the report is over', async () => {
    const isOver = (await logged(engine, event)) !== null;
    // Sends take real time, and between them there is nothing to wait for.
    if (!isOver && engine.delivering.stats().underWay === 0) await engine.clock.advance(1_000);
    return isOver;
  });
  return (await logged(engine, event))!;
}

test('R1 R4 R14 R21 R25 R29 what arrives is the POST of the source document, and nothing besides', async (t) => {
  const engine = await startEngine(t);
  const receiver = await receive(t);
  const made = await hook(engine, `${receiver.url}/runs?of=jobs`, { authorization: 'CAAuth 0123456789abcdef' });
  const of = jobEnd();
  const event = await report(engine, made, of);
  const [request] = await receiver.received(1);
  assert.equal(request!.method, 'POST');
  assert.equal(request!.url, '/runs?of=jobs');
  const { host: _host, connection: _connection, 'content-length': _length, ...headers } = request!.headers;
  assert.deepEqual(headers, {
    'user-agent': 'Cloud Automator (Serverworks Co., Ltd.)',
    'content-type': 'application/json',
    authorization: 'CAAuth 0123456789abcdef',
  });
  const run = (of.data as { run: number }).run;
  assert.equal(
    request!.body.toString(),
    `[{"type":"job","trigger_job_id":7,"trigger_job_log_id":${run},"status":"completed","name":"nightly",` +
      '"started_at":"2026-01-15T11:59:00Z","finished_at":"2026-01-15T12:00:00Z"}]',
  );
  assert.match(await over(engine, event), /^post-processing hook \d+ succeeded \(answered 200\)$/);
  const key = { workspace: engine.workspace, event, target: made.target, copy: 0 };
  const { attempts } = (await engine.store.log.delivery(key))!;
  assert.deepEqual(JSON.parse(attempts[0]!.requestHeaders), { ...headers, authorization: '•••' });
});

test('R2 R15 R25 a policy is reported in its own shape; without a value there is no Authorization header at all', async (t) => {
  const engine = await startEngine(t);
  const receiver = await receive(t);
  const made = await hook(engine, receiver.url, { dialect: 'bellwire' });
  const about = { policySet: 3, evaluation: 4, policySetName: 'storage', group: null, depth: 0, reason: null };
  const of = policyEndEvent({ ...about, rule: 'owner', status: 'completed', evaluatedAt: NOON, evaluations: [] });
  await report(engine, made, of);
  const [request] = await receiver.received(1);
  assert.equal(request!.headers['user-agent'], 'Bellwire/test', 'in the dialect bellwire that of the installation');
  assert.match(String(request!.headers['webhook-id']), /^dlv_/);
  assert.ok(!request!.rawHeaders.some((name) => name.toLowerCase() === 'authorization'));
  assert.equal(
    request!.body.toString(),
    '[{"type":"policy","status":"completed","policy_set_name":"storage","rule_name":"owner",' +
      '"evaluations_time":"2026-01-15T12:00:00Z","evaluations":[]}]',
  );
});

test('R22 R24 any other answer than 200 is a failure at once, whose entry has status and time; redirects are not followed', async (t) => {
  const engine = await startEngine(t);
  const elsewhere = await receive(t);
  for (const status of [201, 204, 302, 404, 410, 429, 503]) {
    const headers: Record<string, string> = status === 302 ? { location: elsewhere.url } : { 'retry-after': '1' };
    const receiver = await receive(t, { status, headers });
    const made = await hook(engine, receiver.url);
    const event = await report(engine, made);
    assert.match(await over(engine, event), new RegExp(`^post-processing hook \\d+ failed: answered ${status}`));
    const [found] = await engine.store.postProcessings.reportsOf(engine.workspace, [event]);
    assert.deepEqual([found!.status, found!.tries], [status, 1]);
    assert.ok(found!.at >= NOON);
    await engine.pass(2 * MINUTE);
    assert.equal(receiver.requests.length, 1, `${status} is final`);
  }
  assert.equal(elsewhere.requests.length, 0);
});

test('R22 with success 2xx other answers are as good', async (t) => {
  const engine = await startEngine(t);
  const receiver = await receive(t, { status: 204 });
  const event = await report(engine, await hook(engine, receiver.url, { success: '2xx' }));
  assert.match(await over(engine, event), /succeeded \(answered 204\)$/);
});

test('R23 the body of the answer changes nothing: huge, without end, broken, cut off, dripping', async (t) => {
  const engine = await startEngine(t, { report: { intervalMs: MINUTE, timeoutMs: 400 } });
  const bodies: [string, Answer][] = [
    ['huge', { body: Buffer.alloc(1_000_000, 0xff) }],
    ['endless', { mood: 'endless' }],
    ['cut off', { mood: 'reset', body: 'x'.repeat(1_000) }],
    ['dripping', { mood: 'drip', body: 'x'.repeat(1_000) }],
    ['broken', { raw: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n' }],
  ];
  for (const [name, behaviour] of bodies) {
    const receiver = await receive(t, behaviour);
    const event = await report(engine, await hook(engine, receiver.url));
    assert.match(await over(engine, event), /succeeded \(answered 200\)$/, name);
    assert.equal(receiver.requests.length, 1, name);
  }
});

// Self-signed: nobody vouches for it.
const TLS = {
  key: readFileSync(new URL('fixtures/tls-key.pem', import.meta.url), 'utf8'),
  cert: readFileSync(new URL('fixtures/tls-cert.pem', import.meta.url), 'utf8'),
};

/** Addresses at which every send fails in one way, and what the log says of it in the end. */
const NO_ANSWER: Readonly<Record<string, { at: (t: TestContext) => Promise<string>; words: RegExp }>> = {
  refused: {
    at: async (t) => {
      const server = createServer();
      const port = await start(t, server);
      server.close();
      return `http://127.0.0.1:${port}/`;
    },
    words: /given up after 10 sends: refused the connection$/,
  },
  reset: {
    at: async (t) => (await receive(t, { mood: 'refuse' })).url,
    words: /given up after 10 sends: closed the connection without answering$/,
  },
  'time-out': {
    at: async (t) => (await receive(t, { mood: 'hang' })).url,
    words: /given up after 10 sends: did not answer within 200 ms$/,
  },
  TLS: {
    at: async (t) => `https://127.0.0.1:${await start(t, createTlsServer(TLS))}/`,
    words: /given up after 10 sends: has a certificate that is not trusted/,
  },
  DNS: {
    at: async () => 'http://nobody.invalid/',
    words: /given up after 10 sends: (the name nobody\.invalid|the name servers of|did not accept a connection)/,
  },
};

for (const [kind, { at, words }] of Object.entries(NO_ANSWER)) {
  test(`R26 R27 R28 ${kind}: ten sends in total, a minute apart, then one failure entry`, async (t) => {
    const engine = await startEngine(t, { report: { intervalMs: MINUTE, timeoutMs: 200 } });
    const made = await hook(engine, await at(t));
    const event = await report(engine, made);
    assert.match(await over(engine, event), words);
    await engine.pass(5 * MINUTE);
    const key = { workspace: engine.workspace, event, target: made.target, copy: 0 };
    const { delivery, attempts } = (await engine.store.log.delivery(key))!;
    assert.deepEqual([delivery.state, delivery.tries, attempts.length], ['dead', 10, 10]);
    const gaps = attempts.slice(1).map(({ startedAt }, i) => startedAt - attempts[i]!.startedAt);
    // The clock is turned in steps of a second.
    for (const gap of gaps) assert.ok(gap >= MINUTE && gap <= MINUTE + 1_000, `${gap} ms apart`);
    assert.equal(engine.errors.length, 0);
  });
}

test('R27 R28 an interval of its own; success at the third send gives no failure entry', async (t) => {
  const engine = await startEngine(t);
  const receiver = await receive(t, (_, nth) => (nth < 2 ? { mood: 'refuse' } : {}));
  const made = await hook(engine, receiver.url, { intervalMs: 40_000 });
  const event = await report(engine, made);
  await receiver.received(1);
  assert.equal(await logged(engine, event), null, 'nothing is said before the end');
  assert.match(await over(engine, event), /succeeded at send 3 \(answered 200\)$/);
  const key = { workspace: engine.workspace, event, target: made.target, copy: 0 };
  const { attempts } = (await engine.store.log.delivery(key))!;
  assert.ok(attempts[1]!.startedAt - attempts[0]!.startedAt <= 41_000);
  assert.equal(attempts[2]!.error, null);
});

test('R26 failures hold nothing up: what comes after them is sent, and a restart goes on where it was', async (t) => {
  const engine = await startEngine(t);
  const receiver = await receive(t, (request) => {
    return request.body.includes('"completed"') ? { mood: 'refuse' } : {};
  });
  const made = await hook(engine, receiver.url);
  for (let i = 0; i < 5; i++) await report(engine, made);
  await receiver.received(5);
  const about = { job: 8, run: ++ends, name: 'other', group: null, depth: 0, reason: 'because' };
  const other = jobEndEvent({ ...about, status: 'failed', startedAt: NOON, finishedAt: NOON });
  const event = await report(engine, made, other);
  assert.match(await over(engine, event), /succeeded/);
  const before = receiver.requests.length;
  await engine.restart();
  await engine.until('the others are tried again', () => receiver.requests.length > before);
});

test('R26 what the operator’s address guard forbids is not sent, and not tried again', async (t) => {
  const engine = await startEngine(t, { allowAddresses: [] });
  const receiver = await receive(t);
  const event = await report(engine, await hook(engine, receiver.url));
  assert.match(await over(engine, event), /failed: 127\.0\.0\.1 is .* which the operator does not allow$/);
  assert.equal(receiver.requests.length, 0);
});

test('R45 R46 R47 a test request is one send now, of either shape, and stands in no log', async (t) => {
  const engine = await startEngine(t);
  const receiver = await receive(t, (_, nth) => (nth === 2 ? { status: 500 } : {}));
  const made = await hook(engine, receiver.url, { authorization: 'CAAuth x' });
  const { delivering } = engine;
  const first = await delivering.testReport(made, 'job');
  assert.deepEqual([first!.isSuccess, first!.outcome.status], [true, 200]);
  assert.equal((await delivering.testReport(made, 'policy'))!.isSuccess, true);
  assert.equal((await delivering.testReport(made, 'job'))!.isSuccess, false);
  const [job, policy] = receiver.requests;
  assert.equal(
    job!.body.toString(),
    '[{"type":"job","trigger_job_id":1,"trigger_job_log_id":8,"status":"completed","name":"Job for Test Request",' +
      '"started_at":"2017-10-01T09:00:00Z","finished_at":"2017-10-01T09:01:00Z"}]',
  );
  assert.equal(job!.headers.authorization, 'CAAuth x');
  assert.match(policy!.body.toString(), /^\[\{"type":"policy","status":"completed","policy_set_name":"Policy Set for/);
  await receiver.stop();
  const { outcome } = (await delivering.testReport(made, 'job'))!;
  assert.equal(outcome.kind === 'failure' && outcome.code, 'connection-refused');
  await engine.pass(5 * MINUTE);
  assert.equal(receiver.requests.length, 3);
  assert.equal(await delivering.testReport({ workspace: engine.workspace, target: 9_999 }, 'job'), null);
});

/** Lanes as this engine owns them. */
async function lanesOf({ ground }: EngineGround): Promise<OwnedLane[]> {
  return ground.query<OwnedLane>('SELECT lane, epoch FROM lanes WHERE node IS NOT NULL');
}

test('R1 R24 R28 a run that ends reports to those it names, at once; an aborted one to those of failed', async (t) => {
  const engine = await startEngine(t);
  const { store, workspace } = engine;
  const receiver = await receive(t);
  const good = await hook(engine, `${receiver.url}/completed`, { name: 'on-completed' });
  await hook(engine, `${receiver.url}/failed`, { name: 'on-failed' });
  const after = { completed: ['on-completed'], failed: ['on-failed'] };
  for (const [nth, state] of (['completed', 'failed', 'aborted'] as const).entries()) {
    const flow = await addFlow(engine, `job ${nth}`, { after });
    const run = numberOf(await store.flows.start(newRun(flow)));
    const [claimed] = await claim({ store, lanes: await lanesOf(engine) });
    const reason = state === 'completed' ? null : 'because';
    await finish(store, claimed!, { state, reason });
    // No time passes: the engine has it from the commit.
    const requests = await receiver.received(nth + 1);
    const { url, body } = requests[nth]!;
    assert.equal(url, state === 'completed' ? '/completed' : '/failed');
    const [sent] = JSON.parse(body.toString()) as Record<string, unknown>[];
    assert.deepEqual(
      [sent!['type'], sent!['trigger_job_id'], sent!['trigger_job_log_id'], sent!['status'], sent!['name']],
      ['job', flow.flow, run, state, `job ${nth}`],
    );
    const { endEvents } = (await store.flows.run({ workspace, run }))!;
    assert.match(await over(engine, endEvents[0]!), /^post-processing on-\w+ succeeded \(answered 200\)$/);
  }
  assert.equal((await store.settings.target(good))!.webhook.health, 'active');
});

test('R24 a report that fails leaves the run, and the health of everything, as they were', async (t) => {
  const engine = await startEngine(t);
  const { store, workspace } = engine;
  const receiver = await receive(t, { status: 500 });
  const made = await hook(engine, receiver.url, { name: 'ops-hook' });
  const flow = await addFlow(engine, 'nightly', { after: { completed: ['ops-hook'], failed: [] } });
  for (let i = 0; i < 12; i++) {
    const run = numberOf(await store.flows.start(newRun(flow)));
    const [claimed] = await claim({ store, lanes: await lanesOf(engine) });
    await finish(store, claimed!);
    const stored = (await store.flows.run({ workspace, run }))!;
    assert.equal(await over(engine, stored.endEvents[0]!), 'post-processing ops-hook failed: answered 500');
    assert.deepEqual([stored.state, stored.reason], ['completed', null]);
  }
  const { webhook } = (await store.settings.target(made))!;
  assert.deepEqual([webhook.intent, webhook.health, webhook.streak], ['enabled', 'active', 0]);
});

test('R8 R28 an e-mail goes by the mail server; what it puts off is sent again, and the log says so in words', async (t) => {
  const answers: (Error | null)[] = [refusal(451, 'come back later'), null, refusal(550, 'no such user')];
  const mails: { mail: ParsedMail; to: string[] }[] = [];
  const port = await listenForMail(t, {
    onRcptTo: (_, __, done) => done(answers.shift() ?? null),
    onMail: (mail, to) => mails.push({ mail, to }),
  });
  const server = { host: '127.0.0.1', port, secure: 'none', user: null, password: null } as const;
  const engine = await startEngine(t, { mail: { ...server, from: 'Bellwire <bell@gate.example>' } });
  const email = { kind: 'email', url: '', recipients: ['oncall@example.com'], name: 'oncall' } as const;
  const made = await hook(engine, '', email);
  const event = await report(engine, made);
  assert.equal(await over(engine, event), 'post-processing oncall succeeded at send 2 (answered 250)');
  const [{ mail, to }] = mails as [(typeof mails)[0]];
  assert.deepEqual(to, ['oncall@example.com']);
  assert.equal(mail.subject, 'Job nightly completed');
  assert.match(mail.text!, /Took: +1 min 0 s\n/);
  assert.match(mail.messageId!, /^<dlv_\w+@gate\.example>$/);
  const second = await report(engine, made);
  const words = await over(engine, second);
  assert.match(words, /^post-processing oncall failed: the mail server refused the mail: 550 .*no such user/);
  const tested = await engine.delivering.testReport(made, 'policy');
  assert.equal(tested!.isSuccess, true);
  assert.equal(
    mails[1]!.mail.subject,
    '[Test] Policy Policy Set for Test Request: Policy for Test Request: all 1 comply',
  );
  const sent = await engine.delivering.sendMail({
    to: ['a@example.com'],
    subject: 's',
    text: 't',
    id: 'x',
    deadlineMs: 5_000,
  });
  assert.equal(sent.kind, 'response');
});

test('R22 a report that failed can be sent once more by hand, and is judged by its own rule', async (t) => {
  const engine = await startEngine(t);
  const receiver = await receive(t, (_, nth) => ({ status: [500, 204, 200][nth] ?? 200 }));
  const made = await hook(engine, receiver.url);
  const event = await report(engine, made);
  assert.match(await over(engine, event), /failed: answered 500$/);
  const key = { workspace: engine.workspace, event, target: made.target, copy: 0 };
  const byHand = async (): Promise<boolean> => {
    const tried = engine.delivering.retry(key);
    let result: Awaited<typeof tried> | null = null;
    void tried.then((came) => (result = came));
    await engine.until('it was tried', () => result !== null);
    const { kind, ...rest } = await tried;
    assert.equal(kind, 'tried');
    return (rest as { delivered: boolean }).delivered;
  };
  assert.equal(await byHand(), false, '204 is none');
  assert.equal(await byHand(), true);
  assert.match(await over(engine, event), /succeeded \(answered 200\)$/);
  assert.ok(engine.ends.every(({ to }) => to === 'post-processing'));
});
