// One measurement: a fresh platform on a fresh store, so many webhooks, so much load; what came out and what it cost.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Postgres } from '../test/kit/postgres.ts';
import type { Load } from './load.ts';
import { cpuMsOf } from './machine.ts';
import { start, type Part } from './processes.ts';
import { register, subscribe, TYPE, type Address } from './setup.ts';

/** Where everything temporary of a run is. */
export const TEMPORARY = join(import.meta.dirname, 'tmp');

/** What a measurement runs on. */
export interface Ground {
  receiver: Part;
  /** Null for SQLite. */
  postgres: Postgres | null;
  /** A folder for CPU profiles of the platform, or null. */
  profiles: string | null;
}

/** What to do. */
export type Task = Omit<Load, 'port' | 'key' | 'type'> & { fanout: number };

/** What came of it. */
export interface Measured {
  deliveriesPerSecond: number;
  /** Of everything that serves: the platform, and PostgreSQL where it is the store. */
  cpuMsPerDelivery: number;
  /** Publish to receive, ms, of each delivery. */
  delays: number[];
}

/** Deliveries made before anything is measured: until the code is compiled, what is measured is the compiler. */
const WARM_UP = 20_000;

/** Measures. */
export async function measure(task: Task, ground: Ground): Promise<Measured> {
  const served = await serve(ground);
  await register(served, TYPE);
  await subscribe(served, { fanout: task.fanout, target: receiverUrl(ground) });
  await deliver({ ...task, rate: 0, events: Math.round(WARM_UP / task.fanout) }, served, ground);
  const cpu = served.cpuMs();
  const { seconds, delays } = await deliver(task, served, ground);
  const used = served.cpuMs() - cpu;
  await served.stop();
  const deliveries = task.events * task.fanout;
  return { deliveriesPerSecond: deliveries / seconds, cpuMsPerDelivery: used / deliveries, delays };
}

/** A platform that runs. */
export interface Served extends Address {
  pid: number;
  /** CPU time of everything that serves, ms. */
  cpuMs(): number;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
  /** Ends it as a power cut would, and starts it again on the same data. */
  crash(): Promise<Served>;
}

/** Starts a platform on a fresh store. */
export async function serve({ postgres, profiles }: Ground): Promise<Served> {
  mkdirSync(TEMPORARY, { recursive: true });
  const folder = mkdtempSync(join(TEMPORARY, 'data-'));
  const store = postgres ? await postgres.createDatabase() : null;
  const run = async (): Promise<Served> => {
    const flags = profiles === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
    const platform = await start('platform.ts', flags);
    const { url, key } = await platform.ask({ folder, store }, 'running');
    return {
      url: url as string,
      key: key as string,
      pid: platform.pid,
      cpuMs: () => cpuMsOf(platform.pid) + (postgres ? cpuMsOf(postgres.pid) : 0),
      stop: async () => {
        await platform.end();
        rmSync(folder, { recursive: true, force: true });
      },
      crash: async () => {
        await platform.kill();
        return run();
      },
    };
  };
  return run();
}

/** Where the receiver listens; a path may be appended. */
export function receiverUrl({ receiver }: Ground): string {
  return `http://127.0.0.1:${receiver.greeting['port'] as number}/`;
}

/** Publishes, and waits until `expected` deliveries have come (all, where nothing else is said). */
export async function deliver(
  { fanout, type = TYPE, ...load }: Task & { type?: string },
  platform: Address,
  { receiver }: Ground,
): Promise<{ seconds: number; delays: number[] }> {
  const done = receiver.heard('done');
  await receiver.ask({ kind: 'reset', expected: load.events * fanout }, 'ready');
  const startedAt = performance.now();
  await publish({ ...load, type }, platform);
  const { delays } = await done;
  return { seconds: (performance.now() - startedAt) / 1000, delays: delays as number[] };
}

/** Publishes, in a process of its own; resolves when everything is acknowledged. */
export async function publish(load: Omit<Load, 'port' | 'key'>, { url, key }: Address): Promise<void> {
  const publisher = await start('load.ts');
  const { failed } = await publisher.ask({ ...load, key, port: Number(new URL(url).port) }, 'loaded');
  await publisher.end();
  if (failed !== 0) throw new Error(`${failed as number} requests were not answered with 202`);
}

/** The bare ceiling: the same receiver, nothing stored. */
export async function measureCeiling({ receiver }: Ground, requests: number): Promise<Ceiling> {
  const ceiling = await start('ceiling.ts');
  const port = receiver.greeting['port'] as number;
  await receiver.ask({ kind: 'reset', expected: Infinity }, 'ready');
  await ceiling.ask({ port, requests: Math.round(requests / 8) }, 'ceiling');
  const { perSecond, cpuMs } = await ceiling.ask({ port, requests }, 'ceiling');
  await ceiling.end();
  return { perSecond: perSecond as number, cpuMs: cpuMs as number };
}

/** What a loop that stores nothing reaches. */
export interface Ceiling {
  perSecond: number;
  cpuMs: number;
}

/** Resident memory of a process (Linux). */
export function rssMiB(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}
