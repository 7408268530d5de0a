// Reading the body of a request: bounded, by declared and by real length, and never decompressed.
import type { IncomingMessage } from 'node:http';
import { refuse, Refused } from '../model/problem.ts';

/**
 * What exceeds the limit by no more than this is read to its end and thrown away, so that the client gets to read the
 * answer instead of a reset connection; beyond, the connection is closed.
 */
const DRAIN_BYTES = 16 * 1_024 * 1_024;

const NOTHING = Buffer.alloc(0);

/** Does the request announce a body? */
export function hasBody(request: IncomingMessage): boolean {
  const { headers } = request;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Reads the whole body, whatever its encoding; null where it is larger. Rejects when the client goes away. */
export async function readAnyBody(request: IncomingMessage, limit: number): Promise<Buffer | null> {
  if (!hasBody(request)) return NOTHING;
  if (Number(request.headers['content-length'] ?? 0) > limit + DRAIN_BYTES) return null;
  return collect(request, limit).catch((error: unknown) => {
    if (error instanceof Refused) return null;
    throw error;
  });
}

/** Reads the whole body. Refuses `request-too-large`; rejects when the client goes away. */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  if (!hasBody(request)) return Promise.resolve(NOTHING);
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return Promise.reject(refuse('unsupported-media-type', `The Content-Encoding ${encoding} is not read here.`));
  }
  if (Number(request.headers['content-length'] ?? 0) > limit + DRAIN_BYTES)
    return Promise.reject(tooLarge(limit, true));
  return collect(request, limit);
}

function collect(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let first: Buffer | null = null;
    let chunks: Buffer[] | null = null;
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > limit + DRAIN_BYTES) {
        request.removeAllListeners('data');
        reject(tooLarge(limit, true));
      } else if (length > limit) {
        first = chunks = null;
      } else if (first === null) first = chunk;
      else (chunks ??= [first]).push(chunk);
    });
    request.on('end', () => {
      if (length > limit) reject(tooLarge(limit, false));
      else resolve(chunks === null ? (first ?? NOTHING) : Buffer.concat(chunks, length));
    });
    request.on('error', reject);
    request.on('close', () => {
      if (!request.complete) reject(new ClientGone());
    });
  });
}

/** The client closed the connection before its request was complete: nobody is left to be answered. */
export class ClientGone extends Error {
  override name = 'ClientGone';
}

function tooLarge(limit: number, close: boolean): Error {
  const detail = `The body exceeds the limit of ${limit} bytes per request.`;
  return refuse('request-too-large', detail, close ? { connection: 'close' } : {});
}
