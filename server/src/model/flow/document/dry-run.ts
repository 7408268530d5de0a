// Plays the tests of a document: a job is walked through without doing anything, a rule judges the resource it is given.
//
// What actions would do is left out: each gives what the test says it gives. Everything between them is the real thing:
// conditions, routes, loops, templates, and what a failure leads to.
import { compileRule, judge, type Judged } from '../../policy/judge.ts';
import { actionFault } from '../actions.ts';
import type { ActionStep, EachStep, Flow, Job, Json, PolicySet, RouteStep, Step } from '../definition.ts';
import { compileValue, ExpressionError, isTrue, parseExpression } from '../expression/index.ts';
import { secretNamesOf } from '../secret-names.ts';
import type { FlowTest, JobTest, PolicyTest } from './tests.ts';

/** What a test came to: what was expected and is otherwise, one sentence each; empty when all is as expected. */
export type TestOutcome = readonly string[];

/** Plays a test of a flow. `now` (epoch ms) is what its expressions take for the time. Never throws. */
export function playTest(flow: Flow, test: FlowTest, now: number): TestOutcome {
  if (flow.kind === 'job' && test.kind === 'job') return judgeJob(test, walkJob(flow, test, now));
  if (flow.kind === 'policy-set' && test.kind === 'policy-set') return judgePolicy(flow, test, now);
  return ['the test is of another kind than the document'];
}

/* ── Jobs ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/** What happened on a walk. */
interface Walk {
  status: 'completed' | 'failed';
  reason: string | null;
  route: string[];
  ran: string[];
  inputs: Map<string, Json>;
}

type Names = Record<string, Json>;

interface Walking {
  test: JobTest;
  now: number;
  walk: Walk;
  /** Steps walked so far: a loop over a million items tells nothing that one over a thousand does not. */
  steps: number;
}

const MAX_WALKED = 10_000;

/** A step failed and nothing catches it. */
class StepFailed extends Error {}

function walkJob(job: Job, test: JobTest, now: number): Walk {
  const walk: Walk = { status: 'completed', reason: null, route: [], ran: [], inputs: new Map() };
  const { params, event, secrets } = test;
  const secret = { ...standIns(job), ...secrets };
  const names: Names = { params: { ...params }, event, secret, run: runOf(job, now), steps: {} };
  try {
    walkSteps(job.steps, names, { test, now, walk, steps: 0 });
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    walk.status = 'failed';
    walk.reason = error.message;
  }
  return walk;
}

/** Secrets that a test does not name: their values are not what it is about. */
function standIns(flow: Flow): Record<string, string> {
  return Object.fromEntries(secretNamesOf(flow).map((name) => [name, `the-secret-${name}`]));
}

/** What expressions see as `run`. */
function runOf({ name }: Flow, now: number): Json {
  return { id: 1, job: 1, name, startedAt: new Date(now).toISOString(), cause: { by: 'hand' } };
}

function walkSteps(steps: readonly Step[], names: Names, walking: Walking): void {
  for (const step of steps) walkStep(step, names, walking);
}

function walkStep(step: Step, names: Names, walking: Walking): void {
  if (++walking.steps > MAX_WALKED) throw new StepFailed(`a test walks ${MAX_WALKED} steps at most`);
  try {
    if (step.if !== null && !isTrue(evaluate(step.if, names, walking))) return;
    if (step.name !== null) walking.walk.ran.push(step.name);
    if (step.kind === 'action') walkAction(step, names, walking);
    else if (step.kind === 'route') walkRoute(step, names, walking);
    else walkEach(step, names, walking);
  } catch (error) {
    if (!(error instanceof StepFailed || error instanceof ExpressionError)) throw error;
    const reason = error instanceof StepFailed ? error.message : `${whatOf(step)}: ${error.message}`;
    if (step.onError.then === 'fail') throw new StepFailed(reason);
    if (step.onError.then === 'continue') return;
    names['error'] = { step: step.name, place: step.path, message: reason };
    walkSteps(step.onError.steps, names, walking);
  }
}

function whatOf(step: Step): string {
  return step.name ?? `${step.path} (${step.kind === 'action' ? step.action : step.kind})`;
}

function walkAction(step: ActionStep, names: Names, { test, now, walk }: Walking): void {
  const { name, action } = step;
  const input = compileValue(step.input).evaluate(names, { now });
  if (name !== null) walk.inputs.set(name, input);
  const where = whatOf(step);
  const fault = actionFault(action, input, 'evaluated');
  if (fault !== null) throw new StepFailed(`${where}: ${fault}`);
  if (action === 'fail') throw new StepFailed(`${where}: ${input as string}`);
  const why = name === null ? undefined : test.fails[name];
  if (why !== undefined) throw new StepFailed(`${where}: ${why}`);
  if (action === 'set') Object.assign(names, input);
  const output = name !== null && Object.hasOwn(test.outputs, name) ? (test.outputs[name] as Json) : null;
  if (name !== null) names['steps'] = { ...(names['steps'] as Names), [name]: action === 'set' ? input : output };
}

function walkRoute(step: RouteStep, names: Names, walking: Walking): void {
  const fits = step.branches.filter((branch) => branch.if !== null && isTrue(evaluate(branch.if, names, walking)));
  const taken = step.match === 'first' ? fits.slice(0, 1) : fits;
  const rest = taken.length > 0 ? [] : step.branches.filter((branch) => branch.if === null);
  for (const branch of [...taken, ...rest]) {
    walking.walk.route.push(branch.name);
    walkSteps(branch.steps, names, walking);
  }
}

function walkEach(step: EachStep, names: Names, walking: Walking): void {
  const items = evaluate(step.of, names, walking);
  if (!Array.isArray(items)) throw new StepFailed(`${whatOf(step)}: what it goes through is not a list`);
  for (const item of items) walkSteps(step.steps, { ...names, [step.as]: item }, walking);
}

function evaluate(text: string, names: Names, { now }: { now: number }): Json {
  return parseExpression(text).evaluate(names, { now });
}

function judgeJob({ expect }: JobTest, walk: Walk): string[] {
  const wrong: string[] = [];
  const status = expect.status ?? 'completed';
  if (walk.status !== status) {
    const why = walk.reason === null ? '' : ` (${walk.reason})`;
    wrong.push(`the job would have ${walk.status}${why}; expected: ${status}`);
  }
  const lists: [string, readonly string[] | null, readonly string[]][] = [
    ['route', expect.route, walk.route],
    ['ran', expect.ran, walk.ran],
  ];
  for (const [name, wanted, found] of lists) {
    if (wanted === null || isSame([...wanted], [...found])) continue;
    wrong.push(`${name}: ${listed(found)}; expected: ${listed(wanted)}`);
  }
  for (const name of expect.skipped ?? []) {
    if (walk.ran.includes(name)) wrong.push(`the step ${name} ran; expected: skipped`);
  }
  for (const [name, wanted] of Object.entries(expect.inputs)) {
    const found = walk.inputs.get(name);
    if (found === undefined) wrong.push(`the step ${name} was given nothing: it did not run`);
    else wrong.push(...differences(found, wanted, `the input of ${name}`));
  }
  return wrong;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

/** What of `wanted` is otherwise in `found`, which may have more. */
function differences(found: Json, wanted: Json, where: string): string[] {
  if (typeof wanted === 'object' && wanted !== null && !Array.isArray(wanted)) {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return [`${where} is ${shown(found)}`];
    return Object.entries(wanted).flatMap(([name, value]) =>
      differences(Object.hasOwn(found, name) ? (found[name] as Json) : null, value, `${where}.${name}`),
    );
  }
  return isSame(found, wanted) ? [] : [`${where} is ${shown(found)}; expected: ${shown(wanted)}`];
}

function isSame(one: Json, other: Json): boolean {
  return canonical(one) === canonical(other);
}

function canonical(value: Json): string {
  return JSON.stringify(value, (_, inner: Json) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}

/* ── Policy sets ────────────────────────────────────────────────────────────────────────────────────────────── */

function judgePolicy(set: PolicySet, test: PolicyTest, now: number): string[] {
  const { rule: name, resource, expect, params } = test;
  const rule = set.rules.find((one) => one.name === name);
  if (rule === undefined) return [`there is no rule ${name}`];
  const judged: Judged = new Map();
  try {
    const scope = { params: { ...params }, secret: standIns(set), run: runOf(set, now) };
    judge(compileRule(rule), [resource], { judged, scope });
  } catch (error) {
    return [(error as Error).message];
  }
  const [found] = judged.values();
  if (found === undefined) return [`the rule ${name} judged nothing`];
  const wrong: string[] = [];
  if (found.compliance !== expect.compliance) wrong.push(`${found.compliance}; expected: ${expect.compliance}`);
  if (expect.detail !== undefined && found.detail !== expect.detail) {
    wrong.push(`detail ${found.detail ?? 'null'}; expected: ${expect.detail ?? 'null'}`);
  }
  return wrong;
}
