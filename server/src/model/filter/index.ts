// Filters of subscriptions: which events of a type a webhook hears, in an OData subset (wire facts of GreenLake).
import { compileTree } from './compile.ts';
import type { Predicate } from './compile.ts';
import { parseFilter } from './parse.ts';
import { FilterFault } from './tokens.ts';

export type { FilteredEvent } from './compile.ts';

/** A filter ready to judge events; `text` is what it was compiled from. */
export type Filter = { ok: true; text: string; matches: Predicate };

/** Why a text is no filter: the offending token (empty at the end), its place counted from 0, one sentence. */
export type BadFilter = { ok: false; token: string; position: number; message: string };

/**
 * Compiles a filter. Pure; never throws; `matches` never throws either and is bounded by the filter's size.
 *
 * | written | means |
 * |---|---|
 * | `category eq 'user_management'` | the field `category` of the event's data |
 * | `user/username ne 'x'` | a field inside a field |
 * | `$event/source eq '/mycontext'` | a context attribute or extension of the event; no data field begins with `$` |
 * | `eq ne gt ge lt le` | comparison of a field with a literal |
 * | `in ('a', 'b')` | equal to one of the literals |
 * | `startswith(field, 'prefix')` | the field is a string that begins so |
 * | `not`, `and`, `or`, `( )` | `not` binds closest, then `and`, then `or` |
 * | `'it''s'`, `1`, `-1.5`, `2024-12-20T12:34:53Z`, `true`, `false`, `null` | the literals |
 *
 * - A field that is missing equals `null`, and so does one whose way leads through anything but objects.
 * - Values of different kinds are never equal and have no order: every comparison of them is false but `ne`.
 * - Strings compare by UTF-16 units, case counts. Numbers compare as doubles.
 * - A time compares as an instant: with a string that is an RFC 3339 time, or with a number of epoch milliseconds.
 * - Names hold letters, digits and `_ . -`; operators are lower case; fields are on the left, literals on the right.
 * - Only members of the event's own objects are seen: `__proto__` and `constructor` are names like any other.
 * - At most 4,096 characters, 32 levels of parentheses and `not`, 500 comparisons and list entries.
 */
export function compileFilter(text: string): Filter | BadFilter {
  try {
    return { ok: true, text, matches: compileTree(parseFilter(text)) };
  } catch (error) {
    if (!(error instanceof FilterFault)) throw error;
    return { ok: false, token: error.token, position: error.position, message: error.message };
  }
}
