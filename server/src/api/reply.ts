// What goes back: answers and refusals as status, headers and bytes, and how they are written.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { problem, PROBLEM_TYPE, Refused, type Problem, type ProblemCode } from '../model/problem.ts';
import { StoreOutage, StoreRefusal, type RefusalCode } from '../store/contract.ts';
import { hasBody } from './body.ts';
import { JSON_TYPE, type Answer } from './kernel.ts';

/** What is answered. `code` is that of a problem, for the log. */
export type Reply =
  | { status: number; headers: Record<string, string>; body: string | Uint8Array; code?: ProblemCode }
  | RawReply
  | { status: 200; stream: (response: ServerResponse) => void };

/** A reply whose headers are all its own. */
interface RawReply {
  status: number;
  rawHeaders: readonly string[];
  body: string | Uint8Array;
}

/** A JSON text as a reply; the empty one is no body. */
export function jsonReply(status: number, body: string, headers: Record<string, string> = {}): Reply {
  if (body === '') return { status, headers: { ...headers }, body };
  return { status, headers: { 'content-type': JSON_TYPE, ...headers }, body };
}

/** A handler's answer as a reply. */
export function replyTo(answer: Answer<unknown>): Reply {
  if ('stream' in answer) return { status: 200, stream: answer.stream };
  if ('rawHeaders' in answer) return { status: answer.status, rawHeaders: answer.rawHeaders, body: answer.bytes };
  if ('bytes' in answer) {
    return {
      status: answer.status,
      headers: { ...answer.headers, 'content-type': answer.mediaType },
      body: answer.bytes,
    };
  }
  return jsonReply(answer.status, answer.status === 204 ? '' : JSON.stringify(answer.body), answer.headers);
}

/** What of an answer is kept for a repeat by Idempotency-Key: never a secret; of a stream nothing. */
export function keepable(answer: Answer<unknown>): { status: number; body: string } | null {
  if ('stream' in answer) return null;
  if ('bytes' in answer) return { status: answer.status, body: Buffer.from(answer.bytes as string).toString() };
  return { status: answer.status, body: answer.status === 204 ? '' : JSON.stringify(answer.stored ?? answer.body) };
}

const REFUSALS: Record<RefusalCode, ProblemCode> = {
  'not-found': 'not-found',
  'name-taken': 'name-taken',
  exists: 'already-exists',
  'in-use': 'in-use',
  'wrong-state': 'wrong-state',
  'limit-reached': 'limit-reached',
  'changed-meanwhile': 'changed-meanwhile',
  erased: 'erased',
  'operation-running': 'operation-running',
  full: 'sheet-full',
};

/**
 * A refusal becomes its problem. Anything else is a fault of ours: `tell` writes it to the log and answers the URN it is
 * found under; the caller learns that and nothing more.
 */
export function replyToError(error: unknown, tell: (error: unknown) => string): Reply {
  if (error instanceof Refused) return problemReply(error.problem, error.headers);
  if (error instanceof StoreRefusal) return problemReply(problem(REFUSALS[error.code], sentence(error.message)));
  const instance = tell(error);
  if (error instanceof StoreOutage) {
    return problemReply({ ...problem('unavailable', outageInWords(error)), instance }, { 'retry-after': '1' });
  }
  const document = problem('internal', 'The fault is ours; it was logged under the instance named here.');
  return problemReply({ ...document, instance });
}

function problemReply(document: Problem, headers: Readonly<Record<string, string>> = {}): Reply {
  return {
    status: document.status,
    headers: { 'content-type': PROBLEM_TYPE, ...headers },
    body: JSON.stringify(document),
    code: document.code,
  };
}

function sentence(words: string): string {
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}${/[.?!]$/.test(words) ? '' : '.'}`;
}

function outageInWords({ undone }: StoreOutage): string {
  if (undone) return 'The store does not answer at the moment; nothing was done.';
  return 'The store stopped answering before it said whether this was done. Events may be sent again: each is accepted once.';
}

/** Writes a reply. `close` says that the connection must not be used again. */
export function send(reply: Reply, response: ServerResponse, close: boolean): void {
  const request = response.req;
  if (response.destroyed) return;
  if (close || isUnread(request)) response.setHeader('connection', 'close');
  if ('stream' in reply) {
    reply.stream(response);
    return;
  }
  if ('rawHeaders' in reply) return sendRaw(reply, response, request.method === 'HEAD');
  const { status, headers, body } = reply;
  headers['x-content-type-options'] = 'nosniff';
  headers['cache-control'] = 'no-store';
  if (status !== 204) headers['content-length'] = String(Buffer.byteLength(body));
  response.writeHead(status, headers);
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Statuses that end with their headers (RFC 9110 15.3.5, 15.4.5). */
const BODILESS = new Set([204, 304]);

// What somebody else has written is shown by no browser as a page of ours.
function sendRaw(reply: RawReply, response: ServerResponse, isHead: boolean): void {
  const { status, rawHeaders, body } = reply;
  const names = new Set(rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()));
  const lines = [...rawHeaders];
  const add = (name: string, value: string): void => void (names.has(name) || lines.push(name, value));
  add('x-content-type-options', 'nosniff');
  add('cache-control', 'no-store');
  if (body.length > 0) add('content-security-policy', 'sandbox');
  if (!BODILESS.has(status)) lines.push('content-length', String(Buffer.byteLength(body)));
  if (response.hasHeader('connection')) lines.push('connection', 'close');
  response.removeHeader('connection');
  response.writeHead(status, lines);
  response.end(isHead || BODILESS.has(status) ? undefined : body);
}

/** Bytes of an unread body that Node swallows to keep the connection; for more, or for who knows how many, it ends. */
const SWALLOWED = 4 * 1_024 * 1_024;

function isUnread(request: IncomingMessage): boolean {
  if (request.complete || !hasBody(request)) return false;
  return Number(request.headers['content-length'] ?? Infinity) > SWALLOWED;
}
