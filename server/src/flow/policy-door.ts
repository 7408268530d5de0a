// How the engine has a policy set evaluated: by one function, handed in.
import type { Json, PolicySet } from '../model/flow/definition.ts';
import type { KnownResource, RuleResult } from '../store/flows/contract.ts';

/** One evaluation. */
export interface EvaluationOf {
  set: PolicySet;
  /** What expressions see: `params`, `event`, `run`. */
  scope: Readonly<Record<string, Json>>;
  /** Values by name, of those that the set uses. */
  secrets: Readonly<Record<string, string>>;
  /** Aborted when the run is to end. */
  signal: AbortSignal;
  /** The trace context it belongs to; absent or null without. */
  trace?: string | null;
  /** What is known of a rule's resources from last time. */
  known(rule: string): Promise<KnownResource[]>;
  /** Adds lines to the policy log; secrets are masked here. */
  log(rule: string, text: string): void;
}

/** Evaluates all rules. A rule that fails is a result; rejects only when the store does, or when it was aborted. */
export type Evaluate = (evaluation: EvaluationOf) => Promise<readonly RuleResult[]>;
