// The store as numbers: transactions by what they are for, how many share one, how long they wait, and its outages.
import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Metrics } from '../metrics.ts';
import type { StoreWatch } from '../store/index.ts';

/** From a tenth of a millisecond: most transactions take less than one. */
const COMMIT_SECONDS = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

/** Makes the metrics of transactions; the answer is to be told of each. */
export function countCommits(metrics: Metrics): StoreWatch {
  const took = metrics.histogram({
    name: 'bellwire_store_commit_seconds',
    help: 'From the beginning of a transaction to its commit.',
    labels: ['kind'],
    buckets: COMMIT_SECONDS,
  });
  const sizes = metrics.histogram({
    name: 'bellwire_store_commit_size',
    help: 'Events, attempts, writings of runs or requests that shared one transaction.',
    labels: ['kind'],
    buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500],
  });
  const waited = metrics.histogram({
    name: 'bellwire_store_wait_seconds',
    help: 'How long transactions waited for their turn (SQLite) or for a connection (PostgreSQL).',
    buckets: COMMIT_SECONDS,
  });
  const outages = metrics.counter({
    name: 'bellwire_store_outages_total',
    help: 'Transactions and reads that failed because the store was out of order.',
  });
  return {
    commit({ kind, size, waitedMs, tookMs }) {
      took.observe(tookMs / 1_000, kind);
      waited.observe(waitedMs / 1_000);
      if (kind !== 'other') sizes.observe(size, kind);
    },
    outage: () => outages.add(),
  };
}

/** Makes the gauges of the folder and, on SQLite, of its files; read when they are asked for. */
export function gaugeDisk(metrics: Metrics, of: { dataFolder: string; file: string | null }): void {
  const free = metrics.gauge({
    name: 'bellwire_disk_free_bytes',
    help: 'Room left where the data is: beside the SQLite file, else in the data folder.',
  });
  const { file } = of;
  metrics.onRead(() => {
    const { bavail, bsize } = statfsSync(file === null ? of.dataFolder : dirname(file));
    free.set(bavail * bsize);
  });
  if (file === null) return;
  const bytes = metrics.gauge({
    name: 'bellwire_store_file_bytes',
    help: 'Size of the SQLite file, and of its log.',
    labels: ['file'],
  });
  metrics.onRead(() => {
    bytes.set(sizeOf(file), 'data');
    bytes.set(sizeOf(`${file}-wal`), 'wal');
  });
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
