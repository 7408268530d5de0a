// What expressions of a run see by name: parameters, the event, earlier steps' outputs, variables, the run, secrets.
import type { Json } from '../model/flow/definition.ts';

/** Names with values. */
export type Names = Readonly<Record<string, Json>>;

/** What is seen at one place of a run. What a loop's item sets is seen in that item only. */
export class Scope {
  /** What `collect` gathers in this item of a loop; null outside of one. */
  readonly collected: Json[] | null;
  readonly #names: Record<string, Json>;
  readonly #steps: Record<string, Json>;

  constructor(names: Names, collected: Json[] | null = null) {
    this.collected = collected;
    this.#steps = own({});
    this.#names = own({ ...names, steps: this.#steps });
  }

  /** All that is seen. */
  get names(): Names {
    return this.#names;
  }

  /** A variable, or `error`. */
  set(name: string, value: Json): void {
    this.#names[name] = value;
  }

  /** The output of a step that ended. */
  stepEnded(name: string | null, output: Json): void {
    if (name !== null) this.#steps[name] = output;
  }

  /** A scope that sees the same and these names; what is set in it is not seen here, what is collected gets there. */
  inside(more: Names, collected: Json[]): Scope {
    const { steps, ...names } = this.#names;
    const inner = new Scope({ ...names, ...more }, collected);
    Object.assign(inner.#steps, steps);
    return inner;
  }
}

// Without a prototype: a name is there or not, whatever objects are born with.
function own(names: Record<string, Json>): Record<string, Json> {
  return Object.assign(Object.create(null) as Record<string, Json>, names);
}
