// Listeners: a program fetches a webhook's requests, exactly as they would be sent, and brings back what was answered. So
// a handler needs no public address while it is being written.
import type { ServerResponse } from 'node:http';
import { Type, type Static } from 'typebox';
import { boundHeaders, KEEP_LIMIT, type FailureCode } from '../model/outcome.ts';
import { refuse } from '../model/problem.ts';
import { shownState } from '../model/webhook.ts';
import type { HandedRequest, Listened, RelayAnswer, TargetKey, Webhook } from '../store/contract.ts';
import { done, ok, okText, operation, type Tools } from './kernel.ts';
import { jsonReply, send } from './reply.ts';
import { findWebhook, WebhookParams } from './webhooks.ts';
import { absent, Instant, instant, orNull, spanMs } from './wire.ts';

/** How long a listener is believed to be there when it is not waiting for anything. */
const LEASE_MS = 15_000;
const DEFAULT_LIMIT = 20;
/** Characters that base64 makes of the bytes of an answer that are kept. */
const BASE64_LIMIT = Math.ceil(KEEP_LIMIT / 3) * 4;

const ListenerName = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'The listener, as its first answer named it.',
});
const RelayName = Type.String({ minLength: 1, maxLength: 64, description: 'The request, as it was handed out.' });
const Base64 = Type.String({
  maxLength: BASE64_LIMIT,
  pattern: '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$',
});
const HeaderLines = Type.Array(Type.Array(Type.String({ maxLength: 8_192 }), { minItems: 2, maxItems: 2 }), {
  maxItems: 100,
  description: 'Pairs of name and value.',
});

/** What a listener asks for. */
export const ListenIn = Type.Object(
  {
    listener: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: 'Left out: to begin. Whoever listened until now is done.',
      }),
    ),
    takeOver: Type.Optional(
      Type.Boolean({ description: 'Of a webhook with a URL: its requests come here for as long as this one listens.' }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'At most so many; 20 when left out.' })),
    waitMs: Type.Optional(spanMs('Wait so long for the first one; 0 when left out.', { maximum: 30_000 })),
  },
  { additionalProperties: false, examples: [{ listener: 'q0mJx2fQ8y1v3K9sLzTcWb4n', waitMs: 20_000 }] },
);
export type ListenIn = Static<typeof ListenIn>;

/** A request in the hands of a listener. */
export const RelayedRequestOut = Type.Object({
  relay: RelayName,
  method: Type.String(),
  headers: Type.Array(Type.Array(Type.String(), { minItems: 2, maxItems: 2 }), {
    description: 'Pairs of name and value, in the order in which they are sent; Host and Content-Length are yours.',
  }),
  body: orNull(Type.String({ description: 'The bytes, base64; null without a body.' })),
  deadlineMs: Type.Integer({ description: 'How long the answer may take.' }),
});
export type RelayedRequestOut = Static<typeof RelayedRequestOut>;

/** What waits to be answered. */
export const ListenOut = Type.Object(
  {
    listener: ListenerName,
    listenedUntil: Instant,
    state: Type.String({ description: 'The state of the webhook.' }),
    items: Type.Array(RelayedRequestOut),
  },
  {
    examples: [
      { listener: 'q0mJx2fQ8y1v3K9sLzTcWb4n', listenedUntil: '2026-11-22T09:30:35.000Z', state: 'active', items: [] },
    ],
  },
);
export type ListenOut = Static<typeof ListenOut>;

/** Why there was no answer, in the words of an attempt. */
const FAILURES = {
  'connection-refused': 'refused the connection',
  'connection-reset': 'closed the connection before the answer was complete',
  timeout: 'did not answer in time',
  dns: 'its name does not resolve',
  unreachable: 'cannot be reached',
  tls: 'failed the TLS handshake',
  protocol: 'answered what is not HTTP',
  'invalid-request': 'cannot be sent this request',
  other: 'could not be sent to',
} as const satisfies Partial<Record<FailureCode, string>>;

const DurationMs = Type.Integer({ minimum: 0, maximum: 600_000, description: 'How long the answer took.' });

const AnswerIn = Type.Object(
  {
    relay: RelayName,
    durationMs: DurationMs,
    status: Type.Optional(Type.Integer({ minimum: 200, maximum: 999 })),
    headers: Type.Optional(HeaderLines),
    body: Type.Optional(Base64),
    bodyBytes: Type.Optional(
      Type.Integer({ minimum: 0, description: 'How long the body was, where it is longer than what is told of it.' }),
    ),
    failure: Type.Optional(
      Type.Enum(Object.keys(FAILURES) as (keyof typeof FAILURES)[], {
        description: 'There was no answer, and why; instead of a status.',
      }),
    ),
  },
  { additionalProperties: false },
);

/** What was answered: a status with headers and the first 16 KiB of the body (base64), or why there was no answer. */
export const AnswersIn = Type.Object(
  { listener: ListenerName, items: Type.Array(AnswerIn, { minItems: 1, maxItems: 20 }) },
  {
    additionalProperties: false,
    examples: [
      {
        listener: 'q0mJx2fQ8y1v3K9sLzTcWb4n',
        items: [
          {
            relay: '9fJq2mX0d3v8K1tPzLcA',
            durationMs: 12,
            status: 200,
            headers: [['content-type', 'text/plain']],
            body: 'b2s=',
          },
        ],
      },
    ],
  },
);
export type AnswersIn = Static<typeof AnswersIn>;

/** What became of each, in the order they were named. */
export const AnswersOut = Type.Object(
  {
    items: Type.Array(
      Type.Object({
        relay: RelayName,
        ok: Type.Boolean(),
        code: orNull(
          Type.Enum(['not-found', 'already-answered', 'lease-lost', 'lease-expired'], {
            description: 'Why not; null when it counts.',
          }),
        ),
      }),
    ),
  },
  { examples: [{ items: [{ relay: '9fJq2mX0d3v8K1tPzLcA', ok: true, code: null }] }] },
);
export type AnswersOut = Static<typeof AnswersOut>;

/** Who leaves. */
export const LeaveIn = Type.Object(
  { listener: ListenerName },
  { additionalProperties: false, examples: [{ listener: 'q0mJx2fQ8y1v3K9sLzTcWb4n' }] },
);
export type LeaveIn = Static<typeof LeaveIn>;

export const listen = operation<ListenIn, ListenOut>()({
  summary: 'Listen for a webhook: fetch its requests, signed and exactly as they would be sent',
  description:
    'For webhooks of mode `listen`, and with `takeOver` for those that have a URL. Each request is to be made at once, its answer brought back: it decides about the delivery as if the platform had made the request itself. A listener that has not asked again after 15 s is gone, and so is one whose connection ends while it waits.',
  params: WebhookParams,
  optionalBody: true,
  quiet: true,
  errors: ['wrong-state', 'listener-replaced'],
  async handle({ body, params, workspace, header }, tools) {
    const waitMs = body.waitMs ?? 0;
    if (header('idempotency-key') !== undefined) {
      throw refuse('invalid-request', 'To listen takes no Idempotency-Key: what it answers is not kept.');
    }
    const webhook = await findWebhook(params.webhook, workspace, tools);
    checkMayListen(webhook, body);
    const ask: Ask = {
      webhook: params.webhook,
      key: { workspace: workspace.workspace, target: webhook.webhook },
      listener: body.listener ?? null,
      takesOver: webhook.mode === 'push',
      limit: body.limit ?? DEFAULT_LIMIT,
      until: tools.clock.monotonic() + waitMs,
    };
    const first = await fetch(ask, tools, waitMs);
    if (first.requests.length > 0 || waitMs === 0) return okText(listenJson(first, webhook));
    return { stream: (response) => void wait(response, { ask, first, webhook }, tools) };
  },
});

export const answer = operation<AnswersIn, AnswersOut>()({
  summary: 'Bring back what was answered to requests that were fetched by listening',
  description: 'Each is judged for itself. What comes too late, twice, or from another listener does not count.',
  params: WebhookParams,
  quiet: true,
  async handle({ body, params, workspace, now }, tools) {
    const { webhook } = await findWebhook(params.webhook, workspace, tools);
    const answers = body.items.map((item, at) => ({ relay: item.relay, answer: answerOf(item, at) }));
    const key = { workspace: workspace.workspace, target: webhook };
    const verdicts = await tools.store.relays.answer(key, { listener: body.listener, answers, now });
    return ok({
      items: body.items.map(({ relay }, at) => {
        const verdict = verdicts[at]!;
        return verdict === 'done' ? { relay, ok: true, code: null } : { relay, ok: false, code: verdict };
      }),
    });
  },
});

export const leave = operation<LeaveIn, null>()({
  summary: 'End listening: what waits is kept, or goes to the URL again',
  params: WebhookParams,
  success: { 204: 'It does not listen any more.' },
  async handle({ body, params, workspace, now }, tools) {
    const { webhook } = await findWebhook(params.webhook, workspace, tools);
    const key = { workspace: workspace.workspace, target: webhook };
    await tools.store.relays.leave(key, { listener: body.listener, now });
    return done();
  },
});

function checkMayListen({ mode }: Webhook, { takeOver = false }: ListenIn): void {
  if (mode === 'pull') throw refuse('wrong-state', 'Its deliveries are fetched by "pull"; nobody can listen for it.');
  if (mode === 'push' && !takeOver) {
    throw refuse(
      'wrong-state',
      'It has a URL. With "takeOver" its requests come here instead of there, for as long as somebody listens.',
    );
  }
}

function answerOf({ durationMs, status, failure, ...given }: AnswersIn['items'][number], at: number): RelayAnswer {
  if ((status === undefined) === (failure === undefined)) {
    throw refuse('invalid-request', `Item ${at} needs either a status or a failure.`);
  }
  if (failure !== undefined) return { durationMs, failure, message: FAILURES[failure] };
  const { body = '', headers = [] } = given;
  const lines = headers.map(([name = '', value = '']): [string, string] => [name.toLowerCase(), value]);
  const bodyBytes = Math.max(given.bodyBytes ?? 0, Buffer.byteLength(body, 'base64'));
  return { durationMs, status: status!, headers: boundHeaders(lines), body, bodyBytes };
}

/* ── Waiting ────────────────────────────────────────────────────────────────────────────────────────────────── */

interface Ask {
  webhook: string;
  key: TargetKey;
  listener: string | null;
  takesOver: boolean;
  limit: number;
  /** By the monotonic clock. */
  until: number;
}

async function fetch({ webhook, key, ...ask }: Ask, { store, clock }: Tools, waitMs: number): Promise<Listened> {
  const { listener, takesOver, limit } = ask;
  const spans = { leaseMs: LEASE_MS, waitingMs: waitMs + LEASE_MS };
  const listened = await store.relays.listen({ ...key, listener, takesOver, limit, ...spans, now: clock.now() });
  if (listened === 'gone') throw absent('wh', webhook);
  if (listened === 'replaced') throw refuse('listener-replaced', 'Somebody else listens for this webhook by now.');
  return listened;
}

// The response is ours from here on: who hangs up does not listen any more.
async function wait(
  response: ServerResponse,
  { ask, first, webhook }: { ask: Ask; first: Listened; webhook: Webhook },
  tools: Tools,
): Promise<void> {
  const { store, clock, sources, log } = tools;
  const { key } = ask;
  const heard = sources.heed(key);
  const isOver = (): boolean => response.destroyed || sources.ending.aborted || clock.monotonic() >= ask.until;
  const late = Promise.withResolvers<void>();
  const timer = clock.after(Math.max(0, ask.until - clock.monotonic()), late.resolve);
  let latest = first;
  response.on('error', () => undefined);
  response.on('close', () => heard.close());
  try {
    while (latest.requests.length === 0 && !isOver()) {
      if (await store.relays.waiting(key, clock.now())) {
        const restMs = Math.max(0, ask.until - clock.monotonic());
        latest = await fetch({ ...ask, listener: first.listener }, tools, restMs);
      } else await Promise.race([heard.hint(), late.promise]);
    }
  } catch (error) {
    // Whoever asks again at once is told what is wrong.
    log.debug({ error }, 'a listener could not wait');
  }
  heard.close();
  timer.cancel();
  const now = await store.settings.webhook(key.workspace, key.target).catch(() => null);
  if (response.destroyed) {
    const { listener, polls } = latest;
    await store.relays.leave(key, { listener, polls, now: clock.now() }).catch(() => false);
    return;
  }
  const text = listenJson(latest, now ?? webhook);
  send(jsonReply(200, text), response, false);
}

function listenJson({ listener, until, requests }: Listened, { intent, health }: Webhook): string {
  const out: ListenOut = {
    listener,
    listenedUntil: instant(until),
    state: shownState(intent, health),
    items: requests.map(requestJson),
  };
  return JSON.stringify(out);
}

function requestJson({ relay, method, headers, body, deadlineMs }: HandedRequest): RelayedRequestOut {
  const pairs = Array.from({ length: headers.length / 2 }, (_, at) => [headers[2 * at]!, headers[2 * at + 1]!]);
  return { relay, method, headers: pairs, body: body && Buffer.from(body).toString('base64'), deadlineMs };
}
