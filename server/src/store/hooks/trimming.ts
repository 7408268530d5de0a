// Bounding what hooks keep: of the requests of a flow that started no run, the latest thousand or so stay, up to 64 MiB.
//
// Anybody may send such requests, so this does not wait for retention: each node trims a flow when it has kept so many more.
import { TRIM_EVERY, trimKept, trimWeight } from './pruning.ts';
import type { Sql } from '../sql.ts';
import type { Kept } from './rows.ts';

/** Counts what was kept, and trims. */
export class Trimmer {
  readonly #sql: Sql;
  readonly #onError: (error: unknown) => void;
  readonly #counts = new Map<string, number>();
  #trimming: Promise<void> = Promise.resolve();

  constructor(sql: Sql, onError: (error: unknown) => void) {
    this.#sql = sql;
    this.#onError = onError;
  }

  /** These were kept. */
  count(kept: readonly Pick<Kept, 'workspace' | 'flow' | 'state' | 'content'>[]): void {
    for (const { workspace, flow, state, content } of kept) {
      if (state === 'taken') continue;
      const name = `${workspace}/${flow}`;
      const count = (this.#counts.get(name) ?? 0) + trimWeight(content);
      if (count < TRIM_EVERY) {
        this.#counts.set(name, count);
        continue;
      }
      this.#counts.delete(name);
      this.#trimming = this.#trimming.then(() => trimKept(this.#sql, { workspace, flow })).catch(this.#onError);
    }
  }

  /** Resolves when nothing is being trimmed. */
  idle(): Promise<void> {
    return this.#trimming;
  }
}
