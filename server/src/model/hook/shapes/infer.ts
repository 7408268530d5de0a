// Learns a structure from samples: what they have in common, and where they differ (R79).
import { parseDateTime } from '../../cloud-events/time.ts';
import type { Shape } from '../../flow/definition.ts';
import type { Json } from '../../json-value.ts';

/** What nests deeper than this is `unknown`: samples come from files, and a shape is walked recursively. */
export const MAX_SHAPE_DEPTH = 64;

/**
 * The structure that all samples fit: a text is a `date` where it is an RFC 3339 date-time in every sample; a field
 * that some samples do not have is optional, one that is null in some nullable; kinds that differ, null alone, and
 * the items of arrays that are all empty are `unknown`. One pass over the samples.
 */
export function inferShape(samples: readonly Json[]): Shape {
  return inferAt(samples, 0);
}

function inferAt(values: readonly Json[], depth: number): Shape {
  const present = values.filter((value) => value !== null);
  const nullable = present.length < values.length ? ({ nullable: true } as const) : {};
  const kinds = new Set(present.map(kindOf));
  // A date is a text like any other where the same field has others as well.
  if (kinds.has('text')) kinds.delete('date');
  const [kind, ...others] = kinds;
  if (kind === undefined || others.length > 0 || depth >= MAX_SHAPE_DEPTH) return { type: 'unknown', ...nullable };
  if (kind === 'array') {
    const items = (present as Json[][]).flat();
    return { type: 'array', of: inferAt(items, depth + 1), ...nullable };
  }
  if (kind !== 'collection') return { type: kind, ...nullable };
  return { type: 'collection', fields: inferFields(present as { [name: string]: Json }[], depth + 1), ...nullable };
}

function inferFields(collections: readonly { [name: string]: Json }[], depth: number): Record<string, Shape> {
  const values = new Map<string, Json[]>();
  for (const collection of collections) {
    for (const [name, value] of Object.entries(collection)) {
      const known = values.get(name);
      if (known === undefined) values.set(name, [value]);
      else known.push(value);
    }
  }
  const fields = [...values].map(([name, found]): [string, Shape] => {
    const shape = inferAt(found, depth);
    return [name, found.length < collections.length ? { ...shape, optional: true } : shape];
  });
  // fromEntries defines: a field called __proto__ is one like any other.
  return Object.fromEntries(fields);
}

/** What a value is, as shapes call it; null is asked for before. */
export function kindOf(value: Json): Exclude<Shape['type'], 'unknown'> {
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'string':
      return parseDateTime(value) === undefined ? 'text' : 'date';
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    default:
      return 'collection';
  }
}
