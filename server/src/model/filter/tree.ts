// The tree a filter's text becomes: what is compared with what, free of how it was written.
//
// It is not the tree of the expressions of flows (flow/expression): a filter compares a place of the event with a
// literal, times included, and is matched at every publish. Both see members and order alike (json-value.ts).

/** A literal. A time is an instant in epoch milliseconds. */
export type Literal =
  | { kind: 'null' }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'number'; value: number }
  | { kind: 'string'; value: string }
  | { kind: 'time'; value: number };

/** A place in an event: steps into its data, or the one name of a context attribute. */
export type Path = { kind: 'path'; root: 'data' | 'event'; steps: readonly string[] };

export type ComparisonOperator = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le';

export type FilterTree =
  | { kind: 'and' | 'or'; operands: readonly FilterTree[] }
  | { kind: 'not'; operand: FilterTree }
  | { kind: 'compare'; operator: ComparisonOperator; left: Path; right: Literal }
  | { kind: 'in'; left: Path; right: readonly Literal[] }
  | { kind: 'startswith'; left: Path; right: string };
