// A file of SQLite as it lies on the disk, before it is opened: whether it can be, and what lies beside it.
import { statSync } from 'node:fs';

/** Why this is no file that can be opened, in words; null when it is one. `isThere` is false when nothing has that name. */
export function whyNoFile(file: string): { isThere: boolean; why: string } | null {
  try {
    const status = statSync(file, { throwIfNoEntry: false });
    if (!status) return { isThere: false, why: `there is no file ${file}` };
    return status.isFile() ? null : { isThere: true, why: `${file} is not a file` };
  } catch (error) {
    // A folder above it is closed to this user: nobody can say that there is none.
    return { isThere: true, why: `${file} cannot be read: ${(error as Error).message}` };
  }
}

/**
 * The log that a former file of this name left beside it, if it did: when its process was killed. SQLite takes it for the
 * log of whatever file gets the name next, and writes its pages into that one.
 */
export function leftBeside(file: string): string | null {
  const logs = [`${file}-wal`, `${file}-journal`];
  return logs.find((log) => (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0) ?? null;
}
