// The functions of expressions by their names: all there are, and near names for one there is not.
import { CODE_FUNCTIONS } from './codes.ts';
import { DATE_FUNCTIONS } from './dates.ts';
import { entry } from './entry.ts';
import type { FunctionEntry } from './entry.ts';
import { JUDGEMENT_FUNCTIONS } from './judgements.ts';
import { LIST_FUNCTIONS } from './lists.ts';
import { NUMBER_FUNCTIONS } from './numbers.ts';
import { PATTERN_FUNCTIONS } from './patterns.ts';
import { TEXT_FUNCTIONS } from './texts.ts';

/** Functions that evaluate only the arguments they need: the compiler makes choices of them (compile.ts). */
export type LazyName = 'if' | 'switch' | 'coalesce' | 'ifEmpty';

const neverRun = (): never => {
  throw new Error('the compiler does these itself');
};

const LAZY: readonly FunctionEntry[] = [
  entry('if(condition, then, otherwise?)', neverRun),
  entry('switch(value, case, result, …)', neverRun),
  entry('coalesce(value…)', neverRun),
  entry('ifEmpty(value, otherwise)', neverRun),
];

/** All functions, by name. */
export const FUNCTIONS: ReadonlyMap<string, FunctionEntry> = new Map(
  [
    ...LAZY,
    ...JUDGEMENT_FUNCTIONS,
    ...TEXT_FUNCTIONS,
    ...PATTERN_FUNCTIONS,
    ...NUMBER_FUNCTIONS,
    ...DATE_FUNCTIONS,
    ...LIST_FUNCTIONS,
    ...CODE_FUNCTIONS,
  ].map((one) => [one.name, one]),
);

/** Whether a function evaluates its arguments itself. */
export function isLazy(name: string): name is LazyName {
  return LAZY.some((one) => one.name === name);
}
