// Examples for the description of the API: the one a schema brings, else one that is put together from those of its parts.
type Json = Record<string, unknown>;

/** An example of what a schema takes, or undefined where nothing sensible is known. It keeps the schema (by test). */
export function exampleOf(schema: Json): unknown {
  const {
    examples,
    enum: values,
    anyOf,
    type,
  } = schema as { examples?: unknown[]; enum?: unknown[]; anyOf?: Json[] } & Json;
  if (examples !== undefined) return examples[0];
  if ('const' in schema) return schema['const'];
  if ('default' in schema) return schema['default'];
  if (values !== undefined) return values[0];
  if (anyOf !== undefined) return anyOf.map(exampleOf).find((one) => one !== undefined);
  if (type === 'object') return objectOf(schema);
  if (type === 'array') return arrayOf(schema);
  if (type === 'null') return null;
  if (type === 'boolean') return false;
  if (type === 'integer' || type === 'number') return schema['minimum'] ?? 0;
  return undefined;
}

/** undefined where a required field has no example; one that may be absent is left out then. */
function objectOf({
  properties = {},
  required = [],
}: {
  properties?: Record<string, Json>;
  required?: string[];
}): unknown {
  const fields = Object.entries(properties)
    .map(([name, property]) => [name, exampleOf(property)] as const)
    .filter(([, value]) => value !== undefined);
  const has = new Set(fields.map(([name]) => name));
  return required.every((name) => has.has(name)) ? Object.fromEntries(fields) : undefined;
}

function arrayOf({ items, minItems = 0 }: { items?: Json; minItems?: number }): unknown {
  const item = items === undefined ? undefined : exampleOf(items);
  if (item !== undefined) return Array.from({ length: Math.max(1, minItems) }, () => item);
  return minItems === 0 ? [] : undefined;
}
