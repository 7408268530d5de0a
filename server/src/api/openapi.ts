// The OpenAPI 3.1 description, made from the route table: the schemas that parse the requests are the ones it shows.
import type { TObject, TSchema } from 'typebox';
import { problemCodes, PROBLEM_TYPE, type ProblemCode } from '../model/problem.ts';
import { exampleOf } from './examples.ts';
import { wordsOf } from './parameter-words.ts';
import { ANY } from './router.ts';
import type { Route } from './routes.ts';
import { ProblemOut } from './wire.ts';

type Json = Record<string, unknown>;

/** Refusals every route has, by what it takes. */
const ALWAYS: readonly ProblemCode[] = ['invalid-request', 'internal', 'unavailable'];
const WITH_KEY: readonly ProblemCode[] = ['unauthenticated', 'missing-scope'];
const WITH_WORKSPACE: readonly ProblemCode[] = ['workspace-required', 'unknown-workspace'];
const WITH_BODY: readonly ProblemCode[] = [
  'invalid-json',
  'invalid-utf8',
  'duplicate-key',
  'request-too-large',
  'unsupported-media-type',
];
const WITH_CURSOR: readonly ProblemCode[] = ['invalid-cursor'];
const WITH_PARAMS: readonly ProblemCode[] = ['not-found'];
const WITH_IDEMPOTENCY: readonly ProblemCode[] = ['idempotency-running', 'idempotency-mismatch'];

/** The methods under which a route of any method is shown. */
const ANY_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Describes the API. */
export function describeApi(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const methods = route.method === ANY ? ANY_METHODS : [route.method];
    for (const method of methods) {
      paths[route.path] = { ...paths[route.path], [method.toLowerCase()]: describeRoute({ ...route, method }) };
    }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Bellwire',
      version,
      summary: 'An event gateway: publish once, every subscriber whose webhook proved itself hears it.',
      description:
        'Errors are `application/problem+json` with a stable `code` (docs/errors.md). Lists are paged by `limit` and an opaque `cursor`. Writes take an `Idempotency-Key`. Instants are RFC 3339 in UTC, spans whole milliseconds.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ key: [] }],
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key: `bw_…`.' } },
      schemas: { Problem: ProblemOut },
    },
  };
}

function describeRoute(route: Route): Json {
  const { operation, access, method } = route;
  const isWrite = method !== 'GET';
  return {
    operationId: operationId(route),
    summary: operation.summary,
    description: [...(operation.description === undefined ? [] : [operation.description]), ...asEverywhere(route)].join(
      ' ',
    ),
    tags: [tagOf(route)],
    ...(access === 'anybody' ? { security: [] } : { 'x-bellwire-access': access }),
    parameters: [
      ...parameters(operation.params, 'path'),
      ...parameters(route.query, 'query'),
      ...(isWrite && operation.anything === undefined ? [IDEMPOTENCY_KEY] : []),
    ],
    ...requestBody(route),
    responses: { ...successes(route), ...refusals(route) },
  };
}

/** What follows from the line of the table, in words. */
function asEverywhere({ access, query, operation }: Route): string[] {
  const key = {
    anybody: 'Needs no key.',
    admin: 'Needs a key of the whole installation with the scope `manage`.',
    publish: 'Needs a key with the scope `publish`.',
    read: 'Needs a key with the scope `read`.',
    manage: 'Needs a key with the scope `manage`.',
    pull: 'Needs a key with the scope `pull`.',
  }[access];
  return [
    ...('cursor' in query.properties
      ? ['In pages: `next` of the answer is the `cursor` of the next one, null at the end.']
      : []),
    ...(operation.optionalBody === true ? ['The body may be left out.'] : []),
    key,
  ];
}

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Sent again with the same key, the same request is answered with the first answer, without secrets.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};

/** `POST /v1/webhooks/{webhook}/test` → `post_webhooks_webhook_test`. */
function operationId({ method, path }: Route): string {
  if (path === '/') return 'get_index';
  return `${method.toLowerCase()}_${path
    .replace(/^\/(v1\/)?/, '')
    .replace(/[{}]/g, '')
    .replace(/[^a-z]+/gi, '_')}`;
}

function tagOf({ path }: Route): string {
  return path.startsWith('/v1/') ? (path.split('/')[2] as string) : 'running';
}

function parameters(schema: TObject | undefined, place: 'path' | 'query'): Json[] {
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => {
    const { description: own, ...schema } = property as Json;
    const words = wordsOf(place, name);
    const description = own ?? words.description;
    const example = fitting(schema, words.example) ?? exampleOf(schema);
    return {
      name,
      in: place,
      required: place === 'path',
      ...(description === undefined ? {} : { description }),
      schema,
      ...(example === undefined ? {} : { example }),
    };
  });
}

/** One name may stand for several kinds of value. */
function fitting(schema: Json, example: string | number | undefined): string | number | undefined {
  const isNumber = schema['type'] === 'integer';
  return schema['enum'] === undefined && isNumber === (typeof example === 'number') ? example : undefined;
}

function requestBody({ in: schema, operation }: Route): Json | null {
  const media = operation.consumes ?? (schema === null ? null : { 'application/json': schema });
  if (media === null) return null;
  const content = Object.fromEntries(Object.entries(media).map(([type, one]) => [type, mediaOf(one)]));
  return { requestBody: { required: operation.optionalBody !== true, content } };
}

/** A schema with an example beside it, where tools look for it. */
function mediaOf(schema: TSchema): Json {
  const example = exampleOf(schema as Json);
  return example === undefined ? { schema } : { schema, example };
}

function successes({ out, operation }: Route): Json {
  const produces = operation.produces ?? [];
  const isOther = produces.some((type) => !type.includes('json'));
  const media = isOther ? produces : ['application/json', ...produces];
  const content = out === null ? {} : { content: Object.fromEntries(media.map((type) => [type, mediaOf(out)])) };
  const statuses = operation.success ?? { 200: 'As asked.' };
  return Object.fromEntries(
    Object.entries(statuses).map(([status, words]) => [status, { description: words, ...content }]),
  );
}

/** One answer per status, listing the codes that have it. */
function refusals({ operation, access, method, in: schema, query }: Route): Json {
  const codes = new Set<ProblemCode>([
    ...ALWAYS,
    ...(access === 'anybody' ? [] : WITH_KEY),
    ...(access === 'admin' ? (['admin-only'] as const) : []),
    ...('workspace' in query.properties ? WITH_WORKSPACE : []),
    ...('cursor' in query.properties ? WITH_CURSOR : []),
    ...(operation.params === undefined ? [] : WITH_PARAMS),
    ...(schema === null ? [] : WITH_BODY),
    ...(method === 'GET' || operation.anything !== undefined ? [] : WITH_IDEMPOTENCY),
    ...(operation.errors ?? []),
  ]);
  const byStatus = Map.groupBy(codes, (code) => problemCodes[code].status);
  const described = [...byStatus].map(([status, some]) => {
    const description = some.map((code) => `\`${code}\``).join(', ');
    return [status, { description, content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } } }];
  });
  return Object.fromEntries(described) as Json;
}
