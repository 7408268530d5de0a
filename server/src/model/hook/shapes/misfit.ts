// Says where a value is not of a structure (R80, R96). Fields that the structure does not name are no misfit (R74).
import type { NamedShape, Shape } from '../../flow/definition.ts';
import type { Json } from '../../json-value.ts';
import { member } from '../../json-value.ts';
import { kindOf } from './infer.ts';

/** How many shapes one sentence tells of. */
const MOST_TOLD = 5;

/** A clause without its subject, and the way to what it is said of: the last step first, made on the way back. */
interface Misfit {
  way: (string | number)[];
  clause: string;
}

/**
 * The first misfit as a clause that names its place and shows no value: `user.name is a number, not a text`,
 * `tags[2] is missing`, `it is null`; null where the value fits.
 */
export function misfit(shape: Shape, value: Json): string | null {
  const found = misfitAt(shape, value);
  return found === null ? null : `${told(found.way.toReversed())} ${found.clause}`;
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

function misfitAt(shape: Shape, value: Json): Misfit | null {
  if (shape.type === 'unknown' || (shape.type === 'text' && typeof value === 'string')) return null;
  if (value === null) return shape.nullable ? null : { way: [], clause: `is null, not ${WORDS[shape.type]}` };
  const kind = kindOf(value);
  if (kind !== shape.type) return { way: [], clause: `is ${WORDS[kind]}, not ${WORDS[shape.type]}` };
  if (shape.type === 'collection') return misfitField(shape.fields, value);
  return shape.type === 'array' ? misfitItem(shape.of, value as Json[]) : null;
}

function misfitField(fields: Readonly<Record<string, Shape>>, collection: Json): Misfit | null {
  for (const [name, shape] of Object.entries(fields)) {
    const value = member(collection, name) as Json | undefined;
    const found = value === undefined ? missing(shape) : misfitAt(shape, value);
    if (found !== null) return behind(name, found);
  }
  return null;
}

function misfitItem(shape: Shape, items: readonly Json[]): Misfit | null {
  for (let at = 0; at < items.length; at++) {
    const found = misfitAt(shape, items[at]!);
    if (found !== null) return behind(at, found);
  }
  return null;
}

function behind(step: string | number, found: Misfit): Misfit {
  found.way.push(step);
  return found;
}

const WORDS: Readonly<Record<Exclude<Shape['type'], 'unknown'>, string>> = {
  text: 'a text',
  number: 'a number',
  boolean: 'true or false',
  date: 'a date (RFC 3339)',
  collection: 'a collection',
  array: 'an array',
};

function missing(shape: Shape): Misfit | null {
  return shape.optional ? null : { way: [], clause: 'is missing' };
}

/** A way as an expression would have it. */
function told(way: readonly (string | number)[]): string {
  if (way.length === 0) return 'it';
  const steps = way.map((step, at) => {
    if (typeof step === 'number') return `[${step}]`;
    const name = step.length > 100 ? `${step.slice(0, 100)}…` : step;
    if (/^[A-Za-z_][A-Za-z0-9_]*…?$/.test(name)) return at > 0 ? `.${name}` : name;
    return `[${JSON.stringify(name)}]`;
  });
  return steps.join('');
}
