// Subscriptions: webhook + event type (or pattern) + optional filter.
import { Type, type Static } from 'typebox';
import { idOf, Instant, orNull, PageQuery, pageOf, WorkspaceQuery } from './wire.ts';

const EXAMPLE = { webhook: 'wh_k3v9x2m4q7_7', type: 'com.hpe.greenlake.audit-log.v1.logs.created' };

/** What a subscription is made of. The same again answers 200 with the first one instead of 201 (R118). */
export const SubscriptionIn = Type.Object(
  {
    webhook: idOf('wh'),
    type: Type.String({
      minLength: 1,
      maxLength: 300,
      description: 'Exact event type, or a pattern ending in `.*`; white space around it is trimmed (R116).',
    }),
    filter: Type.Optional(
      orNull(
        Type.String({
          minLength: 1,
          maxLength: 4096,
          description: 'OData subset on `data` and attributes: `eq ne gt ge lt le in startswith() and or not ( )`.',
        }),
      ),
    ),
  },
  { additionalProperties: false, examples: [{ ...EXAMPLE, filter: "data/category eq 'login'" }] },
);
export type SubscriptionIn = Static<typeof SubscriptionIn>;

/** A subscription as it is shown. */
export const SubscriptionOut = Type.Object(
  {
    id: idOf('sub'),
    webhook: idOf('wh'),
    type: Type.String(),
    filter: orNull(Type.String()),
    createdAt: Instant,
  },
  { examples: [{ id: 'sub_k3v9x2m4q7_8', ...EXAMPLE, filter: null, createdAt: '2026-11-22T09:30:00.000Z' }] },
);
export type SubscriptionOut = Static<typeof SubscriptionOut>;

export const SubscriptionsOut = pageOf(SubscriptionOut);
export type SubscriptionsOut = Static<typeof SubscriptionsOut>;

export const SubscriptionsQuery = Type.Object(
  { ...WorkspaceQuery, ...PageQuery, webhook: Type.Optional(idOf('wh')) },
  { additionalProperties: false },
);
export const SubscriptionParams = Type.Object({ subscription: idOf('sub') });
