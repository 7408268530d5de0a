// Ways into a value, as rules of inputs write them: `.headers["X-A"]`, `.to[0]`.
import type { Value } from './source.ts';

/** The innermost value on the way that there is: where a fault of what lies behind it is shown. */
export function valueAt(value: Value, path: string): Value {
  let at = value;
  for (const [, name, quoted, index] of path.matchAll(/\.([A-Za-z_]\w*)|\[("(?:[^"\\]|\\.)*")\]|\[(\d+)\]/g)) {
    const next =
      index === undefined ? memberOf(at, name ?? (JSON.parse(quoted as string) as string)) : itemOf(at, index);
    if (next === undefined) return at;
    at = next;
  }
  return at;
}

function memberOf(value: Value, name: string): Value | undefined {
  return value.kind === 'map' ? value.entries.find((entry) => entry.name === name)?.value : undefined;
}

function itemOf(value: Value, index: string): Value | undefined {
  return value.kind === 'list' ? value.items[Number(index)] : undefined;
}
