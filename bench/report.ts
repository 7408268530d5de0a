// The result of a run: as tables for people, as JSON for comparing runs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawChart } from './chart.ts';
import type { Figure, LatencyRow, ThroughputRow } from './figures.ts';
import type { Machine } from './machine.ts';
import type { Ceiling } from './measure.ts';

/** All of a run. */
export interface Result {
  machine: Machine;
  ceilings: readonly Ceiling[];
  throughput: readonly ThroughputRow[];
  latency: readonly LatencyRow[];
  field: readonly Figure[];
}

/** Prints the tables. Ratios are to the mean of the ceilings before and after. */
export function print({ machine, ceilings, throughput, latency, field }: Result): void {
  const { cpu, cores, node, loadBefore } = machine;
  const [before, after] = ceilings.map(({ perSecond }) => `${Math.round(perSecond)}/s`);
  console.log(`\n${cpu}, ${cores} cores, Node ${node}, load ${loadBefore} before the run`);
  console.log(`bare ceiling ${before} before, ${after} after, ${meanOf(ceilings, 'cpuMs').toFixed(3)} CPU ms each\n`);
  if (throughput.length > 0)
    console.table(throughput.map((row) => shownThroughput(row, meanOf(ceilings, 'perSecond'))));
  if (latency.length > 0) console.table(latency.map(shownLatency));
  if (field.length > 0)
    console.table(field.map((figure) => ({ ...figure, value: Number(figure.value.toPrecision(3)) })));
}

const RESULTS = join(import.meta.dirname, 'results');

/** Writes the result to bench/results/, named by day, and the chart of the README beside it. */
export function save(result: Result): string {
  const ceiling = meanOf(result.ceilings, 'perSecond');
  const throughput = result.throughput.map((row) => ({ ...row, ofCeiling: row.deliveriesPerSecond / ceiling }));
  const name = `${new Date().toISOString().slice(0, 10)}.json`;
  const { cpu, cores, node } = result.machine;
  writeFileSync(join(RESULTS, name), `${JSON.stringify({ ...result, throughput }, rounded, 2)}\n`);
  writeFileSync(join(RESULTS, 'chart.svg'), drawChart(throughput, `${cpu}, ${cores} cores, Node ${node}`));
  return `bench/results/${name}`;
}

function meanOf(ceilings: readonly Ceiling[], field: keyof Ceiling): number {
  return ceilings.reduce((sum, one) => sum + one[field], 0) / ceilings.length;
}

function shownThroughput(row: ThroughputRow, ceiling: number): object {
  return {
    engine: row.engine,
    'fan-out': row.fanout,
    publish: row.publish,
    'deliveries/s': Math.round(row.deliveriesPerSecond),
    '÷ ceiling': (row.deliveriesPerSecond / ceiling).toFixed(3),
    'CPU ms each': row.cpuMsPerDelivery.toFixed(3),
  };
}

function shownLatency(row: LatencyRow): object {
  return {
    engine: row.engine,
    'events/s': row.eventsPerSecond,
    'p50 ms': row.p50Ms.toFixed(2),
    'p99 ms': row.p99Ms.toFixed(2),
    'max ms': row.maxMs.toFixed(2),
  };
}

function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(5)) : value;
}
