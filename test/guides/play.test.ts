// The runner of the guides on pages made up here: what fits passes, what does not is told with file, line and both sides.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fit } from './compare.ts';
import { readBlocks } from './page.ts';
import { playGuide } from './play.ts';

const page = 'docs/guides/made-up.md';

function block(info: string, ...lines: string[]): string {
  return ['```' + info, ...lines, '```', ''].join('\n');
}

const play = (...blocks: string[]): Promise<string[]> => playGuide({ page, text: blocks.join('\n') });

test('a guide: variables, folder and files stay from block to block; another terminal is listened to, and ended', async () => {
  const served =
    "import { createServer } from 'node:http';\ncreateServer().listen(3000, () => console.log('port 3000'));";
  const skipped = await play(
    block('sh', 'mkdir made-up', 'cd made-up', 'NAME=you'),
    'Write `serve.mjs`:',
    block('js file=serve.mjs', served),
    block('sh terminal=server', 'npx node serve.mjs'),
    block('text output', 'port 3000'),
    block('sh', 'echo "$NAME in $(basename "$PWD")"', 'echo wh_1a452e19nw_1 after 12.5 ms'),
    block('text output', 'you in made-up', 'wh_k3v9x2m4q7_7 after 3 ms'),
    block('sh exit=3', 'exit 3'),
    block('text press=ctrl-c of=server', '^C'),
    block('sh not-run="needs a Docker engine"', 'docker build .'),
  );
  assert.deepEqual(skipped, [`${page}:39: needs a Docker engine`]);
});

test('a guide: what is not as the page says is told with its line, what was expected and what came', async () => {
  await assert.rejects(play(block('sh', 'echo two'), block('text output', 'one')), {
    message: `${page}:5: is not what came. Expected:\n    one\n  What came:\n    two\n`,
  });
  await assert.rejects(play(block('sh', 'echo before', 'false', 'echo never')), {
    message: `${page}:1: ended with exit code 1, not 0\n  What came:\n    before\n`,
  });
  await assert.rejects(play(block('sh terminal=a', 'echo steady', 'exit 4'), block('text output', 'ready')), {
    message: `${page}:6: is not what came. Expected:\n    ready\n  What came:\n    steady\n    \n    (it has ended: 4)\n`,
  });
});

test('a guide: a block that nothing says how to play is refused, whatever it is', () => {
  const refused: [string, string][] = [
    [block('yaml', 'a: 1'), 'nothing says how to play this block'],
    [block('', 'a'), 'nothing says how to play this block'],
    [block('sh twice', 'a'), 'does not know "twice"'],
    [block('js file=a.js', 'a'), 'the paragraph above does not name a.js'],
    [block('sh not-run', 'a'), 'not-run= says nothing'],
    [block('sh terminal=a', 'a'), 'an output block must follow'],
    [block('sh again', 'a'), 'an output block must follow'],
    [block('text output', 'a'), 'nothing above it prints'],
    [block('text output of=a', 'a'), 'nothing runs in a yet'],
    ['```sh\na', 'the block has no end'],
    ['> ```sh\n> a\n> ```', 'a block is fenced'],
    ['- ```sh\n  a\n  ```', 'a block is fenced'],
    ['\n    a\n', 'a block is fenced'],
    ['\n\ta\n', 'a block is fenced'],
    ['<pre>a</pre>', 'a block is fenced'],
  ];
  for (const [text, why] of refused) assert.throws(() => readBlocks(page, text), { message: new RegExp(why) }, text);
});

test('a guide: … stands for the rest of a line or for lines; what is new each time is compared by its form', () => {
  const fits = (expected: string, printed: string): boolean => fit(expected, printed, { whole: true }) !== undefined;
  assert.ok(fits('a … c\n…\nend', 'a b c\nx\ny\nend\n'));
  assert.ok(fits('…\nend', 'end\n'));
  assert.ok(fits('a   b', 'a b'));
  assert.ok(fits('at 2026-11-22T09:30:00.000Z, 3 s ago', 'at 2027-01-01T00:00:00Z, 2 min ago'));
  assert.ok(fits('/hooks/UAm_h_pNmdkUl6tL1m1YZWjkqyrrRVnM', '/hooks/3rfE9csBE7yzauX2Le2AHuAkum1lLeq-'));
  assert.ok(!fits('a … c', 'a b\nc\n'));
  assert.ok(!fits('a', 'a\nb\n'));
  assert.equal(fit('a', 'a\nb\n', { whole: false })?.lines, 1);
  assert.equal(fit('a', 'a', { whole: false }), undefined, 'the line may go on');
});

test('a guide: an id of the page is the same thing wherever it stands, and is typed as what it is here', async () => {
  const ids = ['echo dlv_tn7qeby98n_41_7 dlv_tn7qeby98n_42_7', 'echo dlv_tn7qeby98n_41_7'];
  const one = block('text output', 'dlv_1a452e19nw_3_1 dlv_1a452e19nw_4_1', 'dlv_1a452e19nw_3_1');
  const look = block('sh', 'test dlv_1a452e19nw_4_1 = dlv_tn7qeby98n_42_7');
  await play(block('sh', ...ids), one, look, block('sh', ...ids), one);
  const other = block('text output', 'dlv_1a452e19nw_3_1 dlv_1a452e19nw_4_1', 'dlv_1a452e19nw_4_1');
  await assert.rejects(play(block('sh', ...ids), other), /is not what came/);
});
