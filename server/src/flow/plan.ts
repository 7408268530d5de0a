// A version of a flow, ready to be run: read once, kept in memory while it is in use.
import { LRUCache } from 'lru-cache';
import type { Flow } from '../model/flow/definition.ts';
import { secretNamesOf } from '../model/flow/secret-names.ts';
import type { ClaimedRun } from '../store/flows/contract.ts';
import { Expressions } from './expressions.ts';

/** A version of a flow. */
export interface Plan {
  flow: Flow;
  expressions: Expressions;
  /** Names of the secrets it may use, and of those that its hook is verified by: callers may send them. */
  secrets: readonly string[];
}

/** Characters of definitions that are kept. */
const KEPT = 16 * 2 ** 20;

/** Reads flows. */
export class Plans {
  readonly #kept = new LRUCache<string, Plan>({ maxSize: KEPT });

  /** The plan of a run. Throws when the definition cannot be read, which is a fault of the platform. */
  of({
    workspace,
    flow,
    version,
    definition,
  }: Pick<ClaimedRun, 'workspace' | 'flow' | 'version' | 'definition'>): Plan {
    const key = `${workspace}/${flow}/${version}`;
    let plan = this.#kept.get(key);
    if (!plan) {
      const read = JSON.parse(definition) as Flow;
      plan = { flow: read, expressions: new Expressions(), secrets: secretNamesOf(read) };
      this.#kept.set(key, plan, { size: Math.min(KEPT, definition.length + 1_000) });
    }
    return plan;
  }
}
