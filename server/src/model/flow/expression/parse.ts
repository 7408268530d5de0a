// The grammar of expressions: read by precedence into a tree, with every complaint at its token.
import { didYouMean } from '../../near-names.ts';
import type { Json } from '../../json-value.ts';
import { ExpressionError, ExpressionFault } from './fault.ts';
import type { FunctionEntry } from './functions/entry.ts';
import { FUNCTIONS } from './functions/index.ts';
import { LONGEST_EXPRESSION, lengthAt, readToken } from './tokens.ts';
import type { Token } from './tokens.ts';
import type { BinaryOperator, Input, Node, Reading } from './tree.ts';

/** Parentheses, brackets, calls, choices and signs nest at most this deep. */
const DEEPEST = 100;
/** The tree is at most this high: a long sum is one on its side. */
const HIGHEST = 250;

/** How close operators bind; those of one number from left to right. */
const POWERS: Readonly<Record<BinaryOperator, number>> = {
  ...{ '||': 1, '&&': 2 },
  ...{ '==': 4, '!=': 4, '<': 4, '<=': 4, '>': 4, '>=': 4, in: 4 },
  ...{ '??': 5, '+': 6, '-': 6, '*': 7, '/': 7, '%': 7 },
};
/** `not` stands before a comparison, `!` before a value. */
const COMPARISON = 4;
const WORD_OPERATORS: Readonly<Record<string, BinaryOperator>> = { and: '&&', or: '||', in: 'in' };
const CONSTANTS: Readonly<Record<string, null | boolean>> = { null: null, true: true, false: false };
const RESERVED = new Set(['and', 'or', 'not', 'in', 'true', 'false', 'null', 'secret', 'now']);
const ARROW = /\s*->/y;

interface Reader {
  readonly text: string;
  readonly start: number;
  /** The token that is looked at. */
  token: Token;
  /** Where the token before it ended. */
  behind: number;
  depth: number;
  nodes: number;
  /** Names of the items in hand, the innermost last. */
  readonly items: string[];
  slots: number;
  readonly names: Set<string>;
  readonly secrets: Set<string>;
  readonly paths: (string | number)[][];
}

/**
 * Reads the expression that begins at `start` as far as it goes; what follows is the caller's affair. Throws an
 * ExpressionFault that names the offending token.
 */
export function parse(text: string, start = 0): Reading {
  const reader: Reader = {
    ...{ text, start, token: readToken(text, start), behind: start, depth: 0, nodes: 0, items: [], slots: 0 },
    ...{ names: new Set<string>(), secrets: new Set<string>(), paths: [] },
  };
  const root = readExpression(reader);
  const { names, secrets, paths, slots } = reader;
  return { root, end: reader.token.at, names: [...names], secrets: [...secrets], paths, slots };
}

/** The complaint about a token that stands where something else should. */
export function unexpected(token: Token, expected: string): ExpressionFault {
  const place = { at: token.at, length: token.text.length };
  if (token.kind === 'end') return new ExpressionFault(place, `The expression ends where ${expected} should follow.`);
  const hint = token.kind === 'text' ? "; a quote within a text is written \\'" : '';
  return new ExpressionFault(place, `Expected ${expected}, found ${token.text.slice(0, 40)}${hint}.`);
}

function readExpression(reader: Reader): Node {
  return nested(reader, () => {
    const condition = readBinary(reader, 1);
    if (!takeMark(reader, '?')) return condition;
    const then = readExpression(reader);
    expectMark(reader, ':');
    const otherwise = readExpression(reader);
    const height = heightOf(reader, condition, then, otherwise);
    return { kind: 'choice', condition, then, otherwise, at: condition.at, end: otherwise.end, height };
  });
}

/** Operands joined by operators that bind at least so close. */
function readBinary(reader: Reader, least: number): Node {
  let left = isName(reader.token, 'not') ? readNot(reader) : readUnary(reader);
  for (;;) {
    const token = reader.token;
    const operator = operatorOf(token);
    if (operator === undefined || POWERS[operator] < least) return left;
    if (operator === '&&' || operator === '||') {
      left = readChain(reader, operator, left);
      continue;
    }
    take(reader);
    const right = readBinary(reader, POWERS[operator] + 1);
    left = binary(reader, operator, [left, right]);
    const next = operatorOf(reader.token);
    if (POWERS[operator] !== COMPARISON || next === undefined || POWERS[next] !== COMPARISON) continue;
    throw unexpected(reader.token, 'the end of the comparison (two of them are joined with &&)');
  }
}

/** Conditions joined by the same operator, in halves: a long chain makes a shallow tree. */
function readChain(reader: Reader, operator: '&&' | '||', first: Node): Node {
  const operands = [first];
  while (operatorOf(reader.token) === operator) {
    take(reader);
    operands.push(readBinary(reader, POWERS[operator] + 1));
  }
  const halve = (from: number, to: number): Node => {
    if (to - from === 1) return operands[from] as Node;
    const middle = (from + to) >> 1;
    return binary(reader, operator, [halve(from, middle), halve(middle, to)]);
  };
  return halve(0, operands.length);
}

function binary(reader: Reader, operator: BinaryOperator, [left, right]: [Node, Node]): Node {
  const height = heightOf(reader, left, right);
  return { kind: 'binary', operator, left, right, at: left.at, end: right.end, height };
}

function readNot(reader: Reader): Node {
  const { at } = take(reader);
  const operand = nested(reader, () => readBinary(reader, COMPARISON));
  return { kind: 'unary', operator: '!', operand, at, end: operand.end, height: heightOf(reader, operand) };
}

function readUnary(reader: Reader): Node {
  const { token } = reader;
  const operator = token.kind === 'mark' && (token.text === '!' || token.text === '-') ? token.text : undefined;
  if (operator === undefined) return readPath(reader);
  take(reader);
  const operand = nested(reader, () => readUnary(reader));
  const place = { at: token.at, end: operand.end, height: heightOf(reader, operand) };
  if (operator === '-' && operand.kind === 'literal' && typeof operand.value === 'number') {
    return { ...operand, ...place, value: -operand.value };
  }
  return { kind: 'unary', operator, operand, ...place };
}

/** A value and the names and indexes behind it. */
function readPath(reader: Reader): Node {
  let node = readPrimary(reader);
  for (;;) {
    const { token } = reader;
    if (takeMark(reader, '.') || takeMark(reader, '?.')) {
      if (token.text === '?.' && isMark(reader.token, '[')) continue;
      const name = take(reader);
      if (name.kind !== 'name') throw unexpected(name, `the name of a field after ${token.text}`);
      node = withStep(reader, node, name.text);
    } else if (takeMark(reader, '[')) {
      const by = readExpression(reader);
      expectMark(reader, ']');
      const fixed = by.kind === 'literal' && (typeof by.value === 'string' || typeof by.value === 'number');
      if (fixed) node = withStep(reader, node, by.value as string | number);
      else node = { kind: 'index', of: node, by, at: node.at, end: reader.behind, height: heightOf(reader, node, by) };
    } else if (isMark(token, '(')) {
      throw unexpected(token, 'an operator: a function stands in front of its values, as in lower(text)');
    } else {
      return node;
    }
  }
}

function withStep(reader: Reader, of: Node, step: string | number): Node {
  const root = of.kind === 'path' ? of.of : of;
  // A path of a name was listed when the name was read; its steps come to that list one by one.
  if (root.kind === 'name') reader.paths.at(-1)?.push(step);
  const steps = of.kind === 'path' ? [...of.steps, step] : [step];
  return { kind: 'path', of: root, steps, at: of.at, end: reader.behind, height: root.height + 1 };
}

function readPrimary(reader: Reader): Node {
  const token = take(reader);
  const place = { at: token.at, end: token.end, height: heightOf(reader) };
  if (token.kind === 'number' || token.kind === 'text') {
    return { kind: 'literal', value: token.value as string | number, ...place };
  }
  if (token.kind === 'name') return readNamed(reader, token);
  if (isMark(token, '(')) {
    const inner = readExpression(reader);
    expectMark(reader, ')');
    return inner;
  }
  if (isMark(token, '[')) return readList(reader, token);
  if (isMark(token, '{')) return readObject(reader, token);
  throw unexpected(token, 'a value');
}

function readNamed(reader: Reader, token: Token): Node {
  const { text: name, at, end } = token;
  const place = { at, end, height: heightOf(reader) };
  if (isMark(reader.token, '(') && !Object.hasOwn(WORD_OPERATORS, name)) return readCall(reader, token);
  if (Object.hasOwn(CONSTANTS, name)) return { kind: 'literal', value: CONSTANTS[name] as null | boolean, ...place };
  if (Object.hasOwn(WORD_OPERATORS, name) || name === 'not') throw unexpected(token, 'a value');
  const slot = reader.items.lastIndexOf(name);
  if (slot >= 0) return { kind: 'item', slot, ...place };
  if (name === 'secret') return readSecret(reader, token);
  // `now` is built in, unless the scope has one of its own.
  if (name !== 'now') reader.names.add(name);
  reader.paths.push([name]);
  return { kind: 'name', name, ...place };
}

/** `secret.NAME` or `secret['NAME']`: which secrets a text reads must be seen without evaluating it. */
function readSecret(reader: Reader, token: Token): Node {
  const bracket = isMark(reader.token, '[');
  if (!bracket && !isMark(reader.token, '.')) {
    throw unexpected(reader.token, 'the name of the secret, as in secret.NAME,');
  }
  take(reader);
  const name = take(reader);
  if (name.kind !== (bracket ? 'text' : 'name')) {
    const place = { at: token.at, length: name.end - token.at };
    throw new ExpressionFault(place, 'A secret is named by the text itself, as in secret.NAME; it cannot be computed.');
  }
  if (bracket) expectMark(reader, ']');
  const written = bracket ? String(name.value) : name.text;
  reader.secrets.add(written);
  return { kind: 'secret', name: written, at: token.at, end: name.end, height: heightOf(reader) };
}

function readList(reader: Reader, { at }: Token): Node {
  const entries: Node[] = [];
  readAll(reader, ']', () => entries.push(readExpression(reader)));
  return { kind: 'list', entries, at, end: reader.behind, height: heightOf(reader, ...entries) };
}

function readObject(reader: Reader, { at }: Token): Node {
  const members: { name: string; value: Node }[] = [];
  const names = new Set<string>();
  readAll(reader, '}', () => {
    const token = take(reader);
    if (token.kind !== 'name' && token.kind !== 'text') throw unexpected(token, 'the name of a member');
    const name = token.kind === 'text' ? String(token.value) : token.text;
    if (names.has(name)) throw unexpected(token, 'a name that is not there already');
    names.add(name);
    expectMark(reader, ':');
    members.push({ name, value: readExpression(reader) });
  });
  const height = heightOf(reader, ...members.map(({ value }) => value));
  return { kind: 'object', members, at, end: reader.behind, height };
}

/** What stands between brackets, apart from each other by `,` or `;`, up to the closing one. */
function readAll(reader: Reader, close: string, readOne: () => void): void {
  if (takeMark(reader, close)) return;
  do readOne();
  while (takeMark(reader, ',') || takeMark(reader, ';'));
  expectMark(reader, close);
}

function readCall(reader: Reader, token: Token): Node {
  const found = FUNCTIONS.get(token.text);
  if (found === undefined) {
    const hint = didYouMean(token.text, FUNCTIONS.keys());
    throw new ExpressionFault(
      { at: token.at, length: token.text.length },
      `There is no function ${token.text.slice(0, 40)}${hint === '' ? '.' : hint}`,
    );
  }
  const inputs = nested(reader, () => readInputs(reader, found));
  checkInputs(token, found, inputs);
  const heights = inputs.flatMap((input) => (input === undefined ? [] : input.kind === 'each' ? input.body : input));
  return {
    kind: 'call',
    function: found,
    inputs,
    at: token.at,
    end: reader.behind,
    height: heightOf(reader, ...heights),
  };
}

/** Arguments, of which any may be left empty; empty ones at the end do not count. */
function readInputs(reader: Reader, { eachAt }: FunctionEntry): Input[] {
  take(reader);
  const inputs: Input[] = [];
  if (takeMark(reader, ')')) return inputs;
  do {
    const empty = isMark(reader.token, ',') || isMark(reader.token, ';') || isMark(reader.token, ')');
    inputs.push(empty ? undefined : readInput(reader, inputs.length === eachAt));
  } while (takeMark(reader, ',') || takeMark(reader, ';'));
  expectMark(reader, ')');
  while (inputs.length > 0 && inputs.at(-1) === undefined) inputs.pop();
  return inputs;
}

function readInput(reader: Reader, each: boolean): Input {
  const { token } = reader;
  if (token.kind !== 'name' || lengthAt(ARROW, reader.text, token.end) === 0) return readExpression(reader);
  if (!each) throw unexpected(token, 'a value: nothing is done with each item here');
  if (RESERVED.has(token.text)) throw unexpected(token, 'a name for the item that has no meaning already');
  take(reader);
  take(reader);
  const before = reader.nodes;
  reader.items.push(token.text);
  const slot = reader.items.length - 1;
  reader.slots = Math.max(reader.slots, reader.items.length);
  const body = readExpression(reader);
  reader.items.pop();
  return { kind: 'each', slot, body, cost: reader.nodes - before };
}

function checkInputs(
  token: Token,
  { signature, least, most, literals }: FunctionEntry,
  inputs: readonly Input[],
): void {
  const place = { at: token.at, length: token.text.length };
  const missing = inputs.findIndex((input, index) => input === undefined && index < least);
  if (inputs.length < least || inputs.length > most || missing >= 0) {
    const said = missing >= 0 ? `argument ${missing + 1} is empty` : `${inputs.length} given`;
    throw new ExpressionFault(place, `The function is ${signature}; ${said}.`);
  }
  for (const [index, check] of Object.entries(literals)) {
    const input = inputs[Number(index)];
    if (input?.kind === 'literal') checkLiteral(input, input.value, check);
  }
}

function checkLiteral({ at, end }: Node, value: Json, check: (value: Json) => unknown): void {
  try {
    check(value);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw new ExpressionFault({ at, length: end - at }, `${error.message}.`);
  }
}

/** One level deeper, for as long as it is read. */
function nested<T>(reader: Reader, read: () => T): T {
  if (++reader.depth > DEEPEST) {
    const place = { at: reader.token.at, length: reader.token.text.length };
    throw new ExpressionFault(place, `The expression nests deeper than ${DEEPEST} levels here.`);
  }
  const value = read();
  reader.depth--;
  return value;
}

/** The height of a node above these; counts the node. */
function heightOf(reader: Reader, ...below: readonly Node[]): number {
  reader.nodes++;
  const height = 1 + below.reduce((most, node) => Math.max(most, node.height), 0);
  if (height <= HIGHEST) return height;
  const place = { at: reader.token.at, length: reader.token.text.length };
  throw new ExpressionFault(place, `The expression has more than ${HIGHEST} operations inside each other here.`);
}

function operatorOf({ kind, text }: Token): BinaryOperator | undefined {
  if (kind === 'name') return Object.hasOwn(WORD_OPERATORS, text) ? WORD_OPERATORS[text] : undefined;
  return kind === 'mark' && Object.hasOwn(POWERS, text) ? (text as BinaryOperator) : undefined;
}

function isMark({ kind, text }: Token, mark: string): boolean {
  return kind === 'mark' && text === mark;
}

function isName({ kind, text }: Token, name: string): boolean {
  return kind === 'name' && text === name;
}

function takeMark(reader: Reader, mark: string): boolean {
  if (!isMark(reader.token, mark)) return false;
  take(reader);
  return true;
}

function expectMark(reader: Reader, mark: string): void {
  if (!takeMark(reader, mark)) throw unexpected(reader.token, mark);
}

/** The token looked at; the next one is looked at from now on. */
function take(reader: Reader): Token {
  const { token, text, start } = reader;
  if (token.end - start > LONGEST_EXPRESSION) {
    throw new ExpressionFault(
      { at: token.at, length: 0 },
      `An expression has at most ${LONGEST_EXPRESSION} characters.`,
    );
  }
  reader.behind = token.end;
  if (token.kind !== 'end') reader.token = readToken(text, token.end);
  return token;
}
