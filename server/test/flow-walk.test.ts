// The tree of a job's steps: order, conditions, routes, loops, variables, retries, time-outs and failures.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ActionFailed, type Action, type ActionContext } from '../src/flow/index.ts';
import type { Json } from '../src/model/flow/definition.ts';
import { does, each, route, startFlows } from './flow-ground.ts';

/** An action in the place of `http` that does what a test says, and notes what it was given. */
function stand(does: (context: ActionContext) => Promise<Json> | Json): { actions: Action[]; calls: ActionContext[] } {
  const calls: ActionContext[] = [];
  const run = async (context: ActionContext): Promise<Json> => {
    calls.push(context);
    return does(context);
  };
  return { actions: [{ name: 'http', run }], calls };
}

const URL = 'https://api.example/';

test('Jobs run: steps in order, each with a row of its input, output and time', async (t) => {
  const flows = await startFlows(t);
  const job = await flows.job('greet', [
    does('set', { who: '${ params.who }' }, { name: 'greeting' }),
    does('noop'),
    does('set', { words: 'Hello ${ who } of job ${ run.job }, ${ steps.greeting.who }' }),
  ]);
  const run = await flows.play(job, { params: { who: 'Ada' } });
  assert.equal(run.state, 'completed');
  assert.equal(run.reason, null);
  assert.ok(run.startedAt !== null && run.finishedAt !== null && run.finishedAt >= run.startedAt);
  const rows = await flows.steps(run.run);
  assert.deepEqual(
    rows.map(({ place, name, action, state, tries }) => [place, name, action, state, tries]),
    [
      ['steps[0]', 'greeting', 'set', 'completed', 1],
      ['steps[1]', null, 'noop', 'completed', 1],
      ['steps[2]', null, 'set', 'completed', 1],
    ],
  );
  assert.deepEqual(rows[2]!.output, { words: `Hello Ada of job ${job.flow}, Ada` });
  assert.deepEqual(rows[2]!.input, rows[2]!.output);
  assert.ok(rows.every(({ finishedAt, startedAt }) => finishedAt !== null && finishedAt >= startedAt));
  assert.deepEqual(flows.errors, []);
});

test('R104 a step whose condition does not hold is skipped, and its row says what it came to', async (t) => {
  const flows = await startFlows(t);
  const job = await flows.job('maybe', [
    does('fail', 'must not run', { if: 'params.n > 5' }),
    does('set', { big: true }, { if: 'params.n > 1' }),
  ]);
  const run = await flows.play(job, { params: { n: 3 } });
  assert.equal(run.state, 'completed');
  assert.deepEqual(
    (await flows.steps(run.run)).map(({ state, output }) => [state, output]),
    [
      ['skipped', { if: 'params.n > 5', was: false }],
      ['completed', { big: true }],
    ],
  );
});

test('R101 R104 a route takes the first branch that fits; the fallback only when none does, wherever it stands', async (t) => {
  const flows = await startFlows(t);
  const branches = [
    { name: 'rest', if: null, steps: [does('set', { went: 'rest' })] },
    { name: 'big', if: 'params.n > 10', steps: [does('set', { went: 'big' })] },
    { name: 'huge', if: 'params.n > 100', steps: [does('set', { went: 'huge' })] },
  ];
  const job = await flows.job('routes', [route(branches, { name: 'size' }), does('set', { at: '${ went }' })]);
  const wentWith = async (n: number): Promise<[Json, Json]> => {
    const { run } = await flows.play(job, { params: { n } });
    return [(await flows.step(run, 'steps[1]')).output, (await flows.step(run, 'steps[0]')).output];
  };
  const [big, why] = await wentWith(500);
  assert.deepEqual(big, { at: 'big' });
  assert.deepEqual(why, {
    taken: ['big'],
    branches: [
      { branch: 'rest', taken: false, if: null, was: null, because: 'another branch fits' },
      { branch: 'big', taken: true, if: 'params.n > 10', was: true, because: 'its filter holds' },
      { branch: 'huge', taken: false, if: 'params.n > 100', was: null, because: 'a branch before it fits' },
    ],
  });
  const [rest, why2] = await wentWith(1);
  assert.deepEqual(rest, { at: 'rest' });
  assert.deepEqual((why2 as { branches: Json[] }).branches, [
    { branch: 'rest', taken: true, if: null, was: null, because: 'no other branch fits' },
    { branch: 'big', taken: false, if: 'params.n > 10', was: false, because: 'its filter does not hold' },
    { branch: 'huge', taken: false, if: 'params.n > 100', was: false, because: 'its filter does not hold' },
  ]);
});

test('R104 a route that takes all branches that fit does their steps in their order', async (t) => {
  const flows = await startFlows(t);
  const branches = [
    { name: 'even', if: 'params.n % 2 == 0', steps: [does('set', { log: '${ log }e' })] },
    { name: 'never', if: 'false', steps: [does('fail', 'never')] },
    { name: 'rest', if: null, steps: [does('fail', 'never')] },
    { name: 'third', if: 'params.n % 3 == 0', steps: [does('set', { log: '${ log }t' })] },
  ];
  const job = await flows.job('all', [
    does('set', { log: '>' }),
    route(branches, { match: 'all' }),
    does('set', { end: '${ log }' }),
  ]);
  const run = await flows.play(job, { params: { n: 6 } });
  assert.equal(run.state, 'completed', run.reason ?? '');
  assert.deepEqual((await flows.step(run.run, 'steps[2]')).output, { end: '>et' });
  assert.deepEqual(((await flows.step(run.run, 'steps[1]')).output as { taken: Json }).taken, ['even', 'third']);
});

test('Jobs run: a loop does its steps for each item, some at once; what an item sets is its own', async (t) => {
  let most = 0;
  let now = 0;
  const { actions, calls } = stand(async ({ sleepUntil }) => {
    most = Math.max(most, ++now);
    await sleepUntil(flows.clock.now() + 50);
    now--;
    return null;
  });
  const flows = await startFlows(t, { actions });
  const steps = [does('set', { mine: '${ item.id }' }), does('http', `${URL}\${ mine }`, { name: 'call' })];
  const job = await flows.job('loop', [
    does('set', { mine: 'outer' }),
    each('params.items', steps, { atOnce: 3, name: 'all' }),
    does('set', { after: '${ mine }', count: '${ steps.all.items }' }),
  ]);
  const items = Array.from({ length: 8 }, (_, id) => ({ id }));
  const run = await flows.play(job, { params: { items } });
  assert.equal(run.state, 'completed', run.reason ?? '');
  assert.equal(most, 3);
  assert.deepEqual(new Set(calls.map(({ input }) => input)), new Set(items.map(({ id }) => `${URL}${id}`)));
  assert.deepEqual((await flows.step(run.run, 'steps[2]')).output, { after: 'outer', count: 8 });
  assert.equal((await flows.step(run.run, 'steps[1].each[7].steps[1]')).state, 'completed');
});

test('Jobs run: a loop over what is no list fails, in words', async (t) => {
  const flows = await startFlows(t);
  const run = await flows.play(await flows.job('loop', [each('params.n', [does('noop')])]), {
    params: { n: 1 },
  });
  assert.equal(run.state, 'failed');
  assert.equal(run.reason, 'steps[0] (each): what it goes through is not a list');
});

test('Jobs run: a failure in a loop lets what is under way end, and begins no other item', async (t) => {
  const { actions, calls } = stand(async ({ input, sleepUntil }) => {
    if (input === `${URL}1`) throw new ActionFailed('answered 404', { retryable: false });
    await sleepUntil(flows.clock.now() + 100);
    return 'done';
  });
  const flows = await startFlows(t, { actions });
  const job = await flows.job('loop', [each('params.ids', [does('http', `${URL}\${ item }`)], { atOnce: 2 })]);
  const run = await flows.play(job, { params: { ids: [0, 1, 2, 3] } });
  assert.equal(run.state, 'failed');
  assert.equal(run.reason, 'steps[0].each[1].steps[0] (http): answered 404');
  assert.equal((await flows.step(run.run, 'steps[0].each[0].steps[0]')).output, 'done');
  assert.equal(calls.length, 2);
});

test('Jobs run: a step is tried again after its wait, as often as it says; the log tells of each', async (t) => {
  const { actions, calls } = stand(({ attempt }) => {
    if (attempt < 3) throw new ActionFailed(`answered 50${attempt}`);
    return { attempt };
  });
  const flows = await startFlows(t, { actions });
  const job = await flows.job('retry', [does('http', URL, { retry: { times: 2, waitMs: 30_000 } })]);
  const run = await flows.start(job);
  await flows.untilSo('the first try failed', async () => (await flows.lines(run)).length === 1);
  assert.equal((await flows.run(run)).state, 'running');
  assert.equal((await flows.step(run, 'steps[0]')).error, 'answered 501');
  const { state, startedAt, finishedAt } = await flows.until(run, 'completed');
  assert.equal(state, 'completed');
  assert.ok(finishedAt! - startedAt! >= 60_000, `${finishedAt! - startedAt!}`);
  assert.deepEqual(await flows.lines(run), [
    'Try 1 failed: answered 501. The next one is in 30s.',
    'Try 2 failed: answered 502. The next one is in 30s.',
  ]);
  assert.equal((await flows.step(run, 'steps[0]')).tries, 3);
  assert.equal(new Set(calls.map(({ idempotencyKey }) => idempotencyKey)).size, 1);
});

test('Jobs run: what cannot be better next time is not tried again; who asks for time gets it', async (t) => {
  const { actions, calls } = stand(({ input, attempt }) => {
    if (input === `${URL}gone`) throw new ActionFailed('answered 404', { retryable: false });
    if (attempt === 1) throw new ActionFailed('answered 429', { afterMs: 120_000 });
    return null;
  });
  const flows = await startFlows(t, { actions });
  const retry = { times: 3, waitMs: 10 };
  const gone = await flows.play(await flows.job('gone', [does('http', `${URL}gone`, { retry })]));
  assert.equal(gone.reason, 'steps[0] (http): answered 404');
  assert.equal(calls.length, 1);
  const busy = await flows.play(await flows.job('busy', [does('http', URL, { retry })]));
  assert.equal(busy.state, 'completed');
  assert.ok(busy.finishedAt! - busy.startedAt! >= 120_000);
});

test('Jobs run: a try that takes longer than its step allows is ended, and another one made', async (t) => {
  const { actions, calls } = stand(({ attempt, signal }) => {
    if (attempt === 2) return 'quick';
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('cut off'))));
  });
  const flows = await startFlows(t, { actions });
  const job = await flows.job('slow', [does('http', URL, { timeoutMs: 5_000, retry: { times: 1, waitMs: 0 } })]);
  const run = await flows.play(job);
  assert.equal(run.state, 'completed', run.reason ?? '');
  assert.equal(calls.length, 2);
  assert.deepEqual(await flows.lines(run.run), ['Try 1 failed: it took longer than 5s. The next one is in 0s.']);
});

test('Jobs run: an action that does not end when it is told to is not waited for', async (t) => {
  const { actions } = stand(() => new Promise(() => undefined));
  const flows = await startFlows(t, { actions });
  const run = await flows.play(await flows.job('deaf', [does('http', URL, { timeoutMs: 1_000, name: 'call' })]));
  assert.equal(run.state, 'failed');
  assert.equal(run.reason, 'call: it took longer than 1s');
});

test('Jobs run: a failure fails the run, lets it go on, or has other steps run first, as the step says', async (t) => {
  const flows = await startFlows(t);
  const run = await flows.play(
    await flows.job('fails', [does('fail', 'out of ${ params.what }', { name: 'stock' }), does('noop')]),
    {
      params: { what: 'paper' },
    },
  );
  assert.equal(run.state, 'failed');
  assert.equal(run.reason, 'stock: out of paper');
  assert.equal((await flows.steps(run.run)).length, 1);
  assert.deepEqual(await flows.lines(run.run), ['Failed: stock: out of paper']);
  const goesOn = await flows.play(
    await flows.job('goes-on', [
      does('fail', 'no matter', { onError: { then: 'continue' } }),
      does('fail', 'oh', {
        name: 'second',
        onError: { then: 'steps', steps: [does('set', { told: '${ error.step }: ${ error.message }' })] },
      }),
      does('set', { end: '${ told }' }),
    ]),
  );
  assert.equal(goesOn.state, 'completed', goesOn.reason ?? '');
  assert.equal((await flows.step(goesOn.run, 'steps[0]')).state, 'failed');
  assert.deepEqual((await flows.step(goesOn.run, 'steps[1].onError.steps[0]')).output, { told: 'second: second: oh' });
  assert.deepEqual((await flows.step(goesOn.run, 'steps[2]')).output, { end: 'second: second: oh' });
});

test('Jobs run: a failure inside a route or a loop is caught by the step around it', async (t) => {
  const flows = await startFlows(t);
  const inner = route([{ name: 'a', if: null, steps: [does('fail', 'inside', { name: 'deep' })] }], {
    onError: { then: 'continue' },
  });
  const run = await flows.play(await flows.job('caught', [inner, does('noop')]));
  assert.equal(run.state, 'completed');
  const step = await flows.step(run.run, 'steps[0]');
  assert.equal(step.state, 'failed');
  assert.equal(step.error, 'deep: inside');
  assert.deepEqual(await flows.lines(run.run), ['Failed: deep: inside']);
});

test('Jobs run: an expression that cannot be evaluated fails its step, and an input that became wrong, too', async (t) => {
  const flows = await startFlows(t);
  const sum = await flows.play(await flows.job('sum', [does('set', { n: '${ params.list - 1 }' })]), {
    params: { list: [1] },
  });
  assert.equal(sum.state, 'failed');
  assert.match(sum.reason ?? '', /^steps\[0\] \(set\): /);
  const wait = await flows.play(await flows.job('wait', [does('wait', '${ params.pause }')]), {
    params: { pause: 'soon' },
  });
  assert.equal(wait.reason, 'steps[0] (wait): wait must be a span such as 30s, 10m or 1h30m');
  assert.deepEqual(flows.errors, []);
});

test('Jobs run: a bug of an action fails its step without another try, and is reported', async (t) => {
  const { actions, calls } = stand(() => {
    throw new TypeError('undefined is not a function');
  });
  const flows = await startFlows(t, { actions });
  const run = await flows.play(await flows.job('bug', [does('http', URL, { retry: { times: 3, waitMs: 0 } })]));
  assert.equal(run.reason, 'steps[0] (http): something went wrong in the platform: undefined is not a function');
  assert.equal(calls.length, 1);
  assert.equal(flows.errors.length, 1);
});

test('Jobs run: the event that caused a run is there for its expressions', async (t) => {
  const flows = await startFlows(t);
  const job = await flows.job('event', [
    does('set', { of: '${ event.type } ${ event.data.n + 1 } ${ run.cause.by }' }),
  ]);
  const event = { type: 'com.example.order', data: { n: 41 } };
  const cause = { by: 'event', event: 7, type: event.type } as const;
  const { run } = await flows.play(job, { event, cause });
  assert.deepEqual((await flows.step(run, 'steps[0]')).output, { of: 'com.example.order 42 event' });
});
