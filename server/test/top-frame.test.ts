// The frame of `bellwire top`: its size whatever is drawn, and what it makes of numbers and names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters, styleText } from 'node:util';
import { OverviewOut } from '../src/api/overview.ts';
import { drawTop, quantity, roomForWebhooks, span, sparkline, type TopState } from '../src/cli/operate/top-frame.ts';
import { widthOf, type Style } from '../src/cli/terminal.ts';

const example = (OverviewOut as unknown as { examples: OverviewOut[] }).examples[0]!;
const worst = example.worst[0]!;

function stateOf(changes: Partial<TopState> = {}): TopState {
  const url = 'http://127.0.0.1:8470';
  return { url, overview: example, trouble: null, sort: 'backlog', isPaused: false, hasKeys: true, ...changes };
}

const plainly = (_: Style, text: string): string => text;
const painted = (style: Style, text: string): string => styleText(style, text, { validateStream: false });

/** Many webhooks with names that try what names can. */
function crowded(): OverviewOut {
  const names = [
    'billing',
    'データ集約サービス東京リージョンの請求',
    '\u001b[2J\u001b[31mred',
    'a\u202Eb',
    'x'.repeat(50),
    '👩‍👩‍👧 ok',
    'e\u0301'.repeat(40),
  ];
  return {
    ...example,
    rates: { ...example.rates, accepted: Array.from({ length: 60 }, (_, at) => at * 12_345) },
    webhooks: { pending: 1, active: 9_876_543, warning: 123_456, critical: 12, paused: 9, disabled: 4 },
    worst: Array.from({ length: 40 }, (_, at) => ({
      ...worst,
      name: names[at % names.length]!,
      workspace: at % 2 === 0 ? 'default' : 'a-workspace-with-a-long-name',
      state: at % 2 === 0 ? ('critical' as const) : ('disabled' as const),
      open: 10 ** (at % 9),
      oldestDueMs: at % 3 === 0 ? null : 7 ** (at % 12),
      attempts: 12_345_678,
      failures: 1_234_567,
      answerMs: 29_999.7,
      error: 'could not connect: \u001b]0;title\u0007 the certificate has expired',
    })),
  };
}

test('bellwire top: a frame has exactly the rows of the screen, and no line is wider than it', () => {
  const states = [
    stateOf(),
    stateOf({ overview: null }),
    stateOf({ overview: crowded() }),
    stateOf({ overview: { ...crowded(), workspace: 'tenant', node: null } }),
    stateOf({ isPaused: true, hasKeys: false, sort: 'latency' }),
    stateOf({ trouble: `no answer from ${'http://'.repeat(40)}` }),
  ];
  for (const state of states) {
    for (const [columns, rows] of [
      [80, 24],
      [200, 60],
      [40, 12],
      [17, 5],
      [1, 1],
    ] as const) {
      for (const paint of [plainly, painted]) {
        const lines = drawTop(state, { columns, rows, paint });
        assert.equal(lines.length, rows);
        for (const line of lines) {
          const bare = stripVTControlCharacters(line);
          assert.ok(widthOf(bare) <= columns, `${widthOf(bare)} > ${columns}: ${bare}`);
          // oxlint-disable-next-line no-control-regex -- none of it may reach a terminal
          assert.doesNotMatch(paint === plainly ? line : bare, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
        }
      }
    }
  }
});

test('bellwire top: what stands where at 80 columns and 24 rows', () => {
  const lines = drawTop(stateOf(), { columns: 80, rows: 24, paint: plainly }).map((line) => line.trimEnd());
  assert.deepEqual(lines.slice(0, 11), [
    'bellwire  0.1.0  http://127.0.0.1:8470  all workspaces              09:30:00 UTC',
    `accepted      120/s ${'█'.repeat(60)}`,
    `delivered     118/s ${'█'.repeat(60)}`,
    `failed        2.0/s ${'█'.repeat(60)}`,
    'latency    p50 8 ms  p95 42 ms  p99 130 ms',
    'backlog    12 scheduled  340 held  3 dead',
    'webhooks   7 active  1 warning  1 paused',
    'node       8 of 2,048 places  4 in memory  16 conns  0 runs  64 lanes  183 MB',
    '',
    'webhook             state       open     due    failed/5m  answer  last error',
    'billing             warning      340    61 s       96/240  813 ms  answered 503',
  ]);
  assert.deepEqual(
    lines.slice(11, 23),
    Array.from({ length: 12 }, () => ''),
  );
  assert.equal(lines[23], 'b backlog  f failures  l latency  p pause  q quit               worst by backlog');
  assert.equal(roomForWebhooks(24), 13);
});

test('bellwire top: trouble and a pause are said', () => {
  const screen = { columns: 80, rows: 24, paint: plainly };
  assert.match(
    drawTop(stateOf({ trouble: 'nothing listens there' }), screen).at(-1)!,
    /^No answer: nothing listens there\. Trying on …/,
  );
  assert.match(drawTop(stateOf({ isPaused: true }), screen)[0]!, /paused  09:30:00 UTC$/);
});

test('bellwire top: a line of sparks shows what is not nothing; quantities and spans fit six cells', () => {
  assert.equal(sparkline([0, 1, 50, 100]), ' ▁▄█');
  assert.equal(sparkline([0, 0]), '  ');
  for (const count of [0, 7, 1_234, 99_999, 100_000, 999_999, 1_000_000, 123_456_789])
    assert.ok(quantity(count).length <= 6);
  assert.deepEqual([quantity(1_234), quantity(123_999), quantity(1_260_000)], ['1,234', '123k', '1.2M']);
  const spans = [0.4, 999, 1_200, 59_400, 61_000, 7_200_000, 4e8];
  assert.deepEqual(spans.map(span), ['0 ms', '999 ms', '1.2 s', '59 s', '61 s', '2 h', '5 d']);
});
