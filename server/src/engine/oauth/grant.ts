// What is said to a token endpoint, and what its answer comes to (RFC 6749 4.4, 5.1, 5.2; RFC 6750). Pure.
import { createMasker } from '../../model/flow/mask.ts';
import { describeOutcome, isOurFault, type Answer, type FailureCode, type Outcome } from '../../model/outcome.ts';
import type { OAuthClient } from '../../model/webhook.ts';

/** An access token; `lifetimeMs` is what the endpoint says of it, null when it says nothing that can be true. */
export interface Token {
  value: string;
  lifetimeMs: number | null;
}

/** A request for a token: flat headers, and a form. */
export interface TokenRequest {
  headers: string[];
  body: Buffer;
}

/** Why there is no token. */
export interface NoToken {
  /** `no-token`; or, when it is our own fault that the endpoint was not asked, what that is. */
  code: FailureCode;
  /** Of `no-token`, what the endpoint did; otherwise a clause of its own. */
  words: string;
  /** The `Retry-After` of the endpoint as it came, or null. */
  retryAfter: string | null;
}

/** Composes the request. */
export function composeTokenRequest(client: OAuthClient, clientSecret: string): TokenRequest {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  for (const name of ['scope', 'audience', 'resource'] as const) {
    const value = client[name];
    if (value !== null) form.set(name, value);
  }
  const headers = ['content-type', 'application/x-www-form-urlencoded', 'accept', 'application/json'];
  if (client.auth === 'basic') {
    // Form-encoded before they are joined (RFC 6749 2.3.1): either may contain a colon.
    const pair = `${encodeForm(client.clientId)}:${encodeForm(clientSecret)}`;
    headers.push('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
  } else {
    form.set('client_id', client.clientId);
    form.set('client_secret', clientSecret);
  }
  return { headers, body: Buffer.from(form.toString()) };
}

function encodeForm(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}

/** Judges an answer. Total; nothing of what it says contains the client's secret. */
export function judgeTokenAnswer(outcome: Outcome, clientSecret: string): Token | NoToken {
  if (outcome.kind === 'failure') return noToken(outcome, describeOutcome(outcome));
  const { status, truncated } = outcome;
  const body = parseObject(outcome);
  if (status < 200 || status > 299) {
    const error = body === null ? '' : describeError(body, clientSecret);
    return noToken(outcome, describeOutcome(outcome) + error);
  }
  if (truncated) return noToken(outcome, 'answered with more than a token can be');
  if (body === null) return noToken(outcome, `answered ${status} with ${contentTypeOf(outcome)} instead of a token`);
  const { access_token: value, token_type: type } = body;
  if (typeof value !== 'string' || !TOKEN.test(value)) return noToken(outcome, `answered ${status} without a token`);
  // Required by RFC 6749 5.1, and left out by some who mean this one.
  if (type !== undefined && !/^bearer$/i.test(typeof type === 'string' ? type : '')) {
    return noToken(outcome, 'gave a token that is not of the type Bearer');
  }
  return { value, lifetimeMs: lifetimeOf(body['expires_in']) };
}

/** RFC 6750 2.1 asks for less; whatever a header can carry whole is let through. */
const TOKEN = /^[!-~]{1,8192}$/;
const LONGEST_ERROR = 200;
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/g;

function noToken(outcome: Outcome, words: string): NoToken {
  if (outcome.kind === 'response') return { code: 'no-token', words, retryAfter: outcome.retryAfter };
  return { code: isOurFault(outcome) ? outcome.code : 'no-token', words, retryAfter: null };
}

function parseObject({ body, truncated }: Answer): Record<string, unknown> | null {
  if (truncated) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function contentTypeOf({ headers }: Answer): string {
  const value = headers.find(([name]) => name === 'content-type')?.[1];
  return value?.split(';')[0]?.trim().slice(0, 60) || 'something';
}

// RFC 6749 5.2. Sloppy providers repeat what they were sent.
function describeError(body: Record<string, unknown>, clientSecret: string): string {
  const texts = [body['error'], body['error_description']].filter((text) => typeof text === 'string');
  const masker = createMasker([clientSecret, encodeForm(clientSecret)]);
  const words = masker.text(texts.join(': ').replace(CONTROL, ' ')).trim();
  if (words === '') return '';
  return ` (${words.length > LONGEST_ERROR ? `${words.slice(0, LONGEST_ERROR)}…` : words})`;
}

// Seconds, as a number or, against the letter, as text.
function lifetimeOf(expiresIn: unknown): number | null {
  const seconds = typeof expiresIn === 'string' && /^\d{1,12}$/.test(expiresIn) ? Number(expiresIn) : expiresIn;
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null;
}
