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

/**
 * The same of what a step makes for a request: of whichever run, this step makes it once (R106). A step that has a name may
 * be moved about in its scenario, and makes nothing a second time by that.
 */
export function keyOfRow(facts: RunFacts, placed: PlacedStep): string {
  const { token, flow, request } = facts;
  if (request === null) return keyOfStep(facts, placed);
  return digest(`${token}/${flow}/request/${request.key}/${lastingPlace(placed)}`);
}

/**
 * 32 characters of hex. Nobody can tell from it which run it is of, and who knows no token can make none. A step that was
 * mended, and does something else by now, has another one.
 */
export function keyOfStep({ token, origin }: Pick<RunFacts, 'token' | 'origin'>, { step, place }: PlacedStep): string {
  return digest(`${token}/${origin}/${place}/${deedOf(step)}`);
}

// A name stands once in a flow; within loops each item is another deed. No place begins like that.
function lastingPlace({ step, place }: PlacedStep): string {
  if (step.name === null) return place;
  const items = [...place.matchAll(/\.each\[(\d+)\]/g)].map(([, item]) => item);
  return ['named', step.name, ...items].join('/');
}

function digest(name: string): string {
  return hash('sha256', `bellwire/${name}`, 'hex').slice(0, 32);
}
