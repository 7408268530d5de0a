// From a method and a path to a route: static paths by look-up, others by their segments.
import { refuse } from '../model/problem.ts';

/** Stands for every method that a path has no other route for. */
export const ANY = 'ANY';

/** What the router needs to know of a route: `GET /v1/webhooks/{webhook}`. */
export interface Routed {
  method: string;
  path: string;
}

/** Where a request belongs. */
export type Match<R extends Routed> =
  | { kind: 'route'; route: R; params: Record<string, string> }
  /** The path exists, for these methods. */
  | { kind: 'other-methods'; allow: readonly string[] }
  | { kind: 'nowhere' };

/** Finds the route of a request. HEAD is answered by GET. */
export type Router<R extends Routed> = (method: string, path: string) => Match<R>;

interface Place<R> {
  segments: readonly string[];
  methods: Map<string, R>;
}

/** Compiles a table of routes. A static segment wins over a parameter. */
export function createRouter<R extends Routed>(routes: readonly R[]): Router<R> {
  const places = new Map<string, Place<R>>();
  for (const route of routes) {
    const place = places.get(route.path) ?? { segments: route.path.split('/').slice(1), methods: new Map<string, R>() };
    place.methods.set(route.method, route);
    places.set(route.path, place);
  }
  const patterns = [...places.values()].filter(({ segments }) => segments.some(isParameter));

  return (method, path) => {
    const fixed = places.get(path);
    if (fixed !== undefined && !path.includes('{')) return within(fixed, method, {});
    const segments = path.split('/').slice(1);
    const place = patterns.find((pattern) => matches(pattern.segments, segments));
    return place === undefined ? { kind: 'nowhere' } : within(place, method, parameters(place.segments, segments));
  };
}

function within<R extends Routed>(place: Place<R>, method: string, params: Record<string, string>): Match<R> {
  const route = place.methods.get(method === 'HEAD' ? 'GET' : method) ?? place.methods.get(ANY);
  return route === undefined ? { kind: 'other-methods', allow: allowed(place) } : { kind: 'route', route, params };
}

function allowed<R>(place: Place<R>): string[] {
  const methods = [...place.methods.keys()];
  return methods.includes('GET') ? [...methods, 'HEAD', 'OPTIONS'] : [...methods, 'OPTIONS'];
}

function isParameter(segment: string): boolean {
  return segment.startsWith('{');
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, at) => (isParameter(part) ? segments[at] !== '' : part === segments[at]))
  );
}

function parameters(pattern: readonly string[], segments: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [at, part] of pattern.entries()) {
    if (isParameter(part)) params[part.slice(1, -1)] = decode(segments[at] as string);
  }
  return params;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw refuse('not-found', 'The path is not percent-encoded UTF-8.');
  }
}
