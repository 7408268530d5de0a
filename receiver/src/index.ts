// Everything the library offers; the adapters have their own entry points.
export { answerChallenge, verificationOf } from './challenge.ts';
export type { ChallengeAnswer } from './challenge.ts';
export { generateSecret, importSecret, keyPairOf, kindOf, publicKeyOf, SecretError } from './secrets.ts';
export type { KeyPair, SecretKind } from './secrets.ts';
export {
  createSigner,
  createSyncSigner,
  generateKeyPair,
  sign,
  standardWebhooksContent,
  standardWebhooksHead,
} from './signatures.ts';
export type { Message, Scheme, SignatureHeaders, SigningKey, SyncCrypto } from './signatures.ts';
