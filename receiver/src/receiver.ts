// The receiver: one function from Request to Response that verifies, answers challenges and hands events to handlers.
import { answerChallenge, challengeOf, isAnswerable } from './challenge.ts';
import { eventsOf, readDocument, unsupported } from './cloud-events.ts';
import type { CloudEvent, Document, ParsedEvent } from './cloud-events.ts';
import { equalBytes, hexOf, utf8 } from './encoding.ts';
import { readBody, refusal } from './request.ts';
import { kindOf } from './secrets.ts';
import { createSeen } from './seen.ts';
import type { Seen } from './seen.ts';
import type { Scheme } from './signatures.ts';
import { createVerifier } from './verifier.ts';
import type { Verdict, VerifierOptions } from './verifier.ts';

/** What a handler is told about the request that brought an event. */
export interface Delivery {
  /** `webhook-id` where its signature was verified: the same over all tries of one delivery. */
  readonly id: string | undefined;
  /** The schemes that were verified. */
  readonly schemes: readonly Scheme[];
  /** What duplicates are told by; see {@link ReceiverOptions.seen}. */
  readonly key: string;
  readonly headers: Headers;
}

/** Does the work for one event. To throw or reject means: not handled, deliver it again. */
// oxlint-disable-next-line typescript/no-explicit-any -- a handler knows the data of its type, the compiler cannot
export type Handler = (event: CloudEvent<any>, delivery: Delivery) => unknown;

/** Settings of a receiver, those of its verifier included. */
export interface ReceiverOptions extends VerifierOptions {
  /**
   * One secret or several, see {@link VerifierOptions.secret}. The first that is text or `whsec_…` answers challenges:
   * during a rotation put the one first that the sender has registered.
   */
  readonly secret: string | readonly string[];
  /** Handlers by exact event type. */
  readonly on?: Readonly<Record<string, Handler>>;
  /** Handles every other type. Without it such events are accepted and nothing is done (R74). */
  readonly otherwise?: Handler;
  /**
   * The memory for duplicates; default {@link createSeen}, 10,000 events of this process. Deliveries verified by
   * Standard Webhooks are told apart by `webhook-id` + `source` + `id`, so that a deliberate replay is handled again;
   * all others by `source` + `id`.
   */
  readonly seen?: Seen;
  /** The greatest body accepted, in bytes; larger ones get 413. Default 4 MiB. */
  readonly maxBytes?: number;
  /** The `Authorization` value to insist on, verbatim, beside the signature. Challenges are answered without it. */
  readonly authorization?: string;
  /** Answers the CloudEvents OPTIONS handshake for these origins (`*`: any). Default: 405. */
  readonly allowOrigins?: '*' | readonly string[];
  /** Requests per minute to ask the sender for, in the handshake's and the challenge's answer. Default: unlimited. */
  readonly ratePerMinute?: number;
  /** Told about every failure that becomes a 500, and about a memory that could not be written. Default console.error. */
  readonly onFailure?: (error: unknown, event: CloudEvent) => void;
}

/** From Request to Response. Whatever a request contains becomes an answer; only a runtime without Ed25519 rejects. */
export type Receiver = (request: Request) => Promise<Response>;

type Outcome = 'handled' | 'failed';

/**
 * A webhook receiver.
 *
 * | answer | when |
 * |---|---|
 * | 200, empty | every event is handled, a duplicate, or of a type nobody handles |
 * | 200, JSON | a challenge, at any time, signed or not |
 * | 400 | no JSON, duplicate keys, no CloudEvent |
 * | 401 | no signature, a wrong or old one, wrong Authorization |
 * | 405, 413, 415 | not POST, too large, content type not understood |
 * | 500 | a handler failed: deliver again |
 *
 * Of a batch each event goes to its own handler, in order, whatever becomes of the others. If one fails the answer is
 * 500, if one is malformed 400, with `{"failed":[indexes],"malformed":[indexes]}`; the sender repeats the whole batch
 * and those that were handled are then duplicates.
 * @throws {SecretError} where a secret cannot be used
 */
export function createReceiver(options: ReceiverOptions): Receiver {
  const verify = createVerifier(options);
  const secrets = typeof options.secret === 'string' ? [options.secret] : options.secret;
  const challengeSecret = secrets.find((secret) => kindOf(secret) !== 'whpk');
  const dispatch = createDispatch(options);
  const maxBytes = options.maxBytes ?? 4 * 1024 * 1024;

  return async (request) => {
    if (request.method === 'OPTIONS' && options.allowOrigins) return handshakeAnswer(request.headers, options);
    if (request.method !== 'POST') {
      return refusal(405, 'send a POST', { allow: options.allowOrigins ? 'POST, OPTIONS' : 'POST' });
    }
    const fault = unsupported(request.headers);
    if (fault) return refusal(fault.status, fault.reason);
    const body = await readBody(request, maxBytes);
    if (body instanceof Response) return body;
    const document = readDocument(request.headers, body);
    if (!document.ok) return refusal(document.status, document.reason);

    const challenge = challengeSecret && (await challengeAnswer(challengeSecret, document, options.ratePerMinute));
    if (challenge) return challenge;

    const verdict = await verify({ headers: request.headers, body });
    if (!verdict.ok) return refusal(401, verdict.detail);
    const denied = denial(document, verdict, { body, headers: request.headers, authorization: options.authorization });
    if (denied) return refusal(401, denied);
    const parsed = eventsOf(document);
    if (!parsed.ok) return refusal(parsed.status, parsed.reason);
    return dispatch(parsed.events, { id: verdict.id, schemes: verdict.schemes, headers: request.headers });
  };
}

async function challengeAnswer(secret: string, document: Document, rate?: number): Promise<Response | undefined> {
  const json = document.mode === 'binary' ? { data: document.data } : document.json;
  if (challengeOf(json) === undefined) return undefined;
  const answer = (await answerChallenge(secret, json))!;
  const response = new Response(answer.body, answer);
  if (rate !== undefined) response.headers.set('webhook-allowed-rate', String(rate));
  return response;
}

function denial(
  document: Document,
  { schemes }: Verdict & { ok: true },
  request: { body: Uint8Array; headers: Headers; authorization: string | undefined },
): string | undefined {
  // A challenge hands out the HMAC of a token under the HPE secret; here such an HMAC comes back as a signature.
  if (document.mode === 'binary' && schemes.length === 1 && schemes[0] === 'hpe' && isAnswerable(request.body)) {
    return 'an HPE signature over a bare token proves nothing, since a challenge could have asked for it';
  }
  if (request.authorization === undefined) return undefined;
  const sent = request.headers.get('authorization') ?? '';
  return equalBytes(utf8(sent), utf8(request.authorization)) ? undefined : 'wrong or missing Authorization';
}

/** CloudEvents HTTP Web Hooks 4: consent is the header, not the status. */
function handshakeAnswer(headers: Headers, { allowOrigins, ratePerMinute }: ReceiverOptions): Response {
  const origin = headers.get('webhook-request-origin');
  if (!origin) return refusal(400, 'an OPTIONS request here is a handshake and needs WebHook-Request-Origin');
  if (allowOrigins !== '*' && !allowOrigins?.some((allowed) => allowed.toLowerCase() === origin.toLowerCase())) {
    return refusal(403, 'deliveries from this origin are not wanted');
  }
  const rate = ratePerMinute === undefined ? '*' : String(ratePerMinute);
  return new Response(null, {
    status: 200,
    headers: { allow: 'POST, OPTIONS', 'webhook-allowed-origin': origin, 'webhook-allowed-rate': rate },
  });
}

type Dispatch = (events: readonly ParsedEvent[], request: Omit<Delivery, 'key'>) => Promise<Response>;

function createDispatch(options: ReceiverOptions): Dispatch {
  const handle = createHandle(options);
  return async (events, request) => {
    const failed: number[] = [];
    const malformed: number[] = [];
    for (const [index, parsed] of events.entries()) {
      if (!parsed.ok) malformed.push(index);
      else if ((await handle(parsed.event, request)) === 'failed') failed.push(index);
    }
    if (failed.length + malformed.length === 0) return new Response(null, { status: 200 });
    return Response.json({ failed, malformed }, { status: failed.length > 0 ? 500 : 400 });
  };
}

/** Handles one event once: duplicates that arrive meanwhile wait for the first and share its outcome. */
function createHandle(
  options: ReceiverOptions,
): (event: CloudEvent, request: Omit<Delivery, 'key'>) => Promise<Outcome> {
  const { on = {}, otherwise, seen = createSeen(), onFailure = reportToConsole } = options;
  const running = new Map<string, Promise<Outcome>>();

  async function run(handler: Handler, event: CloudEvent, delivery: Delivery): Promise<Outcome> {
    try {
      if (await seen.has(delivery.key)) return 'handled';
      await handler(event, delivery);
    } catch (error) {
      onFailure(error, event);
      return 'failed';
    }
    try {
      await seen.add(delivery.key);
    } catch (error) {
      // The work is done: asking for another try would only repeat it.
      onFailure(error, event);
    }
    return 'handled';
  }

  return async (event, request) => {
    const handler = Object.hasOwn(on, event.type) ? on[event.type] : otherwise;
    if (handler === undefined) return 'handled';
    const key = await keyOf(event, request.id);
    let outcome = running.get(key);
    if (outcome === undefined) {
      outcome = run(handler, event, { ...request, key }).finally(() => running.delete(key));
      running.set(key, outcome);
    }
    return outcome;
  };
}

/** Names an event for {@link Seen}: readable where it is short, hashed where a sender's long ids would fill a memory. */
async function keyOf({ source, id }: CloudEvent, deliveryId: string | undefined): Promise<string> {
  const key = JSON.stringify(deliveryId === undefined ? [source, id] : [deliveryId, source, id]);
  if (key.length <= 256) return key;
  const digest = await crypto.subtle.digest('SHA-256', utf8(key) as Uint8Array<ArrayBuffer>);
  return `sha256:${hexOf(new Uint8Array(digest))}`;
}

function reportToConsole(error: unknown, event: CloudEvent): void {
  // oxlint-disable-next-line no-console -- a library has no log of its own, and a failure must not pass in silence
  console.error(`event ${event.id} of ${event.type} failed:`, error);
}
