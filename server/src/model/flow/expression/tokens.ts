// Cuts an expression's text into tokens, one at a time: where a template's expression ends is known only by reading it.
import { ExpressionFault } from './fault.ts';

/** `value` is what a number or text stands for; `end` has no text and stands after the last token. */
export interface Token {
  kind: 'number' | 'text' | 'name' | 'mark' | 'end';
  text: string;
  at: number;
  end: number;
  value?: number | string;
}

/** The longest expression, in UTF-16 units. */
export const LONGEST_EXPRESSION = 16_384;

const BLANK = /\s*/y;
const NAME = /[\p{L}_$][\p{L}\p{N}_$]*/uy;
const NUMBER = /(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRAY_AFTER_NUMBER = /[\p{L}\p{N}_$]+|\.\d*/uy;
const MARK = /->|&&|\|\||\?\?|\?\.(?!\d)|[=!]=|[<>]=?|[-+*/%!?:.,;()[\]{}]/y;
const WRONG = /===|!==|<>|=>|=(?!=)|&(?!&)|\|(?!\|)|[\^~`]/y;
const HINTS: Readonly<Record<string, string>> = {
  '===': '==',
  '!==': '!=',
  '<>': '!=',
  '=>': '->',
  '=': '==',
  '&': '&&, and texts are joined with +',
  '|': '||; functions are written name(value)',
  '`': "'…'",
};
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };

/** The token that begins at or after `from`. Throws an ExpressionFault at what begins none. */
export function readToken(text: string, from: number): Token {
  const at = from + lengthAt(BLANK, text, from);
  if (at >= text.length) return { kind: 'end', text: '', at: text.length, end: text.length };
  const char = text[at] as string;
  if (char === "'" || char === '"') return readText(text, at);
  const wrong = lengthAt(WRONG, text, at);
  if (wrong > 0) throw strayMark(text, at, wrong);
  const mark = lengthAt(MARK, text, at);
  if (mark > 0) return { kind: 'mark', text: text.slice(at, at + mark), at, end: at + mark };
  const name = lengthAt(NAME, text, at);
  if (name > 0) return { kind: 'name', text: text.slice(at, at + name), at, end: at + name };
  const number = lengthAt(NUMBER, text, at);
  if (number > 0) return readNumber(text, at, number);
  const stray = String.fromCodePoint(text.codePointAt(at) as number);
  throw new ExpressionFault(
    { at, length: stray.length },
    `The character ${JSON.stringify(stray)} cannot stand in an expression.`,
  );
}

/** The length of what a sticky pattern matches at a place; 0 where it does not. */
export function lengthAt(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex - at : 0;
}

function strayMark(text: string, at: number, length: number): ExpressionFault {
  const written = text.slice(at, at + length);
  const hint = HINTS[written];
  return new ExpressionFault(
    { at, length },
    `${written} is no operator of expressions${hint === undefined ? '' : `; it is written ${hint}`}.`,
  );
}

function readNumber(text: string, at: number, length: number): Token {
  const stray = lengthAt(STRAY_AFTER_NUMBER, text, at + length);
  const end = at + length + stray;
  const written = text.slice(at, end);
  const value = Number(written);
  if (stray > 0) throw new ExpressionFault({ at, length: end - at }, `${written} is no number as JSON writes it.`);
  if (!Number.isFinite(value)) throw new ExpressionFault({ at, length }, `The number ${written} is too large.`);
  return { kind: 'number', text: written, at, end, value };
}

function readText(text: string, at: number): Token {
  const quote = text[at];
  let value = '';
  let from = at + 1;
  for (let here = from; here < text.length; here++) {
    const char = text[here];
    if (char === quote) {
      const end = here + 1;
      return { kind: 'text', text: text.slice(at, end), at, end, value: value + text.slice(from, here) };
    }
    if (char !== '\\') continue;
    const [piece, length] = readEscape(text, here);
    value += text.slice(from, here) + piece;
    from = here + length;
    here = from - 1;
  }
  const shown = text.slice(at, at + 40);
  throw new ExpressionFault({ at, length: shown.length }, `The text ${shown} has no closing ${quote}.`);
}

/** What an escape stands for, and how long it is in the text. */
function readEscape(text: string, at: number): [string, number] {
  const char = text[at + 1] ?? '';
  if (char !== '' && `'"\\/`.includes(char)) return [char, 2];
  const known = Object.hasOwn(ESCAPES, char) ? ESCAPES[char] : undefined;
  if (known !== undefined) return [known, 2];
  const code = /^u[0-9a-fA-F]{4}/.test(text.slice(at + 1, at + 6)) ? text.slice(at + 2, at + 6) : undefined;
  if (code !== undefined) return [String.fromCharCode(Number.parseInt(code, 16)), 6];
  const written = text.slice(at, at + 2);
  throw new ExpressionFault(
    { at, length: written.length },
    `${written} is no escape in a text; a backslash itself is written \\\\.`,
  );
}
