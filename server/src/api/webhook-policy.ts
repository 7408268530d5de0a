// A webhook's delivery policy: retries, deadline, rate, order, recovery, batches. Its shape on the wire, and what it may be.
import { Type, type Static } from 'typebox';
import {
  batchingFault,
  DEFAULT_BATCHING,
  FEWEST_BYTES,
  LONGEST_WAIT_MS,
  MOST_BYTES,
  MOST_EVENTS,
  type Batching,
} from '../model/batch.ts';
import { ANY_ORDER, orderFault, type Order, type Recovery } from '../model/order.ts';
import { problemOf, Refused } from '../model/problem.ts';
import { LONGEST_DELAY_MS, MOST_RETRIES } from '../model/retry.ts';
import type { Webhook } from '../store/contract.ts';
import { orNull, spanMs } from './wire.ts';

const ORDER = {
  kind: Type.Enum(['any', 'fifo'], {
    description: '`any`: as they come. `fifo`: one at a time in the order of the events, per webhook or per key.',
  }),
  key: Type.Optional(
    orNull(
      Type.String({
        description:
          'What makes a line of its own: an attribute such as `subject`, or a path such as `data/user/id`; events that lack it share one line. null is one line for the webhook.',
      }),
    ),
  ),
  onFailure: Type.Optional(
    Type.Enum(['block', 'skip', 'park'], {
      description:
        'Of the first delivery of a line. `block` (when left out): it is tried until it succeeds. `skip`: after its tries it is a dead letter, the next one goes. `park`: after its tries its line waits for a retry by hand or an unpark.',
    }),
  ),
  tries: Type.Optional(
    orNull(
      Type.Integer({ minimum: 1, maximum: MOST_RETRIES, description: 'For skip and park; null is the plan’s number.' }),
    ),
  ),
};
const OrderIn = Type.Object(ORDER, { additionalProperties: false });
const BATCH = {
  events: Type.Integer({ minimum: 1, maximum: MOST_EVENTS, description: 'Events at most.' }),
  waitMs: spanMs('The oldest of them waits for company at most so long; 0 takes what waits already.', {
    maximum: LONGEST_WAIT_MS,
  }),
  bytes: Type.Integer({
    minimum: FEWEST_BYTES,
    maximum: MOST_BYTES,
    description: 'Bytes of the body at most; an event that is larger goes alone.',
  }),
};
const BatchIn = Type.Object(
  {
    events: Type.Optional(BATCH.events),
    waitMs: Type.Optional(BATCH.waitMs),
    bytes: Type.Optional(BATCH.bytes),
  },
  { additionalProperties: false },
);
const BATCH_NOTE =
  'Several events in one request, as a signed JSON array; null sends each by itself. Left-out members: 10 events, 60 s, 1 MiB. Needs format `structured`, recovery `in-order`, and no fifo key.';
const POLICY = {
  retryDelaysMs: orNull(
    Type.Array(spanMs('Delay before the next try.', { maximum: LONGEST_DELAY_MS }), {
      maxItems: MOST_RETRIES,
      description: 'Delays between tries: n delays make n + 1 tries. null is the installation’s plan.',
    }),
  ),
  timeoutMs: orNull(
    spanMs('One deadline over connect, headers and body. null is the installation’s.', {
      minimum: 100,
      maximum: 120_000,
    }),
  ),
  rate: orNull(
    Type.Integer({
      minimum: 1,
      maximum: 6_000_000,
      description:
        'Requests per minute at most, retries included, a batch being one; null is as many as the endpoint bears. The lowest of this, `allowedRate` and what a 429 asks for holds. To send nothing, pause the webhook.',
    }),
  ),
  recovery: Type.Enum(['in-order', 'fresh-first'], {
    description:
      'What was held, or waits in the store, beside what is new: the oldest first, or the new first and the backlog one time in four. Either way the backlog comes at a rising pace.',
  }),
  order: OrderIn,
};

/** What may be said of it; what is left out stays, or is as it is by itself. */
export const PolicyIn = Type.Object(
  {
    retryDelaysMs: Type.Optional(POLICY.retryDelaysMs),
    timeoutMs: Type.Optional(POLICY.timeoutMs),
    rate: Type.Optional(POLICY.rate),
    recovery: Type.Optional(POLICY.recovery),
    order: Type.Optional(POLICY.order),
    batch: Type.Optional(Type.Union([BatchIn, Type.Null()], { description: BATCH_NOTE })),
  },
  { additionalProperties: false },
);
export type PolicyIn = Static<typeof PolicyIn>;
export const PolicyOut = Type.Object({ ...POLICY, batch: orNull(Type.Object(BATCH)) });

/** What a new webhook has when nothing else is said. */
export const POLICY_EXAMPLE = {
  retryDelaysMs: null,
  timeoutMs: null,
  rate: null,
  recovery: 'in-order',
  order: { kind: 'any' },
  batch: null,
};

/** The policy's part of a webhook. */
export type Policy = Pick<Webhook, 'retryDelaysMs' | 'timeoutMs' | 'rate' | 'recovery' | 'order' | 'batch'>;

const OWN: Policy = {
  retryDelaysMs: null,
  timeoutMs: null,
  rate: null,
  recovery: 'in-order',
  order: ANY_ORDER,
  batch: null,
};

/** The policy after a wish. An order and the bounds of batches are replaced as a whole. Refuses `invalid-policy` for one that cannot be kept. */
export function policyAfter(wish: PolicyIn = {}, before: Policy = OWN): Policy {
  const { retryDelaysMs = before.retryDelaysMs, timeoutMs = before.timeoutMs, rate = before.rate } = wish;
  const recovery: Recovery = wish.recovery ?? before.recovery;
  const order = wish.order === undefined ? before.order : orderOf(wish.order);
  const fault = orderFault(order, recovery);
  if (fault !== null) throw refusal('order', fault);
  return { retryDelaysMs, timeoutMs, rate, recovery, order, batch: batchAfter(wish, before) };
}

function batchAfter({ batch }: PolicyIn, before: Policy): Batching | null {
  if (batch === undefined) return before.batch;
  return batch && { ...DEFAULT_BATCHING, ...batch };
}

/** Refuses `invalid-policy` where batches do not go with the rest of a webhook. */
export function checkBatching(of: Pick<Webhook, 'batch' | 'order' | 'recovery' | 'format'>): void {
  const fault = batchingFault(of);
  if (fault !== null) throw refusal('batch', fault);
}

function orderOf({ kind, key, onFailure, tries }: Static<typeof OrderIn>): Order {
  if (kind === 'fifo') return { kind, key: key ?? null, onFailure: onFailure ?? 'block', tries: tries ?? null };
  const isMore = [key, onFailure, tries].some((one) => one !== undefined && one !== null);
  if (isMore) throw refusal('order', 'key, onFailure and tries say how fifo is done: they need kind "fifo"');
  return ANY_ORDER;
}

function refusal(member: 'order' | 'batch', detail: string): Refused {
  return new Refused(problemOf([{ code: 'invalid-policy', pointer: `/policy/${member}`, detail: `${detail}.` }]));
}

/** What a webhook shows of its policy. */
export function showPolicy(policy: Policy): Static<typeof PolicyOut> {
  const { retryDelaysMs, timeoutMs, rate, recovery, order, batch } = policy;
  const delays = retryDelaysMs === null ? null : [...retryDelaysMs];
  return { retryDelaysMs: delays, timeoutMs, rate, recovery, order: { ...order }, batch };
}
