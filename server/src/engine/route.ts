// A route: everything a delivery needs to know about its target, prepared once per change of the webhook or post-processing.
import { createSyncSigner, type Message, type SignatureHeaders, type SigningKey } from '@bellwire/receiver';
import { nodeCrypto } from '@bellwire/receiver/node-crypto';
import type { Masker } from '../model/flow/mask.ts';
import { MASK, maskHeaders } from '../model/headers.ts';
import type { Batching } from '../model/batch.ts';
import { BATCH_CONTENT_TYPE, STRUCTURED_CONTENT_TYPE } from '../model/cloud-events/index.ts';
import { ANY_ORDER, type Order, type Recovery } from '../model/order.ts';
import { CLOUD_AUTOMATOR_USER_AGENT, type ReportSetting } from '../model/post-processing.ts';
import { planInOrder, type RetryPlan } from '../model/retry.ts';
import { isSendable, type Format, type Intent, type Vitals } from '../model/webhook.ts';
import { LANES, type OwnedLane, type Reached, type Webhook, type WebhookSecrets } from '../store/contract.ts';
import { hmacSha256 } from './hmac.ts';
import { makeCredentials, type Credentials } from './oauth/index.ts';
import { nameTlsIdentity, parseTarget, type Target, type TlsIdentity } from './transport/index.ts';
import { maskerOf } from './unsaid.ts';

/** A webhook, ready to be delivered to. */
export interface Route {
  token: string;
  lane: OwnedLane['lane'];
  url: string;
  target: Target;
  /** What its access tokens are got with, or null. */
  credentials: Credentials | null;
  format: Format;
  /** Static request headers, flat: name, value, … */
  headers: readonly string[];
  /** Takes those of them that are secrets out of answers; null where none is. */
  masker: Masker | null;
  /** The same as a JSON object with secrets masked, as they are kept with each attempt. */
  shownHeaders: string;
  sign(message: Message): SignatureHeaders;
  plan: RetryPlan;
  timeoutMs: number;
  order: Order;
  recovery: Recovery;
  /** How large its batches may be, or null: each delivery goes alone. */
  batch: Batching | null;
  /** Order, recovery and batches as one name: another name is another line. */
  orderName: string;
  /** Between two sends at least this, ms: by the webhook's own rate and the one its endpoint allowed, whichever is lower; 0 without. */
  paceMs: number;
  /** Until when the endpoint asked to be left alone, as far as the store knows (epoch ms); 0 without. */
  quietUntil: number;
  intent: Intent;
  vitals: Vitals;
  revision: number;
  sendable: boolean;
  /** When a former secret ends, or a listener may be gone, and the route has to be made again; or null. */
  expiresAt: number | null;
  /** How it is reported to, for a post-processing; null for a webhook. */
  report: ReportRoute | null;
  /** What is delivered starts a run. */
  isFlow: boolean;
  /** Its requests go to whoever listens for it. */
  isRelayed: boolean;
  /** They do although it has a URL: what comes of them says nothing about that. */
  isTakenOver: boolean;
}

/** A post-processing, with what it leaves open filled in. */
export interface ReportRoute extends ReportSetting {
  intervalMs: number;
}

/** Defaults of the installation for what a webhook leaves open. */
export interface RouteDefaults {
  plan: RetryPlan;
  timeoutMs: number;
  userAgent: string;
  /** Of post-processings: from the beginning of one send to the next, and the deadline of each, ms (R27). */
  report: { intervalMs: number; timeoutMs: number };
}

/** The name of no order, no wish for what is fresh, and no batches. */
export const ANY_IN_ORDER = JSON.stringify([ANY_ORDER, 'in-order', null]);

/** What stands in the place of an access token's header. */
export const BEARER_MASK = `Bearer ${MASK}`;

/** Where nothing is ever sent by HTTP: what has no URL is fetched or handed on, an e-mail goes to its server. */
const NOWHERE = parseTarget('https://nowhere.invalid/', null);

/** Where requests of a webhook go at this instant: to its URL, or to whoever listens; `null`: nobody does. */
export function wayTo({ mode, listener }: Pick<Webhook, 'mode' | 'listener'>, now: number): 'url' | 'listener' | null {
  const isHeard = listener !== null && listener.until > now;
  if (mode === 'listen') return isHeard ? 'listener' : null;
  if (mode !== 'push') return null;
  return isHeard && listener.takesOver ? 'listener' : 'url';
}

/** Makes the route of a webhook as it is at this instant (epoch ms). */
export function makeRoute(
  { webhook, secrets, report, isFlow = false }: Reached,
  defaults: RouteDefaults,
  now: number,
): Route {
  const { intent, health, streak, lastSuccessAt, secondaryUntil } = webhook;
  const rotating = secondaryUntil !== null && secondaryUntil > now;
  const way = wayTo(webhook, now);
  const isTakenOver = way === 'listener' && webhook.mode === 'push';
  const named = (own: Webhook['headers']): string[] =>
    report
      ? reportHeaders(report, defaults.userAgent)
      : staticHeaders({ ...webhook, headers: own }, defaults.userAgent);
  const { authorization } = secrets;
  const secretHeaders = (value: string): string[] => (authorization === null ? [] : ['authorization', value]);
  const credentials = credentialsOf({ webhook, secrets });
  const shown = credentials === null ? secretHeaders(MASK) : ['authorization', BEARER_MASK];
  return {
    token: webhook.token,
    lane: webhook.bucket % LANES,
    url: webhook.url,
    target: targetOf({ webhook, secrets }),
    credentials,
    format: webhook.format,
    // What opens the endpoint's doors is not for whoever stands in for it.
    headers: isTakenOver ? named({}) : [...named(webhook.headers), ...secretHeaders(authorization ?? '')],
    masker: secretsSent({ webhook, secrets }),
    shownHeaders: asObject(isTakenOver ? named({}) : [...named(maskHeaders(webhook.headers)), ...shown]),
    sign: report || isFlow ? () => ({}) : signerOf({ webhook, secrets }, rotating),
    plan: planInOrder(
      webhook.order,
      webhook.retryDelaysMs === null ? defaults.plan : { ...defaults.plan, delaysMs: webhook.retryDelaysMs },
    ),
    timeoutMs: webhook.timeoutMs ?? (report ? defaults.report : defaults).timeoutMs,
    order: webhook.order,
    recovery: webhook.recovery,
    batch: webhook.batch,
    orderName: JSON.stringify([webhook.order, webhook.recovery, webhook.batch]),
    paceMs: paceOf(webhook),
    quietUntil: webhook.quietUntil ?? 0,
    intent,
    vitals: { health, streak, lastSuccessAt },
    revision: webhook.revision,
    sendable: way !== null && isSendable(intent, health),
    expiresAt: soonest(rotating ? secondaryUntil : null, way === 'listener' ? webhook.listener!.until : null),
    report: report ? { ...report, intervalMs: report.intervalMs ?? defaults.report.intervalMs } : null,
    isFlow,
    isRelayed: way === 'listener',
    isTakenOver,
  };
}

/** What people put into headers is no secret where it is shorter: `json`, `true`, a version. */
const SHORTEST_HEADER = 8;

/** Takes out of an answer what a webhook's requests say of secrets; null where they say nothing. */
export function secretsSent({ webhook, secrets }: Reached): Masker | null {
  const named = Object.values(webhook.headers).filter((value) => value.length >= SHORTEST_HEADER);
  return maskerOf([secrets.authorization, ...named]);
}

function soonest(...instants: readonly (number | null)[]): number | null {
  const all = instants.filter((at) => at !== null);
  return all.length === 0 ? null : Math.min(...all);
}

/** Where a webhook's requests go, and who we are there. */
export function targetOf({ webhook, secrets }: Reached): Target {
  return webhook.url === '' ? NOWHERE : parseTarget(webhook.url, tlsIdentityOf(webhook, secrets));
}

function tlsIdentityOf({ tls }: Webhook, { privateKey }: WebhookSecrets): TlsIdentity | null {
  return tls === null ? null : nameTlsIdentity({ ...tls, privateKey });
}

/** What a webhook's access tokens are got with; null when it needs none. */
export function credentialsOf({ webhook, secrets }: Reached): Credentials | null {
  const { clientSecret } = secrets;
  return webhook.oauth === null || clientSecret === null ? null : makeCredentials(webhook.oauth, clientSecret);
}

/**
 * The route of a webhook that was read again. What memory has seen of its deliveries is newer than what the store was
 * told of them; its state is the store's, for people may have changed it. While a change of ours is on its way there
 * (`isUnwritten`), both must allow a send.
 */
export function takeOver(read: Route, before: Route, isUnwritten: boolean): Route {
  if (isUnwritten) {
    const { vitals, revision, intent, sendable } = before;
    return { ...read, vitals, revision, intent, sendable: read.sendable && sendable };
  }
  const { health, streak, lastSuccessAt } = read.vitals;
  const known = before.vitals;
  const vitals = {
    health,
    streak: health === known.health ? known.streak : streak,
    lastSuccessAt: Math.max(lastSuccessAt ?? 0, known.lastSuccessAt ?? 0) || null,
  };
  return { ...read, vitals };
}

function staticHeaders({ headers, format, batch }: Webhook, userAgent: string): string[] {
  const own = Object.entries(headers).flat();
  const named = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  if (!named.has('user-agent')) own.push('user-agent', userAgent);
  if (batch !== null) own.push('content-type', BATCH_CONTENT_TYPE);
  else if (format === 'structured') own.push('content-type', STRUCTURED_CONTENT_TYPE);
  return own;
}

// The order, too, is that of what is sent (R21, R25).
function reportHeaders({ dialect }: ReportSetting, userAgent: string): string[] {
  const name = dialect === 'cloud-automator' ? CLOUD_AUTOMATOR_USER_AGENT : userAgent;
  return ['user-agent', name, 'content-type', 'application/json'];
}

function asObject(flat: readonly string[]): string {
  const object: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) object[flat[i]!] = flat[i + 1]!;
  return JSON.stringify(object);
}

function signerOf({ webhook, secrets }: Reached, rotating: boolean): Route['sign'] {
  if (webhook.mode === 'pull') return () => ({});
  return createSyncSigner(signingKeys(webhook, secrets, rotating), { ...nodeCrypto, hmacSha256 });
}

// The HPE signature carries one value only, so it is made with the secret the endpoint proved last. Standard Webhooks
// carries as many as there are: during a rotation the former key signs beside the present one.
function signingKeys({ signing }: Webhook, secrets: WebhookSecrets, rotating: boolean): SigningKey[] {
  const keys: SigningKey[] = [];
  if (signing.includes('standard-v1')) {
    const [present, ...former] = secrets.standardKeys;
    for (const secret of rotating ? [present, ...former] : [present]) if (secret) keys.push({ scheme: 'v1', secret });
  }
  if (signing.includes('standard-v1a') && secrets.signingKey !== null) {
    keys.push({ scheme: 'v1a', secret: secrets.signingKey });
  }
  if (signing.includes('hpe')) {
    const old = rotating && secrets.proved === 'secondarySecret' ? secrets.secondarySecret : null;
    keys.push({ scheme: 'hpe', secret: old ?? secrets.secret });
  }
  return keys;
}

function paceOf({ rate, allowedRate }: Webhook): number {
  const perMinute = Math.min(rate ?? Infinity, allowedRate ?? Infinity);
  return perMinute === Infinity ? 0 : 60_000 / perMinute;
}
