// Event types: the entries of the catalog. One with a service belongs to the installation, one without to a workspace.
import { Type, type Static } from 'typebox';
import { Instant, orNull, PageQuery, pageOf, WorkspaceQuery } from './wire.ts';

const TypeName = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: '^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$',
  description: 'Exact and case-sensitive.',
  examples: ['com.hpe.greenlake.audit-log.v1.logs.created'],
});

const Check = Type.Enum(['off', 'warn', 'block'], {
  description: '`block` refuses an event that breaks the schema, `warn` notes it on the event, `off` does not look.',
});

const SchemaDocument = orNull(
  Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Boolean()], {
    description: 'JSON Schema 2020-12 of `data`, at most 64 kB, without references to the network.',
  }),
);

/** What may be said about an event type; what is left out is as if it had never been said. */
export const EventTypeIn = Type.Object(
  {
    service: Type.Optional(
      orNull(
        Type.String({
          minLength: 1,
          maxLength: 64,
          description:
            'The service that publishes it. With one the type belongs to the installation and is everybody’s; without, to the workspace alone.',
        }),
      ),
    ),
    description: Type.Optional(Type.String({ maxLength: 1000 })),
    schema: Type.Optional(SchemaDocument),
    schemaCheck: Type.Optional(Check),
    example: Type.Optional(
      Type.Unknown({ description: 'An example of `data`; null says none. It must keep the schema.' }),
    ),
    deprecation: Type.Optional(
      orNull(
        Type.String({ minLength: 1, maxLength: 500, description: 'Why it is deprecated and what to use instead.' }),
      ),
    ),
  },
  {
    additionalProperties: false,
    examples: [
      {
        service: 'audit-log',
        description: 'An entry was added to the audit log.',
        schema: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } },
        schemaCheck: 'warn',
        example: { id: 'a1' },
      },
    ],
  },
);
export type EventTypeIn = Static<typeof EventTypeIn>;

/** An event type as it is shown. */
export const EventTypeOut = Type.Object(
  {
    type: TypeName,
    owner: Type.Enum(['installation', 'workspace']),
    service: orNull(Type.String()),
    description: Type.String(),
    schema: SchemaDocument,
    schemaCheck: Check,
    example: Type.Unknown({ description: 'null when there is none.' }),
    deprecation: orNull(Type.String()),
    createdAt: Instant,
    updatedAt: Instant,
  },
  {
    examples: [
      {
        type: 'com.hpe.greenlake.audit-log.v1.logs.created',
        owner: 'installation',
        service: 'audit-log',
        description: 'An entry was added to the audit log.',
        schema: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } },
        schemaCheck: 'warn',
        example: { id: 'a1' },
        deprecation: null,
        createdAt: '2026-11-22T09:30:00.000Z',
        updatedAt: '2026-11-22T09:30:00.000Z',
      },
    ],
  },
);
export type EventTypeOut = Static<typeof EventTypeOut>;

export const EventTypesOut = pageOf(EventTypeOut);
export type EventTypesOut = Static<typeof EventTypesOut>;

export const EventTypesQuery = Type.Object(
  { ...WorkspaceQuery, ...PageQuery, service: Type.Optional(Type.String({ maxLength: 64 })) },
  { additionalProperties: false },
);
export const EventTypeParams = Type.Object({ type: TypeName });
