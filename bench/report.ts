// The result of a run: as tables for people, as JSON for comparing runs.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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

/** What one engine reached, as it lies in bench/results/: throughput of one run, each figure of the last that measured it. */
interface Saved extends Result {
  day: string;
  throughput: readonly (ThroughputRow & { ofCeiling: number })[];
}

/**
 * Writes what one engine reached to bench/results/ENGINE.json, beside what former runs of other cases left there, and
 * the chart of the README from all engines: each share is one of the ceiling of its own run.
 */
export function save(engine: string, result: Result): string {
  const file = join(RESULTS, `${engine}.json`);
  const former = existsSync(file) ? readSaved(file) : null;
  writeFileSync(file, `${JSON.stringify(joined(former, ofEngine(engine, result)), rounded, 2)}\n`);
  const all = readdirSync(RESULTS).filter((name) => name.endsWith('.json'));
  const rows = all.flatMap((name) => readSaved(join(RESULTS, name)).throughput);
  const { cpu, cores, node } = result.machine;
  if (rows.length > 0)
    writeFileSync(join(RESULTS, 'chart.svg'), drawChart(rows, `${cpu}, ${cores} cores, Node ${node}`));
  return `bench/results/${engine}.json`;
}

function ofEngine(engine: string, result: Result): Saved {
  const ceiling = meanOf(result.ceilings, 'perSecond');
  const of = <T extends { engine: string }>(rows: readonly T[]): T[] => rows.filter((row) => row.engine === engine);
  return {
    day: new Date().toISOString().slice(0, 10),
    ...result,
    throughput: of(result.throughput).map((row) => ({ ...row, ofCeiling: row.deliveriesPerSecond / ceiling })),
    latency: of(result.latency),
    field: of(result.field),
  };
}

// Shares belong to the ceilings of their run: what was not measured stays with those it had.
function joined(former: Saved | null, now: Saved): Saved {
  if (former === null) return now;
  const head = now.throughput.length > 0 ? now : former;
  const measured = new Set(now.field.map(({ what }) => what));
  return {
    ...head,
    latency: now.latency.length > 0 ? now.latency : former.latency,
    field: [...former.field.filter(({ what }) => !measured.has(what)), ...now.field],
  };
}

function readSaved(file: string): Saved {
  return JSON.parse(readFileSync(file, 'utf8')) as Saved;
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
