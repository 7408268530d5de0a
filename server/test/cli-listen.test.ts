// `bellwire listen` and `inbox` as people run them: against a platform that runs, killed, refused, and with hostile bytes.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test, type TestContext } from 'node:test';
import { createSigner } from '@bellwire/receiver';
import { eventually } from '../../test/kit/handler.ts';
import { repository } from '../../test/kit/sources.ts';
import { localUrl } from '../src/cli/develop/forwarding.ts';
import { bodyLines, spread } from '../src/cli/develop/inbox-lines.ts';
import { cutLine } from '../src/cli/develop/shell-words.ts';
import {
  AUDIT_LOG,
  bellwire,
  documents,
  spawnBellwire,
  startGround,
  startHandler,
  temporaryFolder,
  type RunOptions,
} from './cli-ground.ts';

type Json = Record<string, unknown>;

/** A command that goes on until it is told to end. */
interface Running {
  /** Its exit code, when it has ended. */
  ended: Promise<number | null>;
  out(): string;
  err(): string;
  lines(): Json[];
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

function run(t: TestContext, args: readonly string[], { folder, stdin }: RunOptions): Running {
  const child = spawnBellwire(args, { folder, env: { COLUMNS: '80', USER: 'anna' } });
  if (stdin !== undefined) child.stdin.end(stdin);
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => void (out += String(text)));
  child.stderr.on('data', (text) => void (err += String(text)));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  t.after(() => child.kill('SIGKILL'));
  return {
    ended,
    out: () => out,
    err: () => err,
    lines: () => documents({ stdout: out.slice(0, out.lastIndexOf('\n') + 1) }),
    async kill(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

describe('bellwire listen', () => {
  let ground: Awaited<ReturnType<typeof startGround>>;
  before(async () => {
    ground = await startGround();
  });
  after(() => ground.stop());

  const ask = async (...args: string[]): Promise<Json[]> => {
    const ended = await bellwire([...args, '--json'], { folder: ground.folder });
    assert.equal(ended.code, 0, ended.stderr);
    return documents(ended);
  };
  const publish = () => ask('publish', '--example', AUDIT_LOG);

  test('the handler is challenged and gets what it would get; the answers stand in the history; --remove leaves nothing', async (t) => {
    const handler = await startHandler('s3cr3tKey');
    t.after(() => handler.stop());
    const settings = ['--types', AUDIT_LOG, '--secret', 's3cr3tKey', '--signing', 'hpe', '--name', 'dev', '--remove'];
    const listening = run(t, ['listen', handler.url, ...settings, '--json'], ground);
    await eventually('the challenge is answered', () => listening.err().includes('answered rightly'), 30_000);
    await publish();
    const [event] = await handler.arrived(1);
    assert.equal(event!.type, AUDIT_LOG);
    const line = await eventually('the line is there', () => listening.lines().find(({ id }) => id !== null) ?? false);
    assert.deepEqual([line['type'], line['status'], line['failure'], line['repetition']], [AUDIT_LOG, 200, null, 1]);
    const [delivery] = (await ask('deliveries', 'show', line['id'] as string)) as [{ attempts: Json[]; state: string }];
    assert.deepEqual([delivery.state, delivery.attempts[0]!['status']], ['delivered', 200]);
    assert.equal(await listening.kill('SIGINT'), 0);
    assert.match(listening.err(), /1 request, 1 taken; dev is removed/);
    assert.deepEqual(await ask('webhooks', 'list'), []);
  });

  test('killed with a request in its hands: the next one gets it, under the same webhook-id', async (t) => {
    const ids: string[] = [];
    const server = createServer((request, response) => {
      ids.push(String(request.headers['webhook-id']));
      // The first one hangs for ever.
      if (ids.length > 1) response.end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    const port = String((server.address() as AddressInfo).port);
    const args = ['listen', `${port}/hook`, '--types', AUDIT_LOG, '--no-challenge', '--name', 'killed'];
    const first = run(t, args, ground);
    await eventually('it listens', () => first.err().includes('Ctrl-C'), 30_000);
    await publish();
    await eventually('the request is in its hands', () => ids.length === 1);
    await first.kill('SIGKILL');
    const second = run(t, ['listen', port, '--webhook', 'killed', '--json'], ground);
    await eventually('it came again', () => second.lines().length === 1, 30_000);
    assert.deepEqual([ids.length, new Set(ids).size], [2, 1]);
    const [delivery] = (await ask('deliveries', 'show', ids[0]!)) as [{ state: string; attempts: Json[] }];
    assert.equal(delivery.state, 'delivered');
    assert.match(String(delivery.attempts[0]!['error']), /its listener left/);
    assert.equal(await second.kill('SIGINT'), 0);
  });

  test('a port nobody listens on is refused in a line of 80 columns, and tried again by the plan', async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await ask('webhooks', 'rm', 'killed', '--force');
    const args = ['listen', String(port), '--types', AUDIT_LOG, '--no-challenge', '--name', 'refused'];
    const listening = run(t, args, ground);
    await eventually('it listens', () => listening.err().includes('Ctrl-C'), 30_000);
    await publish();
    await eventually('refused is told', () => listening.out().includes('refused'));
    assert.ok(
      listening
        .out()
        .split('\n')
        .every((line) => line.length <= 80),
    );
    const [open] = (await ask('deliveries', 'list', '--webhook', 'refused')) as [Json];
    assert.equal(open['state'], 'scheduled');
    await listening.kill('SIGINT');
  });

  test('a webhook with a URL is not taken over by accident, and one that is fetched not at all', async () => {
    await ask('webhooks', 'add', 'far', 'http://127.0.0.1:19999/', '--verification', 'none');
    await ask('webhooks', 'add', 'fetched', '--pull');
    const far = await bellwire(['listen', '3000', '--webhook', 'far'], { folder: ground.folder });
    assert.deepEqual([far.code, /--take-over/.test(far.stderr)], [2, true]);
    const fetched = await bellwire(['listen', '3000', '--webhook', 'fetched'], { folder: ground.folder });
    assert.deepEqual([fetched.code, /bellwire pull fetched/.test(fetched.stderr)], [2, true]);
    const nowhere = await bellwire(['listen'], { folder: ground.folder });
    assert.equal(nowhere.code, 2);
  });

  test('whoever is replaced ends at once, though its handler has not proved itself yet', async (t) => {
    const first = run(t, ['listen', '1', '--types', AUDIT_LOG, '--name', 'replaced', '--json'], ground);
    await eventually('it is asked for a proof', () => first.err().includes('asked again'), 30_000);
    // A program, too, is told the secret that was made: it is never shown again.
    const [made, challenge] = first.lines();
    assert.deepEqual([made!['name'], String(made!['secret']).length > 20], ['replaced', true]);
    assert.deepEqual([challenge!['type'], challenge!['failure']], ['challenge', 'connection-refused']);
    await ask('webhooks', 'pause', 'replaced');
    const second = run(t, ['listen', '1', '--name', 'replaced', '--secret', 'other', '--no-challenge'], ground);
    assert.equal(await first.ended, 1);
    const words = 'replaced is there already and stays as it is, without --secret: ';
    await eventually('it is told what does not count', () => second.err().includes(words));
    const paused = 'replaced is paused, and nothing is sent: bellwire webhooks resume replaced';
    await eventually('it is told that nothing will come', () => second.err().includes(paused));
    assert.match(first.err(), /somebody else listens for this webhook by now/);
    assert.equal(await second.kill('SIGINT'), 0);
  });

  test('what was made for nothing is removed again', async () => {
    for (const command of [
      ['listen', '1', '--name', 'for-nothing'],
      ['inbox', '--listen'],
    ]) {
      const { code, stdout, stderr } = await bellwire([...command, '--types', 'no.such.type'], ground);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^bellwire: There is no event type "no.such.type"/);
    }
    const names = (await ask('webhooks', 'list')).map(({ name }) => String(name));
    assert.deepEqual(
      names.filter((name) => /^for-nothing|^inbox-/.test(name)),
      [],
    );
  });

  test('docs/listen.md: its commands run, and say what stands there', async (t) => {
    const page = readFileSync(join(repository, 'docs/listen.md'), 'utf8');
    const commands = Array.from(
      page.matchAll(/```sh\nbellwire (.+)\n```/g),
      ([, line]) => cutLine(line!, line!.length).words,
    );
    assert.deepEqual(
      commands.map(([command]) => command),
      ['listen', 'listen', 'inbox', 'inbox'],
    );
    await ask('webhooks', 'add', 'audit-sheet', 'http://127.0.0.1:19998/', '--no-wait');
    const port = (words: string[]): string[] =>
      words[0] === 'inbox' && !words.includes('--listen') ? ['--port', '0'] : [];
    const running = commands.map((words) => run(t, [...words, ...port(words)], ground));
    for (const one of running) await eventually('it runs', () => one.err().includes('Ctrl-C ends it'), 30_000);
    const [, first] = /^```\n(.+)\n/m.exec(page)!;
    assert.ok(running[0]!.err().includes(first!), running[0]!.err());
    assert.deepEqual(await Promise.all(running.map((one) => one.kill('SIGINT'))), [0, 0, 0, 0]);

    const help = await Promise.all(['listen', 'inbox'].map((command) => bellwire([command, '--help'], ground)));
    const options = new Set(help.flatMap(({ stdout }) => Array.from(stdout.matchAll(/--[a-z-]+/g), ([name]) => name)));
    const told = Array.from(page.matchAll(/^\| .*?(?= \|)/gm)).flatMap(([cell]) => cell.match(/--[a-z-]+/g) ?? []);
    assert.deepEqual([told.filter((name) => !options.has(name)), told.length > 15], [[], true]);
  });

  test('inbox --listen shows what a webhook made for the moment is sent, its signature judged', async (t) => {
    const args = ['inbox', '--listen', '--types', AUDIT_LOG, '--secret-stdin', '--json'];
    const stdin = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n';
    const box = run(t, args, { folder: ground.folder, stdin });
    await eventually('it is proved', () => box.err().includes('answered rightly'), 30_000);
    await publish();
    const shown = await eventually('it is shown', () => box.lines()[1] ?? false);
    assert.deepEqual((shown['signature'] as Json)['isGood'], true);
    assert.equal(await box.kill('SIGINT'), 0);
    const names = (await ask('webhooks', 'list')).map(({ name }) => String(name));
    assert.ok(!names.some((name) => name.startsWith('inbox-')), names.join(' '));
  });
});

describe('bellwire inbox', () => {
  /** An inbox on a free port, and its address. */
  async function open(t: TestContext, ...args: string[]): Promise<{ box: Running; url: string; folder: string }> {
    const { folder, remove } = temporaryFolder();
    t.after(remove);
    const box = run(t, ['inbox', '--port', '0', ...args], { folder });
    const url = await eventually('it listens', () => /http:\/\/\S+/.exec(box.err())?.[0] ?? false, 30_000);
    return { box, url, folder };
  }

  test('signatures are judged and told, of Bellwire and of others; challenges are answered', async (t) => {
    const { box, url } = await open(t, '--secret', 's3cr3tKey', '--json');
    const body = '{"type":"com.example.one","n":12345678901234567890}';
    const signed = await createSigner([{ scheme: 'hpe', secret: 's3cr3tKey' }])({
      id: 'dlv_1',
      sentAt: Date.now(),
      body: Buffer.from(body),
    });
    await fetch(url, { method: 'POST', body, headers: { ...signed } });
    await fetch(url, { method: 'POST', body: `${body} `, headers: { ...signed } });
    const challenge = JSON.stringify({ data: { challengeRequest: 'abc' } });
    const answer = (await (await fetch(url, { method: 'POST', body: challenge })).json()) as Json;
    assert.equal(answer['verification'], createHmac('sha256', 's3cr3tKey').update('abc').digest('hex'));
    const judged = (await eventually('three are shown', () => (box.lines().length === 3 ? box.lines() : false))).map(
      ({ signature }) => (signature as Json)['isGood'],
    );
    assert.deepEqual(judged, [true, false, null]);

    const { box: hub, url: at } = await open(t, '--secret', 'gh', '--verify', 'github', '--json');
    const mac = createHmac('sha256', 'gh').update(body).digest('hex');
    await fetch(at, { method: 'POST', body, headers: { 'x-hub-signature-256': `sha256=${mac}` } });
    const [one] = await eventually('it is shown', () => (hub.lines().length === 1 ? hub.lines() : false));
    assert.deepEqual(one!['signature'], { isGood: true, words: 'good: github' });
  });

  test('the first tries fail as told, repetitions are marked, the exact bytes are kept', async (t) => {
    const { box, url, folder } = await open(
      t,
      '--fail-first',
      '1',
      '--status',
      '202',
      '--body',
      'ok',
      '--save',
      'kept',
    );
    const body = randomBytes(300);
    const headers = { 'webhook-id': 'dlv_a_1_2', 'x-bell': 'a\u00a0b' };
    const first = await fetch(`${url}/x?y=1`, { method: 'PUT', body, headers });
    const second = await fetch(`${url}/x?y=1`, { method: 'PUT', body, headers });
    assert.deepEqual([first.status, second.status, await second.text()], [500, 202, 'ok']);
    await eventually('both are shown', () => box.out().includes('for the 2nd time'));
    assert.match(box.out(), /PUT \/x\?y=1 {2}300 bytes {2}→ 500/);
    assert.match(box.out(), /00000000 {2}[0-9a-f]{2} /);
    assert.deepEqual(readFileSync(join(folder, 'kept/0002.body')), body);
    const head = JSON.parse(readFileSync(join(folder, 'kept/0002.json'), 'utf8')) as Json;
    assert.deepEqual([head['method'], head['path']], ['PUT', '/x?y=1']);
  });

  test('what cannot be taken or kept is told', async (t) => {
    const { box, url, folder } = await open(t, '--save', 'kept');
    const large = await fetch(`${url}/large`, { method: 'POST', body: Buffer.alloc((16 << 20) + 1) });
    assert.deepEqual([large.status, readdirSync(join(folder, 'kept'))], [413, []]);
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.end('no request\r\n\r\n');
    assert.match(await text(socket), /^HTTP\/1.1 400 /);
    const long = await fetch(url, { headers: { 'x-long': 'x'.repeat(17_000) } });
    assert.equal(long.status, 431);
    rmSync(join(folder, 'kept'), { recursive: true });
    assert.equal((await fetch(url)).status, 200);
    await eventually('it is shown', () => box.out().includes('GET /'));
    assert.match(box.err(), /refused: POST \/large has a body of 16777217 bytes, and 16 MiB are taken\n/);
    assert.match(box.err(), /refused: it is no HTTP \(.+\)\n.+refused: its head is larger than 16 KiB\n/);
    assert.match(box.err(), /this request is not kept in \S+kept: there is no such file\n/);
  });

  test('no byte of a request reaches the terminal as anything but a letter', async (t) => {
    const { box, url } = await open(t);
    const evil = '\u001b]0;owned\u0007\u001b[31mred\u001b[0m\r\nnext \u202e line \u009b2J';
    await fetch(url, { method: 'POST', body: evil });
    await fetch(url, { method: 'POST', body: JSON.stringify({ a: evil }) });
    await fetch(url, { method: 'POST', body: '{"a":"raw \u009b2J \u202e"}' });
    await eventually('three are shown', () => box.out().split('→ 200').length === 4);
    // oxlint-disable-next-line no-control-regex -- these are what must not be there
    assert.doesNotMatch(box.out(), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  });

  test('what cannot be meant is said in a line', async () => {
    const { folder, remove } = temporaryFolder();
    writeFileSync(join(folder, 'a-file'), '');
    for (const args of [
      ['--status', '99'],
      ['--port', '70000'],
      ['--verify', 'github'],
      ['--secret', 'x', '--verify', 'nobody'],
      ['--types', 'com.example.*'],
      ['--port', ''],
      ['--save', 'a-file'],
    ]) {
      const { code, stderr } = await bellwire(['inbox', ...args], { folder });
      assert.deepEqual([code, stderr.trim().split('\n').length], [2, 1], args.join(' '));
    }
    remove();
  });
});

test('a target is a port, a port with a path, or an address; and nothing else', () => {
  const known = ['3000', '3000/hook?a=1', 'localhost:3000', '127.0.0.1:3000', '[::1]:3000', 'https://dev.test/hook'];
  assert.deepEqual(
    known.map((target) => localUrl(target).href),
    [
      'http://localhost:3000/',
      'http://localhost:3000/hook?a=1',
      'http://localhost:3000/',
      'http://127.0.0.1:3000/',
      'http://[::1]:3000/',
      'https://dev.test/hook',
    ],
  );
  for (const target of ['', '0', '99999', ':3000', 'ftp://localhost/', 'http://anna:pass@localhost:3000/']) {
    assert.throws(() => localUrl(target), { name: 'Failure', exit: 2 }, target);
  }
});

test('a body is shown by its own letters: large numbers, repeated names, strings with brackets', () => {
  assert.deepEqual(
    [...spread('{"n":12345678901234567890,"n":1.0,"s":"a{\\"}[,","e":[],"o":{},"l":[1,[2]]}')],
    [
      '{',
      '  "n": 12345678901234567890,',
      '  "n": 1.0,',
      '  "s": "a{\\"}[,",',
      '  "e": [],',
      '  "o": {},',
      '  "l": [',
      '    1,',
      '    [',
      '      2',
      '    ]',
      '  ]',
      '}',
    ],
  );
  assert.deepEqual(bodyLines(Buffer.from('plain\ntext')), ['plain', 'text']);
  assert.deepEqual(bodyLines(Buffer.from([0, 65, 255])), [`00000000  ${'00 41 ff'.padEnd(47)}  .A.`]);
  assert.deepEqual(bodyLines(Buffer.alloc(0)), []);
  assert.deepEqual([...spread(' [ ] ')], ['[]']);
  assert.deepEqual([...spread(' -1.50 ')], ['-1.50']);
});

test('a body of any size is shown in so many lines, and in moments', () => {
  const shown = (body: string | Buffer): string[] => bodyLines(Buffer.from(body));
  assert.deepEqual(shown('x\n'.repeat(1_000)).slice(200), ['… and 801 more lines']);
  assert.deepEqual(shown(Buffer.alloc(16 << 20)).slice(16), ['… and 1048560 more lines of 16 bytes']);
  const [line] = shown(JSON.stringify('x'.repeat(16 << 20)));
  assert.match(line!, /^"x{999} … and 16776218 more letters$/);
  const deep = shown('['.repeat(50_000) + ']'.repeat(50_000));
  assert.deepEqual([deep.length, deep.at(-1)], [201, '… and 99799 more lines']);
});
