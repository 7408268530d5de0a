// The HTTP trigger of a flow: whoever knows its path and its token starts a run (R16; wire facts, section 2).
import { hash, timingSafeEqual } from 'node:crypto';
import { Type, type Static } from 'typebox';
import type { Flow, Json } from '../../model/flow/definition.ts';
import { DEPTH_HEADER, depthAfterRequest } from '../../model/flow/depth.ts';
import { refuse } from '../../model/problem.ts';
import { operation } from '../kernel.ts';
import { paramsFor } from './run-params.ts';

/** Parameters by name; what a post-processing sends, an array, has none. */
export const TriggerIn = Type.Unknown({ examples: [{ table: 'orders' }] });
export type TriggerIn = Static<typeof TriggerIn>;

/** What became of it. */
export const TriggeredOut = Type.Object(
  {
    run: Type.Integer({ description: 'The number of the run.' }),
    state: Type.Union([Type.Literal('queued'), Type.Literal('failed')]),
    reason: Type.Union([Type.String(), Type.Null()], { description: 'Why it failed at once.' }),
  },
  { examples: [{ run: 345, state: 'queued', reason: null }] },
);
export type TriggeredOut = Static<typeof TriggeredOut>;

const SCHEME = /^CAAuth +([^\s]{1,512})$/i;

/** Compared by their hashes, whose length and time tell nothing. */
function isToken(authorization: string | undefined, tokenHash: string): boolean {
  const token = SCHEME.exec(authorization ?? '')?.[1] ?? '';
  return timingSafeEqual(Buffer.from(hash('sha256', token, 'hex')), Buffer.from(tokenHash));
}

export const trigger = operation<TriggerIn, TriggeredOut>()({
  summary: 'Start a job or a policy set by its HTTP trigger',
  description:
    'Authorized by `Authorization: CAAuth <token>`, as it was shown when the trigger was made. A JSON object gives the ' +
    'parameters of the run; an empty body gives none, and so does an array, which is what a post-processing sends.',
  reach: 'installation',
  optionalBody: true,
  success: { 202: 'The run is queued, or was refused by the flow and left as a failed one.' },
  params: Type.Object({ trigger: Type.String() }),
  errors: ['not-found', 'wrong-trigger-token', 'invalid-request', 'wrong-state'],
  handle: async ({ params, body, header, trace, now }, { store, config }) => {
    const found = await store.flows.byTrigger(params.trigger);
    if (!found) throw refuse('not-found', 'There is no such trigger.');
    const { flow: stored, tokenHash } = found;
    if (!isToken(header('authorization'), tokenHash)) {
      const challenge = { 'www-authenticate': 'CAAuth realm="bellwire"' };
      throw refuse(
        'wrong-trigger-token',
        'The Authorization header must be: CAAuth <token of the trigger>.',
        challenge,
      );
    }
    const { workspace, flow, name } = stored;
    const definition = JSON.parse(stored.definition) as Flow;
    const started = await store.flows.start({
      workspace,
      flow,
      cause: { by: 'http' },
      params: paramsOf(definition, body),
      event: null,
      dedupe: null,
      depth: depthAfterRequest(header(DEPTH_HEADER), Array.isArray(body)),
      maxDepth: config.flows.maxDepth,
      trace,
      now,
    });
    switch (started.kind) {
      case 'queued':
      case 'known':
        return { status: 202, body: { run: started.run, state: 'queued' as const, reason: null } };
      case 'failed':
        return { status: 202, body: { run: started.run, state: 'failed' as const, reason: started.reason } };
      case 'skipped': {
        const why = stored.enabled ? 'enough of its runs are under way, and it skips others' : 'it is not enabled';
        throw refuse('wrong-state', `${name} was not started: ${why}.`);
      }
      case 'gone':
        throw refuse('not-found', 'There is no such trigger.');
    }
  },
});

// What a post-processing sends is an array, and names no parameters.
function paramsOf(flow: Flow, body: unknown): Record<string, Json> {
  const isObject = typeof body === 'object' && body !== null;
  if (!isObject) throw refuse('invalid-request', 'The body must be a JSON object of parameters, or empty.');
  return paramsFor(flow, Array.isArray(body) ? {} : (body as Record<string, unknown>), '');
}
