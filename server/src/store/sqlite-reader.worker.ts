// The SQLite store's second thread: reads on a read-only connection, checkpoints on one of its own.
//
// A checkpoint copies what the log file holds into the data file and syncs it: done here, the hot thread is not
// stopped by it.
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

const CHECKPOINT_EVERY_MS = 500;
const MOST_PREPARED = 500;

const { file } = workerData as { file: string };
const reader = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
const checkpointer = new DatabaseSync(file, { timeout: 5000 });
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
    parentPort!.postMessage({ id, error: (error as Error).message });
  }
});

setInterval(() => {
  try {
    checkpointer.exec('PRAGMA wal_checkpoint(PASSIVE)');
  } catch {
    // Busy or the file is being closed: the next one does the rest.
  }
}, CHECKPOINT_EVERY_MS);
