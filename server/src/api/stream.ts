// The live stream: events as they are accepted (resumable), outcomes of deliveries as they happen (not resumable).
import { Type, type Static } from 'typebox';
import { idOf, Instant, orNull, WorkspaceQuery } from './wire.ts';

/** A message `delivery` of the stream: what an attempt came to. Messages `event` carry an `EventOut`. */
export const StreamDeliveryOut = Type.Object({
  delivery: idOf('dlv'),
  event: idOf('evt'),
  webhook: idOf('wh'),
  state: Type.Enum(['scheduled', 'delivered', 'dead']),
  attempt: Type.Integer(),
  manual: Type.Boolean(),
  at: Instant,
  durationMs: Type.Number(),
  status: orNull(Type.Integer()),
  error: orNull(Type.String()),
});
export type StreamDeliveryOut = Static<typeof StreamDeliveryOut>;

export const StreamQuery = Type.Object(
  {
    ...WorkspaceQuery,
    type: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Exact type, or a `.*` pattern.' })),
    after: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'Begin after this event id, as `Last-Event-ID`; `0` is the beginning.',
      }),
    ),
  },
  { additionalProperties: false },
);
