// What an operation of the API is, and what its handler may count on. How requests reach it is door.ts.
//
//   arrives ─▶ key ─▶ scope ─▶ workspace ─▶ body and query, checked ─▶ Idempotency-Key ─▶ handler ─▶ answer
//              401    403      400, 404     400, 413, 415               409, 422           or a problem
import type { ServerResponse } from 'node:http';
import type { Static, TObject, TSchema } from 'typebox';
import type { LogFields } from '../log/index.ts';
import { refuse, type ProblemCode } from '../model/problem.ts';
import type { ApiKey, KeyScope, Workspace } from '../store/contract.ts';
import type { Auth } from './auth.ts';
import type { ApiParts } from './parts.ts';
import type { Reference } from './reference/made.ts';
import type { Sources } from './sources.ts';

/** Who may call a route: a scope of the key; `admin` (manage, and the key is the installation's own); or anybody. */
export type Access = KeyScope | 'admin' | 'anybody';

/** What a handler is given: everything parsed and checked by the schemas of its route. */
export interface Call<Body = unknown, Query = unknown, Params = unknown> {
  key: ApiKey;
  /** Where the request acts. Not to be touched by an operation that reaches over the installation. */
  workspace: Workspace;
  body: Body;
  query: Query;
  params: Params;
  /** A header by its lower-case name. */
  header(name: string): string | undefined;
  /** All headers as they came: name, value, name, value… */
  rawHeaders: readonly string[];
  /** The body as it came. */
  bytes: Buffer;
  /** As it came: upper case, HEAD for itself. */
  method: string;
  /** The query as it came, without its `?`. */
  search: string;
  /** The address it came from, or null. */
  from: string | null;
  /** The body exceeds this many bytes, and is not in `bytes`; null unless the operation takes anything. */
  cutAt: number | null;
  /** The trace context of what is done for the request (model/trace-context.ts), or null. */
  trace: string | null;
  /** Says more of the request on its line of the log, and on its span. */
  tell(facts: LogFields): void;
  /** Epoch ms. */
  now: number;
}

/** What a handler may use. */
export type Tools = ApiParts & { auth: Auth; sources: Sources; document: () => string; reference: () => Reference };

/** JSON. `stored` is what a repeat by Idempotency-Key gets where that must differ: without secrets. */
export interface JsonAnswer<Out> {
  status: number;
  body: Out;
  stored?: Out;
  headers?: Record<string, string>;
}

/** Another media type, or JSON that was composed already. */
export interface BytesAnswer {
  status: number;
  bytes: Uint8Array | string;
  mediaType: string;
  headers?: Record<string, string>;
}

/** A response whose headers are all its own: name, value, name, value… */
export interface RawAnswer {
  status: number;
  rawHeaders: readonly string[];
  bytes: Uint8Array | string;
}

/** The response itself, for as long as it lasts. */
export interface StreamAnswer {
  stream(response: ServerResponse): void;
}

export type Answer<Out> = JsonAnswer<Out> | BytesAnswer | RawAnswer | StreamAnswer;

/** One thing the API does. Path, access, In and Out stand in the route table, the rest here beside the handler. */
export interface Operation<Body, Out, Query extends TObject = TObject, Params extends TObject = TObject> {
  /** One line for OpenAPI. */
  summary: string;
  /** What else there is to know, for OpenAPI. */
  description?: string;
  query?: Query;
  params?: Params;
  /** Statuses of success with what each means; default 200. */
  success?: Readonly<Record<number, string>>;
  /** Media types of the answer where it is not (only) JSON. */
  produces?: readonly string[];
  /** Media types of a body the handler reads itself, as bytes, each with its schema. */
  consumes?: Readonly<Record<string, TSchema>>;
  /** The body may be left out. */
  optionalBody?: true;
  /**
   * Takes a request as it is: any header, any query, a body of any kind up to so many bytes; the path is a secret, and
   * stands in no log. None of the API's conventions hold.
   */
  anything?: (config: ApiParts['config']) => number;
  /** `installation`: it acts on what belongs to no workspace. */
  reach?: 'workspace' | 'installation';
  /** Comes by the thousand: a success is logged at `debug` only. */
  quiet?: true;
  /** A key that is bound to a service may call it although it needs `manage`. */
  serviceKeys?: true;
  /** Refusals of its own, beyond those that every route has. */
  errors?: readonly ProblemCode[];
  handle(call: Call<Body, Static<Query>, Static<Params>>, tools: Tools): Promise<Answer<Out>>;
}

/** Declares an operation of a Body and an Out: `operation<WebhookIn, WebhookOut>()({ … })`. `null` is none. */
export function operation<Body, Out>() {
  return <Query extends TObject = TObject, Params extends TObject = TObject>(
    declared: Operation<Body, Out, Query, Params>,
  ): Operation<Body, Out> => declared;
}

/** 200 with a body. */
export function ok<Out>(body: Out): JsonAnswer<Out> {
  return { status: 200, body };
}

/** The media type of every JSON answer. */
export const JSON_TYPE = 'application/json; charset=utf-8';

/** 200 with JSON that was composed already. */
export function okText(json: string): BytesAnswer {
  return { status: 200, bytes: json, mediaType: JSON_TYPE };
}

/** 201 with a body. */
export function created<Out>(body: Out, stored: Out = body): JsonAnswer<Out> {
  return { status: 201, body, stored };
}

/** 204. */
export function done(): JsonAnswer<null> {
  return { status: 204, body: null };
}

/** Refuses unless the key may call this. */
export function checkAccess(key: ApiKey, access: Access, serviceKeys: boolean): void {
  if (access === 'anybody') return;
  const scope = access === 'admin' ? 'manage' : access;
  if (!key.scopes.includes(scope)) {
    const has = key.scopes.join(', ');
    throw refuse('missing-scope', `The key "${key.name}" has the scopes ${has}; this needs ${scope}.`);
  }
  if (scope === 'manage' && key.service !== null && !serviceKeys) {
    throw refuse('service-bound', `The key "${key.name}" manages nothing but the event types of ${key.service}.`);
  }
  if (access === 'admin' && !isAdmin(key)) {
    throw refuse('admin-only', `The key "${key.name}" is not a key of the whole installation.`);
  }
}

/** Is this a key of the whole installation? */
export function isAdmin(key: ApiKey): boolean {
  return key.workspaces === null && key.service === null;
}
