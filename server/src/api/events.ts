// Events: read by cursor (R48), one by one, and as exact bytes. Publishing them is publish.ts.
import { Type, type Static } from 'typebox';
import { STRUCTURED_CONTENT_TYPE } from '../model/cloud-events/index.ts';
import { formatId } from '../model/ids.ts';
import { refuse } from '../model/problem.ts';
import { traceparentOf, tracestateOf } from '../model/trace-context.ts';
import type { StoredEvent } from '../store/contract.ts';
import { okText, operation } from './kernel.ts';
import { PAGE, readPosition, writeCursor } from './paging.ts';
import { instantOf, typeOf } from './selection.ts';
import { absent, idOf, Instant, instant, instantOrNull, numberOf, orNull, PageQuery } from './wire.ts';

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
          description:
            'Was (source, id) accepted before? Then this is the first answer again; whether it was the same event otherwise is not compared.',
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
    traceparent: orNull(
      Type.String({ description: 'W3C trace context of the event: its own, or that of its publish.' }),
    ),
    tracestate: orNull(Type.String({ description: 'What belongs to it.' })),
    envelope: CloudEvent,
    erasedAt: orNull(
      Type.String({
        format: 'date-time',
        description: 'When its payload was erased: then the envelope has nothing but its required attributes.',
      }),
    ),
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
        tracestate: null,
        envelope: CLOUD_EVENT,
        erasedAt: null,
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

/** A page is cut short when its events exceed this many bytes together; the next page goes on from there. */
const PAGE_BYTES = 8 * 1_024 * 1_024;

export const listEvents = operation<null, EventsOut>()({
  summary: 'Read the log of events by cursor',
  description:
    'Oldest first, the log can be polled for ever with the `next` of the page before: events appear in the order of their commits, so nothing is skipped (R48).',
  query: EventsQuery,
  errors: ['invalid-type-pattern'],
  async handle({ query, workspace }, { store }) {
    const list = `events ${workspace.token}`;
    const order = query.order ?? 'oldest-first';
    const page = await store.log.events({
      workspace: workspace.workspace,
      order,
      cursor: readPosition(list, query.cursor),
      limit: query.limit ?? PAGE,
      type: query.type === undefined ? undefined : typeOf(query.type),
      source: query.source,
      since: query.since === undefined ? undefined : instantOf(query.since, 'since'),
      until: query.until === undefined ? undefined : instantOf(query.until, 'until'),
    });
    const rows = fitting(page.rows);
    const isCut = rows.length < page.rows.length;
    const more = page.more || isCut;
    const position = isCut ? (rows.at(-1) as StoredEvent).event : page.cursor;
    const next = more || order === 'oldest-first' ? writeCursor(list, position) : null;
    const items = rows.map((row) => eventJson(row, workspace.token)).join(',');
    const tail = `"next":${JSON.stringify(next)},"more":${more}`;
    return okText(`{"items":[${items}],${tail}}`);
  },
});

export const getEvent = operation<null, EventOut>()({
  summary: 'Show an event; as application/cloudevents+json: its exact bytes',
  params: EventParams,
  produces: ['application/cloudevents+json'],
  errors: ['erased'],
  async handle({ params, workspace, header }, { store }) {
    const row = await store.log.event(workspace.workspace, numberOf('evt', workspace, params.event));
    if (row === null) throw absent('evt', params.event);
    if (/\bapplication\/cloudevents\+json\b/i.test(header('accept') ?? '')) {
      if (row.erasedAt !== null)
        throw refuse('erased', `The payload of this event was erased at ${instant(row.erasedAt)}.`);
      return { status: 200, bytes: row.envelope, mediaType: STRUCTURED_CONTENT_TYPE };
    }
    return okText(eventJson(row, workspace.token));
  },
});

/** An event as JSON text ({@link EventOut}). */
export function eventJson(row: StoredEvent, token: string): string {
  const head = {
    event: formatId('evt', token, row.event),
    acceptedAt: instant(row.acceptedAt),
    id: row.id,
    source: row.source,
    type: row.type,
    note: row.note,
    traceparent: row.trace === null ? null : traceparentOf(row.trace),
    tracestate: row.trace === null ? null : tracestateOf(row.trace),
    erasedAt: instantOrNull(row.erasedAt),
  };
  return withEnvelope(head, row.erasedAt === null ? row.envelope : restOf(row));
}

// What is left of an erased event, as the smallest envelope.
function restOf({ id, source, type }: StoredEvent): Uint8Array {
  return Buffer.from(JSON.stringify({ specversion: '1.0', id, source, type }));
}

/**
 * An object as JSON text with a last member `envelope`. The envelope goes in as the very text that was sent: it is one
 * JSON object, was checked when it came in, and parsing it only to write it again could change a number.
 */
export function withEnvelope(head: object, { buffer, byteOffset, byteLength }: Uint8Array): string {
  const envelope = Buffer.from(buffer, byteOffset, byteLength).toString();
  return `${JSON.stringify(head).slice(0, -1)},"envelope":${envelope}}`;
}

function fitting(rows: StoredEvent[]): StoredEvent[] {
  let bytes = 0;
  const end = rows.findIndex((row) => (bytes += row.envelope.length) > PAGE_BYTES);
  return end < 0 ? rows : rows.slice(0, Math.max(1, end));
}
