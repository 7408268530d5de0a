// `npm run faults`: every fault with all the time it needs, 200 kills per engine, and a report of it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine } from '../../bench/machine.ts';
import { startPostgres, withoutPostgres, type Postgres } from '../kit/postgres.ts';
import { faults, type Engine, type Fault, type Scale } from './faults.ts';
import type { Sum } from './ground.ts';
import { describeSum, reportOf, type Played } from './report.ts';

const REPORT = join(import.meta.dirname, '..', '..', 'bench', 'results', 'faults.md');

/** Kills of one play: enough for a play to be repeated in a minute when it fails. */
const KILLS = 20;

const { values: options } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    only: { type: 'string', default: '' },
    away: { type: 'string', default: '20000' },
  },
});

async function main(): Promise<number> {
  const played: Played[] = [];
  for (const fault of faults.filter(({ name }) => name.includes(options.only))) {
    for (const engine of fault.engines) played.push(...(await playAll(fault, engine)));
  }
  mkdirSync(join(REPORT, '..'), { recursive: true });
  if (options.only === '') writeFileSync(REPORT, reportOf(played, machine()));
  return played.some(({ failure }) => failure !== null) ? 1 : 0;
}

function machine(): string {
  const { cpu, cores, memoryGiB, platform, node } = describeMachine();
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}, Node ${node}, ${new Date().toISOString().slice(0, 10)}`;
}

/** The random one many times over, each of the others once. */
async function playAll(fault: Fault, engine: Engine): Promise<Played[]> {
  const skip = fault.skip || (engine === 'PostgreSQL' && withoutPostgres);
  const random = fault === faults[0];
  const plays = random ? Math.ceil(Number(options.kills) / KILLS) : 1;
  const played: Played[] = [];
  for (let play = 0; play < plays; play++) {
    const seed = Number(options.seed) + play;
    const one = { fault: fault.name, engine, seed, times: random ? KILLS : 1 };
    if (skip) played.push({ ...one, times: 0, sum: null, failure: null, skip });
    else played.push({ ...one, ...(await playOne(fault, engine, seed)), skip: null });
    if (skip) break;
  }
  return played;
}

async function playOne(
  fault: Fault,
  engine: Engine,
  seed: number,
): Promise<{ sum: Sum | null; failure: string | null }> {
  const scale: Scale = { kills: KILLS, awayMs: Number(options.away), timeoutMs: 2_000 };
  let postgres: Postgres | null = null;
  process.stdout.write(`${fault.name}, ${engine}, seed ${seed}: `);
  try {
    if (engine === 'PostgreSQL') postgres = await startPostgres({ fsync: true });
    const sum = await fault.play({ engine, postgres, seed, scale });
    console.log(describeSum(sum));
    return { sum, failure: null };
  } catch (error) {
    const failure = (error as Error).message.split('\n', 1)[0]!;
    console.log(`FAILED: ${(error as Error).stack}`);
    return { sum: null, failure };
  } finally {
    await postgres?.stop();
  }
}

process.exitCode = await main();
