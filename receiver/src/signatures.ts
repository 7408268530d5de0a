// What a delivery is signed with: the exact content and header of each scheme, and the two drivers that sign.
// Sender and receiver read this one file, so they cannot drift apart.
import { base64Of, concat, hexOf, utf8 } from './encoding.ts';
import { hmacKeyOf, keyPairOf, seedOf } from './secrets.ts';
import type { KeyPair } from './secrets.ts';
import * as webCrypto from './web-crypto.ts';

/**
 * How a delivery is signed.
 * - `v1`: Standard Webhooks 1.0, HMAC-SHA256, secret `whsec_…`
 * - `v1a`: Standard Webhooks 1.0, ed25519, key `whsk_…`
 * - `hpe`: HPE GreenLake, HMAC-SHA256 over the body alone, the secret is any text, taken as UTF-8
 */
export type Scheme = 'v1' | 'v1a' | 'hpe';

/** One key to sign with. During a rotation there are two of a Standard Webhooks scheme: the new one first. */
export interface SigningKey {
  readonly scheme: Scheme;
  /** The text form that belongs to the scheme, see {@link Scheme}. */
  readonly secret: string;
}

/** What is signed. */
export interface Message {
  /** The delivery's own id, the same over all tries: visible ASCII without a dot. */
  readonly id: string;
  /** The instant of this try, epoch ms; the wire carries whole seconds. */
  readonly sentAt: number;
  /** The body's bytes exactly as they are sent. */
  readonly body: Uint8Array;
}

/**
 * Header names (lower-case) and values: `webhook-id`, `webhook-timestamp`, `webhook-signature` where a Standard
 * Webhooks key signed, `hpe-webhook-signature` where an HPE secret did.
 */
export type SignatureHeaders = Record<string, string>;

/** The synchronous functions of a runtime that has them, each prepared once per key. */
export interface SyncCrypto {
  /** HMAC-SHA256 of `head` (ASCII) followed by `body`, without joining the two. */
  hmacSha256(key: Uint8Array): (head: string, body: Uint8Array, encoding: 'hex' | 'base64') => string;
  /** ed25519 under the key of a 32-byte seed: 64 bytes. */
  ed25519Sign(seed: Uint8Array): (message: Uint8Array) => Uint8Array;
}

/** What Standard Webhooks signs before the body: `id.timestamp.`, the timestamp in whole seconds. */
export function standardWebhooksHead(id: string, timestampSeconds: number | string): string {
  return `${id}.${timestampSeconds}.`;
}

/** The whole content that Standard Webhooks signs: `id.timestamp.body`. */
export function standardWebhooksContent(id: string, timestampSeconds: number | string, body: Uint8Array): Uint8Array {
  return concat(utf8(standardWebhooksHead(id, timestampSeconds)), body);
}

/**
 * A signer for many messages under the same keys, on functions that answer at once (`nodeCrypto` of
 * `@bellwire/receiver/node-crypto`). The body is never copied, except for ed25519, which needs it in one piece.
 * @throws {SecretError} where a key does not have the form of its scheme
 */
export function createSyncSigner(
  keys: readonly SigningKey[],
  crypto: SyncCrypto,
): (message: Message) => SignatureHeaders {
  const signers = checked(keys).map(({ scheme, secret }) => syncSigner(scheme, secret, crypto));
  return (message) => {
    const head = headOf(message);
    const signatures = signers.map((sign) => sign(head, message.body));
    return headersOf(keys, message, signatures);
  };
}

/**
 * A signer for many messages under the same keys, on WebCrypto.
 * @throws {SecretError} where a key does not have the form of its scheme
 */
export function createSigner(keys: readonly SigningKey[]): (message: Message) => Promise<SignatureHeaders> {
  const signers = checked(keys).map(({ scheme, secret }) => webSigner(scheme, secret));
  return async (message) => {
    const content = concat(utf8(headOf(message)), message.body);
    const signatures = await Promise.all(signers.map((sign) => sign(content, message.body)));
    return headersOf(keys, message, signatures);
  };
}

/** Signs one message on WebCrypto; {@link createSigner} for many. */
export async function sign(message: Message, keys: readonly SigningKey[]): Promise<SignatureHeaders> {
  return createSigner(keys)(message);
}

/** A new ed25519 key pair out of 32 random bytes, on WebCrypto. */
export async function generateKeyPair(seed: Uint8Array): Promise<KeyPair> {
  return keyPairOf(seed, await webCrypto.ed25519PublicKey(seed));
}

function syncSigner(scheme: Scheme, secret: string, crypto: SyncCrypto): (head: string, body: Uint8Array) => string {
  if (scheme === 'v1a') {
    const signContent = crypto.ed25519Sign(seedOf(secret));
    return (head, body) => base64Of(signContent(concat(utf8(head), body)));
  }
  if (scheme === 'v1') {
    const mac = crypto.hmacSha256(hmacKeyOf(secret));
    return (head, body) => mac(head, body, 'base64');
  }
  const mac = crypto.hmacSha256(utf8(secret));
  return (_head, body) => mac('', body, 'hex');
}

function webSigner(scheme: Scheme, secret: string): (content: Uint8Array, body: Uint8Array) => Promise<string> {
  if (scheme === 'v1a') {
    const signContent = webCrypto.ed25519Sign(seedOf(secret));
    return async (content) => base64Of(await signContent(content));
  }
  if (scheme === 'v1') {
    const mac = webCrypto.hmacSha256(hmacKeyOf(secret));
    return async (content) => base64Of(await mac(content));
  }
  const mac = webCrypto.hmacSha256(utf8(secret));
  return async (_content, body) => hexOf(await mac(body));
}

function checked(keys: readonly SigningKey[]): readonly SigningKey[] {
  if (keys.length === 0) throw new TypeError('a signer needs at least one key');
  // The HPE header has room for one signature; a receiver in rotation tries both its secrets instead.
  if (keys.filter((key) => key.scheme === 'hpe').length > 1) throw new TypeError('only one HPE secret can sign');
  return keys;
}

function headOf({ id, sentAt }: Message): string {
  // A dot would let `id.timestamp.body` be cut in a second way.
  if (!/^[!-\-/-~]+$/.test(id)) throw new RangeError('a message id is visible ASCII without a dot');
  return standardWebhooksHead(id, secondsOf(sentAt));
}

function headersOf(keys: readonly SigningKey[], message: Message, signatures: readonly string[]): SignatureHeaders {
  const headers: SignatureHeaders = {};
  let list = '';
  for (let at = 0; at < keys.length; at++) {
    const { scheme } = keys[at]!;
    if (scheme === 'hpe') headers['hpe-webhook-signature'] = `sha256=${signatures[at]}`;
    else list += `${list === '' ? '' : ' '}${scheme},${signatures[at]}`;
  }
  if (list !== '') {
    headers['webhook-id'] = message.id;
    headers['webhook-timestamp'] = String(secondsOf(message.sentAt));
    headers['webhook-signature'] = list;
  }
  return headers;
}

function secondsOf(instant: number): number {
  return Math.floor(instant / 1000);
}
