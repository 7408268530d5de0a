// What a function of expressions is: its signature as people read it, what it does, and how it reads its arguments.
import type { Json } from '../../../json-value.ts';
import { walk } from '../budget.ts';
import type { Meter } from '../budget.ts';
import { ExpressionError } from '../fault.ts';
import { aKind, isObject, toText } from '../values.ts';
import type { JsonObject } from '../values.ts';

/** An argument; undefined where it was left empty. Required ones never are. */
export type Argument = Json | undefined;

/** What an evaluation hands to its functions. */
export interface Call extends Meter {
  /** The instant of the evaluation in epoch ms; null where nobody said. */
  readonly now: number | null;
}

/** What `x -> …` or the name of a member makes of an item; the item itself where that argument was left out. */
export type Each = (item: Json) => Json;

/** A function of expressions. */
export interface FunctionEntry {
  name: string;
  /** As it is documented: `replace(text, search, replacement)`. */
  signature: string;
  /** How many arguments it takes. */
  least: number;
  most: number;
  /** Which argument is done with each item, or -1. */
  eachAt: number;
  /** Throws an ExpressionError where it cannot. */
  run: Run;
  /** For arguments that stand in the text as they are: these throw an ExpressionError when they are wrong. */
  literals: Literals;
}

type Run = (args: readonly Argument[], call: Call, each: Each) => Json;
type Literals = Readonly<Record<number, (value: Json) => unknown>>;

/**
 * A function by its signature: `?` ends what may be left out, `…` what may come several times, `x ->` begins what is
 * done with each item.
 */
export function entry(signature: string, run: Run, literals: Literals = {}): FunctionEntry {
  const open = signature.indexOf('(');
  const inside = signature.slice(open + 1, -1);
  const parameters = inside === '' ? [] : inside.split(', ');
  return {
    name: signature.slice(0, open),
    signature,
    least: parameters.filter((parameter) => parameter !== '…' && !parameter.endsWith('?')).length,
    most: inside.endsWith('…') ? Number.POSITIVE_INFINITY : parameters.length,
    eachAt: parameters.findIndex((parameter) => parameter.startsWith('x -> ')),
    run,
    literals,
  };
}

/** The text of an argument; what is missing is the empty text. */
export function textOf(value: Argument, call: Call): string {
  return typeof value === 'string' ? value : toText(value ?? null, call);
}

/** The text of an argument that is about to be walked through; the walk is counted. */
export function walkedText(value: Argument, call: Call): string {
  return walk(call, textOf(value, call));
}

/** A number; `what` names the argument in the complaint. */
export function numberOf(value: Argument, what: string): number {
  if (typeof value === 'number') return value;
  const hint = typeof value === 'string' ? '; toNumber(…) makes a number of a text' : '';
  throw new ExpressionError(`The ${what} must be a number and is ${aKind(value ?? null)}${hint}`);
}

/** A whole number within bounds, or the fallback where the argument is empty or null. */
export function wholeOf(value: Argument, what: string, bounds: { from: number; to: number; or: number }): number {
  if (value === undefined || value === null) return bounds.or;
  const number = numberOf(value, what);
  if (Number.isInteger(number) && number >= bounds.from && number <= bounds.to) return number;
  throw new ExpressionError(`The ${what} must be a whole number from ${bounds.from} to ${bounds.to}`);
}

/** A list; what is missing is the empty one. */
export function listOf(value: Argument): Json[] {
  if (Array.isArray(value)) return value;
  if (value === undefined || value === null) return [];
  throw new ExpressionError(`A list is wanted, and this is ${aKind(value)}`);
}

/** An object; what is missing is the empty one. */
export function objectOf(value: Argument): JsonObject {
  if (isObject(value)) return value;
  if (value === undefined || value === null) return {};
  throw new ExpressionError(`An object is wanted, and this is ${aKind(value)}`);
}

/** One of a few words, or the first of them where the argument is empty. */
export function wordOf<W extends string>(value: Argument, what: string, words: readonly [W, ...W[]]): W {
  if (value === undefined || value === null || value === '') return words[0];
  const word = words.find((one) => one === value);
  if (word !== undefined) return word;
  throw new ExpressionError(`The ${what} must be one of ${words.join(', ')}`);
}
