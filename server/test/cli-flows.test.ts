// `bellwire push`, `test`, `job`, `policy`, `secret` against a running platform: what people read, and what --json gives.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bellwire, documents, startGround } from './cli-ground.ts';

let ground: Awaited<ReturnType<typeof startGround>>;

before(async () => {
  ground = await startGround();
  mkdirSync(join(ground.folder, 'flows/deeper'), { recursive: true });
});
after(() => ground.stop());

function write(name: string, text: string): void {
  writeFileSync(join(ground.folder, name), text);
}

async function run(
  args: readonly string[],
  stdin = '',
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return bellwire(args, { folder: ground.folder, stdin });
}

/** Runs a command that must succeed; what it wrote to stdout. */
async function ok(args: readonly string[], stdin = ''): Promise<string> {
  const { code, stdout, stderr } = await run(args, stdin);
  assert.deepEqual([code, stderr], [0, ''], args.join(' '));
  return stdout;
}

const NIGHTLY = `job: nightly
description: Rebuilds the index.
params: { table: { oneOf: [orders, users], default: orders }, rows: { type: integer, default: 1 } }
on: { cron: "0 2 * * *", timezone: Asia/Tokyo }
steps: [noop]
tests:
  - { name: nothing happens, expect: { route: [] } }
`;
const BASELINE = `policySet: baseline
rules:
  - { rule: closed, resources: [{ id: a, open: false }, { id: b, open: true }], compliant: "\${ !open }", detail: OPEN }
tests:
  - { resource: { id: a, open: true }, expect: { compliance: NON_COMPLIANT, detail: OPEN } }
`;

test('bellwire test: documents are checked and their tests played, without a platform', async () => {
  write('flows/nightly.yaml', NIGHTLY);
  write('flows/deeper/baseline.yml', BASELINE);
  write('flows/notes.txt', 'no document');
  assert.equal(
    await ok(['test', 'flows']),
    '✔ policy set baseline  1 test\n✔ job nightly  1 test\n2 documents, 2 tests\n',
  );
  const json = documents({ stdout: await ok(['test', 'flows/nightly.yaml', '--json']) });
  assert.deepEqual(json, [
    {
      kind: 'job',
      name: 'nightly',
      file: 'flows/nightly.yaml',
      line: 1,
      tests: [{ name: 'nothing happens', line: 7, wrong: [] }],
    },
  ]);
  const wrong = await run(['test', '-'], BASELINE.replace('compliance: NON_COMPLIANT', 'compliance: COMPLIANT'));
  assert.equal(wrong.code, 1);
  assert.match(
    wrong.stdout,
    /✖ policy set baseline {2}1 test\n {4}✖ test 1 \(stdin:5\)\n {8}NON_COMPLIANT; expected: COMPLIANT\n1 document, 1 test, 1 failed\n/,
  );
});

test('errors name file, line and the words expected, in bellwire test and in bellwire push', async () => {
  write('bad.yaml', 'job: x\ntimout: 1m\nsteps:\n  - htpp: https://a.example/\n');
  const lines = [
    'bellwire: bad.yaml:2:1: there is no field of a job called "timout"; did you mean timeout?',
    '  bad.yaml:4:5: there is no action "htpp"; did you mean http?',
  ];
  const tested = await run(['test', 'bad.yaml']);
  assert.deepEqual([tested.code, tested.stdout, tested.stderr], [1, '', `${lines.join('\n')}\n`]);
  const pushed = await run(['push', 'bad.yaml']);
  assert.deepEqual([pushed.code, pushed.stdout], [1, '']);
  assert.equal(pushed.stderr, `${lines[0]} (invalid-document)\n${lines[1]?.replace('4:5:', '4:5:')}\n`);
  const missing = await run(['push', 'nowhere']);
  assert.deepEqual([missing.code, missing.stderr], [2, 'bellwire: cannot read nowhere: there is no such file\n']);
});

test('bellwire push, with --dry-run and a readable diff; --prune deletes what is in no file', async () => {
  write('flows/nightly.yaml', NIGHTLY);
  const dry = await ok(['push', 'flows', '--dry-run']);
  assert.equal(
    dry,
    'created  policy set baseline\ncreated  job nightly\nNothing was changed: this is what a push would do.\n',
  );
  assert.equal(await ok(['job', 'list']), 'There is no job yet: bellwire push <path>\n');
  assert.equal(await ok(['push', 'flows']), 'created  policy set baseline\ncreated  job nightly\n');
  write('flows/nightly.yaml', NIGHTLY.replace('0 2 * * *', '0 3 * * *'));
  assert.equal(
    await ok(['push', 'flows/nightly.yaml']),
    [
      'changed  job nightly',
      '      job: nightly',
      '      description: Rebuilds the index.',
      '      params: { table: { oneOf: [orders, users], default: orders }, rows: { type: integer, default: 1 } }',
      '    - on: { cron: "0 2 * * *", timezone: Asia/Tokyo }',
      '    + on: { cron: "0 3 * * *", timezone: Asia/Tokyo }',
      '      steps: [noop]',
      '      tests:',
      '        - { name: nothing happens, expect: { route: [] } }',
      'absent   policy set baseline: in no file; --prune deletes it',
      '',
    ].join('\n'),
  );
  const pruned = await ok(['push', 'flows/nightly.yaml', '--prune']);
  assert.equal(pruned, 'same     job nightly\ndeleted  policy set baseline\n');
  await ok(['push', 'flows/deeper']);
});

test('job list, show, runs, delete; policy list, show, delete', async () => {
  assert.match(
    await ok(['job', 'list']),
    /^ID +NAME +BEGINS BY +DESCRIPTION\n\d+ +nightly +0 3 \* \* \* +Rebuilds the index\.\n$/,
  );
  const shown = await ok(['job', 'show', 'nightly']);
  assert.match(shown, /cron +0 3 \* \* \* \(Asia\/Tokyo\)\n[^]*\n\njob: nightly\n/);
  const [job] = documents({ stdout: await ok(['job', 'show', 'nightly', '--json']) });
  assert.equal(job?.['name'], 'nightly');
  assert.equal(await ok(['job', 'runs', 'nightly']), 'There is no run.\n');
  assert.match(await ok(['policy', 'list']), /baseline/);
  const near = await run(['job', 'show', 'nightli']);
  assert.deepEqual(
    [near.code, near.stderr],
    [5, 'bellwire: There is no job "nightli" here; did you mean nightly? (not-found)\n'],
  );
  assert.equal(await ok(['policy', 'delete', 'baseline']), 'baseline is gone; what its runs left stays for a while\n');
});

test('the token of an HTTP trigger is shown once by push, and again only as another one', async () => {
  const pushed = await ok(['push', '-'], 'job: triggered\non: { http: true }\nsteps: [noop]\n');
  assert.match(
    pushed,
    /^created +job triggered\n +trigger +POST \/trigger\/[\w-]{32}\n +shown once +Authorization: CAAuth [\w-]{32}\n/,
  );
  assert.doesNotMatch(await ok(['job', 'show', 'triggered']), /CAAuth/);
  assert.match(await ok(['job', 'renew-trigger', 'triggered']), /has another trigger[^]*CAAuth/);
});

test('job run: parameters by their types; what is wrong is said by the platform', async () => {
  const wrong = await run(['job', 'run', 'nightly', '-p', 'table=all', '-p', 'rows=x']);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /table must be one of "orders", "users"\./);
  assert.match(wrong.stderr, /rows must be an integer\./);
  const bad = await run(['job', 'run', 'nightly', '-p', 'table']);
  assert.deepEqual([bad.code, bad.stderr], [2, 'bellwire: -p takes name=value, not "table"\n']);
});

test('secrets come from stdin, never from the command line, and are never shown', async () => {
  assert.equal(
    await ok(['secret', 'set', 'TOKEN'], 'hunter2-hunter2\n'),
    'TOKEN is set; flows say ${ secret.TOKEN }\n',
  );
  assert.match(await ok(['secret', 'list']), /^NAME +SET\nTOKEN +2\d{3}-/);
  const argv = await run(['secret', 'set', 'TOKEN', 'hunter2']);
  assert.equal(argv.code, 2);
  const empty = await run(['secret', 'set', 'TOKEN']);
  assert.equal(empty.code, 2);
  const noted = await run(['push', '-'], 'job: s\nsteps:\n  - fail: "${ secret.OTHER }"\n');
  assert.deepEqual([noted.code, noted.stderr], [0, 's uses the secret OTHER, which is not set yet.\n']);
  assert.equal(await ok(['secret', 'delete', 'TOKEN']), 'TOKEN is gone\n');
  assert.equal(await ok(['secret', 'list']), 'There is no secret yet: bellwire secret set <name>\n');
});

/** Runs a command with --follow until its end; its exit code and what it wrote. */
async function followed(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return run([...args, '--follow']);
}

test('job run --follow: the live log, and the exit code of the run: 0 completed, 1 failed, 6 aborted', async () => {
  await ok(
    ['push', '-'],
    `job: well
params: { who: { default: you } }
steps:
  - { name: greet, set: { hello: "hello \${ params.who }" } }
  - { name: pause, wait: 20ms }
---
job: badly
steps: [{ name: refuse, fail: not today }]
---
job: long
steps: [{ wait: 1h }]
`,
  );
  const well = await followed('job', 'run', 'well', '-p', 'who=me');
  assert.equal(well.code, 0, well.stderr);
  assert.match(well.stderr, /^run \d+: Ctrl-C leaves it running; bellwire job abort \d+ ends it\n$/);
  assert.match(well.stdout, /completed in .*\n$/);
  const badly = await followed('job', 'run', 'badly');
  assert.equal(badly.code, 1, badly.stderr);
  assert.match(badly.stdout, /refuse: not today[^]*failed.*not today\n$/);
  const [asked] = documents({ stdout: await ok(['job', 'run', 'long', '--json']) });
  const id = String(asked?.['id']);
  const watching = followed('job', 'log', id);
  assert.match(await ok(['job', 'abort', id]), /^run \d+ (was asked to end|is aborted)\n$/);
  const aborted = await watching;
  assert.equal(aborted.code, 6, aborted.stderr);
  assert.match(aborted.stdout, /aborted/);
  const again = await run(['job', 'abort', id]);
  assert.deepEqual(
    [again.code, again.stderr],
    [1, 'bellwire: It is aborted: there is nothing to abort. (wrong-state)\n'],
  );
});

test('job log, steps and runs show what a run left behind', async () => {
  const [last] = documents({ stdout: await ok(['job', 'runs', 'well', '--json']) });
  assert.deepEqual([last?.['state'], (last!['params'] as Record<string, unknown>)['who']], ['completed', 'me']);
  const steps = await ok(['job', 'steps', String(last?.['id'])]);
  assert.match(steps, /greet {2}set {2}completed[^]*hello me[^]*pause {2}wait {2}completed/);
  assert.match(await ok(['job', 'runs']), /^ID +NAME +STATE[^]*badly +failed/);
  const [badly] = documents({ stdout: await ok(['job', 'runs', 'badly', '--json']) });
  assert.match(await ok(['job', 'log', String(badly?.['id'])]), /not today/);
  const wrong = await run(['job', 'log', 'badly']);
  assert.deepEqual(
    [wrong.code, wrong.stderr],
    [2, 'bellwire: the run is named by its number, as bellwire job runs lists it, not "badly"\n'],
  );
});

test('policy run, results, history: what an evaluation found', async () => {
  await ok(['push', '-'], BASELINE);
  const evaluated = await followed('policy', 'run', 'baseline');
  assert.equal(evaluated.code, 0, evaluated.stderr);
  const [last] = documents({ stdout: await ok(['policy', 'runs', 'baseline', '--json']) });
  const id = String(last?.['id']);
  const results = await ok(['policy', 'results', id]);
  assert.match(
    results,
    /RULE +STATUS +FOUND[^]*closed +completed[^]*COMPLIANCE[^]*NON_COMPLIANT +closed +b[^]*COMPLIANT +closed +a/,
  );
  const bad = documents({ stdout: await ok(['policy', 'results', id, '--compliance', 'NON_COMPLIANT', '--json']) });
  assert.deepEqual(
    bad.map((one) => [one['id'], one['detail']]),
    [['b', 'OPEN']],
  );
  assert.match(
    await ok(['policy', 'history', 'baseline', 'closed', 'b']),
    /NON_COMPLIANT {2}OPEN {2}\(evaluation \d+\)/,
  );
  assert.match(await ok(['policy', 'log', id]), /closed/);
});

test('policy run --follow: a rule that cannot be evaluated says why in the policy log, and the exit code is 1', async () => {
  await ok(
    ['push', '-'],
    `policySet: half
rules:
  - { rule: unread, resources: { file: nowhere.json }, compliant: true }
  - { rule: judged, resources: [{ id: a }], compliant: true }
`,
  );
  const { code, stdout, stderr } = await followed('policy', 'run', 'half');
  assert.equal(code, 1, stderr);
  assert.match(stdout, /unread: failed: files may not be used[^]*judged: 1 COMPLIANT; 0 changed since last time/);
  assert.match(stdout, /failed.*unread: files may not be used/);
});
