// Operations: long actions on many deliveries, begun here, watched and cancelled: recover, redrive, replay.
import { Type, type Static } from 'typebox';
import { formatId } from '../model/ids.ts';
import { progressOf, type OperationKind } from '../model/operation.ts';
import { refuse } from '../model/problem.ts';
import { isSendable, shownState } from '../model/webhook.ts';
import type { StoredOperation, Webhook, Workspace } from '../store/contract.ts';
import { ok, operation, type Call, type JsonAnswer, type Tools } from './kernel.ts';
import { PAGE, readPosition, writeCursor } from './paging.ts';
import { filterOf, instantOf, typeOf, wrong } from './selection.ts';
import { findWebhook, WebhookParams } from './webhooks.ts';
import { absent, idOf, Instant, instant, instantOrNull, numberOf, orNull, PageQuery, pageOf } from './wire.ts';

const State = Type.Enum(['running', 'paused', 'done', 'cancelled', 'failed']);
const Kind = Type.Enum(['recover', 'redrive', 'replay']);

const Since = (description: string) => Type.String({ format: 'date-time', description });
const Pace = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 100_000,
    description: 'Deliveries per second that are released; the installation’s when left out.',
  }),
);

/** A recovery: from when on. */
export const RecoverIn = Type.Object(
  { since: Since('Events accepted at or after.'), pace: Pace },
  { additionalProperties: false, examples: [{ since: '2026-11-22T08:00:00Z' }] },
);
export type RecoverIn = Static<typeof RecoverIn>;

/** A redrive: which dead letters. */
export const RedriveIn = Type.Object(
  {
    since: Type.Optional(Since('Given up at or after.')),
    until: Type.Optional(Since('Given up before.')),
    pace: Pace,
  },
  { additionalProperties: false, examples: [{ since: '2026-11-22T08:00:00Z' }] },
);
export type RedriveIn = Static<typeof RedriveIn>;

/** A replay: which events. */
export const ReplayIn = Type.Object(
  {
    type: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 300,
        description: 'Exact type, or a `.*` pattern. Left out: what the webhook is subscribed to.',
      }),
    ),
    filter: Type.Optional(Type.String({ minLength: 1, maxLength: 4096, description: 'As subscriptions have them.' })),
    since: Type.Optional(Since('Accepted at or after.')),
    until: Type.Optional(Since('Accepted before.')),
    pace: Pace,
  },
  {
    additionalProperties: false,
    examples: [{ type: 'com.example.order.*', since: '2026-11-22T08:00:00Z', until: '2026-11-22T09:00:00Z' }],
  },
);
export type ReplayIn = Static<typeof ReplayIn>;

/** An operation, and how far it is. */
export const OperationOut = Type.Object(
  {
    id: idOf('op'),
    kind: Kind,
    webhook: orNull(idOf('wh')),
    since: orNull(Instant),
    until: orNull(Instant),
    type: orNull(Type.String()),
    filter: orNull(Type.String()),
    pace: Type.Integer({ description: 'Deliveries per second.' }),
    state: State,
    reason: orNull(Type.String({ description: 'Why it was cancelled or failed.' })),
    note: orNull(Type.String({ description: 'What is worth knowing about it.' })),
    progress: Type.Number({ description: 'From 0 to 1, by the part of the log that was looked through.' }),
    looked: Type.Integer({ description: 'Deliveries (of a replay: events) looked at.' }),
    released: Type.Integer({ description: 'Deliveries made due, or copies made.' }),
    skipped: Type.Integer({ description: 'Delivered already, due anyhow, or not asked for.' }),
    createdAt: Instant,
    updatedAt: Instant,
    endedAt: orNull(Instant),
  },
  {
    examples: [
      {
        id: 'op_k3v9x2m4q7_c',
        kind: 'recover',
        webhook: 'wh_k3v9x2m4q7_7',
        since: '2026-11-22T08:00:00.000Z',
        until: null,
        type: null,
        filter: null,
        pace: 500,
        state: 'running',
        reason: null,
        note: null,
        progress: 0.25,
        looked: 5000,
        released: 1200,
        skipped: 3800,
        createdAt: '2026-11-22T09:30:00.000Z',
        updatedAt: '2026-11-22T09:30:03.000Z',
        endedAt: null,
      },
    ],
  },
);
export type OperationOut = Static<typeof OperationOut>;

export const OperationsOut = pageOf(OperationOut);
export type OperationsOut = Static<typeof OperationsOut>;

export const OperationsQuery = Type.Object(
  { ...PageQuery, state: Type.Optional(State), webhook: Type.Optional(idOf('wh')) },
  { additionalProperties: false },
);
export const OperationParams = Type.Object({ operation: idOf('op') });

const BEGUN = { 202: 'It was begun; it goes on by itself.' } as const;

export const recoverWebhook = operation<RecoverIn, OperationOut>()({
  summary: 'Recover: send all that the webhook should have got since an instant and has not',
  description:
    'Dead letters begin a new chain of tries, waiting retries need not wait any longer, what was never tried is sent. What was delivered is left alone. The webhook-ids stay.',
  params: WebhookParams,
  success: BEGUN,
  errors: ['operation-running'],
  async handle({ body, params, workspace, now }, tools) {
    const webhook = await findWebhook(params.webhook, workspace, tools);
    const { since } = spanOf(body, now);
    const notes = [await noteOnLog(since, workspace, tools), noteOnState(webhook)];
    return begin(
      { kind: 'recover', webhook: webhook.webhook, since, pace: body.pace, notes },
      { workspace, now },
      tools,
    );
  },
});

export const redriveWebhook = operation<RedriveIn, OperationOut>()({
  summary: 'Redrive: try the dead letters of a webhook again',
  description: 'Each begins a new chain of tries, under the webhook-id it had.',
  params: WebhookParams,
  optionalBody: true,
  success: BEGUN,
  errors: ['operation-running'],
  async handle({ body, params, workspace, now }, tools) {
    const webhook = await findWebhook(params.webhook, workspace, tools);
    const wish = { ...spanOf(body, now), pace: body.pace, notes: [noteOnState(webhook)] };
    return begin({ kind: 'redrive', webhook: webhook.webhook, ...wish }, { workspace, now }, tools);
  },
});

export const redriveAll = operation<RedriveIn, OperationOut>()({
  summary: 'Redrive: try the dead letters of all webhooks again',
  description: 'Each begins a new chain of tries, under the webhook-id it had. Those of deleted webhooks stay dead.',
  optionalBody: true,
  success: BEGUN,
  errors: ['operation-running'],
  async handle({ body, workspace, now }, tools) {
    const wish = { ...spanOf(body, now), pace: body.pace, notes: [] };
    return begin({ kind: 'redrive', webhook: null, ...wish }, { workspace, now }, tools);
  },
});

export const replayToWebhook = operation<ReplayIn, OperationOut>()({
  summary: 'Replay: send a webhook events once more, whether it got them or not',
  description:
    'Each is a delivery of its own, a copy, with a webhook-id of its own that ends in the number of the copy. Without `type` it is what the webhook is subscribed to.',
  params: WebhookParams,
  optionalBody: true,
  success: BEGUN,
  errors: ['operation-running', 'invalid-filter', 'invalid-type-pattern'],
  async handle({ body, params, workspace, now }, tools) {
    const webhook = await findWebhook(params.webhook, workspace, tools);
    const type = body.type === undefined ? null : typeOf(body.type);
    const filter = body.filter === undefined ? null : filterOf(body.filter);
    const span = spanOf(body, now);
    const notes = [await noteOnLog(span.since, workspace, tools), noteOnState(webhook)];
    const wish = { ...span, type, filter, pace: body.pace, notes };
    return begin({ kind: 'replay', webhook: webhook.webhook, ...wish }, { workspace, now }, tools);
  },
});

export const listOperations = operation<null, OperationsOut>()({
  summary: 'List the operations, the newest first',
  query: OperationsQuery,
  async handle({ query, workspace }, { store }) {
    const list = `operations ${workspace.token}`;
    const limit = query.limit ?? PAGE;
    const rows = await store.operations.list({
      workspace: workspace.workspace,
      state: query.state,
      webhook: query.webhook === undefined ? undefined : numberOf('wh', workspace, query.webhook),
      cursor: readPosition(list, query.cursor),
      limit: limit + 1,
    });
    const page = rows.slice(0, limit);
    const next = rows.length > limit ? writeCursor(list, page.at(-1)!.operation) : null;
    return ok({ items: page.map((row) => show(row, workspace)), next });
  },
});

export const getOperation = operation<null, OperationOut>()({
  summary: 'Show an operation and how far it is',
  params: OperationParams,
  async handle({ params, workspace }, { store }) {
    const number = numberOf('op', workspace, params.operation);
    const row = await store.operations.one(workspace.workspace, number);
    if (row === null) throw absent('op', params.operation);
    return ok(show(row, workspace));
  },
});

export const cancelOperation = operation<null, OperationOut>()({
  summary: 'Cancel an operation; what it has released stays released',
  params: OperationParams,
  success: { 200: 'It releases nothing more, or was cancelled before.' },
  errors: ['wrong-state'],
  async handle({ params, workspace, now, key }, { store }) {
    const number = numberOf('op', workspace, params.operation);
    const end = { state: 'cancelled' as const, reason: `Cancelled with the key "${key.name}".`, now };
    const row = await store.operations.end({ workspace: workspace.workspace, operation: number }, end);
    if (row.state === 'cancelled') return ok(show(row, workspace));
    throw refuse('wrong-state', `It is ${row.state}: there is nothing to cancel.`);
  },
});

export const pauseOperation = operation<null, OperationOut>()({
  summary: 'Pause an operation: it releases nothing more until it is resumed',
  params: OperationParams,
  success: { 200: 'It rests, or rested before.' },
  errors: ['wrong-state'],
  handle: (call, tools) => setPaused(true, call, tools),
});

export const resumeOperation = operation<null, OperationOut>()({
  summary: 'Resume a paused operation: it goes on where it was',
  params: OperationParams,
  success: { 200: 'It goes on, or went on before.' },
  errors: ['wrong-state'],
  handle: (call, tools) => setPaused(false, call, tools),
});

async function setPaused(
  paused: boolean,
  { params, workspace, now }: Pick<Call<null, unknown, Static<typeof OperationParams>>, 'params' | 'workspace' | 'now'>,
  { store }: Tools,
): Promise<JsonAnswer<OperationOut>> {
  const number = numberOf('op', workspace, params.operation);
  const row = await store.operations.pause({ workspace: workspace.workspace, operation: number }, { paused, now });
  if (row.endedAt === null) return ok(show(row, workspace));
  throw refuse('wrong-state', `It is ${row.state}: there is nothing to ${paused ? 'pause' : 'resume'}.`);
}

/* ── How they begin ─────────────────────────────────────────────────────────────────────────────────────────── */

interface Wish {
  kind: OperationKind;
  webhook: number | null;
  since: number | null;
  until?: number | null;
  type?: string | null;
  filter?: string | null;
  pace: number | undefined;
  notes: readonly (string | null)[];
}

async function begin(
  { kind, webhook, since, until = null, type = null, filter = null, pace, notes }: Wish,
  { workspace, now }: { workspace: Workspace; now: number },
  { store, config }: Tools,
): Promise<JsonAnswer<OperationOut>> {
  const note = notes.filter((one) => one !== null).join(' ') || null;
  const wish = { workspace: workspace.workspace, kind, webhook, since, until, type, filter, note };
  const begun = await store.operations.begin({ ...wish, pace: pace ?? config.operations.pace }, now);
  return { status: 202, body: show(begun, workspace) };
}

// A span that nothing can lie in is a slip: it is said so, instead of beginning what would do nothing.
function spanOf(body: { since?: string; until?: string }, now: number): { since: number | null; until: number | null } {
  const since = body.since === undefined ? null : instantOf(body.since, '/since');
  const until = body.until === undefined ? null : instantOf(body.until, '/until');
  if (since !== null && since > now) {
    throw wrong('/since', `since lies in the future: it is ${instant(now)} here, and nothing was accepted later.`);
  }
  if (until !== null && since !== null && until <= since) {
    throw wrong('/until', 'until is not after since: there is nothing between the two.');
  }
  return { since, until };
}

async function noteOnLog(since: number | null, { workspace }: Workspace, { store }: Tools): Promise<string | null> {
  if (since === null) return null;
  const { rows } = await store.log.events({ workspace, order: 'oldest-first', cursor: null, limit: 1 });
  const [oldest] = rows;
  if (!oldest) return 'There is no event here.';
  const words = `It begins at ${instant(oldest.acceptedAt)}, with the oldest event there is.`;
  return oldest.acceptedAt > since ? words : null;
}

function noteOnState({ intent, health }: Webhook): string | null {
  if (isSendable(intent, health)) return null;
  return `The webhook is ${shownState(intent, health)}: what is released is held until it may be sent to.`;
}

function show(row: StoredOperation, { token }: Workspace): OperationOut {
  return {
    id: formatId('op', token, row.operation),
    kind: row.kind,
    webhook: row.webhook === null ? null : formatId('wh', token, row.webhook),
    since: instantOrNull(row.since),
    until: instantOrNull(row.until),
    type: row.type,
    filter: row.filter,
    pace: row.pace,
    state: row.state,
    reason: row.reason,
    note: row.note,
    progress: progressOf({ ...row, event: row.cursor.event }),
    looked: row.looked,
    released: row.released,
    skipped: row.looked - row.released,
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt),
    endedAt: instantOrNull(row.endedAt),
  };
}
