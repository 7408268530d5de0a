// kill -9 of the process that runs jobs, again and again: each finished step was done once, each run comes to its end.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { RunState, StoredRun } from '../src/store/index.ts';
import { addWorkspace } from './store-furniture.ts';
import type { Ground } from './store-ground.ts';
import { does, newJob, settingOf, storesFor, wish } from './flow-ground.ts';

const VICTIM = fileURLToPath(new URL('flow-kill-victim.ts', import.meta.url));
const KILLS = 3;
const RUNS = 20;
const STEPS = 6;

interface Call {
  path: string;
  key: string;
}

/** Counts what reaches the outside; says when so many calls have come. */
async function startOutside(t: TestContext) {
  const calls: Call[] = [];
  const ears = new Set<() => void>();
  const server = createServer((request, response) => {
    calls.push({ path: request.url!, key: String(request.headers['idempotency-key']) });
    for (const ear of ears) ear();
    request.resume().on('end', () => response.writeHead(200).end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const reached = (count: number): Promise<void> => {
    return new Promise((resolve) => {
      const look = (): void => {
        if (calls.length < count) return;
        ears.delete(look);
        resolve();
      };
      ears.add(look);
      look();
    });
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls, reached };
}

let nodes = 0;

function startVictim(t: TestContext, ground: Ground): ChildProcess {
  const args = [VICTIM, ground.address, ground.key, `victim-${++nodes}`];
  const victim = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  t.after(() => victim.kill('SIGKILL'));
  return victim;
}

async function kill(victim: ChildProcess): Promise<void> {
  victim.kill('SIGKILL');
  if (victim.exitCode === null && victim.signalCode === null) await once(victim, 'exit');
}

const closers: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closers) await close();
});

for (const { name, skip, prepare } of storesFor((close) => void closers.push(close))) {
  test(
    `kill -9 on ${name}: what had finished is not done again, and every run comes to its end`,
    { skip },
    async (t) => {
      const ground = await prepare(t);
      const outside = await startOutside(t);
      const store = await ground.open();
      const workspace = await addWorkspace(store);
      const steps = Array.from({ length: STEPS }, (_, at) => {
        const url = `${outside.url}/\${ run.id }/${at}`;
        return does('http', { url, method: 'POST', body: at }, { resume: 'rerun' });
      });
      const { flow } = await store.flows.put(settingOf(workspace, newJob('many', steps)), Date.now());
      const runs: number[] = [];
      for (let run = 0; run < RUNS; run++) {
        const started = await store.flows.start({ ...wish(flow), now: Date.now() });
        runs.push((started as { run: number }).run);
      }
      // On SQLite one process has the file.
      await store.close();
      for (let kills = 0; kills < KILLS; kills++) {
        const victim = startVictim(t, ground);
        await outside.reached(((kills + 1) * RUNS * STEPS) / (KILLS + 1));
        await kill(victim);
      }
      const last = startVictim(t, ground);
      await outside.reached(RUNS * STEPS);
      const ended = await endOf(ground, { workspace, runs, last });
      assert.deepEqual(
        ended.map(({ state }) => state),
        runs.map((): RunState => 'completed'),
      );
      const times = Map.groupBy(outside.calls, ({ path }) => path);
      assert.equal(times.size, RUNS * STEPS);
      for (const [path, calls] of times) {
        // Again only what was under way, under the key it had.
        assert.ok(calls.length <= 1 + KILLS, path);
        assert.equal(new Set(calls.map(({ key }) => key)).size, 1, path);
      }
      // A kill can make no more be repeated than is under way at once: sixteen runs, and one step of each.
      assert.ok(outside.calls.length <= RUNS * STEPS + KILLS * 16, `${outside.calls.length} calls`);
    },
  );
}

/** Waits for the ends of all runs, as a second process sees them where the store allows one. */
async function endOf(
  ground: Ground,
  { workspace, runs, last }: { workspace: number; runs: readonly number[]; last: ChildProcess },
): Promise<StoredRun[]> {
  const sql = `SELECT COUNT(*) AS open FROM runs WHERE workspace = ${workspace} AND finished_at IS NULL`;
  const giveUpAt = performance.now() + 60_000;
  while (Number((await ground.query<{ open: number | string }>(sql))[0]!.open) > 0) {
    if (performance.now() > giveUpAt) throw new Error('runs are still under way');
    await new Promise((again) => setImmediate(again));
  }
  await kill(last);
  const store = await ground.open();
  return Promise.all(runs.map(async (run) => (await store.flows.run({ workspace, run }))!));
}
