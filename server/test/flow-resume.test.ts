// A run goes on after its platform was killed: what had finished is not done again, what was interrupted is failed or run
// again as its step says. On each engine of the store.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { ActionFailed, type Action, type ActionContext } from '../src/flow/index.ts';
import type { Json } from '../src/model/flow/definition.ts';
import { MASK } from '../src/model/headers.ts';
import { does, each, route, startFlows, storesFor, type FlowGround } from './flow-ground.ts';

const URL = 'https://api.example/';

/** An action in the place of `http` whose calls end when the test says so. */
class Outside {
  readonly calls: ActionContext[] = [];
  readonly ended: string[] = [];
  /** Calls of this URL and those after it are not answered. */
  hangsAt: string | null = null;

  get actions(): Action[] {
    const run = (context: ActionContext): Promise<Json> => {
      this.calls.push(context);
      const hangs = this.hangsAt !== null && JSON.stringify(context.input).includes(this.hangsAt);
      return hangs ? new Promise(() => undefined) : Promise.resolve({ call: this.calls.length });
    };
    const endProcess = async (process: string): Promise<void> => void this.ended.push(process);
    return [{ name: 'http', run, endProcess }];
  }

  get inputs(): Json[] {
    return this.calls.map(({ input }) => input);
  }
}

/** Starts a run and waits until the call of that number is under way and does not end; then kills the platform. */
async function killInCall(flows: FlowGround, outside: Outside, of: { run: number; call: number }): Promise<void> {
  const { run, call } = of;
  await flows.untilSo(`call ${call} is under way`, () => outside.calls.length >= call);
  assert.equal((await flows.run(run)).state, 'running');
  await flows.crash();
}

const closers: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closers) await close();
});
const stores = storesFor((close) => void closers.push(close));
for (const { name, skip, prepare } of stores) {
  describe(`Resume on ${name}`, { skip }, () => {
    test('a step that finished is not done again; one that was interrupted failed: the platform ended in the middle of it', async (t) => {
      const outside = new Outside();
      outside.hangsAt = 'second';
      const flows = await startFlows(t, { actions: outside.actions }, prepare);
      const job = await flows.job('two', [
        does('set', { n: '${ params.n + 1 }' }),
        does('http', `${URL}first`, { name: 'first' }),
        does('http', `${URL}second/\${ n }`, { name: 'second' }),
      ]);
      const run = await flows.start(job, { params: { n: 1 } });
      await killInCall(flows, outside, { run, call: 2 });
      const ended = await flows.until(run, 'failed', 'completed');
      assert.equal(ended.reason, 'second: the platform ended in the middle of it');
      assert.deepEqual(outside.inputs, [`${URL}first`, `${URL}second/2`]);
      assert.equal((await flows.step(run, 'steps[1]')).state, 'completed');
      assert.deepEqual((await flows.step(run, 'steps[1]')).output, { call: 1 });
    });

    test('an interrupted step whose resume is rerun runs again, with the same Idempotency-Key', async (t) => {
      const outside = new Outside();
      outside.hangsAt = URL;
      const flows = await startFlows(t, { actions: outside.actions }, prepare);
      const job = await flows.job('rerun', [does('http', URL, { resume: 'rerun' }), does('noop')]);
      const run = await flows.start(job);
      await killInCall(flows, outside, { run, call: 1 });
      outside.hangsAt = null;
      const ended = await flows.until(run, 'failed', 'completed');
      assert.equal(ended.state, 'completed', ended.reason ?? '');
      const [first, second] = outside.calls as [ActionContext, ActionContext];
      assert.equal(second.idempotencyKey, first.idempotencyKey);
      assert.deepEqual([first.attempt, second.attempt], [1, 2]);
      assert.deepEqual(await flows.lines(run), ['The platform ended in the middle of it: it is run again.']);
    });

    test('the processes of an interrupted step are ended before anything else is done about it', async (t) => {
      const order: string[] = [];
      const run = async (context: ActionContext): Promise<Json> => {
        order.push(`run ${context.attempt}`);
        if (context.attempt > 1) return 'done';
        await context.noteProcess('4711@boot');
        order.push('noted');
        return new Promise(() => undefined);
      };
      const endProcess = async (process: string): Promise<void> => {
        order.push(`end ${process}`);
      };
      const actions: Action[] = [{ name: 'http', run, endProcess }];
      const flows = await startFlows(t, { actions }, prepare);
      const job = await flows.job('command', [does('http', URL, { resume: 'rerun' })]);
      const number = await flows.start(job);
      await flows.untilSo('its process is noted', () => order.includes('noted'));
      assert.equal((await flows.step(number, 'steps[0]')).process, '4711@boot');
      await flows.crash({ actions });
      assert.equal((await flows.until(number, 'completed')).state, 'completed');
      assert.deepEqual(order, ['run 1', 'noted', 'end 4711@boot', 'run 2']);
      assert.equal((await flows.step(number, 'steps[0]')).process, null);
    });

    test('where it cannot be told whether its processes live, the step fails', async (t) => {
      const run = async ({ noteProcess }: ActionContext): Promise<Json> => {
        await noteProcess('elsewhere');
        return new Promise(() => undefined);
      };
      const endProcess = (): Promise<void> => Promise.reject(new ActionFailed('its processes are on another machine'));
      const actions: Action[] = [{ name: 'http', run, endProcess }];
      const flows = await startFlows(t, { actions }, prepare);
      const number = await flows.start(await flows.job('command', [does('http', URL, { resume: 'rerun' })]));
      await flows.untilSo('its process is noted', async () => (await flows.steps(number))[0]?.process === 'elsewhere');
      await flows.crash({ actions });
      const ended = await flows.until(number, 'failed');
      assert.equal(ended.reason, 'steps[0] (http): its processes are on another machine');
    });

    test('a route stays decided, a loop goes on where it was, and variables are as they were', async (t) => {
      const outside = new Outside();
      outside.hangsAt = `${URL}2`;
      const flows = await startFlows(t, { actions: outside.actions }, prepare);
      const branches = [
        { name: 'yes', if: 'params.ids[0] == 0', steps: [does('set', { way: 'yes ${ now }' })] },
        { name: 'no', if: null, steps: [does('fail', 'not this way')] },
      ];
      const job = await flows.job('tree', [
        route(branches),
        each('params.ids', [does('http', `${URL}\${ item }`, { resume: 'rerun' })]),
        does('set', { end: '${ way }' }),
      ]);
      const run = await flows.start(job, { params: { ids: [0, 1, 2, 3] } });
      await flows.untilSo('one hangs', () => outside.calls.length === 3);
      const way = (await flows.step(run, 'steps[0].route[0].steps[0]')).output;
      await flows.crash();
      outside.hangsAt = null;
      const ended = await flows.until(run, 'completed', 'failed');
      assert.equal(ended.state, 'completed', ended.reason ?? '');
      // Each item once, but for the one that was interrupted.
      const ids = outside.inputs.map((input) => Number((input as string).slice(URL.length)));
      assert.deepEqual(ids, [0, 1, 2, 2, 3]);
      assert.deepEqual((await flows.step(run, 'steps[2]')).output, { end: (way as { way: string }).way });
    });

    test('a wait does not begin anew', async (t) => {
      const flows = await startFlows(t, {}, prepare);
      const run = await flows.start(await flows.job('wait', [does('wait', '1h')]));
      await flows.untilSo('it waits', async () => ((await flows.steps(run))[0]?.output ?? null) !== null);
      const { until } = (await flows.step(run, 'steps[0]')).output as { until: string };
      await flows.clock.advance(1_800_000);
      await flows.crash();
      const { finishedAt, state } = await flows.until(run, 'completed');
      assert.equal(state, 'completed');
      assert.ok(finishedAt! >= Date.parse(until) && finishedAt! < Date.parse(until) + 60_000, `${finishedAt} ${until}`);
    });

    test('between two tries nothing is under way: the next one is made, whatever resume says', async (t) => {
      const calls: ActionContext[] = [];
      const run = async (context: ActionContext): Promise<Json> => {
        calls.push(context);
        if (calls.length === 1) throw new ActionFailed('answered 503');
        return 'well';
      };
      const actions: Action[] = [{ name: 'http', run }];
      const flows = await startFlows(t, { actions }, prepare);
      const job = await flows.job('tries', [does('http', URL, { retry: { times: 2, waitMs: 600_000 } })]);
      const number = await flows.start(job);
      await flows.untilSo('the first try failed', async () => (await flows.lines(number)).length === 1);
      await flows.crash({ actions });
      const ended = await flows.until(number, 'completed', 'failed');
      assert.equal(ended.state, 'completed', ended.reason ?? '');
      assert.deepEqual(
        calls.map(({ attempt }) => attempt),
        [1, 2],
      );
    });

    test('a variable that holds a secret is made again; its row shows nothing of it', async (t) => {
      const outside = new Outside();
      outside.hangsAt = URL;
      const flows = await startFlows(t, { actions: outside.actions }, prepare);
      await flows.store.flows.putSecret(
        { workspace: flows.workspace, name: 'TOKEN', value: 'p4ssw0rd' },
        flows.clock.now(),
      );
      const job = await flows.job('secret', [
        does('set', { auth: 'Bearer ${ secret.TOKEN }' }),
        does('http', { url: URL, headers: { authorization: '${ auth }' } }, { resume: 'rerun' }),
      ]);
      const run = await flows.start(job);
      await killInCall(flows, outside, { run, call: 1 });
      assert.deepEqual((await flows.step(run, 'steps[0]')).output, { auth: `Bearer ${MASK}` });
      assert.deepEqual((await flows.step(run, 'steps[1]')).input, {
        url: URL,
        headers: { authorization: `Bearer ${MASK}` },
      });
      outside.hangsAt = null;
      assert.equal((await flows.until(run, 'completed')).state, 'completed');
      assert.deepEqual(outside.inputs[1], { url: URL, headers: { authorization: 'Bearer p4ssw0rd' } });
    });

    test('a platform that stops leaves its runs, and the next one goes on with them', async (t) => {
      const flows = await startFlows(t, {}, prepare);
      const run = await flows.start(
        await flows.job('wait', [does('set', { a: 1 }), does('wait', '10m'), does('set', { b: '${ a + 1 }' })]),
      );
      await flows.untilSo('it waits', async () => (await flows.steps(run)).length === 2);
      await flows.restart();
      assert.equal((await flows.run(run)).state, 'running');
      assert.equal((await flows.until(run, 'completed')).state, 'completed');
      assert.deepEqual((await flows.step(run, 'steps[2]')).output, { b: 2 });
    });

    test('a platform that stops lets a request end, whatever it comes to, and does not make it again', async (t) => {
      const calls: ActionContext[] = [];
      const run = async (context: ActionContext): Promise<Json> => {
        calls.push(context);
        // It ends after the platform was told to stop.
        await new Promise<void>((go) => flows.clock.after(500, go));
        if (calls.length === 1) throw new ActionFailed('answered 503');
        return 'well';
      };
      const actions: Action[] = [{ name: 'http', brief: true, run }];
      const flows = await startFlows(t, { actions }, prepare);
      const retry = { times: 1, waitMs: 60_000 };
      const number = await flows.start(await flows.job('brief', [does('http', URL, { retry }), does('noop')]));
      await flows.untilSo('the first call is under way', () => calls.length === 1);
      await flows.restart({ actions });
      assert.equal((await flows.step(number, 'steps[0]')).error, 'answered 503');
      await flows.untilSo('the second call is under way', () => calls.length === 2);
      await flows.restart({ actions });
      assert.equal((await flows.step(number, 'steps[0]')).state, 'completed');
      assert.equal((await flows.until(number, 'completed', 'failed')).state, 'completed');
      assert.equal(calls.length, 2);
    });

    test('an abort that was asked for before the crash is done after it', async (t) => {
      const outside = new Outside();
      outside.hangsAt = URL;
      const flows = await startFlows(t, { actions: outside.actions }, prepare);
      const run = await flows.start(await flows.job('abort', [does('http', URL, { resume: 'rerun' })]));
      await flows.untilSo('the call is under way', () => outside.calls.length === 1);
      const cut = flows.crash({ lanes: { owned: () => [] } });
      await cut;
      await flows.store.flows.abort({ workspace: flows.workspace, run }, 'a test', flows.clock.now());
      await flows.crash();
      const ended = await flows.until(run, 'aborted', 'completed');
      assert.equal(ended.state, 'aborted');
      assert.equal(ended.reason, 'aborted by a test');
      assert.equal(outside.calls.length, 1);
    });
  });
}
