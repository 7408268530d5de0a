// Services: the publishers of the installation's catalog.
import { Type, type Static } from 'typebox';
import { didYouMean } from '../model/near-names.ts';
import { refuse } from '../model/problem.ts';
import type { Service } from '../store/contract.ts';
import { created, done, ok, operation, type Tools } from './kernel.ts';
import { pageThrough } from './paging.ts';
import { Instant, instant, PageQuery, pageOf } from './wire.ts';

const ServiceName = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$',
  examples: ['audit-log'],
});

/** What a service is made of. The same again is harmless (R49). */
export const ServiceIn = Type.Object(
  {
    service: ServiceName,
    description: Type.Optional(Type.String({ maxLength: 1000 })),
  },
  { additionalProperties: false, examples: [{ service: 'audit-log', description: 'Who did what, when.' }] },
);
export type ServiceIn = Static<typeof ServiceIn>;

/** A service as it is shown. */
export const ServiceOut = Type.Object(
  { service: ServiceName, description: Type.String(), createdAt: Instant },
  {
    examples: [{ service: 'audit-log', description: 'Who did what, when.', createdAt: '2026-11-22T09:30:00.000Z' }],
  },
);
export type ServiceOut = Static<typeof ServiceOut>;

export const ServicesOut = pageOf(ServiceOut);
export type ServicesOut = Static<typeof ServicesOut>;

export const ServicesQuery = Type.Object({ ...PageQuery }, { additionalProperties: false });
export const ServiceParams = Type.Object({ service: ServiceName });

/** See {@link ServiceIn}. 201 for a new one, 200 for one that was there. */
export const putService = operation<ServiceIn, ServiceOut>()({
  summary: 'Register a service; the same again is harmless',
  success: { 201: 'It was made.', 200: 'It was there already; its description is now this one.' },
  reach: 'installation',
  async handle({ body, now }, { store }) {
    const known = (await store.settings.services()).some(({ service }) => service === body.service);
    const service = await store.settings.putService(body.service, body.description ?? '', now);
    return known ? ok(show(service)) : created(show(service));
  },
});

export const listServices = operation<null, ServicesOut>()({
  summary: 'List the services',
  query: ServicesQuery,
  reach: 'installation',
  async handle({ query }, { store }) {
    const all = await store.settings.services();
    const { items, next } = pageThrough({ list: 'services', items: all, keyOf: ({ service }) => service }, query);
    return ok({ items: items.map(show), next });
  },
});

export const deleteService = operation<null, null>()({
  summary: 'Delete a service that has no event types',
  params: ServiceParams,
  success: { 204: 'It is gone.' },
  reach: 'installation',
  errors: ['in-use'],
  async handle({ params }, { store }) {
    await store.settings.deleteService(params.service);
    return done();
  },
});

function show({ service, description, createdAt }: Service): ServiceOut {
  return { service, description, createdAt: instant(createdAt) };
}

/** Refuses `unknown-service` when there is none of this name. */
export async function checkService(service: string, { store }: Pick<Tools, 'store'>): Promise<void> {
  const services = (await store.settings.services()).map((known) => known.service);
  if (services.includes(service)) return;
  const advice = didYouMean(service, services) || '; register it first.';
  throw refuse('unknown-service', `There is no service "${service}"${advice}`);
}
