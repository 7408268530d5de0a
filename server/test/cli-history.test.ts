// `bellwire run`, `request`, and the history and drafts of `bellwire scenario`, against a running platform.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bellwire, documents, startGround } from './cli-ground.ts';

let ground: Awaited<ReturnType<typeof startGround>>;
let hook: string;

const GREET = `scenario: greet
steps:
  - name: kind
    route:
      - { name: known, if: 'body.name == "ann"', steps: [{ set: { word: hello } }] }
      - { name: unknown, else: true, steps: [{ fail: nobody knows them }] }
  - reply: { status: 200, body: "\${ word } \${ body.name }" }
`;
const MENDED = GREET.replace('{ fail: nobody knows them }', '{ set: { word: welcome } }');

before(async () => {
  ground = await startGround();
  mkdirSync(join(ground.folder, 'flows'), { recursive: true });
  write('flows/greet.yaml', GREET);
  await ok(['push', 'flows']);
  hook = (documents({ stdout: await ok(['scenario', 'url', 'greet', '--json']) })[0] as { url: string }).url;
});
after(() => ground.stop());

function write(name: string, text: string): void {
  writeFileSync(join(ground.folder, name), text);
}

async function ok(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await bellwire(args, { folder: ground.folder, env });
  assert.deepEqual([code, stderr], [0, ''], args.join(' '));
  return stdout;
}

async function send(body: unknown): Promise<number> {
  const headers = { 'content-type': 'application/json', 'x-api-key': 'never-shown' };
  return (await fetch(hook, { method: 'POST', headers, body: JSON.stringify(body) })).status;
}

/** The newest run, when it has ended. */
async function newest(): Promise<{ id: number; request: string; state: string }> {
  for (;;) {
    const [run] = documents({ stdout: await ok(['scenario', 'runs', 'greet', '--limit', '1', '--json']) });
    if (run?.['finishedAt']) return run as { id: number; request: string; state: string };
  }
}

test('R104 R105 bellwire run show: the route with the filters that failed, the steps, the reply, at 80 columns', async () => {
  assert.equal(await send({ name: 'bob', about: 'x'.repeat(200) }), 500);
  const { id, request } = await newest();
  const shown = await ok(['run', 'show', String(id)], { COLUMNS: '80' });
  assert.match(shown, /state {2,}failed: .*nobody knows them/);
  assert.match(shown, /route {2,}unknown\n/);
  assert.match(shown, / {6}known {2}its filter does not hold: body\.name == "ann" \(false\)\n/);
  assert.match(shown, / {4}→ unknown {2}no other branch fits\n/);
  assert.match(shown, /✖ steps\[0\]\.route\[1\]\.steps\[0\] {2}fail/);
  for (const line of shown.split('\n')) assert.ok(line.length <= 80 || line.startsWith('state'), line);
  const said = await ok(['request', 'show', request]);
  assert.match(said, /x-api-key: •••\n/);
  assert.match(said, /"name":"bob"/);
  assert.match(await ok(['scenario', 'requests', 'greet']), /req_\S+ {2}taken/);
});

test('R102 R104 bellwire scenario draft, diff, publish; run continue goes on by what was published', async () => {
  assert.equal(await send({ name: 'bob' }), 500);
  const failed = await newest();
  write('flows/greet.yaml', MENDED);
  assert.match(await ok(['push', '--draft', 'flows']), /^draft {4}scenario greet\n[^]*\+ .*welcome/);
  assert.match(await ok(['scenario', 'draft', 'greet']), /^draft of greet, begun from version 1\n/);
  assert.match(await ok(['scenario', 'draft', 'greet', '--request', failed.request]), /welcome bob\n[^]*completed\n/);
  assert.match(await ok(['scenario', 'diff', 'greet']), /- .*nobody knows them[^]*\+ .*welcome/);
  assert.match(await ok(['scenario', 'publish', 'greet']), /^greet is published, version 2\n/);
  assert.match(await ok(['scenario', 'versions', 'greet']), /2 +yes +\d+ s ago\n1 /);
  assert.match(await ok(['scenario', 'diff', 'greet', '1', 'published']), /welcome/);
  assert.match(await ok(['run', 'continue', String(failed.id)]), /^run \d+ is \w+; bellwire run show \d+/);
  const next = await newest();
  assert.equal(next.state, 'completed');
  const shown = await ok(['run', 'show', String(next.id)]);
  assert.match(shown, new RegExp(`begun by +continuing ${failed.id} \\(`));
  assert.match(shown, /reply 200\n[^]*welcome bob\n/);
  const again = await bellwire(['run', 'continue', String(next.id)], { folder: ground.folder });
  assert.notEqual(again.code, 0);
  assert.match(again.stderr, /has completed: there is nothing to continue/);
});

test('R104 bellwire run replay and request replay, live and dry', async () => {
  assert.equal(await send({ name: 'ann' }), 200);
  const { id, request } = await newest();
  const dry = await ok(['run', 'replay', String(id), '--dry']);
  assert.match(dry, /→ known {2}its filter holds[^]*hello ann\n[^]*Nothing was done/);
  assert.equal((await newest()).id, id);
  assert.match(await ok(['scenario', 'replay', String(id), '--original']), /^run \d+ is/);
  assert.notEqual((await newest()).id, id);
  assert.match(await ok(['request', 'replay', request]), /^run \d+ is/);
  const wrong = await bellwire(['request', 'replay', request, '--original'], { folder: ground.folder });
  assert.match(wrong.stderr, /--original takes the number of a run/);
  assert.match(await ok(['run', 'log', String(id)]), /^$|\d/);
});
