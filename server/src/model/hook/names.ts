// What expressions see of a request to a hook.
import type { Json } from '../flow/definition.ts';
import type { RequestBundle } from './body.ts';

/** What the bytes of a request do not say. `id` is null before it has one; `receivedAt` is epoch ms. */
export interface Arrival {
  id?: string | null;
  from: string | null;
  receivedAt: number;
}

/** A request as expressions see it: `body`, `query`, `headers`, `method`, `request`. */
export function namesOfRequest(bundle: RequestBundle, { id = null, from, receivedAt }: Arrival): Record<string, Json> {
  const { body, query, headers, method, request } = bundle;
  const about = { id, receivedAt: new Date(receivedAt).toISOString(), from, ...request };
  return { body, query, headers, method, request: about };
}
