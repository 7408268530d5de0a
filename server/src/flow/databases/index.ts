// Databases by their URLs, as users write them: postgres://user:password@host/database, or sqlite:path.
import { stat } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import { ActionFailed } from '../action.ts';
import { allowedFile, type AllowedFolders } from '../allowed-file.ts';
import type { Database } from './database.ts';
import { openPostgres, type Addresses, type PostgresDatabase } from './postgres.ts';
import { fileFault } from '../sheets/file-fault.ts';
import { SqliteDatabase } from './sqlite.ts';

export type { Database, Query, Rows, SessionBounds } from './database.ts';
export { SESSION_MS } from './database.ts';
export type { Addresses } from './postgres.ts';

/** What databases are reached by. */
export interface DatabasesParts {
  addresses: Addresses;
  files: AllowedFolders;
}

/** Databases that are or were lately in use. */
export interface Databases {
  /** Rejects with an `ActionFailed` where the URL is none, or leads where nobody may go. */
  open(url: string): Promise<Database>;
  /** Closes all of them. */
  close(): Promise<void>;
}

/** Databases with connections that are remembered. Idle ones have none open. */
const MOST_OPEN = 100;

/** Makes it. */
export function createDatabases({ addresses, files }: DatabasesParts): Databases {
  const open = new LRUCache<string, SqliteDatabase | PostgresDatabase>({
    max: MOST_OPEN,
    dispose: (database) => void database.close().catch(() => undefined),
  });
  const known = (id: string, make: () => SqliteDatabase | PostgresDatabase): Database => {
    const former = open.get(id);
    if (former !== undefined) return former;
    const database = make();
    open.set(id, database);
    return database;
  };
  return {
    open: async (url) => {
      if (url.startsWith('sqlite:')) {
        const path = url.slice('sqlite:'.length);
        const file = await existingFile(path, files);
        return known(file, () => new SqliteDatabase(file, path));
      }
      const parsed = URL.parse(url);
      if (parsed === null || !/^postgres(?:ql)?:$/.test(parsed.protocol)) {
        const words = 'the connection is none: it begins with postgres:// or sqlite:';
        throw new ActionFailed(words, { retryable: false });
      }
      return known(url, () => openPostgres(parsed, addresses));
    },
    close: async () => {
      const all = [...open.values()];
      await Promise.all(all.map((database) => database.close().catch(() => undefined)));
      open.clear();
    },
  };
}

// A path that was mistyped shall not become a database.
async function existingFile(path: string, files: AllowedFolders): Promise<string> {
  try {
    const file = await allowedFile(path, files);
    if ((await stat(file)).isFile()) return file;
  } catch (error) {
    throw fileFault(path, error);
  }
  throw new ActionFailed(`${path} is no file`, { retryable: false });
}
