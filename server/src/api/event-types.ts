// Event types: the entries of the catalog. One with a service belongs to the installation, one without to a workspace.
import { Type, type Static } from 'typebox';
import type { Catalog, EventType } from '../model/catalog.ts';
import { didYouMean } from '../model/near-names.ts';
import { isOperational } from '../model/operational-events.ts';
import { problem, refuse, Refused } from '../model/problem.ts';
import type { ApiKey, Workspace } from '../store/contract.ts';
import { created, done, isAdmin, ok, operation, type Tools } from './kernel.ts';
import { pageThrough } from './paging.ts';
import { checkService } from './services.ts';
import { Instant, instant, orNull, PageQuery, pageOf } from './wire.ts';

const TypeName = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: '^[^\\s\\p{C}*]+$',
  description: 'Exact and case-sensitive; no white space, no `*`.',
  examples: ['com.hpe.greenlake.audit-log.v1.logs.created'],
});

const Check = Type.Enum(['off', 'warn', 'block'], {
  description:
    '`block` refuses an event that breaks the schema, `warn` notes it on the event, `off` does not look. Left out: `block` with a schema.',
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
  { ...PageQuery, service: Type.Optional(Type.String({ maxLength: 64 })) },
  { additionalProperties: false },
);
export const EventTypeParams = Type.Object({ type: TypeName });

export const putEventType = operation<EventTypeIn, EventTypeOut>()({
  summary: 'Register or replace an event type; the same again is harmless',
  description:
    'With a service the type belongs to the installation: the installation’s key may put it, or a key bound to that service. Without one it belongs to the workspace.',
  params: EventTypeParams,
  success: { 201: 'It was made.', 200: 'It was there already and is now as said.' },
  serviceKeys: true,
  errors: [
    'foreign-type',
    'admin-only',
    'already-exists',
    'unknown-service',
    'invalid-schema',
    'invalid-example',
    'limit-reached',
  ],
  async handle({ body, params, key, workspace, now }, tools) {
    const { settings } = tools.store;
    const service = body.service ?? null;
    checkReserved(params.type);
    checkOwner(key, service);
    if (service !== null) await checkService(service, tools);
    const known = await find(params.type, workspace, tools);
    if (known !== undefined) checkTaken(known, service, key);
    const schema = await vet(body, tools);
    const type = await settings.putType(
      {
        workspace: service === null ? workspace.workspace : 0,
        type: params.type,
        service,
        description: body.description ?? '',
        schema,
        schemaCheck: body.schemaCheck ?? (schema === null ? 'off' : 'block'),
        example: body.example === undefined || body.example === null ? null : JSON.stringify(body.example),
        deprecation: body.deprecation ?? null,
      },
      now,
    );
    return known === undefined ? created(show(type)) : ok(show(type));
  },
});

export const listEventTypes = operation<null, EventTypesOut>()({
  summary: 'List the catalog: the installation’s types and the workspace’s own',
  query: EventTypesQuery,
  async handle({ query, workspace }, tools) {
    const all = [...(await catalogOf(workspace, tools)).types.values()];
    const wanted = query.service === undefined ? all : all.filter(({ service }) => service === query.service);
    const { items, next } = pageThrough({ list: 'event-types', items: wanted, keyOf: ({ type }) => type }, query);
    return ok({ items: items.map(show), next });
  },
});

export const getEventType = operation<null, EventTypeOut>()({
  summary: 'Show an event type',
  params: EventTypeParams,
  async handle({ params, workspace }, tools) {
    return ok(show(await get(params.type, workspace, tools)));
  },
});

export const deleteEventType = operation<null, null>()({
  summary: 'Delete an event type that no subscription names',
  params: EventTypeParams,
  success: { 204: 'It is gone. Events that were accepted stay.' },
  serviceKeys: true,
  errors: ['foreign-type', 'admin-only', 'in-use'],
  async handle({ params, key, workspace }, tools) {
    const type = await get(params.type, workspace, tools);
    checkReserved(params.type);
    checkOwner(key, type.service);
    await tools.store.settings.deleteType(type.workspace, type.type);
    return done();
  },
});

function checkReserved(type: string): void {
  if (isOperational(type)) throw refuse('foreign-type', 'Types that begin with "bellwire." are Bellwire’s own.');
}

/** The installation's types are in the hands of its key and of the keys of their service; the rest is the workspace's. */
function checkOwner(key: ApiKey, service: string | null): void {
  if (key.service !== null && key.service !== service) {
    throw refuse('foreign-type', `The key "${key.name}" is bound to ${key.service} and manages only its types.`);
  }
  if (service !== null && key.service === null && !isAdmin(key)) {
    throw refuse('admin-only', `The type belongs to the service ${service}, and so to the installation.`);
  }
}

function checkTaken(known: EventType, service: string | null, key: ApiKey): void {
  if ((known.workspace === 0) !== (service !== null)) {
    const owner = known.workspace === 0 ? 'the installation' : 'the workspace';
    throw refuse('already-exists', `${known.type} exists already and belongs to ${owner}.`);
  }
  checkOwner(key, known.service);
}

/** Judges schema and example; the schema's text as it is kept. */
async function vet({ schema, example }: EventTypeIn, { schemas }: Tools): Promise<string | null> {
  if (schema === undefined || schema === null) return null;
  const vetted = await schemas.vet(schema);
  if (!vetted.ok && vetted.busy) throw unavailable(vetted.reason);
  if (!vetted.ok) {
    const fault = { pointer: `/schema${vetted.pointer}`, code: 'invalid-schema' as const, detail: vetted.reason };
    throw new Refused(problem('invalid-schema', `The schema is not taken: ${vetted.reason}.`, [fault]));
  }
  if (example === undefined || example === null) return vetted.schema.text;
  const fault = await schemas.check(vetted.schema, example);
  if (fault === null) return vetted.schema.text;
  if (fault.code === 'busy' || fault.code === 'failed') throw unavailable(fault.message);
  const detail = `The example ${fault.pointer === '' ? '' : `at ${fault.pointer} `}${fault.message}.`;
  const pointer = `/example${fault.pointer}`;
  throw new Refused(problem('invalid-example', detail, [{ pointer, code: 'invalid-example', detail: fault.message }]));
}

function unavailable(words: string): Refused {
  return refuse('unavailable', `Nothing was changed: ${words}.`, { 'retry-after': '1' });
}

/** The catalog of a workspace; refused `unknown-workspace` when that is gone. */
export async function catalogOf(workspace: Workspace, { store }: Pick<Tools, 'store'>): Promise<Catalog> {
  const catalog = await store.settings.catalog(workspace.workspace);
  if (catalog === null) throw refuse('unknown-workspace', 'The workspace was deleted.');
  return catalog;
}

async function find(type: string, workspace: Workspace, tools: Tools): Promise<EventType | undefined> {
  return (await catalogOf(workspace, tools)).types.get(type);
}

async function get(type: string, workspace: Workspace, tools: Tools): Promise<EventType> {
  const { types } = await catalogOf(workspace, tools);
  const found = types.get(type);
  if (found !== undefined) return found;
  throw refuse('not-found', `There is no event type "${type}"${didYouMean(type, types.keys()) || '.'}`);
}

function show(type: EventType): EventTypeOut {
  return {
    type: type.type,
    owner: type.workspace === 0 ? 'installation' : 'workspace',
    service: type.service,
    description: type.description,
    schema: type.schema === null ? null : (JSON.parse(type.schema) as EventTypeOut['schema']),
    schemaCheck: type.schemaCheck,
    example: type.example === null ? null : (JSON.parse(type.example) as unknown),
    deprecation: type.deprecation,
    createdAt: instant(type.createdAt),
    updatedAt: instant(type.updatedAt),
  };
}
