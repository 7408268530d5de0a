// Workspaces: the tenants. Made, limited and deleted by the installation's key; read by the keys that act for them.
import { Type, type Static } from 'typebox';
import { formatId } from '../model/ids.ts';
import { refuse } from '../model/problem.ts';
import type { ApiKey, Workspace } from '../store/contract.ts';
import { selector } from './auth.ts';
import { created, done, ok, operation, type Tools } from './kernel.ts';
import { pageThrough } from './paging.ts';
import { idOf, Instant, instant, orNull, PageQuery, pageOf } from './wire.ts';

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
  eventTypes: limit('Event types of its own in all; null is unlimited.'),
};

const LimitsIn = Type.Object(
  {
    eventsPerDay: Type.Optional(LIMITS.eventsPerDay),
    bytesPerDay: Type.Optional(LIMITS.bytesPerDay),
    webhooks: Type.Optional(LIMITS.webhooks),
    subscriptions: Type.Optional(LIMITS.subscriptions),
    eventTypes: Type.Optional(LIMITS.eventTypes),
  },
  { additionalProperties: false },
);

/** What a workspace is made of. A limit left out is the installation's. */
export const WorkspaceIn = Type.Object(
  { name: WorkspaceName, limits: Type.Optional(LimitsIn) },
  { additionalProperties: false, examples: [{ name: 'acme', limits: { eventsPerDay: 100_000 } }] },
);
export type WorkspaceIn = Static<typeof WorkspaceIn>;

const span = (description: string) =>
  orNull(Type.Integer({ minimum: 60_000, maximum: 100 * 365 * 86_400_000, description: `${description}, ms.` }));
const RETENTION = {
  eventsMs: span('Events. So long a second event with the same source and id is known for a duplicate'),
  deliveriesMs: span('Deliveries that were delivered or given up, with their attempts'),
  idempotencyMs: span('First answers of requests with an Idempotency-Key'),
  changesMs: span('The history of webhooks, and operations that have ended'),
  runsMs: span('Runs of jobs and policy sets that have ended'),
};

const RetentionIn = Type.Object(
  {
    eventsMs: Type.Optional(RETENTION.eventsMs),
    deliveriesMs: Type.Optional(RETENTION.deliveriesMs),
    idempotencyMs: Type.Optional(RETENTION.idempotencyMs),
    changesMs: Type.Optional(RETENTION.changesMs),
    runsMs: Type.Optional(RETENTION.runsMs),
  },
  { additionalProperties: false, description: 'How long what is finished is kept; null is as the installation says.' },
);

/** What may change about a workspace. A limit or span left out stays. */
export const WorkspacePatchIn = Type.Object(
  { limits: Type.Optional(LimitsIn), retention: Type.Optional(RetentionIn) },
  {
    additionalProperties: false,
    minProperties: 1,
    examples: [{ limits: { webhooks: 20 }, retention: { eventsMs: 604_800_000 } }],
  },
);
export type WorkspacePatchIn = Static<typeof WorkspacePatchIn>;

/** A workspace as it is shown. */
export const WorkspaceOut = Type.Object(
  {
    id: idOf('ws'),
    name: WorkspaceName,
    limits: Type.Object(LIMITS),
    retention: Type.Object(RETENTION, {
      description: 'How long what is finished is kept; null is as the installation says.',
    }),
    createdAt: Instant,
  },
  {
    examples: [
      {
        id: 'ws_k3v9x2m4q7',
        name: 'acme',
        limits: { eventsPerDay: 100_000, bytesPerDay: null, webhooks: null, subscriptions: null, eventTypes: null },
        retention: { eventsMs: 604_800_000, deliveriesMs: null, idempotencyMs: null, changesMs: null, runsMs: null },
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

export const createWorkspace = operation<WorkspaceIn, WorkspaceOut>()({
  summary: 'Make a workspace',
  success: { 201: 'It was made.' },
  reach: 'installation',
  errors: ['name-taken'],
  async handle({ body, now }, { store, config }) {
    const limits = { ...config.quotas, ...body.limits };
    return created(show(await store.settings.createWorkspace(body.name, limits, now)));
  },
});

export const listWorkspaces = operation<null, WorkspacesOut>()({
  summary: 'List the workspaces the key may act for',
  query: WorkspacesQuery,
  reach: 'installation',
  async handle({ query, key }, { store }) {
    const own = (await store.settings.workspaces()).filter((workspace) => mayAct(key, workspace));
    const { items, next } = pageThrough({ list: 'workspaces', items: own, keyOf: ({ workspace }) => workspace }, query);
    return ok({ items: items.map(show), next });
  },
});

export const getWorkspace = operation<null, WorkspaceOut>()({
  summary: 'Show a workspace the key may act for',
  params: WorkspaceParams,
  reach: 'installation',
  async handle({ params, key }, tools) {
    return ok(show(await find(params.workspace, key, tools)));
  },
});

export const changeWorkspace = operation<WorkspacePatchIn, WorkspaceOut>()({
  summary: 'Change the limits of a workspace, or how long it keeps what is finished',
  params: WorkspaceParams,
  reach: 'installation',
  async handle({ params, body, key }, tools) {
    const { workspace } = await find(params.workspace, key, tools);
    const changed = await tools.store.settings.changeWorkspace(workspace, body);
    tools.auth.forget();
    return ok(show(changed));
  },
});

export const deleteWorkspace = operation<null, null>()({
  summary: 'Delete a workspace with everything it holds',
  params: WorkspaceParams,
  success: { 204: 'It is gone for everybody at once; its rows follow in the background.' },
  reach: 'installation',
  async handle({ params, key, now }, tools) {
    const { workspace } = await find(params.workspace, key, tools);
    await tools.store.settings.deleteWorkspace(workspace, now);
    tools.auth.forget();
    return done();
  },
});

async function find(named: string, key: ApiKey, { store }: Tools): Promise<Workspace> {
  const workspace = await store.settings.workspace(selector(named));
  if (workspace !== null && mayAct(key, workspace)) return workspace;
  throw refuse('unknown-workspace', `There is no workspace "${named}" this key may act for.`);
}

function mayAct(key: ApiKey, { workspace }: Workspace): boolean {
  return key.workspaces === null || key.workspaces.includes(workspace);
}

function show({ token, name, limits, retention, createdAt }: Workspace): WorkspaceOut {
  return { id: formatId('ws', token), name, limits, retention, createdAt: instant(createdAt) };
}
