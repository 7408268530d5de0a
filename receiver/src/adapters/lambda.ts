// AWS Lambda in front of a receiver: function URLs and API Gateway HTTP APIs (payload format 2.0).
import type { Receiver } from '../receiver.ts';

/** The part of a payload 2.0 that is used. */
export interface LambdaEvent {
  readonly rawPath?: string;
  readonly rawQueryString?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly requestContext?: { readonly http?: { readonly method?: string } };
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
}

/** What Lambda answers with. */
export interface LambdaResult {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

/**
 * Serves a receiver from AWS Lambda.
 * @example export const handler = toLambda(createReceiver({ secret: process.env.BELLWIRE_SECRET!, on }))
 * @throws {TypeError} for an event of another shape, or a body that some middleware has parsed already
 */
export function toLambda(receiver: Receiver): (event: LambdaEvent) => Promise<LambdaResult> {
  return async (event) => {
    const response = await receiver(requestOf(event));
    return { statusCode: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
  };
}

function requestOf(event: LambdaEvent): Request {
  const method = event.requestContext?.http?.method;
  if (method === undefined) {
    throw new TypeError('not a payload of format 2.0: use a function URL, or an HTTP API with payload format 2.0');
  }
  const { body = '' } = event;
  if (typeof body !== 'string') {
    throw new TypeError('the body was already parsed, but signatures cover its raw bytes: remove the JSON body parser');
  }
  const headers = new Headers();
  for (const [name, value] of Object.entries(event.headers ?? {})) if (value !== undefined) headers.set(name, value);
  const url = `https://localhost${event.rawPath ?? '/'}${event.rawQueryString ? `?${event.rawQueryString}` : ''}`;
  const bytes = Buffer.from(body, event.isBase64Encoded ? 'base64' : 'utf8');
  return new Request(url, { method, headers, body: method === 'GET' || method === 'HEAD' ? null : bytes });
}
