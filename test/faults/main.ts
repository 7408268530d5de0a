// `npm run faults`: every fault with all the time it needs, 200 kills per engine, and a report of it.
//
// `--record=FILE` keeps what was played, a line each: the report is of all that it holds, and what it holds is not played
// again unless it failed. So a run can be made in pieces, and the engines beside one another (`--engine=SQLite`).
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine } from '../../bench/machine.ts';
import { startPostgres, withoutPostgres, type Postgres } from '../kit/postgres.ts';
import type { Engine, Fault, Scale } from './fault.ts';
import { faults } from './faults.ts';
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
    engine: { type: 'string', default: '' },
    record: { type: 'string', default: '' },
    away: { type: 'string', default: '20000' },
  },
});

/** One play: of this fault, on this engine, with this seed. */
interface Planned {
  fault: Fault;
  engine: Engine;
  seed: number;
}

async function main(): Promise<number> {
  const wanted = faults.filter(({ name }) => name.includes(options.only));
  // The long ones last: a run that fails early is soon repeated.
  const plays = wanted
    .flatMap(playsOf)
    .toSorted((a, b) => Number(a.fault.isKilling === true) - Number(b.fault.isKilling === true));
  let played = recorded();
  for (const planned of plays.filter(({ engine }) => engine.includes(options.engine))) {
    const { fault, engine, seed } = planned;
    if (played.some((one) => one.failure === null && keyOf(one) === keyOf({ fault: fault.name, engine, seed })))
      continue;
    const one = await play(planned);
    if (options.record !== '') appendFileSync(options.record, `${JSON.stringify(one)}\n`);
    played = options.record === '' ? [...played, one] : recorded();
    // After each: a run that is cut short has a report of what it did.
    report(played);
  }
  return played.some(({ failure }) => failure !== null) ? 1 : 0;
}

function recorded(): Played[] {
  if (options.record === '' || !existsSync(options.record)) return [];
  const lines = readFileSync(options.record, 'utf8').split('\n').filter(Boolean);
  const played = lines.map((line) => JSON.parse(line) as Played);
  // Of a play that was made again the last counts.
  return [...new Map(played.map((one) => [keyOf(one), one])).values()];
}

function keyOf({ fault, engine, seed }: Pick<Played, 'fault' | 'engine' | 'seed'>): string {
  return `${fault}|${engine}|${seed}`;
}

function report(played: readonly Played[]): void {
  if (options.only !== '' && options.record === '') return;
  mkdirSync(join(REPORT, '..'), { recursive: true });
  const order = faults.map(({ name }) => name);
  const sorted = played.toSorted((a, b) => order.indexOf(a.fault) - order.indexOf(b.fault) || a.seed - b.seed);
  writeFileSync(REPORT, reportOf(sorted, machine()));
}

function machine(): string {
  const { cpu, cores, memoryGiB, platform, node, loadBefore } = describeMachine();
  const day = new Date().toISOString().slice(0, 10);
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}, Node ${node}, ${day}, load ${loadBefore} at the end`;
}

/** The killing many times over, the engines in turn; each of the others once. */
function playsOf(fault: Fault): Planned[] {
  const plays = fault.isKilling ? Math.ceil(Number(options.kills) / KILLS) : 1;
  return Array.from({ length: plays }, (_, play) => Number(options.seed) + play).flatMap((seed) =>
    fault.engines.map((engine) => ({ fault, engine, seed })),
  );
}

async function play({ fault, engine, seed }: Planned): Promise<Played> {
  const skip = fault.skip || (engine === 'PostgreSQL' && withoutPostgres) || null;
  const times = fault.isKilling ? KILLS : 1;
  const one = { fault: fault.name, engine, seed, skip };
  if (skip) return { ...one, times: 0, sum: null, failure: null };
  return { ...one, times, ...(await playOne(fault, engine, seed)) };
}

async function playOne(
  fault: Fault,
  engine: Engine,
  seed: number,
): Promise<{ sum: Sum | null; failure: string | null }> {
  const scale: Scale = { kills: KILLS, awayMs: Number(options.away), timeoutMs: 3_000 };
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
