// What README and docs tell people to type, typed: each command runs as it stands, each filter does what its table says.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { compileFilter } from '../src/model/filter/index.ts';
import { functionSignatures, parseExpression } from '../src/model/flow/expression/index.ts';
import type { Json } from '../src/model/flow/expression/index.ts';
import { reportBody, TEST_REPORTS } from '../src/model/report-body.ts';
import { bellwire, startGround, startHandler, type Handler } from './cli-ground.ts';

const root = join(import.meta.dirname, '../..');

function page(name: string): string {
  return readFileSync(join(root, name), 'utf8');
}

/** The fenced block of a page that holds these words. */
function blockOf(name: string, words: string): string {
  const found = Array.from(page(name).matchAll(/^ *```\w*\n([^]*?)^ *```$/gm), ([, block = '']) => block);
  return found.find((block) => block.includes(words)) ?? assert.fail(`${name} has no block with ${words}`);
}

/** The commands of a block that are ours, as words; quotes are the shell's, a comment ends the line. */
function commandsOf(block: string): string[][] {
  return Array.from(block.matchAll(/^ *npx bellwire (.*?)(?: +#.*)?$/gm), ([, words = '']) =>
    Array.from(words.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g), ([, one, two, bare]) => one ?? two ?? bare ?? ''),
  );
}

const curl = spawnSync('curl', ['--version']).status === 0;

describe('the docs against a platform that runs', () => {
  let ground: Awaited<ReturnType<typeof startGround>>;
  let handler: Handler;
  before(async () => {
    ground = await startGround();
    handler = await startHandler('s3cr3tKey');
  });
  after(async () => {
    await ground.stop();
    await handler.stop();
  });
  const here = (block: string): string => block.replaceAll('http://127.0.0.1:8080/', handler.url);

  async function runAll(block: string): Promise<void> {
    for (const args of commandsOf(here(block))) {
      const { code, stderr } = await bellwire(args, { folder: ground.folder });
      assert.deepEqual([code, stderr], [0, ''], args.join(' '));
    }
  }

  test(
    'README: the requests by curl register, subscribe, publish and list',
    {
      skip: !curl && 'there is no curl on this machine',
    },
    async () => {
      const script = spawn('sh', ['-ec', here(blockOf('README.md', 'curl'))], { cwd: ground.folder });
      const [said, errors, [code]] = await Promise.all([
        text(script.stdout),
        text(script.stderr),
        once(script, 'close'),
      ]);
      assert.equal(code, 0, errors);
      const [event] = await handler.arrived(1);
      assert.deepEqual([event?.type, event?.id], ['com.example.order.created', 'order-7']);
      assert.match(said, /"name":"orders"[^]*"filter":"total ge 100"[^]*"accepted":\[[^]*"eventId":"order-7"/);
    },
  );

  test('README: the same by the CLI', async () => {
    await runAll(blockOf('README.md', 'bellwire types add'));
    const all = await handler.arrived(2);
    assert.deepEqual(all.at(-1)?.data, { order: 7, total: 120 });
  });

  test('docs/cli.md: every way to publish', async () => {
    const event = (id: string) => ({ specversion: '1.0', id, source: '//docs', type: 'com.example.order.created' });
    writeFileSync(join(ground.folder, 'order.json'), '{"order":7}');
    writeFileSync(join(ground.folder, 'event.json'), JSON.stringify([event('a'), event('b')]));
    writeFileSync(join(ground.folder, 'events.ndjson'), `${JSON.stringify(event('c'))}\n`);
    await runAll(blockOf('docs/cli.md', 'publish events.ndjson'));
  });

  test('docs/post-processing.md: its commands make a group and two post-processings; its bodies are those that are sent', async () => {
    await runAll(blockOf('docs/post-processing.md', 'post-processing add'));
    const bodies = Array.from(
      page('docs/post-processing.md').matchAll(/^```json\n([^]*?)^```$/gm),
      ([, body = '']) => body,
    );
    const sent = [TEST_REPORTS.job, TEST_REPORTS.policy].map((report) => reportBody(report));
    assert.deepEqual(
      bodies.slice(2).map((body) => body.trim()),
      sent,
    );
    for (const [i, body] of bodies.slice(0, 2).entries()) {
      const [element] = JSON.parse(body) as [object];
      const [known] = JSON.parse(sent[i]!) as [object];
      assert.deepEqual(Object.keys(element), Object.keys(known));
    }
  });

  test('docs/cli.md: the program for the typed client runs', async () => {
    symlinkSync(join(root, 'node_modules'), join(ground.folder, 'node_modules'));
    writeFileSync(join(ground.folder, 'orders.ts'), here(blockOf('docs/cli.md', 'createClient(')));
    const program = spawn(process.execPath, ['orders.ts'], { cwd: ground.folder });
    const [said, errors, [code]] = await Promise.all([
      text(program.stdout),
      text(program.stderr),
      once(program, 'close'),
    ]);
    assert.deepEqual([code, errors], [0, '']);
    assert.match(said, /^(?:held|scheduled|delivered) /);
  });

  test('docs/webhooks.md: a secret is turned over in its three steps, and nothing is refused meanwhile', async () => {
    const steps = page('docs/webhooks.md');
    assert.ok(steps.includes('webhooks rotate orders --grace 48h') && steps.includes('webhooks test orders'));
    const folder = ground.folder;
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await bellwire(args, { folder });
      assert.equal(code, 0, stderr);
      return stdout;
    };
    await run('webhooks', 'add', 'turning', handler.url, '--secret', 's3cr3tKey');
    await run('webhooks', 'test', 'turning');
    const secret = /secret +(whsec_\S+)/.exec(await run('webhooks', 'rotate', 'turning', '--grace', '48h'))?.[1];
    assert.ok(secret);
    const before = handler.events.length;
    await run('subscribe', 'turning', 'com.example.order.created');
    await run('publish', '--type', 'com.example.order.created', '--id', 'under-the-former', '--data', '{"total":1}');
    const arrived = await handler.arrived(before + 1);
    assert.ok(arrived.some(({ id }) => id === 'under-the-former'));
    assert.match(await run('webhooks', 'test', 'turning'), /the right answer/);
  });
});

test('README names the commands that npm start names', async () => {
  const demo = readFileSync(join(root, 'server/src/cli/begin/demo.ts'), 'utf8').replaceAll(
    '${AUDIT_LOG}',
    'com.hpe.greenlake.audit-log.v1.logs.created',
  );
  const said = Array.from(demo.matchAll(/\$\{bellwire\} ([^`]+)`/g), ([, words = '']) => words.split(' '));
  assert.equal(said.length, 3);
  assert.deepEqual(commandsOf(blockOf('README.md', 'events tail --deliveries')), said);
});

test('docs/filters.md: every filter fits, or does not, as its table says', () => {
  const { data, ...attributes } = JSON.parse(blockOf('docs/filters.md', '"specversion"')) as Record<string, unknown>;
  const rows = Array.from(page('docs/filters.md').matchAll(/^\| `(.+?)` \| (yes|no) \|/gm));
  assert.ok(rows.length > 30);
  for (const [, filter = '', fits] of rows) {
    const compiled = compileFilter(filter);
    assert.ok(compiled.ok, filter);
    assert.equal(compiled.matches({ attributes, data }), fits === 'yes', filter);
  }
  const words = rows.map(([, filter = '']) => filter).join(' ');
  for (const operator of ['eq', 'ne', 'gt', 'ge', 'lt', 'le', 'in', 'startswith(', 'and', 'or', 'not', '$event/']) {
    assert.ok(words.includes(operator), operator);
  }
});

test('docs/expressions.md: every expression gives what its table says, and every function stands there', () => {
  const name = 'docs/expressions.md';
  const scope = JSON.parse(blockOf(name, '"challengeRequest"')) as Record<string, Json>;
  const cell = '`((?:[^`|]|\\\\\\|)+)`';
  const rows = Array.from(page(name).matchAll(new RegExp(`^\\|(?: ${cell} \\|)? ${cell} \\| ${cell} \\|`, 'gm')));
  assert.ok(rows.length > 100, `${rows.length} rows`);
  const plain = (written = ''): string => written.replaceAll('\\|', '|');
  for (const [, , expression, gives] of rows) {
    const value = parseExpression(plain(expression)).evaluate(scope, { now: Date.parse('2025-11-24T16:00:00Z') });
    assert.deepEqual(value, JSON.parse(plain(gives)), plain(expression));
  }
  const documented = rows.flatMap(([, signature]) => (signature === undefined ? [] : plain(signature)));
  assert.deepEqual(documented.sort(), functionSignatures().sort());
  for (const [, row = ''] of page(name).matchAll(
    /^\| (?:Exists|Text|…|Number|Date|Time|Array|Boolean|Semantic).*? \| (.*) \|$/gm,
  )) {
    for (const [, expression = ''] of row.matchAll(/`(.+?)`/g)) parseExpression(expression);
  }
});
