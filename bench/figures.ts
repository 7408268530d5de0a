// The figures of a run: rows of its tables, and how they come out of what was measured.

/** Throughput of one case. */
export interface ThroughputRow {
  engine: string;
  fanout: number;
  publish: string;
  deliveriesPerSecond: number;
  cpuMsPerDelivery: number;
}

/** Publish to receive at a steady rate. */
export interface LatencyRow {
  engine: string;
  eventsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** One figure: what it is of, and by how much. */
export interface Figure {
  engine: string;
  what: string;
  value: number;
  unit: string;
}

/** A row of latencies out of all delays, in ms. */
export function latencyRow(engine: string, eventsPerSecond: number, delays: readonly number[]): LatencyRow {
  const { p50, p99, max } = percentiles(delays);
  return { engine, eventsPerSecond, p50Ms: p50, p99Ms: p99, maxMs: max };
}

/** The middle, the hundredth from the top, and the top. */
export function percentiles(values: readonly number[]): { p50: number; p99: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
