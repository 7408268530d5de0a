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
