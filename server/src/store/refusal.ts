// What the store throws: it does not answer, or it refuses what is asked. Anything else that is thrown is a bug.

/**
 * The store, or the way to it, is out of order: neither the request's fault nor this program's. The message says it in
 * words. Asking again later helps, when somebody has mended it or by itself.
 */
export class StoreOutage extends Error {
  override name = 'StoreOutage';
  /** False only where the answer to a COMMIT was lost: then it may have been done. */
  readonly undone: boolean;
  constructor(message: string, { cause, undone = true }: { cause?: unknown; undone?: boolean } = {}) {
    super(message, { cause });
    this.undone = undone;
  }
}

/** A refusal in the domain's words; anything else a verb throws is a {@link StoreOutage} or a bug. */
export class StoreRefusal extends Error {
  override name = 'StoreRefusal';
  readonly code: RefusalCode;
  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Why a verb refused. */
export type RefusalCode =
  | 'not-found'
  | 'name-taken'
  | 'exists'
  | 'in-use'
  | 'wrong-state'
  | 'limit-reached'
  | 'changed-meanwhile'
  | 'operation-running'
  | 'erased'
  /** A sheet has as many rows as one may have. */
  | 'full';
