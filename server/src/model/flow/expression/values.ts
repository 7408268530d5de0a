// What values mean to operators and functions: truth, kind, text, equality, members. Nothing is coerced but to text.
import { member } from '../../json-value.ts';
import type { Json } from '../../json-value.ts';
import { deeper, namesOf, produce, spend, walk, weigh } from './budget.ts';
import type { Meter } from './budget.ts';
import { ExpressionError } from './fault.ts';

/** An object of JSON. */
export type JsonObject = { [name: string]: Json };

/** Whether a condition holds: null, false, 0 and the empty text do not, everything else does. */
export function isTrue(value: Json): boolean {
  return value !== null && value !== false && value !== 0 && value !== '';
}

/** Whether there is something: null, and so what is missing, and the empty text are nothing (R95). */
export function exists(value: Json): boolean {
  return value !== null && value !== '';
}

/** `null`, `boolean`, `number`, `text`, `list` or `object`. */
export function kindOf(value: Json): 'null' | 'boolean' | 'number' | 'text' | 'list' | 'object' {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  const kind = typeof value;
  return kind === 'string' ? 'text' : (kind as 'boolean' | 'number' | 'object');
}

/** A kind of value in a sentence. */
export function aKind(value: Json): string {
  const kind = kindOf(value);
  return kind === 'null' ? 'nothing' : kind === 'object' ? 'an object' : `a ${kind}`;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text a value becomes in a template or beside another text: null is empty, lists and objects are JSON. */
export function toText(value: Json, meter: Meter): string {
  if (typeof value === 'string') return value;
  if (value === null) return '';
  return typeof value === 'object' ? toJson(value, meter) : String(value);
}

/** JSON without white space. */
export function toJson(value: Json, meter: Meter): string {
  weigh(meter, value);
  return JSON.stringify(value);
}

/** The member or entry of a value by a name or an index; null where there is none. Own members only. */
export function step(value: Json, by: Json): Json {
  if (typeof by === 'string') return (member(value, by) as Json | undefined) ?? null;
  return typeof by === 'number' && Array.isArray(value) ? (value[by] ?? null) : null;
}

/** Sets an own member, whatever its name is. */
export function put(object: JsonObject, name: string, value: Json): void {
  if (name !== '__proto__') object[name] = value;
  else Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Equal as JSON: of the same kind, and alike in all parts; the order of an object's members does not count. */
export function equal(left: Json, right: Json, meter: Meter): boolean {
  return alike([left, right], meter, 0);
}

function alike([left, right]: readonly [Json, Json], meter: Meter, depth: number): boolean {
  // Texts of one length are compared unit by unit, a thousand of them as quickly as anything else.
  if (typeof left === 'string') spend(meter, left.length >> 10);
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  const below = deeper(depth);
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    spend(meter, left.length);
    return left.every((part, index) => alike([part, right[index] as Json], meter, below));
  }
  const names = namesOf(meter, left);
  if (names.length !== namesOf(meter, right).length) return false;
  return names.every(
    (name) => Object.hasOwn(right, name) && alike([left[name] as Json, right[name] as Json], meter, below),
  );
}

/** Whether a list has an equal entry, an object a member of that name, or a text that part; false for anything else. */
export function isIn(value: Json, whole: Json, meter: Meter): boolean {
  if (Array.isArray(whole)) {
    spend(meter, whole.length);
    return whole.some((entry) => equal(entry, value, meter));
  }
  if (typeof value !== 'string') return false;
  return typeof whole === 'string'
    ? walk(meter, whole).includes(value)
    : isObject(whole) && Object.hasOwn(whole, value);
}

/** Texts one after the other. */
export function join(parts: readonly string[], separator: string, meter: Meter): string {
  let length = separator.length * Math.max(0, parts.length - 1);
  for (const part of parts) length += part.length;
  produce(meter, length);
  return parts.join(separator);
}

/** A number that JSON has; throws an ExpressionError for what is infinite or no number. */
export function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new ExpressionError('The result is no number, or one too large');
}
