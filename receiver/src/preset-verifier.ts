// Verify presets: one line of configuration says who sends, and each request gets a verdict or its challenge's answer.
import { isAnswerable } from './challenge.ts';
import type { ChallengeAnswer } from './challenge.ts';
import { concat, utf8 } from './encoding.ts';
import { challengeNamed } from './presets/challenges.ts';
import type { Asked, ChallengeName, ChallengeSettings, PresetRequest } from './presets/challenges.ts';
import { refuse } from './presets/claim.ts';
import type { Claim, Key, Refusal, Refused } from './presets/claim.ts';
import { senderOf } from './presets/table.ts';
import type { Preset, Sender } from './presets/table.ts';
import { andThen, createRun, createSyncRun, weigh } from './presets/work.ts';
import type { Step, VerifyCrypto } from './presets/work.ts';
import { SecretError } from './secrets.ts';

/** Settings of a verifier: a preset, the secrets, and what else is answered or tolerated. */
export type PresetOptions = Preset & Common;

interface Common extends ChallengeSettings {
  /**
   * One secret, or several while it is being changed: all are tried. The first answers challenges, so put the one first
   * that the sender has.
   */
  readonly secret: string | readonly string[];
  /** Challenges to answer beside the preset's own, by name. */
  readonly challenges?: readonly ChallengeName[];
  /** Accepts what would be refused, and says so in {@link Accepted.doubt}: for looking before enforcing. */
  readonly observe?: boolean;
  /** The clock, epoch ms. */
  readonly now?: () => number;
  /** How far a timestamp may be off, inclusive. Default 300,000. */
  readonly toleranceMs?: number;
}

/** A request to be dealt with. */
export interface Accepted {
  readonly kind: 'accepted';
  /** The index of the secret that fits; none where {@link Accepted.doubt} says why. */
  readonly secret: number | undefined;
  /** The sender's id of the message, where the signature covers it (`webhook-id`): duplicates are told by it. */
  readonly id: string | undefined;
  /** Under `observe`: why the request would have been refused. */
  readonly doubt?: { readonly reason: Refusal; readonly detail: string };
}

/** A question of the sender's whether somebody is here; it carries no event. */
export interface Challenged {
  readonly kind: 'challenge';
  /** Whose challenge it is: the preset, or one of `challenges`. */
  readonly challenge: string;
  /** The answer to give. */
  readonly answer: ChallengeAnswer;
  /** The index of the secret the request was signed with; none where such a challenge is not signed. */
  readonly secret: number | undefined;
}

/** A request to be answered 401, without the reason. */
export interface TurnedAway {
  readonly kind: 'refused';
  readonly reason: Refusal;
  /** The reason as a sentence, for logs and never for the caller. It contains no secret and no expected signature. */
  readonly detail: string;
}

/** What became of a request. */
export type PresetVerdict = Accepted | Challenged | TurnedAway;

/**
 * A verifier on WebCrypto. Whatever a request contains becomes a verdict; only a runtime without Ed25519 rejects.
 * @throws {SecretError} where a secret is missing, empty, or not of the form the preset needs
 * @throws {TypeError} where another setting is not what it must be
 */
export function createPresetVerifier(options: PresetOptions): (request: PresetRequest) => Promise<PresetVerdict> {
  const judge = judgeOf(options);
  const run = createRun();
  return async (request) => run(judge(request));
}

/**
 * The same at once, on functions handed in (`nodeCrypto` of `@bellwire/receiver/node-crypto`).
 * @throws as {@link createPresetVerifier}
 */
export function createSyncPresetVerifier(
  options: PresetOptions,
  crypto: VerifyCrypto,
): (request: PresetRequest) => PresetVerdict {
  const judge = judgeOf(options);
  const run = createSyncRun(crypto);
  return (request) => run(judge(request));
}

function judgeOf(options: PresetOptions): (request: PresetRequest) => Step<PresetVerdict> {
  const { now = Date.now, toleranceMs = 300_000 } = options;
  const sender = senderOf(options);
  const { rule, challenge, asksUnsigned = false } = sender;
  const secrets = secretsOf(options.secret);
  const keys = secrets.map((secret) => rule.keyOf(secret));
  const answer = answering(secrets);
  const open = openChallenges(options, sender);
  // A challenge hands out the HMAC of a token to anybody; under the same key such an HMAC could come back as a signature.
  const asksMacs = asksUnsigned || (options.challenges ?? []).includes('x');
  const givesMacs = asksMacs && keys.some(({ algorithm }) => algorithm === 'sha256');

  const turnAway = (refused: Refused): Step<PresetVerdict> => ({ value: verdictOf(refused, options.observe === true) });
  const accept = (claim: Claim, secret: number, request: PresetRequest): Step<PresetVerdict> => {
    const asked = asksUnsigned ? undefined : challenge?.(request);
    if (asked?.ok) return answer(asked, { challenge: options.preset, secret });
    return asked ? turnAway(asked) : { value: { kind: 'accepted', secret, id: claim.id } };
  };

  return (request) => {
    for (const { name, find } of open) {
      const asked = find(request);
      if (asked?.ok) return answer(asked, { challenge: name, secret: undefined });
      if (asked) return turnAway(asked);
    }
    const claim = rule.read(request, { now: now(), toleranceMs });
    if ('ok' in claim) return turnAway(claim);
    if (givesMacs && isBareToken(claim)) {
      return turnAway(refuse('proves-nothing', 'what is signed is a bare token: a challenge could have asked for it'));
    }
    return andThen(weigh(claim, keys), (index) =>
      index === -1 ? turnAway(mismatch(claim, keys)) : accept(claim, index, request),
    );
  };
}

// From JavaScript, or out of an environment that lacks it, a secret may be missing in spite of its type.
function secretsOf(secret: string | readonly unknown[] | null | undefined): readonly string[] {
  const secrets: readonly unknown[] = typeof secret === 'string' ? [secret] : (secret ?? []);
  if (secrets.length === 0) throw new SecretError('secret is missing: without one nothing could be verified');
  return secrets.map((one) => {
    if (typeof one !== 'string' || one === '') throw new SecretError('a secret is a text that is not empty');
    return one;
  });
}

/** The challenges that are looked for first, since anybody may put them. */
function openChallenges(options: PresetOptions, { challenge, asksUnsigned }: Sender) {
  const own = challenge && asksUnsigned ? [{ name: options.preset as string, find: challenge }] : [];
  const named = (options.challenges ?? []).map((name) => ({ name, find: challengeNamed(name, options) }));
  return [...own, ...named];
}

/** Whether all that is signed is a text that a challenge is answered with the HMAC of. */
function isBareToken({ head, body }: Claim): boolean {
  return body.length <= 128 && isAnswerable(concat(utf8(head), body));
}

/** Answers what is asked; under the secret that signed the question, or else under the first. */
function answering(secrets: readonly string[]) {
  const keys = secrets.map((secret): Key => ({ algorithm: 'sha256', bytes: utf8(secret) }));
  return (asked: Asked, whose: { challenge: string; secret: number | undefined }): Step<PresetVerdict> => {
    const verdict = (answer: ChallengeAnswer) => ({ value: { kind: 'challenge', answer, ...whose } as const });
    if ('answer' in asked) return verdict(asked.answer);
    const job = { key: keys[whose.secret ?? 0]!, head: '', body: utf8(asked.message) };
    return { jobs: [job], conclude: ([mac]) => verdict(asked.answerWith(mac as Uint8Array)) };
  };
}

function verdictOf({ reason, detail }: Refused, observe: boolean): PresetVerdict {
  if (!observe) return { kind: 'refused', reason, detail };
  return { kind: 'accepted', secret: undefined, id: undefined, doubt: { reason, detail } };
}

function mismatch({ header, signatures }: Claim, keys: readonly Key[]): Refused {
  const known = keys.some(({ algorithm }) => signatures.some((signature) => signature.algorithm === algorithm));
  if (!known) return refuse('no-key', `${header} is of a kind that no secret configured here can verify`);
  const isCredential = keys[0]?.algorithm === 'equal';
  const what = isCredential ? `${header} is not` : `${header} does not fit the request under`;
  return refuse('no-match', `${what} ${keys.length === 1 ? 'the secret' : 'any of the secrets'} configured here`);
}
