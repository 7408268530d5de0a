// Expressions and templates in a document: parsed when it is read, their faults placed in the file.
import { ExpressionFault, parseExpression, parseTemplate } from '../expression/index.ts';
import type { Faults, Span } from './fault.ts';
import { describe } from './fields.ts';
import type { ScalarValue, Value } from './source.ts';

/** A name that an expression takes from its surroundings, with the fixed steps behind it, and where it does. */
export interface Use {
  path: readonly (string | number)[];
  at: Span;
}

/** Where faults are told, and names gathered where somebody will judge them. */
export interface Reading {
  faults: Faults;
  uses?: Use[];
}

/**
 * The text of an expression, with or without `${ }` around it; null (told) for what is none. True, false and numbers stand
 * for themselves.
 */
export function expressionOf(value: Value, what: string, reading: Reading): string | null {
  const literal = value.kind === 'scalar' ? value.value : null;
  if (typeof literal === 'boolean' || typeof literal === 'number') return String(literal);
  if (value.kind !== 'scalar' || typeof literal !== 'string' || literal.trim() === '') {
    reading.faults.add(value, `${what} must be an expression such as \${ total > 100 }, not ${describe(value)}`);
    return null;
  }
  const outer = literal.trim();
  const isWrapped = outer.startsWith('${') && outer.endsWith('}');
  const inner = isWrapped ? outer.slice(2, -1) : outer;
  const text = inner.trim();
  const shift = literal.indexOf(outer) + (isWrapped ? 2 + inner.indexOf(text) : 0);
  return attempt(() => parseExpression(text), { value, what, shift, ...reading }) ? text : null;
}

/** Checks each text within a value as a template; `what` names the whole. */
export function checkTemplates(value: Value, what: string, reading: Reading): void {
  if (value.kind === 'list') for (const item of value.items) checkTemplates(item, what, reading);
  if (value.kind === 'map') for (const { value: inner } of value.entries) checkTemplates(inner, what, reading);
  if (value.kind !== 'scalar' || typeof value.value !== 'string' || !value.value.includes('${')) return;
  const text = value.value;
  attempt(() => parseTemplate(text), { value, what, shift: 0, ...reading });
}

interface Attempt extends Reading {
  value: ScalarValue;
  what: string;
  /** How far the text begins behind that of the value. */
  shift: number;
}

function attempt(
  parse: () => { paths: readonly (readonly (string | number)[])[] },
  { value, what, shift, faults, uses }: Attempt,
): boolean {
  try {
    const { paths } = parse();
    uses?.push(...paths.map((path) => ({ path, at: { start: value.start, end: value.end } })));
    return true;
  } catch (error) {
    if (!(error instanceof ExpressionFault)) throw error;
    const at = placeIn(value, { at: error.at + shift, length: error.length }, faults.text);
    faults.add(at, `${what}: ${error.message.replace(/\.$/, '')}`);
    return false;
  }
}

/**
 * Where a part of a text stands in the file: exactly in plain and quoted texts of one line and in `|` blocks, otherwise
 * (escapes, folded lines) where the text begins.
 */
export function placeIn(value: ScalarValue, part: { at: number; length: number }, file: string): Span {
  const text = String(value.value);
  const raw = file.slice(value.start, value.end);
  const within = raw.indexOf(text);
  const from = within >= 0 ? value.start + within + part.at : offsetInBlock(text, raw, part.at);
  if (from === null) return { start: value.start, end: value.end };
  const start = within >= 0 ? from : value.start + from;
  return { start, end: start + Math.max(part.length, 1) };
}

/** The offset in a block `|` of what stands at `at` in its text; null where lines differ by more than their indent. */
function offsetInBlock(text: string, raw: string, at: number): number | null {
  const line = text.slice(0, at).split('\n').length - 1;
  const column = at - (text.lastIndexOf('\n', at - 1) + 1);
  const rawLines = raw.split('\n');
  const own = rawLines[line + 1];
  const words = text.split('\n')[line] ?? '';
  if (own === undefined || !own.endsWith(words)) return null;
  const before = rawLines.slice(0, line + 1).reduce((sum, one) => sum + one.length + 1, 0);
  return before + own.length - words.length + column;
}
