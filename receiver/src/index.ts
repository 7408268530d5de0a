// Everything the library offers; the adapters have their own entry points.
export { answerChallenge, verificationOf } from './challenge.ts';
export type { ChallengeAnswer } from './challenge.ts';
export { CLOUD_AUTOMATOR_USER_AGENT, createCloudAutomatorReceiver } from './cloud-automator.ts';
export type { CloudAutomatorOptions, Evaluation, JobResult, PolicyResult } from './cloud-automator.ts';
export { parseCloudEvents } from './cloud-events.ts';
export type { CloudEvent, Mode, ParsedEvent, ParsedEvents, Unreadable } from './cloud-events.ts';
export { createPresetReceiver } from './preset-receiver.ts';
export type { PresetDelivery, PresetReceiverOptions } from './preset-receiver.ts';
export { createPresetVerifier, createSyncPresetVerifier } from './preset-verifier.ts';
export type { Accepted, Challenged, PresetOptions, PresetVerdict, TurnedAway } from './preset-verifier.ts';
export { challengeNames } from './presets/challenges.ts';
export type { ChallengeName, PresetRequest } from './presets/challenges.ts';
export type { MacAlgorithm, Refusal, SignedRequest } from './presets/claim.ts';
export type { TokenSettings } from './presets/credentials.ts';
export type { HmacSettings, TimestampSettings } from './presets/hmac.ts';
export { presetNames } from './presets/table.ts';
export type { Preset, PresetName } from './presets/table.ts';
export type { VerifyCrypto } from './presets/work.ts';
export { createReceiver } from './receiver.ts';
export type { Delivery, Handler, Receiver, ReceiverOptions } from './receiver.ts';
export { generateSecret, importSecret, keyPairOf, kindOf, publicKeyOf, SecretError } from './secrets.ts';
export type { KeyPair, SecretKind } from './secrets.ts';
export { createSeen } from './seen.ts';
export type { Seen } from './seen.ts';
export {
  createSigner,
  createSyncSigner,
  generateKeyPair,
  sign,
  standardWebhooksContent,
  standardWebhooksHead,
} from './signatures.ts';
export type { Message, Scheme, SignatureHeaders, SigningKey, SyncCrypto } from './signatures.ts';
export { createVerifier, verify } from './verifier.ts';
export type { Verdict, VerifierOptions } from './verifier.ts';
