// The seam between the store's SQL and its two engines: a transaction, a few ways to run a statement, nothing else.
//
// Statements are written once, with `$1…$n` in order of their values. What differs between the engines stands in
// `Dialect` and at the bottom (sqlite.ts, postgres.ts), each difference with its reason beside it.

import type { HintChannel } from './hints.ts';

/** What a column may hold. Booleans are 0 and 1, JSON is text, instants are epoch ms. */
export type Value = string | number | Uint8Array | null;

/** A row as an object of its columns. */
export type Row = Record<string, Value>;

/** The words in which the dialects differ. */
export interface Dialect {
  name: 'sqlite' | 'postgres';
  /** Ends a SELECT that must hold the rows it read. SQLite has no row locks: a write transaction has the whole file. */
  forUpdate: string;
  /** Type of a column of bytes. */
  bytes: string;
  /** Ends a CREATE TABLE whose rows live in the primary key's tree. PostgreSQL knows only heaps. */
  clustered: string;
  /** Ends a CREATE TABLE whose rows are updated often: room in the page lets PostgreSQL update without new index entries. */
  updated: string;
  /** Statements after which the planner keeps no samples of these columns in tables of its own. */
  unsampled(table: string, columns: readonly string[]): string;
}

/** Inside a transaction. Statements run one after the other. */
export interface Tx {
  /** Runs a query, resolves its rows. */
  all<R = Row>(text: string, values?: readonly Value[]): Promise<R[]>;
  /** Runs a statement, resolves the number of rows it changed. */
  run(text: string, values?: readonly Value[]): Promise<number>;
  /** Inserts many rows in the table's column order; `keep` leaves alone what is there under their keys already. */
  insert(table: TableName, rows: readonly (readonly Value[])[], existing?: 'refuse' | 'keep'): Promise<void>;
  /** Inserts those rows whose keys are new; resolves for each whether it was. */
  insertNew(table: TableName, rows: readonly (readonly Value[])[]): Promise<boolean[]>;
  /** Sets columns of many rows, each once; resolves how many rows there were to set. */
  update(table: TableName, change: Update): Promise<number>;
  /** Runs a statement whose values are integers together with the COMMIT: one round trip less on PostgreSQL. */
  atCommit(text: string, values: readonly number[]): void;
}

/** An update of many rows: each of `rows` holds the primary key, then the new values of `columns`. */
export interface Update {
  columns: readonly string[];
  rows: readonly (readonly Value[])[];
  /** Only rows that fulfil this condition on what they hold so far. */
  only?: string;
}

/** What a transaction was for, as far as it is worth telling apart. */
export type CommitKind = 'accept' | 'settle' | 'run' | 'hook' | 'other';

/** How a transaction is to end. */
export interface WriteOptions {
  /** Synced to disk when it resolves (the default), or only written: a crash may then undo it. */
  synced?: boolean;
  /** What it is for, and how many share it: for those who watch. */
  kind?: CommitKind;
  size?: number;
}

/** A connected engine. What is out of order makes its verbs reject with a `StoreOutage`. */
export interface Sql {
  dialect: Dialect;
  /** The way to the other nodes on this store; null where there cannot be any. */
  hints: HintChannel | null;
  /** One write transaction: committed when it resolves, rolled back when `work` throws. May run `work` again. */
  write<T>(work: (tx: Tx) => Promise<T>, options?: WriteOptions): Promise<T>;
  /** A short query outside any transaction, off the hot thread: rows by their keys, a page of what is due. */
  read<R = Row>(text: string, values?: readonly Value[]): Promise<R[]>;
  /** A query that may take long (lists, totals, what is to be pruned): short ones do not wait for it. */
  scan<R = Row>(text: string, values?: readonly Value[]): Promise<R[]>;
  /** Takes what deletions left behind out of the files, as far as that can be done while they are in use. */
  scrub(): Promise<void>;
  /** Gives up to some pages that nothing uses any more back to the file system; true when there are more. */
  shrink(): Promise<boolean>;
  /** Is the error the fault of some row (so that others may be stored), rather than of the engine or the way to it? */
  blamesRow(error: unknown): boolean;
  /** Resolves true when the session named so (see `holdSession`) is certainly gone. */
  sessionGone(session: string): Promise<boolean>;
  /** Holds a session by this name for as long as the process lives: its end is seen by the others at once. */
  holdSession(session: string): Promise<void>;
  close(): Promise<void>;
}

/** A column's kind: what PostgreSQL must be told about an array of its values. */
export type ColumnKind = 'int' | 'text' | 'bytes';

/** A table written in bulk: the order of its columns and its primary key. */
export interface Table {
  key: readonly string[];
  columns: Readonly<Record<string, ColumnKind>>;
  /** Columns that new rows leave empty: they can only be updated. */
  later?: Readonly<Record<string, ColumnKind>>;
}

/** The tables of the hot path, of the runs of flows, and of their sheets' rows. All others are written by plain statements. */
export const TABLES = {
  events: {
    key: ['workspace', 'event'],
    columns: {
      workspace: 'int',
      event: 'int',
      accepted_at: 'int',
      source: 'text',
      id: 'text',
      type: 'text',
      note: 'text',
      trace: 'text',
      envelope: 'bytes',
    },
  },
  deliveries: {
    key: ['workspace', 'event', 'target', 'copy'],
    columns: {
      workspace: 'int',
      event: 'int',
      target: 'int',
      copy: 'int',
      state: 'int',
      tries: 'int',
      attempts: 'int',
      created_at: 'int',
      due_at: 'int',
      first_try_at: 'int',
      ended_at: 'int',
      reason: 'text',
    },
    later: { batch: 'int' },
  },
  attempts: {
    key: ['workspace', 'event', 'target', 'copy', 'attempt'],
    columns: {
      workspace: 'int',
      event: 'int',
      target: 'int',
      copy: 'int',
      attempt: 'int',
      manual: 'int',
      started_at: 'int',
      duration_ms: 'int',
      status: 'int',
      error: 'text',
      request_headers: 'text',
      response_headers: 'text',
      response: 'bytes',
    },
  },
  fanouts: { key: ['workspace', 'event'], columns: { workspace: 'int', event: 'int', targets: 'text' } },
  leases: {
    key: ['workspace', 'event', 'target', 'copy'],
    columns: {
      workspace: 'int',
      event: 'int',
      target: 'int',
      copy: 'int',
      lease: 'text',
      attempt: 'int',
      leased_at: 'int',
      leased_until: 'int',
    },
  },
  runs: {
    key: ['workspace', 'run'],
    columns: {
      workspace: 'int',
      run: 'int',
      flow: 'int',
      bucket: 'int',
      kind: 'text',
      name: 'text',
      version: 'int',
      state: 'text',
      slot: 'int',
      reason: 'text',
      cause: 'text',
      cause_event: 'int',
      params: 'text',
      event: 'text',
      dedupe: 'text',
      depth: 'int',
      request: 'int',
      continues: 'int',
      begin_at: 'int',
      trace: 'text',
      abort_asked: 'text',
      lines: 'int',
      created_at: 'int',
      started_at: 'int',
      finished_at: 'int',
      end_events: 'text',
    },
    later: { reply: 'text' },
  },
  hook_requests: {
    key: ['workspace', 'request'],
    columns: {
      workspace: 'int',
      request: 'int',
      flow: 'int',
      run: 'int',
      state: 'text',
      reason: 'text',
      status: 'int',
      dedupe: 'text',
      received_at: 'int',
      sender: 'text',
      method: 'text',
      query: 'text',
      headers: 'text',
      body: 'bytes',
    },
  },
  schedules: {
    key: ['workspace', 'flow', 'schedule'],
    columns: { workspace: 'int', flow: 'int', schedule: 'int', bucket: 'int', next_at: 'int' },
  },
  run_steps: {
    key: ['workspace', 'run', 'place'],
    columns: {
      workspace: 'int',
      run: 'int',
      place: 'text',
      name: 'text',
      action: 'text',
      state: 'text',
      tries: 'int',
      input: 'text',
      output: 'text',
      error: 'text',
      process: 'text',
      started_at: 'int',
      finished_at: 'int',
    },
  },
  run_log: {
    key: ['workspace', 'run', 'line'],
    columns: {
      workspace: 'int',
      run: 'int',
      line: 'int',
      at: 'int',
      place: 'text',
      stream: 'text',
      text: 'text',
    },
  },
  policy_rules: {
    key: ['workspace', 'run', 'rule'],
    columns: {
      workspace: 'int',
      run: 'int',
      rule: 'text',
      position: 'int',
      status: 'text',
      reason: 'text',
      counts: 'text',
      changes: 'int',
    },
  },
  policy_results: {
    key: ['workspace', 'run', 'chunk'],
    columns: {
      workspace: 'int',
      run: 'int',
      chunk: 'int',
      rule: 'text',
      compliance: 'text',
      at: 'int',
      resources: 'bytes',
    },
  },
  policy_history: {
    key: ['workspace', 'flow', 'rule', 'resource', 'run'],
    columns: {
      workspace: 'int',
      flow: 'int',
      rule: 'text',
      resource: 'text',
      run: 'int',
      at: 'int',
      name: 'text',
      compliance: 'text',
      detail: 'text',
      was: 'text',
    },
  },
  sheet_rows: {
    key: ['workspace', 'sheet', 'number'],
    columns: {
      workspace: 'int',
      sheet: 'int',
      number: 'int',
      key: 'text',
      cells: 'text',
      run: 'int',
      at: 'int',
    },
  },
  sheet_changes: {
    key: ['workspace', 'run', 'sheet', 'number'],
    columns: { workspace: 'int', run: 'int', sheet: 'int', number: 'int' },
  },
} as const satisfies Record<string, Table>;

/** A table that can be written in bulk. */
export type TableName = keyof typeof TABLES;

/** The stored form of a delivery's state. */
export const STATE = { open: 0, delivered: 1, dead: 2 } as const;

/**
 * What is still open, among rows named by their keys. The sum keeps the index of open deliveries from being used: before
 * PostgreSQL knows how large its tables are, it would go through a webhook's whole backlog for each key.
 */
export const STILL_OPEN = `state + 0 = ${STATE.open}`;
