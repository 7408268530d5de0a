// The structures of bodies, as a document names them: made of samples, or field by field (R79, R80, R96).
import { inferShape } from '../../hook/shapes/infer.ts';
import { parseShape } from '../../hook/shapes/notation.ts';
import type { Json, NamedShape, Shape } from '../definition.ts';
import { notOneOf } from './fault.ts';
import { describe, fieldsOf, isGiven, itemsOf, jsonOf, textOf } from './fields.ts';
import { sampleJson, type SampleReading } from './samples.ts';
import type { Value } from './source.ts';

const MAX_SHAPES = 50;

/** Reads `shapes` of a document: names, each with `samples` or `fields`. */
export function readShapes(value: Value | null, reading: SampleReading): readonly NamedShape[] {
  const { faults } = reading;
  if (!isGiven(value)) return [];
  if (value.kind !== 'map') {
    faults.add(value, `shapes must be a map of names, not ${describe(value)}`);
    return [];
  }
  if (value.entries.length > MAX_SHAPES) faults.add(value, `a scenario has at most ${MAX_SHAPES} shapes`);
  return value.entries.flatMap(({ name, at, value: inner }) => {
    const named = textOf({ kind: 'scalar', value: name, ...at }, 'the name of a shape', faults);
    const shape = readShape(inner, reading);
    return named === null || shape === null ? [] : [{ name, shape }];
  });
}

function readShape(value: Value, reading: SampleReading): Shape | null {
  const { faults } = reading;
  const fields = fieldsOf(value, 'a shape', ['samples', 'fields'], faults);
  if (fields === null) return null;
  const samples = fields.value('samples');
  const written = fields.value('fields');
  if (isGiven(samples) === isGiven(written)) {
    faults.add(fields.at, 'a shape is made either of samples or of fields', ['samples', 'fields']);
    return null;
  }
  return isGiven(written) ? shapeOfFields(written, reading) : shapeOfSamples(itemsOf(samples), reading);
}

/** Reads `shapes` of a hook: names of shapes, or samples, whose shapes are called by their base names. */
export function readHookShapes(
  value: Value | null,
  { known, ...reading }: SampleReading & { known: readonly NamedShape[] },
): readonly NamedShape[] {
  const { faults } = reading;
  if (!isGiven(value)) return known;
  const shapes: NamedShape[] = [];
  for (const item of itemsOf(value)) {
    const text = textOf(item, 'a shape', faults, { max: 1_024 });
    if (text === null) continue;
    const shape = known.find(({ name }) => name === text) ?? shapeOfFile(item, text, { known, ...reading });
    if (shape === null) continue;
    if (shapes.some(({ name }) => name === shape.name)) faults.add(item, `the shape "${shape.name}" is there twice`);
    shapes.push(shape);
  }
  if (shapes.length > MAX_SHAPES) faults.add(value, `a hook has at most ${MAX_SHAPES} shapes`);
  return shapes;
}

function shapeOfFile(
  item: Value,
  text: string,
  { known, ...reading }: SampleReading & { known: readonly NamedShape[] },
): NamedShape | null {
  if (!/[./]/.test(text)) {
    const names = known.map(({ name }) => name);
    reading.faults.add(
      item,
      known.length === 0 ? `there is no shape "${text}"` : notOneOf('shape', text, names),
      names,
    );
    return null;
  }
  const shape = shapeOfSamples([item], reading);
  const name = text.replace(/^.*\//, '').replace(/\.[^.]*$/, '');
  return shape === null ? null : { name, shape };
}

function shapeOfSamples(items: readonly Value[], reading: SampleReading): Shape | null {
  const samples: Json[] = [];
  for (const item of items) {
    const sample = sampleJson(item, reading);
    if (sample !== undefined) samples.push(sample);
  }
  return samples.length === items.length && samples.length > 0 ? inferShape(samples) : null;
}

function shapeOfFields(value: Value, { faults }: SampleReading): Shape | null {
  const read = parseShape(jsonOf(value));
  if (read.ok) return read.shape;
  faults.add(partOf(value, read.path), read.fault);
  return null;
}

/** The innermost part on the way that there is. */
function partOf(value: Value, [first, ...rest]: readonly (string | number)[]): Value {
  const inner =
    value.kind === 'map'
      ? value.entries.find(({ name }) => name === first)?.value
      : value.kind === 'list' && typeof first === 'number'
        ? value.items[first]
        : undefined;
  return inner === undefined ? value : partOf(inner, rest);
}
