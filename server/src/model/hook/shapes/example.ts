// Makes test data that fits a structure (R79).
import type { Shape } from '../../flow/definition.ts';
import type { Json } from '../../json-value.ts';

/** A value that fits a shape: every field is there, each array has one item, and a text is the name of its field. */
export function exampleOf(shape: Shape): Json {
  return exampleCalled(shape, 'text');
}

function exampleCalled(shape: Shape, name: string): Json {
  switch (shape.type) {
    case 'text':
      return name;
    case 'number':
      return 1;
    case 'boolean':
      return true;
    case 'date':
      return '2026-01-31T12:00:00Z';
    case 'unknown':
      return null;
    case 'array':
      return [exampleCalled(shape.of, name)];
    case 'collection':
      return Object.fromEntries(
        Object.entries(shape.fields).map(([field, inner]) => [field, exampleCalled(inner, field)]),
      );
  }
}
