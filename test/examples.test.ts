// The examples as a stranger runs them: the real program, a challenge, signed events, and what must be refused.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { sign, verificationOf } from '@bellwire/receiver';
import type { SigningKey } from '@bellwire/receiver';
import { readFlows, type FlowDocument } from '../server/src/model/flow/document/index.ts';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const root = new URL('..', import.meta.url);
const auditLog = 'com.hpe.greenlake.audit-log.v1.logs.created';

const python = spawnSync('python3', ['--version']).status === 0;

const examples = [
  { file: 'node-receiver.ts', command: process.execPath, skip: false },
  { file: 'express-receiver.ts', command: process.execPath, skip: false },
  { file: 'python-receiver.py', command: 'python3', skip: !python && 'there is no python3 on this machine' },
];

/** A running example; `line()` is the next line it prints. */
async function start(command: string, file: string) {
  const child = spawn(command, [`examples/${file}`], {
    cwd: root,
    env: { ...process.env, PORT: '0', BELLWIRE_SECRET: secret },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => (await lines.next()).value ?? 'the example ended';
  const url = /^listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(await line())?.[1];
  assert.ok(url, 'the first line says where it listens');
  return { child, line, url };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill();
  await ended;
}

function event(id: string, extra: object = {}) {
  const data = { category: 'user_management', description: 'User logged out', workspace: { workspace_name: null } };
  return { specversion: '1.0', id, source: '//example/audit-log', type: auditLog, data, ...extra };
}

for (const { file, command, skip } of examples) {
  describe(`R54 R121 R122 examples/${file}`, { skip }, () => {
    let example: Awaited<ReturnType<typeof start>>;
    before(async () => {
      example = await start(command, file);
    });
    after(() => stop(example.child));

    async function post(document: unknown, keys: readonly SigningKey[], headers: Record<string, string> = {}) {
      const body = new TextEncoder().encode(typeof document === 'string' ? document : JSON.stringify(document));
      const signed = keys.length === 0 ? {} : await sign({ id: 'dlv_1', sentAt: Date.now(), body }, keys);
      const all = { 'content-type': 'application/cloudevents+json; charset=utf-8', ...signed, ...headers };
      const response = await fetch(example.url, { method: 'POST', headers: all, body });
      return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
    }

    test('R61 R66 R70 answers the challenge', async () => {
      const challengeRequest = '8cbecfea-d708-4706-bba3-669225084a10';
      const answer = await post(event('c', { data: { challengeRequest } }), [], { 'content-type': 'application/json' });
      assert.deepEqual([answer.status, answer.type], [200, 'application/json']);
      assert.deepEqual(JSON.parse(answer.text), { verification: await verificationOf(secret, challengeRequest) });
      const token = await post({ data: { challengeRequest: '{"a":1}' } }, [], { 'content-type': 'application/json' });
      assert.equal(token.status, 401);
    });

    test('R57 R58 handles a signed event once and prints one line for it', async () => {
      for (const scheme of ['v1', 'hpe'] as const) {
        const sent = event(`of-${scheme}`);
        for (let round = 0; round < 2; round++) {
          const answer = await post(sent, [{ scheme, secret }]);
          assert.deepEqual([answer.status, answer.text], [200, '']);
        }
        assert.match(await example.line(), new RegExp(`\\bof-${scheme}\\b`));
      }
      const other = await post(event('other', { type: 'some.other.type' }), [{ scheme: 'v1', secret }]);
      assert.equal(other.status, 200);
      assert.equal(await example.line(), 'some.other.type other');
    });

    test('R36 handles a batch event by event', async () => {
      const batch = [event('b1', { type: 't' }), event('b2', { type: 't' })];
      const answer = await post(batch, [{ scheme: 'v1', secret }], {
        'content-type': 'application/cloudevents-batch+json',
      });
      assert.equal(answer.status, 200);
      assert.deepEqual([await example.line(), await example.line()], ['t b1', 't b2']);
    });

    test('R55 R56 R58 refuses what it must', async () => {
      const key: SigningKey = { scheme: 'v1', secret };
      const wrong: SigningKey = { scheme: 'v1', secret: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD' };
      const text = JSON.stringify(event('x'));
      assert.equal((await fetch(example.url)).status, 405);
      assert.equal((await post(text, [key], { 'content-type': 'text/plain' })).status, 415);
      assert.equal((await post(text.slice(0, -1), [key])).status, 400);
      assert.equal((await post(text.replace('{', '{"id":"y",'), [key])).status, 400);
      assert.equal((await post({ ...event('x'), id: '' }, [key])).status, 400);
      assert.equal((await post(text, [])).status, 401);
      assert.equal((await post(text, [wrong])).status, 401);
      assert.equal((await post(text, [key], { 'webhook-timestamp': '1614265330' })).status, 401);
      assert.equal((await post(text, [key], { 'webhook-timestamp': 'hello' })).status, 401);
      assert.equal((await post(text, [key], { 'hpe-webhook-signature': '0'.repeat(64) })).status, 401);
      assert.equal((await post(event('last', { type: 't' }), [key])).status, 200);
      assert.equal(await example.line(), 't last', 'nothing of the above was handled');
    });
  });
}

test('R42 the ten rules of examples/flows: each has a test of both verdicts, and all of them pass', () => {
  const tested = spawnSync(process.execPath, ['server/src/cli.ts', 'test', 'examples/flows'], {
    cwd: root,
    encoding: 'utf8',
  });
  assert.equal(tested.status, 0, tested.stderr);
  const text = readFileSync(new URL('examples/flows/aws-baseline.yaml', root), 'utf8');
  const read = readFlows([{ name: 'aws-baseline.yaml', text }]);
  assert.ok(read.ok);
  const [{ flow, tests }] = read.documents as [FlowDocument];
  assert.ok(flow.kind === 'policy-set');
  assert.equal(flow.rules.length, 10);
  for (const { name } of flow.rules) {
    const verdicts = tests.flatMap((one) =>
      one.kind === 'policy-set' && one.rule === name ? one.expect.compliance : [],
    );
    assert.ok(verdicts.includes('COMPLIANT') && verdicts.includes('NON_COMPLIANT'), `${name}: ${verdicts.join(', ')}`);
  }
});
