// What a signed request claims: a rule reads it off the headers, without any cryptography, or says why there is none.

/** Why a request was not accepted; stable, for programs. */
export type Refusal =
  | 'unsigned'
  | 'missing-header'
  | 'repeated-header'
  | 'no-key'
  | 'bad-timestamp'
  | 'too-old'
  | 'too-new'
  | 'no-match'
  | 'required-scheme-missing'
  | 'proves-nothing'
  | 'bad-challenge';

/** A request that was not accepted. */
export interface Refused {
  readonly ok: false;
  readonly reason: Refusal;
  /** The reason as a sentence, for logs. It contains no secret and no expected signature. */
  readonly detail: string;
}

/** What is verified: the headers, and the body's bytes exactly as they arrived, never parsed and written again. */
export interface SignedRequest {
  /** All of them, repetitions appended, not dropped: a header that must be single is refused where it stands twice. */
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** How a signature is made: a MAC, ed25519, or `equal`, where the key itself is what must be sent. */
export type Algorithm = MacAlgorithm | 'ed25519' | 'equal';

/** The hash of an HMAC. */
export type MacAlgorithm = 'sha1' | 'sha256' | 'sha512';

/** A secret, made ready for one way of signing. */
export interface Key {
  readonly algorithm: Algorithm;
  readonly bytes: Uint8Array;
}

/** What a request says of itself: one of `signatures` is the signature of `head` followed by `body`. */
export interface Claim {
  /** The header that carries the signatures, for words. */
  readonly header: string;
  readonly head: string;
  readonly body: Uint8Array;
  readonly signatures: readonly Key[];
  /** The sender's id of the message, where the signature covers one. */
  readonly id?: string;
}

/** What timestamps are judged by, in ms. */
export interface Clock {
  readonly now: number;
  /** How far a timestamp may be off, inclusive. */
  readonly toleranceMs: number;
}

/** How one kind of sender signs. */
export interface Rule {
  /**
   * The key out of a secret's text.
   * @throws {SecretError} where the text has not the form that this kind of sender gives out
   */
  keyOf(secret: string): Key;
  read(request: SignedRequest, clock: Clock): Claim | Refused;
}

/** A refusal in words. */
export function refuse(reason: Refusal, detail: string): Refused {
  return { ok: false, reason, detail };
}

/**
 * The value of a header that must stand there once. `absent` is the reason where it does not stand there; only the one
 * that carries the signature may be empty, which is a signature that is wrong.
 */
export function singleHeader(
  headers: Headers,
  name: string,
  absent: Refusal = 'missing-header',
): { ok: true; value: string } | Refused {
  const value = headers.get(name);
  if (value === null || (value === '' && absent !== 'unsigned'))
    return refuse(absent, `the request carries no ${name}`);
  // Fetch joins repetitions so, and none of the values that are read here may contain it.
  if (value.includes(', ')) return refuse('repeated-header', `${name} stands in the request more than once`);
  return { ok: true, value };
}

/** What is wrong with the timestamp of a header: a strict integer, not too far from the clock. */
export function timestampFault(
  header: string,
  text: string,
  clock: Clock & { readonly unit?: 'seconds' | 'milliseconds' },
): Refused | undefined {
  if (!/^(0|[1-9]\d{0,14})$/.test(text)) return refuse('bad-timestamp', `${header} is not an integer`);
  const sent = clock.unit === 'milliseconds' ? Number(text) / 1000 : Number(text);
  const age = Math.floor(clock.now / 1000) - Math.floor(sent);
  const tolerance = clock.toleranceMs / 1000;
  if (age > tolerance) return refuse('too-old', `${header} lies ${age} s back, ${tolerance} s are tolerated`);
  if (-age > tolerance) return refuse('too-new', `${header} lies ${-age} s ahead, ${tolerance} s are tolerated`);
  return undefined;
}
