// Pages of lists. A cursor is opaque to clients and says of which list it is: a position in one is none in another.
import { refuse, type Refused } from '../model/problem.ts';

/** Items on a page when the request does not say. */
export const PAGE = 100;

/** A list that is read whole, for settings are few. */
export interface Listed<T> {
  /** Names the list, and the workspace where it is one's: it stands in the cursor. */
  list: string;
  items: readonly T[];
  /** Unique; items come in the order of their keys. */
  keyOf(item: T): string | number;
}

/**
 * The page after the cursor. `next` names the last item, so that items made or deleted between two pages neither repeat
 * nor hide another one.
 */
export function pageThrough<T>(
  { list, items, keyOf }: Listed<T>,
  query: { cursor?: string; limit?: number },
): { items: T[]; next: string | null } {
  const sorted = items.map((item) => ({ item, key: keyOf(item) })).sort((a, b) => compare(a.key, b.key));
  const after = readCursor(list, query.cursor);
  const rest = after === null ? sorted : sorted.filter(({ key }) => compare(key, after) > 0);
  const page = rest.slice(0, query.limit ?? PAGE);
  const last = page.at(-1);
  return {
    items: page.map(({ item }) => item),
    next: last && rest.length > page.length ? writeCursor(list, last.key) : null,
  };
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Writes a cursor. */
export function writeCursor(list: string, key: string | number): string {
  return Buffer.from(JSON.stringify([list, key])).toString('base64url');
}

/** A cursor that is a number: a position. */
export function readPosition(list: string, text: string | undefined): number | null {
  const key = readCursor(list, text);
  if (key === null || (Number.isSafeInteger(key) && Number(key) >= 0)) return key as number | null;
  throw badCursor();
}

/** A cursor that is a text. */
export function readMark(list: string, text: string | undefined): string | null {
  const key = readCursor(list, text);
  if (typeof key === 'number') throw badCursor();
  return key;
}

function readCursor(list: string, text: string | undefined): string | number | null {
  if (text === undefined) return null;
  const [of, key] = parse(text);
  if (of === list && (typeof key === 'string' || typeof key === 'number')) return key;
  throw badCursor();
}

function parse(text: string): unknown[] {
  try {
    const value = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown;
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function badCursor(): Refused {
  return refuse('invalid-cursor', 'The cursor was not given out by this list; begin without one.');
}
