// What a scenario can do beside a row of a sheet: a ticket by HTTP, a command, a job, the next webhook; and how it ends where
// this node has no such action.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { text } from 'node:stream/consumers';
import { AUDIT } from './api-ground.ts';
import { does, newJob, settingOf } from './flow-ground.ts';
import { post, startHooks } from './hook-ground.ts';

interface Call {
  path: string;
  key: string | undefined;
  body: string;
}

/** A service that makes a ticket of each call. */
async function startTickets(t: TestContext): Promise<{ url: string; calls: Call[] }> {
  const calls: Call[] = [];
  const server = createServer(async (request, response) => {
    const key = request.headers['idempotency-key'] as string | undefined;
    calls.push({ path: request.url ?? '', key, body: await text(request) });
    response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ ticket: calls.length }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls };
}

test('R120 a scenario makes a ticket by HTTP, runs a command and a job, and publishes an event for the next webhook', async (t) => {
  const tickets = await startTickets(t);
  const hooks = await startHooks(t, { flows: { commands: { unshielded: true } } });
  const { store } = hooks.platform;
  const job = newJob('tidy', [does('set', { seen: '${ params.user }' })], {
    params: { user: { type: 'text', description: '' } },
  });
  await store.flows.put(settingOf(hooks.workspace, job), Date.now());
  const placed = await hooks.scenario('acts', [
    does('http', { url: `${tickets.url}/tickets`, body: { title: '${ body.title }' } }, { name: 'ticket' }),
    does('run', { shell: 'printf %s "$TITLE" | wc -c', env: { TITLE: '${ body.title }' } }, { name: 'command' }),
    does('job', { name: 'tidy', params: { user: '${ body.user }' }, wait: true }, { name: 'job' }),
    does('publish', { type: AUDIT, data: { id: 'a1', description: '${ body.title }' } }, { name: 'next' }),
    does('reply', {
      status: 201,
      body: {
        ticket: '${ steps.ticket.body.ticket }',
        exitCode: '${ steps.command.exitCode }',
        job: '${ steps.job.state }',
        event: '${ steps.next.event }',
      },
    }),
  ]);
  const back = await post(placed.url, { title: 'a"; rm -rf /', user: 'Ada' });
  assert.equal(back.status, 201, `${back.text} ${(await hooks.ended(placed)).reason}`);
  const { event, ...rest } = JSON.parse(back.text) as Record<string, unknown>;
  assert.deepEqual(rest, { ticket: 1, exitCode: 0, job: 'completed' });
  assert.match(String(event), /^evt_/);
  const [call] = tickets.calls;
  assert.deepEqual([call?.path, call?.body], ['/tickets', JSON.stringify({ title: 'a"; rm -rf /' })]);
  assert.match(call?.key ?? '', /^[0-9a-f]{32}$/);
  const { run } = await hooks.ended(placed);
  assert.ok((await hooks.log(run)).includes('12'), 'what the command says is the log');
  const published = await store.log.events({
    workspace: hooks.workspace,
    order: 'newest-first',
    cursor: null,
    limit: 9,
    type: AUDIT,
  });
  const [row] = published.rows;
  const { data } = JSON.parse(Buffer.from(row!.envelope).toString()) as { data: { description: string } };
  assert.equal(data.description, 'a"; rm -rf /');
});

test('R120 an action that is not there fails its step in words, and the caller is told 500', async (t) => {
  const hooks = await startHooks(t);
  const placed = await hooks.scenario('unknown', [does('ticket', { title: 'x' }), does('reply', 200)]);
  assert.equal((await post(placed.url)).status, 500);
  assert.match((await hooks.ended(placed)).reason ?? '', /there is no action ticket here/);
});
