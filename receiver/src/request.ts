// What every receiver does with a request: reads its body within bounds, and refuses in words.
import { concat } from './encoding.ts';

const consumed =
  'the body was read before the receiver got it: signatures cover raw bytes, so hand over the untouched request';

/** The body's bytes, or the refusal as soon as they are known to be too many. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array | Response> {
  if (request.bodyUsed) return refusal(500, consumed);
  const tooLarge = () => refusal(413, `the body is larger than ${maxBytes} bytes`);
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) return tooLarge();
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body) {
      size += chunk.length;
      if (size > maxBytes) return tooLarge();
      chunks.push(chunk);
    }
  } catch {
    return refusal(400, 'the body ended before it was complete');
  }
  return chunks.length === 1 ? chunks[0]! : concat(...chunks);
}

/** A refusal with its reason as text. */
export function refusal(status: number, reason: string, headers: Record<string, string> = {}): Response {
  return new Response(`${reason}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers } });
}
