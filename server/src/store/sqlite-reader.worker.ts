// A thread beside the SQLite store's hot one: reads on a read-only connection; one of them checkpoints on another.
//
// A checkpoint copies what the log file holds into the data file and syncs it: done here, the hot thread is not
// stopped by it.
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { ReaderData } from './sqlite-reader.ts';

/** A log file of this size is checkpointed at once, a smaller one from time to time: each checkpoint syncs the data
 *  file, and a publish that waits for the same disk meanwhile takes 20 ms instead of 1 (measured). */
const LARGE_LOG_BYTES = 16 * 2 ** 20;
const LOOK_EVERY_MS = 250;
const CHECKPOINT_EVERY_MS = 10_000;
const MOST_PREPARED = 500;

const { file, checkpoints } = workerData as ReaderData;
const reader = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
const statements = new Map<string, ReturnType<DatabaseSync['prepare']>>();

parentPort!.on('message', ({ id, sql, values }: { id: number; sql: string; values: (string | number | null)[] }) => {
  try {
    let statement = statements.get(sql);
    if (!statement) {
      statement = reader.prepare(sql);
      if (statements.size >= MOST_PREPARED) statements.delete(statements.keys().next().value!);
      statements.set(sql, statement);
    }
    parentPort!.postMessage({ id, rows: statement.all(...values) });
  } catch (error) {
    const { message, errcode } = error as Error & { errcode?: number };
    parentPort!.postMessage({ id, error: message, errcode });
  }
});

if (checkpoints) checkpointFromTimeToTime(new DatabaseSync(file, { timeout: 5000 }));

function checkpointFromTimeToTime(checkpointer: DatabaseSync): void {
  let checkpointedAt = performance.now();
  setInterval(() => {
    try {
      const isLarge = statSync(`${file}-wal`).size > LARGE_LOG_BYTES;
      if (!isLarge && performance.now() - checkpointedAt < CHECKPOINT_EVERY_MS) return;
      checkpointedAt = performance.now();
      checkpointer.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // Busy or the file is being closed: the next one does the rest.
    }
  }, LOOK_EVERY_MS);
}
