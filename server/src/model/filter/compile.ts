// Compiles a filter's tree to nested closures, one per node, with everything known beforehand taken out of the call.
import { parseDateTime } from '../cloud-events/time.ts';
import { member, order } from '../json-value.ts';
import type { ComparisonOperator, FilterTree, Literal, Path } from './tree.ts';

/** What a filter looks at. */
export type FilteredEvent = { attributes: Readonly<Record<string, unknown>>; data: unknown };

export type Predicate = (event: FilteredEvent) => boolean;

type Read = (event: FilteredEvent) => unknown;
type Test = (value: unknown) => boolean;

/** The predicate a tree stands for. Recursive over the tree, whose depth the parser bounds. */
export function compileTree(tree: FilterTree): Predicate {
  switch (tree.kind) {
    case 'and':
      return chain(tree.operands, false);
    case 'or':
      return chain(tree.operands, true);
    case 'not': {
      const operand = compileTree(tree.operand);
      return (event) => !operand(event);
    }
    case 'compare':
      return onValue(tree.left, comparison(tree.operator, tree.right));
    case 'in':
      return onValue(tree.left, membership(tree.right));
    case 'startswith': {
      const prefix = tree.right;
      return onValue(tree.left, (value) => typeof value === 'string' && value.startsWith(prefix));
    }
  }
}

/** Joined in halves: a long chain makes a shallow tree of calls, and two known callees cost less than a loop. */
function chain(operands: readonly FilterTree[], any: boolean): Predicate {
  if (operands.length === 1) return compileTree(operands[0] as FilterTree);
  const middle = operands.length >> 1;
  const left = chain(operands.slice(0, middle), any);
  const right = chain(operands.slice(middle), any);
  return any ? (event) => left(event) || right(event) : (event) => left(event) && right(event);
}

function onValue(path: Path, test: Test): Predicate {
  const read = reader(path);
  return (event) => test(read(event));
}

function reader({ root, steps }: Path): Read {
  const [first, second] = steps as [string, string | undefined];
  if (root === 'event') return (event) => member(event.attributes, first);
  if (second === undefined) return (event) => member(event.data, first);
  if (steps.length === 2) return (event) => member(member(event.data, first), second);
  return (event) => {
    let value = event.data;
    for (const step of steps) value = member(value, step);
    return value;
  };
}

/** `ne` is the opposite of `eq`, also for what is missing or of another kind; every other comparison is then false. */
function comparison(operator: ComparisonOperator, literal: Literal): Test {
  if (operator === 'ne') {
    const equal = equality(literal);
    return (value) => !equal(value);
  }
  if (operator === 'eq') return equality(literal);
  const ordered = order(operator);
  switch (literal.kind) {
    case 'number':
      return (value) => typeof value === 'number' && ordered(value, literal.value);
    case 'string':
      return (value) => typeof value === 'string' && ordered(value, literal.value);
    case 'time':
      return (value) => ordered(instantOf(value), literal.value);
    case 'null':
    case 'boolean':
      return () => false;
  }
}

function equality(literal: Literal): Test {
  if (literal.kind === 'null') return (value) => value === null || value === undefined;
  if (literal.kind === 'time') return (value) => instantOf(value) === literal.value;
  const expected = literal.value;
  return (value) => value === expected;
}

function membership(literals: readonly Literal[]): Test {
  const plain = new Set<unknown>();
  const others: Test[] = [];
  for (const literal of literals) {
    if (literal.kind === 'null' || literal.kind === 'time') others.push(equality(literal));
    else plain.add(literal.value);
  }
  if (others.length === 0) return (value) => plain.has(value);
  return (value) => plain.has(value) || others.some((test) => test(value));
}

/** Epoch milliseconds: an RFC 3339 string's instant, a number as it is (created_at of R73 is one), NaN otherwise. */
function instantOf(value: unknown): number {
  if (typeof value === 'number') return value;
  return (typeof value === 'string' ? parseDateTime(value) : undefined) ?? Number.NaN;
}
