// Reading the fields of a map: unknown names refused, kinds checked, nothing coerced; every fault with its place.
import { parseSpan } from '../../quantities.ts';
import type { Json } from '../definition.ts';
import { notOneOf, type Faults, type Span } from './fault.ts';
import type { MapValue, Value } from './source.ts';

/** A map whose names are known to be allowed. What is absent, null or of another kind reads as null, told where it is a fault. */
export interface Fields {
  /** Where the map begins, for what is missing in it. */
  readonly at: Span;
  has(name: string): boolean;
  /** The value of a field; null where it is absent. */
  value(name: string): Value | null;
  /** The place of a field's name, or of the map. */
  nameAt(name: string): Span;
}

/** The fields of a value that must be a map of these; null (told) where it is none. */
// oxlint-disable-next-line max-params -- said on nearly every line of this room, and read across
export function fieldsOf(value: Value, what: string, known: readonly string[], faults: Faults): Fields | null {
  if (value.kind !== 'map') {
    faults.add(value, `${what} must be a map of ${known.join(', ')}, not ${describe(value)}`, known);
    return null;
  }
  for (const { name, at } of value.entries) {
    if (!known.includes(name)) faults.add(at, notOneOf(`field of ${what} called`, name, known), known);
  }
  return openFields(value);
}

/** The fields of a map, whatever their names. */
export function openFields(map: MapValue): Fields {
  const byName = new Map(map.entries.map((entry) => [entry.name, entry]));
  const at = { start: map.start, end: map.start };
  return {
    at,
    has: (name) => byName.has(name),
    value: (name) => byName.get(name)?.value ?? null,
    nameAt: (name) => byName.get(name)?.at ?? at,
  };
}

/** What a value is, in words: of texts and numbers the value itself, cut. */
export function describe(value: Value): string {
  if (value.kind === 'map') return 'a map';
  if (value.kind === 'list') return 'a list';
  if (value.value === null) return 'nothing';
  const text = JSON.stringify(value.value);
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}

/** The value as JSON. */
export function jsonOf(value: Value): Json {
  if (value.kind === 'scalar') return value.value;
  if (value.kind === 'list') return value.items.map(jsonOf);
  // Not by assignment: `__proto__` is a name like any other.
  return Object.fromEntries(value.entries.map(({ name, value: inner }) => [name, jsonOf(inner)]));
}

/** How a text is bounded. */
export interface TextRule {
  /** Characters; 255 when left out. */
  max?: number;
  /** It must look so; `looks` says how. */
  pattern?: RegExp;
  looks?: string;
}

/** A text that is not empty; null (told) for anything else. */
// oxlint-disable-next-line max-params -- as above; the last is rarely said
export function textOf(value: Value, what: string, faults: Faults, rule: TextRule = {}): string | null {
  const { max = 255, pattern, looks } = rule;
  if (value.kind !== 'scalar' || typeof value.value !== 'string') {
    const quotes = value.kind === 'scalar' && value.value !== null ? '; put it in quotes' : '';
    faults.add(value, `${what} must be a text, not ${describe(value)}${quotes}`);
    return null;
  }
  const text = value.value;
  if (text === '') faults.add(value, `${what} must not be empty`);
  else if (countOf(text) > max) {
    faults.add(
      value,
      `${what} has ${countOf(text).toLocaleString('en')} characters; at most ${max.toLocaleString('en')}`,
    );
  } else if (pattern !== undefined && !pattern.test(text))
    faults.add(value, `${what} ${looks}, not ${describe(value)}`);
  else return text;
  return null;
}

/** Characters are code points: what people count. */
function countOf(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** True or false; null (told) for anything else. */
export function booleanOf(value: Value, what: string, faults: Faults): boolean | null {
  if (value.kind === 'scalar' && typeof value.value === 'boolean') return value.value;
  faults.add(value, `${what} must be true or false, not ${describe(value)}`, ['true', 'false']);
  return null;
}

/** A whole number within bounds; null (told) for anything else. */
export function integerOf(
  value: Value,
  what: string,
  { min, max, faults }: { min: number; max: number; faults: Faults },
): number | null {
  const number = value.kind === 'scalar' ? value.value : null;
  if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number;
  const bounds = `from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`;
  faults.add(value, `${what} must be a whole number ${bounds}, not ${describe(value)}`);
  return null;
}

/** Milliseconds of a span such as `30s`; null (told) for anything else. A bare number would leave its unit open. */
export function spanOf(
  value: Value,
  what: string,
  { min, max, faults }: { min: number; max: number; faults: Faults },
): number | null {
  const text = value.kind === 'scalar' ? value.value : null;
  const span = typeof text === 'string' && !/^\d+$/.test(text) ? parseSpan(text) : null;
  if (span === null) {
    faults.add(value, `${what} must be a span such as 30s, 10m or 2h, not ${describe(value)}`);
    return null;
  }
  if (span >= min && span <= max) return span;
  faults.add(value, `${what} must be between ${inWords(min)} and ${inWords(max)}, not ${describe(value)}`);
  return null;
}

function inWords(ms: number): string {
  if (ms % 86_400_000 === 0 && ms > 0) return `${ms / 86_400_000} d`;
  return ms % 1_000 === 0 ? `${ms / 1_000} s` : `${ms} ms`;
}

/** One of these words; null (told) for anything else. */
export function choiceOf<Word extends string>(
  value: Value,
  what: string,
  { words, faults }: { words: readonly Word[]; faults: Faults },
): Word | null {
  const text = value.kind === 'scalar' ? value.value : null;
  if (typeof text === 'string' && (words as readonly string[]).includes(text)) return text as Word;
  const found = typeof text === 'string' ? text : null;
  const message =
    found === null
      ? `${what} must be one of ${words.join(', ')}, not ${describe(value)}`
      : notOneOf(what, found, words);
  faults.add(value, message, words);
  return null;
}

/** The items of a list; a single value stands for a list of one, nothing for none. */
export function itemsOf(value: Value | null): readonly Value[] {
  if (value === null || (value.kind === 'scalar' && value.value === null)) return [];
  return value.kind === 'list' ? value.items : [value];
}

/** Is it there, and not null? */
export function isGiven(value: Value | null): value is Value {
  return value !== null && !(value.kind === 'scalar' && value.value === null);
}
