// What selects events in a request: a type or a pattern of types, a filter, instants. Each is read, or refused by name.
import { isPattern } from '../model/catalog.ts';
import { parseDateTime } from '../model/cloud-events/index.ts';
import { compileFilter } from '../model/filter/index.ts';
import { problemOf, refuse, Refused } from '../model/problem.ts';

/**
 * An exact type, or a pattern that ends in `.*`; what only looks like a pattern is refused `invalid-type-pattern`, with
 * this advice. A type need not be in the catalog: one that is not there any more may well be in the log.
 */
export function typeOf(text: string, advice = ''): string {
  const type = text.trim();
  if (!type.includes('*') || (isPattern(type) && /^[^\s*]+\.\*$/.test(type))) return type;
  const detail = `"${type}" is no pattern: a "*" stands once, at the end, after a dot.`;
  throw refuse('invalid-type-pattern', advice === '' ? detail : `${detail} ${advice}`);
}

/** A filter as it is kept; refused `invalid-filter`, with the token that is wrong. */
export function filterOf(text: string): string {
  const filter = compileFilter(text);
  if (filter.ok) return filter.text;
  throw refuse('invalid-filter', filter.message);
}

/** Epoch ms of an RFC 3339 time; refused at its place, the name of a query parameter or a JSON pointer. */
export function instantOf(text: string, pointer: string): number {
  const at = parseDateTime(text);
  if (at === undefined) throw wrong(pointer, `${pointer} must be an RFC 3339 time such as 2026-11-22T09:30:00Z.`);
  return Math.ceil(at);
}

/** The refusal of a value that has the form it must have and is wrong all the same. */
export function wrong(pointer: string, detail: string): Refused {
  return new Refused(problemOf([{ pointer, code: 'invalid-value', detail }], 'invalid-request'));
}
