// The Idempotency-Key of a step: the same for each of its tries, over restarts; no other step of any run has it.
import { hash } from 'node:crypto';
import type { RunFacts } from './action.ts';

/** The same of what a step makes for a request: of whichever run, this step makes it once (R106). */
export function keyOfRow({ token, run, flow, request }: RunFacts, place: string): string {
  if (request === null) return keyOfStep({ token, run }, place);
  return digest(`${token}/${flow}/request/${request.key}/${place}`);
}

/** 32 characters of hex. Nobody can tell from it which run it is of, and who knows no token can make none. */
export function keyOfStep({ token, run }: Pick<RunFacts, 'token' | 'run'>, place: string): string {
  return digest(`${token}/${run}/${place}`);
}

function digest(name: string): string {
  return hash('sha256', `bellwire/${name}`, 'hex').slice(0, 32);
}
