// npm run bench: what the platform delivers on this machine, as a ratio to the bare ceiling measured in the same run.
//
//   ceiling ─ for each engine: fan-out 1 and 10, single and batched publish, then latency at a steady rate ─ ceiling
//
// Receiver, load and platform are processes of their own on loopback; PostgreSQL runs with fsync. What was measured
// in full goes to bench/results/. Words: `sqlite` or `postgres` for one engine, `--quick` for a tenth of everything,
// `--case=base`, or of it `--case=1/single` (fan-out/publish) or `--case=latency`, `--case=field`, `--case=field/backlog`, `--case=flows/runs` or `--case=handler` for a part, `--profile=FOLDER` for CPU profiles of the platform.
import { rmSync } from 'node:fs';
import { startPostgres, withoutPostgres } from '../test/kit/postgres.ts';
import { FIELD } from './field.ts';
import { FLOWS } from './flows.ts';
import { HANDLER } from './handler.ts';
import { latencyRow, type Figure, type LatencyRow, type ThroughputRow } from './figures.ts';
import { describeMachine } from './machine.ts';
import { measure, measureCeiling, TEMPORARY, type Ground } from './measure.ts';
import { endAll, start } from './processes.ts';
import { print, save } from './report.ts';

const words = process.argv.slice(2);
const wordAfter = (name: string): string | null =>
  words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? null;
const engines = ['sqlite', 'postgres'].filter((engine) => !words.some(isEngine) || words.includes(engine));
const scale = words.includes('--quick') ? 0.1 : 1;
const onlyCase = wordAfter('case');
const isKept = scale === 1 && wordAfter('profile') === null && !/^[0-9]|^latency$/.test(onlyCase ?? '');

const CASES = [
  { fanout: 1, publish: 'single', events: 40_000, perRequest: 1, connections: 64 },
  { fanout: 1, publish: 'batched', events: 60_000, perRequest: 100, connections: 8 },
  { fanout: 10, publish: 'single', events: 8_000, perRequest: 1, connections: 64 },
  { fanout: 10, publish: 'batched', events: 8_000, perRequest: 100, connections: 8 },
] as const;

/** Events per second, for how long, s. */
const RATES = [
  { rate: 100, seconds: 20 },
  { rate: 1000, seconds: 10 },
] as const;

/** Is it part of what was asked for? `base` is throughput and latency. */
function isAsked(room: string): boolean {
  return onlyCase === null || onlyCase === room;
}

function isEngine(word: string): boolean {
  return word === 'sqlite' || word === 'postgres';
}

async function measureEngine(engine: string, ground: Ground): Promise<[ThroughputRow[], LatencyRow[]]> {
  const throughput: ThroughputRow[] = [];
  const latency: LatencyRow[] = [];
  for (const { fanout, publish, perRequest, connections, events } of CASES) {
    if (!isAsked('base') && onlyCase !== `${fanout}/${publish}`) continue;
    const task = { fanout, perRequest, connections, rate: 0, events: Math.round(events * scale) };
    const { delays: _, ...measured } = await measure(task, ground);
    throughput.push({ engine, fanout, publish, ...measured });
    const { deliveriesPerSecond, cpuMsPerDelivery } = measured;
    console.log(
      `${engine} ${fanout}/${publish}: ${Math.round(deliveriesPerSecond)}/s, ${cpuMsPerDelivery.toFixed(3)} CPU ms`,
    );
  }
  for (const { rate, seconds } of isAsked('base') || onlyCase === 'latency' ? RATES : []) {
    const events = Math.max(rate, Math.round(rate * seconds * scale));
    const { delays } = await measure({ fanout: 1, perRequest: 1, connections: 32, rate, events }, ground);
    const row = latencyRow(engine, rate, delays);
    latency.push(row);
    console.log(`${engine} at ${rate} events/s: p50 ${row.p50Ms.toFixed(2)} ms, p99 ${row.p99Ms.toFixed(2)} ms`);
  }
  return [throughput, latency];
}

/** What the field and flows add: `--case=field` for all of one, `--case=field/neighbour` for one. */
async function measureMore(engine: string, ground: Ground): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [room, cases] of Object.entries({ field: FIELD, flows: FLOWS, handler: HANDLER })) {
    for (const [name, run] of Object.entries(cases)) {
      if (!isAsked(room) && onlyCase !== `${room}/${name}`) continue;
      for (const figure of await run(ground, scale)) {
        figures.push({ engine, ...figure });
        console.log(`${engine} ${name}: ${figure.what}: ${figure.value.toPrecision(3)} ${figure.unit}`);
      }
    }
  }
  return figures;
}

async function main(): Promise<void> {
  const machine = describeMachine();
  const receiver = await start('receiver.ts');
  const ground: Ground = { receiver, postgres: null, profiles: wordAfter('profile') };
  const ceilings = [await measureCeiling(ground, 200_000 * scale)];
  console.log(`bare ceiling: ${Math.round(ceilings[0]!.perSecond)}/s, ${ceilings[0]!.cpuMs.toFixed(3)} CPU ms each`);
  const throughput: ThroughputRow[] = [];
  const latency: LatencyRow[] = [];
  const field: Figure[] = [];
  for (const engine of engines) {
    if (engine === 'postgres' && withoutPostgres) {
      console.log(`PostgreSQL is left out: ${withoutPostgres}`);
      continue;
    }
    const postgres = engine === 'postgres' ? await startPostgres({ fsync: true }) : null;
    const [more, slower] = await measureEngine(engine, { ...ground, postgres });
    throughput.push(...more);
    latency.push(...slower);
    field.push(...(await measureMore(engine, { ...ground, postgres })));
    await postgres?.stop();
  }
  ceilings.push(await measureCeiling(ground, 200_000 * scale));
  await receiver.end();
  const result = { machine, ceilings, throughput, latency, field };
  print(result);
  if (isKept) for (const engine of engines) console.log(`written to ${save(engine, result)}`);
}

try {
  await main();
} finally {
  endAll();
  rmSync(TEMPORARY, { recursive: true, force: true });
}
