// The grammar of filters: an OData subset, read by recursive descent into a tree.
import { parseDateTime } from '../cloud-events/time.ts';
import { FilterFault, tokenize } from './tokens.ts';
import type { Token } from './tokens.ts';
import type { ComparisonOperator, FilterTree, Literal, Path } from './tree.ts';

/** The longest filter, in UTF-16 units. */
export const MAX_FILTER_LENGTH = 4_096;
/** Parentheses and `not` nest at most this deep. */
export const MAX_FILTER_DEPTH = 32;
/** Comparisons and the literals of `in` lists, together. */
export const MAX_FILTER_TERMS = 500;

const COMPARISONS = new Set(['eq', 'ne', 'gt', 'ge', 'lt', 'le']);
const KEYWORDS = new Set([...COMPARISONS, 'in', 'and', 'or', 'not', 'startswith', 'true', 'false', 'null']);
const NUMBER = /^-?\d+(?:\.\d+)?$/;
const DATA_PATH = /^[\p{L}_][\p{L}\p{N}_.-]*(?:\/[\p{L}\p{N}_][\p{L}\p{N}_.-]*)*$/u;
const EVENT_ROOT = '$event';
const ATTRIBUTE = /^[a-z0-9]+$/;

/** Parses a filter. Throws a FilterFault that names the offending token. */
export function parseFilter(text: string): FilterTree {
  if (text.length > MAX_FILTER_LENGTH) {
    const token = { text: text.slice(MAX_FILTER_LENGTH, MAX_FILTER_LENGTH + 40), position: MAX_FILTER_LENGTH };
    throw new FilterFault(token, `A filter must not exceed ${MAX_FILTER_LENGTH} characters.`);
  }
  const reader: Reader = { tokens: tokenize(text), at: 0, depth: 0, terms: 0 };
  if (peek(reader).kind === 'end') throw new FilterFault(peek(reader), 'The filter is empty.');
  const tree = readOr(reader);
  const rest = peek(reader);
  if (rest.kind !== 'end') throw unexpected(rest, 'and, or, or the end of the filter');
  return tree;
}

type Reader = { readonly tokens: readonly Token[]; at: number; depth: number; terms: number };

function readOr(reader: Reader): FilterTree {
  return readChain(reader, 'or', () => readChain(reader, 'and', () => readNot(reader)));
}

/** One or more operands joined by the same word, kept side by side so that a long chain makes no deep tree. */
function readChain(reader: Reader, word: 'and' | 'or', readOperand: () => FilterTree): FilterTree {
  const first = readOperand();
  if (!isWord(peek(reader), word)) return first;
  const operands = [first];
  while (isWord(peek(reader), word)) {
    take(reader);
    operands.push(readOperand());
  }
  return { kind: word, operands };
}

function readNot(reader: Reader): FilterTree {
  const token = peek(reader);
  if (isWord(token, 'not')) {
    take(reader);
    return { kind: 'not', operand: nested(reader, token, () => readNot(reader)) };
  }
  if (!isMark(token, '(')) return readTerm(reader);
  take(reader);
  const inner = nested(reader, token, () => readOr(reader));
  expectMark(reader, ')');
  return inner;
}

function nested(reader: Reader, token: Token, read: () => FilterTree): FilterTree {
  if (++reader.depth > MAX_FILTER_DEPTH) {
    throw new FilterFault(token, `The ${token.text} here nests deeper than ${MAX_FILTER_DEPTH} levels.`);
  }
  const tree = read();
  reader.depth--;
  return tree;
}

function readTerm(reader: Reader): FilterTree {
  const token = take(reader);
  countTerm(reader, token);
  if (isWord(token, 'startswith') && isMark(peek(reader), '(')) return readStartsWith(reader);
  const left = pathFrom(token);
  const operator = take(reader);
  if (isWord(operator, 'in')) return { kind: 'in', left, right: readList(reader) };
  if (operator.kind !== 'word' || !COMPARISONS.has(operator.text)) {
    throw unexpected(operator, `an operator (eq, ne, gt, ge, lt, le, in) after ${token.text}`);
  }
  const literal = take(reader);
  const right = literalFrom(literal);
  const ordered = operator.text !== 'eq' && operator.text !== 'ne';
  if (ordered && (right.kind === 'null' || right.kind === 'boolean')) {
    throw new FilterFault(literal, `${literal.text} has no order, so ${operator.text} cannot compare with it.`);
  }
  return { kind: 'compare', operator: operator.text as ComparisonOperator, left, right };
}

function readStartsWith(reader: Reader): FilterTree {
  expectMark(reader, '(');
  const left = pathFrom(take(reader));
  expectMark(reader, ',');
  const token = take(reader);
  const prefix = literalFrom(token);
  if (prefix.kind !== 'string') throw unexpected(token, "a 'string' as the second argument of startswith");
  expectMark(reader, ')');
  return { kind: 'startswith', left, right: prefix.value };
}

function readList(reader: Reader): Literal[] {
  expectMark(reader, '(');
  const literals: Literal[] = [];
  for (;;) {
    const token = take(reader);
    countTerm(reader, token);
    literals.push(literalFrom(token));
    const next = take(reader);
    if (isMark(next, ')')) return literals;
    if (!isMark(next, ',')) throw unexpected(next, 'a comma or a closing parenthesis');
  }
}

function countTerm(reader: Reader, token: Token): void {
  if (++reader.terms <= MAX_FILTER_TERMS) return;
  throw new FilterFault(token, `At ${token.text} the filter exceeds ${MAX_FILTER_TERMS} comparisons and list entries.`);
}

function pathFrom(token: Token): Path {
  const { text } = token;
  if (token.kind !== 'word') throw unexpected(token, 'the name of a field');
  if (text.startsWith('$')) return attributeFrom(token);
  if (NUMBER.test(text) || parseDateTime(text) !== undefined) throw unexpected(token, 'the name of a field');
  if (!DATA_PATH.test(text)) {
    throw new FilterFault(token, `${text} is no field: names of letters, digits and _ . -, joined by / for nesting.`);
  }
  return { kind: 'path', root: 'data', steps: text.split('/') };
}

function attributeFrom(token: Token): Path {
  const [root, name = '', ...rest] = token.text.split('/');
  if (root !== EVENT_ROOT || !ATTRIBUTE.test(name) || name === 'data' || rest.length > 0) {
    throw new FilterFault(
      token,
      `${token.text} names no attribute; attributes are written $event/source, $event/type.`,
    );
  }
  return { kind: 'path', root: 'event', steps: [name] };
}

function literalFrom(token: Token): Literal {
  const { text } = token;
  if (token.kind === 'string') return { kind: 'string', value: text.slice(1, -1).replaceAll("''", "'") };
  if (token.kind === 'word') {
    if (text === 'null') return { kind: 'null' };
    if (text === 'true' || text === 'false') return { kind: 'boolean', value: text === 'true' };
    if (NUMBER.test(text)) return { kind: 'number', value: Number(text) };
    const instant = parseDateTime(text);
    if (instant !== undefined) return { kind: 'time', value: instant };
  }
  throw unexpected(token, "a 'string', a number, a time, true, false or null");
}

function unexpected(token: Token, expected: string): FilterFault {
  if (token.kind === 'end') return new FilterFault(token, `The filter ends where ${expected} should follow.`);
  return new FilterFault(token, `Expected ${expected}, found ${token.text}${hint(token)}.`);
}

function hint({ kind, text }: Token): string {
  if (text.startsWith('"')) return '; strings stand in single quotes';
  const lower = text.toLowerCase();
  return kind === 'word' && text !== lower && KEYWORDS.has(lower) ? `; it is written ${lower}` : '';
}

function expectMark(reader: Reader, mark: string): void {
  const token = take(reader);
  if (!isMark(token, mark)) throw unexpected(token, mark);
}

function isWord(token: Token, word: string): boolean {
  return token.kind === 'word' && token.text === word;
}

function isMark(token: Token, mark: string): boolean {
  return token.kind === 'mark' && token.text === mark;
}

function peek(reader: Reader): Token {
  return reader.tokens[reader.at] as Token;
}

/** The next token; the end is never passed. */
function take(reader: Reader): Token {
  const token = peek(reader);
  if (token.kind !== 'end') reader.at++;
  return token;
}
