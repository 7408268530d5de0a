// Whether a request was signed by somebody who holds the secret: Standard Webhooks v1 and v1a, and the HPE signature.
import { refuse } from './presets/claim.ts';
import type { Clock, Key, Refused, SignedRequest } from './presets/claim.ts';
import { readStandardWebhooks, standardWebhooksRule } from './presets/standard-webhooks.ts';
import { greenlakeRule } from './presets/table.ts';
import { createRun, weigh } from './presets/work.ts';
import { kindOf, SecretError } from './secrets.ts';
import type { Scheme } from './signatures.ts';

/** What a verifier found. */
export type Verdict =
  | {
      readonly ok: true;
      /** The schemes that signed and were verified; empty only under `require: 'none'`. */
      readonly schemes: readonly Scheme[];
      /** `webhook-id`, where a Standard Webhooks signature vouches for it. */
      readonly id: string | undefined;
    }
  | Refused;

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

interface Keys {
  readonly standard: readonly Key[];
  readonly hpe: readonly Key[];
}
/** `undefined` where the scheme did not sign. */
type Finding = Verdict | undefined;
type Run = ReturnType<typeof createRun>;

/**
 * A verifier for many requests under the same secrets. It never throws on what a request contains.
 * @throws {SecretError} where a secret is missing or empty, is a private key, or does not have the form its prefix promises
 */
export function createVerifier(options: VerifierOptions): (request: SignedRequest) => Promise<Verdict> {
  const { require = 'any', now = Date.now, toleranceMs = 300_000 } = options;
  const keys = keysOf(secretsOf(options.secret));
  const find = findings(keys, createRun());
  return async (request) => {
    const clock = { now: now(), toleranceMs };
    const standard = await find.standardWebhooks(request, clock);
    if (standard?.ok === false) return standard;
    const hpe = await find.hpe(request, clock);
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
  const keys = { standard: [] as Key[], hpe: [] as Key[] };
  for (const secret of secrets) {
    if (typeof secret !== 'string' || secret === '') throw new SecretError('a secret is a text that is not empty');
    const kind = kindOf(secret);
    if (kind !== 'text') keys.standard.push(standardWebhooksRule.keyOf(secret));
    if (kind !== 'whpk') keys.hpe.push(greenlakeRule.keyOf(secret));
  }
  return keys;
}

function findings(keys: Keys, run: Run) {
  return {
    async standardWebhooks(request: SignedRequest, clock: Clock): Promise<Finding> {
      if (!request.headers.has('webhook-signature')) return undefined;
      const claim = readStandardWebhooks(request, clock, 'webhook');
      if ('ok' in claim) return claim;
      if (keys.standard.length === 0) {
        return refuse('no-key', 'signed by Standard Webhooks, and no whsec_ secret or whpk_ key is configured here');
      }
      const key = keys.standard[await run(weigh(claim, keys.standard))];
      if (key) return { ok: true, schemes: [key.algorithm === 'ed25519' ? 'v1a' : 'v1'], id: claim.id };
      return refuse(
        'no-match',
        'no entry of webhook-signature fits id, timestamp and body under a secret configured here',
      );
    },
    async hpe(request: SignedRequest, clock: Clock): Promise<Finding> {
      if (!request.headers.has('hpe-webhook-signature')) return undefined;
      if (keys.hpe.length === 0) {
        return refuse('no-key', 'signed with HPE-Webhook-Signature, and no secret for it is configured here');
      }
      const claim = greenlakeRule.read(request, clock);
      if ('ok' in claim) return claim;
      if ((await run(weigh(claim, keys.hpe))) !== -1) return { ok: true, schemes: ['hpe'], id: undefined };
      return refuse('no-match', 'HPE-Webhook-Signature does not fit the body under a secret configured here');
    },
  };
}
