// The tree an expression's text becomes: what is done with what, each node with its place in the text.
import type { FunctionEntry } from './functions/entry.ts';

/** Where a node stands in the text, and how many levels of nodes are below and including it. */
interface Place {
  at: number;
  end: number;
  height: number;
}

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%';
export type ComparisonOperator = '==' | '!=' | '<' | '<=' | '>' | '>=';
export type BinaryOperator = ArithmeticOperator | ComparisonOperator | 'in' | '??' | '&&' | '||';

export type Node = Place &
  (
    | { kind: 'literal'; value: null | boolean | number | string }
    | { kind: 'name'; name: string }
    /** The item of a `x -> …` around it: the number counts such functions from the outside. */
    | { kind: 'item'; slot: number }
    | { kind: 'secret'; name: string }
    /** Names and indexes that stand in the text. */
    | { kind: 'path'; of: Node; steps: readonly (string | number)[] }
    /** A name or an index that is computed. */
    | { kind: 'index'; of: Node; by: Node }
    | { kind: 'list'; entries: readonly Node[] }
    | { kind: 'object'; members: readonly { name: string; value: Node }[] }
    | { kind: 'unary'; operator: '!' | '-'; operand: Node }
    | { kind: 'binary'; operator: BinaryOperator; left: Node; right: Node }
    | { kind: 'choice'; condition: Node; then: Node; otherwise: Node }
    | { kind: 'call'; function: FunctionEntry; inputs: readonly Input[] }
  );

/** An argument of a call: left empty, a value, or `x -> …`, which is done with each item; `cost` is its nodes. */
export type Input = undefined | Node | { kind: 'each'; slot: number; body: Node; cost: number };

/** What a text was read to. */
export interface Reading {
  root: Node;
  /** Where the expression ends: at the end of the text, or at the token that cannot continue it. */
  end: number;
  /** Names it takes from its scope, in the order of their first use. */
  names: readonly string[];
  secrets: readonly string[];
  /** Each use of such a name with the fixed steps behind it. */
  paths: readonly (readonly (string | number)[])[];
  /** How many items are in hand at once at most. */
  slots: number;
}
