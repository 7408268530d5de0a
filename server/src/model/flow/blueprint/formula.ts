// Formulas of Make in our own language: `{{sha256(1.data.id; ; "key")}}` becomes `${ sha256(body.data.id, , secret.KEY) }`.
//
// A mapped text of a blueprint holds formulas between `{{` and `}}`. References are `1.data.name`, with names that are no
// words in backquotes and entries counted from 1; arguments are parted by `;`; words such as `now` and `newline` stand alone.
import { DATES, translateCall } from './functions.ts';
import { quoted, type Piece, type Surroundings } from './piece.ts';

/** A part of a formula cannot be read. */
class Unreadable extends Error {}

/** A mapped text as a template of ours. Other values stay what they are. */
export function templateOf(text: string, around: Surroundings): string {
  const parts = partsOf(text);
  return parts
    .map((part) =>
      'formula' in part ? `\${ ${formulaOf(part.formula, around).code} }` : part.text.replaceAll('${', () => '$${'),
    )
    .join('');
}

/** A mapped text as an expression of ours, for conditions and lists. */
export function expressionOf(text: string, around: Surroundings): Piece {
  const parts = partsOf(text);
  const [only] = parts;
  if (only === undefined) return { code: "''", literal: '' };
  if (parts.length === 1) {
    if ('formula' in only) return formulaOf(only.formula, around);
    return { code: quoted(only.text), literal: only.text };
  }
  const pieces = parts.map((part) =>
    'formula' in part ? `toText(${formulaOf(part.formula, around).code})` : quoted(part.text),
  );
  return { code: pieces.join(' + ') };
}

/** Cuts a text at its formulas; braces within quotes end none. */
function partsOf(text: string): ({ text: string } | { formula: string })[] {
  const parts: ({ text: string } | { formula: string })[] = [];
  let from = 0;
  while (from < text.length) {
    const open = text.indexOf('{{', from);
    const close = open < 0 ? -1 : closingOf(text, open + 2);
    if (close < 0) break;
    if (open > from) parts.push({ text: text.slice(from, open) });
    parts.push({ formula: text.slice(open + 2, close) });
    from = close + 2;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

function closingOf(text: string, from: number): number {
  let quote = '';
  for (let at = from; at < text.length; at++) {
    const char = text[at] as string;
    if (quote !== '') {
      if (char === '\\' && quote !== '`') at++;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'" || char === '`') quote = char;
    else if (text.startsWith('}}', at)) return at;
  }
  return text.indexOf('}}', from);
}

/** What stands for a formula that cannot be carried over. */
const NOTHING: Piece = { code: 'null' };

function formulaOf(formula: string, around: Surroundings): Piece {
  try {
    const reader = createReader(formula, around);
    const piece = reader.expression();
    reader.end();
    // Where nothing takes it for a time, Make shows a time as text.
    return DATES.test(piece.code) ? { code: `formatDate(${piece.code})` } : piece;
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    around.lost(`the formula {{${formula}}} (${error.message})`, 'write it anew: null stands in its place');
    return NOTHING;
  }
}

const WORDS: Readonly<Record<string, Piece>> = {
  true: { code: 'true' },
  false: { code: 'false' },
  null: { code: 'null' },
  now: { code: 'now' },
  timestamp: { code: 'floor(now / 1000)' },
  pi: { code: String(Math.PI) },
  executionId: { code: 'run.id' },
  emptyarray: { code: '[]' },
  emptystring: { code: "''", literal: '' },
  space: { code: "' '", literal: ' ' },
  nbsp: { code: "'\u00a0'", literal: '\u00a0' },
  tab: { code: String.raw`'\t'`, literal: '\t' },
  newline: { code: String.raw`'\n'`, literal: '\n' },
  carriagereturn: { code: String.raw`'\r'`, literal: '\r' },
};

const OPERATORS: readonly Readonly<Record<string, string>>[] = [
  { '||': '||', '|': '||', or: '||' },
  { '&&': '&&', '&': '&&', and: '&&' },
  { '=': '==', '==': '==', '!=': '!=', '<=': '<=', '>=': '>=', '<': '<', '>': '>' },
  { '+': '+', '-': '-' },
  { '*': '*', '/': '/', '%': '%', mod: '%' },
];
const OPERATOR = /\s*(\|\||&&|==|!=|<=|>=|[|&=<>+\-*/%]|(?:or|and|mod)(?![\p{L}\p{N}_]))/uy;
const REFERENCE = /\s*(\d+)(?=\s*(?:\.[^\d\s]|\[))/y;
const STEP = /\.`([^`]*)`|\.([\p{L}_$][\p{L}\p{N}_$]*)|\[\s*(-?\d*)\s*\]/uy;
const NUMBER = /\s*(\d+(?:\.\d+)?)(?![\p{L}_])/uy;
const NAME = /\s*([\p{L}_$][\p{L}\p{N}_$]*(?:\.[\p{L}_$][\p{L}\p{N}_$]*)*)/uy;
const BARE = /[^;(){}]*/y;
const TEXT = /\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/sy;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
/** Deeper is none that people wrote. */
const DEEPEST = 90;

function createReader(formula: string, around: Surroundings) {
  const cursor = createCursor(formula);
  let depth = 0;

  function expression(level = 0): Piece {
    const operators = OPERATORS[level];
    if (operators === undefined) return operand();
    let left = expression(level + 1);
    for (;;) {
      const before = cursor.at();
      const operator = operators[cursor.take(OPERATOR)?.[1] ?? ''];
      if (operator === undefined) {
        cursor.back(before);
        return left;
      }
      left = { code: `${left.code} ${operator} ${expression(level + 1).code}` };
    }
  }

  function operand(): Piece {
    if (++depth > DEEPEST) throw new Unreadable('it nests too deep');
    const piece = operandWithin();
    depth--;
    return piece;
  }

  function operandWithin(): Piece {
    if (cursor.mark('-')) return { code: `-${operand().code}` };
    if (cursor.mark('!')) return { code: `!${operand().code}` };
    if (cursor.mark('(')) {
      const inner = expression();
      if (!cursor.mark(')')) throw new Unreadable('a ) is missing');
      return { code: `(${inner.code})` };
    }
    const text = cursor.take(TEXT)?.[1];
    if (text !== undefined) return textPiece(text);
    const reference = cursor.take(REFERENCE)?.[1];
    if (reference !== undefined) return { code: around.reference(Number(reference), steps()) };
    const number = cursor.take(NUMBER)?.[1];
    if (number !== undefined) return { code: String(Number(number)), literal: Number(number) };
    return named();
  }

  function named(): Piece {
    const before = cursor.at();
    const name = cursor.take(NAME)?.[1];
    if (name === undefined) return bareText(before);
    if (cursor.mark('(')) return call(name);
    const word = Object.hasOwn(WORDS, name) ? WORDS[name] : undefined;
    return word ?? bareText(before);
  }

  /** What people type into an argument without quotes is text, up to the next argument. */
  function bareText(from: number): Piece {
    cursor.back(from);
    const raw = cursor.take(BARE)?.[0].trim() ?? '';
    if (raw === '' || depth === 1) throw new Unreadable(`"${formula.slice(from).trim()}" is not known`);
    return { code: quoted(raw), literal: raw };
  }

  function steps(): (string | number)[] {
    const path: (string | number)[] = [];
    for (let found = cursor.take(STEP); found !== null; found = cursor.take(STEP)) {
      const [, odd, plain, index] = found;
      // Without a number Make takes the first entry.
      if (index !== undefined) path.push(index === '' ? 0 : Number(index) - 1);
      else path.push(odd ?? (plain as string));
      if (Number(index) < 0) throw new Unreadable('entries are counted from the end');
    }
    return path;
  }

  function call(name: string): Piece {
    const inputs: (Piece | null)[] = [];
    do {
      inputs.push(cursor.isNext([';', ')']) ? null : expression());
    } while (cursor.mark(';'));
    if (!cursor.mark(')')) throw new Unreadable(`the ) of ${name} is missing`);
    const only = inputs.length === 1 && inputs[0] === null;
    const code = translateCall(name, only ? [] : inputs, around);
    if (code === null) throw new Unreadable(`there is no counterpart of ${name} with these arguments`);
    return { code };
  }

  function end(): void {
    const rest = formula.slice(cursor.at()).trim();
    if (rest !== '') throw new Unreadable(`"${rest}" is not understood`);
  }

  return { expression, end };
}

/** A place in a formula that moves on. */
function createCursor(formula: string) {
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(formula);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  const mark = (wanted: string): boolean => {
    const blank = /\s*/y.exec(formula.slice(at))?.[0].length ?? 0;
    if (!formula.startsWith(wanted, at + blank)) return false;
    at += blank + wanted.length;
    return true;
  };
  const isNext = (marks: readonly string[]): boolean => {
    const before = at;
    const isThere = marks.some(mark);
    at = before;
    return isThere;
  };
  return { take, mark, isNext, at: () => at, back: (to: number) => void (at = to) };
}

function textPiece(written: string): Piece {
  const text = written.slice(1, -1).replaceAll(/\\(.)/gs, (_, char: string) => ESCAPES[char] ?? char);
  return { code: quoted(text), literal: text };
}
