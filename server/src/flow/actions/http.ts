// `http`: one request, its answer as the output. Redirects are never followed; what is answered is read to a limit.
import type { Clock } from '../../model/clock.ts';
import type { Json } from '../../model/flow/definition.ts';
import { DEPTH_HEADER } from '../../model/flow/depth.ts';
import { parseRetryAfter } from '../../model/retry.ts';
import { ActionFailed, type Action, type ActionContext } from '../action.ts';
import { FetchFailed, type Fetch, type FetchAnswer, type FetchRequest } from '../fetch.ts';
import { readBody } from './http-body.ts';

/** What it stands on. */
export interface HttpParts {
  fetch: Fetch;
  clock: Pick<Clock, 'now'>;
  /** A longer answer is a failure. */
  maxBytes: number;
}

/** One request may take so long unless its step says otherwise. */
const DEADLINE_MS = 60_000;
/** Methods whose repetition changes nothing (RFC 9110 9.2.1): they need no key. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Statuses after which a later try may do better. All of 5xx are. */
const PASSING = new Set([408, 425, 429]);

interface HttpInput {
  method?: string;
  url: string;
  headers?: Readonly<Record<string, string>>;
  body?: Json;
  form?: Readonly<Record<string, string | number | boolean>>;
  expect?: number | string | readonly (number | string)[];
}

/** Makes it. */
export function createHttp(parts: HttpParts): Action {
  return {
    name: 'http',
    brief: true,
    run: async (context) => {
      const input = (typeof context.input === 'string'
        ? { url: context.input }
        : context.input) as unknown as HttpInput;
      const answer = await send(parts.fetch, requestOf(input, context, parts.maxBytes));
      const { status, headers } = answer;
      const body = readBody(answer);
      const output: Json = { status, headers: { ...headers }, body: body.value };
      if (!isExpected(status, input.expect ?? '2xx')) throw refused(answer, output, parts.clock.now());
      if (body.fault !== null)
        throw new ActionFailed(`answered ${status}, but ${body.fault}`, { retryable: false, output });
      return output;
    },
  };
}

function requestOf(input: HttpInput, context: ActionContext, maxBytes: number): FetchRequest {
  const { url, body, form, headers = {} } = input;
  if (body !== undefined && form !== undefined) {
    throw new ActionFailed('http takes either body or form', { retryable: false });
  }
  const method = input.method ?? (body === undefined && form === undefined ? 'GET' : 'POST');
  const content = contentOf(body, form);
  const given = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const own: Record<string, string> = {};
  if (content !== null && !given.has('content-type')) own['content-type'] = content.type;
  if (!SAFE.has(method) && !given.has('idempotency-key')) own['idempotency-key'] = context.idempotencyKey;
  // A request to an HTTP trigger goes on with the chain (R16).
  own[DEPTH_HEADER] = String(context.run.depth);
  return {
    method,
    url,
    headers: { ...own, ...headers },
    body: content?.bytes ?? null,
    deadlineMs: context.timeoutMs ?? DEADLINE_MS,
    maxBytes,
    signal: context.signal,
    trace: context.trace,
  };
}

function contentOf(body: Json | undefined, form: HttpInput['form']): { type: string; bytes: Uint8Array } | null {
  if (form !== undefined) {
    const pairs = new URLSearchParams(Object.entries(form).map(([name, value]) => [name, String(value)]));
    return { type: 'application/x-www-form-urlencoded', bytes: Buffer.from(pairs.toString()) };
  }
  if (body === undefined) return null;
  if (typeof body === 'string') return { type: 'text/plain; charset=utf-8', bytes: Buffer.from(body) };
  return { type: 'application/json', bytes: Buffer.from(JSON.stringify(body)) };
}

async function send(fetch: Fetch, request: FetchRequest): Promise<FetchAnswer> {
  try {
    return await fetch(request);
  } catch (error) {
    if (!(error instanceof FetchFailed)) throw error;
    throw new ActionFailed(error.message);
  }
}

function isExpected(status: number, expected: NonNullable<HttpInput['expect']>): boolean {
  const all = Array.isArray(expected) ? (expected as (number | string)[]) : [expected as number | string];
  return all.some((one) => (typeof one === 'number' ? one === status : one === `${Math.floor(status / 100)}xx`));
}

function refused({ status, headers }: FetchAnswer, output: Json, now: number): ActionFailed {
  const isRedirect = status >= 300 && status < 400;
  const reason = isRedirect ? `answered ${status}, and redirects are not followed` : `answered ${status}`;
  const at = parseRetryAfter(headers['retry-after'] ?? null, now);
  return new ActionFailed(reason, {
    retryable: status >= 500 || PASSING.has(status),
    afterMs: at === null ? null : at - now,
    output,
  });
}
