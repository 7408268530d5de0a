// Commands: real processes, what they may see, and that none of them outlives its step.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../src/clock.ts';
import {
  NotStarted,
  runCommand,
  type Command,
  type CommandEnd,
  type CommandGround,
} from '../src/flow/commands/command.ts';
import { LINE_LIMIT, Lines } from '../src/flow/commands/lines.ts';
import { endProcesses, isAlive, noteOf, readNote, type ProcessNote } from '../src/flow/commands/process-tree.ts';
import { NOBODY, raiseShield } from '../src/flow/commands/shield.ts';

const onLinux = process.platform === 'linux' ? false : 'processes are looked up in /proc';

interface Ran {
  end: CommandEnd;
  lines: [stream: string, text: string][];
  note: ProcessNote;
}

let marks = 0;

async function makeGround(
  t: TestContext,
  of: Partial<CommandGround> = {},
): Promise<CommandGround & { dataFolder: string }> {
  const root = mkdtempSync(join(tmpdir(), 'bellwire-commands-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  chmodSync(root, 0o711);
  const [dataFolder, workFolder] = [join(root, 'data'), join(root, 'work')];
  for (const [folder, mode] of [
    [dataFolder, '700'],
    [workFolder, '711'],
  ] as const) {
    execFileSync('mkdir', ['-m', mode, folder]);
  }
  writeFileSync(join(dataFolder, 'admin-key'), 'the admin key');
  const shield = await raiseShield({ dataFolder, user: NOBODY, allowNone: true });
  return { shield, workFolder, scripts: null, clock: systemClock, graceMs: 300, dataFolder, ...of };
}

async function run(ground: CommandGround, words: readonly string[], of: Partial<Command> = {}): Promise<Ran> {
  const lines: Ran['lines'] = [];
  let note: ProcessNote | null = null;
  const end = await runCommand(
    {
      words,
      env: {},
      stdin: null,
      mark: `test/${process.pid}/${++marks}`,
      signal: new AbortController().signal,
      onStart: async (started) => {
        note = started;
      },
      onLine: (stream, text) => void lines.push([stream, text]),
      ...of,
    },
    ground,
  );
  return { end, lines, note: note! };
}

const sh = (script: string): string[] => ['sh', '-c', script];

test('a command: its words are its own, its lines come by stream, its exit code is its end', async (t) => {
  const ground = await makeGround(t);
  const { end, lines } = await run(ground, ['printf', '%s|', 'a b', '$HOME', '; rm -rf x']);
  assert.deepEqual(end, { code: 0, signal: null });
  assert.deepEqual(lines, [['out', 'a b|$HOME|; rm -rf x|']]);
  const failing = await run(ground, sh('echo one; echo two >&2; printf three; exit 3'));
  assert.equal(failing.end.code, 3);
  assert.deepEqual(
    failing.lines.toSorted(([a], [b]) => a.localeCompare(b)),
    [
      ['error', 'two'],
      ['out', 'one'],
      ['out', 'three'],
    ],
  );
});

test('a command reads what it is given', async (t) => {
  const { lines } = await run(await makeGround(t), ['cat'], { stdin: '{"params":{"table":"orders"}}\n' });
  assert.deepEqual(lines, [['out', '{"params":{"table":"orders"}}']]);
});

test('a command that reads nothing of what it is given does not fail by that', async (t) => {
  const { end } = await run(await makeGround(t), ['true'], { stdin: 'x'.repeat(1_000_000) });
  assert.equal(end.code, 0);
});

test('a command that does not exist, or may not be executed, is refused in words', async (t) => {
  const ground = await makeGround(t);
  await assert.rejects(run(ground, ['bellwire-no-such-command']), (error) => {
    return error instanceof NotStarted && error.message === 'there is no command bellwire-no-such-command';
  });
  await assert.rejects(run(ground, ['./x.sh']), /there is none \(flows\.commands\.scripts\)/);
  await assert.rejects(run({ ...ground, scripts: '/opt/scripts' }, ['../x.sh']), /leads out of the folder/);
});

test('a command gets a scrubbed environment and an empty folder of its own, which is gone afterwards', async (t) => {
  process.env['BELLWIRE_TEST_SECRET'] = 'marked';
  t.after(() => delete process.env['BELLWIRE_TEST_SECRET']);
  const ground = await makeGround(t);
  const { lines } = await run(ground, sh('env | cut -d= -f1 | sort; pwd; ls -A; touch made; ls'), {
    env: { GIVEN: '1' },
  });
  const words = lines.map(([, text]) => text);
  const names = words.filter((word) => /^[A-Z_]+$/.test(word) && word !== '_');
  assert.deepEqual(names, ['BELLWIRE_STEP', 'GIVEN', 'HOME', 'LANG', 'PATH', 'PWD', 'TMPDIR']);
  assert(words.some((word) => word.startsWith(join(ground.workFolder, 'run-'))));
  assert.equal(words.at(-1), 'made');
  assert.deepEqual(readdirSync(ground.workFolder), []);
});

test('a command cannot read the data folder', { skip: onLinux }, async (t) => {
  const ground = await makeGround(t);
  if (ground.shield.kind === 'none') return t.skip('this machine has neither another user nor namespaces');
  assert.equal(readFileSync(join(ground.dataFolder, 'admin-key'), 'utf8'), 'the admin key');
  const script = `cat ${ground.dataFolder}/admin-key; ls ${ground.dataFolder}; cat /proc/${process.pid}/environ`;
  const { end, lines } = await run(ground, sh(script));
  assert.notEqual(end.code, 0);
  assert.deepEqual(
    lines.filter(([stream]) => stream === 'out'),
    [],
  );
});

test('a command that ignores SIGTERM is ended all the same', async (t) => {
  const ground = await makeGround(t);
  const abort = new AbortController();
  const { end, note } = await run(ground, sh(`trap '' TERM; echo ready; while :; do sleep 0.05; done`), {
    signal: abort.signal,
    onLine: () => abort.abort(),
  });
  assert.equal(end.signal, 'SIGKILL');
  assert(!isAlive(note));
});

test(
  'a command that forks, and one whose child makes a session of its own, leaves nothing behind',
  { skip: onLinux },
  async (t) => {
    const ground = await makeGround(t);
    const { end, note } = await run(
      ground,
      sh('sleep 300 & setsid sleep 300 & (setsid sh -c "sleep 300 & sleep 300" &) ; exit 0'),
    );
    assert.equal(end.code, 0);
    assert(!isAlive(note));
  },
);

test(
  'a command that was left by a platform that ended is found by its note, and ended',
  { skip: onLinux },
  async (t) => {
    const ground = await makeGround(t);
    const started = Promise.withResolvers<ProcessNote>();
    const running = run(ground, sh('setsid sleep 300 & sleep 300'), { onStart: async (note) => started.resolve(note) });
    const note = readNote(JSON.stringify(await started.promise))!;
    assert(isAlive(note));
    await endProcesses(note, ground);
    assert(!isAlive(note));
    await running;
    // Another process under the same number is not ours.
    const other = noteOf(process.pid, 'nobody');
    assert(!isAlive({ ...other, begun: '1' }));
    assert.equal(readNote('{"pid":1}'), null);
    assert.equal(readNote('nonsense'), null);
  },
);

test('a command that prints a gigabyte costs no memory and no more than its lines', async (t) => {
  const ground = await makeGround(t);
  const before = process.memoryUsage().rss;
  const { end, lines } = await run(ground, sh(`head -c 1000000000 /dev/zero | tr '\\0' x`));
  assert.equal(end.code, 0);
  assert.equal(lines.length, 1);
  assert.match(lines[0]![1], /^x+… \(999991808 more characters\)$/);
  assert(process.memoryUsage().rss - before < 200 * 1024 * 1024);
});

test('lines are cut where they are too long, and characters are never torn apart', () => {
  const lines: string[] = [];
  const gather = new Lines((text) => lines.push(text));
  const bytes = new TextEncoder().encode('é\r\nnächste\n\nrest');
  for (const byte of bytes) gather.push(Uint8Array.of(byte));
  gather.end();
  assert.deepEqual(lines, ['é', 'nächste', '', 'rest']);
  const long: string[] = [];
  const cut = new Lines((text) => long.push(text));
  cut.push(new TextEncoder().encode(`${'y'.repeat(LINE_LIMIT + 5)}\nnext\n`));
  cut.end();
  assert.deepEqual(long, [`${'y'.repeat(LINE_LIMIT)}… (5 more characters)`, 'next']);
});

test('the shield: as anybody but root a command runs in namespaces, or not at all', { skip: onLinux }, async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can become somebody else');
  const { dataFolder } = await makeGround(t);
  // What this does as nobody, in a process of its own: Node has to be somewhere nobody may go.
  const shield = join(import.meta.dirname, '../src/flow/commands/shield.ts');
  const script = `const { raiseShield } = await import(${JSON.stringify(shield)});
    raiseShield({ dataFolder: process.argv[1], user: { uid: 1, gid: 1 }, allowNone: false }).then(
      ({ kind }) => console.log(kind), (error) => console.log(error.message));`;
  try {
    execFileSync(process.execPath, ['-e', '0'], { uid: NOBODY.uid, gid: NOBODY.gid, stdio: 'ignore' });
    execFileSync('test', ['-r', shield], { uid: NOBODY.uid, gid: NOBODY.gid });
  } catch {
    return t.skip('nobody cannot run Node or read the sources here');
  }
  assert(existsSync(dataFolder));
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script, dataFolder], {
    uid: NOBODY.uid,
    gid: NOBODY.gid,
    encoding: 'utf8',
  }).trim();
  assert.match(said, /^namespaces$|^commands cannot be kept from the data folder on this machine \(.+\)/);
});
