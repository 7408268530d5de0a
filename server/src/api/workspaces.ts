// Workspaces: the tenants. Made, limited and deleted by the installation's key; read by the keys that act for them.
import { Type, type Static } from 'typebox';
import { idOf, Instant, orNull, PageQuery, pageOf } from './wire.ts';

const WorkspaceName = Type.String({
  minLength: 1,
  maxLength: 63,
  pattern: '^[a-z0-9][a-z0-9.-]*$',
  description: 'Lower-case letters, digits, `.` and `-`; unique in the installation.',
  examples: ['default'],
});

const limit = (description: string) =>
  orNull(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description }));
const LIMITS = {
  eventsPerDay: limit('Events per UTC day; null is unlimited.'),
  bytesPerDay: limit('Bytes of events per UTC day; null is unlimited.'),
  webhooks: limit('Webhooks in all; null is unlimited.'),
  subscriptions: limit('Subscriptions in all; null is unlimited.'),
};

const LimitsIn = Type.Object(
  {
    eventsPerDay: Type.Optional(LIMITS.eventsPerDay),
    bytesPerDay: Type.Optional(LIMITS.bytesPerDay),
    webhooks: Type.Optional(LIMITS.webhooks),
    subscriptions: Type.Optional(LIMITS.subscriptions),
  },
  { additionalProperties: false },
);

/** What a workspace is made of. A limit left out is none. */
export const WorkspaceIn = Type.Object(
  { name: WorkspaceName, limits: Type.Optional(LimitsIn) },
  { additionalProperties: false, examples: [{ name: 'acme', limits: { eventsPerDay: 100_000 } }] },
);
export type WorkspaceIn = Static<typeof WorkspaceIn>;

/** What may change about a workspace. A limit left out stays. */
export const WorkspacePatchIn = Type.Object(
  { limits: LimitsIn },
  { additionalProperties: false, examples: [{ limits: { webhooks: 20 } }] },
);
export type WorkspacePatchIn = Static<typeof WorkspacePatchIn>;

/** A workspace as it is shown. */
export const WorkspaceOut = Type.Object(
  { id: idOf('ws'), name: WorkspaceName, limits: Type.Object(LIMITS), createdAt: Instant },
  {
    examples: [
      {
        id: 'ws_k3v9x2m4q7',
        name: 'acme',
        limits: { eventsPerDay: 100_000, bytesPerDay: null, webhooks: null, subscriptions: null },
        createdAt: '2026-11-22T09:30:00.000Z',
      },
    ],
  },
);
export type WorkspaceOut = Static<typeof WorkspaceOut>;

export const WorkspacesOut = pageOf(WorkspaceOut);
export type WorkspacesOut = Static<typeof WorkspacesOut>;

export const WorkspacesQuery = Type.Object({ ...PageQuery }, { additionalProperties: false });
export const WorkspaceParams = Type.Object({ workspace: Type.String({ maxLength: 80, description: 'Id or name.' }) });
