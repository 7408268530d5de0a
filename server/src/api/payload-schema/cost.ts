// What applying a schema can cost in the worst case, and which schemas would never end. Pure.
import { Refusal, type SchemaNode } from './reader.ts';

/** How many rules may be applied to one value, all references followed. */
const MAX_RULES_AT_ONCE = 5_000;

/** Rules applied to one value, and steps per letter of one text. */
export interface Cost {
  rules: number;
  reading: number;
}

/**
 * The cost of a schema with every reference written out; infinite where that has no end.
 * Without a cycle each schema of that tree meets any one value at most once, so its size times the number of values
 * bounds the work.
 */
export function costOf(root: SchemaNode): Cost {
  const known = new Map<SchemaNode, Cost | 'open'>();
  const visit = (node: SchemaNode): Cost => {
    const before = known.get(node);
    if (before === 'open') return { rules: Infinity, reading: Infinity };
    if (before) return before;
    known.set(node, 'open');
    const cost = { rules: node.rules, reading: node.reading };
    for (const part of [...node.here, ...node.below]) {
      const { rules, reading } = visit(part);
      cost.rules += rules;
      cost.reading += reading;
    }
    known.set(node, cost);
    return cost;
  };
  return visit(root);
}

/**
 * Refuses what is hopeless whatever the data: a schema that comes back to itself without going into the data would
 * never end, and one that doubles at each of 24 references would be applied 16 million times to a single value.
 */
export function refuseEndless(root: SchemaNode): void {
  const known = new Map<SchemaNode, number | 'open'>();
  const rulesHere = (node: SchemaNode): number => {
    const before = known.get(node);
    if (before === 'open')
      throw new Refusal('the schema refers to itself without going deeper into the data', node.pointer);
    if (before !== undefined) return before;
    known.set(node, 'open');
    const sum = node.here.reduce((all, part) => all + rulesHere(part), node.rules);
    if (sum > MAX_RULES_AT_ONCE) {
      throw new Refusal(`more than ${MAX_RULES_AT_ONCE} rules would apply to one value`, node.pointer);
    }
    known.set(node, sum);
    return sum;
  };
  const seen = new Set<SchemaNode>();
  const stack = [root];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    rulesHere(node);
    stack.push(...node.here, ...node.below);
  }
}
