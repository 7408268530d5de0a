// The Idempotency-Key of a step: the same for each of its tries, over restarts; no other step of any run has it.
import { createHash } from 'node:crypto';
import type { RunFacts } from './action.ts';

/** 32 characters of hex. Nobody can tell from it which run it is of, and who knows no token can make none. */
export function keyOfStep({ token, run }: Pick<RunFacts, 'token' | 'run'>, place: string): string {
  return createHash('sha256').update(`bellwire/${token}/${run}/${place}`).digest('hex').slice(0, 32);
}
