// Deliveries: one event for one target, with every attempt that was made.
import { isUtf8 } from 'node:buffer';
import { Type, type Static } from 'typebox';
import type { Attempt } from '../model/delivery.ts';
import { batchId, deliveryId, formatId, type DeliveryKey } from '../model/ids.ts';
import { PARKED_AT } from '../model/order.ts';
import { refuse } from '../model/problem.ts';
import { isWebhook } from '../model/webhook.ts';
import type { StoredDelivery, Workspace } from '../store/contract.ts';
import { ok, operation, type Tools } from './kernel.ts';
import { PAGE, readMark, writeCursor } from './paging.ts';
import {
  absent,
  idOf,
  Instant,
  instant,
  instantOrNull,
  numberOf,
  numbersOf,
  orNull,
  OutcomeOut,
  pageOf,
  PageQuery,
} from './wire.ts';

const State = Type.Enum(['scheduled', 'held', 'delivered', 'dead'], {
  description: '`held`: its webhook may not be sent to at present. `dead`: all tries used up, kept, can be retried.',
});

const DELIVERY = {
  id: idOf('dlv'),
  event: idOf('evt'),
  webhook: orNull(idOf('wh')),
  postProcessing: orNull(idOf('pp')),
  state: State,
  type: Type.String({ description: 'The event’s type.' }),
  source: Type.String({ description: 'The event’s CloudEvents `source`.' }),
  eventId: Type.String({ description: 'The event’s CloudEvents `id`.' }),
  tries: Type.Integer({ description: 'Automatic tries used so far.' }),
  attemptCount: Type.Integer({ description: 'All attempts made so far, manual ones included.' }),
  createdAt: Instant,
  dueAt: orNull(
    Type.String({
      format: 'date-time',
      description: 'When the next try is due; null when it has ended is held or parked.',
    }),
  ),
  firstTryAt: orNull(Instant),
  endedAt: orNull(Instant),
  reason: orNull(Type.String({ description: 'Why it is in its state, when there is more to say.' })),
  batch: orNull(
    Type.String({
      pattern: '^bat_[0-9a-z_]+$',
      description: 'The batch it belongs to, by its `webhook-id`; null when it goes by itself.',
    }),
  ),
};

const EXAMPLE = {
  id: 'dlv_k3v9x2m4q7_2s_7',
  event: 'evt_k3v9x2m4q7_2s',
  webhook: 'wh_k3v9x2m4q7_7',
  postProcessing: null,
  state: 'delivered',
  type: 'com.hpe.greenlake.audit-log.v1.logs.created',
  source: 'https://global.api.greenlake.hpe.com/audit-log',
  eventId: 'a1',
  tries: 1,
  attemptCount: 1,
  createdAt: '2026-11-22T09:30:00.000Z',
  dueAt: null,
  firstTryAt: '2026-11-22T09:30:00.003Z',
  endedAt: '2026-11-22T09:30:00.024Z',
  reason: null,
  batch: null,
};

/** A delivery as it is listed. */
export const DeliveryOut = Type.Object(DELIVERY, { examples: [EXAMPLE] });
export type DeliveryOut = Static<typeof DeliveryOut>;

export const DeliveriesOut = pageOf(DeliveryOut);
export type DeliveriesOut = Static<typeof DeliveriesOut>;

/** One HTTP try, as it was. Secrets are masked. */
export const AttemptOut = Type.Object({
  id: idOf('att'),
  attempt: Type.Integer({ description: 'Counts from 1 within the delivery.' }),
  manual: Type.Boolean({ description: 'Asked for by hand.' }),
  startedAt: Instant,
  durationMs: Type.Number(),
  status: orNull(Type.Integer({ description: 'HTTP status; null without an answer.' })),
  error: orNull(Type.String({ description: 'What went wrong, in words; null for a success.' })),
  requestHeaders: Type.Record(Type.String(), Type.Unknown()),
  responseHeaders: orNull(
    Type.Array(Type.Array(Type.String()), {
      description: '[name, value] in their order. Not kept of an answer to a batch of several.',
    }),
  ),
  response: orNull(
    Type.String({ description: 'The first 16 KiB of the answer, when they are UTF-8. As the headers.' }),
  ),
  responseBase64: Type.Optional(Type.String({ description: 'The same in Base64, when they are not.' })),
});
export type AttemptOut = Static<typeof AttemptOut>;

/** A delivery with its attempts, the first one first. */
export const DeliveryDetailOut = Type.Object(
  { ...DELIVERY, attempts: Type.Array(AttemptOut) },
  {
    examples: [
      {
        ...EXAMPLE,
        attempts: [
          {
            id: 'att_k3v9x2m4q7_2s_7_1',
            attempt: 1,
            manual: false,
            startedAt: '2026-11-22T09:30:00.003Z',
            durationMs: 21,
            status: 200,
            error: null,
            requestHeaders: { 'webhook-id': 'dlv_k3v9x2m4q7_2s_7' },
            responseHeaders: [['content-length', '0']],
            response: '',
          },
        ],
      },
    ],
  },
);
export type DeliveryDetailOut = Static<typeof DeliveryDetailOut>;

/** A retry by hand: what it came to, and the delivery afterwards. */
export const RetryOut = Type.Object(
  { outcome: OutcomeOut, delivery: DeliveryOut },
  { examples: [{ outcome: { ok: true, status: 200, durationMs: 21, error: null }, delivery: EXAMPLE }] },
);
export type RetryOut = Static<typeof RetryOut>;

export const DeliveriesQuery = Type.Object(
  {
    ...PageQuery,
    state: Type.Optional(State),
    webhook: Type.Optional(idOf('wh')),
    event: Type.Optional(idOf('evt')),
  },
  { additionalProperties: false },
);
export const DeliveryParams = Type.Object({ delivery: idOf('dlv') });

export const listDeliveries = operation<null, DeliveriesOut>()({
  summary: 'List deliveries, those of the newest events first',
  query: DeliveriesQuery,
  async handle({ query, workspace }, tools) {
    return ok(await deliveriesPage(query, workspace, tools));
  },
});

/** One page of the deliveries that fit a query. */
export async function deliveriesPage(
  query: Static<typeof DeliveriesQuery>,
  workspace: Workspace,
  { store }: Tools,
): Promise<DeliveriesOut> {
  const list = `deliveries ${workspace.token}`;
  const page = await store.log.deliveries({
    workspace: workspace.workspace,
    state: query.state,
    webhook: query.webhook === undefined ? undefined : numberOf('wh', workspace, query.webhook),
    event: query.event === undefined ? undefined : numberOf('evt', workspace, query.event),
    cursor: readMark(list, query.cursor),
    limit: query.limit ?? PAGE,
  });
  const next = page.next === null ? null : writeCursor(list, page.next);
  return { items: page.rows.map((row) => showDelivery(row, workspace)), next };
}

export const getDelivery = operation<null, DeliveryDetailOut>()({
  summary: 'Show a delivery with every attempt that was made',
  description:
    'A report goes to a `postProcessing` and to no `webhook`; what starts a flow has neither. Lists hold neither of them.',
  params: DeliveryParams,
  async handle({ params, workspace }, { store }) {
    const key = keyOf(params.delivery, workspace);
    const found = await store.log.delivery(key);
    if (found === null) throw absent('dlv', params.delivery);
    const attempts = found.attempts.map((attempt) => showAttempt(attempt, key, workspace));
    return ok({ ...showDelivery(found.delivery, workspace), attempts });
  },
});

export const retryDelivery = operation<null, RetryOut>()({
  summary: 'Send a delivery once more, now, whatever its state',
  description: 'The automatic tries go on as planned; a success ends them. The webhook-id stays the same.',
  params: DeliveryParams,
  errors: ['wrong-state', 'erased'],
  async handle({ params, workspace }, { store, engine }) {
    const key = keyOf(params.delivery, workspace);
    const event = await store.log.event(key.workspace, key.event);
    if (event !== null && event.erasedAt !== null) {
      throw refuse('erased', `The payload of its event was erased at ${instant(event.erasedAt)}.`);
    }
    const outcome = await engine.retry(key);
    const found = outcome === null ? null : await store.log.delivery(key);
    if (outcome === null || found === null) throw absent('dlv', params.delivery);
    return ok({ outcome, delivery: showDelivery(found.delivery, workspace) });
  },
});

function keyOf(id: string, workspace: Workspace): DeliveryKey {
  const [event, target, copy = 0] = numbersOf('dlv', workspace, id) as [number, number, number?];
  return { workspace: workspace.workspace, event, target, copy };
}

/** What a delivery shows of itself. */
export function showDelivery(row: StoredDelivery, { token }: Workspace): DeliveryOut {
  return {
    id: deliveryId(token, row),
    event: formatId('evt', token, row.event),
    webhook: row.mode === null || isWebhook(row.mode) ? formatId('wh', token, row.target) : null,
    postProcessing: row.mode === 'report' ? formatId('pp', token, row.target) : null,
    state: row.shown,
    type: row.type,
    source: row.source,
    eventId: row.eventId,
    tries: row.tries,
    attemptCount: row.attempts,
    createdAt: instant(row.createdAt),
    dueAt: row.shown === 'scheduled' && row.dueAt < PARKED_AT ? instant(row.dueAt) : null,
    firstTryAt: instantOrNull(row.firstTryAt),
    endedAt: instantOrNull(row.endedAt),
    reason: row.reason,
    batch: row.batch === null ? null : batchId(token, row.target, row.batch),
  };
}

function showAttempt(attempt: Attempt, { event, target, copy }: DeliveryKey, { token }: Workspace): AttemptOut {
  const numbers = copy === 0 ? [event, target] : [event, target, copy];
  return {
    id: formatId('att', token, ...numbers, attempt.attempt),
    attempt: attempt.attempt,
    manual: attempt.manual,
    startedAt: instant(attempt.startedAt),
    durationMs: attempt.durationMs,
    status: attempt.status,
    error: attempt.error,
    requestHeaders: JSON.parse(attempt.requestHeaders) as Record<string, unknown>,
    responseHeaders: attempt.responseHeaders === null ? null : (JSON.parse(attempt.responseHeaders) as string[][]),
    ...showResponse(attempt.response),
  };
}

// Text where it is text: an answer cut at 16 KiB in the middle of a letter counts as bytes, and none is falsified.
function showResponse(bytes: Uint8Array | null): Pick<AttemptOut, 'response' | 'responseBase64'> {
  if (bytes === null) return { response: null };
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer)
    ? { response: buffer.toString() }
    : { response: null, responseBase64: buffer.toString('base64') };
}
