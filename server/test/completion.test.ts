// Completion: what the commands themselves say may follow, and the scripts in the shells they are for, with odd names.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { listedIn } from '../src/cli/develop/completing.ts';
import { cutLine, quoteForBash } from '../src/cli/develop/shell-words.ts';
import { bellwire, EXPIRING, startGround } from './cli-ground.ts';

const cli = join(import.meta.dirname, '../src/cli.ts');

/** Why a shell's test is left out, or false. */
function lacking(shell: string): string | false {
  return spawnSync(shell, ['--version']).status === 0 ? false : `there is no ${shell} on this machine`;
}

test('completion: a line is cut as bash cuts it, and a word is put back as bash takes it', () => {
  const cut = (line: string): unknown[] => {
    const { words, quote, cutAt } = cutLine(line, Buffer.byteLength(line));
    return [...words, quote, cutAt];
  };
  assert.deepEqual(cut('bw show my\\ h'), ['bw', 'show', 'my h', '', 0]);
  assert.deepEqual(cut("bw show 'my h"), ['bw', 'show', 'my h', "'", 0]);
  assert.deepEqual(cut('bw show "a\\"b'), ['bw', 'show', 'a"b', '"', 0]);
  assert.deepEqual(cut('bw  list --state=de'), ['bw', 'list', '--state=de', '', 8]);
  assert.deepEqual(cut('bw "" '), ['bw', '', '', '', 0]);
  assert.deepEqual(cutLine('bw größe x', Buffer.byteLength('bw größ')).words, ['bw', 'größ']);
  for (const name of ["it's $HOME", 'a`b`', 'x;y|z', 'ü b', '*']) {
    const { stdout } = spawnSync('bash', ['-c', `printf %s ${quoteForBash(name, '')}`], { encoding: 'utf8' });
    assert.equal(stdout, name);
  }
});

test('completion: a description that begins in lower case lists values', () => {
  assert.deepEqual(listedIn('scheduled, held, delivered or dead'), ['scheduled', 'held', 'delivered', 'dead']);
  assert.deepEqual(listedIn('structured or binary CloudEvents'), ['structured', 'binary']);
  assert.deepEqual(listedIn('standard-v1, standard-v1a, hpe, or several parted by commas'), [
    'standard-v1',
    'standard-v1a',
    'hpe',
  ]);
  assert.deepEqual(listedIn('Only those of this webhook, by id or name'), []);
});

describe('completion in the shells', () => {
  let ground: Awaited<ReturnType<typeof startGround>>;
  let path = '';
  before(async () => {
    ground = await startGround();
    for (const name of ['my hook', 'nightly.x']) {
      assert.equal((await bellwire(['webhooks', 'add', name, '--pull'], { folder: ground.folder })).code, 0);
    }
    const program = join(ground.folder, 'bellwire');
    writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`);
    chmodSync(program, 0o755);
    path = `${ground.folder}:${process.env['PATH']}`;
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await bellwire(['completion', shell], { folder: ground.folder });
      assert.equal(code, 0);
      writeFileSync(join(ground.folder, `script.${shell}`), stdout);
    }
  });
  after(() => ground.stop());

  /** What a shell prints. The platform is in this process, so the shell must not stop it. */
  async function said(command: readonly [string, ...string[]]): Promise<string> {
    const [name, ...args] = command;
    const env = { PATH: path, HOME: ground.folder, TERM: 'dumb' };
    const child = spawn(name, args, { cwd: ground.folder, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
    return text(child.stdout);
  }

  test('__complete: commands, options, values, names; and nothing, quickly, where no platform answers', async () => {
    const complete = async (...words: string[]): Promise<string[]> => {
      const { code, stdout, stderr } = await bellwire(['__complete', 'fish', ...words], { folder: ground.folder });
      assert.deepEqual([code, stderr], [0, '']);
      return stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')[0]!]));
    };
    assert.ok((await complete('')).includes('webhooks'));
    assert.ok(!(await complete('')).includes('__complete'));
    assert.deepEqual(await complete('webhooks', 'sh'), ['show']);
    assert.deepEqual(await complete('webhooks', 'show', ''), ['my hook', 'nightly.x']);
    assert.deepEqual(await complete('deliveries', 'list', '--state', 'de'), ['delivered', 'dead']);
    assert.deepEqual(await complete('webhooks', 'add', 'x', '--signing=hpe,standard-v1a'), [
      '--signing=hpe,standard-v1a',
    ]);
    assert.deepEqual(await complete('webhooks', 'add', '--form'), ['--format']);
    assert.ok((await complete('webhooks', 'list', '--')).includes('--workspace'));
    assert.ok((await complete('subscribe', 'nightly.x', 'com.hpe')).length > 1);
    assert.deepEqual(await complete('types', 'add', 'com.hpe.greenlake.sub'), [EXPIRING]);
    assert.deepEqual(await complete('inbox', '--verify', 's'), ['standard-webhooks', 'stripe', 'slack', 'shopify']);
    assert.deepEqual(await complete('push', ''), [':files']);
    assert.deepEqual(await complete('nonsense', 'x', ''), []);
    assert.deepEqual(await complete('--url', 'http://127.0.0.1:1', '--key', 'k', 'webhooks', 'show', ''), []);
    assert.deepEqual((await bellwire(['completion', 'tcsh'], { folder: ground.folder })).code, 2);
  });

  test('bash', { skip: lacking('bash') }, async () => {
    const lines = ['webhooks show my', "webhooks show 'my", 'deliveries list --state=de', 'webhooks sho'];
    const script = [
      'source ./script.bash',
      'try() { COMP_LINE="bellwire $1"; COMP_POINT=${#COMP_LINE}; _bellwire bellwire ""; printf "<%s>" "${COMPREPLY[@]}"; echo; }',
      ...lines.map((line) => `try "${line}"`),
      // A function that runs it, as docs/cli.md has it for the clone.
      `bellwire() { '${process.execPath}' '${cli}' "$@"; }`,
      'PATH=/nowhere try "webhooks sho"',
    ];
    const got = (await said(['bash', '--norc', '-c', script.join('\n')])).trim().split('\n');
    assert.deepEqual(got, ['<my\\ hook>', '<my hook>', '<delivered><dead>', '<show>', '<show>']);
  });

  test('fish', { skip: lacking('fish') }, async () => {
    const script = [
      'source script.fish',
      "complete -C 'bellwire webhooks show my\\ h'",
      "complete -C 'bellwire deliveries list --state=hel'",
    ];
    const got = (await said(['fish', '--no-config', '-c', script.join('\n')])).trim().split('\n');
    assert.deepEqual(
      got.map((line) => line.split('\t')[0]),
      ['my hook', '--state=held'],
    );
  });

  test('zsh', { skip: lacking('zsh') }, async () => {
    // A real terminal, in which the line is completed and then run by a program that shows its words.
    const script = `
      zmodload zsh/zpty
      zpty z 'PATH=${path} zsh -f -i'
      zpty -w z 'autoload -Uz compinit; compinit -u -d ./dump; source ./script.zsh; PS1=; print rea""dy'
      zpty -r -m z out '*ready*'
      zpty -w -n z $'bellwire webhooks show my\\t'
      zpty -r -m z out '*hook*'
      zpty -w -n z $'\\x01function bellwire { print -r -- "got:<$3>" }; \\n'
      zpty -r -m z out '*got:<my hook>*'
      print -r -- $out
      zpty -d z`;
    assert.match(await said(['zsh', '-f', '-c', script]), /got:<my hook>/);
  });
});
