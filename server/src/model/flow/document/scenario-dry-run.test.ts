// Tests of scenarios, as documents carry them: the route, the reply, the rows, and what the hook itself would say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playTest } from './dry-run.ts';
import { faultLine, readFlows } from './index.ts';
import { receiveDry } from './scenario-run.ts';

const NOW = Date.UTC(2026, 10, 22, 9, 30);
const SAMPLES = new Map([['event.json', '{"id":"e-1","data":{"user":"jo","count":2}}']]);

/** What each test of a document comes to. */
function play(text: string): (readonly string[])[] {
  const read = readFlows([{ name: 'a.yaml', text }], SAMPLES);
  if (!read.ok) assert.fail(read.faults.map(faultLine).join('\n'));
  const [document] = read.documents;
  assert.ok(document);
  return document.tests.map((one) => playTest(document.flow, one, NOW));
}

const AUDIT = `scenario: audit
on: { hook: { verify: greenlake, secret: KEY, shapes: [event.json] } }
steps:
  - route:
      - name: asked
        if: exists(body.data.challengeRequest)
        steps:
          - set: { hmac: "\${ sha256(body.data.challengeRequest ; ; secret.KEY ; ) }" }
          - reply: { headers: { content-type: application/json }, body: '{"verification":"\${ hmac }"}' }
      - name: events
        else: true
        steps:
          - { name: row, sheet.append: { to: AuditLog, row: { A: "\${ body.id }", B: "\${ body.data.nobody }" } } }
          - reply: 200
          - set: { after: the reply }
tests:
`;

test('R81 R83 R87 R88 R92 R94 R95 the challenge: its route, the formula as it was pasted, the reply with its header', () => {
  const challenge = '{ data: { challengeRequest: 8cbecfea-d708-4706-bba3-669225084a10 } }';
  const verification = '085b6a2ea9034fa67de9bba59e667a0bf63c341e7d50ab8015567205cf736e3d';
  const reply = `{ status: 200, headers: { content-type: application/json }, body: { verification: ${verification} } }`;
  const line = `  - { send: ${challenge}, secrets: { KEY: s3cr3tKey }, expect: { route: asked, rows: { AuditLog: 0 }, reply: ${reply} } }\n`;
  assert.deepEqual(play(AUDIT + line), [[]]);
});

test('R85 with a placeholder for the secret the scenario runs, and the answer is another one', () => {
  const line = '  - { send: { data: { challengeRequest: abc } }, expect: { route: asked, reply: { status: 200 } } }\n';
  assert.deepEqual(play(AUDIT + line), [[]]);
});

test('R96 R99 R101 an event takes the fallback: one row, a missing field is an empty cell', () => {
  const lines = `  - { send: event.json, expect: { route: events, ran: [row], rows: { AuditLog: [{ A: e-1, B: null }] }, reply: 200 } }
  - { send: event.json, expect: { rows: { AuditLog: 1 }, reply: { status: 200, body: null } } }
  - { send: { data: { challengeRequest: null } }, expect: { route: events } }
`;
  assert.deepEqual(play(AUDIT + lines), [[], [], []]);
});

test('bellwire test: what is otherwise than expected of a scenario is said in words', () => {
  const lines = `  - { send: event.json, expect: { route: asked, rows: { AuditLog: 2 }, reply: { status: 201, headers: { x-a: b }, body: { a: 1 } } } }
  - { send: event.json, fails: { row: the sheet is locked }, expect: { reply: 200, rows: { AuditLog: [{ A: e-2 }] } } }
  - { send: event.json, method: PUT, expect: { route: events } }
`;
  const [first, second, third] = play(AUDIT.replace('hook: {', 'hook: { methods: [POST, PUT],') + lines);
  assert.deepEqual(first, [
    'route: events; expected: asked',
    'the reply has the status 200; expected: 201',
    'the header x-a of the reply is null; expected: "b"',
    'the body of the reply is "", no JSON; expected: {"a":1}',
    '1 rows for AuditLog; expected: 2',
  ]);
  assert.deepEqual(second, [
    'the scenario would have failed (row: the sheet is locked); expected: completed',
    'the reply has the status 500 (row: the sheet is locked); expected: 200',
    '0 rows for AuditLog; expected: 1',
  ]);
  assert.deepEqual(third, []);
});

test('R80 R86 the hook itself: 200 without a reply, 400 for what fits no shape, 405 for another method', () => {
  const text = `scenario: strict
on: { hook: { shapes: [event.json], onMisfit: refuse } }
tests:
  - { send: event.json, expect: { status: completed, reply: { status: 200, body: Accepted } } }
  - { send: { id: 7 }, expect: { reply: 400 } }
  - { send: event.json, method: PUT, expect: { reply: 405 } }
  - { send: { id: 7 }, expect: { status: completed } }
`;
  const [taken, misfit, method, wrong] = play(text);
  assert.deepEqual([taken, misfit, method], [[], [], []]);
  assert.match(wrong?.[0] ?? '', /^the hook would refuse it with 400: /);
});

test('R84 query, headers and method are to hand; a stop ends the run, a second reply fails it', () => {
  const text = `scenario: x
on: { hook: { methods: [GET, POST] } }
steps:
  - { if: "method == 'GET'", stop: { as: failed, reason: "nothing for \${ query.who }" } }
  - reply: { status: 202, body: "\${ headers['x-name'] } \${ request.contentType }" }
  - { if: "query.twice == '1'", reply: 200 }
tests:
  - { method: GET, query: who=jo, expect: { status: failed, reply: 500 } }
  - { send: {}, headers: { X-Name: Jo }, expect: { reply: { status: 202, body: Jo application/json } } }
  - { send: {}, query: { twice: 1 }, expect: { status: failed, reply: 202 } }
`;
  assert.deepEqual(play(text), [[], [], []]);
});

test('the order of steps: nothing after a stop, one reply, collect in a loop', () => {
  const faults = (steps: string): string[] => {
    const read = readFlows([{ name: 'a.yaml', text: `scenario: x\nsteps:\n${steps}` }]);
    return read.ok ? [] : read.faults.map(faultLine);
  };
  assert.deepEqual(faults('  - stop\n  - reply: 200\n'), [
    'a.yaml:4:5: nothing here is ever reached: the stop before it ends the run',
  ]);
  assert.deepEqual(faults('  - reply: 200\n  - reply: 201\n'), [
    'a.yaml:4:5: a run replies once, and a reply stands before this one',
  ]);
  assert.deepEqual(faults('  - collect: 1\n'), [
    'a.yaml:3:5: collect gathers in the steps of an each, and this is none',
  ]);
  assert.deepEqual(faults('  - each: { of: body, steps: [{ collect: "${ item }" }] }\n'), []);
  const job = readFlows([{ name: 'a.yaml', text: 'job: x\nsteps: [{ reply: 200 }]\n' }]);
  assert.match(job.ok ? '' : faultLine(job.faults[0]!), /only a scenario has somebody to reply to/);
});

test('R93 a route that is put around steps takes them as they are', () => {
  const chain = ['set: { who: "${ body.who }" }', 'reply: { body: "${ who }" }'];
  const tests = 'tests:\n  - { send: { who: jo }, expect: { reply: { status: 200, body: jo } } }\n';
  const plain = `scenario: x\nsteps:\n${chain.map((step) => `  - ${step}\n`).join('')}`;
  const branch = `      - { name: one, if: exists(body.who), steps: [{ ${chain.join(' }, { ')} }] }\n`;
  const rest = '      - { name: rest, else: true, steps: [{ reply: 204 }] }\n';
  const routed = `scenario: x\nsteps:\n  - route:\n${branch}${rest}`;
  const other = '  - { send: {}, expect: { route: rest, reply: 204 } }\n';
  assert.deepEqual([play(plain + tests), play(routed + tests + other)], [[[]], [[], []]]);
});

test('R100 a status alone is an empty body without a header; a text is text, anything else JSON', () => {
  const replyOf = (said: string) => {
    const read = readFlows([{ name: 'a.yaml', text: `scenario: x\nsteps:\n  - reply: ${said}\n` }]);
    const flow = read.ok ? read.documents[0]?.flow : undefined;
    assert.ok(flow?.kind === 'scenario');
    const request = { method: 'POST', query: '', headers: [], body: new Uint8Array(), from: null };
    return receiveDry(flow, { request, secrets: {}, outputs: {}, fails: {}, now: NOW }).reply;
  };
  assert.deepEqual(replyOf('200'), { status: 200, headers: [], body: '' });
  assert.deepEqual(replyOf('{ status: 201 }'), { status: 201, headers: [], body: '' });
  assert.deepEqual(replyOf('{ body: yes it is }'), {
    status: 200,
    headers: ['content-type', 'text/plain; charset=utf-8'],
    body: 'yes it is',
  });
  assert.deepEqual(replyOf('{ body: { a: 1 }, headers: { X-A: b } }'), {
    status: 200,
    headers: ['content-type', 'application/json', 'X-A', 'b'],
    body: '{"a":1}',
  });
  assert.deepEqual(replyOf('{ headers: { x-a: "${ body.nothing }", content-type: null, x-b: b }, body: hi }'), {
    status: 200,
    headers: ['content-type', 'text/plain; charset=utf-8', 'x-b', 'b'],
    body: 'hi',
  });
});
