// An engine that tells how long its transactions waited and took: one reading of the clock before, between and after.
import { StoreOutage } from './refusal.ts';
import type { CommitKind, Sql, Tx, Value, WriteOptions } from './sql.ts';

/** A transaction that was committed. Spans in ms. */
export interface Commit {
  kind: CommitKind;
  /** Events, attempts, writings or requests that shared it; 1 where nothing is shared. */
  size: number;
  /** Until it began: SQLite writes one at a time, PostgreSQL has so many connections. */
  waitedMs: number;
  /** From its beginning to the commit. */
  tookMs: number;
}

/** Who is told. Called after each transaction: it must be quick, and must not throw. */
export interface StoreWatch {
  commit(commit: Commit): void;
  /** The engine was out of order: a transaction or a read failed of it. */
  outage(): void;
}

/** The engine, watched. */
export function timed(sql: Sql, watch: StoreWatch): Sql {
  const fail = (error: unknown): never => {
    if (error instanceof StoreOutage) watch.outage();
    throw error;
  };
  return {
    dialect: sql.dialect,
    hints: sql.hints,
    async write<T>(work: (tx: Tx) => Promise<T>, options: WriteOptions = {}): Promise<T> {
      const askedAt = performance.now();
      let begunAt = 0;
      try {
        const result = await sql.write((tx) => {
          begunAt ||= performance.now();
          return work(tx);
        }, options);
        const { kind = 'other', size = 1 } = options;
        watch.commit({ kind, size, waitedMs: begunAt - askedAt, tookMs: performance.now() - begunAt });
        return result;
      } catch (error) {
        return fail(error);
      }
    },
    read: <R>(text: string, values?: readonly Value[]) => sql.read<R>(text, values).catch(fail),
    scan: <R>(text: string, values?: readonly Value[]) => sql.scan<R>(text, values).catch(fail),
    scrub: () => sql.scrub(),
    shrink: () => sql.shrink(),
    blamesRow: (error) => sql.blamesRow(error),
    sessionGone: (session) => sql.sessionGone(session),
    holdSession: (session) => sql.holdSession(session),
    close: () => sql.close(),
  };
}
