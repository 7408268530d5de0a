// Says where a value is not of a structure (R80, R96). Fields that the structure does not name are no misfit (R74).
import type { NamedShape, Shape } from '../../flow/definition.ts';
import type { Json } from '../../json-value.ts';
import { member } from '../../json-value.ts';
import { kindOf } from './infer.ts';

/** How many shapes one sentence tells of. */
const MOST_TOLD = 5;

type Way = readonly (string | number)[];

/**
 * The first misfit as a clause that names its place and shows no value: `user.name is a number, not a text`,
 * `tags[2] is missing`, `it is null`; null where the value fits.
 */
export function misfit(shape: Shape, value: Json): string | null {
  return misfitAt(shape, value, []);
}

/** Which of several shapes a value fits first, by name; where it fits none, a sentence that says why of each. */
export function fitOneOf(shapes: readonly NamedShape[], value: Json): { shape: string } | { reason: string } {
  const told: string[] = [];
  for (const { name, shape } of shapes) {
    const clause = misfit(shape, value);
    if (clause === null) return { shape: name };
    if (told.length < MOST_TOLD) told.push(shapes.length === 1 ? clause : `${name}: ${clause}`);
  }
  if (shapes.length === 1) return { reason: `The body does not fit the shape ${shapes[0]!.name}: ${told[0]}.` };
  const more = shapes.length > told.length ? `; and ${shapes.length - told.length} more` : '';
  return { reason: `The body fits none of the shapes (${told.join('; ')}${more}).` };
}

function misfitAt(shape: Shape, value: Json, way: Way): string | null {
  if (shape.type === 'unknown') return null;
  if (value === null) return shape.nullable ? null : `${told(way)} is null, not ${WORDS[shape.type]}`;
  const kind = kindOf(value);
  if (kind !== shape.type && !(kind === 'date' && shape.type === 'text')) {
    return `${told(way)} is ${WORDS[kind]}, not ${WORDS[shape.type]}`;
  }
  if (shape.type === 'collection') {
    for (const [name, field] of Object.entries(shape.fields)) {
      const inner = member(value, name) as Json | undefined;
      const clause = inner === undefined ? missing(field, [...way, name]) : misfitAt(field, inner, [...way, name]);
      if (clause !== null) return clause;
    }
  } else if (shape.type === 'array') {
    const items = value as Json[];
    for (let at = 0; at < items.length; at++) {
      const clause = misfitAt(shape.of, items[at]!, [...way, at]);
      if (clause !== null) return clause;
    }
  }
  return null;
}

const WORDS: Readonly<Record<Exclude<Shape['type'], 'unknown'>, string>> = {
  text: 'a text',
  number: 'a number',
  boolean: 'true or false',
  date: 'a date (RFC 3339)',
  collection: 'a collection',
  array: 'an array',
};

function missing(field: Shape, way: Way): string | null {
  return field.optional ? null : `${told(way)} is missing`;
}

/** A way as an expression would have it. */
function told(way: Way): string {
  if (way.length === 0) return 'it';
  const steps = way.map((step, at) => {
    if (typeof step === 'number') return `[${step}]`;
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(step)) return `${at > 0 ? '.' : ''}${step.slice(0, 100)}`;
    return `[${JSON.stringify(step.length > 100 ? `${step.slice(0, 100)}…` : step)}]`;
  });
  return steps.join('');
}
