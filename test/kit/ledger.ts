// A ledger outside the platform: what it has acknowledged, on disk before anything else happens.
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';

export interface Ledger {
  /** Writes the names of acknowledged events down and syncs the file. */
  acknowledge(names: readonly string[]): void;
  /** All that was written, read back from the disk. */
  read(): Set<string>;
  close(): void;
}

/** Opens a ledger in this file. */
export function openLedger(file: string): Ledger {
  const handle = openSync(file, 'a');
  return {
    acknowledge(names) {
      writeSync(handle, names.map((name) => `${name}\n`).join(''));
      fdatasyncSync(handle);
    },
    read: () => new Set(readFileSync(file, 'utf8').split('\n').filter(Boolean)),
    close: () => closeSync(handle),
  };
}
