// What the tests of jobs and of scenarios have in common: what steps give, which fail, and what is expected of them.
import type { Json, Step } from '../definition.ts';
import { everyStep } from '../step-tree.ts';
import { notOneOf, type Faults, type Span } from './fault.ts';
import { choiceOf, describe, fieldsOf, isGiven, itemsOf, jsonOf, textOf, type Fields } from './fields.ts';
import type { Value } from './source.ts';

/** What every test has. */
export interface TestHead {
  name: string;
  /** Where it stands in its file, from 1. */
  line: number;
  params: Readonly<Record<string, Json>>;
}

/** A test that walks through steps: actions give what it says they give. */
export interface StepTest extends TestHead {
  secrets: Readonly<Record<string, string>>;
  /** What named steps give; nothing unless said. */
  outputs: Readonly<Record<string, Json>>;
  /** Named steps that fail, with the reason. */
  fails: Readonly<Record<string, string>>;
  expect: StepExpectations;
}

/** What is expected of steps; null where it is not looked at. */
export interface StepExpectations {
  status: 'completed' | 'failed' | null;
  /** The branches taken, in this order. */
  route: readonly string[] | null;
  /** Named steps that did something, in this order. */
  ran: readonly string[] | null;
  /** Named steps that did not. */
  skipped: readonly string[] | null;
  /** What named steps are given: these parts of it. */
  inputs: Readonly<Record<string, Json>>;
}

/** The name of a test, and where it stands. */
export function readTestHead(fields: Fields, { index, line, faults }: { index: number; line: number; faults: Faults }) {
  const written = fields.value('name');
  const name = isGiven(written) ? textOf(written, 'the name of a test', faults) : null;
  return { name: name ?? `test ${index + 1}`, line };
}

/** Reads what is expected of steps; fields of `expect` beside these are known, and read by somebody else. */
export function readExpectations(
  fields: Fields,
  { known, steps, faults }: { known: readonly string[]; steps: readonly string[]; faults: Faults },
): StepExpectations {
  const nothing = { status: null, route: null, ran: null, skipped: null, inputs: {} };
  const value = fields.value('expect');
  if (!isGiven(value)) {
    faults.add(fields.at, 'a test needs expect', ['expect']);
    return nothing;
  }
  const expect = fieldsOf(value, 'expect', known, faults);
  if (expect === null) return nothing;
  const status = expect.value('status');
  const names = (name: string, among: readonly string[] | null): string[] | null => {
    const given = expect.value(name);
    if (given === null) return null;
    return itemsOf(given).flatMap((item) => {
      const text = textOf(item, name, faults);
      if (text !== null && among !== null) checkStep(item, text, { steps: among, faults });
      return text ?? [];
    });
  };
  return {
    status: isGiven(status) ? choiceOf(status, 'status', { words: ['completed', 'failed'], faults }) : null,
    route: names('route', null),
    ran: names('ran', steps),
    skipped: names('skipped', steps),
    inputs: readByStep(expect.value('inputs'), { name: 'inputs', steps, faults }),
  };
}

/** A map by names of steps. */
export function readByStep(
  value: Value | null,
  { name, steps, faults }: { name: string; steps: readonly string[]; faults: Faults },
): Record<string, Json> {
  if (value?.kind === 'map') {
    for (const entry of value.entries) checkStep(entry.at, entry.name, { steps, faults });
  }
  return readMap(value, name, faults);
}

/** A map of texts by names of steps. */
export function readReasons(
  value: Value | null,
  { name, steps, faults }: { name: string; steps: readonly string[]; faults: Faults },
): Record<string, string> {
  readByStep(value, { name, steps, faults });
  return value?.kind === 'map' ? readTexts(value, name, faults) : {};
}

/** A map of texts. */
export function readTexts(value: Value | null, name: string, faults: Faults): Record<string, string> {
  readMap(value, name, faults);
  const entries = value?.kind === 'map' ? value.entries : [];
  const texts = entries.map((entry) => [entry.name, textOf(entry.value, `${name}.${entry.name}`, faults, ANY) ?? '']);
  return Object.fromEntries(texts) as Record<string, string>;
}

const ANY = { max: 65_536 };

function checkStep(at: Span, name: string, { steps, faults }: { steps: readonly string[]; faults: Faults }): void {
  if (steps.includes(name)) return;
  const words = steps.length === 0 ? 'no step here has a name' : notOneOf('step called', name, steps);
  faults.add(at, words, steps);
}

/** A map of values. */
export function readMap(value: Value | null, name: string, faults: Faults): Record<string, Json> {
  if (!isGiven(value)) return {};
  if (value.kind === 'map') return jsonOf(value) as Record<string, Json>;
  faults.add(value, `${name} must be a map, not ${describe(value)}`);
  return {};
}

/** The names of steps, at all levels. */
export function namesOf(steps: readonly Step[]): string[] {
  return Array.from(everyStep(steps), ({ name }) => name).filter((name) => name !== null);
}
