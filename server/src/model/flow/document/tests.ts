// The tests that a document carries: what a job would do with these values, how a rule judges this resource.
import { COMPLIANCE } from '../../policy/judge.ts';
import type { Job, Json, PolicySet } from '../definition.ts';
import { notOneOf, type Faults } from './fault.ts';
import { choiceOf, fieldsOf, isGiven, jsonOf, textOf, type Fields } from './fields.ts';
import { isOfType } from './params.ts';
import type { ScenarioTest } from './scenario-tests.ts';
import type { ListValue, Value } from './source.ts';
import {
  namesOf,
  readByStep,
  readExpectations,
  readMap,
  readReasons,
  readTestHead,
  readTexts,
  type StepTest,
  type TestHead,
} from './step-tests.ts';

/** One test of a document. */
export type FlowTest = JobTest | PolicyTest | ScenarioTest;

/** A job is walked through without doing anything. */
export interface JobTest extends StepTest {
  kind: 'job';
  /** The event that starts the run, or null. */
  event: Json;
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
  const steps = namesOf(job.steps);
  return list.items.flatMap((item, index) => {
    const fields = fieldsOf(item, 'a test', JOB_TEST, faults);
    if (fields === null) return [];
    const by = (name: string) => ({ name, steps, faults });
    return {
      kind: 'job' as const,
      ...readTestHead(fields, { index, line: faults.placeOf(item.start).line, faults }),
      params: readParams(fields.value('params'), job, faults),
      event: isGiven(fields.value('event')) ? jsonOf(fields.value('event') as Value) : null,
      secrets: readTexts(fields.value('secrets'), 'secrets', faults),
      outputs: readByStep(fields.value('steps'), by('steps')),
      fails: readReasons(fields.value('fails'), by('fails')),
      expect: readExpectations(fields, { known: JOB_EXPECT, steps, faults }),
    };
  });
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
    const head = readTestHead(fields, { index, line: faults.placeOf(item.start).line, faults });
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
