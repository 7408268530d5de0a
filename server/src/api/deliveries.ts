// Deliveries: one event for one webhook, with every attempt that was made.
import { Type, type Static } from 'typebox';
import { idOf, Instant, orNull, PageQuery, pageOf, WorkspaceQuery } from './wire.ts';

const State = Type.Enum(['scheduled', 'held', 'delivered', 'dead'], {
  description: '`held`: its webhook may not be sent to at present. `dead`: all tries used up, kept, can be retried.',
});

const DELIVERY = {
  id: idOf('dlv'),
  event: idOf('evt'),
  webhook: idOf('wh'),
  state: State,
  type: Type.String({ description: 'The event’s type.' }),
  source: Type.String({ description: 'The event’s CloudEvents `source`.' }),
  eventId: Type.String({ description: 'The event’s CloudEvents `id`.' }),
  tries: Type.Integer({ description: 'Automatic tries used so far.' }),
  attemptCount: Type.Integer({ description: 'All attempts made so far, manual ones included.' }),
  createdAt: Instant,
  dueAt: orNull(Type.String({ format: 'date-time', description: 'When the next try is due; null when it has ended.' })),
  firstTryAt: orNull(Instant),
  endedAt: orNull(Instant),
  reason: orNull(Type.String({ description: 'Why it is in its state, when there is more to say.' })),
};

const EXAMPLE = {
  id: 'dlv_k3v9x2m4q7_2s_7',
  event: 'evt_k3v9x2m4q7_2s',
  webhook: 'wh_k3v9x2m4q7_7',
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
  responseHeaders: orNull(Type.Array(Type.Array(Type.String()), { description: '[name, value] in their order.' })),
  response: orNull(Type.String({ description: 'The first 16 KiB of the answer, when they are UTF-8.' })),
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

/** What one request to an endpoint came to: a challenge, or a try by hand. */
export const OutcomeOut = Type.Object({
  ok: Type.Boolean(),
  status: orNull(Type.Integer({ description: 'HTTP status; null without an answer.' })),
  durationMs: Type.Number(),
  error: orNull(Type.String({ description: 'What went wrong, in words.' })),
});
export type OutcomeOut = Static<typeof OutcomeOut>;

/** A retry by hand: what it came to, and the delivery afterwards. */
export const RetryOut = Type.Object(
  { outcome: OutcomeOut, delivery: DeliveryOut },
  { examples: [{ outcome: { ok: true, status: 200, durationMs: 21, error: null }, delivery: EXAMPLE }] },
);
export type RetryOut = Static<typeof RetryOut>;

export const DeliveriesQuery = Type.Object(
  {
    ...WorkspaceQuery,
    ...PageQuery,
    state: Type.Optional(State),
    webhook: Type.Optional(idOf('wh')),
    event: Type.Optional(idOf('evt')),
  },
  { additionalProperties: false },
);
export const DeliveryParams = Type.Object({ delivery: idOf('dlv') });
