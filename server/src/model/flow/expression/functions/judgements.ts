// Functions that ask what a value is, and turn one kind into another; versions and their order.
import type { Json } from '../../../json-value.ts';
import { namesOf, spend, walk } from '../budget.ts';
import { ExpressionError } from '../fault.ts';
import { aKind, exists, kindOf } from '../values.ts';
import { entry, textOf } from './entry.ts';
import type { Argument, Call, FunctionEntry } from './entry.ts';

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function isEmpty(value: Json, call: Call): boolean {
  if (typeof value !== 'object' || value === null) return !exists(value);
  return (Array.isArray(value) ? value : namesOf(call, value)).length === 0;
}

/** A number, the number a text says as JSON would, 1 and 0 for true and false; nothing stays nothing. */
function toNumber(value: Json, call: Call): Json {
  if (value === null || typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  const text = typeof value === 'string' ? walk(call, value).trim() : undefined;
  if (text === '') return null;
  const number = text !== undefined && JSON_NUMBER.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(number)) throw new ExpressionError(`This is ${aKind(value)} that says no number`);
  return number;
}

const TRUE = ['true', 'yes', 'on', '1'];
const FALSE = ['false', 'no', 'off', '0'];

function toBoolean(value: Json, call: Call): Json {
  if (value === null || value === '' || typeof value === 'boolean') return value === '' ? null : value;
  const written = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  const word = walk(call, written).trim().toLowerCase();
  if (TRUE.includes(word)) return true;
  if (FALSE.includes(word)) return false;
  throw new ExpressionError(`This is ${aKind(value)} that says neither true nor false`);
}

// Semantic Versioning 2.0.0, section 11; a leading v, and a minor or patch number left out, are taken as people write.
const VERSION = /^v?(\d{1,15})(?:\.(\d{1,15}))?(?:\.(\d{1,15}))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

function versionOf(value: Argument, call: Call): { numbers: number[]; before: string[] } | null {
  const text = textOf(value, call);
  if (text.length > 256) return null;
  const found = VERSION.exec(text.trim());
  if (found === null) return null;
  return { numbers: [1, 2, 3].map((part) => Number(found[part] ?? 0)), before: found[4]?.split('.') ?? [] };
}

function compareVersions(left: Argument, right: Argument, call: Call): Json {
  const [a, b] = [versionOf(left, call), versionOf(right, call)];
  spend(call, 20);
  if (a === null || b === null) return null;
  for (const [index, number] of a.numbers.entries()) {
    const difference = Math.sign(number - (b.numbers[index] as number));
    if (difference !== 0) return difference;
  }
  // A version is behind all its pre-releases.
  if (a.before.length === 0 || b.before.length === 0) return Math.sign(b.before.length - a.before.length);
  return comparePreReleases(a.before, b.before);
}

function comparePreReleases(left: readonly string[], right: readonly string[]): number {
  for (const [index, a] of left.entries()) {
    const b = right[index];
    if (b === undefined) return 1;
    if (a === b) continue;
    const [aNumber, bNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
    if (aNumber !== bNumber) return aNumber ? -1 : 1;
    if (aNumber && Number(a) !== Number(b)) return Math.sign(Number(a) - Number(b));
    if (!aNumber) return a < b ? -1 : 1;
  }
  return left.length - right.length < 0 ? -1 : 0;
}

export const JUDGEMENT_FUNCTIONS: readonly FunctionEntry[] = [
  entry('exists(value)', ([value]) => exists(value as Json)),
  entry('isEmpty(value)', ([value], call) => isEmpty(value as Json, call)),
  entry('typeOf(value)', ([value]) => kindOf(value as Json)),
  entry('toText(value)', ([value], call) => textOf(value, call)),
  entry('toNumber(value)', ([value], call) => toNumber(value as Json, call)),
  entry('toBoolean(value)', ([value], call) => toBoolean(value as Json, call)),
  entry('semverCompare(version, other)', ([version, other], call) => compareVersions(version, other, call)),
];
