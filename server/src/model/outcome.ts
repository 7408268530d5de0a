// What one HTTP try came to, as data: the transport makes it, the retry plan and the challenge judge it. Pure.

/** Why there was no complete answer. One word per cause, stable: stored, counted in metrics, shown. */
export type FailureCode =
  /** The name did not resolve. */
  | 'dns'
  /** The address is one the operator does not allow (wire: addresses never connected to). */
  | 'refused-address'
  | 'connection-refused'
  /** No route to the host or network. */
  | 'unreachable'
  /** The connection ended before the answer was complete. */
  | 'connection-reset'
  /** The TLS handshake failed, the certificate included. */
  | 'tls'
  /** The deadline over connect, headers and body passed. */
  | 'timeout'
  /** The answer is not HTTP/1.1, or its head is too large. */
  | 'protocol'
  /** The request could not be put on the wire: a header or a path that HTTP cannot carry. */
  | 'invalid-request'
  /** There is no access token to send with: the token endpoint gave none (RFC 6749 4.4). */
  | 'no-token'
  /** The mail server refused the mail for good (5yz, RFC 5321 4.2.1), or there is none to send it by. */
  | 'mail-refused'
  /** The mail server does not take the mail now (4yz), or not as it should. */
  | 'mail-deferred'
  /** Ours: the operator's proxy is at fault. Says nothing about the target. */
  | 'proxy'
  /** Ours: no connection was free in time. Says nothing about the target. */
  | 'busy'
  /** Ours: the transport was closed meanwhile. Says nothing about the target. */
  | 'closed'
  /** Nobody listens for the webhook, or who did left before it had answered. Says nothing about the handler. */
  | 'no-listener'
  /** Anything else; the message says what. */
  | 'other';

/** A complete answer, or one whose rest was not worth reading. */
export interface Answer {
  kind: 'response';
  status: number;
  /** Lower-case names; bounded in count and bytes; control characters replaced. */
  headers: [name: string, value: string][];
  /** The first bytes of the body, exactly as they came: never decoded, never decompressed. */
  body: Uint8Array;
  /** How many body bytes were read, kept or not. */
  bodyBytes: number;
  /** The body is longer than what is kept. */
  truncated: boolean;
  /** The `Retry-After` header as it came. */
  retryAfter: string | null;
  /** From the start of the try to its end, whole ms; waiting for a free connection is not in it. */
  durationMs: number;
  /** Of that, resolving, connecting and the TLS handshake; 0 on a reused connection. */
  connectMs: number;
}

/** No complete answer. */
export interface Failure {
  kind: 'failure';
  code: FailureCode;
  /** One plain clause for people, fit to follow "the delivery failed: ". */
  message: string;
  /** The status, when the head of an answer had come before things went wrong; otherwise null. */
  status: number | null;
  durationMs: number;
  connectMs: number;
  /** Sending to this target sooner than in this many ms is pointless; absent when nothing is known. */
  quietMs?: number;
}

/** What one HTTP try came to. */
export type Outcome = (Answer | Failure) & {
  /** The request was sent twice, with another access token: the first time it was answered 401. */
  sentTwice?: boolean;
};

/** Body bytes of an answer that are read at most; what goes on after that is cut off. */
export const READ_LIMIT = 64 * 1024;
/** Body bytes of an answer that are kept at most. */
export const KEEP_LIMIT = 16 * 1024;
/** Headers kept at most, and the characters of all their names and values together. */
const HEADER_COUNT = 64;
const HEADER_CHARACTERS = 8 * 1024;
// What a header value may not hold when it is stored and shown; the parser refuses only NUL, CR and LF.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

/** The headers of an answer as they are kept: the first ones, as far as there is room, without control characters. */
export function boundHeaders(headers: readonly (readonly [string, string])[]): [string, string][] {
  const list: [string, string][] = [];
  let room = HEADER_CHARACTERS;
  for (const [name, value] of headers) {
    room -= name.length + value.length;
    if (room < 0 || list.length === HEADER_COUNT) return list;
    list.push([name, value.replace(CONTROL, '\ufffd')]);
  }
  return list;
}

const OUR_FAULTS: ReadonlySet<FailureCode> = new Set(['busy', 'closed', 'proxy', 'no-listener']);

/** A failure that is our own doing: it must not be held against the target, nor use up a try. */
export function isOurFault(outcome: Outcome): boolean {
  return outcome.kind === 'failure' && OUR_FAULTS.has(outcome.code);
}

/** The outcome in words for people, the same everywhere: `answered 503`, `did not answer within 15 s`. */
export function describeOutcome(outcome: Outcome): string {
  if (outcome.kind === 'failure') return outcome.message;
  const { status } = outcome;
  if (status >= 300 && status < 400) return `answered ${status}, and redirects are not followed`;
  if (status === 410) return 'answered 410: it is gone and wants nothing more';
  return `answered ${status}`;
}

/** The first value of a header of an answer, by lower-case name; null without one. */
export function answerHeader(headers: readonly (readonly [string, string])[], name: string): string | null {
  for (const [key, value] of headers) if (key === name) return value;
  return null;
}
