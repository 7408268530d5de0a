// Every refusal the API knows: one table of codes, and the document each becomes (RFC 9457). Pure.
//
// Codes are stable: programs compare them. docs/errors.md lists them all; a test keeps the two the same.
import { faultCodes } from './cloud-events/index.ts';

type Entry = { readonly status: number; readonly title: string };

/** What our own rules refuse; the codec's faults come in beside them, under the titles given here where there are any. */
const OWN = {
  // The request as HTTP.
  'malformed-http': { status: 400, title: 'The bytes are not an HTTP request.' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time.' },
  'header-too-large': { status: 431, title: 'The headers of the request are too large or too many.' },
  'not-found': { status: 404, title: 'There is no such thing here.' },
  'method-not-allowed': { status: 405, title: 'The path does not take this method; Allow says which it takes.' },
  'unsupported-media-type': { status: 415, title: 'The Content-Type is none that is read here.' },
  'body-required': { status: 400, title: 'The request needs a body.' },
  'body-not-allowed': { status: 400, title: 'The request takes no body.' },
  'invalid-request': { status: 400, title: 'The request does not have the form its route asks for.' },
  'invalid-cursor': { status: 400, title: 'The cursor was not given out by this list.' },
  // Inside invalid-request, one per fault.
  'missing-field': { status: 400, title: 'A required field is absent.' },
  'unknown-field': { status: 400, title: 'There is no field or query parameter of this name.' },
  'wrong-type': { status: 400, title: 'A value has another JSON type than it must have.' },
  'invalid-value': { status: 400, title: 'A value breaks a rule of its field.' },
  // Who asks, and where.
  unauthenticated: { status: 401, title: 'The request carries no API key that is known here.' },
  'wrong-trigger-token': { status: 401, title: 'The token does not open this trigger.' },
  unverified: { status: 401, title: 'The request does not prove who sent it.' },
  'missing-scope': { status: 403, title: 'The key does not have the scope this needs.' },
  'admin-only': { status: 403, title: 'Only a key of the whole installation may do this.' },
  'service-bound': { status: 403, title: 'The key is bound to a service and may not do this.' },
  'foreign-type': { status: 403, title: 'The event type belongs to a service this key may not speak for.' },
  'workspace-required': { status: 400, title: 'The key acts for several workspaces; the request must name one.' },
  'unknown-workspace': { status: 404, title: 'There is no such workspace for this key.' },
  // Requests to hooks.
  'unreadable-request': { status: 400, title: 'The body is not what its Content-Type says.' },
  'unfit-request': { status: 400, title: 'The body has none of the shapes that the hook takes.' },
  'queue-full': { status: 429, title: 'As many requests wait at this hook as may.' },
  'hook-closed': { status: 503, title: 'The hook takes no requests at present.' },
  'run-failed': { status: 500, title: 'The run ended badly before it had replied.' },
  // What a request names.
  'unknown-type': { status: 422, title: 'The event type is not in the catalog.' },
  'unknown-service': { status: 422, title: 'The service is not in the catalog.' },
  'unknown-group': { status: 422, title: 'There is no such group in this workspace.' },
  'unknown-webhook': { status: 422, title: 'There is no such webhook in this workspace.' },
  // What a request says.
  'schema-mismatch': { status: 422, title: 'The data of the event breaks the schema of its type.' },
  'invalid-schema': { status: 422, title: 'The schema of the event type cannot be used.' },
  'invalid-example': { status: 422, title: 'The example breaks the schema it stands beside.' },
  'invalid-type-pattern': { status: 422, title: 'The type is neither exact nor a pattern that ends in ".*".' },
  'invalid-filter': { status: 422, title: 'The filter does not parse.' },
  'refused-url': { status: 422, title: 'The URL may not be a webhook.' },
  'refused-header': { status: 422, title: 'A header may not be sent with deliveries.' },
  'invalid-secret': { status: 422, title: 'The secret cannot be used as it stands.' },
  'invalid-oauth': { status: 422, title: 'The OAuth 2 client cannot be used as it stands.' },
  'invalid-tls': { status: 422, title: 'The TLS identity cannot be used as it stands.' },
  'invalid-policy': { status: 422, title: 'The delivery policy cannot be kept as it stands.' },
  'invalid-post-processing': { status: 422, title: 'The post-processing cannot be kept as it stands.' },
  'invalid-document': { status: 422, title: 'A document of a flow cannot be read, or cannot be kept as it stands.' },
  'verification-required': { status: 422, title: 'The operator does not allow webhooks that prove nothing.' },
  // What stands in the way.
  'name-taken': { status: 409, title: 'The name is in use.' },
  'already-exists': { status: 409, title: 'There is one already.' },
  'in-use': { status: 409, title: 'Something else still needs it.' },
  'wrong-state': { status: 409, title: 'It is not in a state in which this can be done.' },
  'changed-meanwhile': { status: 409, title: 'Somebody else changed it at the same time; read it again.' },
  // Of one delivery that was pulled, in the answer to several.
  'already-delivered': { status: 409, title: 'The delivery was acknowledged before.' },
  'lease-lost': { status: 409, title: 'The lease of the delivery is somebody else’s, or was given back.' },
  'lease-expired': { status: 409, title: 'The lease of the delivery has ended; it is handed out again.' },
  // Of one answer that a listener brought back, and of the listener.
  'already-answered': { status: 409, title: 'The request was answered before.' },
  'listener-replaced': { status: 409, title: 'Somebody else listens for the webhook by now.' },
  erased: { status: 410, title: 'The payload of the event was erased.' },
  'sheet-full': { status: 409, title: 'The sheet has as many rows as a sheet may have.' },
  deleted: { status: 410, title: 'It was here, and was deleted.' },
  'operation-running': { status: 409, title: 'An operation of this kind runs already.' },
  'limit-reached': { status: 409, title: 'The workspace has as many of these as it may have.' },
  'over-quota': { status: 429, title: 'The workspace has used what it may use today.' },
  'idempotency-running': { status: 409, title: 'The first request with this Idempotency-Key is still running.' },
  'idempotency-mismatch': { status: 422, title: 'The Idempotency-Key was used for another request.' },
  'invalid-idempotency-key': { status: 400, title: 'The Idempotency-Key is not of the form it must have.' },
  // Our own trouble.
  internal: { status: 500, title: 'Something went wrong here.' },
  'schema-timeout': {
    status: 503,
    title: 'The schema could not be applied to the data in time; nothing is said about it.',
  },
  unavailable: { status: 503, title: 'This cannot be answered at the moment; try again.' },
} as const satisfies Record<string, Entry>;

/** A stable code of a refusal. */
export type ProblemCode = keyof typeof OWN | keyof typeof faultCodes;

/** Every code with its HTTP status and its title. */
export const problemCodes: Readonly<Record<ProblemCode, Entry>> = {
  ...(Object.fromEntries(
    Object.entries(faultCodes).map(([code, { status, meaning }]) => [code, { status, title: meaning }]),
  ) as Record<keyof typeof faultCodes, Entry>),
  ...OWN,
};

/** One fault among several. `pointer` is a JSON pointer, or the name of a header or query parameter. */
export interface ProblemFault {
  /** Place of the event in its batch, from 0. */
  index?: number;
  pointer?: string;
  code: ProblemCode;
  detail: string;
}

/** The document (RFC 9457), media type {@link PROBLEM_TYPE}. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ProblemCode;
  detail: string;
  /** URN of the request, on faults of ours: the log names it, too. */
  instance?: string;
  errors?: ProblemFault[];
}

/** The media type of a problem. */
export const PROBLEM_TYPE = 'application/problem+json';

/** Composes the document. `detail` is one sentence or two for people, about this request. */
export function problem(code: ProblemCode, detail: string, errors?: ProblemFault[]): Problem {
  const { status, title } = problemCodes[code];
  const document: Problem = { type: `urn:bellwire:problem:${code}`, title, status, code, detail };
  if (errors !== undefined && errors.length > 0) document.errors = errors;
  return document;
}

/** The document for a list of faults: it speaks with the most telling, the first one, and says how many more there are. */
export function problemOf(faults: ProblemFault[], code?: ProblemCode, telling = faults[0] as ProblemFault): Problem {
  const others = faults.length - 1;
  const more = others === 0 ? '' : ` (and ${others} more ${others === 1 ? 'fault' : 'faults'})`;
  return problem(code ?? telling.code, telling.detail + more, faults);
}

/** A refusal on its way out: what a request handler throws when it will not do what was asked. */
export class Refused extends Error {
  override name = 'Refused';
  readonly problem: Problem;
  /** Headers of the answer, such as `Retry-After` or `Allow`. */
  readonly headers: Readonly<Record<string, string>>;
  constructor(refusal: Problem, headers: Readonly<Record<string, string>> = {}) {
    super(refusal.detail);
    this.problem = refusal;
    this.headers = headers;
  }
}

/** Shorthand: the refusal of a code with its detail. */
export function refuse(code: ProblemCode, detail: string, headers?: Readonly<Record<string, string>>): Refused {
  return new Refused(problem(code, detail), headers);
}
