// Whether a request was signed by somebody who holds the secret: Standard Webhooks v1 and v1a, and the HPE signature.
import { base64Of, bytesOfBase64, bytesOfHex, concat, equalBytes, utf8 } from './encoding.ts';
import { hmacKeyOf, kindOf, publicKeyBytesOf, SecretError } from './secrets.ts';
import { standardWebhooksHead } from './signatures.ts';
import type { Scheme } from './signatures.ts';
import { ed25519Verify, hmacSha256 } from './web-crypto.ts';

/** Why a request was not accepted; stable, for programs. */
export type Refusal =
  | 'unsigned'
  | 'missing-header'
  | 'no-key'
  | 'bad-timestamp'
  | 'too-old'
  | 'too-new'
  | 'no-match'
  | 'required-scheme-missing';

/** What a verifier found. */
export type Verdict =
  | {
      readonly ok: true;
      /** The schemes that signed and were verified; empty only under `require: 'none'`. */
      readonly schemes: readonly Scheme[];
      /** `webhook-id`, where a Standard Webhooks signature vouches for it. */
      readonly id: string | undefined;
    }
  | {
      readonly ok: false;
      readonly reason: Refusal;
      /** The reason as a sentence. It contains no secret and no expected signature. */
      readonly detail: string;
    };

/** Settings of a verifier. */
export interface VerifierOptions {
  /**
   * One secret or several (a rotation): `whsec_…` serves Standard Webhooks v1 and, as text, the HPE signature;
   * `whpk_…` serves v1a; any other text serves the HPE signature.
   */
  readonly secret: string | readonly string[];
  /**
   * `any` (default): every signature the sender put must verify and there must be one. A scheme's name: that one must
   * be there, too. `none`: unsigned requests pass, but a signature that is there must still verify.
   */
  readonly require?: 'any' | 'standard-webhooks' | 'hpe' | 'none';
  /** The clock, epoch ms. */
  readonly now?: () => number;
  /** How far a Standard Webhooks timestamp may be off, inclusive. Default 300,000. */
  readonly toleranceMs?: number;
}

/** What is verified: the headers, and the body's bytes exactly as they arrived, never parsed and written again. */
export interface SignedRequest {
  readonly headers: Headers;
  readonly body: Uint8Array;
}

type Mac = (message: Uint8Array) => Promise<Uint8Array>;
type Check = (signature: Uint8Array, message: Uint8Array) => Promise<boolean>;
interface Keys {
  readonly v1: readonly Mac[];
  readonly v1a: readonly Check[];
  readonly hpe: readonly Mac[];
}
/** `undefined` where the scheme did not sign. */
type Finding = Verdict | undefined;

// 16 KB of headers hold some 170 ed25519 signatures, 0.1 ms each to judge; no sender has more keys than this at once.
const entriesJudged = 32;

/**
 * A verifier for many requests under the same secrets. It never throws on what a request contains.
 * @throws {SecretError} where a secret is missing or empty, is a private key, or does not have the form its prefix promises
 */
export function createVerifier(options: VerifierOptions): (request: SignedRequest) => Promise<Verdict> {
  const { require = 'any', now = Date.now, toleranceMs = 300_000 } = options;
  const keys = keysOf(secretsOf(options.secret));
  return async (request) => {
    const standard = await standardWebhooksFinding(request, keys, { now: now(), toleranceMs });
    if (standard?.ok === false) return standard;
    const hpe = await hpeFinding(request, keys);
    if (hpe?.ok === false) return hpe;
    if (standard === undefined && hpe === undefined && require !== 'none') {
      return refuse('unsigned', 'the request carries neither webhook-signature nor HPE-Webhook-Signature');
    }
    if ((require === 'standard-webhooks' && !standard) || (require === 'hpe' && !hpe)) {
      return refuse('required-scheme-missing', `a signature of the scheme ${require} is required`);
    }
    return { ok: true, schemes: [...(standard?.schemes ?? []), ...(hpe?.schemes ?? [])], id: standard?.id };
  };
}

/** Judges one request; {@link createVerifier} for many. */
export async function verify(request: SignedRequest, options: VerifierOptions): Promise<Verdict> {
  return createVerifier(options)(request);
}

// From JavaScript, or out of an environment that lacks it, the secret may be missing in spite of its type.
function secretsOf(secret: string | readonly string[] | null | undefined): readonly string[] {
  if (secret === undefined || secret === null) {
    throw new SecretError('secret is missing: give the one the webhook is registered with');
  }
  return typeof secret === 'string' ? [secret] : secret;
}

function keysOf(secrets: readonly string[]): Keys {
  if (secrets.length === 0) throw new SecretError('at least one secret is needed');
  const keys = { v1: [] as Mac[], v1a: [] as Check[], hpe: [] as Mac[] };
  for (const secret of secrets) {
    if (typeof secret !== 'string' || secret === '') throw new SecretError('a secret is a text that is not empty');
    const kind = kindOf(secret);
    if (kind === 'whsk')
      throw new SecretError('a whsk_ key signs and belongs to the sender: verify with its whpk_ key');
    if (kind === 'whpk') {
      keys.v1a.push(ed25519Verify(publicKeyBytesOf(secret)));
      continue;
    }
    if (kind === 'whsec') keys.v1.push(hmacSha256(hmacKeyOf(secret)));
    keys.hpe.push(hmacSha256(utf8(secret)));
  }
  return keys;
}

async function standardWebhooksFinding(
  { headers, body }: SignedRequest,
  keys: Keys,
  clock: { now: number; toleranceMs: number },
): Promise<Finding> {
  const list = headers.get('webhook-signature');
  if (list === null) return undefined;
  const id = headers.get('webhook-id');
  const timestamp = headers.get('webhook-timestamp');
  if (!id || !timestamp) {
    return refuse('missing-header', `webhook-signature without ${id ? 'webhook-timestamp' : 'webhook-id'}`);
  }
  if (keys.v1.length + keys.v1a.length === 0) {
    return refuse('no-key', 'signed by Standard Webhooks, and no whsec_ secret or whpk_ key is configured here');
  }
  const fault = timestampFault(timestamp, clock);
  if (fault) return fault;
  const content = concat(utf8(standardWebhooksHead(id, timestamp)), body);
  const scheme = await matchingScheme(list, content, keys);
  if (scheme) return { ok: true, schemes: [scheme], id };
  return refuse('no-match', 'no entry of webhook-signature fits id, timestamp and body under a secret configured here');
}

function timestampFault(text: string, clock: { now: number; toleranceMs: number }): Verdict | undefined {
  if (!/^(0|[1-9]\d{0,11})$/.test(text)) return refuse('bad-timestamp', 'webhook-timestamp is not an integer');
  const age = Math.floor(clock.now / 1000) - Number(text);
  const tolerance = clock.toleranceMs / 1000;
  if (age > tolerance) return refuse('too-old', `webhook-timestamp lies ${age} s back, ${tolerance} s are tolerated`);
  if (-age > tolerance)
    return refuse('too-new', `webhook-timestamp lies ${-age} s ahead, ${tolerance} s are tolerated`);
  return undefined;
}

async function matchingScheme(list: string, content: Uint8Array, keys: Keys): Promise<'v1' | 'v1a' | undefined> {
  const expected = await Promise.all(keys.v1.map((mac) => mac(content)));
  for (const entry of list.split(' ').slice(0, entriesJudged)) {
    const comma = entry.indexOf(',');
    const scheme = entry.slice(0, comma);
    if (scheme !== 'v1' && scheme !== 'v1a') continue;
    const signature = canonicalBase64(entry.slice(comma + 1));
    if (signature === undefined) continue;
    if (scheme === 'v1' && expected.some((mac) => equalBytes(mac, signature))) return 'v1';
    if (scheme === 'v1a' && signature.length === 64 && (await anyAccepts(keys.v1a, signature, content))) return 'v1a';
  }
  return undefined;
}

async function anyAccepts(checks: readonly Check[], signature: Uint8Array, content: Uint8Array): Promise<boolean> {
  for (const check of checks) if (await check(signature, content)) return true;
  return false;
}

async function hpeFinding({ headers, body }: SignedRequest, keys: Keys): Promise<Finding> {
  const header = headers.get('hpe-webhook-signature');
  if (header === null) return undefined;
  if (keys.hpe.length === 0) {
    return refuse('no-key', 'signed with HPE-Webhook-Signature, and no secret for it is configured here');
  }
  const hex = /^(?:sha256=)?([0-9a-f]{64})$/i.exec(header)?.[1];
  const signature = hex === undefined ? undefined : bytesOfHex(hex);
  if (signature !== undefined) {
    const expected = await Promise.all(keys.hpe.map((mac) => mac(body)));
    if (expected.some((mac) => equalBytes(mac, signature))) return { ok: true, schemes: ['hpe'], id: undefined };
  }
  return refuse('no-match', 'HPE-Webhook-Signature does not fit the body under a secret configured here');
}

// One signature, one spelling: what decodes to the right bytes but is written otherwise is not what was sent.
function canonicalBase64(text: string): Uint8Array | undefined {
  const bytes = bytesOfBase64(text);
  return bytes !== undefined && base64Of(bytes) === text ? bytes : undefined;
}

function refuse(reason: Refusal, detail: string): Verdict & { ok: false } {
  return { ok: false, reason, detail };
}
