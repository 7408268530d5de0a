// Documents become definitions: the forms of the design, short and long, and one text for one meaning.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job, PolicySet } from '../definition.ts';
import { faultLine, readFlows, type FlowDocument } from './index.ts';

/** The documents of a text that has no fault. */
function read(text: string): readonly FlowDocument[] {
  const result = readFlows([{ name: 'flows.yaml', text }]);
  if (!result.ok) assert.fail(result.faults.map(faultLine).join('\n'));
  return result.documents;
}

function readJob(text: string): Job {
  return read(text)[0]?.flow as Job;
}

/** A job of these lines, each indented by nothing. */
const job = (...lines: string[]): string => `job: nightly\n${lines.join('\n')}\nsteps: [noop]\n`;

const DESIGN = `# What runs at night.
job: nightly-reindex
group: operations
params: { table: { type: text, default: all } }
on: { http: true, cron: "0 2 * * *", timezone: Asia/Tokyo, manual: true }
timeout: 30m
concurrency: { max: 1, then: queue }          # queue | skip | replace | fail
steps:
  - http: https://inventory.example/\${ params.table }
    retry: { times: 2, wait: 30s }
after: { completed: [ops-hook], failed: [ops-hook, oncall-mail] }
---
policySet: storage-baseline
group: operations
on: { cron: "0 * * * *" }
rules:
  - rule: buckets-have-owner
    resources: { http: "https://inventory.example/buckets", each: "\${ items }", id: "\${ arn }", name: "\${ name }" }
    applies: \${ state == 'active' }             # false, or known before and gone
    compliant: \${ exists(tags.Owner) }          # true, false
    detail: OWNER_TAG_MISSING
after: { completed: [ops-hook], failed: [ops-hook] }
`;

test('One file may hold several documents: the job and the policy set of the design', () => {
  const [first, second] = read(DESIGN);
  const flow = first?.flow as Job;
  assert.deepEqual(
    [flow.kind, flow.name, flow.group, flow.timeoutMs],
    ['job', 'nightly-reindex', 'operations', 1_800_000],
  );
  assert.deepEqual(flow.concurrency, { max: 1, then: 'queue' });
  assert.deepEqual(flow.after, { completed: ['ops-hook'], failed: ['ops-hook', 'oncall-mail'] });
  assert.deepEqual(flow.on, {
    http: true,
    cron: [{ at: '0 2 * * *', timezone: 'Asia/Tokyo', skip: [], startTimeoutMs: null, catchUp: 'none', params: {} }],
    events: [],
  });
  assert.deepEqual(flow.steps, [
    {
      kind: 'action',
      name: null,
      path: 'steps[0]',
      if: null,
      onError: { then: 'fail' },
      action: 'http',
      input: 'https://inventory.example/${ params.table }',
      retry: { times: 2, waitMs: 30_000 },
      timeoutMs: null,
      resume: 'fail',
    },
  ]);
  const set = second?.flow as PolicySet;
  assert.deepEqual(set.rules, [
    {
      name: 'buckets-have-owner',
      description: '',
      resources: {
        from: { kind: 'http', url: 'https://inventory.example/buckets', headers: {}, each: 'items', next: null },
        id: 'arn',
        name: 'name',
      },
      applies: "state == 'active'",
      compliant: 'exists(tags.Owner)',
      detail: 'OWNER_TAG_MISSING',
    },
  ]);
});

test('a document keeps the text of its author, without that of its neighbours', () => {
  const [first, second] = read(DESIGN);
  assert.equal(first?.source, DESIGN.split('---\n')[0]);
  assert.equal(second?.source, DESIGN.split('---\n')[1]);
  assert.deepEqual([first?.line, second?.line], [2, 13]);
  const [again] = read(first?.source ?? '');
  assert.equal(again?.definition, first?.definition);
});

test('JSON is a document, too', () => {
  const [only] = read(
    JSON.stringify({ job: 'x', steps: [{ http: { url: 'https://a.example/' }, name: 'fetch' }] }, null, 2),
  );
  assert.deepEqual((only!.flow as Job).steps[0]?.name, 'fetch');
});

test('the same meaning is the same text, whatever the layout, the order of fields, and what is spelled out', () => {
  const short = read('job: nightly\non: { cron: "0 2 * * *" }\nsteps:\n  - noop\n')[0];
  const long = read(`# A comment.
steps:
  - "noop": ~
    onError: fail
    resume: fail
after: { failed: [], completed: [] }
concurrency: { then: 'queue', max: 1 }
timeout: 60m
enabled: true
on:
  manual: true
  cron:
    - at: '0 2 * * *'
      timezone: UTC
      catchUp: none
job: nightly
`)[0];
  assert.equal(short?.definition, long?.definition);
  const other = read('job: nightly\non: { cron: "0 3 * * *" }\nsteps:\n  - noop\n')[0];
  assert.notEqual(other?.definition, short?.definition);
});

test('triggers: time tables with dates to skip, start time-out and catch-up; events; the end of another job', () => {
  const { on } = readJob(
    job(
      'on:',
      '  timezone: Asia/Tokyo',
      '  cron:',
      '    - 0 2 * * *',
      '    - { at: "0 4 * * 1", timezone: UTC, skip: 2026-12-25, startTimeout: 10m, catchUp: all }',
      '  event:',
      '    - com.example.order.*',
      '    - { type: com.example.order.created, filter: "total ge 100" }',
      '  job: { name: "bob\'s", status: [completed, failed] }',
    ),
  );
  assert.deepEqual(
    on.cron.map(({ at, timezone, skip, startTimeoutMs, catchUp }) => [at, timezone, skip, startTimeoutMs, catchUp]),
    [
      ['0 2 * * *', 'Asia/Tokyo', [], null, 'none'],
      ['0 4 * * 1', 'UTC', ['2026-12-25'], 600_000, 'all'],
    ],
  );
  assert.deepEqual(on.events, [
    { type: 'com.example.order.*', filter: null, params: {} },
    { type: 'com.example.order.created', filter: 'total ge 100', params: {} },
    { type: 'bellwire.job.completed', filter: "name eq 'bob''s'", params: {} },
    { type: 'bellwire.job.failed', filter: "name eq 'bob''s'", params: {} },
  ]);
  assert.deepEqual(readJob(job('on: { job: first }')).on.events, [
    { type: 'bellwire.job.completed', filter: "name eq 'first'", params: {} },
  ]);
});

test('parameters: typed, with defaults, values allowed, and what triggers give', () => {
  const flow = readJob(
    job(
      'params:',
      '  table: { type: text, oneOf: [orders, users], default: orders, description: Which one. }',
      '  count: integer',
      'on:',
      '  cron: { at: "0 2 * * *", params: { count: 3 } }',
      '  event: { type: com.example.order.created, params: { count: "${ event.data.count }" } }',
    ),
  );
  assert.deepEqual(flow.params, {
    table: { type: 'text', oneOf: ['orders', 'users'], default: 'orders', description: 'Which one.' },
    count: { type: 'integer', description: '' },
  });
  assert.deepEqual(flow.on.cron[0]?.params, { count: 3 });
  assert.deepEqual(flow.on.events[0]?.params, { count: '${ event.data.count }' });
});

test('the tree of steps: route, each, set, onError, with the place of each step', () => {
  const { steps } = readJob(`job: tree
steps:
  - name: fetch
    if: \${ run.id > 0 }
    http: { url: https://inventory.example/items }
    timeout: 5s
    onError:
      - fail: no inventory
  - route:
      match: all
      branches:
        - name: many
          if: length(steps.fetch.body) > 10
          steps:
            - each: { of: "\${ steps.fetch.body }", as: one, atOnce: 4, steps: [{ set: { last: "\${ one }" } }] }
        - else: true
          steps: [noop]
    onError: continue
`);
  const [fetch, route] = steps;
  assert.ok(fetch?.kind === 'action' && route?.kind === 'route');
  assert.deepEqual([fetch.name, fetch.if, fetch.timeoutMs], ['fetch', 'run.id > 0', 5_000]);
  assert.deepEqual(fetch.onError.then === 'steps' && fetch.onError.steps[0]?.path, 'steps[0].onError.steps[0]');
  assert.deepEqual([route.match, route.onError, route.path], ['all', { then: 'continue' }, 'steps[1]']);
  assert.deepEqual(
    route.branches.map(({ name, if: condition }) => [name, condition]),
    [
      ['many', 'length(steps.fetch.body) > 10'],
      ['branch 2', null],
    ],
  );
  const [each] = route.branches[0]?.steps ?? [];
  assert.ok(each?.kind === 'each');
  assert.deepEqual(
    [each.of, each.as, each.atOnce, each.path],
    ['steps.fetch.body', 'one', 4, 'steps[1].route[0].steps[0]'],
  );
  assert.equal(each.steps[0]?.path, 'steps[1].route[0].steps[0].each.steps[0]');
});

test('rules: resources inline, from a file, over HTTP with paging, from AWS', () => {
  const [only] = read(`policySet: all
rules:
  - { rule: a, resources: [{ id: 1 }], compliant: true }
  - { rule: b, resources: { file: inventory.json, each: items, id: arn }, compliant: "\${ ok }" }
  - rule: c
    resources: { http: https://x.example/, headers: { authorization: "Bearer \${ secret.TOKEN }" }, each: body.items, next: body.next }
    compliant: ok
  - rule: d
    resources:
      aws: ec2.volume
      regions: [eu-central-1, us-east-1]
      credentials: { accessKeyId: AKIA, secretAccessKey: "\${ secret.AWS }" }
    compliant: Encrypted
`);
  const rules = (only!.flow as PolicySet).rules;
  assert.deepEqual(
    rules.map(({ resources }) => resources),
    [
      { from: { kind: 'inline', items: [{ id: 1 }] }, id: 'id', name: null },
      { from: { kind: 'file', path: 'inventory.json', each: 'items' }, id: 'arn', name: null },
      {
        from: {
          kind: 'http',
          headers: { authorization: 'Bearer ${ secret.TOKEN }' },
          each: 'body.items',
          next: 'body.next',
          url: 'https://x.example/',
        },
        id: 'id',
        name: null,
      },
      {
        from: {
          kind: 'aws',
          regions: ['eu-central-1', 'us-east-1'],
          credentials: { accessKeyId: 'AKIA', secretAccessKey: '${ secret.AWS }' },
          endpoint: null,
          type: 'ec2.volume',
        },
        id: 'id',
        name: null,
      },
    ],
  );
  assert.equal(rules[0]?.compliant, 'true');
});

test('aliases stand for what they name, and a document may be empty', () => {
  const flow = readJob(
    'job: x\nsteps:\n  - http: &call { url: https://a.example/ }\n  - http: *call\n---\n# nothing\n---\n',
  );
  assert.deepEqual(
    flow.steps.map((step) => step.kind === 'action' && step.input),
    [{ url: 'https://a.example/' }, { url: 'https://a.example/' }],
  );
  assert.deepEqual(read(''), []);
  assert.deepEqual(read('# only a comment\n'), []);
});

test('names of values stay what they are, __proto__ included', () => {
  const flow = readJob(
    'job: x\nsteps:\n  - http: { url: https://a.example/, body: { __proto__: 1, on: yes, n: 010 } }\n',
  );
  const [step] = flow.steps;
  assert.ok(step?.kind === 'action');
  assert.equal(JSON.stringify(step.input), '{"url":"https://a.example/","body":{"__proto__":1,"on":"yes","n":10}}');
});

test('a command is kept as its words, however it was written: a template becomes one of them', () => {
  const steps = (line: string): Job['steps'] => readJob(`job: a\nparams: { table: text }\nsteps:\n  - ${line}\n`).steps;
  const words = steps('run: ./reindex.sh "a b" ${ params.table }');
  assert.deepEqual((words[0] as { input: unknown }).input, { command: ['./reindex.sh', 'a b', '${ params.table }'] });
  assert.deepEqual(steps('run: [./reindex.sh, a b, "${ params.table }"]'), words);
});
