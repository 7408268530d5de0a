// Hooks on PostgreSQL: a platform from end to end, and two nodes that share one database. Whoever is called answers what the
// run replies, wherever it is worked at; where that node is killed, the other one goes on.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { testDatabase, withoutPostgres } from '../../test/kit/postgres.ts';
import { systemClock } from '../src/clock.ts';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { createTransport } from '../src/engine/transport/index.ts';
import { fetchOver } from '../src/flow-port.ts';
import { createFlows, type FlowEngine, type FlowsOptions } from '../src/flow/index.ts';
import type { Hook, Step } from '../src/model/flow/definition.ts';
import type { HookReply } from '../src/model/hook/exchange.ts';
import type { OwnedLane, Store } from '../src/store/index.ts';
import { does, nothingOutside, settingOf } from './flow-ground.ts';
import { PLAIN_HOOK } from '../src/model/flow/document/hook.ts';
import { newScenario, post, startHooks } from './hook-ground.ts';
import { addWorkspace } from './store-furniture.ts';
import { postgresGround, type Ground } from './store-ground.ts';

const VICTIM = fileURLToPath(new URL('flow-kill-victim.ts', import.meta.url));
const EXAMPLES = new URL('../../examples/flows/', import.meta.url);
const TOKEN = 'abcdefghijklmnopqrstuvwxyz012345';

/** A clock by which nothing ever falls due: what happens was told. */
const NEVER: FlowsOptions['clock'] = { ...systemClock, after: () => ({ cancel: () => undefined }) };

/** A node of this process with these lanes. */
function startNode(
  ground: Ground,
  { store, owned, ...over }: { store: FlowsOptions['store']; owned(): OwnedLane[] } & Partial<FlowsOptions>,
): FlowEngine {
  const engine = createFlows({
    ...nothingOutside,
    store,
    clock: systemClock,
    concurrency: 16,
    maxDepth: 10,
    limits: { stepBytes: 262_144, logBytes: 1_000_000, steps: 10_000 },
    onError: () => undefined,
    ...over,
    lanes: { owned },
  });
  engine.start();
  ground.after(() => engine.stop(1_000));
  return engine;
}

async function keep(store: Store, steps: readonly Step[], hook: Partial<Hook> = {}): Promise<void> {
  const workspace = await addWorkspace(store);
  const flow = newScenario('shared', steps, { hook: { ...PLAIN_HOOK, replyWithinMs: 60_000, ...hook } });
  await store.flows.put({ ...settingOf(workspace, flow), trigger: { path: TOKEN, tokenHash: null } }, Date.now());
}

function call(engine: FlowEngine, body: unknown): Promise<HookReply> {
  const bytes = Buffer.from(JSON.stringify(body));
  const headers = ['content-type', 'application/json'];
  return engine.receive({ token: TOKEN, method: 'POST', query: '', headers, body: bytes, from: null, cutAt: null });
}

/** Two stores on one database, and the lanes, which the latter owns. */
async function twoStores(t: TestContext): Promise<{ ground: Ground; near: Store; far: Store; lanes: OwnedLane[] }> {
  const ground = await postgresGround(t);
  const [near, far] = [await ground.open(), await ground.open()];
  return { ground, near, far, lanes: await far.lanes.take('far', Date.now(), 600_000) };
}

suite('hooks on PostgreSQL', { skip: withoutPostgres }, () => {
  test('R61 R85 R98 R103 R106 the seed’s file from end to end: pushed, challenged, called twice; one row, read by the API', async (t) => {
    const drops: (() => Promise<void>)[] = [];
    const store = await testDatabase({ after: (drop) => void drops.push(drop) });
    const hooks = await startHooks(t, { store });
    // Behind the platform, which stops first.
    for (const drop of drops) t.after(drop);
    const read = (name: string): string => readFileSync(new URL(name, EXAMPLES), 'utf8');
    const sample = (name: string) => ({ name: `samples/${name}.json`, text: read(`samples/${name}.json`) });
    const files = [{ name: 'greenlake-audit.yaml', text: read('greenlake-audit.yaml') }];
    const body = { files, samples: [sample('challenge'), sample('event')] };
    const pushed = (await hooks.expect(200, 'PUT /v1/flows', { body })) as { flows: [{ hook: { path: string } }] };
    const url = hooks.url + pushed.flows[0].hook.path;
    const challenge = read('samples/challenge.json');
    assert.equal((await post(url, challenge)).status, 503, 'without its secret it fails closed');
    await hooks.secret('GREENLAKE', 's3cr3tKey');
    const answered = await post(url, challenge);
    const { data } = JSON.parse(challenge) as { data: { challengeRequest: string } };
    const verification = createHmac('sha256', 's3cr3tKey').update(data.challengeRequest).digest('hex');
    assert.deepEqual([answered.status, JSON.parse(answered.text)], [200, { verification }]);
    const event = read('samples/event.json');
    assert.equal((await post(url, event)).status, 401);
    const signature = `sha256=${createHmac('sha256', 's3cr3tKey').update(event).digest('hex')}`;
    const signed = { headers: { 'hpe-webhook-signature': signature } };
    const both = await Promise.all([post(url, event, signed), post(url, event, signed)]);
    assert.deepEqual(
      both.map(({ status, text }) => [status, text]),
      [
        [200, ''],
        [200, ''],
      ],
    );
    const rows = (await hooks.expect(200, 'GET /v1/sheets/AuditLog/rows')) as { items: { cells: { B: string } }[] };
    assert.deepEqual(
      rows.items.map(({ cells }) => cells.B),
      ['john.doe@hpedev.io'],
    );
  });

  test('R103 a request that comes to one node is answered with what the other one’s run replies: it hears of it at once', async (t) => {
    const { ground, near, far, lanes } = await twoStores(t);
    await keep(far, [does('reply', { body: 'from afar ${ body.n }' })]);
    startNode(ground, { store: far, owned: () => lanes });
    const called = startNode(ground, { store: near, owned: () => [], clock: NEVER });
    const replies = await Promise.all([1, 2, 3].map((n) => call(called, { n })));
    assert.deepEqual(
      replies.map(({ status, body }) => [status, body]),
      [1, 2, 3].map((n) => [200, `from afar ${n}`]),
    );
  });

  test('R86 R103 where hints are lost the caller is answered all the same, an end without a reply, too', async (t) => {
    const { ground, near, far, lanes } = await twoStores(t);
    const steps = [
      does('fail', 'no', { if: 'body.n == 2' }),
      does('reply', { body: '${ body.n }' }, { if: 'body.n == 1' }),
    ];
    await keep(far, steps);
    startNode(ground, { store: far, owned: () => lanes });
    const { flows, hooks, settings, sheets } = near;
    const deaf: FlowsOptions['store'] = {
      flows,
      hooks,
      settings,
      sheets,
      on: ({ runs, flow }) => near.on({ runs: runs!, flow: flow! }),
    };
    const called = startNode(ground, { store: deaf, owned: () => [] });
    const replies = await Promise.all([1, 2, 3].map((n) => call(called, { n })));
    assert.deepEqual(
      replies.map(({ status }) => status),
      [200, 500, 200],
    );
    assert.deepEqual([replies[0]!.body, replies[2]!.body], ['1', 'Accepted']);
  });

  test('R58 R103 R106 the node that runs it is killed: the other one takes over, and who waits gets the reply', async (t) => {
    const ground = await postgresGround(t);
    const near = await ground.open();
    const outside = await startOutside(t);
    await keep(near, [
      does('http', { url: outside.url, method: 'POST', body: '${ body.n }' }, { resume: 'rerun', name: 'asked' }),
      does('reply', { body: '${ steps.asked.status } ${ body.n }' }),
    ]);
    const victim = spawn(process.execPath, [VICTIM, ground.address, ground.key, 'victim'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    t.after(() => victim.kill('SIGKILL'));
    const guard = createAddressGuard({ allow: ['127.0.0.0/8'] });
    const transport = createTransport({ guard, userAgent: 'near' });
    let lanes: OwnedLane[] = [];
    const fetch = fetchOver((request) => transport.send(request));
    const called = startNode(ground, { store: near, owned: () => lanes, fetch });
    const reply = call(called, { n: 7 });
    // The victim works at it; nobody has answered its step.
    await outside.next();
    victim.kill('SIGKILL');
    await once(victim, 'exit');
    while (lanes.length === 0) lanes = await near.lanes.take('near', Date.now(), 600_000);
    called.wake();
    (await outside.next()).end('ok');
    const { status, body } = await reply;
    assert.deepEqual([status, body], [200, '200 7']);
  });
});

/** A server that is answered by hand: `next` resolves the answer to the next request. */
async function startOutside(t: TestContext): Promise<{ url: string; next(): Promise<ServerResponse> }> {
  const waiting: ServerResponse[] = [];
  let stir: (() => void) | null = null;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      waiting.push(response);
      stir?.();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async next() {
      while (waiting.length === 0) await new Promise<void>((come) => (stir = come));
      return waiting.shift()!;
    },
  };
}
