// Functions of numbers: rounding, the least and most of several, and how numbers are written.
import type { Json } from '../../../json-value.ts';
import { produce, spend } from '../budget.ts';
import { ExpressionError } from '../fault.ts';
import { finite } from '../values.ts';
import { entry, numberOf, textOf, walkedText, wholeOf } from './entry.ts';
import type { Argument, Call, FunctionEntry } from './entry.ts';

/** Does it with a number; nothing stays nothing. */
function withNumber(value: Argument, does: (number: number) => Json): Json {
  return value === null || value === undefined ? null : does(numberOf(value, 'value'));
}

/** The numbers among the arguments and their lists; nothing is passed over. */
function numbersOf(args: readonly Argument[], call: Call): number[] {
  const numbers: number[] = [];
  for (const arg of args) {
    const values = Array.isArray(arg) ? arg : [arg];
    spend(call, values.length);
    for (const value of values) {
      if (value !== null && value !== undefined) numbers.push(numberOf(value, 'value'));
    }
  }
  return numbers;
}

/**
 * A number shifted by powers of ten as it is written: 1.005 has no exact double, so 1.005 × 100 is 100.49999999999999.
 */
function shift(value: number, places: number): number {
  const [digits = '', exponent = '0'] = String(value).split('e');
  return Number(`${digits}e${Number(exponent) + places}`);
}

/** Rounds at a decimal place, halves away from zero. */
function round(value: number, decimals: number): number {
  const rounded = shift(Math.round(shift(Math.abs(value), decimals)), -decimals);
  return finite(value < 0 ? -rounded : rounded);
}

function decimalsOf(value: Argument, or: number): number {
  return wholeOf(value, 'number of decimals', { from: 0, to: 20, or });
}

/** The one in the middle, or what is between the two there. */
function median(numbers: readonly number[], call: Call): Json {
  if (numbers.length === 0) return null;
  spend(call, numbers.length * Math.ceil(Math.log2(numbers.length + 1)));
  const ordered = numbers.toSorted((one, other) => one - other);
  const [low, high] = [ordered[(ordered.length - 1) >> 1] as number, ordered[ordered.length >> 1] as number];
  return low + (high - low) / 2;
}

function formatNumber(args: readonly Argument[], call: Call): Json {
  return withNumber(args[0], (number) => {
    spend(call, 50);
    const decimals = decimalsOf(args[1], 0);
    const point = args[2] === undefined ? '.' : textOf(args[2], call);
    const group = args[3] === undefined ? ',' : textOf(args[3], call);
    if (Math.abs(number) >= 1e21)
      throw new ExpressionError('The number is too large to be written with all its digits');
    const [whole = '', rest] = Math.abs(round(number, decimals)).toFixed(decimals).split('.');
    produce(call, whole.length * (1 + group.length) + point.length + decimals);
    const grouped = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, () => group);
    const text = rest === undefined ? grouped : `${grouped}${point}${rest}`;
    return number < 0 && /[1-9]/.test(text) ? `-${text}` : text;
  });
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** The number a text says; groups of three are passed over. Null for an empty text. */
function parseNumber(args: readonly Argument[], call: Call): Json {
  if (typeof args[0] === 'number') return args[0];
  const text = walkedText(args[0], call).trim();
  if (text === '') return null;
  const point = args[1] === undefined ? '.' : textOf(args[1], call);
  if (point !== '.' && point !== ',') throw new ExpressionError('The decimal separator must be . or ,');
  const group = point === '.' ? ',' : '.';
  const plain = text.replaceAll(/\s/g, '').replaceAll(group, '').replace(point, '.');
  const number = NUMBER.test(plain) ? Number(plain) : Number.NaN;
  if (!Number.isFinite(number)) throw new ExpressionError('The text is no number');
  return number;
}

function sum(numbers: readonly number[]): number {
  return finite(numbers.reduce((all, number) => all + number, 0));
}

/** The one that none of the others beats; nothing of nothing. */
function best(numbers: readonly number[], beats: (one: number, other: number) => boolean): Json {
  return numbers.length === 0 ? null : numbers.reduce((one, other) => (beats(other, one) ? other : one));
}

export const NUMBER_FUNCTIONS: readonly FunctionEntry[] = [
  entry('round(number, decimals?)', ([value, decimals], call) => {
    spend(call, 10);
    return withNumber(value, (number) => round(number, decimalsOf(decimals, 0)));
  }),
  entry('floor(number)', ([value]) => withNumber(value, Math.floor)),
  entry('ceil(number)', ([value]) => withNumber(value, Math.ceil)),
  entry('trunc(number)', ([value]) => withNumber(value, Math.trunc)),
  entry('abs(number)', ([value]) => withNumber(value, Math.abs)),
  entry('min(number…)', (args, call) => best(numbersOf(args, call), (one, other) => one < other)),
  entry('max(number…)', (args, call) => best(numbersOf(args, call), (one, other) => one > other)),
  entry('sum(number…)', (args, call) => sum(numbersOf(args, call))),
  entry('average(number…)', (args, call) => {
    const numbers = numbersOf(args, call);
    return numbers.length === 0 ? null : sum(numbers) / numbers.length;
  }),
  entry('median(number…)', (args, call) => median(numbersOf(args, call), call)),
  entry('formatNumber(number, decimals?, point?, group?)', formatNumber),
  entry('parseNumber(text, point?)', parseNumber),
];
