// The tests that a document carries: what a job would do with these values, how a rule judges this resource.
import { COMPLIANCE } from '../../policy/judge.ts';
import type { Job, Json, PolicySet, Step } from '../definition.ts';
import { notOneOf, type Faults, type Span } from './fault.ts';
import { choiceOf, describe, fieldsOf, isGiven, itemsOf, jsonOf, textOf, type Fields } from './fields.ts';
import { isOfType } from './params.ts';
import type { ListValue, Value } from './source.ts';

/** One test of a document. */
export type FlowTest = JobTest | PolicyTest;

interface TestHead {
  name: string;
  /** Where it stands in its file, from 1. */
  line: number;
  params: Readonly<Record<string, Json>>;
}

/** A job is walked through without doing anything: actions give what the test says they give. */
export interface JobTest extends TestHead {
  kind: 'job';
  /** The event that starts the run, or null. */
  event: Json;
  secrets: Readonly<Record<string, string>>;
  /** What named steps give; nothing unless said. */
  outputs: Readonly<Record<string, Json>>;
  /** Named steps that fail, with the reason. */
  fails: Readonly<Record<string, string>>;
  expect: {
    status: 'completed' | 'failed' | null;
    /** The branches taken, in this order. */
    route: readonly string[] | null;
    /** Named steps that did something, in this order. */
    ran: readonly string[] | null;
    /** Named steps that did not. */
    skipped: readonly string[] | null;
    /** What named steps are given: these parts of it. */
    inputs: Readonly<Record<string, Json>>;
  };
}

/** A rule judges one resource. */
export interface PolicyTest extends TestHead {
  kind: 'policy-set';
  rule: string;
  resource: Json;
  /** `detail` undefined: it is not looked at. */
  expect: { compliance: string; detail?: string | null };
}

const JOB_TEST = ['name', 'params', 'event', 'secrets', 'steps', 'fails', 'expect'];
const JOB_EXPECT = ['status', 'route', 'ran', 'skipped', 'inputs'];
const POLICY_TEST = ['name', 'rule', 'params', 'resource', 'expect'];

/** Reads the tests of a job. */
export function readJobTests(list: ListValue, job: Job, faults: Faults): JobTest[] {
  const steps = [...namesOf(job.steps)];
  return list.items.flatMap((item, index) => {
    const fields = fieldsOf(item, 'a test', JOB_TEST, faults);
    if (fields === null) return [];
    const by = (name: string) => ({ name, steps, faults });
    return {
      kind: 'job' as const,
      ...readHead(fields, { index, line: faults.placeOf(item.start).line, faults }),
      params: readParams(fields.value('params'), job, faults),
      event: isGiven(fields.value('event')) ? jsonOf(fields.value('event') as Value) : null,
      secrets: readTexts(fields.value('secrets'), 'secrets', faults),
      outputs: readByStep(fields.value('steps'), by('steps')),
      fails: readReasons(fields.value('fails'), by('fails')),
      expect: readExpectations(fields, steps, faults),
    };
  });
}

function readHead(fields: Fields, { index, line, faults }: { index: number; line: number; faults: Faults }) {
  const written = fields.value('name');
  const name = isGiven(written) ? textOf(written, 'the name of a test', faults) : null;
  return { name: name ?? `test ${index + 1}`, line };
}

function readExpectations(fields: Fields, steps: readonly string[], faults: Faults): JobTest['expect'] {
  const nothing = { status: null, route: null, ran: null, skipped: null, inputs: {} };
  const value = fields.value('expect');
  if (!isGiven(value)) {
    faults.add(fields.at, 'a test needs expect', ['expect']);
    return nothing;
  }
  const expect = fieldsOf(value, 'expect', JOB_EXPECT, faults);
  if (expect === null) return nothing;
  const status = expect.value('status');
  const names = (name: string, known: readonly string[] | null): string[] | null => {
    const given = expect.value(name);
    if (given === null) return null;
    return itemsOf(given).flatMap((item) => {
      const text = textOf(item, name, faults);
      if (text !== null && known !== null) checkStep(item, text, { steps: known, faults });
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

function readByStep(
  value: Value | null,
  { name, steps, faults }: { name: string; steps: readonly string[]; faults: Faults },
): Record<string, Json> {
  if (value?.kind === 'map') {
    for (const entry of value.entries) checkStep(entry.at, entry.name, { steps, faults });
  }
  return readMap(value, name, faults);
}

function readReasons(
  value: Value | null,
  { name, steps, faults }: { name: string; steps: readonly string[]; faults: Faults },
): Record<string, string> {
  readByStep(value, { name, steps, faults });
  return value?.kind === 'map' ? readTexts(value, name, faults) : {};
}

function readTexts(value: Value | null, name: string, faults: Faults): Record<string, string> {
  readMap(value, name, faults);
  const entries = value?.kind === 'map' ? value.entries : [];
  const texts = entries.map((entry) => [entry.name, textOf(entry.value, `${name}.${entry.name}`, faults, ANY) ?? '']);
  return Object.fromEntries(texts) as Record<string, string>;
}

const ANY = { max: 65_536 };

function checkStep(at: Span, name: string, { steps, faults }: { steps: readonly string[]; faults: Faults }): void {
  if (steps.includes(name)) return;
  const words = steps.length === 0 ? 'no step of this job has a name' : notOneOf('step called', name, steps);
  faults.add(at, words, steps);
}

function readMap(value: Value | null, name: string, faults: Faults): Record<string, Json> {
  if (!isGiven(value)) return {};
  if (value.kind === 'map') return jsonOf(value) as Record<string, Json>;
  faults.add(value, `${name} must be a map, not ${describe(value)}`);
  return {};
}

/** Parameters of a test are held against what the flow declares; those left out have their defaults. */
function readParams(value: Value | null, { params }: Job | PolicySet, faults: Faults): Record<string, Json> {
  for (const { name, at, value: inner } of value?.kind === 'map' ? value.entries : []) {
    const param = Object.hasOwn(params, name) ? params[name] : undefined;
    if (param === undefined) faults.add(at, notOneOf('param', name, Object.keys(params)), Object.keys(params));
    else isOfType(inner, param.type, faults);
  }
  const defaults = Object.entries(params).map(([name, param]) => [name, param.default ?? null]);
  return { ...(Object.fromEntries(defaults) as Record<string, Json>), ...readMap(value, 'params', faults) };
}

/** The names of steps, at all levels. */
function* namesOf(steps: readonly Step[]): Generator<string> {
  for (const step of steps) {
    if (step.name !== null) yield step.name;
    if (step.kind === 'route') for (const branch of step.branches) yield* namesOf(branch.steps);
    if (step.kind === 'each') yield* namesOf(step.steps);
    if (step.onError.then === 'steps') yield* namesOf(step.onError.steps);
  }
}

/** Reads the tests of a policy set. */
export function readPolicyTests(list: ListValue, set: PolicySet, faults: Faults): PolicyTest[] {
  const rules = set.rules.map(({ name }) => name);
  return list.items.flatMap((item, index) => {
    const fields = fieldsOf(item, 'a test', POLICY_TEST, faults);
    if (fields === null) return [];
    const resource = fields.value('resource');
    if (!isGiven(resource)) faults.add(fields.at, 'a test of a policy set needs a resource', ['resource']);
    const expect = readVerdict(fields, faults);
    const rule = readRule(fields, rules, faults);
    if (!isGiven(resource) || expect === null || rule === null) return [];
    const head = readHead(fields, { index, line: faults.placeOf(item.start).line, faults });
    const params = readParams(fields.value('params'), set, faults);
    return { kind: 'policy-set' as const, ...head, params, rule, resource: jsonOf(resource), expect };
  });
}

/** A set of one rule need not say which. */
function readRule(fields: Fields, rules: readonly string[], faults: Faults): string | null {
  const value = fields.value('rule');
  if (isGiven(value)) return choiceOf(value, 'rule', { words: rules, faults });
  if (rules.length === 1) return rules[0] as string;
  faults.add(fields.at, `the test does not say which rule it is of; there is: ${rules.join(', ')}`, rules);
  return null;
}

/** `expect: COMPLIANT`, or `expect: { compliance, detail }`. */
function readVerdict(fields: Fields, faults: Faults): PolicyTest['expect'] | null {
  const value = fields.value('expect');
  if (!isGiven(value)) {
    faults.add(fields.at, 'a test needs expect', ['expect']);
    return null;
  }
  const verdict = value.kind === 'map' ? fieldsOf(value, 'expect', ['compliance', 'detail'], faults) : null;
  const word = value.kind === 'map' ? (verdict?.value('compliance') ?? null) : value;
  if (!isGiven(word)) {
    faults.add(value, 'expect needs compliance', COMPLIANCE);
    return null;
  }
  const compliance = choiceOf(word, 'compliance', { words: COMPLIANCE, faults });
  const detail = verdict?.value('detail') ?? null;
  if (compliance === null || detail === null) return compliance === null ? null : { compliance };
  return { compliance, detail: isGiven(detail) ? textOf(detail, 'detail', faults) : null };
}
