// A version of a flow, ready to be run: read once, kept in memory while it is in use.
import { LRUCache } from 'lru-cache';
import type { Flow } from '../model/flow/definition.ts';
import type { ClaimedRun } from '../store/flows/contract.ts';
import { Expressions } from './expressions.ts';

/** A version of a flow. */
export interface Plan {
  flow: Flow;
  expressions: Expressions;
  /** Names of the secrets it may use. */
  secrets: readonly string[];
}

/** Characters of definitions that are kept. */
const KEPT = 16 * 2 ** 20;
// A name that is written in the flow; one that an expression puts together is none that it may use.
const SECRET = /\bsecret(?:\.|\[\s*\\?['"])([A-Za-z_][A-Za-z0-9_]*)/g;

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
      plan = {
        flow: JSON.parse(definition) as Flow,
        expressions: new Expressions(),
        secrets: [...new Set([...definition.matchAll(SECRET)].map(([, name]) => name as string))],
      };
      this.#kept.set(key, plan, { size: Math.min(KEPT, definition.length + 1_000) });
    }
    return plan;
  }
}
