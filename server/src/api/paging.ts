// Pages of lists that are read whole: settings are few, and a cursor that names the last item survives changes.
import { refuse, type Refused } from '../model/problem.ts';

/** Items on a page when the request does not say. */
export const PAGE = 100;

/**
 * The page after the cursor. `keyOf` must be unique; items come in the order of their keys. `next` names the last item,
 * so that items made or deleted between two pages neither repeat nor hide another one.
 */
export function pageThrough<T>(
  items: readonly T[],
  keyOf: (item: T) => string | number,
  query: { cursor?: string; limit?: number },
): { items: T[]; next: string | null } {
  const sorted = items.map((item) => ({ item, key: keyOf(item) })).sort((a, b) => compare(a.key, b.key));
  const after = query.cursor === undefined ? null : readCursor(query.cursor);
  const rest = after === null ? sorted : sorted.filter(({ key }) => compare(key, after) > 0);
  const page = rest.slice(0, query.limit ?? PAGE);
  const last = page.at(-1);
  return {
    items: page.map(({ item }) => item),
    next: last && rest.length > page.length ? writeCursor(last.key) : null,
  };
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Writes a cursor: opaque to clients. */
export function writeCursor(key: string | number): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** Reads a cursor back; refuses `invalid-cursor`. */
export function readCursor(text: string): string | number {
  try {
    const key = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown;
    if (typeof key === 'string' || typeof key === 'number') return key;
  } catch {
    // Not one of ours: refused below.
  }
  throw badCursor();
}

/** The refusal of a cursor that is another list's, or nobody's. */
export function badCursor(): Refused {
  return refuse('invalid-cursor', 'The cursor was not given out by this list; begin without one.');
}
