// HMAC and ed25519 on WebCrypto, for every runtime that has no synchronous functions to hand in.
import { concat } from './encoding.ts';

// RFC 8410: what stands before the 32-byte seed in a PKCS #8 document.
const pkcs8Head = Uint8Array.from([48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32]);

const hashes = { sha1: 'SHA-1', sha256: 'SHA-256', sha512: 'SHA-512' } as const;

/** HMAC-SHA256 with a key that is imported once, at the first message. */
export function hmacSha256(key: Uint8Array): (message: Uint8Array) => Promise<Uint8Array> {
  return hmac('sha256', key);
}

/** HMAC with a key that is imported once, at the first message. */
export function hmac(algorithm: keyof typeof hashes, key: Uint8Array): (message: Uint8Array) => Promise<Uint8Array> {
  const imported = once(() =>
    crypto.subtle.importKey('raw', source(key), { name: 'HMAC', hash: hashes[algorithm] }, false, ['sign']),
  );
  return async (message) => new Uint8Array(await crypto.subtle.sign('HMAC', await imported(), source(message)));
}

/** Signs with the ed25519 key of a 32-byte seed; 64 bytes. */
export function ed25519Sign(seed: Uint8Array): (message: Uint8Array) => Promise<Uint8Array> {
  const imported = once(() => importSeed(seed, false));
  return async (message) => new Uint8Array(await crypto.subtle.sign('Ed25519', await imported(), source(message)));
}

/** Judges a 64-byte ed25519 signature under a 32-byte public key. */
export function ed25519Verify(publicKey: Uint8Array): (signature: Uint8Array, message: Uint8Array) => Promise<boolean> {
  const imported = once(() => crypto.subtle.importKey('raw', source(publicKey), 'Ed25519', false, ['verify']));
  return async (signature, message) =>
    crypto.subtle.verify('Ed25519', await imported(), source(signature), source(message));
}

/** The public key of a 32-byte ed25519 seed. */
export async function ed25519PublicKey(seed: Uint8Array): Promise<Uint8Array> {
  const jwk = await crypto.subtle.exportKey('jwk', await importSeed(seed, true));
  const binary = atob((jwk.x ?? '').replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function importSeed(seed: Uint8Array, extractable: boolean): Promise<CryptoKey> {
  return crypto.subtle.importKey('pkcs8', source(concat(pkcs8Head, seed)), 'Ed25519', extractable, ['sign']);
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

// The compiler separates shared from ordinary memory; WebCrypto itself refuses shared memory at run time.
function source(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
