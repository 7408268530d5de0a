// One exchange of node:http served by a receiver: raw bytes in, the answer out. What the adapters on Node share.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { Receiver } from '../receiver.ts';

// Joined by commas, or dropped but for the first, a second value of these would change what is verified or read.
const single = /^(content-type|content-length|authorization|webhook-.*|hpe-webhook-signature|ce-.*)$/;

/** One exchange. `body` holds the raw bytes where somebody has read and kept them. */
export interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly body?: Uint8Array;
}

/** Serves one exchange; it never rejects. */
export async function serve(receiver: Receiver, { incoming, outgoing, body }: Exchange): Promise<void> {
  let response: Response;
  try {
    response = await answer(receiver, incoming, body);
  } catch (error) {
    // oxlint-disable-next-line no-console -- a failure of the runtime itself; nobody else would hear of it
    console.error('the receiver failed:', error);
    response = text(500, 'the receiver failed');
  }
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) outgoing.setHeader(name, value);
  outgoing.end(Buffer.from(await response.arrayBuffer()));
  // Node discards the rest of a body by itself only if nobody has begun to read it; left alone it blocks the connection.
  incoming.resume();
}

/** The sentence for a request whose body somebody else has read; `remedy` says how to avoid it. */
export function consumedBody(remedy: string): string {
  return `the body was already read by a body parser, but signatures cover its raw bytes: ${remedy}`;
}

function answer(receiver: Receiver, incoming: IncomingMessage, bytes?: Uint8Array): Response | Promise<Response> {
  if (bytes === undefined && incoming.readableDidRead) {
    return text(500, consumedBody('let the receiver handle the request before any parser does'));
  }
  const headers = headersOf(incoming.rawHeaders);
  if (headers === undefined) return text(400, 'a header that must be single is repeated');
  const { method = 'GET', url = '/' } = incoming;
  // Fetch knows no Request with these methods; the receiver would refuse them anyway.
  if (method === 'TRACE' || method === 'CONNECT') return text(405, 'send a POST');
  const body = method === 'GET' || method === 'HEAD' ? null : ((bytes as BodyInit | undefined) ?? bodyOf(incoming));
  // `duplex` is what Fetch demands for a body that is a stream.
  const init: RequestInit & { duplex: 'half' } = { method, headers, body, duplex: 'half' };
  return receiver(new Request(`http://localhost${url.startsWith('/') ? url : '/'}`, init));
}

/** All headers, from the raw list, since Node itself joins some duplicates and drops others. */
function headersOf(rawHeaders: readonly string[]): Headers | undefined {
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (name.startsWith(':')) continue;
    if (single.test(name) && headers.has(name)) return undefined;
    headers.append(name, rawHeaders[at + 1]!);
  }
  return headers;
}

/** The body as a web stream whose end does not tear down the connection: a 413 must still reach the sender. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array<ArrayBuffer>> {
  const stream: unknown = NodeReadableStream.from(incoming.iterator({ destroyOnReturn: false }));
  return stream as ReadableStream<Uint8Array<ArrayBuffer>>;
}

function text(status: number, sentence: string): Response {
  return new Response(`${sentence}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } });
}
