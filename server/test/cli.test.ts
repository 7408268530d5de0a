// The command line as a whole: help, wrong words, exit codes, where the platform and its key are found, broken pipes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { AUDIT_LOG, bellwire, documents, spawnBellwire, startGround, temporaryFolder } from './cli-ground.ts';

let ground: Awaited<ReturnType<typeof startGround>>;
const empty = temporaryFolder();

before(async () => {
  ground = await startGround();
});
after(async () => {
  await ground.stop();
  empty.remove();
});

const run = (...args: string[]) => bellwire(args, { folder: ground.folder });
const outside = (...args: string[]) => bellwire(args, { folder: empty.folder });

test('the CLI: version and help', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  assert.deepEqual(await outside('--version'), { code: 0, stdout: `${version}\n`, stderr: '' });
  const help = await outside('--help');
  assert.deepEqual([help.code, help.stderr], [0, '']);
  for (const name of ['serve', 'demo', 'webhooks', 'publish', 'verify-hash'])
    assert.match(help.stdout, new RegExp(`^  ${name} `, 'm'));
  assert.ok(
    help.stdout.split('\n').every((line) => line.length <= 80),
    'it fits 80 columns',
  );
  const part = await outside('webhooks', 'add', '--help');
  assert.match(part.stdout, /--secret-stdin/);
  const bare = await outside();
  assert.deepEqual([bare.code, bare.stdout], [2, '']);
});

test('the CLI: a command line that cannot be meant is told in one line, exit code 2', async () => {
  const cases: [string[], RegExp][] = [
    [['webhoks'], /^bellwire: there is no command "webhoks"; did you mean webhooks\?\n$/],
    [['webhooks', 'lst'], /^bellwire: there is no command "webhooks lst"; did you mean list\?\n$/],
    [['webhooks'], /^bellwire: webhooks needs one of: add, list, .*\n$/],
    [['webhooks', 'list', '--jso'], /^bellwire: unknown option '--jso'; did you mean --json\?\n$/],
    [['webhooks', 'add', 'x'], /^bellwire: webhooks add needs a URL, or --pull\n$/],
    [['events', 'list', '--limit', 'ten'], /^bellwire: --limit takes a whole number from 1, not "ten"\n$/],
    [
      ['serve', '--port', '99999'],
      /^bellwire: listen\.port must be a whole number, from 0 to 65535, not 99999 \(command line\)\n$/,
    ],
    [
      ['serve', '--set', 'delivery.timeut=3s'],
      /^bellwire: delivery\.timeut is not a setting; did you mean delivery\.timeout\? /,
    ],
    [['serve', '--url', 'http://x'], /^bellwire: serve talks to no other platform and takes no --url\n$/],
    [['webhooks', 'change', 'x'], /^bellwire: webhooks change needs at least one option /],
    [['publish', '--data', '{}'], /^bellwire: --data needs --type/],
    [
      ['keys', 'add', 'x'],
      /^bellwire: required option '--scope <scopes>' not specified; see: bellwire keys add --help\n$/,
    ],
  ];
  for (const [args, line] of cases) {
    const { code, stdout, stderr } = await run(...args);
    assert.deepEqual([code, stdout], [2, ''], args.join(' '));
    assert.match(stderr, line);
  }
});

test('the CLI: what the platform refuses is one line with its code; exit codes tell what it was', async () => {
  const near = await run('subscribe', 'nobody', AUDIT_LOG);
  assert.deepEqual(
    [near.code, near.stderr],
    [5, 'bellwire: there is no webhook "nobody"; see: bellwire webhooks list\n'],
  );
  const type = await run('publish', '--type', AUDIT_LOG.slice(0, -1));
  assert.equal(type.code, 1);
  assert.match(type.stderr, /^bellwire: There is no event type .*; did you mean .*\? \(unknown-type\)\n$/);
  assert.equal((await run('types', 'show', 'nope')).code, 5);
  const denied = await run('webhooks', 'list', '--key', 'bw_wrong');
  assert.deepEqual([denied.code, denied.stderr], [4, 'bellwire: The API key is not known here. (unauthenticated)\n']);
});

test('the CLI: a refused value is named by the option it was given with, exit code 2; what to run is said', async () => {
  const cases: [string[], number, string][] = [
    [['workspaces', 'add', 'Not A Name'], 2, '<name> must match pattern "^[a-z0-9][a-z0-9.-]*$". (invalid-request)'],
    [
      ['deliveries', 'list', '--state', 'failed'],
      2,
      '--state must be one of: scheduled, held, delivered, dead. (invalid-request)',
    ],
    [
      ['webhooks', 'add', 'x', 'http://127.0.0.1:9/', '--signing', 'standard', '--timeout', '1ms'],
      2,
      '--signing must be one of: standard-v1, standard-v1a, hpe. (invalid-request)\n  --timeout must be >= 100 ms.',
    ],
    [
      ['events', 'list', '--since', 'noon'],
      2,
      '--since must be a time such as 2026-11-22T09:30:00Z. (invalid-request)',
    ],
    [['webhooks', 'add', 'x', 'url'], 1, 'The URL must begin with https:// or http://. (refused-url)'],
    [['publish', '--example', 'nope'], 5, 'There is no event type "nope"; see: bellwire types list (not-found)'],
    [
      ['publish', '--type', 'shop.sale'],
      1,
      'There is no event type "shop.sale" in the catalog; register it with: bellwire types add shop.sale (unknown-type)',
    ],
    [['types', 'put', 'a b'], 5, '"a b" is no type; see: bellwire types list (not-found)'],
    [['deliveries', 'show', 'x'], 5, '"x" is no delivery; see: bellwire deliveries list (not-found)'],
  ];
  for (const [args, code, words] of cases) {
    assert.deepEqual(await run(...args), { code, stdout: '', stderr: `bellwire: ${words}\n` }, args.join(' '));
  }
  const line = JSON.stringify({ specversion: '1.0', id: '', source: '', type: 'x' });
  const file = await bellwire(['publish', '--json'], { folder: ground.folder, stdin: line });
  assert.equal(file.code, 1, 'what a file says is no word of the command line');
});

test('the CLI: every command explains itself in the same words', async () => {
  for (const group of [
    'services',
    'types',
    'webhooks',
    'events',
    'deliveries',
    'keys',
    'workspaces',
    'subscriptions',
  ]) {
    const { stdout } = await outside(group, '--help');
    assert.ok(!stdout.includes('help [command]'), stdout);
    assert.match(stdout, /-h, --help +Explain a command/);
    assert.match(stdout, /Also --url, --key, --workspace and --json: see bellwire --help\.\n$/);
    assert.ok(
      stdout.split('\n').every((line) => line.length <= 80),
      stdout,
    );
  }
});

test('the CLI: with --json an error is one JSON line on stderr, and stdout stays empty', async () => {
  const refused = await run('types', 'show', 'nope', '--json');
  const { error } = JSON.parse(refused.stderr) as { error: { code: string; status: number; detail: string } };
  assert.deepEqual([refused.code, refused.stdout, error.code, error.status], [5, '', 'not-found', 404]);
  const usage = await run('--json', 'webhoks');
  assert.deepEqual([usage.code, (JSON.parse(usage.stderr) as { error: { code: string } }).error.code], [2, 'usage']);
});

test('the CLI: finds the platform and its key beside the data, from any folder below, without any setting', async () => {
  const below = join(ground.folder, 'some', 'where');
  mkdirSync(below, { recursive: true });
  const { code, stdout } = await bellwire(['types', 'list', '--json'], { folder: below });
  assert.equal(code, 0);
  assert.equal(documents({ stdout }).length, 20);
  const named = await bellwire(['types', 'list'], {
    folder: empty.folder,
    env: { BELLWIRE_DATA_FOLDER: join(ground.folder, 'data') },
  });
  assert.equal(named.code, 0);
  const moved = temporaryFolder();
  renameSync(join(ground.folder, 'data', 'address'), join(ground.folder, 'data', 'address.aside'));
  const stopped = await run('types', 'list');
  renameSync(join(ground.folder, 'data', 'address.aside'), join(ground.folder, 'data', 'address'));
  assert.equal(stopped.code, 3);
  assert.match(stopped.stderr, /the platform of .*data is not running; start one with: npx bellwire serve --dev/);
  writeFileSync(join(moved.folder, 'bellwire.yaml'), `dataFolder: ${join(ground.folder, 'data')}\n`);
  assert.equal((await bellwire(['types', 'list'], { folder: moved.folder })).code, 0);
  moved.remove();
});

test('the CLI: the command line stands above the environment, the environment above the data folder', async () => {
  const { url, adminKey } = ground.platform;
  const env = { BELLWIRE_URL: 'http://127.0.0.1:1', BELLWIRE_KEY: 'bw_wrong' };
  assert.equal(
    (await bellwire(['types', 'list', '--url', url, '--key', adminKey], { folder: ground.folder, env })).code,
    0,
  );
  const unreachable = await bellwire(['types', 'list'], { folder: ground.folder, env });
  assert.deepEqual([unreachable.code, unreachable.stdout], [3, '']);
  const elsewhere = await bellwire(['types', 'list'], {
    folder: empty.folder,
    env: { BELLWIRE_URL: url.replace('http://', ''), BELLWIRE_KEY: adminKey },
  });
  assert.equal(elsewhere.code, 0, 'an address without scheme is http');
  const other = await bellwire(['webhooks', 'list'], { folder: ground.folder, env: { BELLWIRE_WORKSPACE: 'nowhere' } });
  assert.equal(other.code, 5);
});

test('the CLI: nothing found, nobody there, and no key are told apart, each with what to do', async () => {
  const nothing = await outside('webhooks', 'list');
  assert.equal(nothing.code, 3);
  assert.match(
    nothing.stderr,
    /^bellwire: no platform is named, .*; start one with: npx bellwire serve --dev, or name one with --url and --key\n$/,
  );
  const port = await closedPort();
  const nobody = await outside('webhooks', 'list', '--url', `http://127.0.0.1:${port}`, '--key', 'bw_x');
  assert.deepEqual(
    [nobody.code, nobody.stderr],
    [
      3,
      `bellwire: http://127.0.0.1:${port} does not answer: connection refused; start one with: npx bellwire serve --dev\n`,
    ],
  );
  // The key of a data folder is for the platform of that folder: it must not be sent to whatever --url names.
  const keyless = await run('webhooks', 'list', '--url', `http://127.0.0.1:${port}`);
  assert.equal(keyless.code, 4);
  assert.match(keyless.stderr, /^bellwire: there is no key for .*: give one with --key or BELLWIRE_KEY\n$/);
  const own = await run('webhooks', 'list', '--url', ground.platform.url.replace('127.0.0.1', 'localhost'));
  assert.equal(own.code, 0);
});

test('the CLI: tables fit the screen, have no colours in a pipe, and show no control characters', async () => {
  await run(
    'types',
    'put',
    'com.example.a-rather-long-name.that-goes-on.and-on.created',
    '--description',
    'x\u001b[31mred\u0007 '.repeat(9),
  );
  const { stdout } = await bellwire(['types', 'list'], { folder: ground.folder, env: { COLUMNS: '80' } });
  assert.ok(
    stdout.split('\n').every((line) => line.length <= 80),
    stdout,
  );
  assert.match(stdout, /…/);
  // oxlint-disable-next-line no-control-regex -- these are what must not be there
  assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f]/);
  const whole = await run('types', 'list');
  assert.match(whole.stdout, /com\.example\.a-rather-long-name\.that-goes-on\.and-on\.created/);
});

test('the CLI: whoever closes the pipe has seen enough', async () => {
  const child = spawnBellwire(['events', 'tail', '--all'], { folder: ground.folder });
  child.stdin.end();
  const closed = once(child, 'close');
  const stderr = text(child.stderr);
  await bellwire(['publish', '--example', AUDIT_LOG], { folder: ground.folder });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  await bellwire(['publish', '--example', AUDIT_LOG], { folder: ground.folder });
  const [code] = (await closed) as [number];
  assert.deepEqual([code, await stderr], [0, 'bellwire: waiting for events; Ctrl-C ends it\n']);
});

async function closedPort(): Promise<number> {
  const { createServer } = await import('node:net');
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
