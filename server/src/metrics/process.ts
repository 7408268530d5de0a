// The process as numbers: memory, CPU, open files, garbage collection, and how long the event loop lets others wait.
//
// What every Prometheus client calls `process_…` has that name here, too, so that dashboards of any process work.
import { readdirSync, readFileSync } from 'node:fs';
import { constants, monitorEventLoopDelay, performance, PerformanceObserver } from 'node:perf_hooks';
import type { Metrics } from '../metrics.ts';

/** How often the delay of the event loop is looked at. */
const RESOLUTION_MS = 20;
/** The delays that are shown are those of at least so long: two scrapers take nothing away from each other. */
const WINDOW_MS = 10_000;

/** Makes them; what watches the process is ended by the returned function. */
export function gaugeProcess(metrics: Metrics, { version, store }: { version: string; store: string }): () => void {
  metrics
    .gauge({
      name: 'bellwire_build_info',
      help: 'Always 1: which version this is, on what it runs and stores.',
      labels: ['version', 'node', 'store'],
    })
    .set(1, version, process.version, store);
  metrics
    .gauge({ name: 'process_start_time_seconds', help: 'When the process began, in seconds since 1970.' })
    .set(performance.timeOrigin / 1_000);
  gaugeMemory(metrics);
  gaugeFiles(metrics);
  const ends = [watchLoop(metrics), watchGarbage(metrics)];
  return () => {
    for (const end of ends) end();
  };
}

function gaugeMemory(metrics: Metrics): void {
  const resident = metrics.gauge({ name: 'process_resident_memory_bytes', help: 'Memory of the process.' });
  const heap = metrics.gauge({
    name: 'bellwire_heap_bytes',
    help: 'Memory of JavaScript: used; and of buffers outside its heap.',
    labels: ['part'],
  });
  const cpu = metrics.counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the process, user and system, all threads.',
  });
  metrics.onRead(() => {
    const { rss, heapUsed, external } = process.memoryUsage();
    resident.set(rss);
    heap.set(heapUsed, 'used');
    heap.set(external, 'external');
    const { user, system } = process.cpuUsage();
    cpu.set((user + system) / 1_000_000);
  });
}

// Where there is a /proc; elsewhere the metrics are not there.
function gaugeFiles(metrics: Metrics): void {
  const most = /^Max open files +(\d+)/m.exec(readProc('limits'))?.[1];
  if (most === undefined) return;
  metrics.gauge({ name: 'process_max_fds', help: 'Files that the process may have open.' }).set(Number(most));
  const open = metrics.gauge({ name: 'process_open_fds', help: 'Open files, connections included.' });
  metrics.onRead(() => open.set(readdirSync('/proc/self/fd').length));
}

function readProc(name: string): string {
  try {
    return readFileSync(`/proc/self/${name}`, 'utf8');
  } catch {
    return '';
  }
}

function watchLoop(metrics: Metrics): () => void {
  const busy = metrics.counter({
    name: 'bellwire_event_loop_busy_seconds_total',
    help: 'How long the event loop was at work; its rate is the share of the thread that is in use.',
  });
  const delay = metrics.gauge({
    name: 'bellwire_event_loop_delay_seconds',
    help: 'How late the event loop was since the reading before, or for ten seconds at least: median, p99, most.',
    labels: ['of'],
  });
  const watched = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  watched.enable();
  let takenAt = -Infinity;
  metrics.onRead(() => {
    busy.set(performance.eventLoopUtilization().active / 1_000);
    if (performance.now() - takenAt < WINDOW_MS) return;
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1_000);
    delay.set(late(watched.percentile(50)), 'median');
    delay.set(late(watched.percentile(99)), 'p99');
    delay.set(late(watched.max), 'most');
    takenAt = performance.now();
    watched.reset();
  });
  return () => void watched.disable();
}

/** An entry of Node’s own, which says of what kind it is. */
type PerformanceNodeEntry = PerformanceEntry & { detail: unknown };

const KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak',
};

function watchGarbage(metrics: Metrics): () => void {
  const pauses = metrics.histogram({
    name: 'bellwire_gc_duration_seconds',
    help: 'Pauses for garbage collection in the main thread.',
    labels: ['kind'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1],
  });
  const observer = new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries() as PerformanceNodeEntry[]) {
      const { kind } = detail as { kind: number };
      pauses.observe(duration / 1_000, KINDS[kind] ?? 'other');
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}
