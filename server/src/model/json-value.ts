// JSON values as filters and expressions see them: what a member is, and what has an order.

/** A JSON value. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/**
 * An object's own member; whatever is no JSON object has none. Prototypes are never looked at. (Data that is bytes has
 * numbered members only, and no path begins with a digit.)
 */
export function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

/** How two numbers, or two texts by UTF-16 units, stand to each other. Comparisons with NaN are all false. */
export function order(operator: 'gt' | 'ge' | 'lt' | 'le'): <T extends string | number>(left: T, right: T) => boolean {
  switch (operator) {
    case 'gt':
      return (left, right) => left > right;
    case 'ge':
      return (left, right) => left >= right;
    case 'lt':
      return (left, right) => left < right;
    case 'le':
      return (left, right) => left <= right;
  }
}
