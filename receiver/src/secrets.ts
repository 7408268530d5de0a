// The text forms of secrets and keys: `whsec_` (shared secret), `whsk_` and `whpk_` (ed25519 key pair), plain text.
import { base64Of, bytesOfBase64, concat } from './encoding.ts';

const secretPrefix = 'whsec_';
const privatePrefix = 'whsk_';
const publicPrefix = 'whpk_';

/** A secret that cannot be used as it stands. The message names what is wrong and never contains the secret. */
export class SecretError extends TypeError {
  override name = 'SecretError';
}

/**
 * The HMAC key of a `whsec_…` secret: the decoded base64 after the prefix.
 * Any length is taken, so that old and short secrets still verify; {@link importSecret} is the door with the limits.
 * @throws {SecretError} where the prefix is missing or the rest is not base64
 */
export function hmacKeyOf(secret: string): Uint8Array {
  return decode(secret, secretPrefix);
}

/**
 * The 32-byte ed25519 seed of a `whsk_…` key (64 bytes: the seed, then the public key).
 * @throws {SecretError}
 */
export function seedOf(privateKey: string): Uint8Array {
  return ofLength(decode(privateKey, privatePrefix), 64, privatePrefix).subarray(0, 32);
}

/**
 * The 32 bytes of a `whpk_…` key.
 * @throws {SecretError}
 */
export function publicKeyBytesOf(publicKey: string): Uint8Array {
  return ofLength(decode(publicKey, publicPrefix), 32, publicPrefix);
}

/** The `whpk_…` key that belongs to a `whsk_…` key; it may be shown to anyone. */
export function publicKeyOf(privateKey: string): string {
  return publicPrefix + base64Of(ofLength(decode(privateKey, privatePrefix), 64, privatePrefix).subarray(32));
}

/**
 * Checks a `whsec_…` secret somebody brings along and returns it unchanged.
 * @throws {SecretError} unless it decodes to 24–64 bytes (Standard Webhooks 1.0)
 */
export function importSecret(secret: string): string {
  checkStrength(hmacKeyOf(secret));
  return secret;
}

/**
 * A new `whsec_…` secret out of random bytes (`crypto.getRandomValues(new Uint8Array(32))`).
 * @throws {SecretError} unless there are 24–64 of them
 */
export function generateSecret(random: Uint8Array): string {
  checkStrength(random);
  return secretPrefix + base64Of(random);
}

/** An ed25519 key pair in its text forms. */
export interface KeyPair {
  /** `whsk_…`: signs; as confidential as a secret. */
  readonly privateKey: string;
  /** `whpk_…`: verifies; public. */
  readonly publicKey: string;
}

/** The text forms of an ed25519 key pair, given the random seed and the public key that belongs to it, 32 bytes each. */
export function keyPairOf(seed: Uint8Array, publicKey: Uint8Array): KeyPair {
  ofLength(seed, 32, privatePrefix);
  ofLength(publicKey, 32, publicPrefix);
  return {
    privateKey: privatePrefix + base64Of(concat(seed, publicKey)),
    publicKey: publicPrefix + base64Of(publicKey),
  };
}

/** What a secret can be used for, told by its prefix alone. */
export type SecretKind = 'whsec' | 'whsk' | 'whpk' | 'text';

/** See {@link SecretKind}. */
export function kindOf(secret: string): SecretKind {
  if (secret.startsWith(secretPrefix)) return 'whsec';
  if (secret.startsWith(privatePrefix)) return 'whsk';
  if (secret.startsWith(publicPrefix)) return 'whpk';
  return 'text';
}

function decode(text: string, prefix: string): Uint8Array {
  if (!text.startsWith(prefix)) throw new SecretError(`the key must begin with ${prefix}`);
  const bytes = bytesOfBase64(text.slice(prefix.length));
  if (bytes === undefined || bytes.length === 0) {
    const hint = /\s/.test(text) ? ': it contains white space' : '';
    throw new SecretError(`what follows ${prefix} is not base64${hint}`);
  }
  return bytes;
}

function ofLength(bytes: Uint8Array, length: number, prefix: string): Uint8Array {
  if (bytes.length === length) return bytes;
  throw new SecretError(`a ${prefix} key holds ${length} bytes, this one ${bytes.length}`);
}

function checkStrength(key: Uint8Array): void {
  if (key.length >= 24 && key.length <= 64) return;
  throw new SecretError(`a ${secretPrefix} secret holds 24 to 64 bytes, this one ${key.length}`);
}
