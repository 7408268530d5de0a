// Webhooks: registered URLs that have to prove themselves. Made, read, changed and deleted here; what is done with one
// is webhook-actions.ts; what it may be webhook-rules.ts; which secrets it has webhook-secrets.ts.
import { Type, type Static } from 'typebox';
import type { ChallengeNote } from '../model/challenge.ts';
import { maskHeaders } from '../model/headers.ts';
import { formatId } from '../model/ids.ts';
import { problemOf, Refused, type ProblemFault } from '../model/problem.ts';
import { shownState } from '../model/webhook.ts';
import type { Webhook, Workspace } from '../store/contract.ts';
import { created, done, ok, operation, type Tools } from './kernel.ts';
import { pageThrough } from './paging.ts';
import { checkPull, newPullWebhook } from './pull-webhook.ts';
import { accessAfter, changeOf, updateWebhook } from './webhook-change.ts';
import { OAuthIn, OAuthOut, OAuthPatchIn } from './webhook-oauth.ts';
import { checkBatching, POLICY_EXAMPLE, policyAfter, PolicyIn, PolicyOut, showPolicy } from './webhook-policy.ts';
import { checkHeaders, checkVerification, judgeTokenUrl, judgeUrl } from './webhook-rules.ts';
import { firstSecrets, type Generated } from './webhook-secrets.ts';
import { showTls, TlsIn, TlsOut } from './webhook-tls.ts';
import {
  absent,
  idOf,
  Instant,
  instant,
  instantOrNull,
  numberOf,
  orNull,
  OutcomeOut,
  pageOf,
  PageQuery,
  spanMs,
} from './wire.ts';

const Name = Type.String({
  minLength: 1,
  maxLength: 50,
  pattern: '^[\\p{L}\\p{M}\\p{Nd}.@_ -]+$',
  description: 'Letters, digits and `- . @ _` or space; unique in the workspace (R108).',
});
const Description = Type.String({ maxLength: 100 });
const Url = Type.String({
  minLength: 1,
  maxLength: 4096,
  description: 'https and a public name, unless the operator allows more.',
});
const Secret = Type.String({
  minLength: 4,
  maxLength: 100,
  description: 'HMAC key of challenge and signature. Never trimmed, never shown again (R109). Generated when left out.',
});
const State = Type.Enum(['pending', 'active', 'warning', 'critical', 'paused', 'disabled']);
const Intent = Type.Enum(['enabled', 'paused', 'disabled']);
const Health = Type.Enum(['pending', 'active', 'warning', 'critical']);
const VerificationKind = Type.Enum(['challenge', 'options', 'none'], {
  description: 'How the endpoint proves itself; `none` needs the operator’s setting.',
});
const SigningList = Type.Array(Type.Enum(['standard-v1', 'standard-v1a', 'hpe']), {
  minItems: 1,
  maxItems: 3,
  uniqueItems: true,
  description: 'How deliveries are signed. Left out: `standard-v1` for a `whsec_…` secret, `hpe` for any other.',
});
const Mode = Type.Enum(['push', 'pull', 'listen'], {
  description:
    '`push` sends deliveries to `url`; `pull` keeps them until they are fetched; `listen` keeps them until somebody listens, and hands them over as they would be sent.',
});
const FormatKind = Type.Enum(['structured', 'binary'], {
  description: 'CloudEvents content mode; `structured` when left out.',
});
const Authorization = orNull(
  Type.String({ minLength: 1, maxLength: 1024, description: 'Sent verbatim as `Authorization` (R13); write-only.' }),
);
const Headers = Type.Record(Type.String({ minLength: 1, maxLength: 100 }), Type.String({ maxLength: 1024 }), {
  maxProperties: 20,
  description: 'Further headers of every delivery and challenge. Values are write-only: shown as •••.',
});

/** What a webhook is made of. */
export const WebhookIn = Type.Object(
  {
    name: Name,
    description: Type.Optional(Description),
    mode: Type.Optional(Mode),
    url: Type.Optional(Url),
    secret: Type.Optional(Secret),
    verification: Type.Optional(VerificationKind),
    signing: Type.Optional(SigningList),
    authorization: Type.Optional(Authorization),
    headers: Type.Optional(Headers),
    format: Type.Optional(FormatKind),
    policy: Type.Optional(PolicyIn),
    oauth: Type.Optional(orNull(OAuthIn)),
    tls: Type.Optional(orNull(TlsIn)),
  },
  {
    additionalProperties: false,
    examples: [{ name: 'audit-sheet', url: 'https://hooks.example.com/audit', secret: 's3cr3tKey' }],
  },
);
export type WebhookIn = Static<typeof WebhookIn>;

/** What may change about a webhook; what is left out stays. A changed URL or secret has to be proved again. */
export const WebhookPatchIn = Type.Object(
  {
    name: Type.Optional(Name),
    description: Type.Optional(Description),
    url: Type.Optional(Url),
    secret: Type.Optional(Secret),
    verification: Type.Optional(VerificationKind),
    signing: Type.Optional(SigningList),
    authorization: Type.Optional(Authorization),
    headers: Type.Optional(Headers),
    format: Type.Optional(FormatKind),
    policy: Type.Optional(PolicyIn),
    oauth: Type.Optional(orNull(OAuthPatchIn)),
    tls: Type.Optional(orNull(TlsIn)),
  },
  { additionalProperties: false, minProperties: 1, examples: [{ description: 'Feeds the audit sheet.' }] },
);
export type WebhookPatchIn = Static<typeof WebhookPatchIn>;

const ChallengeOut = Type.Object({
  at: Instant,
  ok: Type.Boolean(),
  error: orNull(Type.String({ description: 'What was wrong with the answer.' })),
  attempt: Type.Integer({ description: 'Which attempt of the run it was, from 1.' }),
  attempts: Type.Integer({ description: 'How many there are before the webhook turns critical.' }),
  nextAt: orNull(Type.String({ format: 'date-time', description: 'When the next attempt follows by itself.' })),
  secret: orNull(
    Type.Enum(['present', 'former'], { description: 'Under which secret the answer was right: see rotate.' }),
  ),
});
/** The last attempt at a challenge. */
export type ChallengeOut = Static<typeof ChallengeOut>;

const WEBHOOK = {
  id: idOf('wh'),
  name: Type.String(),
  description: Type.String(),
  mode: Mode,
  url: Type.String({ description: 'Empty for the modes `pull` and `listen`.' }),
  state: State,
  intent: Intent,
  health: Health,
  reason: Type.String({ description: 'Why it is in its state.' }),
  verification: VerificationKind,
  signing: SigningList,
  format: FormatKind,
  headers: Type.Record(Type.String(), Type.String()),
  policy: PolicyOut,
  oauth: orNull(OAuthOut),
  tls: orNull(TlsOut),
  allowedRate: orNull(Type.Integer({ description: 'Requests per minute the endpoint allowed; null is no limit.' })),
  publicKey: orNull(Type.String({ description: 'ed25519 key (`whpk_…`) that verifies `standard-v1a`.' })),
  secondaryUntil: orNull(
    Type.String({ format: 'date-time', description: 'Until when the former secret is honoured.' }),
  ),
  challenge: orNull(ChallengeOut),
  listenedUntil: orNull(
    Type.String({
      format: 'date-time',
      description: 'Until when somebody listens for it, or did; null: nobody lately.',
    }),
  ),
  lastSuccessAt: orNull(Instant),
  createdAt: Instant,
  updatedAt: Instant,
};
const EXAMPLE = {
  id: 'wh_k3v9x2m4q7_7',
  name: 'audit-sheet',
  description: '',
  mode: 'push',
  url: 'https://hooks.example.com/audit',
  state: 'pending',
  intent: 'enabled',
  health: 'pending',
  reason: 'registered',
  verification: 'challenge',
  signing: ['standard-v1'],
  format: 'structured',
  headers: {},
  policy: POLICY_EXAMPLE,
  oauth: null,
  tls: null,
  allowedRate: null,
  publicKey: null,
  secondaryUntil: null,
  challenge: null,
  listenedUntil: null,
  lastSuccessAt: null,
  createdAt: '2026-11-22T09:30:00.000Z',
  updatedAt: '2026-11-22T09:30:00.000Z',
};

/** A webhook as it is shown: without any secret. */
export const WebhookOut = Type.Object(WEBHOOK, { examples: [EXAMPLE] });
export type WebhookOut = Static<typeof WebhookOut>;

export const WebhooksOut = pageOf(WebhookOut);
export type WebhooksOut = Static<typeof WebhooksOut>;

const ONCE = {
  secret: Type.Optional(Type.String({ description: 'The generated secret, shown this once.' })),
  standardKey: Type.Optional(
    Type.String({ description: 'The generated Standard Webhooks key (`whsec_…`), shown this once.' }),
  ),
};

/** A webhook with what was generated for it: shown this once. A repeat by `Idempotency-Key` answers without. */
export const WebhookSecretOut = Type.Object(
  { ...WEBHOOK, ...ONCE },
  { examples: [{ ...EXAMPLE, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }] },
);
export type WebhookSecretOut = Static<typeof WebhookSecretOut>;

/** A rotation: the new secret, generated when left out; the former one is honoured for `graceMs` more. */
export const RotateIn = Type.Object(
  {
    secret: Type.Optional(Secret),
    graceMs: Type.Optional(spanMs('24 hours when left out.', { maximum: 2_592_000_000 })),
  },
  { additionalProperties: false, examples: [{ graceMs: 3_600_000 }] },
);
export type RotateIn = Static<typeof RotateIn>;

/** The Test button's answer: the state now, what the endpoint said, and what follows by itself (R113). */
export const TestOut = Type.Object(
  { state: State, outcome: OutcomeOut, challenge: ChallengeOut },
  {
    examples: [
      {
        state: 'active',
        outcome: { ok: true, status: 200, durationMs: 12, error: null },
        challenge: {
          at: '2026-11-22T09:30:00.000Z',
          ok: true,
          error: null,
          attempt: 1,
          attempts: 3,
          nextAt: null,
          secret: 'present',
        },
      },
    ],
  },
);
export type TestOut = Static<typeof TestOut>;

/** A recorded change of state. */
export const WebhookChangeOut = Type.Object(
  { at: Instant, state: State, intent: Intent, health: Health, reason: Type.String() },
  {
    examples: [
      { at: '2026-11-22T09:30:00.000Z', state: 'pending', intent: 'enabled', health: 'pending', reason: 'registered' },
    ],
  },
);
export type WebhookChangeOut = Static<typeof WebhookChangeOut>;

/** The last changes of a webhook, the newest first. */
export const WebhookChangesOut = pageOf(WebhookChangeOut);
export type WebhookChangesOut = Static<typeof WebhookChangesOut>;

export const WebhooksQuery = Type.Object({ ...PageQuery }, { additionalProperties: false });
export const WebhookParams = Type.Object({ webhook: idOf('wh') });
export const WebhookDeleteQuery = Type.Object(
  { force: Type.Optional(Type.Boolean({ description: 'Delete it with its subscriptions.' })) },
  { additionalProperties: false },
);

export const createWebhook = operation<WebhookIn, WebhookSecretOut>()({
  summary: 'Register a webhook; it is pending and challenged at once',
  description: 'Events are held for it until it has proved itself (R51, R110). What was generated is shown this once.',
  success: { 201: 'It was registered.' },
  errors: [
    'name-taken',
    'limit-reached',
    'refused-url',
    'refused-header',
    'invalid-secret',
    'invalid-oauth',
    'invalid-tls',
    'verification-required',
  ],
  async handle({ body, workspace, now }, tools) {
    if (body.mode === 'pull') {
      checkPull(body);
      const made = await tools.store.settings.createWebhook(newPullWebhook(body, workspace.workspace, now));
      return created(showWebhook(made));
    }
    const verification = body.verification ?? 'challenge';
    const format = body.format ?? 'structured';
    const policy = policyAfter(body.policy);
    checkBatching({ ...policy, format });
    checkVerification(verification, tools);
    checkHeaders(body.headers, body.authorization);
    const { secrets: first, signing, publicKey, generated } = firstSecrets(body, tools.random.bytes);
    const url = body.mode === 'listen' ? noUrl(body) : await judgeUrl(urlOf(body), tools);
    const wish = { oauth: await judgeTokenUrl(body.oauth, tools), tls: body.tls };
    const { oauth, tls, secrets } = accessAfter(wish, { url, oauth: null, tls: null, secrets: first }, now);
    const isTrusted = verification === 'none';
    const webhook = await tools.store.settings.createWebhook({
      workspace: workspace.workspace,
      name: body.name,
      description: body.description ?? '',
      mode: body.mode ?? 'push',
      url,
      verification,
      signing,
      format,
      headers: body.headers ?? {},
      ...policy,
      publicKey,
      oauth,
      tls,
      secrets,
      health: isTrusted ? 'active' : 'pending',
      reason: isTrusted ? 'registered; it need not prove itself' : 'registered',
      now,
    });
    if (!isTrusted) tools.engine.challenge({ workspace: workspace.workspace, target: webhook.webhook });
    const shown = showWebhook(webhook);
    return created({ ...shown, ...generated }, shown);
  },
});

export const listWebhooks = operation<null, WebhooksOut>()({
  summary: 'List the webhooks',
  query: WebhooksQuery,
  async handle({ query, workspace }, { store }) {
    const all = await store.settings.webhooks(workspace.workspace);
    const { items, next } = pageThrough(
      { list: `webhooks ${workspace.token}`, items: all, keyOf: ({ webhook }) => webhook },
      query,
    );
    return ok({ items: items.map(showWebhook), next });
  },
});

export const getWebhook = operation<null, WebhookOut>()({
  summary: 'Show a webhook',
  params: WebhookParams,
  async handle({ params, workspace }, tools) {
    return ok(showWebhook(await findWebhook(params.webhook, workspace, tools)));
  },
});

export const changeWebhook = operation<WebhookPatchIn, WebhookSecretOut>()({
  summary: 'Change a webhook; a changed URL or secret is challenged again',
  description: 'What is left out stays. What was generated for a changed `signing` is shown this once.',
  params: WebhookParams,
  errors: [
    'name-taken',
    'changed-meanwhile',
    'refused-url',
    'refused-header',
    'invalid-secret',
    'invalid-oauth',
    'invalid-tls',
    'verification-required',
  ],
  async handle({ body, params, workspace, now }, tools) {
    checkHeaders(body.headers, body.authorization);
    const url = body.url === undefined ? undefined : await judgeUrl(body.url, tools);
    const oauth = await judgeTokenUrl(body.oauth, tools);
    let generated: Generated = {};
    const { webhook, again } = await updateWebhook(
      { id: params.webhook, workspace, now },
      tools.store,
      (before, secrets) => {
        if (before.mode === 'pull') checkPull(body);
        if (before.mode === 'listen') noUrl(body);
        if (body.verification !== undefined && body.verification !== before.verification) {
          checkVerification(body.verification, tools);
        }
        const change = changeOf({ ...body, url, oauth }, { before, secrets, now }, tools.random.bytes);
        generated = change.generated;
        return change;
      },
    );
    if (again) tools.engine.challenge({ workspace: workspace.workspace, target: webhook.webhook });
    const shown = showWebhook(webhook);
    return { status: 200, body: { ...shown, ...generated }, stored: shown };
  },
});

export const deleteWebhook = operation<null, null>()({
  summary: 'Delete a webhook; with subscriptions only by force',
  description: 'What was still open for it becomes dead letters.',
  params: WebhookParams,
  query: WebhookDeleteQuery,
  success: { 204: 'It is gone.' },
  errors: ['in-use'],
  async handle({ params, query, workspace, now }, { store }) {
    const key = { workspace: workspace.workspace, target: numberOf('wh', workspace, params.webhook) };
    await store.settings.deleteWebhook(key, query.force === true, now);
    return done();
  },
});

/** What a webhook of mode `listen` has for a URL. Refuses what says how to reach an endpoint: whoever listens knows it. */
function noUrl({ url, oauth, tls }: Pick<WebhookPatchIn, 'url' | 'oauth' | 'tls'>): string {
  const faults = Object.entries({ url, oauth: oauth ?? undefined, tls: tls ?? undefined })
    .filter(([, value]) => value !== undefined)
    .map(([name]): ProblemFault => {
      const detail = `A webhook of mode "listen" is reached through whoever listens: ${name} means nothing to it.`;
      return { pointer: `/${name}`, code: 'invalid-value', detail };
    });
  if (faults.length > 0) throw new Refused(problemOf(faults, 'invalid-request'));
  return '';
}

function urlOf({ url }: WebhookIn): string {
  if (url !== undefined) return url;
  const detail = '"url" is required, unless the mode is "pull" or "listen".';
  throw new Refused(problemOf([{ pointer: '/url', code: 'missing-field', detail }], 'invalid-request'));
}

/** The webhook of an id; refused `not-found`. */
export async function findWebhook(id: string, workspace: Workspace, { store }: Pick<Tools, 'store'>): Promise<Webhook> {
  const webhook = await store.settings.webhook(workspace.workspace, numberOf('wh', workspace, id));
  if (webhook === null) throw absent('wh', id);
  return webhook;
}

/** What a webhook shows of itself. */
export function showWebhook(webhook: Webhook): WebhookOut {
  const { token, intent, health } = webhook;
  return {
    id: formatId('wh', token, webhook.webhook),
    name: webhook.name,
    description: webhook.description,
    mode: webhook.mode,
    url: webhook.url,
    state: shownState(intent, health),
    intent,
    health,
    reason: webhook.reason,
    verification: webhook.verification,
    signing: [...webhook.signing],
    format: webhook.format,
    headers: maskHeaders(webhook.headers),
    policy: showPolicy(webhook),
    oauth: webhook.oauth,
    tls: showTls(webhook.tls),
    allowedRate: webhook.allowedRate,
    publicKey: webhook.publicKey,
    secondaryUntil: instantOrNull(webhook.secondaryUntil),
    challenge: webhook.challenge && showChallenge(webhook.challenge),
    listenedUntil: instantOrNull(webhook.listener && webhook.listener.until),
    lastSuccessAt: instantOrNull(webhook.lastSuccessAt),
    createdAt: instant(webhook.createdAt),
    updatedAt: instant(webhook.updatedAt),
  };
}

/** What an attempt at a challenge shows of itself. */
export function showChallenge({ at, nextAt, ...note }: ChallengeNote): ChallengeOut {
  return { ...note, at: instant(at), ok: note.error === null, nextAt: instantOrNull(nextAt) };
}
