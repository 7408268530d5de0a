// The action `run` in a job: its lines are the job log, its end the step's, and no process outlives its run.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../src/clock.ts';
import { createRunAction } from '../src/flow/actions/run.ts';
import { createCommands } from '../src/flow/commands/index.ts';
import { isAlive, readNote, type ProcessNote } from '../src/flow/commands/process-tree.ts';
import { NOBODY } from '../src/flow/commands/shield.ts';
import type { Action } from '../src/flow/index.ts';
import type { Json } from '../src/model/flow/definition.ts';
import { does, startFlows, type FlowGround } from './flow-ground.ts';

function runAction(t: TestContext, allowed = true): Action {
  const dataFolder = mkdtempSync(join(tmpdir(), 'bellwire-data-'));
  const settings = { dataFolder, scripts: null, user: NOBODY.uid, unshielded: true, graceMs: 300 };
  // Processes take real time, whatever the clock of the test says.
  const commands = createCommands(settings, systemClock);
  t.after(async () => {
    await commands.close();
    rmSync(dataFolder, { recursive: true, force: true });
  });
  return createRunAction({ commands, mayRun: async () => allowed });
}

const shell = (text: string, over: Record<string, Json> = {}): Json => ({ shell: text, ...over });

async function processOf(flows: FlowGround, run: number): Promise<ProcessNote> {
  let note: ProcessNote | null = null;
  await flows.untilSo('its process is noted', async () => {
    note = readNote((await flows.steps(run))[0]?.process ?? '');
    return note !== null;
  });
  return note!;
}

test('run: output is the job log, a JSON line is progress or the result, which later steps see', async (t) => {
  const flows = await startFlows(t, { actions: [runAction(t)] });
  const script = `echo "table $TABLE"; echo '{"progress": 0.5}'; echo warn >&2; echo '{"result": {"rows": 12}}'; echo '{"a": 1}'`;
  const job = await flows.job('reindex', [
    does('run', shell(script, { env: { TABLE: '${ params.table }' } }), { name: 'reindex' }),
    does('set', { rows: '${ steps.reindex.result.rows + 1 }' }),
  ]);
  const run = await flows.play(job, { params: { table: 'orders; rm -rf /' } });
  assert.equal(run.state, 'completed', run.reason ?? '');
  const lines = await flows.store.flows.lines({ workspace: flows.workspace, run: run.run }, 0, 100);
  const said = lines.filter(({ stream }) => stream !== 'note').map(({ stream, text }) => `${stream}: ${text}`);
  assert.deepEqual(
    said.toSorted((a, b) => a.localeCompare(b)),
    ['error: warn', 'out: {"a": 1}', 'out: table orders; rm -rf /'],
  );
  assert.ok(lines.some(({ text }) => text === 'progress: 50 %'));
  const step = await flows.step(run.run, 'steps[0]');
  assert.deepEqual(step.output, { exitCode: 0, signal: null, progress: 0.5, result: { rows: 12 } });
  assert.deepEqual((await flows.step(run.run, 'steps[1]')).output, { rows: 13 });
});

test('run: an exit code other than 0 fails the step, and is tried again as the step says', async (t) => {
  const flows = await startFlows(t, { actions: [runAction(t)] });
  const retry = { times: 1, waitMs: 1_000 };
  const run = await flows.play(await flows.job('failing', [does('run', shell('exit 7'), { retry })]));
  assert.equal(run.state, 'failed');
  assert.match(run.reason ?? '', /the command ended with 7/);
  const step = await flows.step(run.run, 'steps[0]');
  assert.equal(step.tries, 2);
  assert.equal((step.output as { exitCode: number }).exitCode, 7);
});

test('run: a command that does not exist fails in words, without another try', async (t) => {
  const flows = await startFlows(t, { actions: [runAction(t)] });
  const retry = { times: 3, waitMs: 1_000 };
  const run = await flows.play(await flows.job('none', [does('run', { command: ['no-such-command'] }, { retry })]));
  assert.match(run.reason ?? '', /there is no command no-such-command/);
  assert.equal((await flows.step(run.run, 'steps[0]')).tries, 1);
});

test('run: nothing is run where the operator has not allowed it', async (t) => {
  const flows = await startFlows(t, { actions: [runAction(t, false)] });
  const run = await flows.play(await flows.job('forbidden', [does('run', { command: ['true'] })]));
  assert.equal(run.state, 'failed');
  assert.match(run.reason ?? '', /commands are not allowed in this workspace/);
});

test('run: an abort ends the whole process tree, one that ignores SIGTERM and one in a session of its own included', async (t) => {
  const flows = await startFlows(t, { actions: [runAction(t)] });
  const job = await flows.job('long', [does('run', shell(`trap '' TERM; setsid sleep 300 & sleep 300`))]);
  const run = await flows.start(job);
  const note = await processOf(flows, run);
  assert.ok(isAlive(note));
  await flows.store.flows.abort({ workspace: flows.workspace, run }, 'key_1', flows.clock.now());
  await flows.until(run, 'aborted');
  await flows.untilSo('no process of it lives', () => !isAlive(note));
});

test('run: the mark of its processes is of this installation: another one on the machine, with the same numbers, ends none of them', async (t) => {
  const flows = await startFlows(t, { actions: [runAction(t)] });
  const run = await flows.start(await flows.job('marked', [does('run', shell('sleep 300'))]));
  const { mark } = await processOf(flows, run);
  const { token } = (await flows.store.settings.workspace({ workspace: flows.workspace }))!;
  assert.equal(mark, `${token}/${run}/steps[0]`);
  await flows.store.flows.abort({ workspace: flows.workspace, run }, 'key_1', flows.clock.now());
  await flows.until(run, 'aborted');
});

test('run: a run whose time is up is aborted, its command ended', async (t) => {
  const flows = await startFlows(t, { actions: [runAction(t)] });
  const job = await flows.job('slow', [does('run', shell('sleep 300'))], { timeoutMs: 60_000 });
  const run = await flows.start(job);
  const note = await processOf(flows, run);
  await flows.clock.advance(61_000);
  await flows.until(run, 'aborted');
  await flows.untilSo('no process of it lives', () => !isAlive(note));
});

for (const resume of ['fail', 'rerun'] as const) {
  test(`run: after a kill -9 of the platform the old processes are ended before the step is ${resume === 'fail' ? 'failed' : 'run again'}`, async (t) => {
    const action = runAction(t);
    const flows = await startFlows(t, { actions: [action] });
    const ended: boolean[] = [];
    const job = await flows.job('interrupted', [
      does('run', shell('[ "$BELLWIRE_RUN" ] && sleep 300'), { resume, timeoutMs: 86_400_000 }),
    ]);
    const run = await flows.start(job);
    const note = await processOf(flows, run);
    assert.ok(isAlive(note));
    const second: Action = {
      ...action,
      run: async () => {
        ended.push(isAlive(note));
        return { exitCode: 0 };
      },
    };
    await flows.crash({ actions: [second] });
    const after = await flows.until(run, 'completed', 'failed');
    assert.ok(!isAlive(note));
    if (resume === 'rerun') {
      assert.equal(after.state, 'completed', after.reason ?? '');
      assert.deepEqual(ended, [false]);
    } else {
      assert.equal(after.state, 'failed');
      assert.match(after.reason ?? '', /the platform ended in the middle of it/);
      assert.deepEqual(ended, []);
    }
  });
}
