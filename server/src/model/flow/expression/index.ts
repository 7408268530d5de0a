// The small expression language of jobs, policy sets and scenarios: parsed when saved, evaluated within a budget. Pure.
//
// docs/expressions.md is its manual. Nothing of the host can be reached: values are JSON, members are own members,
// functions are those of functions/, and `now` comes with the evaluation.
import type { Json } from '../../json-value.ts';
import { fill, produce, weigh } from './budget.ts';
import type { Budget } from './budget.ts';
import { compile } from './compile.ts';
import type { Context, Run, Scope } from './compile.ts';
import { ExpressionFault } from './fault.ts';
import { FUNCTIONS } from './functions/index.ts';
import { parse, unexpected } from './parse.ts';
import { readTemplate } from './template.ts';
import { LONGEST_EXPRESSION, readToken } from './tokens.ts';
import type { Reading } from './tree.ts';
import { put, toText } from './values.ts';
import type { JsonObject } from './values.ts';

export type { Json } from '../../json-value.ts';
export type { Budget } from './budget.ts';
export type { Scope } from './compile.ts';
export { ExpressionError, ExpressionFault } from './fault.ts';
export { isTrue } from './values.ts';

/** What an evaluation may be told: the instant that `now` is, in epoch ms, and what it may use. */
export interface EvaluateOptions {
  now?: number;
  budget?: Budget;
}

/** What can be known of an expression without evaluating it. */
interface Known {
  /** Names it takes from its scope, besides `secret` and the built-in `now`. */
  names: readonly string[];
  /** The names behind `secret.NAME`. */
  secrets: readonly string[];
  /** Each use of a name with the fixed steps behind it: `['steps', 'fetch', 'status']`. */
  paths: readonly (readonly (string | number)[])[];
}

interface Evaluable extends Known {
  /**
   * The value. It may share parts with the scope, so neither is to be changed. What is missing is null; throws an
   * ExpressionError, and nothing else, for what cannot be done or is beyond the budget.
   */
  evaluate(scope: Scope, options?: EvaluateOptions): Json;
}

/** A parsed expression. */
export interface Expression extends Evaluable {
  text: string;
}

/** A parsed text that may hold expressions. */
export interface Template extends Expression {
  /** Whether it holds none. */
  isConstant: boolean;
}

/** A parsed JSON value whose texts are templates. */
export interface CompiledValue extends Evaluable {
  value: Json;
  /** Whether no text in it holds an expression. */
  isConstant: boolean;
}

/** Values nest at most this deep in what is compiled. */
const DEEPEST_VALUE = 100;

/** Parses an expression: `state == 'active' && exists(tags.Owner)`. Throws an ExpressionFault. */
export function parseExpression(text: string): Expression {
  if (text.length > LONGEST_EXPRESSION) {
    const place = { at: LONGEST_EXPRESSION, length: text.length - LONGEST_EXPRESSION };
    throw new ExpressionFault(place, `An expression has at most ${LONGEST_EXPRESSION} characters.`);
  }
  if (text.trim() === '') throw new ExpressionFault({ at: 0, length: 0 }, 'The expression is empty.');
  if (text.trimStart().startsWith('${')) {
    throw new ExpressionFault({ at: text.indexOf('${'), length: 2 }, 'An expression by itself stands without ${ }.');
  }
  const reading = parse(text);
  const rest = readToken(text, reading.end);
  if (rest.kind !== 'end') throw unexpected(rest, 'an operator or the end of the expression');
  return { text, ...evaluable(compiled(reading, text)) };
}

/**
 * Parses a text that may hold expressions: `a ${ expr } b` becomes a text, exactly one `${ expr }` its value, whatever
 * kind that is; `$${` is a literal `${`. Throws an ExpressionFault.
 */
export function parseTemplate(text: string): Template {
  const part = compileText(text);
  return { text, isConstant: part.readings.length === 0, ...evaluable(part) };
}

/** Parses a JSON value whose texts are templates; names of members are not. Throws an ExpressionFault with its path. */
export function compileValue(value: Json): CompiledValue {
  const part = compilePart(value, []);
  return { value, isConstant: part.readings.length === 0, ...evaluable(part) };
}

/** The signatures of all functions: `replace(text, search, replacement)`; `?` ends what may be left out. */
export function functionSignatures(): string[] {
  return Array.from(FUNCTIONS.values(), ({ signature }) => signature);
}

/** A piece of a value: what it is made by, and the expressions in it; a constant has none. */
interface Part {
  run: Run;
  readings: readonly Reading[];
  /** Whether the value is made here. What is only read was weighed by whoever took it in. */
  made: boolean;
}

function compiled(reading: Reading, text: string): Part {
  const { kind } = reading.root;
  const made = kind !== 'name' && kind !== 'path' && kind !== 'literal';
  return { run: compile(reading.root, text), readings: [reading], made };
}

function compileText(text: string): Part {
  if (!text.includes('${')) return { run: () => text, readings: [], made: false };
  const parts = readTemplate(text);
  const pieces = parts.map((part): Part =>
    'reading' in part ? compiled(part.reading, text) : { run: () => part.text, readings: [], made: false },
  );
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  return {
    ...{ readings: pieces.flatMap(({ readings }) => readings), made: true },
    run(context) {
      let whole = '';
      for (const { run } of pieces) {
        const piece = toText(run(context), context);
        produce(context, piece.length);
        whole += piece;
      }
      return whole;
    },
  };
}

function compilePart(value: Json, path: readonly (string | number)[]): Part {
  if (typeof value === 'string') return atPath(path, () => compileText(value));
  if (typeof value !== 'object' || value === null) return { run: () => value, readings: [], made: false };
  if (path.length >= DEEPEST_VALUE) {
    throw new ExpressionFault({ at: 0, length: 0, path }, `The value nests deeper than ${DEEPEST_VALUE} levels.`);
  }
  const names = Object.keys(value);
  const parts = Array.isArray(value)
    ? value.map((one, index) => compilePart(one, [...path, index]))
    : names.map((name) => compilePart(value[name] as Json, [...path, name]));
  const readings = parts.flatMap((part) => part.readings);
  if (Array.isArray(value)) {
    return { readings, made: true, run: (context) => parts.map(({ run }) => run(context)) };
  }
  return {
    ...{ readings, made: true },
    run(context) {
      const object: JsonObject = {};
      for (const [index, name] of names.entries()) put(object, name, (parts[index] as Part).run(context));
      return object;
    },
  };
}

function atPath(path: readonly (string | number)[], make: () => Part): Part {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof ExpressionFault)) throw error;
    throw new ExpressionFault({ at: error.at, length: error.length, path }, error.message);
  }
}

function evaluable({ run, readings, made }: Part): Evaluable {
  const all = (of: (reading: Reading) => readonly string[]): string[] => [...new Set(readings.flatMap(of))];
  const slots = readings.reduce((most, { slots }) => Math.max(most, slots), 0);
  return {
    names: all(({ names }) => names),
    secrets: all(({ secrets }) => secrets),
    paths: readings.flatMap(({ paths }) => paths),
    evaluate(scope, options) {
      const context = begin(scope, options, slots);
      const value = run(context);
      if (made && typeof value === 'object' && value !== null) weigh(context, value);
      return value;
    },
  };
}

function begin(scope: Scope, options: EvaluateOptions | undefined, slots: number): Context {
  const { steps, size } = fill(options?.budget);
  return { scope, now: options?.now ?? null, steps, size, items: slots === 0 ? NO_ITEMS : [] };
}

/** Shared by all evaluations that have no items: none of them writes to it. */
const NO_ITEMS: Json[] = [];
