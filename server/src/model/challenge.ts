// The two handshakes by which a webhook proves itself: the HPE challenge (R62–R70, wire 1) and the CloudEvents OPTIONS
// handshake (wire 4). Pure: composes what is sent and judges what comes back; ids, clock and HMAC are handed in.
import { answerHeader, describeOutcome, type Outcome } from './outcome.ts';

export const CHALLENGE_TYPE = 'com.hpe.greenlake.events.v1beta1.webhooks.verification';
/** Settable per installation. */
export const DEFAULT_CHALLENGE_SOURCE = 'https://global.api.greenlake.hpe.com/events';

export interface ChallengeInput {
  /** Fresh random UUIDs: the event's id, and the value to be answered. */
  id: string;
  challengeRequest: string;
  source: string;
  /** Becomes the subject. */
  workspace: string;
  /** Epoch ms. */
  at: number;
}

/** The challenge event as JSON: the eight members of R64 in the order of the source document, times in seconds, UTC. */
export function composeChallenge({ id, challengeRequest, source, workspace, at }: ChallengeInput): string {
  return JSON.stringify({
    data: { challengeRequest },
    datacontenttype: 'application/json',
    id,
    source,
    specversion: '1.0',
    subject: workspace,
    time: `${new Date(at).toISOString().slice(0, 19)}Z`,
    type: CHALLENGE_TYPE,
  });
}

/** HMAC-SHA256 over UTF-8 text with a UTF-8 key, as lower-case hex. */
export type HmacSha256Hex = (key: string, message: string) => string;

export interface ChallengeExpectation {
  challengeRequest: string;
  /** An answer under any of them is right (rotation). */
  secrets: readonly string[];
  /** R67: exactly 200 by default; any 2xx where the installation says so. */
  status: 'exactly-200' | '2xx';
  hmacSha256Hex: HmacSha256Hex;
}

/** `allowedRate`: requests per minute, null for unlimited, absent when the answer does not say (wire 1). */
export type HandshakeVerdict = { ok: true; allowedRate?: number | null } | { ok: false; reason: string };

/** What the last attempt at a challenge came to, kept with the webhook so that people can see it. Instants epoch ms. */
export interface ChallengeNote {
  at: number;
  /** What was wrong with the answer, as one clause, or null when it was right. */
  error: string | null;
  /** Which attempt of how many it was, and when the next one follows by itself, if it does. */
  attempt: number;
  attempts: number;
  nextAt: number | null;
  /** Under which secret the answer was right, or null when it was wrong or proved none. */
  secret: 'present' | 'former' | null;
}

/** Judges the answer to a challenge (R62, R65–R70). `reason` is one clause for the person who wrote the handler. */
export function judgeChallengeAnswer(outcome: Outcome, expected: ChallengeExpectation): HandshakeVerdict {
  if (outcome.kind === 'failure') return refuse(outcome.message);
  const { status, headers, body } = outcome;
  const isStatusRight = expected.status === '2xx' ? status >= 200 && status < 300 : status === 200;
  if (!isStatusRight) {
    const wanted = expected.status === '2xx' ? 'a 2xx status' : 'status 200';
    return refuse(`${describeOutcome(outcome)}; a challenge must be answered with ${wanted}`);
  }
  if (outcome.truncated) return refuse('answered with a body that is far too long to be {"verification":"<hex>"}');
  const text = decodeUtf8(body);
  if (text === null) return refuse('answered with a body that is not UTF-8');
  if (isHex(text.trim().replaceAll('"', ''))) {
    return refuse('answered with the bare value; it must stand in a JSON object: {"verification":"<hex>"}');
  }
  const type = answerHeader(headers, 'content-type');
  if (!isJsonType(type)) {
    const given = type === null ? 'without a Content-Type' : `as ${type}`;
    return refuse(`answered ${given}; a challenge must be answered as application/json`);
  }
  const fault = judgeBody(text, expected);
  if (fault !== null) return refuse(fault);
  return accept(answerHeader(headers, 'webhook-allowed-rate'));
}

function judgeBody(text: string, expected: ChallengeExpectation): string | null {
  if (text.trim() === '') return 'answered with an empty body instead of {"verification":"<hex>"}';
  const answer = parseJson(text);
  if (answer === undefined) return 'answered with a body that is not JSON';
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
    return 'answered with JSON that is not an object; it must be {"verification":"<hex>"}';
  }
  if (!Object.hasOwn(answer, 'verification')) return describeMissingKey(Object.keys(answer));
  const { verification } = answer as { verification: unknown };
  if (typeof verification !== 'string') return 'answered with a "verification" that is not a string';
  return judgeVerification(verification, expected);
}

function judgeVerification(verification: string, expected: ChallengeExpectation): string | null {
  const { challengeRequest, secrets, hmacSha256Hex } = expected;
  const given = verification.toLowerCase();
  let isRight = false;
  // Every secret is tried in full: how long it takes says nothing about which one came close.
  for (const secret of secrets) isRight = equalsConstantTime(given, hmacSha256Hex(secret, challengeRequest)) || isRight;
  if (isRight) return null;
  if (!isHex(given)) return describeEncoding(verification);
  return describeWrongValue(given, expected);
}

// Mistakes that can be told from outside, because the answer is what they would give.
function describeWrongValue(given: string, { challengeRequest, secrets, hmacSha256Hex }: ChallengeExpectation): string {
  const matches = (key: string, message: string): boolean => equalsConstantTime(given, hmacSha256Hex(key, message));
  const wrong = 'answered with a wrong value';
  for (const secret of secrets) {
    if (matches(challengeRequest, secret)) return `${wrong}: key and message are swapped, the secret must be the key`;
    if (matches(secret, `"${challengeRequest}"`))
      return `${wrong}: the quotes around challengeRequest were hashed with it`;
    if (matches(`${secret}\n`, challengeRequest)) return `${wrong}: the handler's secret ends with a line break`;
    if (matches(secret, `${challengeRequest}\n`)) return `${wrong}: a line break was hashed after challengeRequest`;
    if (matches(secret.trim(), challengeRequest))
      return `${wrong}: the registered secret begins or ends with white space, the handler's does not`;
  }
  if (matches('', challengeRequest)) return `${wrong}: the handler computed it with an empty secret`;
  return `${wrong}: it is not HMAC-SHA256 of challengeRequest under the secret of this webhook; compare the secret on both sides, character by character`;
}

function describeEncoding(verification: string): string {
  if (/^sha256=/i.test(verification))
    return 'answered with a prefix "sha256=", which belongs to signatures; send the 64 hex digits alone';
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(verification)) return 'answered in base64; the value must be 64 hex digits';
  if (verification === '') return 'answered with an empty "verification"';
  return `answered with a "verification" of ${verification.length} characters that is not 64 hex digits`;
}

function describeMissingKey(keys: string[]): string {
  const near = keys.find((key) => key.toLowerCase() === 'verification');
  if (near !== undefined)
    return `answered with the key ${JSON.stringify(near)}; it must be "verification" in lower case`;
  const given =
    keys.length === 0
      ? 'an empty object'
      : `the key${keys.length > 1 ? 's' : ''} ${keys
          .slice(0, 5)
          .map((key) => JSON.stringify(key.slice(0, 40)))
          .join(', ')}`;
  return `answered with ${given}; the key "verification" is missing`;
}

/** What an OPTIONS handshake sends (CloudEvents HTTP 1.1 Web Hooks 4.1.1): who asks, and at what rate. */
export interface OptionsRequest {
  /** The DNS name of this installation as sender of events. */
  origin: string;
  /** Requests per minute that are hoped for. */
  rate?: number;
}

/** The headers of the OPTIONS request, flat: name, value, … */
export function composeOptionsHeaders({ origin, rate }: OptionsRequest): string[] {
  const headers = ['WebHook-Request-Origin', origin];
  if (rate !== undefined) headers.push('WebHook-Request-Rate', String(rate));
  return headers;
}

/** Judges the answer to an OPTIONS request: the header is the consent, the status proves nothing (wire 4). */
export function judgeOptionsAnswer(outcome: Outcome, { origin }: OptionsRequest): HandshakeVerdict {
  if (outcome.kind === 'failure') return refuse(outcome.message);
  const allowed = answerHeader(outcome.headers, 'webhook-allowed-origin')?.trim();
  if (allowed === undefined)
    return refuse(`${describeOutcome(outcome)} without WebHook-Allowed-Origin, which is the consent`);
  if (allowed !== '*' && allowed.toLowerCase() !== origin.toLowerCase()) {
    return refuse(`allows events from ${JSON.stringify(allowed.slice(0, 100))}, not from ${origin}`);
  }
  return accept(answerHeader(outcome.headers, 'webhook-allowed-rate'));
}

/** Requests per minute of a `WebHook-Allowed-Rate`; null for `*`; undefined when absent, zero or not a number. */
export function parseAllowedRate(value: string | null): number | null | undefined {
  const text = value?.trim() ?? '';
  if (text === '*') return null;
  const rate = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return rate > 0 ? rate : undefined;
}

function accept(rate: string | null): HandshakeVerdict {
  const allowedRate = parseAllowedRate(rate);
  return allowedRate === undefined ? { ok: true } : { ok: true, allowedRate };
}

function refuse(reason: string): HandshakeVerdict {
  return { ok: false, reason };
}

function isHex(text: string): boolean {
  return /^[0-9a-f]{64}$/i.test(text);
}

function isJsonType(type: string | null): boolean {
  return type !== null && /^application\/json[ \t]*(;|$)/i.test(type.trim());
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function equalsConstantTime(left: string, right: string): boolean {
  let difference = left.length ^ right.length;
  for (let index = 0; index < right.length; index += 1) difference |= left.charCodeAt(index) ^ right.charCodeAt(index);
  return difference === 0;
}
