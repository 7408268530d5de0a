// Events that start flows: a delivery to a target that is a flow is answered here, by a run, and never leaves the house.
//
// The delivery's id is the run's name: a delivery that is made again after a crash is answered by the run there is.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../model/clock.ts';
import { isPattern } from '../model/catalog.ts';
import { readEnvelope } from '../model/cloud-events/index.ts';
import type { PendingDelivery } from '../model/delivery.ts';
import { compileFilter } from '../model/filter/index.ts';
import type { EventTrigger, Flow, Json } from '../model/flow/definition.ts';
import { depthAfterEvent } from '../model/flow/depth.ts';
import { compileValue } from '../model/flow/expression/index.ts';
import { checkParams, faultsInWords } from '../model/flow/params.ts';
import type { Outcome } from '../model/outcome.ts';
import { StoreOutage, type Flows, type Started } from '../store/contract.ts';

/** What it stands on. */
export interface EventStartParts {
  flows: Pick<Flows, 'one' | 'start'>;
  clock: Clock;
  /** Runs that may start one another. */
  maxDepth: number;
  onError(error: unknown): void;
}

/** Starts a run for a delivery to a flow. Never rejects: what it comes to is an Outcome, as of any delivery. */
export type StartByEvent = (delivery: PendingDelivery) => Promise<Outcome>;

/** Definitions that are kept parsed. */
const MOST_KEPT = 1000;

/** Makes the function that the delivery engine hands such deliveries to. */
export function createEventStart({ flows, clock, maxDepth, onError }: EventStartParts): StartByEvent {
  const parsed = new LRUCache<string, Flow>({ max: MOST_KEPT });
  return async (delivery) => {
    const began = clock.monotonic();
    const answer = (status: number, words: string): Outcome => answered(status, words, clock.monotonic() - began);
    try {
      const { workspace, target, event: number, copy } = delivery;
      const stored = await flows.one(workspace, { flow: target });
      if (!stored) return answer(GONE, 'the flow was deleted');
      const name = `${workspace}/${target}/${stored.version}`;
      const flow = parsed.get(name) ?? (JSON.parse(stored.definition) as Flow);
      parsed.set(name, flow);
      const { type } = delivery.carried;
      const { attributes, data } = readEnvelope(delivery.carried.envelope);
      const event: Json = { ...(attributes as Record<string, Json>), data: (data ?? null) as Json };
      const trigger = flow.on.events.find((one) => isFor(one, { type, attributes, data }));
      if (!trigger) return answer(PASSED_OVER, 'the flow does not wait for it any more');
      const started = await flows.start({
        workspace,
        flow: target,
        cause: { by: 'event', event: number, type },
        ...paramsOf(flow, trigger, event),
        event,
        dedupe: `event/${number}/${copy}`,
        depth: depthAfterEvent({ type, attributes, data }),
        maxDepth,
        trace: delivery.carried.trace,
        now: clock.now(),
      });
      return answer(...whatFollowed(started));
    } catch (error) {
      onError(error);
      // The store is out of order: that is nobody's fault, and uses no try up.
      const code = error instanceof StoreOutage ? 'busy' : 'other';
      const message = `no run could be started: ${(error as Error).message}`;
      return { kind: 'failure', code, message, status: null, durationMs: clock.monotonic() - began, connectMs: 0 };
    }
  };
}

const ACCEPTED = 202;
const PASSED_OVER = 200;
const GONE = 200;

function whatFollowed(started: Started): [status: number, words: string] {
  switch (started.kind) {
    case 'queued':
    case 'known':
      return [ACCEPTED, `run ${started.run}`];
    case 'failed':
      return [ACCEPTED, `run ${started.run}: ${started.reason}`];
    case 'skipped':
      return [PASSED_OVER, 'skipped: the flow is not enabled, or enough of its runs are under way'];
    case 'gone':
      return [GONE, 'the flow was deleted'];
  }
}

function answered(status: number, words: string, durationMs: number): Outcome {
  const body = new TextEncoder().encode(words);
  const size = { bodyBytes: body.length, truncated: false };
  return { kind: 'response', status, headers: [], body, ...size, retryAfter: null, durationMs, connectMs: 0 };
}

type Seen = { type: string; attributes: Readonly<Record<string, string | number | boolean>>; data: unknown };

// The subscriptions were those of the commit; the definition may have changed since.
function isFor({ type, filter }: EventTrigger, event: Seen): boolean {
  const fits = isPattern(type) ? event.type.startsWith(type.slice(0, -1)) : event.type === type;
  if (!fits || filter === null) return fits;
  const compiled = compileFilter(filter);
  return compiled.ok && compiled.matches(event);
}

// Parameters that cannot be leave a failed run that says so: asking again would bring the same event.
function paramsOf(flow: Flow, trigger: EventTrigger, event: Json): { params: Record<string, Json>; refused?: string } {
  let given: Json;
  try {
    given = compileValue({ ...trigger.params }).evaluate({ event });
  } catch (error) {
    return { params: {}, refused: `its parameters could not be made of the event: ${(error as Error).message}` };
  }
  const checked = checkParams(flow.params, given as Record<string, Json>);
  return checked.ok ? { params: checked.params } : { params: {}, refused: faultsInWords(checked.faults) };
}
