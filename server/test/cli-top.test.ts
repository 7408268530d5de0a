// `bellwire top` as a program: in a pseudo terminal, in a pipe, as JSON; its screen is left as it was found.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import type { OverviewOut } from '../src/api/overview.ts';
import { createClient } from '../src/client/index.ts';
import { bellwire, documents, spawnBellwire, startGround } from './cli-ground.ts';

let ground: Awaited<ReturnType<typeof startGround>>;
before(async () => {
  ground = await startGround();
});
after(() => ground.stop());

const ENTER = '\u001B[?1049h';
const LEAVE = '\u001B[?7h\u001B[?25h\u001B[?1049l';
const hasScript = spawnSync('script', ['--version']).status === 0;
const skip = hasScript ? false : 'there is no `script` of util-linux here, which makes a pseudo terminal';

/** The program on a terminal of 80×24. */
async function onTerminal(t: TestContext, args: string, folder = ground.folder) {
  const cli = join(import.meta.dirname, '../src/cli.ts');
  const pidFile = join(folder, `pid-${Math.random()}`);
  const command = `stty rows 24 cols 80; echo $$ > ${pidFile}; exec ${process.execPath} ${cli} top --every 100ms ${args}`;
  const { PATH = '' } = process.env;
  const child = spawn('script', ['-qfec', command, '/dev/null'], {
    cwd: folder,
    env: { PATH, TERM: 'xterm', SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let seen = '';
  let check = (): void => undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    seen += text;
    check();
  });
  const ended = once(child, 'close').then(([code]) => code as number);
  return {
    /** Resolves when this was shown since the last time; rejects when the program has ended before. */
    async shows(text: string): Promise<void> {
      const shown = Promise.withResolvers<void>();
      check = () => {
        const at = seen.indexOf(text);
        if (at < 0) return;
        seen = seen.slice(at + text.length);
        shown.resolve();
      };
      check();
      await Promise.race([shown.promise, ended.then(() => assert.fail(`ended before it showed ${text}: ${seen}`))]);
    },
    type: (keys: string) => child.stdin.write(keys),
    signal: (name: NodeJS.Signals) => process.kill(Number(readFileSync(pidFile, 'utf8')), name),
    /** The exit code; what was shown last must be the way back to the former screen. */
    async leaves(): Promise<number> {
      const code = await ended;
      assert.ok(seen.endsWith(LEAVE), JSON.stringify(seen.slice(-200)));
      assert.ok(existsSync(pidFile));
      return code;
    },
  };
}

test('bellwire top: keys sort, pause and quit; the screen is left as it was found', { skip }, async (t) => {
  const terminal = await onTerminal(t, '');
  await terminal.shows(ENTER);
  await terminal.shows('worst by backlog');
  terminal.type('f');
  await terminal.shows('worst by failures');
  terminal.type('p');
  await terminal.shows('paused');
  terminal.type('l');
  await terminal.shows('worst by latency');
  terminal.type('q');
  assert.equal(await terminal.leaves(), 0);
});

test('bellwire top: Ctrl-C and SIGTERM leave it as cleanly', { skip }, async (t) => {
  const [one, other] = await Promise.all([onTerminal(t, ''), onTerminal(t, '--sort latency')]);
  await Promise.all([one.shows('q quit'), other.shows('worst by latency')]);
  one.type('\u0003');
  other.signal('SIGTERM');
  assert.deepEqual(await Promise.all([one.leaves(), other.leaves()]), [0, 0]);
});

test('bellwire top: a platform that goes away is said in the frame, and asked again', { skip }, async (t) => {
  const away = await startGround();
  t.after(() => away.stop());
  const terminal = await onTerminal(t, '', away.folder);
  await terminal.shows('worst by backlog');
  await away.platform.stop();
  await terminal.shows('No answer: ');
  await terminal.shows('No answer: ');
  terminal.signal('SIGINT');
  assert.equal(await terminal.leaves(), 0);
});

test(
  'bellwire top: keys and the size of the screen are seen while the platform leaves a question open',
  { skip },
  async (t) => {
    const client = createClient({ url: ground.platform.url, key: ground.platform.adminKey });
    const answer = JSON.stringify(await client.overview());
    const questions: ServerResponse[] = [];
    const server = createServer((_request, response) => {
      if (questions.push(response) === 1) response.setHeader('content-type', 'application/json').end(answer);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as AddressInfo;
    const terminal = await onTerminal(t, `--url http://127.0.0.1:${port} --key bw_any`);
    await terminal.shows('worst by backlog');
    while (questions.length < 2) await new Promise((again) => setTimeout(again, 20));
    terminal.type('p');
    await terminal.shows('paused');
    terminal.type('l');
    await terminal.shows('worst by latency');
    assert.equal(questions[1]?.closed, false, 'it has not been given up');
    terminal.type('q');
    assert.equal(await terminal.leaves(), 0);
  },
);

test('bellwire top: one frame in a pipe, without colours and without the other screen', async () => {
  const { code, stdout, stderr } = await bellwire(['top'], { folder: ground.folder });
  assert.equal(code, 0, stderr);
  const lines = stdout.split('\n');
  assert.deepEqual([lines.length, lines.at(-3), lines.at(-2)?.trim()], [14, '', 'worst by backlog']);
  assert.match(lines[0]!, /^bellwire {2}0\.0\.0 {2}http:\/\/127\.0\.0\.1:\d+ {2}all workspaces +\d\d:\d\d:\d\d UTC$/);
  assert.ok(!stdout.includes('\u001B'));
  const wrong = await bellwire(['top', '--key', 'bw_unknown', '--url', ground.platform.url], { folder: ground.folder });
  assert.deepEqual([wrong.code, /unauthenticated/.test(wrong.stderr)], [4, true]);
});

test('bellwire top: --json is one document per interval until it is ended, --once is one', async () => {
  const single = await bellwire(['top', '--once', '--json', '--workspace', 'default'], { folder: ground.folder });
  const [overview, ...more] = documents<OverviewOut>(single);
  assert.deepEqual([single.code, overview?.workspace, more.length], [0, 'default', 0]);
  const child = spawnBellwire(['top', '--json', '--every', '100ms'], { folder: ground.folder });
  const closed = once(child, 'close');
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.split('\n').length > 2) child.kill('SIGINT');
  }
  const all = documents<OverviewOut>({ stdout: text });
  assert.ok(all.length >= 2 && all.every(({ rates }) => rates.accepted.length === 60));
  assert.deepEqual(await closed, [0, null]);
});
