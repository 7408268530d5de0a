// The way of every request, from its head to its answer: the one place where HTTP meets the operations.
//
// It stands on node:http itself. A framework would have kept its router and lost the rest: the body reader is strict
// about bytes, the checks name every fault, and what goes wrong is a problem document. Publishing, the hot path, goes the
// same way as everything else. CPU per publish of 1 KB, the store stubbed, minima of several runs on two busy cores: bare
// node:http with JSON.parse 45–83 µs, this door 117–139, the same handler under Fastify 5.12 108–130. Half of it is the
// socket's write; of our own, decoding takes 6 µs and the hash of the key 1.4.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuse } from '../model/problem.ts';
import type { ApiKey, Workspace } from '../store/contract.ts';
import { ClientGone, hasBody, readAnyBody, readBody } from './body.ts';
import { once, parseIdempotencyKey, requestHash } from './idempotency.ts';
import { parseBody } from './json-body.ts';
import { checkAccess, type Call, type Tools } from './kernel.ts';
import { jsonReply, keepable, replyTo, replyToError, send, type Reply } from './reply.ts';
import { createReport, type Facts } from './report.ts';
import { endTrace, joinTrace } from './request-trace.ts';
import { checkHeaders, checkMediaType, headerOf, targetOf } from './request-head.ts';
import { createRouter, type Router } from './router.ts';
import type { Route } from './routes.ts';
import { bodyCheck, parseQuery, queryCheck, refuseFaults, textFaults, type Check } from './validation.ts';

/** Takes a request and answers it, whatever it is. Never rejects. */
export type Door = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** A route with its checks. */
interface Prepared extends Route {
  checkBody: Check | null;
  checkQuery: Check;
  checkParams: Check | null;
}

/** What every request is handled with. */
interface Context {
  router: Router<Prepared>;
  tools: Tools;
}

const NO_BYTES = Buffer.alloc(0);
const NOTHING = {};

/** Makes the door to these routes. `closing` is asked before each answer: may the connection be used again? */
export function createDoor(routes: readonly Route[], tools: Tools, closing: () => boolean): Door {
  const context: Context = { router: createRouter(routes.map(prepare)), tools };
  const report = createReport(tools);
  return async (request, response) => {
    const facts: Facts = {
      startedAt: tools.clock.monotonic(),
      path: '',
      route: null,
      key: null,
      workspace: null,
      trace: null,
      span: null,
      told: NOTHING,
    };
    let reply: Reply | null = null;
    try {
      reply = await answer(request, facts, context);
    } catch (error) {
      if (error instanceof ClientGone) response.destroy();
      else reply = replyToError(error, (failure) => report.failure(facts, failure));
    }
    if (reply !== null) send(reply, response, closing());
    endTrace(facts, reply);
    report.request(request, facts, reply);
  };
}

function prepare(route: Route): Prepared {
  const { in: input, query, operation } = route;
  return {
    ...route,
    checkBody: input === null || operation.consumes !== undefined ? null : bodyCheck(input),
    checkQuery: queryCheck(query),
    checkParams: operation.params === undefined ? null : queryCheck(operation.params),
  };
}

/** The stations in their order; each may refuse. What is learned on the way stands in `facts`, for the log. */
async function answer(request: IncomingMessage, facts: Facts, { router, tools }: Context): Promise<Reply> {
  const { path, search } = targetOf(request.url ?? '/');
  facts.path = path;
  const match = router(request.method ?? '', path);
  if (match.kind === 'nowhere') throw refuse('not-found', `There is nothing at ${path}.`);
  if (match.kind === 'other-methods') return otherMethods(request.method ?? '', match.allow);
  const { route, params } = match;
  facts.route = route;
  // Where no key is asked for, the path itself may be what is secret.
  if (route.access === 'anybody') facts.path = route.path;
  joinTrace(request, facts, tools.tracer);
  checkHeaders(request.rawHeaders, route.operation.anything === undefined);
  if (route.operation.anything !== undefined) return takeAnything(request, { facts, route, params, search }, tools);
  if (route.access !== 'anybody') {
    const found = tools.auth.identify(request.headers.authorization);
    facts.key = found instanceof Promise ? await found : found;
    checkAccess(facts.key, route.access, route.operation.serviceKeys === true);
  }
  const query = search === '' ? {} : parseQuery(search, route.query);
  refuseFaults(route.checkQuery(query));
  if (route.checkParams !== null && [...route.checkParams(params), ...textFaults(params)].length > 0) {
    // The last is what the path is about; one that is not even of its form is nobody's.
    const [name, value] = Object.entries(params).at(-1) as [string, string];
    throw refuse('not-found', `There is no ${name} ${JSON.stringify(value)} here.`);
  }
  if (facts.key !== null && route.operation.reach !== 'installation') {
    const named = query['workspace'] ?? headerOf(request, 'bellwire-workspace');
    const found = tools.auth.locate(facts.key, named as string | undefined);
    facts.workspace = found instanceof Promise ? await found : found;
  }
  const { bytes, body } = await readWhatIsTaken(request, route, tools);
  const checked = { params, query, search, bytes, cutAt: null, body, now: tools.clock.now() };
  return run({ request, route, call: callOf(request, facts, checked) }, tools);
}

interface Asked {
  facts: Facts;
  route: Prepared;
  params: Record<string, string>;
  search: string;
}

/** Hands a request over as it came. */
async function takeAnything(request: IncomingMessage, asked: Asked, tools: Tools): Promise<Reply> {
  const { facts, route, params, search } = asked;
  const { operation } = route;
  const limit = operation.anything?.(tools.config) ?? 0;
  const bytes = await readAnyBody(request, limit);
  const body = { bytes: bytes ?? NO_BYTES, cutAt: bytes === null ? limit : null, body: null };
  const call = callOf(request, facts, { params, query: {}, search, ...body, now: tools.clock.now() });
  return replyTo(await operation.handle(call as Call<never, never, never>, tools));
}

function otherMethods(method: string, allow: readonly string[]): Reply {
  const headers = { allow: allow.join(', ') };
  if (method === 'OPTIONS') return jsonReply(204, '', headers);
  throw refuse('method-not-allowed', `${method} is not one of ${headers.allow}.`, headers);
}

/** The body by what the route takes: bytes, JSON, or none. */
async function readWhatIsTaken(
  request: IncomingMessage,
  { name, operation, checkBody }: Prepared,
  { config: { limits } }: Tools,
): Promise<{ bytes: Buffer; body: unknown }> {
  if (operation.consumes !== undefined) {
    return { bytes: await readBody(request, limits.requestBytes), body: null };
  }
  if (checkBody === null) {
    if (hasBody(request)) throw refuse('body-not-allowed', `${name} takes no body.`);
    return { bytes: NO_BYTES, body: null };
  }
  if (!hasBody(request)) {
    if (operation.optionalBody !== true) throw refuse('body-required', `${name} needs a JSON body.`);
    return { bytes: NO_BYTES, body: {} };
  }
  checkMediaType(request.headers['content-type']);
  const bytes = await readBody(request, limits.bodyBytes);
  const body = parseBody(bytes);
  refuseFaults(checkBody(body));
  refuseFaults(textFaults(body));
  return { bytes, body };
}

type Checked = Pick<Call, 'params' | 'query' | 'search' | 'bytes' | 'cutAt' | 'body' | 'now'>;

/** What the handler gets. Nobody in particular, nowhere in particular, where the route asks for neither. */
function callOf(request: IncomingMessage, facts: Facts, checked: Checked): Call {
  return {
    ...checked,
    key: facts.key ?? NOBODY,
    workspace: facts.workspace ?? NOWHERE,
    trace: facts.trace,
    tell: (told) => void (facts.told = { ...facts.told, ...told }),
    header: (name) => headerOf(request, name),
    rawHeaders: request.rawHeaders,
    method: request.method ?? 'GET',
    from: request.socket.remoteAddress ?? null,
  };
}

const NOBODY: ApiKey = { key: '', name: '', scopes: [], workspaces: [], service: null, createdAt: 0 };
const NOWHERE: Workspace = {
  workspace: 0,
  token: '',
  name: '',
  limits: { eventsPerDay: null, bytesPerDay: null, webhooks: null, subscriptions: null, eventTypes: null },
  retention: { eventsMs: null, deliveriesMs: null, idempotencyMs: null, changesMs: null, runsMs: null },
  createdAt: 0,
};

/** Runs the handler, once only where the request carries an Idempotency-Key. */
async function run(
  { request, route, call }: { request: IncomingMessage; route: Prepared; call: Call },
  tools: Tools,
): Promise<Reply> {
  const { handle } = route.operation;
  const header = headerOf(request, 'idempotency-key');
  if (header === undefined || route.method === 'GET')
    return replyTo(await handle(call as Call<never, never, never>, tools));
  const key = {
    workspace: call.workspace.workspace,
    owner: call.key.key,
    key: parseIdempotencyKey(header),
    bodyHash: requestHash({
      method: route.method,
      target: request.url ?? '',
      rawHeaders: call.rawHeaders,
      bytes: call.bytes,
    }),
  };
  const outcome = await once(tools.store.settings, { key, now: call.now }, async () => {
    const answered = await handle(call as Call<never, never, never>, tools);
    return { answer: answered, kept: keepable(answered) };
  });
  if (!outcome.replayed) return replyTo(outcome.answer);
  return jsonReply(outcome.status, outcome.body, { 'idempotency-replayed': 'true' });
}
