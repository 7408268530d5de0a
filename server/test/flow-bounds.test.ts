// What a run may use: size and depth of values, lines of its log, work of its expressions, steps in its tree.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sizeFault } from '../src/flow/bounds.ts';
import { createMasker } from '../src/model/flow/mask.ts';
import type { Action, ActionContext } from '../src/flow/index.ts';
import type { Json, Step } from '../src/model/flow/definition.ts';
import { MASK } from '../src/model/headers.ts';
import { does, each, route, startFlows } from './flow-ground.ts';

const URL = 'https://api.example/';

function stand(run: (context: ActionContext) => Promise<Json>): { actions: Action[] } {
  return { actions: [{ name: 'http', run }] };
}

test('A step tree 1,000 deep is walked without an overflow', async (t) => {
  const flows = await startFlows(t);
  let step: Step = does('set', { deep: true });
  for (let depth = 0; depth < 1_000; depth++) step = route([{ name: 'in', if: null, steps: [step] }]);
  const run = await flows.play(await flows.job('deep', [step]));
  assert.equal(run.state, 'completed', run.reason ?? '');
  assert.equal((await flows.steps(run.run)).length, 1_001);
});

test('Loops: a run has only so many steps', async (t) => {
  const flows = await startFlows(t, { limits: { stepBytes: 262_144, logBytes: 100_000, steps: 500 } });
  const inner = each('range', [does('noop')], { onError: { then: 'continue' } });
  const job = await flows.job('many', [
    does('set', { range: '${ params.range }' }),
    each('range', [inner], { onError: { then: 'continue' } }),
  ]);
  const run = await flows.play(job, { params: { range: Array.from({ length: 40 }, (_, n) => n) } });
  assert.equal(run.state, 'failed');
  assert.equal(run.reason, 'it has more than 500 steps');
  assert.equal(flows.errors.length, 0);
});

test('An expression that would make a text without end fails its step', async (t) => {
  const flows = await startFlows(t);
  const run = await flows.play(await flows.job('endless', [does('set', { a: "${ repeat('x', 1000000000) }" })]));
  assert.equal(run.state, 'failed');
});

test('An output or an input that is too large fails its step, and one that nests too deep', async (t) => {
  const deep = (levels: number): Json => {
    let value: Json = 1;
    for (let level = 0; level < levels; level++) value = [value];
    return value;
  };
  const flows = await startFlows(
    t,
    stand(async ({ input }) => (input === `${URL}large` ? 'x'.repeat(300_000) : deep(200))),
  );
  const large = await flows.play(await flows.job('large', [does('http', `${URL}large`)]));
  assert.equal(large.reason, 'steps[0] (http): its output is larger than 256 KiB (flows.stepOutput)');
  const nested = await flows.play(await flows.job('nested', [does('http', `${URL}deep`)]));
  assert.equal(nested.reason, 'steps[0] (http): its output nests deeper than 100 levels');
  const twice = does('set', { a: '${ params.a }${ params.a }' });
  const input = await flows.play(await flows.job('input', [twice]), { params: { a: 'x'.repeat(200_000) } });
  assert.equal(input.reason, 'steps[0] (set): its input is larger than 256 KiB (flows.stepOutput)');
  assert.equal(sizeFault(deep(1_000_000), 1e9), 'nests deeper than 100 levels');
});

test('The log of a run is cut at its limit, and says so; lines are bounded, and what no text holds is replaced', async (t) => {
  const { actions } = stand(async ({ log }) => {
    log('out', 'first\r\nsecond\0');
    log('out', 'y'.repeat(20_000));
    for (let line = 0; line < 1_000_000; line++) log('out', 'x'.repeat(1_000));
    return null;
  });
  const flows = await startFlows(t, { actions, limits: { stepBytes: 262_144, logBytes: 100_000, steps: 500 } });
  const run = await flows.play(await flows.job('loud', [does('http', URL), does('fail', 'not in the log')]));
  const lines = await flows.lines(run.run);
  assert.deepEqual(lines.slice(0, 2), ['first', 'second\ufffd']);
  assert.equal(lines[2]!.length, 16_385);
  assert.equal(lines.at(-1), 'The log is full: what follows is left out.');
  assert.ok(lines.length < 100, `${lines.length}`);
  assert.equal(run.reason, 'steps[1] (fail): not in the log');
});

test('Masking: a value in clear, in JSON, URL, hex and base64, wherever it begins; each line of a key', () => {
  const secret = 'a"b c/d?e+ü\\';
  const { text, json } = createMasker([secret, '-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----', '']);
  const forms = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    encodeURIComponent(secret).toLowerCase(),
    encodeURIComponent(secret).replaceAll('%20', '+'),
    Buffer.from(secret).toString('hex'),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
    'MIIEvQIBADANBg',
  ];
  for (const form of forms) assert.ok(!text(`<${form}>`).includes(form), form);
  for (const before of ['', 'u', 'us', 'use', 'user:']) {
    const coded = Buffer.from(`${before}${secret}:`).toString('base64');
    assert.ok(text(coded).includes(MASK), before);
  }
  assert.equal(text('nothing of it'), 'nothing of it');
  assert.deepEqual(json({ [secret]: [secret, 1, null, true] }), { [MASK]: [MASK, 1, null, true] });
  const numbers = createMasker(['4711']);
  assert.deepEqual(numbers.json([4711, 12, 47110]), [MASK, 12, `${MASK}0`]);
});
