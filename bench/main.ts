// npm run bench: what the platform delivers on this machine, as a ratio to the bare ceiling measured in the same run.
//
//   ceiling ─ for each engine: fan-out 1 and 10, single and batched publish, then latency at a steady rate ─ ceiling
//
// Receiver, load and platform are processes of their own on loopback; PostgreSQL runs with fsync. Results go to
// bench/results/. `npm run bench -- --quick` measures a tenth.
import { fork, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres, withoutPostgres, type Postgres } from '../test/kit/postgres.ts';
import { createClient } from './setup.ts';
import { cpuMsOf, describeMachine } from './machine.ts';
import type { Load } from './load.ts';

const quick = process.argv.includes('--quick');
const only = process.argv.find((word) => word === 'sqlite' || word === 'postgres');
const profile = process.argv.find((word) => word.startsWith('--profile='))?.slice('--profile='.length);
const scale = quick ? 0.1 : 1;
const here = import.meta.dirname;
const children = new Set<ChildProcess>();

/** One row of the table. */
interface Row {
  engine: string;
  fanout: number;
  publish: string;
  deliveriesPerSecond: number;
  /** Deliveries per second over the mean of the two ceilings. */
  ofCeiling: number;
  /** Of everything that serves: the platform, and PostgreSQL where it is the store. */
  cpuMsPerDelivery: number;
}

interface LatencyRow {
  engine: string;
  eventsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

async function start(file: string, execArgv: string[] = []): Promise<ChildProcess> {
  const child = fork(join(here, file), {
    execArgv,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  await heard(child, (message) => message.kind === 'ready' || message.kind === 'listening');
  return child;
}

const first = new WeakMap<ChildProcess, Message>();

interface Message {
  kind: string;
  [more: string]: unknown;
}

function heard(child: ChildProcess, wanted: (message: Message) => boolean): Promise<Message> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: Message): void => {
      first.has(child) || first.set(child, message);
      if (!wanted(message)) return;
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve(message);
    };
    const onExit = (): void => reject(new Error('a process of the benchmark ended early'));
    child.on('message', onMessage);
    child.once('exit', onExit);
  });
}

async function ask(child: ChildProcess, message: object, kind: string): Promise<Message> {
  const answer = heard(child, (one) => one.kind === kind);
  child.send(message);
  return answer;
}

async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.disconnect();
  await ended;
}

async function measureCeiling(receiver: ChildProcess, port: number): Promise<{ perSecond: number; cpuMs: number }> {
  const child = await start('ceiling.ts');
  await ask(receiver, { kind: 'reset', expected: Infinity }, 'ready');
  await ask(child, { port, requests: 20_000 * scale }, 'ceiling');
  const { perSecond, cpuMs } = await ask(child, { port, requests: 150_000 * scale }, 'ceiling');
  await end(child);
  return { perSecond: perSecond as number, cpuMs: cpuMs as number };
}

interface Served {
  url: string;
  key: string;
  child: ChildProcess;
  /** Process groups that serve: their CPU counts. */
  cpuMs: () => number;
  stop: () => Promise<void>;
}

async function serve(engine: string, postgres: Postgres | null): Promise<Served> {
  mkdirSync(join(here, 'tmp'), { recursive: true });
  const folder = mkdtempSync(join(here, 'tmp', 'data-'));
  const profiled = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [];
  const child = await start('platform.ts', profiled);
  const store = postgres ? await postgres.createDatabase() : null;
  const { url, key } = await ask(child, { folder, store }, 'running');
  return {
    url: url as string,
    key: key as string,
    child,
    cpuMs: () => cpuMsOf(child.pid!) + (postgres ? cpuMsOf(postgres.pid) : 0),
    stop: async () => {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function load(settings: Omit<Load, 'port' | 'key'>, served: Served): Promise<number> {
  const child = await start('load.ts');
  const port = Number(new URL(served.url).port);
  const { failed, tookMs } = await ask(child, { ...settings, port, key: served.key }, 'loaded');
  await end(child);
  if (failed !== 0) throw new Error(`${failed as number} requests were not answered with 202`);
  return tookMs as number;
}

interface Measured {
  deliveriesPerSecond: number;
  cpuMsPerDelivery: number;
  delays: number[];
}

async function measure(
  engine: string,
  settings: Omit<Load, 'port' | 'key'> & { fanout: number },
  parts: { receiver: ChildProcess; port: number; postgres: Postgres | null },
): Promise<Measured> {
  const { receiver, port, postgres } = parts;
  const served = await serve(engine, postgres);
  const setUp = createClient(served.url, served.key);
  await setUp.subscribe(settings.fanout, `http://127.0.0.1:${port}/`);
  const warm = 500;
  let done = heard(receiver, ({ kind }) => kind === 'done');
  await ask(receiver, { kind: 'reset', expected: warm * settings.fanout }, 'ready');
  await load({ ...settings, events: warm, rate: 0 }, served);
  await done;
  done = heard(receiver, ({ kind }) => kind === 'done');
  await ask(receiver, { kind: 'reset', expected: settings.events * settings.fanout }, 'ready');
  const cpu = served.cpuMs();
  const startedAt = performance.now();
  await load(settings, served);
  const { delays, count } = await done;
  const seconds = (performance.now() - startedAt) / 1000;
  const used = served.cpuMs() - cpu;
  await served.stop();
  const deliveries = count as number;
  return { deliveriesPerSecond: deliveries / seconds, cpuMsPerDelivery: used / deliveries, delays: delays as number[] };
}

const CASES = [
  { publish: 'single', perRequest: 1, connections: 64 },
  { publish: 'batches of 100', perRequest: 100, connections: 8 },
] as const;
const RATES = [100, 1000] as const;

async function main(): Promise<void> {
  const machine = describeMachine();
  const receiver = await start('receiver.ts');
  const port = first.get(receiver)!['port'] as number;
  const ceilings = [await measureCeiling(receiver, port)];
  console.log(`bare ceiling: ${Math.round(ceilings[0]!.perSecond)}/s, ${ceilings[0]!.cpuMs.toFixed(4)} CPU ms each`);
  const rows: (Row & { raw: number })[] = [];
  const latencies: LatencyRow[] = [];
  for (const engine of ['sqlite', 'postgres']) {
    if (only && only !== engine) continue;
    if (engine === 'postgres' && withoutPostgres) {
      console.log(`PostgreSQL is left out: ${withoutPostgres}`);
      continue;
    }
    const postgres = engine === 'postgres' ? await startPostgres({ fsync: true }) : null;
    const parts = { receiver, port, postgres };
    for (const fanout of [1, 10]) {
      for (const { publish, perRequest, connections } of CASES) {
        const events = Math.round((fanout === 1 ? 40_000 : 10_000) * scale);
        const settings = { events, perRequest, connections, rate: 0, fanout };
        const { deliveriesPerSecond, cpuMsPerDelivery } = await measure(engine, settings, parts);
        rows.push({ engine, fanout, publish, deliveriesPerSecond, ofCeiling: 0, cpuMsPerDelivery, raw: 0 });
        console.log(
          `${engine}, fan-out ${fanout}, ${publish}: ${Math.round(deliveriesPerSecond)}/s, ${cpuMsPerDelivery.toFixed(3)} CPU ms`,
        );
      }
    }
    for (const rate of RATES) {
      const events = Math.max(200, Math.round(rate * 10 * scale));
      const { delays } = await measure(engine, { events, perRequest: 1, connections: 32, rate, fanout: 1 }, parts);
      const sorted = delays.toSorted((a, b) => a - b);
      const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
      latencies.push({ engine, eventsPerSecond: rate, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: sorted.at(-1)! });
      console.log(`${engine}, ${rate} events/s: p50 ${at(0.5).toFixed(2)} ms, p99 ${at(0.99).toFixed(2)} ms`);
    }
    await postgres?.stop();
  }
  ceilings.push(await measureCeiling(receiver, port));
  await end(receiver);
  report({ machine, ceilings, rows, latencies });
}

function report(result: {
  machine: ReturnType<typeof describeMachine>;
  ceilings: { perSecond: number; cpuMs: number }[];
  rows: (Row & { raw?: number })[];
  latencies: LatencyRow[];
}): void {
  const mean = result.ceilings.reduce((sum, { perSecond }) => sum + perSecond, 0) / result.ceilings.length;
  const rows: Row[] = result.rows.map(({ raw: _, ...row }) => ({ ...row, ofCeiling: row.deliveriesPerSecond / mean }));
  console.log(
    `\n${result.machine.cpu}, ${result.machine.cores} cores, Node ${result.machine.node}, load ${result.machine.loadBefore}`,
  );
  console.log(
    `bare ceiling ${result.ceilings.map(({ perSecond }) => `${Math.round(perSecond)}/s`).join(' before, ')} after\n`,
  );
  console.table(
    rows.map((row) => ({
      engine: row.engine,
      'fan-out': row.fanout,
      publish: row.publish,
      'deliveries/s': Math.round(row.deliveriesPerSecond),
      '÷ ceiling': row.ofCeiling.toFixed(3),
      'CPU ms each': row.cpuMsPerDelivery.toFixed(3),
    })),
  );
  console.table(
    result.latencies.map((row) => ({
      engine: row.engine,
      'events/s': row.eventsPerSecond,
      'p50 ms': row.p50Ms.toFixed(2),
      'p99 ms': row.p99Ms.toFixed(2),
      'max ms': row.maxMs.toFixed(2),
    })),
  );
  if (quick || only) return;
  const day = new Date().toISOString().slice(0, 10);
  const file = join(here, 'results', `${day}.json`);
  writeFileSync(file, `${JSON.stringify({ ...result, rows }, null, 2)}\n`);
  console.log(`written to bench/results/${day}.json`);
}

try {
  await main();
} finally {
  for (const child of children) child.kill();
  rmSync(join(here, 'tmp'), { recursive: true, force: true });
}
