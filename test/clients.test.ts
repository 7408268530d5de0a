// The clients in other languages: their suites by their languages' own tools, against a platform that runs, and every
// block of their READMEs as a reader runs it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { eventually } from './kit/handler.ts';
import { startLife, type Life } from './kit/life.ts';

const clients = join(import.meta.dirname, '..', 'clients');
const answers = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0;
const python = answers('python3', '-c', 'import sys; sys.exit(sys.version_info < (3, 9))');
const pip =
  python &&
  answers('python3', '-c', 'import pip, setuptools, sys; sys.exit(int(setuptools.__version__.split(".")[0]) < 77)');
const withoutPython = !python && 'there is no python3 of 3.9 or newer on this machine';
const goVersion = /go1\.(\d+)/.exec(spawnSync('go', ['version'], { encoding: 'utf8' }).stdout ?? '')?.[1];
const withoutGo = !(Number(goVersion) >= 21) && 'there is no go of 1.21 or newer on this machine';

/** What a program runs in: where, and with what in its environment. */
interface Place {
  folder: string;
  env: Record<string, string>;
}

/** Runs a program to its end: what it said. That it fails is a failure, with what it said. */
async function run([command = '', ...args]: string[], { folder, env }: Place): Promise<string> {
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.deepEqual(await ended, [0, null], `${command} ${args.join(' ')}\n${out}\n${err}`);
  return out + err;
}

/** Starts a program that goes on: the lines it prints. It ends with the test. */
function start(t: TestContext, [command = '', ...args]: string[], { folder, env }: Place): string[] {
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  t.after(() => child.kill());
  return lines;
}

/** The blocks of a README in a language. */
function blocks(room: string, language: string): string[] {
  const page = readFileSync(join(clients, room, 'README.md'), 'utf8');
  return Array.from(page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)).flatMap(([, known, block = '']) =>
    known === language ? [block] : [],
  );
}

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-clients-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const suiteOf = ({ url, platform }: Life) => ({ BELLWIRE_TEST_URL: url, BELLWIRE_TEST_KEY: platform.adminKey });
const quiet = { PYTHONDONTWRITEBYTECODE: '1', NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1' };
const offline = { GOFLAGS: '-mod=mod', GOPROXY: 'off', GOTOOLCHAIN: 'local', GOWORK: 'off' };
/** Go compiles its own library on the first run on a machine. */
const patient = 240_000;

test(
  'R54 R61 R66 R70 R121 the Python client: its own tests, and against a platform',
  { skip: withoutPython },
  async (t) => {
    const env = { ...quiet, ...suiteOf(await startLife(t)) };
    const said = await run(['python3', '-m', 'unittest', '-v'], { folder: join(clients, 'python'), env });
    assert.doesNotMatch(said, /skipped/);
  },
);

/** Tries until somebody listens there. */
async function listening(url: string): Promise<void> {
  await eventually(`somebody listens at ${url}`, async () => {
    return fetch(url).then(
      () => true,
      () => false,
    );
  });
}

test(
  'R54 R61 R66 R70 R121 the Go client: its own tests, and against a platform',
  { skip: withoutGo, timeout: patient },
  async (t) => {
    const env = { ...offline, ...suiteOf(await startLife(t)) };
    const said = await run(['go', 'test', '-vet=off', '-count=1', '-v', './...'], { folder: join(clients, 'go'), env });
    assert.doesNotMatch(said, /--- SKIP/);
  },
);

/** The three programs of a README, each as a command: publish, receive, subscribe. */
interface Programs {
  publish: string[];
  receive: string[];
  subscribe: string[];
}

const programsOf = ({ platform }: Life) => ({ BELLWIRE_KEY: platform.adminKey, BELLWIRE_SECRET: 's3cr3tKey' });

/** A block with the addresses of this test. */
function addressed(block: string, { url }: Life, port: number): string {
  return block.replaceAll('http://127.0.0.1:8470', url).replaceAll('8080', String(port));
}

/** Plays them together: the receiver runs, is registered and subscribed, and gets what is published. */
async function play(
  t: TestContext,
  life: Life,
  { programs, place, port }: { programs: Programs; place: Place; port: number },
) {
  const lines = start(t, programs.receive, place);
  await listening(`http://127.0.0.1:${port}/`);
  assert.match(await run(programs.publish, place), /^evt_\w+\s*$/);
  assert.equal(await run(programs.subscribe, place), '');
  const { items } = (await life.expect(200, 'GET /v1/webhooks')) as { items: { id: string }[] };
  await life.state(items[0]!.id, 'active');
  await run(programs.publish, place);
  await eventually('the receiver has printed the event', () =>
    lines.some((line) => line.startsWith('com.example.order.created ')),
  );
}

test('R54 R61 R66 R121 clients/python/README.md: every block runs as it stands', { skip: withoutPython }, async (t) => {
  const life = await startLife(t);
  const [folder, port] = [scratch(t), await freePort()];
  const [publish = '', receive = '', view = '', subscribe = '', ...others] = blocks('python', 'python');
  assert.deepEqual(others, []);
  const program = (name: string, block: string): string[] => {
    writeFileSync(join(folder, `${name}.py`), addressed(block, life, port));
    return ['python3', `${name}.py`];
  };
  const programs = {
    publish: program('publish', publish),
    receive: program('receive', receive),
    subscribe: program('subscribe', subscribe),
  };
  const env = { ...quiet, ...programsOf(life), PYTHONPATH: await installed(t) };
  await play(t, life, { programs, place: { folder, env }, port });
  const challenge = `import json; print(view("POST", {"Content-Type": "application/json"}, b'{"data":{"challengeRequest":"a"}}'))`;
  assert.match(await run(program('view', `${view}\n${challenge}\n`), { folder, env }), /^\(200, .*verification/);
});

/** Where Python finds the client: what pip made of it, or its folder where pip or a setuptools of today is missing. */
async function installed(t: TestContext): Promise<string> {
  assert.deepEqual(blocks('python', 'sh'), ['pip install ./clients/python\n']);
  if (!pip) return join(clients, 'python');
  const folder = scratch(t);
  cpSync(join(clients, 'python'), join(folder, 'python'), { recursive: true });
  const flags = [
    '--no-build-isolation',
    '--no-index',
    '--disable-pip-version-check',
    '--quiet',
    '--target',
    'installed',
  ];
  await run(['python3', '-m', 'pip', 'install', ...flags, './python'], { folder, env: {} });
  return join(folder, 'installed');
}

test(
  'R54 R61 R66 R121 clients/go/README.md: every block runs as it stands',
  { skip: withoutGo, timeout: patient },
  async (t) => {
    const life = await startLife(t);
    const [folder, port] = [scratch(t), await freePort()];
    const env = { ...offline, ...programsOf(life) };
    const names = ['publish', 'receive', 'subscribe'] as const;
    const found = blocks('go', 'go');
    assert.equal(found.length, names.length);
    for (const [index, name] of names.entries()) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'main.go'), addressed(found[index]!, life, port));
    }
    await run(['go', 'mod', 'init', 'example.com/orders'], { folder, env });
    for (const line of blocks('go', 'sh').join('').trimEnd().split('\n')) {
      await run(line.replace('/path/to/bellwire/clients/go', join(clients, 'go')).split(' '), { folder, env });
    }
    await run(['go', 'build', '-o', 'bin/', './...'], { folder, env });
    const [publish, receive, subscribe] = names.map((name) => [join(folder, 'bin', name)]) as [
      string[],
      string[],
      string[],
    ];
    await play(t, life, { programs: { publish, receive, subscribe }, place: { folder, env }, port });
  },
);
