// Compiles an expression's tree to nested closures, one per node, with everything known beforehand taken out of the call.
//
// Only what repeats counts its steps: an operation runs once for each time it stands in the text, whose length is
// bounded, so items (`x -> …`) and functions pay for their work and plain operators are as quick as they can be.
import { member, order } from '../../json-value.ts';
import type { Json } from '../../json-value.ts';
import { ENTRY, produce, spend } from './budget.ts';
import { ExpressionError } from './fault.ts';
import type { Argument, Call } from './functions/entry.ts';
import { isLazy } from './functions/index.ts';
import type { LazyName } from './functions/index.ts';
import type { ArithmeticOperator, ComparisonOperator, Input, Node } from './tree.ts';
import { aKind, equal, exists, finite, isIn, isTrue, put, step, toText } from './values.ts';
import type { JsonObject } from './values.ts';

/** What an expression may read. */
export type Scope = Readonly<Record<string, Json>>;

/** One evaluation: its scope, what is left of its budget, and the items in hand. */
export interface Context extends Call {
  readonly scope: Scope;
  readonly items: Json[];
}

export type Run = (context: Context) => Json;

/** The closure a tree stands for. `text` is what the tree's places count in: errors name parts of it. */
export function compile(node: Node, text: string): Run {
  switch (node.kind) {
    case 'literal':
      return always(node.value);
    case 'name':
      return node.name === 'now' ? readNow : reader(node.name);
    case 'item': {
      const { slot } = node;
      return ({ items }) => items[slot] as Json;
    }
    case 'secret':
      return secretReader(node.name, partOf(node, text));
    case 'path':
      return pathReader(compile(node.of, text), node.steps);
    case 'index': {
      const [of, by] = [compile(node.of, text), compile(node.by, text)];
      return (context) => step(of(context), by(context));
    }
    case 'list':
      return listMaker(node.entries.map((entry) => compile(entry, text)));
    case 'object':
      return objectMaker(node.members.map(({ name, value }) => ({ name, make: compile(value, text) })));
    case 'choice': {
      const condition = compile(node.condition, text);
      const [then, otherwise] = [compile(node.then, text), compile(node.otherwise, text)];
      return (context) => (isTrue(condition(context)) ? then(context) : otherwise(context));
    }
    case 'unary':
      return unary(node, text);
    case 'binary':
      return binary(node, text);
    case 'call':
      return isLazy(node.function.name) ? lazyCall(node.function.name, node.inputs, text) : call(node, text);
  }
}

function always(value: Json): Run {
  return () => value;
}

function reader(name: string): Run {
  return ({ scope }) => (Object.hasOwn(scope, name) ? (scope[name] ?? null) : null);
}

const inScope = reader('now');
const readNow: Run = (context) => inScope(context) ?? context.now;

/** A secret that is not there is an error, never an empty text: a signature by no key would be anybody's. */
function secretReader(name: string, part: string): Run {
  return ({ scope }) => {
    const secret = Object.hasOwn(scope, 'secret') ? member(scope['secret'], name) : undefined;
    if (exists((secret as Json | undefined) ?? null)) return secret as Json;
    throw new ExpressionError(`There is no secret ${name}`, part);
  };
}

function pathReader(of: Run, steps: readonly (string | number)[]): Run {
  const [first, second, third] = steps as [string | number, ...(string | number)[]];
  if (second === undefined) return (context) => step(of(context), first);
  if (third === undefined) return (context) => step(step(of(context), first), second);
  return (context) => {
    let value = of(context);
    for (const one of steps) value = step(value, one);
    return value;
  };
}

function listMaker(entries: readonly Run[]): Run {
  return (context) => {
    produce(context, ENTRY * entries.length);
    return entries.map((make) => make(context));
  };
}

function objectMaker(members: readonly { name: string; make: Run }[]): Run {
  return (context) => {
    const object: JsonObject = {};
    produce(context, ENTRY * members.length);
    for (const { name, make } of members) put(object, name, make(context));
    return object;
  };
}

function unary(node: Extract<Node, { kind: 'unary' }>, text: string): Run {
  const operand = compile(node.operand, text);
  if (node.operator === '!') return (context) => !isTrue(operand(context));
  return (context) => {
    const value = operand(context);
    if (value === null) return null;
    if (typeof value === 'number') return -value;
    throw new ExpressionError(`- stands before a number, and this is ${aKind(value)}`, partOf(node, text));
  };
}

function binary(node: Extract<Node, { kind: 'binary' }>, text: string): Run {
  const [left, right] = [compile(node.left, text), compile(node.right, text)];
  switch (node.operator) {
    case '&&':
      return (context) => {
        const value = left(context);
        return isTrue(value) ? right(context) : value;
      };
    case '||':
      return (context) => {
        const value = left(context);
        return isTrue(value) ? value : right(context);
      };
    case '??':
      return (context) => left(context) ?? right(context);
    case 'in':
      return located(node, text, (context) => isIn(left(context), right(context), context));
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return comparison(node.operator, { left, right, node, text });
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return arithmetic(node.operator, { left, right, node, text });
  }
}

interface Operands {
  left: Run;
  right: Run;
  node: Extract<Node, { kind: 'binary' }>;
  text: string;
}

const ORDERS = { '<': 'lt', '<=': 'le', '>': 'gt', '>=': 'ge' } as const;

/** Values of different kinds are never equal and have no order, as in the filters of subscriptions. */
function comparison(operator: ComparisonOperator, { left, right, node, text }: Operands): Run {
  if (operator === '==' || operator === '!=') {
    const same = operator === '==';
    if (node.right.kind === 'literal') {
      const { value } = node.right;
      return same ? (context) => left(context) === value : (context) => left(context) !== value;
    }
    return located(node, text, (context) => equal(left(context), right(context), context) === same);
  }
  const ordered = order(ORDERS[operator]);
  return (context) => {
    const [a, b] = [left(context), right(context)];
    if (typeof a === 'number') return typeof b === 'number' && ordered(a, b);
    if (typeof a !== 'string' || typeof b !== 'string') return false;
    spend(context, a.length >> 10);
    return ordered(a, b);
  };
}

const ON_NUMBERS: Readonly<Record<ArithmeticOperator, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

/** Numbers are reckoned with, nothing stays nothing, and `+` joins a text with whatever stands beside it. */
function arithmetic(operator: ArithmeticOperator, { left, right, node, text }: Operands): Run {
  const reckon = ON_NUMBERS[operator];
  const joins = operator === '+';
  return located(node, text, (context) => {
    const [a, b] = [left(context), right(context)];
    if (typeof a === 'number' && typeof b === 'number') {
      if (b === 0 && (operator === '/' || operator === '%')) throw new ExpressionError('Nothing can be divided by 0');
      return finite(reckon(a, b));
    }
    if (joins && (typeof a === 'string' || typeof b === 'string')) return joined(a, b, context);
    for (const value of [a, b]) {
      if (value === null || typeof value === 'number') continue;
      throw new ExpressionError(
        `${operator} stands between numbers${joins ? ' or texts' : ''}, and this is ${aKind(value)}`,
      );
    }
    return null;
  });
}

function joined(left: Json, right: Json, context: Context): string {
  const [a, b] = [toText(left, context), toText(right, context)];
  produce(context, a.length + b.length);
  return a + b;
}

function call({ function: entry, inputs, at, end }: Extract<Node, { kind: 'call' }>, text: string): Run {
  const { run, eachAt } = entry;
  const values = inputs.map((input, index) => (index === eachAt ? undefined : valueOf(input, text)));
  const eachOf = eachAt >= 0 ? itemRun(inputs[eachAt], text) : undefined;
  const itself = (item: Json): Json => item;
  const evaluate = argumentsOf(values);
  return located({ at, end }, text, (context) =>
    run(evaluate(context), context, eachOf === undefined ? itself : eachOf(context)),
  );
}

function valueOf(input: Input, text: string): Run | undefined {
  return input === undefined || input.kind === 'each' ? undefined : compile(input, text);
}

/** The arguments of a call; most have one or two. */
function argumentsOf(values: readonly (Run | undefined)[]): (context: Context) => readonly Argument[] {
  const [first, second] = values;
  if (values.length === 1 && first) return (context) => [first(context)];
  if (values.length === 2 && first && second) return (context) => [first(context), second(context)];
  return (context) => values.map((value) => value?.(context));
}

/** What is done with each item: a body with a name for it, or the name of one of its members. */
function itemRun(input: Input, text: string): ((context: Context) => (item: Json) => Json) | undefined {
  if (input === undefined) return undefined;
  if (input.kind === 'each') {
    const { slot, cost } = input;
    const body = compile(input.body, text);
    return (context) => (item) => {
      spend(context, cost);
      context.items[slot] = item;
      return body(context);
    };
  }
  const name = compile(input, text);
  return (context) => {
    const by = name(context);
    if (typeof by !== 'string') throw new ExpressionError('Write x -> … or the name of a member for each item');
    return (item) => step(item, by);
  };
}

function lazyCall(name: LazyName, inputs: readonly Input[], text: string): Run {
  const values = inputs.map((input) => valueOf(input, text) ?? always(null));
  switch (name) {
    case 'if': {
      const [condition, then, otherwise = always(null)] = values as [Run, Run, Run?];
      return (context) => (isTrue(condition(context)) ? then(context) : otherwise(context));
    }
    case 'coalesce':
      return firstOf(values, (value) => value !== null);
    case 'ifEmpty':
      return firstOf(values, exists);
    case 'switch':
      return switchOf(values);
  }
}

function firstOf(values: readonly Run[], holds: (value: Json) => boolean): Run {
  return (context) => {
    let value: Json = null;
    for (const one of values) {
      value = one(context);
      if (holds(value)) return value;
    }
    return value;
  };
}

/** `switch(value, case, result, …, otherwise?)`: a single one at the end is for all other cases. */
function switchOf([value = always(null), ...rest]: readonly Run[]): Run {
  const otherwise = rest.length % 2 === 1 ? (rest.at(-1) as Run) : always(null);
  return (context) => {
    const wanted = value(context);
    for (let at = 0; at + 1 < rest.length; at += 2) {
      if (equal((rest[at] as Run)(context), wanted, context)) return (rest[at + 1] as Run)(context);
    }
    return otherwise(context);
  };
}

/** Adds to an error the part of the text it happened in, where it does not name one yet. */
function located(place: { at: number; end: number }, text: string, run: Run): Run {
  const part = partOf(place, text);
  return (context) => {
    try {
      return run(context);
    } catch (error) {
      if (!(error instanceof ExpressionError) || error.part !== null) throw error;
      throw new ExpressionError(error.message, part);
    }
  };
}

function partOf({ at, end }: { at: number; end: number }, text: string): string {
  return end - at > 80 ? `${text.slice(at, at + 79)}…` : text.slice(at, end);
}
