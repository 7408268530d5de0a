// One request to the platform and its answer: addresses, errors as one class, and repeats where they are safe.

/** How to reach a platform. */
export interface ClientOptions {
  /** Where the API is: `https://events.example.com`, with a path where a proxy adds one. */
  url: string;
  /** An API key (`bw_…`). */
  key?: string | undefined;
  /** Id or name of the workspace to act on; needed by keys of several. */
  workspace?: string | undefined;
  /** The fetch to use instead of the global one. */
  fetch?: typeof globalThis.fetch | undefined;
  /** How often a request that may safely be repeated is repeated; default 2. */
  retries?: number | undefined;
  /** How long one try may take, in ms; default 60,000. */
  timeoutMs?: number | undefined;
}

/** What can be said about a single call. */
export interface CallOptions {
  /** Ends the call, retries included; the call then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * Makes a write repeatable: the same key with the same body gets the first answer again, without the secrets in it.
   * With a key the client also repeats by itself what it otherwise would not.
   */
  idempotencyKey?: string | undefined;
}

/** One of several faults of a request. */
export interface Fault {
  /** Place of the event in its batch, from 0. */
  index?: number;
  /** JSON pointer, or the name of a header or query parameter. */
  pointer?: string;
  code: string;
  detail: string;
}

/**
 * Every failure of a call. `code` is one of docs/errors.md, or, where no such answer came: `unreachable` (status 0: no
 * answer at all), `unexpected-answer` (something answered that is not the platform).
 */
export class BellwireError extends Error {
  override name = 'BellwireError';
  /** The HTTP status; 0 without an answer. */
  readonly status: number;
  readonly code: string;
  /** What is wrong with this very request, for people. */
  readonly detail: string;
  /** The faults one by one, where there can be several. */
  readonly errors: readonly Fault[];
  /** URN of the request, on faults of the platform: its log names it, too. */
  readonly instance: string | undefined;
  /** How long the platform asks to wait, in ms. */
  readonly retryAfterMs: number | undefined;
  constructor(
    problem: { status: number; code: string; detail: string; errors?: readonly Fault[]; instance?: string },
    more: { retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(problem.detail, more.cause === undefined ? undefined : { cause: more.cause });
    this.status = problem.status;
    this.code = problem.code;
    this.detail = problem.detail;
    this.errors = problem.errors ?? [];
    this.instance = problem.instance;
    this.retryAfterMs = more.retryAfterMs;
  }
}

/** One call, before it is sent. */
export interface Call extends CallOptions {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: object;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  body?: { bytes: Uint8Array | string; headers: Readonly<Record<string, string>> };
  accept?: string;
  /** Doing it twice is the same as doing it once; left out: it is so for all methods but POST. */
  repeatable?: boolean;
  timeoutMs?: number;
}

/** Sends calls. */
export interface Requester {
  /** Where calls go, without a slash at the end. */
  readonly origin: string;
  /** The answer's JSON; null where there is no body. */
  json<Out>(call: Call): Promise<Out>;
  /** The answer itself, its status a success. */
  send(call: Call): Promise<Response>;
}

/** Longest wait before a repeat: what asks for more is given up on, and says how much it asked for. */
const LONGEST_WAIT_MS = 10_000;
const FIRST_WAIT_MS = 200;

/** Makes the requester of a client. */
export function createRequester(options: ClientOptions): Requester {
  const { key, workspace, retries = 2, timeoutMs = 60_000 } = options;
  const fetch = options.fetch ?? globalThis.fetch;
  const origin = options.url.replace(/\/+$/, '');
  if (!/^https?:\/\//i.test(origin) || !URL.canParse(origin)) {
    throw new BellwireError({ status: 0, code: 'unreachable', detail: `${options.url} is no http or https address` });
  }
  const { username, password } = new URL(origin);
  // The address is named in what goes wrong.
  if (username !== '' || password !== '') {
    const detail = 'The address has a user or a password in it; the key says who asks.';
    throw new BellwireError({ status: 0, code: 'unreachable', detail });
  }

  async function once(call: Call): Promise<Response> {
    const deadline = AbortSignal.timeout(call.timeoutMs ?? timeoutMs);
    const signal = call.signal === undefined ? deadline : AbortSignal.any([call.signal, deadline]);
    const init = {
      method: call.method,
      headers: headersOf(call, { key, workspace }),
      redirect: 'manual',
      signal,
    } as const;
    let response: Response;
    try {
      const body = call.json === undefined ? call.body?.bytes : JSON.stringify(call.json);
      response = await fetch(origin + call.path + queryOf(call.query), {
        ...init,
        body: (body ?? null) as BodyInit | null,
      });
    } catch (error) {
      call.signal?.throwIfAborted();
      throw unreachable(origin, error);
    }
    if (response.ok) return response;
    throw await refusal(response, origin);
  }

  async function send(call: Call): Promise<Response> {
    if (call.path.includes(NOWHERE)) {
      throw new BellwireError({
        status: 404,
        code: 'not-found',
        detail: 'Nothing here has an empty name, or dots for one.',
      });
    }
    for (let tries = 1; ; tries++) {
      try {
        return await once(call);
      } catch (error) {
        if (!(error instanceof BellwireError)) throw error;
        // The first answer was lost, and what it had done is found done.
        if (call.method === 'DELETE' && tries > 1 && error.code === 'not-found')
          return new Response(null, { status: 204 });
        const waitMs = error.retryAfterMs ?? FIRST_WAIT_MS * 2 ** (tries - 1) * (0.5 + Math.random());
        if (tries > retries || waitMs > LONGEST_WAIT_MS || !mayRepeat(call, error)) throw error;
        await pause(waitMs, call.signal);
      }
    }
  }

  return {
    origin,
    send,
    async json<Out>(call: Call): Promise<Out> {
      const response = await send(call);
      if (response.status === 204) return null as Out;
      try {
        return (await response.json()) as Out;
      } catch (error) {
        call.signal?.throwIfAborted();
        throw error instanceof SyntaxError ? unexpected(response.status, origin, error) : unreachable(origin, error);
      }
    },
  };
}

/** A path whose parts are encoded. */
export function path(texts: TemplateStringsArray, ...parts: string[]): string {
  return String.raw(
    { raw: texts },
    ...parts.map((part) => (/^\.{0,2}$/.test(part) ? NOWHERE : encodeURIComponent(part))),
  );
}

/** Stands for a part that a URL would swallow (`..`): nothing is called so, and nothing may be reached that way. */
const NOWHERE = '\0';

/** Waits; rejects with the signal's reason when that comes first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

function headersOf(call: Call, { key, workspace }: Pick<ClientOptions, 'key' | 'workspace'>): Record<string, string> {
  return {
    accept: call.accept ?? 'application/json',
    ...(call.json === undefined ? call.body?.headers : { 'content-type': 'application/json' }),
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    ...(workspace === undefined ? {} : { 'bellwire-workspace': encodeURI(workspace) }),
    ...(call.idempotencyKey === undefined ? {} : { 'idempotency-key': call.idempotencyKey }),
  };
}

function queryOf(query: object = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}`;
}

// 429 and `idempotency-running` were refused before anything was done. Otherwise a lost answer may hide a deed: only
// what may be done twice is done again.
function mayRepeat(call: Call, { status, code }: BellwireError): boolean {
  if (status === 429 || code === 'idempotency-running') return true;
  const isSafe = (call.repeatable ?? call.method !== 'POST') || call.idempotencyKey !== undefined;
  return isSafe && (code === 'unreachable' || status === 502 || status === 503 || status === 504);
}

async function refusal(response: Response, origin: string): Promise<BellwireError> {
  const retryAfterMs = waitOf(response.headers.get('retry-after'));
  try {
    const problem = (await response.json()) as ConstructorParameters<typeof BellwireError>[0];
    if (typeof problem.code === 'string' && typeof problem.detail === 'string') {
      return new BellwireError({ ...problem, status: response.status }, { retryAfterMs });
    }
  } catch {
    // Not JSON: a proxy, or another server.
  }
  return unexpected(response.status, origin, undefined, retryAfterMs);
}

// oxlint-disable-next-line max-params -- the last two are optional
function unexpected(status: number, origin: string, cause: unknown, retryAfterMs?: number): BellwireError {
  const detail = `${origin} answered ${status} in a form that is not Bellwire's; is this its address?`;
  return new BellwireError({ status, code: 'unexpected-answer', detail }, { retryAfterMs, cause });
}

function unreachable(origin: string, error: unknown): BellwireError {
  const detail = `${origin} does not answer: ${reasonOf(error)}`;
  return new BellwireError({ status: 0, code: 'unreachable', detail }, { cause: error });
}

/** fetch says "fetch failed"; what it means stands in its causes. */
function reasonOf(error: unknown): string {
  if ((error as Error).name === 'TimeoutError') return 'no answer within the time allowed';
  let cause: Error & { code?: string; errors?: Error[] } = error as Error;
  while (cause.cause instanceof Error) cause = cause.cause;
  cause = cause.errors?.[0] ?? cause;
  if (cause.code === 'ECONNREFUSED') return 'connection refused';
  if (cause.code === 'ENOTFOUND') return 'its name is not known';
  return cause.message || (cause.code ?? 'no answer');
}

function waitOf(retryAfter: string | null): number | undefined {
  if (retryAfter === null) return undefined;
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter) * 1_000;
  const at = Date.parse(retryAfter);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
