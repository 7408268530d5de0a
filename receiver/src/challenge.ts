// The HPE GreenLake challenge: a receiver proves that it holds the secret before any event is sent to it.
import { hexOf, utf8 } from './encoding.ts';
import { hmacSha256 } from './web-crypto.ts';

/** An HTTP answer as data: `new Response(answer.body, answer)`, or whatever the framework at hand wants. */
export interface ChallengeAnswer {
  readonly status: 200;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Every text that is answered with its HMAC is a text whose HMAC anybody can have. Delivery signatures are the same HMAC
 * under the same secret, so a free choice of text would let a stranger have event bodies signed. Tokens only: no
 * JSON object or array is one, nor Zoom's `v0:…`. UUIDs, hex and both alphabets of base64 are.
 */
export const answerable = /^[A-Za-z0-9+/=._~-]{1,128}$/;

/**
 * The value a challenge must be answered with: HMAC-SHA256 in lower-case hex, keyed with the secret's UTF-8 bytes as
 * they are (never trimmed, a `whsec_` prefix included), over the challenge exactly as sent (R66, R70, R71).
 */
export async function verificationOf(secret: string, challenge: string): Promise<string> {
  return hexOf(await hmacSha256(utf8(secret))(utf8(challenge)));
}

/**
 * The answer to a challenge, or `undefined` where the body is none. A challenge is told by `data.challengeRequest`,
 * not by its event type (R95). Only tokens of 1–128 characters of `A-Z a-z 0-9 + / = . _ ~ -` are answered; anything
 * else could make this answer the signature of a forged delivery.
 * @param secret the secret the webhook was registered with
 * @param body the request's body, parsed from JSON
 */
export async function answerChallenge(secret: string, body: unknown): Promise<ChallengeAnswer | undefined> {
  const challenge = challengeOf(body);
  if (challenge === undefined) return undefined;
  const verification = await verificationOf(secret, challenge);
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ verification }),
  };
}

/** `data.challengeRequest` where it is there and may be answered. */
export function challengeOf(body: unknown): string | undefined {
  const challenge = memberOf(memberOf(body, 'data'), 'challengeRequest');
  return typeof challenge === 'string' && answerable.test(challenge) ? challenge : undefined;
}

/** Whether bytes are a text that {@link answerChallenge} would give the HMAC of, so that their HMAC proves nothing. */
export function isAnswerable(bytes: Uint8Array): boolean {
  return bytes.length <= 128 && answerable.test(String.fromCharCode(...bytes));
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
