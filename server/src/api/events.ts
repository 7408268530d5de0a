// Events: read by cursor (R48), one by one, and as exact bytes. Publishing them is publish.ts.
import { Type, type Static } from 'typebox';
import { idOf, Instant, orNull, PageQuery, WorkspaceQuery } from './wire.ts';

/** A CloudEvent in structured mode, as an example of every place where one appears. */
export const CLOUD_EVENT = {
  specversion: '1.0',
  id: 'a1',
  source: 'https://global.api.greenlake.hpe.com/audit-log',
  type: 'com.hpe.greenlake.audit-log.v1.logs.created',
  time: '2026-11-22T09:30:00Z',
  datacontenttype: 'application/json',
  data: { id: 'a1', description: 'User logged in' },
};

/** A CloudEvent 1.0 in structured mode. Extension attributes are kept as they are. */
export const CloudEvent = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: Type.String({ minLength: 1 }),
    source: Type.String({ minLength: 1 }),
    type: Type.String({ minLength: 1 }),
    subject: Type.Optional(orNull(Type.String())),
    time: Type.Optional(orNull(Type.String({ format: 'date-time' }))),
    datacontenttype: Type.Optional(orNull(Type.String())),
    dataschema: Type.Optional(orNull(Type.String())),
    data: Type.Optional(Type.Unknown()),
    data_base64: Type.Optional(orNull(Type.String())),
  },
  { additionalProperties: true, examples: [CLOUD_EVENT] },
);
export type CloudEvent = Static<typeof CloudEvent>;

/** What became of the events of one publish, in their order. */
export const PublishOut = Type.Object(
  {
    accepted: Type.Array(
      Type.Object({
        id: Type.String({ description: 'The CloudEvents `id`.' }),
        source: Type.String({ description: 'The CloudEvents `source`.' }),
        event: idOf('evt'),
        duplicate: Type.Boolean({
          description: 'Was (source, id) accepted before? Then this is the first answer again.',
        }),
        note: Type.Optional(Type.String({ description: 'What a schema in `warn` mode found.' })),
      }),
    ),
  },
  {
    examples: [{ accepted: [{ id: 'a1', source: CLOUD_EVENT.source, event: 'evt_k3v9x2m4q7_2s', duplicate: false }] }],
  },
);
export type PublishOut = Static<typeof PublishOut>;

/** An event as it is shown. */
export const EventOut = Type.Object(
  {
    event: idOf('evt'),
    acceptedAt: Instant,
    id: Type.String({ description: 'The CloudEvents `id`.' }),
    source: Type.String({ description: 'The CloudEvents `source`.' }),
    type: Type.String(),
    note: orNull(Type.String({ description: 'What a schema in `warn` mode found.' })),
    traceparent: orNull(Type.String({ description: 'W3C trace context of the publish.' })),
    envelope: CloudEvent,
  },
  {
    examples: [
      {
        event: 'evt_k3v9x2m4q7_2s',
        acceptedAt: '2026-11-22T09:30:00.000Z',
        id: 'a1',
        source: CLOUD_EVENT.source,
        type: CLOUD_EVENT.type,
        note: null,
        traceparent: null,
        envelope: CLOUD_EVENT,
      },
    ],
  },
);
export type EventOut = Static<typeof EventOut>;

/** A page of events. */
export const EventsOut = Type.Object({
  items: Type.Array(EventOut, { description: 'With a filter a page may hold fewer than `limit`, even none.' }),
  next: orNull(
    Type.String({
      description: 'The `cursor` that continues. Oldest first it is never null: poll with it, nothing is skipped.',
    }),
  ),
  more: Type.Boolean({ description: 'Is there more right now?' }),
});
export type EventsOut = Static<typeof EventsOut>;

export const EventsQuery = Type.Object(
  {
    ...WorkspaceQuery,
    ...PageQuery,
    type: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Exact type, or a `.*` pattern.' })),
    source: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
    since: Type.Optional(Type.String({ format: 'date-time', description: 'Accepted at or after.' })),
    until: Type.Optional(Type.String({ format: 'date-time', description: 'Accepted before.' })),
    order: Type.Optional(Type.Enum(['oldest-first', 'newest-first'], { description: '`oldest-first` when left out.' })),
  },
  { additionalProperties: false },
);
export const EventParams = Type.Object({ event: idOf('evt') });
