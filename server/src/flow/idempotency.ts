// The Idempotency-Key of a step: the same for each of its tries, over restarts and in runs that continue one another; no
// other step of any run has it.
import { hash } from 'node:crypto';
import { deedOf } from '../model/flow/continuation.ts';
import type { Step } from '../model/flow/definition.ts';
import type { RunFacts } from './action.ts';

/** A step, and where it is in the run. */
export interface PlacedStep {
  step: Step;
  place: string;
}

/** The same of what a step makes for a request: of whichever run, this step makes it once (R106). */
export function keyOfRow(facts: RunFacts, placed: PlacedStep): string {
  const { token, flow, request } = facts;
  if (request === null) return keyOfStep(facts, placed);
  return digest(`${token}/${flow}/request/${request.key}/${placed.place}`);
}

/**
 * 32 characters of hex. Nobody can tell from it which run it is of, and who knows no token can make none. A step that was
 * mended, and does something else by now, has another one.
 */
export function keyOfStep({ token, origin }: Pick<RunFacts, 'token' | 'origin'>, { step, place }: PlacedStep): string {
  return digest(`${token}/${origin}/${place}/${deedOf(step)}`);
}

function digest(name: string): string {
  return hash('sha256', `bellwire/${name}`, 'hex').slice(0, 32);
}
