// Each action's example in docs/flows.md is a job that runs, over real sockets, and does what the page says.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { createTransport } from '../src/engine/transport/index.ts';
import type { Fetch, FlowsOptions, Mail } from '../src/flow/index.ts';
import { fetchOver } from '../src/flow-port.ts';
import type { Job, Json } from '../src/model/flow/definition.ts';
import { readFlows } from '../src/model/flow/document/index.ts';
import { startFlows, type FlowGround } from './flow-ground.ts';

const page = readFileSync(new URL('../../docs/flows.md', import.meta.url), 'utf8');

/** The job of that name on the page. */
function example(name: string): Job {
  const blocks = [...page.matchAll(/```yaml\n([^]*?)```/g)].map(([, text]) => text as string);
  const text = blocks.find((block) => block.startsWith(`job: ${name}\n`));
  assert.ok(text, `docs/flows.md has no job ${name}`);
  const read = readFlows([{ name: 'docs/flows.md', text }]);
  assert.ok(read.ok, JSON.stringify(read));
  return read.documents[0]!.flow as Job;
}

/** Runs it; resolves its steps' outputs by place. */
async function play(t: TestContext, name: string, over: Partial<FlowsOptions> = {}) {
  const flows: FlowGround = await startFlows(t, over);
  await flows.store.flows.putSecret({ workspace: flows.workspace, name: 'SHOP_TOKEN', value: 't0ken-of-the-shop' }, 0);
  const job = example(name);
  const given = Object.fromEntries(Object.entries(job.params).map(([one, param]) => [one, param.default ?? null]));
  const run = await flows.play(await flows.keep(job), { params: given });
  const steps = await flows.steps(run.run);
  return { run, outputs: Object.fromEntries(steps.map(({ place, output }) => [place, output])) };
}

/** A shop on loopback that every https URL leads to. */
async function shop(t: TestContext): Promise<{ fetch: Fetch; received: string[] }> {
  const received: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      received.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''} ${body}`.trim());
      response.writeHead(request.method === 'POST' ? 201 : 200, { 'content-type': 'application/json' });
      response.end('{"id":7}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const transport = createTransport({ guard: createAddressGuard({ allow: ['127.0.0.0/8'] }), userAgent: 'test' });
  t.after(() => transport.close({ force: true }));
  const fetch = fetchOver((request) => transport.send(request));
  const here = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { received, fetch: (request) => fetch({ ...request, url: request.url.replace(/^https:\/\/[^/]+/, here) }) };
}

test('docs/flows.md: http', async (t) => {
  const { fetch, received } = await shop(t);
  const { run } = await play(t, 'action-http', { fetch });
  assert.equal(run.state, 'completed', run.reason ?? '');
  assert.deepEqual(received, ['GET /orders/7', 'POST /invoices Bearer t0ken-of-the-shop {"order":7}']);
});

test('docs/flows.md: publish', async (t) => {
  const events: Record<string, Json>[] = [];
  const publish: FlowsOptions['publish'] = async (_, envelope) => {
    events.push(JSON.parse(Buffer.from(envelope).toString()) as Record<string, Json>);
    return { event: 'evt_1', duplicate: false };
  };
  const { run } = await play(t, 'action-publish', { publish });
  assert.equal(run.state, 'completed', run.reason ?? '');
  const [event] = events as [Record<string, Json>];
  assert.deepEqual(
    [event['type'], event['subject'], event['data']],
    ['com.example.order.shipped', 'orders/7', { order: 7 }],
  );
  assert.deepEqual([event['tenant'], event['source']], ['acme', '/jobs/action-publish']);
});

test('docs/flows.md: mail', async (t) => {
  const mails: Mail[] = [];
  const sendMail: FlowsOptions['sendMail'] = async (mail) => {
    mails.push(mail);
    const answer = { headers: [], body: new Uint8Array(), bodyBytes: 0, truncated: false, retryAfter: null };
    return { kind: 'response', status: 250, ...answer, durationMs: 1, connectMs: 0 };
  };
  const { run } = await play(t, 'action-mail', { sendMail });
  assert.equal(run.state, 'completed', run.reason ?? '');
  assert.deepEqual(mails[0]!.to, ['ops@example.com', 'oncall@example.com']);
  assert.equal(mails[0]!.subject, `Run ${run.run} of action-mail`);
  assert.match(mails[0]!.text, /^It was started by hand at 2026-01-15T/);
});

test('docs/flows.md: set, route, each', async (t) => {
  const { run, outputs } = await play(t, 'action-set');
  assert.equal(run.state, 'completed', run.reason ?? '');
  assert.deepEqual(outputs['steps[2].each[2].steps[0]'], { double: 6 });
  assert.deepEqual(outputs['steps[3]'], { words: 'large, 22.8 VAT' });
});

test('docs/flows.md: wait', async (t) => {
  const { run } = await play(t, 'action-wait');
  assert.equal(run.state, 'completed', run.reason ?? '');
  assert.ok(run.finishedAt! - run.startedAt! >= 3_600_000);
});

test('docs/flows.md: fail, noop', async (t) => {
  const { run } = await play(t, 'action-fail');
  assert.equal(run.state, 'completed', run.reason ?? '');
  const flows = await startFlows(t);
  const again = await flows.play(await flows.keep(example('action-fail')), { cause: { by: 'http' } });
  assert.equal(again.reason, 'steps[1] (fail): only people may start this');
});
