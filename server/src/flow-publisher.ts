// How flows publish: through the checks and the commit of the API, without HTTP.
import { acceptEvents, type Accepting } from './api/publish.ts';
import { PublishRefused, type Publish } from './flow/outside.ts';
import type { Clock } from './model/clock.ts';
import { decodeRequest, STRUCTURED_CONTENT_TYPE, type EventLimits } from './model/cloud-events/index.ts';
import { Refused } from './model/problem.ts';

/** What publishing of flows stands on. */
export interface FlowPublishing extends Accepting {
  limits: EventLimits;
  clock: Pick<Clock, 'now'>;
}

/** Makes it. */
export function publishForFlows(parts: FlowPublishing): Publish {
  const { limits, clock } = parts;
  return async (workspace, body, trace = null) => {
    const decoded = decodeRequest({ contentType: STRUCTURED_CONTENT_TYPE, rawHeaders: [], body, limits });
    if (!decoded.ok) throw new PublishRefused(decoded.faults.map(({ message }) => message).join(' '), false);
    const publisher = { workspace, service: null, isBatch: false, trace, now: clock.now() };
    try {
      const { accepted } = await acceptEvents(decoded.events, publisher, parts);
      const [{ event, duplicate }] = accepted as [(typeof accepted)[number]];
      return { event, duplicate };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { status, detail } = error.problem;
      throw new PublishRefused(detail, status >= 500 || status === 429);
    }
  };
}
