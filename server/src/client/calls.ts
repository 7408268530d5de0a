// The verbs of HTTP over a requester, and lists that turn their pages by themselves.
import type { Call, CallOptions, Requester } from './request.ts';

/** A list: iterate it for all its items, page after page, or ask for its first page alone. */
export interface Listing<Item, Page> extends AsyncIterable<Item> {
  /** One page: the first, or the one its `cursor` names. `next` is the `cursor` of the following one. */
  page(): Promise<Page>;
  /** All items at once. */
  all(): Promise<Item[]>;
}

/** What a page holds. */
type ItemOf<Page> = Page extends { items: (infer Item)[] } ? Item : never;

/** What every list takes. `limit` is the size of a page. */
export interface ListOptions extends Pick<CallOptions, 'signal'> {
  cursor?: string | undefined;
  limit?: number | undefined;
}

/** Calls by method; each answers the JSON. */
export interface Calls {
  get<Out>(path: string, more?: Partial<Call>): Promise<Out>;
  post<Out>(path: string, more?: Partial<Call>): Promise<Out>;
  put<Out>(path: string, more?: Partial<Call>): Promise<Out>;
  patch<Out>(path: string, more?: Partial<Call>): Promise<Out>;
  remove(path: string, more?: Partial<Call>): Promise<null>;
  list<Page extends AnyPage>(path: string, query?: ListOptions): Listing<ItemOf<Page>, Page>;
}

/** `more` false: the end, although there is a cursor to ask again with. */
interface AnyPage {
  items: unknown[];
  next: string | null;
  more?: boolean;
}

/** Makes the calls. */
export function createCalls({ json }: Requester): Calls {
  return {
    get: (path, more = {}) => json({ method: 'GET', path, ...more }),
    post: (path, more = {}) => json({ method: 'POST', path, ...more }),
    put: (path, more = {}) => json({ method: 'PUT', path, ...more }),
    patch: (path, more = {}) => json({ method: 'PATCH', path, ...more }),
    remove: (path, more = {}) => json({ method: 'DELETE', path, ...more }),
    list: <Page extends AnyPage>(path: string, { signal, ...query }: ListOptions = {}) =>
      listing((cursor) => json<Page>({ method: 'GET', path, query: { ...query, cursor }, signal }), query.cursor),
  };
}

function listing<Page extends AnyPage>(
  ask: (cursor: string | undefined) => Promise<Page>,
  start: string | undefined,
): Listing<ItemOf<Page>, Page> {
  async function* items(): AsyncGenerator<ItemOf<Page>, void, void> {
    let cursor = start;
    do {
      const { items: found, next, more = true } = await ask(cursor);
      yield* found as ItemOf<Page>[];
      cursor = more && next !== null ? next : undefined;
    } while (cursor !== undefined);
  }
  return {
    [Symbol.asyncIterator]: items,
    page: () => ask(start),
    async all() {
      const all: ItemOf<Page>[] = [];
      for await (const item of items()) all.push(item);
      return all;
    },
  };
}
