// What one evaluation may use: steps of work, and the size of what it makes. Bounded, so that no text can stop the node.
import type { Json } from '../../json-value.ts';
import { ExpressionError } from './fault.ts';

/** What one evaluation may use at most. */
export interface Budget {
  /** Steps of work: about one for each operation and for each entry that is looked at; 1,000,000 unless said. */
  steps?: number;
  /** What it may make: UTF-16 units of text, and 8 for each entry of a list or object; 16 Mi unless said. */
  size?: number;
}

/** What is left of a budget. */
export interface Meter {
  steps: number;
  size: number;
}

const STEPS = 1_000_000;
const SIZE = 16 * 2 ** 20;
/** Units of a text that one step walks through. */
const UNITS_A_STEP = 16;
/** What an entry of a list or object counts, beside its text. */
export const ENTRY = 8;
/** Values nest at most this deep; what is deeper is refused where it would have to be walked. */
const DEEPEST = 500;

/** A full meter. */
export function fill(budget: Budget | undefined): Meter {
  return { steps: budget?.steps ?? STEPS, size: budget?.size ?? SIZE };
}

/** Counts work before it is done; throws an ExpressionError when the budget does not allow it. */
export function spend(meter: Meter, steps: number): void {
  meter.steps -= steps;
  if (meter.steps < 0) throw new ExpressionError('This takes more work than one evaluation may do');
}

/**
 * Counts the walk through a text before it is made. Measured: searching, hashing and comparing the beginnings of long
 * texts cost up to 20 ns a unit, so a full budget of a million steps lasts a third of a second.
 */
export function walk(meter: Meter, text: string): string {
  spend(meter, 1 + text.length / UNITS_A_STEP);
  return text;
}

/** The names of an object's members, counted. */
export function namesOf(meter: Meter, object: object): string[] {
  const names = Object.keys(object);
  spend(meter, 1 + 2 * names.length);
  return names;
}

/** Counts what is about to be made; throws an ExpressionError when the budget does not allow it. */
export function produce(meter: Meter, size: number): void {
  meter.size -= size;
  if (meter.size < 0) throw new ExpressionError('This makes more text or entries than one evaluation may');
}

/**
 * Counts a whole value as something made. Parts that occur twice count twice, as they will when it is written as JSON:
 * a list of lists of one text can be small in memory and endless on paper.
 */
export function weigh(meter: Meter, value: Json, depth = 0): void {
  if (typeof value === 'string') return produce(meter, value.length);
  if (typeof value !== 'object' || value === null) return produce(meter, ENTRY);
  deeper(depth);
  const names = Array.isArray(value) ? [] : namesOf(meter, value);
  for (const name of names) produce(meter, name.length);
  const parts = Array.isArray(value) ? value : Object.values(value);
  spend(meter, parts.length);
  for (const part of parts) {
    produce(meter, ENTRY);
    weigh(meter, part, depth + 1);
  }
}

/** The depth below `depth`; throws an ExpressionError where a value nests too deep to be walked. */
export function deeper(depth: number): number {
  if (depth >= DEEPEST) throw new ExpressionError(`A value nests deeper than ${DEEPEST} levels`);
  return depth + 1;
}
