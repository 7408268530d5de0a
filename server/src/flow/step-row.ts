// The row of one step, as it is put into the journal each time something of it changes.
import type { Json } from '../model/flow/definition.ts';
import type { StepState, StoredStep } from '../store/flows/contract.ts';
import type { Journal } from './journal.ts';

/** What is known of a step that begins. */
export type NewStep = Pick<StoredStep, 'place' | 'name' | 'action' | 'startedAt'>;

/** A row and where it goes. */
export class StepRow {
  readonly #journal: Journal;
  #row: StoredStep;

  /** A row that a former owner left goes on. */
  constructor(journal: Journal, of: NewStep | StoredStep) {
    this.#journal = journal;
    const fresh = { state: 'running', tries: 0, input: null, output: null, error: null } as const;
    this.#row = 'state' in of ? of : { ...of, ...fresh, process: null, finishedAt: null };
  }

  get place(): string {
    return this.#row.place;
  }

  get input(): Json {
    return this.#row.input;
  }

  get output(): Json {
    return this.#row.output;
  }

  /** Of a running step: the reason why its last try failed, between that and the next; null while one is under way. */
  get error(): string | null {
    return this.#row.error;
  }

  get state(): StepState {
    return this.#row.state;
  }

  get tries(): number {
    return this.#row.tries;
  }

  get process(): string | null {
    return this.#row.process;
  }

  /** It is under way, and this is known of it. */
  begin(changes: Partial<Pick<StoredStep, 'tries' | 'input' | 'output' | 'error' | 'process'>>): void {
    this.#put({ ...this.#row, ...changes, state: 'running', finishedAt: null });
  }

  /** It has ended. Without an output it keeps what it had noted. */
  end(state: Exclude<StepState, 'running'>, of: { at: number; output?: Json; error?: string }): void {
    const { at, output = this.#row.output, error = null } = of;
    this.#put({ ...this.#row, state, output, error, process: null, finishedAt: at });
  }

  #put(row: StoredStep): void {
    this.#row = row;
    this.#journal.step(row);
  }
}
