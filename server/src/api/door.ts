// The way of every request, from its headers to its answer: the one place where HTTP meets the operations.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PROBLEM_TYPE, problem, Refused, refuse, type Problem } from '../model/problem.ts';
import { StoreRefusal, type ApiKey, type RefusalCode, type Workspace } from '../store/contract.ts';
import { ClientGone, hasBody, readBody } from './body.ts';
import { once, parseIdempotencyKey, requestHash } from './idempotency.ts';
import { parseBody } from './json-body.ts';
import { checkAccess, type Answer, type Call, type Tools } from './kernel.ts';
import { createRouter } from './router.ts';
import type { Route } from './routes.ts';
import { bodyCheck, parseQuery, queryCheck, refuseFaults, type Check } from './validation.ts';

/** Takes a request and answers it, whatever it is. Never rejects. */
export type Door = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** More header lines than this are refused: Node would drop what exceeds a limit without a word. */
const MAX_HEADERS = 200;

/** Headers of which two would be read as one by some and as the other by others. */
const SINGLE = new Set(['authorization', 'bellwire-workspace', 'content-type', 'idempotency-key', 'last-event-id']);

/** What is answered. */
type Reply =
  | { status: number; headers: Record<string, string>; body: string | Uint8Array; code?: string }
  | { status: 200; stream: (response: ServerResponse) => void };

/** What is known of a request by the time it is answered: its line in the log. */
interface Facts {
  startedAt: number;
  path: string;
  route: Compiled | null;
  key: ApiKey | null;
  workspace: Workspace | null;
}

interface Compiled extends Route {
  checkBody: Check | null;
  checkQuery: Check;
  checkParams: Check | null;
}

const NOBODY: ApiKey = { key: '', name: '', scopes: [], workspaces: [], service: null, createdAt: 0 };
const NOWHERE: Workspace = {
  workspace: 0,
  token: '',
  name: '',
  limits: { eventsPerDay: null, bytesPerDay: null, webhooks: null, subscriptions: null },
  createdAt: 0,
};

/** Makes the door to these routes. `closing` is asked for each answer: may the connection be used again? */
export function createDoor(routes: readonly Route[], tools: Tools, closing: () => boolean): Door {
  const router = createRouter(routes.map(compile));
  const { clock, config, store, auth } = tools;
  const report = createReport(tools);

  async function reach(request: IncomingMessage, facts: Facts): Promise<Reply> {
    const { path, search } = targetOf(request.url ?? '/');
    facts.path = path;
    const match = router(request.method ?? 'GET', path);
    if (match.kind === 'nowhere') throw refuse('not-found', `There is nothing at ${path}.`);
    if (match.kind === 'other-methods') return otherMethods(request.method, match.allow);
    const { route, params } = match;
    facts.route = route;
    checkHeaders(request.rawHeaders);
    const { operation } = route;
    if (route.access !== 'anybody') {
      const found = auth.identify(request.headers.authorization);
      facts.key = found instanceof Promise ? await found : found;
      checkAccess(facts.key, route.access, operation.serviceKeys === true);
    }
    const query = search === '' ? {} : parseQuery(search, route.query);
    refuseFaults(route.checkQuery(query));
    if (route.checkParams !== null && route.checkParams(params).length > 0) {
      throw refuse('not-found', `There is nothing at ${path}.`);
    }
    if (facts.key !== null && operation.reach !== 'installation') {
      const found = auth.locate(facts.key, workspaceNamed(request, query));
      facts.workspace = found instanceof Promise ? await found : found;
    }
    const { bytes, body } = await read(request, route);
    return act({ request, route, params, query, bytes, body, facts });
  }

  /** Reads the body by what the route takes: JSON, bytes, or none. */
  async function read(request: IncomingMessage, route: Compiled): Promise<{ bytes: Buffer; body: unknown }> {
    if (route.operation.consumes !== undefined) {
      return { bytes: await readBody(request, config.limits.requestBytes), body: null };
    }
    if (route.checkBody === null) {
      if (hasBody(request)) throw refuse('body-not-allowed', `${route.method} ${route.path} takes no body.`);
      return { bytes: Buffer.alloc(0), body: null };
    }
    if (!hasBody(request)) {
      if (route.operation.optionalBody !== true) throw refuse('body-required', 'The request needs a JSON body.');
      return { bytes: Buffer.alloc(0), body: {} };
    }
    checkMediaType(request.headers['content-type']);
    const bytes = await readBody(request, config.limits.bodyBytes);
    const body = parseBody(bytes);
    refuseFaults(route.checkBody(body));
    return { bytes, body };
  }

  async function act(given: {
    request: IncomingMessage;
    route: Compiled;
    params: Record<string, string>;
    query: Record<string, unknown>;
    bytes: Buffer;
    body: unknown;
    facts: Facts;
  }): Promise<Reply> {
    const { request, route, facts, bytes } = given;
    const now = clock.now();
    const call: Call<never, never, never> = {
      key: facts.key ?? NOBODY,
      workspace: facts.workspace ?? NOWHERE,
      body: given.body as never,
      query: given.query as never,
      params: given.params as never,
      header: (name) => headerOf(request, name),
      rawHeaders: request.rawHeaders,
      bytes,
      now,
    };
    const header = headerOf(request, 'idempotency-key');
    if (header === undefined || request.method === 'GET' || request.method === 'HEAD' || facts.key === null) {
      return replyTo(await route.operation.handle(call, tools));
    }
    const key = {
      workspace: call.workspace.workspace,
      owner: call.key.key,
      key: parseIdempotencyKey(header),
      bodyHash: requestHash([request.method ?? '', request.url ?? '', bytes]),
    };
    const outcome = await once(store.settings, { key, now }, async () => {
      const answer = await route.operation.handle(call, tools);
      return { answer, ...keepable(answer) };
    });
    if (!outcome.replayed) return replyTo(outcome.answer);
    const reply = json(outcome.status, outcome.body);
    reply.headers['idempotency-replayed'] = 'true';
    return reply;
  }

  return async (request, response) => {
    const facts: Facts = { startedAt: clock.monotonic(), path: '', route: null, key: null, workspace: null };
    let reply: Reply | null = null;
    try {
      reply = await reach(request, facts);
    } catch (error) {
      if (error instanceof ClientGone) response.destroy();
      else reply = replyToError(error, (failure) => report.failure(facts, failure));
    }
    if (reply !== null) send({ request, response, reply, close: closing() });
    report.request(request, facts, reply);
  };
}

function compile(route: Route): Compiled {
  return {
    ...route,
    checkBody: route.in === null || route.operation.consumes !== undefined ? null : bodyCheck(route.in),
    checkQuery: queryCheck(route.query),
    checkParams: route.operation.params === undefined ? null : queryCheck(route.operation.params),
  };
}

/** Path and query of a request target, in origin form or in absolute form (RFC 9112 section 3.2). */
function targetOf(target: string): { path: string; search: string } {
  if (!target.startsWith('/')) {
    const url = URL.parse(target);
    if (url !== null) return { path: url.pathname, search: url.search.slice(1) };
  }
  const at = target.indexOf('?');
  return at < 0 ? { path: target, search: '' } : { path: target.slice(0, at), search: target.slice(at + 1) };
}

function otherMethods(method: string | undefined, allow: readonly string[]): Reply {
  const headers = { allow: allow.join(', ') };
  if (method === 'OPTIONS') return { status: 204, headers, body: '' };
  throw refuse('method-not-allowed', `${method} is not one of ${headers.allow}.`, headers);
}

function checkHeaders(rawHeaders: readonly string[]): void {
  if (rawHeaders.length > 2 * MAX_HEADERS) {
    throw refuse('header-too-large', `A request has at most ${MAX_HEADERS} header lines.`);
  }
  let seen = '';
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    if (!SINGLE.has(name)) continue;
    if (seen.includes(`${name}\n`)) throw refuse('duplicate-header', `The header ${name} comes twice.`);
    seen += `${name}\n`;
  }
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

function workspaceNamed(request: IncomingMessage, query: Record<string, unknown>): string | undefined {
  const inQuery = query['workspace'] as string | undefined;
  return inQuery ?? headerOf(request, 'bellwire-workspace');
}

function checkMediaType(contentType: string | undefined): void {
  const [essence = '', ...parameters] = (contentType ?? '').toLowerCase().split(';');
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith('charset='));
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset);
  if (essence.trim() === 'application/json' && isUtf8) return;
  throw refuse('unsupported-media-type', 'The body must be application/json in UTF-8.');
}

function replyTo(answer: Answer<unknown>): Reply {
  if ('stream' in answer) return { status: 200, stream: answer.stream };
  if ('bytes' in answer) {
    return { status: answer.status, headers: { 'content-type': answer.mediaType }, body: answer.bytes };
  }
  const reply = json(answer.status, answer.status === 204 ? '' : JSON.stringify(answer.body));
  return answer.headers === undefined ? reply : { ...reply, headers: { ...reply.headers, ...answer.headers } };
}

function keepable(answer: Answer<unknown>): { status: number; kept: string } {
  if ('stream' in answer) return { status: 200, kept: '' };
  if ('bytes' in answer) return { status: answer.status, kept: Buffer.from(answer.bytes as string).toString() };
  return { status: answer.status, kept: answer.status === 204 ? '' : JSON.stringify(answer.stored ?? answer.body) };
}

function json(status: number, body: string): { status: number; headers: Record<string, string>; body: string } {
  return { status, headers: body === '' ? {} : { 'content-type': 'application/json; charset=utf-8' }, body };
}

const REFUSALS: Record<RefusalCode, Parameters<typeof refuse>[0]> = {
  'not-found': 'not-found',
  'name-taken': 'name-taken',
  exists: 'already-exists',
  'in-use': 'in-use',
  'limit-reached': 'limit-reached',
  'changed-meanwhile': 'changed-meanwhile',
};

/** A refusal becomes its problem; anything else is a fault of ours, told to the log and to the caller by its number. */
function replyToError(error: unknown, tell: (error: unknown) => string): Reply {
  if (error instanceof Refused) return problemReply(error.problem, error.headers);
  if (error instanceof StoreRefusal) return problemReply(problem(REFUSALS[error.code], error.message), {});
  const instance = tell(error);
  const document = isOutage(error)
    ? problem('unavailable', 'The store does not answer at the moment; nothing was done.')
    : problem('internal', 'The fault is ours and was logged under the instance named here.');
  return problemReply({ ...document, instance }, isOutage(error) ? { 'retry-after': '1' } : {});
}

function problemReply(document: Problem, headers: Readonly<Record<string, string>>): Reply {
  return {
    status: document.status,
    headers: { 'content-type': PROBLEM_TYPE, ...headers },
    body: JSON.stringify(document),
    code: document.code,
  };
}

// What a store over the network says when it is away: by system code, or by PostgreSQL's classes 08 and 57.
function isOutage(error: unknown): boolean {
  const code = String((error as { code?: unknown } | null)?.code ?? '');
  return /^(?:ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|08\w{3}|57P0\d)/.test(code);
}

function send(given: { request: IncomingMessage; response: ServerResponse; reply: Reply; close: boolean }): void {
  const { request, response, reply, close } = given;
  if (response.destroyed) return;
  if (close || isUnread(request)) response.setHeader('connection', 'close');
  if ('stream' in reply) {
    reply.stream(response);
    return;
  }
  const { status, headers, body } = reply;
  headers['x-content-type-options'] = 'nosniff';
  headers['cache-control'] ??= 'no-store';
  if (status !== 204) headers['content-length'] = String(Buffer.byteLength(body));
  response.writeHead(status, headers);
  response.end(request.method === 'HEAD' ? undefined : body);
}

// An answer before the body was read: a small rest is swallowed by Node, for a large one the connection is given up.
function isUnread(request: IncomingMessage): boolean {
  if (request.complete || !hasBody(request)) return false;
  return Number(request.headers['content-length'] ?? Infinity) > 65_536;
}

/** One wide line per request and its metrics. */
function createReport({ log, metrics, clock, random }: Tools) {
  const requests = metrics.histogram({
    name: 'bellwire_http_request_duration_seconds',
    help: 'Time from the headers of a request to its answer.',
    labels: ['route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
  });
  const lineOf = (request: IncomingMessage, facts: Facts, reply: Reply | null) => ({
    method: request.method,
    route: facts.route?.path ?? null,
    // A path that fits no route may hold anything, a secret put in the wrong place included.
    path: facts.route === null ? null : facts.path,
    status: reply?.status ?? null,
    code: reply !== null && 'code' in reply ? reply.code : undefined,
    durationMs: Math.round((clock.monotonic() - facts.startedAt) * 1_000) / 1_000,
    caller: facts.key?.key,
    workspace: facts.workspace?.name,
  });
  return {
    request(request: IncomingMessage, facts: Facts, reply: Reply | null): void {
      const name = facts.route === null ? 'none' : facts.route.name;
      requests.observe((clock.monotonic() - facts.startedAt) / 1_000, name, String(reply?.status ?? 'gone'));
      const line = lineOf(request, facts, reply);
      // What comes by the thousand and went well is counted above and shown at `debug`.
      const quiet =
        reply !== null && reply.status < 400 && (request.method === 'GET' || facts.route?.operation.quiet === true);
      if (quiet) log.debug(line, 'request');
      else log.info(line, 'request');
    },
    /** Logs a fault of ours; answers the URN it is found under. */
    failure(facts: Facts, error: unknown): string {
      const instance = `urn:uuid:${random.uuid()}`;
      log.error(
        { error, instance, route: facts.route?.path ?? null, workspace: facts.workspace?.name },
        'request failed',
      );
      return instance;
    },
  };
}
