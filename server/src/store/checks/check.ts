// What a check is: one thing that may be wrong, looked for without changing anything, and the remedy in a line.
import type { Row, Value } from '../sql.ts';

/** How bad a finding is. A note is for knowing; a warning will be a fault some day; a fault is one now. */
export type Severity = 'note' | 'warning' | 'fault';

/** What was found, as one sentence, and what to do, as another. */
export interface Finding {
  severity: Severity;
  text: string;
  remedy: string;
}

/** One check, as data: what it is called, what it looks at, what it may find and what is to be done then. */
export interface Check<Ground> {
  /** Unique, and for ever: scripts know it. */
  name: string;
  /** What it looks at, as a clause. */
  looksAt: string;
  /** What it is when something is found. */
  severity: Severity;
  /** What to do, as one sentence that names the command; a finding may know better. */
  remedy: string;
  /** Looks. Nothing found is an empty list. */
  look(ground: Ground): Promise<readonly Seen[]> | readonly Seen[];
}

/** What was seen: its text alone, or more where it differs from what the check says. */
export type Seen = string | (Partial<Finding> & Pick<Finding, 'text'>);

/** There is no store in that place yet: a start makes one. */
export class NoStoreYet extends Error {
  override name = 'NoStoreYet';
}

/** A query was given up: the store is larger than can be looked at beside others. */
export class TooLong extends Error {
  override name = 'TooLong';
}

/** The findings of a check. That it cannot look is one of them. */
export async function findingsOf<Ground>(check: Check<Ground>, ground: Ground): Promise<Finding[]> {
  const { name, severity, remedy } = check;
  try {
    const seen = await check.look(ground);
    return seen.map((one) => ({ severity, remedy, ...(typeof one === 'string' ? { text: one } : one) }));
  } catch (error) {
    const text = `${name} could not be looked at: ${(error as Error).message}`;
    return [{ severity: error instanceof TooLong ? 'note' : 'fault', text, remedy: remedyOf(error) }];
  }
}

function remedyOf(error: unknown): string {
  if (error instanceof TooLong) return 'look again at a quiet hour: bellwire doctor';
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') return 'run bellwire doctor as the user that bellwire runs as';
  return 'if the store is damaged, go back to the last backup: bellwire restore FILE';
}

/** A store that is only looked at. */
export interface Looking {
  engine: 'sqlite' | 'postgres';
  /** The file, or the host of the database. */
  name: string;
  /** Runs one query, `$1…$n` in order. Throws {@link TooLong} where a database takes longer than half a minute. */
  ask<R = Row>(text: string, values?: readonly Value[]): Promise<R[]>;
  close(): Promise<void>;
}

/** What checks of a store are given. Instants epoch ms. */
export interface StoreGround {
  store: Looking;
  now: number;
  /** A platform runs on it, so that what is due should have been done. */
  isRunning: boolean;
  /** Why a sealed value does not open here, in words; null when it does. Null itself where there are no keys. */
  opens: ((sealed: string, context: string) => string | null) | null;
  /** Open connections that this node may have; of PostgreSQL only. */
  connections: number;
  /** Runs that work at once on a node. */
  concurrency: number;
}

/** A check of the store. */
export type StoreCheck = Check<StoreGround>;
