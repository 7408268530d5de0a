// Pull: a subscriber that cannot be reached fetches its deliveries under leases, and says what became of them.
import type { ServerResponse } from 'node:http';
import { Type, type Static } from 'typebox';
import { deliveryId, formatId, parseId } from '../model/ids.ts';
import { refuse } from '../model/problem.ts';
import { traceparentOf, tracestateOf } from '../model/trace-context.ts';
import { shownState } from '../model/webhook.ts';
import type { LeaseClaim, LeasedDelivery, LeaseVerdict, TargetKey, Webhook, Workspace } from '../store/contract.ts';
import { withEnvelope } from './events.ts';
import { ok, okText, operation, type Tools } from './kernel.ts';
import { jsonReply, send } from './reply.ts';
import { findWebhook, WebhookParams } from './webhooks.ts';
import { idOf, Instant, instant, orNull, spanMs } from './wire.ts';

const LeaseMs = spanMs('How long nobody else gets them; 30 s when left out.', { minimum: 1_000, maximum: 43_200_000 });
const DEFAULT_LEASE_MS = 30_000;
const DEFAULT_LIMIT = 10;

/** What a consumer asks for. */
export const PullIn = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'At most so many; 10 when left out.' })),
    leaseMs: Type.Optional(LeaseMs),
    waitMs: Type.Optional(spanMs('Wait so long for the first one; 0 when left out.', { maximum: 30_000 })),
  },
  { additionalProperties: false, examples: [{ limit: 100, leaseMs: 60_000, waitMs: 20_000 }] },
);
export type PullIn = Static<typeof PullIn>;

/** A delivery in the hands of whoever pulled it. */
export const PulledDeliveryOut = Type.Object({
  id: idOf('dlv'),
  event: idOf('evt'),
  lease: Type.String({ description: 'To be shown when it is acknowledged, returned or extended.' }),
  leasedUntil: Instant,
  attempt: Type.Integer({ description: 'Counts from 1 within the delivery.' }),
  acceptedAt: Instant,
  type: Type.String(),
  traceparent: orNull(Type.String()),
  tracestate: orNull(Type.String()),
  envelope: Type.Record(Type.String(), Type.Unknown(), {
    description: 'The event as one CloudEvents JSON object, exactly as it was published.',
  }),
});
export type PulledDeliveryOut = Static<typeof PulledDeliveryOut>;

/** What was handed out. Empty when nothing is due, or while the webhook is paused or disabled. */
export const PullOut = Type.Object(
  { items: Type.Array(PulledDeliveryOut), state: Type.String({ description: 'The state of the webhook.' }) },
  { examples: [{ items: [], state: 'active' }] },
);
export type PullOut = Static<typeof PullOut>;

const Claims = Type.Array(
  Type.Object(
    { id: idOf('dlv'), lease: Type.String({ minLength: 1, maxLength: 64 }) },
    { additionalProperties: false },
  ),
  { minItems: 1, maxItems: 500 },
);
const CLAIM = { id: 'dlv_k3v9x2m4q7_2s_7', lease: '9fJq2mX0d3v8K1tPzLcA' };

/** Deliveries that were dealt with. */
export const AckIn = Type.Object({ items: Claims }, { additionalProperties: false, examples: [{ items: [CLAIM] }] });
export type AckIn = Static<typeof AckIn>;

/** Deliveries that were not. */
export const ReturnIn = Type.Object(
  {
    items: Claims,
    delayMs: Type.Optional(spanMs('Until they are handed out again; left out: as the plan of the webhook has it.')),
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: 500, description: 'What went wrong.' })),
  },
  { additionalProperties: false, examples: [{ items: [CLAIM], delayMs: 5_000, reason: 'the database is away' }] },
);
export type ReturnIn = Static<typeof ReturnIn>;

/** Deliveries that take longer: their leases end so long from now. */
export const ExtendIn = Type.Object(
  { items: Claims, leaseMs: Type.Optional(LeaseMs) },
  { additionalProperties: false, examples: [{ items: [CLAIM], leaseMs: 60_000 }] },
);
export type ExtendIn = Static<typeof ExtendIn>;

/** What became of each, in the order they were named. */
export const LeasesOut = Type.Object(
  {
    items: Type.Array(
      Type.Object({
        id: idOf('dlv'),
        ok: Type.Boolean(),
        code: orNull(
          Type.Enum(['not-found', 'already-delivered', 'lease-lost', 'lease-expired'], {
            description: 'Why not; null when it was done.',
          }),
        ),
      }),
    ),
  },
  { examples: [{ items: [{ id: CLAIM.id, ok: true, code: null }] }] },
);
export type LeasesOut = Static<typeof LeasesOut>;

export const pull = operation<PullIn, PullOut>()({
  summary: 'Fetch deliveries of a pull webhook, each under a lease',
  description:
    'Until its lease ends nobody else gets a delivery. What is neither acknowledged nor returned by then is handed out again; after the last try of the plan it is a dead letter.',
  params: WebhookParams,
  optionalBody: true,
  quiet: true,
  errors: ['wrong-state'],
  async handle({ body, params, workspace, now, header }, tools) {
    if (body.waitMs && header('idempotency-key') !== undefined) {
      throw refuse('invalid-request', 'A pull that waits takes no Idempotency-Key: what it will answer is not kept.');
    }
    const webhook = await pullWebhook(params.webhook, workspace, tools);
    const ask: Ask = {
      target: { workspace: workspace.workspace, target: webhook.webhook },
      limit: body.limit ?? DEFAULT_LIMIT,
      leaseMs: body.leaseMs ?? DEFAULT_LEASE_MS,
      workspace,
      until: tools.clock.monotonic() + (body.waitMs ?? 0),
    };
    const { text, isEmpty } = await handOut(ask, webhook, { tools, now });
    if (!isEmpty || !body.waitMs) return okText(text);
    return { stream: (response) => void wait(response, ask, tools) };
  },
});

export const acknowledge = operation<AckIn, LeasesOut>()({
  summary: 'Acknowledge deliveries: they were dealt with',
  description:
    'Each is judged for itself: one whose lease has ended or is somebody else’s is refused, the others count.',
  params: WebhookParams,
  quiet: true,
  errors: ['wrong-state'],
  async handle({ body, params, workspace, now }, tools) {
    const { target, claims } = await claimsOf(body.items, params.webhook, { workspace, tools });
    return ok(show(body.items, await tools.store.pulls.acknowledge({ ...target, claims, now })));
  },
});

export const giveBack = operation<ReturnIn, LeasesOut>()({
  summary: 'Return deliveries: they are handed out again, or dead after the last try',
  params: WebhookParams,
  quiet: true,
  errors: ['wrong-state'],
  async handle({ body, params, workspace, now }, tools) {
    const { webhook, target, claims } = await claimsOf(body.items, params.webhook, { workspace, tools });
    const reason = body.reason === undefined ? 'returned' : `returned: ${body.reason}`;
    const plan = { delayMs: body.delayMs ?? null, delaysMs: delaysOf(webhook, tools) };
    return ok(show(body.items, await tools.store.pulls.giveBack({ ...target, claims, now, reason, ...plan })));
  },
});

export const extend = operation<ExtendIn, LeasesOut>()({
  summary: 'Extend leases: dealing with these takes longer',
  params: WebhookParams,
  quiet: true,
  errors: ['wrong-state'],
  async handle({ body, params, workspace, now }, tools) {
    const { target, claims } = await claimsOf(body.items, params.webhook, { workspace, tools });
    const leaseMs = body.leaseMs ?? DEFAULT_LEASE_MS;
    return ok(show(body.items, await tools.store.pulls.extend({ ...target, claims, now, leaseMs })));
  },
});

/* ── Handing out ────────────────────────────────────────────────────────────────────────────────────────────── */

interface Ask {
  target: TargetKey;
  limit: number;
  leaseMs: number;
  workspace: Workspace;
  /** By the monotonic clock. */
  until: number;
}

interface HandedOut {
  text: string;
  isEmpty: boolean;
  nextDueAt: number | null;
}

async function handOut(
  { target, limit, leaseMs, workspace }: Ask,
  webhook: Webhook,
  { tools, now }: { tools: Tools; now: number },
): Promise<HandedOut> {
  const mostTries = delaysOf(webhook, tools).length + 1;
  const pulled = await tools.store.pulls.pull({ ...target, limit, leaseMs, mostTries, now });
  const items = (pulled?.deliveries ?? []).map((delivery) => deliveryJson(delivery, workspace));
  const state = JSON.stringify(shownState(webhook.intent, webhook.health));
  const text = `{"items":[${items.join(',')}],"state":${state}}`;
  return { text, isEmpty: items.length === 0, nextDueAt: pulled?.nextDueAt ?? null };
}

// The response is ours from here on: who hangs up must not be handed anything any more.
async function wait(response: ServerResponse, ask: Ask, tools: Tools): Promise<void> {
  const { store, clock, sources, log } = tools;
  const listening = sources.listen(ask.target.workspace, () => undefined);
  const isOver = (): boolean => response.destroyed || sources.ending.aborted || clock.monotonic() >= ask.until;
  response.on('error', () => undefined);
  response.on('close', () => listening.close());
  let text = '{"items":[],"state":"active"}';
  try {
    for (let isEmpty = true; isEmpty && !isOver();) {
      const webhook = await store.settings.webhook(ask.target.workspace, ask.target.target);
      if (webhook === null) break;
      const handed = await handOut(ask, webhook, { tools, now: clock.now() });
      ({ text, isEmpty } = handed);
      if (isEmpty && !isOver()) await hint(listening.hint(), ask, { tools, nextDueAt: handed.nextDueAt });
    }
  } catch (error) {
    // Whoever asks again at once is told what is wrong.
    log.warn({ error }, 'a pull could not wait');
  }
  listening.close();
  send(jsonReply(200, text), response, false);
}

// Until something is heard, falls due, or the time is over.
async function hint(
  heard: Promise<void>,
  { until }: Ask,
  { tools: { clock }, nextDueAt }: { tools: Tools; nextDueAt: number | null },
): Promise<void> {
  const restMs = Math.min(until - clock.monotonic(), (nextDueAt ?? Infinity) - clock.now());
  const due = Promise.withResolvers<void>();
  const timer = clock.after(Math.max(SHORTEST_MS, restMs), due.resolve);
  await Promise.race([heard, due.promise]);
  timer.cancel();
}

/** Between two looks at least this: what is due may be in the hands of others. */
const SHORTEST_MS = 50;

function deliveryJson(delivery: LeasedDelivery, { token }: Workspace): string {
  const head = {
    id: deliveryId(token, delivery),
    event: formatId('evt', token, delivery.event),
    lease: delivery.lease,
    leasedUntil: instant(delivery.leasedUntil),
    attempt: delivery.attempt,
    acceptedAt: instant(delivery.acceptedAt),
    type: delivery.type,
    traceparent: delivery.trace === null ? null : traceparentOf(delivery.trace),
    tracestate: delivery.trace === null ? null : tracestateOf(delivery.trace),
  };
  return withEnvelope(head, delivery.envelope);
}

/* ── Coming back ────────────────────────────────────────────────────────────────────────────────────────────── */

async function pullWebhook(id: string, workspace: Workspace, tools: Tools): Promise<Webhook> {
  const webhook = await findWebhook(id, workspace, tools);
  if (webhook.mode === 'pull') return webhook;
  throw refuse('wrong-state', 'Its deliveries are sent to it; only those of a webhook of mode "pull" can be fetched.');
}

function delaysOf({ retryDelaysMs }: Webhook, { config }: Tools): readonly number[] {
  return retryDelaysMs ?? config.delivery.retryDelaysMs;
}

async function claimsOf(
  items: AckIn['items'],
  id: string,
  { workspace, tools }: { workspace: Workspace; tools: Tools },
): Promise<{ webhook: Webhook; target: TargetKey; claims: LeaseClaim[] }> {
  const webhook = await pullWebhook(id, workspace, tools);
  const target = { workspace: workspace.workspace, target: webhook.webhook };
  return { webhook, target, claims: items.map((item) => claimOf(item, target, workspace)) };
}

// An id of another webhook, another workspace or nobody is one that is not there.
function claimOf({ id, lease }: AckIn['items'][number], target: TargetKey, { token }: Workspace): LeaseClaim {
  const parsed = parseId(id);
  const [event, webhook, copy = 0] = parsed?.kind === 'dlv' && parsed.token === token ? parsed.numbers : [];
  const isOurs = event !== undefined && webhook === target.target;
  return { ...target, event: isOurs ? event : 0, copy: isOurs ? copy : 0, lease };
}

function show(items: AckIn['items'], verdicts: readonly LeaseVerdict[]): LeasesOut {
  return {
    items: items.map(({ id }, at) => {
      const verdict = verdicts[at]!;
      return verdict === 'done' ? { id, ok: true, code: null } : { id, ok: false, code: verdict };
    }),
  };
}
