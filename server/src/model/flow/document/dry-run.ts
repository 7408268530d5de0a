// Plays the tests of a document: the steps of a job or scenario are walked through without doing anything, a rule judges
// the resource it is given.
import { compileRule, judge, type Judged } from '../../policy/judge.ts';
import type { Flow, Job, Json, PolicySet } from '../definition.ts';
import { secretNamesOf } from '../secret-names.ts';
import { differences, isSame } from './differences.ts';
import { walkDry, type DryWalk } from './dry-walk.ts';
import { judgeScenario, receiveDry } from './scenario-run.ts';
import type { StepTest } from './step-tests.ts';
import type { FlowTest, JobTest, PolicyTest } from './tests.ts';

/** What a test came to: what was expected and is otherwise, one sentence each; empty when all is as expected. */
export type TestOutcome = readonly string[];

/** Plays a test of a flow. `now` (epoch ms) is what its expressions take for the time. Never throws. */
export function playTest(flow: Flow, test: FlowTest, now: number): TestOutcome {
  if (flow.kind === 'job' && test.kind === 'job') return judgeSteps(test, walkJob(flow, test, now), 'job');
  if (flow.kind === 'policy-set' && test.kind === 'policy-set') return judgePolicy(flow, test, now);
  if (flow.kind === 'scenario' && test.kind === 'scenario') {
    const secrets = { ...standIns(flow), ...test.secrets };
    const found = receiveDry(flow, { ...test, secrets, now });
    return [...(found.walk === null ? [] : judgeSteps(test, found.walk, 'scenario')), ...judgeScenario(test, found)];
  }
  return ['the test is of another kind than the document'];
}

/* ── Steps ──────────────────────────────────────────────────────────────────────────────────────────────────── */

function walkJob(job: Job, { params, event, secrets, outputs, fails }: JobTest, now: number): DryWalk {
  const secret = { ...standIns(job), ...secrets };
  return walkDry(job.steps, { params: { ...params }, event, secret, run: runOf(job, now) }, { outputs, fails, now });
}

/** Secrets that a test does not name: their values are not what it is about. */
export function standIns(flow: Flow): Record<string, string> {
  return Object.fromEntries(secretNamesOf(flow).map((name) => [name, `the-secret-${name}`]));
}

/** What expressions see as `run`. */
function runOf({ name }: Flow, now: number): Json {
  return { id: 1, job: 1, name, startedAt: new Date(now).toISOString(), cause: { by: 'hand' } };
}

function judgeSteps({ expect }: StepTest, walk: DryWalk, what: string): string[] {
  const wrong: string[] = [];
  const status = expect.status ?? 'completed';
  if (walk.status !== status) {
    const why = walk.reason === null ? '' : ` (${walk.reason})`;
    wrong.push(`the ${what} would have ${walk.status}${why}; expected: ${status}`);
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
