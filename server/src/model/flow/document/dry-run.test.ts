// `tests:` of documents, played: jobs walked through without doing anything, rules judging one resource.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playTest } from './dry-run.ts';
import { faultLine, readFlows } from './index.ts';

const NOW = Date.UTC(2026, 10, 22, 9, 30);

/** What each test of the first document came to, by its name. */
function play(text: string): Record<string, readonly string[]> {
  const result = readFlows([{ name: 'flows.yaml', text }]);
  if (!result.ok) assert.fail(result.faults.map(faultLine).join('\n'));
  const [document] = result.documents;
  assert.ok(document);
  return Object.fromEntries(document.tests.map((one) => [one.name, playTest(document.flow, one, NOW)]));
}

const ORDERS = `job: orders
params: { limit: { type: number, default: 100 } }
on: { event: com.example.order.created }
steps:
  - name: fetch
    http: "https://shop.example/orders/\${ event.data.order }"
  - route:
      - name: large
        if: \${ steps.fetch.body.total > params.limit }
        steps:
          - set: { subject: "order \${ event.data.order } is large" }
          - name: tell
            mail: { to: ops@example.com, subject: "\${ subject }", text: "see \${ steps.fetch.body.url }" }
            onError: [{ set: { untold: "\${ error.message }" } }]
      - name: rest
        else: true
        steps: [noop]
  - name: done
    if: \${ exists(untold) }
    fail: "not told: \${ untold }"
`;

test('bellwire test: a job is walked through: routes, conditions, inputs, failures and what they lead to', () => {
  const outcomes = play(`${ORDERS}tests:
  - name: large
    event: { data: { order: 7 } }
    steps: { fetch: { body: { total: 120, url: https://shop.example/7 } } }
    expect:
      route: large
      ran: [fetch, tell]
      skipped: [done]
      inputs: { tell: { subject: order 7 is large, text: see https://shop.example/7 }, fetch: https://shop.example/orders/7 }
  - name: small
    params: { limit: 500 }
    event: { data: { order: 7 } }
    steps: { fetch: { body: { total: 120 } } }
    expect: { route: [rest], ran: fetch }
  - name: nobody is told
    event: { data: { order: 7 } }
    steps: { fetch: { body: { total: 120, url: x } } }
    fails: { tell: no mail server }
    expect: { status: failed, ran: [fetch, tell, done], inputs: { done: 'not told: tell: no mail server' } }
  - name: the shop is down
    event: { data: { order: 7 } }
    fails: { fetch: answered 503 }
    expect: { status: failed, ran: [fetch], route: [] }
`);
  assert.deepEqual(outcomes, { large: [], small: [], 'nobody is told': [], 'the shop is down': [] });
});

test('bellwire test: what is otherwise than expected is said in words', () => {
  const outcomes = play(`${ORDERS}tests:
  - event: { data: { order: 7 } }
    steps: { fetch: { body: { total: 120, url: x } } }
    expect: { status: failed, route: [rest], skipped: [tell], inputs: { tell: { to: dev@example.com }, done: x } }
  - name: fails
    event: { data: { order: 7 } }
    fails: { fetch: answered 503 }
    expect: { ran: [] }
`);
  assert.deepEqual(outcomes, {
    'test 1': [
      'the job would have completed; expected: failed',
      'route: large; expected: rest',
      'the step tell ran; expected: skipped',
      'the input of tell.to is "ops@example.com"; expected: "dev@example.com"',
      'the step done was given nothing: it did not run',
    ],
    fails: ['the job would have failed (fetch: answered 503); expected: completed', 'ran: fetch; expected: none'],
  });
});

test('bellwire test: loops see their item, steps of an item do not leave it, and a loop without a list fails', () => {
  const loop = `job: loop
steps:
  - each:
      of: \${ event.items }
      as: one
      steps:
        - { set: { last: "\${ one }" } }
        - { name: check, if: "\${ last == 'b' }", fail: "found \${ last }" }
tests:
  - { name: found, event: { items: [a, b, c] }, expect: { status: failed, inputs: { check: found b } } }
  - { name: none, event: { items: [a] }, expect: { skipped: check } }
  - { name: no list, event: { items: 7 }, expect: { status: failed } }
`;
  assert.deepEqual(play(loop), { found: [], none: [], 'no list': [] });
});

test('bellwire test: a rule judges one resource, with both verdicts and their detail', () => {
  const outcomes = play(`policySet: storage
params: { prefix: { default: prod } }
rules:
  - rule: encrypted
    resources: { aws: ec2.volume, regions: [eu-central-1], id: VolumeId }
    applies: \${ startsWith(Name, params.prefix) }
    compliant: Encrypted
    detail: NOT_ENCRYPTED
tests:
  - { name: good, resource: { VolumeId: v1, Name: prod-1, Encrypted: true }, expect: { compliance: COMPLIANT, detail: } }
  - { name: bad, resource: { VolumeId: v1, Name: prod-1, Encrypted: false }, expect: { compliance: NON_COMPLIANT, detail: NOT_ENCRYPTED } }
  - { name: other, rule: encrypted, params: { prefix: test }, resource: { VolumeId: v1, Name: prod-1 }, expect: NOT_APPLICABLE }
  - { name: unknown, resource: { VolumeId: v1, Name: prod-1 }, expect: INSUFFICIENT_DATA }
  - { name: wrong, resource: { VolumeId: v1, Name: prod-1, Encrypted: false }, expect: COMPLIANT }
  - { name: nobody, resource: { Name: prod-1 }, expect: COMPLIANT }
`);
  const { nobody, ...others } = outcomes;
  assert.deepEqual(others, {
    good: [],
    bad: [],
    other: [],
    unknown: [],
    wrong: ['NON_COMPLIANT; expected: COMPLIANT'],
  });
  assert.match(nobody?.[0] ?? '', /has no id/);
});

test('bellwire test: secrets have stand-ins in jobs and in rules, however they are named; rules see the run', () => {
  const job = `job: signed
steps:
  - { name: call, http: { url: https://a.example/, headers: { x: "\${ secret['TOKEN'] }" } } }
tests:
  - expect: { inputs: { call: { headers: { x: the-secret-TOKEN } } } }
`;
  assert.deepEqual(play(job), { 'test 1': [] });
  const set = `policySet: young
rules:
  - rule: made-by-us
    resources: [{ id: a }]
    compliant: owner == secret.OWNER && run.name == 'young'
tests:
  - { resource: { id: a, owner: the-secret-OWNER }, expect: COMPLIANT }
  - { resource: { id: a, owner: others }, expect: NON_COMPLIANT }
`;
  assert.deepEqual(play(set), { 'test 1': [], 'test 2': [] });
});

test('faults of tests: steps, rules, parameters and verdicts that are not there', () => {
  const faults = (text: string): string[] => {
    const result = readFlows([{ name: 't.yaml', text }]);
    return result.ok ? [] : result.faults.map(faultLine);
  };
  assert.deepEqual(faults('job: x\nsteps: [{ name: a, noop: }]\ntests: [{ steps: { b: 1 }, expect: { ran: c } }]\n'), [
    't.yaml:3:20: there is no step called "b"; did you mean a?',
    't.yaml:3:43: there is no step called "c"; did you mean a?',
  ]);
  assert.deepEqual(faults('job: x\nsteps: [noop]\ntests: [{ params: { a: 1 } }]\n').length, 2);
  const [verdict = ''] = faults(
    'policySet: x\nrules: [{ rule: a, resources: [], compliant: true }]\ntests: [{ resource: {}, expect: COMPLIENT }]\n',
  );
  assert.match(verdict, /did you mean COMPLIANT\?/);
});
