// Services: the publishers of the installation's catalog.
import { Type, type Static } from 'typebox';
import { Instant, PageQuery, pageOf } from './wire.ts';

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
