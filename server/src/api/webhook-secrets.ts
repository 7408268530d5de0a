// Which secrets a webhook has, what of them is generated, and how they turn over (wire facts, section 1). Pure but for
// the random bytes handed in.
//
// A `whsec_…` secret serves both dialects: as text for challenge and HPE signature, decoded for Standard Webhooks. Any
// other text serves challenge and HPE signature; where Standard Webhooks is asked for, it gets a key of its own.
import { generateSecret, importSecret, kindOf, SecretError } from '@bellwire/receiver';
import { generateKeyPairSync } from '@bellwire/receiver/node-crypto';
import { refuse } from '../model/problem.ts';
import type { Signing } from '../model/webhook.ts';
import type { WebhookSecrets } from '../store/contract.ts';

type RandomBytes = (count: number) => Uint8Array;

/** What was generated, to be shown once. */
export interface Generated {
  secret?: string;
  standardKey?: string;
}

/** The secrets of a webhook after a change, and what goes with them. */
export interface Secrets {
  secrets: WebhookSecrets;
  signing: readonly Signing[];
  publicKey: string | null;
  generated: Generated;
}

/** The secrets of a new webhook. Refuses `invalid-secret`. */
export function firstSecrets(
  given: { secret?: string; signing?: readonly Signing[]; authorization?: string | null },
  bytes: RandomBytes,
): Secrets {
  const { secret, generated } = secretOf(given.secret, bytes);
  const signing = given.signing ?? (kindOf(secret) === 'whsec' ? ['standard-v1'] : ['hpe']);
  const blank: WebhookSecrets = {
    secret,
    secondarySecret: null,
    proved: 'secret',
    standardKeys: [],
    signingKey: null,
    authorization: given.authorization ?? null,
    clientSecret: null,
    privateKey: null,
  };
  return equip({ secrets: blank, signing, publicKey: null, generated }, bytes);
}

/** The secret is another one from now on; what was before counts no more. Refuses `invalid-secret`. */
export function replaceSecret(before: Omit<Secrets, 'generated'>, given: string, bytes: RandomBytes): Secrets {
  const { secret } = secretOf(given, bytes);
  const keepsKey = kindOf(secret) !== 'whsec' && kindOf(before.secrets.secret) !== 'whsec';
  const secrets: WebhookSecrets = {
    ...before.secrets,
    secret,
    secondarySecret: null,
    proved: 'secret',
    standardKeys: keepsKey ? before.secrets.standardKeys.slice(0, 1) : [],
  };
  return equip({ ...before, secrets, generated: {} }, bytes);
}

/**
 * The secret turns over. The former one is honoured beside the new one: in challenges, as the key of the HPE signature
 * until the endpoint proves the new one, and as the second Standard Webhooks signature. With `overlap` false it is
 * forgotten at once. Of two former secrets the one the endpoint last proved is kept: it is the one it knows.
 */
export function rotateSecret(
  before: Omit<Secrets, 'generated'>,
  { given, overlap }: { given: string | undefined; overlap: boolean },
  bytes: RandomBytes,
): Secrets {
  const { secret, generated } = secretOf(given, bytes);
  const { secrets: old } = before;
  const former = old.proved === 'secondarySecret' && old.secondarySecret !== null ? old.secondarySecret : old.secret;
  const secrets: WebhookSecrets = {
    ...old,
    secret,
    secondarySecret: overlap ? former : null,
    proved: overlap ? 'secondarySecret' : 'secret',
    standardKeys: [],
  };
  const turned = equip({ ...before, secrets, generated }, bytes);
  const formerKeys = overlap ? old.standardKeys.slice(0, 1) : [];
  return { ...turned, secrets: { ...turned.secrets, standardKeys: [...turned.secrets.standardKeys, ...formerKeys] } };
}

/** The list of signatures is another one: keys that are missing for it are generated. */
export function resign(before: Omit<Secrets, 'generated'>, signing: readonly Signing[], bytes: RandomBytes): Secrets {
  return equip({ ...before, signing, generated: {} }, bytes);
}

/** Generates the keys that the signatures need and that are not there yet. */
function equip(given: Secrets, bytes: RandomBytes): Secrets {
  let { secrets, publicKey, generated } = given;
  if (given.signing.includes('standard-v1') && secrets.standardKeys.length === 0) {
    const own = kindOf(secrets.secret) === 'whsec';
    const key = own ? secrets.secret : generateSecret(bytes(32));
    secrets = { ...secrets, standardKeys: [key] };
    if (!own) generated = { ...generated, standardKey: key };
  }
  if (given.signing.includes('standard-v1a') && secrets.signingKey === null) {
    const pair = generateKeyPairSync(bytes(32));
    secrets = { ...secrets, signingKey: pair.privateKey };
    publicKey = pair.publicKey;
  }
  return { ...given, secrets, publicKey, generated };
}

function secretOf(given: string | undefined, bytes: RandomBytes): { secret: string; generated: Generated } {
  if (given === undefined) {
    const secret = generateSecret(bytes(32));
    return { secret, generated: { secret } };
  }
  return { secret: kindOf(given) === 'whsec' ? importKey(given) : given, generated: {} };
}

// A `whsec_…` that is cut short or mistyped is refused instead of being taken as some text: it would sign wrongly.
function importKey(secret: string): string {
  try {
    return importSecret(secret);
  } catch (error) {
    if (error instanceof SecretError) throw refuse('invalid-secret', `The secret is not usable: ${error.message}.`);
    throw error;
  }
}
