// One request of a webhook, made at a local address byte by byte as the platform composed it; and what came back.
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AnswersIn, RelayedRequestOut } from '../../api/listeners.ts';
import { KEEP_LIMIT, READ_LIMIT } from '../../model/outcome.ts';
import { usage } from '../failure.ts';

/** What somebody answered, as it is brought back. */
export type Answer = Omit<AnswersIn['items'][number], 'relay'>;

/** Answers a request; never rejects. */
export type Answerer = (request: RelayedRequestOut, signal: AbortSignal) => Promise<Answer>;

/** The address that is meant: a port, a port with a path, or a URL. Throws in words. */
export function localUrl(text: string): URL {
  const full = /^https?:\/\//i.test(text)
    ? text
    : `http://${/^\d/.test(text) && !/^\d+\./.test(text) ? 'localhost:' : ''}${text}`;
  const url = URL.parse(full);
  if (url === null || url.hostname === '' || url.port === '0' || /^(?!https?:)[\w+.-]+:\/\//i.test(text)) {
    throw usage(`${text} is no port and no http or https address`);
  }
  if (url.username !== '' || url.password !== '') {
    throw usage('a target takes no user name and no password: requests come with the headers that the webhook has');
  }
  return url;
}

/** Makes requests at one address. Redirects are not followed; connections are kept. */
export function forwardTo(url: URL, { skipVerify = false }: { skipVerify?: boolean } = {}): Answerer {
  return (asked, signal) =>
    new Promise((resolve) => {
      const startedAt = performance.now();
      const settle = (answer: Omit<Answer, 'durationMs'>): void =>
        resolve({ durationMs: Math.min(600_000, Math.round(performance.now() - startedAt)), ...answer });
      const fail = (error: Error): void => settle({ failure: failureOf(error) });
      try {
        const deadline = AbortSignal.timeout(asked.deadlineMs);
        const made = open(url, asked, { signal: AbortSignal.any([signal, deadline]), skipVerify });
        made.on('error', fail);
        made.on('response', (response) => void read(response).then(settle, fail));
        made.end(bodyOf(asked));
      } catch (error) {
        fail(error as Error);
      }
    });
}

/** The bytes of a request; empty without any. */
export function bodyOf({ body }: RelayedRequestOut): Buffer {
  return Buffer.from(body ?? '', 'base64');
}

function open(
  url: URL,
  asked: RelayedRequestOut,
  { signal, skipVerify }: { signal: AbortSignal; skipVerify: boolean },
): ClientRequest {
  const length = asked.body === null ? [] : ['content-length', String(bodyOf(asked).length)];
  const headers = ['host', url.host, ...asked.headers.flat(), ...length];
  const options = { method: asked.method, headers, signal };
  return url.protocol === 'https:'
    ? httpsRequest(url, { ...options, rejectUnauthorized: !skipVerify })
    : httpRequest(url, options);
}

// As the platform reads an answer: so much of it, and so much is kept.
async function read(response: IncomingMessage): Promise<Omit<Answer, 'durationMs'>> {
  const kept: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (bytes < KEEP_LIMIT) kept.push(chunk.subarray(0, KEEP_LIMIT - bytes));
    bytes += chunk.length;
    if (bytes > READ_LIMIT) break;
  }
  const { rawHeaders } = response;
  const headers = Array.from({ length: Math.min(rawHeaders.length / 2, 100) }, (_, at) => [
    rawHeaders[2 * at]!,
    rawHeaders[2 * at + 1]!.slice(0, 8_192),
  ]);
  const body = Buffer.concat(kept).toString('base64');
  return { status: response.statusCode!, headers, body, bodyBytes: bytes };
}

const FAILURES: Readonly<Record<string, NonNullable<Answer['failure']>>> = {
  ECONNREFUSED: 'connection-refused',
  ECONNRESET: 'connection-reset',
  EPIPE: 'connection-reset',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EPROTO: 'tls',
};

function failureOf(error: Error): NonNullable<Answer['failure']> {
  const inner = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  const { code = '', name } = inner as NodeJS.ErrnoException;
  if (name === 'AbortError' || name === 'TimeoutError') return 'timeout';
  if (code.startsWith('HPE_')) return 'protocol';
  if (/^(?:ERR_TLS_|ERR_SSL_|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO_)/.test(code)) return 'tls';
  return FAILURES[code] ?? 'other';
}
