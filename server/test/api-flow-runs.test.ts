// Runs over HTTP, on the whole platform: their logs with what became of post-processings, their steps, what policies found.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { createClient, type Client } from '../src/client/index.ts';
import { startApi, type ApiGround } from './api-ground.ts';

interface Ground {
  api: ApiGround;
  client: Client;
  /** What the receiver was sent. */
  bodies: Record<string, unknown>[];
  url: string;
  /** Pushes a document. */
  push(text: string): Promise<void>;
}

/** A platform, and a receiver that answers by the last part of its URL: `/500`. */
async function start(t: TestContext): Promise<Ground> {
  const api = await startApi(t);
  const bodies: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then((bytes) => {
      bodies.push((JSON.parse(bytes.toString()) as Record<string, unknown>[])[0] ?? {});
      response.writeHead(Number((request.url ?? '').slice(1)) || 200).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const client = createClient({ url: api.url, key: api.platform.adminKey });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await client.groups.create({ name: 'ops' });
  for (const [name, status] of [
    ['well', 200],
    ['broken', 500],
  ] as const) {
    await client.postProcessings.create({ name, group: 'ops', kind: 'webhook', url: `${url}/${status}` });
  }
  const push = async (text: string): Promise<void> =>
    void (await client.flows.push({ files: [{ name: 'f.yaml', text }] }));
  return { api, client, bodies, url, push };
}

function byText(one: unknown, other: unknown): number {
  return JSON.stringify(one) < JSON.stringify(other) ? -1 : 1;
}

type Runs = Pick<Client['runs'], 'follow' | 'log'>;

/** Follows a run to its end, and on until its post-processings are over. */
async function ended(runs: Runs, id: number): Promise<Awaited<ReturnType<Client['runs']['log']>>> {
  const lines = runs.follow(id);
  while ((await lines.next()).done !== true);
  for (;;) {
    const log = await runs.log(id);
    if (log.pending === 0) return log;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('R1 R24 R29 a job reports its end, and its log says what became of each post-processing; the run stays what it is', async (t) => {
  const { client, bodies, push } = await start(t);
  await push('job: nightly\ngroup: ops\nsteps: [noop]\nafter: { completed: [well, broken], failed: [broken] }\n');
  const { id, flow } = await client.jobs.run('nightly');
  const log = await ended(client.runs, id);
  assert.deepEqual(
    [log.state, log.ended, log.reports.map(({ isFailure, text }) => [isFailure, text]).sort(byText)],
    [
      'completed',
      true,
      [
        [false, 'post-processing well succeeded (answered 200)'],
        [true, 'post-processing broken failed: answered 500'],
      ],
    ],
  );
  assert.deepEqual(
    bodies.map((body) => [
      body['type'],
      body['trigger_job_id'],
      body['trigger_job_log_id'],
      body['status'],
      body['name'],
    ]),
    [
      ['job', flow, id, 'completed', 'nightly'],
      ['job', flow, id, 'completed', 'nightly'],
    ],
  );
  assert.equal((await client.runs.get(id)).state, 'completed');
});

test('R1 R32 abort ends a run with status aborted, and the list of failed is told', async (t) => {
  const { client, bodies, push } = await start(t);
  await push('job: long\ngroup: ops\nsteps: [{ name: pause, wait: 1h }]\nafter: { failed: [well] }\n');
  const { id } = await client.jobs.run('long');
  await client.runs.abort(id);
  const log = await ended(client.runs, id);
  assert.deepEqual([log.state, bodies.map(({ status }) => status)], ['aborted', ['aborted']]);
  assert.match((await client.runs.get(id)).reason ?? '', /the key "admin"/);
  await assert.rejects(client.runs.abort(id), { code: 'wrong-state' });
});

test('a job with a run under way is not deleted; afterwards it is, and its runs stay', async (t) => {
  const { client, push } = await start(t);
  await push('job: long\nsteps: [{ wait: 1h }]\n');
  const { id } = await client.jobs.run('long');
  await assert.rejects(client.jobs.delete('long'), { code: 'in-use' });
  await client.runs.abort(id);
  await ended(client.runs, id);
  await client.jobs.delete('long');
  await assert.rejects(client.jobs.get('long'), { code: 'not-found' });
  assert.equal((await client.runs.get(id)).state, 'aborted');
});

test('concurrency: what is beyond is left out, or is a failed run', async (t) => {
  const { client, push } = await start(t);
  await push(
    'job: skips\nconcurrency: { max: 1, then: skip }\nsteps: [{ wait: 1h }]\n---\njob: fails\nconcurrency: { max: 1, then: fail }\nsteps: [{ wait: 1h }]\n',
  );
  const first = await client.jobs.run('skips');
  await assert.rejects(client.jobs.run('skips'), { code: 'wrong-state' });
  const second = await client.jobs.run('fails');
  const refused = await client.jobs.run('fails');
  assert.equal(refused.state, 'failed');
  assert.ok(refused.reason);
  for (const { id } of [first, second]) await client.runs.abort(id);
});

test('secrets are masked in steps and log', async (t) => {
  const { api, client, url, push } = await start(t);
  await client.secrets.set('TOKEN', 'hunter2-hunter2');
  await push(
    `job: calls\nsteps:\n  - name: call\n    http: { url: "${url}/200", method: POST, headers: { authorization: "Bearer \${ secret.TOKEN }" }, body: [{ token: "\${ secret.TOKEN }" }] }\n  - fail: "it was \${ secret.TOKEN }"\n`,
  );
  const { id } = await client.jobs.run('calls');
  const log = await ended(client.runs, id);
  const { items } = await client.runs.steps(id);
  const shown = JSON.stringify([log, items, await client.runs.get(id)]);
  assert.equal(log.state, 'failed');
  assert.deepEqual(
    items.map(({ action, state }) => [action, state]),
    [
      ['http', 'completed'],
      ['fail', 'failed'],
    ],
  );
  assert.ok(!shown.includes('hunter2'), shown);
  assert.ok(!api.lines.join('\n').includes('hunter2'));
});

test('R2 R37 R42 an evaluation: a request per rule, results, what changed since last time, history of a resource', async (t) => {
  const { client, bodies, push } = await start(t);
  const set = (open: boolean): string => `policySet: baseline
group: ops
rules:
  - { rule: closed, resources: [{ id: a, open: false }, { id: b, open: ${open} }], compliant: "\${ !open }", detail: OPEN }
  - { rule: named, resources: [{ id: c }], compliant: exists(name), detail: NO_NAME }
after: [well]
`;
  await push(set(true));
  const first = await client.policySets.run('baseline');
  assert.equal((await ended(client.evaluations, first.id)).state, 'completed');
  assert.deepEqual(bodies.map((body) => [body['type'], body['policy_set_name'], body['rule_name']]).sort(byText), [
    ['policy', 'baseline', 'closed'],
    ['policy', 'baseline', 'named'],
  ]);
  await push(set(false));
  const second = await client.policySets.run('baseline');
  await ended(client.evaluations, second.id);
  const { rules } = await client.evaluations.get(second.id);
  assert.deepEqual(
    rules.map(({ rule, status, changes }) => [rule, status, changes]),
    [
      ['closed', 'completed', 1],
      ['named', 'completed', 0],
    ],
  );
  const results = await client.evaluations.results(second.id).all();
  assert.deepEqual(
    results.map(({ rule, id, compliance, detail }) => [rule, id, compliance, detail]),
    [
      ['named', 'c', 'NON_COMPLIANT', 'NO_NAME'],
      ['closed', 'a', 'COMPLIANT', null],
      ['closed', 'b', 'COMPLIANT', null],
    ],
  );
  const history = await client.policySets.history('baseline', { rule: 'closed', resource: 'b' });
  assert.deepEqual(
    history.items.map(({ evaluation, compliance }) => [evaluation, compliance]),
    [
      [second.id, 'COMPLIANT'],
      [first.id, 'NON_COMPLIANT'],
    ],
  );
  const few = await client.evaluations.results(second.id, { limit: 2 }).page();
  assert.equal(few.items.length, 2);
  assert.equal((await client.evaluations.results(second.id, { rule: 'closed' }).all()).length, 2);
});

test('R42 a resource that is gone is NOT_APPLICABLE in the evaluation that misses it first, and in no later one', async (t) => {
  const { client, push } = await start(t);
  const evaluate = async (resources: string): Promise<{ found: unknown; said: string[] }> => {
    await push(`policySet: moving\nrules:\n  - { rule: closed, resources: ${resources}, compliant: "\${ !open }" }\n`);
    const { id } = await client.policySets.run('moving');
    await ended(client.evaluations, id);
    const results = await client.evaluations.results(id).all();
    const { items } = await client.evaluations.log(id);
    return {
      found: results.map((one) => [one.id, one.compliance, one.detail]),
      said: items.map(({ text }) => text).filter((text) => text.includes('since last time')),
    };
  };
  const both = '[{ id: a, open: false }, { id: b, open: true }]';
  assert.deepEqual((await evaluate(both)).said, ['1 COMPLIANT, 1 NON_COMPLIANT; 0 changed since last time']);
  const missed = await evaluate('[{ id: a, open: false }]');
  assert.deepEqual(missed.found, [
    ['a', 'COMPLIANT', null],
    ['b', 'NOT_APPLICABLE', 'RESOURCE_GONE'],
  ]);
  assert.deepEqual(missed.said, ['1 COMPLIANT, 1 NOT_APPLICABLE; 1 changed since last time']);
  const later = await evaluate('[{ id: a, open: false }]');
  assert.deepEqual(later.found, [['a', 'COMPLIANT', null]]);
  assert.deepEqual(later.said, ['1 COMPLIANT; 0 changed since last time']);
});

test('R2 R39 an evaluation that was aborted, or could not begin, reports each of its rules as failed', async (t) => {
  const { client, bodies, push } = await start(t);
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => {
    silent.close();
    silent.closeAllConnections();
  });
  const inventory = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
  await push(`policySet: slow
concurrency: { max: 1, then: fail }
rules:
  - { rule: first, resources: { http: "${inventory}" }, compliant: true }
  - { rule: second, resources: [{ id: a }], compliant: true }
after: { failed: [well] }
`);
  const running = await client.policySets.run('slow');
  const refused = await client.policySets.run('slow');
  assert.equal(refused.state, 'failed');
  assert.equal((await ended(client.evaluations, refused.id)).reports.length, 2);
  await client.evaluations.abort(running.id);
  const log = await ended(client.evaluations, running.id);
  assert.deepEqual([log.state, log.reports.length], ['aborted', 2]);
  const { rules } = await client.evaluations.get(running.id);
  assert.deepEqual(
    rules.map(({ rule, status }) => [rule, status]),
    [
      ['first', 'failed'],
      ['second', 'failed'],
    ],
  );
  assert.match(rules[0]!.reason ?? '', /aborted by the key "admin"/);
  assert.deepEqual(
    bodies.map((body) => [body['type'], body['status'], body['rule_name'], body['evaluations']]).sort(byText),
    ['first', 'first', 'second', 'second'].map((rule) => ['policy', 'failed', rule, []]),
  );
});

test('R16 the trigger that a push shows once starts the job with its parameters', async (t) => {
  const { api, client } = await start(t);
  const text = 'job: called\nparams: { table: { default: all } }\non: { http: true }\nsteps: [noop]\n';
  const { flows } = await client.flows.push({ files: [{ name: 'f.yaml', text }] });
  const { path, authorization = '' } = flows[0]!.trigger!;
  const call = { body: { table: 'orders' }, key: null };
  const { run } = await api.expect(202, `POST ${path}`, { ...call, headers: { authorization } });
  assert.equal((await ended(client.runs, run as number)).state, 'completed');
  const { params, cause } = await client.runs.get(run as number);
  assert.deepEqual([params, cause], [{ table: 'orders' }, { by: 'http' }]);
  const wrong = await api.ask(`POST ${path}`, { ...call, headers: { authorization: 'CAAuth wrong' } });
  assert.equal(wrong.status, 401);
  await client.jobs.renewTrigger('called');
  assert.equal((await api.ask(`POST ${path}`, { ...call, headers: { authorization } })).status, 404);
});

test('the end of a job starts the job that waits for it, with what the document makes of the event', async (t) => {
  const { client, push } = await start(t);
  await push(`job: first
steps: [noop]
---
job: second
params: { after: text }
on: { job: { name: first, status: completed, params: { after: "\${ event.data.name }" } } }
steps: [noop]
`);
  await client.jobs.run('first');
  for (;;) {
    const [run] = (await client.jobs.runs('second').page()).items;
    if (run?.state === 'completed') {
      assert.deepEqual([run.params, run.cause.by, run.depth], [{ after: 'first' }, 'event', 1]);
      return;
    }
    assert.notEqual(run?.state, 'failed', run?.reason ?? '');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

test('a command as people write it runs, its words and its output as they are', async (t) => {
  const { client, push } = await start(t);
  await push('job: greet\nparams: { who: text }\nsteps:\n  - run: echo "hello  you" ${ params.who }\n');
  const { id } = await client.jobs.run('greet', { params: { who: '$HOME; a  b' } });
  await ended(client.runs, id);
  const { state, reason } = await client.runs.get(id);
  assert.equal(state, 'completed', reason ?? '');
  const { items: lines } = await client.runs.log(id);
  assert.ok(
    lines.some(({ text }) => text === 'hello  you $HOME; a  b'),
    JSON.stringify(lines),
  );
});
