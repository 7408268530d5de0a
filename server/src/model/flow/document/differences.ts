// How what was found differs from what a test expects, in sentences.
import type { Json } from '../definition.ts';

/** What of `wanted` is otherwise in `found`, which may have more. */
export function differences(found: Json, wanted: Json, where: string): string[] {
  if (typeof wanted === 'object' && wanted !== null && !Array.isArray(wanted)) {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return [`${where} is ${shown(found)}`];
    return Object.entries(wanted).flatMap(([name, value]) =>
      differences(Object.hasOwn(found, name) ? (found[name] as Json) : null, value, `${where}.${name}`),
    );
  }
  return isSame(found, wanted) ? [] : [`${where} is ${shown(found)}; expected: ${shown(wanted)}`];
}

/** Do they mean the same, in whatever order their members stand? */
export function isSame(one: Json, other: Json): boolean {
  return canonical(one) === canonical(other);
}

function canonical(value: Json): string {
  return JSON.stringify(value, (_, inner: Json) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** A value as sentences show it. */
export function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}
