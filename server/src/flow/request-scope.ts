// What the expressions of a scenario see of the request that it works at.
import type { Hook, Json, Scenario } from '../model/flow/definition.ts';
import { everyStep } from '../model/flow/step-tree.ts';
import { formatId } from '../model/ids.ts';
import { readRequest, type RequestBundle } from '../model/hook/body.ts';
import { namesOfRequest } from '../model/hook/names.ts';
import { fitOneOf } from '../model/hook/shapes/misfit.ts';
import type { ClaimedRun, RunRequest } from '../store/flows/contract.ts';
import { Scope } from './scope.ts';

/** What a scenario's run sees as it begins. */
export function scopeOfScenario(of: {
  claimed: ClaimedRun;
  request: RunRequest;
  bundle: RequestBundle;
  token: string;
  run: Json;
  secrets: Record<string, string>;
}): Scope {
  const { request, bundle, token, run, secrets } = of;
  const id = formatId('req', token, request.request);
  const names = namesOfRequest(bundle, { id, from: request.content.from, receivedAt: request.receivedAt });
  return new Scope({ ...names, run, secret: secrets });
}

/** The request of a run, read again; or why there is nothing to work at, as a clause. */
export function readAgain(
  request: RunRequest | null,
): { ok: true; bundle: RequestBundle } | { ok: false; reason: string } {
  if (request === null) return { ok: false, reason: 'its request is gone: it was erased, or has outlived its time' };
  return readRequest(request.content);
}

/** Why a body fits none of the hook's shapes, as a sentence; null where it fits one, or there are none. */
export function misfitOf({ shapes }: Pick<Hook, 'shapes'>, body: Json): string | null {
  const fit = shapes.length === 0 ? null : fitOneOf(shapes, body);
  return fit !== null && 'reason' in fit ? fit.reason : null;
}

/** Does some step of the scenario reply? Where none does, nobody has to be waited for. */
export function replies({ steps }: Pick<Scenario, 'steps'>): boolean {
  for (const step of everyStep(steps)) if (step.kind === 'action' && step.action === 'reply') return true;
  return false;
}
