// `bellwire group` and `bellwire post-processing` against a running platform: what people read, and what --json gives.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startReceiver, type TestReceiver } from '../../test/kit/receiver.ts';
import { bellwire, documents, startGround } from './cli-ground.ts';

let ground: Awaited<ReturnType<typeof startGround>>;
let receiver: TestReceiver;

before(async () => {
  ground = await startGround();
  receiver = await startReceiver();
});
after(async () => {
  await ground.stop();
  await receiver.stop();
});

async function run(args: readonly string[], stdin = '') {
  return bellwire(args, { folder: ground.folder, stdin });
}

/** Runs a command that must succeed. */
async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  assert.deepEqual([code, stderr], [0, ''], `${args.join(' ')}: ${stderr}`);
  return stdout;
}

async function fails(...args: string[]): Promise<[number | null, string]> {
  const { code, stdout, stderr } = await run(args);
  assert.equal(stdout, '');
  return [code, stderr];
}

test('R18 R19 R44 R45 group and post-processing: add, list, show, change, test, rm', async () => {
  assert.match(await ok('group', 'list'), /There is no group yet: bellwire group add/);
  assert.match(await ok('group', 'add', 'operations'), /^operations is made \(grp_/);
  const made = await ok(
    'post-processing',
    'add',
    'ops hook',
    receiver.url,
    '--group',
    'operations',
    '--authorization',
    'CAAuth x',
  );
  assert.match(
    made,
    /^ops hook is made \(pp_\w+\)\nSend it a test request: bellwire post-processing test 'ops hook'\n$/,
  );
  await ok('post-processing', 'add', 'oncall', '--to', 'a@example.com,b@example.com', '--universal');
  const listed = await ok('post-processing', 'list');
  assert.match(listed, /^NAME +GROUP +KIND +TO/);
  assert.match(listed, /ops hook +operations +webhook +http:\/\/127\.0\.0\.1/);
  assert.match(listed, /oncall +\(all\) +email +a@example\.com/);
  const shown = await ok('post-processing', 'show', 'ops hook');
  assert.match(shown, /authorization +set, never shown/);
  assert.match(shown, /interval +the platform’s/);
  assert.doesNotMatch(shown, /CAAuth/);
  await ok('post-processing', 'change', 'ops hook', '--name', 'ops-hook', '--interval', '5s', '--success', '2xx');
  const [changed] = documents({ stdout: await ok('post-processing', 'show', 'ops-hook', '--json') });
  assert.deepEqual(
    [changed?.['intervalMs'], changed?.['success'], changed?.['hasAuthorization']],
    [5_000, '2xx', true],
  );
  assert.match(
    await ok('post-processing', 'test', 'ops-hook'),
    /^ops-hook took the test request \(answered 200\), \d+ ms\n$/,
  );
  await ok('post-processing', 'test', 'ops-hook', '--as', 'policy');
  assert.match(receiver.requests[1]!.body.toString(), /"type":"policy"/);
  receiver.behave({ status: 500 });
  const failed = await run(['post-processing', 'test', 'ops-hook']);
  assert.deepEqual(
    [failed.code, failed.stdout.replace(/\d+ ms/, 'N ms')],
    [1, 'ops-hook did not take the test request: answered 500, N ms\n'],
  );
  const [code, words] = await fails('group', 'rm', 'operations');
  assert.equal(code, 1);
  assert.match(words, /post-processings belong to it: ops-hook/i);
  assert.match(await ok('post-processing', 'rm', 'ops-hook'), /^ops-hook is gone\n$/);
  assert.match(await ok('group', 'rename', 'operations', 'ops'), /operations is ops now/);
  await ok('group', 'delete', 'ops');
  await ok('post-processing', 'delete', 'oncall');
});

test('R7 R9 what cannot be meant is said in the words of the command line', async () => {
  const [code, words] = await fails('post-processing', 'add', 'x');
  assert.deepEqual(
    [code, words],
    [2, 'bellwire: post-processing add needs a URL, or --to with addresses for an e-mail\n'],
  );
  const [, universal] = await fails('post-processing', 'add', 'x', receiver.url, '--universal');
  assert.match(universal, /Only an e-mail may be for all groups/);
  const [, unknown] = await fails('post-processing', 'add', 'x', receiver.url, '--group', 'nobody');
  assert.match(unknown, /There is no group "nobody"/);
  assert.deepEqual(await fails('post-processing', 'show', 'x'), [
    5,
    'bellwire: there is no post-processing "x"; see: bellwire post-processing list\n',
  ]);
});

test('R13 the Authorization value can come from stdin, out of sight', async () => {
  await ok('group', 'add', 'g');
  const { code, stderr } = await run(
    ['post-processing', 'add', 'hidden', receiver.url, '--group', 'g', '--authorization-stdin'],
    'CAAuth from stdin\n',
  );
  assert.equal(code, 0, stderr);
  receiver.behave({});
  await ok('post-processing', 'test', 'hidden');
  assert.equal(receiver.requests.at(-1)!.headers.authorization, 'CAAuth from stdin');
});
