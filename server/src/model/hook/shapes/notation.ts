// Structures as a document writes them: `{ id: text, user?: { name: text }, tags: [text] }`.
import type { Shape } from '../../flow/definition.ts';
import type { Json } from '../../json-value.ts';
import { didYouMean } from '../../near-names.ts';
import { MAX_SHAPE_DEPTH } from './infer.ts';

const WORDS = ['text', 'number', 'boolean', 'date', 'collection', 'array', 'unknown'] as const;

/** What reading gives: a shape, or what is wrong as a clause, and the way to where it stands. */
export type ShapeReading =
  | { ok: true; shape: Shape }
  | { ok: false; fault: string; path: readonly (string | number)[] };

/**
 * Reads a shape: a word (`text`, `number`, `boolean`, `date`, `unknown`, or `collection` and `array` of whatever), an
 * object of fields, or an array with the shape of its items. A `?` behind a word or a field's name: it may be missing,
 * or null. `| null` behind a word: it may be null. (A field whose name ends with `?` is written with two of them.)
 */
export function parseShape(value: Json): ShapeReading {
  try {
    return { ok: true, shape: shapeAt(value, []) };
  } catch (error) {
    if (!(error instanceof ShapeFault)) throw error;
    return { ok: false, fault: error.message, path: error.path };
  }
}

/**
 * Writes a shape so that {@link parseShape} reads it, a little wider where the notation has no words: a field that may
 * be missing may be null, too, and the other way; a structure that may be null where it has no name is `unknown`.
 */
export function writeShape(shape: Shape): Json {
  if (!shape.nullable || shape.type === 'unknown') return writePresent(shape);
  return shape.type === 'collection' || shape.type === 'array' ? 'unknown' : `${shape.type} | null`;
}

function writePresent(shape: Shape): Json {
  if (shape.type === 'array') return shape.of.type === 'unknown' ? [] : [writeShape(shape.of)];
  if (shape.type !== 'collection') return shape.type;
  return Object.fromEntries(
    Object.entries(shape.fields).map(([name, field]) => {
      const isLoose = field.optional || (field.nullable && field.type !== 'unknown') || name.endsWith('?');
      return [isLoose ? `${name}?` : name, writePresent(field)];
    }),
  );
}

class ShapeFault extends Error {
  readonly path: readonly (string | number)[];
  constructor(message: string, path: readonly (string | number)[]) {
    super(message);
    this.path = path;
  }
}

function shapeAt(value: Json, path: readonly (string | number)[]): Shape {
  if (path.length > MAX_SHAPE_DEPTH) throw new ShapeFault(`shapes nest at most ${MAX_SHAPE_DEPTH} levels deep`, path);
  if (typeof value === 'string') return shapeOfWord(value, path);
  if (Array.isArray(value)) {
    if (value.length > 1) throw new ShapeFault('the array of a shape has one item: the shape of all its items', path);
    if (value[0] === undefined) return { type: 'array', of: { type: 'unknown' } };
    const { optional: _none, ...of } = shapeAt(value[0], [...path, 0]);
    return { type: 'array', of };
  }
  if (typeof value !== 'object' || value === null) {
    const found = value === null ? 'nothing' : String(value);
    throw new ShapeFault(`a shape is a word (${WORDS.join(', ')}), fields, or [items], not ${found}`, path);
  }
  const fields = new Map<string, Shape>();
  for (const [written, inner] of Object.entries(value)) {
    const isLoose = written.endsWith('?');
    const name = isLoose ? written.slice(0, -1) : written;
    if (fields.has(name)) throw new ShapeFault(`the field ${JSON.stringify(name)} is there twice`, [...path, written]);
    const shape = shapeAt(inner, [...path, written]);
    fields.set(name, isLoose ? { ...shape, optional: true, nullable: true } : shape);
  }
  return { type: 'collection', fields: Object.fromEntries(fields) };
}

function shapeOfWord(text: string, path: readonly (string | number)[]): Shape {
  const [, word = '', mark, alternative] = /^([^?|]*?)\s*(?:(\?)|\|\s*(null))?$/.exec(text.trim()) ?? [];
  const type = WORDS.find((known) => known === word);
  if (type === undefined) {
    const shown = JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
    const hint = didYouMean(word, WORDS) || `; it has ${WORDS.join(', ')}`;
    throw new ShapeFault(`no kind of value is called ${shown}${hint}`, path);
  }
  const marks = mark ? ({ optional: true, nullable: true } as const) : alternative ? ({ nullable: true } as const) : {};
  if (type === 'collection') return { type, fields: {}, ...marks };
  if (type === 'array') return { type, of: { type: 'unknown' }, ...marks };
  return { type, ...marks };
}
