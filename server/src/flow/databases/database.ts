// A database that a user names, PostgreSQL or SQLite: sessions of statements, bounded in rows, bytes and time.
import type { Json } from '../../model/flow/definition.ts';

/** What a statement gave. */
export interface Rows {
  /** By the names of columns. Numbers that JSON cannot hold exactly are text, bytes are base64. */
  rows: { [column: string]: Json }[];
  /** Rows given, or rows changed by a statement that gives none. */
  count: number;
}

/** Runs one statement with parameters: `$1` … in PostgreSQL, `?` in SQLite. Rejects with an `ActionFailed`. */
export type Query = (text: string, params: readonly Json[]) => Promise<Rows>;

/** What a session may take. */
export interface SessionBounds {
  /** Most rows that one statement gives. */
  rows: number;
  /** Most bytes that they hold. */
  bytes: number;
  /** For all statements together, the connection included, ms. */
  deadlineMs: number;
  signal: AbortSignal;
}

/** A database. */
export interface Database {
  kind: 'postgres' | 'sqlite';
  /** Runs `work` with a connection of its own. What it began as a transaction and did not commit is rolled back. */
  session<T>(bounds: SessionBounds, work: (query: Query) => Promise<T>): Promise<T>;
}

/** Longest that a session may take, unless its step says less. */
export const SESSION_MS = 30_000;

/** How much a value weighs against {@link SessionBounds.bytes}. */
export function weightOf(value: Json): number {
  if (typeof value === 'string') return value.length + 3;
  return typeof value === 'object' && value !== null ? JSON.stringify(value).length : 8;
}
