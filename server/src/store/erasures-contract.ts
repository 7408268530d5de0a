// The part of the store's contract about erasures: what one subject's events said is taken out of every table.

/** How far an erasure is: running until nothing of it is left in the files, as far as the store can see to that. */
export type ErasureState = 'running' | 'done';

/** An erasure as it is read; the subject is not kept longer than it is needed, so it is never shown. */
export interface StoredErasure {
  workspace: number;
  erasure: number;
  state: ErasureState;
  /** Events erased so far. */
  erased: number;
  /** From 0 to 1. */
  progress: number;
  createdAt: number;
  endedAt: number | null;
}

/** Erasing the payloads of subjects. */
export interface Erasures {
  /** Begins to erase the events of a subject that are committed by now. It survives restarts. */
  begin(of: { workspace: number; subject: string }, now: number): Promise<StoredErasure>;
  one(workspace: number, erasure: number): Promise<StoredErasure | null>;
  /** The newest first, below the number `cursor`. */
  list(query: { workspace: number; cursor: number | null; limit: number }): Promise<StoredErasure[]>;
  /** One chunk of the oldest that can go on; false when there is nothing to do by now. */
  advance(now: number): Promise<boolean>;
}
