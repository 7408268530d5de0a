// The hooks that were called of late: their scenarios read, their verifiers made. A cache of the store.
//
// Changes made at this node are heard of at once; those of others within seconds, and a run is never begun by a version
// that is not the flow's any more (the store says `stale`).
import { isDeepStrictEqual } from 'node:util';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../model/clock.ts';
import type { Scenario } from '../../model/flow/definition.ts';
import { parseTemplate, type Template } from '../../model/flow/expression/index.ts';
import type { Flows, StoredFlow } from '../../store/flows/contract.ts';
import type { Hooks } from '../../store/hooks/contract.ts';
import { createMasker, type Masker } from '../../model/flow/mask.ts';
import type { Plans } from '../plan.ts';
import { replies } from '../request-scope.ts';
import { makeVerifier, type MadeVerifier } from './verifying.ts';

/** A hook, ready to take requests. */
export interface KnownHook {
  stored: StoredFlow;
  scenario: Scenario;
  /** The values of all secrets it may use that are set. */
  secrets: Record<string, string>;
  /** What they were before: a caller may still send it. */
  former: readonly string[];
  masker: Masker;
  verifier: MadeVerifier;
  dedupe: Template | null;
  /** Does some step reply? */
  replies: boolean;
}

/** What it stands on. */
export interface KnownParts {
  hooks: Pick<Hooks, 'find'>;
  flows: Pick<Flows, 'secrets' | 'formerSecrets'>;
  plans: Plans;
  clock: Pick<Clock, 'monotonic' | 'now'>;
}

/** What is older is read again: another node may have changed it. */
const FRESH_MS = 2_000;
/** Hooks that are kept. */
const MOST_KEPT = 1_000;

interface Entry {
  hook: KnownHook;
  readAt: number;
}

/** Finds hooks by their tokens. */
export class KnownHooks {
  readonly #parts: KnownParts;
  readonly #kept = new LRUCache<string, Entry>({ max: MOST_KEPT });
  readonly #reading = new Map<string, Promise<KnownHook | 'gone' | null>>();
  /** Counts what was heard of: what is being read meanwhile may be of before. */
  #changes = 0;

  constructor(parts: KnownParts) {
    this.#parts = parts;
  }

  /** The hook; `gone` when there was one once, null when there is none. `anew`: what is in memory will not do. */
  find(token: string, anew = false): Promise<KnownHook | 'gone' | null> | KnownHook {
    const entry = this.#kept.get(token);
    if (!anew && entry && this.#parts.clock.monotonic() - entry.readAt < FRESH_MS) return entry.hook;
    const under = anew ? undefined : this.#reading.get(token);
    if (under) return under;
    const reading = this.#read(token).finally(() => {
      if (this.#reading.get(token) === reading) this.#reading.delete(token);
    });
    this.#reading.set(token, reading);
    return reading;
  }

  /** The flow has changed. */
  forget(workspace: number, flow: number): void {
    this.#forget(({ stored }) => stored.workspace === workspace && stored.flow === flow);
  }

  /** Secrets of the workspace have changed. */
  forgetSecrets(workspace: number): void {
    this.#forget(({ stored }) => stored.workspace === workspace);
  }

  #forget(is: (hook: KnownHook) => boolean): void {
    this.#changes++;
    this.#reading.clear();
    for (const [token, { hook }] of this.#kept.entries()) if (is(hook)) this.#kept.delete(token);
  }

  async #read(token: string): Promise<KnownHook | 'gone' | null> {
    const { hooks, flows, plans, clock } = this.#parts;
    const before = this.#changes;
    const readAt = clock.monotonic();
    const stored = await hooks.find(token);
    if (stored === null || stored === 'gone') {
      this.#kept.delete(token);
      return stored;
    }
    const { flow, secrets: names } = plans.of(stored);
    const secrets = names.length === 0 ? {} : await flows.secrets(stored.workspace, names);
    const former = await flows.formerSecrets(stored.workspace, names);
    const hook = this.#make(stored, flow as Scenario, { secrets, former });
    if (before === this.#changes) this.#kept.set(token, { hook, readAt });
    return hook;
  }

  #make(stored: StoredFlow, scenario: Scenario, values: Pick<KnownHook, 'secrets' | 'former'>): KnownHook {
    const { secrets, former } = values;
    const last = this.#kept.get(stored.triggerPath ?? '')?.hook;
    // Most often nothing has changed: keys and patterns are made once.
    const isSame = last?.stored.version === stored.version;
    if (isSame && isDeepStrictEqual({ secrets: last.secrets, former: last.former }, values)) return { ...last, stored };
    const { hook } = scenario;
    return {
      stored,
      scenario,
      ...values,
      masker: createMasker([...Object.values(secrets), ...former]),
      verifier: makeVerifier(hook, secrets, () => this.#parts.clock.now()),
      dedupe: hook.dedupe === null ? null : parseTemplate(hook.dedupe),
      replies: replies(scenario),
    };
  }
}
