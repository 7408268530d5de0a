// `bellwire scenario`, `shapes`, `trigger` and `push` of scenarios: what people read, and what leads out of a folder.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createPresetVerifier } from '@bellwire/receiver';
import { bellwire, documents, startGround } from './cli-ground.ts';

let ground: Awaited<ReturnType<typeof startGround>>;

const AUDIT = `scenario: audit
on: { hook: { verify: greenlake, secret: KEY, shapes: [samples/event.json] } }
steps:
  - route:
      - { name: asked, if: exists(body.data.challengeRequest), steps: [noop] }
      - { name: events, else: true, steps: [{ set: { who: "\${ body.data.user } \${ secret.KEY }" } }] }
tests:
  - { send: samples/event.json, expect: { route: events, reply: 200 } }
`;

const write = (name: string, text: string): void => writeFileSync(join(ground.folder, name), text);

before(async () => {
  ground = await startGround();
  mkdirSync(join(ground.folder, 'flows/samples'), { recursive: true });
  mkdirSync(join(ground.folder, 'out'));
  write('flows/audit.yaml', AUDIT);
  write('flows/samples/event.json', '{"id":"e-1","data":{"user":"jo"}}');
  write('hidden.json', '{}');
  write('out/out.yaml', 'scenario: out\non: { hook: { shapes: [link.json] } }\n');
  symlinkSync(join(ground.folder, 'hidden.json'), join(ground.folder, 'out/link.json'));
});
after(() => ground.stop());

function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return bellwire(args, { folder: ground.folder, stdin: '' });
}

test('R75 R76 R102 bellwire test, push and scenario: the file, its samples, the URL of its hook', async () => {
  const tested = await run('test', 'flows');
  assert.deepEqual([tested.code, tested.stdout], [0, '✔ scenario audit  1 test\n1 document, 1 test\n']);
  const pushed = await run('push', 'flows');
  assert.equal(pushed.code, 0, pushed.stderr);
  assert.match(
    pushed.stdout,
    /^created {2}scenario audit\n {4}hook {2}http:\/\/127\.0\.0\.1:\d+\/hooks\/[\w-]{32} {2}verified: greenlake$/m,
  );
  const shown = await run('scenario', 'show', 'audit');
  assert.match(shown.stdout, /hook +POST \/hooks\/[\w-]{32}\n/);
  const first = (await run('scenario', 'url', 'audit')).stdout.trim();
  assert.match(first, /^http:\/\/127\.0\.0\.1:\d+\/hooks\/[\w-]{32}$/);
  const second = (await run('scenario', 'url', 'audit', '--renew')).stdout.trim();
  assert.notEqual(second, first);
  const [listed] = documents(await run('scenario', 'list', '--json')) as { hook: { path: string } }[];
  assert.ok(second.endsWith(listed?.hook.path ?? '?'));
  assert.equal((await run('scenario', 'delete', 'audit')).code, 0);
});

test('a sample does not lead out of the folder of its document, by a link neither', async () => {
  const { code, stderr } = await run('test', 'out');
  assert.equal(code, 2);
  assert.match(stderr, /the sample out\/link\.json leads out of the folder of its document/);
});

test('R104 R105 scenario run: the route with its filters, what steps were given, the reply; secrets masked', async () => {
  const { code, stdout } = await run(
    'scenario',
    'run',
    'audit',
    '--sample',
    'flows/samples/event.json',
    '--secret',
    'KEY=hush',
  );
  assert.equal(code, 0);
  assert.match(stdout, /^scenario audit, shape event$/m);
  assert.match(stdout, /^ {6}asked {2}its filter does not hold: exists\(body\.data\.challengeRequest\) \(false\)$/m);
  assert.match(stdout, /^ {4}→ events {2}no other branch fits$/m);
  assert.ok(stdout.includes('{"who":"jo •') && !stdout.includes('hush'), stdout);
  assert.match(stdout, /^reply 200$/m);
  const refused = await run('scenario', 'run', 'audit', 'flows', '--method', 'PUT', '--json');
  assert.equal(refused.code, 1);
  assert.equal((documents(refused)[0] as { reason: string }).reason, 'it takes POST only');
});

test('R79 shapes: of samples as fields, of documents as TypeScript', async () => {
  const fields = await run('shapes', 'flows/samples/event.json', '--name', 'audit');
  assert.equal(fields.stdout, 'shapes:\n  audit:\n    fields:\n      id: text\n      data:\n        user: text\n');
  const types = await run('shapes', 'flows/audit.yaml', '--ts');
  assert.match(types.stdout, /^export interface Event \{\n {2}id: string;$/m);
  assert.equal((await run('shapes', 'flows', '--ts')).stdout, types.stdout);
});

test('R91 trigger: the example of a type, changed, signed, and sent to any URL', async () => {
  const seen: { headers: Headers; body: Buffer }[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat((await request.toArray()) as Buffer[]);
      seen.push({ headers: new Headers(request.headers as Record<string, string>), body });
      response.writeHead(request.url === '/no' ? 418 : 200).end('heard');
    })();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const fired = await run(
      'trigger',
      'bellwire.job.completed',
      '--to',
      url,
      '--set',
      'data.id=7',
      '--set',
      'id=e-7',
      '--secret',
      's3cr3t',
    );
    assert.deepEqual([fired.code, fired.stderr], [0, '']);
    const [{ headers, body }] = seen as [(typeof seen)[0]];
    const event = JSON.parse(body.toString()) as { id: string; type: string; data: { id: number } };
    assert.deepEqual([event.id, event.type, event.data.id], ['e-7', 'bellwire.job.completed', 7]);
    const verify = createPresetVerifier({ preset: 'greenlake', secret: 's3cr3t' });
    assert.equal((await verify({ method: 'POST', headers, body })).kind, 'accepted');
    assert.equal((await run('trigger', 'bellwire.job.completed', '--to', `${url}/no`)).code, 1);
    assert.equal((await run('trigger', 'bellwire.job.completed')).code, 2);
    write('standard.yaml', 'scenario: standard\non: { hook: { verify: standard-webhooks, secret: TRIGGERED } }\n');
    write('github.yaml', 'scenario: github\non: { hook: { verify: github, secret: TRIGGERED } }\n');
    await run('push', 'standard.yaml', 'github.yaml');
    const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
    await bellwire(['secret', 'set', 'TRIGGERED'], { folder: ground.folder, stdin: secret });
    const own = await run('trigger', 'bellwire.job.completed', '--hook', 'standard', '--secret', secret);
    assert.deepEqual([own.code, own.stderr], [0, '']);
    assert.match(own.stdout, /^signed +standard-webhooks$/m);
    assert.match((await run('trigger', 'bellwire.job.completed', '--hook', 'standard')).stderr, /sign with --secret/);
    const other = await run('trigger', 'bellwire.job.completed', '--hook', 'github', '--secret', secret);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /the hook verifies by github, and trigger signs as greenlake or standard-webhooks only/);
  } finally {
    server.close();
  }
});
