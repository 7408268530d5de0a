// What all flows have in common in a document: name, group, parameters, time-out, concurrency, what follows.
import type { After, Concurrency, Param } from '../definition.ts';
import type { Faults } from './fault.ts';
import { booleanOf, choiceOf, fieldsOf, integerOf, isGiven, itemsOf, spanOf, textOf, type Fields } from './fields.ts';
import { readParams } from './params.ts';
import type { Value } from './source.ts';

/** The fields of a document that all flows share, beside the one that names them. */
export const HEAD_FIELDS = ['description', 'group', 'enabled', 'on', 'timeout', 'concurrency', 'after', 'tests'];

const HOUR = 3_600_000;
/** What a head that says nothing means. */
export type Unsaid = Pick<Head, 'timeoutMs' | 'concurrency'>;
/** That of jobs and policy sets: one hour, one at once. */
export const UNSAID: Unsaid = { timeoutMs: HOUR, concurrency: { max: 1, then: 'queue' } };
const LONGEST_MS = 7 * 24 * HOUR;
const MAX_AFTER = 50;

/** The head of a flow, as far as it does not need the rest. */
export interface Head {
  description: string;
  group: string | null;
  enabled: boolean;
  params: Record<string, Param>;
  timeoutMs: number;
  concurrency: Concurrency;
  after: After;
}

/** Reads the head. What is wrong is told, and read as if it were absent. */
export function readHead(fields: Fields, faults: Faults, unsaid: Unsaid = UNSAID): Head {
  const given = <T>(name: string, read: (value: Value) => T | null, otherwise: T): T => {
    const value = fields.value(name);
    return isGiven(value) ? (read(value) ?? otherwise) : otherwise;
  };
  return {
    description: given('description', (value) => textOf(value, 'description', faults, { max: 2_000 }), ''),
    group: given<string | null>('group', (value) => textOf(value, 'group', faults), null),
    enabled: given('enabled', (value) => booleanOf(value, 'enabled', faults), true),
    params: given('params', (value) => readParams(value, faults), {}),
    timeoutMs: given(
      'timeout',
      (value) => spanOf(value, 'timeout', { min: 1_000, max: LONGEST_MS, faults }),
      unsaid.timeoutMs,
    ),
    concurrency: given('concurrency', (value) => readConcurrency(value, unsaid, faults), unsaid.concurrency),
    after: given('after', (value) => readAfter(value, faults), { completed: [], failed: [] }),
  };
}

const THEN = ['queue', 'skip', 'replace', 'fail'] as const;

function readConcurrency(value: Value, { concurrency }: Unsaid, faults: Faults): Concurrency | null {
  const fields = fieldsOf(value, 'concurrency', ['max', 'then'], faults);
  if (fields === null) return null;
  const max = fields.value('max');
  const then = fields.value('then');
  return {
    max: (isGiven(max) ? integerOf(max, 'max', { min: 1, max: 1_000, faults }) : null) ?? concurrency.max,
    then: (isGiven(then) ? choiceOf(then, 'then', { words: THEN, faults }) : null) ?? concurrency.then,
  };
}

/** `after: { completed: […], failed: […] }`; a list alone stands for both. */
function readAfter(value: Value, faults: Faults): After | null {
  if (value.kind !== 'map') {
    const both = readNames(value, faults);
    return { completed: both, failed: both };
  }
  const fields = fieldsOf(value, 'after', ['completed', 'failed'], faults);
  if (fields === null) return null;
  return { completed: readNames(fields.value('completed'), faults), failed: readNames(fields.value('failed'), faults) };
}

function readNames(value: Value | null, faults: Faults): string[] {
  const names: string[] = [];
  const items = itemsOf(value);
  if (value !== null && items.length > MAX_AFTER) faults.add(value, `at most ${MAX_AFTER} post-processings can follow`);
  for (const item of items) {
    const name = textOf(item, 'the name of a post-processing', faults);
    if (name === null) continue;
    if (names.includes(name)) faults.add(item, `the post-processing "${name}" is named twice`);
    else names.push(name);
  }
  return names;
}
