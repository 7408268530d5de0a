// The actions over real sockets: what they send, what their output is, and what may be tried again.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createPayloadSchemas } from '../src/api/payload-schema/index.ts';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { createTransport } from '../src/engine/transport/index.ts';
import { publishForFlows } from '../src/flow-publisher.ts';
import { fetchOver } from '../src/flow-port.ts';
import type { FlowsOptions, Mail } from '../src/flow/index.ts';
import { createLog } from '../src/log/index.ts';
import type { Json } from '../src/model/flow/definition.ts';
import type { Outcome } from '../src/model/outcome.ts';
import { NOON } from './store-furniture.ts';
import { does, route, startFlows, type FlowGround } from './flow-ground.ts';

interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A server that answers as a test says. */
async function serve(t: TestContext, answer: (received: Received, response: ServerResponse) => void) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const one = { method: request.method!, path: request.url!, headers: request.headers, body };
      received.push(one);
      answer(one, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

function reach(t: TestContext, allow: string[] = ['127.0.0.0/8']): Pick<FlowsOptions, 'fetch'> {
  const transport = createTransport({ guard: createAddressGuard({ allow }), userAgent: 'Bellwire/test' });
  t.after(() => transport.close({ force: true }));
  return { fetch: fetchOver((request) => transport.send(request)) };
}

/** Plays a job of one step and gives that step's end. */
async function playStep(flows: FlowGround, ...step: Parameters<typeof does>) {
  const job = await flows.job(`job-${++jobs}`, [does(...step)]);
  const run = await flows.play(job);
  return { run, step: await flows.step(run.run, 'steps[0]') };
}

let jobs = 0;

test('Action http: a GET by its URL alone; JSON of the answer is the output', async (t) => {
  const server = await serve(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'x-a': ['1', '2'] });
    response.end('{"items":[1,2]}');
  });
  const flows = await startFlows(t, reach(t));
  const { run, step } = await playStep(flows, 'http', `${server.url}/list?all=1`);
  assert.equal(run.state, 'completed', run.reason ?? '');
  const [sent] = server.received as [Received];
  assert.deepEqual([sent.method, sent.path, sent.body], ['GET', '/list?all=1', '']);
  assert.equal(sent.headers['user-agent'], 'Bellwire/test');
  assert.equal(sent.headers['idempotency-key'], undefined);
  assert.equal(sent.headers['bellwire-depth'], '0');
  const output = step.output as { status: number; headers: Record<string, string>; body: Json };
  assert.equal(output.status, 200);
  assert.deepEqual(output.body, { items: [1, 2] });
  assert.equal(output.headers['x-a'], '1, 2');
});

test('Action http: a body makes a POST with its content type and an Idempotency-Key, the same over its tries', async (t) => {
  const server = await serve(t, ({ path }, response) => {
    const isFirst = server.received.filter((one) => one.path === path).length === 1;
    response.writeHead(path === '/json' && isFirst ? 503 : 201, { 'content-type': 'text/plain' }).end('made');
  });
  const flows = await startFlows(t, reach(t));
  const retry = { times: 1, waitMs: 1_000 };
  const made = await playStep(flows, 'http', { url: `${server.url}/json`, body: { a: [1] } }, { retry });
  assert.equal(made.run.state, 'completed', made.run.reason ?? '');
  assert.deepEqual((made.step.output as { body: Json }).body, 'made');
  await playStep(flows, 'http', { url: `${server.url}/text`, body: 'hello' });
  await playStep(flows, 'http', { url: `${server.url}/form`, form: { a: 'b c', n: 1, yes: true } });
  const own = { 'content-type': 'application/xml', 'Idempotency-Key': 'mine' };
  await playStep(flows, 'http', { url: `${server.url}/xml`, method: 'PUT', headers: own, body: '<a/>' });
  const [first, second, text, form, xml] = server.received as [Received, Received, Received, Received, Received];
  assert.deepEqual(
    [first.method, first.headers['content-type'], first.body],
    ['POST', 'application/json', '{"a":[1]}'],
  );
  assert.match(String(first.headers['idempotency-key']), /^[0-9a-f]{32}$/);
  assert.equal(second.headers['idempotency-key'], first.headers['idempotency-key']);
  assert.notEqual(text.headers['idempotency-key'], first.headers['idempotency-key']);
  assert.deepEqual([text.headers['content-type'], text.body], ['text/plain; charset=utf-8', 'hello']);
  assert.deepEqual(
    [form.headers['content-type'], form.body],
    ['application/x-www-form-urlencoded', 'a=b+c&n=1&yes=true'],
  );
  assert.deepEqual(
    [xml.method, xml.headers['content-type'], xml.headers['idempotency-key']],
    ['PUT', 'application/xml', 'mine'],
  );
});

test('Action http: what is not expected fails the step, with the answer as its output; 4xx is not tried again', async (t) => {
  const server = await serve(t, ({ path }, response) => {
    const status = Number(path.slice(1));
    response.writeHead(status, { 'content-type': 'application/json', location: '/elsewhere' }).end('{"why":"no"}');
  });
  const flows = await startFlows(t, reach(t));
  const retry = { times: 2, waitMs: 10 };
  const gone = await playStep(flows, 'http', `${server.url}/404`, { retry });
  assert.equal(gone.run.reason, 'steps[0] (http): answered 404');
  assert.deepEqual((gone.step.output as { body: Json }).body, { why: 'no' });
  assert.equal(server.received.length, 1);
  const moved = await playStep(flows, 'http', `${server.url}/302`, { retry });
  assert.equal(moved.run.reason, 'steps[0] (http): answered 302, and redirects are not followed');
  const down = await playStep(flows, 'http', `${server.url}/500`, { retry });
  assert.equal(down.step.tries, 3);
  assert.equal(server.received.length, 5);
  const meant = await playStep(flows, 'http', { url: `${server.url}/404`, expect: [200, 404] });
  assert.equal(meant.run.state, 'completed');
});

test('Action http: answers that are not what they say, too large, or nothing at all', async (t) => {
  const server = await serve(t, ({ path }, response) => {
    if (path === '/nothing') response.socket!.destroy();
    else if (path === '/large') response.writeHead(200).end('x'.repeat(300_000));
    else if (path === '/deep') response.writeHead(200, { 'content-type': 'application/json' }).end('['.repeat(100_000));
    else if (path === '/wrong') response.writeHead(200, { 'content-type': 'application/json' }).end('<html>');
    else if (path === '/bytes') response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.from([0, 255]));
    else response.writeHead(204).end();
  });
  const flows = await startFlows(t, reach(t));
  const reasonOf = async (path: string): Promise<string | null> =>
    (await playStep(flows, 'http', server.url + path)).run.reason;
  assert.match((await reasonOf('/nothing')) ?? '', /^steps\[0\] \(http\): .*(reset|closed|ended)/);
  assert.equal(await reasonOf('/large'), 'steps[0] (http): answered more than 262144 bytes');
  assert.equal(await reasonOf('/deep'), 'steps[0] (http): answered 200, but its JSON nests deeper than 100 levels');
  assert.equal(
    await reasonOf('/wrong'),
    'steps[0] (http): answered 200, but its body is not the JSON that its content type says',
  );
  const bytes = await playStep(flows, 'http', `${server.url}/bytes`);
  assert.deepEqual((bytes.step.output as { body: Json }).body, { base64: 'AP8=' });
  const empty = await playStep(flows, 'http', `${server.url}/empty`);
  assert.equal((empty.step.output as { body: Json }).body, null);
});

test('Action http: an address that deliveries may not go to cannot be reached from a job either', async (t) => {
  const server = await serve(t, (_, response) => response.end());
  const flows = await startFlows(t, reach(t, []));
  const { run } = await playStep(flows, 'http', server.url);
  assert.equal(run.state, 'failed');
  assert.match(run.reason ?? '', /127\.0\.0\.1|address/);
  assert.equal(server.received.length, 0);
});

test('Action http: an abort cuts it off', async (t) => {
  const server = await serve(t, () => undefined);
  const flows = await startFlows(t, reach(t));
  const run = await flows.start(await flows.job('hang', [does('http', server.url)]));
  await flows.untilSo('it is under way', () => server.received.length === 1);
  await flows.store.flows.abort({ workspace: flows.workspace, run }, 'a test', flows.clock.now());
  assert.equal((await flows.until(run, 'aborted', 'failed')).state, 'aborted');
});

test('Secrets: what a step says of a secret is masked in its input, output and error, in whatever usual form', async (t) => {
  const secret = 'p4ss/w0rd+ü';
  const forms = [
    secret,
    Buffer.from(secret).toString('base64'),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
  ];
  const server = await serve(t, (_, response) => {
    response.writeHead(500, { 'content-type': 'application/json', 'x-echo': encodeURIComponent(secret) });
    response.end(JSON.stringify({ forms, basic: Buffer.from(`user:${secret}`).toString('base64') }));
  });
  const flows = await startFlows(t, reach(t));
  await flows.store.flows.putSecret({ workspace: flows.workspace, name: 'TOKEN', value: secret }, NOON);
  const input = {
    url: `${server.url}/?k=\${ urlEncode(secret.TOKEN) }`,
    headers: { authorization: 'Bearer ${ base64(secret.TOKEN) }' },
  };
  const job = await flows.job('echo', [does('http', input), does('fail', 'never')]);
  const run = await flows.play(job);
  assert.equal(run.state, 'failed');
  const shown = JSON.stringify([run, await flows.steps(run.run), await flows.lines(run.run)]);
  const basic = Buffer.from(`user:${secret}`).toString('base64').slice(8, -4);
  for (const form of [...forms, basic]) assert.ok(!shown.includes(form), `${form} is shown in ${shown}`);
  assert.match(String(server.received[0]?.headers.authorization), /^Bearer \S+$/);
});

test('Secrets: what the filter of a route came to is masked, and masked before it is cut', async (t) => {
  const flows = await startFlows(t);
  await flows.store.flows.putSecret({ workspace: flows.workspace, name: 'TOKEN', value: 'hunter2-hunter2' }, NOON);
  const steps = [does('noop')];
  const long = `'${'x'.repeat(195)}'`;
  const branches = [
    { name: 'cut', if: `${long} + secret.TOKEN == ''`, steps },
    { name: 'never', if: "secret.TOKEN == 'other'", steps },
    { name: 'whole', if: '[secret.TOKEN]', steps },
    { name: 'half', if: `${long} + secret.TOKEN`, steps },
  ];
  const run = await flows.play(await flows.job('routed', [route(branches, { match: 'all' })]));
  assert.equal(run.state, 'completed', run.reason ?? '');
  const shown = JSON.stringify(await flows.steps(run.run));
  assert.match(shown, /"taken":\["whole","half"\]/);
  assert.doesNotMatch(shown, /hunter|xhunt/);
});

test('Action publish: an event of the catalog; its repetition is a duplicate', async (t) => {
  const publishing = Promise.withResolvers<FlowsOptions['publish']>();
  const publish: FlowsOptions['publish'] = async (workspace, envelope) =>
    (await publishing.promise)(workspace, envelope);
  const flows = await startFlows(t, { publish });
  const { store, workspace, clock } = flows;
  const schemas = createPayloadSchemas({ vetTimeoutMs: 1_000, checkTimeoutMs: 250 });
  t.after(() => schemas.close());
  const log = createLog({ level: 'silent', pretty: false, destination: { write: () => undefined } });
  publishing.resolve(
    publishForFlows({ store, schemas, tracer: null, log, clock, limits: { eventBytes: 65_536, requestBytes: 65_536 } }),
  );
  const type = { type: 'com.example.done', service: null, description: '', schema: null, schemaCheck: 'off' } as const;
  await store.settings.putType({ workspace, ...type, example: null, deprecation: null }, NOON);
  const made = await playStep(flows, 'publish', {
    type: 'com.example.done',
    subject: 'orders/7',
    attributes: { tenant: 'a' },
    data: { rows: 3 },
  });
  assert.equal(made.run.state, 'completed', made.run.reason ?? '');
  const output = made.step.output as { event: string; id: string; source: string; duplicate: boolean };
  assert.match(output.event, /^evt_/);
  assert.equal(output.duplicate, false);
  const page = await store.log.events({
    workspace,
    order: 'oldest-first',
    cursor: null,
    limit: 10,
    type: 'com.example.done',
  });
  const event = JSON.parse(Buffer.from(page.rows[0]!.envelope).toString()) as Record<string, Json>;
  assert.deepEqual([event['data'], event['subject'], event['tenant']], [{ rows: 3 }, 'orders/7', 'a']);
  assert.equal(event['bellwiredepth'], 0);
  assert.equal(event['source'], `/jobs/job-${jobs}`);
  const given = { type: 'com.example.done', source: '/mine', id: 'one', data: 1 };
  await playStep(flows, 'publish', given);
  const again = await playStep(flows, 'publish', given);
  assert.equal((again.step.output as { duplicate: boolean }).duplicate, true);
  const unknown = await playStep(flows, 'publish', { type: 'org.unknown' }, { retry: { times: 5, waitMs: 1 } });
  assert.match(unknown.run.reason ?? '', /There is no event type "org\.unknown" in the catalog/);
  assert.equal(unknown.step.tries, 1);
});

test('Action mail: to its readers, with an id that its tries share; a failure says why', async (t) => {
  const mails: Mail[] = [];
  const sendMail = async (mail: Mail): Promise<Outcome> => {
    mails.push(mail);
    if (mails.length === 1)
      return { kind: 'failure', code: 'other', message: 'was refused', status: null, durationMs: 1, connectMs: 0 };
    const answer = { headers: [], body: new Uint8Array(), bodyBytes: 0, truncated: false, retryAfter: null };
    return { kind: 'response', status: 250, ...answer, durationMs: 1, connectMs: 0 };
  };
  const flows = await startFlows(t, { sendMail });
  const input = { to: 'ops@example.com', subject: 'Done\n for today', text: 'All is well.' };
  const { run, step } = await playStep(flows, 'mail', input, { retry: { times: 1, waitMs: 10 } });
  assert.equal(run.state, 'completed', run.reason ?? '');
  assert.deepEqual(step.output, { to: ['ops@example.com'] });
  assert.deepEqual(await flows.lines(run.run), ['Try 1 failed: the mail was refused. The next one is in 10ms.']);
  assert.deepEqual([mails[1]!.subject, mails[1]!.text, mails[1]!.id], ['Done for today', 'All is well.', mails[0]!.id]);
});

test('Action mail: what the mail server refuses for good, or for some of the readers, is not sent again', async (t) => {
  let sends = 0;
  const sendMail = async (): Promise<Outcome> => {
    sends++;
    const message = 'the mail server took the mail, but not for b@example.com: 550 no such user';
    return { kind: 'failure', code: 'mail-refused', message, status: 550, durationMs: 1, connectMs: 0 };
  };
  const flows = await startFlows(t, { sendMail });
  const input = { to: ['a@example.com', 'b@example.com'], subject: 's', text: 't' };
  const { run } = await playStep(flows, 'mail', input, { retry: { times: 5, waitMs: 10 } });
  assert.match(run.reason ?? '', /not for b@example\.com: 550 no such user/);
  assert.equal(sends, 1);
});
